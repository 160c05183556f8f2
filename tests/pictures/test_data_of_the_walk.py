"""A notebook that runs by itself learns from the walk's data with the walk's settings, or not at
all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from riqa_lib import paths
from riqa_lib.pictures import fundus_data, photo_data
from riqa_lib.pictures.fundus_data import FundusData
from riqa_lib.pictures.photo_data import DataConfig

TOLD = "give this notebook the PROFILE and SETTINGS of that walk, or another NAME"


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What the data of a walk say of themselves; nothing is made."""
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    info: dict = {}
    for module, places in ((photo_data, ["data"]), (fundus_data, ["fundus/eyeq", "fundus/single"])):
        monkeypatch.setattr(module, "open_dataset", lambda _: SimpleNamespace(info=info))
        for place in places:
            (paths.results("w") / place).mkdir(parents=True)
            (paths.results("w") / place / "dataset.json").touch()
    return info


def simulated(d: DataConfig) -> dict:
    keys = ("labelled", "pool", "size", "pool_kind")
    own = {key: getattr(d, key) for key in keys} | {"fractions": [*d.fractions], "seed": d.world}
    return {"simulated": True, "size": d.size, "settings": own}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"size": 96}, "size 80 there, 96 asked for"),
        ({"labelled": 100}, "labelled 2600 there, 100 asked for"),
        ({"world": 1}, "seed 0 there, 1 asked for"),
        ({"fractions": (0.8, 0.1, 0.1)}, "fractions [0.5, 0.1, 0.4] there, [0.8, 0.1, 0.1] asked"),
        ({"source": "folder", "folder": {"root": "photos"}}, "simulated True there, False asked"),
    ],
)
def test_simulated_photographs_with_other_settings_are_refused(found, other, said):
    found |= simulated(DataConfig())
    assert photo_data.walk_data("w", DataConfig()).info is found
    assert photo_data.walk_data("w", DataConfig(labels=100, crop=32)).info is found  # later ones
    with pytest.raises(ValueError, match=TOLD) as e:
        photo_data.walk_data("w", DataConfig(**other))
    assert said in str(e.value)
    assert str(e.value).startswith("results/w/data was made with other settings")
    assert photo_data.walk_data("w").info is found  # who learns nothing may look


def test_ones_own_photographs_likewise(found):
    own = {"id": "name", "score": "mos", "low": 1, "high": 5, "seed": 0}
    found |= {"simulated": False, "size": 80, "settings": own}
    folder = {"root": "photos", "table": "a.csv", "name": "Ours", "id": "name", "score": "mos"}
    assert photo_data.walk_data("w", DataConfig(source="folder", folder=folder)).info is found
    for wrong, said in (
        (DataConfig(), "simulated False there, True asked for"),  # the settings were forgotten
        (
            DataConfig(source="folder", folder=folder | {"score": "mean"}),
            "score 'mos' there, 'mean' asked for",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            photo_data.walk_data("w", wrong)


def test_fundus_sets_likewise_but_single_defects_are_always_drawn(found):
    found |= {"simulated": True, "size": 128, "settings": {"size": 128, "seed": 0}}
    real = FundusData(source="real")
    assert fundus_data.open_set("w", "eyeq", FundusData()).info is found
    assert fundus_data.open_set("w", "single", real).info is found
    with pytest.raises(ValueError, match="simulated True there, False asked for"):
        fundus_data.open_set("w", "eyeq", real)
    with pytest.raises(ValueError, match="size 128 there, 64 asked for"):
        fundus_data.open_set("w", "eyeq", FundusData(size=64, crop=64))
