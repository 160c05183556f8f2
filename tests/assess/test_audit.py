"""`riqa audit`: runs with untrained networks, asked about photographs and their copies."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from riqa_lib import store
from riqa_lib.__main__ import main
from riqa_lib.assess import audit_command, auditing
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.networks.weights import save_weights
from riqa_lib.pictures import windows
from riqa_lib.pictures.distorted_copies import Recipe, copies
from riqa_lib.tables import label_free_tests
from riqa_lib.training import graders

KINDS = "8,11,18"
SCALE = {"score": "MOS", "low": 0, "high": 1, "higher_is_better": True, "rule": "equal_width"}


def make_run(folder: Path, seed: int, size: int = 32, simulated: bool = False, **data: object):
    """A finished run's folder, of a tiny network with random weights."""
    torch.manual_seed(seed)
    model = ViTConfig(width=32, depth=1, heads=2, weights="none")
    folder.mkdir(parents=True)
    save_weights(folder / "model.safetensors", ViT(model, size, 3))
    config = {"model": dataclasses.asdict(model), "method": {"name": "supervised"}, "seed": seed}
    config |= {"data": {"size": size, **data}, "pretrain": {"kinds": [11, 25]}}
    store.write_json(folder / "config.json", config)
    about = {"kind": "photographs", "name": "mine", "simulated": simulated, "size": size}
    about |= {"crop": size, "grid": 1, "classes": 3, "method": "supervised", "labels": 9}
    about |= {"levels": [0.2, 0.5, 0.8], "scale": SCALE | {"grades": ["a", "b", "c"]}}
    store.write_json(folder / "about.json", about | {"unlabelled": 0, "seed": seed})
    store.write_json(folder / "provenance.json", {})
    return folder


@pytest.fixture(scope="module")
def home(module_home):
    """The folder that the home lies in, with runs."""
    runs = module_home / "results" / "runs"
    for name, seed in (("run-a", 0), ("run-b", 1)):
        make_run(runs / name, seed)
    make_run(runs / "native", 2, 48, scale="native")
    make_run(runs / "sim", 3, simulated=True)
    return module_home.parent


@pytest.fixture(scope="module")
def photos(home):
    """Four photographs, one of them twice, a small one, a broken one, a text."""
    g, root = np.random.default_rng(0), home / "photos"
    root.mkdir()
    for k in range(4):
        rough = Image.fromarray(g.integers(0, 256, (6, 8, 3), np.uint8))
        rough.resize((72, 54), Image.Resampling.BICUBIC).save(root / f"p{k}.png")
    shutil.copy(root / "p1.png", root / "q again.png")
    Image.new("RGB", (20, 60)).save(root / "small.png")
    (root / "torn.png").write_bytes((root / "p0.png").read_bytes()[:300])
    (root / "notes.txt").write_text("no picture\n")
    return root


def asked(*arguments: object) -> str:
    """What the command prints."""
    out = io.StringIO()
    *runs, folder = map(str, arguments)
    assert audit_command.command(runs, folder, distortions=KINDS, out=out) == 0
    return out.getvalue()


# ---------------------------------------------------------------- what is asked
def test_each_run_is_asked_about_the_pictures_as_it_sees_them(home, photos):
    runs = auditing.runs(["run-a", "native", "run-b"])
    there = auditing.pristine(sorted(photos.glob("p*.png")), [one.how for one in runs])
    found = auditing.audit(runs, there, Recipe((2, 11)), resamples=20)
    assert list(dict.fromkeys(found.frame["row"])) == ["run-a", "native", "run-b"]
    for name, size, scale, lengths in (("run-a", 32, "fit", 0.0), ("native", 48, "native", 1.0)):
        grader = graders.of_network(home / "home" / "results" / "runs" / name)
        for file in sorted(photos.glob("p*.png")):
            pixels = windows.read_for(file, size, scale).pixels[0]
            made = copies(pixels, Recipe((2, 11), lengths=lengths))
            expected = grader(made.pixels)[made.table["at"]]
            its = found.frame[(found.frame["row"] == name) & (found.frame["picture"] == str(file))]
            assert its["grade"].to_numpy() == pytest.approx(expected, abs=2e-5), (name, file)
    table = label_free_tests.every_test(found.frame, 20)
    assert found.tests.equals(table)
    assert np.ptp(found.tests["l"]) > 0


def test_which_distortions_a_run_learnt_from(home, tmp_path):
    real, simulated = auditing.runs(["run-a", "sim"])
    assert real.seen == frozenset()
    assert simulated.seen == {1, 2, 3, 7, 8, 10, 11, 16, 17, 25}

    def seen(method, weights="none"):
        config = {"method": method, "model": {"weights": weights}, "pretrain": {"kinds": [11, 25]}}
        return dataclasses.replace(real, config=config).seen

    assert seen({"name": "supervised"}, "distortion") == {11, 25}
    assert seen({"name": "supervised"}, "imagenet") == frozenset()
    assert seen({"name": "reiqa"}) == {*range(1, 26)}
    assert seen({"name": "dbcnn"}) == {1, 6, 9, 10, 11, 15, 18, 25}
    assert seen({"name": "hyperiqa"}) == frozenset()


def test_how_a_model_of_related_work_reads_pictures_is_in_its_about(home):
    (one,) = auditing.runs(["native"])
    about = one.about | {"read": {"scale": "native", "max_pixels": 77}}
    other = dataclasses.replace(one, config={"method": {"name": "dbcnn"}}, about=about)
    assert other.how == (48, "native", 77)
    assert one.how.scale == "native"


# ---------------------------------------------------------------- which pictures
def test_what_cannot_be_used_is_named_and_left_out_for_all(photos):
    hows = [auditing.How(32, "fit", 10**9), auditing.How(50, "native", 10**9)]
    there = auditing.pristine(sorted(photos.glob("*.png")), hows)
    assert [Path(name).name for name in there.names] == [f"p{k}.png" for k in range(4)]
    told = {Path(name).name: why for name, why in there.skipped.items()}
    assert told["small.png"] == "too small: 20 x 60 px, seen at 32"
    assert told["q again.png"] == "the same picture as p1.png"
    assert {*told} == {"small.png", "q again.png", "torn.png"}
    assert [{*pixels} == {*there.names} for pixels in there.windows.values()] == [True, True]
    larger = [*hows, auditing.How(60, "fit", 10**9)]
    with pytest.raises(ValueError, match=r"none of 7 pictures can be used: a shorter side of 60"):
        auditing.pristine(sorted(photos.glob("*.png")), larger)


def test_some_of_the_pictures_are_spread_over_all(photos):
    files = [Path(f"{k:03}") for k in range(100)]
    few = auditing.spread(files, 7)
    assert len(few) == 7
    assert np.ptp(np.diff([int(file.name) for file in few])) <= 1
    assert auditing.spread(files, 0) == auditing.spread(files, 100) == files
    there = auditing.pristine(sorted(photos.glob("p*.png")), [auditing.How(32, "fit", 10**9)], 2)
    assert [Path(name).name for name in there.names] == ["p0.png", "p2.png"]
    assert there.of == 4


# ---------------------------------------------------------------- the command
def test_what_it_prints(home, photos):
    said = asked("run-a", "sim", photos)
    head, tests, each = said.split("\n\n")[:3]
    assert "Run run-a: supervised, trained on mine, real pictures, 9 labels." in head
    assert "sim: supervised, trained on mine, SIMULATED pictures" in head
    assert head.count("no test of new ones") == 1
    assert "It learnt from distortions 8, 11: of them" in head
    assert "4 of 7 pictures at 32 px (fit), 3 distortions." in head
    assert "small.png: too small" in head
    assert "Fewer than 20 pictures" in head
    assert len(tests.splitlines()) == 1 + 5
    noise, shift = (line for line in each.splitlines() if line[:2] in ("11", "18"))
    assert noise.count("[") == 2
    assert noise.count("*") == 1
    assert shift.split() == ["18", "mean", "shift", "–", "–"]
    assert "not whether grades are people's" in said


def test_a_run_that_learnt_from_all_of_them_is_told(home, photos, capsys):
    arguments = ["audit", "sim", str(photos), "--distortions", "1,8", "--most", "1"]
    assert main(arguments) == 0
    assert "from all of these distortions: this is no test of new ones" in capsys.readouterr().out


def test_what_it_writes(home, photos, tmp_path, capsys):
    files = [tmp_path / name for name in ("all.csv", "all.json", "all.png")]
    told = [word for pair in zip(("--csv", "--json", "--figure"), files, strict=True)
            for word in map(str, pair)]  # fmt: skip
    assert main(["audit", "run-a", "run-b", str(photos), "--distortions", KINDS, *told]) == 0
    with open(files[0], encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 2 * 4 * (1 + 3 * 5)
    assert {row["row"] for row in rows} == {"run-a", "run-b"}
    book = json.loads(files[1].read_text())
    assert book["about"]["pictures"] == 4
    assert {Path(one["file"]).name for one in book["about"]["skipped"]} == {
        "small.png", "q again.png", "torn.png",
    }  # fmt: skip
    assert [one["row"] for one in book["tests"]] == ["run-a", "run-b"]
    assert {one["l"] for one in book["each"] if one["distortion"] == 18} == {None}
    assert f"{book['tests'][0]['l']:.2f}".replace("-", "−") in capsys.readouterr().out
    graded = {(r["picture"], r["level"]): float(r["grade"]) for r in rows if r["row"] == "run-b"}
    level = [one for one in book["levels"] if one["row"] == "run-b" and one["level"] == 0]
    assert level[0]["grade"] == pytest.approx(
        np.mean([grade for (_, at), grade in graded.items() if at == "0"]), abs=1e-6
    )
    assert Image.open(files[2]).width > 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run-a", "EMPTY"], "no picture in it"),
        (["run-c", "PHOTOS"], "run-c: no such folder, and no run of this name"),
        (["run-a", "run-a", "PHOTOS"], "run-a: named twice"),
        (["run-a", "PHOTOS/small.png"], "none of 1 pictures can be used: a shorter side of 32"),
        (["run-a", "PHOTOS", "--distortions", "8,x"], "--distortions 'x': expected numbers"),
        (["run-a", "PHOTOS", "--distortions", "26"], "no distortion 26; there are 1 Gaussian"),
        (["run-a", "PHOTOS", "--figure", "levels.gif"], "expected a name that ends in .png"),
        (["run-a", "PHOTOS", "--distortions", "18"], "none of mean shift must get worse"),
        (["fundus", "PHOTOS"], "a run on fundus photographs"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments, words, home, photos, capsys):
    (home / "empty").mkdir(exist_ok=True)
    fundus = home / "home" / "results" / "runs" / "fundus"
    if not fundus.exists():
        fundus.mkdir()
        store.write_json(fundus / "config.json", {"method": {"name": "teacher"}})
    places = {"EMPTY": str(home / "empty"), "PHOTOS": str(photos)}
    typed = [places[a] if a in places else a.replace("PHOTOS", str(photos)) for a in arguments]
    assert main(["audit", *typed]) == 1
    assert words in capsys.readouterr().err
