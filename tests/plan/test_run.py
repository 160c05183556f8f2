"""The engine, on toy notebooks that import neither torch nor pandas."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import in_process
import psutil
import pytest
from conftest import REPOSITORY
from toy_notebooks import write_notebook

from riqa_lib.plan import freshness, kernel, one_step, progress, step_queue
from riqa_lib.plan import run as run_module
from riqa_lib.plan.cluster import Elsewhere, workers
from riqa_lib.plan.freshness import changed, why, why_all
from riqa_lib.plan.one_step import Left, run_step
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.schedule import by_urgency
from riqa_lib.plan.steps import PlanError, Record, Step, Walk

ROOT = REPOSITORY
ANEW = " (makes data or trains: stored runs are made anew)"
LIBRARY = {
    "__init__.py": "",
    "io.py": '''import os
import time
from pathlib import Path


def path(name):
    return Path(os.environ["RIQA_HOME"]) / name


def put(name, text):
    """Write whole, and note it."""
    file = path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(text)
    part.replace(file)
    with open(os.environ["RIQA_JOURNAL"], "a") as f:
        print(file, file=f)


def meet(me, other):
    """Side by side, or not at all: wait for the other notebook where the test asks for it."""
    place = os.environ.get("TOY_MEET")
    if place:
        Path(place, me).touch()
        end = time.monotonic() + 60
        while not Path(place, other).exists():
            assert time.monotonic() < end, f"{other} is not running beside {me}"
            time.sleep(0.05)


def environment():
    import sys
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "RIQA_HOME"]
    names += ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"]
    return " ".join(["python", sys.executable, *(f"{n}={os.environ.get(n)}" for n in names)])
''',
    "model.py": """from . import deep


def fit(x, seed):
    # Eq. 1
    return deep.double(x) + seed
""",
    "deep.py": '''"""Deep."""


def double(x):
    """Twice."""
    return 2 * x
''',
    "figures.py": "COLOUR = 'red'\n",
    "unused.py": "X = 1\n",
}
DATA = (
    "from toylib.io import environment, path, put",
    "print(environment())",
    "put('results/toy/data.txt', '7')",
    "put('figures/toy/data.png', 'a picture')",
)
TRAIN = (
    """from toylib import figures, model
from toylib.io import environment, meet, path, put""",
    "print(environment())",
    "meet(f'seed{SEED}', f'seed{1 - SEED}')",
    """run = f'results/runs/{SEED}-{SETTINGS.get("lr", 1)}.txt'""",
    """if not path(run).exists():
    x = int(path('results/toy/data.txt').read_text())
    put(run, str(model.fit(x, SEED)))""",
    "put(f'results/toy/tables/{SEED}.csv', f'seed,result\\n{SEED},{path(run).read_text()}\\n')",
)
TABLE = (
    "from toylib.io import path, put",
    "a, b = (path(f'results/toy/tables/{s}.csv').read_text() for s in (0, 1))",
    "put('results/toy/tables/all.csv', a + b.splitlines()[1] + '\\n')",
)
NOTEBOOKS = {"data": DATA, "train": TRAIN, "table": TABLE}


def ignore(*cell: object) -> None:
    """For run_step: what its cells do is not looked at."""


def toy(folder: Path, **settings: object) -> Walk:
    """A plan data -> train (two seeds) -> table, its notebooks and its library, below `folder`."""
    for name in ("nb", "toylib"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in LIBRARY.items():
        (folder / "toylib" / name).write_text(text)
    for name, code in NOTEBOOKS.items():
        write_notebook(folder / "nb" / f"{name}.ipynb", code)
    train = Step(
        "train", "train.ipynb", {"SEED": 0, "SETTINGS": settings}, needs=("data",), gpu=True
    )
    again = replace(train, name="train-seed1", parameters={"SEED": 1, "SETTINGS": settings})
    last = Step("table", "table.ipynb", needs=("train", "train-seed1"))
    steps = (Step("data", "data.ipynb"), train, again, last)
    return Walk(steps, "toy", folder / "nb", folder / "home", folder / "toylib", makes=("model",))


def results(walk: Walk) -> dict[str, bytes]:
    """Every output, without executed copies, manifests and logs."""
    return {
        p.relative_to(walk.home).as_posix(): p.read_bytes()
        for p in sorted(walk.home.rglob("*"))
        if p.is_file()
        and not {"executed", "steps", "site"} & set(p.parts)
        and p.name not in ("log.txt", ".lock", ".code.json")
    }


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


class Terminal(io.StringIO):
    """Notes which addresses the run listens on while steps run."""

    def __init__(self) -> None:
        super().__init__()
        self.listening: set[str] = set()

    def write(self, text: str) -> int:
        if " done " in text and not self.listening:
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                found = process.net_connections("inet")
                self.listening |= {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}
        return super().write(text)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The toy plan after a run with two workers, and what that run printed."""
    folder = tmp_path_factory.mktemp("walk")
    walk, terminal = toy(folder), Terminal()
    (folder / "meet").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOY_MEET", str(folder / "meet"))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "0")  # a foreign kernelspec must not win
        patch.setenv("OMP_NUM_THREADS", "5")
        records = run_plan(walk, jobs=2, stream=terminal)
    return walk, records, terminal


@pytest.fixture
def mine(walked, tmp_path, monkeypatch):
    """A copy of the finished walk that a test may change. What runs again of it needs no kernel."""
    monkeypatch.setattr(one_step, "execute", in_process.execute)
    folder = walked[0].home.parent
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    return replace(
        walked[0],
        home=tmp_path / "copy" / "home",
        notebooks=tmp_path / "copy" / "nb",
        library=tmp_path / "copy" / "toylib",
    )


def printed(walk: Walk, step: str) -> str:
    cells = json.loads(walk.executed(step).read_text())["cells"]
    return "".join("".join(o.get("text", "")) for c in cells for o in c.get("outputs", []))


# ---------------------------------------------------------------- running
def test_two_notebooks_run_side_by_side_and_all_that_a_walk_leaves_is_there(walked):
    walk, records, terminal = walked
    assert {r.state for r in records.values()} == {"done"}, records
    assert (walk.home / "results/toy/tables/all.csv").read_text() == "seed,result\n0,14\n1,15\n"
    manifest = walk.manifest("train")
    assert set(manifest["outputs"]) == {
        "results/runs/0-1.txt",
        "results/toy/tables/0.csv",
        "results/toy/executed/train.ipynb",
    }
    assert {"input results/toy/data.txt", "library toylib.deep", "parameter SEED"} <= set(
        manifest["components"]
    )
    assert not any("unused" in k or "png" in k for k in manifest["components"])
    log = (walk.folder / "log.txt").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in log)
    assert re.search(r"train-seed1 +cell 3 of 8  from toylib import", "\n".join(log))
    for text in (terminal.getvalue(), "\n".join(log)):
        assert re.search(r"train +done +\d+ s", text)
    # into a pipe: a line a step, between the first two and what is said at the end
    said = terminal.getvalue().splitlines()
    assert said[0].startswith("results/toy: 4 of 4 steps to look at")
    assert said[1] == progress.STARTING
    assert [line.split()[1] for line in said[2:6]] == ["done"] * 4
    assert re.match(r"results/toy: 4 done; \d+ s$", said[6])
    assert all(line.isprintable() for line in said)
    assert not list((walk.folder / "steps").glob("*.journal"))
    assert "outputs" in json.loads((walk.notebooks / "data.ipynb").read_text())["cells"][1]
    assert not any(
        c.get("outputs") for c in json.loads((walk.notebooks / "data.ipynb").read_text())["cells"]
    )


def test_every_step_gets_the_same_threads_and_this_interpreter(walked):
    for step in ("data", "train"):
        words = printed(walked[0], step)
        assert f"python {sys.executable} OMP_NUM_THREADS=1 MKL_NUM_THREADS=1" in words
        assert f"RIQA_HOME={walked[0].home}" in words
        assert (
            "MALLOC_TRIM_THRESHOLD_=None" in words
        )  # dask's workers have it; training took twice as long with it
        assert "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741" in words


def test_nothing_listens_beyond_this_machine(walked):
    assert walked[2].listening == {"127.0.0.1"}


def test_one_worker_on_a_gpu_gives_the_same_bytes_and_steps_see_their_gpu(
    walked, tmp_path, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=3")
    walk = toy(tmp_path)
    records = run_plan(walk, jobs=1, stream=io.StringIO())
    assert all(r.state == "done" for r in records.values()), records
    assert results(walk) == results(walked[0])
    for words in (printed(walk, step) for step in ("train", "train-seed1")):
        assert "CUDA_VISIBLE_DEVICES=5" in words
        assert "GLIBC_TUNABLES=glibc.malloc.arena_max=3" in words  # one's own is kept


def test_workers_are_one_per_gpu_and_one_without(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    pinned = [({"CUDA_VISIBLE_DEVICES": g}, {"GPU": 1.0}) for g in "23"]
    assert workers(None) == [*pinned, ({"CUDA_VISIBLE_DEVICES": ""}, None)]
    assert [e["CUDA_VISIBLE_DEVICES"] for e, _ in workers(4)] == ["2", "3", "2", "3", ""]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert workers(None) == [({}, None)] * 2


SCRIPT = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
begun = time.monotonic()
{before}
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import Step, Walk
steps = tuple(Step(*a) for a in json.loads({steps!r}))
walk = Walk(steps, "toy", Path({notebooks!r}), Path({home!r}), Path({library!r}))
records = run_plan(walk, {only}, serial={serial})
known = ("dask", "distributed", "papermill", "lark", "torch", "pandas", "numpy")
heavy = [m for m in known if sys.modules.get(m)]
print(json.dumps([[r.state for r in records.values()], heavy, time.monotonic() - begun]))
"""


def elsewhere(
    walk: Walk, before: str = "", serial: bool = False, only: tuple[str, ...] = ()
) -> tuple[list[str], list[str], float]:
    """Run the plan in a new interpreter: states, heavy modules it imported, seconds."""
    steps = json.dumps([[s.name, s.notebook, s.parameters, s.needs] for s in walk.steps])
    text = SCRIPT.format(
        root=str(ROOT),
        before=before,
        steps=steps,
        serial=serial,
        only=only,
        home=str(walk.home),
        notebooks=str(walk.notebooks),
        library=str(walk.library),
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def test_a_second_run_imports_nothing_heavy_and_takes_under_two_seconds(mine):
    states, heavy, seconds = elsewhere(mine)
    assert states == ["up to date"] * 4
    assert heavy == []
    assert seconds < 2


def test_serial_needs_no_dask_and_gives_the_same_bytes(walked, tmp_path):
    walk = toy(tmp_path)
    absent = "sys.modules['distributed'] = sys.modules['dask'] = None"
    states, heavy, _ = elsewhere(walk, absent, serial=True, only=("train",))
    assert states == ["done"] * 3
    assert "papermill" in heavy
    assert "lark" not in heavy  # what kernel.GRAMMAR is built by
    whole = results(walked[0])
    assert results(walk) == {k: v for k, v in whole.items() if not k.endswith("all.csv")}


# ---------------------------------------------------------------- up to date or not
def test_prose_comments_docstrings_layout_and_other_modules_change_nothing(mine):
    write_notebook(
        mine.notebooks / "train.ipynb",
        [c + "  # said" for c in TRAIN],
        prose="Other words.",
    )
    edit(
        mine.library / "deep.py",
        '"""Twice."""\n    return 2 * x',
        '"""Two times."""\n\n    return (2 * x)  # x, x',
    )
    edit(mine.library / "unused.py", "X = 1", "X = 2")
    assert why(mine, mine["train"]) == []
    edit(mine.library / "deep.py", "(2 * x)", "(3 * x)")
    assert why(mine, mine["train"]) == [f"library toylib.deep changed{ANEW}"]


def more_code(walk: Walk) -> None:
    write_notebook(walk.notebooks / "train.ipynb", [*TRAIN, "1 + 1"])


def another_model(walk: Walk) -> None:
    edit(walk.library / "model.py", "+ seed", "- seed")


def another_palette(walk: Walk) -> None:
    edit(walk.library / "figures.py", "red", "blue")


def altered_run(walk: Walk) -> None:
    (walk.home / "results/runs/0-1.txt").write_text("99")


def deleted_table(walk: Walk) -> None:
    (walk.home / "results/toy/tables/0.csv").unlink()


def other_data(walk: Walk) -> None:
    digest = walk.manifest("data")["outputs"]["results/toy/data.txt"]
    edit(walk.file("data", "json"), digest, "0" * 64)


def half_a_manifest(walk: Walk) -> None:
    walk.file("train", "json").write_text("{half")


def touched_table(walk: Walk) -> None:
    os.utime(walk.home / "results/toy/tables/0.csv")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (more_code, ["notebook code changed"]),
        (another_model, [f"library toylib.model changed{ANEW}"]),
        (another_palette, ["library toylib.figures changed"]),
        (altered_run, ["results/runs/0-1.txt was altered"]),
        (deleted_table, ["results/toy/tables/0.csv is gone"]),
        (other_data, ["input results/toy/data.txt changed"]),
        (half_a_manifest, ["never ran here"]),
        (touched_table, []),
    ],
)
def test_why_names_what_changed(mine, change, words):
    assert why(mine, mine["train"]) == []
    change(mine)
    assert why(mine, mine["train"]) == words


def test_why_names_parameters_and_versions_with_both_values(mine, monkeypatch):
    step = replace(mine["train"], parameters={"SEED": 3, "SETTINGS": {}})
    assert why(mine, step) == ["parameter SEED changed: 0 -> 3"]
    monkeypatch.setattr(freshness, "_versions", lambda: {"version numpy": "9.0"})
    assert any(
        re.fullmatch(r"version numpy changed: [\d.]+ -> 9.0", w) for w in why(mine, mine["train"])
    )
    assert changed({"a": "1"}, {"b": "1"}) == {"a": "a is gone", "b": "b is new"}


def test_a_changed_module_runs_what_uses_it_and_removes_what_it_had_stored(mine):
    edit(mine.library / "deep.py", "2 * x", "3 * x")
    records = run_plan(mine, ["train-seed0", "train"], serial=True, stream=io.StringIO())
    assert {n: r.state for n, r in records.items()} == {
        "data": "up to date",
        "train": "done",
        "train-seed1": "done",
    }
    assert (mine.home / "results/toy/tables/0.csv").read_text() == "seed,result\n0,21\n"
    assert {f"input results/toy/tables/{seed}.csv changed" for seed in (0, 1)} <= set(
        why(mine, mine["table"])
    )


def test_drawing_and_settings_keep_stored_runs_and_the_same_inputs_cut_off_early(mine):
    run = mine.home / "results/runs/0-1.txt"
    before = run.stat().st_mtime_ns
    edit(mine.library / "figures.py", "red", "blue")
    waits = why_all(mine, mine.ordered())["table"]
    assert waits == ["depends on what train writes", "depends on what train-seed1 writes"]
    states = [
        r.state
        for r in run_plan(mine, ["train", "table"], serial=True, stream=io.StringIO()).values()
    ]
    assert states == ["up to date", "done", "done", "up to date"]
    assert run.stat().st_mtime_ns == before
    assert "results/runs/0-1.txt" in mine.manifest("train")["outputs"]
    other = replace(
        mine,
        steps=tuple(
            replace(s, parameters=s.parameters | {"SETTINGS": {"lr": 2}})
            if s.name == "train"
            else s
            for s in mine.steps
        ),
    )
    assert run_step(other, "train", False, [], ignore).state == "done"
    assert run.stat().st_mtime_ns == before
    assert "results/runs/0-1.txt" not in other.manifest("train")["outputs"]
    assert other.manifest("train")["others"] == ["results/runs/0-1.txt"]
    edit(mine.library / "deep.py", "2 * x", "5 * x")
    assert run_step(other, "train", False, [], ignore).state == "done"
    assert not run.exists(), "a run of other settings, made by other code, must not be found again"


def test_force_runs_from_nothing_and_an_altered_run_is_made_again(mine):
    run = mine.home / "results/runs/0-1.txt"
    run.write_text("99")
    other = mine.home / "results/runs/1-1.txt"
    other.write_text("99")
    os.utime(other, ns=(0, mine.manifest("train-seed1")["stamps"]["results/runs/1-1.txt"][1]))
    records = run_plan(
        mine, ["train", "train-seed1"], ["train-seed1"], serial=True, stream=io.StringIO()
    )
    assert [r.state for r in records.values()] == ["up to date", "done", "done"]
    assert (run.read_text(), other.read_text()) == ("14", "15")


@pytest.mark.parametrize(
    ("finished", "cut_off", "going_on", "fate"),
    [
        ("remake", None, False, "remake"),
        ("keep", None, False, "keep"),
        ("other settings", None, False, "other settings"),
        (None, None, False, "leave"),
        ("keep", "remake", False, "remake"),  # made by other code once is enough
        ("keep", "other settings", False, "keep"),
        ("remake", "keep", True, "keep"),  # written by the attempt that now goes on
    ],
)
def test_the_fate_of_a_file_that_two_attempts_left(finished, cut_off, going_on, fate):
    said = ((("run",), finished), (("run",), cut_off))
    found = Left(
        said=tuple((frozenset(files), word) for files, word in said if word),
        journal=(),
        mine=frozenset(["run"] if cut_off else []),
        whole=frozenset(),
        going_on=going_on,
    )
    assert found.fate("run") == fate
    shared = replace(found, whole=frozenset(["run"]), going_on=False).fate("run")
    assert shared != "remake", "a need has made it anew, by the code of now"


def test_a_notebook_says_what_it_read_and_finds_real_sets_by_a_relative_path(tmp_path, monkeypatch):
    """With the library's own notes, in a kernel, whose working folder is another one."""
    walk = toy(tmp_path)
    table = tmp_path / "sets" / "koniq10k" / "scores.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIQA_DATA", "sets")
    write_notebook(
        walk.notebooks / "data.ipynb",
        [
            "from riqa_lib import contents, paths",
            "file = paths.data() / 'koniq10k' / 'scores.csv'",
            "contents.note(file)",
            "print(file.read_text(), file)",
        ],
    )
    assert run_step(walk, "data", False, [], ignore).state == "done"
    assert f"a {table}" in printed(walk, "data")
    assert walk.manifest("data")["reads"] == 1
    assert why(walk, walk["data"]) == []
    table.write_text("b")
    assert why(walk, walk["data"]) == ["data file changed: RIQA_DATA/koniq10k/scores.csv"]
    states = why_all(walk, walk.ordered())
    assert states["train"] == ["never ran here"]


# ---------------------------------------------------------------- what goes wrong
def test_a_failure_names_cell_error_and_copy_skips_what_waits_and_the_rest_goes_on(tmp_path):
    walk = toy(tmp_path)
    write_notebook(
        walk.notebooks / "bad.ipynb",
        ["x = 1", "raise ValueError('loss is NaN\\nat step 3')", "x = 2"],
    )
    write_notebook(
        walk.notebooks / "dead.ipynb", ["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"]
    )
    steps = (
        Step("bad", "bad.ipynb", {"SEED": 1}),
        Step("dead", "dead.ipynb"),
        Step("data", "data.ipynb"),
        Step("after", "table.ipynb", needs=("bad",)),
        Step("last", "table.ipynb", needs=("after", "data")),
    )
    walk, terminal = replace(walk, steps=steps), io.StringIO()
    records = run_plan(walk, serial=True, stream=terminal)
    assert {n: r.state for n, r in records.items()} == {
        "bad": "failed",
        "dead": "failed",
        "data": "done",
        "after": "skipped",
        "last": "skipped",
    }
    see = "see results/toy/executed/"
    assert (
        records["bad"].text
        == f"cell 4 (In [4]) ValueError: loss is NaN | at step 3; {see}bad.ipynb"
    )
    assert (
        records["dead"].text == f"cell 4: the kernel died (killed, out of memory?); {see}dead.ipynb"
    )
    assert records["after"].text == "waits for bad"
    copy = json.loads(walk.executed("bad").read_text())["cells"]
    assert any(o.get("ename") == "ValueError" for c in copy for o in c.get("outputs", []))
    assert re.search(r"bad +FAILED +cell 4", terminal.getvalue())
    assert why(walk, steps[0]) == ["did not finish last time"]


def test_every_problem_of_a_plan_is_said_before_anything_runs(tmp_path):
    walk = toy(tmp_path)
    write_notebook(walk.notebooks / "typo.ipynb", ["x = = 1"])
    (walk.notebooks / "half.ipynb").write_text('{"cells": [')
    steps = (
        Step("data", "data.ipynb"),
        Step("train", "train.ipynb", {"SEED": 0, "SEEED": 1, "EPOCHS": 3}),
        Step("typo", "typo.ipynb"),
        Step("half", "half.ipynb"),
        Step("gone", "gone.ipynb"),
    )
    with pytest.raises(PlanError) as e:
        run_plan(replace(walk, steps=steps), serial=True)
    said = str(e.value)
    assert "train.ipynb (step train) has no parameter EPOCHS; it has SEED, SETTINGS" in said
    assert "no parameter SEEED" in said
    assert "typo.ipynb: cell 3 is not Python" in said
    assert "half.ipynb: not a notebook" in said
    assert "gone.ipynb: no such notebook" in said
    assert not walk.home.exists()


def test_an_impossible_plan_or_name_is_an_error(tmp_path):
    a = Step("a", "a.ipynb", needs=("b",))
    circle, twice = (a, replace(a, name="b", needs=("a",))), (replace(a, needs=()),) * 2
    for steps, words in (
        ((a,), "a needs b, which is no step"),
        (circle, "in a circle"),
        (twice, "two steps are called a"),
    ):
        with pytest.raises(PlanError, match=words):
            Walk(steps, "toy", tmp_path, tmp_path)
    for name in ("../x", "", "reference", "runs", "a b"):
        with pytest.raises(PlanError, match="cannot name a walk"):
            Walk((), name, tmp_path, tmp_path)


def test_steps_are_picked_with_or_without_seed_and_an_unknown_one_lists_what_there_is(tmp_path):
    walk = toy(tmp_path)
    assert walk.pick(["train"]) == ["train", "train-seed1"]
    assert walk.pick(["train-seed0", "data.ipynb"]) == ["train", "data"]
    with pytest.raises(
        PlanError, match="no step is called trian, tab; there are data, train, train-seed1, table"
    ):
        run_plan(walk, ["trian", "tab"])


def test_two_runs_at_once_and_wrong_threads_are_errors(tmp_path, monkeypatch):
    walk = toy(tmp_path)
    walk.folder.mkdir(parents=True)
    with open(walk.folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PlanError, match="another run is at work in results/toy"):
            run_plan(walk, serial=True)
    monkeypatch.setenv("RIQA_THREADS", "many")
    with pytest.raises(PlanError, match="RIQA_THREADS is 'many', expected a whole number"):
        run_plan(walk, serial=True)


def test_without_ipc_kernels_use_loopback(tmp_path, monkeypatch):
    walk = toy(tmp_path)
    monkeypatch.setattr(kernel, "_ipc", lambda address: False)
    write_notebook(
        walk.notebooks / "data.ipynb",
        [
            "from ipykernel.connect import get_connection_info",
            "i = get_connection_info(unpack=True); print(i['transport'], i['ip'])",
        ],
    )
    assert run_step(walk, "data", False, [], ignore).state == "done"
    assert "tcp 127.0.0.1" in printed(walk, "data")


BEGUN: list[str] = []
ENDED: list[str] = []


def stand_in(walk, name, force, needed, event=None):
    """In place of run_step: only takes its declared time."""
    assert {r.step for r in needed} == {*walk[name].needs}
    BEGUN.append(name)
    assert len(BEGUN) - len(ENDED) <= 2
    time.sleep(walk[name].seconds)
    ENDED.append(name)
    return Record(name, "done")


def test_no_step_waits_for_a_long_one_while_another_worker_is_free(tmp_path, monkeypatch):
    """On a dask scheduler that is running already, as with --scheduler."""
    from distributed import LocalCluster

    BEGUN.clear()
    ENDED.clear()
    monkeypatch.setattr(step_queue, "run_step", stand_in)
    short = [Step(f"short{k}", "data.ipynb", needs=("first",), seconds=0.1) for k in range(6)]
    steps = (
        Step("first", "data.ipynb", seconds=0.1),
        *short,
        Step("long", "data.ipynb", needs=("first",), seconds=3),
    )
    walk = replace(toy(tmp_path), steps=steps)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        records = run_plan(
            walk, scheduler=Elsewhere(cluster.scheduler_address), stream=io.StringIO()
        )
    assert {r.state for r in records.values()} == {"done"}
    assert BEGUN[:2] == ["first", "long"]  # the longest first
    assert ["first", *(s.name for s in short), "long"] == ENDED


def test_what_most_waits_for_goes_first():
    def step(name: str, seconds: float, *needs: str) -> Step:
        return Step(name, "x.ipynb", needs=needs, seconds=seconds)

    steps = [
        step("a", 5),
        step("b", 1),
        step("c", 5, "b"),
        step("d", 2, "c"),
        step("e", 3),
        step("f", 3),
    ]
    assert [s.name for s in by_urgency(steps)] == ["b", "c", "a", "e", "f", "d"]  # 8, 7, 5, 3, 3, 2


@pytest.mark.parametrize(
    ("file", "trains"),
    [("model", True), ("deep", True), ("figures", False), ("io", False), ("unused", False)],
)
def test_only_what_makes_data_or_trains_and_what_that_imports_makes_stored_runs_anew(
    mine, file, trains
):
    """By imports, never by name: `deep` trains because `model` imports it."""
    assert (f"library toylib.{file}" in freshness.makers(mine)) is trains
    run = mine.home / "results/runs/0-1.txt"
    before = run.stat().st_mtime_ns
    with open(mine.library / f"{file}.py", "a") as f:
        f.write("\nNEW = 1\n")
    assert run_step(mine, "train", False, [], ignore).ok
    assert (run.stat().st_mtime_ns != before) is trains


def test_a_package_that_trains_counts_with_all_its_modules(mine):
    (mine.library / "ssl").mkdir()
    (mine.library / "ssl" / "__init__.py").write_text("")
    (mine.library / "ssl" / "fixmatch.py").write_text("from ..deep import double\n")
    walk = replace(mine, makes=("ssl",))
    assert freshness.makers(walk) == {
        "library toylib.ssl",
        "library toylib.ssl.fixmatch",
        "library toylib.deep",
    }


def test_tables_of_a_step_before_change_no_stored_run_and_its_data_do(mine):
    """Which runs there are is noted in tables; a run that learns from another one names it in its
    settings."""
    run = mine.home / "results/runs/0-1.txt"
    before = run.stat().st_mtime_ns
    for name, anew in (("results/toy/tables/more.csv", False), ("results/toy/data.txt", True)):
        manifest = mine.manifest("data")
        (mine.home / name).parent.mkdir(parents=True, exist_ok=True)
        (mine.home / name).write_text("123")
        manifest["outputs"][name] = freshness.file_digest(mine.home / name)
        mine.file("data", "json").write_text(json.dumps(manifest))
        assert any(f"input {name}" in w for w in why(mine, mine["train"]))
        assert run_step(mine, "train", False, [], ignore).ok
        assert (run.stat().st_mtime_ns != before) is anew, name


def test_a_disk_that_is_full_for_the_run_itself_is_said_in_words(tmp_path, monkeypatch):
    (tmp_path / "nb").mkdir()
    write_notebook(tmp_path / "nb" / "one.ipynb", ["print(1)"])
    walk = Walk((Step("one", "one.ipynb"),), "toy", tmp_path / "nb", tmp_path / "home")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(progress.Progress, "say", full)
    said = r"results/toy cannot be written \(No space left on device\); make room and start"
    with pytest.raises(PlanError, match=said):
        run_plan(walk, serial=True, stream=io.StringIO())


@pytest.mark.parametrize("at", ["_announce", "_serially"])
def test_ctrl_c_is_answered_from_the_first_line_on(tmp_path, monkeypatch, at):
    """Before the first step too, when only what is up to date was listed."""

    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, at, pressed)
    shown = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run_plan(toy(tmp_path), serial=True, stream=shown)
    assert "stopped; start it again and it goes on from here" in shown.getvalue()
