"""MSHF (Jin et al., Scientific Data 10:286, 2023): fundus photographs of several cameras, graded by
three readers.

1,302 pictures, each with illumination, clarity, contrast and overall quality by three readers, 1
good and 0 bad. The 500 ultra-wide-field mosaics (200 degrees) are left out, which leaves 802.
Labels are the majority of the three readers, from Individual_scores.xlsx.xlsx (two header rows).
MSHF_quality_scores.xlsx has the agreed scores and serves as a check only: its tab DR-ZJU holds
zeros for all 1,302 pictures, so a tab of zeros, or of pictures of other groups, is refused.

No patients are known: groups are sources. The authors' split (AI-use) shares sources between train
and test; `hold_out` makes one that does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from ..scales import DETAILS
from .about import About, absent, doubled, finished, listing, need_file, need_folder, others
from .problems import FolderError, Problem
from .sheets import Rows, read_book

SCORES = (*DETAILS, "overall")
READERS = (1, 6, 11)  # where a reader's four columns begin: B-E, G-J, L-O

DEVICES = dict.fromkeys(("DR-XJU", "DR-ZJU", "Glaucoma", "Healthy"), "colour") | dict.fromkeys(
    ("Local1", "Local2"), "portable"
)

WIDE = "UWF-mosaic"
SUFFIXES = (".jpg", ".jpeg", ".png")

ABOUT = About(
    key="mshf",
    title="MSHF",
    used_for="fundus Teacher: illumination, clarity, contrast",
    licence="CC BY 4.0",
    where="https://doi.org/10.6084/m9.figshare.21507564",
    layout="""
Individual_scores.xlsx.xlsx
MSHF_quality_scores.xlsx           optional, a check
Original/<group>/<group>-<n>.jpg   groups DR-XJU, DR-ZJU, Glaucoma, Healthy, Local1, Local2 \
(UWF-mosaic is not used)
AI-use/train/<group>-<n>.jpg       and AI-use/test/: the authors' split
""",
    counts={
        "pictures": 802,
        "colour": 500,
        "portable": 302,
        "DR-XJU": 235,
        "DR-ZJU": 187,
        "Glaucoma and Healthy": 78,
        "train": 642,
        "test": 160,
        "test bad": 98,
    },
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    chosen = {
        **{device: frame["device"] == device for device in ("colour", "portable")},
        **{source: frame["source"] == source for source in ("DR-XJU", "DR-ZJU")},
        "Glaucoma and Healthy": frame["source"].isin(["Glaucoma", "Healthy"]),
        **{split: frame["split"] == split for split in ("train", "test")},
        "test bad": (frame["split"] == "test") & (frame["overall"] == 0),
    }
    return {"pictures": len(frame)} | {name: int(rows.sum()) for name, rows in chosen.items()}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a photograph: id ("DR-XJU-30"), path, group (= source), source, split (the authors':
    train or test; pool where AI-use does not have it), grade (0 bad, 2 good: the ends of the three
    grades), score (nan), illumination, clarity, contrast, overall (majority of the readers, 0 bad,
    1 good), the readers' own votes illumination_1 to overall_3, device (colour or portable).

    path is the original, or the copy in AI-use where there is no original; copies are known by
    their names without suffix (two are .png there and .jpg among the originals). pictures=False
    reads the tables, and names of files only for the split. Raises FileNotFoundError without folder
    or table; FolderError with everything wrong."""
    root = need_folder(root, ABOUT)
    file = need_file(root, "Individual_scores.xlsx.xlsx")
    frame, problems = _individual(file)
    wide = frame["source"] == WIDE
    notes = []
    if wide.any():
        notes.append(Problem("ultra-wide-field pictures, left out", 0, "", str(int(wide.sum()))))
    frame = frame[~wide].reset_index(drop=True)
    if frame.empty:
        problems.append(Problem("no rows", 0, "", f"expected pictures of {', '.join(DEVICES)}"))
    split, copies, found = _splits(root)
    problems += found
    frame["split"] = [split.get(i.lower(), "pool") for i in frame["id"]]
    unsplit = int((frame["split"] == "pool").sum())
    if unsplit:
        kind = "in neither AI-use/train nor AI-use/test"
        notes.append(Problem(kind, 0, "", f"{unsplit} of {len(frame)}"))
    path = [f"Original/{s}/{i}.jpg" for i, s in zip(frame["id"], frame["source"], strict=True)]
    if pictures:
        originals, expected = _originals(root), [f"{p} or a copy in AI-use/" for p in path]
        names = [i.lower() for i in frame["id"]]
        path = [originals.get(name) or copies.get(name, "") for name in names]
        problems += absent(frame["id"], frame["row"], path, expected)
        notes += others("Original/", len(originals.keys() - {*names}))
    frame.insert(1, "path", np.array(path, dtype=object))
    notes += _checked(root, frame)
    return finished(
        file,
        frame.drop(columns="row"),
        ABOUT,
        problems,
        notes,
        low=0.0,
        high=2.0,
        higher_is_better=True,
        classes=3,
    )


def hold_out(frame: pd.DataFrame, sources: Iterable[str]) -> pd.DataFrame:
    """The frame with these sources as test and all others as train; author_split keeps the split
    that it had.

    The only split that no source (and so no patient) shares, and the only one that a data folder
    takes, since groups are sources. Raises ValueError unless the sources are in the frame, and
    leave some for train."""
    chosen, there = {*sources}, {*frame["source"]}
    if not chosen or not chosen < there:
        raise ValueError(
            f"sources to hold out {sorted(chosen)}: expected some, not all, of "
            f"{', '.join(sorted(there))}"
        )
    split = np.where(frame["source"].isin(chosen), "test", "train")
    return frame.assign(split=split, author_split=frame["split"])


def source_of(stem: str) -> str:
    """The source that a picture's name begins with, "" for none: "DR-XJU-30" is of DR-XJU."""
    name, _, n = stem.rpartition("-")
    known = {s.lower(): s for s in (*DEVICES, WIDE)}
    return known.get(name.lower(), "") if n.isdigit() else ""


def agreed(file: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """Agreed scores of MSHF_quality_scores.xlsx: index id, columns illumination, clarity, contrast,
    overall; notes.

    Refused, and noted: a tab of zeros only, and a tab with pictures of another group than its name
    says."""
    kept: dict[str, list[int]] = {}
    notes = []
    for tab, rows in read_book(file).items():
        stems = {Path(cells[0]).stem: cells[1:5] for cells in rows.values()}
        scores = {stem: cells for stem, cells in stems.items() if source_of(stem)}
        why = _refusal(tab, scores)
        if why:
            notes.append(Problem("tab refused", 0, f"{file.name}: {tab}", why))
        else:
            kept |= {
                stem: [int(c) for c in cells]
                for stem, cells in scores.items()
                if {*cells} <= {"0", "1"} and len(cells) == 4
            }
    return pd.DataFrame.from_dict(kept, orient="index", columns=list(SCORES)), notes


def _refusal(tab: str, scores: dict[str, list[str]]) -> str:
    """Why the scores of a tab cannot be what its name says; "" where they can. (A tab of several
    groups may bear any name that is none of a group.)"""
    sources = {source_of(stem) for stem in scores}
    named = source_of(f"{tab}-1")
    foreign = ", ".join(sorted(sources - {tab} if len(sources) > 1 or named else ()))
    if scores and all(cell in ("", "0") for cells in scores.values() for cell in cells):
        return f"{len(scores)} pictures{f' of {foreign} too' if foreign else ''}, all zero"
    return f"has pictures of {foreign}" if foreign else ""


def _individual(file: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """The readers' votes and their majority, without paths and split; row: the sheet's."""
    rows = next(iter(read_book(file).values()), {})
    _check_header(file, rows)
    data = {row: cells for row, cells in list(rows.items())[2:] if cells[0]}
    problems = [] if data else [Problem("no rows", 0, "")]
    stems = [Path(cells[0]).stem for cells in data.values()]
    problems += doubled(stems, data)
    sources = [source_of(stem) for stem in stems]
    expected = f"expected <group>-<number> of {', '.join((*DEVICES, WIDE))}"
    problems += [
        Problem("unknown source", row, cells[0], expected)
        for (row, cells), s in zip(data.items(), sources, strict=True)
        if not s
    ]
    votes, bad = _votes(data)
    problems += bad
    majority = (votes.sum(axis=1) >= 2).astype(int)
    frame = pd.DataFrame(
        {
            "id": stems,
            "group": sources,
            "source": sources,
            "split": "",
            "grade": 2 * majority[:, SCORES.index("overall")],
            "score": np.nan,
            **{name: majority[:, j] for j, name in enumerate(SCORES)},
            **_by_reader(votes),
            "device": [DEVICES.get(s, "") for s in sources],
            "row": list(data),
        }
    )
    return frame, problems


def _votes(data: Rows) -> tuple[np.ndarray, list[Problem]]:
    """The readers' votes (pictures, readers, scores), 0 or 1, and the cells that are neither."""
    votes = np.zeros((len(data), len(READERS), len(SCORES)), int)
    problems = []
    for i, (row, cells) in enumerate(data.items()):
        for k, first in enumerate(READERS):
            for j, name in enumerate(SCORES):
                cell = cells[first + j] if first + j < len(cells) else ""
                if cell in ("0", "1"):
                    votes[i, k, j] = int(cell)
                else:
                    found = f"reader {k + 1}, {name}: {cell!r}, expected 0 or 1"
                    problems.append(Problem("bad vote", row, cells[0], found))
    return votes, problems


def _by_reader(votes: np.ndarray) -> dict[str, np.ndarray]:
    """The columns illumination_1 to overall_3."""
    return {
        f"{name}_{k + 1}": votes[:, k, j]
        for j, name in enumerate(SCORES)
        for k in range(len(READERS))
    }


def _check_header(file: Path, rows: Rows) -> None:
    """Raises FolderError unless the two header rows are as published."""
    two = [cells for _, cells in list(rows.items())[:2]]
    problems = []
    if len(two) < 2 or two[0][0].lower() != "image name":
        problems.append(
            Problem(
                "unexpected header", 1, "A", f"{two[0][0] if two else ''!r}, expected 'image name'"
            )
        )
    for k, first in enumerate(READERS):
        found = [c.lower() for c in two[1][first : first + 4]] if len(two) == 2 else []
        if found != list(SCORES):
            columns = f"{chr(65 + first)}-{chr(68 + first)}"
            problems.append(
                Problem(
                    "unexpected header",
                    2,
                    f"reader {k + 1}, columns {columns}",
                    f"{', '.join(found) or 'nothing'}, expected {', '.join(SCORES)}",
                )
            )
    if problems:
        raise FolderError(paths.shown(file), problems)


def _stems(names: Iterable[str]) -> dict[str, str]:
    """Pictures among file names: lower-case stem -> name."""
    return {
        Path(name).stem.lower(): name for name in names if Path(name).suffix.lower() in SUFFIXES
    }


def _originals(root: Path) -> dict[str, str]:
    """Lower-case stem -> path of the pictures in Original/<group>/, without the ultra-wide-field
    group."""
    top = listing(root).get("original", "Original")
    folders = [
        name for key, name in listing(root / top).items() if key in {s.lower() for s in DEVICES}
    ]
    return {
        stem: f"{top}/{f}/{name}"
        for f in folders
        for stem, name in _stems(listing(root / top / f).values()).items()
    }


def _splits(root: Path) -> tuple[dict[str, str], dict[str, str], list[Problem]]:
    """Of AI-use: lower-case stem -> split; -> path; pictures that are in both halves."""
    top = listing(root).get("ai-use", "AI-use")
    split: dict[str, str] = {}
    path: dict[str, str] = {}
    problems = []
    for half in ("train", "test"):
        folder = listing(root / top).get(half, half)
        for stem, name in _stems(listing(root / top / folder).values()).items():
            if stem in split:
                problems.append(Problem("in both halves of AI-use", 0, name, f"also {path[stem]}"))
            split[stem], path[stem] = half, f"{top}/{folder}/{name}"
    return split, path, problems


def _checked(root: Path, frame: pd.DataFrame) -> list[Problem]:
    """What the agreed scores say of the majority, where they are there."""
    name = listing(root).get("mshf_quality_scores.xlsx")
    if name is None:
        return []
    scores, notes = agreed(root / name)
    both = frame.set_index("id").join(scores.add_suffix("_agreed"), how="inner")
    same = {s: int((both[s] == both[f"{s}_agreed"]).sum()) for s in SCORES}
    text = ", ".join(f"{s} {n}" for s, n in same.items())
    return [
        *notes,
        Problem("agreed scores equal to the majority", 0, name, f"of {len(both)} pictures: {text}"),
    ]
