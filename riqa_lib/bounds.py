"""What values a setting may have, stated once, beside its field:

    @dataclass(frozen=True)
    class Config(Checked):
        where: ClassVar[str] = "method."
        tau: Annotated[float, Range(0, 1)] = 0.95  # confidence needed
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"

A settings class that is made of wrong values raises ValueError; so does `must_allow`, which says
the name that the user typed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Range:
    """Numbers from `low` (or `above` it) to `high` (or `below` it), None: no end. A field of many
    numbers has them all in it. Nan and infinity are in no range.

    >>> Range(0, below=1).wrong(1.0)
    'expected 0 to below 1'
    >>> Range(above=0).wrong(0.5)
    ''
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def wrong(self, value: object) -> str:
        """What was expected instead of this value; "" for one that is allowed."""
        many = value if isinstance(value, tuple | list) else [value]
        each = "each of them " if many is value else ""
        return "" if all(map(self._holds, many)) else f"expected {each}{self}"

    def _holds(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
            return False
        number = float(value)
        low = self.low is None or number >= self.low
        high = self.high is None or number <= self.high
        above = self.above is None or number > self.above
        return low and high and above and (self.below is None or number < self.below)

    def __str__(self) -> str:
        begins = f"more than {self.above}" if self.low is None else f"{self.low}"
        if self.high is not None:
            return f"{begins} to {self.high}"
        if self.below is not None:
            return f"{begins} to below {self.below}"
        return begins if self.low is None else f"{begins} or more"


class OneOf:
    """One of these words or numbers.

    >>> OneOf("mean", "votes").wrong("median")
    'allowed: mean, votes'
    """

    def __init__(self, *allowed: object) -> None:
        self.allowed = allowed

    def wrong(self, value: object) -> str:
        """What is allowed instead of this value; "" for one that is."""
        return "" if value in self.allowed else f"allowed: {', '.join(map(str, self.allowed))}"


@lru_cache(maxsize=256)
def stated(settings: type) -> dict[str, Range | OneOf]:
    """What each field of a settings class may be, where that is stated beside it."""
    return {
        name: get_args(hint)[1]
        for name, hint in get_type_hints(settings, include_extras=True).items()
        if get_origin(hint) is Annotated
    }


def must_allow(settings: type, name: str, value: Any, typed: str) -> None:
    """ValueError that names the setting as it was typed, unless the field of this name may have
    this value.

    >>> from riqa_lib.training.optimisation import TrainConfig
    >>> must_allow(TrainConfig, "clip", -1, "fundus.train.clip")
    Traceback (most recent call last):
    ValueError: fundus.train.clip is -1; expected 0 or more
    """
    rule = stated(settings).get(name)
    if rule and (wrong := rule.wrong(value)):
        raise ValueError(f"{typed} is {value!r}; {wrong}")


class Checked:
    """Base of settings classes: what is stated beside their fields holds, or ValueError."""

    where: ClassVar[str] = ""  # what stands before a setting's name in messages

    def __post_init__(self) -> None:
        kind: type = type(self)
        for name in stated(kind):
            must_allow(kind, name, getattr(self, name), f"{self.where}{name}")
