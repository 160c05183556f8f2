"""Grading by hand: no grade is lost, whatever happens; the right pictures come; agreement against
slow loops."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from riqa_lib.datasets import hand_labels, koka10k
from riqa_lib.datasets.problems import FolderError
from riqa_lib.labelling import places, window
from riqa_lib.labelling.agree import agreement, confusion
from riqa_lib.labelling.choose import candidates
from riqa_lib.labelling.session import Session
from riqa_lib.seeding import rng


def row(picture: str, grade: object, who: str = "ann", seconds: object = 1.5) -> dict:
    return {
        "id": picture,
        "grade": grade,
        "labeller": who,
        "seconds": seconds,
        "when": "2026-01-01T00:00:00+00:00",
    }


def read_pairs(file) -> dict:
    table = hand_labels.read(file)
    return {(r["id"], r["labeller"]): r["grade"] for r in table.to_dict("records")}


# ---------------------------------------------------------------- the file
def test_the_last_line_of_a_picture_and_labeller_counts(tmp_path):
    file = tmp_path / "deep" / "labels.csv"
    for one in (
        row("a", 0),
        row("b,c", 4),
        row("a", 3),
        row("a", 1, "bob"),
        row("d", 2),
        row("d", ""),
    ):
        hand_labels.append(file, one)
    assert file.read_text().splitlines()[0] == "id,grade,labeller,seconds,when"
    assert len(file.read_text().splitlines()) == 7  # nothing is deleted
    assert read_pairs(file) == {("b,c", "ann"): 4, ("a", "ann"): 3, ("a", "bob"): 1}


def test_no_file_is_no_grades(tmp_path):
    assert hand_labels.read(tmp_path / "none.csv").empty
    hand_labels.append(tmp_path / "one.csv", row("a", 1))
    hand_labels.append(tmp_path / "one.csv", row("a", ""))
    assert hand_labels.read(tmp_path / "one.csv").empty


def test_a_torn_last_line_costs_that_line_only(tmp_path):
    file = tmp_path / "labels.csv"
    for k in range(3):
        hand_labels.append(file, row(f"p{k}" + "-long" * 9 * (k == 2), k))
    file.write_bytes(file.read_bytes()[:-9])  # killed while writing the third
    with pytest.warns(UserWarning, match="cut off and is left out"):
        assert read_pairs(file) == {("p0", "ann"): 0, ("p1", "ann"): 1}
    with pytest.warns(UserWarning, match=r"b'p2-long.* is now in labels\.csv\.torn"):
        hand_labels.append(file, row("p3", 3))
    assert read_pairs(file) == {("p0", "ann"): 0, ("p1", "ann"): 1, ("p3", "ann"): 3}
    assert file.read_bytes().endswith(b"+00:00\n")  # nothing of it is left behind
    assert (tmp_path / "labels.csv.torn").read_bytes().startswith(b"p2-long")


@pytest.mark.parametrize(
    "torn", ["b\u00fc".encode()[:2], b"p9,4", b"p9,4,ann,1.", b"p9,4,ann,1.5,2026-", b'"p9']
)
def test_wherever_a_line_was_cut_off_the_whole_ones_count_for_everyone(tmp_path, torn):
    file = tmp_path / "labels.csv"
    for k in range(3):
        hand_labels.append(file, row(f"p{k}", k))
    file.write_bytes(file.read_bytes() + torn)
    with pytest.warns(UserWarning, match="cut off and is left out"):
        assert read_pairs(file) == {(f"p{k}", "ann"): k for k in range(3)}
    with pytest.warns(UserWarning, match="cut off and is left out"):
        labels, _ = koka10k.hand_labels(file, {"p0", "p1", "p2", "p9"})
    assert labels.to_dict() == {f"p{k}": k for k in range(3)}


def test_a_file_taken_away_while_waiting_for_the_lock_costs_no_line(tmp_path, monkeypatch):
    file, real = tmp_path / "labels.csv", hand_labels.fcntl.flock

    def slow(
        handle, how
    ):  # meanwhile another's first line failed and took its file back, and a third one wrote
        monkeypatch.setattr(hand_labels.fcntl, "flock", real)
        file.unlink()
        hand_labels.append(file, row("other", 2, "bob"))
        real(handle, how)

    monkeypatch.setattr(hand_labels.fcntl, "flock", slow)
    hand_labels.append(file, row("mine", 1))
    assert read_pairs(file) == {("other", "bob"): 2, ("mine", "ann"): 1}


def test_a_full_disk_loses_no_byte_of_a_torn_line(tmp_path, monkeypatch):
    file = tmp_path / "labels.csv"
    hand_labels.append(file, row("a", 1))
    whole = file.read_bytes()
    file.write_bytes(whole + b"torn")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with (
            pytest.warns(UserWarning, match="cut off"),
            pytest.raises(OSError, match="No space left"),
        ):
            hand_labels.append(file, row("b", 2))
    assert (file.read_bytes(), (tmp_path / "labels.csv.torn").read_bytes()) == (whole, b"torn\n")


def test_a_torn_header_is_written_again(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(b"id,gra")
    with pytest.warns(UserWarning, match="cut off"):
        hand_labels.append(file, row("a", 1))
    assert read_pairs(file) == {("a", "ann"): 1}


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("before", [0, 2])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch, call, before):
    file = tmp_path / "labels.csv"
    for k in range(before):
        hand_labels.append(file, row(f"p{k}", k))
    old = file.read_bytes() if before else None
    real_write = os.write

    def full(handle, *rest):
        if call == "write" and rest:
            real_write(handle, rest[0][:4])  # part of it fits
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            hand_labels.append(file, row("new", 1))
    assert (file.read_bytes() if file.exists() else None) == old
    hand_labels.append(file, row("new", 1))
    assert read_pairs(file)[("new", "ann")] == 1


def test_two_processes_lose_nothing(tmp_path):
    file = tmp_path / "labels.csv"
    code = (
        "import os, sys; from riqa_lib.datasets import hand_labels as h\n"
        "open(sys.argv[1] + sys.argv[2], 'w').close()\n"
        "while not all(os.path.exists(sys.argv[1] + w) for w in ('ann', 'bob')): pass\n"
        "for k in range(40): h.append(sys.argv[1], {'id': f'p{k}', 'grade': k % 5,"
        " 'labeller': sys.argv[2], 'seconds': 1, 'when': 'now'})"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(file), who]) for who in ("ann", "bob")
    ]
    assert [r.wait() for r in runs] == [0, 0]
    assert len(file.read_text().splitlines()) == 81
    assert read_pairs(file) == {(f"p{k}", who): k % 5 for k in range(40) for who in ("ann", "bob")}


def test_bad_lines_are_named_by_row_all_at_once(tmp_path):
    file = tmp_path / "labels.csv"
    wrong = [
        "a,5,ann,1,x",
        "b,good,ann,1,x",
        "c,1,ann,soon,x",
        ",1,ann,1,x",
        "e,1,,1,x",
        "f,1,ann,1",
    ]
    lines = ["id,grade,labeller,seconds,when", *wrong]
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(FolderError) as error:
        hand_labels.read(file)
    kinds = {(p.kind, p.row) for p in error.value.problems}
    assert kinds == {
        ("not a grade", 2),
        ("not a grade", 3),
        ("not a time", 4),
        ("nameless", 5),
        ("nameless", 6),
        ("wrong number of cells", 7),
    }
    file.write_text("name,score\na,1\n")
    with pytest.raises(FolderError, match="missing column"):
        hand_labels.read(file)


def test_another_file_is_never_written_to(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("name,score\na,1\n")
    with pytest.raises(
        ValueError, match="row 1: expected id,grade,labeller,seconds,when; it is left as it was"
    ):
        hand_labels.append(file, row("a", 1))
    assert file.read_text() == "name,score\na,1\n"


@pytest.mark.parametrize(
    "wrong",
    [
        row("a", 5),
        row("a", "x"),
        row("a\nb", 1),
        row("a", True),
        row(" ", 1),
        row("a", 1, ""),
        row("a", 1, seconds=-1),
        row("a", 1, seconds="soon"),
        row("a", 1, seconds=float("nan")),
    ],
)
def test_values_that_cannot_be_stored(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"expected 0 to 4|line break|expected an id"):
        hand_labels.append(tmp_path / "labels.csv", wrong)
    assert not (tmp_path / "labels.csv").exists()


def test_koka10k_reads_the_file_as_the_tool_means_it(tmp_path):
    file = tmp_path / "extra.csv"
    for one in (
        row("a", 0),
        row("a", 4),
        row("b", 3),
        row("b", ""),
        row("c", 1),
        row("c", 2, "bob"),
        row("c", 2, "cy"),
    ):
        hand_labels.append(file, one)
    labels, _ = koka10k.hand_labels(file, {"a", "b", "c"})
    assert labels.to_dict() == {"a": 4, "c": 2}


# ---------------------------------------------------------------- which pictures
def predictions(n: int) -> pd.DataFrame:
    p = rng("candidates", "test").dirichlet([1.0] * 5, n)
    return pd.DataFrame({"id": [f"p{k:03d}" for k in range(n)]}).assign(
        **{f"p{k}": p[:, k] for k in range(5)}
    )


def test_candidates_are_the_ends_in_a_mixed_order():
    said = predictions(200)
    pool = said[["id"]]
    chosen = candidates(pool, 40, said, low_share=0.25)
    low = sorted(said.to_dict("records"), key=lambda r: -r["p0"])[:10]
    rest = [r for r in said.to_dict("records") if r["id"] not in {x["id"] for x in low}]
    high = sorted(rest, key=lambda r: -r["p4"])[:30]
    assert set(chosen.loc[chosen["why"] == "lowest", "id"]) == {r["id"] for r in low}
    assert set(chosen.loc[chosen["why"] == "highest", "id"]) == {r["id"] for r in high}
    assert 0 < chosen["why"].eq("lowest").to_numpy()[:20].sum() < 10  # mixed, not one end first
    assert chosen.equals(candidates(pool, 40, said, low_share=0.25))
    assert not chosen["id"].equals(candidates(pool, 40, said, low_share=0.25, seed=1)["id"])
    flat = said.assign(p0=said["p4"])  # both ends at once: a picture comes once
    assert candidates(pool, 40, flat)["id"].is_unique


def test_done_pictures_do_not_come_again_and_without_a_model_they_come_at_random():
    said = predictions(30)
    done = list(said["id"][:25])
    assert set(candidates(said[["id"]], 40, said, done=done)["id"]) == set(said["id"][25:])
    chosen = candidates(said[["id"]], 10, done=done[:5])
    assert set(chosen["why"]) == {"random"}
    assert len(set(chosen["id"]) - set(done[:5])) == 10
    with pytest.raises(ValueError, match="expected at least 1"):
        candidates(said, 0)
    with pytest.raises(ValueError, match="none of the pool"):
        candidates(pd.DataFrame({"id": ["other"]}), 3, said)


# ---------------------------------------------------------------- one person at work
def test_a_session_stores_each_grade_skips_takes_back_and_goes_on(tmp_path):
    file, now = tmp_path / "labels.csv", iter(np.arange(0, 1000, 2.5))
    session = Session(["a", "b", "c"], file, "ann", lambda: float(next(now)))
    assert session.current() == "a"
    session.grade(3)
    assert read_pairs(file) == {("a", "ann"): 3}
    assert hand_labels.read(file)["seconds"][0] == 2.5
    session.skip()
    assert session.current() == "c"
    session.grade(0)
    assert session.current() == "b"  # skipped ones come at the end
    assert session.undo() == "c"
    assert read_pairs(file) == {("a", "ann"): 3}
    again = Session(["a", "b", "c"], file, "ann")
    assert (again.progress, again.current()) == ((1, 3), "b")
    for grade in (1, 2):
        again.grade(grade)
    assert (again.current(), again.progress) == (None, (3, 3))
    assert Session(["a", "b", "c"], file, "bob").progress == (
        0,
        3,
    )  # another's grades are not one's own
    with pytest.raises(ValueError, match="all pictures are graded"):
        again.grade(1)
    assert [again.undo() for _ in range(4)] == ["c", "b", "a", None]
    assert Session(["a", "b", "c"], file, "bob").progress == (0, 3)
    with pytest.raises(ValueError, match="labeller is empty"):
        Session(["a"], file, " ")


def typed(app: window.LabelApp, keys: str) -> list[bool]:
    """Each key pressed on the page that is shown by then; whether it counted."""
    return [app.press(app.turn, app.box.page["id"], key) for key in keys]


def test_a_grade_that_could_not_be_stored_does_not_count(tmp_path, monkeypatch):
    session = Session(["a", "b"], tmp_path / "labels.csv", "ann", names=places.NUMBERED)
    app = window.LabelApp(session, lambda _: np.zeros((4, 6, 3), np.uint8))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        typed(app, "2")
    assert app.box.page["trouble"].startswith("Not stored: ")
    assert (session.current(), session.progress) == ("a", (0, 2))
    typed(app, "2")
    assert session.progress == (1, 2)
    assert app.box.page["trouble"] == ""


def test_the_window_by_its_keys(tmp_path):
    pixels = np.arange(3 * 20 * 20 * 3, dtype=np.uint8).reshape(3, 20, 20, 3)
    reader = places.Reader(pixels, {"a": 0, "b": 1, "c": 2})
    session = Session(["a", "b", "c"], tmp_path / "labels.csv", "ann", names=places.NUMBERED)
    app = window.LabelApp(session, reader, side=100)
    first, page = app.box.picture, app.box.page
    assert np.asarray(Image.open(io.BytesIO(first))).tolist() == pixels[0].tolist()
    assert (page["width"], page["enlarged"], page["sent"], page["state"]) == (20, 5, 1, "picture")
    assert page["can"] == [*"01234", "s"]  # nothing to take back
    assert typed(app, "4sx10") == [True, True, False, True, True]  # c gets 1, b gets 0
    assert app.box.picture != first
    assert read_pairs(session.file) == {("a", "ann"): 4, ("c", "ann"): 1, ("b", "ann"): 0}
    page = app.box.page
    assert (page["state"], page["can"], page["done"], page["all"]) == ("done", ["u"], 3, 3)
    assert app.box.picture == b""
    assert typed(app, "u") == [True]
    assert session.current() == "b"
    assert app.box.page["state"] == "picture"


def test_what_was_typed_for_another_picture_is_dropped(tmp_path):
    """3 and 1 before the window had an answer: both carry the first picture's turn."""
    session = Session([*"abc"], tmp_path / "labels.csv", "ann", names=places.NUMBERED)
    app = window.LabelApp(session, lambda _: np.zeros((4, 6, 3), np.uint8))
    seen = {"turn": app.turn, "id": "a"}
    for key in "3113":
        app._told(app.box, seen | {"key": key}, [])
    app._told(app.box, {"turn": app.turn, "id": "a", "key": "1"}, [])  # its turn, another's name
    for nonsense in ({}, {"turn": app.turn}, {"turn": app.turn, "id": "b", "key": 3}, "1", None):
        app._told(app.box, nonsense, [])
    assert read_pairs(session.file) == {("a", "ann"): 3}
    app._told(app.box, {"turn": app.turn, "id": "b", "key": "1"}, [])
    assert read_pairs(session.file) == {("a", "ann"): 3, ("b", "ann"): 1}


def test_a_picture_that_cannot_be_read_is_named_can_be_skipped_and_gets_no_grade(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    session = Session(["a", "b"], tmp_path / "labels.csv", "ann", names=places.NUMBERED)
    reader = places.Reader(tmp_path, {"a": "a.png", "b": "b.png"})
    app = window.LabelApp(session, reader)
    assert "a.png: not a picture; skip it" in app.box.page["words"]
    assert typed(app, "4") == [False]  # nobody saw it
    assert session.progress == (0, 2)
    assert typed(app, "s") == [True]
    assert session.current() == "b"
    assert "b.png: missing file; no other picture is left" in app.box.page["words"]


# ---------------------------------------------------------------- what the browser gets
def test_a_large_picture_is_reduced_for_the_browser_and_shown_in_parts_as_it_is(tmp_path):
    wide = rng("wide").integers(0, 256, (300, 3000, 3), np.uint8)
    session = Session(["a"], tmp_path / "labels.csv", "ann")
    app = window.LabelApp(session, lambda _: wide)
    page = app.box.page
    sent = Image.open(io.BytesIO(app.box.picture))
    assert (sent.format, sent.size) == ("JPEG", (2000, 200))
    assert (page["width"], page["height"], page["type"]) == (3000, 300, "image/jpeg")
    assert page["sent"] == pytest.approx(2 / 3)
    for place, left in ((0.5, 1100), (1, 2200), (0, 0)):  # at an edge: moved inside
        part = np.asarray(Image.open(io.BytesIO(app.look(app.turn, place, 0.5))))
        assert np.array_equal(part, wide[:, left : left + 800])
    assert app.look(app.turn - 1, 0.5, 0.5) == b""
    sent = []
    app.box.send = lambda message, buffers: sent.append((message, buffers))
    app._told(app.box, {"turn": app.turn, "look": [0.5, 0.5]}, [])
    assert sent[0][0] == {"look": app.turn}
    typed(app, "1")  # nothing is left to look at
    assert app.look(app.turn, 0.5, 0.5) == b""


def test_what_the_browser_gets_keeps_what_is_judged():
    """Noise of 25 grey levels is still 25; up to 1024 px nothing changes at all."""
    y, x = np.mgrid[:1200, :1200] / 1200
    smooth = 64 + 128 * np.stack([x, y, 1 - x], -1)
    noisy = np.clip(smooth + rng("noise").normal(0, 25, smooth.shape), 0, 255).astype(np.uint8)
    data, kind, scale = window.packed(Image.fromarray(noisy))
    back = np.asarray(Image.open(io.BytesIO(data))).astype(float)
    assert (kind, scale) == ("image/jpeg", 1)
    assert (back - smooth).std() == pytest.approx((noisy - smooth).std(), rel=0.03)
    small = noisy[:768, :1024]
    data, kind, scale = window.packed(Image.fromarray(small))
    assert (kind, scale) == ("image/png", 1)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), small)


# ---------------------------------------------------------------- two people
def test_agreement_against_a_slow_loop():
    g = rng("agreement")
    one = g.integers(0, 5, 60)
    two = np.clip(one + g.integers(-1, 2, 60), 0, 4)
    lines = [row(f"p{k}", int(v)) for k, v in enumerate(one)] + [
        row(f"p{k}", int(v), "bob") for k, v in enumerate(two[:50])
    ]
    labels = pd.DataFrame(lines)
    found = agreement(labels, resamples=200).iloc[0]
    pairs = list(zip(one[:50], two[:50], strict=True))
    observed = sum((a - b) ** 2 for a, b in pairs) / 50
    expected = sum((a - b) ** 2 for a in one[:50] for b in two[:50]) / 50**2
    assert (found["a"], found["b"], found["pictures"]) == ("ann", "bob", 50)
    assert found["exact"] == pytest.approx(sum(a == b for a, b in pairs) / 50)
    assert found["mae"] == pytest.approx(sum(abs(a - b) for a, b in pairs) / 50)
    assert found["qwk"] == pytest.approx(1 - observed / expected)
    assert found["qwk_low"] < found["qwk"] < found["qwk_high"]
    table = confusion(labels, "ann", "bob")
    assert table.loc[2, 3] == sum(a == 2 and b == 3 for a, b in pairs)
    assert table.to_numpy().sum() == 50
    assert agreement(labels[labels["labeller"] == "ann"]).empty


def test_agreement_on_one_picture_has_no_interval():
    found = agreement(pd.DataFrame([row("a", 1), row("a", 3, "bob")])).iloc[0]
    assert (found["pictures"], found["mae"]) == (1, 2)
    assert np.isnan(found["mae_low"])
    assert np.isnan(found["qwk"])
