"""One row per rater and picture: their mean or their votes, named."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_folders import make_folder, notes, problems, read, write

from riqa_lib.datasets import hand_labels

NAMES = [f"{c}.jpg" for c in "abcdef"]
MEAN: dict[str, Any] = {"rater": "who", "low": 1, "high": 10}
GRADES: dict[str, Any] = {"score": None, "grade": "mos", "rater": "who", "low": 1, "high": 5}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_folder(tmp_path, NAMES)


def rated(root: Path, *lines: str, header: str = "name,who,mos") -> None:
    write(root, "\n".join([header, *lines, ""]))


def test_the_mean_of_scores(photos: Path) -> None:
    rated(photos, "a.jpg,x,1", "b.jpg,x,9.5", "a.jpg,y,2.5", "b.jpg,y,10", "b.jpg,z,10")
    frame = read(photos, **MEAN)
    assert frame["id"].tolist() == ["a.jpg", "b.jpg"]
    assert frame["score"].tolist() == pytest.approx([1.75, 29.5 / 3])
    assert frame["grade"].tolist() == [0, 4]
    assert frame["row"].tolist() == [2, 3]
    assert frame.attrs["scale"] | {"grades": []} == {
        "score": "mos",
        "low": 1,
        "high": 10,
        "higher_is_better": True,
        "grades": [],
        "rule": "equal_width",
    }
    said = "ratings: 5 of 2 pictures by 3 people, 2 to 3 a picture; taken: their mean"
    assert said in notes(photos, **MEAN)
    turned = read(photos, **MEAN, higher_is_better=False)
    assert turned["score"].tolist() == pytest.approx([9.25, 11 - 29.5 / 3])


def test_the_votes_of_grades_against_counting(photos: Path) -> None:
    rng = np.random.default_rng(0)
    given = {n: rng.integers(1, 6, size=rng.integers(1, 8)).tolist() for n in NAMES}
    lines = [f"{n},r{i},{g}" for n in NAMES for i, g in enumerate(given[n])]
    rated(photos, *rng.permutation(lines))
    up, down = read(photos, **GRADES), read(photos, **GRADES, higher_is_better=False)
    rounded = read(photos, **GRADES, rule="round_mean")
    mean = read(photos, **GRADES, aggregate="mean")
    for frame in (up, down, rounded, mean):
        frame.set_index("id", inplace=True)
    for name, grades in given.items():
        count = [grades.count(k) for k in range(1, 6)]
        assert up.loc[name, "grade"] == count.index(max(count))  # a tie goes to the worse one
        assert down.loc[name, "grade"] == count[::-1].index(max(count))
        half_up = floor(Fraction(sum(grades), len(grades)) + Fraction(1, 2)) - 1
        assert rounded.loc[name, "grade"] == mean.loc[name, "grade"] == half_up
        assert up.loc[name, "score"] == pytest.approx(np.mean(grades))
        assert down.loc[name, "score"] == pytest.approx(6 - np.mean(grades))
    assert up.attrs["scale"]["rule"] == "mode"
    assert mean.attrs["scale"]["rule"] == "round_mean"
    assert mean.attrs["scale"]["score"] == "mos"
    assert (up.attrs["scale"]["low"], up.attrs["scale"]["high"]) == (1, 5)


def test_whole_scores_may_be_votes(photos: Path) -> None:
    rated(photos, "a.jpg,x,10", "a.jpg,y,10", "a.jpg,z,1", "b.jpg,x,2")
    frame = read(photos, **MEAN, aggregate="votes", classes=10)
    assert frame["grade"].tolist() == [9, 1]
    assert frame["score"].tolist() == [7, 2]
    with pytest.raises(ValueError, match="one for each of 5 classes"):
        read(photos, **MEAN, aggregate="votes")
    rated(photos, "a.jpg,x,2.5")
    said = problems(photos, **MEAN, aggregate="votes", classes=10)
    assert "mos is not whole (1): row 2: a.jpg: 2.5" in said


def test_an_empty_rating_is_none_and_a_picture_without_any_is_the_pool(photos: Path) -> None:
    rated(photos, "a.jpg,x,4", "a.jpg,y,", "b.jpg,x,NA", "b.jpg,y,")
    frame = read(photos, **MEAN)
    assert frame["grade"].tolist() == [1, -1]
    assert frame["score"].tolist() == pytest.approx([4, np.nan], nan_ok=True)
    assert frame["split"].tolist()[1] == "pool"
    votes = read(photos, **GRADES)
    assert votes["grade"].tolist() == [3, -1]


def test_what_is_wrong_with_ratings(photos: Path) -> None:
    rated(
        photos,
        "a.jpg,x,4,train,p",
        "a.jpg,x,5,train,p",
        "b.jpg,,4,train,p",
        "b.jpg,y,11,val,p",
        "c.jpg,y,four,,q",
        header="name,who,mos,set,patient",
    )
    said = problems(photos, **MEAN, split="set", group="patient")
    for line in (
        "6 problem(s)",
        "rated twice by one person (1): row 3: a.jpg: x also in row 2",
        "empty rater (1): row 4: b.jpg",
        "mos out of range (1): row 5: b.jpg: 11, expected 1 to 10",
        "split differs between rows (1): row 5: b.jpg: 'val', before 'train'",
        "mos is not a number (1): row 6: c.jpg: 'four'",
        "empty split (1): row 6: c.jpg",
    ):
        assert line in said


def test_without_rater_the_first_doubled_id_has_a_hint(photos: Path) -> None:
    rated(photos, "a.jpg,x,4", "a.jpg,y,5", "a.jpg,z,5")
    said = problems(photos)
    assert "doubled id (2): row 3: a.jpg: also in row 2; one row per rater and picture? " in said
    assert said.count("declare rater=") == 1
    rated(photos, "a.jpg,x,4")
    said = problems(photos, rater="person")
    assert "missing column (1): row 1: person: found name, who, mos" in said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"aggregate": "mean"}, "declare rater="),
        ({"rater": "who", "aggregate": "median"}, "'median': expected mean or votes"),
        ({"rater": "who", "grade": "g"}, "needs one column of ratings"),
        ({"rater": "who", "votes": ["mos"] * 5}, "needs one column of ratings"),
        ({"rater": "who", "score": None}, "needs one column of ratings"),
        ({"rater": "who", "rule": "mode"}, "allow equal_width"),
    ],
)
def test_declarations_of_raters(photos: Path, changed: dict, message: str) -> None:
    rated(photos, "a.jpg,x,4")
    with pytest.raises(ValueError, match=message):
        read(photos, **changed)


# ---------------------------------------------------------------- the labelling tool's own file
def label(root: Path, *given: tuple[str, int | str, str]) -> Path:
    file = root.parent / "labels.csv"
    for name, grade, who in given:
        row = {"id": name, "grade": grade, "labeller": who, "seconds": 1.0, "when": "now"}
        hand_labels.append(file, row)
    return file


LABELS: dict[str, Any] = {
    "id": "id",
    "score": None,
    "grade": "grade",
    "rater": "labeller",
    "low": None,
    "high": None,
}


def test_labels_of_two_people_a_person_s_last_line_counts(photos: Path) -> None:
    label(
        photos,
        ("a.jpg", 0, "ann"),
        ("b.jpg", 4, "ann"),
        ("a.jpg", 1, "bob"),
        ("a.jpg", 2, "ann"),  # not 0
        ("b.jpg", "", "ann"),  # taken back
        ("c.jpg", 3, "ann"),
        ("c.jpg", 3, "bob"),
    )
    frame = read(photos, "labels.csv", **LABELS)
    assert frame["id"].tolist() == ["a.jpg", "c.jpg"]
    assert frame["grade"].tolist() == [1, 3]
    assert frame["score"].tolist() == [1.5, 3]
    assert (frame.attrs["scale"]["low"], frame.attrs["scale"]["high"]) == (0, 4)
    said = notes(photos, "labels.csv", **LABELS)
    assert "the labelling tool's own file: 4 grades that count, of 7 lines" in said
    assert "ratings: 4 of 2 pictures by 2 people, 2 a picture; taken: their votes (mode)" in said
    everything = read(photos, "labels.csv", **LABELS, pool=True)
    assert (everything["grade"] >= 0).sum() == 2
    assert len(everything) == len(NAMES)


def test_labels_of_one_person_need_no_rater_and_a_torn_line_costs_itself(photos: Path) -> None:
    file = label(photos, ("a.jpg", 0, "ann"), ("b.jpg", 4, "ann"), ("a.jpg", 2, "ann"))
    file.write_bytes(file.read_bytes() + b"c.jpg,1,an")
    frame = read(photos, "labels.csv", **(LABELS | {"rater": None}))
    assert frame.set_index("id")["grade"].to_dict() == {"a.jpg": 2, "b.jpg": 4}
    label(photos, ("a.jpg", 1, "bob"))
    said = problems(photos, "labels.csv", **(LABELS | {"rater": None}))
    assert "doubled id (1): " in said
    assert "declare rater=" in said
    said = problems(photos, "labels.csv", **(LABELS | {"rater": "labeler"}))
    assert (
        "missing column (1): row 1: labeler: found id, grade, labeller, seconds, when; did" in said
    )
