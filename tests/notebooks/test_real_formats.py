"""Profile `paper` through the notebooks themselves, on tiny trees in the real formats: what a run
on the real files would do."""

from __future__ import annotations

import json
import re

import in_process
import pandas as pd
import pytest
from fundus_trees import make_deepdrid, make_eyeq, make_eyeq_d, make_mshf
from photo_trees import make_koka10k

STEPS = (
    "03_vit_supervised",
    "16_significance",
    "18_explain_and_advise",
)  # and the four that these need
SMALL = {
    "data.size": 32,
    "data.crop": 32,
    "model.arch": "",
    "model.width": 16,
    "model.depth": 1,
    "model.weights": "none",
    "train.steps": 4,
    "train.batch": 8,
    "train.mu": 1,
    "train.evaluations": 2,
    "fundus.data.size": 24,
    "fundus.data.crop": 24,
    "fundus.data.views": 1,
    "fundus.data.pictures": [1, 1, 1, 1, 18],
    "fundus.model.arch": "",
    "fundus.model.width": 4,
    "fundus.model.weights": "none",
    "fundus.train.steps": 4,
    "fundus.train.batch": 6,
    "fundus.train.evaluations": 2,
    "fundus.teacher_train.steps": 4,
    "fundus.student.grid": [0.5],
}


@pytest.mark.walk
def test_profile_paper_goes_all_the_way_on_the_real_formats(tmp_path, monkeypatch):
    data = make_koka10k(tmp_path / "data")
    make_mshf(data / "mshf", n=3)
    make_eyeq(data / "eyeq", n=14)
    make_eyeq_d(data / "eyeq_d", data / "eyeq", n=6, pictures=False)
    make_deepdrid(data / "deepdrid", n=2)
    given = [a for key, value in SMALL.items() for a in ("--set", f"{key}={json.dumps(value)}")]
    monkeypatch.setenv("RIQA_DATA", data.name)  # as typed there; notebooks run elsewhere
    walk = ["--profile", "paper", "--seeds", "1", "--name", "tiny"]
    assert in_process.run(tmp_path, *walk, *given, "--only", *STEPS) == 0
    results = tmp_path / "results" / "tiny"
    table = pd.read_csv(results / "tables" / "significance.csv")
    simple = {
        f"{who} v {row}" for who in ("multi", "Teacher") for row in ("forest", "logistic", "label")
    }
    between = {"multi v single", "Student v Teacher", "Lite0 v ResNet", "copies v none"}
    assert set(table["comparison"]) == between | simple
    assert (tmp_path / "figures" / "tiny" / "18_maps.png").stat().st_size > 5000
    for notebook in ("01_koka10k", *STEPS):
        cells = json.loads(
            (results / "executed" / f"{notebook}.ipynb").read_text(encoding="utf-8")
        )["cells"]
        shown = " ".join(
            "".join(o.get("text", "")) + "".join(o.get("data", {}).get("text/markdown", ""))
            for c in cells
            for o in c.get("outputs", [])
        )
        assert "(real data)" in shown, notebook
        assert not re.search(r"simulated data\)", shown), notebook
