"""Damaged tables of scores, seeded, and how each is read: refused with a reason that names a row or
a column, or read; what is read is held against Python's own csv reader.

What must not be: anything raised but ValueError, a process that dies or hangs, a score that the
file does not say of that picture."""

from __future__ import annotations

import csv
import io
import math
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from riqa_lib.datasets.folder import read_folder
from riqa_lib.seeding import rng

from .fuzz_children import Child

PICTURES = [f"p{i:02}.png" for i in range(24)]
LOW, HIGH = 0, 100
FORMS = {  # separator, encoding
    "comma": (",", "utf-8"),
    "semicolon": (";", "utf-8"),
    "tab": ("\t", "utf-8"),
    "comma, UTF-16": (",", "utf-16"),
    "comma, with a mark": (",", "utf-8-sig"),
    "semicolon, Windows": (";", "cp1252"),
}
ODD = (
    *("", "NA", "nan", "inf", "-1", "1e400", "1_0", "\uff15", "101"),
    *('"', "'", "=1+1", "\0", "\r", "a;b"),
)


def text_of(g: np.random.Generator, separator: str) -> str:
    """A table of 24 pictures with scores and a column that nobody asks for."""
    rows = [["name", "MOS", "camera"]]
    rows += [[name, f"{g.uniform(LOW, HIGH):.2f}", "x é"] for name in PICTURES]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


# ---------------------------------------------------------------- damage
def _cell(text: str, separator: str, g: np.random.Generator) -> str:
    lines = text.split("\r\n")
    at = int(g.integers(len(lines) - 1))
    cells = lines[at].split(separator)
    cells[g.integers(len(cells))] = str(g.choice(ODD))
    lines[at] = separator.join(cells)
    return "\r\n".join(lines)


def _row(text: str, separator: str, g: np.random.Generator) -> str:
    """A row lost, twice, or in another place."""
    lines = text.split("\r\n")
    at, to = g.integers(len(lines) - 1, size=2)
    row = lines.pop(at) if g.random() < 0.7 else lines[at]
    if g.random() < 0.7:
        lines.insert(to, row)
    return "\r\n".join(lines)


def _marks(text: str, separator: str, g: np.random.Generator) -> str:
    """Characters put in or taken out."""
    at = int(g.integers(len(text)))
    put = str(g.choice([separator, '"', "\n", "\r", " ", ".", ",", "\t", "é", "\ufeff", ""]))
    return text[:at] + put + text[at + int(g.integers(2)) :]


def _cut(text: str, separator: str, g: np.random.Generator) -> str:
    return text[: g.integers(1, len(text))]


DAMAGE: dict[str, Callable[[str, str, np.random.Generator], str]] = {
    "a cell": _cell,
    "a row": _row,
    "characters": _marks,
    "cut short": _cut,
}


def damaged(form: str, g: np.random.Generator) -> tuple[str, bytes]:
    """A table with one kind of damage, perhaps of its bytes, and what it is called."""
    separator, encoding = FORMS[form]
    name = str(g.choice([*DAMAGE, "bytes"]))
    text = text_of(g, separator)
    if name in DAMAGE:
        return name, DAMAGE[name](text, separator, g).encode(encoding, errors="replace")
    data = bytearray(text.encode(encoding))
    for at in g.integers(len(data), size=g.integers(1, 6)):
        data[at] = int(g.integers(256))
    return name, bytes(data)


# ---------------------------------------------------------------- readers
def ours(root: str, table: str, encoding: str) -> tuple[str, str, dict[str, float]]:
    """What `read_folder` does: "refused" or "crashes" with the message, or "read" with {id:
    score}."""
    said = {"id": "name", "score": "MOS", "low": LOW, "high": HIGH, "encoding": encoding}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = read_folder(root, table, **said)
    except ValueError as e:
        return ("refused", str(e), {}) if str(e).strip() else ("crashes", "no reason", {})
    except BaseException as e:
        return "crashes", f"{type(e).__name__}: {e}", {}
    return "read", "", dict(zip(frame["id"], frame["score"], strict=True))


def lines_of(data: bytes, separator: str, encoding: str) -> list[list[str]] | None:
    """The table's cells as Python's csv reader has them; None where it has none."""
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except (ValueError, csv.Error):
        return None


def agrees(found: dict[str, float], lines: list[list[str]]) -> bool:
    """Whether each score that was read stands in a line of that picture."""
    said: dict[str, list[str]] = {}
    for cells in lines:
        stripped = [c.strip() for c in cells]
        for place, cell in enumerate(stripped):
            said.setdefault(cell, []).extend(stripped[place + 1 :])
    return all(_told(score, said.get(name, [])) for name, score in found.items())


def _told(score: float, cells: list[str]) -> bool:
    if math.isnan(score):
        return True  # a picture of the pool: no score is claimed
    return any(_number(cell) == score for cell in cells)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


class Tables:
    """Trials by number: the same number is the same file on every machine."""

    def __init__(self, folder: Path, seconds: float = 20.0) -> None:
        self.root, self.folder = folder / "photos", folder
        self.root.mkdir()
        for name in PICTURES:
            (self.root / name).write_bytes(name.encode())
        self.ours, self.forms = Child(ours, seconds), list(FORMS)

    def close(self) -> None:
        self.ours.close()

    def trial(self, number: int) -> tuple[str, str, str, str]:
        """(form, damage, outcome, what was said) of one trial."""
        form = self.forms[number % len(self.forms)]
        separator, encoding = FORMS[form]
        name, data = damaged(form, rng("fuzz table", number))
        table = self.folder / "scores.csv"
        table.write_bytes(data)
        declared = {"utf-8-sig": "utf-8", "utf-16": "utf-16"}.get(encoding, encoding)
        answer = self.ours.ask(str(self.root), str(table), declared)
        if isinstance(answer, str):  # killed, or hangs
            return form, name, answer, ""
        outcome, said, scores = answer
        if outcome != "read":
            return form, name, outcome, said
        lines = lines_of(data, separator, declared)
        if lines is None:
            return form, name, "the second reader refuses", ""
        same = agrees(scores, lines)
        return form, name, "as the second reader" if same else "not as the second reader", ""


def trials(first: int, count: int) -> list[tuple[str, str, str, str]]:
    """So many trials, from this number on."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Tables(Path(folder))
        try:
            return [tables.trial(number) for number in range(first, first + count)]
        finally:
            tables.close()
