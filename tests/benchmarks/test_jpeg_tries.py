"""Tries against a coarse JPEG: pictures stored twice, features turned, changes counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import jpeg_tries
from riqa_lib.networks.field_moments import FEATURES, MomentNet


def test_pairs_are_the_same_photograph_plain_and_coded():
    both = jpeg_tries.pairs("test", 24, (30, 30), count=3)
    plain, coded = both[:3].astype(float), both[3:].astype(float)
    moved = np.abs(plain - coded).mean(axis=(1, 2, 3))
    assert (moved > 0.1).all()
    others = np.abs(plain - np.roll(coded, 1, axis=0)).mean(axis=(1, 2, 3))
    assert (moved < 0.3 * others).all()


def test_moved_directions_count_less_and_others_as_before():
    moved = torch.zeros(3, 4)
    moved[:, 1] = torch.tensor([1.0, 2.0, 30.0])  # the longest is brought to the median, 2
    turn = jpeg_tries.turn_of(moved, {"steady": 4})
    expected = torch.eye(4)
    expected[1, 1] = 1 / np.sqrt(1 + 4 * (1 + 4 + 4) / 3)
    assert torch.allclose(turn, expected, atol=1e-6)
    expected[1, 1] = 0
    assert torch.allclose(jpeg_tries.turn_of(moved, {"without": 1}), expected, atol=1e-6)
    assert torch.allclose(jpeg_tries.turn_of(moved, {}), torch.eye(4), atol=1e-6)


def test_a_turned_network_is_the_plain_one_on_turned_features():
    torch.manual_seed(0)
    rows = torch.randn(20, FEATURES) * 3 + 1
    net = jpeg_tries.Turned(4, 0.0, 3).eval()
    plain = MomentNet(4, 0.0, 3).eval()
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if k != "turn"})
    net.standardise(rows)
    plain.standardise(rows)
    assert torch.allclose(net(rows)[0], plain(rows)[0], atol=1e-4)
    turn = jpeg_tries.turn_of((rows[:2] - net.mean) * net.factor, {"without": 2})
    net.turn.copy_(turn)
    assert torch.allclose(net(rows)[0][0], net(rows)[0][1], atol=1e-4)  # all they had is left out
    assert not torch.allclose(net(rows)[0][2], net(rows)[0][3], atol=1e-2)


def test_changes_are_from_the_same_picture_as_it_is():
    told = pd.DataFrame(
        [(0, "JPEG 30"), (0, ""), (1, "JPEG 30"), (1, "512 px"), (1, "")],
        columns=["picture", "change"],
    )
    p = np.array([[0.5, 0.5], [0.7, 0.4], [0.1, 0.9], [0.3, 0.9], [0.2, 0.9]])
    found = jpeg_tries.changed(p, told)
    assert found["change"].tolist() == ["JPEG 30", "JPEG 30", "512 px"]
    assert found["moved"].tolist() == pytest.approx([0.2, 0.1, 0.1])
