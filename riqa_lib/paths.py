"""Where things live. One environment variable, RIQA_HOME, moves everything that is written.

home/results/<name>/     what one walk through the plan leaves (name: of the profile, or given)
home/results/runs/       trained models, one folder per hash of settings, shared by all walks
home/figures/<name>/     figures of that walk
RIQA_DATA                real data sets (optional)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
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


def typed(path: Path | str) -> str:
    """A path as somebody typed it, made absolute: ~ is their home, the rest is relative to the
    folder they are in. Links stay as they are called.

    >>> typed("/photos/../scores.csv"), typed("~") == str(Path.home())
    ('/scores.csv', True)
    """
    return os.path.abspath(os.path.expanduser(path))


# Settings that say where something lies: what runs learn from is named by its contents
# (datasets.data_folder.data_key), so that these never name a run
PLACES = ("root", "table")  # of data.folder; data.extra too


def folder_placed(folder: Mapping[str, object]) -> dict[str, object]:
    """data.folder with its places absolute."""
    return {k: typed(str(v)) if k in PLACES else v for k, v in folder.items()}


def placed(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings as typed, by dotted names, with every place in them absolute (see `typed`).

    >>> placed({"train.lr": 0.1, "data.folder": {"root": "/a/./b", "table": "/c.csv", "id": "n"}})
    {'train.lr': 0.1, 'data.folder': {'root': '/a/b', 'table': '/c.csv', 'id': 'n'}}
    """
    given = dict(settings)
    folder, extra = given.get("data.folder"), given.get("data.extra")
    if isinstance(folder, Mapping):
        given["data.folder"] = folder_placed(folder)
    if isinstance(extra, str) and extra:
        given["data.extra"] = typed(extra)
    return given


def portable(files: Iterable[str]) -> list[str]:
    """Absolute paths, begun with RIQA_DATA where they lie below the real data sets."""
    base = str(data() or "") + os.sep
    below = len(base) > 1
    return [
        f"RIQA_DATA/{file.removeprefix(base)}" if below and file.startswith(base) else file
        for file in files
    ]


def located(files: Iterable[str]) -> list[str]:
    """What `portable` shortened, where it is now; without RIQA_DATA such a path is nowhere."""
    base = data()
    return [
        os.path.join(base, file.removeprefix("RIQA_DATA/"))
        if base and file.startswith("RIQA_DATA/")
        else file
        for file in files
    ]


def shown(path: Path | str) -> str:
    """A path as people and stored results should see it: relative to home where possible, never
    machine-specific."""
    path = Path(path)
    for base in (home(), ROOT):
        if path.is_absolute() and path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()
