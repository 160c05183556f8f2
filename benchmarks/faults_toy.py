"""A toy plan in riqa's own formats, in a folder of its own, run by processes that can be disturbed.

lane/nb/*.ipynb, lane/scores.csv    the plan and its data, as they are now
lane/kept/..                        the same, unedited and edited
lane/home                           what the plan writes (perhaps a small disk of its own)
lane/templates/NAME                 homes at several points of the way, to start from
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from riqa_lib import paths, repairs, store
from riqa_lib.plan import kernel
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import PlanError, Step, Walk

from . import faults_light, faults_steps

NAME = "toy"
GIVEN = {"PROFILE": "smoke", "SETTINGS": {}}
CALLS = {
    "data": "data(NAME, TABLE)",
    "ridge": "ridge(NAME)",
    "train": "train(NAME, 0)",
    "table": "table(NAME, digits=6)",
    "figure": "figure(NAME)",
}
NEEDS = {
    "data": (),
    "ridge": ("data",),
    "train": ("data",),
    "table": ("ridge", "train"),
    "figure": ("table",),
}
EDITED = "table(NAME, digits=3)"  # what `table.ipynb` says once it is edited
IMPORT = "from benchmarks import faults_steps as toy"
LIBRARY = {  # what the notebooks reach: edits of it would count, as in a real notebook
    "data": "from riqa_lib.datasets import data_folder",
    "train": "from riqa_lib.training import run_folder, saved_state",
}
UNTOLD = 255  # multiprocessing.popen_forkserver: the exit status did not come
PATIENCE = 400.0  # seconds that a run may take
SPAWNED = (
    "from benchmarks.faults_toy import main; import sys; from benchmarks.faults_steps import watch;"
    "watch('runner'); sys.exit(main(sys.argv[1:]))"
)


# ---------------------------------------------------------------- the plan
def notebook(step: str, call: str) -> nbformat.NotebookNode:
    """A notebook of the plan: parameters, what it imports, what it does."""
    parameters = new_code_cell(
        "NAME = TABLE = PROFILE = SETTINGS = None", metadata={"tags": ["parameters"]}
    )
    head = "\n".join(filter(None, [IMPORT, LIBRARY.get(step), f"toy.watch({step!r})"]))
    cells = [parameters, new_code_cell(head), new_code_cell(f"toy.{call}")]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return new_notebook(cells=cells)


def plan(lane: Path, name: str = NAME) -> Walk:
    """The walk of a lane. Where that has a library of its own (an empty one), riqa_lib is no
    component of its steps, which saves seconds."""
    given = {"NAME": name, **GIVEN}
    more = {"data": {"TABLE": str(lane / "scores.csv")}}
    steps = tuple(
        Step(step, f"{step}.ipynb", given | more.get(step, {}), NEEDS[step]) for step in CALLS
    )
    library = lane / "library"
    if library.exists():
        return Walk(steps, name, lane / "nb", lane / "home", library, makes=())
    return Walk(steps, name, lane / "nb", lane / "home", imports=("ipykernel.kernelapp",))


def main(arguments: Sequence[str]) -> int:
    """As run_all.py, for the plan of the lane TOY_LANE."""
    parser = argparse.ArgumentParser()
    for option in ("--only", "--force"):
        parser.add_argument(option, nargs="+", default=[])
    for option in ("--home", "--profile", "--name"):
        parser.add_argument(option, default=NAME)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--serial", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        walk = plan(Path(os.environ["TOY_LANE"]), chosen.name)
        records = run_plan(walk, chosen.only, chosen.force, chosen.jobs, chosen.serial)
        return int(not all(r.ok for r in records.values()))
    except PlanError as e:
        print(f"run_all.py: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- its processes
@dataclass(frozen=True)
class How:
    """How a run is started. light: kernels without Jupyter; jobs: 0 for serial; limit: bytes that a
    file may have (0: any); faults: for faults_steps.watch; shifted: under a clock of its own, by a
    library to be loaded first (see faults_clock)."""

    light: bool = True
    jobs: int = 0
    limit: int = 0
    name: str = NAME
    only: tuple[str, ...] = ()
    faults: tuple[dict, ...] = ()
    shifted: str = ""
    count: str = ""
    tmp_at_home: bool = False

    def words(self) -> list[str]:
        way = ["--jobs", str(self.jobs)] if self.jobs else ["--serial"]
        only = ["--only", *self.only] if self.only else []
        return ["--name", self.name, *way, *only]


@dataclass(frozen=True)
class Run:
    """What came of a run: exit status (negative: the signal it died of; None: it hung and was
    killed), and all that it said."""

    status: int | None
    said: str


def _child(does: str, words: Sequence[str], how: How, env: dict[str, str], out: str) -> None:
    """The life of a runner, or of `riqa verify`."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.environ.update(env, TOY_RUNNER=str(os.getpid()))
    os.chdir(env["TOY_LANE"])
    # dask's workers would import the harness again
    sys.modules["__main__"] = ModuleType("__main__")
    if how.limit:
        _limited(how.limit)
    if does == "riqa":
        from riqa_lib.__main__ import main as riqa

        status = riqa(list(words))
    else:
        if how.light:
            faults_light.install()
        faults_steps.watch("runner")
        status = main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    Path(f"{out}.status").write_text(str(status))
    sys.exit(status)


def _limited(most: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class Started:
    """A run on its way."""

    def __init__(self, process: BaseProcess | subprocess.Popen, out: Path) -> None:
        self.process, self.out = process, out
        self.pid = process.pid or 0

    def alive(self) -> bool:
        if isinstance(self.process, BaseProcess):
            return self.process.is_alive()
        return self.process.poll() is None

    def _told_or_written(self, status: int | None) -> int | None:
        """255 is what multiprocessing says where the server of forks told it nothing (seen once in
        500 trials): then what the process wrote before it ended."""
        written = Path(f"{self.out}.status")
        return int(written.read_text()) if status == UNTOLD and written.exists() else status

    def end(self, seconds: float = PATIENCE) -> Run:
        """Wait for it; what still runs then is killed."""
        status: int | None
        if isinstance(self.process, BaseProcess):
            self.process.join(seconds)
            status = self._told_or_written(self.process.exitcode)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
            status = self.process.returncode
        if status is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
            self.end(20)
        return Run(status, self.out.read_text(encoding="utf-8", errors="replace"))


def context(warm: Sequence[str]) -> Any:
    """Runners are forked from a process that has imported all that they need, and does nothing
    else."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(list(warm))
    return made


# ---------------------------------------------------------------- a lane
@dataclass
class Lane:
    """A folder in which one run after the other is disturbed. small_disks: whether file systems may
    be mounted here; warm: modules that runners have imported from the start; events: moments of
    each process in a whole run; references: {name: the results of undisturbed runs}."""

    folder: Path
    small_disks: bool = False
    warm: tuple[str, ...] = ("benchmarks.faults_warm",)
    events: dict[str, int] = field(default_factory=dict)
    references: dict[str, dict[str, bytes]] = field(default_factory=dict)
    runs: int = 0
    mounted: bool = False

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.home, self.tmp = self.folder / "home", self.folder / "tmp"
        self.happened = self.folder / "happened"
        for name in ("nb", "kept", "tmp", "templates", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.context = context(self.warm)
        for step, call in CALLS.items():
            nbformat.write(notebook(step, call), self.folder / "kept" / f"{step}.ipynb")
        nbformat.write(notebook("table", EDITED), self.folder / "kept" / "edited.ipynb")
        scores = [f"{(i * 37 % 50) / 10:.1f}" for i in range(24)]
        for name in ("scores", "other"):
            lines = "".join(f"p{i:02},{score}\n" for i, score in enumerate(scores))
            (self.folder / "kept" / f"{name}.csv").write_text(f"id,score\n{lines}")
            scores[5] = "4.9"
        self.put_back()

    # ------------------------------------------------------------ its files
    def kept(self, name: str) -> Path:
        return self.folder / "kept" / name

    def put_back(self) -> None:
        """Notebooks and data as they were at first."""
        for step in CALLS:
            shutil.copy2(self.kept(f"{step}.ipynb"), self.folder / "nb" / f"{step}.ipynb")
        shutil.copy2(self.kept("scores.csv"), self.folder / "scores.csv")

    def edit(self, what: str, back: bool = False) -> None:
        """Edit "notebook" or "data", or take it back; with a new time."""
        first, edited, to = self.edits(what)
        shutil.copyfile(first if back else edited, to)

    def edits(self, what: str) -> tuple[Path, Path, Path]:
        """Of "notebook" or "data": the first version, the edited one, where it lies."""
        if what == "notebook":
            names = ("table.ipynb", "edited.ipynb", "nb/table.ipynb")
        else:
            names = ("scores.csv", "other.csv", "scores.csv")
        return self.kept(names[0]), self.kept(names[1]), self.folder / names[2]

    def begin(self, template: str) -> None:
        """Home as this template is, notebooks and data unedited, nothing left of before."""
        self.small(0)
        shutil.rmtree(self.home)
        shutil.rmtree(self.tmp)
        self.tmp.mkdir()
        self.happened.unlink(missing_ok=True)
        source = self.folder / "templates" / template
        shutil.copytree(source, self.home, symlinks=True)
        self.put_back()

    def keep(self, template: str) -> None:
        """Home as it is becomes a template."""
        shutil.copytree(self.home, self.folder / "templates" / template, symlinks=True)

    def small(self, kilobytes: int) -> None:
        """Home on a disk of its own with so much room left; 0: no longer."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.home], check=True)
            self.mounted = False
        if kilobytes:
            held = self.folder / "held"
            shutil.rmtree(held, ignore_errors=True)
            self.home.rename(held)
            self.home.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.home]
            subprocess.run(mount, check=True)
            self.mounted = True
            shutil.copytree(held, self.home, dirs_exist_ok=True, symlinks=True)
            disk = os.statvfs(self.home)
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            self.remount(f"size={used // 1024 + kilobytes}k")

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.home], check=True)

    # ------------------------------------------------------------ its runs
    def _env(self, how: How) -> dict[str, str]:
        import json

        tmp = self.home if how.tmp_at_home else self.tmp
        library = {"LD_PRELOAD": how.shifted} if how.shifted else {}
        preload = {"DASK_DISTRIBUTED__WORKER__PRELOAD": '["benchmarks.faults_light"]'}
        return {
            **library,
            **(preload if how.light else {}),
            "RIQA_HOME": str(self.home),
            "TMPDIR": str(tmp),
            "TOY_LANE": str(self.folder),
            "TOY_FAULT": json.dumps(how.faults),
            "TOY_COUNT": how.count,
            "TOY_HAPPENED": str(self.happened),
            "TOY_CLOCK": str(self.folder / "clock"),
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONPATH": str(paths.ROOT),
        }

    def start(self, how: How = How(), words: Sequence[str] | None = None) -> Started:
        """Begin a run of the plan; words: of run_all.py, in place of how's."""
        return self._start("run_all.py", how.words() if words is None else words, how)

    def _start(self, does: str, words: Sequence[str], how: How) -> Started:
        self.runs += 1
        out = self.folder / f"out-{self.runs}.txt"
        out.write_bytes(b"")
        if how.shifted:
            with open(out, "wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-c", SPAWNED, *words],
                    stdout=said,
                    stderr=said,
                    env={**os.environ, **self._env(how)},
                    cwd=self.folder,
                    start_new_session=True,
                )
            return Started(process, out)
        arguments = (does, list(words), how, self._env(how), str(out))
        forked = self.context.Process(target=_child, args=arguments)
        forked.start()
        return Started(forked, out)

    def run(self, how: How = How(), words: Sequence[str] | None = None) -> Run:
        """A run of the plan, to its end."""
        return self.start(how, words).end()

    def verify(self, name: str = NAME) -> Run:
        """`riqa verify`."""
        return self._start("riqa", ["verify", name], How()).end()

    def follow(self, command: str) -> Run:
        """A command that a message names, as somebody would type it."""
        words = shlex.split(command)
        if words[:2] == ["python", "run_all.py"]:
            return self.run(words=[*words[2:], "--serial"])
        if words[:2] == ["riqa", "verify"]:
            return self.verify(words[2])
        if words[0] not in ("rm", "touch"):
            return Run(127, f"{command}: not a command that is known here")
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.folder)
        return Run(done.returncode, done.stdout + done.stderr)

    # ------------------------------------------------------------ what it left
    def results(self, name: str = NAME) -> dict[str, bytes]:
        """All that is compared, by path: not what holds times (executed copies, manifests, logs,
        provenance)."""
        found = {}
        for top in ("results", "figures"):
            for file in sorted((self.home / top).rglob("*")):
                where = file.relative_to(self.home)
                if self._counts(where, name) and file.is_file():
                    shown = where.as_posix().replace(f"/{name}/", f"/{NAME}/")
                    found[shown] = file.read_bytes()
        return found

    def runs_there(self) -> frozenset[str]:
        """Names of the folders of runs, finished or not."""
        return frozenset(folder.name for folder in (self.home / "results" / "runs").glob("*"))

    def finished(self) -> dict[str, bytes]:
        """Of `results`, the files of finished runs."""
        runs = [f"results/runs/{run}/" for run in self.runs_there() if self._done(run)]
        return {f: b for f, b in self.results().items() if f.startswith(tuple(runs))}

    def _done(self, run: str) -> bool:
        return store.done(self.home / "results" / "runs" / run)

    @staticmethod
    def _counts(where: Path, name: str) -> bool:
        its = where.parts[1] in (name, "runs")
        times = {"executed", "steps"} & set(where.parts)
        hidden = any(part.startswith(".") for part in where.parts)
        return (
            its and not times and not hidden and where.name not in ("log.txt", repairs.PROVENANCE)
        )

    def left_behind(self) -> list[str]:
        """Processes that still run, and files that nobody will ever look at again."""
        found = [str(file) for file in self.home.rglob("*.part")]
        found += [str(file) for file in self.tmp.glob(f"{kernel.SCRATCH}*")]
        end = time.monotonic() + 5
        while (alive := list(self._processes())) and time.monotonic() < end:
            time.sleep(0.05)
        return found + [f"process {process}" for process in alive]

    def _processes(self) -> Iterator[str]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                its = process.environ().get("TOY_LANE") == str(self.folder)
                if its and process.status() != psutil.STATUS_ZOMBIE:
                    yield f"{process.pid} {' '.join(process.cmdline())[:80]}"

    def close(self) -> None:
        """No disk stays mounted."""
        self.small(0)
