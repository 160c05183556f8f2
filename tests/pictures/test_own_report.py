"""A folder of one's own, looked at before training: what is told, and when training could not
work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from riqa_lib.__main__ import main
from riqa_lib.datasets.grade_report import LOOK, NOTE, STOP
from riqa_lib.pictures import own_report
from riqa_lib.pictures.own_report import check
from riqa_lib.pictures.photo_data import DataConfig
from riqa_lib.seeding import rng

DECLARED = {"id": "file", "score": "MOS", "low": 1, "high": 10}


def photo(seed: int, side: int = 120) -> Image.Image:
    """A picture of its own."""
    draw = rng("photo", seed)
    layers = [
        Image.fromarray(draw.integers(0, 256, (n, n, 3), np.uint8)).resize(
            (side, side * 3 // 4), Image.Resampling.BICUBIC
        )
        for n in (4, 9, 20)
    ]
    mean = np.mean([np.asarray(one, float) for one in layers], axis=0)
    return Image.fromarray(mean.astype(np.uint8))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """60 photographs with scores on 1 to 10, twelve of each fifth."""
    (tmp_path / "photos").mkdir()
    lines = ["file,MOS"]
    for i in range(60):
        photo(i).save(tmp_path / "photos" / f"p{i:02d}.png")
        lines.append(f"p{i:02d}.png,{1.5 + 1.8 * (i % 5) + 0.01 * i:.2f}")
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def looked(where: Path, **more) -> own_report.Report:
    given = {"size": 40, "progress": False} | DECLARED | more
    return check(where / "photos", where / "scores.csv", **given)


def said(report: own_report.Report, level: str) -> str:
    return "\n".join(f"{r.about}: {r.text}" for r in report.remarks if r.level == level)


def edit(where: Path, change) -> None:
    """Change the table as a frame."""
    table = pd.read_csv(where / "scores.csv")
    change(table).to_csv(where / "scores.csv", index=False)


# ---------------------------------------------------------------- what is told
def test_a_folder_that_is_well(own):
    report = looked(own, fractions=(0.5, 0.2, 0.3))
    assert report.works
    assert (report.pictures, said(report, STOP), report.problems) == (60, "", [])
    assert report.sizes.loc["shorter side"].tolist() == [90, 90, 90]
    assert report.sizes.loc["longer side"].tolist() == [120, 120, 120]
    assert report.grades.to_numpy().tolist() == [[6, 2, 4, 0]] * 5
    assert report.grades.index.tolist() == ["bad", "poor", "fair", "good", "excellent"]
    assert report.pairs.empty
    assert "10 pictures choose the weights" in said(report, LOOK)
    text = str(report)
    for words in ("60 pictures can be read; working size 40 px", "excellent", "own size", "look"):
        assert words in text


def test_what_vanishes_at_the_working_size_is_named(own):
    """Fine squares of large pictures, as photographs of a phone: the same texture at full size."""
    for i in range(60):
        draw = rng("fine", i).integers(0, 256, (80, 80), np.uint8)
        image = Image.fromarray(draw).resize((400, 400), Image.Resampling.NEAREST)
        image.save(own / "photos" / f"p{i:02d}.png", compress_level=1)
    report = looked(own, size=20)
    (text,) = [r.text for r in report.remarks if r.about == "detail"]
    assert "at 20 px next to nothing is left of " in text
    assert "noise, sd 10 grey levels" in text.partition("(")[0]
    assert "data.size=" in text
    assert "data.scale=native" in text
    size = int(text.partition("data.size=")[2].split()[0])
    assert (report.detail[size] >= 1).all()
    assert (report.detail[size // 2] < 1).any()
    native = looked(own, size=20, scale="native")
    assert native.detail.empty
    assert "the centre as it is, 0.25 % of the median picture" in said(native, LOOK)
    assert "still there at 160 px" in said(looked(own, size=160), NOTE)


def test_pictures_below_the_working_size(own):
    photo(777, 32).save(own / "photos" / "p07.png")
    report = looked(own)
    assert "smaller than the working size (1): row 9: p07.png: 32 x 24 px" in said(report, LOOK)
    assert report.sizes.loc["shorter side", "smallest"] == 24
    assert [(p.kind, p.row) for p in report.problems] == [("smaller than the working size", 9)]


def test_near_duplicates_across_splits_come_first(own):
    edit(own, lambda t: t.assign(part=["train", "val", "test"] * 20))
    copy = ImageEnhance.Brightness(photo(10)).enhance(1.1)
    copy.save(own / "photos" / "p59.png")  # test, and p10 validates
    ImageEnhance.Contrast(photo(0)).enhance(0.9).save(own / "photos" / "p03.png")  # both train
    report = looked(own, split="part")
    looks = said(report, LOOK)
    assert "4 pictures show 2 scenes, each nearly the same; 1 of these scenes are in more" in looks
    found = report.pairs.set_index(["id", "other"])
    assert {*found.index} == {("p00.png", "p03.png"), ("p10.png", "p59.png")}
    assert found.loc[("p10.png", "p59.png"), "other split"] == "test"
    told = [p for p in report.problems if p.kind == "near-duplicate"]
    assert [p.name for p in told] == ["p59.png", "p03.png"]
    assert told[0].found.endswith("bits differ; val and test; grades bad and excellent")
    assert "and" not in told[1].found.partition("; grades")[0]
    # one group: no split has a part of it
    scene = {10: "a", 59: "a", 0: "b", 3: "b"}
    edit(own, lambda t: t.assign(scene=[scene.get(i, f"s{i}") for i in range(60)]))
    assert "scenes are in more" not in said(looked(own, group="scene"), LOOK)


def test_the_pool_counts_nowhere_but_as_the_pool(own):
    edit(own, lambda t: t.assign(MOS=t["MOS"].where(t.index >= 20)))
    shutil.copy(own / "photos" / "p30.png", own / "photos" / "again.png")
    report = looked(own, fractions=(0.5, 0.2, 0.3))
    assert report.grades.loc["no score"].tolist() == [0, 0, 0, 20]
    assert report.grades.iloc[:5].to_numpy().sum() == 40
    assert report.works
    photo(0).resize((60, 45)).save(own / "photos" / "p41.png")  # p00, of the pool, once more
    pairs = looked(own).pairs
    assert pairs[["id", "split", "other"]].to_numpy().tolist() == [["p00.png", "pool", "p41.png"]]
    found = [p.found for p in looked(own).problems if p.kind == "near-duplicate"]
    assert "grade" not in found[0]


def test_two_grades_with_names_and_a_turned_scale(own):
    edit(own, lambda t: t.assign(MOS=(t["MOS"] - 1) / 9))
    names = {"classes": 2, "names": ["no", "yes"]}
    report = looked(own, **names, low=0, high=100, higher_is_better=False)
    assert report.grades.index.tolist() == ["no", "yes"]
    looks = said(report, LOOK)
    assert "% of the declared range, 0 to 100: is that the scale? They would fit 0 to 1." in looks
    assert "all scores lie between 0.05" in looks
    assert said(report, STOP).count("all training pictures have one grade (yes)") == 1


# ---------------------------------------------------------------- what stops
def test_unreadable_files_stop_or_are_skipped(own):
    for name in ("p04.png", "p08.png"):
        file = own / "photos" / name
        file.write_bytes(file.read_bytes()[:900])
    report = looked(own)
    assert not report.works
    assert "bad=skip leaves them out: 2 of 60 can't be read" in said(report, STOP)
    assert "row 6: p04.png: cannot be decoded" in said(report, STOP)
    assert report.pictures == 58
    assert report.grades.to_numpy().sum() == 58
    skipped = looked(own, bad="skip")
    assert skipped.works
    assert "left out, since bad is skip: 2 of 60 can't be read" in said(skipped, LOOK)
    (own / "photos" / "p12.png").unlink()
    (own / "photos" / "p16.png").write_bytes(b"")
    assert "missing file" in said(looked(own), STOP)
    skipped = looked(own, bad="skip")  # as the import does
    assert skipped.works
    told = said(skipped, LOOK) + said(skipped, NOTE)
    assert "row 14: p12.png" in told
    assert "row 18: p16.png" in told
    for file in (own / "photos").iterdir():
        file.write_bytes(b"no picture")
    assert "59 of 59 can't be read" in said(looked(own, bad="skip"), STOP)


def test_a_wrong_table_is_told_with_what_can_be_seen_of_the_pictures(own):
    edit(own, lambda t: t.assign(MOS=t["MOS"].where(t.index != 5, 55)))
    (own / "photos" / "p09.png").unlink()
    (own / "photos" / "p10.png").write_bytes(b"no picture")
    report = looked(own)
    stops = said(report, STOP)
    assert "table: 2 problems, with which training would not begin" in stops
    assert "MOS out of range (1): row 7: p05.png: 55" in stops
    assert "missing file (1): row 11: p09.png" in stops
    assert "1 of 59 can't be read" in stops
    assert (report.pictures, report.grades.empty, len(report.problems)) == (58, True, 3)


def test_a_picture_with_two_rows_is_looked_at_once(own):
    """Nothing looks like itself."""
    edit(own, lambda t: pd.concat([t, t.head(3).assign(MOS=5.0)]))
    report = looked(own)
    assert "doubled" in said(report, STOP) or "twice" in said(report, STOP)
    assert report.pictures == 60
    assert not len(report.pairs)


def test_where_the_table_cannot_be_read_no_picture_is_blamed(own):
    edit(own, lambda t: t.rename(columns={"file": "name"}))
    report = looked(own)
    assert str(report).startswith("No picture was looked at: what is wrong with the table")
    assert str(looked(own, id="name")).startswith("60 pictures can be read; working size")


def test_few_pictures_have_one_of_each_grade_to_train_and_to_validate(own):
    """The finding: 45 pictures, nine a grade, left none for validation."""
    edit(own, lambda t: t.head(45))
    report = looked(own)
    assert report.works
    assert report.grades[["train", "val", "test"]].to_numpy().tolist() == [[6, 1, 2]] * 5
    assert "of grade bad (9), poor (9), fair (9), good (9), excellent (9) there are so few" in said(
        report, NOTE
    )
    none = looked(own, fractions=(0.9, 0, 0.1))
    assert "no validation picture has a grade" in said(none, STOP)
    assert not none.works


# ---------------------------------------------------------------- the command, the plan
def typed(where: Path, *more: str) -> list[str]:
    table = ["--table", str(where / "scores.csv"), "--profile", "smoke"]
    return ["check", *table, "--id", "file", "--score", "MOS", "--low", "1", *more]


def test_the_command_says_the_same_and_ends_with_1_where_training_could_not_work(own, capsys):
    photos = str(own / "photos")
    out = own / "out" / "problems.csv"
    assert main(typed(own, photos, "--high", "10", "--csv", str(out))) == 0
    text = capsys.readouterr().out
    config = DataConfig(
        source="folder",
        folder={"root": photos, "table": str(own / "scores.csv"), **DECLARED},
        size=40,
        crop=32,
    )
    report = own_report.of_settings(config, progress=False)
    assert str(report) in text
    assert report.grades.iloc[0].tolist()[:3] == [6, 1, 5]  # the profile's .5, .1, .4
    assert pd.read_csv(out).columns.tolist() == ["file", "row", "kind", "what"]
    (own / "photos" / "p04.png").write_bytes(b"no picture")
    assert main(typed(own, photos, "--high", "10", "--csv", str(out))) == 1
    assert pd.read_csv(out)[["file", "row"]].to_numpy().tolist() == [["p04.png", 6]]
    assert main(typed(own, photos, "--high", "10", "--bad", "skip")) == 0
    assert main(typed(own, photos, "--high", "10", "--bad", "skip", "--labels", "99")) == 1
    assert "data.labels is 99" in capsys.readouterr().out


def test_the_declaration_may_be_typed_as_the_plan_takes_it(own, capsys, monkeypatch):
    monkeypatch.chdir(own)
    folder = {"root": "photos", "table": "scores.csv", "name": "mine", **DECLARED}
    assert main(["check", "--declare", json.dumps(folder), "--profile", "smoke"]) == 0
    assert "working size 40 px" in capsys.readouterr().out
    options = ["--declare", json.dumps(folder), "--size", "64", "--high", "100", "--classes", "2"]
    assert main(["check", *options]) == 1  # all of one grade: an option counts more
    assert "working size 64 px" in capsys.readouterr().out
    wrong = json.dumps({**folder, "scores": "MOS"})
    assert main(["check", "--declare", wrong]) == 1
    assert "riqa: scores is no keyword of a table; did you mean score?" in capsys.readouterr().err
    assert main(["check", "photos", "--table", "scores.csv"]) == 1
    assert "not said: id" in capsys.readouterr().err
    assert main(typed(own, "nowhere", "--high", "10")) == 1
    assert "nowhere: no such folder of pictures" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["check", "--declare", "{"])
    assert "no JSON" in capsys.readouterr().err
