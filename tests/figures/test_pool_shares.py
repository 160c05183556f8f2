"""The figure of the pool's shares shows what its table holds, and says what data it is of."""

from __future__ import annotations

import pandas as pd
import pytest
from formulas import words
from matplotlib.colors import to_hex

from riqa_lib.figures import style
from riqa_lib.figures.pool_shares import pool_shares
from riqa_lib.tables import pool

SHARES = {
    (pool.LABELS, pool.LABELS): [0.1, 0.2, 0.5, 0.2, 0.0],
    ("pool", pool.TRUE): [0.0, 0.0, 0.1, 0.3, 0.6],
    ("pool", "forest"): [0.0, 0.1, 0.2, 0.7, 0.0],
    ("pool", "fixmatch"): [0.0, 0.0, 0.4, 0.5, 0.1],
    ("hidden training pictures", "fixmatch"): [0.2, 0.2, 0.2, 0.2, 0.2],
}


def table() -> pd.DataFrame:
    rows = [
        {"part": part, "method": method, "pictures": 50}
        | {f"share_{k}": share for k, share in enumerate(each)}
        for (part, method), each in SHARES.items()
    ]
    return pd.DataFrame(rows)


def test_a_panel_a_row_with_its_shares_and_the_true_ones_marked():
    figure = pool_shares(table(), simulated=True)
    panels = [ax for ax in figure.axes if ax.axison]
    assert len(panels) == len(SHARES)
    for ax, ((part, method), each) in zip(panels, SHARES.items(), strict=True):
        assert [bar.get_height() for bar in ax.patches] == each
        marks = [line.get_ydata()[0] for line in ax.lines if len(line.get_ydata())]
        # the truth is marked on what is said of the pool; of the hidden ones none is known here
        said = part == "pool" and method != pool.TRUE
        assert marks == (SHARES["pool", pool.TRUE] if said else [])
    titles = [" ".join(ax.get_title(loc="left").split()) for ax in panels]
    assert titles == [
        "labels",
        "pool, true",
        "pool: statistics + forest",
        "pool: ViT + FixMatch",
        "hidden training pictures: ViT + FixMatch",
    ]


def test_it_says_of_what_data_it_is_and_what_is_marked():
    assert "simulated data" in words(pool_shares(table(), simulated=True))
    real = pool_shares(table().query("method != 'true'"), simulated=False)
    assert style.data_label(real) == "real data"
    assert "true share" not in words(real)
    assert "true share" in words(pool_shares(table(), simulated=True))


def test_grades_have_their_names_and_any_number_of_colours():
    ticks = [t.get_text() for t in pool_shares(table(), simulated=True).axes[0].get_xticklabels()]
    assert ticks == ["0", "1", "2", "3", "4"]
    two = table().drop(columns=["share_2", "share_3", "share_4"])
    ax = pool_shares(two, simulated=False, words=["bad", "good"]).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["bad", "good"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="table: no column part"):
        pool_shares(table().drop(columns="part"), simulated=True)
    with pytest.raises(ValueError, match="table: no column share_0"):
        pool_shares(table()[["part", "method", "pictures"]], simulated=True)
    with pytest.raises(ValueError, match="no rows"):
        pool_shares(table().iloc[:0], simulated=True)


@pytest.fixture(scope="module")
def real():
    return pool_shares(table(), simulated=False)


def test_a_bar_stands_on_its_grade_in_its_colour(real):
    tints = [tint.lower() for tint in style.GRADES]
    for ax in real.axes[: len(SHARES)]:
        bars = [(b.get_x() + b.get_width() / 2, to_hex(b.get_facecolor())) for b in ax.patches]
        assert bars == [(pytest.approx(k), tint) for k, tint in enumerate(tints)]
        assert ax.get_ylim() == (0, 1)
        assert ax.yaxis.get_major_formatter()(0.5) in ("50%", "50.0%")


def test_the_true_share_lies_across_its_own_bar(real):
    marks = [line for line in real.axes[2].lines if len(line.get_xdata())]
    assert [line.get_xdata().mean() for line in marks] == pytest.approx(range(5))
    assert {line.get_color() for line in marks} == {style.INK}
    (handle,) = real.legends[0].legend_handles
    assert handle.get_color() == style.INK
    assert style.data_label(real) == "real data"
