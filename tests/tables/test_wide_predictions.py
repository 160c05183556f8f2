"""Tracked predictions: a line a picture, a column a run and probability, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.tables import wide_predictions as wide

P = ["p0", "p1", "p2", "p3", "p4"]


def long(pictures=6, seeds=3):
    g = np.random.default_rng(0)
    rows = []
    for method, labels in (("fixmatch", 50), ("fixmatch", 1299), ("supervised", 1299)):
        for seed in range(seeds):
            p = wide.whole_steps(g.dirichlet(np.ones(5) / 2, pictures)) / wide.STEPS
            for i in range(pictures):
                known = {"id": f"k{i}", "source": "a" if i % 2 else "b", "split": "test"}
                front = {"method": method, "seed": seed, "labels": labels}
                rows.append(front | known | {"truth": i % 5} | dict(zip(P, p[i], strict=True)))
    return pd.DataFrame(rows)


def test_nothing_is_lost_and_each_picture_is_written_once(tmp_path):
    table = long()
    packed = wide.packed(table)
    assert len(packed) == 6
    assert not [c for c in packed if c.endswith("/p2")]  # what is left to 1
    assert packed["fixmatch/50/1/p4"].tolist() == [
        round(p * 10_000) for p in table.query("method == 'fixmatch' & labels == 50 & seed == 1").p4
    ]
    packed.to_csv(tmp_path / "t.csv", index=False)
    back = wide.unpacked(pd.read_csv(tmp_path / "t.csv"))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_a_run_that_says_nothing_of_a_picture_has_no_line_of_it():
    table = long().drop(index=[0, 7])
    back = wide.unpacked(wide.packed(table))
    pd.testing.assert_frame_equal(back, table.reset_index(drop=True), check_dtype=False)


def test_runs_that_know_different_things_of_a_picture_are_refused():
    table = long()
    table.loc[0, "truth"] = 4
    with pytest.raises(ValueError, match="picture k0: runs say different things"):
        wide.packed(table)


def test_a_table_without_a_probability_is_refused():
    packed = wide.packed(long())
    with pytest.raises(ValueError, match="p0, p3, p4: expected all but the middle grade's"):
        wide.unpacked(packed.drop(columns=[c for c in packed if c.endswith("/p1")]))


def test_whole_steps_sum_up_and_no_grade_changes():
    g = np.random.default_rng(1)
    p = np.vstack([g.dirichlet(np.ones(5), 500), [[0.19996, 0.400012, 0.400028, 0, 0]]])
    q = wide.whole_steps(p)
    assert (q.sum(axis=1) == wide.STEPS).all()
    assert (q.argmax(axis=1) == p.argmax(axis=1)).all()
    assert np.abs(q / wide.STEPS - p).max() < 3e-4
