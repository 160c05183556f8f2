"""Pictures without a score are the pool: their truth is unknown, and they tell nothing of what is
tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_folders import make_folder, notes, problems, read, write

from riqa_lib.datasets.data_folder import open_dataset, write_dataset

NAMES = [f"{c}.jpg" for c in "abcdefghij"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten pictures; the last four have no score."""
    root = make_folder(tmp_path, NAMES)
    write(
        root,
        "name,mos\n" + "".join(f"{n},{i * 10 if i < 6 else ''}\n" for i, n in enumerate(NAMES)),
    )
    return root


def test_an_empty_score_is_the_pool(photos: Path) -> None:
    frame = read(photos).set_index("id")
    pool = frame.loc[NAMES[6:]]
    assert (pool["split"] == "pool").all()
    assert (pool["grade"] == -1).all()
    assert pool["score"].isna().all()
    scored = frame.loc[NAMES[:6]]
    assert scored["score"].tolist() == [0, 10, 20, 30, 40, 50]
    assert scored["grade"].tolist() == [0, 0, 1, 1, 2, 2]
    assert set(scored["split"]) <= {"train", "val", "test"}
    said = "without a score, in the pool: 4: g.jpg, h.jpg, i.jpg, ..."
    assert said in notes(photos)


def test_the_splits_of_the_scored_are_as_without_a_pool(tmp_path: Path) -> None:
    names = [f"{k:02d}.jpg" for k in range(60)]
    root = make_folder(tmp_path, names)
    rows = [f"{n},{k % 100}\n" for k, n in enumerate(names)]
    write(root, "name,mos\n" + "".join(rows[:45]))
    alone = read(root).set_index("id")["split"].to_dict()
    write(root, "name,mos\n" + "".join([*rows[:45], *(f"{n},\n" for n in names[45:])]))
    both = read(root).set_index("id")["split"]
    assert both[:45].to_dict() == alone
    assert (both[45:] == "pool").all()


@pytest.mark.parametrize("empty", ["", "NA", "n/a", "NaN", "null", "None", "#N/A", " "])
def test_words_for_no_score(photos: Path, empty: str) -> None:
    write(photos, f"name,mos\na.jpg,1\nb.jpg,{empty}\n")
    assert read(photos)["grade"].tolist() == [0, -1]


@pytest.mark.parametrize("wrong", ["-", "?", "none yet", "0x", "inf"])
def test_other_words_are_no_pool(photos: Path, wrong: str) -> None:
    write(photos, f"name,mos\na.jpg,1\nb.jpg,{wrong}\n")
    assert "row 3: b.jpg" in problems(photos)


def test_a_split_column_may_say_pool_or_nothing_but_not_test(photos: Path) -> None:
    write(photos, "name,mos,set\na.jpg,1,train\nb.jpg,,pool\nc.jpg,,\nd.jpg,9,pool\n")
    frame = read(photos, split="set")
    assert frame["split"].tolist() == ["train", "pool", "pool", "pool"]
    # d's score may be a stopgap: it is neither learnt from nor a truth to be judged by
    assert frame["grade"].tolist() == [0, -1, -1, -1]
    assert frame["score"].isna().tolist() == [False, True, True, True]
    assert "score not used: split pool: 1: d.jpg" in notes(photos, split="set")
    write(photos, "name,mos,set\na.jpg,1,train\nb.jpg,,Test\nc.jpg,NA,val\nd.jpg,,training\n")
    text = problems(photos, split="set")
    assert (
        "no score (3): row 3: b.jpg: split test; without a score a picture is in the pool" in text
    )
    assert "row 4: c.jpg: split val" in text
    assert "row 5: d.jpg: split train" in text


def test_part_of_the_numbers_is_a_problem_not_the_pool(photos: Path) -> None:
    write(photos, "name,mos,g\na.jpg,1,0\nb.jpg,,1\nc.jpg,,\n")
    text = problems(photos, grade="g")
    assert "1 problem(s)" in text
    assert "mos is not a number (1): row 3: b.jpg: ''" in text
    write(photos, "name,c1,c2\na.jpg,1,0\nb.jpg,,1\nc.jpg,,\nd.jpg,0,0\n")
    votes = {"score": None, "low": None, "high": None, "votes": ["c1", "c2"], "classes": 2}
    assert "c1 is not a number (1): row 3: b.jpg: ''" in problems(photos, **votes)
    write(photos, "name,c1,c2\na.jpg,1,0\nc.jpg,,\n")
    frame = read(photos, **votes)
    assert frame["grade"].tolist() == [0, -1]
    assert frame["score"].tolist() == pytest.approx([1, np.nan], nan_ok=True)


def test_no_score_at_all_is_told(photos: Path) -> None:
    write(photos, "name,mos\na.jpg,\nb.jpg,NA\n")
    assert "no scores: mos is empty in every row: nothing to learn from" in problems(photos)
    write(photos, "name,mos,set\na.jpg,1,pool\nb.jpg,,\n")
    assert "no scores: every row that has mos is in the pool" in problems(photos, split="set")


def test_source_and_group_may_be_unknown_in_the_pool_only(photos: Path) -> None:
    write(photos, "name,mos,cam,who\na.jpg,1,x,p\nb.jpg,,,\n")
    frame = read(photos, source="cam", group="who")
    assert frame["source"].tolist() == ["x", ""]
    assert frame["group"].tolist() == ["p", "b.jpg"]
    write(photos, "name,mos,cam,who\na.jpg,1,,\n")
    text = problems(photos, source="cam", group="who")
    assert "empty source (1): row 2: a.jpg" in text
    assert "empty group (1): row 2: a.jpg" in text


# ---------------------------------------------------------------- files that no table names
def test_files_not_in_the_table_are_the_pool_where_declared(photos: Path) -> None:
    for extra in ("more/y.JPG", "Thumbs.db", "notes.txt", ".hidden.jpg"):
        file = photos / extra
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(extra.encode())
    write(photos, "name,mos\n" + "".join(f"{n},{i}\n" for i, n in enumerate(NAMES[:8])))
    assert len(read(photos)) == 8
    frame = read(photos, pool=True)
    assert frame["id"].tolist() == [*NAMES[:8], "i.jpg", "j.jpg", "more/y.JPG"]
    pool = frame[8:]
    assert (pool["split"] == "pool").all()
    assert (pool["grade"] == -1).all()
    assert (pool["row"] == 0).all()
    assert (pool["path"] == pool["id"]).all()
    text = notes(photos, pool=True)
    assert "file not in the table (2): Thumbs.db; notes.txt" in text
    assert "without a score, in the pool: 3: i.jpg, j.jpg, more/y.JPG" in text


def test_a_table_inside_the_folder_is_no_picture_and_no_news(photos: Path) -> None:
    (photos.parent / "scores.csv").rename(photos / "scores.csv")
    assert "not in the table" not in notes(photos, "photos/scores.csv", pool=True)


def test_a_file_that_is_called_as_another_picture_s_id(photos: Path) -> None:
    write(photos, "name,file,mos\nj.jpg,a.jpg,1\n")
    text = problems(photos, path="file", pool=True)
    assert "doubled id (1): j.jpg: the id of another picture" in text


# ---------------------------------------------------------------- nothing leaks
@pytest.mark.parametrize("declared", [False, True])
def test_a_copy_of_a_scored_picture_is_left_out_of_the_pool(photos: Path, declared: bool) -> None:
    copies = ["h.jpg", "aa.jpg"]  # one in the table, after it; one before it by name
    for name in copies:
        (photos / name).write_bytes((photos / "b.jpg").read_bytes())
    frame = read(photos, pool=declared)
    assert "h.jpg" not in set(frame["id"])
    assert "aa.jpg" not in set(frame["id"])
    assert frame.set_index("id")["group"]["b.jpg"] == "b.jpg"
    text = notes(photos, pool=declared)
    said = "row 9: h.jpg: same bytes as b.jpg, which has a score: left out of the pool"
    assert said in text
    assert ("aa.jpg: same bytes as b.jpg" in text) == declared


def test_a_copy_that_comes_before_the_scored_picture_is_left_out_too(photos: Path) -> None:
    (photos / "a.jpg").write_bytes((photos / "b.jpg").read_bytes())
    write(photos, "name,mos\na.jpg,\nb.jpg,10\n")
    assert read(photos)["id"].tolist() == ["b.jpg"]
    assert "row 2: a.jpg: same bytes as b.jpg, which has a score: left out" in notes(photos)


def test_copies_within_the_pool_are_one_group(photos: Path) -> None:
    (photos / "i.jpg").write_bytes((photos / "g.jpg").read_bytes())
    frame = read(photos).set_index("id")
    assert frame.loc["i.jpg", "group"] == frame.loc["g.jpg", "group"] == "g.jpg"
    assert "row 10: i.jpg: same bytes as g.jpg" in notes(photos)


def test_chains_of_groups_and_copies_end_in_one_group(photos: Path) -> None:
    """a and b are of one patient, b and c the same file, c and d of one patient."""
    (photos / "c.jpg").write_bytes((photos / "b.jpg").read_bytes())
    write(photos, "name,mos,who\na.jpg,1,p\nb.jpg,2,p\nc.jpg,3,q\nd.jpg,4,q\ne.jpg,5,r\n")
    frame = read(photos, group="who")
    assert frame["group"].tolist() == ["p", "p", "p", "p", "r"]
    for copy, of in (("c.jpg", "a.jpg"), ("d.jpg", "b.jpg")):  # q is of p, and of s
        (photos / copy).write_bytes((photos / of).read_bytes())
    write(photos, "name,mos,who\na.jpg,1,p\nb.jpg,2,s\nc.jpg,3,q\nd.jpg,4,q\ne.jpg,5,r\n")
    group = read(photos, group="who")["group"].tolist()
    assert len({*group[:4]}) == 1
    assert group[4] == "r"


def test_the_pool_has_nothing_of_a_group_that_is_tested(photos: Path) -> None:
    write(
        photos,
        "name,mos,who,set\na.jpg,1,p,train\nb.jpg,,p,\nc.jpg,3,q,test\nd.jpg,,q,\ne.jpg,,r,pool\n"
        "f.jpg,4,s,val\ng.jpg,,s,pool\n",
    )
    frame = read(photos, group="who", split="set").set_index("id")
    assert frame["split"].to_dict() == {
        "a.jpg": "train",
        "b.jpg": "pool",
        "c.jpg": "test",
        "e.jpg": "pool",
        "f.jpg": "val",
    }
    assert frame.loc["b.jpg", "group"] == "b.jpg"  # no group is in two splits
    assert frame.loc["e.jpg", "group"] == "r"
    said = "left out of the pool (2): row 5: d.jpg: group q is validated or tested on; row 8: g.jpg"
    assert said in notes(photos, group="who", split="set")


# ---------------------------------------------------------------- further on
def test_a_data_folder_takes_the_pool(photos: Path, tmp_path: Path) -> None:
    frame = read(photos)
    blocks = [np.zeros((len(frame), 4, 4, 3), np.uint8)]
    info = {"name": "mine", "simulated": False, "classes": 5, "scale": frame.attrs["scale"]}
    folder = write_dataset(
        tmp_path / "data", frame, 4, lambda start: blocks, key="k", info=info, progress=False
    )
    data = open_dataset(folder)
    pool = data.frame[data.frame["split"] == "pool"]
    assert len(pool) == 4
    assert (pool["grade"] == -1).all()
    assert pool["score"].isna().all()
    assert data.info["scale"]["grades"] == ["bad", "poor", "fair", "good", "excellent"]
