"""An eye in front of a simulated camera whose defects are moved by hand: what the fundus panel
photographs, without any network or widget.

Eye and seed are two numbers: the eye says whose retina it is; the seed which camera, framing, light
and noise, and of which kind and where the defects are. So a slider makes the same defect stronger,
in the same photograph of the same eye. Everything is `sim.fundus_camera`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..scales import FUNDUS_GRADES
from ..sim import fundus_raters
from ..sim.fundus_camera import CAUSES, STYLES, Shot, fundus
from ..sim.fundus_sets import LEVELS

SIDE = 480  # px of a photograph: what `riqa assess` brings pictures to
MOST = {"artefact": 1.0}  # greatest severity of a slider; of the others LEVELS' last
STEP = 0.05  # of a slider
LARGEST = 999_999  # eye and seed are 0 to this
VIEWS = ("macula", "disc")


def most(cause: str) -> float:
    """The greatest severity that a slider reaches: as far as the training sets go.

    >>> most("clarity"), most("artefact")
    (2.5, 1.0)
    """
    return MOST.get(cause, LEVELS[-1])


@dataclass(frozen=True)
class Scene:
    """What is photographed. style: one of STYLES, "" as the seed has it; view: centred on macula or
    disc; severity: of CAUSES, 0 where it says nothing, 1 where graders begin to call it bad. Raises
    ValueError for anything else."""

    eye: int = 0
    seed: int = 0
    style: str = ""
    view: str = "macula"
    severity: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("eye", "seed"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value <= LARGEST:
                raise ValueError(f"{name} = {value!r}: expected a whole number, 0 to {LARGEST}")
        if self.style not in ("", *STYLES) or self.view not in VIEWS:
            raise ValueError(
                f"style {self.style!r}, view {self.view!r}: expected one of {', '.join(STYLES)} or "
                f"nothing, and {' or '.join(VIEWS)}"
            )
        for cause, value in self.severity.items():
            if cause not in CAUSES or not 0 <= value <= most(cause):
                reach = ", ".join(f"{c} 0 to {most(c):g}" for c in CAUSES)
                raise ValueError(f"severity of {cause!r} = {value!r}: expected {reach}")

    def but(self, **changes: Any) -> Scene:
        """The scene with some fields changed; severity: added to what there is.

        >>> Scene(severity={"clarity": 1.0}).but(severity={"contrast": 0.5}).severity
        {'clarity': 1.0, 'contrast': 0.5}
        """
        severity = {**self.severity, **changes.pop("severity", {})}
        now = {k: getattr(self, k) for k in ("eye", "seed", "style", "view")}
        return Scene(**{**now, **changes}, severity=severity)


def photograph(scene: Scene, size: int = SIDE) -> Shot:
    """The photograph of a scene, size x size px; the same scene, the same bytes.

    >>> shot = photograph(Scene(eye=3, severity={"clarity": 1.5}), 64)
    >>> shot.pixels.shape, round(shot.severity["clarity"], 2)
    ((64, 64, 3), 1.5)
    """
    return fundus(
        ("panel", scene.seed),
        size,
        scene.severity,
        style=scene.style or None,
        view=scene.view,
        anatomy=("panel eye", scene.eye),
    )


def camera(shot: Shot) -> str:
    """The camera and the eye of a photograph, in words."""
    style = next(name for name, one in STYLES.items() if one == shot.style)
    return f"camera like {style} ({shot.style.degrees:g}°), {'left' if shot.left else 'right'} eye"


def truth(shot: Shot, classes: int = 3) -> dict[str, Any]:
    """What the simulation knows: causes: {cause: {severity (measured), kinds, call}}; grade: of
    FUNDUS_GRADES[classes], as a grader without bias and noise gives it. Graders call a detail bad
    from severity 1 on; an artefact is no detail and has no call.

    Measured is less than was asked for where a defect of this shape can't be so severe."""
    severity = np.array([[shot.severity[c] for c in CAUSES]])
    good = dict(zip(CAUSES, fundus_raters.true_details(severity)[0], strict=False))
    causes = {
        c: {
            "severity": round(shot.severity[c], 2),
            "kinds": list(shot.defects[c].kinds) if c in shot.defects else [],
            "call": ("good" if good[c] else "bad") if c in good else "",
        }
        for c in CAUSES
    }
    grade = int(fundus_raters.true_grade(severity)[0])
    words = FUNDUS_GRADES[classes]
    # of two grades the better one is what of three is the best: sim.fundus_sets
    return {"causes": causes, "grade": words[grade if classes == 3 else int(grade == 2)]}
