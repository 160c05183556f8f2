"""Fundus runs compared: the tables of notebooks 16 and 17, from stored predictions. Who is compared
with whom: `fundus_pairs`; what is said of one pair: `one_comparison`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from .. import paths, store
from ..stats.class_bootstrap import METRICS, bootstrap
from ..stats.resampling import Bootstrap, Paired
from . import fundus_grades, tracked_predictions
from .fundus_pairs import HELD_OUT, SETS, Pair, pairs, splits_of
from .names import LABEL, REFERENCE, encoder_of, kind_of_row, row_name, set_of_row
from .one_comparison import (
    DETAILS,
    EQUIVALENCE,
    PRIMARY,
    TABLE,
    margins,
    measured,
    one_table,
    rows_of_pair,
    with_holm,
    with_words,
    words,
)
from .quantities import clustered, quantity
from .text import cell, kind_of, markdown

__all__ = [
    "DETAILS",
    "EQUIVALENCE",
    "HELD_OUT",
    "PRIMARY",
    "SETS",
    "all_of",
    "beside_teacher",
    "findings",
    "finished",
    "frame_of",
    "held_out_frames",
    "margins",
    "of_details",
    "of_students",
    "one_table",
    "show",
    "show_worth",
    "words",
    "worth",
    "worth_findings",
]


# ---------------------------------------------------------------- what is compared
def frame_of(name: str, which: str) -> tuple[pd.DataFrame, bool]:
    """The table of a fundus set of a walk, and whether it is simulated. FileNotFoundError, naming
    the notebook, without it. "reference": the tracked part of it."""
    if name == REFERENCE:
        tracked = paths.reference() / "fundus"
        facts = store.read_json(store.need(tracked / "provenance.json", "18_explain_and_advise"))
        return tracked_predictions.frame(tracked, which), bool(facts["simulated"])
    folder = paths.results(name) / "fundus" / which
    info = store.read_json(store.need(folder / "dataset.json", "13_fundus_datasets"))
    return store.read_table(store.need(folder / "frame.csv", "13_fundus_datasets")), bool(
        info["simulated"]
    )


def held_out_frames(name: str) -> dict[str, pd.DataFrame]:
    """The tables of the sets whose details are judged, for `all_of`; see `frame_of`."""
    return {which: frame_of(name, which)[0] for which in HELD_OUT}


def _on(predictions: pd.DataFrame, which: str) -> pd.DataFrame:
    splits = predictions["split"].isin(splits_of(which))
    return clustered(predictions[(predictions["set"] == which) & splits])


def beside_teacher(
    predictions: pd.DataFrame, student: str, which: str, teacher: str = "teacher"
) -> pd.DataFrame:
    """A Student's and its Teacher's predictions on a set where neither learnt, for the seeds that
    both have."""
    rows = _on(predictions, which)
    rows = rows[rows["method"].isin([student, teacher])]
    methods = rows.groupby("seed")["method"].nunique()
    return rows[rows["seed"].isin(methods.index[methods == 2])].reset_index(drop=True)


def all_of(
    predictions: pd.DataFrame,
    frames: Mapping[str, pd.DataFrame] | None = None,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Every comparison of `fundus_pairs.pairs` that the stored runs allow, on the seeds that both
    rows have, with the columns of `one_table` after comparison ("multi v single", "Student v
    Teacher", ...), set and encoder.

    frames: of the sets with details (`held_out_frames`): then networks are also compared with what
    people's overall grade alone says of the details, learnt from the other of these sets. Holm's
    correction is within a comparison of one kind of row with another (so within an encoder), over
    all sets and Students, and over grade or details. Raises ValueError where there is nothing to
    compare."""
    found = pairs(set(predictions["method"]), label=frames is not None)
    if not found:
        raise ValueError(
            "no two fundus runs to compare; run notebooks 14_teacher and 15_student first"
        )
    rows: dict[Pair, list[dict[str, object]]] = {}
    for (where, _, both), theirs in _judged_alike(found, predictions).items():
        part = _on(predictions, where)
        part = part[part["seed"].isin(both)]
        if frames and any(pair.b == LABEL for pair in theirs):
            (other,) = (which for which in frames if which != where)
            part = fundus_grades.beside_label(part, frames[where], frames[other])
        rows |= _compared(part, theirs, resamples)
    ordered = [row for pair in found for row in rows.get(pair, [])]
    return finished(pd.DataFrame(ordered).reindex(columns=["comparison", "set", *TABLE]))


def _judged_alike(
    found: Sequence[Pair], predictions: pd.DataFrame
) -> dict[tuple[str, str, frozenset[int]], list[Pair]]:
    """Pairs by where, what and on which seeds they are judged: those that both rows have."""
    seeds = predictions.groupby("method")["seed"].agg(frozenset).to_dict()
    seeds[LABEL] = frozenset(predictions["seed"])  # what it says depends on no seed
    alike: dict[tuple[str, str, frozenset[int]], list[Pair]] = {}
    for pair in found:
        if both := seeds[pair.a] & seeds[pair.b]:
            alike.setdefault((pair.where, pair.judged, both), []).append(pair)
    return alike


def _compared(
    predictions: pd.DataFrame, theirs: Sequence[Pair], resamples: int
) -> dict[Pair, list[dict[str, object]]]:
    """Rows of pairs that are judged alike, on the same set and seeds: one bootstrap for all."""
    methods = list(dict.fromkeys(m for pair in theirs for m in (pair.a, pair.b)))
    out: dict[Pair, list[dict[str, object]]] = {pair: [] for pair in theirs}
    for name in ("overall",) if theirs[0].judged == "overall" else DETAILS:
        data: Paired | str = quantity(predictions, methods, name)
        boot: Bootstrap | None = None
        if not isinstance(data, str):
            boot = bootstrap(data, METRICS, resamples)
        for pair in theirs:
            about = {"comparison": pair.comparison, "set": pair.where}
            its = rows_of_pair(data, boot, pair.a, pair.b, name)
            out[pair] += [about | row for row in its]
    return out


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `all_of` from its rows: with encoder, Holm's correction within its families, and
    words."""
    judged = table["quantity"] == "overall"
    family = [table["comparison"], judged, *(table[c].map(kind_of_row) for c in "ab")]
    parts = [with_holm(part) for _, part in table.groupby(family, sort=False)]
    table = pd.concat(parts).sort_index()
    encoders = [_encoder(row) for row in table[["a", "b"]].to_dict("records")]
    rest = table.drop(columns=["comparison", "set", "encoder"], errors="ignore")
    about = table[["comparison", "set"]].assign(encoder=encoders)
    return with_words(pd.concat([about, rest], axis=1))


def _encoder(row: Mapping) -> str:
    """The encoder of both rows, or of each."""
    first, second = (encoder_of(row[c]) for c in "ab")
    return first if second in (first, "–") else f"{first} − {second}"


# ---------------------------------------------------------------- parts of it
def of_students(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the overall grade, multi-task against single-task, of the paper's encoder."""
    kinds = table["a"].map(kind_of_row) == "multi"
    mine = (table["comparison"] == "multi v single") & (table["quantity"] == "overall") & kinds
    return table[mine].reset_index(drop=True)


def of_details(table: pd.DataFrame, comparison: str, a: str) -> pd.DataFrame:
    """The primary rows of the details of one comparison and one row a."""
    mine = (table["comparison"] == comparison) & (table["quantity"] != "overall")
    return table[mine & (table["a"] == a) & table["primary"]].reset_index(drop=True)


def worth(table: pd.DataFrame) -> pd.DataFrame:
    """What the details are worth: the primary rows of the details of `all_of`."""
    return table[table["primary"] & (table["quantity"] != "overall")].reset_index(drop=True)


# ---------------------------------------------------------------- words
def show(table: pd.DataFrame) -> str:
    """`all_of` as markdown: each difference with its interval, p values, equivalence, and what the
    data could have shown."""
    head = [
        "comparison",
        "encoder",
        "on",
        "a − b",
        "quantity",
        "measure",
        "difference [95 %]",
        "p, bootstrap (Holm)",
        "McNemar mid-p",
        "clustered",
        "verdict",
        "margin",
        "least difference seen in 4 of 5 studies",
    ]
    rows = []
    for r in table.to_dict("records"):
        clustered_p = r.get("p_durkalski") if r["metric"] == "accuracy" else r.get("p_obuchowski")
        rows.append(
            [
                r["comparison"],
                _encoder(r),
                r["set"],
                " − ".join(row_name(r[c]) for c in "ab"),
                r["quantity"],
                measured(r),
                cell(r["difference"], r["low"], r["high"], sign=True, digits=3),
                f"{_number(r['p'])} ({_number(r['p_holm'])})",
                _number(r.get("p_mcnemar_midp")),
                _number(clustered_p),
                r["verdict"],
                _number(r["margin"]),
                _number(r["detectable"]),
            ]
        )
    return markdown(head, rows, left=range(len(head)))


def _number(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.3f}"


def show_worth(table: pd.DataFrame, comparisons: Sequence[str] = ()) -> str:
    """`worth` as markdown: a line for each pair and set, a column a detail; a star where p is below
    0.05 after Holm's correction. "" where there is nothing. comparisons: only these."""
    its = worth(table)
    its = its[its["comparison"].isin(comparisons)] if comparisons else its
    if its.empty:
        return ""
    head = ["a − b", "learns from", "encoder", "on", *(f"{d}, AUC of bad" for d in DETAILS)]
    rows = []
    for (a, b, where), part in its.groupby(["a", "b", "set"], sort=False):
        by_detail = part.set_index("quantity").to_dict("index")
        names = f"{row_name(a)} − {row_name(b)}"
        learns = set_of_row(a) or "mshf"
        cells = [_starred(by_detail.get(d, {})) for d in DETAILS]
        rows.append([names, learns, _encoder({"a": a, "b": b}), where, *cells])
    foot = (
        "AUC of a − AUC of b, paired; 95 % intervals: patients and seeds resampled; on sets (mshf: "
        "sources) that neither learnt from. Above 0 a is better. \\*: p < 0.05 after Holm's "
        "correction over all sets and Students of a pair."
    )
    return "\n".join([markdown(head, rows, left=range(len(head))), "", foot])


def _starred(row: Mapping) -> str:
    if not row:
        return "–"
    star = " \\*" if row["p_holm"] < 0.05 else ""
    return cell(row["difference"], row["low"], row["high"], sign=True, digits=3) + star


def worth_findings(table: pd.DataFrame) -> str:
    """`worth` in words: for each pair of kinds of rows how many differences lie above and below 0,
    by their intervals and after Holm's correction."""
    its = worth(table)
    kinds = [its[c].map(kind_of_row) for c in "ab"]
    lines = []
    for _, part in its.groupby([its["comparison"], *kinds], sort=False):
        pair = " − ".join(row_name(part[c].iloc[0]) for c in "ab")
        judged = part[part["low"].notna()]
        lines.append(f"- {pair}: {_where(judged)}.")
    return "\n".join(lines)


def _where(rows: pd.DataFrame) -> str:
    """Where the differences of some rows lie, in words."""
    if rows.empty:
        return "cannot be judged (a class is missing)"
    sure, d = rows["p_holm"] < 0.05, rows["difference"]
    return (
        f"of {len(rows)} (sets x Students x details) {(rows['low'] > 0).sum()} above 0, "
        f"{(rows['high'] < 0).sum()} below, after Holm's correction {(sure & (d > 0)).sum()} and "
        f"{(sure & (d < 0)).sum()}; median {d.median():+.3f}, from {d.min():+.3f} to {d.max():+.3f}"
    )


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """In words: the primary rows of the overall grade one by one, and what the details are
    worth."""
    first = table[table["primary"] & (table["quantity"] == "overall")].to_dict("records")
    said = [f"- {r['comparison']}, {r['set']}: {words(r)}" for r in first]
    told = worth_findings(table)
    about = ["", "AUC of the details, on pictures that neither learnt from:", "", told]
    return "\n".join([f"{kind_of(simulated)}.", "", *said, *(about if told else [])])
