"""`riqa calibrate` on a small clinic: from its labels to what `assess` then promises."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pandas as pd
import pytest
from fundus_students import photograph, student
from PIL import Image

from riqa_lib import paths
from riqa_lib.__main__ import main
from riqa_lib.assess import (
    apart,
    calibrate_labels,
    calibrating,
    calibrations,
    command,
    fundus_student,
    grading,
)
from riqa_lib.assess.calibrate_labels import read_labels
from riqa_lib.datasets.problems import FolderError
from riqa_lib.stats import calibration, held_out

WORDS = ("reject", "usable", "good")
PEOPLE = 40


def by_light(_net, _about, crops):
    """In place of the network: the lighter, the better; never quite sure."""
    z = (crops.mean(axis=(1, 2, 3)) - 75) / 12
    logits = np.stack([-z, 0.6 - 0 * z, z], axis=1) * 0.8
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    good = 1 / (1 + np.exp(-z))
    return p, np.stack([good, good, 1 - good], axis=1)


FOUND = {"level": 0.4, "bright": 0.0, "uneven": 0.1, "rim": 0.8, "direction": 0.1}
FOUND |= {"texture": 0.05, "veil": 0.3, "glare": 0.0, "off_centre": 0.0, "cut": 0.0}
PREPARE = grading.prepare


def whole(file, size, **_):
    """In place of finding the field, which takes longer: the whole picture is one."""
    row = {"file": str(file), "state": "unreadable", "reason": ""}
    crop = np.asarray(Image.open(file).resize((size, size)))
    return grading.Prepared(row, crop, FOUND)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """A folder of 50 pictures of 40 patients, and a Student's home."""
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("home")
    patch.setenv("RIQA_HOME", str(home))
    patch.setattr(grading, "said_of_pixels", by_light)
    patch.setattr(calibrating, "said_of_pixels", by_light)
    patch.setattr(grading, "prepare", whole)
    patch.setattr(calibrating, "prepare", whole)
    patch.setattr(calibrating, "apart", apart.here)
    patch.setattr(command, "apart", apart.here)
    student(paths.runs() / "student-aaa")
    folder = home / "pictures"
    folder.mkdir()
    light = np.random.default_rng(0).permutation(np.linspace(45, 105, 50))
    for k, level in enumerate(light):
        grey = np.full((20, 20, 3), round(level), np.uint8)
        Image.fromarray(grey).save(folder / f"img{k:02d}.png", compress_level=1)
    yield folder
    patch.undo()


@pytest.fixture(scope="module")
def rows(clinic):
    """What the Student says of the clinic's pictures, without any promise."""
    return list(grading.assess([clinic], fundus_student.load(uncalibrated=True)))


@pytest.fixture(scope="module")
def raw(rows):
    """What the network says of them."""
    pictures = [np.asarray(Image.open(row["file"])) for row in rows]
    return by_light(None, None, np.stack(pictures))[0]


@pytest.fixture
def labels(rows, raw, tmp_path):
    """A table of labels as the clinic's people write it: the Student is less sure than it could
    be."""
    sharp = calibration.tempered(raw, 0.4)
    truth = (np.random.default_rng(3).random((50, 1)) > sharp.cumsum(axis=1)).sum(axis=1)
    table = pd.DataFrame({"file": [os.path.basename(r["file"]) for r in rows]})
    table["grade"] = [WORDS[k] for k in truth]
    table["patient"] = [f"P{k % PEOPLE}" for k in range(50)]
    clear = np.array([r["probabilities"]["good"] > 0.4 for r in rows])
    clear[::9] = ~clear[::9]
    table["clarity"] = np.where(clear, "good", "bad")
    table["contrast"] = np.where(np.arange(50) < 20, "good", "")
    file = tmp_path / "labels.csv"
    table.to_csv(file, index=False, sep=";")
    return file


def test_from_labels_to_promises_and_back(clinic, labels, raw, capsys):
    assert main(["calibrate", str(labels), str(clinic), "--out", "clinic", "--rate", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "50 labelled pictures of 40 patients (clinic, " in said
    assert "separator: ';'" in said
    assert "contrast: too few labels" in said
    assert f"can promise {held_out.least_rate(PEOPLE):.1%} at best" in said
    file = paths.runs() / "student-aaa" / calibrations.FOLDER / "clinic.json"
    assert "img" not in file.read_text()
    assert "P7" not in file.read_text()
    stored = json.loads(file.read_text())
    table = pd.read_csv(labels, sep=";")
    truth = table["grade"].map(WORDS.index).to_numpy()
    t = calibration.temperature(raw, truth)
    assert stored["temperature"] == pytest.approx(t)
    rule = calibration.abstention(
        calibration.tempered(raw, t), truth, rate=0.2, groups=table["patient"]
    )
    assert rule.met
    assert stored["abstention"]["n"] == rule.n == PEOPLE
    assert stored["abstention"]["threshold"] == pytest.approx(rule.threshold)
    assert stored["grades"] == {w: int((truth == k).sum()) for k, w in enumerate(WORDS)}
    assert [*stored["details"]] == ["clarity"]
    how = stored["how_well"]["grades"]
    assert how["calibrated"]["groups"] == PEOPLE
    assert 0 < how["calibrated"]["wrong"] < 10
    assert 0.3 < stored["temperature"] < 0.6
    assert how["calibrated"]["between"] == list(
        held_out.exact_interval(how["calibrated"]["wrong"], how["calibrated"]["of"])
    )

    assert main(["assess", str(clinic), "--calibrated", "--rate", "0.1"]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert "calibrated on 50 labelled pictures of 40 patients (clinic, " in first
    assert f"from probability {rule.threshold:.2f}" in second
    assert "promised: at most 20%" in second
    one = fundus_student.load(calibrated="clinic")
    own = calibrations.read(paths.runs() / "student-aaa", "clinic")
    assert one.calibration == own
    assert (one.maps[1], one.sure["clarity"]) == (
        own.details["clarity"].map,
        own.details["clarity"].sure,
    )
    assert one.maps[2] == fundus_student.load().maps[2]
    again = list(grading.assess([clinic], one))
    assert {r["state"] for r in again} <= {"graded", "abstained"}
    for row in again:
        assert (row["state"] == "graded") == (row["distance"] >= 0) == (row["grade"] != "")
        assert row["confidence"] == max(row["probabilities"].values())
        expected = row["probabilities"]["usable"] * 50 + row["probabilities"]["good"] * 100
        assert row["score"] == pytest.approx(expected, abs=0.02)


def test_which_calibration(clinic, labels, tmp_path):
    folder = paths.runs() / "student-aaa"
    made = calibrating.calibrate(labels, clinic, rate=0.2, name="one")
    assert made.file == folder / calibrations.FOLDER / "one.json"
    assert calibrations.read(folder, "one") == made.calibration
    second = calibrating.calibrate(labels, clinic, rate=0.2)
    assert second.calibration.name == f"{second.calibration.made}-{second.calibration.labels[:6]}"
    with pytest.raises(ValueError, match="several calibrations, name one"):
        fundus_student.load(calibrated="")
    with pytest.raises(FileNotFoundError, match=r"no calibration 'onne'.*did you mean one"):
        fundus_student.load(calibrated="onne")
    with pytest.raises(ValueError, match=r"calibrate again: riqa calibrate \.\.\. --rate 0.05"):
        fundus_student.load(calibrated="one", rate=0.05)
    with pytest.raises(ValueError, match="expected letters, digits"):
        calibrating.calibrate(labels, clinic, name="../one")
    other = student(tmp_path / "student-other", seed=1)
    with pytest.raises(FileNotFoundError, match="no calibration; make one"):
        fundus_student.load(other, calibrated="one")
    calibrations.write(other, made.calibration)
    with pytest.raises(ValueError, match="made with other weights"):
        fundus_student.load(other, calibrated="one")
    (other / calibrations.FOLDER / "one.json").write_text("{}")
    with pytest.raises(ValueError, match="not a calibration"):
        fundus_student.load(other, calibrated="one")


def test_without_a_calibration_nobodys_pictures_are_graded(clinic, rows, tmp_path, monkeypatch):
    one = fundus_student.load()
    assert "simulated photographs only" in one.headline().splitlines()[0]
    assert "gives no grade for your pictures" in one.headline()
    for row, told in zip(grading.assess([clinic], one), rows, strict=True):
        assert (row["state"], row["grade"], row["reason"]) == (
            "abstained",
            "",
            fundus_student.NOT_YOURS,
        )
        assert row["distance"] < 0
        for key in ("likeliest", "probabilities", "details", "advice", "score"):
            assert row[key] == told[key]
    assert "graded" in {row["state"] for row in rows}
    unpromised = fundus_student.load(uncalibrated=True).headline()
    assert "no promise is made" in unpromised
    assert "promised: at most" not in unpromised
    assert "promised: at most 10%" in fundus_student.load(simulated=True).headline()
    monkeypatch.setattr(grading, "prepare", PREPARE)
    monkeypatch.setattr(fundus_student.Assessor, "threshold", 0.4)
    assert {r["state"] for r in grading.examples(one, 2, size=96)} == {"graded"}
    real = fundus_student.load(student(tmp_path / "real", simulated=False))
    assert (real.basis, "promised: at most" in real.headline()) == ("validation", True)
    with pytest.raises(ValueError, match="choose one"):
        fundus_student.load(uncalibrated=True, simulated=True)


def test_too_small_to_judge_clarity(clinic, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "prepare", PREPARE)
    photograph("small", 50).save(tmp_path / "a.png")
    one = fundus_student.load(uncalibrated=True)
    sure = dataclasses.replace(one.abstention, threshold=0.0)
    (row,) = grading.assess([tmp_path], dataclasses.replace(one, abstention=sure))
    assert row["state"] == "abstained"
    assert "too small to judge clarity" in row["reason"]
    assert row["details"]["clarity"]["call"] == grading.TOO_SMALL
    assert row["details"]["contrast"]["call"] in ("good", "bad", "unsure")
    assert not [a for a in row["advice"] if a["detail"] == "clarity"]


def test_in_the_dark_a_picture_may_be_the_worst_and_nothing_else(clinic, monkeypatch):
    """Of two sure answers the better one is not given, of details nothing is said, and the advice
    is about the light alone."""
    dim = FOUND | {"level": 0.05, "glare": 0.9, "shine": 2.0, "rim": 0.2}
    for found, dark in ((dim, True), (FOUND | {"shine": 0.0}, False)):

        def seen(file, size, found=found, **_):
            return dataclasses.replace(whole(file, size), statistics=found)

        monkeypatch.setattr(grading, "prepare", seen)
        one = fundus_student.load(uncalibrated=True)
        one = dataclasses.replace(one, abstention=dataclasses.replace(one.abstention, threshold=0))
        rows = [*grading.assess([clinic], one)]
        likeliest = {(row["state"], row["likeliest"]) for row in rows}
        better = "abstained" if dark else "graded"
        assert likeliest == {("graded", "reject"), (better, "usable"), (better, "good")}
        assert all(("too dark to be judged" in row["reason"]) == dark for row in rows)
        calls = {d: {r["details"][d]["call"] for r in rows} for d in ("illumination", "clarity")}
        assert (calls["clarity"] == {grading.TOO_DARK}) == dark
        assert calls["illumination"] >= {"good", "bad"}
        said = {a["say"] for row in rows for a in row["advice"]}
        assert (said == {"raise the flash"}) == dark


def test_a_calibration_that_answers_nothing_replaces_none_that_does(clinic, labels, capsys):
    asked = ["calibrate", str(labels), str(clinic), "--out", "kept", "--rate"]
    assert main([*asked, "0.1"]) == 1  # there was none: it is stored
    assert "Stored: " in capsys.readouterr().out
    assert main([*asked, "0.45"]) == 0
    kept = calibrations.read(paths.runs() / "student-aaa", "kept")
    assert kept.abstention.met
    capsys.readouterr()
    assert main([*asked, "0.1"]) == 1
    said = capsys.readouterr().out
    assert "Not stored: a calibration kept is there that answers" in said
    assert "Use it" not in said
    assert calibrations.read(paths.runs() / "student-aaa", "kept") == kept
    (paths.runs() / "student-aaa" / calibrations.FOLDER / "kept.json").unlink()


def test_all_that_is_wrong_with_labels_is_said_at_once(clinic, tmp_path):
    file = tmp_path / "wrong.csv"
    file.write_text(
        "file,grade,clarity\n"
        "img00.png,fair,good\n"
        "img01.png,3,\n"
        "imgg02.png,good,\n"
        "img03,good,maybe\n"
        "img04.png,good,bad\n"
        "img04.png,reject,bad\n"
        ",good,\n"
        "img06.png,,\n"
    )
    with pytest.raises(FolderError) as e:
        calibrating.calibrate(file, clinic)
    said = str(e.value)
    expected = "expected reject, usable, good, or 0, 1, 2 (0 the worst)"
    assert f"row 2: img00.png: 'fair'; {expected}" in said
    assert f"row 3: img01.png: '3'; {expected}" in said
    assert "no such picture (1): row 4: imgg02.png: among the 50 given; did you mean" in said
    assert "unknown clarity (1): row 5: img03: 'maybe'; expected good, bad, or nothing" in said
    assert "row 7: img04.png: as in row 6, but with other labels" in said
    assert "no file named (1): row 8" in said
    assert len(e.value.problems) == 6
    file.write_text("picture,grade\nimg00.png,good\n")
    with pytest.raises(FolderError, match=r"missing column.*file: found picture, grade"):
        calibrating.calibrate(file, clinic)
    with pytest.raises(FileNotFoundError, match="no such file of labels"):
        calibrating.calibrate(tmp_path / "none.csv", clinic)
    assert main(["calibrate", str(tmp_path / "none.csv"), str(clinic)]) == 1


def test_which_picture_a_name_means(tmp_path):
    names = ("a/1.png", "b/1.png", "b/Two.JPG")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pictures = [tmp_path / name for name in names]

    def found(*lines):
        table = tmp_path / "l.csv"
        table.write_text("\n".join(["file,grade", *lines]) + "\n")
        labels = read_labels(table, pictures, WORDS)
        return [str(x.file.relative_to(tmp_path)) for x in labels.pictures], labels

    assert found("a/1.png,2", "b\\1.png,good", "two,1.0")[0] == [*names]
    assert found(f"{pictures[0]},2")[0] == ["a/1.png"]
    alone = found("Two.jpg,GOOD", "b/two.jpg,2", "a/1,")[1]
    assert [(x.grade, x.details) for x in alone.pictures] == [(2, (-1, -1, -1))]
    assert alone.notes == [
        "1 rows without a grade were left out",
        f"pictures without a label 2: {pictures[0]}, {pictures[1]}",
    ]
    with pytest.raises(FolderError, match=r"ambiguous file \(1\): row 2: 1.png: may be "):
        found("1.png,good")


def test_labels_that_show_too_little_are_told(clinic, labels, tmp_path):
    table = pd.read_csv(labels, sep=";").fillna("")
    few = tmp_path / "few.csv"
    table[:20].to_csv(few, index=False)
    with pytest.raises(ValueError, match=r"20 labelled pictures \(of 20 patients\).*takes 22"):
        calibrating.calibrate(few, clinic)
    table.assign(grade="good").to_csv(few, index=False)
    with pytest.raises(ValueError, match="all labelled pictures are good"):
        calibrating.calibrate(few, clinic)
    # numbers the other way round; nobody knows whose pictures they are; too few of a grade
    turned = table.assign(grade=[2 - WORDS.index(g) for g in table["grade"]])
    rare = turned.index[turned["grade"] == 1][3:]
    turned.drop(columns="patient").drop(index=rare).to_csv(few, index=False)
    made = calibrating.calibrate(few, clinic, rate=0.45)
    told = "\n".join(made.notes)
    assert "the numbers fit better the other way round" in told
    assert "usable: 3 labelled pictures, too few" in told
    assert "whose pictures they are is not known" in told
    assert made.calibration.patients == 0
    assert not made.calibration.abstention.met
    assert main(["calibrate", str(few), str(clinic), "--rate", "0.45"]) == 1


def test_pictures_that_cannot_be_graded_are_named(clinic, labels, monkeypatch, capsys):
    def prepare(file, **how):
        its = whole(file, **how)
        if file.name != "img03.png":
            return its
        return dataclasses.replace(its, crop=None, row=its.row | {"reason": "no fundus"})

    monkeypatch.setattr(calibrating, "prepare", prepare)
    assert main(["calibrate", str(labels), str(clinic), "--out", "x", "--rate", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "1 labelled pictures were not graded:\n" in said
    assert f"{clinic / 'img03.png'}: no fundus" in said
    assert "49 labelled pictures" in said


def test_a_rare_detail_is_left_as_it_was():
    rng = np.random.default_rng(0)
    details = rng.random((60, 3))
    marks = np.full((60, 3), -1)
    marks[:, 0] = details[:, 0] > 0.4
    marks[:29, 1] = details[:29, 1] > 0.5  # too few
    marks[:, 2] = np.arange(60) > 3  # four bad ones
    said = calibrating.Said(
        np.full((60, 3), 1 / 3), details, np.zeros(60, int), marks, np.arange(60)
    )
    found = [calibrating._detail(said, d) for d in calibrate_labels.DETAILS]
    assert [one is not None for one in found] == [True, False, False]
    assert found[0].map == calibration.platt(details[:, 0], marks[:, 0])
