"""Rows of a table that was stopped: kept, mended, gone on with, or refused."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from riqa_lib.__main__ import main
from riqa_lib.assess import inputs, score_command
from riqa_lib.assess.apart import here
from riqa_lib.assess.unfinished import place_of, unfinished
from riqa_lib.plan.arguments import as_paths

MADE = {"run": "a", "abstention": {"rate": 0.1}, "grades": ("bad", "good")}
ODD = os.fsdecode(b"caf\xe9\n.png")


def row(name: str, page: int | None = None) -> dict:
    return {"file": name, "state": "graded"} | ({"page": page} if page else {})


def stop(place: Path) -> None:
    with unfinished(place, MADE) as kept:
        list(kept.added([row("a.png"), row(ODD), row("b.tif", 2)]))
        raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path) -> Path:
    """A place where three rows were kept before the end."""
    place = place_of(None, tmp_path / "new" / "o.json")
    assert place is not None
    with pytest.raises(KeyboardInterrupt) as caught:
        stop(place)
    assert caught.value.__notes__ == [
        f"{place}: 3 rows are kept; the same command with --resume goes on"
    ]
    return place


def test_what_was_stopped_goes_on(stopped):
    with unfinished(stopped, MADE, resume=True) as kept:
        assert kept.known == {("a.png", None), (ODD, None), ("b.tif", 2)}
        assert kept.states == {"graded": 3}
        assert kept.files == 3
        kept.add(row("c.png"))
        assert [r["file"] for r in kept] == ["a.png", ODD, "b.tif", "c.png"]
    assert not stopped.exists()


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_a_last_row_that_was_cut_off_is_made_again(stopped, cut):
    os.truncate(stopped, stopped.stat().st_size - cut)
    with unfinished(stopped, MADE, resume=True) as kept:
        assert kept.known == {("a.png", None), (ODD, None)}
        kept.add(row("b.tif", 2))
        assert [r["file"] for r in kept] == ["a.png", ODD, "b.tif"]


# ---------------------------------------------------------------- files that were replaced
def look_into(file: str) -> None:
    """What reads a picture."""
    Path(file).read_bytes()


def kept_of(kept, *files: Path) -> None:
    """Rows of files, read as the commands read them."""
    for file in files:
        kept.stamped(here)(look_into, file)
        kept.add(row(str(file)))


@contextmanager
def interrupted(place: Path, resume: bool = False):
    """`unfinished`, stopped where the block ends."""
    with suppress(KeyboardInterrupt), unfinished(place, MADE, resume) as kept:
        yield kept
        raise KeyboardInterrupt


@pytest.fixture
def three(tmp_path) -> list[Path]:
    """Three files, and their rows kept in o.csv.unfinished."""
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for file in files:
        file.write_bytes(b"old")
    with interrupted(tmp_path / "o.csv.unfinished") as kept:
        kept_of(kept, *files)
    return files


def newer(file: Path, data: bytes) -> None:
    """Other contents; the time is set, since clocks of file systems are coarse."""
    file.write_bytes(data)
    os.utime(file, ns=(0, 10**18 + len(data)))


def test_the_row_of_a_file_that_was_replaced_is_not_kept(three, tmp_path):
    a, b, c = three
    newer(a, b"new")  # same size, other time
    before = c.stat()
    c.write_bytes(b"longer")  # other size, same time
    os.utime(c, ns=(before.st_atime_ns, before.st_mtime_ns))
    place = tmp_path / "o.csv.unfinished"
    with unfinished(place, MADE, resume=True) as kept:
        assert kept.known == {(str(b), None)}
        assert kept.states == {"graded": 1}
        assert kept.replaced == {str(a), str(c)}
        kept_of(kept, a, c)
        assert [*kept] == [row(str(f)) for f in (b, a, c)]
        assert place.read_text().count("\n") == 6  # nothing is rewritten


def test_replaced_twice_it_has_one_row(three, tmp_path):
    a, b, c = three
    place = tmp_path / "o.csv.unfinished"
    newer(a, b"new")
    with interrupted(place, resume=True) as kept:
        kept_of(kept, a)
    with interrupted(place, resume=True) as kept:
        assert [r["file"] for r in kept] == [str(f) for f in (b, c, a)]
        assert not kept.replaced
    newer(a, b"newest")
    with interrupted(place, resume=True) as kept:
        kept_of(kept, a)
    a.unlink()  # what was read counts, of the last one
    with unfinished(place, MADE, resume=True) as kept:
        assert [r["file"] for r in kept] == [str(f) for f in (b, c, a)]


def test_a_file_that_is_gone_keeps_its_row_and_one_that_came_is_looked_at(three, tmp_path):
    three[0].unlink()
    late, place = tmp_path / "late.png", tmp_path / "o.csv.unfinished"

    def not_there(file):
        assert not file.exists()

    with interrupted(place, resume=True) as kept:
        kept.stamped(here)(not_there, late)
        kept.add(row(str(late)))
    late.write_bytes(b"here")
    with unfinished(place, MADE, resume=True) as kept:
        assert kept.known == {(str(file), None) for file in three}


def test_replaced_while_it_is_read_it_is_looked_at_again(tmp_path):
    """Pages, too: the first look at the file counts for all."""
    scan, place = tmp_path / "scan.tif", tmp_path / "o.csv.unfinished"
    scan.write_bytes(b"old")
    with interrupted(place) as kept:
        call = kept.stamped(here)
        call(look_into, scan)
        newer(scan, b"new")
        for page in (1, 2):
            call(look_into, scan)
            kept.add(row(str(scan), page))
    with unfinished(place, MADE, resume=True) as kept:
        assert (kept.known, kept.replaced) == (set(), {str(scan)})


def test_cut_off_in_its_first_line_it_begins_anew(stopped):
    os.truncate(stopped, 5)
    with unfinished(stopped, MADE, resume=True) as kept:
        assert kept.known == set()
        kept.add(row("a.png"))
        assert [*kept] == [row("a.png")]


def test_without_resume_it_begins_anew(stopped):
    with unfinished(stopped, MADE) as kept:
        assert [*kept] == []


def test_rows_of_another_model_or_of_other_settings_are_refused(stopped):
    before = stopped.read_bytes()
    for changed, said in (
        ({"run": "b"}, "run was 'a', is 'b'"),
        ({"abstention": {"rate": 0.2}}, "abstention.rate was 0.1, is 0.2"),
        ({"windows": 3}, "windows was None, is 3"),
    ):
        with pytest.raises(ValueError, match=said), unfinished(stopped, MADE | changed, True):
            pytest.fail("went on")
    assert stopped.read_bytes() == before


@pytest.mark.parametrize("wrong", [b"no json\n", b"[1]\n", b'{"file": "a"}\n', b"\xff\n"])
def test_a_damaged_row_is_named_by_file_and_line(stopped, wrong):
    lines = stopped.read_bytes().splitlines(keepends=True)
    stopped.write_bytes(b"".join([*lines[:2], wrong, *lines[2:]]))
    with (
        pytest.raises(ValueError, match=r"o\.json\.unfinished, line 3: damaged"),
        unfinished(stopped, MADE, True),
    ):
        pytest.fail("went on")


def test_two_at_once_are_refused(stopped):
    with (
        unfinished(stopped, MADE, resume=True),
        pytest.raises(ValueError, match="another riqa"),
        unfinished(stopped, MADE, resume=True),
    ):
        pytest.fail("went on")


def test_nothing_is_left_where_there_was_no_row_and_nothing_kept_without_a_table(tmp_path):
    with pytest.raises(OSError), unfinished(tmp_path / "o.csv.unfinished", MADE):  # noqa: PT011
        raise OSError
    with unfinished(None, MADE, resume=True) as kept:
        assert [*kept.added([row("a")])] == [row("a")]
        assert [*kept] == []
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("command", ["assess", "score"])
def test_a_table_that_is_finished_is_left_as_it_is(tmp_path, capsys, command):
    """Before a network is looked for: there is none."""
    (tmp_path / "a.png").touch()
    (tmp_path / "o.csv").write_text("file,state,likeliest\nmade,be,fore\n")
    asked = [command, str(tmp_path / "a.png"), "--resume"]
    assert main([*asked, "--csv", str(tmp_path / "o.csv")]) == 0
    assert "o.csv: finished before, nothing to go on with" in capsys.readouterr().out
    assert (tmp_path / "o.csv").read_text() == "file,state,likeliest\nmade,be,fore\n"
    assert main(asked) == 1
    assert "--resume goes on with a table" in capsys.readouterr().err


def test_what_is_said_of_a_page_can_be_done(tmp_path):
    """--resume takes no --report, so that is left out of the words that say how to go on."""
    place = tmp_path / "o.csv.unfinished"
    error = OSError()
    with pytest.raises(OSError), unfinished(place, MADE, without="--report") as kept:  # noqa: PT011, PT012
        kept.add(row("a"))
        raise error
    (note,) = error.__notes__
    assert note.endswith("the same command with --resume, but without --report, goes on")


def test_a_page_cannot_go_on(tmp_path, capsys):
    (tmp_path / "a.png").touch()
    asked = ["assess", str(tmp_path / "a.png"), "--csv", "o.csv", "--report", "o.html", "--resume"]
    assert main(asked) == 1
    assert "leave out --report, whose page needs another run" in capsys.readouterr().err


def test_known_pages_are_passed_over(tmp_path):
    from PIL import Image

    pages = [Image.new("RGB", (9 + k, 9)) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "b.png")
    a, b = str(tmp_path / "a.tif"), str(tmp_path / "b.png")
    left = inputs.pages([tmp_path], known={(a, 1), (a, 3), (b, None)})
    assert [*left] == [inputs.Page(Path(a), 2)]


# ---------------------------------------------------------------- words that begin like options
def test_files_whose_names_begin_like_options_are_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("-2.png", "--3.png", "-h"):
        (tmp_path / name).touch()
    typed = ["score", "-2.png", "--3.png", "-h", "--csv", "-*.png", "-4.png"]
    assert as_paths(typed) == [
        *("score", "./-2.png", "./--3.png", "-h", "--csv", "./-*.png", "-4.png"),
    ]
    assert [str(f) for f in inputs.files(as_paths(["-2.png"]))] == ["-2.png"]
    assert main(["score", "-2.png", "--rate", "7"]) == 1
    assert "rate = 7.0" in capsys.readouterr().err


def test_less_than_a_pixel_is_refused(tmp_path, capsys):
    (tmp_path / "a.png").touch()
    assert main(["assess", str(tmp_path / "a.png"), "--max-pixels", "0"]) == 1
    assert "--max-pixels 0: expected 1 or more" in capsys.readouterr().err


def test_interrupted_it_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stopped_by_hand(*_, **__):
        stop(tmp_path / "o.csv.unfinished")

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(score_command, "command", stopped_by_hand)
    assert main(["score", str(tmp_path / "a.png"), "--csv", str(tmp_path / "o.csv")]) == 130
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "riqa: interrupted"
    assert said[1].endswith("3 rows are kept; the same command with --resume goes on")
