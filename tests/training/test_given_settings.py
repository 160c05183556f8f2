"""Settings: every number has a range beside it; wrong ones are refused before anything runs, under
the name that was typed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

import run_all
from riqa_lib.bounds import Range, stated
from riqa_lib.pictures.distorted_copies import Recipe
from riqa_lib.training import fundus_settings, given_settings, photographs
from riqa_lib.training.baselines import Baseline
from riqa_lib.training.fundus_baselines import Logistic
from riqa_lib.training.related_profiles import MODELS
from riqa_lib.training.settings import replaced

RUNS = (photographs.Run(), fundus_settings.Run())
ROOTS = [
    *RUNS,
    *(kind.Config() for run in RUNS for kind in run.methods.values()),
    *(model.settings for model in MODELS.values()),
    *(Baseline("forest"), Logistic(), Recipe()),
]


def parts(settings: Any) -> Iterator[Any]:
    """A settings object and all that are in it."""
    yield settings
    for value in vars(settings).values():
        if dataclasses.is_dataclass(value):
            yield from parts(value)


ALL = {type(part): part for root in ROOTS for part in parts(root)}


def numbers(kind: type) -> list[str]:
    """The fields of numbers of a settings class, tuples of them too."""
    hints = get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    return [n for n in names if any(t in str(hints[n]) for t in ("int", "float"))]


def test_the_walk_finds_settings():
    found = {kind.__qualname__ for kind in ALL}
    assert {"TrainConfig", "ViTConfig", "DataConfig", "FundusData", "FundusNetConfig"} <= found
    assert {"PretrainConfig", "FixMatch.Config", "Student.Config", "Pretraining"} <= found
    assert sum(len(numbers(kind)) for kind in ALL) > 120


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_number_has_a_range(kind):
    rules, part = stated(kind), ALL[kind]
    assert set(numbers(kind)) <= set(rules), "numbers without a range beside them"
    for name in numbers(kind):
        now = getattr(part, name)
        assert not rules[name].wrong(now)
        for bad in (-1, math.nan, math.inf):
            value = (bad,) if isinstance(now, tuple) else type(now)(bad) if bad == -1 else bad
            if not isinstance(rules[name], Range) and bad != -1:
                continue
            assert rules[name].wrong(value), f"{name} may be {value}"
            if type(value) is type(now):
                with pytest.raises(ValueError, match=rf"^mine\.{name} is .*(expected|allowed)"):
                    replaced(part, {name: value}, "mine.")
        with pytest.raises(ValueError, match=f"{kind.where}{name} is .*(expected|allowed)"):
            dataclasses.replace(part, **{name: (-1,) if isinstance(now, tuple) else -1})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"train.clip": -1}, r"train\.clip is -1\.0; expected 0 or more"),
        ({"train.final": -30}, r"train\.final is -30\.0; expected 0 to 1"),
        ({"train.warmup": 50}, r"train\.warmup is 50\.0; expected 0 to 1"),
        ({"train.ema": 1.0}, r"train\.ema is 1\.0; expected 0 to below 1"),
        ({"train.layer_decay": 0}, r"train\.layer_decay is 0\.0; expected more than 0 to 1"),
        ({"model.depth": 0}, r"model\.depth is 0; expected 1 or more"),
        ({"model.width": 0}, r"model\.width is 0; expected 1 or more"),
        ({"model.width": 129}, r"model\.width is 129; expected a multiple of model\.heads, 4"),
        ({"data.crop": 60}, r"60 px .* data\.crop is no multiple of model\.patch"),
        ({"data.fractions": [0.5, 0.1, 0.1]}, r"data\.fractions is .* sum to 1"),
        ({"fixmatch.tau": 95}, r"^fixmatch\.tau is 95\.0; expected 0 to 1"),
        ({"freematch.tau_min": 0.9, "freematch.tau_max": 0.5}, "at most method.tau_max"),
        ({"fundus.train.clip": -1}, r"^fundus\.train\.clip is -1"),
        ({"fundus.teacher_train.ema": 1}, r"^fundus\.teacher_train\.ema is 1"),
        ({"fundus.student.grid": [1, -1]}, r"^fundus\.student\.grid is .*each of them more than 0"),
        ({"dbcnn.scnn.batch": 0}, r"^dbcnn\.scnn\.batch is 0; expected 1 or more"),
        ({"hyperiqa.ratio": "ten"}, r"^hyperiqa\.ratio is 'ten', a str"),
        ({"data.source": "folder", "data.folder": {"root": "a"}}, "does not say: table"),
        (
            {"data.source": "folder", "data.folder": {"root": "a", "table": "t", "idd": "x"}},
            "idd is no keyword",
        ),
        ({"seed": 3}, "seed is given by each step"),
    ],
)
def test_wrong_settings_of_a_walk_are_refused_by_their_name(typed, said):
    with pytest.raises((ValueError, TypeError), match=said):
        given_settings.check("demo", typed)


def test_settings_of_one_model_reach_all_notebooks():
    given = {"dbcnn.scnn.crop": 128, "dbcnn.scnn.side": 256, "train.lr": 1e-4}
    for profile in run_all.SEEDS:
        given_settings.check(profile, given)
    assert photographs.settings("demo", overrides=given).train.lr == 1e-4


@pytest.mark.parametrize("asked", [["--list"], ["--why", "04_fixmatch"], ["--only", "01_koka10k"]])
def test_the_command_line_refuses_them_before_anything_runs(asked, tmp_path, capsys, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("RIQA_HOME", "put back at the end: main sets it")
    arguments = ["--home", str(home), "--set", "train.clip=-1", *asked]
    assert run_all.main(arguments) == 2
    assert "run_all.py: --set train.clip is -1.0; expected 0 or more" in capsys.readouterr().err
    assert not home.exists()
