"""Trained on one set, tested on another: the table, its words, and the most wrong pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.stats.score_agreement import agreement
from riqa_lib.tables import cross_data_table as module

N = 40


def said_of(trained: str, tested: str, row: str, noise: float, seed: int) -> pd.DataFrame:
    g = np.random.default_rng(seed)
    score = g.uniform(0, 10, N)
    return pd.DataFrame(
        {
            "trained_on": trained,
            "tested_on": tested,
            "row": row,
            "id": [f"{tested}{i}" for i in range(N)],
            "group": [f"g{i // 2}" for i in range(N)],
            "subset": ["x" if i % 2 else "y" for i in range(N)] if tested == "B" else "",
            "score": score,
            "grade": np.clip(score // 2, 0, 4).astype(int),
            "expected": np.clip(score / 2.5 + g.normal(0, noise, N), 0, 4),
        }
    )


def facts_of(trained: str, tested: str, **other: object) -> dict[str, object]:
    known = {"trained_on": trained, "tested_on": tested, "simulated_trained": True}
    known |= {"simulated_tested": tested == "A", "size": 80, "pictures": 1040}
    known |= {"against": "score", "no_mae": "", "shown": "80 px, as stored", "copies": None}
    return known | other


@pytest.fixture
def said() -> pd.DataFrame:
    pairs = [("A", "A", "ridge", 0.3, 1), ("A", "A", "forest", 0.6, 1)]
    pairs += [("A", "B", "ridge", 0.9, 2), ("A", "B", "forest", 2.0, 2)]
    return pd.concat([said_of(*pair) for pair in pairs], ignore_index=True)


@pytest.fixture
def facts() -> pd.DataFrame:
    other = {"no_mae": "their grades mean different things: a; b", "copies": 7}
    return pd.DataFrame([facts_of("A", "A"), facts_of("A", "B", **other)])


def test_a_line_for_every_pair_row_and_part(said, facts):
    table = module.cross_data(said, facts, resamples=50)
    assert table[["tested_on", "row", "part"]].values.tolist() == [
        ["A", "forest", "all"],
        ["A", "ridge", "all"],
        *(["B", row, part] for row in ("forest", "ridge") for part in ("all", "within", "x", "y")),
    ]
    at = (said["tested_on"] == "B") & (said["row"] == "ridge")
    its = said[at]
    alone = agreement(its["expected"], its["score"], its["group"], its["subset"], resamples=50)
    mine = table[(table["tested_on"] == "B") & (table["row"] == "ridge")]
    for column in ("srcc", "srcc_low", "krcc", "plcc_high", "plcc_logistic"):
        assert mine[column].tolist() == pytest.approx(alone[column].tolist(), nan_ok=True)
    # errors in grades only where grades mean the same
    assert table.loc[table["tested_on"] == "B", "mae"].isna().all()
    home = said[(said["tested_on"] == "A") & (said["row"] == "forest")]
    expected = (home["expected"] - home["grade"]).abs().mean()
    assert table.loc[0, "mae"] == pytest.approx(expected)
    read_back = facts.assign(no_mae=[np.nan, "their grades"])  # as a CSV gives an empty cell
    again = module.cross_data(said, read_back, resamples=50)
    pd.testing.assert_frame_equal(again, table)
    with pytest.raises(ValueError, match="facts: none about A on B"):
        module.cross_data(said, facts[:1])
    with pytest.raises(ValueError, match="said: no column subset"):
        module.cross_data(said.drop(columns="subset"), facts)


def test_the_text_says_how_and_what_is_missing(said, facts):
    table = module.cross_data(said, facts, resamples=50)
    sets = pd.DataFrame({"title": ["CSIQ", "LIVE"], "state": ["not found", "broken: x\ny"]})
    text = module.show(table, facts, sets, str.upper, ["ridge", "forest"])
    lines = text.splitlines()
    assert lines[0] == "**Trained on A** (simulated data, 80 px):"
    assert lines[2] == "| SRCC ↑ on | A | B | B, within subsets |"
    assert lines[4].startswith("| RIDGE | 0.9")
    assert lines[5].startswith("| FOREST | 0.")
    one = table[(table["row"] == "forest") & (table["part"] == "within")].iloc[0]
    cell = f"{one.srcc:.2f} [{one.srcc_low:.2f}, {one.srcc_high:.2f}]".replace("-", "−")
    assert lines[5].endswith(f"| {cell} |")
    assert "| tested on |  | KRCC ↑ | PLCC ↑ | MAE ↓ |" in lines
    b_line = next(line for line in lines if line.startswith("| B | RIDGE"))
    assert b_line.endswith("| – |")
    assert (
        "- B: real data, 1,040 pictures, 80 px, as stored; against the score; 7 near-copies left "
        "out; no MAE (their grades mean different things: a; b)." in lines
    )
    assert "- A: simulated data, 1,040 pictures, 80 px, as stored; against the score." in lines
    assert module.CHECKED in text
    assert lines[-1] == "Not tested on: CSIQ (not found), LIVE (broken: x)."
    none = module.show(table, facts.assign(copies=None))
    assert module.CHECKED not in none
    assert "Not tested on" not in none


def test_the_most_wrong_by_rank():
    said = pd.DataFrame(
        {
            "row": "ridge",
            "id": list("abcdef"),
            "score": [1, 4, 9, 16, 25, 36],
            "expected": [3.9, 0.2, 0.3, 0.4, 0.1, 0.5],
        }
    )
    found = module.most_wrong(said, each=2)
    assert found["side"].tolist() == ["too high"] * 2 + ["too low"] * 2
    ranks = {"a": (6, 1), "b": (2, 2), "c": (3, 3), "d": (4, 4), "e": (1, 5), "f": (5, 6)}
    off = {k: (x - y) / 6 for k, (x, y) in ranks.items()}
    assert found["id"].tolist()[0] == max(off, key=off.get)
    assert found["id"].tolist()[2] == min(off, key=off.get)
    assert found["off"].tolist()[0] == pytest.approx(5 / 6)
    assert found["off"].tolist()[2] == pytest.approx(4 / 6)
    assert found["place"].tolist() == [1, 2, 1, 2]
