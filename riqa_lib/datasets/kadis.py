"""KADIS-700k (Lin, Hosu and Saupe, arXiv 2001.08113): 140,000 pristine photographs; each one's
distortion is listed.

The set comes without distorted pictures: a script of its authors makes five levels of one type,
dist_imgs/<stem>_<TT>_<LL>.bmp. That script reads dist_type_1 alone. Type 8 stands only in
dist_type_2, beside 7, so the script never makes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .about import (
    About,
    doubled,
    find,
    finished,
    listing,
    need_file,
    need_folder,
    number,
    others,
    read_table,
    whole_numbers,
)
from .problems import Problem

ABOUT = About(
    key="kadis700k",
    title="KADIS-700k",
    used_for="KOKA10K: the unlabelled pool, and the pictures to label by hand",
    licence="photographs from Pixabay, under its terms; the MATLAB code is not to be passed on",
    where="https://database.mmsp-kn.de/kadid-10k-database.html",
    layout="""
kadis700k_ref_imgs.csv
ref_imgs/<name>.png
dist_imgs/<stem>_<type>_<level>.bmp   optional, made by the set's own script
""",
    counts={"pictures": 140000},
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame)}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a pristine picture: id, path, group (= id), dist_type_1 (1 to 25), dist_type_2 (1 to
    25; 0: none). No scores.

    pictures=False reads the table alone. Distorted pictures are counted in attrs["notes"], where
    there are any. Raises FileNotFoundError without folder or table; FolderError with everything
    wrong. Photographs that are not there are left out, and told, as long as one is there (the set
    is 44.6 GB large)."""
    root = need_folder(root, ABOUT)
    file = need_file(root, "kadis700k_ref_imgs.csv")
    text, problems = read_table(file, ["ref_im", "dist_type_1", "dist_type_2"])
    names = text["ref_im"]
    problems += doubled(names, text.index)
    first, bad = number(text, "dist_type_1", names, 1, 25, whole=True)
    second, worse = number(
        text.replace({"dist_type_2": {"": "0"}}), "dist_type_2", names, 0, 25, whole=True
    )
    path, missing, notes = find(root, "ref_imgs", names.tolist(), text.index.tolist(), pictures)
    frame = pd.DataFrame(
        {
            "id": names.to_numpy(),
            "path": path,
            "group": names.to_numpy(),
            "dist_type_1": whole_numbers(first),
            "dist_type_2": whole_numbers(second),
        }
    )
    both = int(((frame["dist_type_1"] == 7) & (frame["dist_type_2"] == 8)).sum())
    if both:
        notes.append(
            Problem(
                "types 7 and 8",
                0,
                "",
                f"{both} rows; the set's script reads dist_type_1 only and makes type 7",
            )
        )
    if pictures:
        notes += _distorted(root, frame)
    return finished(file, frame, ABOUT, [*problems, *bad, *worse], notes, missing)


def _distorted(root: Path, frame: pd.DataFrame) -> list[Problem]:
    """How many distorted pictures of the table are there, and how many files have other names."""
    there = listing(root / listing(root).get("dist_imgs", "dist_imgs"))
    if not there:
        return []
    wanted = {
        f"{name.rpartition('.')[0].lower()}_{kind:02d}_{level:02d}.bmp"
        for name, kind in zip(frame["id"], frame["dist_type_1"], strict=True)
        for level in range(1, 6)
    }
    n, other = len(wanted & there.keys()), len(there.keys() - wanted)
    notes = [Problem("distorted pictures", 0, "dist_imgs/", f"{n} of {len(wanted)}")]
    return notes + others("dist_imgs/", other)
