"""KADID-10k (Lin, Hosu and Saupe, QoMEX 2019): 81 pristine photographs, 25 distortions at 5 levels,
rated 1 to 5.

The scores are called dmos, but HIGHER IS BETTER."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .about import About, doubled, find, finished, need_file, need_folder, number, read_table
from .problems import Problem

ABOUT = About(
    key="kadid10k",
    title="KADID-10k",
    used_for="tests of a model on synthetic distortions",
    licence="see its page; no text found",
    where="https://database.mmsp-kn.de/kadid-10k-database.html",
    layout="""
dmos.csv
images/I01.png            the references, I01 to I81
images/I01_01_01.png      I<reference>_<type 01-25>_<level 01-05>
""",
    counts={"pictures": 10125, "references": 81},
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame), "references": frame["group"].nunique()}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a distorted picture: id, path, group (the reference), score (1 to 5, higher is
    better), var, type (1 to 25), level (1 to 5). pictures=False reads the table alone; else
    pictures that are not there are left out, and told.

    Raises FileNotFoundError without folder or table; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    file = need_file(root, "dmos.csv")
    text, problems = read_table(file, ["dist_img", "ref_img", "dmos", "var"])
    names = text["dist_img"]
    problems += doubled(names, text.index)
    score, bad = number(text, "dmos", names, 1, 5)
    var, worse = number(text, "var", names, 0, np.inf)
    parts = names.str.extract(r"(?i)^(I\d+)_(\d\d)_(\d\d)\.png$")
    reference = text["ref_img"].str.replace(r"(?i)\.png$", "", regex=True).str.upper()
    odd = (
        parts[0].isna()
        | ~parts[1].fillna("0").astype(int).between(1, 25)
        | ~parts[2].fillna("0").astype(int).between(1, 5)
    )
    problems += [
        Problem(
            "unexpected name",
            int(r),
            names[r],
            "expected I<reference>_<type 01-25>_<level 01-05>.png",
        )
        for r in text.index[odd]
    ]
    other = ~odd & (parts[0].str.upper() != reference)
    problems += [
        Problem("other reference", int(r), names[r], text["ref_img"][r]) for r in text.index[other]
    ]
    path, missing, notes = find(
        root, "images", names.tolist(), text.index.tolist(), pictures, text["ref_img"]
    )
    frame = pd.DataFrame(
        {
            "id": names.to_numpy(),
            "path": path,
            "group": reference.to_numpy(),
            "score": score,
            "var": var,
            "type": parts[1].fillna("0").astype(int).to_numpy(),
            "level": parts[2].fillna("0").astype(int).to_numpy(),
        }
    )
    return finished(
        file,
        frame,
        ABOUT,
        [*problems, *bad, *worse],
        notes,
        missing,
        low=1.0,
        high=5.0,
        higher_is_better=True,
    )
