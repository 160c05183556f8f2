"""A notebook executed by papermill in a kernel of our own: one process group, one IPC socket, one
lock a step. Linux and macOS: locks are flock's, and a kernel is stopped with all that it forked."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Protocol

from .. import bars, paths
from ..contents import READING
from .steps import Step, Walk, threads

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
SCRATCH, HELD = "riqa-", "held"  # scratch folders: how their names begin; the lock in them


# objects made between two looks for garbage; with Python's own number, 700, a quarter of the time
# of importing torch goes into looking
SELDOM = 50_000

# Where it is installed, jsonschema builds a grammar from it as soon as it is imported: 0.9 s of the
# 1.2 that papermill takes, for formats that no schema of a notebook has.
GRAMMAR = "rfc3987_syntax"


# How glibc gives memory to a kernel; other systems don't read it. By itself it gives the tensors of
# each training step back to the system and takes them anew in pages of 4 KiB, up to a fifth of the
# time of a network that learns from pixels; so they are kept, and taken in large pages.
TUNABLES = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in (("hugetlb", 1), ("mmap_threshold", 1 << 30), ("trim_threshold", 1 << 32))
)


class Event(Protocol):
    """Is told where a notebook is: a cell begins; or a bar in it has moved."""

    def __call__(self, number: int, total: int, text: str, bar: str | None = None) -> None:
        """Cell number, of how many, its first line; where the bar is ("" once it is over)."""


# ---------------------------------------------------------------- one step
def _environment(walk: Walk, step: Step, scratch: Path) -> dict[str, str]:
    # MALLOC_TRIM_THRESHOLD_ is what dask gives its workers: memory would go back to the system
    # after every training step
    env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "MALLOC_TRIM_THRESHOLD_")}
    env |= dict.fromkeys(THREADS, str(threads()))
    env.setdefault("GLIBC_TUNABLES", TUNABLES)
    search = [str(walk.library.parent), str(paths.ROOT), *filter(None, [env.get("PYTHONPATH")])]
    if paths.data() is not None:  # a notebook runs in another folder than the one this was typed in
        env["RIQA_DATA"] = str(paths.data())
    return env | {
        "RIQA_HOME": str(walk.home),
        bars.FILE: str(scratch / "bar"),
        READING: str(walk.file(step.name, "reading")),
        "RIQA_JOURNAL": str(walk.file(step.name, "journal")),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(search)),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(scratch / "ipython"),
    }


def kernel() -> None:
    """A Jupyter kernel that dies at once with the process that started it, and says in its lock who
    it is."""
    import ctypes
    import gc

    gc.set_threshold(SELDOM)

    # PR_SET_PDEATHSIG = 1. macOS has no prctl; there ipykernel polls for its parent.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # it may have died before prctl was called
    if os.getppid() != int(os.environ.get("JPY_PARENT_PID", os.getppid())):
        sys.exit("the process that started this kernel is gone")
    lock = os.environ.pop("RIQA_LOCK", "")
    if lock:
        os.pwrite(int(lock), f"{os.getpid()} {platform.node()}".encode(), 0)
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; taking torch apart would take 1.6 s


def papermill() -> ModuleType:
    """The package, imported without GRAMMAR."""
    absent: dict[str, Any] = {GRAMMAR: None}
    if without := GRAMMAR not in sys.modules:
        sys.modules |= absent
    try:
        return importlib.import_module("papermill")
    finally:
        if without:
            sys.modules.pop(GRAMMAR, None)


@lru_cache(maxsize=1)
def _engine() -> str:
    """Register our papermill engine and return its name.

    Kernels over TCP choose their ports before they bind them: in parallel, notebooks fail or hang
    (papermill #511, jupyter_client #487). Here every kernel has an IPC socket of its own, and the
    interpreter that runs this."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    from . import forks

    boot = [sys.executable, "-c", "from riqa_lib.plan.kernel import kernel; kernel()"]
    boot += ["-f", "{connection_file}", "--HistoryManager.enabled=False"]

    how = {"kernel_provisioner": {"provisioner_name": forks.registered()}}

    class OwnInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=boot, display_name="Python 3", language="python", metadata=how)

    class StepEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(
            cls, nb_man, kernel_name, *, scratch, event, start, start_timeout=120, **_
        ):
            began = nb_man.cell_start

            def cell_start(cell, cell_index=None, **kwargs):
                own = [
                    c
                    for c in nb_man.nb.cells
                    if "injected-parameters" not in c.metadata.get("tags", [])
                ]
                if cell.cell_type == "code" and any(cell is c for c in own):
                    number = next(i for i, c in enumerate(own, 1) if c is cell)
                    event(
                        number,
                        len(own),
                        next((x.strip() for x in cell.source.splitlines() if x.strip()), ""),
                    )
                return began(cell, cell_index, **kwargs)

            nb_man.cell_start = cell_start
            _save_seldom(nb_man)
            unique = uuid.uuid4().hex[:12]
            config = Config()
            config.KernelManager.connection_file = str(scratch / f"{unique}.json")
            if _ipc(scratch / unique):
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(scratch / unique)
            else:
                config.KernelManager.ip = "127.0.0.1"
            client = PapermillNotebookClient(
                nb_man,
                timeout=None,
                startup_timeout=start_timeout,
                kernel_name=kernel_name,
                kernel_manager_class=OwnInterpreter,
                config=config,
            )
            return client.execute(**start)

    papermill_engines.register("riqa", StepEngine)
    return "riqa"


def _save_seldom(nb_man: Any, seconds: float = 10) -> None:
    """Papermill writes the whole copy, with every figure so far, as each cell begins and as it
    ends: let it do so no more often than this, and at the end."""
    save, complete = nb_man.save, nb_man.notebook_complete
    last = 0.0

    def save_seldom(**kwargs: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            save(**kwargs)
            last = time.monotonic()

    def notebook_complete(**kwargs: Any) -> None:
        nb_man.save = save
        complete(**kwargs)

    nb_man.save, nb_man.notebook_complete = save_seldom, notebook_complete


def _ipc(address: Path) -> bool:
    """Whether a Unix socket can have this address (about 107 bytes; ZeroMQ appends '-' and a
    number)."""
    return len(os.fsencode(address)) < 95


def _scratch() -> str:
    """A folder for sockets: the usual temporary one, unless its path is too long for them."""
    usual = tempfile.gettempdir()
    return usual if _ipc(Path(usual) / ("x" * 30)) or not os.access("/tmp", os.W_OK) else "/tmp"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what lasts no longer than this block: sockets, bars. Those of processes that
    were killed are removed first: nobody holds the lock in them any more."""
    place = Path(_scratch())
    for held in place.glob(f"{SCRATCH}*/{HELD}"):
        _remove_left(held)
    with tempfile.TemporaryDirectory(
        prefix=SCRATCH, dir=place, ignore_cleanup_errors=True
    ) as folder:
        new = Path(folder) / "new"
        with open(new, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(new.with_name(HELD))  # never there without its lock
            yield Path(folder)


def _remove_left(held: Path) -> None:
    with contextlib.suppress(OSError), open(held, "r+") as lock:  # another user's, or locked
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(held.parent, ignore_errors=True)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):  # it is gone, or not ours
        if pid > 1:
            os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def only_one(file: Path, patience: float = 60) -> Iterator[IO[str]]:
    """Hold a step's lock. Its kernel and what the kernel forks inherit it, so a step never starts
    while something of a killed run still writes: those get two seconds to die, then their process
    group is killed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as lock:
        start = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - start
                owner = _owner(lock)
                if waited > patience:
                    raise TimeoutError(
                        f"another process (group {owner}) still runs this step: {file.name}"
                    ) from None
                if waited > 2:
                    _kill_group(owner)
                time.sleep(0.1)
        lock.truncate(0)
        try:
            yield lock
        finally:
            _kill_group(_owner(lock))  # what the kernel left behind
            lock.truncate(0)


def _owner(lock: IO[str]) -> int:
    """The process group that has a step's lock; 0 where that is none of this machine."""
    lock.seek(0)
    group, _, where = lock.read().strip().partition(" ")
    return int(group) if group.isdigit() and where == platform.node() else 0


@contextlib.contextmanager
def watched(file: Path, moved: Callable[[str], None]) -> Iterator[None]:
    """Say where the bar is that writes to this file (bars.Told), once a second where it moved."""
    over = threading.Event()

    def watch() -> None:
        last = ""
        while not over.wait(1):
            with contextlib.suppress(OSError):  # no bar yet
                bar = file.read_text(encoding="utf-8")
                if bar != last:
                    moved(last := bar)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def execute(walk: Walk, step: Step, lock: IO[str], event: Event) -> None:
    """Run the notebook into its executed copy; RuntimeError names cell, error and copy."""
    runner = papermill()
    from nbclient.exceptions import DeadKernelError

    at: list[tuple[int, int]] = []

    def note(number: int, total: int, text: str, bar: str | None = None) -> None:
        at.append((number, total))
        event(number, total, text, bar)

    def moved(bar: str) -> None:
        if at:
            event(*at[-1], "", bar)

    copy = walk.executed(step.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with scratch() as folder, open(folder / "stderr", "w+b") as stderr:
        env = _environment(walk, step, folder)
        start: dict[str, Any] = {"env": env, "stdout": stderr, "stderr": stderr}
        env["RIQA_LOCK"] = str(lock.fileno())
        start |= {"pass_fds": (lock.fileno(),), "imports": walk.imports}
        try:
            with watched(folder / "bar", moved):
                runner.execute_notebook(
                    walk.notebooks / step.notebook,
                    copy,
                    dict(step.parameters),
                    engine_name=_engine(),
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    cwd=walk.folder,
                    scratch=folder,
                    event=note,
                    start=start,
                )
        except runner.PapermillExecutionError as e:
            text = f"cell {at[-1][0]} (In [{e.exec_count}]) {e.ename}: {e.evalue.strip()}"
            raise RuntimeError(f"{text}; see {walk.shown(copy)}") from e
        except (DeadKernelError, RuntimeError) as e:
            stderr.seek(0)
            said = stderr.read().decode(errors="replace").strip().splitlines()
            text = f"cell {at[-1][0]}: the kernel died" if at else "the kernel did not start"
            text += " (killed, out of memory?)" if isinstance(e, DeadKernelError) else f" ({e})"
            raise RuntimeError(
                f"{text}{': ' + said[-1] if said else ''}; see {walk.shown(copy)}"
            ) from e
