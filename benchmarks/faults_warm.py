"""Imported by the process that runners are forked from: all that they need."""

from __future__ import annotations

import distributed  # noqa: F401
import papermill  # noqa: F401

import riqa_lib.__main__
import riqa_lib.training.run_folder
import riqa_lib.training.saved_state  # noqa: F401

from . import faults_toy  # noqa: F401
