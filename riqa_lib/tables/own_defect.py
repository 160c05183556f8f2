"""Whether a detail's head answers to its own defect: responses to one defect at a time, and AUC
among pictures where the other two details are alike; from stored predictions alone.

Details go bad together, so a head that sees one of them seems to know all three by AUC. Here the
others are held fixed: in the simulated set "single" (`sim.fundus_sets`, "single-defect": every eye
with one detail spoilt at a time), and, in sets with people's labels, by looking only at pictures
whose other two details are both bad, or both good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..scales import DETAILS
from ..stats.class_bootstrap import bootstrap
from ..stats.resampling import Floats, interval, resamples_of
from .beside_simple import is_constant, tells_details
from .fundus_pairs import splits_of
from .names import BAD, encoder_of, fundus_order, name_of, plain, row_name
from .quantities import clustered, quantity
from .text import cell_of, markdown, with_ends
from .tracked_predictions import SINGLE

SLACK = 0.01  # a mean probability may fall by so much between two severities and still be monotone


# columns of `conditional`
CONDITIONAL = (
    *("method", "row", "encoder", "on", "detail", "among", "pictures", "bad", "seeds"),
    *("auc", "auc_low", "auc_high"),
)


# among which pictures an AUC is: name, and what the other two details are (None: anything)
AMONG: Mapping[str, int | None] = {"all": None, "others bad": 0, "others good": 1}


# ---------------------------------------------------------------- one defect at a time
class Answers(NamedTuple):
    """A row's probabilities of bad on the set "single": (eyes, seeds, causes, severities, heads),
    causes and heads in the order of DETAILS."""

    levels: tuple[float, ...]
    seeds: tuple[int, ...]
    bad: Floats


def answers(predictions: pd.DataFrame, frame: pd.DataFrame, method: str) -> Answers:
    """What a row says of every picture of the set "single". frame: the set's table (id, group: the
    eye, cause, severity). ValueError for an eye that lacks a picture."""
    mine = predictions[(predictions["set"] == SINGLE) & (predictions["method"] == method)]
    seeds = tuple(sorted({int(s) for s in mine["seed"]}))
    eyes = list(dict.fromkeys(frame["group"]))
    levels = tuple(sorted({float(s) for s in frame["severity"]}))
    at = pd.MultiIndex.from_product([eyes, DETAILS, levels])
    ids = frame.set_index(["group", "cause", "severity"])["id"].reindex(at)
    if ids.isna().any():
        raise ValueError(f"{SINGLE}: no picture of {', '.join(map(str, at[ids.isna()][0]))}")
    columns = [f"d_{d}" for d in DETAILS]
    parts = [
        1 - mine[mine["seed"] == seed].set_index("id").loc[ids, columns].to_numpy(float)
        for seed in seeds
    ]
    shape = (len(eyes), len(DETAILS), len(levels), len(DETAILS))
    return Answers(levels, seeds, np.stack([p.reshape(shape) for p in parts], axis=1))


def _draws(values: Floats, resamples: int, seed: int) -> Floats:
    """Resampled means (R, ...) over the first two axes of values (eyes, seeds, ...); nan where
    there is one eye."""
    eyes, seeds = values.shape[:2]
    if eyes < 2:
        return np.full((resamples, *values.shape[2:]), np.nan)
    w, v = resamples_of(eyes, seeds, resamples, seed)
    return np.einsum("re,es...,rs->r...", w, values, v, optimize=True) / (eyes * seeds)


def responses(
    predictions: pd.DataFrame,
    frame: pd.DataFrame,
    methods: Sequence[str] = (),
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """How each head answers to each defect: method, row, encoder, cause (of the only defect),
    severity, detail (whose head), eyes, seeds, bad (mean probability of bad) and called (share
    called bad), with _low and _high (95 %, eyes and seeds resampled).

    predictions: of `stored.load_fundus`; frame: of the set "single" (see `answers`); methods: by
    default all that answered there. Empty where none did."""
    rows = []
    for method in methods or _with_details(predictions[predictions["set"] == SINGLE]):
        said = answers(predictions, frame, method)
        both = {"bad": said.bad, "called": (said.bad > 0.5).astype(float)}
        means = {name: values.mean(axis=(0, 1)) for name, values in both.items()}
        drawn = {name: _draws(values, resamples, seed) for name, values in both.items()}
        for at in np.ndindex(*means["bad"].shape):
            row = _about(method, said) | {
                "cause": DETAILS[at[0]],
                "severity": said.levels[at[1]],
                "detail": DETAILS[at[2]],
            }
            for name in both:
                row |= with_ends(name, interval(means[name][at], drawn[name][:, *at]))
            rows.append(row)
    return pd.DataFrame(rows)


def _about(method: str, said: Answers) -> dict[str, object]:
    return {
        "method": method,
        "row": row_name(method),
        "encoder": encoder_of(method),
        "eyes": len(said.bad),
        "seeds": len(said.seeds),
    }


def verdicts(
    predictions: pd.DataFrame,
    frame: pd.DataFrame,
    methods: Sequence[str] = (),
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether each head answers to its own defect: method, row, encoder, eyes, seeds, detail,
    monotone (its mean probability of bad never falls by more than SLACK from one severity of its
    own defect to the next), rise (from no defect to the most severe one), over (rise less the
    largest rise by another detail's defect), each with _low and _high, own (all of the interval of
    over is above 0), called (share called bad at the most severe defect) with _low and _high."""
    rows = []
    for method in methods or _with_details(predictions[predictions["set"] == SINGLE]):
        said = answers(predictions, frame, method)
        means, drawn = said.bad.mean(axis=(0, 1)), _draws(said.bad, resamples, seed)
        called = (said.bad[:, :, :, -1] > 0.5).astype(float)
        share, shares = called.mean(axis=(0, 1)), _draws(called, resamples, seed)
        for k, d in enumerate(DETAILS):
            rise, over = _rises(means[None], k), _rises(drawn, k)
            row = _about(method, said) | {
                "detail": d,
                "monotone": bool((np.diff(means[k, :, k]) >= -SLACK).all()),
            }
            row |= with_ends("rise", interval(rise[0][0], over[0]))
            ends = interval(rise[1][0], over[1])
            row |= with_ends("over", ends)
            row["own"] = bool(ends[1] > 0)
            row |= with_ends("called", interval(share[k, k], shares[:, k, k]))
            rows.append(row)
    return pd.DataFrame(rows)


def _rises(means: Floats, k: int) -> tuple[Floats, Floats]:
    """Of head k, from means (R, causes, severities, heads): the rise by its own defect (R,), and
    that less the largest rise by another's."""
    rise = means[:, :, -1, k] - means[:, :, 0, k]
    others = np.delete(rise, k, axis=1).max(axis=1)
    return rise[:, k], rise[:, k] - others


# ---------------------------------------------------------------- the others held fixed
def conditional(
    predictions: pd.DataFrame,
    on: str,
    methods: Sequence[str] = (),
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """AUC of each detail's bad on a set, among all its pictures, among those whose other two
    details are bad, and among those where they are good (AMONG): method, row, encoder, on, detail,
    among, pictures, bad, seeds, auc with _low and _high (patients and seeds resampled). nan where
    a class is missing, or no two patients are left.

    predictions: of `stored.load_fundus`, perhaps with the baseline
    `fundus_grades.with_label_baseline`. methods: by default every row with details
    there, but constants."""
    mine = predictions[(predictions["set"] == on) & predictions["split"].isin(splits_of(on))]
    mine = clustered(mine)
    mine = mine[mine[[f"d_{d}" for d in DETAILS]].notna().all(axis=1)]
    methods = methods or _with_details(mine)
    seeds = mine.groupby("method")["seed"].agg(frozenset).to_dict()
    rows: list[dict[str, object]] = []
    for those in dict.fromkeys(seeds[m] for m in methods):
        alike = [m for m in methods if seeds[m] == those]
        part = mine[mine["method"].isin(alike)]
        for d, among in product(DETAILS, AMONG):
            its = _where_others(part, d, AMONG[among])
            rows += _aucs(its, alike, d, among, resamples, seed)
    table = pd.DataFrame(rows).assign(on=on).reindex(columns=list(CONDITIONAL))
    place = {m: k for k, m in enumerate(methods)}
    return table.sort_values("method", key=lambda m: m.map(place), kind="stable", ignore_index=True)


def _with_details(predictions: pd.DataFrame) -> list[str]:
    """Rows that say something of details, but constants, which have no AUC."""
    known = [m for m in fundus_order(predictions["method"]) if not is_constant(m)]
    return [m for m in known if tells_details(m)]


def _where_others(predictions: pd.DataFrame, detail: str, value: int | None) -> pd.DataFrame:
    """The rows whose other two details are of this value."""
    others = [d for d in DETAILS if d != detail]
    return predictions if value is None else predictions[(predictions[others] == value).all(axis=1)]


def _aucs(
    part: pd.DataFrame, methods: Sequence[str], detail: str, among: str, resamples: int, seed: int
) -> Iterator[dict[str, object]]:
    known = part[part[detail] >= 0].drop_duplicates("id")
    bad, enough = int((known[detail] == 0).sum()), len(known["group"].unique()) > 1
    data = quantity(part, methods, detail) if enough else ""
    boot = None if isinstance(data, str) else bootstrap(data, ["auc"], resamples, seed)
    for method in methods:
        yield {
            "method": method,
            "row": row_name(method),
            "encoder": encoder_of(method),
            "detail": detail,
            "among": among,
            "pictures": len(known),
            "bad": bad,
            "seeds": part.loc[part["method"] == method, "seed"].nunique(),
            **with_ends("auc", boot.interval(method, "auc") if boot else (np.nan,) * 3),
        }


# ---------------------------------------------------------------- words
def show_verdicts(table: pd.DataFrame) -> str:
    """`verdicts` as a markdown table; "" where there is nothing."""
    if table.empty:
        return ""
    head = ["", "encoder", "seeds", "head", "monotone", "rise by its own defect"]
    head += ["less the largest by another's", "its own most", f"called {BAD} at the severest"]
    rows = [
        [
            name_of(row["method"]),
            row["encoder"],
            row["seeds"],
            row["detail"],
            _yes(row["monotone"]),
            cell_of(row, "rise", sign=True),
            cell_of(row, "over", sign=True),
            _yes(row["own"]),
            cell_of(row, "called"),
        ]
        for row in table.to_dict("records")
    ]
    foot = (
        f"Simulated pictures of {table['eyes'].iloc[0]} eyes with one defect each. Rise: of the "
        f"mean probability of {BAD}, from no defect to the severest. 95 % intervals: eyes and "
        "seeds resampled."
    )
    return "\n".join([markdown(head, rows, left=range(len(head))), "", foot])


def _yes(value: object) -> str:
    return "yes" if value else "no"


def show_conditional(table: pd.DataFrame) -> str:
    """`conditional` as markdown: a line a row and detail, AUC among all and with the others
    fixed."""
    head = ["", "encoder", "on", "detail", *(f"{plain('auc')}, {a}" for a in AMONG)]
    rows = []
    for _, part in table.groupby(["on", "method", "detail"], sort=False):
        by, first = part.set_index("among").to_dict("index"), part.iloc[0]
        cells = [_auc_cell(by[among]) for among in AMONG]
        who = [name_of(first["method"]), first["encoder"], first["on"], first["detail"]]
        rows.append([*who, *cells])
    foot = (
        f'"others": the other two details are both {BAD}, or both good, by people\'s labels; in '
        f"brackets 95 % intervals (patients and seeds resampled), then pictures ({BAD})."
    )
    return "\n".join([markdown(head, rows, left=range(len(head))), "", foot])


def _auc_cell(row: Mapping) -> str:
    return f"{cell_of(row, 'auc', digits=3)}; {row['pictures']} ({row['bad']})"
