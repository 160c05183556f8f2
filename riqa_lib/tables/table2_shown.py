"""Table 2 as markdown, in tables that fit a page: what the rows reach, what decides between them,
the paper's columns, what these leave out. Every column is in the CSV that `kept` names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import paths, store
from .against_base import outdone_by
from .fitting import BOLD, called, fitted, marked, shared
from .grade_columns import POINTS, classes_in, columns_of, names_in, shown
from .names import ALWAYS, CONSTANT, RATER, UNTRAINED
from .table2 import change, verdict
from .text import cell, cell_of, kind_of

DECIDES = ("", "MAE − supervised", "could show, MAE", "Holm p", "verdict", "published MAE")


AS_PUBLISHED = "the same, as published"  # a row of the paper below ours


def show_table(frame: pd.DataFrame, kind: str = "summary") -> str:
    """A `table2.table2` as markdown, with what its numbers are below it. Numbers that the table
    lacks show "–"; where all rows have the same labels or seeds, the line below says so once, else
    a row's name does.

    kind: "summary" (what the rows reach, then what decides between them), "paper" (the paper's
    columns, of all grades and of the two best, its own number below ours), "hidden" (what these
    leave out: grades one by one, all but the two best, accuracy) or "correlation". ValueError for
    another."""
    columns = shown(kind, classes_in(frame))
    frame = _once(frame)
    rows = _of_the_paper(frame) if kind == "paper" else frame
    tables = [_measures(rows, columns, beside=kind == "paper")]
    if kind == "summary":
        tables.append(_decides(frame))
    return "\n\n".join([*tables, _note(frame, kind)]) + "\n"


def _once(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the constant that the best constant's name says already.

    >>> rows = {"method": ["constant", "always_2", "always_3"]}
    >>> rows["row"] = ["best constant (always 2)", "always 2", "always 3"]
    >>> _once(pd.DataFrame(rows))["row"].tolist()
    ['best constant (always 2)', 'always 3']
    """
    best = " ".join(frame.loc[frame["method"] == CONSTANT, "row"])
    twice = [m in ALWAYS and f"({row})" in best for m, row in frame[["method", "row"]].to_numpy()]
    return frame[~np.array(twice, dtype=bool)]


def kept(frame: pd.DataFrame, name: str, stem: str) -> str:
    """Write every column to results/<name>/tables/<stem>.csv; the sentence that names the file."""
    file = store.write_table(paths.results(name) / "tables" / f"{stem}.csv", frame)
    return f"All columns: `{paths.shown(file)}`."


def _of_the_paper(frame: pd.DataFrame) -> pd.DataFrame:
    """The paper's rows, and those that look at no picture; all where none is the paper's."""
    printed = frame["published_mae"].notna()
    return frame[printed | frame["method"].isin(UNTRAINED)] if printed.any() else frame


def _measures(frame: pd.DataFrame, columns: Sequence[str], beside: bool) -> str:
    """A line a row, a column a metric, the best in bold (people are no method). beside: with the
    paper's number in a line below ours."""
    every = frame.to_dict("records")
    titles = columns_of(classes_in(frame), names_in(frame)) | POINTS
    columns_said = []
    for metric in columns:
        values = [np.nan if row["method"] == RATER else row.get(metric, np.nan) for row in every]
        cells = [cell_of(row, metric) for row in every]
        columns_said.append(marked(cells, values, lower=titles[metric].endswith("↓")))
    lines: list[list[str]] = []
    for i, (row, name) in enumerate(zip(every, called(every), strict=True)):
        lines.append([name, *(said[i] for said in columns_said)])
        if beside and pd.notna(row["published_mae"]):
            printed = [cell(row.get(f"published_{m}", np.nan)) for m in columns]
            lines.append([AS_PUBLISHED, *printed])
    return fitted(["", *(titles[m] for m in columns)], lines)


def _decides(frame: pd.DataFrame) -> str:
    """What decides whether a row is better than the supervised one. Without the columns in which no
    row has anything: what could be shown where no row has three seeds, published numbers where none
    of the paper's rows is there."""
    every = frame.to_dict("records")
    lines = [
        [
            name,
            change(row),
            cell(row.get("could_show", np.nan), digits=3),
            cell(row.get("p_holm", np.nan), digits=3),
            _said(verdict(row), outdone_by(row, every)),
            cell(row["published_mae"]),
        ]
        for row, name in zip(every, called(every), strict=True)
    ]
    known = [k for k in range(len(DECIDES)) if any(line[k] != "–" for line in lines)]
    head = [DECIDES[k] for k in known]
    return fitted(head, [[line[k] for k in known] for line in lines], (0, head.index("verdict")))


def _said(verdict: str, outdone: Sequence[str]) -> str:
    """
    >>> _said("worse", ["ridge", "forest"]), _said("better", [])
    ('worse; MAE not below ridge, forest', 'better')
    """
    return f"{verdict}; MAE not below {', '.join(outdone)}" if outdone else verdict


def _note(frame: pd.DataFrame, kind: str) -> str:
    data = kind_of((frame["data"] == "simulated").all())
    same = shared(frame.to_dict("records"))
    note = (
        f"{data}, {int(frame['pictures'].max())} test pictures{same and f', {same}'}. {BOLD} In "
        "brackets: 95 % percentile intervals of a bootstrap that resamples pictures (by group) and "
        "seeds together (they count the residual of picture and seed more than once; with one seed "
        "they say nothing about other seeds)."
    )
    if kind == "summary":
        note += (
            " MAE − supervised: paired, with a 95 % interval that counts pictures, seeds and the "
            "residual once each; could show: the smallest true difference that would be decided "
            "with probability 80 % at these seeds and pictures. Verdict: by that interval and, for "
            "the paper's five methods, by its p-value after Holm's correction within a stage; "
            "“equivalent within” a margin set beforehand where the 90 % interval lies inside it; "
            "nothing is decided from fewer than three seeds; “not decided” does not mean that the "
            "two are the same."
        )
    if kind == "paper":
        note += (
            " As published: Table 2 of Dang et al., on their pictures; it does not say which stage "
            "it reports."
        )
    if "srcc" in shown(kind, classes_in(frame)):
        found = sorted(set(frame["against"].dropna())) if "against" in frame else []
        what = "SRCC" if kind == "summary" else "Correlations"
        note += f" {what}: of the expected grade with the {' and the '.join(found) or 'label'}."
    if kind == "correlation":
        note += " Numbers without brackets are means over seeds."
    return note
