"""What is said of the table of related work, and its predictions as expected grades."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riqa_lib.tables import related_findings


def row(method: str, srcc: float, mae: float, **more: object) -> dict[str, object]:
    none = {"beats": "", "open": "", "loses": "", "not_below": ""}
    facts = {"method": method, "row": method.upper(), "srcc": srcc, "mae": mae, "data": "real"}
    return {**facts, "pictures": 7, "seeds": 3, **none, **more}


TABLE = pd.DataFrame(
    [
        row("constant", np.nan, 0.6),
        row("ridge", 0.7, 0.4),
        row("forest", 0.5, 0.3),
        row("dbcnn", 0.6, 0.5, beats="A; B", loses="C", not_below="FOREST; RIDGE"),
        row("reiqa", 0.8, 0.6, seeds=1, open="A"),
    ]
)


def test_the_best_rows_and_what_each_network_passes():
    said = related_findings.findings(TABLE).splitlines()
    assert said[0] == "- Real data, 7 test pictures."
    assert "without a network has RIDGE, 0.700, the lowest MAE FOREST, 0.300" in said[1]
    assert "with one has REIQA, 0.800, the lowest MAE DBCNN, 0.500" in said[1]
    assert said[2] == (
        "- DBCNN: does not pass FOREST, RIDGE, by point estimates (in MAE, better than A, B; "
        "worse than C)."
    )
    assert said[3] == "- REIQA: passes every simple row."  # one seed decides nothing


def test_the_best_without_labels():
    tests = pd.DataFrame(
        {"row": ["ridge", "dbcnn"], "d": [0.6, 0.7], "l": [0.9, 0.2], "p": [0.1, 0.3]}
    )
    last = related_findings.findings(TABLE, tests).splitlines()[-1]
    assert "telling pristine from distorted DBCNN (0.70)" in last
    assert "ranking levels ridge on frozen maps (0.90)" in last
    assert "ranking pairs DBCNN (0.30)" in last


def test_expected_grades_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 8)
    frame = pd.DataFrame(p, columns=["p0", "p1", "p2"]).assign(
        method="dbcnn", seed=[0] * 5 + [1] * 3, id=list("abcdefgh"), truth=2, score=0.5
    )
    frame.loc[2, "score"] = np.nan
    said = related_findings.expected(frame, 0)
    assert said["id"].tolist() == list("abcde")
    slow = [sum(k * p[i, k] for k in range(3)) for i in range(5)]
    np.testing.assert_allclose(said["expected"], slow)
    assert said["score"].tolist() == [0.5, 0.5, 2.0, 0.5, 0.5]
    named = related_findings.agreed(TABLE.assign(srcc_low=0, srcc_high=1))["row"]
    assert named.tolist() == ["constant", "ridge", "forest", "dbcnn", "reiqa"]
