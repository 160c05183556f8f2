"""Settings as a command line gives them to all notebooks of a walk, checked before any runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..datasets.declaration import Declaration
from ..networks.vit import check_size
from ..paths import PLACES
from . import fundus_profiles, fundus_settings, photo_profiles, photographs, related_profiles

BY_THE_PLAN = ("seed", "method", "teacher", "set", "grade_pool")  # what rows and steps give


def check(profile: str, given: Mapping[str, object]) -> None:
    """ValueError or TypeError, naming the setting as it was typed and what is allowed, unless every
    row of every table can have these settings in this profile.

    >>> check("demo", {"train.lr": 1e-4, "fundus.data.views": 1, "dbcnn.epochs": 5.0})
    >>> check("demo", {"train.clip": -1})
    Traceback (most recent call last):
    ValueError: train.clip is -1.0; expected 0 or more
    """
    for name in given:
        if name in BY_THE_PLAN:
            raise ValueError(
                f"{name} is given by each step of the plan; it is no setting of a walk"
            )
        _check_whose(name)
    ours: dict[str, Any] = dict(given)
    for row in photo_profiles.ROWS:
        if row not in photo_profiles.BASELINES:
            run = photographs.settings(profile, row, 0, ours)
            check_size(run.model, run.data.crop)
    for row in fundus_profiles.ROWS:
        fundus_settings.settings(profile, row, 0, ours)
    for model in related_profiles.NAMES:
        related_profiles.settings_of(model, profile, ours)
    if run.data.source == "folder":
        _check_folder(run.data.folder)


def _check_whose(name: str) -> None:
    """ValueError, with the names to type, for a "method.tau" that not every method has: that is how
    a run's config.json calls it."""
    head, _, own = name.partition(".")
    kinds = photographs.METHODS.items()
    has = [f"{m}.{own}" for m, kind in kinds if hasattr(kind.Config(), own)]
    if head == "method" and has and len(has) < len(kinds):
        raise ValueError(f"{name}: not every method has one; set one of: {', '.join(has)}")


def _check_folder(folder: Mapping[str, Any]) -> None:
    """ValueError or TypeError unless data.folder names its places and declares its table."""
    if lacking := [place for place in PLACES if not folder.get(place)]:
        raise ValueError(f"data.folder does not say: {', '.join(lacking)}")
    try:
        Declaration.of({k: v for k, v in folder.items() if k not in (*PLACES, "name")})
    except (ValueError, TypeError) as e:
        raise ValueError(f"data.folder: {e}") from e
