"""Kernels that are forked from a process that has imported what they need."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from toy_notebooks import write_notebook

from riqa_lib.plan import forks, run
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import TURN, Record, Step, Walk

pytestmark = pytest.mark.skipif(not forks.possible(), reason="no kernels are forked here")
IMPORTS = ("colorsys",)  # one that Python does not import by itself


@pytest.fixture
def env(tmp_path):
    return {**os.environ, "PYTHONPATH": str(tmp_path), "RIQA_TOY": "given"}


@pytest.fixture
def server(env):
    fixed = {k: v for k, v in env.items() if not k.startswith(forks.OWN)} | {"TOY_SERVER": "1"}
    made = forks.Server(fixed, IMPORTS)
    yield made
    made.close()


@pytest.fixture
def fork(server, env, tmp_path):
    """Fork a kernel that runs this code; it writes to tmp_path/said."""
    lock = (tmp_path / "lock").open("w+")

    def forked(code, *arguments):
        with open(os.devnull) as nothing, open(tmp_path / "said", "w") as said:
            files = [nothing.fileno(), said.fileno(), said.fileno(), lock.fileno()]
            argv = [sys.executable, "-c", code, *arguments]
            return server.fork(argv, env, tmp_path, files)

    forked.lock = lock
    yield forked
    lock.close()


def test_it_is_what_a_process_started_afresh_would_be(fork, tmp_path):
    code = (
        "import os, sys; assert 'colorsys' in sys.modules; assert __name__ == '__main__'\n"
        "assert 'TOY_SERVER' not in os.environ\n"
        "print(sys.argv, os.environ['RIQA_TOY'], os.getcwd(), os.getsid(0) == os.getpid())\n"
        "print(os.environ['JPY_PARENT_PID'] == str(os.getppid()), file=sys.stderr)\n"
    )
    kernel = fork(code, "-f", "file")
    assert kernel.wait() == 0
    said = (tmp_path / "said").read_text()
    assert said == f"['-c', '-f', 'file'] given {tmp_path} True\nTrue\n"


def test_it_is_a_session_at_once(fork):
    kernel = fork("import time; time.sleep(60)")
    assert os.getsid(kernel.pid) == kernel.pid
    kernel.kill()


def test_it_has_no_file_of_its_server(fork):
    fork("import time; time.sleep(20)").kill()
    code = (
        "import os\n"
        "for n in os.listdir('/proc/self/fd'):\n"
        "    if os.path.exists(f'/proc/self/fd/{n}'):\n"
        "        print(os.readlink(f'/proc/self/fd/{n}').split(':')[0])\n"
    )
    assert fork(code).wait() == 0
    assert not {"socket", "pipe"} & set(said_by(fork).split())


def test_the_library_is_read_when_a_kernel_is_forked(fork, tmp_path):
    for value in (1, 2):
        (tmp_path / "toy_library.py").write_text(f"value = {value} + {value} * 100\n")
        os.utime(tmp_path / "toy_library.py", (value, value))
        assert fork("import toy_library; print(toy_library.value)").wait() == 0
        assert (tmp_path / "said").read_text() == f"{101 * value}\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('words')", 1),
        ("raise ValueError('seen')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os; os._exit(7)", 7),
        ("", 0),
    ],
)
def test_its_exit_status_is_told(fork, code, status, tmp_path):
    kernel = fork(code)
    assert kernel.wait() == kernel.poll() == kernel.wait() == status
    assert ("ValueError: seen" in (tmp_path / "said").read_text()) == ("ValueError" in code)


def test_it_runs_until_a_signal_ends_it(fork):
    kernel = fork("import time; time.sleep(60)")
    assert kernel.poll() is None
    kernel.terminate()
    assert kernel.wait() == -signal.SIGTERM
    kernel.kill()  # it is gone: nothing happens


def test_a_signal_to_one_that_ended_a_moment_ago_is_no_error(fork, monkeypatch):
    kernel = fork("")
    gone = kernel.pid
    assert kernel.wait() == 0
    until(lambda: not psutil.pid_exists(gone))
    monkeypatch.setattr(kernel, "poll", lambda: None)  # its end was not told yet
    kernel.kill()


def test_it_holds_the_lock_of_its_step_and_so_does_what_it_starts(fork):
    fcntl.flock(fork.lock, fcntl.LOCK_EX)
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], close_fds=False)\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)\n"
    )
    kernel = fork(code)
    with open(fork.lock.name, "r+") as other:

        def is_free():
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        fork.lock.close()  # not unlocked: the kernel has it
        until(lambda: said_by(fork) == "begun\n")
        assert not is_free()
        os.kill(kernel.pid, signal.SIGKILL)
        kernel.wait()
        assert not is_free()
        os.killpg(kernel.pid, signal.SIGKILL)
        until(is_free)


def said_by(fork):
    return Path(fork.lock.name).with_name("said").read_text()


def until(happened, seconds=20.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_kernels_end_with_their_server_and_it_with_its_socket(fork, server):
    code = "import ctypes, time; ctypes.CDLL(None).prctl(1, 9); print('set', flush=True)"
    kernel = fork(f"{code}; time.sleep(60)")
    process = psutil.Process(kernel.pid)
    until(lambda: said_by(fork) == "set\n")
    server.ours.close()
    assert server.process.wait(10) == 0
    assert kernel.wait() == forks.GONE
    until(lambda: not process.is_running())


def test_a_server_that_is_gone_is_an_error_of_the_system(fork, server):
    server.process.kill()
    server.process.wait()
    with pytest.raises(OSError, match=r"gone|pipe|reset"):
        fork("")


def test_a_server_serves_kernels_of_its_own_environment(monkeypatch, env):
    monkeypatch.setattr(forks._Here, "server", None)
    assert forks.server_for(env, ()) is None
    first = forks.server_for(env, IMPORTS)
    assert forks.server_for({**env, "RIQA_TOY": "2", "IPYTHONDIR": "x"}, IMPORTS) is first
    assert "RIQA_TOY" not in first.fixed
    second = forks.server_for({**env, "OMP_NUM_THREADS": "7"}, IMPORTS)
    assert second is not first
    assert first.process.poll() == 0
    second.process.kill()
    second.process.wait()
    third = forks.server_for({**env, "OMP_NUM_THREADS": "7"}, IMPORTS)
    assert third is not second
    monkeypatch.setattr(forks, "possible", lambda: False)
    assert forks.server_for(env, IMPORTS) is None
    third.close()


@pytest.mark.parametrize("turn", ["0", "1"])
def test_every_other_worker_imports_in_the_reverse_order(monkeypatch, env, tmp_path, turn):
    monkeypatch.setenv(TURN, turn)
    for name in ("toy_first", "toy_last"):
        said = f"open({str(tmp_path / 'order')!r}, 'a').write('{name} ')"
        (tmp_path / f"{name}.py").write_text(said)
    server = forks.Server({**env, "PYTHONPATH": str(tmp_path)}, ("toy_first", "toy_last"))
    until(lambda: (tmp_path / "order").exists())
    until(lambda: len((tmp_path / "order").read_text().split()) == 2)
    server.close()
    expected = ["toy_first", "toy_last"]
    found = (tmp_path / "order").read_text().split()
    assert found == (expected if turn == "0" else expected[::-1])


def test_two_steps_share_no_imports(tmp_path, monkeypatch):
    """They would be imported once for each anyway."""
    given = []

    def step(walk, name, *_):
        given.append(walk)
        return Record(name, "failed", "not run")

    monkeypatch.setattr(run, "run_step", step)
    write_notebook(tmp_path / "a.ipynb", ["1"], parameters="SEED = 0")
    for n in (2, 3):
        steps = tuple(Step(f"a{seed}", "a.ipynb", {"SEED": seed}) for seed in range(n))
        walk = Walk(steps, "toy", tmp_path, tmp_path / f"home{n}", imports=IMPORTS)
        run_plan(walk, serial=True, stream=io.StringIO())
    assert [w.imports for w in given] == [()] * 2 + [IMPORTS] * 3


def test_steps_of_a_plan_are_forked_and_give_what_they_give_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(forks._Here, "server", None)
    code = (
        "import os, sys, random\n"
        "from pathlib import Path\n"
        "from riqa_lib import store\n"
        "home = Path(os.environ['RIQA_HOME'])\n"
        "(home / f'imported{SEED}').write_text(str('colorsys' in sys.modules))\n"
        "store.write_bytes(home / f'out{SEED}', str((SEED, hash('text'))).encode())"
    )
    (tmp_path / "nb").mkdir()
    write_notebook(tmp_path / "nb" / "a.ipynb", [code], parameters="SEED = 0")
    names = [f"a{seed}" for seed in range(3)]
    steps = tuple(Step(n, "a.ipynb", {"SEED": i}) for i, n in enumerate(names))
    for imports in ((), IMPORTS):
        home = tmp_path / ("forked" if imports else "afresh")
        walk = Walk(steps, "toy", tmp_path / "nb", home, imports=imports)
        records = run_plan(walk, serial=True, stream=io.StringIO())
        assert all(r.state == "done" for r in records.values()), records
    imported = [(tmp_path / "forked" / f"imported{s}").read_text() for s in range(3)]
    assert imported == ["True"] * 3
    for seed in range(3):
        both = [(tmp_path / w / f"out{seed}").read_bytes() for w in ("forked", "afresh")]
        assert both[0] == both[1]
    forks._Here.server.close()
