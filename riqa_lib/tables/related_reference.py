"""The tracked results of the models around the paper (results/reference/related, made by
benchmarks/related_models.py) as a block of RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .. import paths, store
from ..stats.score_agreement import ALL
from . import cross_data_table, label_free_tests, related_findings, related_models
from .names import name_of
from .text import as_text, cell, cell_of, kind_of

KINDS = ("simulated", "real")
FACTS = "about.json"  # written last: what is there without it is half a collection


def place() -> Path:
    """Where they are tracked."""
    return paths.reference() / "related"


def _read(name: str) -> pd.DataFrame | None:
    file = place() / f"{name}.csv"
    return _blank(store.read_table(file)) if file.exists() else None


def _blank(table: pd.DataFrame) -> pd.DataFrame:
    """Words that are not there are "" again, as before they were stored."""
    words = [c for c in table if table[c].dtype == object or str(table[c].dtype) == "str"]
    empty = [c for c in ("beats", "open", "loses", "not_below", "no_mae") if c in table]
    table = table.astype(dict.fromkeys(empty, object))  # where all are missing, read as numbers
    return table.fillna(dict.fromkeys([*words, *empty], ""))


def block() -> str:
    """Both tables of related work, what they say in words, trained here and tested there, tests
    without a label; a line that says how to make them where nothing is tracked."""
    if not (place() / FACTS).exists():
        return "Nothing is tracked yet: `python benchmarks/related_models.py SIMULATED REAL`."
    facts = store.read_json(place() / FACTS)
    parts = [part for kind in KINDS for part in _of_kind(kind)]
    cross = _read("cross_data")
    if cross is not None:
        about, sets = _read("cross_facts"), _read("cross_sets")
        words = cross_data_table.show(cross, about, sets, name_of, related_models.ROWS)
        parts += ["### Trained on one, tested on another", words]
    return "\n\n".join([*parts, related_models.show_published(), _source(facts)]).strip()


def _of_kind(kind: str) -> list[str]:
    """The parts about one kind of photographs, none where it was not collected."""
    table, tests = _read(kind), _read(f"levels_{kind}")
    if table is None:
        return []
    parts = [f"### {'Simulated' if kind == 'simulated' else 'Real'} photographs"]
    parts += [related_findings.findings(table, tests), related_models.show_rows(table)]
    if tests is not None:
        parts.append(
            "Without labels, on pristine photographs that scikit-image and scikit-learn carry and "
            f"their distorted copies (trained on {kind} photographs):\n\n"
            f"{label_free_tests.show(tests)}"
        )
    return parts


def _source(facts: Mapping) -> str:
    """Which data, which seed was asked about other sets, machine and software."""
    said = [
        f"{kind_of(kind == 'simulated')} ({as_text(its['name'])}, {its['size']} px)"
        for kind, its in facts["data"].items()
    ]
    seeds = ", ".join(map(str, facts["seeds"]))
    return (
        f"{'; '.join(said)}; other sets are shown to seed {seeds}; {facts['machine']}; torch "
        f"{facts['versions']['torch']}; commit {facts['commit']}."
    )


def in_short() -> str:
    """One sentence (markdown): the best row on real photographs, and what is left of the rows in
    the world that they did not learn from; "" where that is not tracked."""
    table, cross = _read("real"), _read("cross_data")
    if table is None or cross is None or not (place() / FACTS).exists():
        return ""
    best = table.loc[table["srcc"].idxmax()]
    network = table[table["method"].isin(related_models.NETWORKS)]
    second = network.loc[network["srcc"].idxmax()]
    away = cross[(cross["trained_on"] != cross["tested_on"]) & (cross["part"] == ALL)]
    home = cross[(cross["trained_on"] == cross["tested_on"]) & (cross["part"] == ALL)]
    return (
        f"**Beside the models of related work**, on real photographs with {best['labels']:,} "
        f"labels, {best['row']} ranks best (SRCC {cell_of(best, 'srcc')}; of the networks "
        f"{second['row']}, {cell_of(second, 'srcc')}); between the simulated world and the real "
        f"one all rows fall, from SRCC {_span(home)} at home to {_span(away)} away."
    )


def _span(table: pd.DataFrame) -> str:
    return f"{cell(table['srcc'].min())} to {cell(table['srcc'].max())}"
