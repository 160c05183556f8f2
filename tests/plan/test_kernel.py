"""How a notebook's kernel and its copy behave, as far as that is ours."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from riqa_lib.plan import kernel


class Manager:
    """What papermill has of a notebook on its way: counts how often the copy is written."""

    def __init__(self):
        self.saved = []

    def save(self, **_):
        self.saved.append("save")

    def notebook_complete(self, **_):
        self.saved.append("complete")
        self.save()


def test_the_copy_is_written_seldom_and_always_at_the_end(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(kernel.time, "monotonic", lambda: now[0])
    manager = Manager()
    kernel._save_seldom(manager, seconds=10)
    for seconds in (0, 1, 9, 1, 3, 8):  # at 100, 101, 110, 111, 114, 122
        now[0] += seconds
        manager.save()
    assert manager.saved == ["save"] * 3  # at 100, 110, 122
    manager.notebook_complete()
    assert manager.saved[3:] == ["complete", "save"]


def test_a_kernel_that_is_shut_down_says_all_and_ends_without_taking_anything_apart():
    code = (
        "import atexit, sys, types, gc\n"
        "app = types.ModuleType('ipykernel.kernelapp')\n"
        "app.launch_new_instance = lambda: print('said', gc.get_threshold()[0], end='')\n"
        "sys.modules['ipykernel.kernelapp'] = app\n"
        "atexit.register(print, 'taken apart')\n"
        "from riqa_lib.plan.kernel import kernel\n"
        "kernel()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert (ended.returncode, ended.stdout) == (0, f"said {kernel.SELDOM}"), ended.stderr


LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")  # not there: none


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads GLIBC_TUNABLES")
def test_memory_is_taken_in_large_pages_and_what_an_array_took_serves_the_next():
    code = (
        "import resource\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "before = faults()\n"
        "b'x' * 40_000_000\n"  # from 32 MB on, glibc by itself gives it back at once
        "first = faults()\n"
        "for _ in range(10): b'x' * 40_000_000\n"
        "print(first - before, faults() - first)"
    )

    def faults(**more):
        env = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"} | more
        said = subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE)
        return map(int, said.stdout.split())

    first, later = faults(GLIBC_TUNABLES=kernel.TUNABLES)
    if LARGE_PAGES.exists() and "[never]" not in LARGE_PAGES.read_text():
        assert first < 1000  # 9766 of 4 KiB
    assert later < 100
    assert list(faults())[1] > later
