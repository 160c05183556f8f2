"""The command `riqa audit RUN FOLDER`: tests of trained runs that need no label.

Networks and pictures are imported where they are asked about, not before: a mistyped path is
answered at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .inputs import check, files, look, shown
from .printed import Terminal, shortened

if TYPE_CHECKING:
    from .auditing import Audit, Pristine

EXAMPLES = """examples
  riqa audit supervised-0123456789ab photos/
  riqa audit run-a run-b photos/ --most 50 --figure levels.png
  riqa audit run-a photos/ --distortions 1,10,11 --csv levels.csv --json audit.json

FOLDER: undistorted pictures of one's own, no labels. Of each, copies are made by 25 distortions at
5 levels (KADID-10k's), and each RUN is asked about all of them:

  D      how well one threshold tells pristine pictures from copies
  L      how well grades rank the levels of one picture and distortion
  P      pairs put in order: of one picture, two levels apart or more; and of different
         pictures, where three full-reference measures agree which is closer to its original
  steps  steps to the next level at which the grade falls

D, L and P after the Waterloo Exploration Database (Ma et al., IEEE TIP 2017). What they can tell:
whether a run notices damage, and of which kinds. What they can't: whether its grades are people's
grades, whether a defect matters as much to it as to people, and anything of pictures that are bad
in other ways than these. No run need reach D = 1: the mildest copies look like their originals.

Exit status 1: it failed, or no picture could be used."""
MOST = 100  # pictures, unless told
NAME = 24  # of a distortion in the terminal, wide
COLUMN = 12  # of a run there, at least
TOLD = 10  # pictures that were skipped, by name
WORDS = {
    "d": "D, pristine from distorted",
    "l": "L, rank of levels",
    "p": "P, pairs of one picture",
    "contents": "P, pairs across pictures",
    "steps": "steps that fall",
}


def options(own: argparse.ArgumentParser) -> None:
    """Add what may be typed after `riqa audit`."""
    add = own.add_argument
    add("run", nargs="+", metavar="RUN", help="runs' folders, or their names in results/runs")
    add("folder", metavar="FOLDER", help="undistorted pictures: a folder, file or glob")
    add("--most", type=int, default=MOST, metavar="N",
        help=f"so many pictures, evenly from the first to the last; 0: all (default: {MOST})",
        )  # fmt: skip
    add("--distortions", default="", metavar="1,10,..", help="some of the 25 (default: all)")
    add("--seed", type=int, default=0, help="of noise, patches and the like (default: 0)")
    add("--csv", type=Path, help="write every grade, a line a run, picture, distortion, level")
    add("--json", type=Path, help="write the tables, with all that was asked")
    add("--figure", type=Path, help="draw levels against grade (.png, .pdf or .svg)")
    add("--workers", type=int, default=1, help="processes that make copies (default: 1)")


def chosen_kinds(text: str) -> tuple[int, ...]:
    """The numbers of distortions in a text; () where it is empty. ValueError for what is no number.

    >>> chosen_kinds("1, 10,11"), chosen_kinds("")
    ((1, 10, 11), ())
    """
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    if wrong := [word for word in words if not word.isdigit()]:
        raise ValueError(f"--distortions {', '.join(map(repr, wrong))}: expected numbers, as 1,10")
    return tuple(map(int, words))


def command(
    named: Sequence[str],
    folder: str,
    *,
    most: int = MOST,
    distortions: str = "",
    seed: int = 0,
    csv_file: Path | None = None,
    json_file: Path | None = None,
    figure: Path | None = None,
    workers: int = 1,
    out: IO[str] | None = None,
) -> int:
    """Ask the runs, print the tables, write what is asked for, whole or not at all; 0. Raises what
    `inputs.check`, `inputs.look` and `auditing` raise: before anything is written or made."""
    check([folder], outputs=(csv_file, json_file), figures=(figure,), workers=workers)
    if most < 0:
        raise ValueError(f"--most {most}: expected 0 (all) or more")
    if figure and figure.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--figure {figure}: expected a name that ends in .png, .pdf or .svg")
    kinds = chosen_kinds(distortions)
    look([folder])
    from ..pictures.distorted_copies import Recipe, check_kinds
    from . import auditing  # torch

    check_kinds(kinds or Recipe().kinds)
    recipe = Recipe(kinds or Recipe().kinds, seed=seed)
    terminal = Terminal(out or sys.stdout)
    asked = auditing.runs(named)
    there = auditing.pristine(list(files([folder])), [one.how for one in asked], most)
    terminal.say("\n".join(_before(asked, there, recipe.kinds)))
    found = auditing.audit(asked, there, recipe, processes=workers)
    terminal.say("\n".join(line.rstrip() for line in _after(found)))
    terminal.flush()
    _write(found, auditing.about(found, there, recipe), csv_file, json_file, figure)
    return 0


# ---------------------------------------------------------------- in the terminal
def _before(asked: Sequence[Any], there: Pristine, kinds: Sequence[int]) -> list[str]:
    """Which runs, which pictures, and of which distortions this is no test of something new."""
    from ..stats.label_free import FEW

    lines = []
    for one in asked:
        known = sorted(one.seen & {*kinds})
        lines.append(f"Run {one.told()}.")
        if len(known) == len({*kinds}):
            lines.append("  It learnt from all of these distortions: this is no test of new ones.")
        elif known:
            said = ", ".join(map(str, known))
            lines.append(
                f"  It learnt from distortions {said}: of them this is no test of new ones."
            )
    sizes = " and ".join(f"{how.size} px ({how.scale})" for how in there.windows)
    of = f" of {there.of}" if len(there.names) < there.of else ""
    lines.append(f"{len(there.names)}{of} pictures at {sizes}, {len(kinds)} distortions.")
    if len(there.names) < FEW:
        lines.append(f"Fewer than {FEW} pictures: the intervals below are too narrow.")
    if there.skipped:
        lines.append(f"{len(there.skipped)} left out:")
        for name, why in list(there.skipped.items())[:TOLD]:
            lines.append(f"  {shown(Path(name).name)}: {why}")
        lines += ["  ..."] if len(there.skipped) > TOLD else []
    return [*lines, ""]


def _after(found: Audit) -> list[str]:
    """The tables: tests, then each distortion."""
    from ..stats.label_free import AT_RANDOM
    from ..tables.text import cell_of

    names = [one.name for one in found.runs]
    wide = max(COLUMN, 18)
    heads = [f"{shortened(name, wide):>{wide}}" for name in names]
    lines = [f"{'':<{NAME + 4}}" + "  ".join([*heads, "at random"])]
    by = found.tests.set_index("row")
    for test, word in WORDS.items():
        cells = [f"{cell_of(by.loc[name], test):>{wide}}" for name in names]
        random = AT_RANDOM.get(test, by["d_random"].mean())
        lines.append(f"{word:<{NAME + 4}}" + "  ".join([*cells, f"{random:>9.2f}"]))
    lines += ["", f"{'rank of levels, each alone':<{NAME + 4}}" + "  ".join(heads)]
    each = found.each.set_index(["distortion", "row"])
    for kind in dict.fromkeys(found.each["distortion"]):
        first = each.loc[(kind, names[0])]
        cells = [_cell(found, each, kind, name) for name in names]
        label = f"{kind:>2} {first['name']}"
        lines.append(f"{label:<{NAME + 4}}" + "  ".join(f"{cell:>{wide}}" for cell in cells))
    learnt = any(one.seen & {*found.each["distortion"]} for one in found.runs)
    note = (
        "In brackets 95 % intervals over pictures. –: need not get worse with its level, or no two"
    )
    lines += [
        "",
        note,
        f"copies differ.{' *: it learnt from this distortion.' if learnt else ''}",
        "This says whether damage is noticed, not whether grades are people's (riqa audit --help).",
    ]
    return lines


def _cell(found: Audit, each: Any, kind: int, name: str) -> str:
    from ..tables.text import cell_of

    run = next(one for one in found.runs if one.name == name)
    return cell_of(each.loc[(kind, name)], "l") + ("*" if kind in run.seen else " ")


# ---------------------------------------------------------------- into files
def _write(
    found: Audit,
    about: dict[str, Any],
    csv_file: Path | None,
    json_file: Path | None,
    figure: Path | None,
) -> None:
    from .. import store

    if csv_file:
        from . import books

        columns = [str(name) for name in found.frame.columns]
        with books.opened(csv_file, None, columns=columns, flat=dict, about={}) as add:
            for row in found.frame.to_dict("records"):
                add({str(key): value for key, value in row.items()})
    if json_file:
        told = {"tests": found.tests, "each": found.each, "levels": found.curves}
        tables = {name: json.loads(table.to_json(orient="records")) for name, table in told.items()}
        store.write_json(json_file, {"about": about} | tables)
    if figure:
        from ..figures.levels_against_grade import levels_against_grade
        from ..figures.style import sheet

        drawn = levels_against_grade(found.curves, simulated=False)
        with store.replacing(figure) as part, sheet():
            drawn.savefig(part, format=figure.suffix[1:].lower())
