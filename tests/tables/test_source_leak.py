"""The source leak: metrics without added pictures, and a model that knows nothing but sources."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.seeding import rng
from riqa_lib.stats import metrics
from riqa_lib.tables import source_leak
from riqa_lib.tables.table2 import COLUMNS


# ---------------------------------------------------------------- without the added pictures
def predictions() -> pd.DataFrame:
    """Two methods, two seeds: "leaky" knows added pictures by heart and says 2 for the rest, "fair"
    the other way round."""
    g = rng("leak")
    n = 60
    truth = np.r_[g.integers(0, 4, n - 12), np.repeat([0, 4], 6)]
    base = pd.DataFrame(
        {"id": [f"i{i}" for i in range(n)], "truth": truth, "split": "test", "labels": 9}
    )
    base["source"] = ["koniq-like"] * (n - 12) + ["extra"] * 12
    base["score"] = np.r_[
        5.0 - truth[:-12], [np.nan] * 12
    ]  # turned round: not what to correlate with
    parts = []
    for method in ("supervised", "fixmatch"):
        for seed in (0, 1):
            knows = (base["source"] == "extra") == (method == "supervised")
            said = np.where(knows, truth, np.where(np.arange(n) % 7 == seed, 1, 2))
            p = pd.DataFrame(np.eye(5)[said], columns=[f"p{k}" for k in range(5)])
            parts.append(pd.concat([base.assign(method=method, seed=seed), p], axis=1))
    val = parts[0].assign(split="val", p0=1.0, **{f"p{k}": 0.0 for k in range(1, 5)})
    return pd.concat([*parts, val], ignore_index=True)


def test_koniq_only_is_the_mean_over_seeds_of_each_part() -> None:
    everything = predictions()
    found = source_leak.koniq_only(everything)
    assert found["method"].tolist() == ["supervised"] * 3 + ["fixmatch"] * 3
    assert found["part"].tolist() == ["all", "koniq-like", "added"] * 2
    assert found["pictures"].tolist() == [60, 48, 12] * 2
    assert (found["seeds"] == 2).all()
    test = everything[everything["split"] == "test"]
    for _, row in found.iterrows():
        inside = {
            "all": test["id"] != "",
            "koniq-like": test["source"] == "koniq-like",
            "added": test["source"] == "extra",
        }
        own = test[inside[row["part"]] & (test["method"] == row["method"])]
        each = []
        for seed in (0, 1):
            one = own[own["seed"] == seed]
            said = one[[f"p{k}" for k in range(5)]].to_numpy().argmax(axis=1)
            each.append(
                [metrics.mae(one["truth"], said, 5), metrics.macro_mae(one["truth"], said, 5)]
            )
        assert [row["mae"], row["macro_mae"]] == pytest.approx(np.mean(each, axis=0))
    leaky = found[found["method"] == "supervised"].set_index("part")
    assert leaky.loc["added", "mae"] == 0 < leaky.loc["all", "mae"] < leaky.loc["koniq-like", "mae"]
    assert np.isnan(leaky.loc["koniq-like", "mae_4"])
    fair = found[found["method"] == "fixmatch"].set_index("part")
    assert fair.loc["koniq-like", "srcc"] == pytest.approx(1)
    assert 0 < fair.loc["all", "srcc"] < 1  # with the grade: added pictures have no score


def test_koniq_only_of_other_pictures_is_empty() -> None:
    everything = predictions()
    for source in ("", "koniq-like"):
        found = source_leak.koniq_only(everything.assign(source=source))
        assert found.empty
        assert set(COLUMNS) <= set(found)


# ---------------------------------------------------------------- a model that knows only sources
def world(n: int = 200, telling: bool = True) -> tuple[pd.DataFrame, np.ndarray]:
    """Grades that no pixel shows; added pictures (a fifth, grade 4 and a few 0) are brighter, if
    telling."""
    g = rng("world")
    added = np.arange(n) % 5 == 0
    grade = np.where(added, np.where(np.arange(n) % 25 == 0, 0, 4), g.choice([1, 2, 2, 2, 3], n))
    pixels = g.integers(0, 100, (n + 20, 18, 18, 3))
    pixels[:n][added] += 100 * telling
    frame = pd.DataFrame({"source": np.where(added, "extra", "koniq-like"), "grade": grade})
    frame["split"] = np.where(np.arange(n) % 2 == 0, "train", "test")
    pool = pd.DataFrame({"source": "pool", "grade": -1, "split": "pool"}, index=range(20))
    return pd.concat([frame, pool], ignore_index=True), pixels.astype(np.uint8)


def test_a_source_detector_scores_as_a_quality_model_only_where_sources_show() -> None:
    frame, pixels = world()
    found = source_leak.source_detector(frame, pixels).set_index("row")
    assert found.index.tolist() == [
        "best constant (always 2)",
        "always 3",
        "source detector",
        "true source",
    ]
    test = frame[frame["split"] == "test"]
    truth = test["grade"].to_numpy()
    known = np.where(test["source"] == "extra", 4, 2)
    constants = {
        "best constant (always 2)": np.full(len(test), 2),
        "always 3": np.full(len(test), 3),
    }
    for row, said in (constants | {"true source": known}).items():
        assert found.loc[row, "mae"] == pytest.approx(metrics.mae(truth, said, 5))
        assert found.loc[row, "macro_mae"] == pytest.approx(metrics.macro_mae(truth, said, 5))
        assert found.loc[row, "mae_0"] == pytest.approx(np.abs(said - truth)[truth == 0].mean())
        assert found.loc[row, "mae_34"] == pytest.approx(np.abs(said - truth)[truth >= 3].mean())
    errors = found[list(source_leak.SHOWN)]
    assert errors.loc["source detector"].tolist() == errors.loc["true source"].tolist()
    assert found.loc["source detector", ["sources", "added", "auc"]].tolist() == [1, 1, 1]
    blind = source_leak.source_detector(*world(telling=False)).set_index("row")
    assert 0.3 < blind.loc["source detector", "auc"] < 0.7
    assert blind.loc["source detector", "mae_4"] > 1
    assert (found["pictures"] == 100).all()


def test_the_detector_never_sees_test_pictures_of_the_table() -> None:
    frame, pixels = world()
    changed = frame.assign(grade=np.where(frame["split"] == "test", 3, frame["grade"]))
    a, b = (source_leak.source_detector(f, pixels).set_index("row") for f in (frame, changed))
    assert a.index.tolist() == b.index.tolist()
    assert b.loc["true source", "mae"] == 1  # it still says 2 or 4, as the training labels told it


def test_findings_are_made_from_the_numbers() -> None:
    frame, pixels = world()
    table = source_leak.source_detector(frame, pixels)
    said = source_leak.findings(table, simulated=True)
    row = table.set_index("row").loc["source detector"]
    assert said.startswith("Simulated data, 100 test pictures.")
    mae = f"MAE {row['mae']:.3f} ({table['mae'][0]:.3f}; {row['mae']:.3f})"
    for words in ("AUC of 1.00", "100 % of the added", mae, "of grade 4 0.000 (2.000"):
        assert words in said
    one = source_leak.source_detector(frame.assign(source="koniq-like"), pixels)
    assert one.empty
    assert source_leak.source_detector(
        frame.replace({"source": {"koniq-like": "mine"}}), pixels
    ).empty
    assert "nothing to detect" in source_leak.findings(one, simulated=False)


# ---------------------------------------------------------------- pictures of one's own
def test_own_sources_are_told_with_their_mean_grades() -> None:
    graded = pd.DataFrame({"source": ["a", "b", "b", "a", "b"], "grade": [0, 4, 3, 1, 4]})
    table = source_leak.sources(graded).set_index("source")
    assert table["pictures"].to_dict() == {"a": 2, "b": 3}
    assert table["mean grade"].to_dict() == {"a": 0.5, "b": pytest.approx(11 / 3)}
    assert table["commonest grade"].to_dict() == {"a": 0, "b": 4}
    said = source_leak.own_findings(table)
    assert "from 2 sources, whose mean grades go from 0.50 to 3.67" in said


@pytest.mark.parametrize("source", ["", np.nan, "camera"])
def test_one_source_or_none_is_said_to_tell_nothing(source: object) -> None:
    table = source_leak.sources(pd.DataFrame({"source": [source] * 3, "grade": [0, 4, 3]}))
    assert table.empty
    said = source_leak.own_findings(table)
    assert "nothing could be told from it" in said
    assert "KonIQ" not in said + source_leak.findings(table, simulated=False)


def test_the_parts_of_a_row_stand_below_each_other_with_the_best_of_each() -> None:
    parts = source_leak.koniq_only(predictions())
    lines = source_leak.show(parts).splitlines()
    assert lines[0].count("|") - 1 == 8
    assert len(lines) == 2 + len(parts) + 2
    assert lines[-1].startswith("Means over seeds (9 labels, 2 seeds). Bold")
    by = {tuple(c.strip() for c in line.split("|")[1:3]): line for line in lines[2:-2]}
    mae = parts.set_index(["row", "part"])["mae"]
    for part, best in (("koniq-like, 48", "ViT + FixMatch"), ("added, 12", "ViT, supervised")):
        assert mae[best, part.split(",")[0]] == mae.xs(part.split(",")[0], level="part").min()
        for row in ("ViT, supervised", "ViT + FixMatch"):
            assert by[row, part].split("|")[3].strip().startswith("**") == (row == best)
    of_all = {row: mae[row, "all"] for row in ("ViT, supervised", "ViT + FixMatch")}
    assert min(of_all.values()) > 0  # the parts have a 0
    for row, value in of_all.items():
        cell = by[row, "all, 60"].split("|")[3].strip()
        assert cell.startswith("**") == (value == min(of_all.values()))
    assert source_leak.show(parts.iloc[:0]) == "All test pictures are of one collection."
