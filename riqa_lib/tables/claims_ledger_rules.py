"""How the ledger of claims decides: from measured differences to a verdict, by the rules of
published_numbers/claim_rules.csv.

Every difference is turned so that above 0 speaks for the claim. A test may have several (three
details, five methods); then `need` says how many must hold: "all", "most" (more than half) or
"any". The margins were set before any result (published_numbers/margins.csv). The rules were
written when the reference results were known, one rule for all claims of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..stats.crossed import too_few

NAN: Final = float("nan")

REPRODUCED, REFUTED, UNDECIDED, UNTESTED = VERDICTS = (
    "reproduced",
    "not reproduced",
    "undecided",
    "not testable here",
)

NEVER = "the two never differ, so it is no test"


class Missing(LookupError):
    """What a test needs is not there; says what, and what to do about it."""


@dataclass(frozen=True)
class Item:
    """One measured difference, above 0 in the claim's favour: its ends at 95 and 90 %, p after
    Holm's correction, over how many seeds (nan: of no training), the margin (nan: none set)."""

    label: str
    value: float
    low: float = NAN
    high: float = NAN
    low_90: float = NAN
    high_90: float = NAN
    p: float = NAN
    seeds: float = NAN
    pictures: float = NAN
    margin: float = NAN


# ---------------------------------------------------------------- rules of one difference
def better(it: Item) -> str:
    """A gain: above 0; refuted where it is below 0, or where one of the margin is shut out.

    >>> better(Item("", 0.03, 0.01, 0.05)), better(Item("", 0.0, -0.03, 0.03))
    ('reproduced', 'undecided')
    >>> better(Item("", 0.0, -0.012, 0.012, -0.01, 0.01, margin=0.02))
    'not reproduced'
    """
    told = not it.p >= 0.05  # also where there is no p
    if it.low > 0 and told:
        return REPRODUCED
    return REFUTED if (it.high < 0 and told) or it.high_90 < it.margin else UNDECIDED


def as_good(it: Item) -> str:
    """No loss of the margin.

    >>> as_good(Item("", -0.01, -0.03, 0.01, -0.028, 0.008, margin=0.03))
    'reproduced'
    """
    if it.low_90 > -it.margin:
        return REPRODUCED
    return REFUTED if it.high < 0 and not it.p >= 0.05 else UNDECIDED


def alike(it: Item) -> str:
    """Equivalence on both sides.

    >>> alike(Item("", 0.0, low_90=-0.04, high_90=0.06, margin=0.05))
    'undecided'
    """
    if it.low_90 > -it.margin and it.high_90 < it.margin:
        return REPRODUCED
    return REFUTED if it.low_90 > it.margin or it.high_90 < -it.margin else UNDECIDED


def not_shown(it: Item) -> str:
    """The paper's own rule, p of 0.05 or more; without a p it is undecided."""
    if it.p != it.p:
        return UNDECIDED
    return REPRODUCED if it.p >= 0.05 else REFUTED


def equal(it: Item) -> str:
    """What is computed is what is printed, within the margin (nan: exactly)."""
    allowed = 0.0 if it.margin != it.margin else it.margin
    return REPRODUCED if abs(it.value) <= allowed + 1e-9 else REFUTED


def other(it: Item) -> str:
    """There is a difference at all."""
    return REPRODUCED if it.value else REFUTED


RULES: dict[str, Callable[[Item], str]] = {
    "better": better,
    "as good": as_good,
    "alike": alike,
    "not shown": not_shown,
    "equal": equal,
    "other": other,
}
OF_NUMBERS = ("equal", "other")  # rules that need no interval


# ---------------------------------------------------------------- verdicts
def verdict_of(it: Item, rule: str) -> tuple[str, str]:
    """The verdict on one difference and, where there is none by the rule, why. ValueError for
    another rule.

    Of trained networks nothing is decided from fewer than three seeds; what never differs is no
    test.

    >>> verdict_of(Item("", 0.03, 0.01, 0.05, seeds=1), "better")
    ('undecided', 'one seed: not a comparison')
    """
    if rule not in RULES:
        raise ValueError(f"rule {rule!r}: expected one of {', '.join(RULES)}")
    if rule in OF_NUMBERS:
        return RULES[rule](it), ""
    if it.value != it.value or (it.low != it.low and it.low_90 != it.low_90):
        return UNTESTED, "no interval: a class is missing, or the rows were not run"
    if it.seeds < 1:
        return UNTESTED, "the rows were not run"
    if few := (too_few(it.seeds) if it.seeds == it.seeds else ""):
        return UNDECIDED, few
    if it.low == it.high == 0:
        return UNTESTED, NEVER
    return RULES[rule](it), ""


def all_hold(n: int, held: int, refuted: int) -> str:
    """Every one must hold; one that is refuted refutes all."""
    if refuted:
        return REFUTED
    return REPRODUCED if held == n else UNDECIDED


def most_hold(n: int, held: int, refuted: int) -> str:
    """More than half must hold; refuted where more than half are."""
    if 2 * held > n:
        return REPRODUCED
    return REFUTED if 2 * refuted > n else UNDECIDED


def any_holds(n: int, held: int, refuted: int) -> str:
    """One must hold; refuted where all are."""
    if held:
        return REPRODUCED
    return REFUTED if refuted == n else UNDECIDED


NEEDS: dict[str, Callable[[int, int, int], str]] = {
    "all": all_hold,
    "most": most_hold,
    "any": any_holds,
}


def together(items: Sequence[Item], rule: str, need: str) -> tuple[str, str]:
    """The verdict on a test of several differences, and why where it has none by the rule.
    ValueError for another `need`, or no difference.

    >>> items = [Item("", 0.03, 0.01, 0.05), Item("", 0.0, -0.03, 0.03), Item("", 0.1, 0.05, 0.2)]
    >>> [together(items, "better", need)[0] for need in ("all", "most", "any")]
    ['undecided', 'reproduced', 'reproduced']
    """
    if need not in NEEDS:
        raise ValueError(f"need {need!r}: expected one of {', '.join(NEEDS)}")
    if not items:
        raise ValueError("no difference to judge")
    said = [verdict_of(it, rule) for it in items]
    verdicts = [v for v, _ in said]
    why = _why([(it.label, w) for it, (_, w) in zip(items, said, strict=True)])
    if set(verdicts) == {UNTESTED}:
        return UNTESTED, why
    n = len(verdicts)
    return NEEDS[need](n, verdicts.count(REPRODUCED), verdicts.count(REFUTED)), why


def _why(each: Sequence[tuple[str, str]]) -> str:
    """Why some differences have no verdict: by name, where it is not so of all."""
    reasons = [w for _, w in each]
    if len(set(reasons)) == 1:
        return reasons[0]
    return "; ".join(f"{label}: {w}" for label, w in each if w)
