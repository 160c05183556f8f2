"""Which notebook ran when: the last run alone, a line a worker."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib.figures import style, timeline

DAY = 1_700_000_000.0
STEPS = pd.DataFrame(
    [
        ("01_old", 60.0, DAY - 5000, "host 1"),  # a run of the day before
        ("01_koka10k", 60.0, DAY + 60, "host 1"),
        ("13_fundus", 30.0, DAY + 30, "host 2"),
        ("03_vit", 120.0, DAY + 190, "host 1"),
    ],
    columns=["step", "seconds", "ended", "worker"],
)


def test_what_ran_long_before_is_another_run():
    rows = timeline.last_run(STEPS)
    assert list(rows["step"]) == ["01_koka10k", "13_fundus", "03_vit"]
    assert list(rows["began"]) == [0, 0, 70]
    assert rows["ended"].max() == 190


def test_a_bar_is_a_notebook_on_its_workers_line():
    ax = timeline.timeline(STEPS).axes[0]
    bars = [(p.get_x(), p.get_width(), p.get_y() + p.get_height() / 2) for p in ax.patches]
    expected = [(0, 1, 0), (0, 0.5, -1), (70 / 60, 2, 0)]
    assert bars == [pytest.approx(bar) for bar in expected]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["worker 1", "worker 2"]
    assert "03" in {t.get_text() for t in ax.texts}


def test_its_sentence_counts_what_it_shows():
    said = timeline.sentence(STEPS)
    assert said == (
        "3 notebooks in 3.2 minutes on 2 workers, which were busy 55% of the time; the longest, "
        "03_vit, took 2.0 minutes."
    )


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ValueError, match="ended"):
        timeline.last_run(STEPS.drop(columns="ended"))


def test_long_bars_have_their_number_in_them_and_neighbours_differ():
    figure = timeline.timeline(STEPS)
    (ax,) = figure.axes
    names = [(t.get_text(), *t.get_position()) for t in ax.texts]
    expected = [("01", 0.5, 0), ("13", 0.25, -1), ("03", 70 / 60 + 1, 0)]
    assert names == [(name, pytest.approx(x), y) for name, x, y in expected]
    tints = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    blue, sky = style.BLUE.lower(), style.SKY.lower()
    assert tints == [blue, blue, sky]  # the third is the first worker's second
    brief = STEPS.assign(seconds=STEPS["seconds"].where(STEPS["worker"] != "host 2", 5.0))
    assert "13" not in {t.get_text() for t in timeline.timeline(brief).axes[0].texts}
    assert ax.get_xlabel().startswith("minutes since the run began")
    assert style.data_label(figure) == "the code, no data"
