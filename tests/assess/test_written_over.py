"""Nobody's file is lost: what may be written over."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from PIL import Image

from riqa_lib.__main__ import main
from riqa_lib.assess import books, command, photo_scoring
from riqa_lib.assess.written_over import check_places
from riqa_lib.pictures import told

OTHERS = {
    "photo.jpg": None,
    "labels.csv": "file,score\na.png,3.5\n",
    "grades.csv": "file,state,score\na.png,good,3.5\n",
    "page.html": "<!doctype html>\n<title>my own</title>",
    "settings.json": '{"root": "photos"}',
    "latin.csv": b"\xe4,\xf6\n1,2\n",
}

CHECK = "check photos --table labels.csv --id file --score score --low 1 --high 5 --csv labels.csv"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in OTHERS.items():
        if content is None:
            Image.new("RGB", (40, 40), "red").save(name)
        else:
            (tmp_path / name).write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "red").save("photos/a.png")
    return tmp_path


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("option", ["--csv", "--json", "--report"])
def test_assess_writes_over_nothing_that_is_not_its_own(folder, name, option, capsys):
    before = contents(folder)
    assert main(["assess", "photos", option, name]) == 1
    assert f"{name}: is there already, and riqa did not write it" in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.parametrize(
    "typed",
    [
        CHECK.split(),
        ["score", "photos", "--csv", "labels.csv"],
        ["score", "photos", "--json", "photos/a.png"],
        ["audit", "supervised-0123456789ab", "photos", "--csv", "labels.csv"],
        ["audit", "supervised-0123456789ab", "photos", "--figure", "photos/a.png"],
        ["assess", "photo.jpg", "--csv", "photos/../photo.jpg"],
        ["assess", "--csv", "photo.jpg", "photos/a.png"],  # --csv *.jpg photos/a.png
    ],
)
def test_neither_do_the_other_commands(folder, typed, capsys):
    before = contents(folder)
    assert main(typed) == 1
    assert "name another" in capsys.readouterr().err
    assert contents(folder) == before


def test_what_riqa_wrote_may_be_written_again(tmp_path):
    about = {"run": "a"}
    for name, columns in {
        "assess": [*command.COLUMNS, "p_bad"],
        "score": [*photo_scoring.COLUMNS, "p_1"],
        "audit": ["row", "picture", "distortion", "name", "level", "grade"],
        "check": told.COLUMNS,
    }.items():
        table, found = tmp_path / f"{name}.csv", tmp_path / f"{name}.json"
        with books.opened(table, found, columns=columns, flat=dict, about=about):
            pass
        check_places([table, found])
    pd.DataFrame(columns=told.COLUMNS).to_csv(tmp_path / "check.csv", index=False)
    (tmp_path / "audit.json").write_text(json.dumps({"about": about, "tests": []}, indent=1))
    (tmp_path / "empty.csv").touch()
    check_places([tmp_path / name for name in ("check.csv", "audit.json", "empty.csv", "new.csv")])


def test_a_figure_may_be_drawn_again_but_over_no_picture_that_is_looked_at(folder):
    check_places([], ["photo.jpg", "photos/new.png"], ["photos"])
    for figure, named in (("photos/a.png", "photos"), ("photo.jpg", "photo.jpg")):
        with pytest.raises(ValueError, match=f"{figure}: is one of the pictures to look at"):
            check_places([], [figure], [named])
