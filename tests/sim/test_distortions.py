"""Each of the 25 distortions against its formula, written a second time: slowly, or in closed
form."""

from __future__ import annotations

import colorsys
import io
import itertools
import math
import warnings

import numpy as np
import pytest
from PIL import Image
from scipy.interpolate import RectBivariateSpline, make_interp_spline
from skimage.color import lab2rgb, rgb2lab
from skimage.filters import threshold_multiotsu

from riqa_lib.sim import blurs, colours, displacements, quantisation
from riqa_lib.sim.distortions import LEVELS, MONOTONE, TYPES, distort


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """A 1/f background and ten flat or textured discs and boxes; float32 in [0,1]."""
    r = rng(seed)
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    f[0, 0] = 1
    t = np.stack(
        [np.fft.ifft2(np.fft.fft2(r.standard_normal((height, width))) / f).real for _ in range(3)],
        axis=-1,
    )
    x = 0.5 + 0.12 * t / t.std()
    yy, xx = np.mgrid[:height, :width]
    for _ in range(10):
        cy, cx, radius = (
            *(r.random(2) * (height, width)),
            r.uniform(0.05, 0.25) * min(height, width),
        )
        box = np.maximum(abs(yy - cy), abs(xx - cx)) < radius
        inside = box if r.random() < 0.5 else np.hypot(yy - cy, xx - cx) < radius
        x[inside] = r.random(3) + 0.3 * (x[inside] - 0.5)
    return np.clip(x, 0, 1).astype(np.float32)


def muted(seed: int) -> np.ndarray:
    """A scene of weak colours and contrast: nothing leaves the gamut when a little is added."""
    x = scene(seed, 32, 40)
    grey = x.mean(axis=2, keepdims=True)
    return (0.5 + 0.15 * (grey - 0.5) + 0.05 * (x - grey)).astype(np.float32)


def even(value: float, side: int = 160) -> np.ndarray:
    return np.full((side, side, 3), value, dtype=np.float32)


def ramp() -> np.ndarray:
    """(16, 101, 3), values 0, 0.01 .. 1 from left to right."""
    return np.broadcast_to(np.linspace(0, 1, 101)[None, :, None], (16, 101, 3)).astype(np.float32)


def impulse(side: int = 63) -> np.ndarray:
    x = np.zeros((side, side, 3), dtype=np.float32)
    x[side // 2, side // 2] = 1
    return x


def centred(kernel: np.ndarray, side: int = 63) -> np.ndarray:
    return np.pad(kernel, side // 2 - kernel.shape[0] // 2)


def slow_blur(x: np.ndarray, sigma: float) -> np.ndarray:
    """2-D Gaussian of fspecial's size 2 ceil(2 sigma) + 1, borders replicated, tap by tap."""
    n = math.ceil(2 * sigma)
    taps = {
        (i, j): math.exp(-(i * i + j * j) / (2 * sigma**2))
        for i in range(-n, n + 1)
        for j in range(-n, n + 1)
    }
    rows, columns = np.arange(x.shape[0]), np.arange(x.shape[1])
    y = np.zeros(x.shape)
    for (i, j), weight in taps.items():
        at = np.ix_(np.clip(rows + i, 0, len(rows) - 1), np.clip(columns + j, 0, len(columns) - 1))
        y += weight * x[at]
    return y / sum(taps.values())


# What holds for all


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("level", "stretch"), [(1, True), (2, False), (3, False), (4, False), (5, False), (5, True)]
)
def test_shape_range_determinism_and_the_input_is_left_alone(kind, level, stretch):
    data = np.round(scene(3, 24, 41) * 255).astype(np.uint8)
    image = data.astype(np.float64) / 255
    before = image.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = distort(image, kind, level, rng(1), stretch=stretch, scale=0.5)
    assert y.shape == (24, 41, 3)
    assert y.dtype == np.float32
    assert 0 <= y.min() <= y.max() <= 1
    assert np.array_equal(image, before)
    assert not np.shares_memory(y, image)
    assert np.array_equal(y, distort(image, kind, level, rng(1), stretch=stretch, scale=0.5))
    assert np.array_equal(y, distort(data, kind, level, rng(1), stretch=stretch, scale=0.5))


@pytest.mark.parametrize("kind", TYPES)
def test_smallest_even_and_read_only_pictures(kind):
    for picture in (
        np.zeros((16, 16, 3), np.uint8),
        np.full((16, 19, 3), 255, np.uint8),
        scene(2, 16, 16),
    ):
        picture.flags.writeable = False
        for level in (1, 5):
            for scale in (0.1, 2.0):
                y = distort(picture, kind, level, rng(), scale=scale, stretch=True)
                assert y.shape == picture.shape
                assert np.isfinite(y).all()
                assert y.flags.writeable


def test_random_kinds_follow_the_generator_and_the_others_do_not_use_it():
    x = scene(5)
    for kind in TYPES:
        same = np.array_equal(distort(x, kind, 4, rng(1)), distort(x, kind, 4, rng(2)))
        assert same == (kind not in {3, 5, 11, 12, 13, 14, 15, 19, 20, 23}), TYPES[kind]


def test_wrong_input_says_what_is_allowed():
    x = scene(0)
    with pytest.raises(
        ValueError, match=r"unknown distortion 26.*1 Gaussian blur.*25 contrast change"
    ):
        distort(x, 26, 1, rng())
    for level in (0, 6, 2.5):
        with pytest.raises(
            ValueError, match=r"distortion 3 \(motion blur\); allowed: 1, 2, 3, 4, 5"
        ):
            distort(x, 3, level, rng())
    with pytest.raises(ValueError, match="above 0"):
        distort(x, 1, 1, rng(), scale=0)
    for bad in (x[..., 0], x[:15], np.dstack([x, x[..., :1]])):
        with pytest.raises(ValueError, match=r"expected \(H, W, 3\)"):
            distort(bad, 1, 1, rng())
    for bad in (x * 255, x - 0.5, np.where(x > 0.9, np.nan, x)):
        with pytest.raises(ValueError, match=r"float in \[0,1\]"):
            distort(bad, 1, 1, rng())
    with pytest.raises(ValueError, match="int64"):
        distort((x * 255).astype(np.int64), 1, 1, rng())


@pytest.fixture(scope="module")
def fifty() -> list[np.ndarray]:
    return [scene(seed, 40, 40) for seed in range(50)]


@pytest.mark.parametrize("kind", sorted(MONOTONE))
def test_mean_damage_rises_with_the_level_on_fifty_scenes(fifty, kind):
    scale = (
        0.25 if kind in {20, 23} else 1.0
    )  # 16 and 32 px patches would cover 40 px at the first levels
    damage = [
        np.mean(
            [
                ((distort(x, kind, level, rng(i), scale=scale) - x) ** 2).mean()
                for i, x in enumerate(fifty)
            ]
        )
        for level in range(1, 6)
    ]
    assert np.all(np.diff(damage) > 0), f"{TYPES[kind]}: {damage}"


def test_the_kinds_left_out_of_monotone_are_those_of_the_spec():
    assert set(TYPES) == set(LEVELS) == set(range(1, 26))
    assert set(TYPES) - MONOTONE == {7, 18, 25}


def test_levels_are_those_of_the_authors_code():
    assert list(LEVELS.values()) == [
        (0.1, 0.5, 1, 2, 5),
        (1, 2, 4, 6, 8),
        (1, 2, 4, 6, 10),
        (1, 3, 6, 8, 12),
        (1, 3, 6, 8, 12),
        (64, 48, 32, 16, 8),
        (0.4, 0.2, 0.1, 0, -0.4),
        (1, 2, 3, 6, 9),
        (16, 32, 45, 120, 400),
        (43, 36, 24, 7, 4),
        (0.001, 0.002, 0.003, 0.005, 0.01),
        (0.0001, 0.0005, 0.001, 0.002, 0.003),
        (0.001, 0.005, 0.01, 0.02, 0.03),
        (0.001, 0.005, 0.01, 0.02, 0.05),
        (0.01, 0.03, 0.05, 0.1, 0.15),
        (0.1, 0.2, 0.4, 0.7, 1.1),
        (0.05, 0.1, 0.2, 0.4, 0.8),
        (0.15, 0.08, 0, -0.08, -0.15),
        (0.05, 0.1, 0.2, 0.5, 1),
        (20, 40, 60, 80, 100),
        (0.01, 0.05, 0.1, 0.2, 0.5),
        (20, 16, 13, 10, 7),
        (2, 4, 6, 8, 10),
        (1, 2, 3, 6, 12),
        (0.3, 0.15, 0, -0.4, -0.6),
    ]


def test_stretch_is_min_max_before_and_after_and_off_by_default():
    x = 0.2 + 0.5 * scene(1).astype(np.float64)
    full = (x - x.min()) / (x.max() - x.min())
    shifted = np.clip(full + 0.15, 0, 1)
    expected = (shifted - shifted.min()) / (1 - shifted.min())
    assert np.allclose(distort(x, 18, 1, rng(), stretch=True), expected, atol=1e-6)
    assert np.allclose(distort(x, 18, 1, rng()), np.clip(x + 0.15, 0, 1), atol=1e-6)


def test_scale_multiplies_the_lengths():
    x = scene(4)
    for kind, level, scale, same_as in ((1, 2, 2, 3), (2, 1, 2, 2), (19, 1, 2, 2)):
        assert np.allclose(
            distort(x, kind, level, rng(), scale=scale), distort(x, kind, same_as, rng()), atol=1e-6
        )
    assert np.allclose(distort(x, 24, 2, rng(), scale=0.5), blurs.sharpen(x, 2, 1.5))
    assert np.allclose(distort(x, 4, 2, rng(), scale=0.5), colours.colour_diffusion(x, 3, 0.5))
    assert not np.allclose(
        colours.colour_diffusion(x, 3, 0.5), colours.colour_diffusion(x, 3), atol=0.01
    )
    moved = [np.abs(distort(x, 5, 2, rng(), scale=s) - x).mean() for s in (0.1, 1, 3)]
    assert moved[0] == 0 < moved[1] < moved[2]
    path = 9 * 0.5  # of a length of 10, 9 px are motion
    assert np.allclose(
        distort(x, 3, 5, rng(), scale=0.5), blurs.motion_blur(x, path, rng()), atol=1e-6
    )


# Blurs


@pytest.mark.parametrize("level", [2, 3, 4, 5])
def test_gaussian_blur(level):
    sigma = LEVELS[1][level - 1]
    x = scene(1, 30, 40)
    assert np.allclose(distort(x, 1, level, rng()), slow_blur(x, sigma), atol=2e-6)
    assert (
        np.count_nonzero(distort(impulse(), 1, level, rng())[..., 0])
        == (2 * math.ceil(2 * sigma) + 1) ** 2
    )


@pytest.mark.parametrize("radius", [0.3, 0.5, 1, 1.28, 2, 4, 6, 8])
def test_disc_kernel_is_the_area_covered(radius):
    kernel, fine = blurs.disc_kernel(radius), 100
    n = kernel.shape[0] // 2
    at = (np.arange(fine * (2 * n + 1)) + 0.5) / fine - n - 0.5
    covered = np.hypot(at[:, None], at[None, :]) <= radius
    area = covered.reshape(2 * n + 1, fine, 2 * n + 1, fine).mean(axis=(1, 3))
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() >= -1e-15
    assert np.allclose(kernel * math.pi * radius**2, area, atol=2e-3)
    if radius in LEVELS[2]:
        y = distort(impulse(), 2, LEVELS[2].index(radius) + 1, rng())
        assert np.allclose(y[..., 1], centred(kernel), atol=1e-6)


def test_lens_blur_replicates_the_border():
    x, kernel = scene(2, 20, 24), blurs.disc_kernel(4)
    y = np.zeros(x.shape)
    for i, j in itertools.product(range(-4, 5), repeat=2):
        y += (
            kernel[i + 4, j + 4]
            * x[np.ix_(np.clip(np.arange(20) + i, 0, 19), np.clip(np.arange(24) + j, 0, 23))]
        )
    assert np.allclose(distort(x, 2, 3, rng()), y, atol=1e-6)


@pytest.mark.parametrize("path", [0, 0.5, 1, 3, 5, 9])
@pytest.mark.parametrize("angle", [0, 0.4, math.pi / 2, 2.5])
def test_line_kernel_falls_with_the_distance_from_the_line(path, angle):
    kernel = blurs.line_kernel(path, angle)
    n = kernel.shape[0] // 2
    points = [
        (-t * math.sin(angle), t * math.cos(angle)) for t in np.linspace(-path / 2, path / 2, 2001)
    ]  # y up
    slow = np.zeros((2 * n + 3, 2 * n + 3))  # one px more than the kernel: nothing may be cut off
    for i, j in itertools.product(range(-n - 1, n + 2), repeat=2):
        slow[i + n + 1, j + n + 1] = max(0, 1 - min(math.hypot(i - y, j - x) for y, x in points))
    assert np.allclose(slow / slow.sum(), np.pad(kernel, 1), atol=1e-4)


def test_motion_blur():
    assert np.array_equal(distort(scene(1), 3, 1, rng()), scene(1))  # length 1
    level = blurs.line_kernel(9, 0)
    assert np.allclose(level[level.shape[0] // 2], [0.05] + [0.1] * 9 + [0.05])
    for seed in range(3):
        angle = rng(seed).uniform(0, math.pi)
        y = distort(impulse(), 3, 5, rng(seed))
        assert np.allclose(y[..., 2], centred(blurs.line_kernel(9, angle)), atol=1e-6)


# Colour


def test_colour_diffusion_blurs_and_scales_chroma_and_keeps_lightness():
    x = muted(1)
    lab, k = rgb2lab(x.astype(np.float64)), 3
    chroma = k * slow_blur(lab[..., 1:], 1.5 * k + 2)
    expected = lab2rgb(np.dstack([lab[..., 0], chroma]))
    y = distort(x, 4, 2, rng())
    assert np.allclose(y, expected, atol=1e-4)
    assert np.allclose(rgb2lab(y)[..., 0], lab[..., 0], atol=0.02)


@pytest.mark.parametrize(("level", "scale"), [(1, 1), (3, 0.5), (5, 1)])
def test_colour_shift(level, scale):
    x = scene(7, 40, 56).astype(np.float64)
    x[:, 24:] = x[:, :1]  # a part without edges, where the floor of 0.1 counts
    amount, u = scale * LEVELS[5][level - 1], rng(3).random(2)
    u /= math.sqrt(u[0] ** 2 + u[1] ** 2)
    down, right = round(amount * u[0]), round(amount * u[1])
    assert (down, right) != (0, 0)
    grey = 0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]
    edge = np.zeros_like(grey)
    for i, j in np.ndindex(grey.shape):
        i0, i1, j0, j1 = max(i - 1, 0), min(i + 1, 39), max(j - 1, 0), min(j + 1, 55)
        edge[i, j] = math.hypot(
            (grey[i1, j] - grey[i0, j]) / (i1 - i0), (grey[i, j1] - grey[i, j0]) / (j1 - j0)
        )
    edge = slow_blur(edge, 4 * scale)
    edge = np.clip((edge - edge.min()) / (edge.max() - edge.min()), 0.1, 1)
    low, high = np.percentile(edge, 1), np.percentile(edge, 99)
    edge = np.clip((edge - low) / (high - low), 0, 1)
    expected = x.copy()
    for i, j in np.ndindex(grey.shape):
        moved = x[max(i - down, 0), max(j - right, 0), 1]
        expected[i, j, 1] = edge[i, j] * moved + (1 - edge[i, j]) * x[i, j, 1]
    assert np.allclose(distort(x, 5, level, rng(3), scale=scale), expected, atol=1e-5)


@pytest.mark.parametrize("level", [1, 5])
def test_colour_quantisation_has_n_colours_of_low_variance_and_dithers(level):
    x, n = scene(2), LEVELS[6][level - 1]
    y = distort(x, 6, level, rng())
    palette = np.unique(y.reshape(-1, 3), axis=0)
    assert n / 2 < len(palette) <= n
    nearest = palette[((x.reshape(-1, 1, 3) - palette) ** 2).sum(axis=2).argmin(axis=1)].reshape(
        x.shape
    )
    side = {64: 4, 8: 2}[n]
    cube = np.round(x * (side - 1)) / (side - 1)  # the same number of colours, evenly spread
    assert ((nearest - x) ** 2).mean() < 0.5 * ((cube - x) ** 2).mean()

    def blocks(z: np.ndarray) -> np.ndarray:
        return z.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))

    assert ((blocks(y) - blocks(x)) ** 2).mean() < 0.7 * ((blocks(nearest) - blocks(x)) ** 2).mean()


@pytest.mark.parametrize("level", range(1, 6))
def test_saturation_in_hsv(level):
    x, factor = scene(3, 16, 20), LEVELS[7][level - 1]
    y = distort(x, 7, level, rng())
    for i, j in np.ndindex(16, 20):
        h, s, v = colorsys.rgb_to_hsv(*map(float, x[i, j]))
        assert np.allclose(y[i, j], np.clip(colorsys.hsv_to_rgb(h, factor * s, v), 0, 1), atol=1e-5)


def test_saturation_in_lab():
    x = muted(2)
    lab, out = rgb2lab(x), rgb2lab(distort(x, 8, 2, rng()))
    assert np.allclose(out, lab * [1, 2, 2], atol=0.02)
    assert np.allclose(distort(scene(2), 8, 1, rng()), scene(2), atol=1e-4)  # factor 1


def test_lab_out_of_gamut_is_clipped_as_in_the_library():
    x = scene(9)
    lab = rgb2lab(x) * [1, 9, 9]
    with pytest.warns(UserWarning, match="negative Z"):
        expected = lab2rgb(lab)
    assert np.allclose(distort(x, 8, 5, rng()), expected, atol=1e-3)


# Codecs


@pytest.mark.parametrize("level", range(1, 6))
def test_jpeg_is_the_library_s_with_rounded_bytes(level):
    data = np.round(scene(4, 33, 50) * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, "JPEG", quality=LEVELS[10][level - 1])
    expected = np.asarray(Image.open(stream)) / 255
    for off in (
        -0.4,
        0,
        0.4,
    ):  # parts of a byte: cut off instead of rounded, they would change the picture
        x = np.clip((data + off) / 255, 0, 1)
        assert np.allclose(distort(x, 10, level, rng()), expected, atol=1e-6)


@pytest.mark.parametrize("side", [40, 200])
@pytest.mark.parametrize("level", range(1, 6))
def test_jpeg2000_spends_the_ratio_on_data(level, side):
    data = np.round(scene(5, side, side + 8) * 255).astype(np.uint8)
    budget, header = data.size / LEVELS[9][level - 1], 145
    stream = io.BytesIO()
    Image.fromarray(data).save(
        stream,
        "JPEG2000",
        quality_mode="rates",
        quality_layers=[data.size / (budget + header)],
        irreversible=True,
        num_resolutions={40: 5, 200: 6}[side],
        no_jp2=True,
    )
    assert stream.tell() == pytest.approx(budget + header, rel=0.1, abs=25)
    expected = np.asarray(Image.open(stream)) / 255
    assert np.allclose(distort(data, 9, level, rng()), expected, atol=1e-6)


# Noise


@pytest.mark.parametrize("level", range(1, 6))
def test_white_noise(level):
    noise = (distort(even(0.5), 11, level, rng(1)) - 0.5).reshape(-1, 3).astype(np.float64)
    assert np.allclose(noise.mean(axis=0), 0, atol=2e-3)
    assert np.allclose(np.cov(noise.T) / LEVELS[11][level - 1], np.eye(3), atol=0.05)
    kurtosis = (noise**4).mean() / (noise**2).mean() ** 2
    assert kurtosis == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("level", range(1, 6))
def test_noise_in_ycbcr(level):
    noise = (distort(even(0.5), 12, level, rng(2)) - 0.5).reshape(-1, 3).astype(np.float64)
    back = np.array(
        [[1.16438, 0, 1.59603], [1.16438, -0.39176, -0.81297], [1.16438, 2.01723, 0]]
    )  # BT.601
    assert np.allclose(np.cov(noise.T) / LEVELS[12][level - 1], back @ back.T, atol=0.2)
    assert np.abs(noise.mean(axis=0)).max() < 3e-3


@pytest.mark.parametrize("level", range(1, 6))
def test_impulse_noise_hits_elements_not_pixels(level):
    density = LEVELS[13][level - 1]
    y = distort(even(0.5, 300), 13, level, rng(3))
    n, hit = y.size, y != 0.5
    spread = 4 * math.sqrt(n * density / 2)
    assert abs((y == 0).sum() - n * density / 2) < spread
    assert abs((y == 1).sum() - n * density / 2) < spread
    assert ((y == 0) | (y == 1) | (y == 0.5)).all()
    assert hit.all(axis=2).sum() <= 10  # 90,000 density^3 < 3 pixels are expected to lose all three


@pytest.mark.parametrize("level", range(1, 6))
def test_multiplicative_noise_is_uniform_and_proportional(level):
    variance = LEVELS[14][level - 1]
    for value in (0.2, 0.6):
        n = distort(even(value), 14, level, rng(4)).astype(np.float64) / value - 1
        assert n.var() == pytest.approx(variance, rel=0.03)
        assert abs(n.mean()) < 3e-3
        assert np.abs(n).max() == pytest.approx(
            math.sqrt(3 * variance), rel=1e-2
        )  # a Gaussian would pass it
    assert distort(even(0), 14, level, rng(4)).max() == 0


@pytest.mark.parametrize("level", [1, 3, 5])
def test_denoise_removes_its_own_noise_channel_by_channel(level):
    x = even(0.5, 48)
    x[:, :24, 0], x[:, 24:, 0] = 0.2, 0.8
    y = distort(x, 15, level, rng(5))
    noisy = np.clip(
        x + math.sqrt(LEVELS[15][level - 1]) * rng(5).standard_normal(x.shape, dtype=np.float32),
        0,
        1,
    )
    left = ((y[..., 1:] - noisy[..., 1:].mean()) ** 2).mean()
    assert left < 0.025 * ((noisy - x)[..., 1:] ** 2).mean()
    if level == 1:
        assert y[:, 26:, 0].mean() - y[:, :22, 0].mean() > 0.5  # the edge stays
    x[..., 0] = 0.9
    assert np.array_equal(y[..., 1:], distort(x, 15, level, rng(5))[..., 1:])


# Curves


@pytest.mark.parametrize("level", range(1, 6))
def test_darken_and_brighten_curves(level):
    x = ramp()
    a = LEVELS[17][level - 1]
    parabola = np.polyfit([0, 0.5, 1], [0, 0.5 - a / 2, 1], 2)
    assert np.allclose(
        distort(x, 17, level, rng()), np.clip(np.polyval(parabola, x), 0, 1), atol=1e-5
    )
    a = LEVELS[16][level - 1]
    parabola = np.polyfit([0, 0.5, 1], [0, 0.5 + a / 2, 1], 2)
    for value, y in zip(
        x[0, :, 0].astype(float), distort(x, 16, level, rng())[0, :, 0], strict=True
    ):  # greys: a=b=0
        linear = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        lightness = (
            116 * linear ** (1 / 3) - 16 if linear > (6 / 29) ** 3 else linear * (29 / 3) ** 3
        )
        lightness = 100 * min(max(np.polyval(parabola, lightness / 100), 0), 1)
        linear = ((lightness + 16) / 116) ** 3 if lightness > 8 else lightness / (29 / 3) ** 3
        lab = 1.055 * linear ** (1 / 2.4) - 0.055 if linear > 0.0031308 else 12.92 * linear
        assert y == pytest.approx((2 * min(np.polyval(parabola, value), 1) + lab) / 3, abs=2e-4)


def test_brighten_in_colour_keeps_the_chroma_of_the_lab_part():
    x, a = muted(3), LEVELS[16][0]
    lab = rgb2lab(x.astype(np.float64))
    lab[..., 0] = 100 * (lab[..., 0] / 100 + 2 * a * lab[..., 0] / 100 * (1 - lab[..., 0] / 100))
    expected = (2 * (x + 2 * a * x * (1 - x)) + lab2rgb(lab)) / 3
    assert np.allclose(distort(x, 16, 1, rng()), expected, atol=1e-4)


@pytest.mark.parametrize("level", range(1, 6))
def test_mean_shift(level):
    a = LEVELS[18][level - 1]
    assert np.allclose(distort(ramp(), 18, level, rng()), np.clip(ramp() + a, 0, 1), atol=1e-6)


@pytest.mark.parametrize("level", range(1, 6))
def test_contrast_spline_runs_through_its_knots(level):
    a = LEVELS[25][level - 1]
    knots, values = [0, 0.3, 0.5, 0.7, 1], [0, 0.25 - a / 4, 0.5, 0.75 + a / 4, 1]
    y = distort(ramp(), 25, level, rng())
    assert np.allclose(y[3, [0, 30, 50, 70, 100], 2], values, atol=1e-6)
    assert np.allclose(y, np.clip(make_interp_spline(knots, values, k=3)(ramp()), 0, 1), atol=1e-5)


# Places


@pytest.mark.parametrize("level", [1, 3, 5])
def test_jitter_is_five_cubic_warps(level):
    x, sd, r = scene(6, 64, 72), LEVELS[19][level - 1], rng(7)
    y = x.astype(np.float64)
    rows, columns = np.mgrid[:64, :72]
    for _ in range(5):
        dy, dx = sd * r.standard_normal((2, 64, 72))
        at = np.clip(rows + dy, 0, 63), np.clip(columns + dx, 0, 71)
        y = np.dstack(
            [
                RectBivariateSpline(np.arange(64), np.arange(72), y[..., c], s=0).ev(*at)
                for c in range(3)
            ]
        )
    inside = slice(24, -24), slice(24, -24)  # the two splines end differently at the border
    assert np.allclose(distort(x, 19, level, rng(7))[inside], np.clip(y, 0, 1)[inside], atol=1e-4)


def test_patches_are_copied_from_nearby():
    x = np.zeros((90, 120, 3), np.float32)
    x[..., 0], x[..., 1] = np.mgrid[:90, :120] / 128  # each pixel carries its own place
    place = np.mgrid[:90, :120]
    offsets = np.moveaxis(displacements.copy_patches(x, 1, rng(1))[..., :2] * 128, -1, 0) - place
    moved = np.any(offsets != 0, axis=0)
    assert moved.sum() == 16 * 16
    assert (
        np.ptp(np.flatnonzero(moved.any(axis=1))) == np.ptp(np.flatnonzero(moved.any(axis=0))) == 15
    )
    assert np.ptp(offsets[:, moved], axis=1).tolist() == [0, 0]
    offsets = np.moveaxis(distort(x, 20, 5, rng(2))[..., :2] * 128, -1, 0) - place
    assert {int(np.abs(part).max()) for part in offsets} == {8}
    small = (
        np.moveaxis(displacements.copy_patches(x, 1, rng(1), scale=0.25)[..., :2] * 128, -1, 0)
        - place
    )
    assert np.any(small != 0, axis=0).sum() == 4 * 4
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):  # every place can be hit
        assert any((distort(x, 20, 5, rng(seed)) != x)[edge].any() for seed in range(10))
    counts = [
        len(np.unique((distort(x, 20, n, rng(3)) - x).reshape(-1, 3), axis=0)) for n in (1, 5)
    ]
    assert 10 < counts[0] <= 21 < counts[1] <= 101


@pytest.mark.parametrize(
    ("level", "z"), [(1, 0.887), (2, 0.784), (3, 0.699), (4, 0.569), (5, 0.290)]
)
def test_pixelate(level, z):
    x = scene(8, 50, 70)
    h, w = math.ceil(z * 50), math.ceil(z * 70)
    y = distort(x, 21, level, rng())
    for i, j in np.ndindex(50, 70):
        up_i, up_j = math.floor((i + 0.5) * h / 50), math.floor((j + 0.5) * w / 70)
        down_i, down_j = math.floor((up_i + 0.5) * 50 / h), math.floor((up_j + 0.5) * 70 / w)
        assert np.array_equal(y[i, j], x[down_i, down_j])


def test_colour_blocks():
    x = np.zeros((70, 90, 3), np.float32)
    y = displacements.colour_blocks(x, 1, rng(1))
    inside = y.any(axis=2)
    assert inside.sum() == 32 * 32
    assert (
        np.ptp(np.flatnonzero(inside.any(axis=1)))
        == np.ptp(np.flatnonzero(inside.any(axis=0)))
        == 31
    )
    assert len(np.unique(y[inside], axis=0)) == 1
    assert displacements.colour_blocks(x, 1, rng(1), scale=0.25).any(axis=2).sum() == 8 * 8
    spread = np.zeros((250, 250, 3), np.float32)
    for level, n in enumerate(LEVELS[23], start=1):
        assert (
            n - 1
            <= len(np.unique(distort(spread, 23, level, rng(2)).reshape(-1, 3), axis=0)) - 1
            <= n
        )
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):  # every place can be hit
        assert any(displacements.colour_blocks(x, 10, rng(seed))[edge].any() for seed in range(60))


def test_sharpen_is_an_unsharp_mask_on_lightness():
    x = muted(4)
    for level in (1, 3):
        lab = rgb2lab(x.astype(np.float64))
        lab[..., 0] += LEVELS[24][level - 1] * (lab[..., 0] - slow_blur(lab[..., 0], 3))
        assert np.allclose(distort(x, 24, level, rng()), lab2rgb(lab), atol=3e-4)


# Multi-Otsu


def _within(counts: np.ndarray, cuts: tuple[int, ...]) -> float:
    """Sum of squares within the classes that end at the cuts (last level of each class but the
    last)."""
    ends, levels = [-1, *cuts, len(counts) - 1], np.arange(len(counts))
    total = 0.0
    for low, high in itertools.pairwise(ends):
        weight, level = counts[low + 1 : high + 1], levels[low + 1 : high + 1]
        total += (weight * (level - (weight * level).sum() / weight.sum()) ** 2).sum()
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_otsu_thresholds_against_all_splits(n):
    for seed in range(3):
        counts = rng(seed).integers(1, 50, size=13)
        best = min(itertools.combinations(range(12), n), key=lambda cuts: _within(counts, cuts))
        assert _within(counts, tuple(quantisation.otsu_thresholds(counts, n))) == pytest.approx(
            _within(counts, best), rel=1e-12
        )


def test_otsu_thresholds_against_scikit_image():
    data = np.round(muted(5) * 255).astype(np.uint8)
    counts = np.bincount(data.ravel(), minlength=256)
    span = slice(data.min(), data.max() + 1)  # the library's own histogram of bytes
    library = threshold_multiotsu(
        classes=4, hist=(counts[span].astype(float), np.arange(256)[span])
    )
    ours = quantisation.otsu_thresholds(counts, 3)
    assert np.array_equal(np.searchsorted(ours, data), np.searchsorted(library, data))


@pytest.mark.parametrize("level", range(1, 6))
def test_quantisation_values(level):
    x, n = scene(9, 32, 32), LEVELS[22][level - 1]
    data = np.round(x * 255).astype(int)
    t = quantisation.otsu_thresholds(np.bincount(data.ravel(), minlength=256), n)
    assert len(t) == n
    assert np.all(np.diff(t) > 0)
    values = [0, *(t[1:] / 255), 1]
    y = distort(x, 22, level, rng())
    for value, out in zip(data.ravel(), y.ravel(), strict=True):
        assert out == pytest.approx(
            values[sum(int(value > threshold) for threshold in t)], abs=1e-6
        )


def test_quantisation_of_few_levels():
    assert np.array_equal(distort(even(0.5, 16), 22, 1, rng()), even(0.5, 16))
    x = even(0.2, 16)
    x[:8], x[0] = 0.6, 1.0  # 51, 153, 255: three levels, two thresholds
    assert quantisation.otsu_thresholds(
        np.bincount(np.round(x * 255).astype(int).ravel()), 20
    ).tolist() == [51, 153]
    assert np.allclose(distort(x, 22, 1, rng())[[0, 4, 12], 0, 0], [1, 0.6, 0])
