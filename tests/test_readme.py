"""The README is true: its example runs word for word, its blocks are current."""

from __future__ import annotations

import re
import runpy

import numpy as np
import pandas as pd
from conftest import REPOSITORY
from PIL import Image

from riqa_lib.__main__ import main

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_my_own_pictures_word_for_word(home, tmp_path, monkeypatch, capsys):
    text = (REPOSITORY / "docs" / "own-pictures.md").read_text(encoding="utf-8")
    example = re.search(r"<!-- example: own pictures -->\n```python\n(.*?)```", text, re.S)[1]
    assert len(example.splitlines()) <= 10
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    rows = []
    for i in range(120):
        score = 1 + 4 * (i % 10) / 9
        noise = rng.integers(0, 256, (70, 80, 3)) * (score / 5)
        Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "photos" / f"{i}.png")
        rows.append({"file": f"{i}.png", "mos": round(score, 3)})
    pd.DataFrame(rows).to_csv(tmp_path / "scores.csv", index=False)
    (tmp_path / "mine.py").write_text(example)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("mine.py", run_name="__main__")
    printed = capsys.readouterr().out
    assert "ViT + FixMatch" in printed
    assert "Real data" in printed


def test_generated_blocks_are_current():
    assert main(["readme", "--check"]) == 0, "run python -m riqa_lib readme"
