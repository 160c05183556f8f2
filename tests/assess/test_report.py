"""The page of `riqa assess --report`, its overlays, and rows in another order: from made-up rows,
and once through the command."""

from __future__ import annotations

import base64
import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from assessed_rows import EVIL, a_look, graded, refused
from fundus_students import photograph, student
from PIL import Image

from riqa_lib import paths
from riqa_lib.__main__ import main
from riqa_lib.assess import looks, overlays, report
from riqa_lib.assess.looks import LOOK
from riqa_lib.assess.retake import Patients
from riqa_lib.assess.spool import order

ABOUT = {"run": "student-aaa", "simulated": True}
HEADLINE = "Student student-aaa, trained on eyeq-like.\nIt answers from probability 0.80."
ALONE = {"meta", "link", "img", "br", "!doctype"}  # elements without an end


class Page(HTMLParser):
    """What is on a page: elements with their attributes, all text, and whether every element that
    begins ends."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ALONE:
            self.open.append(tag)
        elif tag == "br":
            self.words.append(" ")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def of(self, tag: str, **has) -> list[dict]:
        return [a for t, a in self.elements if t == tag and has.items() <= a.items()]


def page_of(*rows, about=ABOUT, sort="", drop=()):
    patients = Patients()
    one = report.Report(about, HEADLINE, patients, sort)
    for row in rows:
        patients.add(row, one.add(row))
    for file in drop:
        patients.drop(file)
        one.drop(file)
    out = io.StringIO()
    one.write(out)
    found = Page(out.getvalue())
    assert not found.open
    return found


@pytest.fixture(scope="module")
def mixed():
    """A page of one of everything; and what was shown of it."""
    return page_of(
        graded("p/7_left.jpg", "reject", look=True, patient="7", eye="left", camera="CR-2"),
        graded("p/7_right.jpg", look=True, patient="7", eye="right", taken="2026-01-05T10:33:00"),
        graded("p/unsure.jpg", "usable", sure=False, look=True),
        graded("p/two.tif", page=2, look=True),
        refused(f"p/{EVIL}.png", patient=EVIL, **{LOOK: looks.Look(a_look("overall").rgb)}),
        refused("p/broken.jpg", "unreadable", "cut short"),
        graded(f"p/{EVIL}.jpg", look=True, patient=EVIL, camera=EVIL, reason=EVIL),
    )


def test_the_page_says_first_what_to_retake(mixed):
    text = mixed.text
    assert text.index("SIMULATED") < text.index("student-aaa") < text.index("4 graded")
    for said in (
        "4 graded 1 without a sure grade 1 refused 1 unreadable",
        "Retake: 2 Refused or unreadable: 1 Of no known patient",
        "Patient 7 Retake the left eye: refocus (clarity bad: not sharp) Right eye fine",
        "unsure.jpg: likeliest usable; contrast bad: a veil (clean the lens)",
        "graded reject score 6 of 100",
        "reject 0.90, usable 0.08, good 0.02 0.10 above the threshold of 0.80",
        "clarity bad (probability 0.94): not sharp; x 0.1",  # the number, on the card alone
        "patient 7, left eye, CR-2",
        "patient 7, right eye, 2026-01-05 10:33",
        "two.tif, page 2: this picture fine",
        "unreadable: cut short",
        "What speaks against clarity (bad: 0.94), strongest upper right",
        "64 × 48 px",
    ):
        assert said in text, said
    assert text.index("Retake the left eye") < text.index("graded reject")
    real = page_of(graded("a.jpg", look=True), about=ABOUT | {"simulated": False})
    assert "SIMULATED" not in real.text


def test_both_eyes_stand_side_by_side_the_right_one_on_the_left(mixed):
    words = mixed.text
    start = words.index("Patient 7")
    assert "right eye fine left eye retake" in words[start : start + 200]
    places = {a["id"] for a in mixed.of("article")} | {a.get("id") for a in mixed.of("li")}
    targets = [a["href"] for a in mixed.of("a") if a["href"].startswith("#p")]
    assert len(targets) == 6
    assert {t[1:] for t in targets} <= places


def test_names_are_text_whatever_they_are_called(mixed):
    assert not [a for _, a in mixed.elements if any(key.startswith("on") for key in a)]
    assert not mixed.of("img", src="x")
    assert mixed.text.count(EVIL) >= 6
    assert any(EVIL in a["alt"] for a in mixed.of("img"))


def test_nothing_is_asked_of_the_network(mixed):
    for tag, attributes in mixed.elements:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            value = attributes.get(name, "#")
            inside = value.startswith("#") or value.startswith("data:")
            assert inside, (tag, name, value[:60])
    (policy,) = [a["content"] for a in mixed.of("meta") if "http-equiv" in a]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    css = (report.HERE / "report_page.css").read_text()
    assert "url(" not in css
    assert "@import" not in css
    assert "filter" not in css  # photographs keep their colours, in the dark too


def test_every_picture_says_what_it_shows_and_is_small(mixed):
    images = mixed.of("img")
    assert len(images) == 5 * 2 + 4 + 1  # cards, thumbnails of two patients, a refused picture
    for image in images:
        assert len(image["alt"]) > 12
        data = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(data)).format == "JPEG"
        assert len(data) < 40_000


def test_cards_lie_in_the_order_that_is_asked_for():
    rows = [
        graded("b.jpg", look=True, patient="2", eye="left", taken="2026-01-03"),
        graded("c.jpg", "reject", look=True, patient="1", eye="left", taken="2026-01-02"),
        graded("a.jpg", "usable", look=True, patient="1", eye="right"),
    ]
    for sort, names in (
        ("", "bca"),
        ("score", "cab"),
        ("file", "abc"),
        ("patient", "acb"),
        ("taken", "cba"),
    ):
        found = page_of(*rows, sort=sort)
        assert [a["data-file"][0] for a in found.of("article")] == list(names), sort
    left = page_of(*rows, drop=["c.jpg"])
    assert [a["data-file"] for a in left.of("article")] == ["b.jpg", "a.jpg"]
    assert "2 graded" in left.text
    with_none = sorted([refused("d"), *rows], key=lambda row: order(row, "score"))
    assert with_none[-1]["file"] == "d"


def test_names_that_are_no_text_are_shown_all_the_same():
    assert "a\\xff" in page_of(graded("a\udcff.jpg", look=True), refused("a\udcff")).text


def test_names_that_turn_the_writing_round_are_shown_by_number():
    turned = "a\u202egnp.b\x1b[2J\x07"
    page = page_of(graded(f"{turned}.jpg", look=True), refused(turned))
    assert not {*page.text} & {*"\u202e\x1b\x07"}
    assert not any(
        {*str(value)} & {*"\u202e\x1b\x07"} for _, a in page.elements for value in a.values()
    )
    assert page.text.count("a\\u202egnp.b\\x1b[2J\\x07") >= 2


# ---------------------------------------------------------------- overlays
def test_overlays_have_names_that_cannot_collide_nor_leave_the_folder(tmp_path):
    rows = [
        graded("x/a.jpg", "reject", look=True),
        graded("y/a.jpg", look=True),
        graded("x/a.png", look=True),
        graded("x/a.tif", look=True, page=1),
        graded("x/a.tif", look=True, page=2),
        graded("../../../etc/pass wd.jpg", look=True),
        graded("x/..jpg", look=True),
        graded("x/" + "n" * 250 + ".jpg", look=True),
        graded("x/ü\udcff\n.jpg", look=True),
        refused("z.png"),
    ]
    made = [overlays.write(tmp_path / "o", row) for row in rows]
    assert made[-1] is None
    assert len(set(made)) == 10
    assert sorted(tmp_path.rglob("*.*")) == sorted(made[:-1])
    assert all(file.parent == tmp_path / "o" and file.name.isascii() for file in made[:-1])
    assert made[0] == overlays.write(tmp_path / "o", rows[0])  # the same file, the same name
    with Image.open(made[0]) as image:
        assert image.format == "PNG"
        assert image.size == (64 + overlays.GAP + 64, 64)  # not enlarged


def test_an_overlay_shows_the_circle_and_the_heat_in_the_field_alone():
    look = a_look("clarity")
    ring = np.asarray(looks.circled(look, 64)).astype(int)
    changed = np.abs(ring - look.rgb.astype(int)).sum(axis=2) > 0
    y, x = np.nonzero(changed)
    assert np.abs(np.hypot(x - look.field.x, y - look.field.y) - look.field.radius).max() < 2.5
    heat = np.asarray(looks.heated(look, "clarity", 64, 0.9)).astype(int)
    assert np.ptp(heat[10:16, 42:48], axis=2).min() > 40  # colours where the map is
    assert np.ptp(heat[40:, :20], axis=2).max() == 0  # grey elsewhere
    assert heat[0, 0].sum() == 0  # black outside
    faint = np.asarray(looks.heated(look, "clarity", 64, 0.02)).astype(int)
    assert np.ptp(faint, axis=2).max() < np.ptp(heat, axis=2).max() / 2


def test_overlays_of_an_assessed_folder_are_not_assessed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="its overlays would be too"):
        overlays.check_folder(tmp_path / "in" / "o", [str(tmp_path)])
    with pytest.raises(ValueError, match="is a file"):
        overlays.check_folder(tmp_path / "file", [])
    overlays.check_folder(tmp_path / "o", [str(tmp_path / "in"), str(tmp_path / "file")])


# ---------------------------------------------------------------- the command
def test_the_command_writes_page_and_overlays_in_order_and_says_what_to_retake(
    home, tmp_path, capsys
):
    student(paths.runs() / "student-aaa")
    folder = tmp_path / "p"
    folder.mkdir()
    for k in range(3):
        photograph(k, 96, clarity=0.8 * k).save(folder / f"{k}_left.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    out = {name: tmp_path / name for name in ("o.html", "o.csv", "o.json")}
    typed = ["assess", str(folder), "--uncalibrated", "--sort", "score", "--strict"]
    typed += ["--report", str(out["o.html"]), "--overlays", str(tmp_path / "seen")]
    typed += ["--csv", str(out["o.csv"]), "--json", str(out["o.json"])]
    assert main(typed) == 3  # nobody can read broken.jpg
    printed = capsys.readouterr().out
    rows = json.loads(out["o.json"].read_text())["pictures"]
    assert len(rows) == 4
    assert LOOK not in rows[0]
    scores = [row["score"] for row in rows[:3]]
    assert scores == sorted(scores)
    assert rows[3]["state"] == "unreadable"
    table = list(csv.DictReader(io.StringIO(out["o.csv"].read_text("utf-8-sig"))))
    assert [r["file"] for r in table] == [r["file"] for r in rows]
    assert [float(r["score"]) for r in table[:3]] == scores
    at = [printed.index(f"{row['file'][-10:]}") for row in rows]
    assert at == sorted(at)
    found = Page(out["o.html"].read_text())
    assert [a["data-file"] for a in found.of("article")] == [r["file"] for r in rows[:3]]
    assert len(list((tmp_path / "seen").iterdir())) == 3
    (folder / "broken.jpg").unlink()
    good = main(["assess", str(folder), "--strict", "--uncalibrated"])
    assert good == 3 * any(row["grade"] == "reject" for row in rows[:3])
    assert main(["assess", str(folder)]) == 0


def test_a_failure_leaves_no_page(home, tmp_path, monkeypatch):
    student(paths.runs() / "student-aaa")
    photograph("a", 96).save(tmp_path / "a.png")

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(report.Report, "parts", broken)
    page = tmp_path / "new" / "o.html"
    assert main(["assess", str(tmp_path / "a.png"), "--report", str(page)]) == 1
    assert list(page.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--watch", "a.png"], "expected a folder to watch"),
        (["a.png", "--report", "."], "is a folder"),
        (["a.png", "--report", "o", "--csv", "o"], "named for two tables"),
        ([".", "--overlays", "seen"], "its overlays would be too"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(typed, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    assert main(["assess", *typed]) == 1
    assert said in capsys.readouterr().err
    assert [f.name for f in tmp_path.iterdir()] == ["a.png"]


def test_the_map_is_that_of_what_the_network_sees(home, monkeypatch):
    """Of the middle of the crop, put back into its place, and nothing outside the field."""
    from types import SimpleNamespace

    from riqa_lib.assess import grad_cam

    def cams(net, layer, pixels, head, **_):
        assert pixels.shape[1:3] == (24, 24)
        return np.full(pixels.shape[:3], {"overall": 1, "clarity": 2}[head], np.float32)

    monkeypatch.setattr(grad_cam, "grad_cam", cams)
    monkeypatch.setattr(grad_cam, "last_layer", lambda net, size: None)
    one = SimpleNamespace(net=None, about={"crop": 24})
    rows = [graded(f"{k}.jpg", ("good", "reject")[k % 2], look=True) for k in range(20)]
    for row in rows:
        row[LOOK].maps.clear()
    found = list(looks.with_maps([*rows[:3], refused("x"), *rows[3:]], one, first=True))
    assert [row["file"] for row in found][:4] == ["0.jpg", "1.jpg", "2.jpg", "x"]
    assert len(found) == 21
    for k, row in enumerate(rows):
        ((head, cam),) = row[LOOK].maps.items()
        assert head == ("overall", "clarity")[k % 2]
        seen = np.zeros((32, 32), bool)
        seen[4:28, 4:28] = True
        assert (cam == (seen & row[LOOK].mask) * (1 + k % 2)).all()
