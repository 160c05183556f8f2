"""Damaged pictures and tables, seeded: each is read right or refused with a reason; and a child
that dies or hangs is noticed."""

from __future__ import annotations

import os
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks import fuzz, fuzz_pictures, fuzz_tables
from benchmarks.fuzz_children import HANGS, KILLED, Child

AT = 10_000_000  # far from those that `make fuzz` has done


@pytest.mark.parametrize(("kind", "count"), [("pictures", 400), ("tables", 700)])
def test_nothing_crashes_hangs_or_is_read_wrong(kind, count):
    counts, wrong = fuzz.counted(kind, AT, count)
    assert wrong == []
    assert sum(counts.values()) == count
    outcomes = Counter()
    for (_, _, outcome), n in counts.items():
        outcomes[outcome] += n
    assert outcomes["refused"] > count // 10
    assert outcomes["as the second reader"] > count // 20


def test_a_trial_is_the_same_again():
    for kind in (fuzz_pictures, fuzz_tables):
        first, again = ([trial[:3] for trial in kind.trials(7, 2)] for _ in range(2))
        assert first == again


def does(what):
    if what == "dies":
        os.kill(os.getpid(), 9)
    time.sleep(60 if what == "hangs" else 0)
    return "well"


def test_a_child_that_dies_or_hangs_is_told_and_started_anew():
    child = Child(does, seconds=0.5)
    try:
        asked = [child.ask(what) for what in ("", "dies", "", "hangs", "")]
        assert asked == ["well", KILLED, "well", HANGS, "well"]
    finally:
        child.close()


def test_a_score_of_another_picture_is_seen():
    lines = [["name", "MOS"], ["a.png", "5"], ["b.png", " 7.50 "]]
    assert fuzz_tables.agrees({"a.png": 5.0, "b.png": 7.5}, lines)
    assert fuzz_tables.agrees({"a.png": float("nan")}, lines)  # nothing is claimed
    assert not fuzz_tables.agrees({"a.png": 7.5}, lines)
    assert not fuzz_tables.agrees({"c.png": 5.0}, lines)


def test_another_picture_is_not_near():
    scene = fuzz_pictures.scene(0)
    assert fuzz_pictures.near(scene, scene)
    assert not fuzz_pictures.near(scene, np.roll(scene, 9, axis=1))
    assert not fuzz_pictures.near(scene, scene[:-1])


def test_counts_add_up(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz.paths, "reference", lambda: tmp_path)
    done = []

    def trials(first, count):
        done.append((first, count))
        return [("PNG", "zeros", "refused" if i % 2 else KILLED, "") for i in range(count)]

    monkeypatch.setattr(fuzz, "KINDS", {"pictures": trials, "tables": trials})
    for _ in range(2):
        assert fuzz.main(["--pictures", "4", "--tables", "2", "--keep"]) == 1
    assert done == [(0, 4), (0, 2), (4, 4), (2, 2)]  # the second night goes on
    table = pd.read_csv(tmp_path / "fuzz.csv").set_index(["kind", "outcome"])["trials"]
    assert table["pictures", "killed"] == 4
    assert table["tables", "refused"] == 2
    assert "4; PNG; zeros; killed" in capsys.readouterr().out
