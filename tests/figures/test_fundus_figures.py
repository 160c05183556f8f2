"""Figures of fundus runs: where what they draw stands, and the sentence that reads it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.figures import expert_figures, explanations, fundus_results, style
from riqa_lib.figures.called_details import called_details
from riqa_lib.scales import DETAILS
from riqa_lib.tables import paired_differences

PAIRS = (
    ("multi_eyeq", "single_eyeq", -0.02, -0.05, 0.01),
    ("multi_eyeq", "forest_eyeq", -0.20, -0.30, -0.10),
    ("multi_lite0_eyeq", "forest_eyeq", 0.10, 0.05, 0.15),
)


def differences():
    rows = [
        {"a": a, "b": b, "quantity": "overall", "metric": m, "set": "eyeq"}
        | {"difference": d + move, "low": low + move, "high": high + move}
        for a, b, d, low, high in PAIRS
        for m, move in (("macro_f1", 0.0), ("auc", 0.02))
    ]
    return pd.DataFrame(rows)


def test_differences_stand_on_one_axis_and_are_filled_where_they_are_shown():
    figure = fundus_results.differences(differences(), simulated=True)
    assert style.data_label(figure) == "simulated data"
    (ax,) = figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    at = [dot.get_xdata()[0] for dot in dots]
    assert at == pytest.approx([-0.02, 0.0, -0.2, -0.18, 0.1, 0.12])
    places = [dot.get_ydata()[0] for dot in dots]
    assert [round(y) for y in places] == [0, 0, 1, 1, 2, 2]
    assert places == sorted(places)  # a pair's measures apart, in order, none over another's
    hollow = [dot.get_markerfacecolor() == "white" for dot in dots]
    assert hollow == [True, True, False, False, False, False]
    assert [t.get_text() for t in ax.get_yticklabels()][1] == "multi-task\n− statistics + forest"
    assert "macro F1 | AUC of reject" in words(figure)
    upright = [line.get_xdata()[0] for line in ax.lines if [*line.get_ydata()] == [0, 1]]
    assert upright == [0]
    level = [line.get_ydata()[0] for line in ax.lines if [*line.get_xdata()] == [0, 1]]
    assert level == [0.5, 1.5]  # between the pairs
    assert np.diff(places)[::2] == pytest.approx(0.31)  # centred: half a place to either side
    assert places[0] + places[1] == pytest.approx(0)
    assert (
        style.data_label(fundus_results.differences(differences(), simulated=False))[:4] == "real"
    )
    for column in ("low", "high", "metric"):
        with pytest.raises(ValueError, match=f"table.*{column}"):
            fundus_results.differences(differences().drop(columns=column), simulated=True)
    with pytest.raises(ValueError, match="no row has an interval"):
        fundus_results.differences(differences().assign(low=np.nan), simulated=True)


def test_the_sentence_counts_both_sides_and_names_the_furthest():
    said = paired_differences.sentence(differences())
    assert said.startswith("By macro F1, of 3 differences 1 lies above 0 (furthest: multi-task, ")
    assert "multi-task, Lite0 − statistics + forest +0.100 [+0.050, +0.150]); 1 lies below" in said
    assert "multi-task − statistics + forest −0.200 [−0.300, −0.100]); 1 has 0 in" in said
    assert "cannot" not in said
    assert "can be judged" in paired_differences.sentence(differences().assign(low=np.nan))


def test_differences_of_a_figure_are_of_its_set_without_ablations():
    more = differences()
    other = more.assign(set="deepdrid")
    ablation = more.assign(a="multi_own_eyeq")
    every = pd.concat([more, other, ablation], ignore_index=True)
    mine = paired_differences.of_comparisons(every, "eyeq")
    assert len(mine) == len(more)
    assert "multi_own_eyeq" not in set(mine["a"])
    details = more.assign(quantity="clarity", metric="auc", primary=True, set="eyeq_d")
    details = details.assign(comparison=["multi v single", "Student v Teacher", "other"] * 2)
    assert len(paired_differences.of_details(details, "eyeq")) == 4
    assert paired_differences.of_details(details, "deepdrid").empty


# ---------------------------------------------------------------- details of rows, calibration
DETAIL_VALUES = {"teacher": (0.1, 0.2, 0.3), "forest": (0.4, 0.5, 0.6)}  # f1; auc is .3 more


def detail_rows():
    return pd.DataFrame(
        {"method": method, "row": method, "detail": detail, "f1": f1, "auc": f1 + 0.3}
        | {"f1_low": f1 - 0.05, "f1_high": f1 + 0.02, "auc_low": f1 + 0.2, "auc_high": f1 + 0.31}
        for method, values in DETAIL_VALUES.items()
        for detail, f1 in zip(DETAILS, values, strict=True)
    )


def test_each_row_s_details_stand_beside_each_other_with_their_intervals():
    # in another order than drawn
    figure = fundus_results.detail_points(detail_rows().iloc[[2, 0, 1, 5, 4, 3]], simulated=True)
    assert style.data_label(figure) == "simulated data"
    for ax, more, below, above in zip(
        figure.axes, (0, 0.3), (0.05, 0.1), (0.02, 0.01), strict=True
    ):
        drawn = [bar.lines for bar in ax.containers]
        for (dots, _, (bars,)), values, aside in zip(
            drawn, DETAIL_VALUES.values(), (-0.08, 0.08), strict=True
        ):
            mine = np.array(values) + more
            assert dots.get_xdata() == pytest.approx(np.arange(3) + aside)
            assert dots.get_ydata() == pytest.approx(mine)
            ends = np.array(bars.get_segments())[:, :, 1]
            assert ends == pytest.approx(np.stack([mine - below, mine + above], axis=1))
        assert [t.get_text() for t in ax.get_xticklabels()] == list(DETAILS)
    f1, auc = figure.axes
    chance = [line for line in auc.lines if [*line.get_xdata()] == [0, 1]]
    assert [line.get_ydata()[0] for line in chance] == [0.5]
    assert not [line for line in f1.lines if [*line.get_xdata()] == [0, 1]]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "Teacher",
        "statistics + forest",
    ]
    real = fundus_results.detail_points(detail_rows(), simulated=False)
    assert style.data_label(real) == "real data"


def test_calibration_stands_against_the_diagonal():
    table = pd.DataFrame(
        {"detail": detail, "said": said, "found": said / (k + 2)}
        for k, detail in enumerate(DETAILS)
        for said in (0.2, 0.8)
    )
    figure = fundus_results.calibration(table, simulated=True)
    assert style.data_label(figure) == "simulated data"
    (ax,) = figure.axes
    diagonal, *details = ax.lines
    assert ([*diagonal.get_xdata()], [*diagonal.get_ydata()]) == ([0, 1], [0, 1])
    for k, (line, detail) in enumerate(zip(details, DETAILS, strict=True)):
        assert line.get_label() == detail
        assert line.get_xdata() == pytest.approx([0.2, 0.8])
        assert line.get_ydata() == pytest.approx(np.array([0.2, 0.8]) / (k + 2))
    assert ax.get_xlabel().startswith("said")
    assert ax.get_ylabel().startswith("found")
    assert style.data_label(fundus_results.calibration(table, simulated=False)) == "real data"


# ---------------------------------------------------------------- maps
def made_maps():
    fields = np.ones((2, 8, 8), bool)
    fields[:, 0] = False
    cam = np.zeros((2, 8, 8), np.float32)
    cam[0, 4, 4] = 3.0
    where = np.zeros((8, 8), bool)
    where[3:6, 3:6] = True
    pixels = np.full((2, 8, 8, 3), 120, np.uint8)
    pixels[..., 0] = 180
    return pixels, fields, {"single: overall": cam}, {"single: overall": [where, None]}


def test_maps_lie_on_grey_with_the_contour_of_the_truth_and_words_at_the_left():
    pixels, fields, cams, regions = made_maps()
    figure = explanations.maps(pixels, fields, cams, regions, ["true a", "true b"], simulated=True)
    first, its, second, other, bar = figure.axes
    assert first.get_ylabel() == "true a"
    assert second.get_ylabel() == "true b"
    assert its.get_title(loc="center") == "single:\noverall"
    assert not other.get_title(loc="center")  # heads once
    assert "greatest" in bar.get_ylabel()
    drawn = its.images[0].get_array()
    assert (np.ptp(drawn, axis=2)[:4] == 0).all()  # grey where the map is 0
    assert drawn[4, 4, 0] > drawn[4, 4, 2] + 100
    assert (other.images[0].get_array() == 140).all()  # a map of 0 throughout is the picture
    assert [len(ax.collections) for ax in (its, other)] == [1, 0]
    (key,) = figure.legends[0].get_texts()
    assert key.get_text() == "true region of the defect"
    bare = explanations.maps(
        pixels, fields, cams, {"single: overall": [None, None]}, ["", ""], simulated=False
    )
    assert not bare.legends
    assert style.data_label(bare) == "real data"


def test_maps_that_do_not_fit_are_refused():
    pixels, fields, cams, regions = made_maps()
    with pytest.raises(ValueError, match="with 1 words"):
        explanations.maps(pixels, fields, cams, regions, ["a"], simulated=True)
    worse = {"single: overall": -cams["single: overall"]}
    with pytest.raises(ValueError, match="single: overall: maps"):
        explanations.maps(pixels, fields, worse, regions, ["a", "b"], simulated=True)


# ---------------------------------------------------------------- details
def test_dots_stand_on_the_side_where_people_put_a_detail_or_not():
    table = pd.DataFrame(
        {"illumination": [0, 1], "clarity": [1, 1], "contrast": [-1, 0]}
        | {"words": ["people: good", "people: bad"], "wrong": [True, False], "part": ["x", "y"]}
    )
    said = {"teacher": np.array([[0.9, 0.2, 0.3], [0.1, 0.4, 0.6]])}
    pixels = np.zeros((2, 6, 6, 3), np.uint8)
    figure = called_details(pixels, table, said, simulated=True, whose="the truth")
    picture, dots, _, second = figure.axes
    assert picture.get_title(loc="center") == "people: good"
    assert picture.title.get_color() == style.RED
    marks = [line for line in dots.lines if line.get_marker() == "o"]
    assert [mark.get_xdata()[0] for mark in marks] == [0.9, 0.2, 0.3]
    shaded = [(bar.get_x(), round(bar.get_y() + bar.get_height() / 2)) for bar in dots.patches]
    assert shaded == [(0.5, 0), (0.0, 1)]  # bad is at the right; of the third nobody said anything
    assert len(second.patches) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Teacher", "the truth"]
    assert "x" in words(figure)
    with pytest.raises(ValueError, match=r"2 rows of the table, but .* \[2, 1\]"):
        called_details(pixels, table, {"teacher": np.zeros((1, 3))}, simulated=True)
    with pytest.raises(ValueError, match="expected uint8"):
        called_details(pixels.astype(float), table, said, simulated=True)


# ---------------------------------------------------------------- experts
KAPPAS = {"teacher": (0.1, 0.2, 0.3), "forest": (0.4, 0.5, 0.6)}  # of the three details
EXPERTS = {"low": 0.25, "estimate": 0.34, "high": 0.45}  # of clarity alone


def test_kappas_stand_beside_those_of_the_experts():
    models = pd.DataFrame(
        {"method": method, "quantity": detail, "estimate": kappa}
        | {"low": kappa - 0.03, "high": kappa + 0.05}
        for method, kappas in KAPPAS.items()
        for detail, kappa in zip(DETAILS, kappas, strict=True)
    )
    among = pd.DataFrame([{"quantity": "clarity", "kappa": "mean pairwise"} | EXPERTS])
    figure = expert_figures.kappas(models, among, simulated=True)
    assert style.data_label(figure) == "simulated data"
    for k, ax in enumerate(figure.axes):
        assert ax.get_title("left") == DETAILS[k]
        lines = [tuple(map(tuple, line.get_data())) for line in ax.lines]
        for at, kappas in enumerate(KAPPAS.values()):
            assert ((kappas[k],), (at,)) in lines
            whiskers = [x for x, y in lines if y == (at, at)]
            assert whiskers == [pytest.approx((kappas[k] - 0.03, kappas[k] + 0.05))]
        upright = [x[0] for x, y in lines if y == (0, 1) and x[0] == x[1]]
        is_known = DETAILS[k] == "clarity"
        assert upright == ([EXPERTS["estimate"]] if is_known else []) + [0]
        bands = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
        assert bands == ([(EXPERTS["low"], pytest.approx(EXPERTS["high"]))] if is_known else [])
    first = figure.axes[0]
    assert [t.get_text() for t in first.get_yticklabels()] == ["Teacher", "statistics + forest"]
    bottom, top = first.get_ylim()
    assert bottom >= 1.25  # the first row is at the top, and all rows are within
    assert top <= -0.25
    real = expert_figures.kappas(models, among.head(0), simulated=False)
    assert not real.legends
    assert style.data_label(real) == "real data"
    with pytest.raises(ValueError, match=r"models.*estimate"):
        expert_figures.kappas(models.drop(columns="estimate"), among, simulated=True)


def test_each_cell_has_its_pictures_and_their_share_of_the_line():
    cells = [
        {"method": m, "detail": d, "truth": t, "said": s, "pictures": n + k + 10 * which}
        for which, m in enumerate(("teacher", "forest"))
        for k, d in enumerate(DETAILS)
        for (t, s), n in {(0, 0): 6, (0, 1): 2, (1, 0): 1, (1, 1): 0}.items()
    ]
    figure = expert_figures.confusion(pd.DataFrame(cells), simulated=True)
    assert style.data_label(figure) == "simulated data"
    assert [ax.get_title("left") for ax in figure.axes] == [*DETAILS, "", "", ""]
    there = {text.get_position(): text for text in figure.axes[0].texts}  # (said, truth)
    told = {at: text.get_text() for at, text in there.items()}
    assert told == {(0, 0): "6\n75%", (1, 0): "2\n25%", (0, 1): "1\n100%", (1, 1): "0\n0%"}
    colours = {at: text.get_color() for at, text in there.items()}
    white = {at for at, colour in colours.items() if colour == "white"}
    assert white == {(0, 0), (0, 1)}  # on what is dark
    shown = figure.axes[0].images[0].get_array()
    assert np.allclose(shown, [[0.75, 0.25], [1, 0]])
    assert figure.axes[1].texts[0].get_text() == "7\n70%"
    assert figure.axes[3].texts[0].get_text() == "16\n57%"
    assert figure.axes[0].get_ylabel() == "Teacher"
    assert figure.axes[3].get_ylabel() == "statistics + forest"
    assert figure.get_supxlabel() == "said by the model"
    assert figure.get_supylabel() == "label of the experts"
    real = expert_figures.confusion(pd.DataFrame(cells), simulated=False)
    assert style.data_label(real) == "real data"
