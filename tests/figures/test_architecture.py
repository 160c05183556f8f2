"""The figure of the house: what an invented library imports, and that an arrow up is a warning."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib.figures import architecture, style

FLOORS = {"ground": 0, "low": 1, "middle": 2, "high": 3}


@pytest.fixture
def library(tmp_path):
    files = {
        "__init__.py": '"""Invented."""\n',
        "ground.py": "import os\n",
        "low/__init__.py": "",
        "low/a.py": "from ..ground import this\nfrom . import b\n",
        "low/b.py": "import invented.ground\n",
        "middle/a.py": "def later():\n    from ..low import a, b\n",
        "high/a.py": "from ..middle.a import later\nfrom ..low.a import this\nimport low\n",
    }
    for name, text in files.items():
        file = tmp_path / "invented" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "invented"


def tables(library):
    return architecture.arrows(library), architecture.rooms(library, FLOORS)


def drawn(figure):
    """Colours of the arrows of a figure."""
    return [
        to_hex(patch.get_edgecolor())
        for patch in figure.axes[0].patches
        if type(patch).__name__ == "FancyArrowPatch"
    ]


def test_known_imports_are_known_arrows(library):
    arrows, rooms = tables(library)
    assert arrows.to_numpy().tolist() == [
        ["high", "low", 1],
        ["high", "middle", 1],
        ["low", "ground", 2],
        ["middle", "low", 2],
    ]
    assert rooms[["package", "modules", "lines", "floor"]].to_numpy().tolist() == [
        ["ground", 1, 1, 0],
        ["high", 1, 3, 3],
        ["low", 2, 3, 1],
        ["middle", 1, 2, 2],
    ]
    assert architecture.implied(arrows).tolist() == [True, False, False, False]
    assert architecture.levels(arrows, rooms) == {"ground": 0, "low": 1, "middle": 2, "high": 3}


def test_arrows_lead_down_and_one_that_leads_up_is_a_warning(library):
    arrows, rooms = tables(library)
    # none to the ground; the one that is also reached through others is pale
    assert sorted(drawn(architecture.house(arrows, rooms))) == sorted(
        [style.PALE, style.INK, style.INK]
    )
    (library / "ground.py").write_text("from .high import a\n")
    figure = architecture.house(*tables(library))
    assert drawn(figure).count(architecture.UPWARD.lower()) == 1
    assert drawn(figure).count(style.INK) == 2
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "imports from above: wrong" in words


def test_this_library_stands(tmp_path):
    arrows, rooms = architecture.arrows(), architecture.rooms()
    assert not architecture.upward(arrows, rooms).any()
    figure = architecture.house(arrows, rooms)
    assert architecture.UPWARD.lower() not in drawn(figure)
    assert style.data_label(figure) == "the code, no data"
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {"stats", "tables", "figures", "ssl", "training"} <= shown


def test_other_tables_are_refused(library):
    arrows, rooms = tables(library)
    with pytest.raises(ValueError, match="rooms: no column floor"):
        architecture.house(arrows, rooms.drop(columns="floor"))
    with pytest.raises(ValueError, match="arrows: the table has no rows"):
        architecture.house(pd.DataFrame(columns=["package", "imports", "count"]), rooms)
