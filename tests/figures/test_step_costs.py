"""Where a step's time goes, drawn."""

from __future__ import annotations

import pandas as pd
import pytest

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
