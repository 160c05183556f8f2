"""The measurement of load: its pictures are what they say, its checks see what is wrong."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import load
from riqa_lib import paths, store
from riqa_lib.assess.unfinished import place_of
from riqa_lib.tables import load_table

COMMAND = """
import sys, time
from pathlib import Path
table = Path(sys.argv[1])
place = table.with_name(table.name + ".unfinished")
done = place.read_text().count("\\n") - 1 if "--resume" in sys.argv else -1
with open(place, "a") as out:
    for k in range(done, 60):
        out.write("row\\n")
        out.flush()
        time.sleep(0.01)
place.rename(table)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    load.make(folder, "score", 402)
    return folder


def test_one_picture_in_a_hundred_is_bad_in_turn(pictures):
    files = sorted(pictures.rglob("*.jpg"))
    assert len(files) == 402
    assert [k for k in range(402) if load.bad(k)] == [99, 199, 299, 399]
    assert [load.bad(k) for k in (99, 199, 299, 399)] == [*load.KINDS]
    assert files[199].read_bytes() == b""
    assert files[299].read_bytes().startswith(b"this is no picture")
    with pytest.raises(OSError, match="truncated"), Image.open(files[99]) as image:
        image.load()
    with Image.open(files[0]) as one, Image.open(files[1]) as other:
        assert one.size == other.size == (128, 96)
        assert np.abs(np.asarray(one, float) - np.asarray(other, float)).mean() > 10


def rows_for(folder):
    unread = {"state": "unreadable", "reason": "why"}
    return [
        {"file": str(file), "state": "graded", "reason": ""}
        | (unread if load.bad(k) and k != 399 else {"reason": "damaged"} if k == 399 else {})
        for k, file in enumerate(sorted(folder.rglob("*.jpg")))
    ]


def written(rows, table):
    with open(table, "w", encoding="utf-8-sig", newline="") as out:
        book = csv.DictWriter(out, ["file", "state", "reason"])
        book.writeheader()
        book.writerows(rows)
    return table


def test_a_row_that_is_missing_double_or_changed_is_seen(pictures, tmp_path):
    rows, table = rows_for(pictures), tmp_path / "t.csv"
    assert load.check(pictures, written(rows, table), rows[:50]) == 4
    unread = [*rows[:399], rows[399] | {"state": "unreadable"}, *rows[400:]]
    assert load.check(pictures, written(unread, table), rows[:50]) == 4
    wrong = {
        "missing": rows[:-1],
        "double": [*rows, rows[0]],
        "changed": [rows[0] | {"reason": "another"}, *rows[1:]],
        "no reason": [*unread[:399], unread[399] | {"reason": ""}, *unread[400:]],
        "not named": [*rows[:99], rows[99] | {"state": "graded"}, *rows[100:]],
    }
    for its in wrong.values():
        with pytest.raises(AssertionError):
            load.check(pictures, written(its, table), rows[:50])


def test_a_command_is_killed_and_goes_on_and_its_rows_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "LOOK", 0.02)
    table = tmp_path / "t.csv"
    typed = [sys.executable, "-c", COMMAND, str(table)]
    first = load.watched(typed, table, 5, kill_at=20)
    place = place_of(table)
    assert not table.exists()
    assert 20 <= load.rows_of(place) < 60
    assert 5 <= first[-1]["rows"] <= load.rows_of(place)
    second = load.watched([*typed, "--resume"], table, 5, None)
    assert table.read_text().count("\n") == 61
    assert second[0]["rows"] >= 20
    assert all(line["memory_mib"] > 1 and line["rate"] > 0 for line in first + second)


def test_the_table_says_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    assert load_table.show().startswith("Nothing was measured yet")
    own = {"command": "score", "pictures": 1000, "bad": 10, "named": 9, "kept": 405, "workers": 2}
    own |= {"machine": "2 cores", "load": 1.2, "rate_cpu": 70.0, "readers_mib": 108.0}
    lines = [(400, 61.7, 990.4), (800, 60.2, 991.6), (1000, 64.0, 990.0)]
    parts = ["until killed", "resumed", "resumed"]
    table = pd.DataFrame(
        [
            own | {"part": part, "rows": rows, "rate": rate, "memory_mib": memory}
            for part, (rows, rate, memory) in zip(parts, lines, strict=True)
        ]
    )
    store.write_table(tmp_path / load_table.STORED, table)
    said = load_table.show()
    assert "| `riqa score` | until killed | 400 to 400 | 62 | 70 | 990 | 108 |" in said
    assert "| `riqa score` | resumed | 800 to 1,000 | 60 to 64 | 70 | 990 to 992 | 108 |" in said
    store.write_table(tmp_path / load_table.STORED, table.assign(rate_cpu=np.nan))
    assert "| 60 to 64 | not measured | 990 to 992 |" in load_table.show()
    assert "1,000 pictures made by code, 10 of them bad (9 named as such); killed with 405" in said
