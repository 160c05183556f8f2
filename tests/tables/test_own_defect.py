"""Whether heads answer to their own defect: against slow loops, and against worlds where it is
known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riqa_lib.figures.own_defect_responses import own_defect_responses
from riqa_lib.figures.style import data_label
from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.sim.fundus_sets import plan
from riqa_lib.stats.resampling import resamples_of
from riqa_lib.tables import fundus_found, own_defect

EYES = 4


@pytest.fixture(scope="module")
def frame():
    return plan("single-defect", 18 * EYES)


def answered(frame, method, slope, shared=0.0, seeds=(0, 1), down=0.0):
    """A row whose heads rise by `slope` times the severity of their own defect and `shared` times
    that of any; down: of clarity, how much its first step falls."""
    parts = []
    for seed in seeds:
        g = rng("answers", method, seed)
        part = frame[["id", "group", "split"]].assign(method=method, seed=seed, set="single")
        part["truth"] = -1
        for d in DETAILS:
            own = frame["severity"].where(frame["cause"] == d, 0.0)
            bad = 0.1 + slope * own + shared * frame["severity"] + g.normal(0, 0.005, len(frame))
            bad -= down * ((own == 0.5) & (d == "clarity"))
            part[d], part[f"d_{d}"] = frame[d], 1 - bad.clip(0, 1)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- one defect at a time
def test_responses_are_means_and_intervals_of_eyes_and_seeds(frame):
    said = answered(frame, "multi_eyeq", 0.3)
    table = own_defect.responses(said, frame, resamples=50, seed=3)
    assert len(table) == 3 * 6 * 3
    at = ("clarity", 2.0, "clarity")
    row = table.set_index(["cause", "severity", "detail"]).loc[at]
    cell = frame[(frame["cause"] == "clarity") & (frame["severity"] == 2.0)]
    wide = said[said["id"].isin(cell["id"])].pivot_table(
        index="group", columns="seed", values="d_clarity"
    )
    wide = 1 - wide.loc[list(dict.fromkeys(frame["group"]))]
    assert row["bad"] == pytest.approx(wide.to_numpy().mean())
    assert row["called"] == pytest.approx((wide.to_numpy() > 0.5).mean())
    means = []
    for eyes, seeds in zip(*resamples_of(EYES, 2, 50, 3), strict=True):
        total = 0.0
        for i, e in enumerate(eyes):
            for k, s in enumerate(seeds):
                total += e * s * wide.iloc[i, k]
        means.append(total / (EYES * 2))
    assert (row["bad_low"], row["bad_high"]) == pytest.approx(
        tuple(np.quantile(means, [0.025, 0.975]))
    )


@pytest.mark.parametrize(
    ("slope", "shared", "down", "monotone", "own"),
    [
        (0.3, 0.0, 0.0, True, True),
        (0.02, 0.2, 0.0, True, True),  # most by its own, if only a little
        (0.0, 0.3, 0.0, True, False),  # all three rise together: none sees its own
        (0.3, 0.0, 0.3, False, True),
        (-0.02, 0.1, 0.0, True, False),
    ],
)
def test_verdicts_in_worlds_where_they_are_known(frame, slope, shared, down, monotone, own):
    said = answered(frame, "teacher", slope, shared, down=down)
    table = own_defect.verdicts(said, frame, resamples=200).set_index("detail")
    assert table.loc["clarity", "monotone"] == monotone
    assert table.loc["contrast", "monotone"]
    assert set(table["own"]) == {own}
    assert table.loc["contrast", "rise"] == pytest.approx(2.5 * (slope + shared), abs=0.02)
    assert table.loc["contrast", "over"] == pytest.approx(2.5 * slope, abs=0.02)
    words = fundus_found.heads_said(table.reset_index())
    rise = 3 if slope + shared > 0 else 0
    assert f"{rise - (not monotone)} of 3 heads rise" in words
    assert f"{3 * own} more than with another's" in words
    assert len(own_defect.show_verdicts(table.reset_index()).splitlines()) == 2 + 3 + 2


def test_the_other_defect_that_moves_a_head_most_counts(frame):
    said = answered(frame, "teacher", 0.2)
    wrong = frame["severity"].where(frame["cause"] == "illumination", 0.0) * 0.3
    moved = said["d_contrast"] - said["id"].map(dict(zip(frame["id"], wrong, strict=True)))
    table = own_defect.verdicts(said.assign(d_contrast=moved), frame, resamples=50)
    row = table.set_index("detail").loc["contrast"]
    assert row["over"] == pytest.approx(2.5 * (0.2 - 0.3), abs=0.02)
    assert not row["own"]


def test_one_eye_has_no_interval_and_a_gap_is_named(frame):
    one = frame[frame["group"] == "eye-1"]
    said = answered(one, "teacher", 0.3)
    table = own_defect.responses(said, one, resamples=20)
    assert table["bad_low"].isna().all()
    assert table["bad"].notna().all()
    verdicts = own_defect.verdicts(said, one, resamples=20)
    assert "0 more than with another's." in fundus_found.heads_said(verdicts)
    with pytest.raises(ValueError, match=r"no picture of eye-1, contrast, 2\.5"):
        own_defect.responses(said, one[one["id"] != "eye-1-contrast-2.5"])
    assert own_defect.responses(said.assign(set="mshf"), one).empty
    assert own_defect.show_verdicts(own_defect.verdicts(said.assign(set="mshf"), one)) == ""


def test_the_figure_shows_own_defects_a_line_a_row(frame):
    said = pd.concat(
        [answered(frame, m, s) for m, s in (("teacher", 0.3), ("multi_deepdrid", 0.1))]
    )
    table = own_defect.responses(said, frame, resamples=20)
    figure = own_defect_responses(table, simulated=True)
    assert data_label(figure) == "simulated data"
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(DETAILS)
    lines = [line for line in figure.axes[1].lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["Teacher", "multi-task (deepdrid)"]
    mine = (table["cause"] == "clarity") & (table["detail"] == "clarity")
    mine &= table["method"] == "teacher"
    assert np.allclose(lines[0].get_ydata(), table.loc[mine, "bad"])
    with pytest.raises(ValueError, match="to its own defect"):
        own_defect_responses(table[table["cause"] != table["detail"]], simulated=True)


# ---------------------------------------------------------------- the others held fixed
def together(n=240):
    """Details go bad together; this row knows how many are bad, not which."""
    g = rng("together")
    worse = g.random(n) < 0.5
    table = pd.DataFrame({"id": [f"i{k}" for k in range(n)], "group": [f"p{k}" for k in range(n)]})
    for d in DETAILS:
        table[d] = np.where(g.random(n) < 0.85, ~worse, worse).astype(int)
    table = table.assign(set="eyeq_d", split="test", truth=-1)
    parts = []
    for method, sees in (("teacher", 0.0), ("multi_eyeq", 3.0), ("forest_eyeq", 3.0)):
        of = table.assign(method=method, seed=0)
        for k, d in enumerate(DETAILS):
            others = table[[e for e in DETAILS if e != d]].sum(axis=1)
            x = others - 1 + sees * (table[d] - 0.5) + rng("x", method, k).normal(0, 1, n)
            of[f"d_{d}"] = 1 / (1 + np.exp(-x))
        parts.append(of)
    return pd.concat(parts, ignore_index=True)


def test_conditional_auc_unmasks_a_head_that_sees_only_the_others():
    said = together()
    table = own_defect.conditional(said, "eyeq_d", resamples=100)
    assert set(table["method"]) == {"teacher", "multi_eyeq"}  # forest_eyeq learnt no details
    by = table.set_index(["method", "detail", "among"])
    for d in DETAILS:
        assert by.loc[("teacher", d, "all"), "auc_low"] > 0.6
        assert by.loc[("teacher", d, "others bad"), "auc_low"] < 0.5
        assert by.loc[("multi_eyeq", d, "others bad"), "auc_low"] > 0.6
    part = said[(said["method"] == "multi_eyeq")]
    for among, value in (("others bad", 0), ("others good", 1)):
        rows = part[(part["illumination"] == value) & (part["contrast"] == value)]
        row = by.loc[("multi_eyeq", "clarity", among)]
        assert row["auc"] == pytest.approx(roc_auc_score(rows["clarity"] == 0, -rows["d_clarity"]))
        assert (row["pictures"], row["bad"]) == (len(rows), (rows["clarity"] == 0).sum())
    assert len(own_defect.show_conditional(table).splitlines()) == 2 + 2 * 3 + 2


def test_a_class_that_is_missing_has_no_auc_and_seeds_may_differ():
    said = together()
    more = said[said["method"] == "teacher"].assign(seed=1)
    said = pd.concat([said, more], ignore_index=True)
    bad = (said["illumination"] == 0) & (said["contrast"] == 0)
    table = own_defect.conditional(said[~bad | (said["clarity"] == 0)], "eyeq_d", resamples=20)
    by = table.set_index(["method", "detail", "among"])
    assert np.isnan(by.loc[("teacher", "clarity", "others bad"), "auc"])
    assert by.loc[("teacher", "clarity", "all"), "seeds"] == 2
    assert by.loc[("multi_eyeq", "clarity", "all"), "seeds"] == 1
    assert own_defect.conditional(said, "mshf").empty
