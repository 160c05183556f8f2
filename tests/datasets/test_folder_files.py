"""Which file a table means: matched where that is unambiguous and told, else a hint."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from own_folders import make_folder, notes, problems, read, write

from riqa_lib.datasets.file_matching import Files

CAFE = "café 1.jpg"
NFC, NFD = (unicodedata.normalize(form, CAFE) for form in ("NFC", "NFD"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_folder(tmp_path, ["IMG_0001.jpg", "IMG_0002.JPG", "sub/IMG_0003.png", "v1.2.jpg"])


def found(root: Path, *written: str) -> list[str]:
    """Paths of a table with these names."""
    write(root, "name;mos\n" + "".join(f"{name};1\n" for name in written))
    frame = read(root)
    assert frame["id"].tolist() == [*written]
    return frame["path"].tolist()


def test_as_written_nothing_is_told(photos: Path) -> None:
    every = ["IMG_0001.jpg", "IMG_0002.JPG", "sub/IMG_0003.png", "v1.2.jpg"]
    write(photos, "name,mos\n" + "".join(f"{name},1\n" for name in every))
    assert read(photos)["path"].tolist() == every
    assert notes(photos) == ""
    assert found(photos, ".\\sub//IMG_0003.png") == ["sub/IMG_0003.png"]


@pytest.mark.parametrize(
    ("written", "path", "how"),
    [
        ("IMG_0001", "IMG_0001.jpg", "with an ending added"),
        ("v1.2", "v1.2.jpg", "with an ending added"),  # .2 is no ending of a picture
        ("IMG_0001.JPG", "IMG_0001.jpg", "in other case or Unicode form"),
        ("img_0002.jpg", "IMG_0002.JPG", "in other case or Unicode form"),
        ("img_0002", "IMG_0002.JPG", "with an ending added"),
        ("Sub/img_0003.PNG", "sub/IMG_0003.png", "in other case or Unicode form"),
        ("photos/IMG_0001.jpg", "IMG_0001.jpg", "without the folder in front"),
        ("my/Photos/sub/IMG_0003.png", "sub/IMG_0003.png", "without the folder in front"),
        ("C:\\me\\photos\\IMG_0001.jpg", "IMG_0001.jpg", "without the folder in front"),
        ("../photos/IMG_0001.jpg", "IMG_0001.jpg", "without the folder in front"),
        (
            "photos\\img_0001",
            "IMG_0001.jpg",
            "without the folder in front, with an ending added",
        ),
    ],
)
def test_other_spellings(photos: Path, written: str, path: str, how: str) -> None:
    assert found(photos, written) == [path]
    shown = written.replace("\\", "/")
    assert f"files found {how}: 1: {shown} is {path}" in notes(photos)


def test_absolute_paths_below_the_folder(photos: Path, tmp_path: Path) -> None:
    assert found(photos, str(photos / "sub" / "IMG_0003.png")) == ["sub/IMG_0003.png"]
    (tmp_path / "link").symlink_to(photos)
    root = tmp_path / "link"
    assert found(root, str(photos / "IMG_0001.jpg")) == ["IMG_0001.jpg"]
    assert found(root, str(root / "IMG_0001.jpg")) == ["IMG_0001.jpg"]


@pytest.mark.parametrize(("in_table", "on_disk"), [(NFC, NFD), (NFD, NFC)])
def test_names_as_a_mac_writes_them(tmp_path: Path, in_table: str, on_disk: str) -> None:
    root = make_folder(tmp_path, [on_disk])
    assert found(root, in_table) == [on_disk]
    assert found(root, in_table.removesuffix(".jpg")) == [on_disk]
    assert found(root, in_table.upper()) == [on_disk]


def test_many_are_counted_the_first_are_named(tmp_path: Path) -> None:
    root = make_folder(tmp_path, [f"{k:03d}.png" for k in range(50)])
    write(root, "name,mos\n" + "".join(f"{k:03d},{k}\n" for k in range(50)))
    frame = read(root)
    assert frame["path"].tolist() == [f"{k:03d}.png" for k in range(50)]
    told = (
        "files found with an ending added: 50: 000 is 000.png, 001 is 001.png, 002 is 002.png, .."
    )
    assert told in notes(root)
    assert len(frame.attrs["notes"]) == 1


def test_ambiguous_names_are_a_problem(tmp_path: Path) -> None:
    root = make_folder(tmp_path, ["a.jpg", "a.png", "B.jpg", "b.JPG", "c.jpg", "c.txt"])
    write(root, "name,mos\na,1\nb.jpg,2\nc,3\na.png,4\n")
    said = problems(root)
    assert (
        "ambiguous file (2): row 2: a: may be a.jpg, a.png; row 3: b.jpg: may be B.jpg, b.JPG"
        in said
    )
    assert "2 problem(s)" in said  # c.txt is no picture, a.png is written out


def test_an_ending_is_added_to_names_without_one_only(photos: Path) -> None:
    (photos / "x.jpg.png").write_bytes(b"x")
    assert found(photos, "x.jpg.png") == ["x.jpg.png"]
    write(photos, "name,mos\nx.jpg,1\n")
    assert "missing file (1): row 2: x.jpg: did you mean x.jpg.png?" in problems(photos)


def test_one_file_under_two_names(photos: Path) -> None:
    write(photos, "name,mos\nIMG_0001.jpg,1\nimg_0001,2\n")
    assert "doubled file (1): row 3: img_0001: IMG_0001.jpg is also in row 2" in problems(photos)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("IMG_0003.png", "sub/IMG_0003.png"),  # in another folder
        ("IMG_0001.png", "IMG_0001.jpg"),  # another ending
        ("IMG_00001.jpg", "IMG_0001.jpg"),
        ("elsewhere/IMG_0001.jpg", "IMG_0001.jpg"),
    ],
)
def test_hints(photos: Path, written: str, hint: str) -> None:
    write(photos, f"name,mos\n{written},1\n")
    said = f"missing file (1): row 2: {written}: did you mean {hint}?"
    assert said in problems(photos)


def test_a_hint_names_no_file_that_another_row_has(photos: Path) -> None:
    write(photos, "name,mos\nIMG_0001.jpg,1\nIMG_00001.jpg,1\nzebra.gif,2\n")
    said = problems(photos)
    assert "did you mean IMG_0001.jpg?" not in said
    assert "row 3: IMG_00001.jpg: did you mean IMG_0002.JPG?" in said
    assert said.endswith("row 4: zebra.gif")
    write(photos, "name,mos\nIMG_0001.jpg,1\nIMG_0001.png,1\n")
    assert "row 3: IMG_0001.png: did you mean IMG_0002.JPG?" in problems(photos)


def test_a_hint_beside_a_path_of_its_own(photos: Path) -> None:
    write(photos, "name,mos,file\n1,1,IMG_00001.jpg\n")
    said = "missing file (1): row 2: 1: IMG_00001.jpg; did you mean IMG_0001.jpg?"
    assert said in problems(photos, path="file")


@pytest.mark.parametrize(
    "outside", ["../scores.csv", "/etc/hosts", "C:\\IMG_0001.jpg", "photos/../../scores.csv", "/"]
)
def test_nothing_outside_the_folder_is_read(photos: Path, outside: str) -> None:
    write(photos, f"name,mos\n{outside},1\n")
    assert f"path outside the folder (1): row 2: {outside}" in problems(photos)


def test_hidden_and_linked_files_of_the_table_are_found(photos: Path, tmp_path: Path) -> None:
    (photos / ".hidden.jpg").write_bytes(b"hidden")
    other = tmp_path / "other"
    other.mkdir()
    (other / "far.jpg").write_bytes(b"far")
    (photos / "linked").symlink_to(other)
    assert found(photos, ".hidden.jpg", "linked/far.jpg") == [".hidden.jpg", "linked/far.jpg"]


# ---------------------------------------------------------------- left out, where that is asked for
def test_rows_without_their_file_are_left_out(photos: Path) -> None:
    (photos / "v1.2.jpg").write_bytes(b"")
    write(photos, "name,mos\nIMG_0001.jpg,1\ngone.jpg,2\nv1.2.jpg,3\nIMG_0002.JPG,90\n")
    assert "2 problem(s)" in problems(photos)
    frame = read(photos, bad="skip")
    assert frame["id"].tolist() == ["IMG_0001.jpg", "IMG_0002.JPG"]
    assert frame["grade"].tolist() == [0, 4]
    assert frame["row"].tolist() == [2, 5]
    said = notes(photos, bad="skip")
    assert "left out: missing file (1): row 3: gone.jpg" in said
    assert "left out: empty file (1): row 4: v1.2.jpg" in said
    write(photos, "name,mos\nIMG_0001.jpg,1\ngone.jpg,x\n")
    assert "mos is not a number (1): row 3: gone.jpg: 'x'" in problems(photos, bad="skip")
    write(photos, "name,mos\nx.jpg,1\ngone.jpg,2\n")  # the wrong folder: nothing is left
    assert "missing file (2)" in problems(photos, bad="skip")
    with pytest.raises(ValueError, match="bad = 'ignore': expected stop or skip"):
        read(photos, bad="ignore")


# ---------------------------------------------------------------- many
def test_many_missing_files_take_no_longer_than_a_moment(tmp_path: Path) -> None:
    """Hints are looked for of those only that a message shows."""
    root = make_folder(tmp_path, [f"IMG_{k:05d}.jpg" for k in range(3000)])
    write(root, "name,mos\n" + "".join(f"IMG_{k:05d}x.png,1\n" for k in range(3000)))
    start = time.process_time()
    said = problems(root)
    assert time.process_time() - start < 8  # 1.5 s where nothing else runs; all hints: minutes
    assert "missing file (3000)" in said
    assert said.count("did you mean") == 10


def test_files_are_listed_once(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    made = Files.__init__

    def count(self: Files, root: Path) -> None:
        listed.append(root)
        made(self, root)

    monkeypatch.setattr(Files, "__init__", count)
    write(photos, "name,mos\nIMG_0001,1\nIMG_0002,2\n")
    read(photos, pool=True)
    assert listed == [photos]
