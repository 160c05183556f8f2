"""A whole walk in four ways: what is stored of several machines, and what is said of them."""

from __future__ import annotations

import pandas as pd

from benchmarks import determinism
from riqa_lib import paths, store
from riqa_lib.tables import determinism_table


def measured(machine: str, same: int) -> pd.DataFrame:
    ways = [*determinism.WAYS]
    told = {"way": ways, "kills": [0, 0, 0, 6], "files": 9, "same": [9, 9, 9, same], "kinds": ""}
    return pd.DataFrame({**told, "profile": "smoke", "machine": machine, "torch": "2.15"})


def test_each_machine_has_its_lines_and_its_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    file = tmp_path / determinism_table.STORED
    assert "not compared yet" in determinism_table.show()
    for table in (measured("A", 8), measured("B", 9), measured("A", 7)):  # A once more
        store.write_table(file, determinism.beside(file, table))
    found = store.read_table(file)
    assert found.groupby("machine", sort=False).size().to_dict() == {"B": 4, "A": 4}
    first, second = determinism_table.show().split("\n\n")
    assert "(B;" in first
    assert "started again (9 of 9)" in first
    assert "(A;" in second
    assert "started again (7 of 9)" in second
