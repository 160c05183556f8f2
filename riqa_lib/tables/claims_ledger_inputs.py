"""What the ledger of claims reads: the stored tables of a walk, the tracked tables of real
photographs, and how a test's rows are picked from them.

Of photographs: Table 2 and its predictions (notebook 11). Of fundus pictures: what notebooks 16 to
18 leave. Real photographs (BIQ2021, blurred fundus pictures) are always read from
results/reference, where they are tracked. What is not there is told by the claim that needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from .. import paths, store
from ..scales import DETAILS, SECOND
from ..stats import bootstrap, crossed
from . import comparisons, error_against_labels, experts, fundus_grades, real_fundus, stored
from .claims import budget
from .claims_ledger_rules import NAN, Item, Missing
from .names import BASE, FIVE, REFERENCE, name_of
from .quantities import on_test

PHOTOGRAPHS = ("table2", "pairs")
FUNDUS = {  # table: the notebook that makes it
    "significance": "16_significance",
    "verdicts": "16_significance",
    "noise": "17_expert_agreement",
    "explain": "18_explain_and_advise",
}
FILES = {"noise": "experts-noise"}  # where the file is called otherwise
ENDS = ("_low", "_high", "_low_90", "_high_90")
GRADES = {"all": range(5), "34": (3, 4), "012": (0, 1, 2)}  # as Table 2 groups them


@dataclass(frozen=True)
class Columns:
    """Where a stored table has a difference; sign: -1 where below 0 speaks for the claim."""

    value: str
    ends: tuple[str, ...]  # at 95 %: low, high; at 90 %: low, high
    sign: int = 1
    p: str = ""
    seeds: str = ""


MAE = Columns("d_mae", tuple(f"d_mae{end}" for end in ENDS), -1, "p_holm", "d_seeds")
PLAIN = Columns("difference", ("low", "high", "low_90", "high_90"), 1, "p_holm", "seeds")
COLUMNS = {
    "table2": MAE,
    "biq2021": MAE,
    "biq2021_last": MAE,
    "pairs": PLAIN,
    "significance": PLAIN,
    "matched": PLAIN,
    "real_blur": PLAIN,
    "noise": Columns("difference", PLAIN.ends),
    "student_noise": Columns("difference", PLAIN.ends),
    "explain": Columns("value", ("low", "high"), seeds="seeds"),
    "verdicts": Columns("over", ("over_low", "over_high"), seeds="seeds"),
}

# a difference is called by the first of these that differs between the rows of its test
NAMED_BY = ("method", "a", "b", "quantity", "head", "detail", "labels")


@dataclass(frozen=True)
class Inputs:
    """The tables of the ledger; of those that are not there, why; which are of real pictures; what
    label files say, and which of it was counted again from the files."""

    tables: Mapping[str, pd.DataFrame]
    missing: Mapping[str, str] = field(default_factory=dict)
    real: frozenset[str] = frozenset()
    facts: Mapping[str, float] = field(default_factory=dict)
    again: frozenset[str] = frozenset()

    def data(self, table: str) -> str:
        """What a table is of: "published numbers", "label files", "real" or "simulated"
        pictures."""
        if table == "audit":
            return "published numbers"
        return "real" if table in self.real else "simulated"


# ---------------------------------------------------------------- picking
def wanted(rows: str) -> dict[str, list[str]]:
    """What a test asks of each column. ValueError for what is no "column=value|value".

    >>> wanted("method=simmatch; labels=100|300")
    {'method': ['simmatch'], 'labels': ['100', '300']}
    """
    out = {}
    for part in rows.split(";"):
        column, found, values = part.partition("=")
        if not found:
            raise ValueError(f"rows {rows!r}: expected column=value|value; ...")
        out[column.strip()] = [v.strip() for v in values.split("|")]
    return out


def picked(inputs: Inputs, table: str, rows: str, margin: float = NAN) -> list[Item]:
    """The differences of one test from a stored table. margin: nan takes the table's own. Missing,
    saying what and which notebook makes it, where table or rows are not there."""
    if table not in inputs.tables:
        raise Missing(inputs.missing.get(table, f"no table {table}"))
    frame = _asked_for(inputs.tables[table], wanted(rows), table)
    label = next((c for c in NAMED_BY if c in frame and len(set(frame[c])) > 1), "")
    return [_item(row, COLUMNS[table], label, margin) for row in frame.to_dict("records")]


def _asked_for(frame: pd.DataFrame, asked: Mapping[str, list[str]], table: str) -> pd.DataFrame:
    """The rows with these values; Missing where a column or one of the values is not there."""
    if said := store.no_column(frame, asked):
        raise Missing(f"{table}: {said}")
    for column, values in asked.items():
        frame = frame[frame[column].astype(str).isin(values)]
    for column, values in asked.items():
        if gone := sorted({*values} - {*frame[column].astype(str)}):
            raise Missing(f"{table}: no such row with {column} {', '.join(gone)}")
    return frame


def _item(row: Mapping, columns: Columns, label: str, margin: float) -> Item:
    """A row as a difference in the claim's favour."""

    def number(name: str) -> float:
        return float(row.get(name, NAN)) if name else NAN

    low, high, low_90, high_90 = (number(c) for c in (*columns.ends, "", "")[:4])
    if columns.sign < 0:
        low, high, low_90, high_90 = -high, -low, -high_90, -low_90
    return Item(
        _label(row, label),
        columns.sign * number(columns.value) + 0.0,
        low + 0.0,
        high + 0.0,
        low_90 + 0.0,
        high_90 + 0.0,
        number(columns.p),
        number(columns.seeds),
        number("pictures"),
        number("margin") if np.isnan(margin) else margin,
    )


def _label(row: Mapping, column: str) -> str:
    if not column:
        return ""
    if column == "labels":
        return f"{int(row[column])} labels"
    return name_of(str(row[column])).removeprefix("ViT + ")


# ---------------------------------------------------------------- loading
def load(
    name: str = REFERENCE,
    facts: Mapping[str, float] | None = None,
    again: Iterable[str] = (),
) -> Inputs:
    """All that is there of a walk. facts: what label files say, and `again` which of it was counted
    now (`claims_ledger_labels.facts`)."""
    found = Inputs({}, facts=facts or {}, again=frozenset(again))
    for more in (_photographs, _fundus, _of_predictions):
        found = more(found, name)
    return _tracked(found)


def _with(inputs: Inputs, table: str, make: Callable[[], pd.DataFrame], real: bool) -> Inputs:
    """The inputs with a table, or with why it is not there."""
    try:
        frame = make()
    except (FileNotFoundError, Missing) as e:
        return replace(inputs, missing={**inputs.missing, table: str(e).splitlines()[0]})
    of_real = inputs.real | {table} if real else inputs.real
    return replace(inputs, tables={**inputs.tables, table: frame}, real=of_real)


def _photographs(inputs: Inputs, name: str) -> Inputs:
    """Table 2, and pairs of its rows."""
    try:
        frames = stored.load_walk(name)
    except FileNotFoundError as e:
        told = dict.fromkeys(PHOTOGRAPHS, str(e).splitlines()[0])
        return replace(inputs, missing={**inputs.missing, **told})
    if not stored.is_of_paper(frames):
        told = dict.fromkeys(PHOTOGRAPHS, f"the photographs of {name} are not the paper's")
        return replace(inputs, missing={**inputs.missing, **told})
    real = not stored.is_simulated(frames)
    inputs = _with(inputs, "table2", lambda: frames["table2"], real)
    return _with(inputs, "pairs", lambda: pairs(frames["predictions"]), real)


def pairs(predictions: pd.DataFrame) -> pd.DataFrame:
    """Two rows of Table 2 each: the five methods, both stages, with the supervised ViT on grades 3
    and 4 and on 0 to 2; CRMatch with the others of its stage; each second stage with its first.

    Columns: a, b, grades (of GRADES), difference (MAE of b less that of a, `stats.crossed`) with
    low, high, low_90, high_90, seeds (that both have), pictures. Pairs that share no seed are left
    out. predictions: long, as of `stored.load_walk`."""
    test = on_test(predictions)
    test = test[test["labels"] == budget(test)]
    asked = [(f"{m}{s}", BASE, g) for g in ("34", "012") for s in ("", SECOND) for m in FIVE]
    asked += [(f"{m}{SECOND}", m, "all") for m in FIVE]
    others = [BASE, *FIVE[:-1]]
    asked += [(f"{FIVE[-1]}{s}", f"{m}{s}", "all") for s in ("", SECOND) for m in others]
    rows = [row for a, b, grades in asked for row in _pair(test, a, b, grades)]
    if not rows:
        raise Missing("predictions: no two rows of Table 2 share a seed; run notebooks 05 to 10")
    return pd.DataFrame(rows)


def _pair(test: pd.DataFrame, a: str, b: str, grades: str) -> list[dict[str, object]]:
    seeds = [set(test.loc[test["method"] == m, "seed"]) for m in (a, b)]
    part = test[test["method"].isin([a, b]) & test["seed"].isin(seeds[0] & seeds[1])]
    part = part[part["truth"].isin(list(GRADES[grades]))]
    if part.empty:
        return []
    found = crossed.compare(bootstrap.paired(part, [a, b]), b, a, "mae")
    value, low, high = found.interval()
    _, low_90, high_90 = found.interval(0.90)
    ends = {"low": low, "high": high, "low_90": low_90, "high_90": high_90}
    about = {"a": a, "b": b, "grades": grades, "difference": value}
    return [about | ends | {"seeds": found.seeds, "pictures": part["id"].nunique()}]


def _fundus(inputs: Inputs, name: str) -> Inputs:
    """What notebooks 16 to 18 leave."""
    for table, notebook in FUNDUS.items():
        file = place(name) / f"{FILES.get(table, table)}.csv"
        inputs = _with(inputs, table, _reader(file, notebook), _is_real(name))
    return inputs


def _reader(file: Path, notebook: str) -> Callable[[], pd.DataFrame]:
    return lambda: store.read_table(store.need(file, notebook))


def place(name: str) -> Path:
    """Where the fundus tables of a walk are."""
    return paths.reference() / "fundus" if name == REFERENCE else paths.results(name) / "tables"


def _is_real(name: str) -> bool:
    """Whether a walk's fundus pictures are; False where there are none."""
    try:
        return not comparisons.frame_of(name, "eyeq_d")[1]
    except FileNotFoundError:
        return False


def _of_predictions(inputs: Inputs, name: str) -> Inputs:
    """What no notebook stores: F1 at matched thresholds, and the Student's noise."""
    real = _is_real(name)
    try:
        predictions = stored.load_fundus(name)["predictions"]
    except FileNotFoundError as e:
        told = dict.fromkeys(("matched", "student_noise"), str(e).splitlines()[0])
        return replace(inputs, missing={**inputs.missing, **told})
    inputs = _with(inputs, "matched", lambda: matched(predictions), real)
    return _with(inputs, "student_noise", lambda: student_noise(predictions, name), real)


def matched(predictions: pd.DataFrame, on: str = "deepdrid") -> pd.DataFrame:
    """Multi-task less single-task in F1 of bad, each at the threshold that calls as many validation
    pictures bad as are: set, difference, low, high, low_90, high_90, seeds, pictures. Missing
    without both."""
    a, b = f"multi_{on}", f"single_{on}"
    if gone := [row for row in (a, b) if row not in set(predictions["method"])]:
        raise Missing(f"no run of {', '.join(gone)}; run notebook 15_student")
    table, boot = fundus_grades.overall(predictions, on, [a, b])
    value, low, high = boot.difference(a, b, "matched")
    _, low_90, high_90 = boot.difference(a, b, "matched", 0.90)
    ends = {"low": low, "high": high, "low_90": low_90, "high_90": high_90}
    about = table[["pictures", "seeds"]].iloc[0].to_dict()
    return pd.DataFrame([{"set": on, "difference": value} | ends | about])


def student_noise(predictions: pd.DataFrame, name: str, row: str = "multi_eyeq") -> pd.DataFrame:
    """`experts.noise` of the Student's answers, with method. Missing without it, or where graders'
    votes are not known."""
    if row not in set(predictions["method"]):
        raise Missing(f"no run of {row}; run notebook 15_student")
    found = experts.noise(predictions, comparisons.frame_of(name, "eyeq_d")[0], "eyeq_d", row)
    if found.empty:
        raise Missing("one label a picture: how often two experts differ is not known")
    return found.assign(method=row)


def _tracked(inputs: Inputs) -> Inputs:
    """Real photographs, as results/reference has them."""
    folder = f"{REFERENCE}/biq2021"
    for table, weights in (
        ("biq2021", error_against_labels.SELECTED),
        ("biq2021_last", error_against_labels.LAST),
    ):
        inputs = _with(inputs, table, _budgets(folder, weights), True)
    file = paths.reference() / "fundus" / real_fundus.BLUR
    return _with(
        inputs, "real_blur", lambda: blurred(_reader(file, "18_explain_and_advise")()), True
    )


def _budgets(folder: str, weights: str) -> Callable[[], pd.DataFrame]:
    return lambda: error_against_labels.load(folder, weights)


def blurred(counts: pd.DataFrame, detail: str = DETAILS[1]) -> pd.DataFrame:
    """The share of photographs called bad in a detail, blurred less sharp, with its interval over
    seeds (Student's t; the photographs are held fixed): row, difference, low, high, low_90,
    high_90, seeds, pictures. counts: `real_fundus.BLUR`."""
    share = counts.assign(share=counts[detail] / counts["pictures"]).pivot_table(
        index=["row", "seed"], columns="pictures_are", values="share"
    )
    gap = (share["blurred"] - share["sharp"]).groupby("row")
    out = pd.DataFrame({"difference": gap.mean(), "seeds": gap.size()})
    for end, tail in (("", 0.025), ("_90", 0.05)):
        half = -special.stdtrit(out["seeds"] - 1, tail) * gap.std() / out["seeds"] ** 0.5
        out[f"low{end}"] = (out["difference"] - half).clip(-1)
        out[f"high{end}"] = (out["difference"] + half).clip(upper=1)
    return out.assign(pictures=counts["pictures"].max()).reset_index()
