"""The views that a method learns from, drawn: a line of pictures for each kind of view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from . import style

SIDE = 1.15  # inches of a picture


def view_rows(pixels: np.ndarray, names: Sequence[str], *, simulated: bool) -> Figure:
    """A line of pictures for each kind of view, the same pictures below each other. pixels: uint8
    (rows, pictures, S, S, 3) RGB; names: of the rows. ValueError for other shapes or types."""
    if pixels.ndim != 5 or pixels.shape[4] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"pixels: expected uint8 (rows, pictures, S, S, 3); found {pixels.dtype}{pixels.shape}"
        )
    if len(names) != len(pixels):
        raise ValueError(f"names: {len(names)} names for {len(pixels)} rows of pictures")
    rows, across = pixels.shape[:2]
    with style.sheet():
        figure = style.canvas(0.9 + SIDE * across, 0.3 + SIDE * rows, simulated=simulated)
        layout: Any = figure.get_layout_engine()
        layout.set(h_pad=0.02, w_pad=0.02, hspace=0.0, wspace=0.0)
        grid = figure.subplots(rows, across, squeeze=False)
        for line, name, shown in zip(grid, names, pixels, strict=True):
            for ax, picture in zip(line, shown, strict=True):
                ax.imshow(picture, interpolation="nearest")
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
                ax.grid(visible=False)
            words = name.replace(" ", "\n", 1)
            look: Any = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 8}
            line[0].set_ylabel(words, labelpad=6, **look)
    return figure
