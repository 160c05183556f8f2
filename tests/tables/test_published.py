"""The reading of the paper's own numbers, against numbers worked out by hand and slow loops over
its 1,047 test pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from intervals import difference

from riqa_lib.tables import claims, published

TRUTH = [k for k, n in enumerate((23, 139, 515, 347, 23)) for _ in range(n)]


def test_constants_are_those_of_the_specification_and_of_a_loop() -> None:
    table = published.constants().set_index("row")
    known = {
        "always 2": (0.5521, 1.0, 2.0, 1.0622, 0.2733),
        "always 3": (0.8453, 0.0, 1.0, 0.0622, 1.2733),
        "always 0": (2.1987, 3, 4, 3.0622),
        "always 1": (1.2426, 2, 3, 2.0622),
        "always 4": (1.8013, 1, 0, 0.9378),
        "draw from class shares": (0.8045, 0.8453, 1.8013, 0.9047),
    }
    for name, values in known.items():
        assert table.loc[name, list(published.SETS)[: len(values)]].tolist() == pytest.approx(
            values, abs=5e-5
        ), name
    assert table.loc["always 2", "macro_mae"] == pytest.approx(1.2)
    errors = [abs(t - 2) for t in TRUTH]
    assert table.loc["always 2", "se"] == pytest.approx(np.std(errors) / np.sqrt(len(errors)))
    assert table.loc["always 2", "se"] == pytest.approx(0.018, abs=5e-4)
    drawn = [abs(t - said) for t in TRUTH for said in TRUTH]
    assert table.loc["draw from class shares", "mae"] == pytest.approx(np.mean(drawn))
    assert table.loc["draw from class shares", "se"] == pytest.approx(
        np.std(drawn) / np.sqrt(len(TRUTH))
    )
    assert published.constant() == 2


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ("rounded", {"supervised": (0.509, 0.530), "simmatch": (0.549, 0.570)}),
        (
            "truncated",
            {
                "supervised": (0.514, 0.535),
                "simmatch": (0.554, 0.575),
                "adamatch": (0.585, 0.606),
                "comatch": (0.580, 0.601),
                "freematch": (0.474, 0.495),
                "crmatch": (0.433, 0.454),
            },
        ),
    ],
)
def test_implied_errors_of_classes_0_to_2(how, ends) -> None:
    table = published.implied(how).set_index("method")
    for method, (low, high) in ends.items():
        found = table.loc[method, ["mae_012_low", "mae_012_high"]].tolist()
        assert found == pytest.approx([low, high], abs=5.1e-4), method
    assert table["micro"].all()
    # every pair of numbers that prints like this lies inside, and the ends are reached
    down, up = published.READINGS[how]
    grid = np.linspace(down, up, 5)
    for row in table.to_dict("records"):
        every = [
            (1047 * (row["mae"] + a) - 370 * (row["mae_34"] + b)) / 677 for a in grid for b in grid
        ]
        assert [min(every), max(every)] == pytest.approx([row["mae_012_low"], row["mae_012_high"]])


def test_implied_means_and_gains() -> None:
    table = published.implied().set_index("method")
    known = {
        "supervised": 0.519,
        "simmatch": 0.559,
        "adamatch": 0.590,
        "comatch": 0.586,
        "freematch": 0.479,
        "crmatch": 0.438,
    }
    assert table["mae_012"].to_dict() == pytest.approx(known, abs=5.1e-4)
    assert table.loc["supervised", ["gain", "percent"]].tolist() == pytest.approx(
        [0.022, 4.0], abs=0.05
    )
    assert table.loc["supervised", "gain"] == pytest.approx(0.022, abs=5e-4)
    assert table.loc["crmatch", "percent"] == pytest.approx(27.5, abs=0.05)
    cut = published.implied("truncated").set_index("method").loc["supervised"]
    assert [cut["gain_low"], cut["gain_high"]] == pytest.approx([0.012, 0.022], abs=5e-4)
    with pytest.raises(ValueError, match="reading 'ceiling'; allowed: rounded, truncated"):
        published.implied("ceiling")
    with pytest.raises(ValueError, match="split 'pool'; Table 1 has train, val, test"):
        published.counts("pool")


def test_class_4_is_coarse_and_one_number_is_truncated(monkeypatch) -> None:
    table = published.class_4().set_index("method")
    assert set(table["pictures"]) == {23}
    assert table["step"].to_numpy() == pytest.approx(0.0435, abs=1e-4)
    assert table["se"].to_numpy() == pytest.approx(0.10, abs=0.006)
    assert table["truncated"].to_dict() == {
        "supervised": "15",
        "simmatch": "11",
        "adamatch": "15",
        "comatch": "7",
        "freematch": "10",
        "crmatch": "9",
    }
    assert table.index[table["rounded"] == ""].tolist() == ["simmatch"]
    real = published.published
    changed = real().replace(
        {"value": {0.65: 0.61}}
    )  # 14/23 = 0.6087 rounds to it, and nothing is cut to it
    monkeypatch.setattr(
        published, "published", lambda name="table2": changed if name == "table2" else real(name)
    )
    row = published.class_4().set_index("method").loc["adamatch"]
    assert (row["rounded"], row["truncated"]) == ("14", "")


def test_gaps_in_standard_errors() -> None:
    table = published.gaps().set_index(["a", "b"])
    assert len(table) == 15
    near = table.loc[("crmatch", "freematch")]
    assert near["ratio"] < 1.3 < near["ratio_most"]  # "about 1.3 SE of the difference (unpaired)"
    assert near["beyond"] == "no"
    assert table.loc[("crmatch", "supervised"), "beyond"] == "yes"
    assert table.loc[("crmatch", "simmatch"), "beyond"] == "about two"
    # errors of 0 and 1 alone with mean 0.40 and 0.43: the slow way
    se = [np.std(np.arange(100) < 100 * m) / np.sqrt(1047) for m in (0.40, 0.43)]
    assert near["ratio_most"] == pytest.approx(0.03 / np.hypot(*se))
    errors = np.array([abs(t - 2) for t in TRUTH])
    r = (errors**2).mean() / errors.mean()
    wide = [(r * m - m**2) / 1047 for m in (0.40, 0.43)]
    assert near["ratio"] == pytest.approx(0.03 / np.sqrt(sum(wide)))


def test_words_come_from_the_numbers(monkeypatch) -> None:
    text = published.finding("rounded")
    for part in (
        "ViT (MAE 0.53) is better than the constant “2” (0.552) by 0.022 [0.017, 0.027], 4.0 %",
        "over pictures is 0.018",
        "0.519 [0.509, 0.530] v 0.273",
        "CRMatch (0.40), is better than the constant by 27.5 %",
        "6 of the 6 rows are worse",
        "“always 3” has 0.062, the best method 0.23 (CoMatch)",
        "SimMatch, AdaMatch and CoMatch (0–2: 0.56–0.59 v 0.52)",
    ):
        assert part in text, part
    assert "by 0.017 [0.012, 0.022]" in published.finding("truncated")
    assert "no multiple of 1/23 rounds to 0.47 (SimMatch)" in published.noise()
    assert "CRMatch v FreeMatch (0.03, 1.2 to 1.4 SE)" in published.noise().split("Within:")[1]
    lines = published.show().splitlines()
    assert "| always 2 | 0.5521 | 1.0000 | 2.0000 | 1.0622 | 0.2733 |  |" in lines
    assert len({line.count("|") for line in lines[:14]}) == 1
    # other numbers, other words
    real = published.published

    def turned(name="table2"):
        table = real(name)
        if name == "table2":
            table.loc[(table["method"] == "supervised") & (table["metric"] == "mae"), "value"] = (
                0.60
            )
            table.loc[table["metric"] == "mae_34", "value"] = 1.3
        return table

    monkeypatch.setattr(published, "published", turned)
    other = published.finding("rounded")
    assert "is worse than the constant “2” (0.552) by −0.048" in other
    assert "better on classes 0–2" in other
    assert "0 of the 6 rows" in other
    assert "Better than the ViT on 3&4 and worse on 0–2: none." in other
    changed = real()
    for metric, value in (
        ("mae", 0.70),
        ("mae_34", 0.60),
    ):  # SimMatch: worse on 0-2, and on 3&4 as well
        changed.loc[(changed["method"] == "simmatch") & (changed["metric"] == metric), "value"] = (
            value
        )
    monkeypatch.setattr(
        published, "published", lambda name="table2": changed if name == "table2" else real(name)
    )
    assert (
        "Better than the ViT on 3&4 and worse on 0–2: AdaMatch and CoMatch ("
        in published.finding("rounded")
    )


# ---------------------------------------------------------------- claims
NOISE = {
    "supervised": 0.8,
    "simmatch": 0.3,
    "adamatch": 0.8,
    "comatch": 0.5,
    "freematch": 0.5,
    "crmatch": 0.05,
}


def predictions(
    noise: dict[str, float], end: str = "", seeds: tuple[int, ...] = (0, 1, 2), n: int = 240
) -> pd.DataFrame:
    g = np.random.default_rng(0)
    truth, parts = g.choice(5, n, p=[0.05, 0.15, 0.4, 0.3, 0.1]), []
    for method, sd in noise.items():
        for seed in seeds:
            place = truth + g.normal(0, sd, n)
            p = np.exp(-1.5 * (np.arange(5) - place[:, None]) ** 2)
            part = pd.DataFrame(
                {
                    "method": method + end,
                    "seed": seed,
                    "labels": 50,
                    "id": [f"i{i:03d}" for i in range(n)],
                }
            )
            part = part.assign(group=part["id"], split="test", truth=truth)
            part[[f"p{k}" for k in range(5)]] = p / p.sum(axis=1, keepdims=True)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def test_claims_hold_what_the_paper_prints_and_what_stats_says() -> None:
    first = predictions(NOISE)
    later = predictions({"simmatch": 1.6, "crmatch": 0.05}, "_second", seeds=(1,))
    every = pd.concat([first, later, first.assign(split="val", truth=0)], ignore_index=True)
    table = claims.claims(every, True, resamples=200)
    assert len(table) == 2 * (5 * 4 + 4)
    assert set(table["data"]) == {"simulated"}
    best = table[table["against"] == "all others"].drop_duplicates("metric").set_index("metric")
    assert best["method"].to_dict() == {
        "mae": "crmatch",
        "mae_3": "comatch",
        "mae_4": "comatch",
        "mae_34": "comatch",
    }
    assert best["published_against"].to_dict() == {
        "mae": 0.43,
        "mae_3": 0.23,
        "mae_4": 0.39,
        "mae_34": 0.25,
    }
    by = table.set_index(["method", "metric", "against", "stage"])
    for method in ("simmatch", "crmatch"):
        found = by.loc[(method, "mae_34", "supervised", "first")]
        three = difference(first, method, "supervised", "mae_34", 200)
        assert found[["d", "d_low", "d_high"]].tolist() == pytest.approx(three)
        assert found["ours"] - found["ours_against"] == pytest.approx(found["d"])
        assert found["verdict"] == "better"
    one = pd.concat([first[(first["method"] == "supervised") & (first["seed"] == 1)], later])
    second = by.loc[("simmatch", "mae", "supervised", "second")]
    assert second["seeds"] == 1
    assert second["d"] == pytest.approx(
        difference(one, "simmatch_second", "supervised", "mae", 200)[0]
    )
    assert second["verdict"] == "one seed: not a comparison"
    assert second["d_low"] > 0  # the interval is there all the same
    assert by.loc[("crmatch", "mae", "all others", "first"), "verdict"] == "better"
    assert by.loc[("comatch", "mae_3", "all others", "first"), "verdict"] == "worse"
    assert by.loc[("comatch", "mae", "supervised", "second"), "verdict"] == "not run"
    assert by.loc[("crmatch", "mae", "all others", "second"), "verdict"] == "not run"
    assert (
        by.loc[("adamatch", "mae_4", "supervised", "first"), "claim"]
        == "AdaMatch no better than the ViT, grade 4"
    )
    text = claims.show_claims(table)
    assert "| CRMatch better than the ViT, all grades | 0.40 v 0.53 |" in text
    assert "second stage: of 23 advantages that the paper prints" in text
    assert " one seed: not a comparison" in text.split("second stage: of 23")[1]
    assert (
        "second stage"
        not in claims.show_claims(claims.claims(first, False, resamples=20)).split("\n\n")[0]
    )


def test_claims_of_what_there_is() -> None:
    lone = predictions({"supervised": 0.8})
    table = claims.claims(lone, False, resamples=20)
    assert set(table["verdict"]) == {"not run"}
    assert "None of these rows was run" in claims.show_claims(table)
    low = predictions({"supervised": 0.8, "simmatch": 0.3})
    low = low[low["truth"] < 4]
    found = claims.claims(low, False, resamples=20).set_index(
        ["method", "metric", "against", "stage"]
    )["verdict"]
    assert found["simmatch", "mae_4", "supervised", "first"] == "not compared"
    assert found["simmatch", "mae_3", "supervised", "first"] == "better"
    with pytest.raises(ValueError, match="no test predictions of supervised; run notebook 03"):
        claims.claims(lone.assign(method="simmatch"), False)


@pytest.mark.parametrize(
    ("info", "its"),
    [
        ({"name": "KOKA10K-like"}, True),
        ({"name": "KOKA10K, no hand labels", "settings": {"extra": 0}}, True),
        ({"name": "photos", "settings": {"id": "file"}}, False),
        ({"name": "my KOKA10K", "settings": {"id": "file"}}, False),  # a folder may be called so
        ({"name": "BIQ2021"}, False),
    ],
)
def test_the_papers_numbers_stand_beside_its_own_pictures_alone(info, its) -> None:
    assert published.of_paper(info) == its
