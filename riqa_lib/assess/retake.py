"""Which eyes must be photographed again, why, and what to do then: rows of `assess`, brought
together by patient and eye, in words.

An eye is as good as its best picture. The best grade is fine, the worst must be retaken, what lies
between is usable as it is. A picture without a sure grade must be looked at by a person. One that
was refused or can't be read counts as to be retaken where its eye has nothing better."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .inputs import STATES

Row = dict[str, Any]
KINDS = ("fine", "usable", "look", "retake", "refused", "unreadable")  # the best first
SIDES = ("right", "left", "")  # the patient's right eye stands on the left, as one faces them
STATE = {"look": "abstained", "refused": "refused", "unreadable": "unreadable"}  # else graded
NUMBERS = re.compile(r" \(probability [\d.]+\)|;.*", re.S)  # of a reason of advice
BOTH = "both eyes"
NEEDS = ("retake", "look", "fine")  # what becomes of a patient, the most urgent first


@dataclass(frozen=True)
class Verdict:
    """What becomes of a picture: one of KINDS, why, and what to do."""

    kind: str
    why: str = ""
    do: str = ""

    def in_words(self) -> str:
        """What to do and why; of a picture without a sure grade, what it seems to be."""
        if self.kind == "look":
            return f"{self.why} ({self.do})" if self.do else self.why
        return f"{self.do} ({self.why})"

    @property
    def need(self) -> str:
        """One of NEEDS."""
        if self.kind in ("fine", "usable"):
            return "fine"
        return "look" if self.kind == "look" else "retake"


def verdict(row: Row) -> Verdict:
    """What becomes of a row's picture.

    >>> worst = {"state": "graded", "grade": "bad", "probabilities": {"bad": 0.9, "good": 0.1}}
    >>> why = "clarity bad (probability 0.90): vessels are not sharp; direction 0.20"
    >>> verdict(worst | {"advice": [{"say": "refocus", "why": why}]})
    Verdict(kind='retake', why='clarity bad: vessels are not sharp', do='refocus')
    """
    state = row["state"]
    if state == "refused":
        return Verdict("refused", f"refused: {row['reason']}", "photograph it again")
    if state == "unreadable":
        return Verdict(
            "unreadable", f"unreadable: {row['reason']}", "find its file, or take another"
        )
    # numbers are for the picture's own card
    short = (NUMBERS.sub("", a["why"]) for a in row["advice"])
    why = "; ".join(dict.fromkeys(short))
    do = "; ".join(dict.fromkeys(a["say"] for a in row["advice"]))
    if state == "abstained":
        unsure = f"likeliest {row['likeliest']}"
        return Verdict("look", f"{unsure}; {why}" if why else unsure, do)
    grades = list(row["probabilities"])
    if row["grade"] == grades[-1]:
        return Verdict("fine", why, do)
    if row["grade"] != grades[0]:
        return Verdict("usable", why, do)
    p = row["probabilities"][grades[0]]
    unsaid = f"graded {row['grade']} (probability {p:.2f}), no detail is surely to blame"
    return Verdict("retake", why or unsaid, do or "photograph it again")


@dataclass(frozen=True)
class Seen:
    """A picture of a patient: its file (and page of it), what becomes of it, its place in the
    report, its score."""

    file: str
    verdict: Verdict
    place: str = ""
    score: float = 0.0
    page: int | None = None

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return Path(self.file).name + (f", page {self.page}" if self.page else "")


@dataclass
class Patient:
    """The pictures of a patient by eye ("" where it isn't known). name: "" where no patient is
    known: then it holds one picture."""

    name: str
    eyes: dict[str, list[Seen]] = field(default_factory=dict)

    def best(self, eye: str) -> Seen:
        """The picture that speaks for an eye."""
        return min(self.eyes[eye], key=_rank)

    @property
    def sides(self) -> list[str]:
        """The eyes that were photographed, in the order of SIDES."""
        return [side for side in SIDES if side in self.eyes]

    @property
    def deciding(self) -> list[Seen]:
        """A picture an eye; all of them where the eye isn't known."""
        known = [self.best(side) for side in self.sides if side]
        return known + self.eyes.get("", [])

    @property
    def need(self) -> str:
        """The most urgent of NEEDS."""
        return min((seen.verdict.need for seen in self.deciding), key=NEEDS.index)

    def say(self) -> str:
        """What to do about this patient's eyes, the most urgent first.

        >>> fine, bad = Verdict("fine"), Verdict("retake", "vessels are not sharp", "refocus")
        >>> one = Patient("7", {"right": [Seen("r.jpg", fine)], "left": [Seen("l.jpg", bad)]})
        >>> one.say()
        'retake the left eye: refocus (vessels are not sharp); right eye fine'
        """
        return "; ".join(self.parts())

    def parts(self) -> list[str]:
        """The same eye by eye."""
        told = [*self._of_eyes(), *self._of_unknown()]
        parts = [_said(*each) for each in sorted(told, key=_urgency)]
        lacking = [side for side in SIDES[:2] if side not in self.eyes]
        if self.name and len(lacking) == 1 and "" not in self.eyes:
            parts.append(f"no picture of the {lacking[0]} eye")
        return list(dict.fromkeys(parts))

    def _of_eyes(self) -> list[tuple[Verdict, str]]:
        """What becomes of each eye, and what it is called."""
        sides = [side for side in self.sides if side]
        best = [self.best(side).verdict for side in sides]
        alike = [its.kind for its in best] in (["fine"] * 2, ["usable"] * 2)
        if alike and not any(map(_but, best)):
            return [(best[0], BOTH)]
        counts = [len(self.eyes[side]) for side in sides]
        names = [
            f"the {side} eye" + (f" (the best of {n} pictures)" if n > 1 else "")
            for side, n in zip(sides, counts, strict=True)
        ]
        return list(zip(best, names, strict=True))

    def _of_unknown(self) -> list[tuple[Verdict, str]]:
        """The same of pictures whose eye isn't known."""
        unknown = sorted(self.eyes.get("", []), key=_rank, reverse=True)
        names = [f"the picture {s.name}" if self.name else "this picture" for s in unknown]
        return [(seen.verdict, name) for seen, name in zip(unknown, names, strict=True)]


def _urgency(told: tuple[Verdict, str]) -> int:
    return NEEDS.index(told[0].need)


def _rank(seen: Seen) -> int:
    return KINDS.index(seen.verdict.kind)


def _worst(one: Patient) -> float:
    return min(seen.score for seen in one.deciding)


def _said(of: Verdict, what: str) -> str:
    if of.need == "retake":
        return f"retake {what}: {of.in_words()}"
    if of.need == "look":
        return f"look at {what} yourself: no sure grade, {of.in_words()}"
    usable = f"usable as {'they are' if what == BOTH else 'it is'}"
    word = "fine" if of.kind == "fine" else usable
    return f"{what.removeprefix('the ')} {word}{_but(of)}"


def _but(of: Verdict) -> str:
    """What stands beside the best grade where a detail is bad for sure all the same."""
    return f", but {of.why}; next time: {of.do}" if of.kind == "fine" and of.why else ""


class Patients:
    """Everyone of whom there is a picture, in the order in which they came."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Patient] = {}

    def add(self, row: Row, place: str = "") -> Verdict:
        """Take in a row of `assess`; place: of its picture in the page."""
        name, eye = str(row.get("patient") or ""), str(row.get("eye") or "")
        key = (name, "") if name else ("", f"{row['file']}\n{row.get('page') or ''}")
        its = verdict(row)
        one = self.known.setdefault(key, Patient(name))
        one.eyes.setdefault(eye if eye in SIDES else "", []).append(
            Seen(row["file"], its, place, row.get("score") or 0.0, row.get("page"))
        )
        return its

    def drop(self, file: str) -> None:
        """Forget the pictures of a file."""
        for key, one in list(self.known.items()):
            eyes = {e: [s for s in seen if s.file != file] for e, seen in one.eyes.items()}
            one.eyes = {eye: seen for eye, seen in eyes.items() if seen}
            if not one.eyes:
                del self.known[key]

    def counts(self) -> dict[str, int]:
        """How many pictures there are of each of inputs.STATES."""
        kinds = [
            seen.verdict.kind
            for one in self.known.values()
            for pictures in one.eyes.values()
            for seen in pictures
        ]
        states = [STATE.get(kind, "graded") for kind in kinds]
        return {state: states.count(state) for state in STATES}

    def of_need(self, need: str) -> list[Patient]:
        """Those of one of NEEDS, whoever has the worst picture first."""
        found = [one for one in self.known.values() if one.need == need]
        return sorted(found, key=_worst)
