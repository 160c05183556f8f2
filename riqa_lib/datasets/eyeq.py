"""EyeQ (Fu et al., MICCAI 2019): 28,792 fundus photographs of EyePACS, each graded Good, Usable or
Reject.

The tables say 0 = Good, 1 = Usable, 2 = Reject, so LOWER IS BETTER THERE. Here, as everywhere
inside, it is turned round: grade 0 = Reject, 1 = Usable, 2 = Good. The tables name
<patient>_<eye>.jpeg; the set's own preprocessing writes .png. There is no official validation
split. Usable is 15 % of train and 28 % of test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..scales import DETAILS, FUNDUS_GRADES
from .about import (
    About,
    doubled,
    finished,
    listing,
    matched,
    need_file,
    need_folder,
    number,
    others,
    read_table,
    whole_numbers,
)
from .problems import Problem
from .splits import shared_groups

SUFFIXES = (".png", ".jpeg", ".jpg")  # in this order, where there are several

# HzFu/EyeQ, issue 2, names five; the tables as published now have the first two of them
FAILING = {"15337_left", "13227_left", "40764_right", "26250_left", "5371_left"}

ABOUT = About(
    key="eyeq",
    title="EyeQ",
    used_for="fundus Student: overall grade, 3 classes",
    licence="CC BY-NC-SA 4.0 (code and labels); photographs under the terms of Kaggle's EyePACS "
    "competition",
    where="https://github.com/HzFu/EyeQ (labels), "
    "https://www.kaggle.com/c/diabetic-retinopathy-detection (photographs)",
    layout="""
Label_EyeQ_train.csv, Label_EyeQ_test.csv   here or in data/
train/<patient>_<eye>.png, test/...         or all in images/; \
.png (preprocessed by the set's own script), .jpeg or .jpg
""",
    counts={
        "pictures": 28792,
        "train": 12543, "train good": 8347, "train usable": 1876, "train reject": 2320,
        "train patients": 8614,
        "test": 16249, "test good": 8471, "test usable": 4558, "test reject": 3220,
        "test patients": 12048,
    },
)  # fmt: skip


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    sizes = {"pictures": len(frame)}
    for split in ("train", "test"):
        part = frame[frame["split"] == split]
        sizes |= {split: len(part), f"{split} patients": part["group"].nunique()}
        sizes |= {
            f"{split} {name}": int((part["grade"] == g).sum())
            for g, name in enumerate(FUNDUS_GRADES[3])
        }
    return sizes


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a photograph: id (patient and eye), path, group (patient), source, split (train or
    test), grade (0 reject, 1 usable, 2 good), score (nan), illumination, clarity, contrast (-1:
    unknown), quality (as in the table: 0 good, 2 reject), dr_grade (0 to 4), eye (left or right).

    pictures=False reads the tables alone. Photographs that the set's own preprocessing fails on
    (FAILING) are left out where their files are missing, which attrs["notes"] says. Where a
    photograph has several files, the first of SUFFIXES is taken. Raises FileNotFoundError without
    folder or table; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    parts, problems = [], []
    for split in ("train", "test"):
        one, found = _read(label_file(root, f"Label_EyeQ_{split}.csv"), split)
        parts.append(one)
        problems += found
    frame = pd.concat(parts, ignore_index=True)
    first = frame[frame["split"] == "train"].set_index("group")["row"]
    problems += [
        Problem("patient in both splits", int(first.loc[[group]].iloc[0]), group)
        for group in shared_groups(frame)
        if group
    ]
    path, notes = find_stems(root, frame["id"].tolist(), frame["split"].tolist(), pictures)
    frame.insert(1, "path", np.array(path, dtype=object))
    gone = frame[frame["path"] == ""]
    for name, row, split in zip(gone["id"], gone["row"], gone["split"], strict=True):
        if name in FAILING:
            notes.append(Problem("left out, the set's own preprocessing fails on it", row, name))
        else:
            expected = f"expected {split}/{name}.png (or .jpeg, .jpg), or in images/"
            problems.append(
                Problem("missing picture", row, f"Label_EyeQ_{split}.csv: {name}", expected)
            )
    frame = frame[frame["path"] != ""].reset_index(drop=True)
    return finished(
        root,
        frame.drop(columns="row"),
        ABOUT,
        problems,
        notes,
        low=0.0,
        high=2.0,
        higher_is_better=True,
        classes=3,
    )


def label_file(root: Path, name: str) -> Path:
    """The table root/name or root/data/name. Raises FileNotFoundError, naming the first."""
    inside = root / listing(root).get("data", "data")
    return need_file(inside if name.lower() in listing(inside) else root, name)


def find_stems(
    root: Path, stems: Sequence[str], splits: Sequence[str], pictures: bool = True
) -> tuple[list[str], list[Problem]]:
    """Paths relative to root of pictures known by their names without suffix, "" where there is
    none; notes (files of other names). Looked for in the folder named as the picture's split, then
    in images/; upper or lower case, first of SUFFIXES.

    pictures=False: nothing is looked up, the name is <split>/<stem>.jpeg."""
    if not pictures:
        return [f"{split}/{stem}.jpeg" for stem, split in zip(stems, splits, strict=True)], []
    top = listing(root)
    there = {name: listing(root / top[name]) for name in {*splits, "images"} if name in top}
    path, used = [], set()
    for stem, split in zip(stems, splits, strict=True):
        found = _files_of(stem.lower(), (split, "images"), there)
        used |= {*found}
        folder, name = found[0] if found else ("", "")
        path.append(f"{top[folder]}/{there[folder][name]}" if found else "")
    notes = []
    for folder, names in sorted(there.items()):
        unused = sum((folder, name) not in used for name in names)
        notes += others(f"{top[folder]}/", unused)
    return path, notes


def _files_of(
    stem: str, folders: Sequence[str], there: dict[str, dict[str, str]]
) -> list[tuple[str, str]]:
    """(folder, name) of a picture's files, the one to take first."""
    places = [(folder, f"{stem}{suffix}") for folder in folders for suffix in SUFFIXES]
    return [(folder, name) for folder, name in places if name in there.get(folder, {})]


def _read(file: Path, split: str) -> tuple[pd.DataFrame, list[Problem]]:
    """One label table, without paths; row: its line. (Its first column, without a name, is a
    running number.)"""
    text, problems = read_table(file, ["image", "quality", "DR_grade"])
    image = text["image"]
    problems += doubled(image, text.index)
    quality, bad = number(text, "quality", image, 0, 2, whole=True)
    dr, worse = number(text, "DR_grade", image, 0, 4, whole=True)
    match, odd = matched(
        r"(\d+)_(left|right)\.jpeg",
        image,
        text.index,
        "<patient>_left.jpeg or <patient>_right.jpeg",
    )
    frame = pd.DataFrame(
        {
            "id": [name.rpartition(".")[0] for name in image],
            "group": [f"patient-{m[1]}" if m else "" for m in match],
            "source": ABOUT.key,
            "split": split,
            "grade": 2 - whole_numbers(quality),
            "score": np.nan,
            **dict.fromkeys(DETAILS, -1),
            "quality": whole_numbers(quality),
            "dr_grade": whole_numbers(dr),
            "eye": [m[2] if m else "" for m in match],
            "row": [*text.index],
        }
    )
    problems += [*odd, *bad, *worse]
    return frame, [p._replace(name=f"{file.name}: {p.name}") for p in problems]
