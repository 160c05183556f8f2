"""What rows know within subsets: the table's numbers, and who is found out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.seeding import rng
from riqa_lib.stats.within import bootstrap_within, within
from riqa_lib.tables import subsets
from riqa_lib.tables.table1 import class_counts
from riqa_lib.training.baselines import as_probabilities

P = [f"p{k}" for k in range(5)]
SIZES = {"ss01": 60, "ss02": 40, "ss03": 50}
LEVEL = {"ss01": 0.8, "ss02": 2.0, "ss03": 3.2}
RESAMPLES = 100


@pytest.fixture(scope="module")
def long():
    """A network that knows pictures, one that knows only their subset (and some noise), the
    subset's mean; three seeds of each, test pictures and some of validation."""
    g = rng("subsets")
    source = np.repeat([*SIZES], [*SIZES.values()])
    level = np.array([LEVEL[s] for s in source])
    quality = np.clip(level + g.normal(0, 0.7, len(source)), 0, 4)
    frame = pd.DataFrame({"id": [f"i{i}" for i in range(len(source))], "source": source})
    frame = frame.assign(group=frame["id"], truth=np.round(quality).astype(int), score=quality)
    frame["split"] = np.where(np.arange(len(source)) % 10 == 9, "val", "test")
    parts = []
    for seed in range(3):
        noise = g.normal(0, 0.4, (2, len(source)))
        says = {"fixmatch": quality, "simmatch": level + noise[0], "source_mean": level}
        says["fixmatch"] = says["fixmatch"] + noise[1]
        for method, expected in says.items():
            p = pd.DataFrame(as_probabilities(expected, 5), columns=P)
            parts.append(pd.concat([frame, p], axis=1).assign(method=method, seed=seed, labels=90))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def counts():
    grade = [0, 1, 1, 1, 2, 4, 4, -1, 0, 0, 0, 0]
    split = ["train"] * 7 + ["pool"] + ["test"] * 4
    return class_counts(pd.DataFrame({"source": "ss01", "split": split, "grade": grade}))


@pytest.fixture(scope="module")
def table(long, counts):
    return subsets.subsets(long, counts, False, RESAMPLES, seed=3)


def of(table, method):
    return table[table["method"] == method].set_index("part")


def test_parts_and_what_each_row_is(table):
    kinds = table.drop_duplicates("method").set_index("method")["kind"].to_dict()
    assert kinds == {
        "constant": "constant",
        "source_mean": "subset mean",
        "fixmatch": "network",
        "simmatch": "network",
    }
    assert subsets.KINDS["forest"] == subsets.KINDS["ridge"] == "no network"
    sizes = {"all": 135, "within": 135, "ss01": 54, "ss02": 36, "ss03": 45}  # of split test
    for method, seeds in (("constant", 0), ("fixmatch", 3), ("source_mean", 3)):
        own = of(table, method)
        assert own["pictures"].to_dict() == sizes
        assert set(own["seeds"]) == {seeds}
    assert set(table["against"]) == {"score"}
    assert set(table["data"]) == {"real"}
    assert set(table.loc[table["method"] == "constant", "labels"]) == {7}


def test_numbers_are_those_of_the_metrics_and_their_bootstrap(table, long):
    test = long[long["split"] == "test"]
    _, found = bootstrap_within(test, "fixmatch", RESAMPLES, 3)
    own = of(table, "fixmatch")
    each = [within(one) for _, one in test[test["method"] == "fixmatch"].groupby("seed")]
    for metric in ("srcc", "mae"):
        mean = np.mean([one[f"{metric}_within"] for one in each])
        assert own.loc["within", metric] == pytest.approx(mean)
        assert own.loc[[*SIZES], metric].mean() == pytest.approx(mean)
        names = {"all": metric, "within": f"{metric}_within", "ss02": f"{metric} in ss02"}
        for part, name in names.items():
            shown = own.loc[part, [metric, f"{metric}_low", f"{metric}_high"]].tolist()
            assert shown == pytest.approx(found.interval("fixmatch", name))


def test_the_constant_is_the_best_of_the_training_labels(table, long):
    test = long[(long["split"] == "test") & (long["method"] == "fixmatch") & (long["seed"] == 0)]
    own = of(table, "constant")
    assert own.loc["all", "mae"] == pytest.approx((test["truth"] - 1).abs().mean())
    assert own["srcc"].isna().all()
    assert set(own["note"]) == {subsets.SAME}


def test_who_only_knows_the_subset_is_found_out(table):
    for method in ("fixmatch", "simmatch", "source_mean"):
        assert of(table, method).loc["all", "srcc"] > 0.7
    said = {m: subsets.beyond(of(table, m).loc["within"]) for m in table["method"].unique()}
    assert said == {
        "constant": f"no: {subsets.SAME}",
        "source_mean": f"no: {subsets.SAME}",
        "fixmatch": "yes",
        "simmatch": "not shown: the subset may be all it knows",
    }


def test_the_markdown_view(table):
    shown = subsets.show(table)
    srcc, mae, note = shown.strip().split("\n\n")
    head = "|  | what it is | beyond the subset | SRCC ↑, all pictures | SRCC ↑, within | "
    assert srcc.startswith(f"{head}SRCC ↑, ss01 | SRCC ↑, ss02 | SRCC ↑, ss03 |")
    constant = (
        "| best constant (7 labels) | constant | no: says the same of all pictures of a subset"
    )
    assert f"{constant} | – | – | – | – | – |" in srcc
    assert "| mean of its subset (90 labels) | subset mean | no: says" in srcc
    best = {line.split("|")[1].strip() for line in srcc.splitlines() if "**" in line}
    assert best == {"ViT + FixMatch (90 labels)"}
    row = of(table, "fixmatch").loc["within"]
    cell = f"{row['mae']:.2f} [{row['mae_low']:.2f}, {row['mae_high']:.2f}]"
    (line,) = [line for line in mae.splitlines() if "FixMatch" in line]
    assert f"| **{cell}** |" in line
    assert len(mae.splitlines()) == len(srcc.splitlines()) == 6
    assert note.startswith(
        "Real data, 3 seeds; test pictures: ss01 54, ss02 36, ss03 45. Bold: the best point "
    )
    assert "against the score" in note


def test_a_subset_that_is_not_judged_is_named(long, counts):
    some = long[long["split"] == "test"].copy()
    few = some[some["source"] == "ss02"]["id"].unique()[5:]
    some = some[~some["id"].isin(few) & (some["method"] == "fixmatch")]
    some.loc[some["source"] == "ss03", "score"] = 3.0
    found = subsets.subsets(some, counts, True, RESAMPLES)
    own = of(found, "fixmatch")
    assert own.loc["ss02", "note"] == "5 pictures, fewer than 10"
    assert own.loc["ss02", ["srcc", "mae", "mae_low"]].isna().all()
    assert own.loc["within", "srcc"] == pytest.approx(own.loc["ss01", "srcc"])
    assert own.loc["within", "mae"] == pytest.approx(own.loc[["ss01", "ss03"], "mae"].mean())
    assert own.loc["within", "pictures"] == 54 + 45
    words = "without ss02: 5 pictures, fewer than 10; without ss03: all 45 pictures have the same"
    assert own.loc["within", "note"].startswith(words)
    assert words in subsets.show(found)
    assert subsets.show(found).count("Simulated data") == 1


def test_two_numbers_of_labels_are_two_rows(long, counts):
    one = long[long["method"] == "fixmatch"]
    found = subsets.subsets(pd.concat([one, one.assign(labels=300)]), counts, False, 5)
    own = found[found["method"] == "fixmatch"]
    assert own.groupby("labels").size().to_dict() == {90: 5, 300: 5}
    assert subsets.show(found).count("ViT + FixMatch") == 4


def test_one_source_and_none(long, counts):
    found = subsets.subsets(long.assign(source="ss01"), counts, False)
    assert found.empty
    assert {*subsets.COLUMNS, "srcc_high", "note"} <= {*found}
    assert "are of one source" in subsets.show(found)
    with pytest.raises(ValueError, match="predictions: no column source; found"):
        subsets.subsets(long.drop(columns="source"), counts, False)
