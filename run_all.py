#!/usr/bin/env python3
"""The plan: every notebook, with its parameters and what it needs; those with most still to come
after them run first.

A step with a SEED exists once per seed of the profile: 03_vit_supervised, 03_vit_supervised-seed1,
... Every notebook gets NAME, the folder to read and write; those with SETTINGS also get PROFILE,
the size of everything."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from riqa_lib import paths
from riqa_lib.plan.arguments import Parser, at_least_one, setting
from riqa_lib.plan.cluster import elsewhere
from riqa_lib.plan.freshness import why_all
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import IMPORTS, PlanError, Step, Walk

# What steps need, under names for the table below.
PICTURES, SETS = ("01_koka10k",), ("13_fundus_datasets",)
TRAINED = (*PICTURES, "03_vit_supervised")  # with the first weights, and what to compare with
METHODS = ("04_fixmatch", "05_simmatch", "06_adamatch", "07_comatch", "08_freematch", "09_crmatch")
VIEWED = (*TRAINED, "04_fixmatch")
COMPARED = (*TRAINED, *METHODS)
TABLE = ("03_vit_supervised", *METHODS, "02_views_that_keep_quality", "10_second_stage")
TAUGHT = (*SETS, "14_teacher")
GRADED = (*TAUGHT, "15_student")
ADVISED = (*SETS, "15_student")
CLAIMED = ("11_table2", "16_significance", "17_expert_agreement", "18_explain_and_advise")
FEW_LABELS = ("03_vit_supervised", "20_label_budgets")

# What their parameters cells have, besides NAME.
LISTED: dict[str, object] = {"STEPS": []}
SIZED: dict[str, object] = {"SETTINGS": {}}  # and PROFILE
SEEDED: dict[str, object] = {"SEED": 0, "SETTINGS": {}}  # and PROFILE
BUDGETS: dict[str, object] = {**SEEDED, "LABELS": []}

# fmt: off
PLAN = [
    #    name                     notebook                       parameters, needs, seconds in demo
    Step("00_start_here",         "00_start_here.ipynb",         LISTED, (),         1),
    Step("01_koka10k",            "01_koka10k.ipynb",            SIZED,  (),        59),
    Step("02_views_that_keep_quality", "02_views_that_keep_quality.ipynb",
                                                                 SEEDED, VIEWED,    39, gpu=True),
    Step("03_vit_supervised",     "03_vit_supervised.ipynb",     SEEDED, PICTURES,  96, gpu=True),
    Step("04_fixmatch",           "04_fixmatch.ipynb",           SEEDED, TRAINED,   19, gpu=True),
    Step("05_simmatch",           "05_simmatch.ipynb",           SEEDED, TRAINED,   21, gpu=True),
    Step("06_adamatch",           "06_adamatch.ipynb",           SEEDED, TRAINED,   21, gpu=True),
    Step("07_comatch",            "07_comatch.ipynb",            SEEDED, TRAINED,   24, gpu=True),
    Step("08_freematch",          "08_freematch.ipynb",          SEEDED, TRAINED,   20, gpu=True),
    Step("09_crmatch",            "09_crmatch.ipynb",            SEEDED, TRAINED,   31, gpu=True),
    Step("10_second_stage",       "10_second_stage.ipynb",       SEEDED, COMPARED,  78, gpu=True),
    Step("11_table2",             "11_table2.ipynb",             {},     TABLE,     17),
    Step("12_related_models",     "12_related_models.ipynb",     SEEDED, TRAINED,  170, gpu=True),
    Step("13_fundus_datasets",    "13_fundus_datasets.ipynb",    SIZED,  (),        53),
    Step("14_teacher",            "14_teacher.ipynb",            SEEDED, SETS,      67, gpu=True),
    Step("15_student",            "15_student.ipynb",            SEEDED, TAUGHT,   169, gpu=True),
    Step("16_significance",       "16_significance.ipynb",       {},     GRADED,     6),
    Step("17_expert_agreement",   "17_expert_agreement.ipynb",   {},     GRADED,     3),
    Step("18_explain_and_advise", "18_explain_and_advise.ipynb", SIZED,  ADVISED,   14),
    Step("19_claims",             "19_claims.ipynb",             {},     CLAIMED,    4),
    Step("20_label_budgets",      "20_label_budgets.ipynb",      BUDGETS, TRAINED, 103, gpu=True),
    Step("21_error_against_labels", "21_error_against_labels.ipynb",
                                                                 {},     FEW_LABELS, 13),
]
# fmt: on

WITH_SEED = {step.name for step in PLAN if "SEED" in step.parameters}
# Their first seed makes what all share: pretrained weights; the choice of lambda_A.
FIRST = {"03_vit_supervised", "15_student"}
SEEDS = {"smoke": (0,), "demo": (0,), "gpu": (0, 1, 2), "paper": (0, 1, 2)}
SEEDS["reference"] = tuple(range(8))  # two cores decide with these what three seeds leave open
# These are cheap enough for eight: a Wilcoxon test over seeds needs them, and with few labels seeds
# differ most.
CHEAP = ("14_teacher", "15_student", "20_label_budgets")
MORE_SEEDS = SEEDS | {profile: tuple(range(8)) for profile in ("gpu", "paper", "reference")}
DEAR = ("12_related_models",)  # more than three seeds of it would take hours
# Numbers of labels of 20_label_budgets; all of them follow by themselves
LABELS = {"smoke": (40,), "demo": (100,)} | dict.fromkeys(
    ("gpu", "paper", "reference"), (50, 100, 300)
)
# What 21_error_against_labels shows where it is there, and so waits for when all is run
SHOWN = ("21_error_against_labels", METHODS)
SITE = ("sphinx", "myst_nb", "sphinx_book_theme", "latex2mathml")  # what --site imports


def seeds_of(step: str, profile: str, most: int | None = None) -> tuple[int, ...]:
    """The seeds with which a profile runs a step, at most so many; 0 for a step without."""
    if step not in WITH_SEED:
        return (0,)
    seeds = (MORE_SEEDS if step in CHEAP else SEEDS)[profile]
    return seeds[: 3 if step in DEAR else None][:most]


def named(step: str, seed: int) -> str:
    """What a step of the plan is called when it runs with a seed."""
    return f"{step}-seed{seed}" if seed else step


EXAMPLES = """examples
  python run_all.py                            everything at demo size (two cores, ten minutes)
  python run_all.py --list                     the steps, what they need, which of them would run
  python run_all.py --why 04_fixmatch          what changed since it last ran
  python run_all.py --only 03_vit_supervised   this step and what it needs
  python run_all.py --name mine --set train.lr=1e-4 --only 04_fixmatch
                                               other settings, kept apart in results/mine
  python run_all.py --name mine --set data.source=folder --set 'data.folder={"root": "photos",
      "table": "scores.csv", "id": "file", "score": "score", "low": 1, "high": 10}'
                                               your own pictures; paths as seen from where you are
  python run_all.py --labels 50 100 --only 21_error_against_labels
                                               errors against these numbers of labels
  python run_all.py --profile gpu --jobs 4     three seeds, four steps side by side on the GPUs
  python run_all.py --runs --list              what notebooks train: a line a run, done or not
  python run_all.py --profile gpu --runs       each run (row x labels x seed) a task of its own
  python run_all.py --reference                the best this machine allows, then collect it for
                                               figures/reference

Steps run on a dask cluster that only you can reach: on this machine, by TLS with a key made for it.
One that runs already (dask scheduler --protocol tls --tls-ca-file ...): --scheduler tls://HOST:8786,
with --tls-ca, --tls-cert, --tls-key or dask's own configuration (distributed.comm.tls). Whoever
reaches a tcp:// one runs code as you. From a laptop to SLURM and Kubernetes: docs/many-machines.md

Killed or interrupted, start it again: it goes on where it was. A changed table, picture or hand
label is seen: what learns from it is trained anew (--why 01_koka10k names it). Settings: --set
here, or PROFILE and SETTINGS in a notebook's parameters cell. Environment: RIQA_HOME (where results
go), RIQA_DATA (real data sets), RIQA_THREADS (threads of each step, default 1). Linux and macOS.
Exit status: 0, 1 (a step failed) or 2 (something is wrong with the request)."""


def filled(
    step: Step,
    profile: str,
    name: str,
    settings: dict[str, object],
    labels: Sequence[int] | None = None,
) -> dict[str, object]:
    """A step's parameters, with what its notebook asks for filled in."""
    given = step.parameters | {"NAME": name}
    if "STEPS" in given:
        given |= {"STEPS": [s.name for s in PLAN]}
    if "SETTINGS" in given:
        given |= {"PROFILE": profile, "SETTINGS": settings}
    if "LABELS" in given:
        given |= {"LABELS": list(labels or LABELS[profile])}
    return given


def per_seed(step: Step, profile: str, most: int | None) -> list[Step]:
    """One step per seed; each needs the same seed of what it needs (the first, of what has no such
    seed), and what the first seeds make for all."""
    steps = [step]
    for seed in seeds_of(step.name, profile, most)[1:]:
        own = [named(s, seed if seed in seeds_of(s, profile, most) else 0) for s in step.needs]
        shared = sorted(FIRST & {step.name, *step.needs})
        steps.append(
            replace(
                step,
                name=named(step.name, seed),
                parameters=step.parameters | {"SEED": seed},
                needs=(*own, *shared),
            )
        )
    return steps


def expand(
    profile: str,
    name: str,
    settings: dict[str, object],
    most: int | None = None,
    labels: Sequence[int] | None = None,
    whole: bool = False,
) -> tuple[Step, ...]:
    """The plan of one profile: NAME, PROFILE, settings and numbers of labels filled in, one step
    per seed (at most so many seeds). What has no seed of its own needs every seed of what it needs.
    whole: all of it is to run, so SHOWN waits for what it shows where it is there."""
    steps = []
    for planned in PLAN:
        if whole and planned.name == SHOWN[0]:
            planned = replace(planned, needs=(*planned.needs, *SHOWN[1]))
        step = replace(planned, parameters=filled(planned, profile, name, settings, labels))
        if "SEED" in step.parameters:
            steps += per_seed(step, profile, most)
        else:
            needs = [named(s, seed) for s in step.needs for seed in seeds_of(s, profile, most)]
            steps.append(replace(step, needs=tuple(needs)))
    return tuple(steps)


def options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; wrong usage exits with 2."""
    parser = Parser(
        description="Run the notebooks: those up to date are left alone, "
        "the rest run side by side.",
        epilog=EXAMPLES,
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
    add(
        "--labels",
        nargs="+",
        type=at_least_one,
        metavar="N",
        help="numbers of labels of 20_label_budgets (default: by profile)",
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
    add(
        "--runs",
        action="store_true",
        help="train first what the notebooks show, each run (row x labels x seed) a task of its "
        "own; with --list, list the runs",
    )
    add("--scheduler", metavar="ADDRESS", help="a running dask scheduler, e.g. tls://10.0.0.1:8786")
    add("--tls-ca", metavar="PEM", default="", help="tls://: the certificate of the authority")
    add("--tls-cert", metavar="PEM", default="", help="tls://: ours (and its key)")
    add(
        "--tls-key",
        metavar="PEM",
        default="",
        help="tls://: our key, where it is a file of its own",
    )
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
    if chosen.serial and (chosen.jobs or chosen.scheduler or chosen.runs):
        parser.error("--serial runs one step at a time: leave out --jobs, --scheduler and --runs")
    chosen.profile = chosen.profile or ("reference" if chosen.reference else "demo")
    chosen.name = chosen.name or ("best" if chosen.profile == "reference" else chosen.profile)
    return chosen


def checked(profile: str, given: dict[str, object]) -> dict[str, object]:
    """Settings as typed, places in them absolute. PlanError, before anything runs, for one that is
    not known or not allowed."""
    settings = paths.placed(given)
    if settings:
        from riqa_lib.training import given_settings  # imports torch: seconds

        try:
            given_settings.check(profile, settings)
        except (ValueError, TypeError) as e:
            raise PlanError(f"--set {e}") from e
    return settings


def show(walk: Walk, only: list[str], explain: list[str] | None, runs: bool = False) -> None:
    """--list (with --runs, of runs) and --why."""
    steps = walk.ordered(walk.pick(explain if explain is not None else only))
    if runs:
        from riqa_lib.plan.runs_apart import listed  # as what it lists, it imports torch: seconds

        print(*listed(walk, steps), sep="\n")
        return
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
        *(p for p in (paths.ROOT / "docs").rglob("*") if p.is_file() and p.suffix != ".pyc"),
    ]
    return index.exists() and all(p.stat().st_mtime <= index.stat().st_mtime for p in made_of)


def site_can_be_made() -> None:
    """Raise PlanError, before anything runs, where the site's packages are not installed."""
    absent = [name for name in SITE if importlib.util.find_spec(name) is None]
    if absent:
        raise PlanError(f"--site needs {', '.join(absent)}: pip install -e '.[site]'")


def make_site(walk: Walk) -> Path:
    """The site's first page, made anew unless it is current."""
    index = walk.folder / "site" / "index.html"
    if not site_is_current(walk, index):
        from riqa_lib.plan.site import build

        build(walk)
    return index


def run(chosen: argparse.Namespace, walk: Walk) -> bool:
    """Run what was chosen and what comes after; whether all steps passed."""
    if chosen.site:
        site_can_be_made()
    running = elsewhere(chosen.scheduler, chosen.tls_ca, chosen.tls_cert, chosen.tls_key)
    how = (chosen.jobs, chosen.serial, running)
    records = run_plan(walk, chosen.only, chosen.force, *how, runs=chosen.runs)
    passed = all(r.ok for r in records.values())
    if chosen.reference and passed:
        from riqa_lib.__main__ import collect_walk

        collect_walk(chosen.name)
    if chosen.site:
        print(make_site(walk))
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Run the plan; 0, 1 where a step failed, 2 where the request is wrong."""
    chosen = options(arguments)
    if chosen.home:
        os.environ["RIQA_HOME"] = str(chosen.home.expanduser().resolve())
    try:
        steps = expand(
            chosen.profile,
            chosen.name,
            checked(chosen.profile, dict(chosen.settings)),
            chosen.seeds,
            chosen.labels,
            whole=not (chosen.only or chosen.why),
        )
        notebooks = paths.ROOT / "notebooks"
        walk = Walk(steps, chosen.name, notebooks, paths.home(), imports=IMPORTS)
        if chosen.list or chosen.why is not None:
            show(walk, chosen.only, chosen.why, chosen.runs and chosen.list)
            return 0
        return 0 if run(chosen, walk) else 1
    except PlanError as e:
        print(f"run_all.py: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # run_all.py --list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as of a process that SIGPIPE ended


if __name__ == "__main__":
    if importlib.util.find_spec("papermill") is None:
        python = paths.ROOT / ".venv" / "bin" / "python"
        if not python.exists() or sys.prefix == str(python.parents[1]):
            sys.exit(
                "run_all.py: the packages are not installed; "
                "run 'make setup', or 'pip install -e .'"
            )
        os.execv(python, [str(python), *sys.argv])
    sys.exit(main())
