"""Settings, data and runs of Teacher and Students: simulated, and real formats end to end on tiny
trees."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from fundus_trees import make_deepdrid, make_eyeq, make_eyeq_d, make_mshf

from riqa_lib import paths, store
from riqa_lib.pictures import fundus_data
from riqa_lib.pictures.fundus_data import KINDS, SETS
from riqa_lib.sim.fundus_sets import make_fundus
from riqa_lib.stats.calibration import calibrated, platt
from riqa_lib.tables import detail_calibration, fundus_found, fundus_grades, stored
from riqa_lib.training import fundus, fundus_learning, own_defects, photographs
from riqa_lib.training.fundus import DETAILS, ROWS, TEACHER_OF, settings
from riqa_lib.training.fundus_sources import features, said_of, said_of_pixels

TINY = {
    "fundus.data.size": 24,
    "fundus.data.crop": 24,
    "fundus.model.width": 4,
    "fundus.train.steps": 4,
    "fundus.train.batch": 6,
    "fundus.train.evaluations": 2,
    "fundus.teacher_train.steps": 4,
    "fundus.train.precision": "fp32",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The four simulated sets, once."""
    base = tmp_path_factory.mktemp("sets")
    for which, n in zip(SETS, (30, 40, 16, 12, 18), strict=True):
        make_fundus(base / which, KINDS[which], n, 24, progress=False)
    return base


def walk_of(made):
    """The name of a walk of these sets below RIQA_HOME."""
    target = paths.results("t") / "fundus"
    target.mkdir(parents=True)
    for which in SETS:
        (target / which).mkdir()
        for name in ("frame.csv", "pixels.npy", "dataset.json"):
            (target / which / name).write_bytes((made / which / name).read_bytes())
    return "t"


@pytest.fixture
def walk(made, home):
    return walk_of(made)


def trained_once(made, home, rows):
    """(a home in which these rows were trained, the list of their runs)"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(home))
        patch.delenv("RIQA_JOURNAL", raising=False)
        return home, go(walk_of(made), rows)


@pytest.fixture(scope="module")
def students(made, tmp_path_factory):
    home = tmp_path_factory.mktemp("students") / "home"
    rows = ["teacher", "single_eyeq", "multi_eyeq", "multi_hard_eyeq", "multi_filtered_eyeq"]
    return trained_once(made, home, [*rows, "single_deepdrid", "multi_deepdrid"])


@pytest.fixture(scope="module")
def frozen(made, tmp_path_factory):
    home = tmp_path_factory.mktemp("frozen") / "home"
    return trained_once(made, home, ["teacher_lite0", "single_lite0_eyeq", "multi_lite0_eyeq"])


@pytest.fixture
def taught(students, home):
    """(a walk in which these are trained, the list of their runs)"""
    shutil.copytree(students[0], home)
    return "t", students[1]


@pytest.fixture
def taught_lite0(frozen, home):
    shutil.copytree(frozen[0], home)
    return "t", frozen[1]


def run_of(runs, row):
    return paths.runs() / runs.set_index("row").loc[row, "run"]


def go(walk, rows, seed=0, **more):
    return fundus.train_rows(
        walk, "smoke", rows, seed, TINY | {f"fundus.{k}": v for k, v in more.items()}
    )


def predictions(table, row):
    return stored.read_fundus_predictions(run_of(table, row))


def test_a_walk_of_teacher_and_students(taught):
    walk, runs = taught
    rows = runs["row"].tolist()
    assert rows[:3] == ["teacher", "single_eyeq", "multi_eyeq"]
    assert runs["run"].is_unique
    assert runs["set"].tolist() == ["mshf"] + ["eyeq"] * 4 + ["deepdrid"] * 2
    tables = {row: predictions(runs, row) for row in rows}
    assert not [c for c in tables["teacher"] if c in ("p0", "p1", "p2")]
    assert {c for c in tables["multi_deepdrid"] if c[1:].isdigit()} == {"p0", "p1"}
    eyeq = fundus_data.open_set(walk, "eyeq").frame
    mine = tables["multi_eyeq"].query("set == 'eyeq'")
    assert set(mine["split"]) == {"val", "test"}
    assert mine.set_index("id")["truth"].equals(
        eyeq.set_index("id")["grade"].loc[mine["id"]].rename("truth")
    )
    assert (
        tables["multi_deepdrid"].query("set == 'eyeq_d'")["truth"] == -1
    ).all()  # three grades are not two
    loaded = stored.load_fundus(walk)
    table, boot = fundus_grades.overall(loaded["predictions"], "eyeq", resamples=50)
    assert set(table["method"]) == set(rows[1:5])
    assert "multi-task − single-task" in fundus_found.overall(table, boot, "eyeq", True)
    again = go(walk, ["multi_eyeq"])
    assert again["run"].iloc[0] == runs.set_index("row").loc["multi_eyeq", "run"]
    net, about = fundus.load_student(paths.runs() / again["run"].iloc[0])
    assert (about["classes"], about["set"], about["simulated"], about["details_learnt"]) == (
        3,
        "eyeq",
        True,
        True,
    )
    assert net(torch.zeros(1, 3, 24, 24))[1].shape == (1, 3)
    with pytest.raises(ValueError, match="not of a teacher"):
        fundus.load_teacher(paths.runs() / again["run"].iloc[0])


def test_the_teachers_predictions_are_of_models_that_did_not_see_the_source(taught):
    walk, runs = taught
    said = predictions(runs, "teacher").query("set == 'mshf'").set_index("id")
    frame = fundus_data.open_set(walk, "mshf").frame
    assert set(said.index) == set(frame["id"])
    history = store.read_table(paths.runs() / runs["run"].iloc[0] / "history.csv")
    trained_on = sorted(frame.loc[frame["split"] == "train", "source"].unique())
    assert sorted(history["fold"].unique()) == sorted([*trained_on, "none"])
    # other labels of one source change what is said of the others, never (but by calibration) what
    # is said of itself
    changed = frame.copy()
    one = changed["source"] == trained_on[0]
    changed.loc[one, list(DETAILS)] = 1 - changed.loc[one, list(DETAILS)]
    folder = fundus_data.folder_of(walk, "mshf")
    store.write_table(folder / "frame.csv", changed)
    other = predictions(go(walk, ["teacher"]), "teacher").query("set == 'mshf'").set_index("id")
    column = "d_clarity"
    mine = frame.loc[one, "id"]
    rest = frame.loc[frame["source"] == trained_on[1], "id"]
    assert np.array_equal(said.loc[mine, column].rank(), other.loc[mine, column].rank())
    assert not np.array_equal(said.loc[rest, column].rank(), other.loc[rest, column].rank())


def test_a_teacher_is_asked_about_a_picture_once(taught, monkeypatch):
    walk, runs = taught[0], taught[1]["run"]
    asked = []

    def counted(run, net, data, rows):
        asked.append(len(rows))
        return said_of(run, net, data, rows)

    monkeypatch.setattr(fundus_learning, "said_of", counted)
    data = fundus_data.open_set(walk, "deepdrid")
    rows = np.array([7, 2, 5])
    first = fundus.pseudo_details(runs[0], data, rows)
    assert fundus.pseudo_details(runs[0], data, rows.copy()) is first
    assert not first.flags.writeable
    other = fundus.pseudo_details(runs[0], data, rows[::-1].copy())
    assert np.array_equal(other, first[::-1])
    fundus.pseudo_details(runs[0], fundus_data.open_set(walk, "eyeq"), rows)
    second = go(walk, ["teacher"], seed=1, **{"teacher.folds": False})["run"]
    assert not np.array_equal(fundus.pseudo_details(second[0], data, rows), first)
    assert [n for n in asked if n == 3] == [3, 3, 3, 3]


def test_pseudo_labels_never_use_true_details(taught):
    walk, runs = taught
    first = predictions(runs, "multi_eyeq")
    folder = fundus_data.folder_of(walk, "eyeq")
    frame = store.read_table(folder / "frame.csv")
    train = frame["split"] == "train"
    for d in DETAILS:
        frame.loc[train, [d, f"true_{d}"]] = 1
    store.write_table(folder / "frame.csv", frame)
    table = go(walk, ["multi_eyeq"])
    second = predictions(table, "multi_eyeq")
    assert table["run"].iloc[0] not in runs["run"].tolist()  # another table is another run
    pd.testing.assert_frame_equal(first, second)


def test_rows_differ_in_the_loss_alone(walk):
    for row in ROWS:
        run = settings("smoke", row, 3, TINY)
        base = run
        if row in TEACHER_OF:  # multi-task with the same encoder
            lite0 = "_lite0" if "lite0" in row else ""
            base = settings("smoke", f"multi{lite0}_{run.set}", 3, TINY)
            teacher = settings("smoke", TEACHER_OF[row], 3, TINY)
            assert (run.model, run.method.own_defects) == (
                teacher.model,
                teacher.method.own_defects,
            )
        assert (run.model, run.train, run.data, run.seed) == (
            base.model,
            base.train,
            base.data,
            base.seed,
        )
    nets = [
        fundus.network(settings("smoke", r, 0, TINY), 3) for r in ("single_eyeq", "multi_hard_eyeq")
    ]
    assert all(
        torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True)
    )
    assert settings("smoke", "single_eyeq").method.lambda_a == 0
    assert settings("gpu", "single_eyeq").method.grid == ()
    assert settings("smoke", "teacher").train.select == "last"


def test_a_killed_run_goes_on_with_the_same_bits(taught, monkeypatch):
    walk, runs = taught
    whole = runs[runs["row"].isin(["teacher", "multi_eyeq"])]
    kept = {run: (paths.runs() / run / "predictions.csv.gz").read_bytes() for run in whole["run"]}
    real = fundus_learning.fit
    calls = {"n": 0}

    def dies(*args, **more):
        calls["n"] += 1
        if calls["n"] == 2:  # the second fold
            real(*args, **more, stop_after=3)
            raise KeyboardInterrupt
        return real(*args, **more)

    for run in whole["run"]:
        (paths.runs() / run / "provenance.json").unlink()
    monkeypatch.setattr(fundus_learning, "fit", dies)
    with pytest.raises(KeyboardInterrupt):
        go(walk, ["teacher"])
    assert list((paths.runs() / whole["run"][0]).glob("state*.safetensors"))
    calls["n"] = 5
    again = go(walk, ["teacher", "multi_eyeq"])
    assert again["run"].tolist() == whole["run"].tolist()
    assert {run: (paths.runs() / run / "predictions.csv.gz").read_bytes() for run in kept} == kept
    assert not list((paths.runs() / whole["run"][0]).glob("state*.safetensors"))


def test_single_tasks_details_are_the_look_up(taught):
    _, runs = taught
    table = predictions(runs, "single_eyeq")
    about = store.read_json(run_of(runs, "single_eyeq") / "about.json")
    assert not about["details_learnt"]
    expected = table[["p0", "p1", "p2"]].to_numpy() @ np.array(about["lookup"])
    assert np.allclose(table[[f"d_{d}" for d in DETAILS]], expected, atol=1e-4)


def test_the_weight_is_chosen_by_validation_with_a_seed_of_its_own(taught):
    walk, _ = taught
    runs = go(walk, ["multi_eyeq"], **{"student.grid": (0.5, 2.0)})
    grid = store.read_table(paths.results(walk) / "tables" / "grid-eyeq.csv")
    best = grid.loc[grid["val_macro_f1"].idxmax()]
    assert runs["lambda_a"].iloc[0] == best["lambda_a"]
    assert runs["run"].iloc[0] not in grid["run"].tolist()
    seeds = {store.read_json(paths.runs() / run / "config.json")["seed"] for run in grid["run"]}
    assert seeds == {fundus.TUNING}


def test_the_best_weight_wins_and_the_smaller_of_equals(taught, tmp_path, monkeypatch):
    walk, _ = taught

    def fake(name, run):
        f1 = {0.25: 0.5, 0.5: 0.7, 1.0: 0.7, 2.0: 0.6}[run.method.lambda_a]
        folder = tmp_path / f"run-{run.method.lambda_a}"
        store.write_table(folder / "history.csv", pd.DataFrame({"val_macro_f1": [0.1, f1, 0.3]}))
        return folder

    monkeypatch.setattr(fundus, "train", fake)
    weight, table = fundus.chosen_weight(
        walk, "smoke", "eyeq", TINY | {"fundus.student.grid": (2.0, 1.0, 0.25, 0.5)}
    )
    assert weight == 0.5
    assert table["val_macro_f1"].tolist() == [0.5, 0.7, 0.7, 0.6]


def test_without_folds_what_was_learnt_is_not_judged(walk):
    run = go(walk, ["teacher"], **{"teacher.folds": False})
    said = predictions(run, "teacher").query("set == 'mshf'")
    assert set(said["split"]) == {"test"}


def test_a_walk_on_the_frozen_encoder_with_copies(taught_lite0):
    walk, table = taught_lite0
    runs = table.set_index("row")["run"]
    about = store.read_json(paths.runs() / runs["multi_lite0_eyeq"] / "about.json")
    assert (about["encoder"], about["own_defects"], about["views"]) == ("lite0", 0.5, 1)
    assert about["taught_by"] == runs["teacher_lite0"]
    own = go(walk, ["teacher_own"], **{"teacher.folds": False})
    assert store.read_json(run_of(own, "teacher_own") / "about.json")["own_defects"] == 0.5
    data = fundus_data.open_set(walk, "eyeq")
    net, about = fundus.load_student(paths.runs() / runs["multi_lite0_eyeq"])
    rows = np.flatnonzero(data.frame["split"] == "test")[:6]
    learnt = np.flatnonzero((data.frame["split"] == "train") & (data.frame["grade"] >= 0))
    shown = [features(data)[learnt], own_defects.moments_of(data, own_defects.copies(data, learnt))]
    mean = np.concatenate(shown).mean(axis=0)  # of pictures and copies, by which it standardises
    assert np.allclose(net.net.mean.numpy(), mean, atol=1e-4)
    overall, details = said_of_pixels(net, about, data.pixels[rows])
    said = predictions(table, "multi_lite0_eyeq").query("set == 'eyeq'")
    said = said.set_index("id").loc[data.frame["id"].iloc[rows]]
    assert np.allclose(overall, said[["p0", "p1", "p2"]], atol=2e-5)
    assert np.allclose(details, said[[f"d_{d}" for d in DETAILS]], atol=2e-5)


def test_what_learnt_under_grain_is_asked_under_it(walk):
    rows = ["teacher_lite0", "multi_lite0_eyeq"]
    runs = go(walk, rows, **{"teacher.folds": False, "model.grain": 3.0}).set_index("row")["run"]
    net, about = fundus.load_student(paths.runs() / runs["multi_lite0_eyeq"])
    assert net.grain == about["config"]["model"]["grain"] == 3
    data = fundus_data.open_set(walk, "eyeq")
    learnt = np.flatnonzero((data.frame["split"] == "train") & (data.frame["grade"] >= 0))
    copied = own_defects.moments_of(data, own_defects.copies(data, learnt), 3.0)
    mean = np.concatenate([features(data, 3.0)[learnt], copied]).mean(axis=0)
    assert np.allclose(net.net.mean.numpy(), mean, atol=1e-4)
    asked = np.flatnonzero(data.frame["split"] == "test")[:6]
    overall, _ = said_of_pixels(net, about, data.pixels[asked])
    said = predictions(runs.reset_index(), "multi_lite0_eyeq").query("set == 'eyeq'")
    said = said.set_index("id").loc[data.frame["id"].iloc[asked]]
    assert np.allclose(overall, said[["p0", "p1", "p2"]], atol=2e-5)


def test_without_grain_settings_are_those_of_before():
    plain = fundus.settings("demo", "multi_lite0_eyeq").config("key")
    assert "grain" not in plain["model"]  # so stored runs keep their names
    grained = fundus.settings("demo", "multi_lite0_eyeq", 0, {"fundus.model.grain": 3.0})
    assert grained.config("key")["model"]["grain"] == 3


@pytest.fixture
def given(monkeypatch):
    """What each training is given: (method, material), in order."""
    seen, real = [], fundus_learning.fit

    def spied(method, material, *args, **more):
        seen.append((method, material))
        return real(method, material, *args, **more)

    monkeypatch.setattr(fundus_learning, "fit", spied)
    return seen


def test_a_teacher_learns_from_copies_of_its_own_pictures_alone(taught_lite0, given):
    walk, runs = taught_lite0
    shutil.rmtree(run_of(runs, "teacher_lite0"))
    go(walk, ["teacher_lite0"])
    data = fundus_data.open_set(walk, "mshf")
    n, labels = len(data), data.frame[list(DETAILS)].to_numpy()
    source = data.frame["source"].to_numpy()
    train = np.flatnonzero(data.frame["split"] == "train")
    own = own_defects.copies(data, train)
    folds = [*sorted({*source[train]}), ""]
    assert len(given) == len(folds) == 3
    for fold, (method, material) in zip(folds, given, strict=True):
        mine = train[source[train] != fold]
        rows = material.labelled
        assert rows[rows < n].tolist() == mine.tolist()
        copied = rows[rows >= n] - n
        # no copy of a picture of the source that is left out
        assert own.of[copied].tolist() == mine.tolist()
        targets = method.targets[rows >= n].numpy()
        expected = np.maximum(np.where(own.spoilt, 0, labels[own.of]), 0)[copied]
        assert np.array_equal(targets, expected)
        weights = method.mask.numpy()
        assert set(np.unique(weights[rows < n])) <= {0, 1}
        assert set(np.unique(weights[rows >= n])) <= {0, 0.5}


def test_a_student_learns_the_details_of_copies_and_no_grade(taught_lite0, given):
    walk, runs = taught_lite0
    shutil.rmtree(run_of(runs, "multi_lite0_eyeq"))
    go(walk, ["multi_lite0_eyeq"])
    data = fundus_data.open_set(walk, "eyeq")
    n, grades = len(data), data.frame["grade"].to_numpy()
    ((method, material),) = given
    rows = material.labelled
    learn = rows[rows < n]
    own = own_defects.copies(data, learn)
    assert (rows[rows >= n] - n).tolist() == [*range(len(learn))]
    assert material.grades[rows < n].tolist() == grades[learn].tolist()
    assert set(material.grades[rows >= n]) == {-1}
    targets = method.targets.numpy()
    assert targets[rows < n].min() > 0  # probabilities
    assert np.array_equal(targets[rows >= n], np.where(own.spoilt, 0, targets[rows < n]))
    assert not set(material.val) & set(rows)


def test_eight_views_are_a_mean_over_turns_and_mirrors(walk):
    runs = go(walk, ["teacher", "multi_eyeq"], **{"data.views": 8, "teacher.folds": False})
    run = paths.runs() / runs["run"].iloc[1]
    net, about = fundus.load_student(run)
    data = fundus_data.open_set(walk, "eyeq")
    rows = np.flatnonzero(data.frame["split"] == "test")[:5]
    pixels = data.pixels[rows]
    told = said_of_pixels(net, about, pixels)
    mirrored = said_of_pixels(net, about, np.rot90(pixels[:, :, ::-1], axes=(1, 2)).copy())
    for mine, its in zip(told, mirrored, strict=True):
        assert np.allclose(mine, its, atol=1e-5)
    one = said_of_pixels(net, about | {"views": 1}, pixels)
    assert not np.allclose(one[0], told[0], atol=1e-4)
    said = predictions(runs, "multi_eyeq").query("set == 'eyeq'").set_index("id")
    said = said.loc[data.frame["id"].iloc[rows], ["p0", "p1", "p2"]]
    assert np.allclose(told[0], said, atol=2e-5)


def test_a_student_needs_its_teacher(walk):
    with pytest.raises(FileNotFoundError, match=r"14_teacher with SEED = 0"):
        go(walk, ["multi_eyeq"])
    with pytest.raises(FileNotFoundError, match="13_fundus_datasets"):
        fundus_data.open_set("nowhere", "eyeq")


@pytest.mark.parametrize(("overrides", "words"), [
    ({"fundus.student.lambda": 1.0}, "Student has: name, lambda_a"),
    ({"fundus.student.pseudo": "x"}, "soft, hard, filtered"),
    ({"fundus.data.crop": 90}, "95 to 100 %"), ({"fundus.data.source": "web"}, "simulation, real"),
    ({"fundus.nothing": 1}, "Run has: method, set, data"), ({"fundus.seed": 1}, "given by the row"),
    ({"fundus.data.pictures": (1, 2)}, "5 numbers"), ({"fundus.data.views": 4}, "allowed: 1, 8"),
    ({"fundus.train.select": "test"}, "best, last"),
])  # fmt: skip
def test_bad_settings_say_what_is_allowed(overrides, words):
    with pytest.raises(ValueError, match=words):
        settings("demo", "multi_eyeq", 0, overrides)


def test_unknown_profiles_rows_and_types():
    with pytest.raises(ValueError, match="smoke, demo"):
        settings("huge")
    with pytest.raises(ValueError, match=r"teacher, teacher_own, .*single_eyeq"):
        settings("demo", "triple")
    with pytest.raises(TypeError, match=r"fundus\.train\.steps is 1\.5"):
        settings("demo", "multi_eyeq", 0, {"fundus.train.steps": 1.5})


@pytest.mark.parametrize("row", ["teacher", "multi_eyeq"])
def test_the_teachers_training_has_settings_of_its_own(row):
    run = settings("demo", row, 0, {"fundus.teacher_train.steps": 7, "fundus.train.lr": 0.5})
    assert (run.train.steps, run.train.lr) == (7 if row == "teacher" else 120, 0.5)
    with pytest.raises(ValueError, match=r"'fundus\.teacher_train\.stops'; TrainConfig has: steps"):
        settings("demo", row, 0, {"fundus.teacher_train.stops": 7})


def test_each_world_ignores_the_others_settings():
    assert photographs.settings(
        "demo", "supervised", 0, {"fundus.student.lambda_a": 2.0}
    ) == photographs.settings("demo")
    assert settings("demo", "multi_eyeq", 0, {"train.lr": 9.0, "data.labels": 3}) == settings(
        "demo"
    )
    assert (
        settings("demo", "multi_eyeq", 0, {"fundus.student.lambda_a": 2.0}).method.lambda_a == 2.0
    )


def test_simulated_data_are_made_once(home):
    small = TINY | {"fundus.data.pictures": (6, 8, 4, 4, 18)}
    sets = fundus.make_fundus_data("s", "smoke", small, progress=False)
    assert {which: (len(d), d.info["classes"]) for which, d in sets.items()} == {
        "mshf": (6, 3),
        "eyeq": (8, 3),
        "deepdrid": (4, 2),
        "eyeq_d": (4, 3),
        "single": (18, 3),
    }
    before = (sets["eyeq"].folder / "pixels.npy").stat().st_mtime_ns
    fundus.make_fundus_data("s", "smoke", small, progress=False)
    assert (sets["eyeq"].folder / "pixels.npy").stat().st_mtime_ns == before


def test_real_formats_from_end_to_end(home, tmp_path, monkeypatch):
    root = tmp_path / "real"
    make_mshf(root / "mshf", n=3)
    make_eyeq(root / "eyeq", n=14)
    make_eyeq_d(root / "eyeq_d", root / "eyeq", n=6, pictures=False)
    make_deepdrid(root / "deepdrid", n=2)
    monkeypatch.setenv("RIQA_DATA", str(root))
    small = TINY | {
        "fundus.data.pictures": (1, 1, 1, 1, 18),
        "fundus.model.arch": "",
        "fundus.model.weights": "none",
        "fundus.student.grid": (),
        "fundus.data.views": 1,
        "fundus.train.steps": 2,
        "fundus.train.evaluations": 1,
        "fundus.teacher_train.steps": 2,
        "fundus.train.lr": 1e-3,
    }
    sets = fundus.make_fundus_data("r", "paper", small, progress=False)
    assert {which: len(d) for which, d in sets.items()} == {
        "mshf": 18,
        "eyeq": 28,
        "deepdrid": 24,
        "eyeq_d": 6,
        "single": 18,
    }
    # what heads answer to is always drawn, and says so
    assert [which for which, d in sets.items() if d.info["simulated"]] == ["single"]
    frame = sets["eyeq"].frame
    assert set(frame["split"]) == {"train", "val", "test"}
    assert frame.groupby("group")["split"].nunique().max() == 1
    assert set(sets["mshf"].frame.query("split == 'test'")["source"]) == {"Local1", "Local2"}
    mean = sets["eyeq"].pixels.mean(axis=(1, 2, 3))
    assert (
        mean[frame["grade"] == 2].mean() > mean[frame["grade"] == 0].mean()
    )  # the encoding was turned the right way round
    runs = fundus.train_rows(
        "r", "paper", ["teacher", "single_eyeq", "multi_eyeq", "multi_deepdrid"], 0, small
    )
    said = predictions(runs, "teacher").query("set == 'mshf'")
    assert len(said) == 18  # "all": every source was left out once
    history = store.read_table(paths.runs() / runs["run"].iloc[0] / "history.csv")
    assert history["fold"].nunique() == 7
    walk = stored.load_fundus("r")
    table, _ = fundus_grades.overall(walk["predictions"], "eyeq", resamples=20)
    assert "published" in fundus_grades.show_overall(table, "eyeq", False).lower()
    details = fundus_grades.details(
        walk["predictions"],
        "eyeq_d",
        ["teacher", "multi_eyeq"],
        sets["eyeq_d"].frame,
        sets["mshf"].frame,
        resamples=20,
    )
    assert len(details) == 9
    auc = details.set_index(["method", "detail"])["auc"]
    over = details.set_index(["method", "detail"])["over_label"].dropna()
    assert len(over) == 6
    for method, detail in over.index:
        assert over[method, detail] == pytest.approx(
            auc[method, detail] - auc["label", detail], nan_ok=True
        )
    said = fundus_found.details_said(details, "EyeQ-D")
    assert ("against what the overall grade alone says" in said) == over.notna().any()
    counts = fundus_grades.counts({which: d.frame for which, d in sets.items()})
    line = counts[(counts["set"] == "eyeq") & (counts["what"] == "train")].iloc[0]
    assert (line["ours"], line["published"]) == (14, 12543)


def test_missing_real_sets_are_one_message(home, tmp_path, monkeypatch):
    make_eyeq(tmp_path / "eyeq", n=2)
    monkeypatch.setenv("RIQA_DATA", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"MSHF: to RIQA_DATA/mshf/(.|\n)*DeepDRiD(.|\n)*EyeQ-D"
    ) as e:
        fundus.make_fundus_data("r", "paper", TINY, progress=False)
    assert "EyeQ: to" not in str(e.value)
    monkeypatch.delenv("RIQA_DATA")
    with pytest.raises(FileNotFoundError, match="RIQA_DATA is not set"):
        fundus.make_fundus_data("r", "paper", TINY, progress=False)


# ---------------------------------------------------------------- tables, from made-up predictions
def told(n=60, seeds=2):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, n)
    rows = []
    for method, noise in (("single_deepdrid", 1.5), ("multi_deepdrid", 0.6)):
        for seed in range(seeds):
            p = 1 / (1 + np.exp(-(2 * truth - 1 + rng.normal(0, noise, n) + (method[0] == "m"))))
            details = {d: truth for d in DETAILS} | {f"d_{d}": p for d in DETAILS}
            split = np.where(np.arange(n) < 20, "val", "test")
            rows.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "seed": seed,
                        "set": "deepdrid",
                        "id": [f"i{k}" for k in range(n)],
                        "group": [f"g{k // 2}" for k in range(n)],
                        "split": split,
                        "truth": truth,
                        "p0": 1 - p,
                        "p1": p,
                        **details,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def slow_f1(truth, said):
    hit = sum(t == s == 0 for t, s in zip(truth, said, strict=True))
    return 2 * hit / (sum(t == 0 for t in truth) + sum(s == 0 for s in said))


def test_overall_table_against_slow_loops():
    frame = told()
    table, boot = fundus_grades.overall(frame, "deepdrid", resamples=100)
    row = table.set_index("method").loc["single_deepdrid"]
    f1, matched, auc = [], [], []
    for seed in (0, 1):
        mine = frame[(frame["method"] == "single_deepdrid") & (frame["seed"] == seed)]
        val, test = mine.query("split == 'val'"), mine.query("split == 'test'")
        bad = int((val["truth"] == 0).sum())
        ordered = sorted(val["p0"], reverse=True)
        threshold = (ordered[bad - 1] + ordered[bad]) / 2
        assert (val["p0"] > threshold).sum() == bad
        f1.append(slow_f1(test["truth"], (test["p0"] < 0.5).astype(int)))
        matched.append(slow_f1(test["truth"], (test["p0"] <= threshold).astype(int)))
        pairs = [
            (a > b) + 0.5 * (a == b)
            for a in test.loc[test["truth"] == 0, "p0"]
            for b in test.loc[test["truth"] == 1, "p0"]
        ]
        auc.append(np.mean(pairs))
    for name, values in (("f1", f1), ("matched", matched), ("auc", auc)):
        assert row[name] == pytest.approx(np.mean(values))
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    d = fundus_grades.differences(boot, "multi_deepdrid", "single_deepdrid").set_index("measure")
    assert d.loc["auc", "difference"] == pytest.approx(table["auc"].iloc[1] - table["auc"].iloc[0])


def test_the_label_baseline_knows_the_grade_alone():
    frame = (
        told(12, 1).query("method == 'single_deepdrid'").assign(truth_overall=lambda t: t.index % 3)
    )
    other = pd.DataFrame({"grade": [0, 0, 0, 2, 2, 0]} | {d: [0, 1, 0, 1, 1, -1] for d in DETAILS})
    out = fundus_grades.with_label_baseline(frame, other)
    label = out[out["method"] == "label"].reset_index(drop=True)
    assert label["d_clarity"].tolist() == pytest.approx([2 / 5, 1 / 2, 3 / 4] * 4)
    assert (out["method"] == "single_deepdrid").sum() == 12


def test_damaged_predictions_are_named(tmp_path):
    frame = told(4, 1).query("method == 'single_deepdrid'")
    frame.loc[frame.index[2], "d_contrast"] = 1.5
    store.write_table(tmp_path / "predictions.csv.gz", frame)
    with pytest.raises(ValueError, match=r"row 4 \(i2\)"):
        stored.read_fundus_predictions(tmp_path)
    store.write_table(tmp_path / "predictions.csv.gz", frame.drop(columns="d_clarity"))
    with pytest.raises(ValueError, match="no column d_clarity"):
        stored.read_fundus_predictions(tmp_path)
    with pytest.raises(FileNotFoundError, match="14_teacher"):
        stored.load_fundus("nowhere", pd.DataFrame())


def test_calibration_maps_one_by_one():
    p = np.array([[0.3, 0.6, 0.9]])
    a, b = platt(np.array([0.2, 0.8, 0.4, 0.7]), np.array([0, 1, 0, 1]))
    out = calibrated(p, [(1.0, 0.0), (a, b), (2.0, -1.0)])
    assert out[0, 0] == pytest.approx(0.3)
    assert out[0, 2] == pytest.approx(1 / (1 + np.exp(-(2 * np.log(9) - 1))))


def test_figures_say_simulated_and_show_every_row():
    from riqa_lib.figures import curves, fundus_results, style
    from riqa_lib.tables import paired_differences

    _, boot = fundus_grades.overall(told(), "deepdrid", resamples=20)
    table = paired_differences.of_bootstrap(boot, "deepdrid")
    details = fundus_grades.details(
        told(), "deepdrid", ["single_deepdrid", "multi_deepdrid"], resamples=20
    )
    history = pd.DataFrame(
        {
            "method": "teacher",
            "seed": 0,
            "step": [1, 2, 1, 2],
            "val_auc": [0.5, 0.6, np.nan, np.nan],
            "loss": [1.0, 0.9, 1.0, 0.8],
            "fold": ["a", "a", "none", "none"],
        }
    )
    drawn = {
        "differences": fundus_results.differences(table, simulated=True),
        "details": fundus_results.detail_points(details, simulated=True),
        "curves": curves.curves(history, ("val_auc", "loss"), simulated=True),
        "calibration": fundus_results.calibration(
            detail_calibration.calibration(told(), "deepdrid", "multi_deepdrid"), simulated=True
        ),
    }
    assert all(style.data_label(f) == "simulated data" for f in drawn.values())
    assert [t.get_text() for t in drawn["differences"].axes[0].get_yticklabels()] == [
        "multi-task\n− single-task"
    ]
    assert [t.get_text() for t in drawn["curves"].legends[0].get_texts()] == [
        "Teacher, without a",
        "Teacher, final",
    ]
    with pytest.raises(ValueError, match="no column val_auc"):
        curves.curves(history.drop(columns="val_auc"), ("val_auc",), simulated=True)
