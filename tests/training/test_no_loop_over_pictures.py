"""A step does as much in Python for many pictures as for few, and for a large pool as for a small:
there is no loop over pictures in it."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest
import torch

from riqa_lib.networks.blocks import Blocks, Mapped
from riqa_lib.networks.sources import Pixels
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.training import loop
from riqa_lib.training.loop import Material, TrainConfig, Trainer
from riqa_lib.training.photographs import METHODS

TINY = ViTConfig(width=16, depth=1, heads=2, patch=8, weights="none")
SIZE, CROP, WARM = 20, 16, 1
LABELLED = 32


def pixels_of(pool: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (LABELLED + pool, SIZE, SIZE, 3), np.uint8)


def held(pool, folder):
    return Pixels(torch.from_numpy(pixels_of(pool)), CROP)


def gathered(pool, folder):
    np.save(folder / "pool.npy", pixels_of(pool))
    stored = Mapped(np.load(folder / "pool.npy", mmap_mode="r"))
    return Blocks(lambda p: Pixels(p, CROP), (stored,), torch.device("cpu"))


def work_of_a_step(name, source, batch, pool):
    """(calls, of Python's functions and C's; Python's own steps inside this library) in the step
    after WARM of them."""
    torch.manual_seed(0)
    kind = METHODS[name]
    method = kind(ViT(TINY, CROP, 5), 5, kind.Config(), torch.full((5,), 0.2))
    rows = np.arange(LABELLED + pool)
    y = rows[:LABELLED] % 5
    material = Material(source, rows[:LABELLED], y, rows[LABELLED:], rows[:8], y[:8])
    trainer = Trainer(method, material, TrainConfig(batch=batch, mu=2, precision="fp32"), 0)
    for _ in range(WARM):
        trainer.step()
    found: Counter = Counter()

    def called(frame, event, argument):
        found[event] += 1

    def traced(frame, event, argument):
        if "riqa_lib" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        found[event] += event == "opcode"
        return traced

    sys.setprofile(called)
    sys.settrace(traced)
    try:
        trainer.step()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return found["call"] + found["c_call"], found["opcode"]


@pytest.mark.parametrize(
    ("name", "source"), [*((name, held) for name in METHODS), ("fixmatch", gathered)]
)
def test_a_step_does_as_much_in_python_for_many_pictures_as_for_few(tmp_path, name, source):
    few = work_of_a_step(name, source(120, tmp_path), 2, 120)
    assert min(few) > 200
    assert work_of_a_step(name, source(600, tmp_path), 10, 600) == few


def test_an_epochs_order_is_drawn_once(monkeypatch):
    """A permutation is as long as the pool: one a step would cost more the larger the pool is."""
    drawn, inner = [], loop.rng
    monkeypatch.setattr(loop, "rng", lambda *keys: (drawn.append(keys), inner(*keys))[1])
    loop._order.cache_clear()
    seen = [
        (loop.drawn(8, 2, step, 3, "labelled"), loop.drawn(20, 4, step, 3, "unlabelled"))
        for step in range(10)
    ]
    loop._order.cache_clear()
    # 20 of 8 labelled are three epochs, 40 of 20 unlabelled two
    assert len(drawn) == len(set(drawn)) == 5
    assert sorted(np.concatenate([few for few, _ in seen[:4]])) == [*range(8)]
    assert sorted(np.concatenate([many for _, many in seen[5:]])) == [*range(20)]
