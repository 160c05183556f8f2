"""`riqa check`: a folder of one's own, looked at as a profile would train on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datasets.declaration import Declaration
from ..training.photo_profiles import PROFILES
from .written_over import check_places


def command(
    folder: Mapping[str, Any], profile: str, typed: Mapping[str, Any], csv: Path | None
) -> int:
    """Print what pictures.own_report finds; 1 where training could not work.

    folder: as data.folder; typed: settings of data that differ from the profile's, None for those
    that don't; csv: where all problems are written. ValueError where folder lacks a word without
    which nothing can be looked at or has one that is none, and for a csv that is somebody else's
    file."""
    lacking = [word for word in ("root", "table", "id") if word not in folder]
    if lacking:
        raise ValueError(f"not said: {', '.join(lacking)} (riqa check --help shows examples)")
    check_places([csv])
    _check_words(folder)
    from ..pictures import own_report
    from ..pictures.photo_data import DataConfig

    given = PROFILES[profile].items()
    settings: dict[str, Any] = {k[5:]: v for k, v in given if k.startswith("data.")}
    settings |= {k: v for k, v in typed.items() if v is not None}
    settings |= {"source": "folder", "folder": dict(folder), "crop": 1}  # the crop plays no part
    report = own_report.of_settings(DataConfig(**settings))
    print(report)
    if csv:
        own_report.write_problems(report, csv)
        print(f"\nall problems, a line each: {csv}")
    return int(not report.works)


def _check_words(folder: Mapping[str, Any]) -> None:
    try:
        Declaration.of({k: v for k, v in folder.items() if k not in ("root", "table", "name")})
    except TypeError as e:  # a person typed it: no traceback
        raise ValueError(str(e)) from e
