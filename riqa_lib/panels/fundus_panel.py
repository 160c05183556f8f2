"""The panel that moves the defects of a simulated eye and asks Teacher and Student at once; its
half in the browser is fundus_panel.js.

    panel = open_panel("demo")
    panel                                            in a notebook: shows it
    panel.move(eye=3, severity={"clarity": 1.5})     the same as its sliders
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from ..sim.fundus_sets import LEVELS
from ..tables import stored
from . import fundus_page
from .fundus_answers import Pair, findings, open_pair, sweep
from .fundus_scene import Scene, most, photograph


class FundusPanel(anywidget.AnyWidget):
    """What both halves know. page: what is on the screen (see `fundus_page.page`; state "missing"
    with words where there is no Student), and answers: the number of the question that it answers,
    trouble: what was wrong with it; picture: bytes, PNG; controls: see `fundus_page.controls`.

    The browser asks one question at a time, and then the newest: a slider may be dragged as fast as
    anybody likes."""

    _esm = Path(__file__).with_name("fundus_panel.js")
    page = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    controls = traitlets.Dict().tag(sync=True)

    def __init__(self, pair: Pair | None, scene: Scene | None = None, missing: str = "") -> None:
        super().__init__(controls=fundus_page.controls())
        self.pair, self.scene, self.missing = pair, scene or Scene(), missing
        self.on_msg(self._told)
        if pair is None:
            self.page = {"state": "missing", "words": missing, "answers": 0}
        else:
            self._show(0)

    def move(self, **changes: Any) -> None:
        """Change fields of the scene (see `fundus_scene.Scene.but`) and ask again; ValueError,
        naming what is allowed, for what it can't be."""
        self.scene = self.scene.but(**changes)
        self._show(0)

    # ------------------------------------------------------------ the same as tables and words
    def sweep(self, cause: str, levels: Sequence[float] = LEVELS) -> pd.DataFrame | str:
        """`fundus_answers.sweep` of what is on the screen, one cause from `levels`' first to its
        last; where there is no Student, a sentence. ValueError for another cause."""
        if self.pair is None:
            return self.missing
        reached = [level for level in levels if level <= most(cause)]
        return sweep(self.pair, self.scene, cause, reached).round(3)

    def found(self, table: pd.DataFrame | str, cause: str) -> str:
        """What a sweep shows, in words."""
        return table if isinstance(table, str) else findings(table, cause)

    def provenance(self) -> str:
        """With what data and software."""
        return self.missing or stored.provenance_line(self.pair.student.about if self.pair else {})

    def _show(self, question: int, trouble: str = "") -> None:
        if self.pair is None:
            return
        shot = photograph(self.scene)
        said = self.pair.answer(shot)
        with self.hold_sync():
            self.picture = said["png"]
            page = fundus_page.page(self.pair, self.scene, shot, said)
            self.page = {**page, "answers": question, "trouble": trouble}

    def _told(self, _: object, message: Any, __: list) -> None:
        """What the browser sends: {"question": n, "scene": {field: value}}. It always gets an
        answer: what can't be photographed is said, and the scene stays as it was."""
        if self.pair is None or not isinstance(message, dict) or "question" not in message:
            return
        trouble = ""
        try:
            self.scene = scene_of(message.get("scene"))
        except (ValueError, TypeError) as e:
            trouble = str(e)
        self._show(int(message["question"]), trouble)


def scene_of(told: object) -> Scene:
    """A scene as a browser sends it: eye, seed, style, view, severity. ValueError or TypeError for
    what is none.

    >>> scene_of({"eye": 2, "severity": {"clarity": 1}})
    Scene(eye=2, seed=0, style='', view='macula', severity={'clarity': 1.0})
    """
    if not isinstance(told, Mapping):
        raise TypeError(f"{told!r}: expected a scene")
    found = dict(told)
    severity = {str(c): float(s) for c, s in dict(found.pop("severity", {})).items()}
    return Scene(**found, severity=severity)


def open_panel(name: str, student: str = "", **scene: Any) -> FundusPanel:
    """The panel of a walk's Student (by its run's name; "": the first of
    `fundus_answers.students`); scene: fields of `Scene` to begin with. Where there is no Student
    yet, one that says what is missing and what to run."""
    try:
        pair = open_pair(name, student)
    except (FileNotFoundError, ValueError) as e:
        return FundusPanel(None, missing=str(e))
    return FundusPanel(pair, Scene(**scene))
