"""A method in a file of one's own: loaded, tried on random pictures, trained beside ours."""

from __future__ import annotations

import pickle
from functools import partial

import pytest
import torch
from exercises import EXERCISES

from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.pictures import photo_data
from riqa_lib.tables import stored
from riqa_lib.training import own_method, photographs

HEAD = """from dataclasses import dataclass
import torch
from riqa_lib.ssl.base import Method, MethodConfig, forward_views

class Mine(Method):
    unlabelled_views = ("weak",)

    @dataclass(frozen=True)
    class Config(MethodConfig):
        name: str = "mine"

    def __init__(self, net, classes, config, prior):
        super().__init__(net, classes)

    def forward(self, batch):
        (z, _), (z_w, _) = forward_views(self.net, [batch.x, batch.u["weak"]])
        loss = torch.nn.functional.cross_entropy(z, batch.y)
"""
GOOD = HEAD + '        return {"loss": loss, "seen": z_w.detach().mean()}\n'


def method(tmp_path, text=GOOD):
    file = tmp_path / "mine.py"
    file.write_text(text)
    return file


def test_a_file_s_method_is_loaded_and_tried(tmp_path):
    kind = own_method.load(method(tmp_path))
    assert (kind.__name__, kind.Config().name) == ("Mine", "mine")
    assert own_method.tried(kind).keys() == {"loss", "seen"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "mine.py: expected one subclass of riqa_lib.ssl.base.Method; found none"),
        (GOOD + "\nclass Other(Mine): pass\n", "expected one subclass.*; found Mine, Other"),
        (GOOD.replace('name: str = "mine"', "tau: float = 0.5"), 'no Config.*name: str = "mine"'),
        (GOOD.replace('"mine"', '"fixmatch"'), "fixmatch is a method of ours"),
    ],
)
def test_a_file_without_one_method_of_its_own_name_is_told(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        own_method.load(method(tmp_path, text))
    with pytest.raises(FileNotFoundError, match=r"nowhere\.py: no such file"):
        own_method.load(tmp_path / "nowhere.py")


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("return loss", 'Mine.forward: expected {"loss": a scalar with gradient'),
        ('return {"loss": loss.detach()}', "a scalar with gradient"),
        ('return {"loss": loss, "seen": z_w.mean()}', "detach seen: only the loss has a gradient"),
        ('return {"loss": loss / 0}', "the loss of random pictures is inf"),
        ('return {"loss": torch.zeros((), requires_grad=True) * 1}', "moves no weight"),
    ],
)
def test_what_the_loop_could_not_use_is_told_before_anything_is_made(tmp_path, home, end, said):
    file = method(tmp_path, f"{HEAD}        {end}\n")
    with pytest.raises(ValueError, match=said):
        own_method.train(file, "mine", "smoke")
    assert not home.exists()
    wrong = method(tmp_path, GOOD.replace('("weak",)', '("wek",)'))
    with pytest.raises(ValueError, match=r"'wek'; allowed: weak, weak2, strong, strong2"):
        own_method.tried(own_method.load(wrong))


def test_settings_are_the_profile_s_with_the_method_s_own(tmp_path):
    kind = own_method.load(EXERCISES / "softmatch_answer.py")
    given = {"softmatch.weak": "ema", "train.steps": 7}
    run = own_method.settings(kind, "smoke", 3, given, "abc")
    plain = photographs.settings("smoke", "supervised", 3, {"train.steps": 7})
    assert (run.method.weak, run.seed, run.train, run.data) == ("ema", 3, plain.train, plain.data)
    assert run.config("key")["code"] == "abc"
    with pytest.raises(ValueError, match=r"unknown setting 'softmatch.tau'.*momentum"):
        own_method.settings(kind, "smoke", 0, {"softmatch.tau": 0.5})
    with pytest.raises(ValueError, match=r"unknown setting 'fixmatch\.tua'"):
        own_method.settings(kind, "smoke", 0, {"fixmatch.tua": 0.5})


def test_one_command_trains_it_beside_ours_and_its_row_is_compared(
    tmp_path, home, capsys, monkeypatch
):
    monkeypatch.setattr(photo_data, "processes_at_most", lambda: 1)
    # as of any row, of fewer resamples
    monkeypatch.setattr(stored, "table2", partial(stored.table2, resamples=50))
    file = method(tmp_path)
    few = ["--set", "data.labelled=60", "--set", "data.pool=20", "--set", "pretrain.steps=1"]
    assert main(["method", str(file), "--profile", "smoke", *few]) == 0
    said = capsys.readouterr().out
    assert "| ViT + FixMatch |" in said
    assert "- **mine** (" in said
    assert "one seed: not a comparison" in said
    (run,) = paths.runs().glob("mine-*")
    assert store.read_json(run / "config.json")["method"] == {"name": "mine"}
    assert torch.isfinite(torch.tensor(store.read_table(run / "history.csv")["loss"])).all()
    assert stored.runs_of("smoke", ["mine"], 0).empty  # it is in no table of the walk
    # stored is stored; a changed file is another method
    file.write_text(GOOD.replace("loss = ", "loss = 2 * "))
    given = {key: int(value) for key, value in (pair.split("=") for pair in few[1::2])}
    runs = own_method.train(file, "smoke", "smoke", overrides=given)
    assert runs["method"].tolist() == ["supervised", "fixmatch", "mine"]
    assert len(list(paths.runs().glob("mine-*"))) == 2
    assert len(list(paths.runs().glob("fixmatch-*"))) == 1


def test_an_open_gap_and_a_mistyped_setting_are_told_in_a_line(home, capsys):
    exercise = str(EXERCISES / "softmatch.py")
    assert main(["method", exercise, "--profile", "smoke"]) == 1
    assert "softmatch.py: not written yet: TODO 1, update: " in capsys.readouterr().err
    assert not home.exists()
    with pytest.raises(SystemExit):
        main(["method", exercise, "--set", "steps"])
    assert "'steps' is not KEY=VALUE" in capsys.readouterr().err


def test_other_processes_get_the_same_settings():
    kind = own_method.load(EXERCISES / "softmatch_answer.py")
    run = own_method.settings(kind, "smoke", 3, {"softmatch.sigmas": 1.5}, "its hash")
    again = pickle.loads(pickle.dumps(run))
    assert again.config("key") == run.config("key")
    assert again.method.sigmas == 1.5
    assert again.methods["softmatch"].Config is type(again.method)
