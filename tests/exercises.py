"""Methods that are no part of the library, for the tests that every method must pass."""

from __future__ import annotations

import os
from pathlib import Path

from conftest import REPOSITORY

from riqa_lib.training.own_method import load

EXERCISES = REPOSITORY / "docs" / "exercises"

# Worked answers are held to what is asked of the library's own methods. A student names a file of
# theirs instead: RIQA_METHOD=docs/exercises/softmatch.py
GIVEN = os.environ.get("RIQA_METHOD")
FILES = [Path(GIVEN).resolve()] if GIVEN else sorted(EXERCISES.glob("*_answer.py"))
OWN_METHODS = {kind.Config.name: kind for kind in map(load, FILES)}
