"""What a network has to beat: learnt from labelled rows only, said in a run's own form."""

from __future__ import annotations

import dataclasses
import warnings

import cheaper
import numpy as np
import pytest
import torch
from map_trees import COUNTS, mapped_pictures

from riqa_lib import paths, store
from riqa_lib.networks import map_store
from riqa_lib.seeding import rng
from riqa_lib.stats import metrics
from riqa_lib.stats.picture_statistics import statistics
from riqa_lib.tables import stored
from riqa_lib.training import baselines, measured, photographs
from riqa_lib.training.baselines import Baseline, Lesson, as_probabilities, map_features
from riqa_lib.training.photographs import settings

LABELS = {"data.labels": 30}
FROZEN = {
    "data.size": 48,
    "data.crop": 32,
    "model.stem": "lite0",
    "model.freeze": True,
    "model.weights": "imagenet",
} | LABELS
NAMES = ["forest", "ridge"]
P = [f"p{k}" for k in range(5)]


@pytest.fixture(scope="module")
def walk(module_home):
    with pytest.MonkeyPatch.context() as patch:
        cheaper.few_trees(patch)
        yield mapped_pictures()


def lesson(data, labelled=None, seed=0):
    train, test = (np.flatnonzero(data.frame["split"] == s) for s in ("train", "test"))
    return Lesson(data, train[:40] if labelled is None else labelled, test, seed)


def said(name, of, **how):
    return baselines.SAID[name](Baseline(name, **{"trees": 40} | how), of)


def with_grades(data, rows, g):
    """The data set with the grades of these rows shuffled so that each is another one."""
    frame = data.frame.copy()
    frame.loc[rows, "grade"] = (frame.loc[rows, "grade"] + g.integers(1, 5, len(rows))) % 5
    return dataclasses.replace(data, frame=frame)


# ---------------------------------------------------------------- what they learn from
@pytest.mark.parametrize("name", NAMES)
def test_no_hidden_grade_is_read_and_every_labelled_one_is(walk, name):
    one = lesson(walk)
    before = said(name, one)
    hidden = np.setdiff1d(np.arange(len(walk)), one.labelled)
    other = with_grades(walk, hidden, rng("hidden"))
    assert (other.frame.loc[hidden, "grade"] != walk.frame.loc[hidden, "grade"]).all()
    assert np.array_equal(said(name, dataclasses.replace(one, data=other)), before)
    changed = with_grades(walk, one.labelled[7:8], rng("labelled"))
    assert not np.array_equal(said(name, dataclasses.replace(one, data=changed)), before)


@pytest.mark.parametrize("name", NAMES)
def test_other_pictures_grades_are_not_in_a_run(walk, name):
    """Through the whole: test and validation grades change nothing that is said."""
    run = settings("smoke", name, 3, FROZEN)
    rows = np.flatnonzero(walk.frame["split"].isin(["val", "test"]))
    other = with_grades(walk, rows, rng("test"))
    a, b = (store.read_predictions(photographs.train_baseline(name, run, d)) for d in (walk, other))
    same = a.merge(b, on="id", suffixes=("", "_other"))
    assert (same[P].to_numpy() == same[[f"{p}_other" for p in P]].to_numpy()).all()
    assert (same["truth"] != same["truth_other"])[same["split"] == "test"].all()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_labels_and_the_pictures_asked_are_those_of_the_network(walk, monkeypatch, seed):
    given, lessons = [], []

    def no_fit(method, material, *rest, at_end):
        given.append(material)
        at_end(method.net, False)
        return method.net, None, {"train_seconds": 0.0, "pictures_a_step": 1}

    monkeypatch.setattr(photographs, "fit", no_fit)
    supervised = photographs._trained(
        settings("smoke", "supervised", seed, FROZEN), walk, paths.runs() / "none"
    )
    monkeypatch.setattr(baselines, "train", lambda b, lesson, labels: lessons.append(lesson))
    for name in NAMES:
        photographs.train_baseline(name, settings("smoke", name, seed, FROZEN), walk)
    for one in lessons:
        assert np.array_equal(one.labelled, given[0].labelled)
        assert np.array_equal(one.grades, given[0].grades)
        asked = walk.frame["id"].to_numpy()[one.asked]
        assert asked.tolist() == supervised.predictions["id"].tolist()
    assert len(lessons[0].labelled) == 30


# ---------------------------------------------------------------- what they say
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_sum_to_one_and_know_the_grade(walk, name):
    one = lesson(walk)
    p = said(name, one)
    assert p.shape == (COUNTS["test"], 5)
    assert (p >= 0).all()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))
    truth = walk.frame["grade"].to_numpy()[one.asked]
    mae = metrics.mae(truth, p.argmax(axis=1), 5)
    assert mae < 0.5 * min(metrics.mae(truth, np.full(len(truth), k), 5) for k in range(5))


def test_the_mean_is_what_the_ridge_expects(walk):
    one = lesson(walk)
    maps = map_store.open_maps(walk, progress=False).maps
    fitted = baselines.ridge(map_features(maps[one.labelled]), one.grades)
    expected = np.clip(fitted.predict(map_features(maps[one.asked])), 0, 4)
    p = said("ridge", one)
    assert p @ np.arange(5) == pytest.approx(expected, abs=1e-9)
    for row, e in zip(p, expected, strict=True):  # only of the two grades beside it
        assert all(k in (int(e), int(e) + 1) for k in np.flatnonzero(row > 1e-12))


def test_as_probabilities_by_a_slow_loop():
    expected = np.r_[rng("expected").uniform(-1, 6, 50), 0, 1, 4, 3.999]
    for e, row in zip(expected, as_probabilities(expected, 5), strict=True):
        held = min(max(e, 0), 4)
        slow = [max(0.0, 1 - abs(held - k)) for k in range(5)]
        assert row == pytest.approx(slow)


def test_the_forest_gives_nothing_to_a_grade_that_nobody_showed_it(walk):
    train = np.flatnonzero(walk.frame["split"] == "train")
    grade = walk.frame["grade"].to_numpy()[train]
    p = said("forest", lesson(walk, train[np.isin(grade, [0, 1, 3])]))
    assert (p[:, [2, 4]] == 0).all()
    assert (p[:, [0, 1, 3]].max(axis=0) > 0.5).all()
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))


def test_the_forest_is_drawn_by_the_seed_and_keeps_its_settings(walk):
    assert np.array_equal(said("forest", lesson(walk)), said("forest", lesson(walk)))
    assert not np.array_equal(said("forest", lesson(walk)), said("forest", lesson(walk, seed=1)))
    one = lesson(walk)
    grown = baselines.forest(
        statistics(walk.pixels[one.labelled]), one.grades, Baseline("forest", 7, 6), 2**40
    )
    assert len(grown.estimators_) == 7
    for tree in grown.estimators_:
        leaves = tree.tree_.children_left == -1
        assert tree.tree_.weighted_n_node_samples[leaves].min() >= 6


def test_the_ridge_against_its_formula():
    """(X'X + a I)^-1 X'y on standardised features, a by leaving each picture out in turn."""
    g = rng("ridge")
    x = g.normal(3, [1, 5, 0.1, 2, 1, 1], (24, 6))
    y = np.clip(np.round(x[:, 0] - 0.2 * x[:, 1] + g.normal(0, 1, 24)), 0, 4)
    asked = g.normal(3, 2, (9, 6))
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / sd

    def fitted(z, y, a):
        weights = np.linalg.solve(
            (z - z.mean(axis=0)).T @ (z - z.mean(axis=0)) + a * np.eye(6),
            (z - z.mean(axis=0)).T @ (y - y.mean()),
        )
        return lambda other: y.mean() + (other - z.mean(axis=0)) @ weights

    def left_out(a):
        others = [np.delete(np.arange(24), i) for i in range(24)]
        return np.mean([(fitted(z[o], y[o], a)(z[i]) - y[i]) ** 2 for i, o in enumerate(others)])

    best = min(baselines.PENALTIES, key=left_out)
    assert baselines.PENALTIES[0] < best < baselines.PENALTIES[-1]
    slow = fitted(z, y, best)((asked - mean) / sd)
    assert baselines.ridge(x, y).predict(asked) == pytest.approx(slow, abs=1e-8)


def test_map_features_by_a_slow_loop():
    maps = rng("maps").normal(size=(5, 2, 3, 4, 6)).astype(np.float16)
    found = map_features(maps)
    assert found.shape == (5, 12)
    for n in range(5):
        for c in range(6):
            of_each = [maps[n, k, :, :, c].astype(float).ravel() for k in range(2)]
            mean = sum(sum(v) / 12 for v in of_each) / 2
            sd = sum((sum((v - sum(v) / 12) ** 2) / 12) ** 0.5 for v in of_each) / 2
            assert found[n, [c, 6 + c]] == pytest.approx([mean, sd], abs=1e-5)


def test_rows_are_measured_by_blocks(monkeypatch):
    maps = rng("maps").normal(size=(9, 2, 3, 4, 6)).astype(np.float16)
    rows, taken = np.array([8, 0, 3, 3, 5]), []
    monkeypatch.setattr(measured, "BLOCK", 2)

    def measure(block):
        taken.append(len(block))
        return map_features(block)

    found = measured.by_blocks(measure, maps, rows)
    assert found == pytest.approx(map_features(maps[rows]))
    assert taken == [2, 2, 1]


def test_processes_measure_the_same(monkeypatch):
    pixels = rng("pixels").integers(0, 256, (11, 24, 24, 3)).astype(np.uint8)
    rows = np.array([10, 0, 3, 3, 5, 9, 7])
    monkeypatch.setattr(measured, "BLOCK", 2)
    monkeypatch.setattr(measured, "AHEAD", 1)
    alone = measured.by_blocks(statistics, pixels, rows, processes=2)
    monkeypatch.setattr(measured, "MANY", 3)
    assert np.array_equal(measured.by_blocks(statistics, pixels, rows, processes=2), alone)


# ---------------------------------------------------------------- the mean of its subset
def of_sources(data, source):
    """The data set with these sources (N,)."""
    return dataclasses.replace(data, frame=data.frame.assign(source=source))


@pytest.fixture
def sources(walk):
    """Of three sources; "c" has test pictures, and no labelled one in `lesson`."""
    source = rng("sources").choice(np.array(["a", "b"], object), len(walk))
    test = np.flatnonzero(walk.frame["split"] == "test")
    source[test[::3]] = "c"
    return of_sources(walk, source)


def test_the_mean_of_its_subset_by_a_slow_loop(sources):
    one = lesson(sources)
    said_of = said("source_mean", one)
    frame, seen = sources.frame, set()
    for row, i in zip(said_of, one.asked, strict=True):
        mine = [frame["grade"][j] for j in one.labelled if frame["source"][j] == frame["source"][i]]
        seen.add((frame["source"][i], bool(mine)))
        mine = mine or [frame["grade"][j] for j in one.labelled]
        mean = sum(mine) / len(mine)
        assert row == pytest.approx([max(0.0, 1 - abs(mean - k)) for k in range(5)])
    assert seen == {("a", True), ("b", True), ("c", False)}
    assert len(np.unique(said_of, axis=0)) == 3


def test_the_mean_of_its_subset_knows_labelled_grades_only(sources):
    one = lesson(sources)
    before = said("source_mean", one)
    hidden = np.setdiff1d(np.arange(len(sources)), one.labelled)
    other = with_grades(sources, hidden, rng("hidden"))
    assert np.array_equal(said("source_mean", dataclasses.replace(one, data=other)), before)
    changed = with_grades(sources, one.labelled[7:8], rng("labelled"))
    assert not np.array_equal(said("source_mean", dataclasses.replace(one, data=changed)), before)


def test_one_source_or_none_is_told_with_the_file_and_what_to_declare(walk):
    one = of_sources(walk, "ss01")
    pool = of_sources(walk, np.where(walk.frame["grade"] >= 0, "ss01", "pool"))
    lacking = dataclasses.replace(walk, frame=walk.frame.drop(columns="source"))
    for data, found in ((walk, "none"), (one, "'ss01'"), (pool, "'ss01'"), (lacking, "none")):
        with pytest.raises(ValueError, match=rf"small/data/frame\.csv: .*found {found};") as e:
            said("source_mean", lesson(data))
        assert 'data.folder = {..., "source": "subset"}' in str(e.value)
        assert baselines.rows_for(["forest", "source_mean", "ridge"], data) == NAMES


def test_where_there_are_several_sources_all_rows_are_trained(sources):
    rows = ["supervised", "source_mean", "forest"]
    assert baselines.rows_for(rows, sources) == rows


def test_the_mean_of_its_subset_is_a_run_like_any(sources):
    run = settings("smoke", "source_mean", 0, FROZEN)
    folder = photographs.train_baseline("source_mean", run, sources)
    about = store.read_json(folder / "provenance.json")
    assert (about["labels"], about["pictures_seen"], about["parameters"]) == (30, 30, 0)
    table = store.read_predictions(folder)
    assert set(table["split"]) == {"train", "val", "pool", "test"}
    assert (table.groupby("source")[P].nunique() == 1).all(axis=None)


# ---------------------------------------------------------------- as runs, and in the tables
@pytest.mark.parametrize("name", NAMES)
def test_a_finished_run_is_reused_and_holds_what_any_run_does(walk, monkeypatch, name):
    run = settings("smoke", name, 5, FROZEN)
    folder = photographs.train_baseline(name, run, walk)
    assert folder.name.startswith(f"{name}-")
    about = store.read_json(folder / "provenance.json")
    assert (about["labels"], about["unlabelled"], about["parameters"]) == (30, 0, 0)
    assert about["pictures_seen"] == 30
    assert not (folder / "model.safetensors").exists()
    table = store.read_predictions(folder)
    assert set(table["split"]) == {"train", "val", "pool", "test"}
    monkeypatch.setattr(baselines, "_fitted", lambda *a: pytest.fail("fitted again"))
    assert photographs.train_baseline(name, run, walk) == folder
    more = settings("smoke", name, 5, FROZEN | {"data.labels": 40})
    with pytest.raises(pytest.fail.Exception, match="fitted again"):
        photographs.train_baseline(name, more, walk)


def test_tables_hold_them_beside_a_network_and_alone(walk, monkeypatch):
    """Nothing was trained step by step, and nobody stumbles over an empty history."""
    cheaper.few_resamples(monkeypatch)
    torch.manual_seed(0)
    runs = [
        photographs.train_rows("small", "smoke", rows, seed, FROZEN)
        for rows in (NAMES, ["supervised"])
        for seed in (0, 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = stored.load_runs("small", runs[0])
        both = stored.load_walk("small")
    assert len(alone["history"]) == 0
    assert alone["predictions"]["method"].unique().tolist() == NAMES
    assert set(both["history"]["method"]) == {"supervised"}
    assert {*NAMES, "supervised", "constant"} <= set(both["table2"]["method"])
    for table in (alone["table2"], both["table2"]):
        for name, words in (("forest", "statistics + forest"), ("ridge", "ridge on frozen maps")):
            row = table[table["method"] == name].iloc[0]
            assert row["row"] == words
            assert row["labels"] == 30
            assert 0 <= row["mae"] < 0.8
