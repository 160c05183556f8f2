"""Pools larger than memory: the same views from the file as from memory, at a flat cost."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import torch

from riqa_lib.datasets.data_folder import npy_header
from riqa_lib.networks import blocks
from riqa_lib.networks.blocks import Blocks, Mapped, seen_through
from riqa_lib.networks.device import on_device
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.views import STRONG, WEAK

N = 12  # pictures
ROWS = torch.tensor([7, 0, 11, 7, 3])  # in no order, one twice


@pytest.fixture
def stored(tmp_path):
    """What a data folder holds, opened as it opens it: pixels, maps, RandAugmented copies."""
    g = np.random.default_rng(0)
    arrays = (
        g.integers(0, 256, (N, 20, 20, 3), np.uint8),
        g.standard_normal((N, 2, 3, 3, 4)).astype(np.float16),
        g.standard_normal((N, 4, 3, 3, 4)).astype(np.float16),
    )
    out = []
    for name, array in zip("abc", arrays, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        out.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    return out


def both_ways(monkeypatch, make, *arrays):
    """The source of arrays that are held, and of those that are not."""
    out = []
    for share in ("1", "0"):
        monkeypatch.setenv(blocks.SHARE, share)
        out.append(seen_through(make, *arrays))
    assert isinstance(out[1], Blocks)
    assert not isinstance(out[0], Blocks)
    return out


def same(held, gathered, policies):
    assert held.device == gathered.device
    assert torch.equal(held.looks(ROWS), gathered.looks(ROWS))
    for policy in policies:
        one, two = (
            s.view(ROWS, policy, 4, torch.Generator().manual_seed(5)) for s in (held, gathered)
        )
        assert torch.equal(one.images, two.images)
        assert one.images.stride() == two.images.stride()
        assert (one.keep is None) == (two.keep is None)
        assert one.keep is None or torch.equal(one.keep, two.keep)


def test_pixels_are_seen_alike_held_or_gathered(stored, monkeypatch):
    make = lambda pixels: Pixels(pixels, 16, 2)  # noqa: E731
    same(*both_ways(monkeypatch, make, stored[0]), [WEAK, *STRONG.values()])


def test_maps_are_seen_alike_held_or_gathered(stored, monkeypatch):
    make = lambda maps, *copies: Maps(maps, 2, torch.zeros(4), *copies)  # noqa: E731
    same(*both_ways(monkeypatch, make, *stored[1:]), [WEAK, *STRONG.values()])
    same(*both_ways(monkeypatch, make, stored[1]), [WEAK, STRONG["quality"]])


def test_what_does_not_fit_is_told_at_once(stored, monkeypatch):
    monkeypatch.setenv(blocks.SHARE, "0")
    with pytest.raises(ValueError, match="a window of 4 tokens does not fit"):
        seen_through(lambda maps: Maps(maps, 4, torch.zeros(4)), stored[1])


# ---------------------------------------------------------------- when
def test_a_pool_is_gathered_where_it_takes_more_than_its_share(stored, monkeypatch):
    pixels = stored[0]
    monkeypatch.delenv(blocks.SHARE, raising=False)
    for free, kind in ((2 * pixels.nbytes, Pixels), (2 * pixels.nbytes - 1, Blocks)):
        monkeypatch.setattr(blocks, "available", lambda free=free: free)
        assert isinstance(seen_through(lambda p: Pixels(p, 16), pixels), kind)
    monkeypatch.setenv(blocks.SHARE, "1")
    assert isinstance(seen_through(lambda p: Pixels(p, 16), pixels), Pixels)
    monkeypatch.setenv(blocks.SHARE, "0")  # what is in memory stays there
    assert isinstance(seen_through(lambda p: Pixels(p, 16), np.array(pixels)), Pixels)


def test_on_a_gpu_it_is_gathered_where_half_of_its_memory_is_too_small(stored, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2 * stored[0].nbytes, 10**12))
    cuda = torch.device("cuda")
    assert not blocks.fits(cuda, (stored[0],))
    assert blocks.fits(cuda, (stored[1],))


@pytest.mark.parametrize("typed", ["1.5", "-0.1", "nan", "half"])
def test_a_share_that_there_is_not_is_refused(monkeypatch, typed):
    monkeypatch.setenv(blocks.SHARE, typed)
    with pytest.raises(ValueError, match=rf"RIQA_IN_MEMORY is '{typed}'; expected 0 to 1"):
        blocks.share()


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    there = psutil.virtual_memory().total
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(blocks, "LIMITS", (limit, tmp_path / "nowhere"))
    for said, most in (("1000\n", 1000), ("max\n", there)):
        limit.write_text(said)
        assert 0 < blocks.available() <= most
        assert (blocks.available() == 1000) == (most == 1000)


# ---------------------------------------------------------------- memory
def sparse(file, rows, side=64):
    """A .npy of zeros that takes no room on the disk."""
    shape = (rows, side, side, 3)
    with open(file, "wb") as f:
        f.write(npy_header(shape, np.dtype(np.uint8)))
        f.truncate(f.tell() + int(np.prod(shape, dtype=np.int64)))
    return np.load(file, mmap_mode="r")


def test_a_pool_of_twice_the_machines_memory_is_learnt_from(tmp_path):
    rows = 2 * psutil.virtual_memory().total // (64 * 64 * 3)
    pool = sparse(tmp_path / "pool.npy", rows)
    source = seen_through(lambda pixels: Pixels(pixels, 48), pool)
    assert isinstance(source, Blocks)
    seen = source.view(torch.tensor([rows - 1, 0]), WEAK, 4, torch.Generator())
    assert seen.images.shape == (2, 3, 48, 48)
    # and where a whole map of it is asked for, as for a picture to look at
    assert on_device(pool, torch.device("cpu")).shape == pool.shape


def test_memory_does_not_grow_with_what_was_seen_of_a_pool(tmp_path):
    """Resident pages, after a look at every row of 48 MiB."""
    rows = 4096
    pool = Mapped(sparse(tmp_path / "pool.npy", rows))
    before = psutil.Process().memory_info().rss
    for k in range(0, rows, 256):
        assert not pool.gathered(torch.arange(k, k + 256)).any()
    assert psutil.Process().memory_info().rss - before < 12 * 2**20
