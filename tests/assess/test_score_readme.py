"""The README's way of scoring new photographs, word for word: the command, and three lines of
Python."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd
from conftest import REPOSITORY
from PIL import Image

from riqa_lib.__main__ import main
from riqa_lib.training import photographs

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_new_photographs_are_scored_by_the_readmes_words(home, tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"<!-- example: score -->\n```python\n(.*?)```", README, re.S)
    (asked,) = re.findall(r"\*\*Score new photographs\*\*[^`]*`(riqa score [^`]*)`", README)
    assert len(example.splitlines()) == 3
    rng = np.random.default_rng(0)
    for folder in ("learnt", "photos"):
        (tmp_path / folder).mkdir()
        for i in range(60):
            noise = rng.normal(128, 4 * (i % 10 + 1), (44, 60, 3))
            pixels = np.clip(noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    (tmp_path / "photos" / "no picture.png").write_text("text")
    scores = pd.DataFrame({"file": [f"{i}.png" for i in range(60)], "mos": np.arange(60) % 10 + 1})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    own = {"root": str(tmp_path / "learnt"), "table": str(tmp_path / "scores.csv"), "id": "file"}
    mine = {"data.source": "folder", "data.folder": own | {"score": "mos", "low": 1, "high": 10}}
    mine |= {"data.fractions": (0.5, 0.3, 0.2), "model.weights": "none"}
    data = photographs.make_data("mine", "smoke", mine)
    run = photographs.train(photographs.settings("smoke", "supervised", 0, mine), data)

    # in this process: tests/test_command.py has the command in one of its own
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert "no picture.png" in capsys.readouterr().out
    command, *arguments = shlex.split(asked)
    assert (command, main(arguments)) == ("riqa", 0)
    said = capsys.readouterr().out
    assert "no picture.png" in said
    assert run.name in said
    table = pd.read_csv(tmp_path / "new-scores.csv")
    assert len(table) == 61
    scored = table[table["state"] != "unreadable"]
    assert len(scored) == 60
    assert scored["score"].between(1, 10).all()
    assert (scored["score_low"] <= scored["score"]).all()
    assert (scored["trained_on"] == "learnt").all()
