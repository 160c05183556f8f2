"""The panel that browses a walk's predictions; its half in the browser is prediction_panel.js.

panel = open_panel("demo")
panel                                       in a notebook: shows it
panel.choose(method="fixmatch", truth=4)    the same as its menus
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from PIL import Image

from ..tables import stored
from ..tables.names import name_of
from ..tables.text import kind_of
from . import prediction_choice as choosing
from .prediction_choice import Choice
from .prediction_page import page, summary
from .prediction_walk import Walk, open_walk


def as_png(pixels: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as PNG."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=1)
    return out.getvalue()


class PredictionPanel(anywidget.AnyWidget):
    """What both halves know. page: what is on the screen (see `prediction_page.page`; state
    "missing" with words where there is no walk to show); picture: its bytes, PNG."""

    _esm = Path(__file__).with_name("prediction_panel.js")
    page = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, walk: Walk | None, choice: Choice | None = None, missing: str = "") -> None:
        super().__init__()
        self.walk, self.place, self.missing = walk, 0, missing
        self.shown = pd.DataFrame()
        self.on_msg(self._told)
        if walk is None:
            self.page = {"state": "missing", "words": missing}
        else:
            self.choice = choosing.settled(walk, choice or choosing.FIRST)
            self._choose(self.choice)

    # ------------------------------------------------------------ what a person does
    def choose(self, **wanted: object) -> None:
        """Change fields of the choice (`prediction_choice.Choice`); ValueError, naming what is
        allowed, for what is not offered."""
        if self.walk is not None:
            self._choose(choosing.changed(self.walk, self.choice, wanted))

    def go(self, place: int) -> None:
        """Show the picture at a place of the list, from 0; the nearest there is."""
        if len(self.shown):
            self.place = int(np.clip(place, 0, len(self.shown) - 1))
        self._show()

    def step(self, by: int) -> None:
        """Show the next picture (by = 1), the previous (-1), ...; nothing at either end."""
        self.go(self.place + by)

    def step_method(self, by: int) -> None:
        """The next method (by = 1) or the previous (-1), round and round; the picture stays where
        the other method's list has it."""
        if self.walk is None:
            return
        methods = self.walk.methods(self.choice.seed, self.choice.labels)
        place = (methods.index(self.choice.method) + by) % len(methods)
        self.choose(method=methods[place])

    def swap(self) -> None:
        """Exchange the two methods that are compared."""
        if self.walk is not None:
            self._choose(choosing.swapped(self.walk, self.choice))

    # ------------------------------------------------------------ the same as tables and words
    def worst(self) -> pd.DataFrame | str:
        """`prediction_choice.worst` of what is chosen; where there is nothing, a sentence."""
        if self.walk is None:
            return self.missing
        table = choosing.worst(self.walk, self.choice)
        return table.round(2) if len(table) else "no true grade is known, so nothing is wrong"

    def table(self) -> pd.DataFrame | str:
        """The pictures that fit, in the panel's order: id, truth (-1: unknown), said, sure (its
        probability), error (in grades); where there is no walk, a sentence."""
        if self.walk is None:
            return self.missing
        return self.shown[["id", "truth", "said", "sure", "error"]].round(3)

    def found(self) -> str:
        """What is chosen, and how wrong the method is of it, in words."""
        if self.walk is None:
            return self.missing
        said = summary(self.walk, self.choice, self.shown)
        return f"{kind_of(self.walk.simulated)}. {name_of(self.choice.method)}: {said}"

    def provenance(self) -> str:
        """With what data and software."""
        return self.missing or stored.provenance_line(self.walk.data.info if self.walk else {})

    # ------------------------------------------------------------ what is shown
    def _choose(self, choice: Choice) -> None:
        """Take a choice; the picture on the screen stays if only methods changed and the list still
        has it."""
        before = self.shown["id"].iloc[self.place] if len(self.shown) else None
        same = all(
            getattr(choice, f) == getattr(self.choice, f)
            for f in ("seed", "labels", "split", "truth", "said", "sort")
        )
        assert self.walk is not None
        self.choice, self.shown = choice, choosing.picked(self.walk, choice)
        where = np.flatnonzero(self.shown["id"] == before) if same and before else np.array([])
        self.place = int(where[0]) if where.size else 0
        self._show()

    def _show(self) -> None:
        if self.walk is None:
            return
        picture = b""
        if len(self.shown):
            picture = as_png(self.walk.data.pixels[int(self.shown["row"].iloc[self.place])])
        with self.hold_sync():
            self.picture = picture
            self.page = page(self.walk, self.choice, self.shown, self.place)

    def _told(self, _: object, message: Any, __: list) -> None:
        """What the browser sends: {"choose": {field: text}}, {"step": n}, {"go": n}, {"method": n},
        {"swap": true}, with the number of the question. It always gets an answer: what is not
        allowed is said on the page."""
        if self.walk is None or not isinstance(message, dict):
            return
        with self.hold_sync():
            try:
                self._do(message)
            except (ValueError, TypeError, OSError) as e:
                self.page = {**self.page, "trouble": str(e)}
            self.page = {**self.page, "answers": message.get("question", 0)}

    def _do(self, message: Mapping[str, Any]) -> None:
        if "choose" in message:
            self.choose(**message["choose"])
        elif "step" in message:
            self.step(int(message["step"]))
        elif "go" in message:
            self.go(int(message["go"]))
        elif "method" in message:
            self.step_method(int(message["method"]))
        elif "swap" in message:
            self.swap()


def open_panel(name: str, **first: Any) -> PredictionPanel:
    """The panel of a walk; first: fields of `Choice` to begin with, where the walk has them. Where
    there is no walk yet, or nothing to browse in it, a panel that says what is missing and what to
    run."""
    try:
        return PredictionPanel(open_walk(name), Choice(**{"method": "", **first}))
    except (FileNotFoundError, ValueError) as e:
        return PredictionPanel(None, missing=str(e))
