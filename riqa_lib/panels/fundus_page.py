"""What the fundus panel shows of an answer: plain words and numbers, without any widget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..assess import advice
from ..assess.fundus_student import Assessor
from ..scales import DETAILS
from ..sim.fundus_camera import CAUSES, STYLES, Shot
from .fundus_answers import Pair
from .fundus_scene import LARGEST, STEP, VIEWS, Scene, camera, most

Page = dict[str, Any]
KIND = "SIMULATED eye, made by a program: not a patient, and nothing to treat anybody by"
NOTHING = "–"


# ---------------------------------------------------------------- words
def verdict(row: Mapping[str, Any], threshold: float) -> str:
    """The Student's grade in a sentence.

    >>> verdict({"state": "graded", "likeliest": "good", "confidence": 0.93, "reason": ""}, 0.7)
    'Grade: good (probability 0.93)'
    >>> verdict({"state": "abstained", "likeliest": "usable", "confidence": 0.5, "reason": ""}, 0.7)
    'No grade: likeliest usable?, but its probability 0.50 is below 0.70'
    >>> verdict({"state": "refused", "reason": "no round field of view"}, 0.7)
    'Refused: no round field of view'
    """
    if row["state"] == "graded":
        return f"Grade: {row['likeliest']} (probability {row['confidence']:.2f})"
    if row["state"] != "abstained":
        return f"{row['state'].capitalize()}: {row['reason']}"
    if row["confidence"] >= threshold or threshold > 1:
        return f"No grade: {row['reason'] or 'this Student abstains always'}"
    likely = f"likeliest {row['likeliest']}?"
    return (
        f"No grade: {likely}, but its probability {row['confidence']:.2f} is below {threshold:.2f}"
    )


def advice_lines(row: Mapping[str, Any]) -> list[list[str]]:
    """[[what to do, why], ...] of a row of `assess`; one that says so where there is nothing."""
    found = [[one["say"], one["why"]] for one in row.get("advice", [])]
    if found or row["state"] not in ("graded", "abstained"):
        return found
    return [["nothing to do", "no detail is bad for sure"]]


def details(one: Pair, said: Mapping[str, Any]) -> list[Page]:
    """Of each of CAUSES what the simulation did, what the Teacher says and what the Student says:
    cause, severity, kinds, truth ("good", "bad", "" of an artefact), teacher, student
    (probabilities of good, None where there is none), teacher_call, student_call."""
    rows = []
    for cause in CAUSES:
        true = said["truth"]["causes"][cause]
        student = said["student"].get("details", {}).get(cause, {})
        teacher = said["teacher"].get(cause)
        rows.append(
            {
                "cause": cause,
                "severity": true["severity"],
                "kinds": " + ".join(true["kinds"]),
                "truth": true["call"],
                "teacher": None if teacher is None else round(teacher, 4),
                "teacher_call": "" if teacher is None else advice.call(teacher),
                "student": student.get("good"),
                "student_call": student.get("call", ""),
                "judged": cause in DETAILS,
            }
        )
    return rows


def learnt_no_details(student: Assessor) -> str:
    """A sentence where the Student learnt the overall grade only; "" else."""
    if student.about["details_learnt"]:
        return ""
    return "This Student learnt the overall grade only: it says nothing of details."


# ---------------------------------------------------------------- the whole
def page(pair: Pair, scene: Scene, shot: Shot, said: Mapping[str, Any]) -> Page:
    """All that is on the screen, as plain JSON: kind, lines (who answers); eye, seed, style, view,
    severity (as asked for); camera; details (see `details`); note; overall: [[grade, probability],
    ...]; grade, likeliest, true_grade; advice; alt."""
    row = said["student"]
    grade = verdict(row, pair.student.threshold)
    words = [f"{c} {scene.severity.get(c, 0.0):.2f}" for c in CAUSES]
    return {
        "state": "picture",
        "kind": KIND,
        "lines": pair.headline(),
        "eye": scene.eye,
        "seed": scene.seed,
        "style": scene.style,
        "view": scene.view,
        "severity": {c: float(scene.severity.get(c, 0.0)) for c in CAUSES},
        "camera": camera(shot),
        "details": details(pair, said),
        "note": learnt_no_details(pair.student),
        "overall": [[w, p] for w, p in row.get("probabilities", {}).items()],
        "grade": grade,
        "likeliest": row.get("likeliest", ""),
        "true_grade": said["truth"]["grade"],
        "advice": advice_lines(row),
        "alt": f"Simulated fundus photograph of eye {scene.eye}, severities: {', '.join(words)}",
    }


def controls() -> Page:
    """What the sliders and menus reach: {"sliders": [[cause, greatest severity]], "step", "styles",
    "views", "largest"}."""
    return {
        "sliders": [[cause, most(cause)] for cause in CAUSES],
        "step": STEP,
        "styles": [["", "as the seed has it"], *([style, style] for style in STYLES)],
        "views": [[view, view] for view in VIEWS],
        "largest": LARGEST,
    }
