"""Graders asked about pristine pictures and their copies: frame, tables, figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.figures.levels_against_grade import BANDS, levels_against_grade
from riqa_lib.pictures.distorted_copies import Recipe, copies
from riqa_lib.stats import label_free
from riqa_lib.tables import label_free_tests
from riqa_lib.training.label_free_runs import levels_graded

KINDS = (1, 8, 11, 18)
RECIPE = Recipe(KINDS, lengths=1.0, seed=2)


def pictures(n: int = 5, side: int = 24):
    """Smooth pictures of their own contrast."""
    g = np.random.default_rng(7)
    y, x = np.mgrid[:side, :side] / side
    out = {}
    for k in range(n):
        a, b, c = g.uniform(2, 9, 3)
        wave = np.stack([np.sin(a * x + b * y), np.cos(b * x), np.sin(c * y)], axis=-1)
        out[f"p{k}"] = np.round(127 + (20 + 12 * k) * wave).astype(np.uint8)
    return out


def roughness(pixels):
    """A grader: the less neighbours differ, the better."""
    x = pixels.astype(float)
    return 4 - np.abs(np.diff(x, axis=1)).mean(axis=(1, 2, 3)) / 10


def brightness(pixels):
    return pixels.astype(float).mean(axis=(1, 2, 3)) / 64


GRADERS = {"ridge": roughness, "forest": brightness, "constant": lambda x: np.full(len(x), 2.0)}


@pytest.fixture(scope="module")
def frame():
    return levels_graded(GRADERS, pictures(), RECIPE)


# ---------------------------------------------------------------- the frame
def test_each_row_says_its_grade_of_each_copy(frame):
    assert len(frame) == 3 * 5 * (1 + 5 * len(KINDS))
    for name, pixels in pictures().items():
        made = copies(pixels, RECIPE)
        for row, grader in GRADERS.items():
            its = frame[(frame["row"] == row) & (frame["picture"] == name)]
            expected = grader(made.pixels[made.table["at"]]).round(6)
            assert its["grade"].to_numpy() == pytest.approx(expected)
            told = its[made.table.columns.drop("at")].reset_index(drop=True)
            pd.testing.assert_frame_equal(told, made.table.drop(columns="at"))


def test_a_copy_is_graded_once_for_all_levels_that_are_the_same_picture():
    asked = []

    def counting(pixels):
        asked.append(len(pixels))
        return roughness(pixels)

    levels_graded({"a": counting}, pictures(2), Recipe((8, 18)))
    own = [len(copies(x, Recipe((8, 18))).pixels) for x in pictures(2).values()]
    assert asked == own
    assert max(own) < 11


def test_pictures_may_come_one_by_one(frame):
    again = levels_graded(GRADERS, iter(pictures().items()), RECIPE, total=5)
    pd.testing.assert_frame_equal(again, frame)


def test_what_is_wrong_is_named():
    some = pictures(1)
    with pytest.raises(ValueError, match="no grader given"):
        levels_graded({}, some)
    with pytest.raises(ValueError, match="no pristine picture given"):
        levels_graded(GRADERS, {}, Recipe((1,)))
    with pytest.raises(ValueError, match="two pictures are called 'p0'"):
        levels_graded(GRADERS, [*some.items(), *some.items()], Recipe((8,)))
    with pytest.raises(ValueError, match=r"odd: of p0 and its copies: expected 5 finite grades"):
        levels_graded({"odd": lambda x: x}, some, Recipe((8,)))
    with pytest.raises(ValueError, match=r"odd: .*, 5 not finite"):
        levels_graded({"odd": lambda x: np.full(len(x), np.nan)}, some, Recipe((8,)))
    with pytest.raises(ValueError, match=r"kinds is \(99,\); expected each of them 1 to 25"):
        levels_graded(GRADERS, some, Recipe((99,)))


# ---------------------------------------------------------------- the tables
def test_the_tests_of_a_row_are_those_of_its_grades(frame):
    """Arrays by hand; only distortions count whose damage must rise (not 18)."""
    table = label_free_tests.every_test(frame, 50, seed=1).set_index("row")
    names, counted = sorted(pictures()), (1, 8, 11)
    for row in GRADERS:
        its = frame[frame["row"] == row].set_index(["picture", "distortion", "level"])
        pristine = [its.loc[(p, 0, 0), "grade"] for p in names]
        places = [[[(p, k, a) for a in range(1, 6)] for k in counted] for p in names]
        grades = [[[its.loc[c, "grade"] for c in one] for one in of] for of in places]
        new = [[[its.loc[c, "same"] == c[2] for c in one] for one in of] for of in places]
        close = [
            [[[its.loc[c, "ssim"], -its.loc[c, "gmsd"], -its.loc[c, "mse"]] for c in one]
             for one in of] for of in places
        ]  # fmt: skip
        of = label_free.graded(pristine, grades, new, close)
        for name in label_free.TESTS:
            value, low, high = label_free.with_interval(of, name, 50, seed=1)
            assert table.loc[row, [name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(
                [value, low, high], nan_ok=True
            )
        assert table.loc[row, "d_random"] == label_free.chance_of_d(of, seed=1)
        assert table.loc[row, "pairs"] == label_free.content_pairs(of)[0].sum() > 20
    assert table[["pictures", "distortions"]].drop_duplicates().to_numpy().tolist() == [[5, 3]]
    assert table.loc["ridge", "l"] > 0.2 > table.loc["constant", "l"] == 0


def test_each_distortion_by_itself(frame):
    table = label_free_tests.by_distortion(frame, 50).set_index(["row", "distortion"])
    of, kinds = label_free_tests.graded_of(frame, "ridge")
    assert kinds["distortion"].tolist() == [*KINDS]
    noise = of.only([2])
    told = table.loc[("ridge", 11)]
    assert told["l"] == label_free.l_test(noise)[0] == 1.0
    assert told["lists"] == 5
    assert told["fall"] == pytest.approx((noise.copies[..., 0] - noise.copies[..., 4]).mean())
    assert table.loc[("ridge", 18), ["l", "p", "steps"]].isna().all()
    assert not table.loc[("ridge", 18), "counted"]
    blur = table.loc[("ridge", 1), "l"]
    assert blur < 0  # what is smoothed is liked better by this grader
    named = label_free_tests.weakest(table.reset_index(), "ridge")
    assert named[0] == "Gaussian blur"
    assert "mean shift" not in named


def test_curves_are_means_over_pictures(frame):
    table = label_free_tests.curves(frame, 60)
    assert len(table) == 3 * len(KINDS) * 6
    for _, one in table.sample(12, random_state=0).iterrows():
        level = one["level"]
        kind = one["distortion"] if level else 0
        mine = frame[(frame["row"] == one["row"]) & (frame["distortion"] == kind)]
        grades = mine.loc[mine["level"] == level, "grade"]
        assert one["grade"] == pytest.approx(grades.mean())
        assert grades.min() <= one["grade_low"] <= one["grade"] <= one["grade_high"]


def test_one_picture_has_no_interval(frame):
    one = frame[frame["picture"] == "p1"]
    assert label_free_tests.curves(one, 10)["grade_low"].isna().all()
    table = label_free_tests.every_test(one, 10)
    assert table[["d_low", "l_high"]].isna().all(axis=None)
    assert table["d"].notna().all()


def test_the_table_as_text_says_what_is_by_chance(frame):
    text = label_free_tests.show(label_free_tests.every_test(frame, 20))
    lines = text.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [
        "ridge on frozen maps", "statistics + forest", "best constant", "(at random)",
    ]  # fmt: skip
    assert lines[-1].endswith("| 0.00 | 0.50 | 0.50 | 0.50 |")
    assert "[" in lines[2]


def test_a_frame_that_lacks_something_is_told(frame):
    with pytest.raises(ValueError, match="levels: no column grade"):
        label_free_tests.every_test(frame.drop(columns="grade"))
    with pytest.raises(ValueError, match="no row 'vit'; found ridge, forest, constant"):
        label_free_tests.graded_of(frame, "vit")
    renamed = frame.copy()
    renamed.loc[3, "level"] = 5
    for spoilt in (frame.drop(index=3), pd.concat([frame, frame.iloc[3:4]]), renamed):
        with pytest.raises(ValueError, match="ridge: expected each of 4 distortions at levels 1"):
            label_free_tests.every_test(spoilt)
    alone = label_free_tests.subset(frame, [18])
    assert {*alone["distortion"]} == {0, 18}
    with pytest.raises(ValueError, match="none of mean shift must get worse"):
        label_free_tests.every_test(alone)


# ---------------------------------------------------------------- the figure
def test_the_figure_has_a_panel_a_distortion_and_a_line_a_row(frame):
    table = label_free_tests.curves(frame, 20)
    figure = levels_against_grade(table, simulated=False)
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == [
        "1 Gaussian blur", "8 colour saturation 2", "11 white noise", "18 mean shift*",
    ]  # fmt: skip
    for ax, kind in zip(shown, KINDS, strict=True):
        its = table[table["distortion"] == kind].set_index(["row", "level"])["grade"]
        lines = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
        assert lines["ridge on frozen maps"] == its["ridge"].tolist()
        assert len(lines) == len(GRADERS)
        assert len(ax.collections) == len(GRADERS)  # bands
    assert any("need not fall" in text.get_text() for text in shown[3].texts)
    assert not any("need not fall" in text.get_text() for ax in shown[:3] for text in ax.texts)


def test_many_rows_have_no_bands(frame):
    one = label_free_tests.curves(frame[frame["row"] == "ridge"], 20)
    many = pd.concat([one.assign(row=f"run {k}") for k in range(BANDS + 1)])
    figure = levels_against_grade(many, simulated=True)
    assert not figure.axes[0].collections
    assert len({line.get_color() for line in figure.axes[0].lines}) == BANDS + 1
    with pytest.raises(ValueError, match="table: no column grade_low"):
        levels_against_grade(many.drop(columns="grade_low"), simulated=True)
