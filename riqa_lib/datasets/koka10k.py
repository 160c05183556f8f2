"""KOKA10K (Dang et al., IJCA 186(9), 2024): KonIQ-10k graded by its votes, hand-labelled pictures
from KADIS-700k, a pool.

The authors' list of hand labels is not public, so they are an input: a table with the columns id
and grade. A KADIS name gets that grade and leaves the pool; a KonIQ name has its grade changed.
Sources, in the words of the simulation:
    koniq-like   all of KonIQ-10k
    extra        KADIS, graded by hand
    pool         the rest of KADIS, no grade
Grades 0 and 4 come mostly from `extra`, so a source detector can pass for a quality model there:
see riqa_lib.tables.source_leak.

Inferred, since the paper does not say it: grades are the mode of the votes, and the split takes
floors (splits.floor_split)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .. import contents, paths
from ..stats.votes import equal_width, mode_grade, round_mean_grade
from . import kadis as kadis_set
from . import koniq as koniq_set
from .about import listing
from .hand_labels import COLUMNS, lines, resolved
from .misplaced import elsewhere
from .problems import FolderError, Problem, read_text
from .splits import floor_split

KONIQ, EXTRA, POOL = "koniq-like", "extra", "pool"  # sources
RULES = ("mode", "equal_width", "round_mean")
VOTES = koniq_set.VOTES
GRADES = [f"grade {k}" for k in range(5)]
HAND = (159, 200)  # pictures of grade 0 and of grade 4 that Dang et al. say they labelled by hand


# ---------------------------------------------------------------- grades
def grades(koniq: pd.DataFrame, rule: str = "mode") -> np.ndarray:
    """Grades 0..4 (N,) of KonIQ-10k's pictures: the mode of c1..c5 (ties to the lower),
    `round_mean` (half up), or `equal_width` bins of mos_z, 0 to 100. Raises ValueError for another
    rule, or scores missing or out of range."""
    if rule not in RULES:
        raise ValueError(f"rule {rule!r}: expected one of {', '.join(RULES)}")
    if rule != "equal_width":
        return (mode_grade if rule == "mode" else round_mean_grade)(koniq[VOTES].to_numpy())
    score = koniq["mos_z"].to_numpy(float) if "mos_z" in koniq else np.full(len(koniq), np.nan)
    bad = np.flatnonzero(~((score >= 0) & (score <= 100)))
    if len(bad):
        raise ValueError(
            f"rule equal_width: mos_z of {koniq['id'].iloc[bad[0]]} is {score[bad[0]]}, "
            "expected 0 to 100"
        )
    return equal_width(score, 0, 100)


def hand_labels(
    extra: Path | str | pd.DataFrame, known: set[str], absent: Collection[str] = ()
) -> tuple[pd.Series, list[Problem]]:
    """Hand labels: the grade of each id, and notes. extra: CSV or frame, columns id, grade and,
    where several people graded one picture, labeller: the majority counts, ties go to the lower
    grade. Other columns are ignored, but in the labelling tool's own files (`datasets.hand_labels`)
    a person's last line on a picture counts, and may take a grade back. absent: pictures of the
    sets that are not there; their labels are left out, and how many is told.

    Raises FolderError with every row that names no known picture, a picture twice (per labeller),
    or no grade 0..4."""
    name, text, problems = _hand_table(extra)
    gone = text["id"].isin(absent)
    text = text[~gone]
    grade = pd.to_numeric(text["grade"], errors="coerce")
    problems += _unusable(text, grade, known)
    if problems:
        raise FolderError(name, problems)
    found = grade.astype(int).groupby(text["id"], sort=False).agg(list)
    majority = found.map(lambda given: int(np.bincount(given).argmax()))
    notes = [
        Problem("graded by several", 0, str(picture), f"{given}, taken as {majority[picture]}")
        for picture, given in found.items()
        if len(given) > 1
    ]
    if gone.any():
        found = f"{gone.sum()} lines, of pictures that are not there"
        notes.append(Problem("hand labels left out", 0, "", found))
    return majority, notes


def _hand_table(
    extra: Path | str | pd.DataFrame,
) -> tuple[str, pd.DataFrame, list[Problem]]:
    """The table's name, its lines that count, as text, and what is wrong with its form."""
    if isinstance(extra, pd.DataFrame):
        name, problems = "extra", list[Problem]()
        text = extra.astype(str).set_axis(range(2, len(extra) + 2))
    else:
        file = Path(paths.typed(extra))
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such table of hand labels (columns id, grade)")
        name = paths.shown(file)
        log = file.read_bytes().removeprefix(b"\xef\xbb\xbf").startswith(",".join(COLUMNS).encode())
        text, problems = lines(file) if log else read_text(file, "utf-8", ",", ["id", "grade"])
    if not {"id", "grade"} <= {*text}:
        lacking = [Problem("missing column", 1, c) for c in ("id", "grade") if c not in text]
        raise FolderError(name, problems or lacking)
    if {*COLUMNS} <= {*text}:  # the labelling tool's own file: a person's last line counts
        text = resolved(text)
    return name, text, problems


def _unusable(text: pd.DataFrame, grade: pd.Series, known: set[str]) -> list[Problem]:
    """Lines that name no known picture, a picture twice (per labeller), or no grade."""
    labeller = text["labeller"] if "labeller" in text else pd.Series("", text.index)
    first: dict[tuple[str, str], int] = {}
    problems = []
    for row, picture, who in zip(text.index, text["id"], labeller, strict=True):
        if picture not in known:
            problems.append(
                Problem("unknown picture", row, picture, "in neither KonIQ-10k nor KADIS-700k")
            )
        if first.setdefault((picture, who), row) != row:
            by = f" by {who}" if who else ""
            problems.append(
                Problem("doubled id", row, picture, f"also graded{by} in row {first[picture, who]}")
            )
        if grade[row] not in range(5):
            problems.append(
                Problem("not a grade", row, picture, f"{text['grade'][row]!r}, expected 0 to 4")
            )
    return problems


# ---------------------------------------------------------------- the set
def build(
    koniq: pd.DataFrame,
    kadis: pd.DataFrame,
    extra: Path | str | pd.DataFrame | None = None,
    rule: str = "mode",
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> pd.DataFrame:
    """One frame from the frames of datasets.koniq and datasets.kadis and the hand labels (see
    `hand_labels`).

    Columns: id, path (relative to the folder of all data sets), group, source, split (floor_split
    of what has a grade; the rest is the pool), grade (0..4; -1 in the pool), score (mean vote, 1 to
    5; NaN where nobody voted), c1..c5 (votes; 0 where nobody voted), mos_z (0 to 100), by_hand
    (whether the grade is a hand label). frame.attrs["notes"]: worth knowing; attrs["part"]: which
    part of the sets it is made from ("" for all their pictures). Raises FolderError for hand labels
    that can't be used; ValueError for an unknown rule or ids that both sets have."""
    parts: list[pd.DataFrame] = []
    for one, source, key in (
        (koniq, KONIQ, koniq_set.ABOUT.key),
        (kadis, POOL, kadis_set.ABOUT.key),
    ):
        folder = f"{key}/"
        group = folder + one["group"].astype(str)
        parts.append(one[["id"]].assign(path=folder + one["path"], group=group, source=source))
    parts[0] = parts[0].assign(
        grade=grades(koniq, rule),
        score=koniq["score"],
        mos_z=koniq.get("mos_z", np.nan),
        **{c: koniq[c] for c in VOTES},
    )
    frame = pd.concat(parts, ignore_index=True)
    if frame["id"].duplicated().any():
        raise ValueError(
            f"{frame['id'][frame['id'].duplicated()].iloc[0]}: an id that KonIQ-10k and "
            "KADIS-700k both have"
        )
    frame = frame.fillna({"grade": -1} | dict.fromkeys(VOTES, 0)).astype(
        dict.fromkeys(["grade", *VOTES], int)
    )
    labels, notes = pd.Series(dtype=int), list[Problem]()
    if extra is not None:
        labels, notes = hand_labels(extra, {*frame["id"]}, _absent(koniq) | _absent(kadis))
    given = frame["id"].map(labels)
    frame["by_hand"] = given.notna()
    frame["grade"] = given.fillna(frame["grade"]).astype(int)
    frame.loc[frame["by_hand"] & (frame["source"] == POOL), "source"] = EXTRA
    place = frame["source"].map({KONIQ: 0, EXTRA: 1, POOL: 2})
    frame = frame.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    labelled = (frame["grade"] >= 0).to_numpy()
    frame["split"] = "pool"
    frame.loc[labelled, "split"] = floor_split(
        frame["grade"][labelled], frame["group"][labelled], fractions, seed
    )
    counts = np.bincount(frame["grade"][labelled], minlength=5)
    if extra is None:
        empty = ", ".join(str(k) for k in np.flatnonzero(counts == 0))
        found = f"all grades come from KonIQ-10k's votes{f'; none is {empty}' if empty else ''}"
        notes = [Problem("no hand labels", 0, "", found)]
    told = [list(n) for one in (koniq, kadis) for n in one.attrs.get("notes", [])]
    columns = [
        "id",
        "path",
        "group",
        "source",
        "split",
        "grade",
        "score",
        *VOTES,
        "mos_z",
        "by_hand",
    ]
    frame = frame[columns].copy()
    frame.attrs["notes"] = told + [list(n) for n in notes]
    frame.attrs["part"] = _part(koniq, kadis)
    return frame


def _absent(one: pd.DataFrame) -> set[str]:
    """Pictures that the set's table names and that are not there."""
    return {*one.attrs.get("absent", "").splitlines()}


def _part(*sets: pd.DataFrame) -> str:
    """How many of their pictures are there, of sets of which only a part is."""
    return " and ".join(
        f"{len(one):,} of {one.attrs['named']:,} {one.attrs['name']} pictures"
        for one in sets
        if len(one) < one.attrs.get("named", 0)
    )


def load(
    extra: str = "", rule: str = "mode", fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> tuple[pd.DataFrame, Path]:
    """`build` from the files below RIQA_DATA; returns the frame and the folder its paths are
    relative to.

    extra: table of hand labels; "" takes RIQA_DATA/koka10k/extra.csv if it is there. Raises
    FileNotFoundError that says which set is missing, where to get it and where it goes; FolderError
    with everything wrong with those there are."""
    root = _folder_of_sets()
    frames, problems = [], []
    for one in (koniq_set, kadis_set):
        try:
            frames.append(one.load(root / one.ABOUT.key))
        except FolderError as e:
            problems += e.problems
    if problems:
        raise FolderError(paths.shown(root), problems)
    usual = root / "koka10k" / "extra.csv"
    contents.note(extra or usual)  # also where it is not there: it may come
    chosen = extra or (usual if usual.is_file() else None)
    return build(frames[0], frames[1], chosen, rule, fractions, seed), root


def _folder_of_sets() -> Path:
    """RIQA_DATA, with KonIQ-10k and KADIS-700k in it; FileNotFoundError that says what is
    missing."""
    root, sets = paths.data(), (koniq_set.ABOUT, kadis_set.ABOUT)
    missing = [about for about in sets if root is None or not listing(root / about.key)]
    if root is not None and not missing:
        return root
    unset = "The environment variable RIQA_DATA, the folder of all data sets, is not set."
    where = unset if root is None else f"Missing in RIQA_DATA ({paths.shown(root)}):"
    said = [f"KOKA10K is made from KonIQ-10k and KADIS-700k. {where}"]
    for about in missing:
        near = elsewhere(root, about.key) if root is not None else ""
        said.append(
            f"- {about.title}: {f'{near}, or ' if near else ''}get it from {about.where}, put it "
            f"into RIQA_DATA/{about.key} as"
        )
        said += [f"    {line}" for line in about.layout.strip().splitlines()]
    said.append("`python -m riqa_lib data` lists what is found and what is wrong with it.")
    raise FileNotFoundError("\n".join(said))
