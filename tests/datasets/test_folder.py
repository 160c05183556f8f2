from __future__ import annotations

import subprocess
import sys
import warnings
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import real_data

from riqa_lib import paths
from riqa_lib.datasets.folder import read_folder
from riqa_lib.datasets.problems import FolderError
from riqa_lib.stats.votes import equal_width, mode_grade, round_mean_grade

DECLARED = {"id": "name", "score": "mos", "low": 0, "high": 100}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty "pictures" (the tables floor never decodes them), a.jpg .. t.jpg, with a table beside
    them."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(20):
        (root / f"{chr(97 + i)}.jpg").write_bytes(b"picture %d" % i)
    write(root, [f"{chr(97 + i)}.jpg,{i * 5 + 1},s{i % 2}" for i in range(20)])
    return root


def write(
    root: Path, rows: list[str], header: str = "name,mos,subset", encoding: str = "utf-8"
) -> Path:
    table = root.parent / "scores.csv"
    table.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return table


def read(root: Path, **changed: object) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_folder(root, root.parent / "scores.csv", **(DECLARED | changed))  # type: ignore[arg-type]


def problems(root: Path, **changed: object) -> str:
    with pytest.raises(FolderError) as caught:
        read(root, **changed)
    return str(caught.value)


# ---------------------------------------------------------------- good input
def test_a_frame(photos: Path) -> None:
    frame = read(photos, source="subset")
    assert list(frame) == ["id", "path", "group", "source", "split", "grade", "score", "row"]
    assert frame["grade"].tolist() == [i // 4 for i in range(20)]
    assert frame["score"].tolist() == [i * 5.0 + 1 for i in range(20)]
    assert frame["row"].tolist() == list(range(2, 22))
    assert frame["source"].tolist()[:2] == ["s0", "s1"]
    assert (frame["group"] == frame["id"]).all()
    # per class of 4: 2, 1, 1
    assert frame["split"].value_counts().to_dict() == {"train": 10, "val": 5, "test": 5}


def test_lower_is_better_is_turned_round(photos: Path) -> None:
    frame = read(photos, higher_is_better=False)
    assert frame["score"].tolist() == [99.0 - i * 5 for i in range(20)]
    assert frame["grade"].tolist() == [4 - i // 4 for i in range(20)]


@pytest.mark.parametrize(
    ("changed", "grades"),
    [
        ({}, [3, 2, 1, 0, 3]),
        ({"low": 1, "high": 4}, [3, 2, 1, 0, 2]),
        ({"higher_is_better": False}, [3, 2, 1, 0, 0]),
    ],
)
def test_grades_by_their_names_and_by_number(photos: Path, changed: dict, grades: list) -> None:
    """Names are in order, the worst first, whichever way the numbers run."""
    told = {"grade": "mos", "classes": 4, "names": ["D", "C", "B", "A"], "low": None, "high": None}
    write(photos, [f"{n}.jpg,{g},x" for n, g in zip("abcde", "ABCD3", strict=True)])
    for c in "fghijklmnopqrst":
        (photos / f"{c}.jpg").unlink()
    assert read(photos, score=None, **(told | changed))["grade"].tolist() == grades
    write(photos, [f"{n}.jpg,{g},x" for n, g in zip("abcde", "ABCDE", strict=True)])
    text = problems(photos, score=None, **(told | changed))
    assert "'E', no number and none of names = ['D', 'C', 'B', 'A']" in text
    write(photos, [f"{n}.jpg,{g},x" for n, g in zip("abcde", "ABCD9", strict=True)])
    text = problems(photos, score=None, **(told | changed))
    assert ("expected 0 to 3, unless low and high are declared" in text) == ("low" not in changed)


def test_grades_as_given_from_one_and_turned(photos: Path) -> None:
    write(photos, [f"{c}.jpg,{1 + i},x" for i, c in enumerate("abcde")])
    for c in "fghijklmnopqrst":
        (photos / f"{c}.jpg").unlink()
    plain = read(photos, score=None, grade="mos", low=1, high=5)
    assert plain["grade"].tolist() == [0, 1, 2, 3, 4]
    assert plain["score"].isna().all()
    turned = read(photos, score=None, grade="mos", low=1, high=5, higher_is_better=False)
    assert turned["grade"].tolist() == [4, 3, 2, 1, 0]


def test_votes_give_mode_or_round_mean_and_a_mean_score(photos: Path) -> None:
    for c in "cdefghijklmnopqrst":
        (photos / f"{c}.jpg").unlink()
    write(photos, ["a.jpg,0,.5,.5,0,0,4", "b.jpg,0,0,.25,0,.75,4"], "name,c1,c2,c3,c4,c5,n")
    votes = {"score": None, "low": None, "high": None, "votes": ["c1", "c2", "c3", "c4", "c5"]}
    mode = read(photos, **votes)
    assert mode["grade"].tolist() == [1, 4]  # a tie goes to the lower class
    assert mode["score"].tolist() == [2.5, 4.5]
    assert read(photos, **votes, total="n", rule="round_mean")["grade"].tolist() == [
        2,
        4,
    ]  # halves go up
    with pytest.raises(ValueError, match="declare the column total="):
        read(photos, **votes, rule="round_mean")


def test_groups_splits_paths_and_separator(photos: Path) -> None:
    (photos / "sub").mkdir()
    for c in "abcd":
        (photos / f"{c}.jpg").rename(photos / "sub" / f"{c}.jpg")
    for c in "efghijklmnopqrst":
        (photos / f"{c}.jpg").unlink()
    write(
        photos,
        [
            f"{i};.\\sub\\{c}.jpg;{i};{g};{s}"
            for i, c, g, s in [
                (1, "a", "p", "Training"),
                (2, "b", "p", "train"),
                (3, "c", "q", "VAL"),
                (4, "d", "r", "test"),
            ]
        ],
        "number;file;mos;patient;set",
    )
    frame = read(photos, id="number", path="file", group="patient", split="set", separator=";")
    assert frame["id"].tolist() == ["1", "2", "3", "4"]
    assert frame["path"].tolist() == ["sub/a.jpg", "sub/b.jpg", "sub/c.jpg", "sub/d.jpg"]
    assert frame["split"].tolist() == ["train", "train", "val", "test"]
    assert frame["group"].tolist() == ["p", "p", "q", "r"]


def test_byte_order_mark_blank_lines_and_another_encoding(photos: Path) -> None:
    table = photos.parent / "scores.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\nb.jpg", b"\n\nb.jpg"))
    assert read(photos)["row"].tolist() == [2, *range(4, 23)]
    table.write_bytes(table.read_bytes().replace(b",s0", b',"s\n0"', 1))  # a cell of two lines
    assert read(photos)["row"].tolist() == [2, *range(5, 24)]
    write(photos, [f"{chr(97 + i)}.jpg,{i},é" for i in range(20)], encoding="latin-1")
    assert set(read(photos, source="subset", encoding="latin-1")["source"]) == {"é"}


def test_equal_width_against_exact_fractions() -> None:
    for classes in (2, 5, 7):
        for k in range(101):
            exact = min(floor(Fraction(k, 100) * classes), classes - 1)
            assert equal_width([k / 100], 0, 1, classes) == exact
            assert (
                equal_width([1 - (100 - k) / 100], 0, 1, classes) == exact
            )  # 1 - .8 is a little less than .2
            assert equal_width([k], 0, 100, classes) == exact


def test_vote_rules_against_exact_fractions() -> None:
    votes = np.random.default_rng(0).multinomial(8, [0.1, 0.2, 0.3, 0.3, 0.1], size=500)
    for row, mode, mean in zip(votes, mode_grade(votes), round_mean_grade(votes), strict=True):
        assert mode == min(k for k in range(5) if row[k] == max(row))
        assert mean == floor(Fraction(int((row * np.arange(5)).sum()), 8) + Fraction(1, 2))


# ---------------------------------------------------------------- bad input
def test_everything_wrong_is_reported_at_once(photos: Path) -> None:
    (photos / "d.jpg").write_bytes(b"")
    write(
        photos,
        [
            "a.jpg,50,x",
            "gone.jpg,10,x",
            "b.jpg,101,x",
            "b.jpg,3,x",
            "c.jpg,nan,x",
            "d.jpg,1,x",
            "../scores.csv,4,x",
            "/etc/hosts,4,x",
            "e.jpg,7",
            "f.jpg,,x",
            ",5,x",
            "./g.jpg,abc,x",
            "g.jpg,1,x",
            "C:\\h.jpg,1,x",
        ],
    )
    text = problems(photos)
    for line in (
        "scores.csv: 11 problem(s)",
        "missing file (1): row 3: gone.jpg",
        "mos out of range (1): row 4: b.jpg: 101, expected 0 to 100",
        "doubled id (1): row 5: b.jpg: also in row 4",
        "mos is not a number (1): row 13: ./g.jpg: 'abc'",  # c and f have none: the pool
        "empty file (1): row 7: d.jpg",
        "path outside the folder (3): row 8: ../scores.csv; row 9: /etc/hosts; row 15: C:\\h.jpg",
        "wrong number of cells (1): row 10: e.jpg: 2, expected 3",
        "empty id (1): row 12",
        "doubled file (1): row 14: g.jpg: g.jpg is also in row 13",
    ):
        assert line in text, text


def test_a_declared_subset_column_must_be_there_and_say_something(photos: Path) -> None:
    text = problems(photos, source="place")
    assert text.startswith(paths.shown(photos.parent / "scores.csv"))
    assert "missing column (1): row 1: place: found name, mos, subset" in text
    assert "file" not in text  # the one thing wrong
    write(photos, [f"{chr(97 + i)}.jpg,{i},{'' if i in (3, 7) else 's0'}" for i in range(20)])
    text = problems(photos, source="subset")
    assert "empty source (2): row 5: d.jpg; row 9: h.jpg" in text
    assert set(read(photos)["source"]) == {""}  # not declared: nobody's business


def test_many_of_a_kind_are_counted_not_listed(photos: Path) -> None:
    text = problems(photos, high=20)
    assert "mos out of range (16): row 6: e.jpg: 21, expected 0 to 20" in text
    assert "; and 6 more" in text


@pytest.mark.parametrize("bad", ["inf", "-1", "1e9"])
def test_scores_out_of_range(photos: Path, bad: str) -> None:
    write(photos, [f"a.jpg,{bad},x"])
    assert f"mos out of range (1): row 2: a.jpg: {bad}, expected 0 to 100" in problems(photos)


def test_missing_and_doubled_columns(photos: Path) -> None:
    text = problems(photos, score="MOS", source="place")
    assert "missing column (2): row 1: place: found name, mos, subset; row 1: MOS: found" in text
    assert "missing column (1): row 1: file" in problems(photos, id="file")
    write(photos, ["a.jpg,1,2"], "name,mos,mos")
    assert "doubled column (1): row 1: mos" in problems(photos)
    write(photos, ["a.jpg;1;2"], "name;mos;subset")
    assert "declare separator=" in problems(photos, separator=",")


def test_wrong_encoding_names_the_row(photos: Path) -> None:
    write(photos, ["a.jpg,1,x", "b.jpg,2,é"], encoding="latin-1")
    assert "not utf-8 (1): row 3: byte 0xe9; declare encoding=" in problems(photos)
    write(photos, ["a.jpg,1,x"], encoding="utf-16-be")
    assert "not text" in problems(photos)


@pytest.mark.parametrize("content", ["", "\n \n", ",,\n"])
def test_empty_table(photos: Path, content: str) -> None:
    (photos.parent / "scores.csv").write_text(content)
    assert "empty table" in problems(photos)
    (photos.parent / "scores.csv").write_text("name,mos\n")
    assert "no rows" in problems(photos)


def test_missing_table_and_folder(photos: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv: no such table"):
        read_folder(photos, photos / "none.csv", **DECLARED)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read(photos / "none")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"score": None}, "at least one of score="),
        ({"low": None}, "declare the range of mos"),
        ({"low": 5, "high": 5}, "low < high"),
        ({"rule": "mode"}, "allow equal_width"),
        ({"score": None, "votes": ["mos"]}, "1 columns, expected one for each of 5"),
        ({"score": None, "grade": "mos", "low": 1, "high": 3}, "are not 5 classes"),
        ({"classes": 1}, "expected 2 to 10"),
        ({"fractions": (0.5, 0.5)}, "expected three"),
    ],
)
def test_declarations_that_make_no_sense(photos: Path, changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(photos, **changed)


def test_grades_that_are_not_whole_and_no_votes(photos: Path) -> None:
    write(photos, ["a.jpg,1.5,0", "b.jpg,5,0"])
    text = problems(photos, score=None, low=None, high=None, grade="mos")
    assert "mos is not whole (1): row 2: a.jpg: 1.5" in text
    assert "mos out of range (1): row 3: b.jpg: 5, expected 0 to 4" in text
    write(photos, ["a.jpg,0,0"])
    text = problems(photos, score=None, low=None, high=None, votes=["mos", "subset"], classes=2)
    assert "no votes (1): row 2: a.jpg" in text


def test_splits_and_groups_that_are_wrong(photos: Path) -> None:
    write(photos, ["a.jpg,1,dev,p", "b.jpg,1,train,", "c.jpg,1,,q"], "name,mos,set,patient")
    text = problems(photos, split="set", group="patient")
    assert "unknown split (1): row 2: a.jpg: 'dev', expected train, val, test, pool" in text
    assert "empty split (1): row 4: c.jpg" in text
    assert "empty group (1): row 3: b.jpg" in text
    write(photos, ["a.jpg,1,test,p", "b.jpg,1,train,p"], "name,mos,set,patient")
    assert "group in more than one split (1): row 2: p: train, test" in problems(
        photos, split="set", group="patient"
    )


def test_duplicate_pictures_are_kept_together_or_refused(photos: Path) -> None:
    for c in "bcdt":
        (photos / f"{c}.jpg").write_bytes(b"picture 0")  # as a.jpg
    with pytest.warns(
        UserWarning, match=r"duplicate picture \(4\): row 3: b.jpg: same bytes as a.jpg"
    ) as caught:
        frame = read_folder(photos, photos.parent / "scores.csv", **DECLARED)  # type: ignore[arg-type]
    assert "row 21: t.jpg: same bytes as a.jpg, but grade 4 and 0" in str(caught[0].message)
    same = frame[frame["id"].isin([f"{c}.jpg" for c in "abcdt"])]
    assert len(same) == 5
    assert set(same["group"]) == {"a.jpg"}
    assert len(set(same["split"])) == 1
    write(photos, ["a.jpg,1,train", "b.jpg,1,test"])
    text = problems(photos, split="subset")
    assert "group in more than one split (1): row 2: a.jpg: train, test" in text
    assert "duplicate picture (1): row 3: b.jpg: same bytes as a.jpg" in text


def test_extra_files_are_reported_not_fatal(photos: Path) -> None:
    (photos / "more").mkdir()
    for name in ("z.jpg", "more/y.jpg", ".hidden"):
        (photos / name).write_bytes(b"x" + name.encode())
    words = "declare pool=true to learn from pictures without a score"
    with pytest.warns(
        UserWarning, match=rf"file not in the table \(2\): more/y.jpg: {words}; z.jpg"
    ):
        frame = read_folder(photos, photos.parent / "scores.csv", **DECLARED)  # type: ignore[arg-type]
    assert len(frame) == 20
    assert [n[0] for n in frame.attrs["notes"]] == ["file not in the table"] * 2
    for name in ("z.jpg", "more/y.jpg"):
        (photos / name).unlink()
    (photos / "z.txt").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"file not in the table \(1\): z.txt$"):
        read_folder(photos, photos.parent / "scores.csv", **DECLARED)  # type: ignore[arg-type]


def test_the_tables_floor_needs_no_pillow_or_torch() -> None:
    code = (
        "import sys, riqa_lib.datasets.folder; "
        "print([m for m in ('PIL', 'torch', 'skimage') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=paths.ROOT
    )
    assert out.stdout.strip() == "[]"


# ---------------------------------------------------------------- real tables
@pytest.mark.real
def test_koniq_label_counts() -> None:
    """Counts found by us in the published votes: the mode and the rounded mean (half up) of 10,073
    pictures."""
    table = pd.read_csv(real_data("labels", "koniq10k_distributions_sets.csv"))
    shares = table[["c1", "c2", "c3", "c4", "c5"]].to_numpy()
    assert np.bincount(mode_grade(shares), minlength=5).tolist() == [76, 1379, 5150, 3468, 0]
    counts = shares * table[["c_total"]].to_numpy()
    assert np.bincount(round_mean_grade(counts), minlength=5).tolist() == [55, 1320, 5388, 3310, 0]


@pytest.mark.real
def test_biq2021_table() -> None:
    folder = real_data("biq2021")
    frame = read_folder(
        folder / "images",
        folder / "scores.csv",
        id="image_name",
        score="MOS",
        source="subset",
        low=0,
        high=1,
    )
    assert len(frame) == 10_000
    assert np.bincount(frame["grade"]).tolist() == [329, 1071, 1829, 4802, 1969]
    assert set(frame["source"]) == {"ss01", "ss02", "ss03"}
