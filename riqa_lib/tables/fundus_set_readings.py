"""Sentences that read the figures of notebook 13 and the words of the Teacher on a set: what the
sets of fundus photographs are like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..checks import columns
from ..scales import DETAILS, FUNDUS_GRADES
from .names import BAD
from .text import markdown, percent


def show_counts(table: pd.DataFrame) -> str:
    """`fundus_grades.counts` as markdown: ours beside the published number, each with its share."""
    rows = [
        [
            *(row["set"], row["what"]),
            *(f"{row['ours']:,}", percent(row["our_share"])),
            *(_whole(row["published"]), _share(row["published_share"])),
        ]
        for row in table.to_dict("records")
    ]
    head = ["set", "what", "here", "share", "published", "share, published"]
    return markdown(head, rows, left=(0, 1)) + "\n"


def _whole(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}"


def _share(value: float) -> str:
    return "–" if pd.isna(value) else percent(value)


def pictures(shown: pd.DataFrame, frame: pd.DataFrame, classes: int = 3) -> str:
    """What the grades of the pictures of a sheet are, and of the whole set. Both: grade (-1 for
    none)."""
    columns(shown, ["grade"], "shown")
    told = [f"{(shown['grade'] == k).sum()} {word}" for k, word in _words(classes)]
    every = [f"{percent((frame['grade'] == k).mean())} {word}" for k, word in _words(classes)]
    first = f"Of these {len(shown)} pictures {', '.join(told)}"
    return f"{first}; of all {len(frame):,} {', '.join(every)}."


def _words(classes: int) -> Sequence[tuple[int, str]]:
    return list(enumerate(FUNDUS_GRADES[classes]))


def single_defects(frame: pd.DataFrame) -> str:
    """How many pictures and severities of one eye a sheet of single defects has, and from where on
    graders call the detail bad. frame: cause, severity and DETAILS (0 bad, 1 good), of one eye."""
    columns(frame, ["cause", "severity", *DETAILS], "frame")
    levels = sorted({float(s) for s in frame["severity"]})
    over = [s for s in levels if s >= 1]
    own = frame.apply(lambda row: row[row["cause"]], axis=1)
    bad = [frame.loc[(own == 0) & (frame["cause"] == d), "severity"].min() for d in DETAILS]
    said = ", ".join(f"{d} from {s:g} on" for d, s in zip(DETAILS, bad, strict=True) if s == s)
    return (
        f"{len(frame)} pictures of one eye, {len(levels)} severities of each of {len(DETAILS)} "
        f"details, from {levels[0]:g} to {levels[-1]:g}; {len(over)} of the {len(levels)} are "
        f"1 or more, the graders' own threshold. Labelled {BAD}: {said or 'none'}."
    )


def circle_errors(errors: pd.DataFrame) -> str:
    """How near found fields of view are to the true ones, and the worst, in shares of the radius.
    errors: centre, radius, confidence, as `fundus_data.field_check` returns."""
    columns(errors, ["centre", "radius", "confidence"], "errors")
    near = [
        f"of the {name} below {errors[name].median():.2%} in half of {len(errors)} frames, below "
        f"{errors[name].quantile(0.95):.2%} in 95 %"
        for name in ("centre", "radius")
    ]
    worst = errors.loc[errors["radius"].idxmax()]
    sure = "it says so" if worst["confidence"] < 0.5 else "and it does not notice"
    return (
        f"Error {'; '.join(near)}, in shares of the radius. The worst radius is off by "
        f"{worst['radius']:.1%}, with a confidence of {worst['confidence']:.2f}: {sure}."
    )


def picture_space(pixels: np.ndarray, levels: Sequence[float]) -> str:
    """What each detail takes from the pictures of `figures.fundus_space.picture_space`, all else
    perfect: the mean grey level by illumination, the finest differences by clarity, the spread of
    grey levels by contrast. pixels: uint8 (K, K, K, S, S, 3), by contrast, clarity,
    illumination."""
    grey = pixels.astype(float).mean(axis=-1)
    side = grey.shape[-1]
    a, b = int(0.3 * side), int(0.7 * side)  # a square within every field
    grey = grey[..., a:b, a:b]
    last = -1
    light = (grey[0, 0, 0].mean(), grey[0, 0, last].mean())
    edges = [np.abs(np.diff(grey[0, k, 0], axis=1)).mean() for k in (0, last)]
    spread = [grey[k, 0, 0].std() for k in (0, last)]
    return (
        f"From severity {levels[0]:g} to {levels[-1]:g}, in the middle of the field: illumination "
        f"takes the mean grey level from {light[0]:.0f} to {light[1]:.0f} (of 255), clarity the "
        f"mean difference of neighbours from {edges[0]:.2f} to {edges[1]:.2f}, contrast the "
        f"standard deviation from {spread[0]:.1f} to {spread[1]:.1f}."
    )


def detail_space(frame: pd.DataFrame, classes: int = 3) -> str:
    """How graders' overall grade follows the severities: of pictures with none above 1, and with
    two or more. frame: severity_<detail>, grade."""
    severities = frame[[f"severity_{d}" for d in DETAILS]].to_numpy(float)
    above = (severities > 1).sum(axis=1)
    words = FUNDUS_GRADES[classes]
    told = []
    for name, rows, grade in (
        ("no severity above 1", above == 0, classes - 1),
        ("two or more above 1", above >= 2, 0),
    ):
        if not rows.any():
            told.append(f"there is no picture with {name}")
            continue
        share = percent((frame["grade"].to_numpy()[rows] == grade).mean())
        told.append(f"of {rows.sum():,} pictures with {name} {share} are {words[grade]}")
    said = "; ".join(told)
    return f"{said[0].upper()}{said[1:]}."


# ---------------------------------------------------------------- what the Teacher says of a set
def show_said(table: pd.DataFrame) -> str:
    """`training.fundus.what_the_teacher_says` of several sets, index (set, grade), as markdown."""
    rows = [
        [*map(str, at), *(f"{row[d]:.2f}" for d in DETAILS), f"{int(row['pictures']):,}"]
        for at, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    head = ["set", "overall grade", *(f"{d}: good" for d in DETAILS), "pictures"]
    return markdown(head, rows, left=(0, 1)) + "\n"


def said_of_a_set(table: pd.DataFrame, learnt: pd.DataFrame) -> str:
    """What those means say: how far the Teacher's mean probabilities of good lie apart between the
    worst and the best overall grade, and which details it calls good in less than half of the
    pictures that people call good. table: as of `show_said`; the grades of a set worst first;
    learnt: the set that the Teacher learns from."""
    lines = []
    for on, part in table.groupby(level=0, sort=False):
        worst, best = part.iloc[0], part.iloc[-1]
        name = part.index[-1][1]
        steps = [f"{d} {worst[d]:.2f} to {best[d]:.2f}" for d in DETAILS]
        low = [d for d in DETAILS if best[d] < 0.5]
        falls = [d for d in DETAILS if best[d] <= worst[d]]
        said = f"- {on}: from {part.index[0][1]} to {name} the mean rises: {', '.join(steps)}."
        if falls:
            said = f"- {on}: {', '.join(steps)}; it does not rise in {', '.join(falls)}."
        if low:
            of = ", ".join(f"{d} {percent((learnt[d] == 1).mean())}" for d in low)
            said += (
                f" Even of {name} pictures its mean for good {' and '.join(low)} is below 1/2, so "
                "as a pseudo-label it leans to bad where people say good overall. (Good in the set "
                f"that it learns from: {of}.)"
            )
        lines.append(said)
    return "\n".join(lines)


def show_sources(frame: pd.DataFrame) -> str:
    """Pictures of each source of a set with details, and the share called good, as markdown. frame:
    split, source, DETAILS (0 bad, 1 good)."""
    rows = [
        [source, split, f"{len(part):,}", *(percent((part[d] == 1).mean()) for d in DETAILS)]
        for (split, source), part in frame.groupby(["split", "source"], sort=False)
    ]
    head = ["source", "split", "pictures", *(f"{d}: good" for d in DETAILS)]
    return markdown(head, rows, left=(0, 1)) + "\n"
