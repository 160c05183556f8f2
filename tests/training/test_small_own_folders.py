"""Few pictures of one's own: each grade trains and validates, and where nothing can be validated
the message names what to change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from riqa_lib.training import photographs


@pytest.fixture
def overrides(home, tmp_path: Path) -> dict[str, object]:
    """45 pictures, nine of each grade."""
    (tmp_path / "photos").mkdir()
    draw, lines = np.random.default_rng(0), ["file,MOS"]
    for i in range(45):
        pixels = draw.integers(0, 256, (44, 48, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
        lines.append(f"{i}.png,{1 + 2 * (i % 5)}")
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    places = {"root": str(tmp_path / "photos"), "table": str(tmp_path / "scores.csv")}
    declared = {"id": "file", "score": "MOS", "low": 0, "high": 10}
    return {"data.source": "folder", "data.folder": places | declared}


def test_nine_pictures_of_a_grade_leave_one_to_validate(overrides):
    given = overrides | {"data.fractions": [0.8, 0.1, 0.1]}
    data = photographs.make_data("few", "smoke", given)
    rows = photographs.rows_of(photographs.settings("smoke", overrides=given), data)
    assert (len(rows["labelled"]), len(rows["val"])) == (30, 5)


@pytest.mark.parametrize(
    ("fractions", "words"),
    [([0.5, 0, 0.5], "20 training and 0 validation"), ([0, 0.5, 0.5], "0 training and 20 valid")],
)
def test_nothing_to_train_or_to_validate_names_the_remedy(overrides, fractions, words):
    given = overrides | {"data.fractions": fractions}
    data = photographs.make_data("none", "smoke", given)
    with pytest.raises(ValueError, match=f"{words}.*give more of data.fractions") as caught:
        photographs.rows_of(photographs.settings("smoke", overrides=given), data)
    assert "riqa check" in str(caught.value)
