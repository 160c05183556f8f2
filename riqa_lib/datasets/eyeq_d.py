"""EyeQ-D (Telesco et al., arXiv 2511.13353): 160 photographs of EyeQ's test split with
illumination, clarity and contrast.

Here 0 = Reject and 2 = Good, the opposite of EyeQ's tables, and details are 0 bad, 1 good: nothing
is turned round. Its overall grade is EyeQ's own label, re-coded, for every photograph (`join`
checks it), so agreement with it is no new evidence. One label a photograph: votes of single experts
are not published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from ..scales import DETAILS, FUNDUS_GRADES
from .about import (
    About,
    absent,
    doubled,
    finished,
    listing,
    matched,
    need_folder,
    number,
    read_table,
    whole_numbers,
)
from .eyeq import find_stems, label_file
from .problems import FolderError, Problem

TABLE = "EyeQ-D-Quality-Details.csv"

ABOUT = About(
    key="eyeq_d",
    title="EyeQ-D",
    used_for="tests of the Teacher and the Student on details",
    licence="none stated (labels); photographs under the terms of Kaggle's EyePACS competition",
    where="https://github.com/ltelesco/Semi-Supervised-Multi-Task-Learning-for-Interpretable-Quality-Assessment-of-Fundus-Images",
    layout=f"""
{TABLE}              here or in data/
images/<patient>_<eye>.png, .jpeg or .jpg   or no folder images/: \
the photographs are then EyeQ's (key eyeq)
""",
    counts={
        "pictures": 160,
        "patients": 159,
        "reject": 33,
        "usable": 49,
        "good": 78,
        "illumination good": 54,
        "clarity good": 121,
        "contrast good": 105,
    },
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    sizes = {"pictures": len(frame), "patients": frame["group"].nunique()}
    sizes |= {name: int((frame["grade"] == g).sum()) for g, name in enumerate(FUNDUS_GRADES[3])}
    return sizes | {f"{d} good": int((frame[d] == 1).sum()) for d in DETAILS}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a photograph: id (patient and eye), path, group (patient), source, split (all test),
    grade (0 reject, 1 usable, 2 good), score (nan), illumination, clarity, contrast (0 bad, 1
    good), eye (left or right).

    pictures=False reads the table alone. Without a folder images/ every path is "": `join` takes
    EyeQ's. Raises FileNotFoundError without folder or table; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    file = label_file(root, TABLE)
    text, problems = read_table(file, ["file_name", "overall_quality", *DETAILS])
    names, rows = text["file_name"], text.index
    problems += doubled(names, rows)
    match, odd = matched(r"(\d+)_(left|right)", names, rows, "<patient>_left or <patient>_right")
    problems += odd
    whole = {}
    for column, high in {"overall_quality": 2, **dict.fromkeys(DETAILS, 1)}.items():
        values, bad = number(text, column, names, 0, high, whole=True)
        whole[column] = whole_numbers(values)
        problems += bad
    path, missing, notes = _pictures(root, names.tolist(), rows.tolist(), pictures)
    frame = pd.DataFrame(
        {
            "id": names.to_numpy(),
            "path": np.array(path, dtype=object),
            "group": [f"patient-{m[1]}" if m else "" for m in match],
            "source": ABOUT.key,
            "split": "test",
            "grade": whole["overall_quality"],
            "score": np.nan,
            **{d: whole[d] for d in DETAILS},
            "eye": [m[2] if m else "" for m in match],
        }
    )
    return finished(
        file,
        frame,
        ABOUT,
        [*problems, *missing],
        notes,
        low=0.0,
        high=2.0,
        higher_is_better=True,
        classes=3,
    )


def _pictures(
    root: Path, names: list[str], rows: list[int], pictures: bool
) -> tuple[list[str], list[Problem], list[Problem]]:
    """Paths ("" for all where there is no folder images/), missing pictures, and notes."""
    if "images" not in listing(root):
        note = Problem("no folder images/", 0, "", "the photographs are EyeQ's: join them")
        return [""] * len(names), [], [note]
    path, notes = find_stems(root, names, ["test"] * len(names), pictures)
    expected = [f"images/{name}.png (or .jpeg, .jpg)" for name in names]
    return path, absent(names, rows, path, expected), notes


def join(eyeq_d: pd.DataFrame, eyeq: pd.DataFrame) -> pd.DataFrame:
    """EyeQ-D's rows with EyeQ's path (relative to EyeQ's folder), eyeq_grade (0 reject to 2 good)
    and dr_grade.

    attrs["same_grade"]: for how many rows the overall grade is EyeQ's own label; attrs["notes"]
    says it in words. Raises FolderError for photographs that are not in EyeQ's test split (in
    another one, they may have been trained on)."""
    test = eyeq[eyeq["split"] == "test"].set_index("id")
    elsewhere = eyeq.set_index("id")["split"].to_dict()
    away = [i for i in eyeq_d["id"] if i not in test.index]
    if away:
        problems = [
            Problem(
                "not in EyeQ's test split",
                0,
                i,
                f"found in {elsewhere[i]}" if i in elsewhere else "found nowhere",
            )
            for i in away
        ]
        raise FolderError(paths.shown(TABLE), problems)
    there = test.loc[eyeq_d["id"]]
    frame = eyeq_d.assign(
        path=there["path"].to_numpy(),
        eyeq_grade=there["grade"].to_numpy(),
        dr_grade=there["dr_grade"].to_numpy(),
    )
    same, n = int((frame["grade"] == frame["eyeq_grade"]).sum()), len(frame)
    what = (
        "so it is no independent opinion"
        if same == n
        else "in the published set for all: one of the tables was changed"
    )
    said = Problem(
        "overall grade", 0, "", f"equals EyeQ's own label for {same} of {n} photographs, {what}"
    )
    kept = [note for note in eyeq_d.attrs.get("notes", []) if note[0] != "no folder images/"]
    frame.attrs = {**eyeq_d.attrs, "same_grade": same, "notes": [*kept, list(said)]}
    return frame
