"""The fundus panel without a browser: what is photographed, what Teacher and Student say of it."""

from __future__ import annotations

import dataclasses
import io
import json
from functools import partial

import numpy as np
import pytest
from panel_walks import eyes
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.assess import fundus_student
from riqa_lib.assess.grading import assess, prepare
from riqa_lib.panels import fundus_answers, fundus_page, fundus_panel, fundus_scene
from riqa_lib.panels.fundus_panel import open_panel, scene_of
from riqa_lib.panels.fundus_scene import SIDE, Scene, camera, photograph, truth
from riqa_lib.scales import DETAILS
from riqa_lib.sim.fundus_camera import CAUSES
from riqa_lib.sim.fundus_raters import REJECT, USABLE, WEIGHTS
from riqa_lib.stats.calibration import calibrated
from riqa_lib.training.fundus import load_teacher
from riqa_lib.training.fundus_sources import said_of_pixels

SMALL = 200  # px of a photograph where its size does not matter: SIDE takes longer


def test_a_slider_moves_one_thing_and_nothing_else():
    clean = photograph(Scene(eye=3, seed=1), 48)
    again = photograph(Scene(eye=3, seed=1), 48)
    assert (clean.pixels == again.pixels).all()
    mild, strong = (photograph(Scene(3, 1, severity={"clarity": s}), 48) for s in (0.5, 2.0))
    for one, wanted in ((mild, 0.5), (strong, 2.0)):
        assert one.severity["clarity"] == pytest.approx(wanted, abs=0.02)
        assert sum(one.severity.values()) == one.severity["clarity"]
        assert (one.eye, one.style, one.left, one.light) == (
            *(clean.eye, clean.style, clean.left, clean.light),
        )
    kinds, place = mild.defects["clarity"].kinds, mild.defects["clarity"].place
    assert (strong.defects["clarity"].kinds, strong.defects["clarity"].place) == (kinds, place)
    other_eye, other_seed = photograph(Scene(4, 1), 48), photograph(Scene(3, 2), 48)
    assert other_eye.eye.fovea != clean.eye.fovea
    assert other_eye.light == clean.light
    assert other_seed.eye.fovea == clean.eye.fovea
    assert other_seed.light != clean.light
    assert "camera like topcon50" in camera(photograph(Scene(style="topcon50"), 48))


def test_a_scene_that_cannot_be_is_refused():
    for wrong in (
        {"eye": -1},
        {"seed": 1.5},
        {"style": "phone"},
        {"view": "iris"},
        {"severity": {"clarity": 9}},
        {"severity": {"clarity": float("nan")}},
        {"severity": {"<img>": 1}},
    ):
        with pytest.raises(ValueError, match="expected"):
            Scene(**wrong)
    with pytest.raises(TypeError):
        scene_of({"colour": "red"})


def test_truth_is_what_the_simulation_did():
    severity = {"illumination": 0.6, "clarity": 1.4, "contrast": 0.0, "artefact": 0.3}
    shot = photograph(Scene(severity=severity), 48)
    known = truth(shot)
    assert [known["causes"][c]["call"] for c in CAUSES] == ["good", "bad", "good", ""]
    assert known["causes"]["contrast"]["kinds"] == []
    assert known["causes"]["clarity"]["kinds"] == list(shot.defects["clarity"].kinds)
    for factor in (0.5, 1.0, 1.6):
        scaled = {c: min(factor * s, fundus_scene.most(c)) for c, s in severity.items()}
        one = photograph(Scene(severity=scaled), 48)
        bad = sum(WEIGHTS[c] * one.severity[c] for c in CAUSES)
        word = "good" if bad < USABLE else "usable" if bad < REJECT else "reject"
        assert truth(one)["grade"] == word
        assert truth(one, 2)["grade"] == ("good" if word == "good" else "bad")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A home with a Teacher and a Student of random weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("home")))
        for module in (fundus_panel, fundus_answers):
            patch.setattr(module, "photograph", partial(photograph, size=SMALL))
        eyes()
        yield "tiny"


def test_both_answer_as_assess_answers_the_same_file(walk, tmp_path):
    pair = fundus_answers.open_pair(walk)
    shot = photograph(Scene(eye=5, seed=2, severity={"illumination": 1.2, "contrast": 0.8}))
    assert shot.size == SIDE
    said = pair.answer(shot)
    assert (np.asarray(Image.open(io.BytesIO(said["png"]))) == shot.pixels).all()
    file = tmp_path / "saved.png"
    file.write_bytes(said["png"])
    student = fundus_student.load("student-1", simulated=True)
    (row,) = assess([file], student)
    assert row == said["student"] | {"file": str(file)}
    net, about = load_teacher(paths.runs() / "teacher-1")
    crop = prepare(file, about["size"], student.working).crop
    maps = [about["calibration"][d] for d in DETAILS]
    expected = calibrated(said_of_pixels(net, about, crop[None])[1], maps)[0]
    assert [*said["teacher"].values()] == pytest.approx(expected.tolist(), abs=1e-6)
    assert len({*said["teacher"].values()}) == 3


def test_what_is_shown_of_an_answer(walk):
    panel = open_panel(walk, eye=5)
    one = panel.page
    assert json.loads(json.dumps(one)) == one
    assert one["kind"].startswith("SIMULATED")
    assert one["alt"].startswith("Simulated fundus photograph of eye 5")
    assert "SIMULATED photographs" in one["lines"][0]
    assert one["lines"][1] == "Teacher: run teacher-1"
    assert [d["cause"] for d in one["details"]] == [*CAUSES]
    said = panel.pair.answer(photograph(panel.scene, SMALL))
    good = [said["student"]["details"][d]["good"] for d in DETAILS]
    assert [d["student"] for d in one["details"]] == [*good, None]
    assert [d["teacher"] for d in one["details"][:3]] == pytest.approx(
        [said["teacher"][d] for d in DETAILS], abs=1e-4
    )
    assert good != [said["teacher"][d] for d in DETAILS]
    assert sum(p for _, p in one["overall"]) == pytest.approx(1, abs=1e-3)
    assert Image.open(io.BytesIO(panel.picture)).size == (SMALL, SMALL)
    before = panel.picture
    panel._told(None, {"question": 4, "scene": {"eye": 5, "severity": {"clarity": 2}}}, [])
    assert (panel.page["answers"], panel.page["trouble"]) == (4, "")
    assert panel.page["details"][1]["severity"] == pytest.approx(2, abs=0.02)
    assert panel.page["details"][1]["truth"] == "bad"
    assert panel.picture != before
    moved = panel.picture
    panel._told(None, {"question": 5, "scene": {"eye": "<img>"}}, [])
    assert panel.page["answers"] == 5  # else the browser would wait for ever
    assert "expected a whole number" in panel.page["trouble"]
    assert (panel.picture, panel.scene.severity) == (moved, {"clarity": 2.0})


def test_a_sweep_is_the_same_answers_and_says_so(walk):
    panel = open_panel(walk)
    table = panel.sweep("artefact", [0.0, 0.6, 2.0])  # a slider of artefacts goes to 1
    assert table["severity"].round(1).tolist() == [0.0, 0.6]
    (first, last) = table.to_dict("records")
    said = panel.pair.answer(photograph(panel.scene, SMALL))["student"]
    assert first["student_clarity"] == pytest.approx(said["details"]["clarity"]["good"], abs=1e-3)
    assert first != last
    words = panel.found(table.assign(likeliest=["good", "usable"]), "artefact")
    assert "likeliest grade: good → usable; in truth: good" in words
    named = fundus_answers.findings(table, "clarity")
    assert f"the Student's from {first['student_clarity']:.2f}" in named


def test_what_is_not_there_is_said_and_what_to_type(walk):
    said = open_panel("tin")
    assert "did you mean tiny?" in said.page["words"]
    assert "--name tin --only 15_student" in said.page["words"]
    assert said.sweep("clarity") == said.provenance() == said.page["words"]
    assert said.found(said.sweep("clarity"), "clarity") == said.page["words"]
    assert "there are: student-1" in open_panel(walk, "student-2").page["words"]
    assert fundus_answers.students(walk)["run"].tolist() == ["student-1"]


def test_a_student_without_details_or_teacher_or_of_real_pictures_says_so(walk):
    pair = fundus_answers.open_pair(walk)
    about = pair.student.about | {"details_learnt": False, "simulated": False}
    alone = dataclasses.replace(
        pair, teacher=None, student=dataclasses.replace(pair.student, about=about)
    )
    shot = photograph(Scene(), SMALL)
    one = fundus_page.page(alone, Scene(), shot, alone.answer(shot))
    assert one["note"].startswith("This Student learnt the overall grade only")
    assert [d["student"] for d in one["details"]] == [None] * 4
    assert [d["teacher"] for d in one["details"]] == [None] * 4
    assert "learnt from real photographs" in one["lines"][0]
    assert "promised nowhere" in one["lines"][1]
    assert "none answers" in one["lines"][2]


def test_the_first_student_is_that_of_assess(home):
    for name, about in {
        "student-a": {"details_learnt": True, "classes": 3},
        "student-two": {"details_learnt": True, "classes": 2, "own_defects": 0.5},
        "student-best": {"details_learnt": True, "classes": 3, "own_defects": 0.5},
        "student-single": {"details_learnt": False, "classes": 3, "own_defects": 0.5},
    }.items():
        store.write_json(paths.runs() / name / "about.json", about)
        store.write_json(paths.runs() / name / "config.json", {"seed": 0})
        store.write_json(paths.runs() / name / "provenance.json", {})
    table = "run,row,set,seed,lambda_a\n" + "".join(
        f"{run.name},{run.name},eyeq,0,1\n" for run in sorted(paths.runs().iterdir())
    )
    store.write_bytes(paths.results("x") / "tables" / "fundus-x-seed0.csv", table.encode())
    order = fundus_answers.students("x")["run"].tolist()
    assert order == ["student-best", "student-a", "student-two", "student-single"]
    assert fundus_student.newest().name == order[0]
