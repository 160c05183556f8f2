"""Where a step's time goes, drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib import paths, store
from riqa_lib.figures import draw_all, style
from riqa_lib.figures.step_costs import PARTS, step_costs


def table() -> pd.DataFrame:
    rows = []
    for form in ("maps", "pixels"):
        for pictures, method in ((50, "supervised"), (200, "fixmatch")):
            parts = {f"{part}_part_ms": float(1 + place) for place, part in enumerate(PARTS)}
            row = {"form": form, "method": method, "pictures": pictures, "bare_ms": 10.0}
            rows.append(row | parts | {"machine": "2 cores, X"})
    return pd.DataFrame(rows)


def test_bars_are_the_parts_of_a_step_for_100_pictures() -> None:
    figure = step_costs(table())
    assert len(figure.axes) == 2
    (supervised, _), (first, fixmatch) = [
        (c.patches[0], c.patches[1]) for c in figure.axes[0].containers[:2]
    ]
    assert supervised.get_width() == pytest.approx(2 * 1.0)  # views of 50 pictures, doubled
    assert (first.get_x(), first.get_width()) == pytest.approx((2.0, 2 * 2.0))
    assert fixmatch.get_width() == pytest.approx(2.0 / 2)
    bare = figure.axes[0].collections[0].get_segments()
    assert [segment[0][0] for segment in bare] == pytest.approx([20.0, 5.0])


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="clip_part_ms"):
        step_costs(table().drop(columns="clip_part_ms"))


@pytest.fixture(scope="module")
def figure():
    """Of two networks, the second thrice as slow."""
    rows = table().replace({"form": {"pixels": "timm ViT"}})
    return step_costs(rows.assign(bare_ms=rows["bare_ms"].where(rows["form"] == "maps", 30.0)))


def test_panels_and_rows_are_named_and_the_first_is_at_the_top(figure) -> None:
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == ["from maps", "timm's ViT-Tiny, from pixels"]
    first = figure.axes[0]
    rows = [
        (y, t.get_text()) for y, t in zip(first.get_yticks(), first.get_yticklabels(), strict=True)
    ]
    assert sorted(rows, reverse=True) == [(0, "ViT, supervised"), (-1, "FixMatch")]
    bottom, top = first.get_ylim()
    assert bottom < -1.4 < 0.4 < top
    assert figure.get_supxlabel() == "ms for 100 pictures; 2 cores, X"
    assert style.data_label(figure) == "the code, no data"


def test_the_bare_passes_cross_their_own_bars(figure) -> None:
    for ax, slower in zip(figure.axes, (1, 3), strict=True):
        ticks = [np.mean(s, axis=0).tolist() for s in ax.collections[0].get_segments()]
        assert ticks == [pytest.approx([20 * slower, 0]), pytest.approx([5 * slower, -1])]


def test_the_legend_has_the_parts_of_a_step_in_their_order_and_colours(figure) -> None:
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        *("bare passes alone", "views", "forward and losses", "backward"),
        *("clipping of the gradient", "optimiser", "running average"),
    ]
    tints = [tint.lower() for tint in PARTS.values()]
    for ax in figure.axes:
        assert [to_hex(bars.patches[0].get_facecolor()) for bars in ax.containers] == tints
    assert [to_hex(h.get_facecolor()) for h in legend.legend_handles[1:]] == tints


def test_a_part_begins_where_the_one_before_ends(figure) -> None:
    bars = [container.patches[0] for container in figure.axes[0].containers]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert [bar.get_x() for bar in bars] == pytest.approx([0, *ends[:-1]])


def test_of_several_machines_the_last_measured_is_drawn(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    last = table().assign(machine="4 cores, Y")
    store.write_table(tmp_path / "bench.csv", pd.concat([table(), last]).assign(threads=1))
    drawn = draw_all._of_steps()
    assert list(drawn) == ["step_costs"]
    assert drawn["step_costs"].get_supxlabel() == "ms for 100 pictures; 4 cores, Y"
