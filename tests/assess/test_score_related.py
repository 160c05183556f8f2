"""`riqa score --run` with a model of related work: what it stored, on the owner's scale."""

from __future__ import annotations

import numpy as np
import pytest
import toy_regressors
from map_trees import blurred_pictures
from PIL import Image

import riqa_lib
from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.assess import fundus_student, photo_runs, photo_scoring
from riqa_lib.stats import calibration
from riqa_lib.stats.metrics import columns_p
from riqa_lib.training import regressors, related
from riqa_lib.training.related_profiles import SETTINGS

CHANGES = {"data.size": 48, "data.crop": 32, "data.scale": "native", "data.max_pixels": 10_000}


@pytest.fixture(scope="module")
def scored(module_home):
    """(a run's folder, its test pictures as files, the frame's rows of them)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(regressors.MODELS, "dbcnn", toy_regressors.MODEL)
        patch.setitem(SETTINGS, "smoke", {})
        data = blurred_pictures()
        table = related.train("small", "smoke", ["dbcnn"], 0, CHANGES)
        test = np.flatnonzero(data.frame["split"] == "test")
        photos = module_home.parent / "photos"
        photos.mkdir()
        for i in test:
            Image.fromarray(data.pixels[i]).save(photos / f"{data.frame['id'][i]}.png")
        yield paths.runs() / table.loc[0, "run"], photos, data.frame.iloc[test]


def test_the_score_is_what_the_run_stored_on_the_owners_scale(scored):
    folder, photos, frame = scored
    said = store.read_predictions(folder).set_index("id").loc[frame["id"]]
    levels = np.array(store.read_json(folder / "about.json")["levels"])
    expected = said[columns_p(said)].to_numpy(float) @ levels
    found = riqa_lib.score([photos / f"{name}.png" for name in frame["id"]], folder)
    assert found["score"].to_numpy() == pytest.approx(expected, abs=2e-4)
    assert np.ptp(expected) > 1
    assert found["score_low"].notna().all()
    assert (found["score_low"] <= found["score"]).all()
    assert (found["score"] <= found["score_high"]).all()
    inside = frame["score"].to_numpy()
    held = (found["score_low"] <= inside) & (inside <= found["score_high"])
    assert held.mean() >= 0.75  # 90 % by 15 validation pictures


def test_it_says_what_it_is_and_is_not_tempered(scored, monkeypatch):
    folder, _, _ = scored
    monkeypatch.setattr(calibration, "FEW", 5)  # enough validation pictures for a temperature
    one = photo_runs.load(folder.name)
    assert one.temperature == 1.0
    assert not one.calibrated
    assert "dbcnn, trained on by code, SIMULATED pictures, 60 with a label." in one.headline()
    assert "probabilities not calibrated" in one.headline()
    assert one.describe()["method"] == "dbcnn"
    how = photo_scoring.how_read(one, 1)
    assert how == {"size": 48, "scale": "native", "max_pixels": 10_000, "windows": 1}


def test_the_command_takes_it_by_name_and_never_by_itself(scored, capsys):
    folder, photos, frame = scored
    named = [str(photos / f"{name}.png") for name in frame["id"][:3]]
    assert main(["score", *named, "--run", folder.name]) == 0
    assert named[0].rpartition("/")[2] in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="no trained run of photographs"):
        photo_runs.newest()


def test_a_student_of_fundus_photographs_it_is_not(scored):
    with pytest.raises(ValueError, match=r"a run on photographs, .*riqa score PATH"):
        fundus_student.load(scored[0])
