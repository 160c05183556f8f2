"""A process that has imported what most notebooks import, and becomes a kernel by forking.

Run as `python -c SOURCE FD MODULE...` by plan.forks, with its end of a socket pair as FD: the text
of this file, so that nothing of riqa_lib is imported before a kernel is forked, which then has the
library as it lies on the disk at that time, not as it was when the run began.

Asked by one message, JSON of argv, env and cwd, with five open files: standard input, output and
error, a step's lock, and one in which the exit status is to be written. Answers with the process's
number. It ends when the socket is closed, and its kernels with it (PR_SET_PDEATHSIG, plan.kernel).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys

MESSAGE = 1 << 20  # bytes at most
FILES = 5  # that come with a message


def become(asked: dict, files: list[int], parent: int) -> None:
    """In the child: be what `python -c CODE ARGUMENTS`, started with these files, would be."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
        os.close(file)
    # the lock came by recvmsg, which leaves it inheritable: what the kernel starts holds it too
    os.environ.clear()
    os.environ.update(asked["env"], JPY_PARENT_PID=str(parent), RIQA_LOCK=str(files[3]))
    os.chdir(asked["cwd"])
    _, _, code, *arguments = asked["argv"]  # python -c CODE ARGUMENTS
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<kernel>", "exec"), {"__name__": "__main__"})


def forked(asked: dict, files: list[int], close: list[int]) -> int:
    """The number of a new process that is a session of its own already."""
    ready, begun = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(begun)
        os.read(ready, 1)  # closed as soon as it has its session
        os.close(ready)
        return child
    status = 1
    try:
        os.setsid()
        for number in (ready, begun, files[4], *close):
            os.close(number)
        become(asked, files, parent)
        status = 0
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def reap(running: dict[int, int]) -> None:
    """Write the exit status of each child that has ended to whoever waits for it."""
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        if (told := running.pop(child, None)) is not None:
            with contextlib.suppress(OSError):  # nobody waits any more
                os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(told)


def serve(number: int, modules: list[str]) -> None:
    """Import, then fork whenever asked to, until the socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    for module in modules:
        with contextlib.suppress(Exception):  # a kernel that needs it will say what is wrong
            importlib.import_module(module)
    gc.enable()
    gc.freeze()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, int] = {}  # child: the file in which its exit status is to be written
    with socket.socket(fileno=number) as asked:
        while True:
            came, _, _ = select.select([number, woken], [], [])
            if woken in came:
                os.read(woken, 4096)
                reap(running)
            if number in came:
                message, files, _, _ = socket.recv_fds(asked, MESSAGE, FILES)
                if not message:
                    os._exit(0)
                close = [number, woken, wake, *running.values()]
                child = forked(json.loads(message), files, close)
                running[child] = files[4]
                for file in files[:4]:
                    os.close(file)
                asked.send(str(child).encode())


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2:])
