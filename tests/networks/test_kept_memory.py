"""Memory that a network gives back on a CPU stays with its process: the next step takes the same
pages, and the system need not fill new ones with zeros."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from riqa_lib.networks import device

# in a process of its own, since it is set for good
SCRIPT = """
import resource
import torch
from riqa_lib.networks import device

def pages(times):  # that come anew while 40 and 120 MB are taken and given back
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(10_000_000) + 1
        torch.ones(30_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages(1)
as_it_comes = pages(3)
assert device.device().type == "cpu"
assert device.keep_memory()
pages(20)  # until the holes that blocks leave suit the next ones
print(as_it_comes, pages(3))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc can be told to")
def test_what_is_given_back_is_taken_again():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
        | {"CUDA_VISIBLE_DEVICES": ""},
    )
    as_it_comes, kept = map(int, run.stdout.split())
    assert as_it_comes > 3 * 20_000  # else the measure sees nothing: 160 MB are 40,000 pages
    assert kept < 0.2 * as_it_comes


def test_where_somebody_said_how_memory_is_given_it_stays_so(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=3")
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: pytest.fail("was set all the same"))
    assert device.keep_memory.__wrapped__() is False


def test_without_glibc_nothing_is_set(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: object())
    assert device.keep_memory.__wrapped__() is False
