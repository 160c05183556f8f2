"""The labelling window of notebooks/tools/label_pictures: a picture, five buttons, keys, progress.
ipywidgets only."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image

from .. import paths
from ..pictures.decode import read_picture
from ..scales import PHOTO_GRADES
from .session import Session


class Reader:
    """Pictures by id. source: the pixels (N, H, W, 3) of a data set, or a folder; place: {id: row,
    or path below the folder}."""

    def __init__(self, source: np.ndarray | Path, place: dict[str, Any]) -> None:
        self.source, self.place = source, place

    def __call__(self, picture: str) -> np.ndarray:
        """uint8 (H, W, 3). Raises ValueError, naming the file, for one that can't be decoded."""
        if not isinstance(self.source, Path):
            return np.asarray(self.source[self.place[picture]])
        try:
            return np.asarray(read_picture(self.source / self.place[picture]))
        except ValueError as e:
            raise ValueError(f"{paths.shown(self.source / self.place[picture])}: {e}") from e


class LabelApp:
    """Show `app.box` in a notebook. read(id) gives a picture: uint8 (H, W, 3). Small ones are shown
    enlarged in whole steps, up to `side` px; none is reduced.

    Keys, typed into the small field below the buttons: 0 to 4 grade, s skips, u takes the last
    grade back."""

    def __init__(
        self, session: Session, read: Callable[[str], np.ndarray], side: int = 480
    ) -> None:
        self.session, self.read, self.side = session, read, side
        self.picture = widgets.Image(
            format="png", layout=widgets.Layout(align_self="flex-start", max_width="none")
        )
        self.words = widgets.HTML()
        self.buttons = [
            widgets.Button(description=f"{k} {word}") for k, word in enumerate(PHOTO_GRADES)
        ]
        self.skip = widgets.Button(description="s skip")
        self.undo = widgets.Button(description="u undo")
        self.bar = widgets.IntProgress(min=0, max=max(1, session.progress[1]))
        self.keys = widgets.Text(
            placeholder="click here, then type 0-4, s or u", continuous_update=True
        )
        for key, button in (*enumerate(self.buttons), ("s", self.skip), ("u", self.undo)):
            button.on_click(partial(self._clicked, str(key)))
        self.keys.observe(self._typed, "value")
        row = widgets.HBox([*self.buttons, self.skip, self.undo])
        self.box = widgets.VBox(
            [self.words, self.picture, row, widgets.HBox([self.keys, self.bar])]
        )
        self.show()

    def do(self, key: str) -> None:
        """One of 0 to 4, s, u; other keys do nothing. What goes wrong (a full disk) is shown, and
        the picture stays."""
        trouble = ""
        try:
            if key in "01234" and self.session.current() is not None:
                self.session.grade(int(key))
            elif key == "s":
                self.session.skip()
            elif key == "u":
                self.session.undo()
        except (OSError, ValueError) as e:
            trouble = f" <b>Not stored: {e}</b>"
        self.show(trouble)

    def _clicked(self, key: str, _: widgets.Button) -> None:
        self.do(key)

    def _typed(self, change: dict) -> None:
        typed = str(change["new"])
        if typed:
            self.keys.value = ""
            for key in typed:
                self.do(key)

    def show(self, trouble: str = "") -> None:
        """Draw the current picture and the progress."""
        done, all_ = self.session.progress
        self.bar.value = done
        picture = self.session.current()
        for button in (*self.buttons, self.skip):
            button.disabled = picture is None
        self.undo.disabled = not self.session.history
        if picture is None:
            file = self.session.file.name
            self.words.value = (
                f"All {all_} pictures are graded. Stored in <code>{file}</code>.{trouble}"
            )
            self.picture.value = b""
            return
        self.words.value = f"{self.session.labeller}: {done} of {all_} graded.{trouble}"
        try:
            shown, out = Image.fromarray(self.read(picture)), io.BytesIO()
        except ValueError as e:
            self.words.value += f" <b>{e}; skip it.</b>"
            self.picture.value = b""
            return
        scale = max(1, self.side // max(shown.size))  # whole steps: enlarging must not blur
        shown.resize((shown.width * scale, shown.height * scale), Image.Resampling.NEAREST).save(
            out, "PNG"
        )
        self.picture.value = out.getvalue()
