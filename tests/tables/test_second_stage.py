"""The second stage: what it learns from, that hidden grades stay hidden, and its tables against
slow loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.datasets import data_folder
from riqa_lib.datasets.data_folder import open_dataset
from riqa_lib.pictures import photo_data
from riqa_lib.seeding import rng
from riqa_lib.tables import second_stage
from riqa_lib.training import photographs

SMALL = {"train.steps": 2, "train.evaluations": 1, "model.weights": "none", "data.labels": 40}
SMALL |= {"data.labelled": 130, "data.pool": 20}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A walk of 130 + 20 simulated pictures with 40 labels and a first stage of two methods,
    trained for two steps."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("second")))
    photographs.make_data("w", "smoke", SMALL)
    photographs.train_rows("w", "smoke", ["supervised", "fixmatch"], 0, SMALL)
    yield paths.home()
    patch.undo()


def second_run(row: str = "fixmatch_second", **more: object) -> photographs.Run:
    overrides = SMALL | more
    return photographs.settings("smoke", row, 0, overrides).but(
        teacher=photographs.first_stage("w", "smoke", row, 0, SMALL)
    )


def test_labels_and_pseudo_labels_are_merged_as_a_slow_loop_says(home):
    data, run = photo_data.walk_data("w"), second_run()
    rows = photographs.rows_of(run, data)
    learnt, grades = photographs.merged(run, data, rows)
    said = store.read_predictions(paths.runs() / run.teacher)
    expected = {}
    for row in range(len(data.frame)):
        picture = data.frame.iloc[row]
        if row in rows["labelled"]:
            expected[row] = int(picture["grade"])
        elif picture["split"] in ("pool", "train"):
            line = said[said["id"] == picture["id"]].iloc[0]
            expected[row] = max(range(5), key=lambda k: line[f"p{k}"])
    assert dict(zip(learnt.tolist(), grades.tolist(), strict=True)) == expected
    assert (
        len(learnt)
        == len(set(learnt.tolist()))
        == (data.frame["split"].isin(["pool", "train"])).sum()
    )
    assert not set(learnt) & set(np.flatnonzero(data.frame["split"].isin(["val", "test"])))


def test_the_first_stage_learns_from_labelled_pictures_only(home):
    data, run = photo_data.walk_data("w"), photographs.settings("smoke", "supervised", 0, SMALL)
    rows = photographs.rows_of(run, data)
    learnt, grades = photographs.merged(run, data, rows)
    assert len(learnt) == 40
    assert (grades == data.frame["grade"].to_numpy()[learnt]).all()


def test_a_confidence_floor_leaves_the_unsure_out(home):
    data, run = photo_data.walk_data("w"), second_run()
    rows = photographs.rows_of(run, data)
    said = store.read_predictions(paths.runs() / run.teacher)
    sure = said.loc[said["split"].isin(["pool", "train"]), [f"p{k}" for k in range(5)]].max(axis=1)
    floor = float(sure.median())
    learnt, _ = photographs.merged(second_run(**{"data.pseudo_confidence": floor}), data, rows)
    assert len(learnt) == 40 + (sure > floor).sum()
    assert 0 < (sure > floor).sum() < len(sure)


def test_the_floor_is_a_setting_of_the_second_stage_only(home):
    """The first stage is found, whatever the floor; the second stage is another run."""
    floor = SMALL | {"data.pseudo_confidence": 0.3}
    plain = photographs.train_rows("w", "smoke", ["supervised", "supervised_second"], 0, SMALL)[
        "run"
    ]
    other = photographs.train_rows("w", "smoke", ["supervised", "supervised_second"], 0, floor)[
        "run"
    ]
    assert (plain == other).tolist() == [True, False]
    for wrong in (-0.1, 1.0):
        with pytest.raises(ValueError, match=r"data\.pseudo_confidence is .*expected 0"):
            photographs.settings("smoke", "supervised_second", 0, {"data.pseudo_confidence": wrong})


def test_nothing_trained_depends_on_a_hidden_grade(home, monkeypatch):
    """Both stages, trained with other hidden grades and other truths of the pool: the same
    probabilities, to the bit."""
    data, run = photo_data.walk_data("w"), photographs.settings("smoke", "fixmatch", 0, SMALL)
    rows = photographs.rows_of(run, data)  # the draw of the labelled ones itself is by grade
    monkeypatch.setattr(photographs, "rows_of", lambda run, data: rows)
    frame = data.frame.copy()
    hidden = np.setdiff1d(rows["hidden"], np.flatnonzero(frame["split"] == "pool"))
    frame.loc[hidden, "grade"] = (frame.loc[hidden, "grade"] + 1) % 5
    frame["true_grade"] = 0
    said = []
    for one in (data, data_folder.DataSet(data.folder, frame, data.pixels, data.info)):
        first = photographs.train(run, one)
        second = photographs.train(
            photographs.settings("smoke", "fixmatch_second", 0, SMALL).but(teacher=first.name), one
        )
        said.append(
            pd.concat(
                [store.read_predictions(f)[[f"p{k}" for k in range(5)]] for f in (first, second)]
            )
        )
    assert (said[0].to_numpy() == said[1].to_numpy()).all()


def test_hidden_grades_are_never_read(home, tmp_path):
    """Other hidden grades (and other truths of the pool): the same pseudo-labels, to the bit."""
    data, run = photo_data.walk_data("w"), second_run()
    rows = photographs.rows_of(run, data)
    frame = data.frame.copy()
    hidden = np.setdiff1d(rows["hidden"], np.flatnonzero(frame["split"] == "pool"))
    assert len(hidden) > 20
    other = data_folder.DataSet(data.folder, frame, data.pixels, data.info)
    frame.loc[hidden, "grade"] = (frame.loc[hidden, "grade"] + 1) % 5
    frame["true_grade"] = 0
    for a, b in zip(
        photographs.merged(run, data, rows), photographs.merged(run, other, rows), strict=True
    ):
        assert (a == b).all()


def test_the_second_stage_is_a_run_of_its_own_and_is_reused(home):
    first = photographs.train_rows("w", "smoke", ["fixmatch_second", "supervised_second"], 0, SMALL)
    assert first["method"].tolist() == ["fixmatch_second", "supervised_second"]
    assert first["run"].nunique() == 2  # equal settings, other teachers
    times = [(paths.runs() / r / "predictions.csv.gz").stat().st_mtime_ns for r in first["run"]]
    again = photographs.train_rows("w", "smoke", ["fixmatch_second", "supervised_second"], 0, SMALL)
    assert again["run"].tolist() == first["run"].tolist()
    assert times == [
        (paths.runs() / r / "predictions.csv.gz").stat().st_mtime_ns for r in first["run"]
    ]
    for name, run in zip(("fixmatch", "supervised"), first["run"], strict=True):
        teacher = photographs.first_stage("w", "smoke", f"{name}_second", 0, SMALL)
        assert store.read_json(paths.runs() / run / "config.json")["teacher"] == teacher
        assert store.read_json(paths.runs() / teacher / "config.json")["method"]["name"] == name
    facts = store.read_json(paths.runs() / first["run"][0] / "provenance.json")
    data = open_dataset(paths.results("w") / "data")
    assert facts["labels"] == 40
    assert facts["pseudo_labels"] == data.frame["split"].isin(["pool", "train"]).sum() - 40
    assert facts["pictures_seen"] == 2 * 8


def test_without_its_first_stage_it_names_the_notebook(home):
    words = "first stage of comatch_second is not there yet; run notebook 07_comatch with SEED = 3"
    with pytest.raises(FileNotFoundError, match=words):
        photographs.train_rows("w", "smoke", ["comatch_second"], 3, SMALL)


def test_a_teacher_of_other_data_is_refused(home):
    data, run = photo_data.walk_data("w"), second_run()
    frame = data.frame.assign(id="x" + data.frame["id"].astype(str))
    other = data_folder.DataSet(data.folder, frame, data.pixels, data.info)
    with pytest.raises(
        ValueError, match=r"no prediction for \d+ pictures without a label, first x.*other data"
    ):
        photographs.merged(run, other, photographs.rows_of(run, other))


def test_every_method_has_a_second_stage_and_a_notebook():
    assert {
        r.removesuffix(photographs.SECOND)
        for r in photographs.ROWS
        if r.endswith(photographs.SECOND)
    } == set(photographs.METHODS)
    assert set(photographs.NOTEBOOKS) == set(photographs.METHODS)
    for notebook in photographs.NOTEBOOKS.values():
        assert (paths.ROOT / "notebooks" / f"{notebook}.ipynb").exists()


# ---------------------------------------------------------------- tables
def made_up(n: int = 90, known: bool = True) -> pd.DataFrame:
    g = rng("second", n)
    p = g.dirichlet([1.0] * 5, n)
    truth = g.integers(0, 4, n) if known else np.full(n, -1)
    labels = pd.DataFrame(
        {
            "method": np.where(np.arange(n) < n // 2, "fixmatch", "supervised"),
            "seed": 0,
            "part": "pool",
            "id": np.arange(n),
            "truth": truth,
            "grade": p.argmax(axis=1),
            "confidence": p.max(axis=1),
        }
    )
    return labels.assign(**{f"p{k}": p[:, k] for k in range(5)})


def test_quality_against_a_slow_loop():
    labels = made_up()
    low = labels["confidence"] < labels["confidence"].median()
    labels.loc[low, "truth"] = labels.loc[
        low, "grade"
    ]  # more often right than sure: errors of both signs
    row = second_stage.quality(labels).set_index("method").loc["fixmatch"]
    part = labels[labels["method"] == "fixmatch"].sort_values("confidence", kind="stable")
    right = (part["grade"] == part["truth"]).to_list()
    error, start = 0.0, 0
    for b in range(10):  # 45 pictures: five bins of 5, then five of 4
        size = 5 if b < 5 else 4
        rows = slice(start, start + size)
        error += size / 45 * abs(np.mean(part["confidence"].to_list()[rows]) - np.mean(right[rows]))
        start += size
    assert row["ece"] == pytest.approx(error)
    assert row["accuracy"] == pytest.approx(np.mean(right))
    assert row["mae"] == pytest.approx(
        np.mean([abs(a - b) for a, b in zip(part["grade"], part["truth"], strict=True)])
    )


def test_where_no_truth_is_known_nothing_is_said():
    assert second_stage.quality(made_up(known=False)).empty


def test_hidden_training_pictures_are_told_apart_from_the_pool():
    labels = made_up()
    hidden = np.arange(len(labels)) % 3 == 0
    labels.loc[hidden, "part"] = "hidden training pictures"
    table = second_stage.quality(labels).set_index(["method", "part"])
    assert len(table) == 4
    for (method, part), rows in labels.groupby(["method", "part"]):
        assert table.loc[(method, part), "pictures"] == len(rows)
        right = np.mean([a == b for a, b in zip(rows["grade"], rows["truth"], strict=True)])
        assert table.loc[(method, part), "accuracy"] == pytest.approx(right)


def test_pseudo_labels_are_those_of_first_stages_and_of_pictures_without_a_label(home):
    runs = photographs.train_rows(
        "w", "smoke", ["supervised", "fixmatch", "fixmatch_second"], 0, SMALL
    )
    labels = second_stage.pseudo_labels(runs, simulated=True)
    data = photo_data.walk_data("w")
    assert set(labels["method"]) == {"supervised", "fixmatch"}
    hidden = data.frame["split"].isin(["pool", "train"]).sum() - 40
    assert (labels.groupby("method").size() == hidden).all()
    splits = data.frame["split"].value_counts()
    assert labels.query("method == 'fixmatch'")["part"].value_counts().to_dict() == {
        "pool": splits["pool"],
        "hidden training pictures": splits["train"] - 40,
    }
    assert second_stage.pseudo_labels(runs, simulated=False)["truth"].max() >= 0  # the hidden ones
    real = second_stage.pseudo_labels(runs, simulated=False).query("part == 'pool'")
    assert (real["truth"] == -1).all()
    with pytest.raises(ValueError, match="no first-stage run"):
        second_stage.pseudo_labels(runs[runs["method"] == "fixmatch_second"], simulated=True)


def shifted(method: str, seed: int, off: int) -> pd.DataFrame:
    truth = np.arange(40) % 4
    grade = np.clip(truth + np.where(np.arange(40) % 5 < off, 1, 0), 0, 4)
    p = np.full((40, 5), 0.05)
    p[np.arange(40), grade] = 0.8
    frame = pd.DataFrame(
        {
            "method": method,
            "seed": seed,
            "labels": 9,
            "id": np.arange(40),
            "group": np.arange(40),
            "source": "a",
            "split": "test",
            "truth": truth,
            "score": truth + 1.0,
        }
    )
    return frame.assign(**{f"p{k}": p[:, k] for k in range(5)})


def test_changes_are_paired_differences_and_show_says_what_they_say():
    parts = [shifted("supervised", s, 2) for s in (0, 1, 2)] + [
        shifted("supervised_second", s, 2) for s in (0, 1, 2)
    ]
    parts += [shifted("fixmatch", s, 3) for s in (0, 1, 2)] + [
        shifted("fixmatch_second", s, 0) for s in (0, 1, 2)
    ]
    table = second_stage.changes(pd.concat(parts), resamples=200).set_index("method")
    assert table.loc["fixmatch", "mae_first"] == pytest.approx(0.6)
    assert table.loc["fixmatch", "mae_second"] == pytest.approx(0.0)
    assert table.loc["fixmatch", "mae_change"] == pytest.approx(-0.6)
    assert table.loc["fixmatch", "mae_to_base"] == pytest.approx(-0.4)
    assert table.loc[
        "supervised", ["mae_change", "mae_change_low", "mae_change_high"]
    ].tolist() == [0, 0, 0]
    words = second_stage.show(table.reset_index())
    assert (
        "lowers the MAE of ViT + FixMatch, raises that of none; "
        "for the other 1 the interval holds 0" in words
    )
    one = pd.concat(parts).query("seed == 0")
    words = second_stage.show(second_stage.changes(one, resamples=20))
    assert "One seed: not a comparison of the stages. Seeds: 1" in words
    assert "lowers" not in words
    with pytest.raises(ValueError, match="no method has both stages"):
        second_stage.changes(parts[0])
