"""The command riqa: it answers at once, says what it can do, and what was probably meant."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from conftest import REPOSITORY

import run_all
from riqa_lib import __main__ as command
from riqa_lib.hints import did_you_mean
from riqa_lib.plan.steps import PlanError, Walk

COMMANDS = (
    "assess",
    "calibrate",
    "score",
    "audit",
    "method",
    "check",
    "data",
    "verify",
    "licences",
    "figures",
    "bench",
    "readme",
    "nullworlds",
    "collect",
    "environment",
)
HEAVY = ("torch", "torchvision", "timm", "skimage", "captum")


def asked(*arguments: str) -> tuple[int, str, list[str]]:
    """What the command does in a fresh interpreter: status, all that it printed, and which heavy
    packages it imported."""
    code = (
        "import sys\n"
        "from riqa_lib.__main__ import main\n"
        "try:\n"
        "    status = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    status = end.code\n"
        f"print('heavy:', *[m for m in {HEAVY} if m in sys.modules])\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=100
    )
    said, _, heavy = done.stdout.rpartition("heavy:")
    return done.returncode, said + done.stderr, heavy.split()


def shown(capsys, *arguments: str) -> str:
    """What --help prints."""
    with pytest.raises(SystemExit) as end:
        command.main([*arguments, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


# ---------------------------------------------------------------- what it says of itself
def test_the_script_riqa_is_installed_with_the_package():
    found = [e for e in entry_points(group="console_scripts") if e.name == "riqa"]
    assert [e.value for e in found] == ["riqa_lib.__main__:main"]
    script = Path(sys.executable).with_name("riqa")
    done = subprocess.run([script, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, f"riqa {version('riqa')}")


def test_bare_riqa_and_help_list_every_command(capsys):
    assert command.main([]) == 0
    bare = capsys.readouterr().out
    assert bare == shown(capsys)
    listed = re.findall(r"^    (\w+)(?: |$)", bare, re.M)
    assert tuple(listed) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(name, capsys):
    text = shown(capsys, name)
    description = text.split("\n\n")[1]
    assert re.fullmatch(r"[A-Z].*\.", description), description
    example = text[re.search(r"^examples?$", text, re.M).start() :]
    lines = re.findall(rf"^  (riqa {name}\b.*)", example, re.M)
    assert lines
    for line in lines:
        words = re.split(r"  +", line)[0].replace("'", "").split()
        chosen = command.parser().parse_args(words[1:])  # an example that is wrong exits
        assert callable(chosen.run_command)


def test_version_names_riqa_python_and_torch_without_importing_it():
    status, said, heavy = asked("--version")
    assert (status, heavy) == (0, [])
    python = ".".join(map(str, sys.version_info[:3]))
    assert said.strip() == f"riqa {version('riqa')}, python {python}, torch {version('torch')}"


# ---------------------------------------------------------------- wrong requests
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["assess", "nofile.jpg"], 1, "nofile.jpg: no such file or folder"),
        (["assess", "README.md", "--rate", "2"], 1, "expected a share between 0 and 1"),
        (["assess", "README.md", "--workers", "0"], 1, "workers = 0: expected 1 or more"),
        (["score", "nofile.jpg"], 1, "nofile.jpg: no such file or folder"),
        (["score", "README.md", "--rate", "0"], 1, "expected a share between 0 and 1"),
        (["score", "README.md", "--windows", "0"], 1, "windows = 0: expected 1 or more"),
        (["method", "nofile.py"], 1, "nofile.py: no such file"),
        (["audit", "some-run", "nofolder"], 1, "nofolder: no such file or folder"),
        (["audit", "some-run", "README.md", "--most", "-1"], 1, "--most -1: expected 0 (all)"),
        (["bench", "--profile", "tiny"], 2, "choose from 'smoke', 'demo'"),
        (["bench", "--steps", "0"], 2, "'0' is not a whole number from 1 on"),
        (["bench", "--profile", "dmo"], 2, "did you mean demo?"),
        (["asess"], 2, "did you mean assess?"),
        (["data", "--root", "nowhere"], 1, "nowhere: no such folder of data sets"),
    ],
)
def test_a_wrong_request_is_answered_before_anything_heavy_is_imported(
    arguments, status, words, monkeypatch
):
    monkeypatch.chdir(REPOSITORY)
    got, said, heavy = asked(*arguments)
    assert got == status
    assert words in said.replace("(choose from smoke, demo", "(choose from 'smoke', 'demo'")
    assert heavy == []
    assert "Student" not in said


# ---------------------------------------------------------------- did you mean
def test_the_nearest_name_or_none():
    known = ["train.lr", "train.steps", "04_fixmatch"]
    assert did_you_mean("train.lrr", known) == "; did you mean train.lr?"
    assert did_you_mean("fixmatch", known) == "; did you mean 04_fixmatch?"
    assert did_you_mean("lr", known) == "; did you mean train.lr?"
    assert did_you_mean("zebra", known) == ""
    assert did_you_mean("", known) == did_you_mean("x", []) == ""


@pytest.mark.parametrize("option", ["--only", "--why", "--force"])
def test_a_mistyped_step(option, tmp_path, capsys):
    assert run_all.main([option, "04_fixmach", "--home", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no step is called 04_fixmach; there are 00_start_here" in said
    assert said.endswith("; did you mean 04_fixmatch?\n")
    assert not list(tmp_path.iterdir())


def test_every_mistyped_step_has_its_own_hint(tmp_path):
    walk = Walk(run_all.expand("demo", "demo", {}), "demo", tmp_path, tmp_path)
    with pytest.raises(PlanError, match=r"did you mean 04_fixmatch\?; did you mean 11_table2"):
        walk.pick(["4_fixmatch", "table2", "zzz"])


def test_a_mistyped_profile_of_the_plan(capsys):
    with pytest.raises(SystemExit):
        run_all.main(["--profile", "refrence"])
    assert capsys.readouterr().err.endswith("; did you mean reference?\n")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"row": "fixmach"}, "unknown row 'fixmach'; allowed: .*; did you mean fixmatch?"),
        ({"profile": "demmo"}, "unknown profile 'demmo'; allowed: .*; did you mean demo?"),
        ({"overrides": {"train.lrr": 1}}, "setting 'train.lrr'; .*; did you mean train.lr?"),
        ({"overrides": {"lr": 1}}, "setting 'lr'; .*; did you mean train.lr?"),
        ({"overrides": {"fixmatch.tua": 1}}, "'fixmatch.tua'; .*; did you mean fixmatch.tau?"),
    ],
)
def test_a_mistyped_row_profile_or_setting(given, words):
    from riqa_lib.training import photographs

    with pytest.raises(ValueError, match=words.replace("?", r"\?") + "$"):
        photographs.settings(**({"profile": "demo"} | given))


def test_a_mistyped_method_and_setting_of_fundus_photographs():
    from riqa_lib.training import photographs
    from riqa_lib.training.fundus import settings

    with pytest.raises(ValueError, match=r"unknown method 'comach'; .*did you mean comatch\?$"):
        photographs.Run().but(method="comach")
    with pytest.raises(ValueError, match=r"'fundus.train.step'; .*mean fundus.train.steps\?$"):
        settings("demo", overrides={"fundus.train.step": 3})
