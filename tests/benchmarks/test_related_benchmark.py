"""The reference of related work: what is left out, what is asked once, what is tracked. Rows are
not trained here: graders are brightness and contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import related_models as module
from riqa_lib import paths, store

ROWS = ["constant", "forest", "ridge", "dbcnn"]


def contrast(pixels: np.ndarray) -> np.ndarray:
    return pixels.std(axis=(1, 2, 3)) / 32


def brightness(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=(1, 2, 3)) / 64


def constant(pixels: np.ndarray) -> np.ndarray:
    return np.full(len(pixels), 2.0)


GRADERS = {"constant": constant, "forest": contrast, "ridge": brightness}


def walk(folder: Path, size: int, simulated: bool) -> Path:
    """A data folder of 60 pictures of three sources, whose quality is their contrast."""
    g = np.random.default_rng(size)
    score = np.tile(np.linspace(0, 4, 20), 3)
    noise = g.normal(size=(60, size, size, 3))
    pixels = np.clip(128 + (5 + 15 * score)[:, None, None, None] * noise, 0, 255).astype(np.uint8)
    name = "scene" if simulated else "secret.jpg"
    frame = pd.DataFrame({"id": [f"{name}{i}" for i in range(60)], "score": score})
    frame = frame.assign(path="", group=frame["id"], grade=np.rint(score).astype(int))
    frame["source"] = np.repeat(["ss01", "ss02", "ss03"], 20)
    frame["split"] = np.where(np.arange(60) % 3, "test", "train")
    settings = {"labelled": 60, "pool": 9, "size": size, "fractions": [0.3, 0.0, 0.7]}
    info = {"name": "Sim" if simulated else "Real set", "simulated": simulated, "size": size}
    info |= {"classes": 5, "key": f"{name}{size}", "settings": settings if simulated else {}}
    store.write_table(folder / "frame.csv", frame)
    np.save(folder / "pixels.npy", pixels)
    store.write_json(folder / "dataset.json", info)
    return folder


@pytest.fixture
def calls(tmp_path, home, monkeypatch):
    """Both walks are there, and nothing is trained: who was asked, worlds made, figures saved."""
    found: dict[str, list] = {"asked": [], "worlds": [], "figures": []}

    def train(name, profile, rows, seed, overrides):
        assert rows != ["constant"]  # needs no run
        if rows == ["dbcnn"]:
            raise OSError("no weights here")
        return pd.DataFrame({"run": [f"{rows[0]}-{name}"]})

    def of(row, run, data):
        found["asked"].append((row, run))
        return GRADERS[row]

    def make(folder, processes, **told):
        found["worlds"].append(told)
        return walk(folder, told["size"], simulated=True)

    def save(figure, name, where, command):
        pictures = sum(len(ax.images) for ax in figure.axes)
        found["figures"].append((name, where, paths.home(), pictures))

    monkeypatch.setattr(module.related, "train", train)
    monkeypatch.setattr(module.graders, "of", of)
    monkeypatch.setattr(module, "make_koka10k", make)
    monkeypatch.setattr(module.style, "save", save)
    monkeypatch.setattr(module, "threads", lambda: None)
    monkeypatch.delenv("RIQA_DATA", raising=False)
    mine = walk(paths.results("sim") / "data", 32, simulated=True)
    frame = store.read_table(mine / "frame.csv")
    p = np.eye(5)[frame["grade"]]  # this run knew the grades
    said = frame[["id", "split"]].assign(
        truth=frame["grade"], **{f"p{k}": p[:, k] for k in range(5)}
    )
    run = paths.runs() / "ridge-sim"
    store.write_table(run / store.PREDICTIONS["selected"], said[frame["split"] == "test"])
    store.write_json(run / "provenance.json", {})
    walk(paths.results("real") / "data", 48, simulated=False)
    return found


def test_tracked_tables_and_figures_and_what_is_left_out(
    calls, tmp_path, home, capsys, monkeypatch
):
    words = ["sim", "real", "--rows", *ROWS, "novel", "--no-levels", "--resamples", "20"]
    words += ["--to", str(tmp_path / "out")]
    (tmp_path / "sets" / "csiq" / "dst_imgs").mkdir(parents=True)  # a set without its tables
    monkeypatch.setenv("RIQA_DATA", str(tmp_path / "sets"))
    module.main(words)
    said = capsys.readouterr().out
    assert "rows left out, which are not there (yet): novel" in said
    assert "sim: dbcnn, seed 0 left out: OSError: no weights here" in said
    assert "real: table left out: FileNotFoundError" in said  # nothing was really trained
    assert "sim: making the same world at 48 px" in said
    assert "Not tested on: KonIQ-10k (not found)" in said
    place = tmp_path / "out" / "results" / "reference" / "related"
    table = store.read_table(place / "cross_data.csv")
    pairs = table[["trained_on", "tested_on"]].drop_duplicates().values.tolist()
    names = ["Sim", "Real set"]
    assert pairs == [[names[0], names[0]], names, [names[1]] * 2, names[::-1]]
    one = table[(table["trained_on"] == names[1]) & (table["tested_on"] == names[1])]
    assert one["row"].unique().tolist() == ["constant", "forest", "ridge"]
    assert one[one["row"] == "forest"]["part"].tolist() == [
        "all",
        "within",
        *("ss01", "ss02", "ss03"),
    ]
    best = one[(one["row"] == "forest") & (one["part"] == "all")]["srcc"].iloc[0]
    assert best > 0.9  # contrast is this set's quality
    home_of = table[(table["trained_on"] == "Sim") & (table["tested_on"] == "Sim")]
    stored = home_of[(home_of["row"] == "ridge") & (home_of["part"] == "all")]
    assert stored["mae"].tolist() == [0]  # what it said then, not what its grader says
    sets = store.read_table(place / "cross_sets.csv").set_index("key")["state"]
    assert (sets["csiq"], sets["live"]) == ("broken", "not found")
    facts = store.read_table(place / "cross_facts.csv")
    assert facts["size"].tolist() == [32, 32, 48, 48]
    assert facts["shown"].tolist()[1] == "stored at 48 px, made 32 px"
    assert facts["shown"].tolist()[3] == "48 px, as stored"
    assert [(w["size"], w["pool"], w["fractions"]) for w in calls["worlds"]] == [
        (48, 0, (0.3, 0.0, 0.7))
    ]
    # no name of a real picture, nor where anything lies, is tracked
    for file in (f for f in (tmp_path / "out").rglob("*") if f.is_file()):
        assert b"secret" not in file.read_bytes(), file
        assert str(tmp_path).encode() not in file.read_bytes(), file
    saved = {(name, where, at) for name, where, at, _ in calls["figures"]}
    drawn = ["predicted_against_true_simulated", "predicted_against_true_real"]
    drawn += ["cross_data", "cross_data_within"]
    tracked = {(name, "reference/related", tmp_path / "out") for name in drawn}
    assert saved == tracked | {("predicted_against_true", "real", home)}
    pictures = {name: n for name, *_, n in calls["figures"]}
    assert pictures["predicted_against_true_simulated"] == 8  # four of each of two rows
    assert pictures["predicted_against_true_real"] == 0
    assert pictures["predicted_against_true"] == 8  # not tracked
    about = store.read_json(place / "about.json")
    assert about["data"]["real"]["rows"] == ["constant", "forest", "ridge"]

    # again: nobody is asked twice; other pictures of a set are asked about
    assert len(calls["asked"]) == 3 * 2
    assert ("forest", "forest-real") in calls["asked"]
    module.main(words)
    assert len(calls["asked"]) == 3 * 2
    module.main([*(w for w in words if w != "constant"), "--most", "12"])
    facts = store.read_table(place / "cross_facts.csv")
    assert facts["pictures"].tolist() == [40, 12, 40, 12]
    assert facts["shown"].tolist()[1].endswith("made 32 px, 12 of 40 by chance")
    assert len(store.read_table(place / "cross_data.csv")) < len(table)


def test_a_walk_of_the_other_kind_is_refused(calls):
    with pytest.raises(ValueError, match="sim: expected real pictures, found Sim"):
        module.opened("sim", "real", "smoke", {})
