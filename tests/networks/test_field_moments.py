"""Moments of a frozen encoder over the field: against loops, the same however a picture lies, and
the small network on them."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

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
    grained = field_moments.field_moments(shots, 3.0)
    assert not np.allclose(grained, told, atol=0.01)
    for turned in (shots[:, ::-1], shots[:, :, ::-1], np.rot90(shots, axes=(1, 2))):
        assert np.allclose(field_moments.field_moments(turned.copy()), told, atol=1e-4)
        assert np.allclose(field_moments.field_moments(turned.copy(), 3.0), grained, atol=1e-4)
    assert told.shape == (3, FEATURES)
    assert np.ptp(told, axis=0).max() > 0.1  # and differ between pictures


@pytest.mark.parametrize("grain", [0.0, 3.0])
def test_the_network_says_the_same_of_pixels_and_of_their_moments(shots, grain):
    net = first_weights(FundusNetConfig(encoder="lite0"), 3, seed=1).eval()
    assert isinstance(net, MomentNet)
    rows = torch.from_numpy(field_moments.moments_under(grain)(shots)).float()
    net.standardise(rows)
    whole = on_pixels(net, grain).eval()
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


def stored_again(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture stored at quality 30, then brought down."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format="JPEG", quality=30)
    with Image.open(written) as read:
        return np.asarray(read.resize((side, side), Image.Resampling.BOX))


def test_grain_hides_what_a_coarse_jpeg_takes():
    defects = {"illumination": 1.5}  # dark and smooth: a level is much of it
    large = [fundus(("jpeg", k), 512, defects, framing="crop").pixels for k in range(3)]
    small = (Image.fromarray(a).resize((64, 64), Image.Resampling.BOX) for a in large)
    before = np.stack([np.asarray(a) for a in small])
    after = np.stack([stored_again(a, 64) for a in large])
    eyes = np.stack([fundus(("spread", k), 64, framing="crop").pixels for k in range(8)])
    moved = []
    for grain in (0.0, 3.0):
        says = field_moments.moments_under(grain)
        spread = says(eyes).std(axis=0)
        moved.append(np.abs((says(after) - says(before)) / spread).mean())
    assert moved[1] < 0.7 * moved[0]


def test_the_pattern_has_its_octaves():
    whole = field_moments.pattern(128)
    assert whole.shape == (3, 128, 128)
    level = 1 / (255 * 0.25)
    assert whole.std().item() == pytest.approx(np.sqrt(2) * level, rel=0.05)
    squares = whole.reshape(3, 64, 2, 64, 2).mean(dim=(2, 4))
    # variances of the means over 2 x 2 px: 1 of squares of 2 px, 1/4 of 1 px
    assert squares.std().item() == pytest.approx(np.sqrt(1 + 1 / 4) * level, rel=0.05)


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
    with pytest.raises(ValueError, match=r"model\.grain is -1; expected 0 to 32"):
        FundusNetConfig(grain=-1)
    with pytest.raises(ValueError, match="no tokens to blank"):
        MomentNet(8, 0.0, 3)(torch.zeros(1, FEATURES), torch.ones(1, 4))
