"""The plan sees the data that a step read: tables, pictures, hand labels, real sets.

Steps run in this process: step `pictures` makes the walk's data as notebook 01 does, `train` a run
that is named as real ones are; no kernel, no network."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from fundus_trees import make_deepdrid, make_eyeq, make_eyeq_d, make_mshf
from photo_trees import make_koka10k
from PIL import Image
from toy_notebooks import write_notebook

from riqa_lib import contents, paths, store
from riqa_lib.datasets.about import need_file
from riqa_lib.datasets.data_folder import data_key, open_dataset
from riqa_lib.pictures import fundus_data, photo_data
from riqa_lib.plan import data_read, one_step
from riqa_lib.plan.freshness import why, why_all
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import Step, Walk

pytestmark = pytest.mark.filterwarnings("ignore:.*worth knowing")
AN_HOUR = 3600
SIZE = 24  # px: the least that is drawn


# ---------------------------------------------------------------- a walk without kernels
def pictures(walk: Walk, step: Step) -> None:
    d = photo_data.DataConfig(**step.parameters["SETTINGS"], size=SIZE, crop=SIZE)
    data = photo_data.make(walk.name, d, "smoke")
    store.write_table(
        walk.folder / "tables" / "counts.csv", data.frame.groupby("split").size().reset_index()
    )


def fundus(walk: Walk, step: Step) -> None:
    d = fundus_data.FundusData(source="real", size=SIZE, crop=SIZE)
    fundus_data.make(walk.name, d, progress=False)


def train(walk: Walk, step: Step) -> None:
    d = photo_data.DataConfig(**step.parameters["SETTINGS"], size=SIZE, crop=SIZE)
    data = open_dataset(walk.folder / "data")
    config = {"method": {"name": "toy"}, "data": asdict(d), "data_key": data_key(data)}
    run = store.run_folder(json.loads(json.dumps(config)))
    if not store.done(run):
        graded = data.frame[data.frame["grade"] >= 0]
        store.write_json(run / "provenance.json", {"made": time.time_ns(), "n": len(graded)})
    for file in run.iterdir():
        store.journal(file)
    store.write_json(walk.folder / "tables" / "runs.json", {"run": run.name})


BODIES: dict[str, Callable[[Walk, Step], None]] = {
    "pictures": pictures,
    "fundus": fundus,
    "train": train,
}


def in_this_process(walk: Walk, step: Step, lock: object, event: object) -> None:
    """In place of kernel.execute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(walk.home))
        patch.setenv(store.JOURNAL, str(walk.file(step.name, "journal")))
        patch.setenv(contents.READING, str(walk.file(step.name, "reading")))
        BODIES[step.notebook.removesuffix(".ipynb")](walk, step)


def plan(folder: Path, settings: dict[str, object], first: str = "pictures") -> Walk:
    """A plan of `first` and, after pictures, train."""
    (folder / "nb").mkdir(exist_ok=True)
    (folder / "toylib").mkdir(exist_ok=True)
    for name in BODIES:
        write_notebook(folder / "nb" / f"{name}.ipynb", ["1"])
    steps = [Step("first", f"{first}.ipynb", {"SETTINGS": settings})]
    if first == "pictures":
        steps.append(Step("train", "train.ipynb", {"SETTINGS": settings}, needs=("first",)))
    return Walk(tuple(steps), "mine", folder / "nb", folder / "home", folder / "toylib", makes=())


def states(walk: Walk) -> list[str]:
    records = run_plan(walk, serial=True, stream=io.StringIO())
    assert all(r.ok for r in records.values()), records
    return [r.state for r in records.values()]


def reason(walk: Walk) -> list[str]:
    return why(walk, walk["first"])


def run_of(walk: Walk) -> Path:
    name = store.read_json(walk.folder / "tables" / "runs.json")["run"]
    return walk.home / "results" / "runs" / name


def aged(*folders: Path) -> None:
    """Files of an hour ago: their times can be trusted."""
    then = time.time() - AN_HOUR
    for file in (f for folder in folders for f in folder.rglob("*") if f.is_file()):
        os.utime(file, (then, then))


def picture(file: Path, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(pixels).save(file)


def swap(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, (text.count(old), old)
    file.write_text(text.replace(old, new))


# ---------------------------------------------------------------- own pictures
def own(folder: Path, **declared: object) -> dict[str, object]:
    """20 pictures with scores from 1 to 10, half of them good; the settings that read them."""
    photos = folder / "photos"
    lines = ["file,score"]
    for i in range(20):
        picture(photos / f"IMG_{i}.png", i)
        lines.append(f"IMG_{i}.png,{2 if i % 2 else 9}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    aged(folder)
    given = {"root": str(photos), "table": str(folder / "scores.csv"), "id": "file"}
    given |= {"score": "score", "low": 1, "high": 10, "classes": 2, **declared}
    return {"source": "folder", "folder": given, "fractions": (0.6, 0.2, 0.2)}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(one_step, "execute", in_this_process)
    monkeypatch.delenv("RIQA_DATA", raising=False)
    monkeypatch.delenv("RIQA_HOME", raising=False)
    return tmp_path


@pytest.fixture
def mine(here) -> Walk:
    """A finished walk over the pictures in `here`, the pool in the folder alone."""
    settings = own(here, pool=True)
    picture(here / "photos" / "pool" / "more.png", 99)
    aged(here)
    walk = plan(here, settings)
    assert states(walk) == ["done", "done"]
    assert states(walk) == ["up to date", "up to date"]
    return walk


def photos(walk: Walk) -> Path:
    return walk.home.parent / "photos"


def edited_score(walk: Walk) -> str:
    file = photos(walk).parent / "scores.csv"
    swap(file, "IMG_3.png,2", "IMG_3.png,9")
    return f"data file changed: {file}"


def replaced_picture(walk: Walk) -> str:
    picture(photos(walk) / "IMG_5.png", 500)
    return f"data file changed: {photos(walk)}/IMG_5.png"


def replaced_pool_picture(walk: Walk) -> str:
    picture(photos(walk) / "pool" / "more.png", 501)
    return f"data file changed: {photos(walk)}/pool/more.png"


def added_to_the_pool(walk: Walk) -> str:
    picture(photos(walk) / "pool" / "new.png", 502)
    return f"data file new: {photos(walk)}/pool/new.png"


def taken_from_the_pool(walk: Walk) -> str:
    (photos(walk) / "pool" / "more.png").unlink()
    return f"data file gone: {photos(walk)}/pool/more.png"


EDITS = [
    edited_score,
    replaced_picture,
    replaced_pool_picture,
    added_to_the_pool,
    taken_from_the_pool,
]


@pytest.mark.parametrize("change", EDITS)
def test_other_data_of_ones_own_make_the_data_set_anew_and_train_anew(mine, change):
    before, old = data_key(open_dataset(mine.folder / "data")), run_of(mine)
    words = change(mine)
    assert reason(mine) == [words]
    assert why_all(mine, mine.ordered())["train"] == ["depends on what first writes"]
    assert states(mine) == ["done", "done"]
    assert data_key(open_dataset(mine.folder / "data")) != before
    assert run_of(mine) != old
    assert states(mine) == ["up to date", "up to date"]


def test_the_data_set_is_what_a_fresh_walk_makes_of_the_same_data(mine):
    for change in EDITS[:4]:
        change(mine)
    assert states(mine) == ["done", "done"]
    other = replace(mine, home=mine.home.parent / "other")
    assert states(other) == ["done", "done"]
    for file in ("frame.csv", "pixels.npy", "dataset.json"):
        mended, fresh = (w.folder / "data" / file for w in (mine, other))
        assert mended.read_bytes() == fresh.read_bytes(), file


def test_files_that_were_touched_only_run_nothing_and_are_read_once(mine, monkeypatch):
    before = (mine.folder / "data" / "dataset.json").stat().st_mtime_ns
    then = time.time() - AN_HOUR / 2
    for file in [*photos(mine).rglob("*.png"), photos(mine).parent / "scores.csv"]:
        os.utime(file, (then, then))
    assert states(mine) == ["up to date", "up to date"]
    assert (mine.folder / "data" / "dataset.json").stat().st_mtime_ns == before
    monkeypatch.setattr(contents, "_hashed", lambda file: pytest.fail(f"{file} was read again"))
    assert reason(mine) == []


def test_what_keeps_its_size_and_time_is_not_read(mine, monkeypatch):
    monkeypatch.setattr(contents, "_hashed", lambda file: pytest.fail(f"{file} was read"))
    assert states(mine) == ["up to date", "up to date"]


def test_touched_files_are_not_decoded_again_where_another_score_runs_the_step(mine, monkeypatch):
    pixels = (mine.folder / "data" / "pixels.npy").stat().st_mtime_ns
    edited_score(mine)
    for file in photos(mine).rglob("*.png"):
        os.utime(file)
    assert states(mine) == ["done", "done"]
    assert (mine.folder / "data" / "pixels.npy").stat().st_mtime_ns == pixels


def test_an_edit_of_the_same_length_within_a_moment_is_seen(here):
    walk = plan(here, own(here))
    table = here / "scores.csv"
    os.utime(table)
    assert states(walk) == ["done", "done"]
    stat = table.stat()
    swap(table, "IMG_3.png,2", "IMG_3.png,9")
    os.utime(table, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a coarse clock leaves it
    assert reason(walk) == [f"data file changed: {table}"]


def test_the_score_of_before_finds_the_run_of_before(mine):
    made = store.read_json(run_of(mine) / "provenance.json")
    edited_score(mine)
    assert states(mine) == ["done", "done"]
    assert store.read_json(run_of(mine) / "provenance.json") != made
    swap(photos(mine).parent / "scores.csv", "IMG_3.png,9", "IMG_3.png,2")
    assert states(mine) == ["done", "done"]
    assert store.read_json(run_of(mine) / "provenance.json") == made


@pytest.mark.parametrize("lack", ["broken", "empty", "absent", "a copy"])
def test_pictures_that_were_left_out_are_seen_when_they_come(here, lack):
    settings = own(here, pool=lack == "a copy") | {"bad": "skip"}
    file, other = here / "photos" / "IMG_7.png", here / "photos" / "copy.png"
    if lack == "broken":
        file.write_bytes(file.read_bytes()[:60])
    elif lack == "empty":
        file.write_bytes(b"")
    elif lack == "absent":
        file.unlink()
    else:
        shutil.copy(file, other)
        file = other
    aged(here)
    walk = plan(here, settings)
    assert states(walk) == ["done", "done"]
    left_out = len(open_dataset(walk.folder / "data"))
    picture(file, 7000)
    what = "new" if lack == "absent" else "changed"
    assert reason(walk) == [f"data file {what}: {file}"]
    assert states(walk) == ["done", "done"]
    assert len(open_dataset(walk.folder / "data")) == left_out + 1


def test_a_file_that_is_no_picture_trains_nothing(mine):
    made = store.read_json(run_of(mine) / "provenance.json")
    (photos(mine) / "notes.txt").write_text("x")
    states(mine)
    assert store.read_json(run_of(mine) / "provenance.json") == made
    assert states(mine) == ["up to date", "up to date"]


def test_many_files_are_counted_and_the_first_are_named(mine):
    for i in range(5):
        picture(photos(mine) / f"IMG_{i}.png", 700 + i)
    first = ", ".join(f"{photos(mine)}/IMG_{i}.png" for i in range(3))
    assert reason(mine) == [f"5 data files changed: {first} and 2 more"]


def test_what_the_old_data_alone_gave_is_removed(mine):
    """A table that the step writes for some data only must not stay beside what is true now."""
    with pytest.MonkeyPatch.context() as patch:

        def more(walk: Walk, step: Step) -> None:
            pictures(walk, step)
            if open_dataset(walk.folder / "data").frame["grade"].eq(-1).any():
                store.write_table(
                    walk.folder / "tables" / "pool.csv", open_dataset(walk.folder / "data").frame
                )

        patch.setitem(BODIES, "pictures", more)
        run_plan(mine, force=["first"], serial=True, stream=io.StringIO())
        assert (mine.folder / "tables" / "pool.csv").exists()
        taken_from_the_pool(mine)
        assert states(mine)[0] == "done"
    assert not (mine.folder / "tables" / "pool.csv").exists()
    assert (mine.folder / "tables" / "counts.csv").exists()


def test_a_folder_that_moved_trains_nothing(mine):
    """Its place is a setting, so the steps run; its pictures are the same, so runs are found."""
    made = store.read_json(run_of(mine) / "provenance.json")
    elsewhere = mine.home.parent / "elsewhere"
    shutil.copytree(photos(mine), elsewhere / "photos")  # with other times
    shutil.copy(photos(mine).parent / "scores.csv", elsewhere / "scores.csv")
    settings = mine["first"].parameters["SETTINGS"]
    place = {"root": str(elsewhere / "photos"), "table": str(elsewhere / "scores.csv")}
    moved = settings | {"folder": settings["folder"] | place}
    walk = plan(mine.home.parent, moved)
    assert states(walk) == ["done", "done"]
    assert store.read_json(run_of(walk) / "provenance.json") == made
    shutil.rmtree(photos(mine))
    assert states(walk) == ["up to date", "up to date"]
    swap(elsewhere / "scores.csv", "IMG_3.png,2", "IMG_3.png,9")
    assert reason(walk) == [f"data file changed: {elsewhere}/scores.csv"]


@pytest.mark.parametrize("damage", ["{half", None])
def test_without_its_list_of_data_a_step_runs_again(mine, damage):
    file = mine.file("first", "reads")
    file.unlink() if damage is None else file.write_text(damage)
    assert reason(mine) == ["the list of the data it read is gone"]
    assert states(mine) == ["done", "up to date"]
    assert reason(mine) == []


def test_an_attempt_that_was_cut_off_does_not_go_on_over_other_data(mine):
    def cut_off(walk: Walk, step: Step) -> None:
        pictures(walk, step)
        raise RuntimeError("power cut")

    edited_score(mine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BODIES, "pictures", cut_off)
        assert not run_plan(mine, serial=True, stream=io.StringIO())["first"].ok
    parts = one_step.components(mine, mine["first"])
    assert one_step.left(mine, mine["first"], parts, False).going_on is False  # since it finished
    mine.file("first", "json").unlink()
    assert one_step.left(mine, mine["first"], parts, False).going_on
    replaced_picture(mine)
    assert not one_step.left(mine, mine["first"], parts, False).going_on


def test_a_file_that_changed_while_it_was_read_twice_counts_as_changed(tmp_path, monkeypatch):
    log, table = tmp_path / "log", tmp_path / "scores.csv"
    monkeypatch.setenv(contents.READING, str(log))
    for text in ("1", "2"):
        table.write_text(text)
        contents.note(table)
    with open(log, "a") as f:
        f.write('{"file": "cut')
    found = data_read.listed(log)
    assert found.files == {str(table): data_read.UNCERTAIN}
    assert data_read._compared(found)[0] == [f"data file changed: {table}"]


def test_python_and_notebooks_take_places_as_typed_and_messages_show_them_whole(here, monkeypatch):
    settings = own(here)
    monkeypatch.setenv("RIQA_HOME", str(here))  # not even below it is a place shown short
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir(here / "photos")
    folder = settings["folder"] | {"root": ".", "table": "~/scores.csv"}
    d = photo_data.DataConfig(**settings | {"folder": folder, "extra": "labels.csv"})
    assert (d.folder["root"], d.folder["table"]) == (str(here / "photos"), f"{here}/scores.csv")
    assert d.extra == f"{here}/photos/labels.csv"
    data = photo_data.make("mine", replace(d, size=SIZE, crop=SIZE), "smoke")
    assert (len(data), data.info["name"]) == (20, "photos")
    for key, what in (("root", "folder of pictures"), ("table", "table")):
        wrong = photo_data.DataConfig(**settings | {"folder": folder | {key: "nowhere"}})
        with pytest.raises(FileNotFoundError, match=f"^{here}/photos/nowhere: no such {what}"):
            photo_data.make("mine", wrong, "smoke")


# ---------------------------------------------------------------- sets below RIQA_DATA
def test_the_one_file_of_a_set_and_the_names_beside_it_are_noted(tmp_path, monkeypatch):
    """Whatever reads it then: LIVE's and TID's are no tables."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "DMOS.mat").write_bytes(b"x")
    monkeypatch.setenv(contents.READING, str(tmp_path / "log"))
    need_file(tmp_path / "sets", "dmos.mat")
    found = data_read.listed(tmp_path / "log")
    assert list(found.files) == [str(tmp_path / "sets" / "DMOS.mat")]
    assert [f["names"] for f in found.folders] == [["DMOS.mat"]]
    (tmp_path / "sets" / "dmos_realigned.mat").write_bytes(b"y")
    words, _ = data_read._compared(found)
    assert words == [f"data file new: {tmp_path}/sets/dmos_realigned.mat"]


@pytest.fixture
def koka(here, monkeypatch) -> Walk:
    data = make_koka10k(here / "sets")
    aged(data)
    monkeypatch.setenv("RIQA_DATA", str(data))
    walk = plan(here, {"source": "koka10k"})
    assert states(walk) == ["done", "done"]
    return walk


def other_hand_label(data: Path) -> list[str]:
    swap(data / "koka10k" / "extra.csv", "photo-3.png,4,", "photo-3.png,3,")
    return ["data file changed: RIQA_DATA/koka10k/extra.csv"]


def another_hand_label(data: Path) -> list[str]:
    with open(data / "koka10k" / "extra.csv", "a") as f:
        f.write("photo-25.png,4,me,2.5,2026-01-01T00:00:00\n")
    return ["data file changed: RIQA_DATA/koka10k/extra.csv"]


def no_hand_labels(data: Path) -> list[str]:
    (data / "koka10k" / "extra.csv").unlink()
    return ["data file gone: RIQA_DATA/koka10k/extra.csv"]


def other_votes(data: Path) -> list[str]:
    file = data / "koniq10k" / "koniq10k_scores_and_distributions.csv"
    lines = file.read_text().splitlines()
    lines[1], name = lines[2].replace('"1001.jpg"', '"1000.jpg"'), "koniq10k/" + file.name
    file.write_text("\n".join(lines) + "\n")
    return [f"data file changed: RIQA_DATA/{name}"]


def other_koniq_picture(data: Path) -> list[str]:
    picture(data / "koniq10k" / "1024x768" / "1005.jpg", 7)
    return ["data file changed: RIQA_DATA/koniq10k/1024x768/1005.jpg"]


def other_kadis_picture(data: Path) -> list[str]:
    picture(data / "kadis700k" / "ref_imgs" / "photo-29.png", 7)
    return ["data file changed: RIQA_DATA/kadis700k/ref_imgs/photo-29.png"]


@pytest.mark.parametrize(
    "change",
    [
        other_hand_label,
        another_hand_label,
        no_hand_labels,
        other_votes,
        other_koniq_picture,
        other_kadis_picture,
    ],
)
def test_other_real_sets_and_hand_labels_make_the_data_anew(koka, change):
    data, old = paths.data(), run_of(koka)
    assert data is not None
    assert reason(koka) == []
    words = change(data)
    assert reason(koka) == words
    assert states(koka) == ["done", "done"]
    assert run_of(koka) != old
    assert reason(koka) == []


def test_hand_labels_that_come_later_are_seen(koka):
    data = paths.data()
    assert data is not None
    text = (data / "koka10k" / "extra.csv").read_text()
    no_hand_labels(data)
    assert states(koka) == ["done", "done"]
    (data / "koka10k" / "extra.csv").write_text(text)
    assert reason(koka) == ["data file new: RIQA_DATA/koka10k/extra.csv"]


def test_hand_labels_elsewhere_are_seen(here, monkeypatch):
    data = make_koka10k(here / "sets")
    monkeypatch.setenv("RIQA_DATA", str(data))
    mine = here / "labels.csv"
    shutil.move(data / "koka10k" / "extra.csv", mine)
    walk = plan(here, {"source": "koka10k", "extra": str(mine)})
    assert states(walk) == ["done", "done"]
    swap(mine, "photo-3.png,4,", "photo-3.png,3,")
    assert reason(walk) == [f"data file changed: {mine}"]


def test_all_sets_moved_to_another_disk_are_the_same_sets(koka, monkeypatch):
    data = paths.data()
    assert data is not None
    monkeypatch.setenv("RIQA_DATA", str(data.rename(data.with_name("moved"))))
    assert states(koka) == ["up to date", "up to date"]
    monkeypatch.delenv("RIQA_DATA")
    assert "data files gone: RIQA_DATA/" in reason(koka)[0]


def test_other_fundus_sets_make_their_data_anew(here, monkeypatch):
    data = here / "sets"
    make_eyeq(data / "eyeq", n=12)
    make_eyeq_d(data / "eyeq_d", data / "eyeq")
    make_mshf(data / "mshf")
    make_deepdrid(data / "deepdrid")
    aged(data)
    monkeypatch.setenv("RIQA_DATA", str(data))
    walk = plan(here, {}, "fundus")
    assert states(walk) == ["done"]
    assert states(walk) == ["up to date"]
    table = next((data / "eyeq").rglob("*train.csv"))
    *lines, last = table.read_text().splitlines()
    number, name, quality, *rest = last.split(",")
    other = ",".join([number, name, str((int(quality) + 1) % 3), *rest])
    picture = next(f for f in sorted((data / "eyeq").rglob("*.jpeg")) if "train" in str(f))

    def another_label() -> None:
        table.write_text("\n".join([*lines, other]) + "\n")

    def another_picture() -> None:
        shutil.copy(sorted(picture.parent.iterdir())[-1], picture)

    for file, change in ((table, another_label), (picture, another_picture)):
        change()
        assert reason(walk) == [f"data file changed: RIQA_DATA/{file.relative_to(data).as_posix()}"]
        assert states(walk) == ["done"]
        assert reason(walk) == []
