"""Views that are shown are those that training sees: held against the training loop's own batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.networks import map_store, views
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.vit import ViT
from riqa_lib.pages import seen_views
from riqa_lib.training import loop, photographs

SIDE, CELL, GRID, WINDOW = 48, 16, 3, 2
FROZEN = {"model.stem": "lite0", "model.freeze": True, "model.weights": "imagenet"}
CHANNELS = 7


@pytest.fixture(scope="module")
def data() -> DataSet:
    """Pictures whose nine cells have a colour each: red tells the cell, green the picture."""
    n = 40
    cells = np.arange(GRID**2).reshape(GRID, GRID).repeat(CELL, 0).repeat(CELL, 1)
    pixels = np.zeros((n, SIDE, SIDE, 3), np.uint8)
    pixels[..., 0] = 20 * cells
    pixels[..., 1] = 5 * np.arange(n)[:, None, None]
    split = np.repeat(["train", "val", "pool"], [15, 5, 20])
    grade = np.where(split == "pool", -1, np.arange(n) % 5)
    frame = pd.DataFrame({"id": [f"p{k}" for k in range(n)], "split": split, "grade": grade})
    return DataSet(Path("."), frame, pixels, {"name": "x", "simulated": True, "classes": 5})


def of(method: str, **more: object) -> photographs.Run:
    settings = {"data.size": SIDE, "data.crop": 32, "train.batch": 6, "train.mu": 2, **more}
    return photographs.settings("smoke", method, 3, settings)


def first_batch(run, data, source):
    """The loop's own first batch, and the rows of its pool."""
    rows = photographs.rows_of(run, data)
    net = ViT(run.model, run.data.crop, 5)
    method = photographs.made(run, net, 5, torch.full((5,), 0.2))
    grades = data.frame["grade"].to_numpy()
    material = loop.Material(
        source=source,
        labelled=rows["labelled"],
        grades=grades[rows["labelled"]],
        unlabelled=rows["unlabelled"],
        val=rows["val"],
        val_grades=grades[rows["val"]],
    )
    batch = loop.batch_of(material, method, run.train, run.seed, 0, net.tokens)
    count = run.train.mu * run.train.batch
    picked = loop.drawn(len(rows["unlabelled"]), count, 0, run.seed, "unlabelled")
    return batch, rows["unlabelled"][picked]


def test_pixels_are_those_of_the_first_batch_with_what_is_blanked_in_grey(data):
    run = of("comatch")
    batch, rows = first_batch(run, data, Pixels(torch.from_numpy(data.pixels), 32))
    seen = seen_views.first_step(run, data, count=4)
    assert seen.names == ["photograph", "weak view", "strong view", "second strong view"]
    assert (seen.pixels[0] == data.pixels[rows[:4]]).all()
    for line, name in zip(seen.pixels[1:], ("weak", "strong", "strong2"), strict=True):
        images, keep = batch.u[name]
        shown = line[:, 8:40, 8:40]  # smaller than the photographs: in the middle of white
        assert (line[:, :8] == 255).all()
        true = ((images[:4] * views.SD + views.MEAN).clamp(0, 1) * 255).round().byte().numpy()
        true = true.transpose(0, 2, 3, 1).copy()
        if keep is not None:
            gone = keep[:4].view(4, 2, 2).repeat_interleave(16, 1).repeat_interleave(16, 2) == 0
            assert gone.any()
            true[gone.numpy()] = seen_views.GREY
        assert (shown == true).all()
    assert "A view is a crop of 32 of 48 px" in seen.read()
    assert "quarter turns, brightness ±3 %" in seen.read()
    gone = 1 - batch.u["strong"].keep.mean().item()
    assert f"In the strong view {100 * gone:.0f} % of the tokens are blanked" in seen.read()


def places(looks: int) -> torch.Tensor:
    """Maps (40, looks, 3, 3, CHANNELS) that hold cell + 100 look in every channel."""
    cell = torch.arange(GRID**2).view(1, 1, GRID, GRID, 1).float()
    look = 100 * torch.arange(looks).view(1, looks, 1, 1, 1)
    return (cell + look).expand(40, looks, GRID, GRID, CHANNELS).contiguous()


@pytest.fixture
def few_channels(monkeypatch):
    monkeypatch.setattr("riqa_lib.networks.lite0.channels", lambda scales: CHANNELS)


def test_windows_of_a_frozen_map_are_shown_on_their_photographs(data, few_channels):
    run = of("crmatch", **FROZEN)
    source = Maps(places(2), WINDOW, torch.full((CHANNELS,), -1.0))
    batch, rows = first_batch(run, data, source)
    seen = seen_views.first_step(run, data, count=5)
    assert seen.names[1:3] == ["weak view", "strong view"]
    for line, name in zip(seen.pixels[1:3], ("weak", "strong"), strict=True):
        images, keep = batch.u[name]
        told = images.amax(dim=1).numpy()  # (M, 2, 2): cell + 100 if of the mirror image
        for one in range(5):
            picture = data.pixels[rows[one]]
            mirrored = told[one, 0, 0] >= 100
            whole = picture[:, ::-1] if mirrored else picture
            cells = told[one] % 100
            kept = np.ones(4) if keep is None else keep[one].numpy()
            for place in range(GRID**2):
                r, c = divmod(place, GRID)
                middle = line[one, CELL * r + 8, CELL * c + 8]
                true = whole[CELL * r + 8, CELL * c + 8]
                if place not in cells:
                    assert (middle >= 191).all()  # faded
                elif kept[cells.ravel().tolist().index(place)]:
                    assert (middle == true).all()
                else:
                    assert (middle == seen_views.GREY).all()
    weak = batch.u["weak"].images.amax(dim=1).numpy()
    text = seen.read()
    share = (weak[:, 0, 0] >= 100).mean()
    assert f"{100 * share:.0f} % of the batch's weak views are mirrored" in text
    strong = batch.u["strong"]
    assert f"{100 * (strong.images < 0).float().mean():.0f} % of the map's channels" in text
    assert f"In the strong view {100 * (1 - strong.keep.mean()):.0f} % of the tokens" in text
    assert "2 x 2 of 3 x 3 cells" in text
    assert "Left out, since the stem would have to look again: quarter turns" in text
    other = strong.images.amax(dim=1).numpy()
    other = np.where(other >= 100, other % 100 // 3 * 3 + 2 - (other - 100) % 3, other)
    as_it_is = np.where(weak >= 100, weak % 100 // 3 * 3 + 2 - (weak - 100) % 3, weak)
    pairs = zip(as_it_is.reshape(-1, 4), other.reshape(-1, 4), strict=True)
    shared = np.mean([len({*a} & {*b}) / 4 for a, b in pairs])
    assert f"share {100 * shared:.0f} % of their cells" in text


def test_turned_maps_have_their_cells_in_other_places_and_each_upright(data, few_channels):
    run = of("crmatch", **FROZEN)
    source = Maps(places(2), WINDOW, torch.full((CHANNELS,), -1.0))
    batch, rows = first_batch(run, data, source)
    seen = seen_views.first_step(run, data, count=3)
    assert seen.names[3:] == ["turned by 90°", "turned by 180°", "turned by 270°"]
    for k, line in enumerate(seen.pixels[3:], 1):
        turned = torch.rot90(batch.u["weak"].images, k, (2, 3)).amax(dim=1).numpy()
        for one in range(3):
            for at in range(4):
                r, c = divmod(at, 2)
                cell = turned[one, r, c]
                row, column = divmod(int(cell) % 100, GRID)
                if cell >= 100:
                    column = GRID - 1 - column
                colour = line[one, 8 + CELL * r + 8, 8 + CELL * c + 8]
                assert (colour[:2] == [20 * (GRID * row + column), 5 * rows[one]]).all()
    assert "each holds stays upright" in seen.read()
    none = seen_views.first_step(of("crmatch", **FROZEN, **{"crmatch.lambda_rot": 0}), data)
    assert none.names == seen.names[:3]
    pixels = seen_views.first_step(of("crmatch"), data, count=3).pixels[:, :, 8:40, 8:40]
    assert (pixels[3] == np.rot90(pixels[1], 1, (1, 2))).all()


def copied(pixels: torch.Tensor, first: int) -> torch.Tensor:
    """Copies that tell apart which they are, of which block."""
    x = views.normalise(pixels)
    return torch.stack([x * (0.9 - 0.1 * k - 0.002 * first) for k in range(map_store.COPIES)])


def test_randaugmented_copies_are_the_ones_whose_maps_are_stored(data, few_channels, monkeypatch):
    monkeypatch.setattr(map_store, "BLOCK", 16)
    monkeypatch.setattr(map_store, "augmented", copied)
    run = of("fixmatch", **FROZEN, **{"train.strong": "randaugment"})
    mean = torch.full((CHANNELS,), -1.0)
    source = Maps(places(2), WINDOW, mean, places(map_store.COPIES))
    batch, rows = first_batch(run, data, source)
    seen = seen_views.first_step(run, data, count=3)
    told = batch.u["strong"].images.amax(dim=1).numpy()
    for one in range(3):
        which, place = divmod(int(told[one, 0, 0]), 100)
        r, c = (CELL * v for v in divmod(place, GRID))
        first = int(rows[one]) // 16 * 16
        copy = copied(torch.from_numpy(data.pixels[rows[one]][None]), first)[which, 0]
        true = ((copy * views.SD + views.MEAN).clamp(0, 1) * 255).round().byte()
        inside = (slice(r + 1, r + 31), slice(c + 1, c + 31))  # less the line around it
        assert (seen.pixels[2, one][inside] == true.permute(1, 2, 0).numpy()[inside]).all()
    assert "3 operations of RandAugment, then a grey square" in seen.read()


def test_a_method_without_a_pool_has_no_views_to_show(data):
    with pytest.raises(ValueError, match="supervised sees no picture of the pool"):
        seen_views.first_step(of("supervised"), data)
