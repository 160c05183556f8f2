"""Near-duplicates: a picture saved, scaled and lit otherwise is found, another one is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from riqa_lib.pictures.near_duplicates import NEAR, bits_of, pairs, scenes
from riqa_lib.seeding import rng


def scene(seed: int, side: int = 240) -> Image.Image:
    """A picture of its own, with structure at all scales."""
    draw = rng("scene", seed)
    layers = [
        Image.fromarray(draw.integers(0, 256, (n, n, 3), np.uint8)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        for n in (4, 9, 20)
    ]
    mean = np.mean([np.asarray(one, float) for one in layers], axis=0)
    return Image.fromarray(mean.astype(np.uint8))


def saved(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


ALIKE = {
    "saved anew": lambda image: saved(image, 30),
    "half the size": lambda image: image.resize((120, 120)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("how", ALIKE)
def test_the_same_picture_made_otherwise_is_near(how):
    for seed in range(5):
        image = scene(seed)
        bits = np.array([bits_of(image), bits_of(scene(seed + 100)), bits_of(ALIKE[how](image))])
        found = pairs(bits)
        assert found[["one", "other"]].to_numpy().tolist() == [[0, 2]], seed


def slow_pairs(bits: np.ndarray, asked: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """Bit by bit."""
    words = [sum(int(word) << (64 * k) for k, word in enumerate(row)) for row in bits]
    found = []
    for i in range(len(bits)):
        for j in range(i + 1, len(bits)):
            distance = bin(words[i] ^ words[j]).count("1")
            if distance <= most and (asked[i] or asked[j]):
                found.append((i, j, distance))
    return found


@pytest.mark.parametrize("share", [1.0, 0.4, 0.0])
def test_pairs_bit_by_bit(share):
    draw = np.random.default_rng(3)
    bits = draw.integers(0, 2**63, (150, 4), np.uint64)
    bits[75:] = bits[:75] ^ (np.uint64(1) << draw.integers(0, 63, (75, 4)).astype(np.uint64))
    asked = draw.random(150) < share
    expected = slow_pairs(bits, asked, 116)
    assert [tuple(row) for row in pairs(bits, asked, 116).to_numpy().tolist()] == expected
    if share == 1:
        assert len(expected) > 75
        assert pairs(bits, None, 116).equals(pairs(bits, asked, 116))


def test_pictures_without_detail_are_not_compared():
    assert bits_of(Image.new("RGB", (500, 300), (7, 7, 7))) is None
    assert bits_of(Image.new("RGB", (1, 1))) is None
    assert bits_of(scene(0)).shape == (4,)


def test_scenes_are_what_pairs_connect():
    chain = [scene(k) for k in (0, 1, 0, 2)]
    bits = np.array([bits_of(one) for one in chain])
    number = scenes(pairs(bits, most=NEAR), len(bits))
    assert number[0] == number[2]
    assert len({*number.tolist()}) == 3
