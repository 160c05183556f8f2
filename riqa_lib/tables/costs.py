"""What each row of Table 2 cost: steps, pictures through the network, time. Equal steps are not
equal compute: a method with a pool sees several times the pictures of a supervised row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..scales import SECOND
from .fitting import called, fitted, shared
from .names import BASE, name_of, order
from .text import cell

COLUMNS = (
    "row",
    "method",
    "labels",
    "seeds",
    "unlabelled",
    "pseudo_labels",
    "steps",
    "pictures_a_step",
    "pictures_seen",
    "times_pictures",
    "seconds",
    "times_seconds",
    "machine",
)


# means over seeds
MEANS = (
    "unlabelled",
    "pseudo_labels",
    "steps",
    "pictures_a_step",
    "pictures_seen",
    "seconds",
)


def costs(runs: pd.DataFrame) -> pd.DataFrame:
    """What the rows of a table cost, from a walk's runs (`stored.load_walk`): one row per method
    and number of labels, means over seeds.

    Columns: row, method, labels, seeds; unlabelled (pictures of the pool that the row learns from),
    pseudo_labels (pictures with the first stage's label); steps of the optimiser; pictures_a_step
    and pictures_seen (views that passed through the network or its running average in training,
    each counted); seconds of training (of a row that trains no network: of fitting and answering);
    times_pictures and times_seconds: a network's row over "supervised" with as many labels (where
    that has one number of labels only, that one serves all), over the seeds that both have, the
    time only where machine and threads are the same; machine (all of them, by name). nan where runs
    of before did not store it."""
    known = _known(runs)
    parts = dict(iter(known.groupby(["method", "labels"])))
    budgets = [labels for method, labels in parts if method == BASE]
    rows = []
    for method in order(known["method"]):
        for labels in sorted(n for m, n in parts if m == method):
            own = parts[method, labels]
            row = {"row": name_of(method), "method": method, "labels": int(labels)}
            row |= {"seeds": own["seed"].nunique(), "machine": _machines(own)}
            row |= {name: own[name].mean() for name in MEANS}
            like = labels if labels in budgets or len(budgets) != 1 else budgets[0]
            rows.append(row | _over(own, parts.get((BASE, like))))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _known(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with every column that is read here, as numbers; nan where it was not stored."""
    names = ("train_seconds", "seconds", "pictures_seen", "unlabelled", "pseudo_labels", "steps")
    known = runs.reindex(columns=[*dict.fromkeys([*runs, *names, "threads"])])
    known[list(names)] = known[list(names)].apply(pd.to_numeric, errors="coerce")
    a_network = known["steps"].notna() | known["train_seconds"].notna()
    known["seconds"] = known["train_seconds"].where(a_network, known["seconds"])
    return known.assign(pictures_a_step=known["pictures_seen"] / known["steps"])


def _machines(runs: pd.DataFrame) -> str:
    """Machines and threads, by name."""
    said = [
        str(machine) if pd.isna(threads) else f"{machine}, {_threads(int(threads))}"
        for machine, threads in zip(runs["machine"], runs["threads"], strict=True)
    ]
    return "; ".join(sorted(set(said)))


def _threads(n: int) -> str:
    return "1 thread" if n == 1 else f"{n} threads"


def _over(own: pd.DataFrame, base: pd.DataFrame | None) -> dict[str, float]:
    """A row's pictures and seconds over those of the supervised row, on the seeds of both; nan for
    a row that trains no network."""
    out = {"times_pictures": np.nan, "times_seconds": np.nan}
    if base is None or own["train_seconds"].isna().all():
        return out
    both = own.merge(base, on="seed", suffixes=("", "_base"))
    out["times_pictures"] = _times(both["pictures_seen"], both["pictures_seen_base"])
    if _machines(own) == _machines(base):
        out["times_seconds"] = _times(both["train_seconds"], both["train_seconds_base"])
    return out


def _times(own: pd.Series, base: pd.Series) -> float:
    """How many times as much, by the means; nan over nothing: of what took no time, or saw no
    picture, no multiple is known."""
    return own.mean() / base.mean() if base.mean() > 0 else np.nan


# ---------------------------------------------------------------- as markdown
HEAD = (
    "",
    "pool, pictures",
    "steps",
    "pictures a step",
    "pictures seen",
    "seen, × supervised",
    "training, s",
    "time, × supervised",
)


def show(runs: pd.DataFrame) -> str:
    """`costs` as a markdown table, with what its numbers are in a line below it; "–" where there is
    none, or it was not stored."""
    table = costs(runs)
    rows = table.to_dict("records")
    lines = [[name, *_cells(row)] for name, row in zip(called(rows), rows, strict=True)]
    return f"{fitted(HEAD, lines)}\n\n{_note(table)}\n"


def _cells(row: Mapping) -> list[str]:
    pool = row["unlabelled"] + row["pseudo_labels"]
    whole = (pool, *(row[name] for name in ("steps", "pictures_a_step", "pictures_seen")))
    return [
        *("–" if pd.isna(number) else f"{number:,.0f}" for number in whole),
        cell(row["times_pictures"], digits=1),
        cell(row["seconds"], digits=1),
        cell(row["times_seconds"], digits=1),
    ]


def _note(table: pd.DataFrame) -> str:
    machines = "; ".join(sorted(set("; ".join(table["machine"]).split("; "))))
    same = shared(table.to_dict("records"))
    note = (
        f"Means over seeds{same and f' ({same})'}. Pool: pictures that the row learns from without "
        "reading their label, or with the label that a first stage gave them. Pictures seen: views "
        "that went through the network or its running average in training, each counted. Training: "
        "of a row that trains no network, fitting and answering; with what else the machine did "
        f"meanwhile. × supervised: over the supervised row. {machines}."
    )
    if table["method"].str.endswith(SECOND).any():
        note += " A second stage's costs come on top of its first's."
    return note
