"""How much answers change when only the file does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fundus_students import student
from PIL import Image

from riqa_lib.assess import fundus_student, grading, stability


@pytest.fixture
def one(tmp_path, monkeypatch):
    """A Student that looks at whole pictures: to find their field takes longer."""

    def whole(file, size, **_):
        image = Image.open(file).convert("RGB")
        row = {"file": str(file), "state": "unreadable", "reason": ""}
        if max(image.size) < 40:
            return grading.Prepared(row | {"state": "refused", "reason": "made up"})
        found = {"level": 0.4, "bright": 0.0, "uneven": 0.1, "rim": 0.8, "direction": 0.1}
        found |= {"texture": 0.05, "glare": 0.0, "off_centre": 0.0, "cut": 0.0}
        return grading.Prepared(
            row, np.asarray(image.resize((size, size), Image.Resampling.BOX)), found
        )

    monkeypatch.setattr(grading, "prepare", whole)
    monkeypatch.setattr(stability, "SIZES", (400, 48, 20))
    return fundus_student.load(student(tmp_path / "student-one"), simulated=True)


@pytest.fixture
def picture(one, tmp_path):
    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    file = tmp_path / "a.png"
    size = int(one.about["size"])  # so that nothing is resampled
    small = Image.fromarray(blobs).resize((size, size), Image.Resampling.BICUBIC)
    small.resize((2 * size, 2 * size), Image.Resampling.NEAREST).save(file)
    return file


def test_every_change_goes_the_way_of_a_file(one, picture):
    table = stability.changes([picture], one)
    names = [*stability.TURNS, "JPEG 30", "48 px", "20 px"]  # nothing is made larger
    assert [*dict.fromkeys(table["change"])] == names
    assert len(table) == len(names) * 6  # three grades, three details
    (row,) = grading.assess([picture], one)
    told = row["probabilities"] | {d: x["good"] for d, x in row["details"].items()}
    for each in table.itertuples():
        assert each.before == told[each.of]
    small = table[table["change"] == "20 px"]
    assert small["after"].isna().all()
    assert set(small["state"]) == {"refused"}
    assert not small["same"].any()
    moved = (table["after"] - table["before"]).abs().groupby(table["change"]).max()
    assert moved[[*stability.TURNS]].max() < 2e-3  # mean over the eight views
    assert moved["JPEG 30"] > 2e-3
    single = one.about | {"views": 1}
    alone = stability.changes([picture], fundus_student.replace(one, about=single))
    moved = (alone["after"] - alone["before"]).abs().groupby(alone["change"]).max()
    assert moved[[*stability.TURNS]].min() > 2e-3


def test_the_summary_is_a_slow_loop(one, picture):
    table = stability.changes([picture], one)
    other = table.assign(file="b", after=table["after"] - 0.1)
    both = pd.concat([table, other])
    found = stability.summary(both).set_index(["change", "head"])
    assert [*found.index.get_level_values("head")] == ["overall"] * 7 + ["details"] * 7
    for (change, head), line in found.iterrows():
        rows = [
            r
            for r in both.itertuples()
            if r.change == change and (r.of in stability.DETAILS) == (head == "details")
        ]
        moves = [abs(r.after - r.before) for r in rows if r.after == r.after]
        assert line["pictures"] == 2
        assert line["refused"] == len({r.file for r in rows if r.after != r.after})
        assert line["other"] == len({r.file for r in rows if not r.same})
        if moves:
            assert line["largest"] == pytest.approx(max(moves))
            assert line["mean"] == pytest.approx(sum(moves) / len(moves))


def test_what_is_no_picture_has_no_rows(one, tmp_path):
    (tmp_path / "b.png").write_bytes(b"")
    Image.new("RGB", (20, 20)).save(tmp_path / "b.png")
    table = stability.changes([tmp_path / "b.png"], one)
    assert table.empty
    assert stability.summary(table).empty
