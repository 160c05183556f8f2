"""KOKA10K: label rules, hand labels, Table 1's arithmetic, and profile `paper` from files in the
real formats."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import real_data
from photo_trees import floor_counts, make_koka10k
from PIL import Image

from riqa_lib import store
from riqa_lib.datasets import kadis as kadis_set
from riqa_lib.datasets import koka10k
from riqa_lib.datasets import koniq as koniq_set
from riqa_lib.datasets.problems import FolderError
from riqa_lib.pictures import decode, windows
from riqa_lib.tables import published, stored, table1
from riqa_lib.training import photographs

V = koka10k.VOTES
PAPER = published.published("table1")


def koniq(votes: list[list[int]]) -> pd.DataFrame:
    """A frame as datasets.koniq makes it."""
    n = np.array(votes)
    mean = n @ np.arange(1, 6) / n.sum(axis=1)
    names = [f"{i}.jpg" for i in range(len(n))]
    frame = pd.DataFrame({"id": names, "path": [f"1024x768/{i}" for i in names], "group": names})
    return frame.assign(**{c: n[:, k] for k, c in enumerate(V)}, score=mean, mos_z=(mean - 1) * 25)


def kadis(n: int) -> pd.DataFrame:
    names = [f"photo-{i}.png" for i in range(n)]
    return pd.DataFrame({"id": names, "path": [f"ref_imgs/{i}" for i in names], "group": names})


def table(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns)


# ---------------------------------------------------------------- grades
def test_rules_on_votes_that_tell_them_apart() -> None:
    votes = [[5, 0, 4, 1, 0], [0, 3, 3, 1, 0], [0, 0, 1, 1, 0], [1, 1, 1, 1, 9], [0, 0, 0, 4, 1]]
    frame = koniq(votes)
    for rule, expected in (("mode", [0, 1, 2, 4, 3]), ("round_mean", [1, 2, 3, 3, 3])):
        assert koka10k.grades(frame, rule).tolist() == expected
        assert [slow(v, rule) for v in votes] == expected
    assert koka10k.grades(frame.assign(mos_z=[0, 20, 39.9, 80, 100]), "equal_width").tolist() == [
        0,
        1,
        1,
        4,
        4,
    ]
    with pytest.raises(ValueError, match="expected one of mode, equal_width, round_mean"):
        koka10k.grades(frame, "median")
    with pytest.raises(ValueError, match=r"mos_z of 1\.jpg is nan, expected 0 to 100"):
        koka10k.grades(frame.assign(mos_z=[1, np.nan, 1, 1, 1]), "equal_width")


def slow(votes: list[int], rule: str) -> int:
    if rule == "mode":
        return next(k for k in range(5) if votes[k] == max(votes))
    return int(sum(k * n for k, n in enumerate(votes)) / sum(votes) + 0.5)


# ---------------------------------------------------------------- hand labels
def test_hand_labels_take_the_majority_and_the_lower_of_ties() -> None:
    extra = table(
        id=["a", "b", "a", "b", "a"],
        grade=[0, 4, 1, 3, 1],
        labeller=["x", "x", "y", "y", "z"],
        seconds=[1] * 5,
    )
    labels, notes = koka10k.hand_labels(extra, {"a", "b", "c"})
    assert labels.to_dict() == {"a": 1, "b": 3}
    assert [(n.name, n.found) for n in notes] == [
        ("a", "[0, 1, 1], taken as 1"),
        ("b", "[4, 3], taken as 3"),
    ]


def test_hand_labels_report_all_their_faults_with_rows(tmp_path: Path) -> None:
    file = tmp_path / "extra.csv"
    file.write_text("id,grade,labeller\na,0,x\nwho,1,x\na,1,x\nb,5,x\nc,good,x\nc,,y\nb,2.5,y\n")
    with pytest.raises(FolderError) as caught:
        koka10k.hand_labels(file, {"a", "b", "c"})
    lines = [
        "6 problem(s)",
        "unknown picture (1): row 3: who",
        "doubled id (1): row 4: a: also graded by x in row 2",
    ]
    for line in [
        *lines,
        "row 5: b: '5', expected 0 to 4",
        "row 6: c: 'good'",
        "row 7: c: ''",
        "row 8: b: '2.5'",
    ]:
        assert line in str(caught.value)
    file.write_text("name,grade\na,0\n")
    with pytest.raises(FolderError, match=r"missing column \(1\): row 1: id"):
        koka10k.hand_labels(file, {"a"})
    with pytest.raises(FolderError, match=r"missing column \(1\): row 1: grade"):
        koka10k.hand_labels(table(id=["a"]), {"a"})
    with pytest.raises(FileNotFoundError, match="no such table of hand labels"):
        koka10k.hand_labels(tmp_path / "none.csv", {"a"})


# ---------------------------------------------------------------- the set
def test_build_moves_hand_labelled_pictures_out_of_the_pool() -> None:
    votes = [[0, 9, 1, 0, 0]] * 20 + [[0, 0, 9, 1, 0]] * 30
    extra = table(id=["photo-3.png", "photo-1.png", "7.jpg"], grade=[4, 0, 4])
    frame = koka10k.build(koniq(votes), kadis(6), extra)
    by_id = frame.set_index("id")
    assert frame["source"].value_counts().to_dict() == {
        koka10k.KONIQ: 50,
        koka10k.POOL: 4,
        koka10k.EXTRA: 2,
    }
    assert by_id.loc[["photo-3.png", "photo-1.png", "7.jpg", "8.jpg"], "grade"].tolist() == [
        4,
        0,
        4,
        1,
    ]
    assert (
        by_id.loc["7.jpg", "source"] == koka10k.KONIQ
    )  # its grade was changed; it is still one of KonIQ's
    assert by_id.loc["photo-3.png", "path"] == "kadis700k/ref_imgs/photo-3.png"
    assert by_id.loc["7.jpg", "path"] == "koniq10k/1024x768/7.jpg"
    assert sorted(frame.loc[frame["by_hand"], "id"]) == ["7.jpg", "photo-1.png", "photo-3.png"]
    pool = frame[frame["source"] == koka10k.POOL]
    assert set(pool["split"]) == {"pool"}
    assert set(pool["grade"]) == {-1}
    assert frame.loc[frame["source"] != koka10k.KONIQ, V].to_numpy().sum() == 0
    assert by_id.loc["8.jpg", V].tolist() == [0, 9, 1, 0, 0]
    labelled = frame[frame["grade"] >= 0]
    for grade, n in labelled["grade"].value_counts().items():
        found = labelled.loc[labelled["grade"] == grade, "split"].value_counts()
        expected = {1: (1, 0, 0), 2: (1, 1, 0)}.get(n) or floor_counts(n)  # too few for floors
        assert tuple(found.get(s, 0) for s in ("train", "val", "test")) == expected, grade
    again = koka10k.build(koniq(votes), kadis(6), extra, seed=1)
    assert not again["split"].equals(frame["split"])
    assert frame.attrs["notes"] == []
    noted, other = koniq(votes), kadis(6)
    noted.attrs["notes"], other.attrs["notes"] = (
        [["a", 0, "b", "c"]],
        [["d", 0, "e", "f"]],
    )  # the loaders' own are kept
    assert koka10k.build(noted, other, extra).attrs["notes"] == [
        ["a", 0, "b", "c"],
        ["d", 0, "e", "f"],
    ]


def test_build_without_hand_labels_says_which_grades_are_empty() -> None:
    frame = koka10k.build(koniq([[9, 1, 0, 0, 0], [0, 0, 9, 1, 0]]), kadis(3))
    assert frame["source"].tolist() == [koka10k.KONIQ] * 2 + [koka10k.POOL] * 3
    assert frame.attrs["notes"] == [
        ["no hand labels", 0, "", "all grades come from KonIQ-10k's votes; none is 1, 3, 4"]
    ]
    with pytest.raises(
        ValueError, match=r"photo-1\.png: an id that KonIQ-10k and KADIS-700k both have"
    ):
        koka10k.build(koniq([[1, 0, 0, 0, 0]]).assign(id="photo-1.png"), kadis(3))


# ---------------------------------------------------------------- Table 1
def as_many(counts: list[int]) -> pd.DataFrame:
    """Votes whose mode has these counts."""
    return koniq(
        [[9 * (k == j) + 1 for j in range(5)] for k, n in enumerate(counts) for _ in range(n)]
    )


def test_table1_is_explained_by_its_own_numbers() -> None:
    assert table1.needed(PAPER).tolist() == [66, 1379, 5150, 3459, 19]
    frame = as_many([76, 1379, 5150, 3468, 0])
    text, counts = table1.readings([76, 1379, 5150, 3468, 0], PAPER).to_dict("records")
    assert (text["hand 0"], text["hand 4"], text["l1"], text["moved"]) == (159, 200, 38, 19)
    assert [text[g] for g in koka10k.GRADES] == [-10, 0, 0, -9, 19]
    assert (counts["hand 0"], counts["hand 4"], counts["l1"], counts["moved"]) == (149, 210, 18, 9)
    assert [counts[g] for g in koka10k.GRADES] == [0, 0, 0, -9, 9]
    said = table1.explained(frame, PAPER)
    for words in (
        "leave 66/1379/5150/3459/19",
        "gives 76/1379/5150/3468/0",
        "match to the unit: 1, 2.",
        "159 + 200 hand labels (as the text says): 10 of grade 0, 9 of grade 3 must have been "
        "changed, 19 to grade 4",
        "149 + 210 hand labels (as many in all, as the counts suggest): 9 of grade 3 must",
        "4: 9 p",
    ):
        assert words in said
    other = table1.explained(as_many([300, 1379, 5150, 3244, 0]), PAPER)
    assert (
        "-75 + 434 hand labels (as many in all, as the counts suggest): the totals do not fit"
        in other
    )
    assert np.isnan(table1.readings([76, 1379, 5150, 3468, 1], PAPER)["moved"]).all()


def test_other_sizes_compare_shares_only() -> None:
    said = table1.explained(as_many([1, 10, 50, 30, 9]), PAPER)
    assert "With 100 voted pictures in place of 10073 only the shares compare" in said
    assert (
        "0.7/13.7/51.1/34.3/0.2 % and 1.0/10.0/50.0/30.0/9.0 %, at most 8.8 points apart (grade 4)."
        in said
    )
    found = table1.rules(as_many([1, 10, 50, 30, 9]), PAPER)
    assert found["l1"].isna().tolist() == [False, True, True, True]


def test_rules_side_by_side() -> None:
    frame = koniq([[5, 0, 4, 1, 0], [0, 3, 3, 1, 0], [0, 0, 0, 4, 1], [0, 0, 1, 1, 0]])
    unvoted = frame.head(1).assign(id="u", mos_z=np.nan, **dict.fromkeys(V, 0))
    found = table1.rules(pd.concat([frame, unvoted]), PAPER).set_index("rule")
    assert found.index.tolist() == ["needed", "mode", "equal_width", "round_mean"]
    assert found.loc["mode", koka10k.GRADES].tolist() == [1, 1, 1, 1, 0]
    assert found.loc["round_mean", koka10k.GRADES].tolist() == [0, 1, 1, 2, 0]
    assert found["as_mode"].tolist()[1:] == [1, 0, 0.25]
    assert found.loc["equal_width", koka10k.GRADES].tolist() == [0, 1, 1, 1, 1]
    assert "equal_width" not in set(table1.rules(frame.drop(columns="mos_z"), PAPER)["rule"])


@pytest.mark.real
def test_the_real_vote_table_gives_the_published_counts() -> None:
    real = real_data("labels")
    frame = koniq_set.load(real, pictures=False)
    found = table1.rules(frame, PAPER).set_index("rule")
    assert found.loc["mode", koka10k.GRADES].tolist() == [76, 1379, 5150, 3468, 0]
    assert found.loc["round_mean", koka10k.GRADES].tolist() == [55, 1320, 5388, 3310, 0]
    assert found.loc["equal_width", koka10k.GRADES].tolist() == [183, 1189, 3081, 5408, 212]
    assert found.loc[list(koka10k.RULES), "l1"].tolist() == [38, 4518, 476]
    assert found.loc[list(koka10k.RULES), "as_mode"].tolist() == pytest.approx(
        [1, 0.739, 0.959], abs=5e-4
    )
    # Whichever pictures they are: 149 + 210 hand labels and 9 changed ones give Table 1's fifteen
    # cells.
    pool = kadis_set.load(real, pictures=False)
    raised = frame["id"][koka10k.grades(frame) == 3].head(9)
    extra = table(id=[*pool["id"].head(359), *raised], grade=[0] * 149 + [4] * 210 + [4] * 9)
    built = koka10k.build(frame, pool, extra)
    ours = table1.table1(table1.class_counts(built))
    for split in ("train", "val", "test"):
        assert ours[f"{split}, ours"].tolist() == ours[f"{split}, paper"].tolist()
    assert (built["split"] == "pool").sum() == 139_641


# ---------------------------------------------------------------- profile paper, from files
SMALL = {
    "data.size": 32,
    "data.crop": 32,
    "model.arch": "",
    "model.width": 16,
    "model.depth": 1,
    "model.weights": "none",
    "train.steps": 3,
    "train.batch": 8,
    "train.evaluations": 1,
}


@pytest.fixture
def trees(home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KonIQ-10k (60 pictures, official score file) and KADIS-700k (30) in their own formats, and
    hand labels."""
    root = make_koka10k(tmp_path / "data")
    monkeypatch.setenv("RIQA_DATA", str(root))
    return root


def test_profile_paper_runs_on_the_real_formats(trees: Path) -> None:
    data = photographs.make_data("x", "paper", SMALL)
    assert data.info["name"] == "KOKA10K"
    assert data.info["simulated"] is False
    assert data.frame["source"].value_counts().to_dict() == {
        koka10k.KONIQ: 60,
        koka10k.EXTRA: 20,
        koka10k.POOL: 10,
    }
    row = data.frame.index[data.frame["id"] == "photo-3.png"][0]
    assert data.frame.loc[row, "grade"] == 4
    assert (
        data.pixels[row] == windows.centre(Image.open(trees / "kadis700k/ref_imgs/photo-3.png"), 32)
    ).all()
    runs = photographs.train_rows("x", "paper", ["supervised"], 0, SMALL)
    tables = stored.load_runs("x", runs)
    table2 = tables["table2"].set_index("method")
    assert set(table2["data"]) == {"real"}
    assert table2.loc["supervised", "published_mae"] == 0.53
    assert table2.loc["rater", "mae"] >= 0
    assert set(store.read_predictions(store.paths.runs() / runs["run"][0])["split"]) == {
        "val",
        "test",
        "pool",
    }


def test_settings_choose_rule_and_hand_labels(trees: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.csv"
    other.write_text("id,grade\nphoto-0.png,4\n1000.jpg,1\n")
    data = photographs.make_data(
        "x", "paper", SMALL | {"data.extra": str(other), "data.rule": "round_mean"}
    )
    assert data.info["name"] == "KOKA10K, rule round_mean"
    assert data.frame["by_hand"].sum() == 2
    assert data.frame["source"].value_counts()[koka10k.POOL] == 29
    voted = data.frame[data.frame[V].sum(axis=1) > 0]
    kept = voted[~voted["by_hand"]]
    assert (kept["grade"] == koka10k.grades(kept, "round_mean")).all()
    (trees / "koka10k" / "extra.csv").unlink()
    without = photographs.make_data("y", "paper", SMALL)
    assert without.info["name"] == "KOKA10K, no hand labels"
    assert "no hand labels" in str(without.info["notes"])
    with pytest.raises(ValueError, match="allowed: mode, equal_width, round_mean"):
        photographs.make_data("x", "paper", {"data.rule": "median"})


def test_missing_sets_are_named_together(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.rename(trees / "kadis700k", trees / "away")
    with pytest.raises(FileNotFoundError) as caught:
        photographs.make_data("x", "paper", SMALL)
    for words in ("KADIS", "RIQA_DATA/kadis700k", "http", "ref_imgs", "python -m riqa_lib data"):
        assert words in str(caught.value)
    assert "RIQA_DATA/koniq10k" not in str(caught.value)
    monkeypatch.delenv("RIQA_DATA")
    with pytest.raises(FileNotFoundError) as caught:
        photographs.make_data("x", "paper", SMALL)
    for words in (
        "RIQA_DATA, the folder of all data sets, is not set",
        "RIQA_DATA/koniq10k",
        "RIQA_DATA/kadis700k",
    ):
        assert words in str(caught.value)


def test_broken_files_are_reported_at_once(trees: Path) -> None:
    (trees / "koniq10k" / "1024x768" / "1003.jpg").write_bytes(b"hello")
    (trees / "kadis700k" / "ref_imgs" / "photo-4.png").write_bytes(b"hello")
    with pytest.raises(FolderError, match=r"unreadable picture \(2\)"):
        photographs.make_data("x", "paper", SMALL)
    frame, root = koka10k.load()
    (trees / "koniq10k" / "1024x768" / "1005.jpg").unlink()
    with pytest.raises(
        FolderError
    ) as caught:  # a ready frame: missing and unreadable pictures together
        decode.import_frame(frame, root, root / "out", 32, name="t", progress=False)
    assert "3 problem(s)" in str(caught.value)
    assert "missing file (1)" in str(caught.value)
    for folder in (trees / "koniq10k" / "1024x768", trees / "kadis700k" / "ref_imgs"):
        for file in folder.iterdir():
            file.unlink()
    with pytest.raises(FolderError) as caught:  # both sets' own problems in one error
        koka10k.load()
    named = {problem.name for problem in caught.value.problems}
    assert {"1024x768/1005.jpg", "ref_imgs/photo-5.png"} <= named


def test_koka10k_is_made_from_parts_of_its_sets_and_says_so(trees: Path) -> None:
    whole = photographs.make_data("whole", "paper", SMALL)
    for i in (3, 7):
        (trees / "koniq10k" / "1024x768" / f"{1000 + i}.jpg").unlink()
    for i in (0, 1, 2, *range(22, 30)):  # three labelled by hand, eight of the pool
        (trees / "kadis700k" / "ref_imgs" / f"photo-{i}.png").unlink()
    data = photographs.make_data("x", "paper", SMALL)
    assert data.info["name"] == "KOKA10K, a part"
    assert whole.info["name"] == "KOKA10K"
    assert data.frame["source"].value_counts().to_dict() == {
        koka10k.KONIQ: 58,
        koka10k.EXTRA: 17,
        koka10k.POOL: 2,
    }
    notes = {tuple(note[:1] + note[2:3]): note[3] for note in data.info["notes"]}
    assert notes["part of the set", "KonIQ-10k"] == (
        "58 of 60 pictures; not there: 1024x768/1003.jpg, 1024x768/1007.jpg"
    )
    kadis_note = notes["part of the set", "KADIS-700k"]
    assert kadis_note.startswith("19 of 30 pictures; not there: ref_imgs/photo-0.png, ")
    assert kadis_note.endswith(" and 1 more")
    assert notes["hand labels left out", ""] == "3 lines, of pictures that are not there"
    shared = whole.frame.merge(data.frame, on="id")
    assert (shared["grade_x"] == shared["grade_y"]).all()
    # a name that no table has is a fault as ever
    with open(trees / "koka10k" / "extra.csv", "a") as f:
        f.write("photo-99.png,0,me,1,2026-01-01T00:00:00\n")
    with pytest.raises(FolderError, match=r"unknown picture \(1\): row 22: photo-99.png"):
        koka10k.load()
