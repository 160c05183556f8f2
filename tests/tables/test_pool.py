"""The pool's story against slow loops: shares, constants, recall, hidden pictures told apart, and
nothing said of unknown truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import mean

from riqa_lib import paths, store
from riqa_lib.seeding import rng
from riqa_lib.tables import pool

P = [f"p{k}" for k in range(5)]
LABELS = [2] * 6 + [3] * 3 + [0]
HIDDEN = pool.PARTS["train"]


def stored(run: str, split: np.ndarray, truth: np.ndarray, grade: np.ndarray) -> None:
    """A run's predictions: sure of `grade`, by a confidence that differs from picture to
    picture."""
    n = len(truth)
    sure = 0.4 + 0.5 * rng(run).permutation(n) / n
    p = np.tile(((1 - sure) / 4)[:, None], 5)
    p[np.arange(n), grade] = sure
    frame = pd.DataFrame({"id": [f"i{k:03d}" for k in range(n)], "split": split, "truth": truth})
    frame = frame.assign(group=frame["id"], source="s", score=np.nan)
    frame[P] = p
    store.write_table(paths.runs() / run / "predictions.csv.gz", frame)


@pytest.fixture
def runs(home) -> pd.DataFrame:
    """Two rows on 200 pictures of the pool (mostly grade 4), 40 hidden training pictures, 20 of the
    test."""
    g = rng("pool", "test")
    split = np.repeat(["pool", "train", "test"], [200, 40, 20])
    truth = np.r_[g.choice([2, 3, 4], 200, p=[0.1, 0.3, 0.6]), g.choice(4, 40), g.choice(4, 20)]
    off = g.choice([0, 1], 260, p=[0.3, 0.7])
    stored("a", split, truth, np.full(260, 3))
    stored("b", split, truth, np.clip(truth - off, 0, 4))
    rows = [("b", "fixmatch", 0, 10), ("a", "forest", 0, 10)]
    return pd.DataFrame(rows, columns=["run", "method", "seed", "labels"])


def unknown(said: pd.DataFrame, part: str) -> pd.DataFrame:
    return said.assign(truth=said["truth"].where(said["part"] != part, -1))


def test_told_is_what_runs_say_of_pictures_without_a_label(runs):
    said = pool.told(runs, simulated=True)
    assert list(said.columns) == [*pool.TOLD, *P]
    assert len(said) == 2 * 240
    assert said.groupby(["method", "part"]).size().to_dict() == {
        (method, part): n
        for method in ("fixmatch", "forest")
        for part, n in (("pool", 200), (HIDDEN, 40))
    }
    for row in said.iloc[::37].to_dict("records"):
        p = [row[c] for c in P]
        assert row["grade"] == p.index(max(p))
        assert row["confidence"] == max(p)
    assert pool.told(runs.iloc[:0], simulated=True).empty


def test_the_truth_of_a_real_pool_is_unknown_whatever_was_stored(runs):
    """An invented grade of its pictures is no truth: nothing is judged by it. Training pictures
    whose label was hidden are."""
    stored_ones = pool.told(runs, simulated=True)
    said = pool.told(runs, simulated=False)
    inside = said["part"] == "pool"
    assert (stored_ones.loc[inside, "truth"] >= 0).all()
    assert (said.loc[inside, "truth"] == -1).all()
    assert said[~inside].equals(stored_ones[~inside])
    assert said.drop(columns="truth").equals(stored_ones.drop(columns="truth"))
    for table in (pool.judged(said, LABELS), pool.by_confidence(said), pool.per_grade(said)):
        assert set(table["part"]) == {HIDDEN}
    text = pool.show(said[inside], LABELS, simulated=False)
    assert "**Pool**: no true grade is known, so nothing is judged." in text
    assert "ccuracy" not in text
    assert "true" not in text.replace("no true grade", "")


def test_shares_are_told_by_the_names_of_the_grades(runs):
    said = pool.told(runs, simulated=True)
    text = pool.show(said, LABELS, simulated=True, words=["a", "b", "c", "d", "e"])
    assert "| share of each grade | pictures | 0 (a) | 1 (b) | 2 (c) | 3 (d) | 4 (e) |" in text
    assert "| pictures | 0 | 1 | 2 | 3 | 4 |" in pool.show(said, LABELS, simulated=True)


def test_shares_of_each_grade_against_a_slow_loop(runs):
    said = pool.told(runs, simulated=True)
    table = pool.shares(said, LABELS).set_index(["part", "method"])
    assert table.loc[(pool.LABELS, pool.LABELS), "share_2"] == 0.6
    for part in ("pool", HIDDEN):
        rows = said[said["part"] == part].to_dict("records")
        for method in ("forest", "fixmatch"):
            grades = [r["grade"] for r in rows if r["method"] == method]
            truths = [r["truth"] for r in rows if r["method"] == method]
            for k in range(5):
                given, true = table.loc[(part, method)], table.loc[(part, pool.TRUE)]
                assert given[f"share_{k}"] == pytest.approx(mean(x == k for x in grades))
                assert true[f"share_{k}"] == pytest.approx(mean(x == k for x in truths))
            assert given["pictures"] == true["pictures"] == len(grades)
    order = [m for _, m in table.index]  # in the tables' order, the truth first
    assert order == [pool.LABELS, *[pool.TRUE, "forest", "fixmatch"] * 2]


def test_rows_and_constants_against_a_slow_loop(runs):
    said = pool.told(runs, simulated=True)
    table = pool.judged(said, LABELS, resamples=300)
    for part in ("pool", HIDDEN):
        rows = said[(said["part"] == part) & (said["method"] == "fixmatch")].to_dict("records")
        truths = [r["truth"] for r in rows]
        commonest = max(range(5), key=truths.count)
        found = table[table["part"] == part].set_index("row")
        of = {"ViT + FixMatch": [r["grade"] for r in rows]}
        of[f"always {commonest}, the commonest here"] = [commonest] * len(rows)
        of["always 2, the commonest of the labels"] = [2] * len(rows)
        of["statistics + forest"] = [3] * len(rows)
        assert set(found.index) == set(of)
        scores = {}
        for name, grades in of.items():
            row, pairs = found.loc[name], list(zip(truths, grades, strict=True))
            of_class = [
                mean(abs(t - g) for t, g in pairs if t == k) for k in range(5) if k in truths
            ]
            scores[name] = {
                "accuracy": mean(t == g for t, g in pairs),
                "mae": mean(abs(t - g) for t, g in pairs),
                "macro_mae": mean(of_class),
            }
            for metric, value in scores[name].items():
                assert row[metric] == pytest.approx(value)
                assert row[f"{metric}_low"] <= value <= row[f"{metric}_high"]
            for k in range(5):
                true, given = [g == k for t, g in pairs if t == k], [t for t, g in pairs if g == k]
                assert row[f"recall_{k}"] == pytest.approx(
                    mean(true) if true else np.nan, nan_ok=True
                )
                right = mean(t == k for t in given) if given else np.nan
                assert row[f"precision_{k}"] == pytest.approx(right, nan_ok=True)
                assert row[f"true_{k}"] == pytest.approx(truths.count(k) / len(truths))
        for name in of:
            for metric, value in scores[name].items():
                for answer, other in (("commonest", list(of)[1]), ("labels", list(of)[2])):
                    expected = value - scores[other][metric]
                    assert found.loc[name, f"{metric}_to_{answer}"] == pytest.approx(expected)


def test_one_answer_that_is_the_commonest_of_both_stands_once(runs):
    said = pool.told(runs, simulated=True)
    table = pool.judged(said[said["part"] == "pool"], [4, 4, 1], resamples=50)
    assert table.loc[table["answer"] != "", "row"].tolist() == ["always 4, the commonest of both"]


def test_where_nothing_is_known_of_the_pool_no_accuracy_is_said(runs):
    """Real pools: no truth. Hidden training pictures are judged all the same, under their own
    name."""
    said = unknown(pool.told(runs, simulated=True), "pool")
    assert set(pool.judged(said, LABELS, resamples=20)["part"]) == {HIDDEN}
    assert set(pool.by_confidence(said)["part"]) == {HIDDEN}
    assert set(pool.per_grade(said)["part"]) == {HIDDEN}
    assert ("pool", pool.TRUE) not in set(
        pool.shares(said, LABELS)[["part", "method"]].itertuples(index=False, name=None)
    )
    text = pool.show(said, LABELS, simulated=False)
    assert text.startswith("Real data.")
    mine, _, hidden = text.partition(f"**{HIDDEN.capitalize()}**")
    assert "**Pool**: no true grade is known, so nothing is judged." in mine
    assert "ccuracy" not in mine
    assert "always" not in mine
    assert "MAE" in hidden
    nothing = unknown(said, HIDDEN)
    assert pool.judged(nothing, LABELS).empty
    text = pool.show(nothing, LABELS, simulated=False)
    assert "ccuracy" not in text
    assert "MAE" not in text
    assert "pool: ViT + FixMatch says" in text
    assert pool.findings(pool.judged(nothing, LABELS), "fixmatch") == ""
    assert pool.summary(pool.judged(nothing, LABELS)) == ""


def test_pictures_of_unknown_grade_are_not_counted_among_the_known(runs):
    said = pool.told(runs, simulated=True)
    some = said["id"].isin(sorted(said.loc[said["part"] == "pool", "id"])[:60])
    partly = said.assign(truth=said["truth"].where(~some, -1))
    ours = pool.judged(partly, LABELS, resamples=20).set_index(["part", "method"])
    known = pool.judged(said[~some], LABELS, resamples=20).set_index(["part", "method"])
    pd.testing.assert_frame_equal(ours, known)
    shares = pool.shares(partly, LABELS).set_index(["part", "method"])["pictures"]
    both = said[(said["part"] == "pool") & (said["method"] == "forest")]
    assert shares["pool", pool.TRUE] == (~some[both.index]).sum() < len(both) == 200
    assert shares["pool", "forest"] == 200


def test_no_pool_is_said_so(home):
    none = pool.told(pd.DataFrame(columns=["run", "method", "seed", "labels"]), simulated=True)
    assert pool.show(none, LABELS, simulated=True).endswith(
        "There is no pool, or no run graded it.\n"
    )
    assert pool.judged(none, LABELS).empty


def test_accuracy_by_quarters_of_confidence(runs):
    said = pool.told(runs, simulated=True)
    table = pool.by_confidence(said).set_index(["part", "method"])
    assert len(table) == 4
    for (part, method), row in table.iterrows():
        mine = said[(said["part"] == part) & (said["method"] == method)].to_dict("records")
        mine.sort(key=lambda r: -r["confidence"])
        n = len(mine) // 4
        for quarter in range(4):
            rows = mine[n * quarter : n * quarter + n]
            right = mean(r["grade"] == r["truth"] for r in rows)
            assert row[f"quarter {quarter + 1}"] == pytest.approx(right)
        assert row["accuracy"] == pytest.approx(mean(r["grade"] == r["truth"] for r in mine))


def test_pseudo_labels_grade_by_grade_against_a_slow_loop(runs):
    said, floor = pool.told(runs, simulated=True), 0.6
    table = pool.per_grade(said, floor).set_index(["method", "part", "grade"])
    assert len(table) == 2 * 2 * 5
    for (method, part, k), row in table.iterrows():
        part_of = said[(said["method"] == method) & (said["part"] == part)].to_dict("records")
        given = [r for r in part_of if r["grade"] == k]
        true = [r for r in part_of if r["truth"] == k]
        kept = [r for r in given if r["confidence"] > floor]
        expected = {
            "given": len(given),
            "share": len(given) / len(part_of),
            "true_share": len(true) / len(part_of),
            "precision": mean(r["truth"] == k for r in given) if given else np.nan,
            "recall": mean(r["grade"] == k for r in true) if true else np.nan,
            "kept": len(kept) / len(given) if given else np.nan,
            "kept_precision": mean(r["truth"] == k for r in kept) if kept else np.nan,
        }
        assert row[list(expected)].tolist() == pytest.approx(list(expected.values()), nan_ok=True)
    everything = pool.per_grade(said)
    assert (everything["kept"].dropna() == 1).all()


def test_seeds_are_averaged_and_hidden_pictures_are_those_of_all_seeds(runs):
    """Another seed hides other training pictures: those of both are judged."""
    said = pool.told(runs[runs["method"] == "fixmatch"], simulated=True)
    lost = said.loc[said["part"] == HIDDEN, "id"].iloc[:5]
    other = said[~said["id"].isin(lost)].assign(seed=1, grade=3)
    table = pool.judged(pd.concat([said, other]), LABELS, resamples=50)
    runs_only = table[table["answer"] == ""].set_index("part")
    assert runs_only["seeds"].tolist() == [2, 2]
    assert runs_only["pictures"].to_dict() == {"pool": 200, HIDDEN: 35}
    mine = said[said["part"] == "pool"]
    first, second = (mean(g == mine["truth"]) for g in (mine["grade"], np.full(200, 3)))
    assert runs_only.loc["pool", "accuracy"] == pytest.approx((first + second) / 2)
    several = pool.show(pd.concat([said, other]), LABELS, simulated=True)
    assert "intervals over pictures and seeds." in several
    assert "intervals over pictures." in pool.show(said, LABELS, simulated=True)


def test_budgets_of_one_method_are_rows_of_their_own(runs):
    said = pool.told(pd.concat([runs, runs.assign(labels=300, run=["a", "b"])]), simulated=True)
    table = pool.judged(said, LABELS, resamples=20)
    mine = table[(table["method"] == "fixmatch") & (table["part"] == "pool")]
    assert mine["labels"].tolist() == [10, 300]
    assert mine["accuracy"].nunique() == 2


# ---------------------------------------------------------------- in words
def test_findings_say_what_the_numbers_say(runs):
    table = pool.judged(pool.told(runs, simulated=True), LABELS)
    lines = pool.findings(table, "forest").splitlines()
    row = table[(table["method"] == "forest") & (table["part"] == "pool")].iloc[0]
    assert len(lines) == 2
    assert lines[0].startswith("- **statistics + forest** on the pool (200 pictures): it says 4 of")
    whole = {k: f"{100 * row[f'true_{k}']:.0f} %" for k in (3, 4)}
    assert f"it says 4 of 0 % where {whole[4]} are 4" in lines[0]
    assert f"and 3 of 100 % where {whole[3]} are 3" in lines[0]
    assert f"recall of grade 4 0.00 [0.00, {row['recall_4_high']:.2f}], precision –" in lines[0]
    away = -row["accuracy_to_commonest"]
    assert f"Held against always saying 4: accuracy {row['accuracy']:.2f} [" in lines[0]
    assert f", below by {away:.2f} [" in lines[0]
    assert row["accuracy_to_commonest_high"] < 0  # so "below" is decided
    assert "macro-MAE" in lines[0]
    assert "One seed: said of new pictures, not of new seeds." in lines[0]
    several = table.assign(seeds=3)
    assert "seed" not in pool.findings(several, "forest")
    assert pool.findings(table, "simmatch") == ""


def test_a_difference_whose_interval_holds_0_is_not_called_below_or_above(runs):
    said = pool.told(runs, simulated=True)
    g = rng("as often right")
    same = said["truth"].where(g.uniform(size=len(said)) < 0.6, 0)
    table = pool.judged(said.assign(grade=same.astype(int)), LABELS)
    row = table[(table["method"] == "forest") & (table["part"] == "pool")].iloc[0]
    assert row["accuracy_to_commonest_low"] < 0 < row["accuracy_to_commonest_high"]
    line = pool.findings(table, "forest").splitlines()[0]
    assert "], not told apart: " in line.split("MAE")[0]


def test_the_summary_counts_the_rows_below_the_commonest_grade(runs):
    table = pool.judged(pool.told(runs, simulated=True), LABELS)
    first, second = pool.summary(table).splitlines()
    always = table.query("part == 'pool' and answer == 'commonest'").iloc[0]
    recall = table.query("part == 'pool' and method == 'fixmatch'").iloc[0]["recall_4"]
    assert f"always saying 4 is right for {always['accuracy']:.2f}" in first
    assert "2 of 2 rows lie below that by the interval over pictures, 0 above" in first
    assert f"Recall of grade 4: 0.00 to {recall:.2f}." in first
    assert second.startswith(f"- On the {HIDDEN} (40 pictures)")
    assert second.endswith("Recall of grade 4: no picture has it.")


def test_the_page_names_pictures_behind_a_recall(runs):
    said = pool.told(runs, simulated=True)
    text = pool.show(said, LABELS, simulated=True)
    truth = said[(said["part"] == "pool") & (said["method"] == "forest")]["truth"]
    assert f"recall of 2 ({(truth == 2).sum()} have it)" in text
    assert "recall of 1 (0 have it)" in text
    assert "| labels | 10 | 10 % | 0 % | 60 % | 30 % | 0 % |" in text
    assert "| always 4, the commonest here | – |" in text


def test_a_share_that_is_not_none_is_not_said_to_be():
    assert [pool.percent(x) for x in (0, 0.001, 0.006, 0.994, 0.999, 1)] == [
        "0 %",
        "under 1 %",
        "1 %",
        "99 %",
        "over 99 %",
        "100 %",
    ]
