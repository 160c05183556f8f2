#!/usr/bin/env python3
"""The plan: every notebook, with its parameters and what it needs; those with most still to come
after them run first.

A step with a SEED exists once per seed of the profile: 03_vit_supervised, 03_vit_supervised-seed1,
... Every notebook gets NAME, the folder to read and write; those with SETTINGS also get PROFILE,
the size of everything."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from riqa_lib import paths
from riqa_lib.plan.freshness import why_all
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import PlanError, Step, Walk

TRAINED = (
    "01_koka10k",
    "03_vit_supervised",
)  # the pictures, the first weights, and what to compare with
METHODS = ("04_fixmatch", "05_simmatch", "06_adamatch", "07_comatch", "08_freematch", "09_crmatch")
PLAN = [
    # name                 notebook                   parameters                 needs, seconds in
    # `demo`
    Step("00_start_here",     "00_start_here.ipynb",     {"STEPS": []},             seconds=5),
    Step("01_koka10k",        "01_koka10k.ipynb",        {"SETTINGS": {}},          seconds=95),
    Step("02_views_that_keep_quality", "02_views_that_keep_quality.ipynb", {"SEED": 0, "SETTINGS": {}},
         needs=(*TRAINED, "04_fixmatch"), seconds=70, gpu=True),
    Step("03_vit_supervised", "03_vit_supervised.ipynb", {"SEED": 0, "SETTINGS": {}},
         needs=("01_koka10k",), seconds=130, gpu=True),
    Step("04_fixmatch",       "04_fixmatch.ipynb",       {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=65, gpu=True),
    Step("05_simmatch",       "05_simmatch.ipynb",       {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=60, gpu=True),
    Step("06_adamatch",       "06_adamatch.ipynb",       {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=60, gpu=True),
    Step("07_comatch",        "07_comatch.ipynb",        {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=80, gpu=True),
    Step("08_freematch",      "08_freematch.ipynb",      {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=55, gpu=True),
    Step("09_crmatch",        "09_crmatch.ipynb",        {"SEED": 0, "SETTINGS": {}}, needs=TRAINED, seconds=130, gpu=True),
    Step("10_second_stage",   "10_second_stage.ipynb",   {"SEED": 0, "SETTINGS": {}},
         needs=(*TRAINED, *METHODS), seconds=130, gpu=True),
    Step("11_table2",         "11_table2.ipynb",         {},
         needs=("03_vit_supervised", *METHODS, "02_views_that_keep_quality", "10_second_stage"), seconds=20),
    Step("13_fundus_datasets", "13_fundus_datasets.ipynb", {"SETTINGS": {}},         seconds=65),
    Step("14_teacher",        "14_teacher.ipynb",        {"SEED": 0, "SETTINGS": {}},
         needs=("13_fundus_datasets",), seconds=45, gpu=True),
    Step("15_student",        "15_student.ipynb",        {"SEED": 0, "SETTINGS": {}},
         needs=("13_fundus_datasets", "14_teacher"), seconds=80, gpu=True),
    Step("16_significance",   "16_significance.ipynb",   {},
         needs=("13_fundus_datasets", "14_teacher", "15_student"), seconds=10),
    Step("17_expert_agreement", "17_expert_agreement.ipynb", {},
         needs=("13_fundus_datasets", "14_teacher", "15_student"), seconds=5),
    Step("18_explain_and_advise", "18_explain_and_advise.ipynb", {"SETTINGS": {}},
         needs=("13_fundus_datasets", "15_student"), seconds=35),
]  # fmt: skip
FIRST = {
    "03_vit_supervised",
    "15_student",
}  # their first seed makes what all share: pretrained weights; the choice of lambda_A
SEEDS = {"smoke": (0,), "demo": (0,), "gpu": (0, 1, 2), "paper": (0, 1, 2), "reference": (0, 1, 2)}
FUNDUS = (
    "14_teacher",
    "15_student",
)  # cheap enough for eight, which a Wilcoxon test over seeds needs
FUNDUS_SEEDS = SEEDS | {profile: tuple(range(8)) for profile in ("gpu", "paper", "reference")}


def seeds_of(step: str, profile: str, most: int | None = None) -> tuple[int, ...]:
    """The seeds with which a profile runs a seeded step, at most so many."""
    return (FUNDUS_SEEDS if step in FUNDUS else SEEDS)[profile][:most]


EXAMPLES = """examples
  python run_all.py                            everything at demo size (two cores, within 15 minutes)
  python run_all.py --list                     the steps, what they need and which of them would run
  python run_all.py --why 04_fixmatch          what changed since it last ran
  python run_all.py --only 03_vit_supervised   this step and what it needs
  python run_all.py --name mine --set train.lr=1e-4 --only 04_fixmatch
                                               other settings, kept apart in results/mine
  python run_all.py --profile gpu --jobs 4     three seeds, four steps side by side on the GPUs
  python run_all.py --reference                the best this machine allows, then collect it for figures/reference

Killed or interrupted, start it again: it goes on where it was. Settings: --set here, or PROFILE and SETTINGS in a
notebook's parameters cell. Environment: RIQA_HOME (where results go), RIQA_DATA (real data sets), RIQA_THREADS
(threads of each step, default 1). Exit status: 0, 1 (a step failed) or 2 (something is wrong with the request)."""


def expand(
    profile: str, name: str, settings: dict[str, object], most: int | None = None
) -> tuple[Step, ...]:
    """The plan of one profile: NAME, PROFILE and settings filled in, one step per seed (at most so
    many seeds)."""
    seeded = {s.name for s in PLAN if "SEED" in s.parameters}
    steps = []
    for step in PLAN:
        given = step.parameters | {"NAME": name}
        if "STEPS" in given:
            given |= {"STEPS": [s.name for s in PLAN]}
        if "SETTINGS" in given:
            given |= {"PROFILE": profile, "SETTINGS": settings}
        if step.name not in seeded:
            needs = [
                s if not seed else f"{s}-seed{seed}"
                for s in step.needs
                for seed in (seeds_of(s, profile, most) if s in seeded else (0,))
            ]
            steps.append(replace(step, parameters=given, needs=tuple(needs)))
            continue
        steps.append(replace(step, parameters=given))
        for seed in seeds_of(step.name, profile, most)[1:]:
            own = [f"{s}-seed{seed}" if s in seeded else s for s in step.needs]
            shared = sorted(FIRST & {step.name, *step.needs})
            steps.append(
                replace(
                    step,
                    name=f"{step.name}-seed{seed}",
                    parameters=given | {"SEED": seed},
                    needs=(*own, *shared),
                )
            )
    return tuple(steps)


def setting(text: str) -> tuple[str, object]:
    """KEY=VALUE of --set; the value is JSON, else a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key.strip(), json.loads(value)
    except json.JSONDecodeError:
        return key.strip(), value


def at_least_one(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; wrong usage exits with 2."""
    parser = argparse.ArgumentParser(
        description="Run the notebooks: those up to date are left alone, the rest run side by side.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--profile", choices=SEEDS, help="size of everything (default demo)")
    add(
        "--name",
        help="folder under results/ and figures/ (default: the profile; with --reference, best)",
    )
    add(
        "--reference",
        action="store_true",
        help="--profile reference, then collect its results to be tracked",
    )
    add("--only", nargs="+", metavar="STEP", default=[], help="these steps and those they need")
    add(
        "--force",
        nargs="+",
        metavar="STEP",
        default=[],
        help="run these even if up to date, from nothing",
    )
    add(
        "--set",
        action="append",
        metavar="KEY=VALUE",
        default=[],
        type=setting,
        dest="settings",
        help="another setting for the notebooks, e.g. train.lr=1e-4 (repeatable)",
    )
    add("--seeds", type=at_least_one, metavar="N", help="only the profile's first N seeds")
    add(
        "--jobs",
        type=at_least_one,
        metavar="N",
        help="steps side by side (default: one per GPU, or 2)",
    )
    add(
        "--serial", action="store_true", help="one step after another in this process, without dask"
    )
    add("--scheduler", metavar="ADDRESS", help="a running dask scheduler, e.g. tcp://10.0.0.1:8786")
    add(
        "--home",
        type=Path,
        metavar="FOLDER",
        help="write under this folder (default RIQA_HOME, else here)",
    )
    add("--site", action="store_true", help="make the browsable site at the end")
    add("--list", action="store_true", help="show the plan and stop")
    add("--why", nargs="+", metavar="STEP", help="say why these steps would run and stop")
    chosen = parser.parse_args(arguments)
    if chosen.reference and chosen.profile not in (None, "reference"):
        parser.error(f"--reference means --profile reference, not {chosen.profile}")
    if chosen.serial and (chosen.jobs or chosen.scheduler):
        parser.error("--serial runs one step at a time: leave out --jobs and --scheduler")
    chosen.profile = chosen.profile or ("reference" if chosen.reference else "demo")
    chosen.name = chosen.name or ("best" if chosen.profile == "reference" else chosen.profile)
    return chosen


def show(walk: Walk, only: list[str], explain: list[str] | None) -> None:
    """--list and --why."""
    steps = walk.ordered(walk.pick(explain if explain is not None else only))
    reasons = why_all(walk, steps)
    if explain is not None:
        for name in walk.pick(explain):
            print(name, *(reasons[name] or ["is up to date"]), sep="\n  ")
        return
    width = max(len(s.name) for s in steps)
    for step in steps:
        needs = f"needs {', '.join(step.needs)}" if step.needs else "needs nothing"
        state = "will run" if reasons[step.name] else "up to date"
        print(f"{step.name:{width}}  {step.seconds:4.0f} s  {state:10}  {needs}")


def site_is_current(walk: Walk, index: Path) -> bool:
    """Whether the site is younger than every step that ended since, and than its own source."""
    made_of = [
        *walk.folder.glob("steps/*.json"),
        *walk.folder.glob("steps/*.journal"),
        *(p for p in (paths.ROOT / "docs").rglob("*") if p.is_file()),
    ]
    return index.exists() and all(p.stat().st_mtime <= index.stat().st_mtime for p in made_of)


def main(arguments: list[str] | None = None) -> int:
    """Run the plan; 0, 1 where a step failed, 2 where the request is wrong."""
    chosen = options(arguments)
    if chosen.home:
        os.environ["RIQA_HOME"] = str(chosen.home.expanduser().resolve())
    try:
        steps = expand(chosen.profile, chosen.name, dict(chosen.settings), chosen.seeds)
        walk = Walk(steps, chosen.name, paths.ROOT / "notebooks", paths.home())
        if chosen.list or chosen.why is not None:
            show(walk, chosen.only, chosen.why)
            return 0
        records = run_plan(
            walk, chosen.only, chosen.force, chosen.jobs, chosen.serial, chosen.scheduler
        )
    except PlanError as e:
        print(f"run_all.py: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    passed = all(r.ok for r in records.values())
    if chosen.reference and passed:
        from riqa_lib.__main__ import collect_walk

        collect_walk(chosen.name)
    index = walk.folder / "site" / "index.html"
    if chosen.site and not site_is_current(walk, index):
        from riqa_lib.plan.site import build

        build(walk)
    if chosen.site:
        print(index)
    return 0 if passed else 1


if __name__ == "__main__":
    if importlib.util.find_spec("papermill") is None:
        python = paths.ROOT / ".venv" / "bin" / "python"
        if not python.exists() or sys.prefix == str(python.parents[1]):
            sys.exit(
                "run_all.py: the packages are not installed; run 'make setup', or 'pip install -e .'"
            )
        os.execv(python, [str(python), *sys.argv])
    sys.exit(main())
