"""The command `riqa method FILE`: trains a method of one's own beside the supervised network and
FixMatch, and compares them as the tables of the notebooks do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..training.photo_profiles import PROFILES

EXAMPLES = """examples
  riqa method docs/exercises/softmatch_answer.py --profile smoke      a minute
  riqa method mine.py --set mymethod.weak=ema --set train.steps=600
  riqa method mine.py --seeds 0 1 2                                   enough to decide something

FILE: Python, one subclass of riqa_lib.ssl.base.Method (docs/tutorial-new-method.md leads to one).
It is tried on random pictures first, then trained like the library's own methods, with the same
first weights, batches and validation, on the pictures of results/NAME/data (made where they are
not there). A file that was changed is trained anew; what is stored is not trained again. No table
of the notebooks gets its row.

Exit status 1: it failed."""


def add(
    command: Callable[..., argparse.ArgumentParser], setting: Callable[[str], tuple[str, object]]
) -> None:
    """Make the command, as riqa_lib.__main__.parser makes all others. setting: reads KEY=VALUE
    (plan.arguments.setting, which is of a floor above)."""
    about = "train a method of your own, one file, and compare it with ours"
    add = command(run, about, EXAMPLES, name="method").add_argument
    add("file", metavar="FILE", type=Path, help="the method")
    add("--profile", choices=PROFILES, default="demo", help="size of everything (default demo)")
    add("--name", help="whose pictures: results/NAME/data (default: the profile)")
    add("--seeds", nargs="+", type=int, default=[0], metavar="N", help="seeds (default: 0)")
    add(
        *("--set", "-s"),
        action="append",
        default=[],
        type=setting,
        dest="settings",
        metavar="KEY=VALUE",
        help="another setting, e.g. softmatch.weak=ema (repeatable)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Train as was typed, and print the rows with what they cost. ValueError naming the file for a
    method that cannot be trained, or of which a part is not written yet (NotImplementedError)."""
    if not chosen.file.is_file():  # a typing error does not wait for torch
        raise FileNotFoundError(f"{chosen.file}: no such file")
    from ..tables import costs, stored, table2, table2_shown
    from ..training import own_method

    name, settings = chosen.name or chosen.profile, dict(chosen.settings)
    try:
        runs = own_method.train(chosen.file, name, chosen.profile, chosen.seeds, settings)
    except NotImplementedError as e:
        raise ValueError(f"{chosen.file}: not written yet: {e}") from e
    tables = stored.load_runs(name, runs)
    print(table2_shown.show_table(tables["table2"]))
    print(table2.findings(tables["table2"]))
    print(f"\n{costs.show(tables['runs'])}")
    return 0
