"""Kernels forked from a process that has imported torch and the like, instead of started afresh.

Importing takes three of the four seconds in which a notebook begins. `Walk.imports` says of what
(run.run_plan leaves it out where few steps are to run). Only on Linux without an NVIDIA GPU:
macOS's own libraries do not survive a fork, and CUDA was never tried."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from . import fork_server
from .steps import TURN

NAME = "riqa-fork"
OWN = ("RIQA_", "JPY_")  # how variables begin that may differ between kernels of one server
OF_A_STEP = {"IPYTHONDIR"}  # and such a one that begins otherwise
GONE = -signal.SIGKILL  # the exit status of a kernel whose server died: it died with it


def possible() -> bool:
    """Whether kernels are forked on this machine."""
    return sys.platform == "linux" and not Path("/dev/nvidiactl").exists()


class Forked:
    """A forked kernel, with what LocalProvisioner uses of subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, told: int) -> None:
        self.pid, self._told = pid, told
        self.returncode: int | None = None

    def _read(self) -> int | None:
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._told, 32)
            os.close(self._told)
            self.returncode = int(said) if said else GONE
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status, negative where a signal ended it; None while it runs."""
        if self.returncode is None:
            os.set_blocking(self._told, False)
            self._read()
        return self.returncode

    def wait(self) -> int | None:
        """The same once it has ended."""
        if self.returncode is None:
            os.set_blocking(self._told, True)
            self._read()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended, and is about to be told
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass
class Server:
    """A fork server, and what all its kernels share: the variables of its environment that may not
    differ, and what it has imported."""

    fixed: Mapping[str, str]
    imports: tuple[str, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = Path(fork_server.__file__).read_text(encoding="utf-8")
        # after an installation, servers that begin together compile each package once, not each all
        backwards = int(os.environ.get(TURN, "0")) % 2 == 1
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", code, str(theirs.fileno())),
                    *(reversed(self.imports) if backwards else self.imports),
                ],
                env=dict(self.fixed),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def serves(self, fixed: Mapping[str, str], imports: tuple[str, ...]) -> bool:
        """Whether it runs, and kernels with this environment may come from it."""
        return (self.fixed, self.imports) == (fixed, imports) and self.process.poll() is None

    def fork(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str | Path, files: Sequence[int]
    ) -> Forked:
        """A kernel. files: standard input, output, error and the step's lock. OSError where the
        server is gone."""
        told, tell = os.pipe()
        asked = {"argv": list(argv), "env": dict(env), "cwd": os.fspath(cwd)}
        try:
            with self.lock:
                socket.send_fds(self.ours, [json.dumps(asked).encode()], [*files, tell])
                said = self.ours.recv(32)
            if not said:
                raise OSError("the process that forks kernels is gone")
        except OSError:
            os.close(told)
            raise
        finally:
            os.close(tell)
        return Forked(int(said), told)

    def close(self) -> None:
        """It ends; its kernels too."""
        self.ours.close()
        self.process.wait()


class _Here:
    """The server of this process."""

    server: Server | None = None
    lock = threading.Lock()


def server_for(env: Mapping[str, str], imports: tuple[str, ...]) -> Server | None:
    """This process's fork server, started at its first kernel; None where none is used: nothing to
    import, or not possible here."""
    if not imports or not possible():
        return None
    with _Here.lock:
        fixed = {k: v for k, v in env.items() if not k.startswith(OWN) and k not in OF_A_STEP}
        server = _Here.server
        if server and not server.serves(fixed, imports):
            server.close()
            server = None
        _Here.server = server or Server(fixed, imports)
        return _Here.server


class Provisioner(LocalProvisioner):
    """As jupyter_client's own, but for how a kernel starts. `imports`, beside what Popen takes:
    what it will import."""

    async def launch_kernel(self, cmd: list[str], **given: Any) -> Any:
        server = server_for(given["env"], given.pop("imports", ()))
        if server is None:
            return await super().launch_kernel(cmd, **given)
        cwd = given.get("cwd") or Path.cwd()
        with open(os.devnull) as nothing:
            files = [nothing.fileno(), *(given[k].fileno() for k in ("stdout", "stderr"))]
            try:
                forked = server.fork(cmd, given["env"], cwd, [*files, *given["pass_fds"]])
            except OSError:
                return await super().launch_kernel(cmd, **given)
        self.process: Any = forked
        self.pid = self.pgid = forked.pid  # it has a session of its own before we are told of it
        self.cwd: Any = cwd
        return self.connection_info


def registered() -> str:
    """Make the provisioner known to jupyter_client; its name."""
    here = f"{__name__}:{Provisioner.__name__}"
    group = KernelProvisionerFactory.GROUP_NAME
    KernelProvisionerFactory.instance().provisioners[NAME] = EntryPoint(NAME, here, group)
    return NAME
