"""`assess` on what people have in folders, with a Student of random but sensitive weights."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fundus_students import photograph, student
from PIL import Image

from riqa_lib import paths
from riqa_lib.__main__ import main
from riqa_lib.assess import advice, command, flow, fundus_reading, fundus_student, grading, inputs
from riqa_lib.pictures.field import find_field
from riqa_lib.stats import calibration
from riqa_lib.stats.calibration import calibrated
from riqa_lib.training import fundus

DETAILS = advice.DETAILS


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    before = os.environ.get("RIQA_HOME")
    os.environ["RIQA_HOME"] = str(tmp_path_factory.mktemp("home"))
    student(paths.runs() / "student-aaa")
    yield paths.home()
    os.environ.pop("RIQA_HOME") if before is None else os.environ.update(RIQA_HOME=before)


@pytest.fixture(scope="module")
def one(home):
    return fundus_student.load(simulated=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder such as people have."""
    root = tmp_path_factory.mktemp("pictures")
    whole = photograph()
    whole.save(root / "a good one.jpg", quality=92)
    photograph("b", illumination=1.8, clarity=1.5).save(root / "b.png")
    whole.convert("L").save(root / "c grey.png")
    tall = Image.new("RGB", (512, 700))
    tall.paste(whole, (0, 94))
    tall.save(root / "d portrait.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    whole.rotate(90).save(root / "e turned.jpg", exif=exif, quality=92)
    whole.resize((3000, 3000)).save(root / "f huge.jpg")
    whole.resize((20, 20)).save(root / "g tiny.png")
    whole.resize((8, 8)).save(root / "h less.png")
    (root / "i broken.jpg").write_bytes((root / "a good one.jpg").read_bytes()[:3000])
    (root / "j text.txt").write_text("no picture\n")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(
        root / "k noise.png"
    )
    (root / "l empty.jpg").write_bytes(b"")
    (root / "below").mkdir()
    photograph("m").save(root / "below" / "m.tif")
    (root / ".hidden").mkdir()
    whole.save(root / ".hidden" / "n.png")
    return root


def test_every_file_gets_its_row_and_none_stops_the_rest(folder, one):
    rows = {os.path.relpath(r["file"], folder): r for r in grading.assess([folder], one)}
    answered = {"graded", "abstained"}
    assert len(rows) == 12  # the text was passed over
    for name in (
        "a good one.jpg",
        "b.png",
        "d portrait.png",
        "e turned.jpg",
        "f huge.jpg",
        "below/m.tif",
    ):
        row = rows[name]
        assert row["state"] in answered, (name, row["reason"])
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert (row["grade"] == max(row["probabilities"], key=row["probabilities"].get)) == (
            row["state"] == "graded"
        )
        assert {*row["details"]} == {*DETAILS}
    assert rows["f huge.jpg"]["width"] == 3000
    turned, upright = (
        [*rows[n]["probabilities"].values()] for n in ("e turned.jpg", "a good one.jpg")
    )
    assert turned == pytest.approx(upright, abs=0.02)  # as the camera says it is to be held
    assert rows["g tiny.png"]["state"] in inputs.STATES
    for name, reason in {
        "h less.png": "16 px or more",
        "i broken.jpg": "decoded",
        "l empty.jpg": "not a picture",
    }.items():
        assert rows[name]["state"] == "unreadable"
        assert reason in rows[name]["reason"]
    for name in ("c grey.png", "k noise.png"):
        assert rows[name]["state"] == "refused"
        assert rows[name]["reason"]


@pytest.mark.parametrize(
    ("key", "kind"), [("s1", "jpg"), ("s2", "jpg"), ("s3", "jpg"), ("s1", "png")]
)
def test_one_picture_has_one_grade_at_every_size(tmp_path, one, key, kind):
    severity = {"illumination": 0.7 * (key == "s2"), "clarity": 1.2 * (key == "s3")}
    large = photograph(key, 768, **severity).resize((2048, 2048), Image.Resampling.BICUBIC)
    how = {"quality": 95} if kind == "jpg" else {"compress_level": 1}
    for size in (512, 1024, 2048):
        large.resize((size, size), Image.Resampling.BICUBIC).save(
            tmp_path / f"{size:04d}.{kind}", **how
        )
    rows = list(grading.assess([tmp_path], one))
    p = np.array([[*r["probabilities"].values()] for r in rows])
    assert len({(r["state"], r["grade"]) for r in rows}) == 1
    assert np.ptp(p, axis=0).max() < 0.03


def test_the_student_of_these_tests_tells_pictures_apart(folder, one):
    """Else the test above would say nothing."""
    p = [
        r["probabilities"]["reject"]
        for r in grading.assess([folder], one)
        if r.get("probabilities")
    ]
    assert np.ptp(p) > 0.1


def test_reduced_decoding_agrees_with_full(folder, one):
    file = folder / "f huge.jpg"
    small, size = fundus_reading.read(file)
    full, _ = fundus_reading.read(file, None)
    assert size == (3000, 3000)
    assert full.shape == (3000, 3000, 3)
    assert max(small.shape) == fundus_student.WORKING
    reduced = np.asarray(Image.fromarray(full).resize((480, 480), Image.Resampling.BOX))
    assert np.abs(reduced.astype(int) - small).mean() < 1.5
    a, b = find_field(small), find_field(reduced)
    assert (a.x, a.y, a.radius) == pytest.approx((b.x, b.y, b.radius), abs=0.5)


def test_files_folders_globs_and_what_is_not_there(folder, one, tmp_path):
    def names(*asked):
        return [os.path.relpath(f, folder) for f in inputs.files(asked)]

    assert names(f"{folder}/*.jpg") == [
        "a good one.jpg",
        "e turned.jpg",
        "f huge.jpg",
        "i broken.jpg",
        "l empty.jpg",
    ]
    assert names(f"{folder}/**/*.tif") == ["below/m.tif"]
    assert names(folder / "b.png", folder / "below") == ["b.png", "below/m.tif"]
    assert len(names(folder)) == 12  # nothing hidden, no text
    rows = list(grading.assess([tmp_path / "nothing.jpg", f"{tmp_path}/*.bmp"], one))
    assert [r["state"] for r in rows] == ["unreadable"] * 2
    assert rows[0]["reason"] == "missing file"


def test_the_command_writes_table_csv_and_json(folder, home, tmp_path, capsys):
    tables = tmp_path / "o.csv", tmp_path / "o.json"
    assert main(["assess", str(folder), "--csv", str(tables[0]), "--json", str(tables[1])]) == 0
    out = capsys.readouterr().out
    assert "student-aaa" in out
    assert "SIMULATED" in out
    assert "k noise.png" in out
    rows = list(csv.DictReader(io.StringIO(tables[0].read_text("utf-8-sig"))))
    book = json.loads(
        tables[1].read_text(), parse_constant=lambda c: pytest.fail(f"{c} is not JSON")
    )
    assert len(rows) == len(book["pictures"]) == 12
    assert book["about"]["simulated"] is True
    for row, full in zip(rows, book["pictures"], strict=True):
        assert row["file"] == full["file"]
        assert row["state"] == full["state"]
        if "probabilities" in full:
            assert float(row["p_good"]) == full["probabilities"]["good"]
            assert float(row["clarity"]) == full["details"]["clarity"]["good"]
            assert row["advice"].count(" | ") == max(len(full["advice"]) - 1, 0)
    assert main(["assess", str(folder / "j text.txt"), "--csv", str(tables[0])]) == 1
    assert len(tables[0].read_text().splitlines()) == 2


def test_a_failure_leaves_no_half_written_table(folder, home, tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise OSError("disk full")

    asked = ["assess", str(folder / "b.png"), "--csv", str(tmp_path / "o.csv")]
    monkeypatch.setattr(command, "flat", broken)
    assert main(asked) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["o.csv.unfinished"]
    assert "1 row is kept; the same command with --resume goes on" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(grading, "prepare", None)  # nothing is read again
    assert main([*asked, "--resume"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["o.csv"]
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 2


def test_a_picture_that_was_replaced_is_graded_anew_where_it_goes_on(
    folder, home, tmp_path, monkeypatch, capsys
):
    picture, table = tmp_path / "a.png", tmp_path / "o.csv"
    shutil.copy(folder / "b.png", picture)
    asked = ["assess", str(picture), str(folder / "l empty.jpg"), "--csv", str(table)]
    monkeypatch.setattr(command, "flat", None)
    with pytest.raises(TypeError):
        main(asked)
    monkeypatch.undo()
    shutil.copy(folder / "k noise.png", picture)
    assert main([*asked, "--resume"]) == 1
    assert "(1 row of before: kept, not printed again)" in (said := capsys.readouterr().out)
    assert "(1 file has changed since: no row of before is kept)" in said
    text = table.read_text("utf-8-sig")
    rows = {Path(r["file"]).name: r["state"] for r in csv.DictReader(io.StringIO(text))}
    assert rows == {"a.png": "refused", "l empty.jpg": "unreadable"}
    assert "stamp" not in text


def test_which_student(home, tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="15_student"):
        fundus_student.load()
    runs = {}
    for k, (name, how) in enumerate(
        {
            "first": {},
            "second": {},
            "single": {"learnt": False},
            "binary": {"classes": 2},
            "tuning": {"seed": fundus.TUNING},
        }.items()
    ):
        runs[name] = student(paths.runs() / f"student-{name}", row=k, **how)
        os.utime(runs[name] / "provenance.json", (1000 + k, 1000 + k))
    unfinished = student(paths.runs() / "student-unfinished", row=9)
    (unfinished / "provenance.json").unlink()
    assert fundus_student.newest().name == "student-second"
    assert fundus_student.load("student-first").about["run"] == "student-first"
    binary = fundus_student.load(runs["binary"])
    assert binary.words == ("bad", "good")
    single = fundus_student.load("student-single")
    photograph().save(tmp_path / "a.png")
    (row,) = grading.assess([tmp_path / "a.png"], single)
    assert row["details"] == {}
    assert "no details" in single.headline()
    assert (
        "real photographs"
        in fundus_student.load(student(tmp_path / "real", simulated=False)).headline()
    )
    with pytest.raises(FileNotFoundError, match="no finished run"):
        fundus_student.load("student-unfinished")


def test_a_student_that_is_often_wrong_abstains_always(tmp_path):
    wrong = fundus_student.load(student(tmp_path / "student-wrong", sure=False), simulated=True)
    photograph().save(tmp_path / "a.png")
    (row,) = grading.assess([tmp_path / "a.png"], wrong)
    assert row["state"] == "abstained"
    assert row["grade"] == ""
    assert "abstains always" in wrong.headline()
    assert f" {row['likeliest']}? " in command.line(row)


def test_probabilities_are_calibrated_and_curves_follow_the_threshold(one, folder):
    assert one.temperature < 0.5  # always right at 0.6: sharper is better
    (row,), (raw,) = (
        list(grading.assess([folder / "b.png"], each))
        for each in (one, dataclasses.replace(one, temperature=1.0))
    )
    sharp = calibration.tempered([*raw["probabilities"].values()], one.temperature)
    assert [*row["probabilities"].values()] == pytest.approx(sharp.tolist(), abs=2e-3)
    assert row["probabilities"] != raw["probabilities"]
    plain = dataclasses.replace(one, maps=((1.0, 0.0),) * 3)
    (said,) = grading.assess([folder / "b.png"], plain)
    p = np.array([[said["details"][d]["good"] for d in DETAILS]])
    expected = calibrated(p, list(one.maps))[0]
    assert np.abs(expected - p[0]).max() > 0.01
    assert [row["details"][d]["good"] for d in DETAILS] == pytest.approx(
        expected.tolist(), abs=2e-3
    )
    curves, held = grading.curves(one)
    assert held["answered"].tolist() == [1.0, 1.0]
    assert len(curves["test"]) == 75
    assert "kept" in grading.findings(one, held)
    said, best = grading.calls(one, "mshf")
    assert said.shape == (150, 3)
    assert best.isin([True, False]).all()


def test_memory_does_not_grow_with_the_folder(one, monkeypatch):
    """However many files there are, only so many are between the disk and their row."""
    begun, taken, most = 0, 0, 0

    def prepared(file, **_):
        nonlocal begun, most
        begun += 1
        most = max(most, begun - taken)
        return grading.Prepared({"file": str(file), "state": "refused", "reason": "made up"})

    listed = 0

    def many():
        nonlocal listed
        for k in range(3000):
            listed += 1
            yield f"no-such-{k}.jpg"

    monkeypatch.setattr(grading, "prepare", prepared)
    for row in grading.assess(many(), one, workers=2):
        assert row["file"] == f"no-such-{taken}.jpg"  # in order
        taken += 1
        assert listed - taken <= flow.BATCH * 3
    assert taken == 3000
    assert most <= flow.BATCH * 3


def test_what_is_mistyped_is_said_before_networks_are_loaded(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    tried = (
        "import sys\n"
        "from riqa_lib.assess import command\n"
        "try:\n    command.command(sys.argv[1:])\n"
        "except FileNotFoundError as e:\n    print(e)\n"
        "print([m for m in ('torch', 'PIL', 'skimage') if m in sys.modules])"
    )
    gone = tmp_path / "gone.jpg"
    named = [str(tmp_path / "a.png"), str(gone), f"{tmp_path}/*.bmp"]
    said = subprocess.run(
        [sys.executable, "-c", tried, *named],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"RIQA_HOME": str(tmp_path)},
    ).stdout.splitlines()
    assert said == [f"{gone}, {tmp_path}/*.bmp: no such file or folder", "[]"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rate": 0.0}, "rate = 0.0"),
        ({"rate": 1.0}, "rate = 1.0"),
        ({"workers": 0}, "workers = 0"),
        ({"outputs": ("below",)}, "below: is a folder"),
        ({"outputs": ("a.png/o.csv",)}, "a.png is a file"),
        ({"outputs": ("o.csv", None, "below/../o.csv")}, "named for two tables"),
    ],
)
def test_wrong_rates_and_places_are_refused(tmp_path, asked, said):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "below").mkdir()
    if "outputs" in asked:
        asked = asked | {"outputs": [o and tmp_path / o for o in asked["outputs"]]}
    with pytest.raises(ValueError, match=said):
        command.check([str(tmp_path)], **asked)
    command.check([str(tmp_path)], 0.1, [tmp_path / "o.csv", tmp_path / "new" / "o.json", None])
