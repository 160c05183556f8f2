"""How much an answer changes when only the file does, not what is on it: the picture mirrored,
turned, coded at a low quality, made smaller.

    student = fundus_student.load()
    print(stability.summary(stability.changes(["photos"], student)))

Each changed picture goes the way of every other one: written as a file, read, field found,
cropped, graded. What is compared are the calibrated probabilities, of every grade and of every
detail."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from ..pictures.reading import read_picture
from ..scales import DETAILS
from .fundus_student import Assessor
from .grading import assess
from .inputs import files

SIZES = (1600, 1024, 768, 512, 384, 224)  # px, longer side
QUALITY = 30  # of JPEG
TURNS = {
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "turned by 90": Image.Transpose.ROTATE_90,
    "turned by 180": Image.Transpose.ROTATE_180,
    "turned by 270": Image.Transpose.ROTATE_270,
}


def _changed(picture: Image.Image) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """The changed pictures: (what was done, image, how it is written)."""
    lossless = {"format": "PNG", "compress_level": 1}
    for name, how in TURNS.items():
        yield name, picture.transpose(how), lossless
    yield f"JPEG {QUALITY}", picture, {"format": "JPEG", "quality": QUALITY}
    for size in SIZES:
        if size < max(picture.size):  # none is made larger than it was
            scale = size / max(picture.size)
            sides = [max(1, round(side * scale)) for side in picture.size]
            small = picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
            yield f"{size} px", small, lossless


def _said(row: dict[str, Any]) -> dict[str, float]:
    """Every probability of a row of `assess`, by grade or detail; none where it was refused."""
    details = {d: answer["good"] for d, answer in row.get("details", {}).items()}
    return row.get("probabilities", {}) | details


def changes(named: Iterable[str | Path], one: Assessor) -> pd.DataFrame:
    """What changing the file changes: a row a file, change ("mirrored", "turned by 90", ...,
    "JPEG 30", "1600 px", ... "224 px", only what makes it smaller) and probability (of: a grade or
    a detail): file, change, of, before, after (nan where the changed picture was refused), state
    (of the changed picture, one of inputs.STATES), same (whether state and grade are those of
    before).

    named: files, folders, globs, as `assess` takes them; what is no fundus photograph as it is has
    no rows."""
    rows = []
    for file in files(named):
        (first,) = assess([file], one)
        if not _said(first):
            continue
        with tempfile.TemporaryDirectory() as folder:
            names = {}
            for k, (name, picture, how) in enumerate(_changed(read_picture(file))):
                place = Path(folder) / f"{k:02d}.{how['format'].lower()}"
                picture.save(place, **how)
                names[str(place)] = name
            for row in assess([folder], one):
                same = (row["state"], row.get("grade")) == (first["state"], first["grade"])
                told = {"file": str(file), "change": names[row["file"]], "state": row["state"]}
                after = _said(row)
                rows += [
                    told | {"of": of, "before": p, "after": after.get(of), "same": same}
                    for of, p in _said(first).items()
                ]
    columns = ["file", "change", "of", "before", "after", "state", "same"]
    return pd.DataFrame(rows, columns=columns).astype({"before": float, "after": float})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Of `changes`, a row a kind of change and head ("overall": the grades; "details"): pictures,
    refused (of the changed ones), other (state or grade changed), mean and largest change of a
    probability, over pictures and grades or details.

    >>> two = pd.DataFrame({"file": ["a", "b"], "change": "mirrored", "of": "good", "same": True,
    ...                     "before": [0.5, 0.8], "after": [0.75, 0.8], "state": "graded"})
    >>> summary(two).to_dict("records")[0]["largest"]
    0.25
    """
    head = table["of"].isin(DETAILS).map({True: "details", False: "overall"})
    work = table.assign(
        head=head, moved=(table["after"] - table["before"]).abs(), refused=table["after"].isna()
    )
    order = {name: k for k, name in enumerate(dict.fromkeys(work["change"]))}
    out = []
    for (change, head), rows in work.groupby(["change", "head"]):
        each = rows.drop_duplicates("file")
        out.append(
            {
                "change": change,
                "head": head,
                "pictures": len(each),
                "refused": int(each["refused"].sum()),
                "other": int((~each["same"]).sum()),
                "mean": float(rows["moved"].mean()),
                "largest": float(rows["moved"].max()),
            }
        )
    columns = ["change", "head", "pictures", "refused", "other", "mean", "largest"]
    return (
        pd.DataFrame(out, columns=columns)
        .sort_values(["head", "change"], key=lambda c: c.map(order).fillna(0), kind="stable")
        .sort_values("head", ascending=False, kind="stable")
        .reset_index(drop=True)
    )
