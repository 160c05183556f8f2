"""The examples in docstrings run, and what a user types has one."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest
from conftest import REPOSITORY

LIBRARY = REPOSITORY / "riqa_lib"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
WITH_EXAMPLES = [
    ".".join(("riqa_lib", *file.relative_to(LIBRARY).with_suffix("").parts))
    for file in sorted(LIBRARY.rglob("*.py"))
    if ">>>" in file.read_text(encoding="utf-8")
]
# What the README, the notebooks and CONTRIBUTING tell a user to type.
TYPED = [
    "riqa_lib.score",
    "riqa_lib.store.settings_hash",
    "riqa_lib.stats.metrics.mae",
    "riqa_lib.stats.votes.mode_grade",
    "riqa_lib.datasets.splits.floor_split",
    "riqa_lib.tables.published.published",
    "riqa_lib.tables.notebook_map.notebook_map",
    "riqa_lib.sim.scenes.scene",
    "riqa_lib.sim.distortions.distort",
    "riqa_lib.sim.fundus_camera.fundus",
    "riqa_lib.pictures.field.find_field",
    "riqa_lib.training.photographs.settings",
    "riqa_lib.training.photographs.Run",
    "riqa_lib.assess.advice.advise",
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name, home):
    found = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert found.attempted > 0, "there are examples, but doctest does not see them"
    assert found.failed == 0


@pytest.mark.parametrize("name", TYPED)
def test_what_a_user_types_has_an_example(name):
    module, what = name.rsplit(".", 1)
    entry = getattr(importlib.import_module(module), what)
    assert ">>>" in (inspect.getdoc(entry) or ""), f"{name} has no example"
