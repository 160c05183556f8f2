"""The pictures that a row is most wrong on and surest of, by hand; what sentences say of them."""

from __future__ import annotations

import pandas as pd
import pytest

from riqa_lib.tables import telling_pictures as telling

GRADES = ("bad", "fair", "good")


def said(rows: list[tuple[str, int, list[float]]]) -> pd.DataFrame:
    """Predictions from (id, truth, probabilities of three grades)."""
    p = pd.DataFrame([row[2] for row in rows], columns=["p0", "p1", "p2"])
    return pd.DataFrame({"id": [r[0] for r in rows], "truth": [r[1] for r in rows]}).join(p)


PREDICTIONS = said(
    [
        ("right", 2, [0.1, 0.0, 0.9]),
        ("one off", 1, [0.05, 0.0, 0.95]),
        ("two off", 2, [0.6, 0.4, 0.0]),
        ("two off, surer", 2, [0.8, 0.2, 0.0]),
        ("unknown", -1, [1.0, 0.0, 0.0]),
        ("barely right", 0, [0.4, 0.3, 0.3]),
    ]
)


def test_the_most_wrong_are_furthest_off_first_and_known_and_not_right():
    found = telling.most_wrong(PREDICTIONS, 10)
    assert found["id"].tolist() == ["two off, surer", "two off", "one off"]
    assert found["off"].tolist() == [-2, -2, 1]
    assert telling.most_wrong(PREDICTIONS, 1)["id"].tolist() == ["two off, surer"]


def test_the_surest_stand_right_ones_first_by_their_confidence():
    found = telling.surest(PREDICTIONS, 2)
    assert found["id"].tolist() == ["right", "barely right", "one off", "two off, surer"]
    assert found["part"].tolist() == [telling.RIGHT] * 2 + [telling.WRONG] * 2
    assert found["confidence"].tolist() == [0.9, 0.4, 0.95, 0.8]


def test_of_a_pool_that_nobody_graded_nothing_is_right_or_wrong():
    unknown = PREDICTIONS.assign(truth=-1)
    found = telling.surest(unknown, 2)
    assert found["id"].tolist() == ["unknown", "one off"]
    assert set(found["part"]) == {telling.UNKNOWN}
    assert "nobody knows" in telling.how_sure(unknown, "ViT")
    assert "at most 1.00 sure" in telling.how_sure(unknown, "ViT")
    assert telling.most_wrong(unknown).empty
    assert "nothing is judged" in telling.how_wrong(unknown, "ViT")


def test_how_wrong_counts_pictures_of_known_truth():
    words = telling.how_wrong(PREDICTIONS, "ViT", GRADES)
    assert "Of 5 pictures ViT grades 40 % rightly, 20 % one grade off, 2 two or more." in words
    assert "too kind to 20 % and too strict to 40 %" in words
    assert "grade 2 (good) called 0 (bad), with a probability of 0.80" in words
    assert telling.NOTHING in telling.how_wrong(PREDICTIONS[:1], "ViT")


def test_how_sure_compares_the_surest_tenth_with_the_least_sure():
    many = [(f"a{k:02d}", 2, [0.0, 0.01 * k, 1 - 0.01 * k]) for k in range(10)]
    many += [(f"b{k:02d}", 0, [0.4, 0.0, 0.6]) for k in range(10)]
    words = telling.how_sure(said(many), "ViT", GRADES)
    assert "50 % of 20 pictures are graded rightly" in words
    assert "surest of (mean probability 0.99) 100 %" in words
    assert "least sure of (mean probability 0.60) 0 %" in words
    assert "Surest and wrong: grade 0 (bad) called 2 (good), with 0.60." in words
    assert words != telling.how_sure(said(many[:10]), "ViT", GRADES)
    assert telling.NOTHING in telling.how_sure(said(many[:10]), "ViT", GRADES)


def test_a_chosen_picture_is_told_without_its_id():
    table = telling.show(telling.most_wrong(PREDICTIONS, 1), GRADES)
    assert "| 1 | 2 (good) | 0 (bad) | 0.80 | 0.20 |" in table
    assert "two off" not in table


def test_pictures_are_sorted_by_how_many_runs_are_right():
    """Four runs, three pictures: all right on a, none on b, two on c; no blind row is asked."""
    right, wrong = [0.1, 0.1, 0.8], [0.7, 0.2, 0.1]
    parts = []
    for k, (method, seed) in enumerate([("forest", 0), ("forest", 1), ("ridge", 0), ("vit", 0)]):
        p = [
            ("a", 2, right),
            ("b", 2, wrong),
            ("c", 2, right if k % 2 else wrong),
            ("d", -1, right),
        ]
        parts.append(said(p).assign(method=method, seed=seed))
    parts.append(said([("c", 2, right)]).assign(method="source_mean", seed=0))
    runs = pd.concat(parts, ignore_index=True)
    found = telling.across_rows(runs)
    assert found["id"].tolist() == ["a", "b", "c"]
    assert found["part"].tolist() == [telling.ALL_RIGHT, telling.NONE_RIGHT, telling.DIVIDED]
    assert found["note"].tolist() == [f"{n} of 4 runs right" for n in (4, 0, 2)]
    assert found.loc[2, ["p0", "p1", "p2"]].tolist() == pytest.approx([0.4, 0.15, 0.45])
    words = telling.how_alike(runs)
    assert "Of 3 pictures all 4 runs are right on 33 %, none on 33 %" in words
    assert "No row looks" in telling.how_alike(runs[runs["method"] == "source_mean"])


def test_runs_that_are_stacked_are_refused():
    with pytest.raises(ValueError, match="picture right is there twice"):
        telling.judged(pd.concat([PREDICTIONS, PREDICTIONS]))
    with pytest.raises(ValueError, match="no column truth"):
        telling.most_wrong(PREDICTIONS.drop(columns="truth"))
