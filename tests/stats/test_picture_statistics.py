"""Statistics of a picture: each against a slow loop or another library, and what it means."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, signal
from scipy import stats as scipy_stats
from skimage import data, filters, measure

from riqa_lib.seeding import rng
from riqa_lib.stats import picture_statistics
from riqa_lib.stats.picture_statistics import FIRST, STATISTICS, statistics


def named(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Each statistic (N,) of pictures (N, S, S, 3), by name."""
    return dict(zip(STATISTICS, statistics(pictures).T, strict=True))


def noisy(count: int = 4, size: int = 26) -> np.ndarray:
    """Pictures (count, size, size, 3) of noisy colours; one of every grey, a flat one."""
    g = rng("statistics", count, size)
    smooth = ndimage.gaussian_filter(g.normal(size=(count, size, size, 3)), (0, 3, 3, 0.5))
    smooth = 128 + 100 * smooth / np.abs(smooth).max(axis=(1, 2, 3), keepdims=True)
    out = np.clip(np.round(smooth + g.normal(0, 12, smooth.shape)), 0, 255).astype(np.uint8)
    out[0, :9, :9], out[0, :4, 12:] = 255, 0
    greys = (5 * np.arange(size**2) % 256).astype(np.uint8).reshape(1, size, size, 1)
    flat = np.full((1, size, size, 3), 7, np.uint8)
    return np.concatenate([out, greys.repeat(3, axis=3), flat])


# ---------------------------------------------------------------- the first seven, by slow loops
def average(v):
    return sum(v) / len(v)


def sd(v):
    return math.sqrt(average([(a - average(v)) ** 2 for a in v]))


def grey_of(picture: np.ndarray) -> list[list[float]]:
    """Rows of the mean of R, G, B in [0, 1]."""
    return [[float(sum(map(int, c))) / 765 for c in line] for line in picture]


def slow(picture: np.ndarray) -> list[float]:
    s, grey = len(picture), grey_of(picture)
    flat = [v for line in grey for v in line]
    mean = sum(flat) / s**2
    spread = [(max(map(int, c)) - min(map(int, c))) / 255 for c in picture.reshape(-1, 3)]
    dx = [(x, grey[y][x + 1] - grey[y][x]) for y in range(s) for x in range(s - 1)]
    dy = [(y, grey[y + 1][x] - grey[y][x]) for y in range(s - 1) for x in range(s)]
    mask = [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]
    laplace = [
        abs(sum(mask[j][i] * grey[y + j][x + i] for j in range(3) for i in range(3)))
        for y in range(s - 2)
        for x in range(s - 2)
    ]
    on = sum(average([abs(v) for at, v in d if at % 8 == 7]) for d in (dx, dy))
    off = sum(average([abs(v) for at, v in d if at % 8 != 7]) for d in (dx, dy))
    e = s // 8
    inner = [grey[y][x] for y in range(e, s - e) for x in range(e, s - e)]
    outer = [
        grey[y][x] for y in range(s) for x in range(s) if not (e <= y < s - e and e <= x < s - e)
    ]
    energy = average([v * v for _, v in dx]) + average([v * v for _, v in dy])
    noise = math.sqrt(math.pi / 2) / 6 * average(laplace)
    return [
        mean,
        sd(flat),
        average(spread),
        math.log(energy + 1e-8),
        math.log(noise + 1e-4),
        math.log((on + 1e-4) / (off + 1e-4)),
        sd(outer) - sd(inner),
    ]


def test_the_first_seven_are_their_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = rng("statistics").integers(0, 256, (5, 18, 18, 3), np.uint8)
    pictures[4] = 7  # flat: no logarithm of nothing
    monkeypatch.setattr(picture_statistics, "BLOCK", 2)
    found = statistics(pictures)
    assert found[:, :7] == pytest.approx(np.array([slow(p) for p in pictures]), abs=2e-5)
    assert STATISTICS[:7] == FIRST
    assert found.shape == (5, len(STATISTICS)) == (5, 23)


def test_the_noise_estimate_is_the_standard_deviation_of_white_noise() -> None:
    flat = np.full((1, 64, 64, 1), 128) + rng("noise").normal(0, 10, (1, 64, 64, 1))
    pixels = np.round(flat).astype(np.uint8).repeat(3, axis=3)
    assert np.exp(named(pixels)["noise"][0]) * 255 == pytest.approx(10, rel=0.05)


# ---------------------------------------------------------------- the rest, by other ways
def colourfulness(picture: np.ndarray) -> float:
    """Hasler and Suesstrunk 2003, sigma + .3 mu, pixel by pixel."""
    rg, yb = [], []
    for r, g, b in picture.reshape(-1, 3) / 255:
        rg.append(r - g)
        yb.append((r + g) / 2 - b)
    return math.hypot(sd(rg), sd(yb)) + 0.3 * math.hypot(average(rg), average(yb))


def light(picture: np.ndarray) -> dict[str, float]:
    flat = sorted(v for line in grey_of(picture) for v in line)
    counts = np.histogram(np.float32(flat), bins=np.arange(65) / 64)[0]

    def percentile(q: float) -> float:
        place = q / 100 * (len(flat) - 1)
        low = int(place)
        above = flat[min(low + 1, len(flat) - 1)]
        return flat[low] + (place - low) * (above - flat[low])

    return {
        "colourfulness": colourfulness(picture),
        "dark": average([float(v < 0.05) for v in flat]),
        "bright": average([float(v > 0.95) for v in flat]),
        "range": percentile(95) - percentile(5),
        "entropy": float(scipy_stats.entropy(counts, base=2)),
    }


def sharpness(picture: np.ndarray) -> dict[str, float]:
    grey = np.array(grey_of(picture))
    s = len(grey)
    size = [
        math.hypot(grey[y, x + 1] - grey[y, x], grey[y + 1, x] - grey[y, x])
        for y in range(s - 1)
        for x in range(s - 1)
    ]
    five = signal.convolve2d(grey, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="valid")
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    red_blue = (picture[..., 0].astype(float) - picture[..., 2]) / 255
    across, down = np.diff(grey, axis=1), np.diff(grey, axis=0)
    xy = (across[:-1] * down[:, :-1]).mean()
    tensor = np.array([[(across**2).mean(), xy], [xy, (down**2).mean()]])
    small, large = np.linalg.eigvalsh(tensor)
    return {
        "edges": math.log(np.percentile(size, 95) + 1e-4),
        "laplacian": math.log(five.var() + 1e-8),
        "direction": (large - small) / (large + small + 1e-8),
        "chroma_noise": math.log(
            np.abs(signal.convolve2d(red_blue, mask, mode="valid")).mean() + 1e-4
        ),
    }


def of_blocks(picture: np.ndarray) -> dict[str, float]:
    grey = np.array(grey_of(picture))
    sharp, spread = [], []
    for top in range(0, len(grey) - 7, 8):
        for left in range(0, len(grey) - 7, 8):
            block = grey[top : top + 8, left : left + 8]
            spread.append(math.log(sd(block.ravel().tolist()) + 1e-4))
            sharp.append(
                average(
                    [
                        math.hypot(
                            block[y, x + 1] - block[y, x],
                            block[y + 1, x] - block[y, x],
                        )
                        for y in range(7)
                        for x in range(7)
                    ]
                )
            )
    return {
        "sharpest": math.log(max(sharp) + 1e-4),
        "flattest": float(np.percentile(spread, 10)),
        "uneven": sd(spread),
    }


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    """By scikit-image; beyond the border the picture is mirrored."""
    return filters.gaussian(grey, sigma, mode="reflect", truncate=3.0)


def bands(picture: np.ndarray) -> dict[str, float]:
    grey = np.array(grey_of(picture))
    a, b, c = (blurred(grey, s) for s in (0.7, 1.4, 2.8))
    first, second, third = (np.mean(d**2) for d in (grey - a, a - b, b - c))
    return {
        "fine": math.log((first + 1e-8) / (second + 1e-8)),
        "middle": math.log((second + 1e-8) / (third + 1e-8)),
    }


def mscn(picture: np.ndarray) -> dict[str, float]:
    grey = np.array(grey_of(picture))
    mean = blurred(grey, 7 / 6)
    deviation = np.sqrt(np.maximum(blurred(grey**2, 7 / 6) - mean**2, 0))
    m = ((grey - mean) / (deviation + 1 / 255)).ravel()
    kurtosis = np.mean(m**4) / max(np.mean(m**2) ** 2, 1e-8)
    return {
        "mscn": math.log(np.abs(m).mean() + 1e-4),
        "mscn_tail": math.log(kurtosis + 1e-4),
    }


@pytest.mark.parametrize("formulas", [light, sharpness, of_blocks, bands, mscn])
def test_the_others_are_their_formulas(formulas) -> None:
    pictures = noisy()
    found = named(pictures)
    for name, values in found.items():
        assert np.isfinite(values).all(), name
    for row, picture in enumerate(pictures):
        for name, value in formulas(picture).items():
            assert found[name][row] == pytest.approx(value, abs=5e-4), (name, row)


def test_every_statistic_has_a_formula_here() -> None:
    picture = noisy()[0]
    rest = light(picture) | sharpness(picture) | of_blocks(picture) | bands(picture) | mscn(picture)
    assert {*FIRST, *rest} == {*STATISTICS}
    assert len(FIRST) + len(rest) == len(STATISTICS) == 23


def test_the_entropy_is_scikit_images() -> None:
    photo = photograph()
    found = named(photo[None])
    grey = photo.astype(np.float32).mean(axis=2) / 255
    bins = np.minimum((grey * 64).astype(int), 63)
    assert found["entropy"][0] == pytest.approx(measure.shannon_entropy(bins, base=2), abs=1e-5)


@pytest.mark.parametrize("shape", [(18, 18, 3), (2, 16, 18, 3), (2, 18, 16, 3), (2, 18, 18, 1)])
def test_another_shape_is_refused(shape) -> None:
    with pytest.raises(ValueError, match="expected"):
        statistics(np.zeros(shape, np.uint8))


def test_the_smallest_pictures_and_none() -> None:
    assert np.isfinite(statistics(noisy(2, 17))).all()
    assert statistics(np.zeros((0, 18, 18, 3), np.uint8)).shape == (0, 23)


def test_a_picture_is_measured_alone() -> None:
    """The same numbers whatever stands beside it."""
    pictures = noisy(5)
    together = statistics(pictures)
    for row in range(len(pictures)):
        alone = statistics(pictures[row : row + 1])[0]
        assert alone == pytest.approx(together[row], abs=1e-6)  # float32


# ---------------------------------------------------------------- what they mean
def photograph() -> np.ndarray:
    """A photograph of scikit-image, 96 x 96 px."""
    coffee = Image.fromarray(data.coffee()[:, 100:500]).resize((96, 96), Image.Resampling.LANCZOS)
    return np.asarray(coffee)


def blur(photo: np.ndarray) -> np.ndarray:
    return np.round(ndimage.gaussian_filter(photo.astype(float), (1.5, 1.5, 0))).astype(np.uint8)


def noise(photo: np.ndarray) -> np.ndarray:
    added = photo + rng("grain").normal(0, 15, photo.shape)
    return np.clip(np.round(added), 0, 255).astype(np.uint8)


def jpeg(photo: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=8)
    return np.asarray(Image.open(buffer))


def brighter(photo: np.ndarray) -> np.ndarray:
    return np.clip(photo.astype(int) + 60, 0, 255).astype(np.uint8)


def darker(photo: np.ndarray) -> np.ndarray:
    return (photo * 0.25).astype(np.uint8)


def flatter(photo: np.ndarray) -> np.ndarray:
    return (128 + (photo.astype(float) - 128) * 0.4).astype(np.uint8)


def colourless(photo: np.ndarray) -> np.ndarray:
    return photo.mean(axis=2, keepdims=True).round().astype(np.uint8).repeat(3, axis=2)


def striped(photo: np.ndarray) -> np.ndarray:
    """Smeared downwards, as by a camera that moved."""
    return np.round(ndimage.uniform_filter1d(photo.astype(float), 15, axis=0)).astype(np.uint8)


def unframed(photo: np.ndarray) -> np.ndarray:
    """A frame of one grey."""
    out, edge = photo.copy(), len(photo) // 8
    out[:edge] = out[-edge:] = out[:, :edge] = out[:, -edge:] = 128
    return out


def half_blurred(photo: np.ndarray) -> np.ndarray:
    out = photo.copy()
    out[:, :48] = blur(blur(blur(photo)))[:, :48]
    return out


def outliers(photo: np.ndarray) -> np.ndarray:
    out = photo.copy()
    out[4::16, 4::16] = 255
    return out


@pytest.mark.parametrize(("change", "lower", "higher"), [
    (blur, "gradient edges laplacian noise sharpest fine chroma_noise", ""),
    (noise, "", "noise gradient edges laplacian fine chroma_noise flattest mscn"),
    (jpeg, "", "blockiness"),
    (brighter, "", "brightness bright"),
    (darker, "brightness contrast range entropy gradient", "dark"),
    (flatter, "contrast range saturation entropy", ""),
    (colourless, "saturation colourfulness chroma_noise", ""),
    (striped, "", "direction"),
    (unframed, "frame flattest", "uneven"),
    (half_blurred, "flattest", "uneven"),
    (outliers, "", "mscn_tail"),
], ids=lambda x: x.__name__ if callable(x) else "")  # fmt: skip
def test_what_a_change_does(change, lower, higher) -> None:
    photo = photograph()
    before, after = (named(p[None]) for p in (photo, change(photo)))
    for name in lower.split():
        assert after[name][0] < before[name][0] - 0.01, name
    for name in higher.split():
        assert after[name][0] > before[name][0] + 0.01, name


def test_middle_tells_a_wide_blur_from_a_narrow_one() -> None:
    photo = photograph()
    narrow, wide = (
        np.round(ndimage.gaussian_filter(photo.astype(float), (s, s, 0))).astype(np.uint8)
        for s in (1, 2.5)
    )
    assert named(wide[None])["middle"][0] < named(narrow[None])["middle"][0] - 0.3
