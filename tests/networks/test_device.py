"""What crosses to a GPU at each step, tried with PyTorch's device "meta", which holds no numbers
but refuses what a GPU would refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from riqa_lib.networks import sources, views
from riqa_lib.networks.device import device_of, sent
from riqa_lib.networks.predict import over_looks
from riqa_lib.ssl.fixmatch import FixMatch
from riqa_lib.training import photographs
from riqa_lib.training.loop import Material, batch_of
from riqa_lib.training.optimisation import TrainConfig

META, CPU = torch.device("meta"), torch.device("cpu")
QUALITY = replace(views.STRONG["quality"], noise=0.0)  # a generator of "meta" there is none
PICTURES = 16


class Crossings(TorchDispatchMode):
    """Counts the bytes of each tensor that goes from the CPU to another device."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        if operation in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            given = args[-1] if operation is torch.ops.aten.copy_.default else args[0]
            if given.device.type == "cpu" and out.device.type != "cpu":
                self.sizes.append(given.nbytes)
        return out


def pixels_on(where):
    return sources.Pixels(torch.zeros(20, 40, 40, 3, dtype=torch.uint8, device=where), 32)


def maps_on(where):
    maps = torch.zeros(20, 2, 5, 5, 7, dtype=torch.float16, device=where)
    return sources.Maps(maps, 4, torch.zeros(7))


@pytest.mark.parametrize("made", [pixels_on, maps_on])
def test_of_a_view_only_a_few_numbers_a_picture_cross(made):
    rows = torch.arange(PICTURES)
    with Crossings() as crossed:
        view = made(META).view(rows, QUALITY, 4, torch.Generator().manual_seed(0))
    assert view.images.device == view.keep.device == META
    assert crossed.sizes
    assert sum(crossed.sizes) <= PICTURES * 128  # indices of 32 x 32 px would be 8,192 bytes each


@pytest.mark.parametrize("made", [pixels_on, maps_on])
def test_evaluation_looks_where_the_network_is(made):
    net = torch.nn.Linear(1, 1).to(META)

    def read(images):
        assert images.device == META
        return (torch.zeros(len(images), 2),)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net

        def forward(self, images):
            return images

    (p,) = over_looks(Net(), made(CPU), np.arange(3), 2, read)
    assert p.shape == (3, 2)


@pytest.mark.parametrize("made", [pixels_on, maps_on])
def test_pictures_too_many_for_the_gpu_are_sent_to_it_view_by_view(made, monkeypatch):
    monkeypatch.setitem(views.STRONG, "quality", QUALITY)
    run = photographs.settings("smoke", "fixmatch", 0)
    method = FixMatch(torch.nn.Linear(1, 1), 5, run.method, torch.full((5,), 0.2)).to(META)
    rows = np.arange(20)
    material = Material(made(CPU), rows[:8], rows[:8] % 5, rows[8:], rows[:4], rows[:4] % 5)
    batch = batch_of(material, method, TrainConfig(batch=4, mu=2), 0, 0, 4)
    shown = [batch.x, *batch.u.values()]
    assert {view.images.device for view in shown} == {batch.y.device} == {META}
    assert batch.u["strong"].keep.device == META


def test_sent_and_device_of():
    x = torch.ones(3)
    assert sent(x, CPU) is x
    assert sent(x, META).device == META
    assert device_of(torch.nn.Linear(1, 1).to(META), CPU) == META
    assert device_of(torch.nn.Identity(), META) == META


def test_to_a_gpu_it_goes_from_pinned_memory_and_nothing_waits(monkeypatch):
    said = []

    class Fake:
        device = CPU

        def pin_memory(self):
            said.append("pinned")
            return self

        def to(self, where, non_blocking=False):
            said.append((where.type, non_blocking))
            return self

    sent(Fake(), torch.device("cuda"))
    assert said == ["pinned", ("cuda", True)]
