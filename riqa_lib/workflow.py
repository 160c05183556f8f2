"""Runs a plan of notebooks: what is up to date is left alone, the rest runs side by side, what was cut off goes on.

A walk leaves, under home/results/<name>/,
    executed/<step>.ipynb   the executed copy of each notebook (the partly executed one where it failed)
    steps/<step>.json       the manifest: what the step depended on and what it wrote, written last, atomically
    steps/<step>.journal    while a step runs or after it was cut off: what it wrote so far
    log.txt                 everything the terminal showed, with times

A step is up to date when what it depends on (see `components`) is what its manifest says, and so are its outputs.
An output is every file under home that the notebook wrote through riqa_lib.store (see store.journal).
The needs' figures (png, pdf, svg) are no inputs: a new palette must not train anything again.

Stored runs and data are reused by their settings, so a step that has to run again first removes the outputs that other
code, inputs or versions made; a change in the notebook's own code, in a parameter, in a table of a step before or in a
module that only reads keeps them. What only reads: every module that neither makes data nor trains (`MAKES`) nor is
imported by one that does. A step that was cut off goes on where it was, unless what it depends on changed meanwhile.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import IO, Any

from . import paths, provenance

try:
    import fcntl
except ImportError:  # Windows: no locks, kernels over TCP
    fcntl = None  # type: ignore[assignment]

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
           "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")  # fmt: skip
# What makes data and trains. A change in the import closure of these makes stored data and runs anew; all else only reads.
MAKES = ("sim", "pixels", "fundus", "fundus_data", "views", "models", "ssl", "teacher_student", "pretrain", "train", "predict",
         "experiment", "fundus_experiment", "audit")  # fmt: skip
PICTURES = {".png", ".pdf", ".svg"}
NOT_HASHED = {"provenance.json"}  # holds times
TAKEN = {"reference", "runs"}  # folders under results/ that are no walks

Event = Callable[[int, int, str], None]  # cell number, number of cells, first line of the cell


class PlanError(ValueError):
    """Something is wrong with the plan or the request; nothing has been run."""


@dataclass(frozen=True)
class Step:
    """One execution of a notebook.

    notebook: file name in the notebooks folder; parameters: builtins for its parameters cell; needs: names of steps
    that run before; seconds: declared time in the demo profile on two cores; gpu: takes a GPU for itself where there
    is one."""

    name: str
    notebook: str
    parameters: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    seconds: float = 0
    gpu: bool = False


@dataclass(frozen=True)
class Record:
    """How a step ended: state is "up to date", "done", "failed" or "skipped"; text says why."""

    step: str
    state: str
    text: str = ""
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """Whether steps that need this one may run."""
        return self.state in ("up to date", "done")


@dataclass(frozen=True)
class Walk:
    """A plan with its places. Raises PlanError, listing every problem, for a plan that cannot run."""

    steps: tuple[Step, ...]
    name: str
    notebooks: Path
    home: Path
    library: Path = paths.ROOT / "riqa_lib"
    makes: tuple[str, ...] = MAKES  # modules and packages of the library that make data or train

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", self.home.resolve())
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", self.name) or self.name in TAKEN:
            raise PlanError(
                f"{self.name!r} cannot name a walk: letters, digits, '.', '_' and '-', and not {' or '.join(TAKEN)}"
            )
        names = [s.name for s in self.steps]
        problems = [f"two steps are called {n}" for n in sorted({n for n in names if names.count(n) > 1})]
        problems += [f"{s.name} needs {n}, which is no step" for s in self.steps for n in s.needs if n not in names]
        if not problems:
            try:
                TopologicalSorter({s.name: s.needs for s in self.steps}).prepare()
            except CycleError as e:
                problems.append(f"steps need each other in a circle: {' -> '.join(e.args[1])}")
        if problems:
            raise PlanError("\n".join(problems))

    def __getitem__(self, name: str) -> Step:
        return next(s for s in self.steps if s.name == name)

    def pick(self, names: Sequence[str]) -> list[str]:
        """Steps by name; a name without "-seedN" means all its seeds. PlanError lists what there is."""
        picked, unknown = [], []
        for name in names:
            name = name.removesuffix(".ipynb")
            found = [s.name for s in self.steps if s.name in (name, name.removesuffix("-seed0"))]
            found += [s.name for s in self.steps if s.name.startswith(f"{name}-seed")]
            picked += found
            unknown += [] if found else [name]
        if unknown:
            steps = ", ".join(s.name for s in self.steps)
            raise PlanError(f"no step is called {', '.join(unknown)}; there are {steps}")
        return list(dict.fromkeys(picked))

    @property
    def folder(self) -> Path:
        """home/results/<name>."""
        return self.home / "results" / self.name

    def executed(self, step: str) -> Path:
        """The executed copy of a step's notebook."""
        return self.folder / "executed" / f"{step}.ipynb"

    def file(self, step: str, kind: str) -> Path:
        """A step's manifest (kind "json"), journal or lock."""
        return self.folder / "steps" / f"{step}.{kind}"

    def manifest(self, step: str) -> dict[str, Any]:
        """A step's manifest; empty where it never finished or the file is damaged."""
        try:
            found = json.loads(self.file(step, "json").read_text(encoding="utf-8"))
            return found if isinstance(found.get("components"), dict) and isinstance(found.get("outputs"), dict) else {}
        except (OSError, ValueError, AttributeError):
            return {}

    def ordered(self, names: Sequence[str] = ()) -> list[Step]:
        """These steps (default: all) and all they need, needs first."""
        wanted, queue = set(), list(names) or [s.name for s in self.steps]
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue += self[name].needs
        order = TopologicalSorter({s.name: s.needs for s in self.steps}).static_order()
        return [self[n] for n in order if n in wanted]

    def shown(self, path: Path) -> str:
        """A path relative to home (also where results/ or figures/ is a link to another disk)."""
        for base in ("", "results", "figures"):
            for top in (self.home / base, (self.home / base).resolve()):
                if path.is_relative_to(top):
                    return (Path(base) / path.relative_to(top)).as_posix()
        return path.as_posix()


# ---------------------------------------------------------------- what a step depends on
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file_digest(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                node.body = node.body[1:]
    return tree


@lru_cache(maxsize=256)
def _notebook(file: Path, _changed: int) -> tuple[list[ast.AST | str], set[str] | None]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        sources = [(c["cell_type"], "".join(c["source"]), c["metadata"].get("tags", [])) for c in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise PlanError(f"{file.name}: not a notebook ({type(e).__name__}: {e})") from e
    trees: list[ast.AST | str] = []
    parameters: set[str] | None = None
    for number, (kind, source, tags) in enumerate(sources, 1):
        if kind != "code":
            continue
        plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!", "?")))
        try:
            tree = compile(plain, file.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as e:
            if not source.lstrip().startswith("%%"):
                raise PlanError(f"{file.name}: cell {number} is not Python: {e.msg} (line {e.lineno})") from e
            trees.append(source)
            continue
        trees.append(tree)
        if "parameters" in tags:
            targets = [t for n in tree.body if isinstance(n, ast.Assign) for t in n.targets]
            targets += [n.target for n in tree.body if isinstance(n, ast.AnnAssign)]
            parameters = {t.id for t in targets if isinstance(t, ast.Name)}
    return trees, parameters


def notebook_code(file: Path) -> tuple[list[ast.AST | str], set[str] | None]:
    """Syntax trees of a notebook's code cells (magics dropped; a cell in another language as text) and the names that
    its parameters cell sets (None without such a cell). Raises PlanError naming the file and the cell."""
    try:
        return _notebook(file, file.stat().st_mtime_ns)
    except OSError as e:
        raise PlanError(f"{file.name}: no such notebook in {paths.shown(file.parent)}") from e


@lru_cache(maxsize=1024)
def _module(file: Path, _changed: int) -> ast.AST:
    return _without_docstrings(ast.parse(file.read_text(encoding="utf-8")))


def _imported(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Dotted names that may be modules, from every import in the tree; `package` resolves the relative ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            yield from (".".join([*base, a.name]) for a in node.names)


def library_code(library: Path, trees: Sequence[ast.AST]) -> dict[str, str]:
    """{"library riqa_lib.x": hash} of the modules of `library` that this code imports, directly or through others.

    Comments, docstrings and layout don't count. A data file of the library counts where its name is in such code."""
    found: dict[str, str] = {}
    queue = [(tree, [library.name]) for tree in trees]
    data = {p.name: p for p in library.rglob("*.*")
            if p.is_file() and p.suffix not in (".py", ".pyc") and not p.name.startswith(".")}  # fmt: skip
    while queue:
        tree, package = queue.pop()
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        for name, path in data.items():
            if any(name in text for text in texts):
                found[f"library file {path.relative_to(library).as_posix()}"] = _file_digest(path)[:16]
        for dotted in _imported(tree, package):
            parts = dotted.split(".")
            if parts[0] != library.name:
                continue
            for n in range(1, len(parts) + 1):
                base = library.joinpath(*parts[1:n])
                is_package = (base / "__init__.py").exists()
                file = base / "__init__.py" if is_package else base.with_suffix(".py")
                name = f"library {'.'.join(parts[:n])}"
                if name not in found and file.exists():
                    module = _module(file, file.stat().st_mtime_ns)
                    found[name] = _digest(ast.dump(module))
                    queue.append((module, parts[:n] if is_package else parts[: n - 1]))
    return found


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {f"version {k}": v for k, v in provenance.versions().items() if k != "papermill"}


def components(walk: Walk, step: Step) -> dict[str, str]:
    """Everything this step's outputs depend on, each part under a name that --why can show."""
    trees, _ = notebook_code(walk.notebooks / step.notebook)
    parts = {"notebook code": _digest("\n".join(t if isinstance(t, str) else ast.dump(t) for t in trees))}
    parts |= library_code(walk.library, [t for t in trees if not isinstance(t, str)])
    parts |= {f"parameter {k}": json.dumps(v, sort_keys=True) for k, v in step.parameters.items()}
    for need in step.needs:
        outputs = walk.manifest(need).get("outputs", {})
        parts |= {f"input {k}": v for k, v in outputs.items() if v and Path(k).suffix not in PICTURES}
    return parts | _versions()


def changed(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """What differs between two sets of components, in words."""
    words = {}
    for key in sorted({*old, *new}):
        if key not in old:
            words[key] = f"{key} is new"
        elif key not in new:
            words[key] = f"{key} is gone"
        elif old[key] != new[key]:
            exact = key.startswith(("parameter ", "version "))
            words[key] = f"{key} changed" + (f": {old[key]} -> {new[key]}" if exact else "")
    return words


def makers(walk: Walk) -> set[str]:
    """Components of every module that makes data or trains: walk.makes and all that they import, however indirectly.

    The top package itself isn't one: it imports nothing, and a new version number must not train anything again."""
    files = [f for name in walk.makes for f in (*walk.library.glob(f"{name}.py"), *walk.library.glob(f"{name}/**/*.py"))]
    dotted = [".".join([walk.library.name, *f.relative_to(walk.library).with_suffix("").parts]) for f in files]
    code = ast.parse("\n".join(f"import {name.removesuffix('.__init__')}" for name in dotted))
    return library_code(walk.library, [code]).keys() - {f"library {walk.library.name}"}


def _settings_only(key: str) -> bool:
    return key.startswith("parameter ")


def _reads_only(key: str, made_by: set[str]) -> bool:
    """Whether a change in this component cannot change a stored run or data set, only what is said of it."""
    if key.startswith("library file "):
        return True
    if key.startswith("library "):
        return key not in made_by
    if key.startswith("input "):  # which runs there are is a setting of the runs that learn from them
        return re.fullmatch(r"input results/[^/]+/tables/.*", key) is not None
    return key == "notebook code"


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def damaged(walk: Walk, manifest: dict[str, Any]) -> dict[str, str]:
    """{path: "is gone" or "was altered"} for outputs that are not as the step left them.

    A file whose size and time are as recorded is not read again."""
    wrong = {}
    for name, sha in manifest.get("outputs", {}).items():
        path = walk.home / name
        if not path.is_file():
            wrong[name] = "is gone"
        elif sha and _stamp(path) != manifest.get("stamps", {}).get(name) and _file_digest(path) != sha:
            wrong[name] = "was altered"
    return wrong


def why(walk: Walk, step: Step) -> list[str]:
    """Why this step has to run, given that its needs are up to date; empty when it hasn't to."""
    manifest = walk.manifest(step.name)
    if not manifest:
        return ["did not finish last time" if walk.file(step.name, "journal").exists() else "never ran here"]
    differs = changed(manifest["components"], components(walk, step))
    made_by = makers(walk) if any(k.startswith("library ") for k in differs) else set()
    notes = {k: " (makes data or trains: stored runs are made anew)" for k in differs if k in made_by}
    words = [text + notes.get(key, "") for key, text in differs.items()]
    return words + [f"{name} {what}" for name, what in damaged(walk, manifest).items()]


def why_all(walk: Walk, steps: Sequence[Step], force: Sequence[str] = ()) -> dict[str, list[str]]:
    """`why` for steps in order; a step below one that runs says so (it stays if its inputs come out the same)."""
    reasons: dict[str, list[str]] = {}
    for step in steps:
        waits = [n for n in step.needs if reasons.get(n)]
        reasons[step.name] = ["forced"] if step.name in force else why(walk, step)
        if waits and not reasons[step.name]:
            reasons[step.name] = [f"depends on what {n} writes" for n in waits]
    return reasons


def check(walk: Walk, steps: Sequence[Step]) -> None:
    """Raise PlanError, with every problem of every step, for absent notebooks, cells that are no Python, and parameters
    that the notebook doesn't have (papermill itself would only warn)."""
    problems = []
    for step in steps:
        try:
            _, known = notebook_code(walk.notebooks / step.notebook)
        except PlanError as e:
            problems.append(str(e))
            continue
        for name in sorted(set(step.parameters) - (known or set())):
            have = f"it has {', '.join(sorted(known))}" if known else "it has no parameters cell"
            problems.append(f"{step.notebook} (step {step.name}) has no parameter {name}; {have}")
    if problems:
        raise PlanError("\n".join(dict.fromkeys(problems)))


# ---------------------------------------------------------------- one step
def threads() -> int:
    """Threads of every step, RIQA_THREADS (default 1): never a matter of how many steps run side by side."""
    value = os.environ.get("RIQA_THREADS") or "1"
    if not value.isdigit() or int(value) < 1:
        raise PlanError(f"RIQA_THREADS is {value!r}, expected a whole number from 1 on")
    return int(value)


def _environment(walk: Walk, step: Step, scratch: Path) -> dict[str, str]:
    # MALLOC_TRIM_THRESHOLD_ is what dask gives its workers: memory would go back to the system after every training step
    env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "MALLOC_TRIM_THRESHOLD_")}
    env |= dict.fromkeys(THREADS, str(threads()))
    search = [str(walk.library.parent), str(paths.ROOT), *filter(None, [env.get("PYTHONPATH")])]
    return env | {
        "RIQA_HOME": str(walk.home),
        "RIQA_JOURNAL": str(walk.file(step.name, "journal")),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(search)),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(scratch / "ipython"),
    }


def kernel() -> None:
    """A Jupyter kernel that dies at once with the process that started it, and says in its lock who it is."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; Linux only, ipykernel polls elsewhere
    if os.name == "posix" and os.getppid() != int(os.environ.get("JPY_PARENT_PID", os.getppid())):
        sys.exit("the process that started this kernel is gone")
    lock = os.environ.pop("RIQA_LOCK", "")
    if lock:
        os.pwrite(int(lock), f"{os.getpid():<20}".encode(), 0)
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


@lru_cache(maxsize=1)
def _engine() -> str:
    """Register our papermill engine and return its name.

    Kernels over TCP choose their ports before they bind them: in parallel, notebooks fail or hang (papermill #511,
    jupyter_client #487). Here every kernel has an IPC socket of its own, and the interpreter that runs this."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    boot = [sys.executable, "-c", "from riqa_lib.workflow import kernel; kernel()"]
    boot += ["-f", "{connection_file}", "--HistoryManager.enabled=False"]

    class OwnInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=boot, display_name="Python 3", language="python")

    class StepEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, *, scratch, event, start, start_timeout=120, **_):
            began = nb_man.cell_start

            def cell_start(cell, cell_index=None, **kwargs):
                own = [c for c in nb_man.nb.cells if "injected-parameters" not in c.metadata.get("tags", [])]
                if cell.cell_type == "code" and any(cell is c for c in own):
                    number = next(i for i, c in enumerate(own, 1) if c is cell)
                    event(number, len(own), next((x.strip() for x in cell.source.splitlines() if x.strip()), ""))
                return began(cell, cell_index, **kwargs)

            nb_man.cell_start = cell_start
            unique = uuid.uuid4().hex[:12]
            config = Config()
            config.KernelManager.connection_file = str(scratch / f"{unique}.json")
            if _ipc(scratch / unique):
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(scratch / unique)
            else:
                config.KernelManager.ip = "127.0.0.1"
            client = PapermillNotebookClient(
                nb_man, timeout=None, startup_timeout=start_timeout, kernel_name=kernel_name,
                kernel_manager_class=OwnInterpreter, config=config,
            )  # fmt: skip
            return client.execute(**start)

    papermill_engines.register("riqa", StepEngine)
    return "riqa"


def _ipc(address: Path) -> bool:
    """Whether a Unix socket can have this address (about 107 bytes; ZeroMQ appends '-' and a number)."""
    return os.name == "posix" and len(os.fsencode(address)) < 95


def _scratch() -> str:
    """A folder for sockets: the usual temporary one, unless its path is too long for them."""
    usual = tempfile.gettempdir()
    return usual if _ipc(Path(usual) / ("x" * 30)) or not os.access("/tmp", os.W_OK) else "/tmp"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        if pid > 1:
            os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def _only_one(file: Path, patience: float = 60) -> Iterator[IO[str]]:
    """Hold a step's lock. Its kernel and what the kernel forks inherit it, so a step never starts while something of a
    killed run still writes: those get two seconds to die, then their process group is killed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as lock:
        start = time.monotonic()
        while fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - start
                owner = _owner(lock)
                if waited > patience:
                    raise TimeoutError(f"another process (group {owner}) still runs this step: {file.name}") from None
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
    lock.seek(0)
    text = lock.read().strip()
    return int(text) if text.isdigit() else 0


def _execute(walk: Walk, step: Step, lock: IO[str], event: Event) -> None:
    """Run the notebook into its executed copy; RuntimeError names cell, error and copy."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    at: list[tuple[int, int]] = []

    def note(number: int, total: int, text: str) -> None:
        at.append((number, total))
        event(number, total, text)

    copy = walk.executed(step.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="riqa-", dir=_scratch(), ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        with open(scratch / "stderr", "w+b") as stderr:
            env = _environment(walk, step, scratch)
            start: dict[str, Any] = {"env": env, "stdout": stderr, "stderr": stderr}
            if fcntl:
                env["RIQA_LOCK"] = str(lock.fileno())
                start["pass_fds"] = (lock.fileno(),)
            try:
                papermill.execute_notebook(
                    walk.notebooks / step.notebook, copy, dict(step.parameters), engine_name=_engine(),
                    kernel_name="python3", language="python", progress_bar=False, cwd=walk.folder,
                    scratch=scratch, event=note, start=start,
                )  # fmt: skip
            except papermill.PapermillExecutionError as e:
                text = f"cell {at[-1][0]} (In [{e.exec_count}]) {e.ename}: {e.evalue.strip()}"
                raise RuntimeError(f"{text}; see {walk.shown(copy)}") from e
            except (DeadKernelError, RuntimeError) as e:
                stderr.seek(0)
                said = stderr.read().decode(errors="replace").strip().splitlines()
                text = f"cell {at[-1][0]}: the kernel died" if at else "the kernel did not start"
                text += " (killed, out of memory?)" if isinstance(e, DeadKernelError) else f" ({e})"
                raise RuntimeError(f"{text}{': ' + said[-1] if said else ''}; see {walk.shown(copy)}") from e


def _journal(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The components and the files of an attempt that was cut off; empty when there was none."""
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        return json.loads(first), list(dict.fromkeys(lines))
    except (OSError, ValueError):
        return {}, []


def _begin(walk: Walk, step: Step, parts: dict[str, str], force: bool) -> tuple[set[str], set[str]]:
    """Remove what this attempt must not reuse and open its journal.

    Returns paths relative to home: earlier outputs that still count as this step's, and those of other settings."""
    file = walk.file(step.name, "journal")
    manifest = walk.manifest(step.name)
    cut_off, written = _journal(file)
    mine = {name for name in (walk.shown(Path(p)) for p in written) if not Path(name).is_absolute()}
    drop: set[str] = set()
    keep: set[str] = set()
    others: set[str] = set()
    made_by = makers(walk)
    for old, files in (
        (manifest.get("components"), set(manifest.get("outputs", {}))),
        (cut_off.get("components"), mine),
    ):
        if old is None:
            continue
        differs = changed(old, parts)
        if force or not all(_settings_only(k) or _reads_only(k, made_by) for k in differs):
            drop |= files
        elif any(map(_settings_only, differs)):
            others |= files
        else:
            keep |= files
    earlier = {*manifest.get("others", []), *cut_off.get("others", [])}
    if drop and not keep:
        drop |= earlier
    else:
        others |= earlier
    wrong = {Path(p).parent for p in damaged(walk, manifest)} - {walk.executed("").parent.relative_to(walk.home)}
    drop |= {p for p in manifest.get("outputs", {}) if Path(p).parent in wrong}  # a run is remade whole
    going_on = cut_off.get("components") == parts and not force
    drop -= mine if going_on else set()
    for need in walk.ordered([step.name])[:-1]:
        drop -= set(walk.manifest(need.name).get("outputs", {}))  # a run shared with a step before, made anew by now
    for name in drop:
        (walk.home / name).unlink(missing_ok=True)
    keep, others = keep - drop, others - drop - keep
    lines = written if going_on else [str(walk.home / k) for k in sorted(keep & mine)]
    head = json.dumps({"components": parts, "others": sorted(others)})
    _write(file, "\n".join([head, *lines]) + "\n")
    return keep, others


def _write(file: Path, text: str) -> None:
    """Write a small file atomically."""
    from . import store  # here, not above: it imports pandas, which a walk with nothing to do must not wait for

    store.write_bytes(file, text.encode())


def _finish(walk: Walk, step: Step, parts: dict[str, str], kept: set[str], others: set[str], seconds: float) -> None:
    """Hash what the step wrote and write its manifest, which makes it count as done."""
    _, written = _journal(walk.file(step.name, "journal"))
    names = kept | {name for name in (walk.shown(Path(p)) for p in written) if not Path(name).is_absolute()}
    copy = walk.shown(walk.executed(step.name))
    files = {name: walk.home / name for name in sorted(names | {copy}) if (walk.home / name).is_file()}
    plain = {name for name, path in files.items() if path.name in NOT_HASHED or name == copy}
    manifest = {
        "step": step.name, "notebook": step.notebook, "components": parts,
        "outputs": {name: "" if name in plain else _file_digest(path) for name, path in files.items()},
        "stamps": {name: _stamp(path) for name, path in files.items() if name not in plain},
        "others": sorted(o for o in others - set(files) if (walk.home / o).is_file()),
        "seconds": round(seconds, 1), "machine": provenance.machine(), "threads": threads(),
    }  # fmt: skip
    _write(walk.file(step.name, "json"), json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    walk.file(step.name, "journal").unlink(missing_ok=True)


def run_step(walk: Walk, name: str, force: bool, needed: Sequence[Record], event: Event | None = None) -> Record:
    """Run one step if it has to; never raises. `needed` are the records of its needs. Without `event`, cell events go
    to the dask scheduler under the topic "cell"."""
    waits = [r.step for r in needed if not r.ok]
    if waits:
        return Record(name, "skipped", f"waits for {', '.join(waits)}")
    start = time.monotonic()
    try:
        step = walk[name]
        with _only_one(walk.file(name, "lock")) as lock:
            if not force and not why(walk, step):
                return Record(name, "up to date")
            parts = components(walk, step)
            kept, others = _begin(walk, step, parts, force)
            _execute(walk, step, lock, event or _dask_event(name))
            _finish(walk, step, parts, kept, others, time.monotonic() - start)
        return Record(name, "done", seconds=time.monotonic() - start)
    except Exception as e:
        text = str(e) if isinstance(e, RuntimeError) else f"{type(e).__name__}: {e}"
        return Record(name, "failed", " | ".join(text.splitlines()), time.monotonic() - start)


def _dask_event(name: str) -> Event:
    from distributed import get_worker

    worker = get_worker()
    return lambda number, total, text: worker.log_event("cell", (name, number, total, text))


# ---------------------------------------------------------------- the plan
class Progress:
    """One live line in a terminal, plain lines elsewhere; the same with times in log.txt."""

    def __init__(self, log: Path, stream: IO[str], width: int) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log, self.stream, self.width = log, stream, width
        self.live: dict[str, str] = {}
        self.tty = stream.isatty()
        self.lock = threading.Lock()

    def say(self, text: str, show: bool = True) -> None:
        """A line for the log, and for the terminal unless it is only an event of the live line."""
        with self.lock:
            with open(self.log, "a", encoding="utf-8") as f:
                f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
            if show:
                print(("\r\x1b[K" if self.tty else "") + text, file=self.stream, flush=True)
            if self.tty and self.live:
                columns = shutil.get_terminal_size().columns - 1
                self.stream.write(("\r\x1b[K" + "   ".join(self.live.values()))[: columns + 4])
                self.stream.flush()

    def cell(self, step: str, number: int, total: int, text: str) -> None:
        """A cell of a step begins."""
        self.live[step] = f"{step} {number}/{total}"
        self.say(f"  {step:{self.width}}  cell {number} of {total}  {text[:60]}".rstrip(), show=not self.tty)

    def record(self, record: Record) -> None:
        """A step has ended."""
        self.live.pop(record.step, None)
        state = record.state.upper() if record.state == "failed" else record.state
        text = record.text or (f"{record.seconds:.0f} s" if record.state == "done" else "")
        self.say(f"  {record.step:{self.width}}  {state:10}  {text}".rstrip())


def gpus() -> list[str]:
    """Identifiers of the GPUs this process may use (CUDA_VISIBLE_DEVICES, else nvidia-smi)."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [x.strip() for x in allowed.split(",") if x.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(i) for i, _ in enumerate(x for x in listed.splitlines() if x.startswith("GPU "))]


def _serially(walk: Walk, steps: Sequence[Step], force: set[str], progress: Progress) -> Iterator[Record]:
    records: dict[str, Record] = {}
    for step in steps:
        event: Event = lambda *cell, name=step.name: progress.cell(name, *cell)  # noqa: E731
        needed = [records[n] for n in step.needs if n in records]
        records[step.name] = run_step(walk, step.name, step.name in force, needed, event)
        yield records[step.name]


def _workers(jobs: int | None) -> list[tuple[dict[str, str], dict[str, float] | None]]:
    """Environment and resources of each worker: one a GPU and one without, or two (or `jobs`) on a CPU."""
    ids = gpus()
    if not ids:
        return [({}, None)] * (jobs or 2)
    on_gpu = [({"CUDA_VISIBLE_DEVICES": ids[i % len(ids)]}, {"GPU": 1.0}) for i in range(jobs or len(ids))]
    return [*on_gpu, ({"CUDA_VISIBLE_DEVICES": ""}, None)]


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes started here ignore Ctrl-C (only the main thread may say so)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _side_by_side(
    walk: Walk, steps: Sequence[Step], force: set[str], progress: Progress, jobs: int | None, scheduler: str | None
) -> Iterator[Record]:
    import logging

    from distributed import Client, Nanny, Scheduler, SpecCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if scheduler:
            client = stack.enter_context(Client(scheduler, set_as_default=False, timeout="20s"))
        else:
            layout = _workers(jobs)
            local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
            spec = {
                i: {"cls": Nanny, "options": {"host": "127.0.0.1", "nthreads": 1, "memory_limit": 0, "env": env,
                                              "resources": resources, "silence_logs": logging.CRITICAL}}
                for i, (env, resources) in enumerate(layout)
            }  # fmt: skip
            with _uninterrupted():  # Ctrl-C is for this process, which then stops its workers
                cluster = stack.enter_context(
                    SpecCluster(
                        workers=spec, scheduler={"cls": Scheduler, "options": {**local, "dashboard": False}},
                        silence_logs=logging.CRITICAL,
                    )
                )  # fmt: skip
            client = stack.enter_context(Client(cluster, set_as_default=False))
        client.subscribe_topic("cell", lambda event: progress.cell(*event[1]))
        records: dict[str, Record] = {}
        running: dict[str, Step] = {}
        names, ended = {step.name for step in steps}, as_completed(loop=client.loop)
        waiting = by_urgency(steps)
        while waiting or running:
            threads, on_gpu = _room(client)
            for step in list(waiting):  # no more than there is room for: dask would queue the rest at one worker and leave it there
                needed = [n for n in step.needs if n in names]
                if len(running) >= threads:
                    break
                if not {*needed} <= {*records} or (step.gpu and on_gpu and sum(s.gpu for s in running.values()) >= on_gpu):
                    continue
                future = client.submit(
                    run_step, walk, step.name, step.name in force, [records[n] for n in needed],
                    key=f"{step.name}-{uuid.uuid4().hex}", resources={"GPU": 1} if step.gpu and on_gpu else None, pure=False,
                )  # fmt: skip
                running[future.key] = step
                waiting.remove(step)
                ended.add(future)
            future = next(ended)
            step, error = running.pop(future.key), future.exception()
            records[step.name] = Record(step.name, "failed", f"its worker was lost: {error}") if error else future.result()
            yield records[step.name]


def by_urgency(steps: Sequence[Step]) -> list[Step]:
    """Steps with most still to come first: their own declared seconds and the longest chain of steps that wait for them."""

    @cache
    def left(step: str) -> float:
        own = next(s.seconds for s in steps if s.name == step)
        return own + max((left(s.name) for s in steps if step in s.needs), default=0)

    return sorted(steps, key=lambda step: -left(step.name))


def _room(client: Any) -> tuple[int, int]:
    """How many steps the workers of a cluster can run at a time (at least one: workers may come later), and how many on a GPU."""
    resources = [w.get("resources") or {} for w in client.scheduler_info(n_workers=-1)["workers"].values()]
    return max(1, sum(client.nthreads().values())), int(sum(r.get("GPU", 0) for r in resources))


@contextlib.contextmanager
def _walk_lock(walk: Walk) -> Iterator[None]:
    walk.folder.mkdir(parents=True, exist_ok=True)
    with open(walk.folder / ".lock", "a", encoding="utf-8") as lock:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                place = walk.shown(walk.folder)
                raise PlanError(f"another run is at work in {place}; wait for it or stop it") from None
        yield


def run_plan(
    walk: Walk, only: Sequence[str] = (), force: Sequence[str] = (), jobs: int | None = None, serial: bool = False,
    scheduler: str | None = None, stream: IO[str] | None = None,
) -> dict[str, Record]:  # fmt: skip
    """Run a plan and return how each step ended.

    only: these steps and those they need (default: all). force: steps that run even if up to date, from nothing.
    jobs: steps side by side (default: one per GPU, or 2). serial: one after another in this process, without dask.
    scheduler: address of a running dask scheduler. Raises PlanError before anything has run."""
    steps, force = walk.ordered(walk.pick(only)), walk.pick(force)
    check(walk, steps)
    threads()
    with _walk_lock(walk):
        reasons = why_all(walk, steps, force)
        progress = Progress(walk.folder / "log.txt", stream or sys.stdout, max(len(s.name) for s in steps))
        records = {s.name: Record(s.name, "up to date") for s in steps if not reasons[s.name]}
        todo = [s for s in steps if reasons[s.name]]
        place = walk.shown(walk.folder)
        if not todo:
            progress.say(f"{place}: all {len(steps)} steps are up to date")
            return records
        progress.say(f"{place}: {len(todo)} of {len(steps)} steps to look at; python {sys.version.split()[0]}")
        for step in steps:
            if reasons[step.name]:
                progress.say(f"  {step.name:{progress.width}}  because {'; '.join(reasons[step.name])}", show=False)
            else:
                progress.record(records[step.name])
        alone = serial or (len(todo) == 1 and not scheduler)
        begun = time.monotonic()
        run = (_serially(walk, todo, set(force), progress) if alone
               else _side_by_side(walk, todo, set(force), progress, jobs, scheduler))  # fmt: skip
        try:
            for record in run:
                records[record.step] = record
                progress.record(record)
        except KeyboardInterrupt:
            progress.live.clear()
            progress.say(f"{place}: stopped; start it again and it goes on from here")
            raise
        count = {state: sum(r.state == state for r in records.values()) for state in
                 ("done", "up to date", "failed", "skipped")}  # fmt: skip
        total = ", ".join(f"{n} {state}" for state, n in count.items() if n)
        progress.say(f"{place}: {total}; {time.monotonic() - begun:.0f} s")
    return {s.name: records[s.name] for s in steps}
