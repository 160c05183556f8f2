"""TID2008 and TID2013 (Ponomarenko et al., 2009 and 2015): 25 references, 17 or 24 distortions at 4
or 5 levels.

mos_with_names.txt has a line a picture, "<mos> <name>". Names there and on disk differ in upper and
lower case."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .about import About, doubled, find, finished, need_file, need_folder
from .problems import Problem

LAYOUT = """
mos_with_names.txt
distorted_images/i01_01_1.bmp    upper or lower case
reference_images/I01.BMP
"""

ABOUT_2008 = About(
    key="tid2008",
    title="TID2008",
    used_for="tests of a model on synthetic distortions",
    licence="education and research only, notice kept, no modification without leave",
    where="https://www.ponomarenko.info/tid2008.htm",
    layout=LAYOUT,
    counts={"pictures": 1700, "references": 25},
)

ABOUT_2013 = About(
    key="tid2013",
    title="TID2013",
    used_for="tests of a model on synthetic distortions",
    licence="see its page (TID2008's: education and research only)",
    where="https://www.ponomarenko.info/tid2013.htm",
    layout=LAYOUT,
    counts={"pictures": 3000, "references": 25},
)

TYPES_LEVELS = {"tid2008": (17, 4), "tid2013": (24, 5)}


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of the Abouts' counts."""
    return {"pictures": len(frame), "references": frame["group"].nunique()}


def load(root: Path | str, pictures: bool = True, about: About = ABOUT_2013) -> pd.DataFrame:
    """One row a distorted picture: id (the name in lower case), path (as on disk), group (the
    reference, I01), score (mean opinion, 0 to 9, higher is better), type, level (1 is the mildest).
    pictures=False reads the table alone; else pictures that are not there are left out, and told.

    about: ABOUT_2008 or ABOUT_2013. Raises FileNotFoundError without folder or table; FolderError
    with everything wrong."""
    root = need_folder(root, about)
    file = need_file(root, "mos_with_names.txt")
    types, levels = TYPES_LEVELS[about.key]
    rows, problems = [], []
    for row, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        match = re.fullmatch(r"(?i)(i\d\d)_(\d\d)_(\d)\.bmp", cells[-1])
        if (
            len(cells) != 2
            or not match
            or not (1 <= int(match[2]) <= types and 1 <= int(match[3]) <= levels)
        ):
            expected = f"<mos> I<reference>_<type 01-{types:02d}>_<level 1-{levels}>.bmp"
            problems.append(Problem("unexpected line", row, "", f"{line!r}, expected {expected}"))
            continue
        score = pd.to_numeric(cells[0], errors="coerce")
        if not 0 <= score <= 9:
            problems.append(Problem("bad mos", row, cells[1], f"{cells[0]!r}, expected 0 to 9"))
        rows.append((cells[1], match[1].upper(), score, int(match[2]), int(match[3]), row))
    frame = pd.DataFrame(rows, columns=["name", "group", "score", "type", "level", "row"])
    if frame.empty:
        problems.append(Problem("no rows", 0, ""))
    problems += doubled(frame["name"], frame["row"])
    path, missing, notes = find(
        root, "distorted_images", frame["name"].tolist(), frame["row"].tolist(), pictures
    )
    frame.insert(0, "id", frame["name"].str.lower())
    frame.insert(1, "path", np.array(path, dtype=object))
    return finished(
        file,
        frame.drop(columns=["name", "row"]),
        about,
        problems,
        notes,
        missing,
        low=0.0,
        high=9.0,
        higher_is_better=True,
    )


load_2008 = partial(load, about=ABOUT_2008)
load_2013 = partial(load, about=ABOUT_2013)
