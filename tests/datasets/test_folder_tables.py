"""Tables as people have them: any separator, decimal commas, no header, workbooks, Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook
from own_folders import make_folder, notes, problems, read, write

from riqa_lib.datasets.table_words import encoding_of, separator_in, separator_of

NAMES = ["a.jpg", "b, c.jpg", "d e.jpg", "f.jpg"]
SCORES = [10, 2.5, 33, 100]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_folder(tmp_path, NAMES)


def right(frame: pd.DataFrame) -> None:
    assert frame["id"].tolist() == NAMES
    assert frame["score"].tolist() == SCORES
    assert frame["grade"].tolist() == [0, 0, 1, 4]


def text(separator: str, decimal: str = ".", header: str = "name,mos") -> str:
    """The table; a cell that has the separator in it is quoted."""
    cells = [header.split(",")] if header else []
    cells += [[n, str(s).replace(".", decimal)] for n, s in zip(NAMES, SCORES, strict=True)]
    quoted = [[f'"{c}"' if separator in c else c for c in row] for row in cells]
    return "".join(separator.join(row) + "\n" for row in quoted)


# ---------------------------------------------------------------- separators
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("decimal", [".", ","])
def test_the_separator_is_seen_and_told(photos: Path, separator: str, decimal: str) -> None:
    write(photos, text(separator, decimal))
    right(read(photos, decimal=decimal))
    shown = {"\t": "tab", " ": "blank"}.get(separator, repr(separator))
    said = f"separator: {shown} (seen in it; separator= declares another)"
    assert (said in notes(photos, decimal=decimal)) == (separator != ",")
    assert "separator" not in notes(photos, decimal=decimal, separator=separator)


@pytest.mark.parametrize("word", ["tab", "\\t", "\t", "TAB"])
def test_words_for_a_tab(photos: Path, word: str) -> None:
    write(photos, text("\t"))
    right(read(photos, separator=word))


def test_other_words_for_separators() -> None:
    words = ("comma", "semicolon", "pipe", "space", "blank", "; ", ", ")
    assert "".join(map(separator_of, words)) == ",;|  ;,"
    for wrong in ("", "::", "tabs", '"', "\n"):
        with pytest.raises(ValueError, match="expected one character, or tab, comma"):
            separator_of(wrong)


@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ",")]
)
def test_columns_named_otherwise_are_told_one_by_one(photos: Path, separator, decimal) -> None:
    write(photos, text(separator, decimal, header="nome,mo"))
    said = problems(photos)
    assert "name: found nome, mo; did you mean nome?" in said
    assert "mos: found nome, mo; did you mean mo?" in said
    assert "is the separator" not in said


def test_a_declared_separator_is_taken_at_its_word(photos: Path) -> None:
    write(photos, text(";"))
    said = problems(photos, separator=",")
    assert "missing column (2): row 1: name: found name;mos; is the separator another one?" in said


def test_the_header_decides_not_the_cells() -> None:
    assert separator_in('"a;b",c\n1;2;3,4\n', ["a;b", "c"]) == ","
    assert separator_in("x\n1,5\n", ["name"]) == ","  # none splits it
    assert separator_in("file name;score\n1,5 2,5;3\n", ["file name", "score"]) == ";"


@pytest.mark.parametrize(
    "first", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r", "\ufeffsep=;", "sep=|", "sep=\t", "sep=:"]
)
def test_excel_s_first_line(photos: Path, first: str) -> None:
    separator = first.strip('"\r')[-1]
    write(photos, f"{first}\n{text(separator)}")
    frame = read(photos)
    right(frame)
    assert frame["row"].tolist() == [3, 4, 5, 6]  # lines of the file
    assert "(its first line says so)" in notes(photos)
    write(photos, f"sep=;\n{text(',')}")
    right(read(photos, separator=","))  # declared otherwise


# ---------------------------------------------------------------- numbers
def test_a_decimal_comma_that_is_not_declared(photos: Path) -> None:
    write(photos, "name;mos\na.jpg;3,5\nf.jpg;7,25\n")
    said = problems(photos)
    assert "mos is not a number (2): row 2: a.jpg: '3,5'; declare decimal=','; row 3: f.jpg" in said
    assert said.count("declare decimal") == 1


def test_points_are_no_decimal_marks_where_the_comma_is(photos: Path) -> None:
    """1.234,5 and 1.234 would be thousands, or a mistake: never 1.234."""
    write(photos, "name;mos\na.jpg;1.234,5\nf.jpg;1.234\nd e.jpg;1,5\n")
    said = problems(photos, decimal=",", high=10_000)
    assert "mos is not a number (2): row 2: a.jpg: '1.234,5'; row 3: f.jpg: '1.234'" in said


# ---------------------------------------------------------------- rows and header
def test_empty_cells_behind_the_last_column_do_not_count(photos: Path) -> None:
    write(photos, "name,mos\na.jpg,10,\nf.jpg,100,,\n")  # in rows only
    assert read(photos)["score"].tolist() == [10, 100]
    write(photos, "name,mos,,\na.jpg,10,,\nf.jpg,100\n")  # in the header too
    assert read(photos)["score"].tolist() == [10, 100]
    write(photos, "name,mos\na.jpg,10,x\nf.jpg\n")
    said = problems(photos)
    assert "wrong number of cells (2): row 2: a.jpg: 3, expected 2; row 3: f.jpg: 1" in said


def test_without_a_header_columns_are_numbers_or_given_names(photos: Path) -> None:
    write(photos, "1 a.jpg 10 x\n2 f.jpg  100 y\n")  # two blanks are one
    numbers: dict[str, Any] = {"id": 2, "score": 3, "source": "4"}
    frame = read(photos, header=False, **numbers)
    assert frame["id"].tolist() == ["a.jpg", "f.jpg"]
    assert frame["score"].tolist() == [10, 100]
    assert frame["source"].tolist() == ["x", "y"]
    assert frame["row"].tolist() == [1, 2]
    assert frame.attrs["scale"]["score"] == "3"
    frame = read(photos, header=["n", "name", "mos", "cam"], source="cam")
    assert frame["score"].tolist() == [10, 100]
    said = problems(photos, header=False, id=2, score=5, separator=" ")
    assert "missing column (1): 5: found 1, 2, 3, 4" in said
    said = problems(photos, header=["name", "mos"], separator=" ")
    assert "wrong number of cells (2): row 1: 1: 4, expected 2" in said


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_without_a_header_the_separator_is_seen_in_the_rows(photos: Path, separator: str) -> None:
    write(photos, text(separator, header=""))
    right(read(photos, header=False, id=1, score=2))


def test_a_decimal_comma_is_no_separator(photos: Path) -> None:
    write(photos, "a.jpg 10,5\nf.jpg 99,5\n")
    frame = read(photos, header=False, id=1, score=2, decimal=",")
    assert frame["score"].tolist() == [10.5, 99.5]


def test_a_wanted_column_in_other_case_is_a_hint(photos: Path) -> None:
    write(photos, "Name,MOS\na.jpg,1\n")
    said = problems(photos)
    assert "row 1: name: found Name, MOS; did you mean Name?" in said
    assert "row 1: mos: found Name, MOS; did you mean MOS?" in said


# ---------------------------------------------------------------- encodings
@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("cp1252", "ansi"),
        ("cp1252", "ANSI"),
        ("latin-1", "latin1"),
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "ansi"),  # the mark decides
        ("utf-16", "utf-8"),
        ("utf-16", "unicode"),
        ("utf-16-le", "utf-16-le"),
        ("mac-roman", "mac-roman"),
    ],
)
def test_encodings(tmp_path: Path, written: str, declared: str) -> None:
    root = make_folder(tmp_path, ["é.jpg", "a.jpg"])
    write(root, "name;mos;é\né.jpg;1;ü\na.jpg;2;ü\n".encode(written))
    frame = read(root, source="é", encoding=declared)
    assert frame["id"].tolist() == ["é.jpg", "a.jpg"]
    assert frame["source"].tolist() == ["ü", "ü"]


def test_an_unknown_encoding_lists_usual_ones(photos: Path) -> None:
    with pytest.raises(ValueError, match=r"encoding 'utf9' is not known; usual ones: utf-8, .*"):
        read(photos, encoding="utf9")
    with pytest.raises(ValueError, match=r"did you mean cp1252\?"):
        encoding_of("cp1525")
    with pytest.raises(ValueError, match="not known"):
        encoding_of("base64")  # of Python's codecs, but none of text


def test_utf_16_without_its_mark_is_no_text(photos: Path) -> None:
    write(photos, "name,mos\na.jpg,1\n".encode("utf-16-le"))
    assert "not text (1): row 1: a character 0; declare encoding=" in problems(photos)


# ---------------------------------------------------------------- other files
def book(root: Path, tabs: dict[str, list[list[Any]]], name: str = "scores.xlsx") -> None:
    made = Workbook()
    made.remove(made.active)
    for title, rows in tabs.items():
        tab = made.create_sheet(title)
        for row in rows:
            tab.append(row)
    made.save(root.parent / name)


ROWS = [["name", "mos"], *([n, s] for n, s in zip(NAMES, SCORES, strict=True))]


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_workbook(photos: Path, decimal: str) -> None:
    book(photos, {"one": ROWS})
    frame = read(photos, "scores.xlsx", decimal=decimal)
    right(frame)
    assert frame["row"].tolist() == [2, 3, 4, 5]
    assert notes(photos, "scores.xlsx") == ""
    (photos.parent / "scores.xlsx").rename(photos.parent / "scores.csv")
    right(read(photos))  # called what it likes


def test_the_tabs_of_a_workbook(photos: Path) -> None:
    book(photos, {"about": [["made by", "me"]], "Scores": ROWS})
    right(read(photos, "scores.xlsx", sheet="Scores"))
    right(read(photos, "scores.xlsx", sheet=2))
    said = problems(photos, "scores.xlsx", sheet="scores")
    assert "no such sheet (1): scores: found about, Scores; did you mean Scores?" in said
    assert "no such sheet (1): 3: found about, Scores" in problems(photos, "scores.xlsx", sheet=3)
    assert "missing column (2)" in problems(photos, "scores.xlsx")
    book(photos, {"Scores": ROWS, "about": []})
    right(read(photos, "scores.xlsx"))
    assert "sheet: 'Scores' was read, of Scores, about" in notes(photos, "scores.xlsx")
    assert "empty table (1): about" in problems(photos, "scores.xlsx", sheet="about")
    write(photos, text(","))
    assert "no workbook: sheet = 'x', but this is no .xlsx" in problems(photos, sheet="x")


def test_a_workbook_without_a_header(photos: Path) -> None:
    book(photos, {"one": ROWS[1:]})
    right(read(photos, "scores.xlsx", header=False, id=1, score=2))
    right(read(photos, "scores.xlsx", header=["name", "mos"]))


def test_empty_cells_of_a_workbook_are_the_pool_but_no_formulas(photos: Path) -> None:
    rows = [["name", "mos", "x"], ["a.jpg", 1, None], ["f.jpg", None, "=1+1"]]
    book(photos, {"one": rows})
    assert read(photos, "scores.xlsx")["grade"].tolist() == [0, -1]
    rows[2][1] = "=B2*2"  # no program has calculated it: its value is not in the file
    book(photos, {"one": rows})
    said = problems(photos, "scores.xlsx")
    assert "formula without its value (1): row 3: mos: =B2*2; save it in a spreadsheet" in said
    assert load_workbook(photos.parent / "scores.xlsx").active["B3"].value == "=B2*2"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook of before 2007 (.xls): save it as .xlsx"),
        (b"\x1f\x8b\x08\x00", "packed (gzip): unpack it first"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\n<!doctype html>\n", "a web page: download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"PK\x03\x04 no workbook", "unreadable workbook (1): scores.csv: "),
    ],
)
def test_files_that_are_no_table(photos: Path, start: bytes, said: str) -> None:
    write(photos, start)
    assert said in problems(photos)


def parquet(root: Path, table: dict[str, list[Any]]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow (riqa[parquet]) is not installed")
    from pyarrow import parquet as files

    files.write_table(pa.table(table), root.parent / "scores.parquet")


@pytest.mark.parametrize("decimal", [".", ","])
def test_parquet(photos: Path, decimal: str) -> None:
    other = [{"bytes": b"x"}] * 4
    parquet(photos, {"picture": other, "name": NAMES, "mos": SCORES})
    frame = read(photos, "scores.parquet", decimal=decimal)
    right(frame)
    assert frame["row"].tolist() == [1, 2, 3, 4]
    assert notes(photos, "scores.parquet") == ""
    said = problems(photos, "scores.parquet", score="MOS")
    assert "missing column (1): MOS: found picture, name, mos; did you mean mos?" in said


def test_parquet_without_a_score_is_the_pool(photos: Path) -> None:
    parquet(photos, {"name": NAMES, "mos": [1.0, None, float("nan"), 4.0]})
    assert read(photos, "scores.parquet")["grade"].tolist() == [0, -1, -1, 0]


def test_damaged_parquet(photos: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow (riqa[parquet]) is not installed")
    write(photos, b"PAR1 and no more", "scores.parquet")
    assert "not a table: unreadable Parquet: " in problems(photos, "scores.parquet")


def test_parquet_without_pyarrow_names_the_extra(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(photos, b"PAR1 whatever it is", "scores.parquet")
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"scores\.parquet: .*pip install 'riqa\[parquet\]'"):
        read(photos, "scores.parquet")
