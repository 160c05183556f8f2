"""Procedural photographs: contents with the statistics of photographs, drawn from a key, as many as
wanted.

What gives photographs their ~1/f^2 power spectrum is occlusion: opaque things of all sizes in front
of each other ("dead leaves", radii with density r^-3; Lee, Mumford and Huang, Int. J. Computer
Vision 41, 2001). So a scene is a view (land under a sky, a subject before a blurred background, or
clutter) filled with shaded, textured, shadow-casting things with such radii, then light and tone.
Textures have 1/f amplitude spectra. Lengths and places are fractions of the picture's side, so a
key shows the same content at every size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2

from .. import seeding

FIELD = 96  # side of the textures in texels; they wrap around
VIEWS = {"land": 0.42, "subject": 0.33, "clutter": 0.25}  # how often each kind of view is drawn
LIGHT, CLOUD, PHOTO, ROUGH = range(4)  # the four textures, smooth to rough

# Colours of things in photographs (RGB): foliage, soil, stone, wood, water, brick, plaster, bloom,
# skin, ...
COLOURS = np.array(
    [[.20, .29, .10], [.36, .44, .17], [.37, .28, .19], [.52, .50, .47], [.22, .20, .20],
     [.64, .53, .38], [.18, .30, .42], [.57, .24, .16], [.80, .77, .71], [.80, .58, .14],
     [.45, .12, .18], [.12, .14, .18], [.88, .86, .84], [.47, .36, .45], [.26, .46, .46],
     [.82, .36, .15], [.82, .62, .52], [.10, .20, .12]],
    dtype=np.float32,
)  # fmt: skip

SKIES = np.array(  # colour overhead, colour at the horizon: clear, pale, overcast, evening, dusk
    [[[.25, .45, .75], [.72, .82, .90]], [[.45, .62, .82], [.86, .89, .90]],
     [[.60, .63, .66], [.82, .83, .83]], [[.35, .38, .55], [.93, .68, .42]],
     [[.12, .15, .28], [.55, .42, .45]]],
    dtype=np.float32,
)  # fmt: skip


def _spectra() -> np.ndarray:
    fy, fx = np.fft.fftfreq(FIELD)[:, None], np.fft.rfftfreq(FIELD)[None, :]
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    return np.stack([radius**-e for e in (2.2, 1.6, 1.0, 0.7)]).astype(np.float32)


_SPECTRA = _spectra()  # amplitude 1/f^e


@dataclass(frozen=True)
class _Canvas:
    """The picture being painted, the textures at hand, the colours, and where the light comes
    from."""

    image: np.ndarray  # (size, size, 3), float32
    texture: np.ndarray  # (4, FIELD, FIELD), float32, mean 0, standard deviation 1
    palette: np.ndarray  # (5, 3)
    light: tuple[float, float]  # unit vector (x, y)
    grid: np.ndarray  # (size,) centres of the pixels

    def window(
        self, kind: int, corner: np.ndarray, rows: slice, columns: slice, zoom: float = 1.0
    ) -> np.ndarray:
        """The part of a texture that lies under these rows and columns; zoom 2 magnifies it
        twice."""
        step = FIELD / len(self.grid) / zoom
        y = (corner[0] + np.arange(rows.start, rows.stop) * step) % FIELD
        x = (corner[1] + np.arange(columns.start, columns.stop) * step) % FIELD
        if step < 1:
            return _between(self.texture[kind], y[:, None], x)
        return self.texture[kind][y.astype(np.intp)[:, None], x.astype(np.intp)]

    def box(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns of the square around (x, y) that lie on the canvas (empty slices where
        none do)."""
        n = len(self.grid)
        top, left = max(int((y - reach) * n), 0), max(int((x - reach) * n), 0)
        bottom, right = min(int((y + reach) * n) + 2, n), min(int((x + reach) * n) + 2, n)
        return slice(top, max(bottom, top)), slice(left, max(right, left))


def scene(key: object, size: int = 80) -> np.ndarray:
    """A photograph of something, (size, size, 3), float32 in [0, 1], RGB; the same key gives the
    same content.

    key: anything with a stable repr (a string, a number, a tuple of them). size: 16 to 1024 pixels,
    else ValueError.

    >>> photo = scene("harbour", 64)
    >>> photo.shape, photo.dtype
    ((64, 64, 3), dtype('float32'))
    >>> bool((photo == scene("harbour", 64)).all()), bool((photo == scene("wood", 64)).all())
    (True, False)
    """
    if not 16 <= size <= 1024:
        raise ValueError(f"size is {size}; expected 16 to 1024 pixels")
    rng = seeding.rng("scene", key)
    noise = irfft2(rfft2(rng.standard_normal((4, FIELD, FIELD), dtype=np.float32)) * _SPECTRA)
    palette = COLOURS[rng.choice(len(COLOURS), 5, replace=False)]
    cast = palette.mean(axis=0) / palette.mean()
    turn = rng.uniform(0, np.pi)
    canvas = _Canvas(
        image=np.empty((size, size, 3), np.float32),
        texture=noise / noise.std(axis=(1, 2), keepdims=True),
        palette=palette * (0.5 + 0.5 * cast),
        light=(float(np.cos(turn)), float(np.sin(turn))),
        grid=(np.arange(size, dtype=np.float32) + 0.5) / size,
    )
    {"land": _land, "subject": _subject, "clutter": _clutter}[
        str(rng.choice(list(VIEWS), p=list(VIEWS.values())))
    ](canvas, rng)
    return _expose(canvas, rng)


# ---------------------------------------------------------------- views
def _land(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Sky with clouds, hazy ridges, ground in perspective, things standing on it, far to near."""
    image, grid = canvas.image, canvas.grid
    size, whole = len(grid), slice(0, len(grid))
    horizon = rng.uniform(0.22, 0.72)
    overhead, low = SKIES[rng.integers(len(SKIES))] * rng.uniform(0.9, 1.08)
    height = np.clip(grid / horizon, 0, 1)[:, None, None]
    image[:] = overhead + (low - overhead) * height**1.5
    cover = canvas.window(
        CLOUD, rng.integers(0, FIELD, 2), whole, whole, zoom=rng.uniform(1.0, 2.5)
    )
    cover = np.clip((cover - rng.uniform(-0.6, 1.6)) * rng.uniform(0.3, 0.9), 0, 0.9)[..., None]
    image += cover * (np.float32(0.55) + 0.45 * low - image)

    earth = canvas.palette[0] * rng.uniform(0.7, 1.2)
    for layer in range(int(rng.integers(0, 4))):
        row = canvas.texture[CLOUD][int(rng.integers(FIELD))]
        profile = np.interp(grid * rng.uniform(30, 90), np.arange(FIELD), row)
        line = horizon - (0.02 + 0.05 * (3 - layer) * rng.random()) * (1.2 + profile)
        haze = 0.75 - 0.22 * layer
        alpha = np.clip((grid[:, None] - line) * size + 0.5, 0, 1)[..., None]
        image += alpha * (haze * low + (1 - haze) * earth - image)

    below = np.clip(grid - horizon, 0.004, None)
    close = np.clip(below / (1 - horizon), 0, 1)[:, None, None]
    across = FIELD * (0.5 + 0.3 * (grid - 0.5) / np.maximum(below, 0.03)[:, None])
    grain = _between(canvas.texture[ROUGH], (FIELD * 0.12 / below)[:, None], across)
    ground = earth * (1 + 0.4 * close * grain[..., None])
    ground += 0.5 * (1 - close) ** 3 * (low - ground)
    image += np.clip((grid - horizon) * size + 0.5, 0, 1)[:, None, None] * (ground - image)

    far = _Things.draw(rng, canvas, int(rng.integers(0, 26)), 0.02, 0.15)
    far.colour[:] += 0.3 * (low - far.colour)
    _paint(
        canvas, rng, _Things(far.x, horizon + 0.02 - 0.7 * far.r, far.r, far.colour), shadows=False
    )
    near = _Things.draw(rng, canvas, int(rng.integers(20, 80)), 0.014, 0.28)
    y = np.sort(horizon + (1.05 - horizon) * rng.random(len(near.r)) ** 0.8)
    near.colour[:] += rng.uniform(0.1, 0.7) * (earth - near.colour)
    _paint(canvas, rng, _Things(near.x, y, near.r * (0.15 + 1.2 * (y - horizon)), near.colour))


def _between(texture: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The texture at fractional texels (y, x), bilinear, wrapping around."""
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    down, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    top, left, bottom, beside = top % FIELD, left % FIELD, (top + 1) % FIELD, (left + 1) % FIELD
    upper = texture[top, left] * (1 - right) + texture[top, beside] * right
    return (
        upper * (1 - down)
        + (texture[bottom, left] * (1 - right) + texture[bottom, beside] * right) * down
    )


def _subject(canvas: _Canvas, rng: np.random.Generator) -> None:
    """A group of things in focus before a background that is not."""
    whole = slice(0, len(canvas.grid))
    mix = canvas.window(LIGHT, rng.integers(0, FIELD, 2), whole, whole, zoom=2)[..., None]
    first, second = canvas.palette[:2] * rng.uniform(0.6, 1.2)
    canvas.image[:] = first + (second - first) * np.clip(0.5 + 0.4 * mix, 0, 1)
    behind = _Things.draw(
        rng, canvas, int(rng.integers(4, 26)), 0.05, 0.35, soft=rng.uniform(0.04, 0.2)
    )
    _paint(canvas, rng, behind, shadows=False)
    x, y = rng.uniform(0.3, 0.7, 2)
    spread = rng.uniform(0.1, 0.22)
    for n, smallest, largest in (
        (int(rng.integers(2, 7)), 0.09, 0.34),
        (int(rng.integers(25, 100)), 0.014, 0.15),
    ):
        things = _Things.draw(rng, canvas, n, smallest, largest)
        near = _Things(
            x + rng.normal(0, spread, n), y + rng.normal(0, spread, n), things.r, things.colour
        )
        _paint(canvas, rng, near)


def _clutter(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Things of all sizes, everywhere."""
    canvas.image[:] = canvas.palette[0]
    _paint(canvas, rng, _Things.draw(rng, canvas, 24, 0.12, 0.45))
    _paint(canvas, rng, _Things.draw(rng, canvas, int(rng.integers(60, 160)), 0.014, 0.30))


def _expose(canvas: _Canvas, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, saturation, then exposure and contrast as photographs have them, with a soft
    shoulder."""
    image, whole = canvas.image, slice(0, len(canvas.grid))
    x, y = canvas.grid - 0.5, (canvas.grid - 0.5)[:, None]
    light = 0.22 * canvas.window(LIGHT, rng.integers(0, FIELD, 2), whole, whole, zoom=1.5)
    light -= rng.uniform(0, 0.5) * (canvas.light[0] * x + canvas.light[1] * y) + rng.uniform(
        0, 0.6
    ) * (x * x + y * y)
    image = image * np.exp(light)[..., None]
    grey = image.mean(axis=2, keepdims=True)
    image = grey + rng.uniform(0.55, 1.15) * (image - grey)
    contrast = np.clip(rng.uniform(0.14, 0.25) / max(float(grey.std()), 1e-3), 0.6, 2.2)
    image = (image - grey.mean()) * contrast + rng.uniform(0.34, 0.56)
    return np.float32(0.5) + np.float32(0.5) * np.tanh((image - 0.5) * 2.3, dtype=np.float32)


# ---------------------------------------------------------------- things
@dataclass(frozen=True)
class _Things:
    """Things to paint, the hindmost first: places and radii (n,), colours (n, 3), and how soft
    their edges are."""

    x: np.ndarray
    y: np.ndarray
    r: np.ndarray
    colour: np.ndarray
    soft: float = 0.0  # width of an edge as a fraction of the side (at least one pixel)

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        canvas: _Canvas,
        n: int,
        smallest: float,
        largest: float,
        soft: float = 0.0,
    ) -> _Things:
        """n things with radii of density r^-3; neighbours look alike, and brightness varies more
        than hue does."""
        r = 1 / np.sqrt(smallest**-2 - rng.random(n) * (smallest**-2 - largest**-2))
        places = np.stack([rng.uniform(-0.05, 1.05, n), rng.uniform(-0.05, 1.05, n)])
        rows, columns = ((places[::-1] * FIELD).astype(int)) % FIELD
        neighbourhood = 1.2 * canvas.texture[CLOUD][rows, columns] + rng.normal(2, 0.7, n)
        base = canvas.palette[np.clip(neighbourhood, 0, 4).astype(int)] * np.exp(
            rng.normal(0, 0.38, (n, 1))
        )
        colour = np.clip(base + rng.normal(0, 0.02, (n, 3)), 0.02, 0.97).astype(np.float32)
        return cls(places[0], places[1], r, colour, soft)


def _paint(
    canvas: _Canvas, rng: np.random.Generator, things: _Things, shadows: bool = True
) -> None:
    """Paint ellipses, rough blobs and boxes one over the other: shaded, textured, some striped,
    with shadows."""
    n, pixel = len(things.r), 1 / len(canvas.grid)
    form = rng.choice(3, n, p=[0.42, 0.34, 0.24])  # ellipse, rough blob, box
    flat = np.exp(rng.uniform(-1.1, 0, n))
    angle = np.where(
        form == 2,
        rng.integers(0, 2, n) * (np.pi / 2) + rng.normal(0, 0.1, n),
        rng.uniform(0, np.pi, n),
    )
    cosine, sine = np.cos(angle), np.sin(angle)
    surface = rng.choice(4, n, p=[0.1, 0.3, 0.35, 0.25])
    relief = np.abs(rng.normal(0, 0.16, n))
    shading = rng.uniform(0, 0.45, n)
    shadow = rng.uniform(0.1, 0.6, n)
    stripes = np.where(rng.random((n, 1)) < 0.2, rng.uniform(2, 5, (n, 2)) * np.pi, 0)
    corner = rng.integers(0, FIELD, (n, 2))
    numbers = np.stack(
        [things.x, things.y, things.r, flat, cosine, sine, relief, shading, shadow], axis=1
    ).tolist()
    for i, (x, y, r, f, c, s, deep, shade, dark) in enumerate(numbers):
        large = r > max(0.03, 2.5 * pixel)
        if large and shadows:
            _shadow(
                canvas, x + 0.3 * r * canvas.light[0], y + 0.3 * r * canvas.light[1], 1.35 * r, dark
            )
        rows, columns = canvas.box(x, y, r * (1.5 if form[i] else 1) + things.soft)
        if rows.start == rows.stop or columns.start == columns.stop:
            continue
        dx, dy = (canvas.grid[columns] - x) / r, ((canvas.grid[rows] - y) / r)[:, None]
        u, v = c * dx + s * dy, (c * dy - s * dx) / f
        distance = np.maximum(np.abs(u), np.abs(v)) if form[i] == 2 else np.sqrt(u * u + v * v)
        paint = things.colour[i]
        if large:
            relief_here = canvas.window(int(surface[i]), corner[i], rows, columns)
            if form[i] == 1:
                distance += 0.16 * relief_here
            tone = 1 + deep * relief_here - shade * (canvas.light[0] * dx + canvas.light[1] * dy)
            if stripes[i, 0]:
                tone *= 1 - 0.4 * (
                    (np.sin(u * stripes[i, 0]) > 0.1) & (np.sin(v * stripes[i, 1]) > -0.4)
                )
            paint = tone[..., None] * paint
        cover = (1 - distance) * (r * (0.5 + 0.5 * f) / max(pixel, things.soft)) + 0.5
        piece = canvas.image[rows, columns]
        piece += np.minimum(np.maximum(cover, 0), 1)[..., None] * (paint - piece)


def _shadow(canvas: _Canvas, x: float, y: float, reach: float, dark: float) -> None:
    """Darken a soft disc, by the share `dark` at its centre."""
    rows, columns = canvas.box(x, y, reach)
    dx, dy = (canvas.grid[columns] - x) / reach, (canvas.grid[rows] - y) / reach
    fall = np.clip(1.6 * (1 - (dx * dx)[None, :] - (dy * dy)[:, None]), 0, 1)
    canvas.image[rows, columns] *= (1 - dark * fall)[..., None]
