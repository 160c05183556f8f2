"""What the columns of somebody's table mean: declared by its owner, never guessed, checked at
once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """The keywords of `folder.read_folder`; ValueError for a declaration that makes no sense.

    >>> Declaration(id="name", score="MOS", low=0, high=100).grades_by
    'equal_width'
    >>> Declaration(id="name", score="MOS")
    Traceback (most recent call last):
    ValueError: declare the range of MOS: low= and high= (of the scale, not of the scores seen)
    """

    # columns of the table, by name
    id: str
    path: str | None = None
    score: str | None = None
    grade: str | None = None
    votes: Sequence[str] = ()  # one a class, worst first
    total: str | None = None  # votes are shares of it
    group: str | None = None
    source: str | None = None
    split: str | None = None
    # what their numbers mean
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    classes: int = 5
    rule: str | None = None
    # the split, where the table has none
    fractions: Sequence[float] = (0.8, 0.1, 0.1)
    seed: int = 0
    # the table's file
    encoding: str = "utf-8"
    separator: str = ","

    def __post_init__(self) -> None:
        self._check_rule()
        self._check_bounds()

    @property
    def columns(self) -> dict[str, str]:
        """The declared columns: what each is -> its name in the table. A vote's key is "vote" and
        that name."""
        named = {
            "id": self.id,
            "path": self.path or self.id,
            "group": self.group,
            "source": self.source,
            "split": self.split,
            "score": self.score,
            "grade": self.grade,
            "total": self.total,
        } | {f"vote {v}": v for v in self.votes}
        return {key: name for key, name in named.items() if name is not None}

    @property
    def rules(self) -> list[str]:
        """The rules for grades that the declared columns allow, the usual one first."""
        allowed = ["mode", "round_mean"] if self.votes else []
        allowed += ["given"] if self.grade else []
        return allowed + (["equal_width"] if self.score else [])

    @property
    def grades_by(self) -> str:
        """How grades are made: the declared rule, or the first that is allowed."""
        return self.rule or self.rules[0]

    @property
    def bounds(self) -> dict[str, Range]:
        """The range of the score and of the grade. low and high are the score's where there is
        one."""
        classes = (0.0, self.classes - 1.0)
        if self.low is None or self.high is None:
            return {"score": classes, "grade": classes}
        declared = (self.low, self.high)
        return {"score": declared, "grade": classes if self.score else declared}

    def _check_rule(self) -> None:
        allowed = self.rules
        if not allowed:
            raise ValueError(
                "declare at least one of score=, grade=, votes=: the columns that say how good a "
                "picture is"
            )
        if self.rule is not None and self.rule not in allowed:
            raise ValueError(f"rule {self.rule!r}: the declared columns allow {', '.join(allowed)}")
        if self.votes and len(self.votes) != self.classes:
            raise ValueError(
                f"votes names {len(self.votes)} columns, expected one for each of {self.classes} "
                "classes"
            )
        if self.classes < 2:
            raise ValueError(f"classes = {self.classes}: expected at least 2")

    def _check_bounds(self) -> None:
        low, high = self.low, self.high
        if self.score and (low is None or high is None):
            raise ValueError(
                f"declare the range of {self.score}: low= and high= (of the scale, not of the "
                "scores seen)"
            )
        one_only = (low is None) != (high is None)
        if one_only or (low is not None and high is not None and not low < high):
            raise ValueError(f"low = {low}, high = {high}: expected two numbers, low < high")
        least, most = self.bounds["grade"]
        if self.grade and most - least != self.classes - 1:
            raise ValueError(
                f"grades from {least} to {most} are not {self.classes} classes; declare classes="
            )
