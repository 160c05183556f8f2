"""The methods' own figures show what their tables hold, and name what is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.figures import mechanisms, style
from riqa_lib.tables import diagnostics

P = [f"p{k}" for k in range(5)]
STEPS = [50, 100, 150]


def history(seeds: int = 1) -> pd.DataFrame:
    """Every method's diagnostics at once, all different from each other; the memory is full from
    the second evaluation on."""
    g, names = (
        np.random.default_rng(0),
        [
            "full",
            "agrees",
            "changed",
            "in_loss",
            "cut",
            "kept",
            "edges",
            "con_loss",
            "tau",
            "fair_loss",
            "cosine",
            "dist_loss",
            "rot_loss",
            "rot_right",
        ],
    )
    names += [f"{n}_{k}" for n in ("memory", "network", "P_t", "P_u", "tau") for k in range(5)]
    parts = []
    for seed in range(seeds):
        part = pd.DataFrame(g.uniform(0.05, 0.95, (3, len(names))), columns=names).assign(
            seed=seed, step=STEPS
        )
        parts.append(part.assign(full=[0.0, 0.5, 1.0]))
    return pd.concat(parts, ignore_index=True)


def predictions(n: int = 40) -> pd.DataFrame:
    g = np.random.default_rng(1)
    p = g.dirichlet([0.4] * 5, n)
    truth = np.where(np.arange(n) % 4 == 0, -1, g.integers(0, 5, n))
    return pd.DataFrame(p, columns=P).assign(truth=truth, id=[f"i{i}" for i in range(n)])


def drawn(ax) -> dict[str, list[float]]:
    return {
        line.get_label(): list(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) > 2
    }


def heights(ax) -> list[float]:
    return [b.get_height() for b in ax.patches]


def dashed(ax) -> float:
    """Where the one line across a panel lies."""
    (line,) = (line for line in ax.lines if list(line.get_xdata()) == [0, 1])
    return line.get_ydata()[0]


FIGURES = {  # figure: (call, the columns it needs)
    "memory": (
        lambda h: mechanisms.memory(h, 9, simulated=True),
        ["step", "full", "agrees", "changed", "in_loss", "memory_0", "network_0"],
    ),
    "relative_cut": (lambda h: mechanisms.relative_cut(h, simulated=True), ["step", "cut", "kept"]),
    "marginals": (
        lambda h: mechanisms.marginals(h, [0.2] * 5, simulated=True),
        ["step", "P_t_0", "P_u_0"],
    ),
    "graph_over_steps": (
        lambda h: mechanisms.graph_over_steps(h, 8, simulated=True),
        ["step", "edges", "con_loss", "changed", "full"],
    ),
    "thresholds": (
        lambda h: mechanisms.thresholds(h, simulated=True),
        ["step", "tau", "fair_loss", "tau_0"],
    ),
    "views_apart": (
        lambda h: mechanisms.views_apart(h, simulated=True),
        ["step", "cosine", "dist_loss", "rot_loss", "rot_right"],
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_missing_is_named(name) -> None:
    draw, needed = FIGURES[name]
    assert style.data_label(draw(history())) == "simulated data"
    for column in needed:
        every = [
            c
            for c in history()
            if column.endswith("_0") and c.startswith(column[:-1]) and c != column
        ]
        with pytest.raises(ValueError, match=rf"history: no column .*{column}"):
            draw(history().drop(columns=[column, *every]))
        if not column.endswith("_0") and column != "step":
            with pytest.raises(ValueError, match=rf"no value in .*{column}"):
                draw(history().assign(**{column: np.nan}))
    with pytest.raises(ValueError, match="no rows"):
        draw(history().iloc[:0])


def test_the_memory_is_shown_from_the_steps_at_which_it_was_full() -> None:
    h = history()
    left, middle, right = mechanisms.memory(h, 9, simulated=True).axes
    full = h["full"].to_numpy()[1:]
    assert drawn(middle) == {}  # two points: the first evaluation came before
    for ax, place, column in ((left, 0, "agrees"), (left, 1, "changed"), (middle, 0, "in_loss")):
        assert ax.lines[place].get_xdata().tolist() == STEPS[1:]
        assert ax.lines[place].get_ydata() == pytest.approx(h[column].to_numpy()[1:] / full)
    assert dashed(middle) == pytest.approx(np.log(9))  # that of a memory that sees no difference
    last = h.iloc[-1]
    assert heights(right) == pytest.approx(
        [last[f"{n}_{k}"] for n in ("network", "memory") for k in range(5)]
    )
    never = mechanisms.memory(h.assign(full=0.0), 9, simulated=False)
    assert "never full" in words(never)
    assert not any(ax.lines or ax.patches for ax in never.axes)


def test_seeds_are_averaged() -> None:
    h = history(seeds=3)
    left, right = mechanisms.relative_cut(h, simulated=True).axes
    assert drawn(left)["cut"] == pytest.approx(h.groupby("step")["cut"].mean().tolist())
    assert drawn(right)["kept"] == pytest.approx(h.groupby("step")["kept"].mean().tolist())


def test_marginals_have_both_means_and_the_labels() -> None:
    h, shares = history(), [0.1, 0.2, 0.4, 0.2, 0.1]
    left, right = mechanisms.marginals(h, shares, simulated=True).axes
    lines = [line.get_ydata().tolist() for line in left.lines]
    assert lines == [h[f"{n}_{k}"].tolist() for k in range(5) for n in ("P_t", "P_u")]
    last = h.iloc[-1]
    assert heights(right) == pytest.approx(
        [*shares, *(last[f"{n}_{k}"] for n in ("P_t", "P_u") for k in range(5))]
    )
    with pytest.raises(ValueError, match="expected 5 shares, one per grade; found shape \\(4,\\)"):
        mechanisms.marginals(h, [0.25] * 4, simulated=True)


def test_the_graph_over_steps() -> None:
    h = history()
    left, middle, right = mechanisms.graph_over_steps(h, 8, simulated=True).axes
    assert drawn(left)["edges"] == h["edges"].tolist()
    assert drawn(middle)["graph loss"] == h["con_loss"].tolist()
    assert dashed(middle) == pytest.approx(np.log(8))
    assert right.lines[0].get_ydata() == pytest.approx((h["changed"] / h["full"]).to_numpy()[1:])


@pytest.mark.parametrize("edge", [0.0, 0.3, 0.8])
def test_edges_against_a_loop(edge) -> None:
    p = predictions()
    graph, rows = diagnostics.edges(p, edge)
    q = rows[P].to_numpy().tolist()
    for i in range(len(q)):
        for j in range(len(q)):
            w = 1.0 if i == j else sum(a * b for a, b in zip(q[i], q[j], strict=True))
            assert graph[i, j] == pytest.approx(w if w >= edge else 0.0)
    said = rows["said"].tolist()
    assert said == sorted(said) == [row.index(max(row)) for row in q]
    for grade in range(5):
        sure = [max(row) for row, s in zip(q, said, strict=True) if s == grade]
        assert sure == sorted(sure, reverse=True)
    assert sorted(rows["id"]) == sorted(p["id"])


def test_the_label_graph_draws_each_edge_by_its_true_grades() -> None:
    p = predictions()
    figure = mechanisms.label_graph(p, 0.4, simulated=True)
    strips, ax = figure.axes[:2]
    graph, rows = diagnostics.edges(p, 0.4)
    truth, shown = rows["truth"].tolist(), ax.images[0].get_array()
    edges = 0
    for i in range(40):
        for j in range(40):
            if i == j or graph[i, j] == 0:
                assert shown.mask[i, j]
                continue
            edges += 1
            unknown = truth[i] < 0 or truth[j] < 0
            assert shown[i, j] == (2 if unknown else int(truth[i] != truth[j]))
    assert strips.images[0].get_array()[:, 1].tolist() == rows["said"].tolist()
    assert strips.images[0].get_array().filled(-1)[:, 0].tolist() == truth
    text = words(figure)
    assert f"40 pictures, {edges / 40:.1f} neighbours each" in text
    assert all(f"joined, {k}" in text for k in ("equal true", "other true", "not known"))
    open_ = words(mechanisms.label_graph(p.assign(truth=-1), 0.4, simulated=True))
    assert "joined, not known" in open_
    assert "true grades" not in open_
    with pytest.raises(ValueError, match="no column truth"):
        mechanisms.label_graph(p.drop(columns="truth"), 0.4, simulated=True)


def test_thresholds_global_and_per_class() -> None:
    h = history()
    left, right = mechanisms.thresholds(h, simulated=True).axes
    assert drawn(left) == {"global": h["tau"].tolist()} | {
        f"grade {k}": h[f"tau_{k}"].tolist() for k in range(5)
    }
    assert drawn(right)["fairness"] == h["fair_loss"].tolist()
    assert diagnostics.last_per_class(h, "tau").tolist() == [
        h[f"tau_{k}"].iloc[-1] for k in range(5)
    ]


def test_kept_shares_against_a_loop() -> None:
    p, limits = predictions(), [0.3, 0.5, 0.7, 0.9, 1.1]
    table = diagnostics.kept_shares(p, limits)
    for grade, row in enumerate(table.to_dict("records")):
        own = [r for r in p.to_dict("records") if max(range(5), key=lambda k: r[P[k]]) == grade]
        kept = [r for r in own if r[P[grade]] >= limits[grade]]
        known = [r["truth"] == grade for r in kept if r["truth"] >= 0]
        assert row["pictures"] == len(own) > 0
        assert row["kept"] == pytest.approx(len(kept) / len(own))
        assert row["right"] == pytest.approx(
            sum(known) / len(known) if known else np.nan, nan_ok=True
        )
    assert table["kept"].iloc[-1] == 0
    assert np.isnan(table["right"].iloc[-1])
    ax = mechanisms.kept_per_class(p, limits, simulated=True).axes[0]
    assert heights(ax) == pytest.approx(table["kept"].tolist())
    assert ax.lines[0].get_ydata() == pytest.approx(table["right"].to_numpy(), nan_ok=True)
    with pytest.raises(ValueError, match="expected 5 values, one per class; found shape \\(3,\\)"):
        diagnostics.kept_shares(p, limits[:3])


def test_views_apart_and_turns_with_chance() -> None:
    h = history()
    left, middle, right = mechanisms.views_apart(h, simulated=True).axes
    assert drawn(left)["cosine"] == h["cosine"].tolist()
    assert drawn(middle)["distance loss"] == h["dist_loss"].tolist()
    assert drawn(right)["right"] == h["rot_right"].tolist()
    assert [0.25, 0.25] in [list(line.get_ydata()) for line in right.lines]
    off = mechanisms.views_apart(h.assign(rot_loss=0.0, rot_right=0.0), simulated=True)
    assert "no rotation head" in words(off)
    assert not drawn(off.axes[2])
