"""Agreement with scores against slow loops: each resample written out picture by picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from riqa_lib.stats.metrics import plcc_logistic
from riqa_lib.stats.resampling import resamples_of
from riqa_lib.stats.score_agreement import (
    ALL,
    BLOCK,
    ONE_SCORE,
    RANKED,
    SAME,
    WITHIN,
    agreement,
    kendall,
)

SLOW = {"srcc": stats.spearmanr, "krcc": stats.kendalltau, "plcc": stats.pearsonr}
R = 40


def pictures(n: int = 60) -> dict[str, np.ndarray]:
    """Scores with ties, in pairs of one group, of three subsets of 20 pictures."""
    g = np.random.default_rng(5)
    score = np.round(g.uniform(0, 9, n), 1)
    expected = np.round(np.clip(score / 2.25 + g.normal(0, 0.8, n), 0, 4), 1)
    group, subset = np.arange(n) // 2, np.arange(n) // 20
    grade = np.clip(np.round(score / 2.25), 0, 4)
    return {
        "expected": expected,
        "score": score,
        "group": group.astype(str),
        "subset": np.char.add("s", subset.astype(str)),
        "grade": grade,
    }


def slow(data: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
    x, y = data["expected"][rows], data["score"][rows]
    out = {name: float(measure(x, y).statistic) for name, measure in SLOW.items()}
    return out | {"mae": float(np.mean(np.abs(x - data["grade"][rows])))}


def slow_resamples(data: dict[str, np.ndarray], part: np.ndarray) -> list[dict[str, float]]:
    """Groups drawn with replacement, each picture repeated as often as its group was drawn."""
    drawn, _ = resamples_of(len(set(data["group"])), 1, R, 0)
    out = []
    for counts in drawn:
        rows = [i for i in part for _ in range(counts[int(data["group"][i])])]
        out.append(slow(data, np.array(rows)))
    return out


def test_all_parts_as_the_slow_loop_has_them():
    data = pictures()
    table = agreement(**data, resamples=R).set_index("part")
    every = np.arange(60)
    parts = {ALL: every, **{f"s{k}": every[every // 20 == k] for k in range(3)}}
    draws = {part: slow_resamples(data, rows) for part, rows in parts.items()}
    for part, rows in parts.items():
        expected = slow(data, rows)
        for name in (*RANKED, "mae"):
            ends = np.quantile([one[name] for one in draws[part]], [0.025, 0.975])
            mine = table.loc[part, [name, f"{name}_low", f"{name}_high"]].tolist()
            assert mine == pytest.approx([expected[name], *ends], abs=1e-9), (part, name)
        fitted = plcc_logistic(data["expected"][rows], data["score"][rows])
        assert table.loc[part, "plcc_logistic"] == pytest.approx(fitted)
    within = table.loc[WITHIN]
    subsets = [f"s{k}" for k in range(3)]
    for name in (*RANKED, "mae"):
        assert within[name] == pytest.approx(np.mean([slow(data, parts[s])[name] for s in subsets]))
        each = [np.mean([draws[s][r][name] for s in subsets]) for r in range(R)]
        ends = np.quantile(each, [0.025, 0.975])
        assert within[[f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(ends)
    assert within["pictures"] == 60
    assert table.index.tolist() == [ALL, WITHIN, *subsets]
    assert (table["note"] == "").all()


def test_kendall_in_blocks_and_with_weights():
    g = np.random.default_rng(1)
    n = BLOCK + 40  # two blocks
    x, y = g.integers(0, 30, n).astype(float), g.integers(0, 50, n).astype(float)
    w = g.integers(0, 3, (2, n)).astype(float)
    for mine, counts in zip(kendall(x, y, w), w, strict=True):
        rows = np.repeat(np.arange(n), counts.astype(int))
        assert mine == pytest.approx(stats.kendalltau(x[rows], y[rows]).statistic, abs=1e-12)
    assert np.isnan(kendall(np.ones(5), np.arange(5.0), np.ones((1, 5)))).all()


def test_what_cannot_be_judged_says_why():
    data = pictures()
    data["subset"] = np.array(["a"] * 5 + ["b"] * 20 + ["c"] * 35)
    data["score"][5:25] = 3.0
    table = agreement(**data, resamples=R).set_index("part")
    assert table.loc["a", "note"] == "5 pictures, fewer than 10"
    assert table.loc["b", "note"] == ONE_SCORE
    assert table.loc[["a", "b"], "srcc"].isna().all()
    assert table.loc[WITHIN, "srcc"] == pytest.approx(table.loc["c", "srcc"])
    assert table.loc[WITHIN, "pictures"] == 35
    # a grader that says the same of a judged subset is not flattered by leaving it out
    data = pictures()
    data["expected"][:20] = 2.0
    table = agreement(**data, resamples=R).set_index("part")
    assert np.isnan(table.loc["s0", "srcc"])
    assert np.isnan(table.loc[WITHIN, "srcc"])
    assert table.loc["s0", "note"] == SAME
    assert table.loc[WITHIN, "note"] == f"{SAME} of a subset"
    assert np.isfinite(table.loc[WITHIN, "mae"])
    constant = agreement(np.full(60, 2.0), data["score"], data["group"], resamples=R)
    assert constant["note"].tolist() == [SAME]
    assert "mae" not in constant


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one value each per picture"):
        agreement([1.0, 2.0], [1.0, 2.0], ["a", "b"], grade=[1.0])
    with pytest.raises(ValueError, match="score: expected one finite number"):
        agreement([1.0, 2.0], [1.0, np.nan], ["a", "b"])
