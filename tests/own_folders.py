"""A folder of files that pass for pictures (the tables floor never decodes them) and a table beside
it, as people have them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riqa_lib.datasets.folder import read_folder
from riqa_lib.datasets.problems import FolderError

DECLARED: dict[str, Any] = {"id": "name", "score": "mos", "low": 0, "high": 100}


def make_folder(where: Path, names: list[str], content: str = "picture") -> Path:
    """where/photos with these files, each with bytes of its own."""
    root = where / "photos"
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"{content} {name}".encode())
    return root


def write(root: Path, text: str | bytes, name: str = "scores.csv") -> Path:
    """The table beside the folder."""
    table = root.parent / name
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    return table


def read(root: Path, name: str = "scores.csv", **changed: Any) -> pd.DataFrame:
    """The frame, with what is worth knowing in its attrs only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_folder(root, root.parent / name, **(DECLARED | changed))


def notes(root: Path, name: str = "scores.csv", **changed: Any) -> str:
    """What is warned about; "" for nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_folder(root, root.parent / name, **(DECLARED | changed))
    return "\n".join(str(one.message) for one in caught)


def problems(root: Path, name: str = "scores.csv", **changed: Any) -> str:
    """The message of the FolderError."""
    with pytest.raises(FolderError) as caught:
        read(root, name, **changed)
    return str(caught.value)
