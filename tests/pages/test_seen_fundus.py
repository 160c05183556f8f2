"""Fundus photographs of notebooks 14, 15 and 18: the right pictures with the right words, and
views that change no grey level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words
from fundus_students import student

from riqa_lib.assess import explain, fundus_student
from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.pages import seen_fundus
from riqa_lib.scales import DETAILS

SIDE = 12


def made(folder, name="eyeq_d", ids=("a", "b", "c"), simulated=True):
    """A set whose pictures are known by their grey level."""
    n = len(ids)
    frame = pd.DataFrame({"id": ids, "grade": [2, 0, -1] * (n // 3) + [1] * (n % 3)})
    frame = frame.assign(**dict.fromkeys(DETAILS, 1))
    pixels = (
        np.zeros((n, SIDE, SIDE, 3), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    )
    info = {"name": name, "simulated": simulated, "classes": 3, "size": SIDE}
    return DataSet(folder / name, frame, pixels, info)


def said(method, good, seed=0):
    table = pd.DataFrame(good, columns=[f"d_{d}" for d in DETAILS])
    people = dict(zip(DETAILS, ([1, 0, 1], [1, 0, 1], [1, 0, 1]), strict=True))
    return table.assign(id=["c", "b", "a"], set="eyeq_d", method=method, seed=seed, **people)


def test_pictures_stand_beside_what_people_say_of_them(tmp_path):
    first = said("teacher", [(0.9,) * 3, (0.1,) * 3, (0.2, 0.2, 0.9)])
    other = said("multi_eyeq", [(0.6,) * 3, (0.7,) * 3, (0.8,) * 3])
    alone = said("multi_eyeq", [(0.5,) * 3] * 3, seed=1)  # seeds that one row has
    late = said("teacher", [(0.5,) * 3] * 3, seed=3)
    both = pd.concat([alone, late, other, first], ignore_index=True)
    figure, told = seen_fundus.beside_people(made(tmp_path), both, ["teacher", "multi_eyeq"])
    pictures = [ax for ax in figure.axes if ax.images]
    assert [int(ax.images[0].get_array().max()) for ax in pictures] == [1, 2, 0]
    assert [ax.get_title(loc="center") for ax in pictures] == [
        "people: reject",
        "no overall grade",
        "people: good",
    ]
    dots = [ax for ax in figure.axes if ax.lines][-1]
    marks = [line.get_xdata()[0] for line in dots.lines if line.get_marker() == "o"]
    assert marks == pytest.approx([0.8, 0.2, 0.8, 0.2, 0.1, 0.2])  # picture a, both rows
    assert "all three details of 2 of 3 pictures" in told
    apart = pd.concat([first, alone])
    with pytest.raises(ValueError, match="no seed that all of teacher, multi_eyeq have"):
        seen_fundus.beside_people(made(tmp_path), apart, ["teacher", "multi_eyeq"])


def test_answers_that_are_withheld_are_shown_the_least_sure_first(tmp_path):
    one = fundus_student.load(student(tmp_path / "run"))
    own = (one.predictions["set"] == "eyeq") & (one.predictions["split"] == "test")
    tests = one.predictions[own]
    p = pd.DataFrame(0.0, index=tests.index, columns=["p0", "p1", "p2"]).assign(p2=1.0)
    truth = pd.Series(2, tests.index)
    unsure = tests.index[[5, 9]]
    p.loc[unsure] = [[0.4, 0.3, 0.3], [0.33, 0.33, 0.34]]
    truth[unsure[0]] = 1
    one.predictions.loc[own, ["p0", "p1", "p2"]] = p
    one.predictions.loc[own, "truth"] = truth
    data = made(tmp_path, "eyeq", tuple(tests["id"]))
    figure, told = seen_fundus.abstained(data, one)
    pictures = [ax for ax in figure.axes if ax.images]
    assert [int(ax.images[0].get_array().max()) for ax in pictures] == [9, 5]
    heads = [ax.get_title(loc="center") for ax in pictures]
    assert heads[0].startswith("people: good\nlikeliest good (0.")
    assert heads[1].startswith("people: usable\nlikeliest reject (0.")
    assert told.startswith(f"It withholds 2 of {len(tests)} answers (3 %): 50 % of them would be")
    assert "0 % of those given are wrong" in told
    one.predictions.loc[own, ["p0", "p1", "p2"]] = [0.0, 0.0, 1.0]
    assert seen_fundus.abstained(data, one) == (
        None,
        f"It gives each of {len(tests)} test pictures a grade.",
    )


def test_views_move_a_picture_and_change_no_grey_level(tmp_path):
    data = made(tmp_path)
    data.pixels[0, 3:9, 3:5] = 200
    figure, told = seen_fundus.views(data, SIDE, 6)
    shown = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert len(shown) == 7
    assert all(sorted(view.ravel()) == sorted(shown[0].ravel()) for view in shown)
    assert any(not np.array_equal(view, shown[0]) for view in shown)
    assert "6 views of one picture: 12 of its 12 px" in told
    assert f"{shown[0].mean():.1f} to {shown[0].mean():.1f} of 255" in told
    assert "view 6" in words(figure)


def test_a_sheet_of_maps_is_read():
    fields = np.ones((2, 4, 4), bool)
    where = np.zeros((4, 4), bool)
    where[0] = True
    cams = np.zeros((2, 4, 4), np.float32)
    cams[0, 0, 1] = 1.0
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    sheet = explain.Sheet(pixels, fields, {"x": cams}, {"x": [where, where]}, ["", ""])
    # the second map is 0 throughout and counts as chance: a quarter of the field
    said = explain.read(sheet)
    assert said.startswith(
        "Of 2 maps that have a true region, 1.2 have their greatest value in it;"
    )
    assert "would 0.5 times. 1 of 2 maps are 0 throughout" in said
    none = explain.Sheet(pixels, fields, {"x": cams}, {"x": [None, None]}, ["", ""])
    assert explain.read(none).startswith("None of these pictures has a true region. 1 of 2 maps")
