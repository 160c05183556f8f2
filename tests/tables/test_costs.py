"""What each row cost, against a slow loop over its runs."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from riqa_lib.tables import costs


def run(method: str, seed: int, labels: int = 100, **facts: object) -> dict[str, object]:
    plain = {"run": f"{method}-{seed}", "method": method, "seed": seed, "labels": labels}
    plain |= {"machine": "2 cores, A", "threads": 1, "unlabelled": 0, "pseudo_labels": 0}
    return plain | facts


RUNS = pd.DataFrame(
    [
        run("supervised", 0, steps=10, pictures_seen=320, train_seconds=4.0, seconds=6.0),
        run("supervised", 1, steps=10, pictures_seen=320, train_seconds=6.0, seconds=8.0),
        run("supervised", 2, steps=10, pictures_seen=320, train_seconds=50.0, seconds=60.0),
        run("fixmatch", 0, steps=10, pictures_seen=1600, train_seconds=15.0, unlabelled=900),
        run("fixmatch", 1, steps=10, pictures_seen=1600, train_seconds=25.0, unlabelled=900),
        run("simmatch", 0, steps=10, pictures_seen=1600, train_seconds=5.0, machine="8 cores, B"),
        run("fixmatch_second", 0, steps=10, pictures_seen=320, train_seconds=5.0,
            pseudo_labels=800),
        run("supervised_all", 0, labels=1299, steps=10, pictures_seen=320, train_seconds=5.0),
        run("forest", 0, pictures_seen=100, seconds=2.0),
    ]
)  # fmt: skip


def test_means_over_seeds_and_ratios_over_the_seeds_of_both():
    table = costs.costs(RUNS).set_index("method")
    assert list(table.index) == [
        "forest", "supervised", "supervised_all", "fixmatch", "fixmatch_second", "simmatch"
    ]  # fmt: skip
    for method, row in table.iterrows():
        mine = [r for r in RUNS.to_dict("records") if r["method"] == method]
        assert row["seeds"] == len(mine)
        for name in ("unlabelled", "pseudo_labels", "pictures_seen"):
            assert row[name] == sum(r[name] for r in mine) / len(mine)
    assert table.loc["fixmatch", "pictures_a_step"] == 160
    assert table.loc["fixmatch", "times_pictures"] == 5
    assert table.loc["fixmatch", "seconds"] == 20
    assert table.loc["fixmatch", "times_seconds"] == 20 / 5  # seeds 0 and 1 of both
    assert (
        table.loc["supervised", "times_pictures"] == table.loc["supervised", "times_seconds"] == 1
    )


def test_time_is_compared_on_one_machine_only():
    table = costs.costs(RUNS).set_index("method")
    assert table.loc["simmatch", "times_pictures"] == 5
    assert np.isnan(table.loc["simmatch", "times_seconds"])
    threads = RUNS.assign(threads=np.where(RUNS["method"] == "fixmatch", 2, 1))
    assert np.isnan(costs.costs(threads).set_index("method").loc["fixmatch", "times_seconds"])


def test_a_row_without_a_network_has_no_steps_and_no_ratio():
    row = costs.costs(RUNS).set_index("method").loc["forest"]
    assert row["seconds"] == 2
    assert row[["steps", "pictures_a_step", "times_pictures", "times_seconds"]].isna().all()


def test_a_multiple_of_nothing_is_not_known_and_warns_nobody():
    nothing = RUNS["method"] == "supervised"
    for column, multiple in (
        ("train_seconds", "times_seconds"),
        ("pictures_seen", "times_pictures"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = costs.costs(RUNS.assign(**{column: RUNS[column].mask(nothing, 0.0)}))
        row = table.set_index("method").loc["fixmatch"]
        assert np.isnan(row[multiple])
        assert "– |" in costs.show(RUNS.assign(**{column: RUNS[column].mask(nothing, 0.0)}))


def test_each_number_of_labels_is_held_against_its_own_supervised_row():
    more = pd.DataFrame([
        run("supervised", 0, labels=50, steps=10, pictures_seen=64, train_seconds=1.0),
        run("fixmatch", 0, labels=50, steps=10, pictures_seen=640, train_seconds=3.0),
    ])  # fmt: skip
    table = costs.costs(pd.concat([RUNS, more])).set_index(["method", "labels"])
    assert table.loc[("fixmatch", 50), "times_pictures"] == 10
    assert table.loc[("fixmatch", 100), "times_pictures"] == 5
    assert np.isnan(table.loc[("supervised_all", 1299), "times_pictures"])
    one = costs.costs(RUNS).set_index("method")
    assert one.loc["supervised_all", "times_pictures"] == 1  # one number of labels serves all


def test_runs_of_before_show_dashes():
    before = RUNS[["run", "method", "seed", "labels", "machine", "train_seconds"]]
    before = before[before["method"] != "forest"]
    lines = costs.show(before).splitlines()
    fixmatch = next(line for line in lines if line.startswith("| ViT + FixMatch ("))
    assert fixmatch == "| ViT + FixMatch (100 labels, 2 seeds) | – | – | – | – | – | 20.0 | 4.0 |"


def test_the_table_names_machines_and_says_what_a_second_stage_adds():
    text = costs.show(RUNS)
    name = "ViT + FixMatch (100 labels, 2 seeds)"
    assert f"| {name} | 900 | 10 | 160 | 1,600 | 5.0 | 20.0 | 4.0 |" in text
    assert "| ViT + FixMatch, second stage (100 labels, 1 seed) | 800 |" in text
    assert text.splitlines()[0].count("|") - 1 == 8
    assert "2 cores, A, 1 thread; 8 cores, B, 1 thread." in text
    assert text.rstrip().endswith("A second stage's costs come on top of its first's.")
    first = costs.show(RUNS[~RUNS["method"].str.endswith("_second")])
    assert "second stage" not in first
    assert len({line.count("|") for line in text.splitlines()[:8]}) == 1


@pytest.mark.parametrize("column", ["pictures_seen", "steps", "threads"])
def test_a_column_that_is_missing_is_a_dash_and_no_error(column):
    table = costs.costs(RUNS.drop(columns=column)).set_index("method")
    assert table.loc["fixmatch", "seconds"] == 20
    assert np.isnan(table.loc["fixmatch", "pictures_a_step"]) == (column != "threads")
