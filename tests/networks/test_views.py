"""Views: batched, per picture, reproducible; each operation against a slow one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from riqa_lib.networks import views


def pixels(n=6, size=20, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (n, size, size + 4, 3), np.uint8)
    )


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_crops_are_pieces_of_their_pictures_turned_and_mirrored():
    store = pixels()
    rows = torch.tensor([3, 0, 3, 5] * 10)
    out = views.crop(store, rows, 9, generator(), 0.5, True)
    seen = set()
    for picture, row in zip(out.numpy(), rows.tolist(), strict=True):
        found = []
        for t, left in np.ndindex(12, 16):
            piece = store[row, t : t + 9, left : left + 9].numpy()
            found += [
                (t, left, k, m)
                for k in range(4)
                for m in (0, 1)
                if np.array_equal(picture, np.rot90(piece[:, ::-1] if m else piece, k))
            ]
        assert len(found) == 1
        seen.add(found[0])
    assert len({s[2] for s in seen}) == 4
    assert {s[3] for s in seen} == {0, 1}
    assert len({s[:2] for s in seen}) > 20


def test_weak_views_neither_turn_nor_change_pixels():
    store = pixels()
    view = views.make(store, torch.arange(6), 20, views.Policy(flip=0.0), 4, generator())
    back = (view.images * views.SD + views.MEAN) * 255
    assert view.keep is None
    for picture, original in zip(back.permute(0, 2, 3, 1).round().byte(), store, strict=True):
        assert any(torch.equal(picture, original[:, left : left + 20]) for left in range(5))


def test_the_same_state_gives_the_same_view_and_another_another():
    for policy in views.STRONG.values():
        a, b, c = (
            views.make(pixels(), torch.arange(6), 16, policy, 4, generator(s)) for s in (1, 1, 2)
        )
        assert torch.equal(a.images, b.images)
        assert not torch.equal(a.images, c.images)
        if a.keep is not None:
            assert torch.equal(a.keep, b.keep)


def test_jitter_is_the_formula_picture_by_picture():
    policy = views.Policy(gain=0.3, contrast=0.4, saturation=0.5, offset=0.1)
    x = torch.rand(5, 3, 7, 6, generator=generator(3))
    out = views.jitter(
        ((x - views.MEAN) / views.SD).contiguous(memory_format=torch.channels_last),
        policy,
        generator(4),
    )
    g = generator(4)
    draw = [
        1 + w * (2 * torch.rand(5, 1, 1, generator=g) - 1) for w in (0.3, 0.1, 0.4, 0.5)
    ]  # gain, offset, contrast, saturation
    for i in range(5):
        gain, offset, contrast, saturation = (float(d[i]) for d in draw)
        y = x[i].double() * gain + (offset - 1)
        y = y.mean() + contrast * (y - y.mean())
        luma = 0.299 * y[0] + 0.587 * y[1] + 0.114 * y[2]
        y = (luma + saturation * (y - luma)).clamp(0, 1)
        assert torch.allclose(out[i].double() * views.SD + views.MEAN, y, atol=1e-5)


def test_the_quality_policy_stays_below_what_one_notices():
    """Mean change of a pixel within 8 grey levels of the same crop, and no blanked pixels: tokens
    are blanked instead."""
    store, policy = pixels(size=32), views.STRONG["quality"]
    from dataclasses import replace

    plain = replace(policy, gain=0.0, contrast=0.0, saturation=0.0, offset=0.0, noise=0.0)
    a = views.make(store, torch.arange(6), 32, policy, 16, generator(1))
    b = views.make(store, torch.arange(6), 32, plain, 16, generator(1))
    change = (a.images - b.images).abs() * views.SD * 255
    assert 0.5 < change.mean() < 8
    assert (
        0.1
        < 1
        - views.make(
            store, torch.zeros(200, dtype=torch.long), 8, policy, 16, generator()
        ).keep.mean()
        < 0.5
    )


def picture(seed=0):
    g = np.random.default_rng(seed)
    base = np.kron(g.integers(0, 200, (4, 4, 3)), np.ones((24, 24, 1)))
    return (base + g.integers(0, 40, (96, 96, 3))).astype(np.uint8)


SLOW = {
    "identity": lambda p, u: p,
    "autocontrast": lambda p, u: ImageOps.autocontrast(p),
    "equalise": lambda p, u: ImageOps.equalize(p),
    "brightness": lambda p, u: ImageEnhance.Brightness(p).enhance(0.05 + 0.9 * u),
    "colour": lambda p, u: ImageEnhance.Color(p).enhance(0.05 + 0.9 * u),
    "contrast": lambda p, u: ImageEnhance.Contrast(p).enhance(0.05 + 0.9 * u),
    "sharpness": lambda p, u: ImageEnhance.Sharpness(p).enhance(0.05 + 0.9 * u),
    "posterise": lambda p, u: ImageOps.posterize(p, 4 + int(u * 5)),
    "solarise": lambda p, u: ImageOps.solarize(p, int(np.ceil(u * 255))),
}


@pytest.mark.parametrize("name", SLOW)
def test_operations_agree_with_pillow(name):
    """Pillow works on bytes and rounds in between, so up to 2 grey levels apart (6 for equalise's
    other rounding)."""
    u = torch.tensor([0.1, 0.63, 0.9])
    originals = [picture(s) for s in range(3)]
    x = torch.from_numpy(np.stack(originals)).permute(0, 3, 1, 2).float() / 255
    out = (views.OPERATIONS[name](x, u) * 255).permute(0, 2, 3, 1).numpy()
    for mine, original, v in zip(out, originals, u.tolist(), strict=True):
        theirs = np.asarray(SLOW[name](Image.fromarray(original), v)).astype(float)
        assert np.abs(mine - theirs).max() <= (6 if name == "equalise" else 2), name


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "move_x", "move_y"])
def test_geometry_moves_what_it_says(name):
    """Parameters 0.5 leave the picture; others move it, with black coming in, and the middle stays
    near the middle."""
    x = torch.ones(2, 3, 21, 21)
    x[:, :, 10, 10] = 0.25
    still = views.OPERATIONS[name](x, torch.tensor([0.5, 0.5]))
    assert torch.equal(still, x)
    moved = views.OPERATIONS[name](x, torch.tensor([0.0, 1.0]))
    assert (moved == 0).any()
    where = [(m[0] == 0.25).nonzero()[0].tolist() for m in moved]
    shift = {"move_x": [[10, 16], [10, 4]], "move_y": [[16, 10], [4, 10]]}.get(
        name, [[10, 10], [10, 10]]
    )
    assert where == shift


def test_randaugment_draws_each_operation_for_its_own_pictures():
    x = torch.rand(64, 3, 16, 16, generator=generator())
    out = views.randaugment(x, 3, generator(1))
    assert out.shape == x.shape
    assert (out >= 0).all()
    assert (out <= 1).all()
    again = views.randaugment(x, 3, generator(1))
    assert torch.equal(out, again)
    alone = views.randaugment(x[:1], 3, generator(1))
    assert alone.shape == (1, 3, 16, 16)
    changed = ((out - x).abs().amax(dim=(1, 2, 3)) > 0.01).float().mean()
    assert changed > 0.9


def test_cutout_is_one_grey_square_of_at_most_half_the_width():
    x = torch.ones(300, 3, 20, 20)
    out = views.cutout(x, generator())
    hole = out[:, 0] != 1
    rows, columns = hole.any(dim=2).sum(dim=1), hole.any(dim=1).sum(dim=1)
    assert torch.equal(rows * columns, hole.sum(dim=(1, 2)))  # rectangles
    assert rows.max() in (10, 11)
    assert rows.min() <= 1
    assert out[hole.unsqueeze(1).expand_as(out)].unique().numel() == 3


def test_centre_crops():
    store = pixels(2, 10)
    assert torch.equal(views.centre_crops(store, 6)[0], store[:, 2:8, 4:10])
    grid = views.centre_crops(store, 6, 3)
    assert grid.shape == (9, 2, 6, 6, 3)
    assert torch.equal(grid[0], store[:, :6, :6])
    assert torch.equal(grid[8], store[:, 4:, 8:])


def test_eight_views_are_the_ways_to_lay_a_square_down():
    square = pixels(2, 5)[:, :, :5]

    def laid(picture):  # slowly: pixel by pixel
        side, back = range(5), range(4, -1, -1)
        for rows, columns in ((side, side), (side, back), (back, side), (back, back)):
            yield [[picture[i, j].tolist() for j in columns] for i in rows]
            yield [[picture[i, j].tolist() for i in rows] for j in columns]

    turned = views.eight_views(square)
    assert turned.shape == (8, 2, 5, 5, 3)
    assert torch.equal(turned[0], square)
    for n, picture in enumerate(square):
        found = [x.tolist() for x in turned[:, n]]
        assert sorted(found) == sorted(laid(picture))
        assert len({str(x) for x in found}) == 8
        for other in (picture.flip(1), torch.rot90(picture)):  # the same, in another order
            assert sorted(x.tolist() for x in views.eight_views(other[None])[:, 0]) == sorted(found)
    with pytest.raises(ValueError, match="5 x 4 px: expected square"):
        views.eight_views(square[:, :, :4])


def test_a_crop_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="crop of 21 px does not fit into pictures of 20 x 24"):
        views.crop(pixels(), torch.arange(2), 21, generator())
