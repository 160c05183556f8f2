"""Which notebook of a walk ran when, and on which worker."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ..checks import columns
from . import style

NEEDED = ["step", "seconds", "ended", "worker"]
PAUSE = 600.0  # seconds without any step, after which what comes is another run
WIDE = 0.045  # of the whole run: bars shorter than this have no name in them


def last_run(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps of the last run, with `began`, both in seconds since it started: those before a
    pause of PAUSE seconds in which nothing ran belong to an earlier one.

    steps: step, seconds, ended (seconds since 1970), worker. ValueError for columns that are
    missing."""
    columns(steps, NEEDED, "steps")
    rows = steps.assign(began=steps["ended"] - steps["seconds"]).sort_values("began")
    busy_until = rows["ended"].cummax().shift()
    run = (rows["began"] - busy_until > PAUSE).cumsum()
    rows = rows[run == run.max()]
    start = rows["began"].min()
    return rows.assign(began=rows["began"] - start, ended=rows["ended"] - start)


def timeline(steps: pd.DataFrame) -> Figure:
    """A bar a notebook from its start to its end, a line a worker; steps as `last_run` has them."""
    rows = last_run(steps)
    workers = list(dict.fromkeys(rows["worker"]))
    whole = rows["ended"].max()
    with style.sheet():
        figure = style.canvas(9.8, 1.1 + 0.75 * len(workers), simulated=None)
        ax = figure.subplots()
        drawn = dict.fromkeys(workers, 0)
        for row in rows.to_dict("records"):
            height, place = -workers.index(row["worker"]), drawn[row["worker"]]
            drawn[row["worker"]] += 1
            colour = style.SKY if place % 2 else style.BLUE  # neighbours apart
            ax.barh(height, row["seconds"] / 60, 0.7, left=row["began"] / 60, color=colour)
            if row["seconds"] > WIDE * whole:
                middle = (row["began"] + row["seconds"] / 2) / 60
                ink = style.INK if place % 2 else "white"
                name = row["step"].split("_")[0]
                ax.text(middle, height, name, ha="center", va="center", fontsize=8, color=ink)
        ax.set_yticks(
            [-i for i in range(len(workers))], [f"worker {i + 1}" for i in range(len(workers))]
        )
        ax.set_xlabel("minutes since the run began; a number is a notebook")
        ax.grid(visible=False, axis="y")
    return figure


def sentence(steps: pd.DataFrame) -> str:
    """What the figure shows, in words."""
    rows = last_run(steps)
    longest = rows.sort_values("seconds").iloc[-1]
    workers = rows["worker"].nunique()
    busy = rows["seconds"].sum() / (rows["ended"].max() * workers)
    return (
        f"{len(rows)} notebooks in {rows['ended'].max() / 60:.1f} minutes on {workers} "
        f"worker{'s' if workers > 1 else ''}, which were busy {busy:.0%} of the time; the longest, "
        f"{longest['step']}, took {longest['seconds'] / 60:.1f} minutes."
    )
