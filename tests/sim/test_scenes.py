"""Scenes: deterministic, all different, with the spectrum, brightness and colours of
photographs."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import real_data
from PIL import Image

from riqa_lib.sim.scenes import _SPECTRA, FIELD, _Canvas, _Things, scene


@pytest.fixture(scope="module")
def scenes() -> np.ndarray:
    return np.stack([scene(("test", i)) for i in range(30)])


def slope(image: np.ndarray) -> float:
    """Slope of log power over log spatial frequency, 2 to 0.4 n cycles a picture, Hann window."""
    grey = image.mean(axis=2)
    n = len(grey)
    window = np.outer(np.hanning(n), np.hanning(n))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)) * n
    rings = np.arange(2, int(0.4 * n))
    mean = [power[(f >= r - 0.5) & (f < r + 0.5)].mean() for r in rings]
    return float(np.polyfit(np.log(rings), np.log(mean), 1)[0])


def test_slope_knows_a_known_spectrum():
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    f[0, 0] = np.inf
    for exponent in (1.5, 3.0):  # of the power
        made = np.fft.ifft2(
            np.fft.fft2(rng.standard_normal((256, 256))) * f ** (-exponent / 2)
        ).real
        assert slope(made[:80, :80, None]) == pytest.approx(-exponent, abs=0.35)


def test_power_spectrum_falls_as_in_photographs(scenes):
    slopes = [
        slope(s) for s in scenes
    ]  # 200 photographs of BIQ2021: -2.55, 90 % from -3.65 to -1.76
    assert -2.8 < np.mean(slopes) < -2.0
    assert np.quantile(slopes, 0.05) > -3.8
    assert np.quantile(slopes, 0.95) < -1.4


def test_radii_have_density_r_to_the_minus_3():
    rng = np.random.default_rng(0)
    canvas = _Canvas(
        np.empty((32, 32, 3)),
        np.zeros((4, FIELD, FIELD)),
        np.ones((5, 3)),
        (1.0, 0.0),
        np.arange(32),
    )
    r = _Things.draw(rng, canvas, 50_000, 0.02, 0.32).r
    assert r.min() >= 0.02
    assert r.max() <= 0.32
    for a in (0.03, 0.06, 0.15):  # P(r > a) = (a^-2 - max^-2) / (min^-2 - max^-2)
        assert (r > a).mean() == pytest.approx((a**-2 - 0.32**-2) / (0.02**-2 - 0.32**-2), rel=0.06)


def test_textures_fall_as_one_over_f():
    noise = np.random.default_rng(0).standard_normal((4, FIELD, FIELD))
    made = np.fft.irfft2(np.fft.rfft2(noise) * _SPECTRA)
    for texture, exponent in zip(made, (2.2, 1.6, 1.0, 0.7), strict=True):  # of the amplitude
        assert slope(texture[..., None]) == pytest.approx(-2 * exponent, abs=0.35)


def test_things_make_the_spectrum(monkeypatch):
    monkeypatch.setattr("riqa_lib.sim.scenes._paint", lambda *a, **k: None)
    empty = [slope(scene(("test", i))) for i in range(12)]
    monkeypatch.undo()
    assert np.mean(empty) < np.mean([slope(scene(("test", i))) for i in range(12)]) - 0.2


def test_range_type_and_little_clipping(scenes):
    assert scenes.dtype == np.float32
    assert scenes.shape == (30, 80, 80, 3)
    assert scenes.min() >= 0
    assert scenes.max() <= 1
    assert ((scenes < 0.01) | (scenes > 0.99)).mean() < 0.02
    assert 0.3 < scenes.mean() < 0.6
    contrast = scenes.mean(axis=3).std(axis=(1, 2))
    assert contrast.min() > 0.04
    assert 0.12 < contrast.mean() < 0.25
    chroma = (scenes - scenes.mean(axis=3, keepdims=True)).std(axis=(1, 2, 3))
    assert 0.03 < chroma.mean() < 0.16


def test_key_decides(scenes):
    assert np.array_equal(scene(("test", 3)), scenes[3])
    flat = scenes.reshape(30, -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    alike = np.corrcoef(flat) - np.eye(30)
    assert np.abs(alike).max() < 0.95
    assert np.abs(alike).mean() < 0.35


def test_same_content_at_every_size():
    for key in range(4):
        small, large = scene(key, 64), scene(key, 256)
        shrunk = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
        assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.9


def test_any_size_and_bad_sizes():
    assert scene("odd", 33).shape == (33, 33, 3)
    assert scene("large", 512).shape == (512, 512, 3)
    for size in (8, 5000):
        with pytest.raises(ValueError, match="expected 16 to 1024"):
            scene("x", size)


@pytest.mark.real
def test_beside_real_photographs(scenes):
    files = sorted(real_data("biq2021", "images").glob("*.jpg"))[::150]
    assert files
    slopes = []
    for file in files:
        with Image.open(file) as f:
            photo = f.convert("RGB").resize((80, 80), Image.Resampling.LANCZOS)
        pixels = np.asarray(photo, dtype=np.float32) / 255
        if pixels.std() > 0.02:
            slopes.append(slope(pixels))
    assert np.mean([slope(s) for s in scenes]) == pytest.approx(np.mean(slopes), abs=0.35)
