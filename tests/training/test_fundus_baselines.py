"""What Teacher and Student have to beat: learnt from the same labels, said in a run's own form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from riqa_lib import paths, store
from riqa_lib.networks import field_moments
from riqa_lib.pictures import fundus_data
from riqa_lib.pictures.fundus_data import SETS
from riqa_lib.seeding import rng
from riqa_lib.sim.fundus_sets import make_fundus
from riqa_lib.stats.calibration import platt
from riqa_lib.stats.picture_statistics import statistics
from riqa_lib.tables import stored
from riqa_lib.training import fundus_baselines
from riqa_lib.training.fundus_baselines import KINDS, ROWS, features, inside_field, says
from riqa_lib.training.fundus_settings import settings

DETAILS = ["illumination", "clarity", "contrast"]
D = [f"d_{d}" for d in DETAILS]
FEW = fundus_baselines.Baseline("forest", trees=8)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """The four simulated sets and a walk's runs of every row, once."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("walk")))
    patch.delenv("RIQA_JOURNAL", raising=False)
    patch.setattr(fundus_baselines, "Baseline", lambda name: FEW)
    for which, n in zip(SETS, (40, 48, 24, 16, 18), strict=True):
        folder = fundus_data.folder_of("t", which)
        make_fundus(folder, fundus_data.KINDS[which], n, 32, progress=False)
    fundus_baselines.train_rows("t", "smoke", [*ROWS], 0)
    yield "t"
    patch.undo()


def of(walk, row, which):
    """What a row said of a set, by picture."""
    runs = stored.fundus_runs_of(walk, [row], 0)
    said = stored.load_fundus(walk, runs)["predictions"]
    return said[said["set"] == which].dropna(axis=1, how="all").set_index("id")


def p_of(said):
    return said[[c for c in said if c[0] == "p" and c[1:].isdigit()]].to_numpy(float)


def again(walk, row, **changed):
    """What a row says when sets have other tables: {set: {set: predictions by picture}}."""
    kind, on = ROWS[row]
    sets = {
        which: fundus_data.open_set(walk, which)
        for which in dict.fromkeys((on, "mshf", "eyeq_d", "single"))
    }
    sets |= {which: dataclasses.replace(sets[which], frame=f) for which, f in changed.items()}
    run = settings("smoke", "teacher", 0).but(set=on)
    said = fundus_baselines._fitted(kind, run, sets).predictions
    return {which: part.set_index("id") for which, part in said.groupby("set")}


# ---------------------------------------------------------------- what they learn from
def shuffled(frame, rows, columns, classes, g):
    """The frame with each label of these rows another one."""
    out = frame.copy()
    for c in columns:
        out.loc[rows, c] = (out.loc[rows, c] + g.integers(1, classes, rows.sum())) % classes
    return out


@pytest.mark.parametrize("kind", ["constant", "forest", "logistic"])
def test_details_are_learnt_from_the_teachers_pictures_alone(walk, kind):
    frame = fundus_data.open_set(walk, "mshf").frame
    hidden = (frame["split"] != "train").to_numpy()
    before = again(walk, kind)
    others = shuffled(frame, hidden, DETAILS, 2, rng("hidden"))
    assert (others.loc[hidden, DETAILS] != frame.loc[hidden, DETAILS]).all(axis=None)
    eyeq_d = fundus_data.open_set(walk, "eyeq_d").frame
    other = shuffled(eyeq_d, np.full(len(eyeq_d), True), DETAILS, 2, rng("hidden"))
    after = again(walk, kind, mshf=others, eyeq_d=other)
    for which in ("mshf", "eyeq_d"):
        assert np.array_equal(after[which][D], before[which][D])
    taught = shuffled(frame, (~hidden) & (np.arange(len(frame)) % 2 == 0), DETAILS, 2, rng("t"))
    told = again(walk, kind, mshf=taught)
    assert not np.array_equal(told["eyeq_d"][D], before["eyeq_d"][D])


@pytest.mark.parametrize("kind", ["constant", "forest", "logistic"])
def test_grades_are_learnt_from_the_students_pictures_alone(walk, kind):
    frame = fundus_data.open_set(walk, "eyeq").frame
    learnt = (frame["split"] == "train").to_numpy()
    before = again(walk, f"{kind}_eyeq")
    other = shuffled(frame, ~learnt, ["grade"], 3, rng("hidden"))
    after = again(walk, f"{kind}_eyeq", eyeq=other)
    changed = shuffled(frame, learnt, ["grade"], 3, rng("learnt"))
    told = again(walk, f"{kind}_eyeq", eyeq=changed)
    for which in ("eyeq", "mshf", "eyeq_d"):
        assert np.array_equal(p_of(after[which]), p_of(before[which]))
        assert not np.array_equal(p_of(told[which]), p_of(before[which]))


def test_unknown_labels_are_left_out_and_one_class_is_said(walk):
    g = rng("says")
    x, asked = g.normal(size=(30, 4)), g.normal(size=(5, 4))
    y = (x[:, 0] > 0).astype(int)
    unknown = np.arange(30) % 3 == 0
    for kind in ("constant", "forest", "logistic"):
        left_out = says(kind, x[~unknown], y[~unknown], asked, 2, 0)
        assert np.array_equal(says(kind, x, np.where(unknown, -1, y), asked, 2, 0), left_out)
        assert says(kind, x, np.full(30, 1), asked, 3, 0).tolist() == [[0, 1, 0]] * 5
        assert says(kind, x, np.full(30, -1), asked, 2, 0).tolist() == [[0.5, 0.5]] * 5
        # a grade nobody showed gets 0, in its own place
        assert (says(kind, x, 2 * y, asked, 3, 0)[:, 1] == 0).all()


# ---------------------------------------------------------------- against slow loops
@pytest.mark.parametrize("kind", ["forest", "logistic"])
def test_each_source_is_said_by_a_model_without_it_and_calibrated_by_the_others(walk, kind):
    data = fundus_data.open_set(walk, "mshf")
    frame = data.frame
    x = features(kind, data)
    other = features(kind, fundus_data.open_set(walk, "eyeq_d"))
    train = frame[frame["split"] == "train"]
    sources = sorted(train["source"].unique())
    assert len(sources) > 1
    for d in DETAILS:
        raw = {}
        for s in sources:
            rows = train.index[train["source"] != s]
            left = train.index[train["source"] == s]
            p = says(kind, x[rows], frame.loc[rows, d].to_numpy(), x[left], 2, 0)[:, 1]
            raw |= dict(zip(left, p, strict=True))
        p = says(kind, x[train.index], train[d].to_numpy(), x, 2, 0)[:, 1]
        expected = {}
        for i in frame.index:
            own = frame.loc[i, "source"]
            by = [k for k in train.index if train.loc[k, "source"] != own]
            a, b = platt(np.array([raw[k] for k in by]), train.loc[by, d].to_numpy())
            z = np.clip(raw.get(i, p[i]), 1e-4, 1 - 1e-4)
            expected[frame.loc[i, "id"]] = 1 / (1 + np.exp(-(a * np.log(z / (1 - z)) + b)))
        said = of(walk, kind, "mshf")[f"d_{d}"]
        assert said.to_numpy() == pytest.approx(
            np.array([expected[i] for i in said.index]), abs=6e-5
        )
        # another set: the final model's answer, calibrated by all of them
        a, b = platt(np.array([raw[k] for k in train.index]), train[d].to_numpy())
        p = says(kind, x[train.index], train[d].to_numpy(), other, 2, 0)[:, 1]
        p = np.clip(p, 1e-4, 1 - 1e-4)
        said = of(walk, kind, "eyeq_d")[f"d_{d}"].to_numpy()
        assert said == pytest.approx(1 / (1 + np.exp(-(a * np.log(p / (1 - p)) + b))), abs=6e-5)


def test_the_logistic_is_a_prior_on_standardised_features():
    g = rng("logistic")
    x = g.normal(3, [1, 5, 0.1], size=(40, 3))
    y = (x[:, 0] + g.normal(size=40) > 3).astype(int)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    w, b = np.zeros(3), 0.0
    for _ in range(20000):  # gradient descent on |w|^2 / (2 C) + sum of the losses, C = 2^2 / 3
        p = 1 / (1 + np.exp(-(z @ w + b)))
        w -= 0.01 * (z.T @ (p - y) + w * 3 / 4)
        b -= 0.01 * (p - y).sum()
    learnt = fundus_baselines.logistic(x, y, fundus_baselines.Logistic())
    assert isinstance(learnt[-1], LogisticRegression)
    assert learnt[-1].coef_[0] == pytest.approx(w, abs=1e-3)
    assert learnt.predict_proba(x)[:, 1] == pytest.approx(p, abs=1e-3)


def test_what_lies_outside_the_field_is_not_looked_at(walk):
    data = fundus_data.open_set(walk, "mshf")
    assert inside_field(data.pixels[:3]).shape == (3, 22, 22, 3)
    y, x = np.mgrid[:32, :32] - 15.5
    outside = np.hypot(x, y) > 16
    changed = np.array(data.pixels)
    changed[:, outside] = 255
    other = dataclasses.replace(data, pixels=changed)
    assert not np.array_equal(statistics(changed), statistics(np.array(data.pixels)))
    assert np.array_equal(features("forest", other), features("forest", data))
    assert inside_field(np.zeros((1, 18, 18, 3), np.uint8)).shape == (1, 17, 17, 3)


def test_the_logistic_sees_what_networks_on_the_frozen_encoder_see(walk):
    data = fundus_data.open_set(walk, "eyeq_d")
    x = features("logistic", data)
    assert x.shape == (16, field_moments.FEATURES)
    assert np.allclose(x, field_moments.field_moments(np.array(data.pixels)), atol=1e-5)


# ---------------------------------------------------------------- constants, and the form
def test_constants_know_shares_and_bad(walk):
    frame = fundus_data.open_set(walk, "mshf").frame
    train = frame[frame["split"] == "train"]
    grades = fundus_data.open_set(walk, "eyeq").frame.query("split == 'train'")["grade"]
    shares = [(grades == k).mean() for k in range(3)]
    for row in ("constant", "constant_eyeq"):
        for which in ("mshf", "eyeq_d"):
            said = of(walk, row, which)
            for d in DETAILS:
                assert said[f"d_{d}"].to_numpy() == pytest.approx((train[d] == 1).mean(), abs=6e-5)
    assert p_of(of(walk, "constant_eyeq", "eyeq")) == pytest.approx(
        np.tile(shares, (len(of(walk, "constant_eyeq", "eyeq")), 1)), abs=6e-5
    )
    bad = of(walk, "always_bad_eyeq", "eyeq")
    assert (p_of(bad) == [1, 0, 0]).all()
    assert (of(walk, "always_bad", "eyeq_d")[D] == 0).all(axis=None)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_answers_what_networks_are_asked(walk, row):
    kind, on = ROWS[row]
    frames = {which: fundus_data.open_set(walk, which).frame for which in SETS}
    runs = stored.fundus_runs_of(walk, [row], 0)
    assert runs[["row", "set", "seed"]].to_numpy().tolist() == [[row, on, 0]]
    assert runs["lambda_a"].isna().all()
    folder = paths.runs() / runs["run"].iloc[0]
    assert folder.name.startswith(f"{kind}-")
    said = stored.load_fundus(walk, runs)["predictions"]
    assert set(said["set"]) == {on, "mshf", "eyeq_d", "single"}
    assert set(said.loc[said["set"] == "mshf", "id"]) == set(frames["mshf"]["id"])
    assert set(said.loc[said["set"] == "eyeq_d", "id"]) == set(frames["eyeq_d"]["id"])
    classes = {"mshf": 0, "eyeq": 3, "deepdrid": 2}[on]
    assert len([c for c in said if c[0] == "p" and c[1:].isdigit()]) == classes
    if on != "mshf":
        own = said[said["set"] == on].set_index("id")
        mine = frames[on][frames[on]["split"].isin(["val", "test"])].set_index("id")
        assert own.index.tolist() == mine.index.tolist()
        assert (own["truth"] == mine["grade"]).all()
    same_scale = said["set"] == on if classes != 3 else said["set"] != ""
    assert (said.loc[~same_scale, "truth"] == -1).all()
    assert store.read_json(folder / "provenance.json")["parameters"] == 0


def test_rows_repeat_and_seeds_differ_where_there_is_chance(walk):
    one = stored.fundus_runs_of(walk, [*ROWS], 0).set_index("row")["run"]
    assert one.is_unique
    two = fundus_baselines.train_rows(walk, "smoke", [*ROWS], 0).set_index("row")["run"]
    assert two.equals(one.loc[two.index])
    other = fundus_baselines.train_rows(walk, "smoke", [*KINDS], 1).set_index("row")["run"]
    said = {
        k: [stored.read_fundus_predictions(paths.runs() / r[k])[D] for r in (one, other)]
        for k in KINDS
    }
    assert {k for k, (a, b) in said.items() if not a.equals(b)} == {"forest"}


def test_what_is_wrong_is_said(walk):
    with pytest.raises(ValueError, match=r"boosted.*always_bad"):
        fundus_baselines.train_rows(walk, "smoke", ["boosted"], 0)
    with pytest.raises(FileNotFoundError, match="13_fundus_datasets"):
        fundus_baselines.train_rows("nowhere", "smoke", ["forest"], 0)
    frame = fundus_data.open_set(walk, "eyeq").frame
    with pytest.raises(ValueError, match="no training picture has a grade"):
        again(walk, "forest_eyeq", eyeq=frame.assign(grade=-1))


def test_without_folds_nobody_is_asked_what_it_learnt(walk):
    data = {which: fundus_data.open_set(walk, which) for which in ("mshf", "eyeq_d")}
    run = settings("smoke", "teacher", 0, {"fundus.teacher.folds": False}).but(set="mshf")
    for kind in ("constant", "logistic"):
        said = fundus_baselines._fitted(kind, run, data).predictions
        assert set(said.loc[said["set"] == "mshf", "split"]) == {"test"}
