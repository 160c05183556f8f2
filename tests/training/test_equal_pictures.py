"""The control of equal compute: what really passes through the networks, counted."""

from __future__ import annotations

import pytest
import torch

from riqa_lib.training import bench, photographs
from riqa_lib.training.photographs import settings


@pytest.mark.parametrize("profile", ["smoke", "demo"])
def test_it_sees_as_many_pictures_as_fixmatch_within_a_step(profile):
    cpu = torch.device("cpu")
    a_step = {
        row: bench.measure(profile, row, 1, cpu)["pictures"]
        for row in ("fixmatch", "supervised_equal")
    }
    steps = {row: settings(profile, row).train.steps for row in a_step}
    difference = steps["supervised_equal"] * a_step["supervised_equal"]
    difference -= steps["fixmatch"] * a_step["fixmatch"]
    assert abs(difference) <= a_step["supervised_equal"]
    assert steps["supervised_equal"] > steps["fixmatch"]


@pytest.mark.parametrize("profile", photographs.PROFILES)
def test_it_follows_the_users_batch_and_steps_and_changes_nothing_else(profile):
    given = {"train.mu": 7, "train.steps": 11, "train.batch": 4}
    run, plain = (settings(profile, row, 1, given) for row in ("supervised_equal", "supervised"))
    assert run.train.steps == 11 * 15  # 1 view of each labelled picture, 2 of each of 7 others
    assert run.but(**{"train.steps": 11}) == plain
