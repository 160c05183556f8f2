"""`riqa score` on runs trained here: held against what the runs stored, on their owner's scale."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from map_trees import blurred_pictures
from PIL import Image

import riqa_lib
from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.assess import flow, fundus_student, photo_runs, photo_scoring, score_command
from riqa_lib.stats import calibration
from riqa_lib.training import photographs

LOW, HIGH = 0.0, 20.0  # of a scale on which lower is better
LABELS = 74  # of 150 photographs, by the fractions below, a grade at a time
FROZEN = {"model.stem": "lite0", "model.freeze": True, "model.weights": "imagenet"}
TIMM = {"model.arch": "vit_tiny_patch16_224", "model.stem": "patch", "model.weights": "none"}
TIMM |= {"train.steps": 10}  # enough for a network of twelve blocks to tell pictures apart
NETS = {
    "pixels": {"data.grid": 2},
    "frozen": FROZEN,
    "two looks": FROZEN | {"data.looks": 2},
    "timm": TIMM,
    "native": {"data.scale": "native"},
}
# a stored probability is rounded to 1e-5, a shown one to 1e-4
ROUNDED = 1.5e-4


def photograph(rng, score, shape=(64, 90)):
    """Noise whose contrast falls with the score."""
    return np.clip(128 + (80 - 3.5 * score) * rng.normal(size=(*shape, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("scored")
    patch.setenv("RIQA_HOME", str(folder / "home"))
    patch.delenv("RIQA_JOURNAL", raising=False)
    yield folder
    patch.undo()


@pytest.fixture(scope="module")
def table(home):
    """Somebody's folder: 150 photographs, and how noisy each is, 0 to 20."""
    rng = np.random.default_rng(0)
    (home / "photos").mkdir()
    lines = []
    for i in range(150):
        score = round(float(rng.uniform(LOW, HIGH)), 3)
        Image.fromarray(photograph(rng, score)).save(home / "photos" / f"{i}.png")
        lines.append({"file": f"{i}.png", "noise": score})
    told = pd.DataFrame(lines)
    told.to_csv(home / "scores.csv", index=False)
    return told.set_index("file")


@pytest.fixture(scope="module")
def runs(home, table):
    """{net: folder of a run trained on it}."""
    declared = {"root": str(home / "photos"), "table": str(home / "scores.csv"), "id": "file"}
    declared |= {"score": "noise", "low": LOW, "high": HIGH, "higher_is_better": False}
    declared |= {"classes": 3, "names": ["loud", "middling", "still"], "name": "my photos"}
    own = {"data.source": "folder", "data.size": 48, "data.crop": 32, "data.folder": declared}
    own |= {"data.fractions": (0.5, 0.3, 0.2)}
    own |= {"train.steps": 40, "train.batch": 16, "train.lr": 2e-3, "train.ema": 0.8}
    found = {}
    for net, changes in NETS.items():
        data = photographs.make_data(net, "smoke", own | changes)
        run = photographs.settings("smoke", "supervised", 0, own | changes)
        found[net] = photographs.train(run, data)
    return found


def stored(folder, split=None):
    """What a run stored, by id: (N, C) probabilities, the rest."""
    said = store.read_predictions(folder)
    said = (said if split is None else said[said["split"] == split]).set_index("id")
    return said[store.columns_of_p(said)].to_numpy(float), said


def shown(table):
    """Probabilities (N, C) of a table that `score` made."""
    return table[[c for c in table if c.startswith("p_")]].to_numpy(float)


# ---------------------------------------------------------------- the same as in training
@pytest.mark.parametrize("net", NETS)
def test_pictures_of_the_run_get_the_probabilities_it_stored(net, runs, home):
    p, said = stored(runs[net], "test")
    one = photo_runs.load(runs[net])
    found = riqa_lib.score([home / "photos" / name for name in said.index], runs[net])
    assert len(found) == len(p) > 25
    assert shown(found) == pytest.approx(calibration.tempered(p, one.temperature), abs=ROUNDED)
    assert np.ptp(p, axis=0).max() > 10 * ROUNDED  # the pictures are told apart at all
    assert one.temperature != 1.0


def test_raw_probabilities_are_the_stored_ones_whatever_the_batch(runs, home, monkeypatch):
    p, said = stored(runs["frozen"], "test")
    one = photo_runs.load(runs["frozen"])
    how = photo_scoring.how_read(one, 1)
    pictures = [photo_scoring.prepare(home / "photos" / name, how).windows for name in said.index]
    monkeypatch.setattr(photo_scoring, "FORWARD", 7)
    found = photo_scoring.raw_probabilities(one, np.concatenate(pictures))
    assert found == pytest.approx(p, abs=2e-5)


# ---------------------------------------------------------------- the owner's scale
def test_the_score_is_what_the_probabilities_expect_on_the_owners_scale(runs, table, home):
    """By the owner's table alone: the mean noise of the labelled pictures of each grade."""
    found = riqa_lib.score(home / "photos", runs["pixels"]).set_index("file")
    found.index = [os.path.basename(name) for name in found.index]
    about = store.read_json(runs["pixels"] / "about.json")
    frame = store.read_table(paths.results("pixels") / "data" / "frame.csv").set_index("id")
    mine = table.loc[frame.index[frame["split"] == "train"], "noise"]
    third = (HIGH - LOW) / 3
    loud, middling = mine[mine > HIGH - third], mine[(mine > third) & (mine <= HIGH - third)]
    by_hand = [loud.mean(), middling.mean(), mine[mine <= third].mean()]
    assert about["labels"] == len(mine) == LABELS
    assert by_hand == sorted(by_hand, reverse=True)
    assert found["score"].to_numpy() == pytest.approx(shown(found) @ by_hand, abs=5e-3)
    assert [c for c in found if c.startswith("p_")] == ["p_loud", "p_middling", "p_still"]
    assert found["likeliest"].tolist() == [
        about["scale"]["grades"][k] for k in shown(found).argmax(axis=1)
    ]
    assert found.attrs["about"]["scale"]["higher_is_better"] is False


def test_intervals_hold_what_validation_says_and_stay_on_the_scale(runs, table, home):
    """The order statistic, written out; and what the intervals hold of pictures to come."""
    one = photo_runs.load(runs["pixels"])
    p, said = stored(runs["pixels"], "val")
    p = calibration.tempered(p, one.temperature)
    levels = np.array(store.read_json(runs["pixels"] / "about.json")["levels"])
    off = []
    for row, truth in zip(p, said["score"], strict=True):
        mean = sum(row * levels)
        wide = math.sqrt(sum(row * (levels - mean) ** 2) + ((HIGH - LOW) / 3) ** 2 / 12)
        off.append(abs(truth - mean) / wide)
    factor = sorted(off)[math.ceil((len(off) + 1) * 0.9) - 1]
    assert one.interval.factor == pytest.approx(factor)
    assert one.interval.n == len(off) == one.validation
    found = riqa_lib.score(home / "photos", runs["pixels"]).set_index("file")
    noise = table.loc[[os.path.basename(name) for name in found.index], "noise"].to_numpy()
    row = found.iloc[0]
    mean = sum(shown(found)[0] * levels)
    wide = math.sqrt(sum(shown(found)[0] * (levels - mean) ** 2) + ((HIGH - LOW) / 3) ** 2 / 12)
    assert row["score_low"] == pytest.approx(max(LOW, row["score"] - factor * wide), abs=0.05)
    assert row["score_high"] == pytest.approx(min(HIGH, row["score"] + factor * wide), abs=0.05)
    ends = found[["score_low", "score", "score_high"]].to_numpy(float)
    assert (np.diff(ends, axis=1) >= 0).all()
    assert (ends >= LOW).all()
    assert (ends <= HIGH).all()
    held = (ends[:, 0] <= noise) & (noise <= ends[:, 2])
    assert 0.75 < held.mean() <= 1


def altered(folder, to, change):
    """A copy of a finished run whose stored predictions are changed."""
    shutil.copytree(folder, to)
    said = change(store.read_predictions(to))
    store.write_table(to / "predictions.csv.gz", said)
    return to


def test_too_little_validation_gives_no_interval_and_says_so(runs, home, tmp_path, capsys):
    def cut(left):
        def change(said):
            return said[
                (said["split"] != "val").to_numpy() | (said["split"] == "val").cumsum().le(left)
            ]

        return change

    for left in (8, 0):
        few = altered(runs["pixels"], tmp_path / f"few-{left}", cut(left))
        found = riqa_lib.score(home / "photos" / "0.png", few)
        assert found[["score_low", "score_high"]].isna().all(axis=None)
        assert found["score"].notna().all()
        assert found["state"].tolist() == ["abstained"]
        assert found.attrs["about"]["interval"]["factor"] is None
        assert main(["score", str(home / "photos" / "0.png"), "--run", str(few)]) == 0
        said = capsys.readouterr().out
        assert f"No interval: {left} validation pictures are too few" in said
        assert "not calibrated" in said
        assert "[" not in said.split("prob.")[1]
    enough = altered(runs["pixels"], tmp_path / "enough", cut(9))
    assert riqa_lib.score(home / "photos" / "0.png", enough)["score_low"].notna().all()
    assert photo_runs.load(enough).temperature == 1.0


def test_grades_without_scores_are_scored_by_their_own_numbers(runs, home, tmp_path):
    """A run whose owner has grades only, 1 to 3, higher is better."""
    grades = altered(runs["pixels"], tmp_path / "grades", lambda said: said.assign(score=np.nan))
    about = store.read_json(grades / "about.json")
    about["scale"] |= {"score": "", "low": 1, "high": 3, "higher_is_better": True, "rule": "given"}
    store.write_json(grades / "about.json", about | {"levels": [1.0, 2.0, 3.0]})
    found = riqa_lib.score([home / "photos" / "0.png", home / "photos" / "1.png"], grades)
    assert found["score"].to_numpy() == pytest.approx(shown(found) @ [1, 2, 3], abs=3e-4)
    assert found["score_low"].ge(1).all()
    assert found["score_high"].le(3).all()


# ---------------------------------------------------------------- grades, and abstention
def test_a_grade_is_named_only_where_validation_can_promise_it(runs, home, tmp_path):
    def sure(said):
        p = np.full((len(said), 3), 0.1)
        p[np.arange(len(said)), said["truth"]] = 0.8
        return said.assign(p0=p[:, 0], p1=p[:, 1], p2=p[:, 2])

    right = altered(runs["pixels"], tmp_path / "right", sure)
    one, other = photo_runs.load(right), photo_runs.load(runs["pixels"], rate=0.01)
    assert one.abstention.met
    assert "named from probability" in one.headline()
    assert not other.abstention.met
    assert "none is named, only guessed" in other.headline()
    picture = home / "photos" / "0.png"
    never = riqa_lib.score(picture, runs["pixels"], rate=0.01).iloc[0]
    assert (never["state"], never["grade"]) == ("abstained", "")
    p = photo_scoring._answer(one, np.array([0.0, 0.0, 1.0]), 1.0, 1.0)
    assert (p["state"], p["grade"], p["likeliest"]) == ("graded", "still", "still")
    below = one.abstention.threshold - 1e-6
    p = photo_scoring._answer(one, np.array([below, 1 - below, 0]), 1.0, 1.0)
    assert (p["state"], p["grade"], p["likeliest"]) == ("abstained", "", "loud")


# ---------------------------------------------------------------- what people have in folders
@pytest.fixture(scope="module")
def mixed(home, table):
    root = home / "mixed"
    (root / "below").mkdir(parents=True)
    rng = np.random.default_rng(1)
    whole = Image.fromarray(photograph(rng, 5, (300, 500)))
    whole.save(root / "a.jpg", quality=95)
    (root / "b cut.jpg").write_bytes((root / "a.jpg").read_bytes()[:4000])
    (root / "c text.txt").write_text("no picture\n")
    (root / "d empty.png").write_bytes(b"")
    whole.convert("L").save(root / "e grey.png")
    whole.resize((20, 31)).save(root / "f small.png")
    whole.save(root / "below" / "g.webp")
    return root


def test_every_file_gets_its_row_and_none_stops_the_rest(mixed, runs):
    found = riqa_lib.score(mixed, runs["pixels"])
    found["file"] = [os.path.relpath(name, mixed) for name in found["file"]]
    rows = found.set_index("file")
    assert len(rows) == 6  # the text was passed over
    bad = ["b cut.jpg", "d empty.png"]
    assert rows.index[rows["state"] == "unreadable"].tolist() == bad
    assert (rows.loc[bad, "reason"] != "").all()
    assert rows.loc[bad, "score"].isna().all()
    good = rows.drop(index=bad)
    assert good["score"].notna().all()
    assert (good[["width", "height"]].loc["a.jpg"] == (500, 300)).all()
    assert "smaller than the working size" in good.loc["f small.png", "reason"]
    assert shown(good).sum(axis=1) == pytest.approx(1, abs=5e-4)
    assert (rows["data"] == "real").all()
    assert (rows["labels"] == LABELS).all()
    assert (rows["trained_on"] == "my photos").all()


def test_several_windows_are_the_mean_of_what_each_alone_would_get(runs, tmp_path):
    rng = np.random.default_rng(2)
    wide = photograph(rng, 3, (48, 144))
    wide[:, 48:96] = 128
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for k, left in enumerate((0, 48, 96)):
        Image.fromarray(wide[:, left : left + 48]).save(tmp_path / f"part{k}.png")
    one = photo_runs.load(runs["pixels"])
    parts = [photo_scoring.prepare(tmp_path / f"part{k}.png", {"size": 48}) for k in range(3)]
    p = photo_scoring.raw_probabilities(one, np.concatenate([part.windows for part in parts]))
    files = [tmp_path / name for name in ("wide.png", "part0.png", "part1.png")]
    found = riqa_lib.score(files, runs["pixels"], windows=3)
    assert found["windows"].tolist() == [3, 1, 1]
    expected = calibration.tempered(np.stack([p.mean(axis=0), p[0], p[1]]), one.temperature)
    assert shown(found) == pytest.approx(expected, abs=ROUNDED)
    centre = riqa_lib.score(files, runs["pixels"])
    assert shown(centre)[0] == pytest.approx(shown(found)[2], abs=1e-9)


def test_memory_does_not_grow_with_the_folder(runs, monkeypatch):
    """However many files there are, only so many are between the disk and their row."""
    begun = taken = most = listed = 0
    one = photo_runs.load(runs["pixels"])

    def prepared(file, **_):
        nonlocal begun, most
        begun += 1
        most = max(most, begun - taken)
        return photo_scoring.Prepared({"file": str(file), "state": "unreadable", "reason": ""})

    def many():
        nonlocal listed
        for k in range(2000):
            listed += 1
            yield f"no-such-{k}.jpg"

    monkeypatch.setattr(photo_scoring, "prepare", prepared)
    for row in photo_scoring.rows(many(), one, workers=2):
        assert row["file"] == f"no-such-{taken}.jpg"  # in order
        taken += 1
        assert listed - taken <= flow.BATCH * 3
    assert taken == 2000
    assert most <= flow.BATCH * 3


# ---------------------------------------------------------------- the command
def test_the_command_prints_and_writes_the_same(mixed, runs, home, capsys):
    files = [home / "o.csv", home / "o.json"]
    asked = ["score", str(mixed), str(home / "photos" / "1[01].png"), "--run", runs["pixels"].name]
    assert main([*asked, "--csv", str(files[0]), "--json", str(files[1])]) == 0
    said = capsys.readouterr().out
    head, lines = said.split("prob.\n")
    assert f"Run {runs['pixels'].name}: supervised, trained on my photos, real pictures" in head
    assert f"{LABELS} with a label." in head
    assert "Score: noise from 0 to 20, lower is better." in head
    assert "In brackets: where 90% of true scores lie" in head
    assert len(lines.splitlines()) == 8 + 3
    last = "1 file that is no picture was skipped: 1 .txt\n"
    assert said.endswith(f"\n\n6 graded, 0 abstained, 2 unreadable\n{last}")
    assert "?" not in lines
    assert main([*asked, "--rate", "0.001"]) == 0
    lines = capsys.readouterr().out.split("prob.\n")[1]
    assert lines.endswith(f"\n\n0 graded, 6 abstained, 2 unreadable\n{last}")
    assert lines.count("?") == 6
    rows = list(csv.DictReader(io.StringIO(files[0].read_text("utf-8-sig"))))
    book = json.loads(files[1].read_text(), parse_constant=lambda c: pytest.fail(f"{c}: no JSON"))
    table = riqa_lib.score([mixed, f"{home}/photos/1[01].png"], runs["pixels"])
    assert list(rows[0]) == list(table)
    assert len(rows) == len(book["pictures"]) == len(table) == 8
    assert book["about"] == table.attrs["about"]
    assert book["about"]["labels"] == LABELS
    for row, full, (_, line) in zip(rows, book["pictures"], table.iterrows(), strict=True):
        assert row["file"] == full["file"] == line["file"]
        assert row["state"] == full["state"] == line["state"]
        assert row["trained_on"] == "my photos"
        if "score" in full:
            assert float(row["score"]) == full["score"] == line["score"]
            assert float(row["p_still"]) == full["probabilities"]["still"]
        else:
            assert row["score"] == row["p_still"] == ""
            assert row["reason"] == full["reason"] != ""


def test_nothing_that_can_be_read_is_status_1_and_a_table_all_the_same(mixed, runs, home):
    file = home / "none.csv"
    asked = ["score", str(mixed / "c text.txt"), "--run", str(runs["pixels"]), "--csv", str(file)]
    assert main(asked) == 1
    assert len(file.read_text().splitlines()) == 2


def test_a_failure_leaves_no_half_written_table(runs, home, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(photo_scoring, "flat", broken)
    asked = ["score", str(home / "photos" / "0.png"), "--run", str(runs["pixels"])]
    assert main([*asked, "--csv", str(tmp_path / "o.csv")]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["o.csv.unfinished"]  # to go on with


def test_a_picture_that_was_replaced_is_scored_anew_where_it_goes_on(
    runs, home, tmp_path, monkeypatch
):
    picture, book = tmp_path / "a.png", tmp_path / "o.json"
    shutil.copy(home / "photos" / "0.png", picture)
    kept = home / "photos" / "1.png"
    asked = ["score", str(picture), str(kept), "--run", str(runs["pixels"]), "--json", str(book)]
    monkeypatch.setattr(score_command.books, "opened", None)
    with pytest.raises(TypeError):
        main(asked)
    monkeypatch.undo()
    shutil.copy(home / "photos" / "9.png", picture)
    assert main([*asked, "--resume"]) == 0
    rows = json.loads(book.read_text())["pictures"]
    alone = riqa_lib.score([kept, home / "photos" / "9.png"], runs["pixels"])
    assert [r["file"] for r in rows] == [str(kept), str(picture)]
    assert [r["score"] for r in rows] == alone["score"].tolist()
    assert "stamp" not in rows[0]


# ---------------------------------------------------------------- which run
def finished(folder, when):
    os.utime(folder / "provenance.json", (when, when))
    return folder


def test_the_newest_real_run_answers_where_none_is_named(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no trained run of photographs; train one first"):
        photo_runs.load()
    made = photographs.train(photographs.settings("smoke", "supervised"), blurred_pictures())
    finished(made, 9000)
    one = photo_runs.load()
    assert one.about["run"] == made.name
    assert "(the newest of photographs of 1; --run takes another)" in one.headline()
    assert "trained on by code, SIMULATED pictures" in one.headline()
    assert "Score: mean vote from 1 to 5, higher is better" in one.headline()
    for k, net in enumerate(("pixels", "timm", "frozen")):
        finished(shutil.copytree(runs[net], paths.runs() / f"own-{net}"), 1000 * (k + 1))
    (paths.runs() / "own-frozen" / "provenance.json").unlink()
    one = photo_runs.load()
    assert one.about["run"] == "own-timm"
    assert "(the newest on real pictures of 2; --run takes another)" in one.headline()
    assert photo_runs.load(made).about["run"] == made.name
    assert "newest" not in photo_runs.load(made.name).headline()
    with pytest.raises(FileNotFoundError, match=r"own-tim: .*did you mean own-timm\?"):
        photo_runs.load("own-tim")
    with pytest.raises(FileNotFoundError, match="own-frozen: no finished run"):
        photo_runs.load("own-frozen")


def test_a_run_says_how_many_pictures_without_a_label_it_learnt_from(home):
    """The labelled ones are shown without their label too, and don't count."""
    run = photographs.settings("smoke", "fixmatch", 0, {"data.labels": 30})
    one = photo_runs.load(photographs.train(run, blurred_pictures("half")))
    assert (one.about["labels"], one.unlabelled) == (30, 25 + 60 - 30)
    assert "fixmatch, trained on by code, SIMULATED pictures, 30 with a label and 55 without." in (
        one.headline()
    )
    assert one.describe()["unlabelled"] == 55
    second = dataclasses.replace(one, config=one.config | {"teacher": "fixmatch-abc"})
    assert "fixmatch, second stage, trained" in second.headline()


def test_a_run_that_cannot_score_says_why_and_what_can(runs, table, tmp_path, monkeypatch):
    old = shutil.copytree(runs["pixels"], tmp_path / "old")
    (old / "about.json").unlink()
    with pytest.raises(ValueError, match=r"does not say on which scale .* train again"):
        photo_runs.load(old)
    (old / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="trained no network"):
        photo_runs.load(old)
    student = tmp_path / "student-abc"
    store.write_json(student / "config.json", {"method": {"name": "student"}})
    store.write_json(student / "provenance.json", {})
    with pytest.raises(
        ValueError, match=r"fundus photographs; .*riqa assess PATH... --run student-abc"
    ):
        photo_runs.load(student)
    with pytest.raises(ValueError, match=r"riqa score PATH... --run " + runs["pixels"].name):
        fundus_student.load(runs["pixels"])
    with pytest.raises(ValueError, match="riqa score PATH"):
        fundus_student.load(runs["pixels"].name)


def test_a_run_of_other_settings_or_grades_is_told(runs, tmp_path):
    other = shutil.copytree(runs["pixels"], tmp_path / "other")
    config = store.read_json(other / "config.json")
    store.write_json(other / "config.json", config | {"model": config["model"] | {"eyes": 2}})
    with pytest.raises(ValueError, match="settings of another version"):
        photo_runs.load(other)
    four = shutil.copytree(runs["pixels"], tmp_path / "four")
    about = store.read_json(four / "about.json")
    store.write_json(four / "about.json", about | {"levels": [1, 2, 3, 4]})
    with pytest.raises(ValueError, match="3 probabilities a picture, but 4 grades"):
        photo_runs.load(four)


def test_wrong_requests_of_the_door_in_python_are_refused_before_a_run_is_looked_for(home):
    with pytest.raises(FileNotFoundError, match="gone"):
        riqa_lib.score("gone.jpg", "no run")
    for asked in ({"rate": 0}, {"workers": 0}, {"windows": 0}):
        with pytest.raises(ValueError, match=next(iter(asked))):
            riqa_lib.score([home], "no run", **asked)


def test_a_line_shortens_long_names_and_shows_what_was_noted():
    row = {"file": "a/very/long/name.jpg", "state": "abstained", "score": 3.14159}
    row |= {"score_low": None, "score_high": None, "likeliest": "fair", "confidence": 0.4}
    said = score_command.line(row | {"reason": "damaged EXIF"}, width=12)
    assert said.startswith(".../name.jpg  3.14")
    assert "fair?" in said
    assert said.endswith("damaged EXIF")
    assert "[" not in said
