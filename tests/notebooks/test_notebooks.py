"""The real notebooks: the whole plan at smoke size (in this process, see in_process), one of each
kind by plain papermill, missing inputs named."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import in_process
import pandas as pd
import pytest
from conftest import REPOSITORY
from notebook_cells import shown_by

import run_all
from riqa_lib import store
from riqa_lib.tables import names
from riqa_lib.training import photographs
from riqa_lib.training.planned_runs import planned

ROOT = REPOSITORY
ASKED: list[str] = []  # of other machines, by the whole plan
NOTEBOOKS = sorted(p.stem for p in (ROOT / "notebooks").glob("*.ipynb"))


def environment(home: Path) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "RIQA_JOURNAL"} | {"RIQA_HOME": str(home)}


def papermill(
    notebook: str, home: Path, where: Path, **parameters: object
) -> subprocess.CompletedProcess[str]:
    """Plain papermill, as a user types it, from folder `where`."""
    given = [a for k, v in parameters.items() for a in ("-p", k, str(v))]
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(ROOT / "notebooks" / f"{notebook}.ipynb"),
        "out.ipynb",
        *given,
    ]
    return subprocess.run(
        command, cwd=where, env=environment(home), capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Path:
    """One run of the whole plan through run_all.py, from another folder, with the site."""
    home = tmp_path_factory.mktemp("home")
    with in_process.watched() as away:
        assert in_process.run(home, "--profile", "smoke", "--site") == 0
    ASKED.extend(away)
    return home


@pytest.mark.walk
def test_the_whole_plan_asks_nothing_of_other_machines(walk):
    assert ASKED == []


def test_who_asks_another_machine_is_noticed():
    with in_process.watched() as away, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        for host in ("192.0.2.1", "127.0.0.1"):  # for documents; nothing is sent to either
            with contextlib.suppress(OSError):  # where there is no way to it
                asks.connect((host, 9))
    assert away == ["socket.connect: ('192.0.2.1', 9)"]


@pytest.mark.walk
def test_the_whole_plan_leaves_tables_figures_and_a_site(walk):
    results = walk / "results" / "smoke"
    table = pd.read_csv(results / "tables" / "table2.csv")
    once = {"supervised_strong", "supervised_ordinal", "supervised_equal"}
    once |= {"fixmatch_randaugment", "source_mean", "forest", "ridge"}
    both = {f"{m}{stage}" for m in photographs.METHODS for stage in ("", photographs.SECOND)}
    fixed = {names.CONSTANT, names.RATER, *names.always(5)}
    assert set(table["method"]) == {*fixed, *once, *both}
    assert (table["data"] == "simulated").all()
    for name in (
        "01_grades",
        "01_class_shares",
        "04_views",
        "11_table2",
        "10_stages-seed0",
        "13_space",
        "16_multi_v_single",
        "21_error_against_labels",
    ):
        assert (walk / "figures" / "smoke" / f"{name}.png").stat().st_size > 5000
        assert (walk / "figures" / "smoke" / f"{name}.pdf").exists()
    pages = {p.stem: p.read_text(encoding="utf-8") for p in (results / "site").glob("*.html")}
    assert {*NOTEBOOKS, "index"} <= set(pages)
    for name, page in pages.items():
        assert not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)', page), name
        assert "fonts.googleapis" not in page
    assert "Simulated data" in pages["index"]
    assert "best constant" in pages["index"]
    for notebook in NOTEBOOKS:
        cells = json.loads((results / "executed" / f"{notebook}.ipynb").read_text())["cells"]
        assert any(c.get("outputs") for c in cells)


@pytest.mark.walk
def test_what_notebooks_trained_is_what_is_planned_run_by_run(walk, monkeypatch):
    """By run_all.py --runs (training.planned_runs): not one more, not one less."""
    monkeypatch.setenv("RIQA_HOME", str(walk))
    tables = [*(walk / "results/smoke/tables").glob("*-seed0.csv")]
    trained = {run for file in tables for run in pd.read_csv(file).get("run", [])}
    steps = run_all.expand("smoke", "smoke", {})
    runs = [one for step in steps for one in planned(step.notebook, step.parameters)]
    assert {one.folder().name for one in runs} == trained
    assert len(trained) > 60
    assert all(store.done(one.folder()) for one in runs)


@pytest.mark.walk
def test_a_second_run_does_nothing(walk):
    """A process of its own, as a user types it."""
    command = [sys.executable, str(ROOT / "run_all.py"), "--profile", "smoke", "--site"]
    again = subprocess.run(
        command, cwd=walk, env=environment(walk), capture_output=True, text=True, timeout=100
    )
    assert again.returncode == 0
    assert "cell " not in again.stdout


@pytest.mark.walk
def test_a_step_that_is_forced_runs_in_a_kernel_of_its_own(walk):
    command = [sys.executable, str(ROOT / "run_all.py"), "--profile", "smoke"]
    command += ["--only", "00_start_here", "--force", "00_start_here"]
    copy = walk / "results" / "smoke" / "executed" / "00_start_here.ipynb"
    copy.unlink()
    done = subprocess.run(
        command, cwd=walk, env=environment(walk), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout[-3000:]
    metadata = json.loads(copy.read_text(encoding="utf-8"))["metadata"]
    assert metadata["papermill"]["exception"] is None


@pytest.mark.walk
@pytest.mark.parametrize("notebook", ["05_simmatch", "17_expert_agreement", "tools/label_pictures"])
def test_each_kind_runs_by_itself_after_the_ones_it_names(walk, notebook, tmp_path):
    """By plain papermill, from another folder; a training notebook with another seed, as in the
    README. The plan above runs all."""
    code = (ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8")
    seed = {"SEED": 1} if "SEED = 0" in code else {}
    profile = {"PROFILE": "smoke"} if "PROFILE = " in code else {}
    before = set((walk / "figures" / "smoke").glob("*.pdf"))
    done = papermill(notebook, walk, tmp_path, NAME="smoke", **profile, **seed)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out.ipynb").exists()
    made = set((walk / "figures" / "smoke").glob("*.pdf")) - before
    assert len(made) >= (5 if seed else 0)
    assert all(file.read_bytes().startswith(b"%PDF") for file in made)


@pytest.mark.parametrize(
    ("notebook", "first"),
    [
        ("03_vit_supervised", "01_koka10k"),
        ("04_fixmatch", "01_koka10k"),
        ("11_table2", "03_vit_supervised"),
        ("16_significance", "14_teacher"),
        ("21_error_against_labels", "01_koka10k"),
    ],
)
def test_a_missing_input_names_the_notebook_to_run_first(notebook, first, home):
    with pytest.raises(FileNotFoundError, match=first):
        shown_by(ROOT / "notebooks" / f"{notebook}.ipynb", {"NAME": "demo"})
