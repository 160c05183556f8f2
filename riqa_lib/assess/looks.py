"""What a person looks at of a graded picture: itself with the circle of its field of view, and heat
maps of what speaks against it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..pictures.field import Field, crop_field
from ..scales import DETAILS

Row = dict[str, Any]
LOOK = "_look"  # key of a row that is for the eye alone: popped before CSV and JSON
BATCH = 16  # pictures a pass of Grad-CAM
CIRCLE = (255, 214, 10)  # of the field, on reds and blacks alike
HEAT = 0.5  # share of the heat's colours where a map is at its maximum
FAINT = 0.15  # the same, at least, however small the probability of bad


@dataclasses.dataclass
class Look:
    """A picture at its working size (H, W, 3) uint8, its field and the network's crop (S, S, 3)
    uint8 with the field's mask (S, S), bool; field and crop are None where it was refused. maps:
    Grad-CAM by head (S, S), 0 outside the field."""

    rgb: np.ndarray
    field: Field | None = None
    crop: np.ndarray | None = None
    mask: np.ndarray | None = None
    maps: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


# ---------------------------------------------------------------- heads and maps
def bad_of(row: Row, head: str) -> float:
    """How likely it is, by the row of `assess`, that a head would call the picture bad: of a
    detail 1 - probability of good, of "overall" what is left by the best grade.

    >>> bad_of({"probabilities": {"bad": 0.2, "good": 0.8}}, "overall")
    0.2
    """
    if head in DETAILS:
        return round(1 - row["details"][head]["good"], 4)
    return round(1 - [*row["probabilities"].values()][-1], 4)


def heads_of(row: Row) -> list[str]:
    """The heads to look at: details that are bad, the worst first; "overall" where none is; none
    for a picture that was not graded.

    >>> said = {"illumination": (0.9, "good"), "clarity": (0.2, "bad"), "contrast": (0.1, "bad")}
    >>> details = {d: {"good": p, "call": call} for d, (p, call) in said.items()}
    >>> heads_of({"state": "graded", "details": details})
    ['contrast', 'clarity']
    """
    if row["state"] not in ("graded", "abstained"):
        return []
    bad = {d: c["good"] for d, c in row["details"].items() if c["call"] == "bad"}
    return sorted(bad, key=lambda d: bad[d]) or ["overall"]


def with_maps(rows: Iterable[Row], one: Any, *, first: bool) -> Iterator[Row]:
    """The rows, in order, their looks with the maps of `heads_of`, or of the first of them alone.
    one: the `Assessor` that graded them. At most BATCH wait."""
    from .grad_cam import last_layer  # torch

    layer, waiting = last_layer(one.net, _seen(one)), []
    for row in rows:
        waiting.append(row)
        if len(waiting) == BATCH:
            yield from _mapped(waiting, one, layer, first)
            waiting = []
    yield from _mapped(waiting, one, layer, first)


def _seen(one: Any) -> int:
    """How many px of a crop, in its middle, the network sees."""
    from ..networks.field_moments import MomentsOfPixels  # torch

    return int(one.about["size" if isinstance(one.net, MomentsOfPixels) else "crop"])


def _mapped(rows: list[Row], one: Any, layer: Any, first: bool) -> list[Row]:
    from .grad_cam import HEADS, grad_cam

    heads = [heads_of(row)[: 1 if first else None] for row in rows]
    for head in HEADS:
        looks = [row[LOOK] for row, its in zip(rows, heads, strict=True) if head in its]
        if not looks:
            continue
        size, seen = len(looks[0].crop), _seen(one)
        middle = slice((size - seen) // 2, (size - seen) // 2 + seen)
        crops = np.stack([look.crop[middle, middle] for look in looks])
        fields = [look.mask[middle, middle] for look in looks]
        cams = grad_cam(one.net, layer, crops, head, inside=fields)
        for look, cam in zip(looks, cams, strict=True):
            look.maps[head] = np.zeros((size, size), np.float32)
            look.maps[head][middle, middle] = cam * look.mask[middle, middle]
    return rows


# ---------------------------------------------------------------- pictures
def scaled(rgb: np.ndarray, longest: int) -> Image.Image:
    """A picture of which the longer side has at most `longest` px."""
    image = Image.fromarray(rgb)
    image.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return image


def circled(look: Look, longest: int) -> Image.Image:
    """The picture, its longer side at most `longest` px, with the circle of its field; without one
    where none was found (the whole picture was graded then)."""
    image = scaled(look.rgb, longest)
    if look.field is None or look.field.whole:
        return image
    fine = 4  # drawn so much larger, then shrunk: a smooth line
    scale = fine * max(image.size) / max(look.rgb.shape[:2])
    ring = Image.new("L", (image.width * fine, image.height * fine))
    x, y, radius = (
        (c + 0.5) * scale for c in (look.field.x, look.field.y, look.field.radius - 0.5)
    )
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(ring).ellipse(box, outline=255, width=max(2, round(fine * longest / 260)))
    image.paste(CIRCLE, (0, 0), ring.resize(image.size, Image.Resampling.BOX))
    return image


def heated(look: Look, head: str, side: int, bad: float) -> Image.Image:
    """The field, side x side px, grey, with the map of a head over it, yellow to red towards its
    maximum. bad: probability of bad, 0..1: the less likely, the fainter the colours, so that a good
    picture doesn't glow."""
    from .grad_cam import overlay  # torch

    wide, mask = crop_field(look.rgb, side, look.field)
    cam = np.asarray(
        Image.fromarray(look.maps[head]).resize((side, side), Image.Resampling.BILINEAR)
    )
    strength = HEAT * max(FAINT, min(1.0, 2 * bad))
    return Image.fromarray(overlay(wide, np.clip(cam, 0, None), inside=mask, strength=strength))


def where_strongest(cam: np.ndarray) -> str:
    """Where a map (S, S) has its maximum, in words; "" where it is 0 throughout.

    >>> cam = np.zeros((9, 9)); cam[1, 7] = 1
    >>> where_strongest(cam)
    'upper right'
    """
    if cam.max() <= 0:
        return ""
    at = np.argwhere(cam == cam.max()).mean(axis=0)
    third = [int(3 * k / n) for k, n in zip(at, cam.shape, strict=True)]
    words = (("upper", "", "lower")[third[0]], ("left", "", "right")[third[1]])
    return " ".join(filter(None, words)) or "middle"


def jpeg(image: Image.Image, quality: int = 80) -> bytes:
    """A picture as a JPEG file."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
