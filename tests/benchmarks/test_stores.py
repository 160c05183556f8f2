"""The measurement of the stores: its pictures, what is watched, the table and plan made of it."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import stores, stores_pictures, stores_rates
from riqa_lib import paths, store
from riqa_lib.datasets.data_folder import open_dataset
from riqa_lib.networks import map_store
from riqa_lib.tables import stores_table

GROWS = """
import sys, time
with open(sys.argv[1], "ab") as out:
    while out.tell() < 4000:
        out.write(bytes(50))
        out.flush()
        time.sleep(0.02)
"""
ABOUT = {"machine": "2 cores", "torch": "9.9", "load": 1.0, "form": "jpg"}
RATES = {
    "Pillow": 0.5, "Pillow, made 128": 1.5, "part: read and checked": 0.75, "part: made 128": 1.0,
    "part: hashed": 0.05, "import 128": 2.0, "import 256": 2.5,
}  # fmt: skip


def rows():
    """A measurement of round numbers."""
    out = [
        {"what": "decode", "way": way, "pictures": 10, "cpu_ms": ms, "share": 0.5 / ms, "bytes": 9}
        for way, ms in RATES.items()
    ]
    out += [
        {"what": "maps", "form": "lite0", "way": f"{way} 256", "pictures": 10, "cpu_ms": ms,
         "share": 40 / ms, "bytes": 10 * 2**20}
        for way, ms in (("bare forward", 40.0), ("maps", 50.0))
    ]  # fmt: skip
    own = {"what": "network", "pictures": 288, "steps": 1000}
    out += [own | {"way": "step, frozen", "form": "ours, on maps", "cpu_ms": 360.0}]
    out += [own | {"way": "step, unfrozen", "form": "ViT", "cpu_ms": 36_000.0}]
    for what, peak in (("import", 500.0), ("build", 600.0)):
        one = {"what": what, "way": f"{what} 128"}
        out += [one | {"part": "1 quarters", "peak_mib": peak}]
        out += [one | {"part": "resumed", "peak_mib": peak + 5, "pictures": 1200, "cpu_ms": 2.25,
                       "predicted_ms": 2.0, "seconds": 30.0, "bytes": 2**30}]  # fmt: skip
    one = {"what": "steps", "way": "maps", "part": "gathered", "pictures": 20_000}
    return pd.DataFrame([ABOUT | row for row in [*out, one | {"cpu_ms": 9.0, "peak_mib": 700.0}]])


# ---------------------------------------------------------------- what is measured
def test_pictures_are_as_large_as_koka10ks_and_each_another(tmp_path):
    frame = stores_pictures.written(tmp_path, 3)
    assert len({(tmp_path / path).read_bytes() for path in frame["path"]}) == 3
    assert stores_pictures.picture(2).size == (512, 384)
    assert np.array_equal(stores_pictures.picture(2), stores_pictures.picture(2))
    many = stores_pictures.frame(1500)
    assert many["split"].value_counts().to_dict() == {"train": 1000, "pool": 400, "val": 100}
    assert ((many["grade"] >= 0) == (many["split"] != "pool")).all()
    data = open_dataset(stores_rates.imported(tmp_path, frame, tmp_path / "data", 32))
    assert data.pixels.shape == (3, 32, 32, 3)
    each = map_store.open_maps(data, progress=False).maps[0].nbytes
    assert stores.map_bytes(32) == each


def test_a_command_is_killed_goes_on_and_is_noted_every_quarter(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "LOOK", 0.005)
    file = tmp_path / "grows"
    typed = [sys.executable, "-c", GROWS, str(file)]

    def size():
        return file.stat().st_size if file.exists() else 0

    first = stores.watched(typed, size, 4000, 0.4)
    left = size()
    assert [row["part"] for row in first][-1] == "until killed"
    assert 1600 <= left == first[-1]["done"] < 4000
    second = stores.watched(typed, size, 4000, None)
    assert [row["part"] for row in second][-1] == "resumed"
    assert len(first) + len(second) > 2  # quarters too
    assert second[-1]["done"] == 4000 - left
    assert all(row["peak_mib"] > 1 for row in first + second)
    with pytest.raises(AssertionError, match="ended with 3"):
        stores.watched([sys.executable, "-c", "raise SystemExit(3)"], size, 4000, None)


# ---------------------------------------------------------------- what is said of it
@pytest.fixture
def measured(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    store.write_table(tmp_path / stores_table.STORED, rows())


def test_without_a_measurement_it_says_how_to_measure(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    for show in (stores_table.show_rates, stores_table.show_run, stores_table.plan):
        assert show() == "Nothing was measured yet: `python -m benchmarks.stores measure`."


def test_rates_stand_beside_the_bare_way(measured):
    said = stores_table.show_rates()
    assert "| JPEG | import, 128 px | 2.00 | 500 | 25% |" in said
    assert "| maps | store, 256 px | 50.00 | 20 | 80% |" in said
    assert "Of a JPEG's 2.00 ms at 128 px, 0.75 go into decoding" in said
    assert "1.00 into resampling, 0.05 into its hash and 0.20 into all else" in said
    assert "takes 1.50: the import reaches 75% of that" in said


def test_the_run_is_told_with_what_was_predicted(measured):
    said = stores_table.show_run()
    assert "| pixels, 128 px, resumed | 1,200 | 2.00 | 2.25 | 30 | 1.00 |" in said
    assert "the import took at most 500 to 505 MiB" in said
    assert "the building of maps took at most 600 to 605 MiB" in said
    assert "| maps | 20,000 | gathered | 9 | 700 |" in said


def test_a_plan_is_pictures_times_rates_over_cores(measured):
    said = stores_table.plan(144_000, (2,))
    # 52.5 ms a picture: 2.1 h on one core; a step of .36 s: .1 h for 1,000
    frozen = 144_000 * (256 * 256 * 3 + 2**20) / 2**30
    assert f"| frozen: ours, on maps | 1.1 | {frozen:.1f} | 288.0 | 0.05 |" in said
    # 2.5 ms: .1 h; .1875 MiB a picture; 10 h
    assert f"| unfrozen: ViT | 0.05 | {144_000 * 0.1875 / 1024:.1f} | 54.0 | 5 |" in said
    assert "605 MiB while the stores are made" in said
    for wrong in ((0, (2,)), (10, (0,))):
        with pytest.raises(ValueError, match="expected 1 or more of each"):
            stores_table.plan(*wrong)
