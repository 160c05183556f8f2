"""What the columns of somebody's table mean: declared by its owner, never guessed, checked at
once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from ..hints import did_you_mean
from ..scales import PHOTO_GRADES
from .table_words import encoding_of, separator_of

Range = tuple[float, float]
FEWEST, MOST = 2, 10  # grades
COLUMNS = ("id", "path", "score", "grade", "total", "group", "source", "split", "rater")
AGGREGATES = ("mean", "votes")
MARKUP = re.compile(r"[<>|`$]|\]\(")  # grades' names stand in pages and tables


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """The keywords of `folder.read_folder`, which says what each of them means; ValueError for a
    declaration that makes no sense.

    >>> Declaration(id="name", score="MOS", low=0, high=100).grades_by
    'equal_width'
    >>> Declaration(id="name", score="MOS")
    Traceback (most recent call last):
    ValueError: declare the range of MOS: low= and high= (of the scale, not of the scores seen)
    """

    # columns of the table, by name (by number from 1 on where there is no header)
    id: str | int
    path: str | int | None = None
    score: str | int | None = None
    grade: str | int | None = None
    votes: Sequence[str | int] = ()  # one a class, worst first
    total: str | int | None = None  # votes are shares of it
    group: str | int | None = None
    source: str | int | None = None
    split: str | int | None = None
    rater: str | int | None = None  # one row per rater and picture
    # what their numbers mean
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    classes: int = 5
    names: Sequence[str] = ()  # of the grades, worst first
    rule: str | None = None
    aggregate: str | None = None  # the raters' "mean", or their "votes"
    # pictures without a score
    pool: bool = False
    # the split, where the table has none
    fractions: Sequence[float] = (0.8, 0.1, 0.1)
    seed: int = 0
    # the table's file
    encoding: str = "utf-8"
    separator: str | None = None
    decimal: str = "."
    header: bool | Sequence[str] = True
    sheet: str | int | None = None

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Declaration:
        """A declaration from keywords; TypeError, saying what is allowed, for one that is not
        known.

        >>> Declaration.of({"id": "name", "scroe": "MOS"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TypeError: scroe is no keyword of a table; did you mean score? Allowed: id, path, score, ...
        """
        allowed = [f.name for f in fields(cls)]
        said = [
            f"{word} is no keyword of a table{did_you_mean(word, allowed)}"
            for word in declared
            if word not in allowed
        ]
        if "id" not in declared:
            said.append("id is not declared: the column that names a picture")
        if said:
            raise TypeError(f"{'; '.join(said)}. Allowed: {', '.join(allowed)}".replace("?.", "?"))
        return cls(**declared)

    def __post_init__(self) -> None:
        self._check_types()
        self._check_file()
        self._check_classes()
        self._check_raters()
        self._check_rule()
        self._check_bounds()

    # ------------------------------------------------------------ what it says
    @property
    def columns(self) -> dict[str, str]:
        """The declared columns: what each is -> its name in the table. A vote's key is "vote" and
        that name."""
        named: dict[str, str | int | None] = {
            "id": self.id,
            "path": self.id if self.path is None else self.path,
            "group": self.group,
            "source": self.source,
            "split": self.split,
            "rater": self.rater,
            "score": self.score,
            "grade": self.grade,
            "total": self.total,
        }
        named |= {f"vote {v}": v for v in self.votes}
        return {key: str(name) for key, name in named.items() if name is not None}

    @property
    def rules(self) -> list[str]:
        """The rules for grades that the declared columns allow, the usual one first."""
        if self.rater is not None:
            if self.aggregated == "votes":
                return ["mode", "round_mean"]
            return ["equal_width"] if self.score is not None else ["round_mean"]
        allowed = ["mode", "round_mean"] if self.votes else []
        allowed += ["given"] if self.grade is not None else []
        return allowed + (["equal_width"] if self.score is not None else [])

    @property
    def grades_by(self) -> str:
        """How grades are made: the declared rule, or the first that is allowed."""
        return self.rule or self.rules[0]

    @property
    def aggregated(self) -> str:
        """What is made of several raters: "mean" (of a score, by default) or "votes" (of
        grades)."""
        return self.aggregate or ("mean" if self.score is not None else "votes")

    @property
    def bounds(self) -> dict[str, Range]:
        """The range of the score and of the grade. low and high are the score's where there is
        one."""
        classes = (0.0, self.classes - 1.0)
        if self.low is None or self.high is None:
            return {"score": classes, "grade": classes}
        declared = (float(self.low), float(self.high))
        return {"score": declared, "grade": classes if self.score is not None else declared}

    @property
    def scale(self) -> dict[str, Any]:
        """The owner's scale, as dataset.json keeps it: name of the column that the frame's scores
        are of ("": none), its range, its direction, the grades' names (worst first), the rule."""
        one = self.score if self.score is not None or self.rater is None else self.grade
        low, high = self.bounds["grade" if self.score is None else "score"]
        if self.votes and self.score is None:  # the mean vote
            low, high = 1.0, float(self.classes)
        return {
            "score": "" if one is None else str(one),
            "low": low,
            "high": high,
            "higher_is_better": self.higher_is_better,
            "grades": self.grade_names,
            "rule": self.grades_by,
        }

    @property
    def grade_names(self) -> list[str]:
        """The grades' names, worst first: declared; else the ITU's words for five, the table's own
        numbers where it has grades only, or 1 to the number of classes.

        >>> Declaration(id="name", grade="g", low=0, high=1, classes=2).grade_names
        ['0', '1']
        """
        if self.names:
            return [str(name) for name in self.names]
        if self.classes == len(PHOTO_GRADES):
            return [*PHOTO_GRADES]
        if self.score is not None or self.votes:
            return [str(k + 1) for k in range(self.classes)]
        least = self.bounds["grade"][0]
        numbers = [f"{least + k:g}" for k in range(self.classes)]
        return numbers if self.higher_is_better else numbers[::-1]

    # ------------------------------------------------------------ whether it makes sense
    def _check_types(self) -> None:
        """Numbers that came as text, and text where a list is meant."""
        kinds = {
            "a column's name": (COLUMNS, _is_name),
            "a number": (("low", "high"), _is_number),
            "a whole number": (("classes", "seed"), _is_whole),
            "true or false": (("higher_is_better", "pool"), _is_truth),
            "a list": (("votes", "names", "fractions"), _is_list),
            "text": (("rule", "aggregate", "encoding", "separator", "decimal"), _is_text),
            "true, false or a list of names": (("header",), _is_header),
            "a tab's name or number": (("sheet",), _is_name),
        }
        for expected, (names, right) in kinds.items():
            for name in names:
                value = getattr(self, name)
                if value is not None and not right(value):
                    raise ValueError(f"{name} = {value!r}: expected {expected}")

    def _check_file(self) -> None:
        encoding_of(self.encoding)
        if self.separator is not None:
            separator_of(self.separator)
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal = {self.decimal!r}: expected '.' or ','")
        if self.header is False and not all(n.isdigit() and int(n) for n in self.columns.values()):
            raise ValueError(
                "header is false: name the columns by their number, from 1 on, or give all of them "
                'names: header=["id", "score", ...]'
            )

    def _check_classes(self) -> None:
        if not FEWEST <= self.classes <= MOST:
            raise ValueError(f"classes = {self.classes}: expected {FEWEST} to {MOST}")
        if self.votes and len(self.votes) != self.classes:
            raise ValueError(
                f"votes names {len(self.votes)} columns, expected one for each of {self.classes} "
                "classes"
            )
        names = [str(name).strip() for name in self.names]
        if names and (len(names) != self.classes or len({*names} - {""}) != self.classes):
            raise ValueError(
                f"names = {[*self.names]}: expected {self.classes} different ones, one for each "
                "grade, worst first; another number of grades is declared as classes="
            )
        for name in names:
            if MARKUP.search(name) or not name.isprintable():
                raise ValueError(
                    f"names: {name!r}: expected text without < > | ` $ ]( and line breaks"
                )

    def _check_raters(self) -> None:
        if self.rater is None:
            if self.aggregate is not None:
                raise ValueError("aggregate= is what is made of several raters: declare rater=")
            return
        if self.votes or (self.score is None) == (self.grade is None):
            raise ValueError("rater= needs one column of ratings: score= or grade=, and no votes=")
        if self.aggregated not in AGGREGATES:
            raise ValueError(f"aggregate = {self.aggregate!r}: expected {' or '.join(AGGREGATES)}")
        low, high = self.bounds["score"]
        whole = low % 1 == 0 and high - low == self.classes - 1
        if self.aggregated == "votes" and self.score is not None and not whole:
            raise ValueError(
                f"aggregate = 'votes': {self.score} has to be a whole number, one for each of "
                f"{self.classes} classes (low = {self.low}, high = {self.high}); declare "
                'classes=, or aggregate="mean"'
            )

    def _check_rule(self) -> None:
        allowed = self.rules
        if not allowed:
            raise ValueError(
                "declare at least one of score=, grade=, votes=: the columns that say how good a "
                "picture is"
            )
        if self.rule is not None and self.rule not in allowed:
            raise ValueError(f"rule {self.rule!r}: the declared columns allow {', '.join(allowed)}")

    def _check_bounds(self) -> None:
        low, high = self.low, self.high
        if self.score is not None and (low is None or high is None):
            raise ValueError(
                f"declare the range of {self.score}: low= and high= (of the scale, not of the "
                "scores seen)"
            )
        one_only = (low is None) != (high is None)
        if one_only or (low is not None and high is not None and not low < high):
            raise ValueError(f"low = {low}, high = {high}: expected two numbers, low < high")
        least, most = self.bounds["grade"]
        if self.grade is not None and most - least != self.classes - 1:
            raise ValueError(
                f"grades from {least:g} to {most:g} are not {self.classes} classes; declare "
                "classes="
            )


def _is_name(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or _is_whole(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_header(value: Any) -> bool:
    return isinstance(value, bool) or (_is_list(value) and len(value) > 0)
