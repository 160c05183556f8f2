"""What notebooks 14, 15 and 17 found: short tables, and sentences made from their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ..scales import DETAILS
from ..stats.resampling import Bootstrap
from . import beside_simple
from .fitting import counted
from .fundus_grades import HELD, differences
from .names import BAD, FAMILIES, LABEL, encoder_of, name_of, plain, row_name
from .text import cell, cell_of, decided, kind_of, markdown

UNDECIDED = "not decided"


ALONE = "what the overall grade alone says"  # people's, as a row of a table


NO_VOTES = "Graders' votes are not known, so the noise of pseudo-labels cannot be tested."


COMPARED = ("macro_f1", "auc", "f1", "matched")  # measures of single-task and multi-task


# ---------------------------------------------------------------- details
def details(table: pd.DataFrame, simulated: bool) -> str:
    """A `fundus_grades.details` in short: AUC of each row that looks at pictures, and whether that
    is above or below what the overall grade alone says."""
    looking = [row for row in table.to_dict("records") if _looks(row["method"])]
    by = {(row["method"], row["detail"]): row for row in looking}
    methods = list(dict.fromkeys(row["method"] for row in looking))
    rows = [[row_name(m), *(_auc(by[m, d]) for d in DETAILS)] for m in methods]
    return f"{markdown([plain('auc'), *DETAILS], rows)}\n\n{_foot(simulated)}"


def _foot(simulated: bool) -> str:
    return f"{kind_of(simulated)}; in brackets 95 % intervals."


def _looks(method: str) -> bool:
    return method != LABEL and not beside_simple.is_constant(method)


def _is_network(row: Mapping) -> bool:
    return row["method"] != LABEL and not beside_simple.is_simple(row["method"])


def _auc(row: Mapping) -> str:
    against = _against_grade(row)
    return cell_of(row, "auc") + (f": {against}" if against else "")


def _against_grade(row: Mapping) -> str:
    """ "above", "below" or UNDECIDED; "" where the baseline is not there."""
    low, high = row.get("over_label_low", np.nan), row.get("over_label_high", np.nan)
    known = np.isfinite([low, high]).all()
    return decided(low, high, "below", "above", UNDECIDED) if known else ""


def details_said(table: pd.DataFrame, on: str) -> str:
    """How many of the networks' details are told above what the overall grade alone says, and above
    rows without a network. on: the set's name."""
    every = table.to_dict("records")
    networks = [row for row in every if _is_network(row)]
    found = Counter(filter(None, map(_against_grade, networks)))
    said = [f"On {on} the networks tell {len(networks)} details"]
    if found:
        said.append(
            f": against {ALONE}, {found['above']} above, {found['below']} below, "
            f"{found[UNDECIDED]} not decided (AUC of {BAD})"
        )
    return f"{''.join(said)}{_not_passed(every, ('auc',))}."


def _not_passed(rows: Sequence[Mapping], measures: Sequence[str], on: str = "") -> str:
    """ "; by point estimates 7 of 9 are not above a row without a network: ..."; "" where there is
    no such row."""
    said = beside_simple.cells(rows, measures, on=on)
    if said is None:
        return ""
    networks = [s for row, s in zip(rows, said, strict=True) if _is_network(row)]
    behind = [s for s in networks if s != beside_simple.NONE]
    head = f"; by point estimates {len(behind)} of {len(networks)} are not above every simple row"
    names = [one.partition(" (")[0] for s in behind for one in s.split("; ")]
    counted = [f"{name} in {n}" for name, n in Counter(names).most_common()]
    return head + (f" ({', '.join(counted)})" if counted else "")


# ---------------------------------------------------------------- the overall grade
def _pairs(table: pd.DataFrame, on: str) -> Iterator[tuple[str, str, str]]:
    """(encoder's row, multi-task, single-task) of each encoder that has both."""
    for family in FAMILIES:
        multi, single = f"multi{family}_{on}", f"single{family}_{on}"
        if {multi, single} <= {*table["method"]}:
            yield f"{row_name(multi)} − {row_name(single)}", multi, single


def overall(table: pd.DataFrame, boot: Bootstrap, on: str, simulated: bool) -> str:
    """Multi-task less single-task of each encoder, a line a measure, with what the interval
    decides; and how many seeds that counts."""
    pairs = list(_pairs(table, on))
    found = [differences(boot, a, b).set_index("measure") for _, a, b in pairs]
    rows = [[plain(m, on), *(_difference(d.loc[m]) for d in found)] for m in COMPARED]
    seeds = int(table["seeds"].iloc[0])
    one = "1 seed: the spread between seeds is not in these intervals."
    head = [on, *(pair for pair, _, _ in pairs)]
    foot = f"{_foot(simulated)} {one if seeds == 1 else f'{seeds} seeds.'}"
    return f"{markdown(head, rows)}\n\n{foot}"


def _difference(row: pd.Series) -> str:
    if not np.isfinite([row["low"], row["high"]]).all():
        return "cannot be judged: a class is missing"
    number = cell(row["difference"], row["low"], row["high"], sign=True, digits=3)
    return f"{number}: {decided(row['low'], row['high'], 'lower', 'higher', UNDECIDED)}"


def overall_said(table: pd.DataFrame, boot: Bootstrap, on: str) -> str:
    """In how many of the comparisons of `overall` multi-task is higher or lower, whether more than
    a moved threshold, and how many networks do not pass a simple row."""
    higher, found, moved = [], Counter[str](), []
    for _, a, b in _pairs(table, on):
        d = differences(boot, a, b).set_index("measure").loc[list(COMPARED)]
        verdicts = {
            m: decided(row["low"], row["high"], "lower", "higher", UNDECIDED)
            for m, row in d.iterrows()
        }
        found.update(verdicts.values())
        higher += [f"{plain(m, on)}, {encoder_of(a)}" for m, v in verdicts.items() if v == "higher"]
        up = d["low"] > 0
        if up["f1"] and not up["matched"] and not up["auc"]:
            moved.append(encoder_of(a))
    which = f" ({'; '.join(higher)})" if higher else ""
    seeds = counted(int(table["seeds"].iloc[0]), "seeds")
    said = (
        f"On {on} ({seeds}) multi-task is higher than single-task in {found['higher']} of "
        f"{found.total()} comparisons{which}, lower in {found['lower']}, not decided in "
        f"{found[UNDECIDED]}"
        f"{_not_passed(table.to_dict('records'), HELD, on)}."
    )
    if moved:
        said += (
            f" With {', '.join(moved)}, {plain('f1', on)} is higher only at the networks' own "
            "thresholds: a moved operating point explains it."
        )
    return said


# ---------------------------------------------------------------- heads, experts
def heads_said(verdicts: pd.DataFrame) -> str:
    """How many heads rise with their own defect, and which do so more than with another's
    (`own_defect.verdicts`)."""
    rows = verdicts.to_dict("records")
    rises = sum(bool(row["monotone"]) and row["rise"] > 0 for row in rows)
    own: dict[str, list[str]] = {}
    for row in rows:
        if row["own"]:
            own.setdefault(name_of(row["method"]), []).append(row["detail"])
    listed = "; ".join(f"{name}: {', '.join(of)}" for name, of in own.items())
    n = sum(map(len, own.values()))
    return (
        f"On simulated eyes with one defect each, {rises} of {len(rows)} heads rise with their own "
        f"throughout, {n} more than with another's{f' ({listed})' if listed else ''}."
    )


def noise(table: pd.DataFrame, simulated: bool) -> str:
    """`experts.noise` as markdown: how often pseudo-label and grader differ, beside two graders; a
    sentence where that is not known."""
    if table.empty:
        return NO_VOTES
    rows = [
        [
            row["detail"],
            cell(row["pseudo"], digits=3),
            cell(row["experts"], digits=3),
            cell(row["difference"], row["low_90"], row["high_90"], sign=True, digits=3),
            row["verdict"],
        ]
        for row in table.to_dict("records")
    ]
    head = ["detail", "pseudo-label and grader differ, share", "two graders differ, share"]
    shown = markdown([*head, "difference [90 %]", "verdict"], rows, (0, 4))
    return f"{shown}\n\n{kind_of(simulated)}."


def noise_said(table: pd.DataFrame) -> str:
    """Whether a pseudo-label is as noisy as an expert, in a sentence; that it cannot be tested,
    where votes are not known."""
    if table.empty:
        return NO_VOTES
    found = [f"{row['detail']} {row['verdict']}" for row in table.to_dict("records")]
    return (
        f"A pseudo-label of the Teacher differs from a grader in "
        f"{_spread(table['pseudo'])} of the pictures, two graders in {_spread(table['experts'])}; "
        f"as noisy as an expert: {', '.join(found)}."
    )


def _spread(shares: pd.Series) -> str:
    return f"{shares.min():.0%} to {shares.max():.0%}"


def ending(said: Sequence[str], simulated: bool, then: str) -> str:
    """The last words of a notebook: a sentence each in a paragraph, of which data they are, and
    what to open next.

    >>> print(ending(["All is well."], True, "`16_significance`"))
    Simulated data. All is well.
    <BLANKLINE>
    Open next: `16_significance`.
    """
    first, *others = said
    return "\n\n".join([f"{kind_of(simulated)}. {first}", *others, f"Open next: {then}."])
