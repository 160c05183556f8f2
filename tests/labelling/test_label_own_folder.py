"""A folder of one's own without any table: which pictures, which keys, what is stored, and that
training can read it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from photo_trees import make_koka10k
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.datasets import hand_labels, koka10k
from riqa_lib.datasets.folder import read_folder
from riqa_lib.labelling import choose, keyboard, places
from riqa_lib.labelling.agree import agreement, confusion
from riqa_lib.pictures.decode import import_folder
from riqa_lib.seeding import rng

NAMES = ["a, b.jpg", "007.JPG", "NA.png", "sub/p1.jpg", 'sub/q"1".jpg', "sub/deep/ü.webp"]
GOOD_BAD = ("bad", "good")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures that differ, in three folders, and what is no picture of it."""
    root = tmp_path / "photos"
    for k, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng("photo", k).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(root / name)
    for name in ("notes.txt", ".hidden.jpg", " blank.jpg", "line\nbreak.jpg"):
        (root / name).write_bytes(b"x")
    (root / ".thumbs").mkdir()
    (root / ".thumbs" / "p1.jpg").write_bytes(b"x")
    return root


def test_all_pictures_of_a_folder_and_below_without_a_table(photos, home):
    place = places.open_folder(photos, "own", GOOD_BAD)
    assert place.pool["id"].tolist() == sorted(NAMES)
    assert place.notes == [
        "1 file left out: no picture by its ending, first 'notes.txt'",
        "2 files left out: a name no table can hold, first ' blank.jpg'",
    ]
    assert place.read("a, b.jpg").shape == (20, 30, 3)
    with pytest.raises(FileNotFoundError, match="no such folder of pictures"):
        places.open_folder(photos / "none", "own")
    with pytest.raises(FileNotFoundError, match="no such folder of pictures"):
        places.open_place("folder", "own")
    (photos.parent / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in it"):
        places.open_folder(photos.parent / "empty", "own")
    with pytest.raises(ValueError, match="expected one of walk, kadis, folder"):
        places.open_place("fodler", "own")


def test_training_reads_what_was_graded_and_the_rest_is_the_pool(photos, home):
    place = places.open_folder(photos, "own", GOOD_BAD)
    for who, grades in (("ann", (0, 1, 1)), ("bob", (0, 1, 0)), ("<b>cy</b>", (1, 1, 1))):
        session = place.session(NAMES[:3], who)
        for grade in grades:
            session.grade(grade)
    session.undo()
    table = pd.read_csv(place.table, keep_default_na=False)
    assert tuple(table) == places.TABLE
    assert not table.duplicated(["id", "labeller"]).any()
    assert len(table) == 8
    assert (table["name"] == [GOOD_BAD[g] for g in table["grade"]]).all()
    declared = place.declared
    with pytest.warns(UserWarning, match="worth knowing"):  # what is no picture is told
        frame = read_folder(declared.pop("root"), declared.pop("table"), **declared)
    graded = frame[frame["split"] != "pool"].set_index("id")["grade"]
    assert graded.to_dict() == {NAMES[0]: 0, NAMES[1]: 1, NAMES[2]: 0}  # ties: the lower
    assert set(NAMES[3:]) <= {*frame.loc[frame["split"] == "pool", "id"]}
    assert (frame.loc[frame["split"] == "pool", "grade"] == -1).all()


@pytest.mark.parametrize("count", [2, 3, 10])
def test_from_two_to_ten_grades_of_ones_own(photos, home, count):
    grades = [f"grade {k}" for k in range(count)]
    place = places.open_folder(photos, f"own{count}", grades)
    session = place.session(NAMES, "ann")
    session.grade(count - 1)
    with pytest.raises(ValueError, match=f"expected 0 to {count - 1}"):
        session.grade(count)
    assert place.labels()["grade"].tolist() == [count - 1]
    assert len(keyboard.keys_of(place.names)) == count


def test_a_killed_session_goes_on_after_its_last_grade(photos, home):
    """kill -9 while it grades: no grade is lost, none is there twice, labels.csv is whole."""
    code = (
        "import sys, time; from riqa_lib.labelling import places\n"
        "place = places.open_folder(sys.argv[1], 'own', ['bad', 'good'])\n"
        "ids = place.pool['id'].tolist(); session = place.session(ids, 'ann')\n"
        "for k in range(4):\n"
        "    session.grade(k % 2); print(k, flush=True)\n"
        "time.sleep(60)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(photos)], stdout=subprocess.PIPE, text=True
    )
    for expected in range(4):
        assert run.stdout.readline() == f"{expected}\n"
    run.send_signal(signal.SIGKILL)
    run.wait()
    place = places.open_folder(photos, "own", GOOD_BAD)
    place.table.unlink()  # as if it was killed between the two files
    session = place.session(place.pool["id"], "ann")
    assert session.progress == (4, 6)
    assert session.current() == place.pool["id"][4]
    assert pd.read_csv(place.table, keep_default_na=False)["grade"].tolist() == [0, 1, 0, 1]


def test_an_older_table_never_replaces_a_newer_one(photos, home, monkeypatch):
    """Bob grades while ann's table is being written from what was there before."""
    place = places.open_folder(photos, "own", GOOD_BAD)
    ann, bob = (place.session(NAMES, who) for who in ("ann", "bob"))
    other = threading.Thread(target=bob.grade, args=(1,))
    write = store.write_table

    def slow(file, table):
        monkeypatch.setattr(store, "write_table", write)
        other.start()
        other.join(1)  # as long as he may need, were he not made to wait
        return write(file, table)

    monkeypatch.setattr(store, "write_table", slow)
    ann.grade(0)
    other.join()
    table = pd.read_csv(place.table, keep_default_na=False)
    assert table[["labeller", "grade"]].to_numpy().tolist() == [["ann", 0], ["bob", 1]]


def test_other_grades_or_another_folder_under_the_same_name_are_refused(photos, home, tmp_path):
    place = places.open_folder(photos, "own", GOOD_BAD)
    choose.kept(place.candidates, place.pool, 3)
    with pytest.raises(ValueError, match="begun with the grades"):
        places.open_folder(photos, "own", ("good", "bad"))
    other = tmp_path / "other" / "photos"
    other.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(other / "x.png")
    with pytest.raises(ValueError, match="has not the same: take another NAME"):
        places.open_folder(other, "own", GOOD_BAD)
    shutil.move(photos, tmp_path / "moved" / "photos")
    again = places.open_folder(tmp_path / "moved" / "photos", "own", GOOD_BAD)
    assert again.log == place.log


def test_another_table_of_that_name_is_left_as_it_was(photos, home):
    place = places.open_folder(photos, "own", GOOD_BAD)
    place.session(NAMES, "ann").grade(1)
    place.table.write_text("name,score\na,1\n")
    with pytest.raises(ValueError, match=r"labels\.csv: row 1: expected id,grade,name"):
        place.session(NAMES, "ann")
    assert place.table.read_text() == "name,score\na,1\n"


def test_a_table_that_cannot_be_renewed_costs_no_grade(photos, home, monkeypatch):
    place = places.open_folder(photos, "own", GOOD_BAD)
    session = place.session(NAMES, "ann")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_table", full)
        with pytest.raises(OSError, match=r"could not be renewed .* all is in labels\.log\.csv"):
            session.grade(1)
    assert session.progress == (1, 6)
    assert session.lines == 1
    session.grade(0)
    assert pd.read_csv(place.table, keep_default_na=False)["grade"].tolist() == [1, 0]


# ---------------------------------------------------------------- which pictures
def said_of(ids: list[str], p: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(p, columns=[f"p{k}" for k in range(p.shape[1])]).assign(id=ids)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_least_certain_are_chosen_against_a_slow_loop(classes):
    p = rng("unsure", classes).dirichlet([0.5] * classes, 60)
    p[0] = np.eye(classes)[0]  # a probability of 0 has no entropy
    ids = [f"p{k:02d}" for k in range(60)]
    said = said_of(ids, p)

    def doubt(row, by):
        if by == "entropy":
            return -sum(x * np.log(x) for x in row if x > 0)
        best = sorted(row)
        return best[-2] - best[-1]

    assert choose.entropy(p).tolist() == pytest.approx([doubt(row, "entropy") for row in p])
    for by in ("entropy", "margin"):
        expected = sorted(range(60), key=lambda k: -doubt(p[k], by))[:7]
        chosen = choose.candidates(said[["id"]], 7, said, by=by)
        assert set(chosen["id"]) == {ids[k] for k in expected}
        assert set(chosen["why"]) == {"uncertain"}
        assert chosen["id"].tolist() != [ids[k] for k in expected]  # the order tells nothing
    at_random = choose.candidates(said[["id"]], 7, said, by="random")
    assert at_random.equals(choose.candidates(said[["id"]], 7))
    with pytest.raises(ValueError, match="expected one of random, ends, entropy, margin"):
        choose.candidates(said[["id"]], 7, said, by="entropie")


def test_pictures_that_a_model_could_not_read_are_not_chosen_by_it():
    said = said_of([*"abc"], np.array([[0.5, 0.5], [np.nan, np.nan], [0.9, 0.1]]))
    for by in ("ends", "entropy", "margin"):
        assert set(choose.candidates(said[["id"]], 3, said, by=by)["id"]) == {"a", "c"}


def test_scores_of_a_run_become_predictions(photos):
    """As `riqa_lib.score` gives them: grades by name, worst first, whatever the alphabet says."""
    files = [str(photos / NAMES[3]), str(photos / "notes.txt"), str(photos / NAMES[0])]
    scores = pd.DataFrame(
        {"file": files, "state": ["graded", "unreadable", "graded"], "run": "r"}
    ).assign(p_good=[0.2, None, 0.7], p_bad=[0.8, None, 0.3])
    said = choose.of_scores(scores, photos)
    assert said["id"].tolist() == [NAMES[3], NAMES[0]]
    assert said[["p0", "p1"]].to_numpy(float).tolist() == [[0.2, 0.8], [0.7, 0.3]]


def test_the_list_stays_the_same_and_only_grows(tmp_path):
    ids = [f"p{k:02d}" for k in range(40)]
    pool, file = pd.DataFrame({"id": ids}), tmp_path / "labels-candidates.csv"
    p = rng("kept").dirichlet([1, 1], 40)
    first = choose.kept(file, pool, 10)
    assert choose.kept(file, pool, 10, said_of(ids, p), by="margin").equals(first)
    more = choose.kept(file, pool, 15, said_of(ids, p), by="margin")
    assert more.head(10).equals(first)
    assert more["why"].tolist() == ["random"] * 10 + ["uncertain"] * 5
    assert more["id"].is_unique
    assert choose.kept(file, pool, 4).equals(first.head(4))
    gone = pool[pool["id"] != first["id"][0]]
    assert choose.kept(file, gone, 15)["id"].tolist() == more["id"].tolist()[1:]
    assert len(choose.listed(file)) == 15
    file.write_text("id,grade\na,1\n")
    with pytest.raises(ValueError, match="expected columns id, why; found id, grade"):
        choose.kept(file, pool, 4)


# ---------------------------------------------------------------- names and keys
@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["bad", "good"], [["1", "b"], ["2", "g"]]),
        ([*"EDCBA"], [["1", "e"], ["2", "d"], ["3", "c"], ["4", "b"], ["5", "a"]]),
        (["unsharp", "good"], [["1"], ["2"]]),  # u takes back
        (["schlecht", "gut"], [["1"], ["2"]]),  # s skips
        (["bad", "better"], [["1"], ["2"]]),
        (["bad", "<b>"], [["1"], ["2"]]),
        ([str(k) for k in range(1, 11)], [[k] for k in "1234567890"]),
        (list(places.NUMBERED), [[k] for k in "01234"]),
    ],
)
def test_a_key_means_one_grade(names, keys):
    assert keyboard.keys_of(keyboard.check_names(names)) == keys
    every = [key for each in keys for key in each]
    assert len(set(every)) == len(every)
    assert not {"s", "u"} & set(every)


def test_names_that_cannot_be_told_apart_are_refused():
    for wrong in (["a"], [str(k) for k in range(11)], ["a", "a "], ["a", " "]):
        with pytest.raises(ValueError, match="expected"):
            keyboard.check_names(wrong)
    with pytest.raises(TypeError, match="expected a list"):
        keyboard.check_names("bad")


# ---------------------------------------------------------------- several people
def test_agreement_of_two_grades_and_of_ten():
    for classes in (2, 10):
        g = rng("agree", classes)
        one, two = g.integers(0, classes, (2, 40))
        rows = [
            {"id": f"p{k}", "grade": int(v), "labeller": who}
            for who, grades in (("ann", one), ("bob", two))
            for k, v in enumerate(grades)
        ]
        found = agreement(pd.DataFrame(rows), 200, classes).iloc[0]
        assert found["exact"] == pytest.approx((one == two).mean())
        assert found["mae"] == pytest.approx(np.abs(one - two).mean())
        names = [f"g{k}" for k in range(classes)]
        table = confusion(pd.DataFrame(rows), "ann", "bob", names)
        assert table.shape == (classes, classes)
        assert table.loc["g0", "g1"] == ((one == 0) & (two == 1)).sum()
        one_picture = pd.DataFrame([r for r in rows if r["id"] == "p0"])
        assert agreement(one_picture, 200, classes)["mae"][0] == abs(one[0] - two[0])


# ---------------------------------------------------------------- from labels to a walk, and back
def test_what_was_graded_becomes_a_walk_whose_pool_can_be_graded_too(photos, home):
    place = places.open_folder(photos, "own", GOOD_BAD)
    session = place.session(NAMES[:4], "ann")
    for grade in (0, 1, 1, 0):
        session.grade(grade)
    declared = place.declared
    root, table = declared.pop("root"), declared.pop("table")
    data = paths.results("own") / "data"
    with pytest.warns(UserWarning, match="worth knowing"):
        import_folder(root, table, data, 8, name="own", bad="skip", progress=False, **declared)
    walk = places.open_place("walk", "own")
    assert set(walk.pool["id"]) == set(NAMES[4:])
    assert walk.names == GOOD_BAD
    assert walk.read(NAMES[4]).shape == (8, 8, 3)
    assert (walk.table, walk.file, walk.simulated) == (None, walk.log, False)
    walk.session(walk.pool["id"], "ann").grade(1)
    assert walk.labels()["grade"].tolist() == [1]
    assert hand_labels.read(walk.log)["id"].tolist() == [walk.pool["id"].iloc[0]]
    assert walk.log != place.log


def test_kadis_is_graded_as_koka10k_reads_it(tmp_path, home, monkeypatch):
    monkeypatch.setenv("RIQA_DATA", str(make_koka10k(tmp_path / "sets")))
    place = places.open_place("kadis", "paper")
    assert place.names[0] == "0 bad"
    assert len(place.pool) == 30
    before = len(place.labels())
    session = place.session(place.pool["id"], "me")
    assert session.progress == (before, 30)
    session.grade(3)
    labels, _ = koka10k.hand_labels(place.file, {*place.pool["id"]})
    assert len(labels) == before + 1
    assert place.read(place.pool["id"][0]).shape == (40, 40, 3)
