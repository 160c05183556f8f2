"""Calibrations on labelled pictures of one's own: a small JSON file each, beside the run that was
calibrated: results/runs/RUN/calibrations/NAME.json. It says what it was made from, and names no
picture."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import paths, store
from ..hints import did_you_mean
from ..stats.calibration import Abstention

FOLDER = "calibrations"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Detail:
    """Of one detail: (a, b) of its Platt map, the probability from which it is called, and how many
    labelled pictures were good and bad."""

    map: tuple[float, float]
    sure: float
    good: int
    bad: int


@dataclass(frozen=True)
class Calibration:
    """What labelled pictures say of a Student. pictures: how many; patients: of how many (0: not
    known); grades: how many of each; made: date, ISO; labels: hash of the label file; weights: of
    the network's file; how_well: what cross-validation found."""

    name: str
    made: str
    run: str
    weights: str
    labels: str
    pictures: int
    patients: int
    grades: dict[str, int]
    temperature: float
    abstention: Abstention
    details: dict[str, Detail] = field(default_factory=dict)
    how_well: dict[str, Any] = field(default_factory=dict)

    def in_words(self) -> str:
        """What it was made from."""
        of = f" of {self.patients} patients" if self.patients else ""
        return f"{self.pictures} labelled pictures{of} ({self.name}, {self.made})"


def hash_of(file: Path | str) -> str:
    """Sixteen hex digits of a file's content."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]


def checked_name(name: str) -> str:
    """The name, if a file can be called so everywhere; ValueError otherwise.

    >>> checked_name("clinic A")
    Traceback (most recent call last):
    ValueError: calibration name 'clinic A': expected letters, digits, -, _ and . (not first)
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            f"calibration name {name!r}: expected letters, digits, -, _ and . (not first)"
        )
    return name


def write(folder: Path, own: Calibration) -> Path:
    """Store a calibration of the run in this folder; one of the same name is replaced."""
    return store.write_json(folder / FOLDER / f"{checked_name(own.name)}.json", asdict(own))


def known(folder: Path) -> list[str]:
    """The names of a run's calibrations, sorted."""
    return sorted(file.stem for file in (folder / FOLDER).glob("*.json"))


def read(folder: Path, name: str = "") -> Calibration:
    """A run's calibration by name, "" for the only one.

    FileNotFoundError, saying which there are, where there is none of the name; ValueError where ""
    may mean several, for a damaged file, and for one that was made with other weights."""
    names = known(folder)
    if not names:
        raise FileNotFoundError(
            f"{folder.name}: no calibration; make one: riqa calibrate LABELS.csv PICTURES..."
            f" --run {folder.name}"
        )
    if not name and len(names) > 1:
        raise ValueError(f"{folder.name} has several calibrations, name one: {', '.join(names)}")
    name = name or names[0]
    if name not in names:
        raise FileNotFoundError(
            f"{folder.name}: no calibration {name!r}; there is {', '.join(names)}"
            f"{did_you_mean(name, names)}"
        )
    own = _parsed(folder / FOLDER / f"{name}.json")
    if own.weights != hash_of(folder / WEIGHTS):
        raise ValueError(
            f"{folder.name}: calibration {name} was made with other weights; calibrate again"
        )
    return own


def _parsed(file: Path) -> Calibration:
    said = store.read_json(file)
    try:
        details = {d: Detail(**its) for d, its in said.pop("details").items()}
        rule = Abstention(**said.pop("abstention"))
        return Calibration(abstention=rule, details=_tuples(details), **said)
    except (TypeError, KeyError, AttributeError) as e:
        raise ValueError(f"{paths.shown(file)}: not a calibration ({e})") from e


def _tuples(details: dict[str, Detail]) -> dict[str, Detail]:
    """Details as they were before JSON made lists of their tuples."""
    return {
        d: Detail((float(one.map[0]), float(one.map[1])), one.sure, one.good, one.bad)
        for d, one in details.items()
    }
