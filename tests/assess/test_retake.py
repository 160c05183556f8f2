"""Who must be photographed again, in words: from made-up rows."""

from __future__ import annotations

import pytest
from assessed_rows import graded, refused

from riqa_lib.assess.retake import Patients, verdict

REFOCUS = "refocus (clarity bad: not sharp)"


def said(*rows):
    """What is said of each patient, the most urgent first."""
    patients = Patients()
    for row in rows:
        patients.add(row)
    return {
        one.name: (need, one.say())
        for need in ("retake", "look", "fine")
        for one in patients.of_need(need)
    }


def eye(side, grade="good", patient="7", file="", **more):
    return graded(file or f"{patient}_{side}.jpg", grade, patient=patient, eye=side, **more)


@pytest.mark.parametrize(
    ("rows", "need", "words"),
    [
        ([eye("left"), eye("right")], "fine", "both eyes fine"),
        ([eye("left", "usable"), eye("right", "usable")], "fine", "both eyes usable as they are"),
        (
            [eye("left", "usable"), eye("right")],
            "fine",
            "right eye fine; left eye usable as it is",
        ),
        (
            [eye("left", "reject"), eye("right")],
            "retake",
            f"retake the left eye: {REFOCUS}; right eye fine",
        ),
        (
            [eye("right", "reject"), eye("left", "reject")],
            "retake",
            f"retake the right eye: {REFOCUS}; retake the left eye: {REFOCUS}",
        ),
        ([eye("left")], "fine", "left eye fine; no picture of the right eye"),
        (
            [eye("left", "usable", sure=False), eye("right", "reject")],
            "retake",
            f"retake the right eye: {REFOCUS}; look at the left eye yourself: no sure grade, "
            "likeliest usable; contrast bad: a veil (clean the lens)",
        ),
        (
            [eye("left"), refused("r.jpg", patient="7", eye="right")],
            "retake",
            "retake the right eye: photograph it again (refused: no round field); left eye fine",
        ),
        (  # the best picture of an eye speaks for it
            [eye("left", "reject"), eye("left", file="again.jpg"), eye("right")],
            "fine",
            "both eyes fine",
        ),
        (
            [
                eye("left", "reject"),
                refused("l2.jpg", "unreadable", patient="7", eye="left"),
                eye("right"),
            ],
            "retake",
            f"retake the left eye (the best of 2 pictures): {REFOCUS}; right eye fine",
        ),
        (  # pictures whose eye nobody knows: each counts
            [graded("x/a.jpg", patient="7"), graded("x/b.jpg", "reject", patient="7")],
            "retake",
            f"retake the picture b.jpg: {REFOCUS}; picture a.jpg fine",
        ),
    ],
)
def test_what_is_said_of_a_patient(rows, need, words):
    for order in (rows, rows[::-1]):
        assert said(*order)["7"][0] == need
    assert said(*rows)["7"][1] == words


def test_what_is_graded_best_with_a_bad_detail_says_so():
    """Of an eye without a bad detail the word stays short."""
    bad = {
        "advice": [{"say": "raise the flash", "why": "illumination bad (probability 0.97): dim"}]
    }
    rows = [eye("left") | bad, eye("right")]
    assert said(*rows)["7"] == (
        "fine",
        "right eye fine; left eye fine, but illumination bad: dim; next time: raise the flash",
    )
    assert said(rows[0])["7"][1].startswith("left eye fine, but illumination bad: dim")


def test_pictures_of_nobody_known_are_each_for_themselves():
    patients = Patients()
    for row in (graded("a.jpg", "reject"), graded("b.jpg"), refused("c.txt"), graded("a.jpg")):
        patients.add(row | ({"page": 2} if row["state"] == "refused" else {}))
    assert patients.counts() == {"graded": 3, "abstained": 0, "refused": 1, "unreadable": 0}
    assert [len(patients.of_need(need)) for need in ("retake", "look", "fine")] == [2, 0, 1]


def test_a_reject_without_a_cause_is_retaken_too():
    row = graded("a.jpg", "reject") | {"advice": []}
    its = verdict(row)
    assert (its.need, its.do) == ("retake", "photograph it again")
    assert "no detail is surely to blame" in its.why


def test_a_file_that_is_dropped_speaks_for_nobody():
    patients = Patients()
    patients.add(eye("left", "reject"))
    patients.add(eye("right"))
    assert patients.of_need("retake")
    patients.drop("7_left.jpg")
    assert [one.say() for one in patients.of_need("fine")] == [
        "right eye fine; no picture of the left eye"
    ]
    patients.drop("7_right.jpg")
    assert not patients.known


def test_the_worst_picture_comes_first():
    names = list(said(eye("left", patient="1"), eye("left", "usable", patient="2")))
    assert names == ["2", "1"]
