"""The rows of the table of related work (notebook 12) and the settings of its models.

Three models around the paper, each trained on the labels, validation and test pictures that the
rows of Table 2 have, and what one would use instead of any network. Here `regressors.MODELS` is
filled: whoever loads or trains a model asks `model`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..networks.regressor import Regressor
from . import dbcnn_recipe, hyperiqa_recipe, reiqa_recipe
from .photo_profiles import PROFILES as WALKS
from .regressors import MODELS, Model
from .settings import must_be_one_of, replaced

NAMES = ("dbcnn", "hyperiqa", "reiqa")  # the models of related work

# rows of the table, in its order: what looks at no picture, what trains no network, ours, theirs
SIMPLE = ("constant", "brisque", "forest", "ridge", "ridge_stages", "kernel_stages")
ROWS = (*SIMPLE, "supervised", *NAMES)
TRAINED = ROWS[1:]  # the constant needs no run

MODELS |= {
    "dbcnn": Model(dbcnn_recipe.Settings(), dbcnn_recipe.build, dbcnn_recipe.learn),
    "hyperiqa": Model(hyperiqa_recipe.Settings(), hyperiqa_recipe.build, hyperiqa_recipe.learn),
    "reiqa": Model(reiqa_recipe.Settings(), reiqa_recipe.build, reiqa_recipe.learn),
}


def _all_of(**models: Mapping[str, object]) -> dict[str, object]:
    """Overrides of several models under their dotted names."""
    return {f"{m}.{key}": value for m, own in models.items() for key, value in own.items()}


# Overrides of the models' own settings, in each profile of photo_profiles; the defaults are those
# of "reference", of which "demo" takes a third of the steps
SETTINGS: dict[str, dict[str, object]] = {
    "smoke": _all_of(
        dbcnn=dbcnn_recipe.SMOKE,
        hyperiqa={"epochs": 1, "batch": 16},
        reiqa=reiqa_recipe.SMOKE,
    ),
    "demo": _all_of(
        dbcnn={"scnn.pictures": 1300, "scnn.steps": 170, "epochs": 1},
        hyperiqa={"epochs": 5},
        reiqa={"pictures": 200, "steps": 200},
    ),
    "reference": {},
    "gpu": {},
    "paper": _all_of(
        dbcnn=dbcnn_recipe.PAPER, hyperiqa=hyperiqa_recipe.PAPER, reiqa=reiqa_recipe.PAPER
    ),
}


def model(name: str) -> Model:
    """A model of related work. ValueError, listing those there are, for another name."""
    must_be_one_of("model of related work", name, MODELS)
    return MODELS[name]


def untrained(which: Model, settings: Any, classes: int, size: int) -> Regressor:
    """Its network, for weights that are loaded next: no pre-trained ones are fetched."""
    if "pretrained" in {f.name for f in dataclasses.fields(settings)}:
        settings = dataclasses.replace(settings, pretrained=False)
    return which.build(settings, classes, size)


def is_of_a_model(setting: str) -> bool:
    """Whether the setting is one of a model of related work.

    >>> is_of_a_model("dbcnn.backbone"), is_of_a_model("train.steps")
    (True, False)
    """
    return setting.partition(".")[0] in NAMES


def settings_of(name: str, profile: str, overrides: Mapping[str, object] | None = None) -> Any:
    """A model's settings in a profile, with overrides ("dbcnn.epochs": 5); those of the others
    are checked, and don't count.

    ValueError for an unknown profile, model or setting, TypeError for a value of another type; each
    message lists what is allowed."""
    must_be_one_of("profile", profile, WALKS)
    model(name)
    given: dict[str, dict[str, object]] = {n: {} for n in MODELS}
    for key, value in {**SETTINGS[profile], **(overrides or {})}.items():
        head, _, rest = key.partition(".")
        if head in given:
            given[head][rest] = value
    found = {n: replaced(m.settings, given[n], f"{n}.") for n, m in MODELS.items()}
    return found[name]
