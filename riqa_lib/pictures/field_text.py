"""Text beside a field of view: names, dates, eyes, burned into the picture by a camera or an
export."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STROKE = 5  # px of the small copy that letters' strokes are narrower than
CONTRAST = 50  # grey levels of a stroke against what is around it
LETTERS = 4  # separate thin things in a row or column that are taken for text


def text_beside(light: np.ndarray, outside: np.ndarray, dark: float) -> bool:
    """Whether there is text in the part `outside` (H, W) of a picture's light (H, W), 0..255, whose
    surround has level `dark`: several thin things in a row, brighter or darker than what is around
    them."""
    if ((light > dark + CONTRAST) & outside).sum() < LETTERS:
        return False
    bright = light - ndimage.grey_opening(light, size=STROKE)
    black = ndimage.grey_closing(light, size=STROKE) - light
    thin = (np.maximum(bright, black) > CONTRAST) & outside
    begins = (thin[:, 1:] & ~thin[:, :-1]).sum(axis=1), (thin[1:] & ~thin[:-1]).sum(axis=0)
    return bool(max(line.max() for line in begins) >= LETTERS)
