"""Where views come from: pixels as views.make gives them, windows of maps by slow loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from riqa_lib.networks import views
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.views import STRONG, WEAK, Policy

P, H, W, C = 7, 3, 4, 5  # pictures, grid, channels


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(copies: int = 2, height: int = H, width: int = W) -> torch.Tensor:
    """Maps in which every entry is another number, exact in float16."""
    count = P * copies * height * width * C
    assert count <= 2048
    return torch.arange(count).view(P, copies, height, width, C).half()


def maps(window: int = 2, **rest) -> Maps:
    return Maps(numbered(), window, -torch.arange(1.0, C + 1), **rest)


ROWS = torch.tensor([0, 3, 6, 3, 1])


def many(count: int = 400) -> torch.Tensor:
    return torch.arange(count) % P


# ---------------------------------------------------------------- pixels
@pytest.mark.parametrize("name", STRONG)
def test_pixels_gives_what_views_make_gives(name):
    pixels = torch.randint(256, (P, 40, 48, 3), generator=generator(), dtype=torch.uint8)
    source = Pixels(pixels, 32)
    found = source.view(ROWS, STRONG[name], 4, generator(3))
    own = views.make(pixels, ROWS, 32, STRONG[name], 4, generator(3))
    assert torch.equal(found.images, own.images)
    assert (found.keep is None) == (own.keep is None)
    assert found.keep is None or torch.equal(found.keep, own.keep)
    assert source.device == pixels.device


@pytest.mark.parametrize("grid", [1, 2, 3])
def test_pixels_looks_are_centre_crops(grid):
    pixels = torch.randint(256, (P, 40, 48, 3), generator=generator(), dtype=torch.uint8)
    found = Pixels(pixels, 32, grid).looks(ROWS)
    crops = views.centre_crops(pixels[ROWS], 32, grid)
    assert found.shape == (grid**2, len(ROWS), 3, 32, 32)
    for look, crop in zip(found, crops, strict=True):
        for image, raw in zip(look, crop, strict=True):
            exact = (raw.permute(2, 0, 1).double() / 255 - views.MEAN) / views.SD
            assert torch.allclose(image.double(), exact, atol=1e-5)


# ---------------------------------------------------------------- windows of maps
def where_from(image: torch.Tensor, whole: torch.Tensor, window: int) -> list[tuple[int, ...]]:
    """(copy, top, left) of all windows of maps (K, h, w, C) that are this image (C, t, t)."""
    out = []
    for k in range(len(whole)):
        for top in range(whole.shape[1] - window + 1):
            for left in range(whole.shape[2] - window + 1):
                same = True
                for y in range(window):
                    for x in range(window):
                        same &= torch.equal(image[:, y, x], whole[k, top + y, left + x].float())
                if same:
                    out.append((k, top, left))
    return out


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_view_is_a_window_of_its_own_pictures_map(window):
    source = maps(window)
    rows = many()
    view = source.view(rows, WEAK, window**2, generator())
    assert view.images.shape == (len(rows), C, window, window)
    assert view.images.dtype == torch.float32
    assert view.keep is None
    places = []
    for row, image in zip(rows.tolist(), view.images, strict=True):
        found = where_from(image, source.maps[row], window)
        assert len(found) == 1
        places += found
    every = {
        (k, a, b) for k in range(2) for a in range(H - window + 1) for b in range(W - window + 1)
    }
    counts = {place: places.count(place) for place in every}
    fair = len(rows) / len(every)
    assert all(0.3 * fair < n < 2 * fair for n in counts.values()), counts


@pytest.mark.parametrize(("flip", "mirrored"), [(0.0, 0.0), (1.0, 1.0), (0.2, 0.2)])
def test_the_flip_takes_the_mirror_images_own_map(flip, mirrored):
    source, rows = maps(), many()
    images = source.view(rows, Policy(flip=flip), 4, generator()).images
    copies = [
        where_from(image, source.maps[row], 2)[0][0]
        for row, image in zip(rows.tolist(), images, strict=True)
    ]
    assert sum(copies) / len(copies) == pytest.approx(mirrored, abs=0.06)


def test_a_window_as_large_as_the_map_is_the_map():
    square = Maps(numbered(2, 3, 3), 3, torch.zeros(C))
    view = square.view(ROWS, Policy(flip=0.0), 9, generator())
    for row, image in zip(ROWS.tolist(), view.images, strict=True):
        assert torch.equal(image, square.maps[row, 0].permute(2, 0, 1).float())
    looks = square.looks(ROWS)
    assert looks.shape == (2, len(ROWS), C, 3, 3)
    for k in range(2):
        for i, row in enumerate(ROWS.tolist()):
            assert torch.equal(looks[k, i], square.maps[row, k].permute(2, 0, 1).float())


def test_dropped_channels_are_their_mean_in_the_right_share():
    source, rows = maps(), many(2000)
    images = source.view(rows, Policy(channel_drop=0.3), 4, generator()).images
    plain = source.view(rows, Policy(), 4, generator()).images  # the same windows
    dropped = 0
    for image, exact in zip(images, plain, strict=True):
        for channel in range(C):
            if (image[channel] == -(channel + 1)).all():  # the whole channel
                dropped += 1
            else:
                assert torch.equal(image[channel], exact[channel])
    assert dropped / (len(rows) * C) == pytest.approx(0.3, abs=0.02)


def test_blanked_tokens_come_with_the_view():
    view = maps().view(many(2000), Policy(token_drop=0.4), 4, generator())
    assert view.keep.shape == (2000, 4)
    assert set(view.keep.unique().tolist()) == {0.0, 1.0}
    assert view.keep.mean() == pytest.approx(0.6, abs=0.02)


def test_randaugment_takes_one_of_its_copies():
    copies = numbered(3, H, W) + 1000
    source, rows = maps(augmented=copies), many()
    images = source.view(rows, STRONG["randaugment"], 4, generator()).images
    which = [
        where_from(image, copies[row], 2)[0][0]
        for row, image in zip(rows.tolist(), images, strict=True)
    ]
    assert all(0.25 < which.count(k) / len(which) < 0.42 for k in range(3))
    with pytest.raises(ValueError, match="RandAugment's copies were not made for these maps"):
        maps().view(rows, STRONG["randaugment"], 4, generator())


@pytest.mark.parametrize("window", [0, 4, 5])
def test_a_window_that_does_not_fit_is_refused(window):
    with pytest.raises(ValueError, match=f"a window of {window} tokens does not fit into maps of"):
        maps(window)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_looks_are_the_four_corners_of_both_images(window):
    source = maps(window)
    looks = source.looks(ROWS)
    tops, lefts = sorted({0, H - window}), [0, W - window]
    places = [(k, a, b) for k in range(2) for a in tops for b in lefts]
    assert looks.shape == (len(places), len(ROWS), C, window, window)
    for look, place in zip(looks, places, strict=True):
        for row, image in zip(ROWS.tolist(), look, strict=True):
            assert where_from(image, source.maps[row], window) == [place]


@pytest.mark.parametrize("window", [1, 2, H])
def test_two_looks_are_opposite_corners_of_either_image(window):
    source = maps(window, shown=2)
    looks = source.looks(ROWS)
    assert looks.shape == (2, len(ROWS), C, window, window)
    for look, place in zip(looks, [(0, 0, 0), (1, H - window, 0)], strict=True):
        for row, image in zip(ROWS.tolist(), look, strict=True):
            assert where_from(image, source.maps[row], window) == [place]


# ---------------------------------------------------------------- both
@pytest.mark.parametrize("name", STRONG)
def test_the_same_state_gives_the_same_views(name):
    pixels = torch.randint(256, (P, 40, 48, 3), generator=generator(), dtype=torch.uint8)
    for source in (Pixels(pixels, 32), maps(augmented=numbered(3))):
        one, same = (source.view(many(40), STRONG[name], 4, generator(5)) for _ in range(2))
        other = source.view(many(40), STRONG[name], 4, generator(6))
        assert torch.equal(one.images, same.images)
        assert one.keep is None or torch.equal(one.keep, same.keep)
        assert not torch.equal(one.images, other.images)


def test_what_is_left_of_a_policy_on_maps():
    quality = STRONG["quality"]
    left = views.of_maps(quality)
    assert left == Policy(
        flip=0.5, token_drop=quality.token_drop, channel_drop=quality.channel_drop
    )
    assert quality.channel_drop > 0
    assert views.of_maps(STRONG["randaugment"]) == STRONG["randaugment"]
    source = maps()
    both = [source.view(many(40), p, 4, generator(2)) for p in (quality, left)]
    assert torch.equal(both[0].images, both[1].images)
    assert torch.equal(both[0].keep, both[1].keep)


def test_pixels_know_no_channels_of_a_stem():
    pixels = torch.randint(256, (P, 40, 48, 3), generator=generator(), dtype=torch.uint8)
    quality = STRONG["quality"]
    a, b = (
        Pixels(pixels, 32).view(ROWS, p, 4, generator(1))
        for p in (quality, replace(quality, channel_drop=0.0))
    )
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.keep, b.keep)


def test_maps_in_pieces_are_refused_where_each_view_would_copy_them_all():
    source = Maps(numbered().flip(0).transpose(2, 3), 2, torch.zeros(C))
    with pytest.raises(ValueError, match="stored maps do not lie in one piece"):
        source.view(ROWS, WEAK, 4, generator())
    assert source.looks(ROWS).shape[1:] == (len(ROWS), C, 2, 2)
