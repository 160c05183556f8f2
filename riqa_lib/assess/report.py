"""The page of `riqa assess --report`: one HTML file in which everything is, so that nothing leaves
the machine. First what must be done, patient by patient, then a card a picture.

Cards and thumbnails wait on the disk, not in memory: about 30 KB of the page a picture. The page's
own policy forbids every request and every script but its own; names are escaped by jinja2."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .fundus_student import NOT_YOURS
from .inputs import shown
from .looks import LOOK, Look, bad_of, circled, heads_of, heated, jpeg, scaled, where_strongest
from .retake import NEEDS, Patient, Patients, Seen, verdict
from .spool import Spool, order

Row = dict[str, Any]
SIDE, HEAT_SIDE, SMALL = 400, 300, 176  # px, longer sides: picture, heat map, thumbnail
HEADINGS = {
    "retake": ("Retake", ""),
    "look": ("Look at these yourself", "The Student gives no grade that it would answer for."),
    "fine": ("Fine, or usable as they are", ""),
}
OTHERS = "Of no known patient: to be photographed again too, if they were to show a fundus."
WORDS = {
    "fine": "fine",
    "usable": "usable",
    "look": "look yourself",
    "retake": "retake",
    "refused": "refused",
    "unreadable": "unreadable",
}
COUNTED = {"abstained": "without a sure grade"}
ORDERS = (
    ("score", "worst first"),
    ("best", "best first"),
    ("patient", "patient"),
    ("taken", "time"),
    ("file", "file name"),
)
SIMULATED = "SIMULATED: this Student learnt from simulated photographs. Not for patients."
HERE = Path(__file__).parent


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---------------------------------------------------------------- words
def _size(number: int) -> str:
    """A file's size.

    >>> _size(2_345_678), _size(12_000)
    ('2.3 MB', '12 KB')
    """
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{max(1, round(number / 1e3))} KB"


def who(row: Row) -> str:
    """Whose picture it is, when and with what it was taken, as far as its row knows.

    >>> who({"patient": "7", "eye": "left", "taken": "2026-01-05T10:33:00", "camera": ""})
    'patient 7, left eye, 2026-01-05 10:33'
    """
    taken = str(row.get("taken") or "").replace("T", " ")[:16]
    parts = (
        row.get("page") and f"page {row['page']}",
        row.get("patient") and f"patient {row['patient']}",
        row.get("eye") and f"{row['eye']} eye",
        taken,
        row.get("camera"),
    )
    return ", ".join(str(part) for part in parts if part)


def facts(row: Row) -> str:
    """A picture's file: where it is, size in px and bytes."""
    file = Path(row["file"])
    parts = [str(file)]
    if row.get("width"):
        parts.append(f"{row['width']} × {row['height']} px")
    if file.is_file():
        parts.append(_size(file.stat().st_size))
    return " · ".join(parts)


def distance(row: Row) -> str:
    """How far the answer is from the threshold below which there is none.

    >>> distance({"state": "graded", "confidence": 0.87, "distance": 0.05})
    '0.05 above the threshold of 0.82'
    """
    apart = row.get("distance")
    if apart is None:
        return "no threshold is known from which it would answer" * (row["state"] == "abstained")
    threshold = row["confidence"] - apart
    if threshold > 1:
        return ""  # it gives no grade at all, as the first lines of the page say
    word = "below" if row["state"] == "abstained" else "above"
    return f"{abs(apart):.2f} {word} the threshold of {threshold:.2f}"


def _grade(row: Row) -> str:
    if row["state"] == "graded":
        return f"graded {row['grade']}"
    return f"no sure grade, likeliest {row['likeliest']}"


def _heat_caption(row: Row, look: Look, head: str) -> str:
    bad, where = bad_of(row, head), where_strongest(look.maps[head])
    what = "the overall grade" if head == "overall" else head
    of = "not the best" if head == "overall" else "bad"
    strongest = f"strongest {where}" if where else "nothing speaks against it"
    return f"What speaks against {what} ({of}: {bad:.2f}), {strongest}"


def _harmless(value: object) -> object:
    """What stands in the page for a value: of text, what would turn the writing round or is no
    character, by its number (inputs.shown); lines are lines."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(shown, value.split("\n")))
    return value


# ---------------------------------------------------------------- the page
class Report:
    """A page on its way. about and headline: the Student's, as `Assessor` gives them; patients:
    told by whoever adds a row; sort: how the cards lie, one of wanted.SORTS or "" (as they
    come)."""

    def __init__(
        self, about: Mapping[str, Any], headline: str, patients: Patients, sort: str = ""
    ) -> None:
        self.about, self.headline, self.patients, self.sort = about, headline, patients, sort
        loader = FileSystemLoader(HERE)
        self.page: Any = (
            Environment(
                loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_harmless
            )
            .get_template("report_page.html")
            .module
        )
        self.cards, self.others, self.small = Spool(), Spool(), Spool()
        self.places = 0

    # ------------------------------------------------------------ row by row
    def add(self, row: Row) -> str:
        """Take in a row of `assess` (keep=True), with the maps of `looks.with_maps`. Returns its
        place in the page."""
        self.places += 1
        place, look = f"p{self.places}", row.get(LOOK)
        if look is not None:
            small = scaled(look.rgb, SMALL) if look.field is None else circled(look, SMALL)
            self.small.add(place, _base64(jpeg(small, 72)))
        if look is None or look.field is None:
            self.others.add(row["file"], self.page.other(self._other(row, place)))
        else:
            made = self.page.card(self._card(row, look, place))
            self.cards.add(row["file"], made, order(row, self.sort))
        return place

    def drop(self, file: str) -> None:
        """Forget a file: it was replaced, or goes by another name now."""
        for spool in (self.cards, self.others):
            spool.drop(file)

    def _card(self, row: Row, look: Look, place: str) -> dict[str, Any]:
        p, its = row["probabilities"], verdict(row)
        kinds = range(3) if len(p) > 2 else (0, 2)
        return {
            "place": place,
            "name": Path(row["file"]).name,
            "file": row["file"],
            "who": who(row),
            "patient": row.get("patient") or "",
            "taken": row.get("taken") or "",
            "score": "" if row.get("score") is None else round(row["score"]),
            "need": its.need,
            "word": WORDS[its.kind],
            "grade": _grade(row),
            "distance": distance(row),
            "reason": row["reason"].removeprefix(NOT_YOURS).removeprefix("; "),
            "said": ", ".join(f"{word} {x:.2f}" for word, x in p.items()),
            "parts": [(k, round(100 * x, 1)) for k, x in zip(kinds, p.values(), strict=False)],
            "details": [(d, c["call"], f"{c['good']:.2f}") for d, c in row["details"].items()],
            "advice": row["advice"],
            "facts": facts(row),
            "pictures": [*self._pictures(row, look)],
        }

    def _pictures(self, row: Row, look: Look) -> Iterator[dict[str, str]]:
        """The picture with its circle, and the first of its heat maps."""
        assert look.field is not None
        whose = f", {who(row)}" if who(row) else ""
        whole = look.field.whole
        what = "whole, no rim was found" if whole else "its field of view circled"
        yield {
            "data": _base64(jpeg(circled(look, SIDE))),
            "alt": f"Fundus photograph {Path(row['file']).name}{whose}, {what}: {_grade(row)}",
            "caption": "No rim was found: the whole picture was graded"
            if whole
            else "Field of view",
        }
        for head in heads_of(row)[:1]:
            if head not in look.maps:
                continue
            caption = _heat_caption(row, look, head)
            yield {
                "data": _base64(jpeg(heated(look, head, HEAT_SIDE, bad_of(row, head)), 75)),
                "alt": f"Heat map over the same field, grey. {caption}",
                "caption": caption,
            }

    def _other(self, row: Row, place: str) -> dict[str, Any]:
        return {
            "place": place,
            "name": Path(row["file"]).name,
            "who": who(row),
            "reason": f"{row['state']}: {row['reason']}",
            "facts": facts(row),
            "small": self.small.of(place),
            "alt": f"The refused picture {Path(row['file']).name}",
        }

    # ------------------------------------------------------------ all of it
    def write(self, out: IO[str]) -> None:
        """Write the whole page, as it stands, part by part."""
        for part in self.parts():
            # names of files may be no text at all
            out.write(str(part).encode("utf-8", "backslashreplace").decode())

    def parts(self) -> Iterator[str]:
        """The page in parts, none longer than a card."""
        script = (HERE / "report_page.js").read_text(encoding="utf-8")
        digest = _base64(hashlib.sha256(script.encode()).digest())
        policy = (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'"
        )
        groups = {need: [*filter(_told, self.patients.of_need(need))] for need in NEEDS}
        told = [(need, HEADINGS[need][0], len(groups[need]), HEADINGS[need][1]) for need in NEEDS]
        alone = len(self.patients.known) - sum(map(len, groups.values()))
        told.insert(1, ("others", "Refused or unreadable", alone, OTHERS))
        css = (HERE / "report_page.css").read_text(encoding="utf-8")
        lines = self.headline.splitlines()
        warning = SIMULATED if self.about.get("simulated") else ""
        title = "Fundus photographs: what to retake"
        counts = [(COUNTED.get(state, state), n) for state, n in self.patients.counts().items()]
        yield self.page.head(title, lines, warning, counts, told, css, policy)
        for need in NEEDS:
            yield from self._group(need, groups[need])
        if len(self.cards):
            first = ("found", f"by {self.sort}, as asked" if self.sort else "as found")
            yield self.page.cards_head([first, *ORDERS])
            yield from self.cards
            yield self.page.cards_foot()
        if len(self.others):
            yield self.page.others_head(len(self.others))
            yield from self.others
            yield self.page.others_foot()
        when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
        run = self.about.get("run", "")
        line = f"riqa assess, Student {run}, {when}. A research tool, not a medical device."
        yield self.page.foot(line, script)

    def _group(self, need: str, patients: list[Patient]) -> Iterator[str]:
        """The patients of one of NEEDS: those with a name, or with a picture to retake, with
        their eyes side by side; the rest a line each."""
        if not patients:
            return
        yield self.page.patients_head(need, *HEADINGS[need])
        brief = []
        for one in patients:
            if not one.name and need != "retake":
                brief.append(one)
                continue
            name = f"Patient {one.name}" if one.name else _only(one).name
            yield self.page.patient(need, name, map(_sentence, one.parts()), self._eyes(one))
        yield self.page.patients_rest()
        for one in brief:
            seen = _only(one)
            said = one.say() if need == "fine" else seen.verdict.in_words()
            yield self.page.brief(seen.name, said, seen.place)
        yield self.page.patients_foot()

    def _eyes(self, one: Patient) -> list[dict[str, Any]]:
        """What stands side by side: right eye, left eye, then pictures whose eye isn't known."""
        found = {side: [one.best(side)] for side in ("right", "left") if side in one.eyes}
        if one.name and found:
            found = {side: found.get(side, []) for side in ("right", "left")}
        out = []
        for side, seen in [*found.items(), ("", one.eyes.get("", []))]:
            word = f"{side} eye" if side else "eye not known"
            out += [self._eye(each, word) for each in seen]
            if side and not seen:
                out.append({"place": "", "side": word, "need": "", "word": ""})
        return out

    def _eye(self, seen: Seen, side: str) -> dict[str, Any]:
        word = WORDS[seen.verdict.kind]
        return {
            "place": seen.place,
            "side": side,
            "need": seen.verdict.need,
            "word": word,
            "file": seen.name,
            "small": self.small.of(seen.place),
            "alt": f"{side}: {seen.name}, {word}",
        }


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _only(one: Patient) -> Seen:
    """The one picture of a patient without a name."""
    return one.deciding[0]


def _told(one: Patient) -> bool:
    """Whether someone stands among what to do: files of no known patient that were not graded have
    a list of their own."""
    return bool(one.name) or _only(one).verdict.kind not in ("refused", "unreadable")
