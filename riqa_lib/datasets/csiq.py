"""CSIQ (Larson and Chandler, Journal of Electronic Imaging 19(1), 2010): 866 distorted pictures of
30 references, six distortions at up to five levels.

Two files carry the scores, differences to the reference on 0..1: LOWER IS BETTER, and they stay so
here.
    csiq.DMOS.xlsx   the official one: tab all_by_image, the header in its fourth row (image,
                     dst_idx, dst_type, dst_lev, dmos_std, dmos), columns to the left of it empty;
                     other tabs hold work in progress and are not read
    csiq_label.txt   of the public code of HyperIQA: "<name>.<TYPE>.<level>.png <dmos>" a line, with
                     all pictures in one folder dst_imgs_all/
The workbook is read where both are there. Either is read with either layout of the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import contents, paths
from .about import About, doubled, find, finished, listing, matched, need_folder, number
from .misplaced import hint
from .problems import FolderError, NoTable, Problem, decoded
from .sheets import read_book

BOOK, LABELS = "csiq.DMOS.xlsx", "csiq_label.txt"
TAB = "all_by_image"
COLUMNS = ("image", "dst_type", "dst_lev", "dmos")
# what the workbook calls a distortion -> its word in file names, and the name of its folder
TYPES = {
    "noise": "AWGN",
    "blur": "BLUR",
    "contrast": "contrast",
    "fnoise": "fnoise",
    "jpeg 2000": "jpeg2000",
    "jpeg": "JPEG",
}
LEVELS = 5
NAME = rf"(?i)(.+)\.({'|'.join(TYPES.values())})\.([1-{LEVELS}])\.png"
SPLIT, FLAT = "dst_imgs", "dst_imgs_all"

ABOUT = About(
    key="csiq",
    title="CSIQ",
    used_for="tests of a model on synthetic distortions",
    licence="see its page; no text found",
    where="https://s2.smu.edu/~eclarson/csiq.html",
    layout="""
csiq.DMOS.xlsx                        or csiq_label.txt ("<file> <dmos>" a line)
dst_imgs/AWGN/<name>.AWGN.<1-5>.png   and BLUR/, contrast/, fnoise/, jpeg2000/, JPEG/;
                                      or dst_imgs_all/ with all of them
src_imgs/<name>.png                   the references
""",
    counts={"pictures": 866, "references": 30},
)


class _Scores(NamedTuple):
    """Score files as columns, by row of the file: name (of the picture's file) and dmos as text;
    sd as text, where the file has it."""

    name: pd.Series
    dmos: pd.Series
    sd: pd.Series | None


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame), "references": frame["group"].nunique()}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a distorted picture: id (name of its file), path, group (the reference), score (DMOS,
    0 to 1, lower is better), sd (of the raters; nan where only csiq_label.txt is there), type (the
    word in the file's name, such as AWGN), level (1 is the mildest). pictures=False reads the table
    alone; else pictures that are not there are left out, and told.

    Raises FileNotFoundError without folder or score file; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    file = _score_file(root)
    scores, problems = _of_book(file) if file.name.lower() == BOOK.lower() else _of_lines(file)
    rows = scores.name.index
    problems += doubled(scores.name, rows)
    expected = f"<name>.<{', '.join(TYPES.values())}>.<level 1-{LEVELS}>.png"
    found, odd = matched(NAME, scores.name, rows, expected)
    dmos, bad = number(pd.DataFrame({"dmos": scores.dmos}), "dmos", scores.name, 0, 1)
    sd, worse = np.full(len(rows), np.nan), list[Problem]()
    if scores.sd is not None:
        sd, worse = number(pd.DataFrame({"sd": scores.sd}), "sd", scores.name, 0, np.inf)
    known = {word.lower(): word for word in TYPES.values()}
    frame = pd.DataFrame(
        {
            "id": scores.name.to_numpy(),
            "group": [m[1] if m else "" for m in found],
            "score": dmos,
            "sd": sd,
            "type": [known[m[2].lower()] if m else "" for m in found],
            "level": [int(m[3]) if m else 0 for m in found],
        }
    )
    path, missing, notes = _pictures(root, frame, rows, pictures)
    frame.insert(1, "path", np.array(path, dtype=object))
    notes.append(Problem("scores", 0, file.name))
    return finished(
        root / file.name,
        frame,
        ABOUT,
        [*problems, *odd, *bad, *worse],
        notes,
        missing,
        low=0.0,
        high=1.0,
        higher_is_better=False,
    )


def _score_file(root: Path) -> Path:
    """The workbook, else the list. FileNotFoundError that names both."""
    there = listing(root)
    for name in (BOOK, LABELS):
        if found := there.get(name.lower()):
            contents.note(root / found)
            return root / found
    raise FileNotFoundError(
        f"{paths.shown(root)}: no score file; expected {BOOK} or {LABELS}{hint(root, BOOK)}"
    )


# ---------------------------------------------------------------- the two files
def _of_book(file: Path) -> tuple[_Scores, list[Problem]]:
    """The workbook's rows. FolderError for what is no workbook, and where no tab has the
    columns."""
    title, top, lines = _tab(file)
    header = lines.pop(top)
    wanted = [*COLUMNS, *(["dmos_std"] if "dmos_std" in header else [])]
    at = {column: header.index(column) for column in wanted}
    text = pd.DataFrame(
        {c: [cells[i] for cells in lines.values()] for c, i in at.items()}, [*lines], dtype=str
    )
    text = text[(text[list(COLUMNS)] != "").any(axis=1)]  # rows that are empty but for notes
    problems = [] if len(text) else [Problem("no rows", 0, title)]
    word = text["dst_type"].str.lower().map(TYPES)
    problems += [
        Problem("unknown dst_type", int(row), text["image"][row], f"{text['dst_type'][row]!r}")
        for row in text.index[word.isna()]
    ]
    word = word.fillna(text["dst_type"])
    name = text["image"] + "." + word + "." + text["dst_lev"] + ".png"
    return _Scores(
        name.where(text["image"] != "", ""), text["dmos"], text.get("dmos_std")
    ), problems


def _tab(file: Path) -> tuple[str, int, dict[int, list[str]]]:
    """The tab with the scores: its title, which row is its header, its rows below and with it.
    TAB where the workbook has it, else the first tab that has COLUMNS in one row."""
    book = read_book(file)
    for title in sorted(book, key=lambda title: title != TAB):
        for top, cells in book[title].items():
            if {*COLUMNS} <= {*cells}:
                return title, top, {n: line for n, line in book[title].items() if n >= top}
    raise FolderError(
        paths.shown(file),
        [
            Problem(
                "missing column",
                0,
                ", ".join(COLUMNS),
                f"no row of {', '.join(book)} has all of them; expected tab {TAB}",
            )
        ],
    )


def _of_lines(file: Path) -> tuple[_Scores, list[Problem]]:
    """The list's rows. FolderError where it cannot be read as text."""
    kept, problems = {}, []
    try:
        lines = decoded(file.read_bytes(), "utf-8").splitlines()
    except NoTable as e:
        raise FolderError(paths.shown(file), [e.problem]) from None
    for row, line in enumerate(lines, 1):
        cells = line.split()
        if len(cells) == 2:
            kept[row] = cells
        elif cells:
            problems.append(
                Problem("unexpected line", row, "", f"{line!r}, expected <file> <dmos>")
            )
    text = pd.DataFrame.from_dict(kept, orient="index", columns=["name", "dmos"], dtype=str)
    return _Scores(text["name"], text["dmos"], None), problems


# ---------------------------------------------------------------- pictures
def _pictures(
    root: Path, frame: pd.DataFrame, rows: pd.Index, pictures: bool
) -> tuple[list[str], list[Problem], list[Problem]]:
    """Paths of the pictures, missing ones, and notes on other files: in one folder a type, or all
    in one."""
    there = listing(root)
    if SPLIT not in there and FLAT in there:
        return find(root, FLAT, frame["id"].tolist(), rows.tolist(), pictures)
    folder = there.get(SPLIT, SPLIT)
    if pictures and SPLIT not in there:
        lacking = [Problem("missing folder", 0, f"{SPLIT}{hint(root, SPLIT)}, or {FLAT}")]
        return [""] * len(frame), lacking, []
    path = np.full(len(frame), "", dtype=object)
    problems, notes = list[Problem](), list[Problem]()
    for word in frame["type"].unique():
        mine = np.flatnonzero(frame["type"] == word)
        names, its = frame["id"].iloc[mine].tolist(), rows[mine].tolist()
        # a name of no known type has no folder, and is a problem already
        found, missing, more = find(root / folder, word, names, its, pictures and bool(word))
        path[mine] = [one and f"{folder}/{one}" for one in found]
        problems += [p._replace(name=f"{folder}/{p.name}") for p in missing]
        notes += [p._replace(name=f"{folder}/{p.name}") for p in more]
    return path.tolist(), problems, notes
