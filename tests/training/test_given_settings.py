"""Settings: every number has a range beside it; wrong ones are refused before anything runs, under
the name that was typed."""

from __future__ import annotations

import dataclasses
import json
import math
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import pytest

import run_all
from riqa_lib.bounds import Range, stated
from riqa_lib.pictures.distorted_copies import Recipe
from riqa_lib.plan.arguments import setting
from riqa_lib.tables import departures, fundus_symbols, method_symbols, photo_symbols, symbols
from riqa_lib.training import fundus_settings, given_settings, photographs
from riqa_lib.training.baselines import Baseline
from riqa_lib.training.fundus_baselines import Logistic
from riqa_lib.training.related_profiles import MODELS
from riqa_lib.training.settings import dotted, replaced

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
        (
            {"freematch.tau_min": 0.9, "freematch.tau_max": 0.5},
            r"^freematch\.tau_min is .* at most freematch\.tau_max",
        ),
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
        (
            {"method.tau": 0.8},
            r"^method\.tau: not every method has .*: fixmatch\.tau, simmatch\.tau",
        ),
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


# ---------------------------------------------------------------- as they are shown
ROOT = Path(run_all.__file__).parent
NAME = re.compile(r"`(?:--set )?([a-z]\w*(?:\.\w+)+)(?:=([^`]*))?`")  # `train.lr`, `a.b=value`
SIX = method_symbols.OWN


def row_of(name: str) -> tuple[Any, str]:
    """The settings of a run that has this one, and its name among them."""
    head, _, rest = name.partition(".")
    if head == "fundus":
        kind, _, own = rest.partition(".")
        row = "teacher" if kind.startswith("teacher") else "multi_eyeq"
        inside = {"teacher": f"method.{own}", "student": f"method.{own}"}
        inside["teacher_train"] = f"train.{own}"
        return fundus_settings.settings("demo", row), inside.get(kind, rest)
    if head in MODELS:
        return MODELS[head].settings, rest
    if head in photographs.METHODS:
        return photographs.settings("demo", head), f"method.{rest}"
    return photographs.settings("demo"), name


def go_through(shown: dict[str, str]) -> None:
    """Settings as they are shown, {name: value, "" for that of today}, typed all at once: the
    command line takes them."""
    given = {}
    for name, value in shown.items():
        run, inside = row_of(name)
        assert inside in dotted(run), f"{name} is shown, and nobody can type it"
        now = operator.attrgetter(inside)(run)
        key, given[key] = setting(f"{name}={value or json.dumps(now)}")
    given_settings.check("demo", given)


def tables_of_settings() -> Iterator[tuple[str, str]]:
    """(where, text) of everything that shows settings, made for a profile."""
    rows = [(row, method_symbols.letters(row)) for row in SIX]
    rows += [(row, method_symbols.settings(row)) for row in SIX]  # "how to change it"
    rows += [("supervised", list(photo_symbols.SUPERVISED + photo_symbols.SECOND_STAGE))]
    for row, letters in rows:
        config = photographs.settings("demo", row).config("")
        yield f"letters of {row}", symbols.show(letters, config, name=row)
    for row, shown in (("teacher", fundus_symbols.TEACHER), ("multi_eyeq", fundus_symbols.STUDENT)):
        kind = "teacher" if row == "teacher" else "student"
        config = fundus_settings.settings("demo", row).config("")
        yield kind, symbols.show(shown, config, name=f"fundus.{kind}")
    configs = {row: photographs.settings("demo", row).config("") for row in SIX}
    for row, config in configs.items():
        yield f"departures of {row}", departures.show(config)
    told = [{"run": f"{row}-0", "method": row, "departs": departures.stored_words(config)}
            for row, config in configs.items()]  # fmt: skip
    yield "departures of all", departures.show_runs(pd.DataFrame(told))


def test_a_setting_has_one_name_in_tables_and_on_the_command_line():
    seen = set()
    for where, text in tables_of_settings():
        names = {name for name, _ in NAME.findall(text)}
        assert names, where
        assert not {name for name in names if name.startswith("method.")}, where
        seen |= names
    assert {"simmatch.tau", "crmatch.weak", "train.strong", "fundus.student.margin"} <= seen
    go_through(dict.fromkeys(seen, ""))


def texts() -> Iterator[str]:
    """Everything written that a reader copies settings from: pages, notebooks' cells."""
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        yield file.read_text(encoding="utf-8")
    for file in (ROOT / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            yield "".join(cell["source"])


def test_a_setting_named_in_a_text_can_be_typed():
    heads = {*photographs.METHODS, *MODELS, "fundus", "train", "model", "data", "method"}
    shown = {}
    for text in texts():
        for name, value in NAME.findall(text):
            if name.partition(".")[0] in heads and not name.endswith((".py", ".md")):
                shown[name] = value if value.isalnum() else ""
    assert {"model.freeze", "fundus.student.grid", "simmatch.alpha"} <= shown.keys()
    go_through(shown)
