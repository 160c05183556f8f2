"""The papers' own arithmetic, done again from what they print: the tests of the ledger of claims
that need no picture.

Each function gives the differences (`Item`, above 0 in the claim's favour) of one test named in
published_numbers/claim_tests.csv. Numbers have two decimals (of Table 2 no rule of rounding is
stated: an interval holds all that prints the same, rounded or cut) or three (F1 and recall).
Sampling is counted where the claim is about more than the test pictures: two unpaired standard
errors, since the paired ones cannot be had from the papers. `fact` gives what label files say
(published_numbers/label_facts.csv)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd

from ..datasets import deepdrid, mshf
from ..datasets.splits import floor_split
from ..stats.paired_tests import mcnemar_p
from . import published as paper
from .claims_ledger_rules import Item, Missing
from .names import BASE, FIVE
from .one_comparison import margins
from .published import published
from .table1 import needed, readings

Fact = Callable[[str], float]

Z_95, Z_90 = 1.959964, 1.644854  # of a normal distribution

CUT, ROUND = 0.01, 0.005  # a printed number may be so much too small, or so much too large

DISCORDANT = 0.10  # share of EyeQ-D's pictures that one network grades right and the other wrong


def stated(item: str) -> float:
    """A number that a paper states (published_numbers/stated.csv). Missing without it."""
    table = published("stated").set_index("item")["value"]
    if item not in table.index:
        raise Missing(f"stated.csv has no {item}")
    return float(table[item])


def _number(label: str, value: float) -> list[Item]:
    return [Item(label, float(value))]


def _ends(label: str, value: float, down: float, up: float, se: float = 0.0) -> Item:
    """A difference that may be `down` smaller or `up` larger by printing, with this standard
    error."""
    ends = (
        [value - down - z * se for z in (Z_95, Z_90)],
        [value + up + z * se for z in (Z_95, Z_90)],
    )
    (low, low_90), (high, high_90) = ends
    return Item(label, value, low, high, low_90, high_90)


# ---------------------------------------------------------------- Table 1 of Dang et al.
def train_total(fact: Fact) -> list[Item]:
    """8,345 labelled pictures."""
    return _number("pictures apart", paper.counts("train").sum() - stated("labelled_train"))


def _by_hand() -> tuple[float, float]:
    return stated("hand_0"), stated("hand_4")


def pool_total(fact: Fact) -> list[Item]:
    """139,641 unlabelled pictures."""
    left = fact("kadis_pictures") - sum(_by_hand())
    return _number("pictures apart", left - stated("unlabelled"))


def whole_total(fact: Fact) -> list[Item]:
    """All of Table 1 is KonIQ-10k and what was labelled by hand."""
    table = published("table1")["count"].sum()
    return _number("pictures apart", fact("koniq_pictures") + sum(_by_hand()) - table)


def totals() -> np.ndarray:
    """Pictures per grade (5,) of all splits of Table 1."""
    return sum((paper.counts(split) for split in ("train", "val", "test")), np.zeros(5))


def split_again() -> np.ndarray:
    """Table 1's totals, split again by `floor_split`: (3, 5) of train, val, test."""
    grades = np.repeat(np.arange(5), totals().astype(int))
    split = floor_split(grades)
    return np.array(
        [np.bincount(grades[split == s], minlength=5) for s in ("train", "val", "test")]
    )


def splits(fact: Fact) -> list[Item]:
    """All 15 counts by the floors of .8 n and .1 n."""
    printed = np.array([paper.counts(s) for s in ("train", "val", "test")])
    return _number("pictures apart over 15 counts", np.abs(split_again() - printed).sum())


def rates(fact: Fact) -> list[Item]:
    """The two rates that are no share of their column."""
    out = []
    for split in ("val", "test"):
        n = paper.counts(split)
        printed = stated(f"rate_{split}_3")
        true = 100 * n[3] / n.sum()
        out.append(Item(f"{split}, grade 3: {printed:.2f} for {true:.3f}", printed - true))
    return out


def koniq_counts(fact: Fact, rule: str) -> np.ndarray:
    """Pictures of KonIQ-10k per grade (5,) by a label rule, "mode" or "equal_width"."""
    return np.array([fact(f"koniq_{rule}_{k}") for k in range(5)])


def equal_width(fact: Fact) -> list[Item]:
    """What five equal parts of the score lack to Table 1, beside the mode of the votes."""
    aim = needed(published("table1"))
    off = {r: np.abs(koniq_counts(fact, r) - aim).sum() for r in ("equal_width", "mode")}
    same = fact("koniq_same_grade") / fact("koniq_pictures")
    told = f"pictures apart (mode of the votes: {off['mode']:.0f}; both agree on {same:.1%})"
    return _number(told, off["equal_width"])


def hand_labels(fact: Fact) -> list[Item]:
    """What the mode of the votes lacks to Table 1 under the text's 159 and 200."""
    table = readings(koniq_counts(fact, "mode").astype(int), published("table1")).set_index(
        "reading"
    )
    text, counts = table.loc["text"], table.loc["counts"]
    told = (
        f"pictures apart (with {counts['hand 0']} and {counts['hand 4']} by hand: {counts['l1']})"
    )
    return _number(told, text["l1"])


# ---------------------------------------------------------------- Table 2 beside constants
def micro(fact: Fact) -> list[Item]:
    """Rows whose MAE 3&4 fits no mean over pictures."""
    fits = np.any([paper.implied(r)["micro"] for r in paper.READINGS], axis=0)
    return _number("rows that do not fit", (~fits).sum())


def twenty_three(fact: Fact) -> list[Item]:
    """Rows whose MAE 4 is no sum of whole errors over 23 pictures."""
    table = paper.class_4()
    rounded, cut = table["rounded"] != "", table["truncated"] != ""
    told = f"rows that do not fit ({(cut & ~rounded).sum()} only if cut, not rounded)"
    return _number(told, (~rounded & ~cut).sum())


def _constant() -> pd.Series:
    return paper.constants().iloc[paper.constant()]


def standard_error(mae: float, pictures: float) -> float:
    """Of a printed MAE over the test pictures, its square errors in proportion to its errors as
    those of the best constant are (`published.gaps`)."""
    n, apart = paper.counts(), paper.DISTANCE[:, paper.constant()]
    ratio = np.average(apart**2, weights=n) / np.average(apart, weights=n)
    return float(np.sqrt((ratio * mae - mae**2) / pictures))


def _to_constant(methods: list[str]) -> list[Item]:
    table, best, n = paper.printed(), _constant(), paper.counts().sum()
    out = []
    for method in methods:
        mae = table.loc[method, "mae"]
        se = float(np.hypot(best["se"], standard_error(mae, n)))
        out.append(_ends(table.loc[method, "row"], best["mae"] - mae, CUT, ROUND, se))
    return out


def vit_constant(fact: Fact) -> list[Item]:
    """The ViT's .53 beside the constant's .552."""
    return _to_constant([BASE])


def methods_constant(fact: Fact) -> list[Item]:
    """The five methods beside the constant."""
    return _to_constant([*FIVE])


def _implied() -> dict[str, pd.DataFrame]:
    return {r: paper.implied(r).set_index("method") for r in paper.READINGS}


def lower_grades(fact: Fact) -> list[Item]:
    """Grades 0-2 of every row beside the constant."""
    best, tables = _constant()["mae_012"], _implied()
    out = []
    for method, row in tables["rounded"].iterrows():
        low = best - max(t.loc[method, "mae_012_high"] for t in tables.values())
        high = best - min(t.loc[method, "mae_012_low"] for t in tables.values())
        out.append(Item(row["row"], best - row["mae_012"], low, high, low, high))
    return out


def upper_constant(fact: Fact) -> list[Item]:
    """MAE 3&4 of every row beside the constant that is best there."""
    best = paper.constants()["mae_34"].min()
    rows = paper.printed().to_dict("records")
    return [_ends(row["row"], best - row["mae_34"], CUT, ROUND) for row in rows]


def no_shift(fact: Fact) -> list[Item]:
    """Grades 0-2 of the five methods beside the ViT's."""
    tables = _implied()
    out = []
    for method in FIVE:
        both = [(t.loc[BASE], t.loc[method]) for t in tables.values()]
        low = min(v["mae_012_low"] - m["mae_012_high"] for v, m in both)
        high = max(v["mae_012_high"] - m["mae_012_low"] for v, m in both)
        vit, mine = both[0]
        out.append(Item(mine["row"], vit["mae_012"] - mine["mae_012"], low, high, low, high))
    return out


def best_overall(fact: Fact) -> list[Item]:
    """CRMatch beside every other row."""
    table, n = paper.printed(), paper.counts().sum()
    mine = table.loc["crmatch", "mae"]
    out = []
    for row in table.drop("crmatch").to_dict("records"):
        se = float(np.hypot(standard_error(mine, n), standard_error(row["mae"], n)))
        out.append(_ends(row["row"], row["mae"] - mine, CUT, CUT, se))
    return out


def best_on_4(fact: Fact) -> list[Item]:
    """CoMatch beside every other row, on 23 pictures."""
    table = paper.class_4().set_index("method")
    mine = table.loc["comatch"]
    return [
        _ends(r["row"], r["mae_4"] - mine["mae_4"], CUT, CUT, float(np.hypot(r["se"], mine["se"])))
        for r in table.drop("comatch").to_dict("records")
    ]


def one_rater(fact: Fact) -> list[Item]:
    """The best row beside one person's vote."""
    table = paper.printed()
    best = table.loc[table["mae"].idxmin()]
    se = standard_error(best["mae"], paper.counts().sum())
    return [
        _ends(
            f"one rater {fact('koniq_one_rater'):.3f}",
            fact("koniq_one_rater") - best["mae"],
            CUT,
            ROUND,
            se,
        )
    ]


# ---------------------------------------------------------------- Telesco et al.
def _told(measure: str) -> tuple[float, float]:
    """Single-task and multi-task on DeepDRiD."""
    table = published("fundus").set_index(["set", "measure"])
    return tuple(float(v) for v in table.loc[("deepdrid", measure), ["single", "multi"]])  # type: ignore[return-value]


def precisions(f1: float, recall: float, half: float = 0.0005) -> tuple[float, float, float]:
    """Precision that follows from F1 and recall, and the least and most of all that print so (half:
    of the last digit).

    >>> [round(p, 3) for p in precisions(0.763, 0.782)]
    [0.745, 0.743, 0.746]
    """
    ends = product((f1 - half, f1 + half), (recall - half, recall + half))
    found = [f * r / (2 * r - f) for f, r in ends]
    return f1 * recall / (2 * recall - f1), min(found), max(found)


def precision(fact: Fact) -> list[Item]:
    """DeepDRiD's precision, which falls."""
    single, multi = (precisions(f, r) for f, r in zip(_told("f1"), _told("recall"), strict=True))
    low, high = multi[1] - single[2], multi[2] - single[1]
    return [
        Item(
            f"precision {single[0]:.3f} → {multi[0]:.3f}",
            multi[0] - single[0],
            low,
            high,
            low,
            high,
        )
    ]


def right_of(f1: float, recall: float, bad: int, good: int, half: float = 0.0005) -> list[int]:
    """How many of bad + good pictures are right, for every pair of whole counts that prints this F1
    and recall of bad.

    >>> right_of(0.763, 0.782, 220, 180)
    [293]
    """
    hits = [h for h in range(1, bad + 1) if abs(h / bad - recall) <= half]
    return [
        hit + good - false
        for hit, false in product(hits, range(good + 1))
        if abs(2 * hit / (hit + bad + false) - f1) <= half
    ]


def right_answers(fact: Fact) -> list[Item]:
    """DeepDRiD's right answers, from whole counts. Missing where they are not the only ones."""
    sizes = deepdrid.ABOUT.counts
    bad, good = (sizes[f"test {word}"] for word in ("bad", "good"))
    pairs = zip(_told("f1"), _told("recall"), strict=True)
    found = [right_of(f, r, bad, good) for f, r in pairs]
    if [len(each) for each in found] != [1, 1]:
        raise Missing("F1 and recall fit no counts of the official test split, or several")
    (single,), (multi,) = found
    n = bad + good
    se = float(np.sqrt(sum(k * (n - k) / n**3 for k in (single, multi))))
    return [_ends(f"{single} → {multi} right of {n}", (multi - single) / n, 0, 0, se)]


def least_shown(pictures: int, discordant: float = DISCORDANT) -> float:
    """The least difference in accuracy that McNemar's exact test calls significant (p < 0.05) where
    this share of pictures is graded right by one network only; nan where none is.

    >>> least_shown(160)
    0.0625
    """
    k = round(pictures * discordant)
    b = np.arange(k // 2, -1, -1)
    shown = b[mcnemar_p(b, k - b)[0] < 0.05]
    return float((k - 2 * shown.max()) / pictures) if len(shown) else float("nan")


def could_show(fact: Fact) -> list[Item]:
    """What p > 0.05 on EyeQ-D's pictures can mean."""
    least = least_shown(int(stated("eyeq_d_pictures")))
    gap = margins()["clarity", "auc"] - least
    return [Item(f"least difference shown {least:.4f}", gap, gap, gap, gap, gap)]


def second_opinion(fact: Fact) -> list[Item]:
    """EyeQ-D's overall grade beside EyeQ's."""
    n, same = fact("eyeq_d_pictures"), fact("eyeq_d_same_grade")
    return _number(f"pictures graded otherwise (the same: {same:.0f} of {n:.0f})", n - same)


def held_out(fact: Fact) -> list[Item]:
    """EyeQ-D's pictures outside EyeQ's test split."""
    return _number("pictures elsewhere", stated("eyeq_d_pictures") - fact("eyeq_d_in_test"))


def student_pictures(fact: Fact) -> list[Item]:
    """EyeQ's training pictures."""
    return _number("pictures apart", fact("eyeq_train") - stated("student_pictures"))


def teacher_pictures(fact: Fact) -> list[Item]:
    """MSHF's colour and portable pictures."""
    sizes = mshf.ABOUT.counts
    return _number(
        "pictures apart", sizes["colour"] + sizes["portable"] - stated("teacher_pictures")
    )


AUDITS: dict[str, Callable[[Fact], list[Item]]] = {
    "floor_split": splits,
    **{
        each.__name__: each
        for each in (
            train_total,
            pool_total,
            whole_total,
            rates,
            equal_width,
            hand_labels,
            micro,
            twenty_three,
            vit_constant,
            methods_constant,
            lower_grades,
            upper_constant,
            no_shift,
            best_overall,
            best_on_4,
            one_rater,
            precision,
            right_answers,
            could_show,
            second_opinion,
            held_out,
            student_pictures,
            teacher_pictures,
        )
    },
}
