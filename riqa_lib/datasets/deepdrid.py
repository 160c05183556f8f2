"""DeepDRiD (Liu et al., Patterns 3:100512, 2022), regular fundus: 2,000 photographs of 500
patients, two of each eye.

Overall quality (0 not good enough for diagnosis, 1 good enough) belongs to the EYE: both its
photographs have the same. So the number of independent labels is that of eyes. Clarity and field
definition count up (1 to 10), artifact counts DOWN (0 none to 10): here it is turned round, so that
higher is better.

The tables' image_path uses backslashes and leaves out the folder Images; the test labels are two
workbooks without paths, so paths are made of patient and image_id. Patients 56, 77, 164 and 167
have mis-numbered photographs (56_r3): there the eye is told by which of left_eye_DR_Level and
right_eye_DR_Level is filled. By it every eye has one overall label; by the names not."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd

from ..scales import DETAILS, FUNDUS_GRADES
from .about import (
    About,
    absent,
    doubled,
    finished,
    listing,
    matched,
    need_file,
    need_folder,
    others,
    read_table,
)
from .problems import Problem
from .sheets import read_sheet
from .splits import shared_groups

FOLDERS = {
    "train": "regular-fundus-training",
    "val": "regular-fundus-validation",
    "test": "Online-Challenge1&2-Evaluation",
}

QUALITY = ("Overall quality", "Artifact", "Clarity", "Field definition")
EYES = {"left": "left_eye_DR_Level", "right": "right_eye_DR_Level"}
DR = {str(level): level for level in range(5)} | {"5": -1}  # 5: not gradable

LEVELS = {
    "Overall quality": (0, 1),
    "Artifact": (0, 1, 4, 6, 8, 10),
    "Clarity": (1, 4, 6, 8, 10),
    "Field definition": (1, 4, 6, 8, 10),
}

ABOUT = About(
    key="deepdrid",
    title="DeepDRiD",
    used_for="fundus Student: overall grade, 2 classes",
    licence="CC BY-SA 4.0",
    where="https://doi.org/10.5281/zenodo.8248825 (code: https://github.com/deepdrdoc/DeepDRiD)",
    layout="""
regular_fundus_images/regular-fundus-training/regular-fundus-training.csv  \
     (the first folder may be left out)
regular_fundus_images/regular-fundus-training/Images/<patient>/<image_id>.jpg
regular_fundus_images/regular-fundus-validation/                                likewise
regular_fundus_images/Online-Challenge1&2-Evaluation/Challenge2_labels.xlsx  \
   quality of the test photographs
regular_fundus_images/Online-Challenge1&2-Evaluation/Challenge1_labels.xlsx  \
   their DR levels, optional
regular_fundus_images/Online-Challenge1&2-Evaluation/Images/<patient>/<image_id>.jpg
""",
    counts={
        "pictures": 2000, "patients": 500, "eyes": 1000,
        "train": 1200, "train bad": 624, "train good": 576, "train patients": 300,
        "val": 400, "val bad": 218, "val good": 182, "val patients": 100,
        "test": 400, "test bad": 220, "test good": 180, "test patients": 100,
    },
)  # fmt: skip


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    eyes = frame[["group", "eye"]].drop_duplicates()
    sizes = {"pictures": len(frame), "patients": frame["group"].nunique(), "eyes": len(eyes)}
    for split in FOLDERS:
        part = frame[frame["split"] == split]
        sizes |= {split: len(part), f"{split} patients": part["group"].nunique()}
        sizes |= {
            f"{split} {name}": int((part["grade"] == g).sum())
            for g, name in enumerate(FUNDUS_GRADES[2])
        }
    return sizes


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a photograph: id ("56_r3"), path, group (patient), source (Nicheng, Shanghai or
    Nation where a table says so, else deepdrid), split (train, val, test: the official one, by
    patient), grade (0 bad, 1 good), score (nan), illumination, clarity, contrast (-1: unknown; the
    set's own Clarity is something else), artifact (0 to 10, higher is better: 10 -
    artifact_native), artifact_native (as published, 0 is best), clarity_level and field_definition
    (1 to 10, higher is better), eye (left or right: the one that the labels belong to), view (1 or
    2; 0 where names are mis-numbered), dr_grade (of the eye, 0 to 4; -1: unknown, or published as
    5, not gradable).

    A part of the set will do: those of the three folders (FOLDERS) that are there. pictures=False
    reads the tables alone. Raises FileNotFoundError without folder, without any of the three, or
    without the table of one; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    top = listing(root).get("regular_fundus_images", "")
    folders = _folders(root, top)
    frames, problems, notes = [], [], []
    for split, folder in folders.items():
        one, wrong, said = _read(root, folder, split)
        one, missing, extra = _with_paths(one, root, folder, pictures)
        frames.append(one)
        problems += [p._replace(name=f"{FOLDERS[split]}: {p.name}") for p in (*wrong, *missing)]
        notes += said + extra
    frame = pd.concat(frames, ignore_index=True)
    problems += [
        Problem("patient in more than one split", 0, g, ", ".join(s))
        for g, s in shared_groups(frame).items()
        if g
    ]
    frame, said = _eyes(frame)
    gone = [f for split, f in FOLDERS.items() if split not in folders]
    notes += said + [Problem("folder not there", 0, f) for f in gone]
    return finished(
        root / top,
        frame.drop(columns="row"),
        ABOUT,
        problems,
        notes,
        low=0.0,
        high=1.0,
        higher_is_better=True,
        classes=2,
    )


def _folders(root: Path, top: str) -> dict[str, str]:
    """Of FOLDERS those that are there: split -> path relative to root. FileNotFoundError where none
    is."""
    there = listing(root / top)
    found = {
        split: (f"{top}/" if top else "") + there[f.lower()]
        for split, f in FOLDERS.items()
        if f.lower() in there
    }
    if not found:
        raise FileNotFoundError(
            f"{ABOUT.title}: none of {', '.join(FOLDERS.values())} in {root.name}/ or "
            f"{root.name}/regular_fundus_images/"
        )
    return found


def _with_paths(
    frame: pd.DataFrame, root: Path, folder: str, pictures: bool
) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
    """One part's frame with paths, missing pictures, and notes."""
    names = frame["id"]
    expected = [f"{folder}/Images/{i.partition('_')[0]}/{i}.jpg" for i in names]
    found = _images(root, folder) if pictures else {}
    path = [found.get(i.lower(), "") for i in names] if pictures else expected
    frame.insert(1, "path", np.array(path, dtype=object))
    extra = len(found.keys() - {i.lower() for i in names})
    return (
        frame,
        absent(names, frame["row"], path, expected),
        others(f"{folder}/Images/", extra),
    )


def _read(root: Path, folder: str, split: str) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
    """One part's frame without paths (row: line of its table), what is wrong, and notes."""
    text, problems = _labels(root / folder, split)
    names, rows = text["image_id"], text.index
    problems += doubled(names, rows)
    match, odd = matched(
        r"(\d+)_([lr])(\d)",
        names,
        rows,
        "<patient>_l<view> or <patient>_r<view>",
        kind="unexpected image_id",
    )
    problems += odd
    patient = [m[1] if m else "" for m in match]
    notes: list[Problem] = []
    if split != "test":
        wrong, notes = _contradictions(text, patient)
        problems += wrong
    values = {}
    for column, levels in LEVELS.items():
        values[column], bad = _level(text, column, levels)
        problems += bad
    sides = {"l": "left", "r": "right"}
    dr, eye, bad = _dr(text, [sides[m[2]] if m else "" for m in match])
    frame = pd.DataFrame(
        {
            "id": names.to_numpy(),
            "group": [f"patient-{p}" if p else "" for p in patient],
            "source": _sources(root / folder, split, names),
            "split": split,
            "grade": values["Overall quality"],
            "score": np.nan,
            **dict.fromkeys(DETAILS, -1),
            "artifact": 10 - values["Artifact"],
            "artifact_native": values["Artifact"],
            "clarity_level": values["Clarity"],
            "field_definition": values["Field definition"],
            "eye": eye,
            "view": [int(m[3]) if m else 0 for m in match],
            "dr_grade": dr,
            "row": [*rows],
        }
    )
    return frame, problems + bad, notes


def _labels(folder: Path, split: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The label table of a part, as text."""
    if split == "test":
        file = need_file(folder, "Challenge2_labels.xlsx")
        text, problems = read_sheet(file, ["image_id", *QUALITY])
        text, wrong = _with_dr(text, folder)
        return text, problems + wrong
    columns = ["patient_id", "image_id", "image_path", *QUALITY, *EYES.values()]
    return read_table(need_file(folder, f"{FOLDERS[split]}.csv"), columns)


def _contradictions(text: pd.DataFrame, patient: list[str]) -> tuple[list[Problem], list[Problem]]:
    """Rows whose patient_id is not the patient (N,) of their image_id: problems; whose image_path
    is not theirs: a note."""
    problems = [
        Problem("other patient", int(row), name, f"patient_id {said!r}")
        for row, name, said, mine in zip(
            text.index, text["image_id"], text["patient_id"], patient, strict=True
        )
        if mine and said != mine
    ]
    other = [
        name
        for name, path in zip(text["image_id"], text["image_path"], strict=True)
        if PureWindowsPath(path).stem.lower() != name.lower()
    ]
    if not other:
        return problems, []
    kind, shown = "image_path names another picture (ignored)", ", ".join(other[:10])
    return problems, [Problem(kind, 0, shown, f"{len(other)} rows")]


def _level(
    text: pd.DataFrame, column: str, levels: tuple[int, ...]
) -> tuple[np.ndarray, list[Problem]]:
    """A column (N,) of whole numbers, and its cells that are none of the levels."""
    known = {str(n): n for n in levels}
    bad = [
        Problem(f"bad {column}", int(row), name, f"{cell!r}, expected one of {', '.join(known)}")
        for row, name, cell in zip(text.index, text["image_id"], text[column], strict=True)
        if cell not in known
    ]
    return np.array([known.get(cell, 0) for cell in text[column]], int), bad


def _with_dr(text: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """The test labels with a column DR_Levels of the other workbook ("" where it is not there, or
    does not have a picture)."""
    name = listing(folder).get("challenge1_labels.xlsx")
    if name is None:
        return text.assign(DR_Levels=""), []
    other, problems = read_sheet(folder / name, ["image_id", "DR_Levels"])
    problems += doubled(other["image_id"], other.index)
    levels = dict(zip(other["image_id"], other["DR_Levels"], strict=True))
    return text.assign(DR_Levels=text["image_id"].map(levels).fillna("")), [
        p._replace(name=f"{name}: {p.name}") for p in problems
    ]


def _dr(text: pd.DataFrame, named: list[str]) -> tuple[np.ndarray, list[str], list[Problem]]:
    """DR level of each photograph's eye (-1: unknown), the eye that its labels belong to, and bad
    cells.

    The eye is the one whose DR column is filled; as its name says where none is, or there is one
    column for both."""
    problems, dr, eye = [], np.full(len(text), -1), list(named)
    columns = {e: c for e, c in EYES.items() if c in text} or {"": "DR_Levels"}
    for i, (row, name) in enumerate(zip(text.index, text["image_id"], strict=True)):
        cells = _filled(text, i, columns)
        if len(cells) > 1:
            problems.append(
                Problem(
                    "DR level of both eyes",
                    int(row),
                    name,
                    f"expected one of {', '.join(EYES.values())}",
                )
            )
        for e, cell in cells.items():
            eye[i] = e or eye[i]
            dr[i] = DR.get(cell, -1)
            if cell not in DR:
                problems.append(
                    Problem("bad DR level", int(row), name, f"{cell!r}, expected 0 to 5")
                )
    return dr, eye, problems


def _filled(text: pd.DataFrame, i: int, columns: dict[str, str]) -> dict[str, str]:
    """The cells of picture i that are not empty, by the columns' keys."""
    return {key: text[c].iloc[i] for key, c in columns.items() if text[c].iloc[i]}


def _sources(folder: Path, split: str, names: pd.Series) -> list[str]:
    """The project that each picture comes from, by the optional table of it; the set's key where it
    is not there."""
    file = folder / FOLDERS[split].replace("fundus-", "fundus-source-")
    name = listing(folder).get(f"{file.name.lower()}.csv")
    if split == "test" or name is None:
        return [ABOUT.key] * len(names)
    text, _ = read_table(folder / name, ["image_id", "Source"])
    known = dict(zip(text["image_id"], text["Source"], strict=True))
    return [known.get(n) or ABOUT.key for n in names]


def _images(root: Path, folder: str) -> dict[str, str]:
    """Lower-case stem -> path relative to root of the pictures in <folder>/Images/<patient>/."""
    images = f"{folder}/{listing(root / folder).get('images', 'Images')}"
    return {
        name.rpartition(".")[0]: f"{images}/{patient}/{kept}"
        for patient in listing(root / images).values()
        for name, kept in listing(root / images / patient).items()
        if name.endswith((".jpg", ".jpeg", ".png"))
    }


def _eyes(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame with view 0 for patients whose names are mis-numbered; notes on them, and on eyes
    with two overall labels."""
    letter = np.where(frame["eye"] == "left", "l", "r")
    named = frame["id"].str.extract(r"_([lr])\d$")[0]
    odd = frame["group"].isin(frame["group"][~frame["view"].isin([1, 2]) | (named != letter)])
    frame.loc[odd, "view"] = 0
    labels = frame.groupby(["group", "eye"], sort=False)["grade"].nunique()
    two = [f"{group} {eye}" for group, eye in labels.index[labels > 1]]
    patients = list(dict.fromkeys(frame["group"][odd]))
    notes = []
    if patients:
        notes.append(
            Problem(
                "mis-numbered photographs",
                0,
                ", ".join(patients[:10]),
                "eye by the DR columns, view unknown",
            )
        )
    if two:
        notes.append(Problem("eyes with two overall labels", 0, ", ".join(two[:10]), str(len(two))))
    return frame, notes
