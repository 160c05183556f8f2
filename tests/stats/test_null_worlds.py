"""The tests tested: a short run here, and the stored long one against its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.figures import forest
from riqa_lib.stats import class_bootstrap, null_worlds

STORED = paths.ROOT / "results" / "reference" / "nullworlds.csv"
EYES = null_worlds.ALL[1]


@pytest.fixture(scope="module")
def short():
    """300 sets of the world with strong clusters."""
    return null_worlds.run(null_worlds.ALL[2:3], 300, 200)


@pytest.fixture(scope="module")
def stored():
    assert STORED.exists(), "run python -m riqa_lib nullworlds"
    return store.read_table(STORED)


def one_set(world, number):
    return next(null_worlds.simulated_sets(world, [number]))


def test_the_world_is_as_it_says():
    big = replace(EYES, patients=60_000)
    data = one_set(big, 0)
    bad = (data.truth == 0).astype(int)
    assert bad.mean() == pytest.approx(big.bad, abs=0.01)
    both = np.flatnonzero(data.cluster[1:] == data.cluster[:-1])
    assert len(both) / big.patients == pytest.approx(0.35, abs=0.01)
    assert cohen_kappa_score(bad[both], bad[both + 1]) == pytest.approx(0.7, abs=0.02)
    other = null_worlds.ALL[3]
    data = one_set(replace(other, patients=60_000), 0)
    boot = class_bootstrap.bootstrap(data, resamples=2)
    for name, mu in (("a", other.mu_a), ("b", other.mu_b)):
        true = null_worlds.true_values(other, mu)
        assert {m: boot.estimate[name, m] for m in true} == pytest.approx(true, abs=0.008)


def test_sets_follow_from_their_number():
    one, again, next_one = (one_set(EYES, n) for n in (4, 4, 5))
    assert (one.p["a"] == again.p["a"]).all()
    assert one.p["a"].shape != next_one.p["a"].shape or (one.p["a"] != next_one.p["a"]).any()
    with pytest.raises(ValueError, match=r"kappa 1\.2"):
        null_worlds.latent_correlation(1.2, 0.3)
    with pytest.raises(ValueError, match="at least 1"):
        null_worlds.run(worlds=0)


def test_ignoring_strong_clusters_fails_and_keeping_them_does_not(short):
    kept, ignored = (short[short["clusters"] == c] for c in ("kept", "ignored"))
    assert ((kept["rejected"] > 0.005) & (kept["rejected"] < 0.10)).all()
    assert (ignored["rejected"] > 0.08).all()
    assert (kept["covered"].dropna() > 0.90).all()
    assert (short["worlds"] + short["undefined"] == 300).all()


def test_bounds_are_read_as_stated():
    row = {"clusters": "kept", "bound_low": 0.04, "bound_high": 0.06, "low": 0.05, "high": 0.07}
    row |= {"cover_low": 0.94, "cover_high": 0.96}
    assert null_worlds.meets(row)
    assert not null_worlds.meets(row | {"low": 0.061, "high": 0.08})
    assert not null_worlds.meets(row | {"cover_low": 0.90, "cover_high": 0.925})
    assert not null_worlds.meets(row | {"low": 0.02, "high": 0.035})
    assert null_worlds.meets(row | {"clusters": "ignored", "bound_low": 0.06, "low": 0.061})
    assert not null_worlds.meets(row | {"clusters": "ignored", "bound_low": 0.06, "low": 0.059})


def test_the_stored_run_meets_its_bounds(stored):
    assert (stored["worlds"] + stored["undefined"] >= 2000).all()
    assert (stored["undefined"] == 0).all()
    assert stored["machine"].notna().all()
    assert stored["simulated"].all()
    assert set(stored["world"]) == {w.name for w in null_worlds.ALL}
    for row in stored.to_dict(
        "records"
    ):  # judged again from the rates, not by the column that says so
        kind = next(w for w in null_worlds.ALL if w.name == row["world"])
        low, high = null_worlds.bound(kind, row["test"], row["clusters"])
        assert null_worlds.meets(row | {"bound_low": low, "bound_high": high}), row
    assert set(stored.loc[stored["clusters"] == "ignored", "test"]) >= {
        "mcnemar_exact",
        "mcnemar_midp",
        "delong",
        "bootstrap",
    }


def test_figure_shows_the_null_worlds_only(stored):
    figure = forest.nullworld_rates(stored)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        w.name for w in null_worlds.ALL if w.null
    ]
    drawn = {
        round(float(line.get_xdata()[0]), 9)
        for ax in figure.axes
        for line in ax.lines
        if len(line.get_xdata()) == 1
    }
    assert drawn >= {round(v, 9) for v in stored.loc[stored["true_difference"] == 0, "rejected"]}


def test_the_command_keeps_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(null_worlds, "reference", lambda: tmp_path)
    monkeypatch.setattr(null_worlds, "ALL", (replace(EYES, patients=40),))
    assert main(["nullworlds", "--worlds", "3"]) == 0
    table = store.read_table(tmp_path / "nullworlds.csv")
    assert (table["worlds"] + table["undefined"] == 3).all()
    of_seeds = store.read_table(tmp_path / "nullworlds-seeds.csv")
    assert {*of_seeds["seeds"]} == {1, 3, 8}
    assert (of_seeds["worlds"] == 3).all()
    assert "rows within their bounds" in capsys.readouterr().out
    assert main(["nullworlds", "--worlds", "0"]) == 1
