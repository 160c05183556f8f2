"""Moments of a frozen encoder over the field: against loops, the same however a picture lies, and
the small network on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from riqa_lib.networks import field_moments
from riqa_lib.networks.field_moments import (
    FEATURES,
    MIDDLE,
    SCALES,
    MomentNet,
    MomentsOfPixels,
    balance,
    moments,
    one_view,
)
from riqa_lib.networks.fundus_net import FundusNetConfig, first_weights, on_pixels
from riqa_lib.networks.views import normalise
from riqa_lib.sim.fundus_camera import fundus


def test_moments_are_those_of_a_loop():
    maps = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = moments(maps).numpy()
    for n in range(2):
        for c in range(3):
            inner, outer = [], []
            for i in range(5):
                for j in range(5):
                    rho = np.hypot((i + 0.5) * 2 / 5 - 1, (j + 0.5) * 2 / 5 - 1)
                    if rho <= MIDDLE:
                        inner.append(float(maps[n, c, i, j]))
                    elif rho < 1:
                        outer.append(float(maps[n, c, i, j]))
            for k, values in enumerate((inner, outer)):
                assert found[n, 6 * k + c] == pytest.approx(np.mean(values), abs=1e-6)
                assert found[n, 6 * k + 3 + c] == pytest.approx(
                    np.sqrt(np.var(values) + 1e-6), abs=1e-6
                )


def test_every_scale_of_every_moment_weighs_the_same():
    square = balance().square().reshape(4, -1)
    ends = np.cumsum((0, *SCALES))
    parts = [square[k, a:b].sum() for k in range(4) for a, b in itertools.pairwise(ends)]
    assert torch.allclose(torch.stack(parts), torch.full((12,), FEATURES / 12))
    assert square.mean().item() == pytest.approx(1)


@pytest.fixture(scope="module")
def shots():
    return np.stack([fundus(("m", k), 64, framing="crop").pixels for k in range(3)])


def test_they_do_not_depend_on_how_a_picture_lies(shots):
    told = field_moments.field_moments(shots)
    for turned in (shots[:, ::-1], shots[:, :, ::-1], np.rot90(shots, axes=(1, 2))):
        assert np.allclose(field_moments.field_moments(turned.copy()), told, atol=1e-4)
    assert told.shape == (3, FEATURES)
    assert np.ptp(told, axis=0).max() > 0.1  # and differ between pictures


def test_the_network_says_the_same_of_pixels_and_of_their_moments(shots):
    net = first_weights(FundusNetConfig(encoder="lite0"), 3, seed=1).eval()
    assert isinstance(net, MomentNet)
    rows = torch.from_numpy(field_moments.field_moments(shots)).float()
    net.standardise(rows)
    whole = on_pixels(net).eval()
    x = normalise(torch.from_numpy(shots))
    with torch.no_grad():
        for of_rows, of_pixels in zip(net(rows), whole(x), strict=True):
            assert torch.allclose(of_rows, of_pixels, atol=1e-4)
        with one_view(whole):
            alone = whole(x)[0]
        assert not torch.allclose(alone, whole(x)[0], atol=1e-4)
    assert isinstance(whole, MomentsOfPixels)
    assert whole.views == 8
    assert not whole.train().stem.training  # its batch statistics stay


def test_standardised_rows_have_the_balance_as_their_spread():
    net = MomentNet(8, 0.0, 3)
    rows = torch.randn(400, FEATURES, generator=torch.Generator().manual_seed(0)) * 5 + 3
    net.standardise(rows)
    seen = (rows - net.mean) * net.factor
    assert torch.allclose(seen.mean(dim=0), torch.zeros(FEATURES), atol=1e-4)
    assert torch.allclose(seen.std(dim=0), balance(), rtol=1e-3)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match=r"model\.hidden is 0; expected 1 or more"):
        FundusNetConfig(hidden=0)
    with pytest.raises(ValueError, match="no tokens to blank"):
        MomentNet(8, 0.0, 3)(torch.zeros(1, FEATURES), torch.ones(1, 4))
