"""Quality-aware pairs: where the crops lie, which are positives, what the copies are."""

from __future__ import annotations

import numpy as np
import pytest

from riqa_lib.sim.distortions import TYPES
from riqa_lib.training import reiqa_views
from riqa_lib.training.reiqa_views import chunk, half_swapped, halved, pair, two_places, two_scales


def painted(side, place, patch):
    """A mask of where a crop lies; IndexError-proof: whatever lies outside is not painted."""
    mask = np.zeros((side, side), bool)
    mask[place.top : place.top + patch, place.left : place.left + patch] = True
    return mask


@pytest.mark.parametrize(("side", "patch"), [(80, 40), (40, 20), (31, 16), (192, 96), (33, 20)])
def test_crops_always_share_10_to_30_percent_and_lie_inside(side, patch):
    rng = np.random.default_rng(0)
    shares, steps = [], set()
    for _ in range(300):
        first, second = two_places(side, patch, rng)
        a, b = painted(side, first, patch), painted(side, second, patch)
        assert a.sum() == b.sum() == patch**2  # whole, so inside
        shares.append((a & b).sum() / patch**2)
        steps.add((np.sign(second.top - first.top), np.sign(second.left - first.left)))
    assert min(shares) >= 0.1
    assert max(shares) <= 0.3
    assert max(shares) - min(shares) > 0.1
    assert {(a, b) for a in (-1, 1) for b in (-1, 1)} <= steps  # in every direction


def test_a_patch_too_large_for_that_overlap_is_told():
    with pytest.raises(ValueError, match="crops of 30 px in pictures of 32 px cannot share 10%"):
        two_places(32, 30, np.random.default_rng(0))


def coded(copies, side):
    """Copies whose every pixel says which copy it is, and where it lies."""
    out = np.empty((copies, side, side, 3), np.uint8)
    out[..., 0] = np.arange(copies)[:, None, None]
    out[..., 1] = np.arange(side)[None, :, None]
    out[..., 2] = np.arange(side)[None, None, :]
    return out


@pytest.mark.parametrize("copies", [12, 5])
def test_positives_share_the_copy_and_half_of_the_crops_change_sides(copies):
    query, key = pair(coded(copies, 40), 0.5, np.random.default_rng(3))
    assert query.shape == key.shape == (copies, 20, 20, 3)
    expected = np.arange(copies)
    assert (query[..., 0] == expected[:, None, None]).all()  # row j shows copy j on both sides
    assert (key[..., 0] == expected[:, None, None]).all()
    corner_q = [tuple(map(int, p)) for p in query[:, 0, 0, 1:]]
    corner_k = [tuple(map(int, p)) for p in key[:, 0, 0, 1:]]
    a, b = corner_q[0], corner_k[0]
    half = copies // 2
    assert a != b
    assert corner_q == [a] * half + [b] * (copies - half)
    assert corner_k == [b] * half + [a] * (copies - half)


def test_the_swap_exchanges_and_does_not_copy():
    first, second = np.arange(6), 10 + np.arange(6)
    query, key = half_swapped(first, second)
    assert query.tolist() == [0, 1, 2, 13, 14, 15]
    assert key.tolist() == [10, 11, 12, 3, 4, 5]
    assert first.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.fixture
def told(monkeypatch):
    """Instead of distorting: paints the picture with its type, notes (kind, level, scale)."""
    calls = []

    def paint(image, kind, level, rng, scale):
        calls.append((kind, level, scale))
        return np.full(image.shape, kind / 255, np.float32)

    monkeypatch.setattr(reiqa_views, "distort", paint)
    return calls


def test_a_chunk_is_the_picture_and_copies_of_different_types(told):
    picture = np.full((32, 32, 3), 200, np.uint8)
    places, kinds, levels = set(), set(), set()
    for seed in range(60):
        told.clear()
        found = chunk(picture, 11, 0.4, np.random.default_rng(seed))
        assert found.dtype == np.uint8
        shades = found[:, 0, 0, 0].tolist()
        assert len(found) == len({*shades}) == 12  # the picture and 11 types
        assert {*shades} == {200} | {kind for kind, _, _ in told}
        assert {scale for *_, scale in told} == {0.4}
        places.add(shades.index(200))
        kinds |= {kind for kind, _, _ in told}
        levels |= {level for _, level, _ in told}
    assert places == {*range(12)}  # the undistorted picture may be in either half
    assert kinds == {*TYPES}
    assert levels == {1, 2, 3, 4, 5}
    assert (picture == 200).all()


def test_the_second_scale_is_the_same_copies_at_half_size(told):
    picture = np.full((40, 40, 3), 200, np.uint8)
    whole, half = two_scales(picture, 5, 0.5, 0.4, np.random.default_rng(0))
    assert len(told) == 5  # distorted once
    assert whole.query.shape == (6, 20, 20, 3)
    assert half.query.shape == (6, 10, 10, 3)
    for side in (whole.key, half.query, half.key):
        assert (side[:, 0, 0, 0] == whole.query[:, 0, 0, 0]).all()


def test_real_distortions_are_rounded_and_the_same_seed_gives_the_same():
    picture = np.random.default_rng(1).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    one, two = (chunk(picture, 3, 0.4, np.random.default_rng(5)) for _ in range(2))
    assert (one == two).all()
    assert (one == picture).all(axis=(1, 2, 3)).sum() >= 1
    other = chunk(picture, 3, 0.4, np.random.default_rng(6))
    assert (one != other).any()


def test_more_copies_than_types_are_refused():
    with pytest.raises(ValueError, match="26 distorted copies: expected 1 to 25"):
        chunk(np.zeros((32, 32, 3), np.uint8), 26, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize("side", [6, 7])
def test_half_size_is_the_mean_of_four(side):
    whole = np.random.default_rng(2).integers(0, 256, (2, side, side, 3)).astype(np.uint8)
    half = halved(whole)
    assert half.shape == (2, side // 2, side // 2, 3)
    for n, i, j, c in np.ndindex(half.shape):
        four = whole[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].astype(float)
        assert abs(half[n, i, j, c] - four.mean()) <= 0.5
