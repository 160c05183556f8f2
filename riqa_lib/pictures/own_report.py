"""Your own pictures, looked at before anything is trained on them.

    print(check("photos", "scores.csv", id="name", score="MOS", low=1, high=10))

tells how many there are and how large, what detail is lost at the working size, grades in each
split, whether validation can choose by so few, pictures that are there twice or nearly, scores that
hardly fit their range, files that can't be read. `riqa check` prints the same, notebook 01 too."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from .. import bars, store
from ..datasets.folder import read_folder
from ..datasets.grade_report import LOOK, NOTE, STOP, Remark, on_grades, on_scores, per_split
from ..datasets.problems import FolderError, Problem, listed
from ..seeding import rng
from . import lost_detail, near_duplicates, told
from .photo_data import DataConfig, processes_at_most
from .reading import MAX_PIXELS, read

SAMPLE = 12  # pictures that are read at full size, for the detail that is lost
WORDS = {STOP: "STOP", LOOK: "look", NOTE: "note"}
ORDER = (STOP, LOOK, NOTE)


@dataclass
class Report:
    """What was found. pictures: how many could be read; remarks: what to know or do, the worst
    first; problems: of single rows and files, for a table; sizes, detail, grades, pairs: tables
    (see `text`). `works`: whether training could."""

    pictures: int
    size: int
    scale: str
    remarks: list[Remark] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sizes: pd.DataFrame = field(default_factory=pd.DataFrame)
    detail: pd.DataFrame = field(default_factory=pd.DataFrame)
    grades: pd.DataFrame = field(default_factory=pd.DataFrame)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def works(self) -> bool:
        """Whether nothing was found that would stop training."""
        return all(remark.level != STOP for remark in self.remarks)

    def __str__(self) -> str:
        parts = [f"{self.pictures:,} pictures can be read; working size {self.size} px"]
        if not self.pictures and any(remark.about == "table" for remark in self.remarks):
            parts = ["No picture was looked at: what is wrong with the table comes first"]
        titles = {
            "sizes": "Sizes in px",
            "detail": "What a defect, put on a picture at its own size, changes (grey levels of "
            f"256) there and made small; under {lost_detail.VISIBLE:g} next to nothing is left",
            "grades": "Grades in each split",
        }
        for name, title in titles.items():
            table = getattr(self, name)
            if len(table):
                parts.append(f"{title}\n{_indented(table.to_string(float_format='{:.2f}'.format))}")
        said = [f"{WORDS[r.level]}  {r.about}: {r.text}" for r in self.remarks]
        return "\n\n".join([*parts, "\n".join(said) or "Nothing to remark."])


def check(
    root: Path | str,
    table: Path | str,
    *,
    size: int = 80,
    scale: str = "fit",
    labels: int = 0,
    bad: str = "stop",
    max_pixels: int = MAX_PIXELS,
    processes: int = 1,
    progress: bool = True,
    **declared: Any,
) -> Report:
    """Look at a folder of pictures and its table as training would see them.

    size, scale, labels, bad, max_pixels: as data.size and so on. declared: the keywords of
    datasets.folder.read_folder. All that is wrong is in the report; raises FileNotFoundError
    without root or table, ValueError or TypeError for a declaration that makes no sense."""
    root, fractions = Path(root), declared.get("fractions", (0.8, 0.1, 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its notes are told below
        try:
            frame, problems = read_folder(root, table, bad=bad, **declared), list[Problem]()
        except FolderError as e:
            frame, problems = pd.DataFrame() if e.good is None else e.good, e.problems
            if "path" in frame:  # a picture with several rows is looked at once
                frame = frame.drop_duplicates("path", ignore_index=True)
    report = Report(0, size, scale, _of_table(problems, frame), [*problems])
    seen, unreadable = _looked(frame, root, max_pixels, processes, progress)
    report.problems += unreadable
    report.remarks += _of_unreadable(unreadable, len(frame), bad)
    frame = frame[[one is not None for one in seen]].reset_index(drop=True)
    found = [one for one in seen if one is not None]
    report.pictures = len(found)
    if found:
        _sizes(report, frame, found)
        _detail(report, frame, root, found, max_pixels)
        _twice(report, frame, found)
    if not problems and found:
        _grades(report, frame, None if declared.get("split") else fractions, labels)
    report.remarks.sort(key=_how_bad)
    return report


def of_settings(d: DataConfig, progress: bool = True) -> Report:
    """`check` as the plan's data settings say (data.source is "folder")."""
    declared = {"fractions": d.fractions, "seed": d.world, **d.folder}
    declared.pop("name", None)
    how = {key: getattr(d, key) for key in ("size", "scale", "labels", "bad", "max_pixels")}
    processes = processes_at_most()
    return check(**how, **declared, processes=processes, progress=progress)


def write_problems(report: Report, file: Path | str) -> None:
    """All problems and near-duplicates as a table: file, row, kind, what."""
    lines = [(p.name, p.row, p.kind, p.found) for p in report.problems]
    store.write_table(Path(file), pd.DataFrame(lines, columns=told.COLUMNS))


# ---------------------------------------------------------------- what could be read
class Looked(NamedTuple):
    """One picture: (width, height) of its file, its hash or None (near_duplicates.bits_of), how it
    was read."""

    size: tuple[int, int]
    bits: np.ndarray | None
    notes: list[Problem]


def _look(max_pixels: int, job: tuple[int, str, Path]) -> Looked | Problem:
    row, name, file = job
    try:
        picture = read(file, near_duplicates.LEAST, max_pixels)
    except ValueError as e:
        return Problem("unreadable picture", row, name, str(e))
    notes = [Problem(kind, row, name, what) for kind, what in picture.notes]
    return Looked(picture.size, near_duplicates.bits_of(picture.image), notes)


def _looked(
    frame: pd.DataFrame, root: Path, max_pixels: int, processes: int, progress: bool
) -> tuple[list[Looked | None], list[Problem]]:
    """Each picture of the frame, None for one that can't be read; those as problems."""
    jobs = [
        (int(row), str(name), root / path)
        for row, name, path in frame.reindex(columns=["row", "id", "path"]).itertuples(index=False)
    ]
    with ThreadPoolExecutor(processes) as pool:
        looking = pool.map(functools.partial(_look, max_pixels), jobs)
        done = list(bars.bar(looking, desc="look", total=len(jobs), unit="picture", shown=progress))
    problems = [one for one in done if isinstance(one, Problem)]
    return [None if isinstance(one, Problem) else one for one in done], problems


def _of_table(problems: Sequence[Problem], frame: pd.DataFrame) -> list[Remark]:
    """Remarks on what read_folder found."""
    if problems:
        text = f"{len(problems)} problems, with which training would not begin\n{listed(problems)}"
        return [Remark(STOP, "table", text)]
    notes = [Problem(*note) for note in frame.attrs.get("notes", [])]
    return [Remark(NOTE, "table", f"worth knowing\n{listed(notes)}")] if notes else []


def _of_unreadable(problems: Sequence[Problem], n: int, bad: str) -> list[Remark]:
    if not problems:
        return []
    text = f"{len(problems)} of {n} can't be read\n{listed(problems)}"
    if len(problems) == n:
        return [Remark(STOP, "pictures", text)]
    if bad == "skip":
        return [Remark(LOOK, "pictures", f"left out, since bad is skip: {text}")]
    return [Remark(STOP, "pictures", f"training stops at them; bad=skip leaves them out: {text}")]


# ---------------------------------------------------------------- sizes, detail
def _sizes(report: Report, frame: pd.DataFrame, found: Sequence[Looked]) -> None:
    sides = np.sort(np.array([one.size for one in found]), axis=1)  # (N, 2)
    shorter, columns = sides[:, 0], ["smallest", "median", "largest"]
    quantiles = [np.quantile(sides[:, k], [0, 0.5, 1], method="lower") for k in (0, 1)]
    report.sizes = pd.DataFrame(quantiles, ["shorter side", "longer side"], columns).astype(int)
    notes = [note for one in found for note in one.notes]
    if notes:
        report.problems += notes
        text = f"read, but something is worth knowing\n{listed(notes)}"
        report.remarks.append(Remark(NOTE, "pictures", text))
    small = np.flatnonzero(shorter < report.size).tolist()
    told_small = [
        Problem("smaller than the working size", int(row), str(name), f"{w} x {h} px")
        for row, name, (w, h) in zip(
            frame["row"][small], frame["id"][small], [found[i].size for i in small], strict=True
        )
    ]
    if told_small:
        report.problems += told_small
        text = "made larger, which adds no detail: a network takes them for blurred"
        report.remarks.append(Remark(LOOK, "sizes", f"{text}\n{listed(told_small)}"))
    if report.scale == "native":
        seen = float(np.median((np.minimum(report.size, sides) / sides).prod(axis=1)))
        text = f"the network sees the centre as it is, {100 * seen:.2g} % of the median picture; "
        text += "what is wrong elsewhere it does not see"
        report.remarks.append(Remark(LOOK if seen < 0.1 else NOTE, "detail", text))


def _detail(
    report: Report, frame: pd.DataFrame, root: Path, found: Sequence[Looked], max_pixels: int
) -> None:
    """Measure on a sample what is lost at the working size and at larger ones."""
    shorter = np.array([min(one.size) for one in found])
    large = np.flatnonzero(shorter > report.size)
    if report.scale == "native" or not len(large):
        return
    chosen = rng("report", len(frame)).permutation(large)[:SAMPLE]
    median = int(np.median(shorter[chosen]))
    sizes = [report.size * 2**k for k in range(12) if report.size * 2**k < median or not k]
    files = [root / path for path in frame["path"].iloc[np.sort(chosen)]]
    report.detail = lost_detail.measure(_whole(files, max_pixels), sizes)
    gone = lost_detail.vanished(report.detail, report.size)
    if not gone:
        text = f"blur and noise as measured are still there at {report.size} px"
        report.remarks.append(Remark(NOTE, "detail", text))
        return
    enough = lost_detail.enough(report.detail)
    text = f"at {report.size} px next to nothing is left of {'; '.join(gone)} (measured on "
    text += f"{len(files)} pictures of {median} px, median), so pictures graded by them look alike "
    text += f"to a network. With data.size={enough} none of these vanishes; or " if enough else ". "
    text += "data.scale=native takes the centre as it is"
    report.remarks.append(Remark(LOOK, "detail", text))


def _whole(files: Sequence[Path], max_pixels: int) -> Iterator[Image.Image]:
    """The pictures at full size, one at a time."""
    for file in files:
        yield read(file, None, max_pixels).image


# ---------------------------------------------------------------- twice, grades
def _twice(report: Report, frame: pd.DataFrame, found: Sequence[Looked]) -> None:
    """Near-duplicates, above all across splits."""
    usable = [i for i, one in enumerate(found) if one.bits is not None]
    if len(found) - len(usable):
        text = f"{len(found) - len(usable)} pictures are nearly without detail (one colour, black)"
        report.remarks.append(Remark(NOTE, "pictures", text))
    if len(usable) < 2:
        return
    rows = frame.iloc[usable].reset_index(drop=True)
    bits = np.array([found[i].bits for i in usable])
    if "grade" not in rows:
        rows = rows.assign(grade=-1, split="")
    graded = (rows["grade"] >= 0).to_numpy()
    near = near_duplicates.pairs(bits, graded if graded.any() else None)
    one, other = (rows.iloc[near[k]].reset_index(drop=True) for k in ("one", "other"))
    report.pairs = pd.DataFrame(
        {
            "id": one["id"],
            "other": other["id"],
            "distance": near["distance"],
            "split": one["split"],
            "other split": other["split"],
            "grade": one["grade"],
            "other grade": other["grade"],
        }
    )
    if len(near):
        _of_pairs(report, rows, near, near_duplicates.scenes(near, len(rows)))


def _of_pairs(report: Report, rows: pd.DataFrame, near: pd.DataFrame, scene: np.ndarray) -> None:
    """Problems and remarks on the pairs; scene (N,): which pictures of rows show the same."""
    told_pairs = [
        Problem("near-duplicate", int(rows["row"][j]), rows["id"][j], _pair(rows, i, j, d))
        for i, j, d in near.itertuples(index=False)
    ]
    told_pairs.sort(key=_within_a_split)
    report.problems += told_pairs
    sizes = pd.Series(scene).map(pd.Series(scene).value_counts())
    several = rows.assign(scene=scene)[(sizes > 1).to_numpy()]
    n = several["scene"].nunique()
    splits = several[several["split"] != ""].groupby("scene")["split"].nunique()
    across = int((splits > 1).sum())
    text = f"{len(several)} pictures show {n} scene{'s' * (n > 1)}, each nearly the same"
    if across:
        text += f"; {across} of these scenes are in more than one split, so that validation or "
        text += "test know them from training. Declare a column that is one name a scene: group="
    report.remarks.append(
        Remark(LOOK if across else NOTE, "twice", f"{text}\n{listed(told_pairs)}")
    )


def _within_a_split(problem: Problem) -> bool:
    """For sorting: pairs that two splits share come first."""
    return " and " not in problem.found.partition("; grades")[0]


def _pair(rows: pd.DataFrame, i: int, j: int, distance: int) -> str:
    text = f"like {rows['id'][i]}, {distance} of {near_duplicates.SIDE**2} bits differ"
    if rows["split"][i] != rows["split"][j]:
        text += f"; {rows['split'][i]} and {rows['split'][j]}"
    grades = rows["grade"][i], rows["grade"][j]
    if len({*grades, -1}) < 3:
        return text
    names = rows.attrs["scale"]["grades"]
    return f"{text}; grades {names[grades[0]]} and {names[grades[1]]}"


def _grades(
    report: Report, frame: pd.DataFrame, fractions: Sequence[float] | None, labels: int
) -> None:
    """Grades in each split, and remarks on them and on the scores they are made from."""
    scale = frame.attrs["scale"]
    names, low, high = scale["grades"], scale["low"], scale["high"]
    report.grades = per_split(frame, names)
    report.remarks += on_grades(frame, names, fractions, labels)
    if scale["score"]:
        scores = frame.loc[frame["grade"] >= 0, "score"].to_numpy(float)
        scores = scores if scale["higher_is_better"] else low + high - scores  # as in the table
        report.remarks += on_scores(scores, low, high, scale["rule"], len(names))


def _how_bad(remark: Remark) -> int:
    return ORDER.index(remark.level)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
