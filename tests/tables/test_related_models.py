"""The table of related work: every number by a slow way, verdicts against the simple rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.networks import lite0, lite0_moments
from riqa_lib.seeding import rng
from riqa_lib.stats import metrics, within
from riqa_lib.tables import related_models
from riqa_lib.tables.names import name_of

PICTURES = 120
# how far a row's answers are from the truth, in grades
OFF = {"brisque": 1.8, "ridge": 0.45, "supervised": 0.9, "dbcnn": 0.1}
P = [f"p{k}" for k in range(5)]


def predictions(seeds=(0, 1, 2), off=OFF, sources=2):
    g, parts = rng("related"), []
    truth = g.permutation(np.arange(PICTURES) % 5)
    front = pd.DataFrame({"id": [f"p{i:03d}" for i in range(PICTURES)], "truth": truth})
    front["group"], front["split"] = front["id"], "test"
    front["source"] = [f"s{i % sources}" for i in range(PICTURES)]
    front["score"] = truth + 0.2 * g.normal(size=PICTURES)
    for method, sd in off.items():
        for seed in seeds:
            said = np.clip(truth + sd * g.normal(size=PICTURES), 0, 4)
            p = np.maximum(0, 1 - np.abs(said[:, None] - np.arange(5)))
            rows = front.assign(method=method, seed=seed, labels=30)
            parts.append(rows.assign(**dict(zip(P, p.T, strict=True))))
    return pd.concat(parts, ignore_index=True)


def runs(table):
    out = table[["method", "seed", "labels"]].drop_duplicates().assign(run="x", backbone="")
    out["backbone"] = out["method"].map({"dbcnn": "VGG-16"}).fillna("")
    out["parameters"] = out["method"].map({"dbcnn": 15_000_000.0})
    out["seconds"] = 60.0 * (1 + out["seed"])
    return out.assign(pictures_a_second=100.0, machine="a machine", threads=1)


def made(seeds=(0, 1, 2), **how):
    told = predictions(seeds, **how)
    return told, related_models.table(told, runs(told), [2, 2, 3, 0], True, resamples=200)


@pytest.fixture(scope="module")
def both():
    return made()


# ---------------------------------------------------------------- numbers
def test_rows_in_order_with_every_metric_by_hand(both):
    told, table = both
    assert table["method"].tolist() == ["constant", "brisque", "ridge", "supervised", "dbcnn"]
    for row in table.to_dict("records")[1:]:
        own = told[told["method"] == row["method"]]
        each = [metrics.summary(rows) for _, rows in own.groupby("seed")]
        inside = [within.within(rows)["srcc_within"] for _, rows in own.groupby("seed")]
        for name in related_models.TITLES:
            wanted = np.mean(inside if name == "srcc_within" else [e[name] for e in each])
            assert row[name] == pytest.approx(wanted), (row["method"], name)
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
            assert row[f"{name}_high"] - row[f"{name}_low"] < 0.7
    assert table["seeds"].tolist() == [0, 3, 3, 3, 3]
    assert (table["against"] == "score").all()
    assert (table["pictures"] == PICTURES).all()


def test_the_constant_is_of_the_training_grades(both):
    told, table = both
    first = table.iloc[0]
    truth = told.drop_duplicates("id")["truth"]
    assert first["row"] == "best constant (always 2)"
    assert first["mae"] == pytest.approx((truth - 2).abs().mean())
    assert np.isnan(first["srcc"])


def test_costs_are_means_over_seeds(both):
    row = both[1].set_index("method").loc["dbcnn"]
    assert (row["parameters"], row["pictures_a_second"], row["minutes"]) == (15e6, 100, 2)
    assert row["backbone"] == "VGG-16"


def test_no_column_within_where_all_are_of_one_source():
    _, table = made((0,), off={"ridge": 0.5, "dbcnn": 0.2}, sources=1)
    assert "srcc_within" not in table
    assert "within subsets" not in related_models.show(table)


# ---------------------------------------------------------------- verdicts
def test_a_network_is_held_against_each_simple_row(both):
    table = both[1].set_index("method")
    ridge, brisque, constant = (name_of(m) for m in ("ridge", "brisque", "constant"))
    assert table.loc["dbcnn", "beats"] == "; ".join([constant, brisque, ridge])
    assert table.loc["dbcnn", ["open", "loses", "not_below"]].tolist() == ["", "", ""]
    assert table.loc["supervised", "loses"] == ridge
    assert constant in table.loc["supervised", "beats"]
    assert table.loc["supervised", "not_below"] == ridge
    assert (table.loc[["constant", "ridge"], ["beats", "open", "loses", "not_below"]] == "").all(
        axis=None
    )


def test_a_network_that_says_the_same_is_not_decided():
    told = predictions(off={"ridge": 0.5})
    table = related_models.table(
        pd.concat([told, told.assign(method="dbcnn")]), runs(told), [2], True, resamples=50
    )
    assert table.set_index("method").loc["dbcnn", "open"] == name_of("ridge")
    assert table.set_index("method").loc["dbcnn", "not_below"] == name_of("ridge")


def test_of_one_seed_there_are_point_estimates_only():
    _, table = made((0,))
    said = related_models.show(table).splitlines()
    ours, theirs = (
        next(line for line in said if line.startswith(f"- {name_of(m)}: "))
        for m in ("supervised", "dbcnn")
    )
    assert f"does not pass, by point estimates: {name_of('ridge')}." in ours
    assert "passes all (point estimates)" in theirs
    assert sum(line.startswith("- ") for line in said) == 2  # of networks alone
    assert table.set_index("method").loc["dbcnn", "beats"] == ""


def test_a_higher_srcc_alone_is_not_passed():
    told = predictions((0,), off={"ridge": 0.5, "dbcnn": 0.2})
    table = related_models.table(told, runs(told), [2], True, resamples=20)
    rows = table.to_dict("records")
    rows[1]["srcc"] = 0.9999
    parts = {"constant": told, **dict(iter(told.groupby("method")))}
    found = related_models._against_simple(rows[2], parts, pd.DataFrame(rows))
    assert found["not_below"] == name_of("ridge")


# ---------------------------------------------------------------- shown
def test_what_is_shown(both):
    text = related_models.show(both[1])
    assert "Of every row that learns: labels 30; seeds 3." in text
    assert "| DBCNN | VGG-16 | 15,000,000 |" in text
    assert f"better than: {name_of('constant')}" in text
    assert f"worse than: {name_of('ridge')}" in text
    assert "Simulated data, 120 test pictures." in text
    assert "a machine, threads: 1" in text
    assert "another data set, not comparable row by row" in text
    assert "| HyperIQA | 0.906 | 0.917 | KonIQ-10k | quoted from a third party |" in text


def test_published_numbers_say_how_they_are_known():
    table = related_models.published_koniq()
    assert set(table["method"]) == {"", "dbcnn", "hyperiqa", "reiqa"}
    assert table["known"].str.contains("quoted from|verified in|from memory").all()
    assert table["source"].str.len().min() > 10
    assert table["srcc"].between(0.5, 1).all()


# ---------------------------------------------------------------- loaded
def stored(home, method, config, facts, speed=None):
    folder = paths.runs() / f"{method}-1"
    told = predictions((0,), off={method: 0.5}).drop(columns=["method", "seed", "labels"])
    store.write_table(folder / "predictions.csv.gz", told)
    store.write_json(folder / "config.json", config)
    if speed:
        store.write_json(folder / "speed.json", speed)
    store.write_json(folder / "provenance.json", {"machine": "m", "threads": 2} | facts)
    line = pd.DataFrame([{"run": folder.name, "method": method, "seed": 0, "labels": 30}])
    store.write_table(paths.results("w") / "tables" / f"related-{method}-seed0.csv", line)
    return folder


def test_what_a_walk_trained_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    monkeypatch.delenv("RIQA_JOURNAL", raising=False)
    data = paths.results("w") / "data"
    frame = pd.DataFrame({"id": ["a", "b", "c"], "split": ["train", "train", "test"]})
    store.write_table(data / "frame.csv", frame.assign(grade=[3, -1, 1]))
    store.write_json(data / "dataset.json", {"name": "W", "simulated": False, "classes": 5})
    with pytest.raises(FileNotFoundError, match="12_related_models"):
        related_models.load("w")
    model = {"stem": "lite0", "freeze": True, "arch": ""}
    stored(tmp_path, "supervised", {"method": {}, "model": model}, {"parameters": 10, "seconds": 9})
    method = {"name": "dbcnn", "backbone": "vgg16"}
    facts = {"parameters": 7, "seconds": 90, "train_seconds": 80}
    stored(tmp_path, "dbcnn", {"method": method}, facts, {"pictures_a_second": 5.5})
    stored(tmp_path, "ridge", {"method": {"name": "ridge"}}, {"parameters": 0, "seconds": 3})
    found = related_models.load("w")
    known = found["runs"].set_index("method")
    assert known.loc["dbcnn", ["backbone", "parameters", "seconds"]].tolist() == ["VGG-16", 7, 80]
    assert known.loc["dbcnn", "pictures_a_second"] == 5.5
    assert known.loc["supervised", "parameters"] == 10 + related_models.STEM
    assert known.loc["ridge", "parameters"] == related_models.STEM + 353
    assert np.isnan(known.loc["ridge", "pictures_a_second"])
    assert found["grades"]["grade"].tolist() == [3]
    assert found["info"].set_index("item")["value"].to_dict() == {"name": "W", "simulated": "False"}
    table = related_models.table(
        found["predictions"], found["runs"], found["grades"]["grade"], False, resamples=20
    )
    assert table["method"].tolist() == ["constant", "ridge", "supervised", "dbcnn"]
    assert table.loc[0, "row"] == "best constant (always 3)"


def test_parameters_of_a_frozen_stem_are_the_networks_own():
    count = [
        sum(p.numel() for p in net.parameters())
        for net in (lite0.Lite0(True, "none"), lite0_moments.Whole("none"))
    ]
    assert count == [related_models.STEM, related_models.WHOLE]


def test_what_is_missing_is_told():
    told = predictions((0,), off={"ridge": 0.5})
    with pytest.raises(ValueError, match="source"):
        related_models.table(told.drop(columns="source"), runs(told), [2], True)
    with pytest.raises(ValueError, match="no test picture"):
        related_models.table(told.assign(split="val"), runs(told), [2], True)
