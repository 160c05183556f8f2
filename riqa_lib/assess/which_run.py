"""Which run is asked to grade, and on what kind of pictures it was trained, by its folder alone."""

from __future__ import annotations

from pathlib import Path

from .. import paths, store
from ..hints import did_you_mean


def folder_of(run: str | Path) -> Path:
    """The folder of a run, by its path or by its name in results/runs; FileNotFoundError for what
    is neither, with the nearest name there is."""
    for folder in (Path(run).expanduser(), paths.runs() / run):
        if folder.is_dir():
            return folder
    known = sorted(f.name for f in paths.runs().glob("*") if store.done(f))
    raise FileNotFoundError(
        f"{run}: no such folder, and no run of this name in {paths.shown(paths.runs())}"
        + did_you_mean(str(run), known)
    )


def of_photographs(folder: Path) -> bool:
    """Whether a run learnt from photographs, by its settings; else from fundus photographs, or
    from nothing that can be graded with."""
    config, about = folder / "config.json", folder / "about.json"
    if config.is_file() and "pretrain" in store.read_json(config):
        return True
    # of a model of related work: it says so itself
    return about.is_file() and store.read_json(about).get("kind") == "photographs"


def of_fundus(folder: Path) -> bool:
    """Whether a run is a Teacher or a Student of fundus photographs, by its settings."""
    config = folder / "config.json"
    if not config.is_file():
        return False
    return store.read_json(config).get("method", {}).get("name") in ("teacher", "student")
