"""Who is compared with whom, on which pictures; experts against slow loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from riqa_lib.seeding import rng
from riqa_lib.tables import comparisons, experts, names

DETAILS = comparisons.DETAILS


def set_frame(which: str, n: int = 60) -> pd.DataFrame:
    g = rng("comparisons", which)
    split = {
        "mshf": np.where(np.arange(n) % 3 == 0, "test", "train"),
        "eyeq_d": np.full(n, "test"),
    }.get(which, np.full(n, "test"))
    group = (
        ["kowa" if s == "train" else "portable" for s in split]
        if which == "mshf"
        else [f"p{k // 2}" for k in range(n)]
    )
    frame = pd.DataFrame(
        {
            "id": [f"{which}{k}" for k in range(n)],
            "group": group,
            "source": which,
            "split": split,
            "grade": g.integers(0, 2 if which == "deepdrid" else 3, n),
        }
    )
    for d in DETAILS:
        truth = g.integers(0, 2, n)
        for k in (1, 2, 3):
            frame[f"{d}_{k}"] = np.where(g.random(n) < 0.8, truth, 1 - truth)
        frame[d] = (frame[[f"{d}_{k}" for k in (1, 2, 3)]].sum(axis=1) >= 2).astype(int)
    for k in (1, 2, 3):
        frame[f"overall_{k}"] = np.clip(frame["grade"] + g.integers(-1, 2, n), 0, 2)
    return frame


def said_of(frame: pd.DataFrame, which: str, method: str, seed: int, skill: float) -> pd.DataFrame:
    g = rng("said", which, method, seed)
    table = frame[["id", "group", "source", "split"]].assign(
        method=method, seed=seed, set=which, score=np.nan, truth=-1
    )
    for d in DETAILS:
        table[d] = frame[d]
        table[f"d_{d}"] = np.clip(skill * frame[d] + (1 - skill) * g.random(len(frame)), 0, 1)
    if method != "teacher":
        classes = 2 if method.endswith("deepdrid") else 3
        p = (
            g.dirichlet([1.0] * classes, len(frame))
            + skill * np.eye(classes)[np.minimum(frame["grade"], classes - 1)]
        )
        p /= p.sum(axis=1, keepdims=True)
        table = table.assign(
            truth=np.minimum(frame["grade"], classes - 1),
            **{f"p{k}": p[:, k] for k in range(classes)},
        )
    return table


@pytest.fixture(scope="module")
def world():
    frames = {s: set_frame(s) for s in ("eyeq", "mshf", "eyeq_d")}
    parts = [said_of(frames["eyeq_d"], "eyeq_d", "teacher", 2, 0.5)]  # a Teacher without a Student
    for seed in (0, 1):
        parts += [said_of(frames[s], s, "teacher", seed, 0.5) for s in ("mshf", "eyeq_d", "eyeq")]
        for method, skill in (("multi_eyeq", 0.6), ("single_eyeq", 0.3)):
            parts += [said_of(frames[s], s, method, seed, skill) for s in frames]
    return frames, pd.concat(parts, ignore_index=True)


def test_student_and_teacher_meet_where_neither_has_learnt(world):
    frames, predictions = world
    both = comparisons.beside_teacher(predictions, "multi_eyeq", "mshf")
    test = set(frames["mshf"].loc[frames["mshf"]["split"] == "test", "id"])
    assert set(both["id"]) == test
    assert both.groupby(["method", "seed"]).size().to_dict() == {
        (m, s): len(test) for m in ("multi_eyeq", "teacher") for s in (0, 1)
    }
    assert both["group"].nunique() == len(test)  # sources are no sample: pictures are resampled
    other = comparisons.beside_teacher(predictions, "multi_eyeq", "eyeq_d")
    assert set(other["id"]) == set(frames["eyeq_d"]["id"])
    assert set(other["seed"]) == {0, 1}


def test_all_comparisons_that_the_runs_allow(world):
    _, predictions = world
    table = comparisons.all_of(predictions, resamples=100)
    assert set(zip(table["comparison"], table["set"], table["a"], table["b"], strict=True)) == {
        ("multi v single", "eyeq", "multi_eyeq", "single_eyeq"),
        ("multi v single", "mshf", "multi_eyeq", "single_eyeq"),
        ("multi v single", "eyeq_d", "multi_eyeq", "single_eyeq"),
        ("Student v Teacher", "mshf", "multi_eyeq", "teacher"),
        ("Student v Teacher", "eyeq_d", "multi_eyeq", "teacher"),
    }
    on_eyeq = table["set"] == "eyeq"
    assert set(table.loc[on_eyeq, "quantity"]) == {"overall"}
    assert set(table.loc[~on_eyeq, "quantity"]) == set(DETAILS)
    assert set(table.loc[table["comparison"] == "Student v Teacher", "quantity"]) == set(DETAILS)
    part = predictions[(predictions["set"] == "eyeq") & (predictions["split"] == "test")]
    again = comparisons.one_table(part, "multi_eyeq", "single_eyeq", resamples=100)
    one = table[on_eyeq & (table["metric"] == "macro_f1")].iloc[0]
    other = again[(again["quantity"] == "overall") & (again["metric"] == "macro_f1")].iloc[0]
    assert (one["difference"], one["low"]) == (other["difference"], other["low"])
    assert one["difference"] > 0
    words = comparisons.findings(table, simulated=True)
    assert words.startswith("Simulated data.")
    overall = table["quantity"] == "overall"
    assert words.count("\n- ") == (table["primary"] & overall).sum() + 2  # and two of details
    assert len(comparisons.show(table).splitlines()) == 2 + len(table)
    with pytest.raises(ValueError, match="run notebooks 14_teacher and 15_student first"):
        comparisons.all_of(predictions[predictions["method"] == "single_eyeq"])


def test_experts_agree_as_a_slow_loop_says(world):
    frames, _ = world
    frame = frames["eyeq_d"]
    table = experts.expert_agreement(frame, resamples=100).set_index(["quantity", "kappa"])
    for quantity in ("overall", "clarity"):
        pairs = [
            cohen_kappa_score(frame[f"{quantity}_{a}"], frame[f"{quantity}_{b}"])
            for a, b in combinations((1, 2, 3), 2)
        ]
        assert table.loc[(quantity, "mean pairwise"), "estimate"] == pytest.approx(np.mean(pairs))
    one_label = frame.drop(columns=[c for c in frame if c[-2:] in ("_1", "_2", "_3")])
    assert experts.expert_agreement(one_label).empty


def test_models_agree_with_the_label_by_kappa(world):
    frames, predictions = world
    table = experts.model_agreement(
        predictions, frames["eyeq_d"], "eyeq_d", ["teacher", "multi_eyeq"]
    )
    table = table.set_index(["method", "quantity"])
    mine = predictions[
        (predictions["set"] == "eyeq_d")
        & (predictions["method"] == "multi_eyeq")
        & (predictions["seed"] == 0)
    ]
    assert table.loc[("multi_eyeq", "contrast"), "estimate"] == pytest.approx(
        cohen_kappa_score(mine["contrast"], mine["d_contrast"] >= 0.5)
    )


def test_pseudo_label_noise_counts_pairs_that_differ(world):
    frames, predictions = world
    frame = frames["eyeq_d"]
    table = experts.noise(predictions, frame, "eyeq_d").set_index("detail")
    mine = predictions[
        (predictions["set"] == "eyeq_d")
        & (predictions["method"] == "teacher")
        & (predictions["seed"] == 0)
    ]
    said = mine.set_index("id")["d_illumination"] >= 0.5
    with_graders, among = [], []
    for row in frame.to_dict("records"):
        votes = [row[f"illumination_{k}"] for k in (1, 2, 3)]
        with_graders += [int(said[row["id"]]) != v for v in votes]
        among += [a != b for a, b in combinations(votes, 2)]
    assert table.loc["illumination", "pseudo"] == pytest.approx(np.mean(with_graders))
    assert table.loc["illumination", "experts"] == pytest.approx(np.mean(among))
    assert experts.noise(predictions, frame[["id", "group", *DETAILS]], "eyeq_d").empty


def test_a_set_that_is_not_there_names_its_notebook(home):
    with pytest.raises(FileNotFoundError, match="13_fundus_datasets"):
        comparisons.frame_of("w", "eyeq")


def test_names_are_those_of_the_report():
    assert names.row_name("multi_hard_eyeq") == "multi-task, hard pseudo-labels"
