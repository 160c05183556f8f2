"""Table 2's columns and constants for any number of grades, against slow loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.seeding import rng
from riqa_lib.stats.votes import one_rater
from riqa_lib.tables import grade_columns, published, stored, table2, table2_shown
from riqa_lib.tables.names import PUBLISHED, UNTRAINED, always, name_of, order

FIVE = {
    "mae": "MAE ↓",
    "mae_3": "MAE 3 ↓",
    "mae_4": "MAE 4 ↓",
    "mae_34": "MAE 3&4 ↓",
    "mae_012": "MAE 0–2 ↓",
    "mae_0": "MAE 0 ↓",
    "mae_1": "MAE 1 ↓",
    "mae_2": "MAE 2 ↓",
    "macro_mae": "macro-MAE ↓",
    "accuracy": "accuracy ↑",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
}
every_scale = pytest.mark.parametrize("classes", range(2, 11))


def test_of_five_grades_the_columns_are_the_paper_s_and_what_it_leaves_out():
    columns = grade_columns.columns_of(5)
    assert [*columns.items()] == [*FIVE.items()]
    assert [*columns][:4] == [*PUBLISHED] == [*grade_columns.shown("paper", 5)]
    assert grade_columns.shown("summary", 5) == (
        *("mae", "mae_34", "macro_mae", "accuracy", "qwk", "srcc"),
    )
    assert always(5) == {"always_2": 2, "always_3": 3}


@every_scale
def test_each_grade_has_a_column_once_and_each_kind_shows_columns_there_are(classes):
    names = [f"g{k}" for k in range(classes)]
    for titles in (grade_columns.columns_of(classes), grade_columns.columns_of(classes, names)):
        assert len({*titles.values()}) == len(titles)
        assert {f"mae_{k}" for k in range(classes)} <= {*titles}
        for kind in grade_columns.KINDS:
            assert {*grade_columns.shown(kind, classes)} <= {*titles, *grade_columns.POINTS}
    assert all(f"MAE {name} ↓" in titles.values() for name in names)
    table = pd.DataFrame(columns=[*titles, "mae_low", "mae_34_low"])
    assert grade_columns.classes_in(table) == classes


@every_scale
def test_constants_are_grades_of_the_scale_and_rows_that_no_training_made(classes):
    rows = always(classes)
    assert {*rows.values()} < {*range(-1, classes)}
    assert {*rows} < UNTRAINED
    assert [name_of(row) for row in rows] == [f"always {k}" for k in rows.values()]
    assert order(["supervised", *rows, "constant"]) == ["constant", *rows, "supervised"]


def predictions(classes: int, seeds: int = 2, pictures: int = 60) -> pd.DataFrame:
    """Two rows' predictions of the same pictures; the second is nearer to the truth."""
    g = rng("grades", classes)
    truth = np.arange(pictures) % classes
    rows = []
    for method, noise in (("supervised", 1.2), ("fixmatch", 0.6)):
        for seed in range(seeds):
            place = truth + g.normal(0, noise, pictures)
            p = np.exp(-((np.arange(classes) - place[:, None]) ** 2))
            part = pd.DataFrame({"id": [f"i{i:03d}" for i in range(pictures)], "truth": truth})
            part[[f"p{k}" for k in range(classes)]] = p / p.sum(axis=1, keepdims=True)
            rows.append(part.assign(method=method, seed=seed, labels=30, group=part["id"]))
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_table2_against_slow_loops(classes):
    rows = predictions(classes)
    names = [f"g{k}" for k in range(classes)]
    train = [classes - 1] * 5 + [0] * 4
    table = table2.table2(
        rows, published.published().iloc[:0], False, train, resamples=50, names=names
    ).set_index("method")
    assert [*table.index] == ["constant", *always(classes), "supervised", "fixmatch"]
    assert table.loc["constant", "row"] == f"best constant (always g{classes - 1})"
    middle = (classes - 1) // 2
    assert [*table["row"].iloc[1:3]] == [f"always g{middle}", f"always g{middle + 1}"]
    for method, own in rows.groupby("method"):
        for metric in (m for m in grade_columns.columns_of(classes) if m.startswith("mae")):
            of = {int(k) for k in metric[4:]} or {*range(classes)}
            each = []
            for _, one in own.groupby("seed"):
                said = one[[f"p{k}" for k in range(classes)]].to_numpy().argmax(axis=1)
                pairs = zip(one["truth"], said, strict=True)
                each.append(np.mean([abs(t - s) for t, s in pairs if t in of]))
            assert table.loc[method, metric] == pytest.approx(np.mean(each)), metric
    published_columns = [c for c in table if c.startswith("published")]
    assert published_columns == ["published_mae"]
    assert table["published_mae"].isna().all()
    for kind in grade_columns.KINDS:
        first = table2_shown.show_table(table.reset_index(), kind).split("\n\n")[0].splitlines()
        assert len({line.count("|") for line in first}) == 1
    assert grade_columns.names_in(table) == tuple(names)


def test_grades_without_names_are_numbers_and_no_column_says_so():
    table = table2.table2(
        predictions(3), published.published().iloc[:0], False, [1, 2], resamples=20
    )
    assert "grades" not in table
    assert grade_columns.names_in(table) == ()
    assert [*table["row"].iloc[:3]] == ["best constant (always 1)", "always 1", "always 2"]
    assert "MAE 1&2 ↓" in table2_shown.show_table(table).splitlines()[0]


@pytest.mark.parametrize("classes", [2, 10])
def test_one_rater_of_any_number_of_grades_against_every_vote(classes):
    g = rng("votes", classes)
    votes = g.integers(0, 40, (40, classes))
    votes[:, 0] += 1
    names = [f"c{k + 1}" for k in range(classes)]
    frame = pd.DataFrame(votes, columns=names).assign(id=range(40), split="test")
    frame["grade"] = votes.argmax(axis=1)
    pictures = []
    for row, t in zip(votes, frame["grade"], strict=True):
        said = [k for k in range(classes) for _ in range(row[k])]
        pictures.append((t, np.mean([abs(k - t) for k in said]), np.mean([k == t for k in said])))
    found = one_rater(frame)
    assert found["mae"] == pytest.approx(np.mean([e for _, e, _ in pictures]))
    assert found["accuracy"] == pytest.approx(np.mean([r for _, _, r in pictures]))
    best = [e for t, e, _ in pictures if t >= classes - 2]
    together = "mae" if classes == 2 else f"mae_{classes - 2}{classes - 1}"
    assert found[together] == pytest.approx(np.mean(best))
    assert stored._rater(frame) == found
    assert stored._rater(frame.drop(columns="c1")) is None
    assert stored._rater(frame.drop(columns=names)) is None
