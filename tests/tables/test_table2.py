"""Tables, the collected reference and README blocks, on a small walk written by hand."""

from __future__ import annotations

import json

import cheaper
import numpy as np
import pandas as pd
import pytest
from intervals import interval

from riqa_lib import paths, store
from riqa_lib.seeding import rng
from riqa_lib.stats import bootstrap, crossed, metrics
from riqa_lib.stats.votes import one_rater
from riqa_lib.tables import grade_columns, published, reference, stored, table2, table2_shown
from riqa_lib.tables.names import SECOND, order
from riqa_lib.tables.text import cell, fill_markers, show_frame

P = [f"p{k}" for k in range(5)]
RUNS = [("supervised", 40), ("fixmatch", 40), ("supervised_all", 160)]
NOISE = {"supervised": 0.65, "fixmatch": 0.3, "supervised_all": 0.63}


def pictures(per_split: int = 80) -> pd.DataFrame:
    g = rng("walk")
    n = 3 * per_split
    votes = g.multinomial(9, [0.02, 0.13, 0.45, 0.35, 0.05], size=n)
    grade = votes.argmax(axis=1)
    frame = pd.DataFrame(
        {
            "id": [f"i{i:03d}" for i in range(n)],
            "path": "",
            "group": [f"g{i // 2}" for i in range(n)],
        }
    )
    frame["source"] = "koniq-like"
    frame["split"] = np.repeat(["train", "val", "test"], per_split)
    frame["grade"] = grade
    frame["score"] = votes @ np.arange(1, 6) / 9
    frame[[f"c{k}" for k in range(1, 6)]] = votes
    frame["true_grade"] = grade
    pool = frame.head(30).assign(
        id=[f"u{i}" for i in range(30)], group="", source="pool", split="pool", grade=-1
    )
    return pd.concat([frame, pool.assign(score=np.nan)], ignore_index=True)


def predict(frame: pd.DataFrame, method: str, seed: int) -> pd.DataFrame:
    asked = frame[frame["split"].isin(["val", "test", "pool"])].reset_index(drop=True)
    place = asked["true_grade"].to_numpy() + rng(method, seed).normal(0, NOISE[method], len(asked))
    p = np.exp(-1.5 * (np.arange(5) - place[:, None]) ** 2)
    out = asked[["id", "group", "source", "split", "score"]].assign(truth=asked["grade"])
    out[P] = p / p.sum(axis=1, keepdims=True)
    return out


def write_walk(name: str = "demo", seeds: int = 2) -> pd.DataFrame:
    """A finished walk under RIQA_HOME, as the notebooks leave it."""
    frame = pictures()
    data = paths.results(name) / "data"
    store.write_table(data / "frame.csv", frame)
    store.write_json(
        data / "dataset.json", {"name": "koka10k", "simulated": True, "size": 48, "classes": 5}
    )
    for method, labels in RUNS:
        listed = []
        for seed in range(seeds):
            folder = store.run_folder({"method": {"name": method}, "seed": seed})
            store.write_table(folder / "predictions.csv.gz", predict(frame, method, seed))
            steps = pd.DataFrame({"step": [50, 100, 150]})
            steps = steps.assign(val_mae=np.array([0.9, 0.7, 0.6]) + 0.05 * seed, val_macro_mae=1.0)
            share = [0.2, 0.4, 0.6] if method == "fixmatch" else [0.0, 0.0, 0.0]
            steps = steps.assign(
                val_kept=share, val_kept_accuracy=[0.6, 0.7, 0.75] if any(share) else np.nan
            )
            store.write_table(folder / "history.csv", steps)
            facts = {
                "commit": "abc",
                "machine": "2 cores",
                "versions": {"python": "3.11", "torch": "2.11"},
            }
            facts |= {"train_seconds": 30.0, "labels": labels, "pictures_seen": 960, "threads": 1}
            store.write_json(folder / "provenance.json", facts)
            listed.append({"run": folder.name, "method": method, "seed": seed, "labels": labels})
        store.write_table(
            paths.results(name) / "tables" / f"runs-{method}.csv", pd.DataFrame(listed)
        )
    return frame


@pytest.fixture
def walk(tmp_path, monkeypatch) -> pd.DataFrame:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "results" / "reference")
    cheaper.few_resamples(monkeypatch)
    return write_walk()


def long(frame: pd.DataFrame, seeds: int = 2) -> pd.DataFrame:
    parts = [
        predict(frame, m, s).assign(method=m, seed=s, labels=n)
        for m, n in RUNS
        for s in range(seeds)
    ]
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- published numbers
def test_published_numbers() -> None:
    one, two = published.published("table1"), published.published("table2")
    counts = one.pivot_table(index="split", columns="grade", values="count")
    assert counts.loc["test"].tolist() == [23, 139, 515, 347, 23]
    assert counts.sum(axis=1).to_dict() == {"test": 1047, "train": 8345, "val": 1040}
    assert counts.sum().tolist() == [225, 1379, 5150, 3459, 219]
    values = two.pivot_table(index="method", columns="metric", values="value")
    assert values.loc["crmatch"].to_dict() == {
        "mae": 0.40,
        "mae_3": 0.33,
        "mae_34": 0.33,
        "mae_4": 0.39,
    }
    assert len(two) == 24
    # The printed column 3&4 is the mean over images of columns 3 and 4, within rounding: no cell is
    # mistyped.
    mean = (values["mae_3"] * 347 + values["mae_4"] * 23) / 370
    assert (mean - values["mae_34"]).abs().max() < 0.011
    for table in (one, two):
        assert table[["item", "pages", "source"]].notna().all().all()
    margins = published.published("margins")
    assert margins.set_index("metric")["margin"].to_dict() == {
        "macro_f1": 0.01,
        "auc": 0.03,
        "mae": 0.02,
    }
    choices = published.published("choices")
    assert list(choices) == ["item", "paper", "ours"]
    assert choices.notna().all().all()
    assert choices["item"].is_unique
    assert choices["paper"].str.startswith(("stated: ", "open")).all()
    with pytest.raises(
        ValueError,
        match=r"no published table 3; there are choices, .*fundus, .*method_settings, .*table1",
    ):
        published.published("3")


def without_lone_grades(predictions: pd.DataFrame) -> pd.DataFrame:
    """Without the grades that occur in one group only: macro-MAE has an interval then."""
    groups = predictions.groupby(["split", "truth"])["group"].transform("nunique")
    return predictions[groups > 1]


# ---------------------------------------------------------------- Table 2
def by_hand(test: pd.DataFrame, a: str, b: str, metric: str) -> crossed.Crossed:
    """Crossed components of a - b, from the predictions of each seed, lined up by id."""
    differences, first = [], None
    for _, of_seed in test.groupby("seed"):
        by_id = {m: of_seed[of_seed["method"] == m].set_index("id").sort_index() for m in (a, b)}
        first = by_id[b]
        error = {m: np.abs(p[P].to_numpy().argmax(axis=1) - p["truth"]) for m, p in by_id.items()}
        differences.append(error[a] - error[b])
    classes = first["truth"] if metric == "macro_mae" else None
    return crossed.crossed(np.array(differences), first["group"], classes)


def test_table2_holds_what_stats_says() -> None:
    frame = pictures()
    predictions = long(frame)
    train = frame.loc[frame["split"] == "train", "grade"]
    rater = {"mae": 0.4, "macro_mae": 0.5}
    table = table2.table2(
        predictions, published.published(), True, train, rater, resamples=200
    ).set_index("method")
    assert table.index.tolist() == [
        "constant",
        "always_2",
        "always_3",
        "rater",
        "supervised",
        "supervised_all",
        "fixmatch",
    ]
    test = predictions[predictions["split"] == "test"]
    for m in table2.COLUMNS:
        found = table.loc["fixmatch", [m, f"{m}_low", f"{m}_high"]]
        assert found.tolist() == pytest.approx(
            list(interval(test, "fixmatch", m, 200)), nan_ok=True
        )
    for m in ("mae", "macro_mae"):
        found = by_hand(test, "fixmatch", "supervised", m)
        names = [f"d_{m}{end}" for end in ("", "_low", "_high", "_low_90", "_high_90")]
        ends = [*found.interval(), *found.interval(0.9)[1:]]
        assert table.loc["fixmatch", names].tolist() == pytest.approx(ends, nan_ok=True)
    assert (
        table2.verdict(table.reset_index().iloc[-1], "macro_mae") == "not compared"
    )  # a lone grade
    assert table.loc[["fixmatch", "constant", "supervised"], "d_seeds"].tolist() == [2, 2, 0]
    assert table.loc["constant", "row"] == "best constant (always 2)"
    truth = frame.loc[frame["split"] == "test", "grade"]
    assert table.loc["constant", "mae"] == pytest.approx(
        metrics.mae(truth, np.full(len(truth), 2), 5)
    )
    assert np.isnan(table.loc["constant", "srcc"])
    enough = table2.table2(
        without_lone_grades(long(frame, 3)), published.published(), True, train, resamples=20
    ).set_index("method")
    # the constant is worse, and that is decided
    assert table2.verdict(enough.reset_index().iloc[0], "macro_mae") == "worse"
    assert table.loc["rater", ["mae", "macro_mae"]].tolist() == [0.4, 0.5]
    assert table.loc["always_3", "mae"] == pytest.approx(
        metrics.mae(truth, np.full(len(truth), 3), 5)
    )
    assert table.loc["always_2", "mae"] == table.loc["constant", "mae"]
    own = [metrics.summary(part) for _, part in test[test["method"] == "fixmatch"].groupby("seed")]
    for m in table2.POINTS:
        assert table.loc["fixmatch", m] == pytest.approx(np.mean([o[m] for o in own])), m
    assert table["published_mae"].dropna().to_dict() == {"supervised": 0.53}
    assert table["published_mae_34"].dropna().to_dict() == {"supervised": 0.55}
    assert set(table["data"]) == {"simulated"}
    assert table["labels"].tolist() == [80, 80, 80, 0, 40, 160, 40]
    assert table["seeds"].tolist() == [0, 0, 0, 0, 2, 2, 2]
    assert (table["pictures"] == 80).all()


def test_verdicts_follow_the_interval() -> None:
    frame = pictures()
    train = frame.loc[frame["split"] == "train", "grade"]
    said = {}
    for seeds in (1, 2, 3):
        table = table2.table2(long(frame, seeds), published.published(), False, train, resamples=20)
        said[seeds] = {row["method"]: table2.verdict(row) for _, row in table.iterrows()}
    assert said[3] == {
        "constant": "not decided",
        "always_2": "not decided",
        "always_3": "worse",
        "supervised": "reference",
        "supervised_all": "not decided",
        "fixmatch": "better",
    }
    for seeds, word in ((1, "one seed: not a comparison"), (2, "two seeds: not a comparison")):
        assert {m for m, said_of in said[seeds].items() if said_of == word} == {*said[3]} - {
            "supervised"
        }
    row = {
        "method": "x",
        "d_mae_low": 0.01,
        "d_mae_high": 0.2,
        "d_macro_mae_low": -0.1,
        "d_macro_mae_high": 0.1,
    }
    assert table2.verdict(row) == "worse"
    assert table2.verdict(row, "macro_mae") == "not decided"
    assert table2.verdict(row | {"d_mae_low": np.nan}) == "not compared"
    same = row | {"d_mae_low": 0.0, "d_mae_high": 0.0, "margin": 0.02}
    assert table2.verdict(same) == "no test: the same in every picture"
    assert [table2.verdict(row | {"p_holm": p}) for p in (0.01, 0.05, np.nan)] == [
        "worse",
        "not decided",
        "worse",
    ]


def test_rows_are_compared_with_as_many_labels_and_over_shared_seeds() -> None:
    frame = pictures()
    p = long(frame)
    more = p[p["method"].isin(["supervised", "fixmatch"])].assign(labels=80)
    more[P] = np.roll(more[P].to_numpy(), 1, axis=1)
    lone = p[(p["method"] == "fixmatch") & (p["seed"] == 0)].assign(method="comatch")
    far = p[p["method"] == "fixmatch"].assign(method="crmatch", seed=lambda f: f["seed"] + 7)
    every = pd.concat([p, more, lone, far])
    table = table2.table2(every, published.published(), True, [2, 2, 3], resamples=50).set_index(
        ["method", "labels"]
    )
    assert len(table) == 10
    for n in (40, 80):
        gap = table.loc[("fixmatch", n), "mae"] - table.loc[("supervised", n), "mae"]
        assert table.loc[("fixmatch", n), "d_mae"] == pytest.approx(gap)
    assert np.isnan(
        table.loc[("supervised_all", 160), "d_mae"]
    )  # two supervised rows, neither with 160 labels
    test = p[(p["split"] == "test") & (p["seed"] == 0)]
    one_seed = by_hand(test, "fixmatch", "supervised", "mae")
    names = ["d_mae", "d_mae_low", "d_mae_high"]
    assert table.loc[("comatch", 40), names].tolist() == pytest.approx(one_seed.interval())
    assert table.loc[("comatch", 40), "d_seeds"] == 1
    assert table.loc[("comatch", 40), ["p_mae", "p_holm", "could_show"]].isna().all()
    assert np.isnan(table.loc[("crmatch", 40), "d_mae"])


def test_a_constant_is_held_against_every_seed_of_the_supervised_row() -> None:
    """Also where its own predictions were made for fewer."""
    p = long(pictures(), 3)
    base = p[p["method"] == "supervised"]
    few = base[base["seed"] == 0].assign(labels=80)
    table = table2.table2(pd.concat([few, base]), published.published(), True, [2], resamples=20)
    row = table.set_index("method").loc["constant"]
    assert row["d_seeds"] == 3
    test = base[base["split"] == "test"]
    every = pd.concat([test, bootstrap.constant_rows(test, 2)])
    found = by_hand(every, "constant", "supervised", "mae")
    names = ["d_mae", "d_mae_low", "d_mae_high"]
    assert row[names].tolist() == pytest.approx(list(found.interval()))


def test_second_stages_and_holm() -> None:
    frame = pictures()
    p = long(frame, 3)
    near = {"simmatch": 0.45, "adamatch": 0.6, "comatch": 0.7, "crmatch": 0.5}
    parts = [p[p["method"] == "supervised"]]
    for method, noise in near.items():
        for end in ("", SECOND):
            NOISE[method + end] = noise
            parts += [
                predict(frame, method + end, s).assign(method=method + end, seed=s, labels=40)
                for s in range(3)
            ]
    every = without_lone_grades(pd.concat(parts, ignore_index=True))
    made = table2.table2(every, published.published(), True, [2, 2, 3], resamples=200)
    assert made["method"].tolist()[3:] == [
        "supervised",
        *(m + e for m in near for e in ("", SECOND)),
    ]
    table = made.set_index("method")
    assert table.loc["crmatch_second", "row"] == "ViT + CRMatch, second stage"
    assert (table.loc["crmatch_second", ["published_mae", "published_mae_4"]] == [0.40, 0.39]).all()
    test = every[every["split"] == "test"]
    for stage in ("", SECOND):
        names = [m + stage for m in near]
        for m, column in (("mae", "p_holm"), ("macro_mae", "p_holm_macro_mae")):
            found = [by_hand(test, name, "supervised", m) for name in names]
            p_values = [f.p for f in found]
            assert table.loc[names, f"p_{m}"].tolist() == pytest.approx(p_values)
            assert table.loc[names, column].tolist() == pytest.approx(
                bootstrap.holm([*p_values, 1.0])[:4]
            )  # FreeMatch: not run
            could = "could_show" if m == "mae" else "could_show_macro_mae"
            assert table.loc[names, could].tolist() == pytest.approx(
                [f.could_show(5) for f in found]
            )
    assert table.loc[["constant", "supervised"], ["p_mae", "p_holm"]].isna().all().all()
    assert 0 < table["p_holm"].min() < 0.1
    assert order(["x_second", "fixmatch_second", "fixmatch", "rater", "x"]) == [
        "rater",
        "fixmatch",
        "fixmatch_second",
        "x",
        "x_second",
    ]


def test_one_rater_against_a_draw_of_every_vote() -> None:
    frame = pictures().query("split == 'test'")
    errors, by_class = [], {k: [] for k in range(5)}
    for row in frame.to_dict("records"):
        each = [abs(k - row["grade"]) for k in range(5) for _ in range(row[f"c{k + 1}"])]
        errors.append(sum(each) / len(each))
        by_class[row["grade"]].append(errors[-1])
    found = one_rater(frame)
    assert found["mae"] == pytest.approx(np.mean(errors))
    assert found["mae_34"] == pytest.approx(np.mean(by_class[3] + by_class[4]))
    right = [
        row[f"c{row['grade'] + 1}"] / sum(row[f"c{k}"] for k in range(1, 6))
        for row in frame.to_dict("records")
    ]
    assert found["accuracy"] == pytest.approx(np.mean(right))
    assert found["mae_1"] == pytest.approx(np.mean(by_class[1]))
    assert found["macro_mae"] == pytest.approx(
        np.mean([np.mean(v) for v in by_class.values() if v])
    )
    with pytest.raises(ValueError, match="no column c2"):
        one_rater(frame.drop(columns="c2"))
    with pytest.raises(ValueError, match="no picture has any"):
        one_rater(frame.assign(**{f"c{k}": 0 for k in range(1, 6)}))
    with pytest.raises(ValueError, match="80 rows have negative votes or gaps, first i160"):
        one_rater(frame.assign(c1=-1))
    by_hand = frame.head(1).assign(**{f"c{k}": 0 for k in range(1, 6)}, grade=4)
    assert one_rater(pd.concat([frame, by_hand])) == found  # nobody voted on it: left out


def made(row: str, method: str, d: float, half: float = 0.05, **more: object) -> dict[str, object]:
    """A row of a table2 with MAE 0.5 + d."""
    out: dict[str, object] = {
        "row": row,
        "method": method,
        "labels": 40,
        "seeds": 3,
        "d_seeds": 3,
        "pictures": 80,
        "data": "real",
    }
    out |= {
        "mae": 0.5 + d,
        "mae_low": 0.4,
        "mae_high": 0.6,
        "macro_mae": 0.7 + d,
        "macro_mae_low": 0.5,
        "macro_mae_high": 0.9,
    }
    out |= {
        f"d_{m}{e}": d + x
        for m in ("mae", "macro_mae")
        for e, x in (("", 0), ("_low", -half), ("_high", half))
    }
    return out | more


def test_findings_are_short_for_many_rows() -> None:
    few = [
        made("best constant", "constant", 0.2),
        made("always 3", "always_3", 0.4),
        made("S", "supervised", 0),
    ]
    few += [made(f"M{i}", f"m{i}", d) for i, d in enumerate((-0.2, 0.1))]
    text = table2.findings(pd.DataFrame(few))
    assert (
        "**M0** (40 labels, 3 seeds): MAE 0.30 [0.40, 0.60], macro-MAE 0.50 [0.50, 0.90]; "
        "MAE against supervised −0.20" in text
    )
    assert "against the best constant −0.20 [−0.25, −0.15] in MAE" in text
    assert "always 3" not in text
    many = [
        *few,
        *(made(f"N{i}", f"n{i}", 0.01 * i, p_holm=0.04 if i == 2 else 0.5) for i in range(7)),
        made("E", "e", 0.001, margin=0.02, d_mae_low_90=-0.015, d_mae_high_90=0.016),
        made("O", "o", -0.1, d_seeds=1),
        made("T", "t", -0.1, d_seeds=2),
    ]
    lines = table2.findings(pd.DataFrame(many)).splitlines()
    assert any(
        line.startswith("- **better** than supervised in MAE (1): M0 −0.20 [−0.25, −0.15]")
        for line in lines
    )
    assert any(
        line.startswith("- **worse** than supervised in MAE (1): M1 +0.10") for line in lines
    )
    assert any(
        line.startswith("- **not decided** (7): N0 +0.00 [−0.05, +0.05]; N1 +0.01")
        for line in lines
    )
    assert "- **equivalent within 0.02** to supervised in MAE (1): E +0.00 [−0.05, +0.05]." in lines
    assert "- **one seed: not a comparison** (1): O −0.10 [−0.15, −0.05]." in lines
    assert "- **two seeds: not a comparison** (1): T −0.10 [−0.15, −0.05]." in lines
    assert "- of the paper's methods, with p at most 0.05 after Holm: N2 (higher MAE)." in lines
    assert "- least macro-MAE: M0, 0.50 [0.50, 0.90]." in lines
    assert len(lines) < len(many) + 2


def test_show_frame_cuts_nothing_off() -> None:
    frame = pd.DataFrame({"word": ["x" * 90, "a|b"], "number": [0.12345, np.nan], "count": [3, 4]})
    lines = show_frame(frame).splitlines()
    assert lines[1] == "|---|---:|---:|"
    assert lines[2] == f"| {'x' * 90} | 0.123 | 3 |"
    assert lines[3] == "| a\\|b | – | 4 |"


def test_tables_of_before_lack_columns_and_are_shown() -> None:
    frame = pictures()
    table = table2.table2(long(frame), published.published(), True, [2], resamples=20)
    later = [
        *(c for c in table if c.endswith("_90") or c.startswith("could_show")),
        "d_seeds",
        "margin",
        "p_mae",
        "p_holm",
        "p_macro_mae",
        "p_holm_macro_mae",
        "accuracy",
        "mae_0",
        "published_mae_34",
        *table2.POINTS,
    ]
    old = table.drop(columns=later)
    for kind in grade_columns.KINDS:
        first = table2_shown.show_table(old, kind).split("\n\n")[0].splitlines()
        assert len({line.count("|") for line in first}) == 1
    assert table2.findings(old) == table2.findings(table)


def test_show_table() -> None:
    frame = pictures()
    table = table2.table2(long(frame), published.published(), True, [2], {"mae": 0.4}, resamples=50)
    text = table2_shown.show_table(table)
    row = table.set_index("method").loc["fixmatch"]
    assert f"{row['mae']:.2f} [{row['mae_low']:.2f}, {row['mae_high']:.2f}]" in text
    assert f"−{-row['d_mae']:.2f} [" in text
    assert "Simulated data, 80 test pictures" in text
    assert cell(-0.001, -0.2, 0.1, sign=True) == "−0.00 [−0.20, +0.10]"
    for kind, part in (
        ("paper", "MAE 3&4 ↓"),
        ("hidden", "MAE 0–2 ↓"),
        ("correlation", "KRCC ↑"),
    ):
        lines = table2_shown.show_table(table, kind).split("\n\n")[0].splitlines()
        assert part in lines[0]
        assert len({line.count("|") for line in lines}) == 1
    assert "| the same, as published | 0.53 |" in table2_shown.show_table(table, "paper")
    with pytest.raises(
        ValueError, match="kind 'all'; allowed: summary, paper, hidden, correlation"
    ):
        table2_shown.show_table(table, "all")
    assert cell(0.5) == "0.50"
    assert cell(np.nan) == "–"


# ---------------------------------------------------------------- a walk, and the tracked reference
def test_load_walk(walk) -> None:
    frames = stored.load_walk("demo")
    assert set(frames) == {"predictions", "history", "counts", "table2", "runs", "provenance"}
    p = frames["predictions"]
    assert list(p)[:3] == ["method", "seed", "labels"]
    assert len(p) == 3 * 2 * 160  # val and test; the pool is left out
    assert frames["history"].groupby(["method", "seed"]).size().tolist() == [3] * 6
    counts = frames["counts"]
    assert counts.loc[counts["split"] == "test", "count"].sum() == 80
    assert set(counts.loc[counts["split"] == "pool", "known"]) == {"truth"}
    assert frames["table2"].set_index("method").loc["rater", "mae"] == pytest.approx(
        one_rater(walk[walk["split"] == "test"])["mae"]
    )
    assert stored.is_simulated(frames)
    runs = frames["runs"]
    assert (runs["pictures_seen"] == 960).all()
    assert runs["parameters"].isna().all()  # not stored: nan, and no error
    assert set(runs["departs"]) == {"none"}


@pytest.fixture(scope="module")
def scored() -> dict[int, tuple[pd.DataFrame, pd.DataFrame]]:
    """(predictions, Table 2) where so many of 20 pictures have no score."""
    predictions = long(pictures(20), 1).query("split == 'test'")
    place = predictions["id"].rank(method="dense")
    found = {}
    for lacking in (0, 1):
        some = predictions.assign(score=predictions["score"].mask(place <= lacking))
        table = table2.table2(some, published.published(), True, [2, 3], resamples=20)
        found[lacking] = some, table
    return found


@pytest.mark.parametrize("kind", grade_columns.KINDS)
def test_each_table_with_a_correlation_says_what_it_is_against(kind, scored) -> None:
    """One picture without a score: the grades of all, in the number and in the note."""
    for lacking, said in ((0, "score"), (1, "grade of every picture (1 of 20 has no score)")):
        some, table = scored[lacking]
        assert set(table["against"]) == {said}
        own = some[some["method"] == "fixmatch"]
        y = own["truth"] if lacking else own["score"]
        expected = metrics.srcc(metrics.expected_grade(own[P]), y)
        assert table.set_index("method").loc["fixmatch", "srcc"] == pytest.approx(expected)
        text = table2_shown.show_table(table, kind)
        sentence = f": of the expected grade with the {said}."
        assert (sentence in text) == ("srcc" in grade_columns.shown(kind, 5))


def test_without_any_score_a_correlation_is_against_the_grade() -> None:
    none = long(pictures(20), 1).query("split == 'test'").drop(columns="score")
    table = table2.table2(none, published.published(), True, [2, 3], resamples=20)
    assert set(table["against"]) == {"grade"}


def test_collected_and_direct_tables_are_the_same_and_small(walk) -> None:
    direct = stored.load_walk("demo")
    folder = reference.collect("demo")
    again = stored.load_walk("reference")
    assert set(direct) == set(again)
    for key, frame in direct.items():
        pd.testing.assert_frame_equal(frame, again[key], check_dtype=False, rtol=1e-6)
    assert {f.name for f in folder.iterdir()} == {*stored.FILES.values(), "provenance.json"}
    first = {f.name: f.read_bytes() for f in folder.iterdir()}
    reference.collect("demo")
    assert first == {f.name: f.read_bytes() for f in folder.iterdir()}
    store.write_table(
        paths.results("demo") / "tables" / "runs-fixmatch-again.csv",
        pd.read_csv(paths.results("demo") / "tables" / "runs-fixmatch.csv"),
    )
    assert len(stored.load_walk("demo")["runs"]) == 6  # listed twice, the same: counted once


def test_rounding_keeps_every_grade() -> None:
    p = pd.DataFrame([[0.19996, 0.400012, 0.400028, 0, 0], [0.1, 0.2, 0.3, 0.2, 0.2]], columns=P)
    assert p.round(4)[P].to_numpy().argmax(axis=1).tolist() == [
        1,
        2,
    ]  # a tie, and the second would lose
    short = stored._rounded(p)
    assert (short[P].to_numpy().argmax(axis=1) == p[P].to_numpy().argmax(axis=1)).all()
    assert (short[P] - p[P]).abs().to_numpy().max() <= 1.5e-4
    metrics.probabilities(short[P])


def test_too_large_a_walk_drops_val_then_is_refused(walk, monkeypatch) -> None:
    reference.collect("demo")
    size = (paths.reference() / "predictions.csv.xz").stat().st_size
    monkeypatch.setattr(reference, "MOST_BYTES", int(size * 0.8))
    reference.collect("demo")
    assert set(stored.load_walk("reference")["predictions"]["split"]) == {"test"}
    monkeypatch.setattr(reference, "MOST_BYTES", 100)
    before = sorted(f.name for f in paths.reference().iterdir())
    with pytest.raises(ValueError, match="test predictions of demo take"):
        reference.collect("demo")
    assert before == sorted(f.name for f in paths.reference().iterdir())


def test_a_collection_cut_short_is_not_read(walk, monkeypatch) -> None:
    reference.collect("demo")
    real = store.write_table

    def fails(path, frame):
        if path.name == "counts.csv":
            raise OSError("No space left on device")
        return real(path, frame)

    monkeypatch.setattr(store, "write_table", fails)
    with pytest.raises(OSError, match="No space"):
        reference.collect("demo")
    with pytest.raises(
        FileNotFoundError, match=r"provenance\.json not there; make it with python run_all"
    ):
        stored.load_walk("reference")


def test_what_is_missing_is_named(walk) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"results/other/tables/runs-\*\.csv: not there yet; run a "
    ):
        stored.load_walk("other")
    tables = paths.results("demo") / "tables"
    (tables / "runs-bad.csv").write_text("run,method\nx,y\n")
    listed = pd.read_csv(tables / "runs-fixmatch.csv")
    listed.loc[0, "run"] = "fixmatch-gone"
    listed.loc[1, "labels"] = 99
    listed.to_csv(tables / "runs-other.csv", index=False)
    with pytest.raises(ValueError, match="runs-bad") as all_at_once:
        stored.load_walk("demo")
    text = str(all_at_once.value)
    assert "runs-bad.csv: no column seed, labels; found run, method" in text
    assert "results/runs/fixmatch-gone: no finished run" in text
    assert f"run {listed['run'][1]} is listed with different" in text
    assert "two runs are fixmatch, seed 0, 40 labels" in text
    (paths.results("demo") / "data" / "dataset.json").unlink()
    for extra in ("runs-bad.csv", "runs-other.csv"):
        (tables / extra).unlink()
    with pytest.raises(FileNotFoundError, match="01_koka10k"):
        stored.load_walk("demo")


def test_damaged_predictions_are_named(walk) -> None:
    run = stored.load_walk("demo")["runs"]["run"][0]
    file = paths.runs() / run / "predictions.csv.gz"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=f"results/runs/{run}/predictions.csv.gz: damaged"):
        stored.load_walk("demo")


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"method": ["a"]}), "no column seed, labels"),
        (
            pd.DataFrame({"method": ["a"], "seed": [0], "labels": [1], "split": ["val"]}),
            "no rows of split test",
        ),
    ],
)
def test_bad_predictions(frame, says) -> None:
    with pytest.raises(ValueError, match=says):
        table2.table2(frame, published.published(), True, [2])


# ---------------------------------------------------------------- README
def test_fill_markers() -> None:
    text = (
        "a\n<!-- riqa:one -->\nold\n<!-- /riqa:one -->\nb <!-- riqa:two --><!-- /riqa:two --> c\n"
    )
    filled = fill_markers(text, {"one": "new\nlines\n", "two": "2", "unused": ""})
    one, two = (
        "<!-- riqa:one -->\nnew\nlines\n<!-- /riqa:one -->",
        "<!-- riqa:two -->\n2\n<!-- /riqa:two -->",
    )
    assert filled == f"a\n{one}\nb {two} c\n"
    assert fill_markers(filled, {"one": "new\nlines", "two": "2"}) == filled
    assert fill_markers("nothing here", {}) == "nothing here"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "a\n\n<!-- riqa:three -->x<!-- /riqa:three -->",
            "line 3: unknown marker riqa:three; known are one, two",
        ),
        ("<!-- riqa:one -->", "marker riqa:one is not closed"),
        ("<!-- /riqa:one -->", "line 1: marker <!-- /riqa:one --> does not fit; no marker is open"),
        (
            "<!-- riqa:one --><!-- riqa:two --><!-- /riqa:two --><!-- /riqa:one -->",
            "does not fit; one is open",
        ),
        ("<!-- riqa:one --><!-- /riqa:two -->", "does not fit; one is open"),
    ],
)
def test_wrong_markers(text, says) -> None:
    with pytest.raises(ValueError, match=says):
        fill_markers(text, {"one": "1", "two": "2"})


def test_readme_blocks(walk) -> None:
    with pytest.raises(FileNotFoundError, match=r"run_all\.py --reference"):
        reference.readme_blocks()
    reference.collect("demo")
    blocks = reference.readme_blocks()
    assert set(blocks) == {"table2", "provenance", "bench", "gpu", "budgets", "biq2021"}
    assert blocks["gpu"] == "Nothing was measured on a GPU yet: `benchmarks/gpu.sh`, see GPU.md."
    assert blocks["bench"] == "No benchmark is stored yet: `python -m riqa_lib bench --keep`."
    row = {
        "method": "fixmatch",
        "pictures": 96,
        "step_ms": 58.4,
        "bare_ms": 48.6,
        "ratio": 1.2016,
        "pictures_per_second": 1643.2,
        "share_of_peak": 0.731,
        "views_ms": 6.1,
        "form": "maps",
        "share_of_bandwidth": 0.213,
        "views_part_ms": 6.0,
        "forward_part_ms": 20.0,
        "backward_part_ms": 30.4,
        "clip_part_ms": 1.0,
        "optimiser_part_ms": 1.5,
        "average_part_ms": 0.6,
        "waits": 2,
        "peak_gib": 0.73,
        "gflops_peak": 98.2,
        "gb_per_second": 11.6,
        "profile": "demo",
        "machine": "2 cores, X",
        "threads": 1,
        "torch": "2.15",
    }
    store.write_table(paths.reference() / "bench.csv", pd.DataFrame([row]))
    shown = reference.readme_blocks()["bench"]
    line = "| ViT + FixMatch | maps | 96 | 58 | 1.20 | 1,643 | 73% | 6, 20, 30, 3 | 0.7 |"
    assert line in shown
    assert (
        "2 cores, X; 1 thread; torch 2.15; profile demo; a matrix product reaches 98 GFLOP/s, a "
        "copy 12 GB/s. Views move at least what they read and write: 21.3% to 21.3%"
    ) in shown
    store.write_table(
        paths.reference() / "gpu" / "bench-gpu.csv",
        pd.DataFrame([row, row | {"waits": 0}]).assign(profile="gpu"),
    )
    about = {"gpu": "G100", "machine": "16 cores, Y, G100"}
    about |= {"settings": {"model.width": 384, "model.depth": 6, "data.crop": 192}}
    store.write_json(paths.reference() / "gpu" / "machine.json", about)
    shown = reference.readme_blocks()["gpu"]
    assert line in shown
    assert "In one step of each of these 2 rows the CPU waits 2 times in all" in shown
    assert "G100; 16 cores; torch 2.15; hybrid ViT of width 384 and depth 6, 192 px;" in shown
    assert "| ViT + FixMatch (40 labels) | " in blocks["table2"]
    assert "80 test pictures, 2 seeds." in blocks["table2"]
    assert blocks["provenance"] == (
        "Simulated data (koka10k, 48 px); 6 runs, seeds 0, 1, 3 minutes of training in all; "
        "2 cores; torch 2.11, Python 3.11; commit abc."
    )
    kept = json.loads((paths.reference() / "provenance.json").read_text())
    assert kept["data"] == "simulated"
    assert kept["walk"] == "demo"


def test_a_network_that_a_simple_row_outdoes_says_so_in_its_verdict() -> None:
    """By point estimates, in the summary's verdict: constants, the forest and the ridge."""
    frame = pd.DataFrame(
        {
            "row": ["best constant", "statistics + forest", "ridge", "ViT", "ViT + SimMatch"],
            "method": ["constant", "forest", "ridge", "supervised", "simmatch"],
            "labels": 9,
            "seeds": [0, 3, 3, 3, 3],
            "mae": [0.5, 0.37, 0.36, 0.365, 0.35],
            "pictures": 7,
            "published_mae": np.nan,
            "data": "simulated",
            **dict.fromkeys(("d_mae", "d_mae_low", "d_mae_high"), np.nan),
        }
    )
    shown = {
        line.split("|")[1].strip(): line
        for line in table2_shown.show_table(frame).split("\n\n")[1].splitlines()[2:7]
    }
    assert "reference; MAE not below ridge on frozen maps" in shown["ViT"]
    assert "forest" not in shown["ViT"].split("|", 2)[2]
    for row in ("best constant", "statistics + forest", "ridge", "ViT + SimMatch"):
        assert "not below" not in shown[row], row
