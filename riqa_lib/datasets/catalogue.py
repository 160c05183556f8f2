"""Every real data set that the two papers, or tests of their models, use: where it is, and what is
wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from . import (
    csiq,
    deepdrid,
    eyeq,
    eyeq_d,
    kadid,
    kadis,
    koniq,
    live,
    live_challenge,
    mshf,
    tid,
)
from .about import About
from .misplaced import elsewhere
from .problems import listed


class Set(NamedTuple):
    """A data set: its About, load(root) -> frame, and counts(frame) -> sizes under the names of
    about.counts."""

    about: About
    load: Callable[..., pd.DataFrame]
    counts: Callable[[pd.DataFrame], dict[str, int]]


SETS = {
    s.about.key: s
    for s in (
        Set(koniq.ABOUT, koniq.load, koniq.counts),
        Set(kadis.ABOUT, kadis.load, kadis.counts),
        Set(kadid.ABOUT, kadid.load, kadid.counts),
        Set(live.ABOUT, live.load, live.counts),
        Set(tid.ABOUT_2008, tid.load_2008, tid.counts),
        Set(tid.ABOUT_2013, tid.load_2013, tid.counts),
        Set(csiq.ABOUT, csiq.load, csiq.counts),
        Set(live_challenge.ABOUT, live_challenge.load, live_challenge.counts),
        Set(eyeq.ABOUT, eyeq.load, eyeq.counts),
        Set(eyeq_d.ABOUT, eyeq_d.load, eyeq_d.counts),
        Set(mshf.ABOUT, mshf.load, mshf.counts),
        Set(deepdrid.ABOUT, deepdrid.load, deepdrid.counts),
    )
}

MISSING, BROKEN, PARTIAL = "not found", "broken", "partial"
OTHER, COMPLETE = "found, other counts", "found"


def status(root: Path | None) -> pd.DataFrame:
    """One row a set: key, title, state (MISSING, BROKEN, PARTIAL where some of the pictures that
    its table names are not there, OTHER than the published counts, or COMPLETE), pictures (found; 0
    where missing or broken), published, used_for, licence, where, layout, counts, wrong and notes
    (text).

    root: the folder of all sets (None: none is there). A set is missing if root/key is no folder,
    or an empty one; a folder of nearly that name is told (wrong)."""
    rows = []
    for key, one in SETS.items():
        about, state, found, wrong, notes = one.about, MISSING, {}, "", ""
        folder = root / key if root is not None else None
        if folder is not None and folder.is_dir() and any(folder.iterdir()):
            try:
                frame = one.load(folder)
                found, notes = one.counts(frame), _text(frame)
                wrong = listed(about.compare(found))
                state = _state(frame, wrong)
                wrong = "" if state == PARTIAL else wrong  # a note says which part
            except (ValueError, OSError) as e:
                state, wrong = BROKEN, str(e)
        elif root is not None:
            wrong = elsewhere(root, key)
        counts = ", ".join(
            f"{name}: {found.get(name, 0)} of {n}" for name, n in about.counts.items()
        )
        first = next(iter(about.counts))
        rows.append(
            {
                "key": key,
                "title": about.title,
                "state": state,
                "pictures": found.get(first, 0),
                "published": about.counts[first],
                "used_for": about.used_for,
                "licence": about.licence,
                "where": about.where,
                "layout": about.layout.strip(),
                "counts": counts,
                "wrong": wrong,
                "notes": notes,
            }
        )
    return pd.DataFrame(rows)


def _state(frame: pd.DataFrame, wrong: str) -> str:
    """Of a set that could be read; wrong: where its counts differ from the published ones."""
    if len(frame) < frame.attrs["named"]:
        return PARTIAL
    return OTHER if wrong else COMPLETE


def report(table: pd.DataFrame, root: Path | None) -> str:
    """The table of `status` as text for people."""
    head = "RIQA_DATA is not set: no real data" if root is None else f"Real data sets below {root}"
    lines = [head]
    for row in table.to_dict("records"):
        counts = (
            row["counts"]
            if row["state"] in (COMPLETE, OTHER, PARTIAL)
            else f"{row['published']} pictures published"
        )
        lines += [
            "",
            f"{row['title']} ({row['key']}): {row['state']}",
            f"  used for  {row['used_for']}",
            f"  licence   {row['licence']}",
            f"  get it    {row['where']}",
            f"  counts    {counts}",
        ]
        lines += [f"  goes to   RIQA_DATA/{row['key']}/"] + [
            f"            {line}" for line in row["layout"].splitlines()
        ]
        for name in ("wrong", "notes"):
            if row[name]:
                lines += [f"  {name}"] + [f"    {line}" for line in row[name].splitlines()]
    states = table["state"].value_counts()
    return "\n".join([*lines, "", "; ".join(f"{n} {state}" for state, n in states.items())])


def _text(frame: pd.DataFrame) -> str:
    """Notes of a loader as lines."""
    return "\n".join(
        ": ".join(str(part) for part in note if part) for note in frame.attrs.get("notes", [])
    )
