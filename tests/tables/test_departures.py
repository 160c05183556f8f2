"""Which settings are not the algorithm's own: found in any profile, none forgotten, each with its
reason."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from riqa_lib.tables import departures
from riqa_lib.tables.published import published
from riqa_lib.training.photo_profiles import BASELINES, PROFILES, ROWS
from riqa_lib.training.photographs import METHODS, settings

SIX = [name for name in METHODS if name not in ("supervised", "mean_teacher")]
NETWORKS = [row for row in ROWS if row not in BASELINES]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_departure_of_a_profile_has_a_reason_and_a_source(profile):
    for row in NETWORKS:
        found = departures.departures(settings(profile, row).config(""))
        assert found["why"].str.len().gt(10).all(), row
        assert found["source"].str.len().gt(3).all(), row
        assert (found["why"] != departures.NO_REASON).all(), row


@pytest.mark.parametrize("method", SIX)
def test_each_setting_of_each_algorithm_has_a_published_value(method):
    """A new setting of a method must say what the paper has."""
    table = published("method_settings")
    known = set(table["setting"][table["method"].isin([method, departures.EVERY])])
    own = {f"method.{f.name}" for f in dataclasses.fields(METHODS[method].Config)}
    assert own - {"method.name"} == {name for name in known if name.startswith("method.")}


def test_no_published_setting_is_there_twice_or_without_a_source():
    table = published("method_settings")
    assert not table.duplicated(["method", "setting"]).any()
    assert table[["paper", "source"]].notna().all().all()
    assert set(table["method"]) == {*SIX, departures.EVERY}


def test_what_is_named_is_what_differs():
    found = departures.departures(settings("demo", "fixmatch").config(""))
    assert dict(zip(found["setting"], found["ours"], strict=True)) == {
        "train.strong": "quality",
        "method.weak": "ema",
        "method.tau": "0.7",
        "method.align": "True",
    }
    assert dict(zip(found["setting"], found["paper"], strict=True))["method.tau"] == "0.95"
    papers = {"train.strong": "randaugment", "fixmatch.tau": 0.95, "fixmatch.weak": "train"}
    papers |= {"fixmatch.align": False}
    none = settings("demo", "fixmatch", overrides=papers).config("")
    assert departures.departures(none).empty
    assert departures.stored_words(none) == "none"
    assert departures.show(none) == "Every setting is as in the algorithm's paper."
    given = settings("demo", "fixmatch", overrides=papers | {"fixmatch.lambda_u": 3.0}).config("")
    (own,) = departures.departures(given).to_dict("records")
    assert (own["setting"], own["ours"], own["why"]) == (
        "method.lambda_u",
        "3.0",
        "set for this run",
    )


def test_a_paper_may_give_several_values_or_a_share_of_the_steps():
    config = settings("demo", "freematch", overrides={"freematch.lambda_e": 0.05}).config("")
    assert "method.lambda_e" not in set(departures.departures(config)["setting"])
    for ramp, departs in ((60, False), (59, True)):
        config = settings("demo", "adamatch", overrides={"adamatch.ramp": ramp}).config("")
        assert config["train"]["steps"] == 120
        assert ("method.ramp" in set(departures.departures(config)["setting"])) == departs


def test_rows_without_a_paper_say_so():
    for row in ("supervised", "supervised_equal", "mean_teacher"):
        config = settings("demo", row).config("")
        assert departures.stored_words(config) == "none"
        assert departures.show(config).endswith("no algorithm of a paper; its settings are ours.")


def test_rows_that_share_a_departure_stand_together():
    lines = []
    for row in ("crmatch", "fixmatch", "supervised"):
        words = departures.stored_words(settings("demo", row).config(""))
        lines += [{"run": f"{row}-abc{s}", "method": row, "seed": s, "departs": words}
                  for s in (0, 1)]  # fmt: skip
    table = departures.of_runs(pd.DataFrame(lines))
    by = table.set_index("setting")
    assert by.loc["train.strong", "rows"] == "ViT + FixMatch; ViT + CRMatch"
    assert by.loc["fixmatch.weak", "rows"] == "ViT + FixMatch"
    assert by.loc["crmatch.lambda_rot", ["rows", "paper", "ours"]].tolist() == [
        "ViT + CRMatch", "1", "0.1"
    ]  # fmt: skip
    assert table["why"].str.len().gt(10).all()
    assert not table.duplicated().any()
    text = departures.show_runs(pd.DataFrame(lines))
    assert text.startswith("Not as in the algorithm's paper:\n\n| rows | setting | paper | ours | ")


def test_runs_of_before_stored_none():
    before = pd.DataFrame({"run": ["fixmatch-a"], "method": ["fixmatch"], "seed": [0]})
    assert departures.of_runs(before).empty
    assert departures.show_runs(before).startswith("These runs did not store")
    assert departures.show_runs(before.assign(departs=float("nan"))).startswith("These runs did")
