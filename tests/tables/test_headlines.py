"""The README's few rows, and the files that are filled from the tracked results."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pandas as pd
import pytest
from conftest import REPOSITORY

from riqa_lib import store
from riqa_lib.tables import headlines, written_files

PAGES = ("README.md", "RESULTS.md", "CONTRIBUTING.md", "GPU.md", *written_files.WRITTEN)


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    """A folder of results in which every row's MAE is told apart."""
    monkeypatch.setattr(headlines.paths, "reference", lambda: tmp_path)
    simulated = [
        {"method": m, "labels": 1299, "seeds": 3, "mae": 0.3 + k / 100, "published_mae": None}
        for k, m in enumerate(headlines.ROWS)
    ]
    simulated[5]["published_mae"] = 0.4
    store.write_table(tmp_path / "table2.csv", pd.DataFrame(simulated))
    real = [
        {"method": m, "labels": n, "seeds": 8, "pictures": 2640, "mae": 0.5 + k / 100 - n / 1e5}
        for k, m in enumerate(headlines.ROWS)
        for n in ((300, 5998) if m in headlines.ROWS[:5] else (300,))
        if (m, n) != ("constant", 300)
    ]
    monkeypatch.setattr(headlines.tracked_budgets, "tracked", lambda folder: True)
    monkeypatch.setattr(headlines.tracked_budgets, "load", lambda name: pd.DataFrame(real))
    return tmp_path


def test_each_number_stands_in_its_row_and_column(tracked):
    table = headlines.few_rows().split("\n\n")[0].splitlines()
    assert "5,998 labels" in table[0]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in table[2:]]
    assert len(cells) == len(headlines.ROWS)
    by_row = {row[0]: row[1:] for row in cells}
    assert by_row["best constant"] == ["0.44", "0.44", "0.30", "–"]
    assert by_row["ViT, supervised"] == ["0.54", "0.48", "0.34", "–"]
    assert by_row["ViT + CRMatch"] == ["0.55", "–", "0.35", "0.40"]


def test_without_results_it_says_what_to_run(tracked):
    (tracked / "table2.csv").unlink()
    assert "run_all.py --reference" in headlines.few_rows()


def test_what_is_not_current_is_filled_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(written_files, "WRITTEN", ("a.md", "b.md"))
    monkeypatch.setattr(written_files, "blocks", lambda: {"n": "new"})
    (tmp_path / "a.md").write_text("<!-- riqa:n -->\nold\n<!-- /riqa:n -->\n")
    (tmp_path / "b.md").write_text("<!-- riqa:n -->\nnew\n<!-- /riqa:n -->\n")
    assert written_files.fill(check=True, root=tmp_path) == ["a.md"]
    assert "old" in (tmp_path / "a.md").read_text()
    assert written_files.fill(root=tmp_path) == ["a.md"]
    assert (tmp_path / "a.md").read_text() == (tmp_path / "b.md").read_text()
    assert written_files.fill(check=True, root=tmp_path) == []


def anchor(heading: str) -> str:
    """What a code host calls a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("name", sorted({*PAGES}))
def test_no_link_of_a_page_is_dead(name):
    page = REPOSITORY / name
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http", "mailto:")):
            continue
        file, _, part = unquote(target).partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{name}: {target}"
        if part:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
            assert part in map(anchor, headings), f"{name}: {target}"


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
