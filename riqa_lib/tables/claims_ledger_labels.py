"""What published label files say, for the ledger of claims: counts that are tracked with their
source (published_numbers/label_facts.csv), and counted again where the files are.

Only counts are kept; no file of others is part of this repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from .. import contents, paths
from ..datasets import eyeq, eyeq_d, koniq
from ..datasets.koka10k import grades
from ..stats.votes import one_rater
from .published import published
from .text import cell, markdown

KADIS = "kadis700k_ref_imgs.csv"
EYEQ = ("Label_EyeQ_train.csv", "Label_EyeQ_test.csv")


def tracked() -> dict[str, float]:
    """The tracked counts, by name."""
    return {str(k): float(v) for k, v in published("label_facts")[["fact", "value"]].to_numpy()}


def show() -> str:
    """The tracked counts as a markdown table, with where each comes from."""
    facts = published("label_facts")
    said = [f"{v:,.0f}" if v == int(v) else cell(v, digits=3) for v in facts["value"]]
    rows = facts.assign(value=said)[["fact", "value", "source"]].to_numpy()
    return markdown(["fact", "value", "source"], rows, left=(0, 2))


def facts(folder: Path | str | None = None) -> tuple[dict[str, float], frozenset[str]]:
    """What label files say, and the names of what was counted now: the rest is as tracked.

    folder: where the files lie, all in one folder or each set in its own as RIQA_DATA has them
    (None: RIQA_DATA, if it is set). Files that are not there are no error; FolderError for damaged
    ones."""
    root = Path(folder).expanduser() if folder else paths.data()
    known, again = tracked(), frozenset[str]()
    if root is None:
        return known, again
    for count in COUNTS:
        found = count(root)
        known, again = known | found, again | found.keys()
    return known, again


def _where(root: Path, key: str, names: tuple[str, ...]) -> Path | None:
    """The folder that has all these files: root/key/data, root/key or root; None where none has."""
    places = (root / key / "data", root / key, root)
    for place in places:
        for name in names:
            contents.note(place / name)  # also where it is not there: it may come
    return next((p for p in places if all((p / name).is_file() for name in names)), None)


def of_koniq(root: Path) -> dict[str, float]:
    """Counts of KonIQ-10k's grades by two label rules, and one rater's error; {} without a score
    file."""
    places = [p for name in koniq.FILES if (p := _where(root, koniq.ABOUT.key, (name,)))]
    if not places:
        return {}
    frame = koniq.load(places[0], pictures=False)
    mode = grades(frame)
    out = {"koniq_pictures": float(len(frame))}
    out["koniq_one_rater"] = one_rater(frame.assign(grade=mode))["mae"]
    out |= _per_grade("mode", mode)
    if "mos_z" in frame and frame["mos_z"].notna().all():
        wide = grades(frame, "equal_width")
        out |= _per_grade("equal_width", wide) | {"koniq_same_grade": float((wide == mode).sum())}
    return out


def _per_grade(rule: str, given: np.ndarray) -> dict[str, float]:
    counts = np.bincount(given, minlength=5)
    return {f"koniq_{rule}_{k}": float(n) for k, n in enumerate(counts)}


def of_kadis(root: Path) -> dict[str, float]:
    """How many pictures KADIS-700k names; {} without its table."""
    place = _where(root, "kadis700k", (KADIS,))
    if place is None:
        return {}
    names = pd.read_csv(place / KADIS, usecols=["ref_im"], dtype=str)["ref_im"]
    return {"kadis_pictures": float(names.nunique())}


def of_eyeq(root: Path) -> dict[str, float]:
    """EyeQ's training pictures, and EyeQ-D's grades beside EyeQ's; {} without the tables."""
    place, detailed = _where(root, eyeq.ABOUT.key, EYEQ), _where(root, "eyeq_d", (eyeq_d.TABLE,))
    out: dict[str, float] = {}
    if place is None:
        return out
    frame = eyeq.load(place, pictures=False)
    out["eyeq_train"] = float((frame["split"] == "train").sum())
    if detailed is not None:
        both = eyeq_d.load(detailed, pictures=False)
        test = frame[frame["split"] == "test"].set_index("id")["grade"]
        out["eyeq_d_pictures"] = float(len(both))
        out["eyeq_d_in_test"] = float(both["id"].isin(test.index).sum())
        out["eyeq_d_same_grade"] = float((both["id"].map(test) == both["grade"]).sum())
    return out


COUNTS: tuple[Callable[[Path], dict[str, float]], ...] = (of_koniq, of_kadis, of_eyeq)
