"""Which eyes must be photographed again, why, and what to do then: rows of `assess`, brought
together by patient and eye, in words.

An eye is as good as its best picture. The best grade is fine, the worst must be retaken, what lies
between is usable as it is. A picture without a sure grade must be looked at by a person. One that
was refused or can't be read counts as to be retaken where its eye has nothing better."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
KINDS = ("fine", "usable", "look", "retake", "refused", "unreadable")  # the best first
SIDES = ("right", "left", "")  # the patient's right eye stands on the left, as one faces them
NEEDS = ("retake", "look", "fine")  # what becomes of a patient, the most urgent first


@dataclass(frozen=True)
class Verdict:
    """What becomes of a picture: one of KINDS, why, and what to do."""

    kind: str
    why: str = ""
    do: str = ""

    @property
    def need(self) -> str:
        """One of NEEDS."""
        if self.kind in ("fine", "usable"):
            return "fine"
        return "look" if self.kind == "look" else "retake"


def verdict(row: Row) -> Verdict:
    """What becomes of a row's picture.

    >>> worst = {"state": "graded", "grade": "bad", "probabilities": {"bad": 0.9, "good": 0.1}}
    >>> verdict(worst | {"advice": [{"say": "refocus", "why": "clarity bad; sharp 0.1"}]})
    Verdict(kind='retake', why='clarity bad', do='refocus')
    """
    state = row["state"]
    if state == "refused":
        return Verdict("refused", f"refused: {row['reason']}", "photograph it again")
    if state == "unreadable":
        return Verdict(
            "unreadable", f"unreadable: {row['reason']}", "find its file, or take another"
        )
    # numbers are for the picture's own card
    why = "; ".join(dict.fromkeys(a["why"].split(";")[0] for a in row["advice"]))
    do = "; ".join(dict.fromkeys(a["say"] for a in row["advice"]))
    if state == "abstained":
        return Verdict("look", "no sure grade" + (f"; {why}" if why else ""), do)
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
    """A picture of a patient: its file, what becomes of it, its place in the page."""

    file: str
    verdict: Verdict
    place: str = ""


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
        """What to do about this patient's eyes.

        >>> fine, bad = Verdict("fine"), Verdict("retake", "vessels are not sharp", "refocus")
        >>> one = Patient("7", {"right": [Seen("r.jpg", fine)], "left": [Seen("l.jpg", bad)]})
        >>> one.say()
        'retake the left eye: refocus (vessels are not sharp); right eye fine'
        """
        told = [(self.best(side).verdict, f"the {side} eye") for side in self.sides if side]
        kinds = [v.kind for v, _ in told]
        if kinds in (["fine"] * 2, ["usable"] * 2):
            told = [(told[0][0], "both eyes")]
        unknown = sorted(self.eyes.get("", []), key=_rank, reverse=True)
        named = [
            f"the picture {Path(s.file).name}" if self.name else "this picture" for s in unknown
        ]
        told += [(seen.verdict, what) for seen, what in zip(unknown, named, strict=True)]
        told = sorted(told, key=lambda each: NEEDS.index(each[0].need))
        parts = [_said(*each) for each in told]
        lacking = [side for side in SIDES[:2] if side not in self.eyes]
        if self.name and len(lacking) == 1 and not unknown:
            parts.append(f"no picture of the {lacking[0]} eye")
        return "; ".join(dict.fromkeys(parts))


def _rank(seen: Seen) -> int:
    return KINDS.index(seen.verdict.kind)


def _said(of: Verdict, what: str) -> str:
    if of.need == "retake":
        return f"retake {what}: {of.do} ({of.why})"
    if of.need == "look":
        return f"look at {what} yourself: {of.why}" + (f" ({of.do})" if of.do else "")
    word = "fine" if of.kind == "fine" else "usable as it is"
    return f"{what.removeprefix('the ')} {word}"


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
        one.eyes.setdefault(eye if eye in SIDES else "", []).append(Seen(row["file"], its, place))
        return its

    def drop(self, file: str) -> None:
        """Forget the pictures of a file."""
        for key, one in list(self.known.items()):
            eyes = {e: [s for s in seen if s.file != file] for e, seen in one.eyes.items()}
            one.eyes = {eye: seen for eye, seen in eyes.items() if seen}
            if not one.eyes:
                del self.known[key]

    def of_need(self, need: str) -> list[Patient]:
        """Those of one of NEEDS."""
        return [one for one in self.known.values() if one.need == need]
