"""KonIQ-10k (Hosu et al., IEEE TIP 29, 2020): 10,073 photographs with the votes of about 107 people
each, 1 (bad) to 5.

Two files carry the scores, and the name MOS means something else in each:
    koniq10k_scores_and_distributions.csv   c1..c5 counts, MOS on 1 to 5, MOS_zscore on 0 to 100
    koniq10k_distributions_sets.csv         c1..c5 shares of c_total, MOS on 0 to 100, set (the
                                            official split)
Which it is, is told by content: whether c1..c5 sum to 1 or to c_total, and whether MOS is the mean
vote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, scales
from .about import (
    About,
    doubled,
    find,
    finished,
    listing,
    need_folder,
    number,
    read_table,
    separator_of,
)
from .folder import SPLIT_NAMES
from .misplaced import hint
from .problems import FolderError, Problem

VOTES = [*scales.VOTES]  # a list, since it picks columns
FILES = ("koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv")
SIZES = ("1024x768", "512x384", "224x224")
COLUMNS = ("image_name", *VOTES, "c_total", "MOS")
RAW = 0.01  # MOS is the mean vote (1 to 5) if it is as near as this

# MOS is on 0 to 100 if it is as near as this to 25 (mean vote - 1); real ones come within 12
ROUGH = 15.0

ABOUT = About(
    key="koniq10k",
    title="KonIQ-10k",
    used_for="KOKA10K: the labelled photographs",
    licence="no text found on its page; photographs from YFCC100M, each under its own Creative "
    "Commons licence",
    where="https://database.mmsp-kn.de/koniq-10k-database.html",
    layout="""
koniq10k_scores_and_distributions.csv   and/or koniq10k_distributions_sets.csv \
(that one has the official split)
1024x768/<id>.jpg                       or 512x384/ or 224x224/
""",
    counts={"pictures": 10073},
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame)}


def load(root: Path | str, pictures: bool = True, size: str | None = None) -> pd.DataFrame:
    """One row a picture of the score file: id, path, group (= id), score (mean vote, 1 to 5),
    c1..c5 (whole votes), mos_z (0 to 100, where a file has it) and split (train/val/test, where a
    file has it).

    size: which folder of pictures (SIZES); by default the largest that is there. pictures=False
    reads the tables alone; else pictures that are not there are left out, and told. With both score
    files the split and mos_z come from the one that has them, and their votes must agree. Raises
    FileNotFoundError without folder or score file; FolderError with everything wrong; ValueError
    for another size."""
    if size is not None and size not in SIZES:
        raise ValueError(f"size {size!r}: expected one of {', '.join(SIZES)}")
    root = need_folder(root, ABOUT)
    files, ignored = _score_files(root)
    frames, problems = [], []
    for file in files:
        one, found = _read(file)
        frames.append(one)
        problems += [
            p._replace(name=f"{file.name}: {p.name}") if len(files) > 1 else p for p in found
        ]
    frame = frames[0]
    if len(frames) > 1 and not problems:
        frame, problems = _joined(frame, frames[1])
    there = listing(root)
    folder = size or next((s for s in SIZES if s in there), SIZES[0])
    path, missing, notes = find(root, folder, frame["id"].tolist(), frame["row"].tolist(), pictures)
    frame.insert(1, "path", path)
    return finished(
        root,
        frame.drop(columns="row"),
        ABOUT,
        problems,
        [*notes, *ignored],
        missing,
        low=1.0,
        high=5.0,
        higher_is_better=True,
    )


def _score_files(root: Path) -> tuple[list[Path], list[Problem]]:
    """The score files in root, known by their columns, at most one of counts and one of shares; and
    a note of each other table, which is not read."""
    found, others = [], []
    tables = [root / name for key, name in sorted(listing(root).items()) if key.endswith(".csv")]
    for file in tables:
        header = _header(file)
        if {"image_name", *VOTES} <= {*header}:
            found.append(file)
        else:
            columns = ", ".join(header)[:200]
            others.append(Problem("table not read", 0, file.name, f"its columns: {columns}"))
    if not found:
        seen = "".join(f"; {p.name} has {p.found.removeprefix('its columns: ')}" for p in others)
        raise FileNotFoundError(
            f"{paths.shown(root)}: no score file; expected a CSV with the columns "
            f"{', '.join(COLUMNS)}{seen or hint(root, FILES[0])}"
        )
    if len(found) > 2:
        raise FolderError(
            paths.shown(root), [Problem("too many score files", 0, f.name) for f in found]
        )
    return found, others


def _header(file: Path) -> list[str]:
    """The names of a table's columns, whatever separates them."""
    with open(file, encoding="utf-8-sig", errors="replace") as f:
        cells = f.readline().strip().split(separator_of(file, COLUMNS))
    return [cell.strip().strip('"') for cell in cells]


def _read(file: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """One score file: id, group, score, c1..c5, mos_z and split where it has them, row."""
    text, problems = read_table(file, COLUMNS)
    names, rows = text["image_name"], text.index
    problems += doubled(names, rows)
    ranges = dict.fromkeys(VOTES, (0, np.inf)) | {"c_total": (1, np.inf), "MOS": (0, 100)}
    if "MOS_zscore" in text:
        ranges["MOS_zscore"] = (0, 100)
    values = {}
    for column, (low, high) in ranges.items():
        values[column], found = number(text, column, names, low, high, whole=column == "c_total")
        problems += found
    n, off, found = _whole_votes(values, names, rows)
    problems += found
    mean = n @ np.arange(1, 6) / np.maximum(n.sum(axis=1), 1)
    frame = pd.DataFrame({"id": names.to_numpy(), "group": names.to_numpy(), "score": mean})
    for k, c in enumerate(VOTES):
        frame[c] = np.nan_to_num(n[:, k], posinf=0).astype(int)
    scale, found = _scale(values["MOS"], mean, ~off, names, rows)
    problems += found
    if "MOS_zscore" in values:
        frame["mos_z"] = values["MOS_zscore"]
        far = ~off & (np.abs(values["MOS_zscore"] - 25 * (mean - 1)) > ROUGH)
        problems += _misfits(
            "MOS_zscore that does not fit the votes",
            values["MOS_zscore"],
            mean,
            far,
            names,
            rows,
            "0 to 100",
        )
    elif scale == "0 to 100":
        frame["mos_z"] = values["MOS"]
    if "set" in text:
        frame["split"], found = _official_split(text["set"], names)
        problems += found
    frame["row"] = rows.to_numpy()
    return frame, problems


def _whole_votes(
    values: dict[str, np.ndarray], names: pd.Series, rows: pd.Index
) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """Votes (N, 5) rounded, which rows (N,) do not fit, and those as problems. Most rows say
    whether c1..c5 are counts or shares of c_total."""
    votes = np.column_stack([values[c] for c in VOTES])
    total, sums = values["c_total"], votes.sum(axis=1)
    shares, whole = np.abs(sums - 1) < 1e-3, np.abs(sums - total) < 1e-3
    if shares.sum() > whole.sum():
        fits, votes, kind = shares, votes * total[:, None], "1 (shares)"
    else:
        fits, kind = whole, "c_total (counts)"
    n = np.rint(votes)
    off = np.isfinite(sums) & np.isfinite(total) & ~(fits & (np.abs(votes - n) < 1e-3).all(axis=1))
    return (
        n,
        off,
        [
            Problem(
                "votes that are no whole numbers, or a wrong sum",
                int(rows[i]),
                names.iloc[i],
                f"c1..c5 sum to {sums[i]:g}, expected {kind}, c_total {total[i]:g}",
            )
            for i in np.flatnonzero(off)
        ],
    )


def _official_split(said: pd.Series, names: pd.Series) -> tuple[np.ndarray, list[Problem]]:
    split = said.str.lower().map(SPLIT_NAMES)
    bad = split.isna() | (split == "pool")
    return split.to_numpy(), [
        Problem(
            "unknown set",
            int(row),
            names[row],
            f"{said[row]!r}, expected training, validation or test",
        )
        for row in said.index[bad]
    ]


def _scale(
    mos: np.ndarray, mean: np.ndarray, usable: np.ndarray, names: pd.Series, rows: pd.Index
) -> tuple[str, list[Problem]]:
    """On which scale most of MOS is, checked against the votes' mean, and the rows that do not fit
    it."""
    near = {"1 to 5": np.abs(mos - mean) <= RAW, "0 to 100": np.abs(mos - 25 * (mean - 1)) <= ROUGH}
    usable = usable & np.isfinite(mos)
    raw = near["1 to 5"][usable].sum() >= near["0 to 100"][usable].sum()
    scale = "1 to 5" if raw else "0 to 100"
    return scale, _misfits(
        "MOS that does not fit the votes", mos, mean, usable & ~near[scale], names, rows, scale
    )


def _misfits(
    kind: str,
    mos: np.ndarray,
    mean: np.ndarray,
    bad: np.ndarray,
    names: pd.Series,
    rows: pd.Index,
    scale: str,
) -> list[Problem]:
    expected = mean if scale == "1 to 5" else 25 * (mean - 1)
    return [
        Problem(
            kind,
            int(rows[i]),
            names.iloc[i],
            f"{mos[i]:g}, the votes say about {expected[i]:.4g} on {scale}",
        )
        for i in np.flatnonzero(bad)
    ]


def _joined(one: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Two score files as one frame; problems where they name different pictures or votes."""
    second = other.set_index("id").reindex(one["id"])
    differs = (second[VOTES].to_numpy() != one[VOTES].to_numpy()).any(axis=1)
    problems = [
        Problem("score files disagree", int(row), name, "not in both, or with other votes")
        for row, name in zip(one["row"][differs], one["id"][differs], strict=True)
    ]
    problems += [
        Problem("score files disagree", 0, name, "in one file only")
        for name in sorted({*other["id"]} - {*one["id"]})
    ]
    for column in {"mos_z", "split"} & {*other} - {*one}:
        one[column] = second[column].to_numpy()
    return one, problems
