"""The ledger of claims: what both papers say that can be checked, beside what we found.

published_numbers/claims.csv has the claims (in our words, with the published number and how it is
known), claim_tests.csv how each is tested (on what, which rows of which stored table or which
arithmetic, by which rule), claim_rules.csv what a rule takes for reproduced or refuted. No verdict
is typed: each is computed from stored tables by its rule (`claims_ledger_rules`).

    python -c "from riqa_lib.tables import claims_ledger; claims_ledger.collect()"

keeps the ledger of the tracked tables as results/reference/claims.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from . import claims_ledger_inputs, claims_ledger_labels
from .claims_ledger_audit import AUDITS
from .claims_ledger_inputs import Inputs
from .claims_ledger_rules import (
    NAN,
    OF_NUMBERS,
    REFUTED,
    REPRODUCED,
    UNTESTED,
    Item,
    Missing,
    together,
    verdict_of,
)
from .names import REFERENCE
from .published import printed, published
from .text import cell

COLUMNS = (
    "id",
    "paper",
    "item",
    "claim",
    "published",
    "source",
    "on",
    "data",
    "table",
    "measure",
    "rule",
    "need",
    "margin",
    "refuted",
    "ours",
    "each",
    "seeds",
    "pictures",
    "files",
    "verdict",
    "why",
)

NUMBERS = ("margin", "seeds", "pictures")  # columns that are no words

NOWHERE = "none"  # data of a claim that cannot be tested here

# of several differences, what refutes a claim
NEED = {"all": "one is enough", "most": "more than half of them", "any": "all of them"}

FEW = 3  # differences that are shown one by one


# ---------------------------------------------------------------- what is asked
def numbers() -> dict[str, dict]:
    """The published numbers as text, under the names that claims.csv uses: table2[method][metric],
    fundus[set][measure][row], stated[item]."""
    table = printed().drop(columns="row")
    two = {m: {k: f"{v:.2f}" for k, v in row.items()} for m, row in table.to_dict("index").items()}
    fundus: dict[str, dict] = {}
    for row in published("fundus").to_dict("records"):
        said = {kind: f"{row[kind]:.3f}" for kind in ("single", "multi")}
        fundus.setdefault(row["set"], {})[row["measure"]] = said
    stated = {str(r["item"]): _plain(r["value"]) for r in published("stated").to_dict("records")}
    return {"table2": two, "fundus": fundus, "stated": stated}


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.2f}"


def asked() -> pd.DataFrame:
    """Every test with its claim: the columns of claims.csv, then of claim_tests.csv. ValueError for
    a test without its claim, a claim without a test, or a number that no table has."""
    claims, tests = (_text(published(name)) for name in ("claims", "claim_tests"))
    if off := sorted(set(claims["id"]) ^ set(tests["id"])):
        raise ValueError(f"claims.csv and claim_tests.csv differ: {', '.join(off)}")
    known = numbers()
    try:
        said = {c: [text.format(**known) for text in claims[c]] for c in ("claim", "published")}
    except (KeyError, IndexError) as e:
        raise ValueError(f"claims.csv: no published number {e}") from e
    return claims.assign(**said).merge(tests, on="id", validate="one_to_many")


def _text(table: pd.DataFrame) -> pd.DataFrame:
    """A table with "" where a cell of words is empty."""
    words = [c for c in table if c not in NUMBERS]
    return table.assign(**{c: table[c].astype(object).fillna("") for c in words})


# ---------------------------------------------------------------- what is found
def ledger(name: str = REFERENCE, labels: Path | str | None = None) -> pd.DataFrame:
    """Every claim with its verdict, one row a test (columns: COLUMNS).

    name: the walk whose tables are read; what it lacks, its claims say. labels: a folder with the
    label files of KonIQ-10k, KADIS-700k, EyeQ and EyeQ-D (default: RIQA_DATA); without them the
    tracked counts stand, and `files` says so."""
    facts, again = claims_ledger_labels.facts(labels)
    return judged(claims_ledger_inputs.load(name, facts, again))


def judged(inputs: Inputs, tests: pd.DataFrame | None = None) -> pd.DataFrame:
    """The ledger from what `claims_ledger_inputs.load` found. tests: of `asked` (all)."""
    rules = published("claim_rules").set_index("rule")["refuted"].to_dict()
    rows = (asked() if tests is None else tests).to_dict("records")
    found = [row | _answer(row, inputs) | {"need": row["need"] or "all"} for row in rows]
    told = [row | {"refuted": _refuted(row, rules)} for row in found]
    return pd.DataFrame(told).reindex(columns=list(COLUMNS))


def _answer(row: Mapping, inputs: Inputs) -> dict[str, object]:
    """Ours, verdict and why of one test."""
    nothing = {"ours": "–", "each": "", "seeds": NAN, "pictures": NAN, "files": ""}
    if row["rule"] == NOWHERE:
        return nothing | {"data": NOWHERE, "margin": NAN, "verdict": UNTESTED, "why": row["why"]}
    margin = float(row["margin"])
    used: list[str] = []
    data = inputs.data(row["table"])
    try:
        items = _items(row, inputs, margin, used)
    except Missing as e:
        why = f"input missing: {e}"
        return nothing | {"data": data, "margin": margin, "verdict": UNTESTED, "why": why}
    verdict, why = together(items, row["rule"], row["need"] or "all")
    return {
        "data": "label files" if used else data,
        "margin": items[0].margin,
        "ours": ours(items, row["rule"]),
        "each": "; ".join(_one(it, row["rule"]) for it in items) if len(items) > 1 else "",
        "seeds": _least([it.seeds for it in items]),
        "pictures": _least([it.pictures for it in items]),
        "files": _files(used, inputs),
        "verdict": verdict,
        "why": why,
    }


def _items(row: Mapping, inputs: Inputs, margin: float, used: list[str]) -> list[Item]:
    """The differences of a test; used: filled with the facts of label files that it asks for."""

    def fact(name: str) -> float:
        used.append(name)
        if name not in inputs.facts:
            raise Missing(f"label_facts.csv has no {name}")
        return inputs.facts[name]

    if row["table"] != "audit":
        return claims_ledger_inputs.picked(inputs, row["table"], row["rows"], margin)
    if row["rows"] not in AUDITS:
        raise ValueError(f"{row['id']}: no arithmetic {row['rows']}; {', '.join(AUDITS)}")
    found = AUDITS[row["rows"]](fact)
    return [replace(it, margin=margin) for it in found]


def _files(used: Sequence[str], inputs: Inputs) -> str:
    """Whether what label files say was counted now."""
    if not used:
        return ""
    now = set(used) <= inputs.again
    return "counted again from the files" if now else "as counted before; not all files are here"


def _least(values: Sequence[float]) -> float:
    return float(np.min(values)) if len(values) else NAN


def _refuted(row: Mapping, rules: Mapping[str, str]) -> str:
    """What would refute the claim in this test, in words."""
    if row["rule"] == NOWHERE:
        return ""
    several = f"; of several: {NEED[row['need']]}" if row["each"] else ""
    margin = "" if pd.isna(row["margin"]) else f"; margin {row['margin']:g}"
    return f"{rules[row['rule']]}{several}{margin}"


# ---------------------------------------------------------------- in words
def ours(items: Sequence[Item], rule: str) -> str:
    """What was found, short: a few differences one by one, more as a count and a range."""
    if len(items) == 1 and rule not in OF_NUMBERS:
        (it,) = items
        found = _one(replace(it, label=""), rule)
        return f"{found} ({it.label})" if it.label else found
    if len(items) <= FEW:
        return "; ".join(_one(it, rule) for it in items)
    verdicts = [verdict_of(it, rule)[0] for it in items]
    values = [it.value for it in items]
    span = " to ".join(cell(v, sign=True, digits=3) for v in (min(values), max(values)))
    held, gone = verdicts.count(REPRODUCED), verdicts.count(REFUTED)
    return f"{held} of {len(items)} hold, {gone} refuted; {span}"


def _one(it: Item, rule: str) -> str:
    """A difference with its interval, or a number with what it counts."""
    if rule in OF_NUMBERS:
        return f"{it.value:,.0f} {it.label}" if it.value == int(it.value) else it.label
    ends = (it.low, it.high) if it.low < it.high else (NAN, NAN)
    said = cell(it.value, *ends, sign=True, digits=3)
    p = f", p {it.p:.3f}" if rule == "not shown" else ""
    return f"{it.label} {said}{p}".strip()


# ---------------------------------------------------------------- kept
def place(name: str) -> Path:
    """Where a walk's ledger is kept."""
    if name == REFERENCE:
        return paths.reference() / "claims.csv"
    return paths.results(name) / "tables" / "claims_ledger.csv"


def keep(table: pd.DataFrame, name: str) -> Path:
    """Write a walk's ledger. That of the reference is tracked and stays as it is: see
    `collect`."""
    return place(name) if name == REFERENCE else store.write_table(place(name), table)


def load(name: str = REFERENCE) -> pd.DataFrame:
    """A ledger that is kept, as `ledger` gives it: of a walk, or the tracked one.
    FileNotFoundError, naming the notebook, without it."""
    return _text(store.read_table(store.need(place(name), "19_claims")))


def collect() -> Path:
    """Keep the ledger of the tracked tables, with the label facts as tracked, in
    results/reference/claims.csv."""
    inputs = claims_ledger_inputs.load(REFERENCE, claims_ledger_labels.tracked())
    return store.write_table(place(REFERENCE), judged(inputs))
