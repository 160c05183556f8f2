"""The plan itself: complete, within its time, and a command line that says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

import run_all
from riqa_lib.plan.schedule import by_urgency
from riqa_lib.plan.steps import Record, Step, Walk

ROOT = REPOSITORY
SETUP, SITE, LIMIT = 110, 30, 15 * 60  # seconds, design 5


def test_every_numbered_notebook_is_in_the_plan_and_every_planned_notebook_exists():
    there = {p.name for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert there == {s.notebook for s in run_all.PLAN}


def test_the_plan_can_run():
    from riqa_lib.plan.freshness import check

    walk = Walk(run_all.expand("demo", "demo", {}), "demo", ROOT / "notebooks", ROOT)
    check(walk, walk.ordered())


def wall_seconds(steps: list, workers: int) -> float:
    """When the last step ends if each takes its declared seconds and starts as soon as it can, the
    most urgent first."""
    free, ends, waiting = [0.0] * workers, {}, by_urgency(steps)
    while waiting:
        free.sort()
        ready = {
            s.name: max([free[0], *(ends[n] for n in s.needs)])
            for s in waiting
            if set(s.needs) <= set(ends)
        }
        first = min(ready, key=lambda n: ready[n])
        step = next(s for s in waiting if s.name == first)
        free[0] = ends[first] = ready[first] + step.seconds
        waiting.remove(step)
    return max(ends.values())


def test_the_demo_fits_into_fifteen_minutes_on_two_cores():
    assert all(s.seconds > 0 for s in run_all.PLAN)
    assert wall_seconds(run_all.PLAN, 2) + SETUP + SITE <= LIMIT


def test_wall_seconds_against_a_schedule_by_hand():
    def step(name: str, seconds: float, *needs: str) -> Step:
        return Step(name, "x.ipynb", needs=needs, seconds=seconds)

    steps = [
        step("a", 10),
        step("b", 4),
        step("c", 5, "a"),
        step("d", 7, "b"),
        step("e", 1, "c", "d"),
    ]
    assert wall_seconds(steps, 1) == 27
    assert wall_seconds(steps, 2) == 16  # a 0-10, b 0-4, d 4-11, c 10-15, e 15-16


def test_seeds_are_steps_and_the_table_waits_for_all_of_them():
    assert [s.name for s in run_all.expand("demo", "x", {})] == [s.name for s in run_all.PLAN]
    steps = {s.name: s for s in run_all.expand("gpu", "mine", {"train.lr": 1})}
    seeded = [s.name for s in run_all.PLAN if "SEED" in s.parameters]
    once = [s.name for s in run_all.PLAN if "SEED" not in s.parameters]

    def tails(base: str) -> list[str]:
        seeds = 8 if base in run_all.CHEAP else 3
        return ["", *(f"-seed{k}" for k in range(1, seeds))]

    assert set(steps) == {*once, *(f"{base}{tail}" for base in seeded for tail in tails(base))}
    assert set(steps["16_significance"].needs) == {
        "13_fundus_datasets",
        *(f"{base}{tail}" for base in ("14_teacher", "15_student") for tail in tails(base)),
    }
    assert steps["15_student-seed7"].needs == (
        "13_fundus_datasets",
        "14_teacher-seed7",
        "15_student",
    )
    table = next(s for s in run_all.PLAN if s.name == "11_table2")
    assert set(steps["11_table2"].needs) == {
        f"{n}{tail}" for n in table.needs for tail in ("", "-seed1", "-seed2")
    }
    assert steps["03_vit_supervised"].needs == ("01_koka10k",)
    assert set(steps["03_vit_supervised-seed2"].needs) == {"01_koka10k", "03_vit_supervised"}
    assert set(steps["04_fixmatch-seed1"].needs) == {
        "01_koka10k",
        "03_vit_supervised",
        "03_vit_supervised-seed1",
    }
    assert {"09_crmatch-seed2", "03_vit_supervised-seed2"} <= set(
        steps["10_second_stage-seed2"].needs
    )
    assert "09_crmatch" not in steps["10_second_stage-seed2"].needs
    assert [s.name for s in run_all.expand("gpu", "x", {}, 1)] == [s.name for s in run_all.PLAN]
    two = {s.name: s for s in run_all.expand("gpu", "x", {}, 2)}
    assert "15_student-seed1" in two["18_explain_and_advise"].needs
    assert not any(name.endswith("-seed2") for name in two)
    given = {"NAME": "mine", "PROFILE": "gpu", "SEED": 1, "SETTINGS": {"train.lr": 1}}
    assert steps["04_fixmatch-seed1"].parameters == given
    assert steps["00_start_here"].parameters == {
        "NAME": "mine",
        "STEPS": [s.name for s in run_all.PLAN],
    }


def test_label_budgets_have_their_numbers_and_the_figure_waits_for_what_it_shows():
    def steps(*arguments: object, **more: object) -> dict[str, Step]:
        return {s.name: s for s in run_all.expand(*arguments, **more)}

    for profile, numbers in run_all.LABELS.items():
        assert steps(profile, "x", {})["20_label_budgets"].parameters["LABELS"] == list(numbers)
    assert set(run_all.LABELS) == set(run_all.SEEDS)
    some = steps("gpu", "x", {}, 2, [7, 70])
    assert some["20_label_budgets-seed1"].parameters["LABELS"] == [7, 70]
    assert set(some["21_error_against_labels"].needs) == {
        f"{n}{tail}" for n in run_all.FEW_LABELS for tail in ("", "-seed1")
    }
    whole = steps("demo", "x", {}, whole=True)
    assert set(whole["21_error_against_labels"].needs) == {*run_all.FEW_LABELS, *run_all.METHODS}
    assert set(whole) == {s.name for s in run_all.PLAN}


def test_a_seed_that_a_needed_step_does_not_have_waits_for_its_first():
    steps = {s.name: s for s in run_all.expand("paper", "best", {})}
    assert "03_vit_supervised-seed2" in steps["20_label_budgets-seed2"].needs
    assert "03_vit_supervised-seed7" not in steps
    assert set(steps["20_label_budgets-seed7"].needs) == {"01_koka10k", "03_vit_supervised"}
    assert "14_teacher-seed7" in steps["15_student-seed7"].needs
    assert "20_label_budgets-seed7" in steps["21_error_against_labels"].needs


def test_the_reference_has_eight_seeds_of_all_but_the_dear():
    steps = {s.name for s in run_all.expand("reference", "best", {})}
    assert {"03_vit_supervised-seed7", "10_second_stage-seed7"} <= steps
    assert "12_related_models-seed2" in steps
    assert "12_related_models-seed3" not in steps


def test_only_the_figure_of_label_budgets_needs_no_method_of_table_2(tmp_path):
    done = command(tmp_path, "--list", "--only", "21_error_against_labels", "--labels", "5", "50")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "01_koka10k",
        "03_vit_supervised",
        "20_label_budgets",
        "21_error_against_labels",
    ]
    everything = command(tmp_path, "--list").stdout
    assert "03_vit_supervised, 20_label_budgets, 04_fixmatch, 05_simmatch" in everything


def command(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "run_all.py"), "--home", str(tmp_path), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )


def test_list_works_from_any_folder_without_an_activated_environment(tmp_path):
    done = command(tmp_path, "--list")
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert sorted(listed) == sorted(s.name for s in run_all.PLAN)
    assert all(listed.index(n) < listed.index(s.name) for s in run_all.PLAN for n in s.needs)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--only", "05_nothing"],
            "no step is called 05_nothing; there are 00_start_here, 01_koka10k",
        ),
        (["--why", "04"], "no step is called 04; there are"),
        (["--profile", "huge"], "invalid choice: 'huge'"),
        (["--name", "../elsewhere", "--list"], "cannot name a walk"),
        (["--set", "train.lr"], "'train.lr' is not KEY=VALUE"),
        (["--list", "--set", "data.folder={'root': 'photos'}"], "begins like JSON, and is none"),
        (["--labels", "50", "0"], "'0' is not a whole number from 1 on"),
        (["--jobs", "0"], "'0' is not a whole number from 1 on"),
        (["--serial", "--jobs", "2"], "--serial runs one step at a time"),
        (["--reference", "--profile", "demo"], "--reference means --profile reference, not demo"),
        (["--profil", "demo"], "unrecognized arguments"),
    ],
)
def test_a_wrong_request_is_status_2_and_says_what_is_allowed(tmp_path, arguments, words):
    done = command(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "results").exists()


def test_settings_are_json_or_text():
    chosen = run_all.options(
        ["--set", "train.lr=1e-4", "--set", "model.stem=conv", "--set", "x=[1, 2]", "--reference"]
    )
    assert dict(chosen.settings) == {"train.lr": 1e-4, "model.stem": "conv", "x": [1, 2]}
    assert (chosen.profile, chosen.name) == ("reference", "best")


@pytest.mark.parametrize(
    ("state", "status"), [("done", 0), ("up to date", 0), ("failed", 1), ("skipped", 1)]
)
def test_the_exit_status_says_whether_every_step_passed(monkeypatch, tmp_path, state, status):
    monkeypatch.setattr(
        run_all, "run_plan", lambda *a, **k: {"a": Record("a", "done"), "b": Record("b", state)}
    )
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    assert run_all.main([]) == status


def given_to_the_notebooks(monkeypatch, *arguments: str) -> dict:
    """SETTINGS as the plan hands them to every notebook that asks for them."""
    seen: list[Walk] = []
    monkeypatch.setattr(run_all, "run_plan", lambda walk, *_, **k: seen.append(walk) or {})
    assert run_all.main([*arguments]) == 0
    (given,) = {
        json.dumps(step.parameters["SETTINGS"])
        for step in seen[0].steps
        if "SETTINGS" in step.parameters
    }
    return json.loads(given)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("photos", "{here}/photos"),
        (".", "{here}"),
        ("../photos/./2024", "{above}/photos/2024"),
        ("~/photos", "{home}/photos"),
        ("/data/photos/", "/data/photos"),
    ],
)
def test_places_are_resolved_where_they_were_typed(monkeypatch, tmp_path, root, expected):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    folder = {"root": root, "table": "scores.csv", "id": "root", "low": 1}
    given = given_to_the_notebooks(
        monkeypatch,
        "--set",
        f"data.folder={json.dumps(folder)}",
        "--set",
        "data.extra=labels.csv",
        "--set",
        "train.lr=1",
    )
    place = expected.format(here=here, above=tmp_path, home=tmp_path / "me")
    assert given == {
        "data.folder": {"root": place, "table": f"{here}/scores.csv", "id": "root", "low": 1},
        "data.extra": f"{here}/labels.csv",
        "train.lr": 1,
    }


def test_no_place_is_made_of_what_is_none(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    assert given_to_the_notebooks(monkeypatch, "--set", "data.extra=") == {"data.extra": ""}
    assert run_all.main(["--set", "data.folder=x"]) == 2
    assert "--set data.folder is 'x', a str; expected a dict" in capsys.readouterr().err


def test_the_command_is_found_from_the_folder_of_the_pictures(tmp_path, monkeypatch, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    arguments = ["--why", "01_koka10k", "--home", "../home"]
    done = subprocess.run(
        [sys.executable, os.path.relpath(ROOT / "run_all.py", photos), *arguments],
        cwd=photos,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (0, "01_koka10k\n  never ran here\n"), done.stderr
    monkeypatch.chdir(photos)
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))  # --home is put here, until the test is over
    assert run_all.main([*arguments, "--set", 'data.folder={"root": "."}']) == 0
    assert capsys.readouterr().out == "01_koka10k\n  never ran here\n"
