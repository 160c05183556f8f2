"""What lies around a field of view and is no retina: uniform bright surrounds, bars and banners,
and straight black bars that cut the field.

All on the small copy that `field.find_field` searches. A bright surround must be uniform, reach
the frame but not the picture's middle, and end at once (a bright part of the retina fades); then it
is as good as black. A straight bar shows in the light's profile along rows or columns: from the
frame on all are dark, then comes at once a long line of light."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

BRIGHT = 40  # grey levels of its brightest channel from which a surround is not simply dark
ALIKE = 10  # grey levels that a uniform surround may differ from its colour
END = 22  # grey levels at least by which most of its border must end
STEP = 0.55  # of the light inside, by which it must drop at a bar


class Box(NamedTuple):
    """The part of a picture between its bars, in px from its left and top edge; whether each side
    (left, top, right, bottom) cuts the field in a straight line."""

    left: float
    top: float
    right: float
    bottom: float
    straight: tuple[bool, ...] = (False, False, False, False)

    def cuts(self, width: int, height: int) -> Box:
        """The same with the straight sides alone, half a px further in (there bar and field mix);
        the others are the frame of a picture of this size."""
        frame, inwards = (0, 0, width, height), (0.5, 0.5, -0.5, -0.5)
        sides = [side + step if cut else limit for side, step, cut, limit in
                 zip(self[:4], inwards, self.straight, frame, strict=True)]  # fmt: skip
        left, top, right, bottom = sides
        return Box(left, top, right, bottom, self.straight)


# ---------------------------------------------------------------- bright and uniform
def bright_surround(rgb: np.ndarray) -> np.ndarray:
    """Where a picture (H, W, 3) uint8 is a uniform bright surround, bar or banner, (H, W) bool, and
    one px more (there it mixes with the field)."""
    height, width = rgb.shape[:2]
    where = np.zeros((height, width), bool)
    for colour in _uniform_at_the_frame(rgb):
        if not _may_end(_off(rgb[::2, ::2], colour)):
            continue
        off = _off(rgb, colour)
        labels, _ = ndimage.label(off <= ALIKE)
        edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        sizes = np.bincount(edge, minlength=1)
        sizes[0] = 0
        part = np.isin(labels, np.flatnonzero(sizes >= 0.1 * min(height, width)))
        middle = part[height // 3 : -(height // 3), width // 3 : -(width // 3)]
        if not part.any() or middle.mean() > 0.05:
            continue
        part = _closed(part)
        if _ends_at_once(off, part):
            # what JPEG made of its border
            where |= part | ((off <= 2 * END) & ndimage.binary_dilation(part, iterations=4))
    return ndimage.binary_dilation(where, iterations=1) if where.any() else where


def _off(rgb: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """How many grey levels a picture (H, W, 3) is from a colour, (H, W)."""
    return np.abs(rgb - colour.astype(np.float32)).max(axis=2)


def _may_end(off: np.ndarray) -> bool:
    """Roughly, and fast, what `_ends_at_once` says: by what lies 2 px across or down from px of a
    colour; off (H, W): how far from it."""
    beyond = [
        far[(near <= ALIKE) & (far > ALIKE)]
        for a in (off, off.T)
        for near, far in ((a[2:], a[:-2]), (a[:-2], a[2:]))
    ]
    return any(map(len, beyond)) and bool((np.concatenate(beyond) >= END).mean() > 0.4)


def _closed(part: np.ndarray) -> np.ndarray:
    """A part without its small holes: letters, and specks of JPEG."""
    wide = np.pad(part, 4, mode="edge")
    return ndimage.binary_closing(wide, iterations=3)[4:-4, 4:-4]


def _uniform_at_the_frame(rgb: np.ndarray) -> list[np.ndarray]:
    """Colours of the uniform bright patches along the frame, each once."""
    height, width = rgb.shape[:2]
    k = max(3, min(height, width) // 24)
    found: list[np.ndarray] = []
    for top in np.linspace(0, height - k, 5).astype(int):
        for left in np.linspace(0, width - k, 5).astype(int):
            if 0 < top < height - k and 0 < left < width - k:
                continue
            patch = rgb[top : top + k, left : left + k].reshape(-1, 3)
            colour = patch.mean(axis=0)
            if colour.max() < BRIGHT or np.abs(patch - colour).mean() > 5:
                continue
            colour = np.median(patch, axis=0)
            if (np.abs(patch - colour).max(axis=1) > ALIKE).mean() > 0.1:
                continue
            if all(np.abs(colour - c).max() > ALIKE for c in found):
                found.append(colour)
    return found


def _ends_at_once(off: np.ndarray, part: np.ndarray) -> bool:
    """Whether next to a part of one colour the picture looks different at once. off (H, W): how
    many grey levels it is from that colour."""
    near = ndimage.binary_dilation(part, iterations=2)
    beyond = ndimage.binary_dilation(near) & ~near
    return bool(beyond.any() and (off[beyond] >= END).mean() > 0.8)


# ---------------------------------------------------------------- dark and straight
def between_bars(light: np.ndarray, dark: float, bright: float, noise: float) -> Box:
    """The part of a picture, by its light (H, W), in which the field lies. dark, bright, noise: the
    levels of its surround and of its brightest part, and the surround's noise."""
    height, width = light.shape
    lit = light > dark + max(0.06 * (bright - dark), 3 * noise, 2.0)
    labels, n = ndimage.label(lit)
    if n == 0:
        return Box(0, 0, width, height)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    lit = labels == sizes.argmax()
    rows, columns = lit.sum(axis=1), lit.sum(axis=0)
    top, bottom = _extent(rows)
    left, right = _extent(columns)
    radius = max(bottom - top, right - left) / 2
    ends = [
        _end(lit.T, light.T, left, dark, radius),
        _end(lit, light, top, dark, radius),
        _end(lit[:, ::-1].T, light[:, ::-1].T, width - right, dark, radius),
        _end(lit[::-1], light[::-1], height - bottom, dark, radius),
    ]
    edges, frame = (left, top, right, bottom), (0, 0, width, height)
    sides = [edge if end else limit for edge, limit, (end, _) in
             zip(edges, frame, ends, strict=True)]  # fmt: skip
    first, second, third, fourth = map(float, sides)
    return Box(first, second, third, fourth, tuple(cut for _, cut in ends))


def _extent(counts: np.ndarray) -> tuple[int, int]:
    """From which line to before which the counts are more than a few."""
    lines = np.flatnonzero(counts >= max(0.05 * counts.max(), 1))
    return int(lines[0]), int(lines[-1]) + 1


def _end(
    lit: np.ndarray, light: np.ndarray, first: int, dark: float, radius: float
) -> tuple[bool, bool]:
    """Whether the light of a picture, which begins at row `first`, begins there at once, and in a
    straight line, longer than a circle's would be."""
    if first < 1 or first + 5 >= len(lit):
        return False, False
    columns = np.flatnonzero(lit[first + 4])
    if not len(columns):
        return False, False
    inside = float(np.median(light[first + 4, columns])) - dark
    outside = float(np.median(light[max(first - 2, 0), columns])) - dark
    begins = inside - outside > STEP * inside
    # a circle of this radius is so wide 2.5 px below its top
    as_a_circle = 2 * radius * np.sqrt(5 / max(radius, 1))
    return begins, bool(begins and lit[first + 2].sum() > 1.4 * as_a_circle + 0.24 * radius)
