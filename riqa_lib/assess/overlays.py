"""A PNG a graded picture: itself with the circle of its field, and the heat maps of the heads that
are bad, side by side."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from .. import store
from .looks import LOOK, bad_of, circled, heads_of, heated

Row = dict[str, Any]
SIDE = 480  # px, longer side of the picture, side of a map
GAP = 8  # px between them


def name_of(row: Row) -> str:
    """The name of a row's overlay: what can be kept of its file's, then digits that follow from
    where the file lies and from the page, so that no two pictures share a name and none leaves the
    folder.

    >>> name_of({"file": "/a/../b/../../etc/pass wd.jpg"}).split("-")[0]
    'pass_wd'
    """
    file = Path(row["file"])
    stem = re.sub(r"[^A-Za-z0-9]+", "_", file.stem).strip("_")[:60] or "picture"
    where = f"{file.absolute()}\n{row.get('page') or ''}"
    digest = hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{stem}-{digest}.png"


def overlay_of(row: Row) -> Image.Image:
    """The overlay of a graded row of `assess` (keep=True), with maps, at most SIDE px high."""
    look = row[LOOK]
    side = min(SIDE, max(look.rgb.shape[:2]))
    heads = [head for head in heads_of(row) if head in look.maps]
    maps = [heated(look, head, side, bad_of(row, head)) for head in heads]
    panels = [circled(look, SIDE), *maps]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    out, left = Image.new("RGB", (width, max(panel.height for panel in panels))), 0
    for panel in panels:
        out.paste(panel, (left, (out.height - panel.height) // 2))
        left += panel.width + GAP
    return out


def write(folder: Path, row: Row) -> Path | None:
    """Write a row's overlay into the folder, whole or not at all; None for a picture that was not
    graded."""
    look = row.get(LOOK)
    if look is None or look.field is None:
        return None
    file = folder / name_of(row)
    with store.replacing(file) as part:
        overlay_of(row).save(part, "PNG")
    return file


def check_folder(folder: Path, named: Iterable[str | Path]) -> None:
    """Raise ValueError for a folder that is a file, or lies in one that is assessed: the next time
    its overlays would be assessed too."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; name a folder for the overlays")
    inside = [folder.resolve(), *folder.resolve().parents]
    for name in map(Path, named):
        if name.is_dir() and name.resolve() in inside:
            raise ValueError(
                f"{folder}: lies in {name}, which is assessed: its overlays would be too; "
                "name a folder elsewhere"
            )
