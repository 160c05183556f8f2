"""Fundus tables of a walk: collected whole or not at all, drawn without training, summed up from
what is stored."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.figures import draw_all
from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.tables import reference


def overall(on, seeds=2):
    rows = []
    for k, kind in enumerate(("single", "multi")):
        row = {
            "method": f"{kind}_{on}",
            "row": f"{kind}-task",
            "pictures": 50,
            "patients": 40,
            "seeds": seeds,
        }
        for name in ("macro_f1", "f1", "matched", "auc", "accuracy"):
            row |= {name: 0.7 + 0.01 * k, f"{name}_low": 0.6, f"{name}_high": 0.8}
        rows.append(row | {"recall": 0.5, "precision": 0.5})
    return pd.DataFrame(rows)


def made(name):
    """The tables of a small walk, written by hand, and the run and sets that `about` asks."""
    tables = paths.results(name) / "tables"
    for on in ("eyeq", "deepdrid"):
        store.write_table(tables / f"overall_{on}.csv", overall(on))
    base = {
        "quantity": "overall",
        "metric": "macro_f1",
        "primary": True,
        "a": "multi_eyeq",
        "b": "single_eyeq",
        "difference": 0.0125,
        "low": -0.01,
        "high": 0.03,
        "low_90": -0.005,
        "high_90": 0.025,
        "margin": 0.01,
        "verdict": "undecided",
        "p_holm": 0.4,
        "note": "",
        "detectable": 0.02,
        "decided_margin": 0.03,
    }
    store.write_table(
        tables / "significance.csv",
        pd.DataFrame(
            [
                base | {"comparison": "multi v single", "set": "eyeq"},
                base | {"comparison": "multi v single", "set": "deepdrid", "low": np.nan},
                *(
                    base
                    | {"comparison": "Student v Teacher", "set": on, "b": "teacher"}
                    | {"quantity": "clarity", "metric": "auc"}
                    for on in ("mshf", "eyeq_d")
                ),
            ]
        ),
    )
    details = [
        {
            "method": m,
            "row": m,
            "detail": d,
            "pictures": 40,
            "bad": 9,
            "seeds": 2,
            "f1": 0.5,
            "f1_low": 0.4,
            "f1_high": 0.6,
            "auc": 0.8,
            "auc_low": 0.7,
            "auc_high": 0.9,
            "accuracy": 0.8,
            "brier": 0.1,
        }
        for m in ("teacher", "multi_eyeq", "label")
        for d in DETAILS
    ]
    store.write_table(tables / "experts-details.csv", pd.DataFrame(details))
    store.write_table(
        tables / "experts-noise.csv", pd.DataFrame({"detail": ["clarity"], "pseudo": [0.2]})
    )
    maps = [
        {
            "head": "clarity",
            "measure": m,
            "method": method,
            "against": against,
            "pictures": 30,
            "seeds": 2,
            "value": 0.0625,
            "low": 0.03,
            "high": 0.09,
            "chance": 0.4,
        }
        for m in ("pointing", "energy")
        for method, against in (
            ("single_eyeq", "itself"),
            ("multi_eyeq", "itself"),
            ("multi_eyeq", "single_eyeq"),
        )
    ]
    store.write_table(tables / "explain.csv", pd.DataFrame(maps))
    store.write_table(
        tables / "fundus-multi_eyeq-seed0.csv",
        pd.DataFrame(
            [{"run": "student-x", "row": "multi_eyeq", "set": "eyeq", "seed": 0, "lambda_a": 1.0}]
        ),
    )
    store.write_json(
        paths.runs() / "student-x" / "provenance.json",
        {
            "commit": "abc",
            "machine": "a machine",
            "seconds": 90.0,
            "versions": {"torch": "2.15.0", "python": "3.11"},
        },
    )
    frames = {which: frame(which) for which in ("mshf", "eyeq", "deepdrid", "eyeq_d")}
    for which, table in frames.items():
        folder = paths.results(name) / "fundus" / which
        store.write_json(folder / "dataset.json", {"name": which, "simulated": True})
        store.write_table(folder / "frame.csv", table)
    said = pd.concat([said_of(which, frames[which]) for which in ("eyeq", "mshf", "eyeq_d")])
    store.write_table(paths.runs() / "student-x" / "predictions.csv.gz", said)


def frame(which, n=7):
    g = rng("frame", which)
    split = ["test", "val"] if which in ("eyeq", "deepdrid") else ["test", "test"]
    table = pd.DataFrame({"id": [f"{which}{i}" for i in range(n)], "group": "g"})
    table = table.assign(split=[split[i % 2] for i in range(n)], grade=g.integers(0, 2, n))
    return table.assign(**{d: g.integers(0, 2, n) for d in DETAILS})


def said_of(which, table):
    g, n = rng("said", which), len(table)
    p = pd.DataFrame(g.dirichlet([1.0] * 3, n), columns=["p0", "p1", "p2"])
    out = table[["id", "group", "split", *DETAILS]].assign(set=which, truth=table["grade"])
    return pd.concat([out.assign(**{f"d_{d}": g.random(n) for d in DETAILS}), p], axis=1)


@pytest.fixture
def walk(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "reference")
    made("best")
    return tmp_path


def test_collect_copies_every_table_and_says_where_they_come_from(walk):
    folder = reference.collect_fundus("best")
    assert folder == walk / "reference" / "fundus"
    assert {f.stem for f in folder.glob("*.csv")} == {*reference.TABLES}
    assert {f.name for f in folder.glob("*.xz")} == {"predictions.csv.xz", "pictures.csv.xz"}
    for key, table in reference.tables("best").items():
        pd.testing.assert_frame_equal(reference.tables("reference")[key], table)
    about = reference.about("reference")
    assert about["simulated"] is True
    assert about["pictures"] == dict.fromkeys(("mshf", "eyeq", "deepdrid", "eyeq_d"), 7)
    assert (about["runs"], about["seeds"], about["minutes"], about["torch"]) == (
        1,
        [0],
        1.5,
        "2.15.0",
    )
    block = reference.block() + reference.details_block()
    for words in (
        "single-task",
        "Simulated data, test split of eyeq: ",
        "+0.062",
        "+0.0125",
        "(a class is missing)",
        "Simulated data",
        "1 runs, 1 seeds",
        "a machine",
    ):
        assert words in block, words


def test_what_is_missing_names_its_notebook_and_nothing_is_replaced(walk):
    reference.collect_fundus("best")
    (paths.results("best") / "tables" / "explain.csv").unlink()
    with pytest.raises(FileNotFoundError, match="18_explain_and_advise"):
        reference.collect_fundus("best")
    assert len(reference.tables("reference")) == len(reference.TABLES)
    assert main(["collect", "best"]) == 1


def test_details_without_what_the_grade_alone_says_are_not_collected(walk):
    file = paths.results("best") / "tables" / "experts-details.csv"
    details = store.read_table(file)
    store.write_table(file, details[details["method"] != "label"])
    with pytest.raises(ValueError, match="17_expert_agreement again"):
        reference.collect_fundus("best")
    assert reference.tables("reference") == {}


def test_ablations_are_left_out_first_where_all_would_be_too_much(walk, monkeypatch):
    folder = paths.runs() / "student-y"
    said = store.read_table(paths.runs() / "student-x" / "predictions.csv.gz")
    store.write_table(folder / "predictions.csv.gz", said.assign(p0=said["p2"], p2=said["p0"]))
    facts = store.read_json(paths.runs() / "student-x" / "provenance.json")
    store.write_json(folder / "provenance.json", facts)
    runs = pd.DataFrame([{"run": "student-y", "row": "multi_own_eyeq", "set": "eyeq", "seed": 0}])
    store.write_table(
        paths.results("best") / "tables" / "fundus-own-seed0.csv", runs.assign(lambda_a=1.0)
    )
    whole = reference._packed("best")
    assert set(whole["predictions.csv.xz"]["method"]) == {"multi_eyeq", "multi_own_eyeq"}
    size = sum(map(reference.tracked_predictions.size_of, whole.values()))
    monkeypatch.setattr(reference, "MOST_BYTES", size - 1)
    less = reference._packed("best")
    assert set(less["predictions.csv.xz"]["method"]) == {"multi_eyeq"}


def test_more_than_is_tracked_replaces_nothing(walk, monkeypatch):
    folder = reference.collect_fundus("best")
    before = (folder / "predictions.csv.xz").read_bytes()
    monkeypatch.setattr(reference, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="fewer rows or seeds"):
        reference.collect_fundus("best")
    assert (folder / "predictions.csv.xz").read_bytes() == before
    assert reference.tables("reference")


def test_a_collection_cut_short_is_not_read(walk, monkeypatch):
    reference.collect_fundus("best")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_table", full)
    with pytest.raises(OSError, match="No space"):
        reference.collect_fundus("best")
    assert reference.tables("reference") == {}
    for made in (reference.block, reference.details_block):
        assert "No fundus run is tracked" in made()
    assert draw_all.draw("reference") == []


def test_figures_of_a_walk_of_fundus_photographs_alone(walk, capsys):
    assert main(["figures", "best"]) == 0
    names = {
        line.split("/")[-1] for line in capsys.readouterr().out.split() if line.endswith(".png")
    }
    assert names == {
        f"fundus_{n}.png"
        for n in (
            "overall_eyeq",
            "details",
            "multi_v_single",
            "teacher_v_multi_eyeq",
            "maps_on_defects",
        )
    }
    assert json.loads((paths.results("best") / "fundus" / "eyeq" / "dataset.json").read_text())[
        "simulated"
    ]
