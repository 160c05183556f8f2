"""Where things live. One environment variable, RIQA_HOME, moves everything that is written.

home/results/<name>/     what one walk through the plan leaves (name: of the profile, or given)
home/results/runs/       trained models, one folder per hash of settings, shared by all walks
home/figures/<name>/     figures of that walk
RIQA_DATA                real data sets (optional)
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder that everything is written under: RIQA_HOME, else the repository."""
    return Path(os.environ.get("RIQA_HOME") or ROOT).resolve()


def results(name: str) -> Path:
    """Folder of one walk, for example results/demo."""
    return home() / "results" / name


def runs() -> Path:
    """Folder of all training runs."""
    return home() / "results" / "runs"


def figures(name: str) -> Path:
    """Folder of one walk's figures."""
    return home() / "figures" / name


def reference() -> Path:
    """The tracked reference results (read by `make figures`; always in the repository)."""
    return ROOT / "results" / "reference"


def data() -> Path | None:
    """Folder of the real data sets, RIQA_DATA, or None where it is not set."""
    value = os.environ.get("RIQA_DATA")
    return Path(value).expanduser().resolve() if value else None


def shown(path: Path | str) -> str:
    """A path as people and stored results should see it: relative to home where possible, never
    machine-specific."""
    path = Path(path)
    for base in (home(), ROOT):
        if path.is_absolute() and path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()
