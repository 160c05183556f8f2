"""Damage is seen, named, and mended by the command that the message names."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shlex
import time
from pathlib import Path

import pytest
from toy_notebooks import write_notebook

from riqa_lib import __main__, contents, store
from riqa_lib.plan import one_step, site_pages
from riqa_lib.plan.freshness import why
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import PlanError, Step, Walk
from riqa_lib.plan.verify import verify

FILES = {
    "data": ("results/mine/data/frame.csv", "data"),
    "model": ("{run}/model.safetensors", "fit"),
    "provenance": ("{run}/provenance.json", "fit"),
    "table": ("results/mine/tables/fit.csv", "fit"),
    "figure": ("figures/mine/fit.svg", "fit"),
    "copy": ("results/mine/executed/fit.ipynb", "fit"),
}


def data(walk: Walk) -> None:
    table = walk.home.parent / "scores.csv"
    contents.note(table)
    store.write_bytes(walk.folder / "data/frame.csv", table.read_bytes() * 20)


def fit(walk: Walk) -> None:
    rows = (walk.folder / "data/frame.csv").read_text()
    run = store.run_folder({"method": {"name": "toy"}, "rows": len(rows)})
    if not store.done(run):
        store.write_bytes(run / "model.safetensors", rows[::-1].encode())
        store.finish(run, {"made": time.time_ns(), "labels": 3})
    for file in run.iterdir():
        store.journal(file)
    said = store.read_json(run / "provenance.json")["labels"]
    store.write_bytes(walk.folder / "tables/fit.csv", f"labels\n{said}\n".encode())
    store.write_bytes(walk.home / "figures/mine/fit.svg", b"<svg>drawn</svg>")


def in_this_process(walk: Walk, step: Step, lock: object, event: object) -> None:
    """In place of kernel.execute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.JOURNAL, str(walk.file(step.name, "journal")))
        patch.setenv(contents.READING, str(walk.file(step.name, "reading")))
        {"data": data, "fit": fit}[step.name](walk)
    copy = json.loads((walk.notebooks / step.notebook).read_text())
    copy["metadata"] = {"step": step.name, "ended": time.time_ns()}
    walk.executed(step.name).parent.mkdir(parents=True, exist_ok=True)
    walk.executed(step.name).write_text(json.dumps(copy))


@pytest.fixture
def walk(tmp_path, monkeypatch) -> Walk:
    """A finished walk of two steps, an hour old."""
    monkeypatch.setattr(one_step, "execute", in_this_process)
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    for name in ("nb", "toylib"):
        (tmp_path / name).mkdir()
    (tmp_path / "scores.csv").write_text("id,score\na,1\nb,2\n")
    os.utime(tmp_path / "scores.csv", (1e9, 1e9))
    given = {"NAME": "mine", "PROFILE": "demo", "SETTINGS": {"train.lr": 0.1}}
    for name in ("data", "fit"):
        write_notebook(
            tmp_path / f"nb/{name}.ipynb", ["1"], parameters="NAME = PROFILE = SETTINGS = 0"
        )
    steps = (Step("data", "data.ipynb", given), Step("fit", "fit.ipynb", given, needs=("data",)))
    made = Walk(steps, "mine", tmp_path / "nb", tmp_path / "home", tmp_path / "toylib", makes=())
    assert states(made) == ["done", "done"]
    return made


def states(walk: Walk, only: tuple[str, ...] = ()) -> list[str]:
    records = run_plan(walk, only, serial=True, stream=io.StringIO())
    return [r.state for r in records.values()]


def results(walk: Walk) -> dict[str, bytes]:
    """What is compared: all but what holds times."""
    return {
        str(f.relative_to(walk.home)): f.read_bytes()
        for top in ("results", "figures")
        for f in sorted((walk.home / top).rglob("*"))
        if f.is_file() and not {"steps", "executed"} & set(f.parts)
        if f.name not in ("provenance.json", "log.txt", ".lock")
    }


def file_of(walk: Walk, which: str) -> tuple[Path, str]:
    (run,) = (walk.home / "results/runs").iterdir()
    name, step = FILES[which]
    return walk.home / name.format(run=run), step


def flip(file: Path, new_time: bool = False) -> None:
    """One bit, in the middle; size and, but for new_time, time stay."""
    stat, whole = file.stat(), bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    if not new_time:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_whole_walk_is_as_recorded(walk, capsys):
    assert __main__.main(["verify", "mine"]) == 0
    assert capsys.readouterr().out == (
        "mine: 9 files of 2 steps hashed, all as they were recorded\n"
    )


@pytest.mark.parametrize("which", FILES)
def test_a_flipped_bit_is_found_and_the_command_mends_it(walk, which, capsys, monkeypatch):
    before = results(walk)
    file, step = file_of(walk, which)
    flip(file)
    assert states(walk) == ["up to date"] * 2  # the quick check cannot know
    assert __main__.main(["verify", "mine"]) == 1
    said = capsys.readouterr().out
    assert f"{walk.shown(file)} was altered ({step})" in said
    remove, again = (line.strip() for line in said.splitlines()[3:5])
    assert shlex.split(remove) == ["rm", str(file)]  # typed from another folder
    assert again.endswith(f"--profile demo --name mine --set train.lr=0.1 --only {step}")
    Path(shlex.split(remove)[1]).unlink()
    assert states(walk, (step,))[-1] == "done"
    assert not verify(walk).differences
    assert results(walk) == before


@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_damage_with_a_new_time_is_mended_by_starting_again(walk, which, harm):
    before = results(walk)
    file, step = file_of(walk, which)
    if harm == "flip":
        flip(file, new_time=True)
    else:
        file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2] if harm == "cut" else b"")
    assert why(walk, walk[step]) == [f"{walk.shown(file)} was altered"]
    assert "done" in states(walk)
    assert not verify(walk).differences
    assert results(walk) == before
    assert states(walk) == ["up to date"] * 2


def test_data_that_was_read_is_hashed_too(walk, capsys):
    table = walk.home.parent / "scores.csv"
    whole = table.read_bytes()
    flip(table)
    assert states(walk) == ["up to date"] * 2
    assert __main__.main(["verify", "mine"]) == 1
    said = capsys.readouterr().out
    assert f"{table} was altered (data)" in said
    touch, again = (line.strip() for line in said.splitlines()[3:])
    assert touch == f"touch {table}"
    # without --only: what follows would be left as it was learnt from the data of before
    assert again.endswith("--profile demo --name mine --set train.lr=0.1")
    os.utime(table)
    assert states(walk) == ["done"] * 2
    assert not verify(walk).differences
    table.write_bytes(whole)
    table.unlink()
    assert verify(walk).differences[0].what == "is gone"


def test_a_damaged_manifest_and_an_unknown_walk_are_named(walk, capsys):
    walk.file("fit", "json").write_text("{")
    found = verify(walk)
    assert [(d.file, d.what) for d in found.differences] == [
        ("results/mine/steps/fit.json", "is damaged")
    ]
    assert "done" in states(walk)
    assert __main__.main(["verify", "mien"]) == 1
    assert "results/mien: no step has finished here; walks: mine" in capsys.readouterr().err


def test_two_walks_that_share_a_run_do_not_call_each_others_damaged(walk):
    provenance, _ = file_of(walk, "provenance")
    facts = json.loads(provenance.read_text())
    store.finish(provenance.parent, facts | {"made": 1})  # made again for another walk
    assert not verify(walk).differences
    assert states(walk) == ["up to date"] * 2


def test_reading_a_damaged_file_names_the_step_to_run(walk):
    file, _ = file_of(walk, "table")
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"delete it, then python run_all.py .* --only fit$"):
        store.read_table(file)
    file, _ = file_of(walk, "provenance")
    file.write_text("{")
    with pytest.raises(ValueError, match=r"not a JSON file .* --only fit$"):
        store.read_json(file)
    assert not store.done(file.parent)


def test_a_page_of_a_damaged_copy_names_the_step_to_run(walk):
    file, _ = file_of(walk, "copy")
    file.write_text('{"cells": [')
    with pytest.raises(PlanError, match=r"executed/fit\.ipynb: damaged .* --only fit$"):
        site_pages.notebook(file)


def test_threads_are_part_of_what_a_step_depends_on(walk, monkeypatch):
    monkeypatch.setenv("RIQA_THREADS", "2")
    (said,) = why(walk, walk["fit"])
    assert said.startswith("threads changed: 1 -> 2 (sums differ")
    manifest = json.loads(walk.file("fit", "json").read_text())
    del manifest["components"]["threads"]  # as older manifests are
    walk.file("fit", "json").write_text(json.dumps(manifest))
    assert why(walk, walk["fit"]) == [said]
    made = file_of(walk, "provenance")[0].read_text()
    assert states(walk) == ["done", "done"]
    assert file_of(walk, "provenance")[0].read_text() != made  # the run was made anew
    monkeypatch.delenv("RIQA_THREADS")
    assert why(walk, walk["fit"])


def test_read_only_results_do_where_nothing_is_to_be_done_and_say_so_else(walk, monkeypatch):
    def refused(lock: object, how: int) -> None:
        raise AssertionError("locked all the same")

    really = open

    def read_only(file, mode="r", *rest, **more):
        if str(file).startswith(str(walk.home)) and set(mode) & set("wax+"):
            raise OSError(30, "Read-only file system", str(file))
        return really(file, mode, *rest, **more)

    monkeypatch.setattr("builtins.open", read_only)
    monkeypatch.setattr(fcntl, "flock", refused)
    assert states(walk) == ["up to date"] * 2
    with pytest.raises(PlanError, match=r"results/mine cannot be written \(Read-only file system"):
        run_plan(walk, force=["fit"], serial=True, stream=io.StringIO())


def test_a_step_does_not_compute_from_what_is_not_as_it_was_made(walk, capsys):
    before = results(walk)
    store.write_bytes(walk.folder / "tables/fit.csv", b"gone")  # so that fit runs
    flip(walk.folder / "data/frame.csv")
    records = run_plan(walk, serial=True, stream=io.StringIO())
    assert records["fit"].state == "failed"
    said = "results/mine/data/frame.csv: not as it was made; nothing was computed from it"
    assert records["fit"].text == f"{said}; `riqa verify mine` says how to make it again"
    assert __main__.main(["verify", "mine"]) == 1
    assert f"rm {walk.folder / 'data/frame.csv'}" in capsys.readouterr().out
    (walk.folder / "data/frame.csv").unlink()
    assert states(walk) == ["done", "done"]
    assert results(walk) == before


def test_a_notebook_that_was_edited_when_it_began_and_back_does_not_count(walk, monkeypatch):
    def edited(walk: Walk, step: Step, lock: object, event: object) -> None:
        in_this_process(walk, step, lock, event)
        copy = json.loads(walk.executed(step.name).read_text())
        copy["cells"][-1]["source"] = "2"
        walk.executed(step.name).write_text(json.dumps(copy))

    monkeypatch.setattr(one_step, "execute", edited)
    records = run_plan(walk, force=["fit"], serial=True, stream=io.StringIO())
    assert records["fit"].state == "failed"
    assert "fit.ipynb was edited just when it began to run; start it again" in records["fit"].text
    monkeypatch.setattr(one_step, "execute", in_this_process)
    assert states(walk) == ["up to date", "done"]
