"""Notebooks 01 to 11, 20 and 21 with a folder of one's own, without and with a pool: they go all
the way, speak of these pictures, and never say how right anything is on the pool."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cheaper import few_resamples
from conftest import REPOSITORY
from in_process import few_trees
from notebook_cells import Marked, shown_by
from photo_trees import OWN_GRADES, make_own
from planted import NAME, rendered, wrong

from riqa_lib import store
from riqa_lib.tables.text import as_text
from riqa_lib.training import baselines

METHODS = ("04_fixmatch", "05_simmatch", "06_adamatch", "07_comatch", "08_freematch", "09_crmatch")
WALK = ("01_koka10k", "03_vit_supervised", *METHODS, "10_second_stage", "11_table2")
# these two need nothing of a pool, and one of them tries 57 views on every picture
ONCE = {"no pool": ("02_views_that_keep_quality",), "pool": ("20_label_budgets",)}
LAST = {"no pool": (), "pool": ("21_error_against_labels",)}
SMALL = {
    "data.source": "folder",
    "data.size": 32,
    "data.crop": 32,
    "train.steps": 2,
    "train.batch": 4,
    "train.mu": 1,
    "train.evaluations": 2,
    "pretrain.pictures": 4,
    "pretrain.steps": 1,
    "comatch.bank": 8,
}
POOL = {"no pool": 0, "pool": 6}


class Walk:
    """What each notebook showed, and where it left its tables."""

    def __init__(self, home: Path, pool: int) -> None:
        self.pool, self.home, self.shown = pool, home, {}

    @property
    def results(self) -> Path:
        return self.home / "results" / "own"

    def text(self, notebook: str) -> str:
        return "\n".join(self.shown[notebook])


@pytest.fixture(scope="module", params=[*POOL])
def walk(request, tmp_path_factory):
    """The notebooks in their order, in one process, from the folder that the pictures lie in."""
    home, kind = tmp_path_factory.mktemp("own"), request.param
    walk = Walk(home, POOL[kind])
    given = SMALL | {"data.folder": make_own(home, walk.pool)}
    parameters = {"NAME": "own", "PROFILE": "smoke", "SETTINGS": given, "LABELS": [6]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(home))
        patch.delenv("RIQA_JOURNAL", raising=False)
        patch.chdir(home)
        patch.setattr(baselines, "RandomForestClassifier", few_trees)
        few_resamples(patch)
        for name in (*WALK, *ONCE[kind], *LAST[kind]):
            walk.shown[name] = shown_by(REPOSITORY / "notebooks" / f"{name}.ipynb", parameters)
        yield walk


PAPERS = r"KonIQ|KADIS|KOKA10K|Dang|Table 1|[Pp]ublished|claim|added pictures"


@pytest.mark.walk
def test_nothing_of_the_paper_stands_beside_ones_own_pictures(walk):
    for name in walk.shown:
        found = re.findall(f".*(?:{PAPERS}).*", walk.text(name))
        assert not found, f"{name}: {found}"
    table = pd.read_csv(walk.results / "tables" / "table2.csv")
    assert table.filter(like="published").isna().all(axis=None)
    there = {file.stem for file in (walk.results / "tables").glob("*.csv")}
    assert not there & {"claims", "label_rules", "source_detector"}
    folder = as_text(NAME) if walk.pool else "photos"
    assert f"pictures of your own** ({folder}), 32 px; real" in walk.text("01_koka10k")


@pytest.mark.walk
def test_names_of_folders_columns_sources_and_files_are_text(walk):
    """With a pool these look like markup (`make_own`)."""
    there = {"01_koka10k", "03_vit_supervised", "11_table2"} if walk.pool else set()
    for name, cells in walk.shown.items():
        said = "\n\n".join(rendered(cell) for cell in cells if isinstance(cell, Marked))
        assert wrong(said, shown=name in there) == [], name


@pytest.mark.walk
def test_every_row_gets_to_the_table_and_a_second_stage_only_where_there_is_a_pool(walk):
    table = pd.read_csv(walk.results / "tables" / "table2.csv")
    methods = {"supervised", "mean_teacher", *(name[3:] for name in METHODS)}
    assert methods | {"forest", "ridge", "supervised_strong"} <= set(table["method"])
    second = {m for m in table["method"] if m.endswith("_second")}
    assert second == ({f"{m}_second" for m in methods} if walk.pool else set())
    assert (table["data"] == "real").all()
    assert (table["pictures"] == 10).all()
    assert ("source_mean" in set(table["method"])) == bool(walk.pool)  # sources are declared there


@pytest.mark.walk
def test_that_there_is_no_pool_is_said_by_every_notebook_that_shows_it(walk):
    for name in (*METHODS, "10_second_stage"):
        assert ("There is no pool" in walk.text(name)) == (not walk.pool), name
    for name in ("07_comatch", "08_freematch"):
        assert (walk.text(name).count("There is no pool") == 2) == (not walk.pool), name
    assert ("There is no **pool**" in walk.text("01_koka10k")) == (not walk.pool)


JUDGED = (
    "Accuracy by",
    "recall of",
    "with a known grade",
    "the commonest",
    "true share",
    "pool, true",
)
JUDGED += ("pool: true", "equal true grade", "on the pool (", "of these right")


@pytest.mark.walk
def test_nothing_says_how_right_anything_is_on_the_pool(walk):
    """Half of the pool has no score, the other half an invented one: neither is counted as graded,
    stored as a truth, or held against what a run says."""
    assert "Of 25 graded pictures, grade 0" in walk.text("01_koka10k")
    counts = pd.read_csv(walk.results / "tables" / "table1.csv", index_col="grade")
    assert counts[["train", "val", "test"]].to_numpy().sum() == 25
    assert ("no label" in counts.index) == bool(walk.pool)
    if walk.pool:
        assert counts["pool"].to_dict() == dict.fromkeys(counts.index, 0) | {"no label": 6}
    for name in (*METHODS, "10_second_stage"):
        found = [word for word in JUDGED if word in walk.text(name)]
        assert not found, f"{name}: {found}"
        unknown = "**Pool**: no true grade is known, so nothing is judged." in walk.text(name)
        assert unknown == bool(walk.pool), name
    assert not [*(walk.results / "tables").glob("pseudo_labels*")]
    stored = {f.parent for f in (walk.home / "results" / "runs").glob("*/predictions.csv.gz")}
    assert len(stored) > 12
    for run in stored:
        said = store.read_predictions(run)
        pool = said[said["split"] == "pool"]
        assert (pool["truth"] == -1).all(), run.name
        assert np.isnan(pool["score"]).all(), run.name


@pytest.mark.walk
def test_grades_have_their_owners_names(walk):
    named = [f"{k} ({name})" for k, name in enumerate(OWN_GRADES)]
    for name in ("01_koka10k", "03_vit_supervised"):
        assert all(word in walk.text(name) for word in named) == bool(walk.pool), name
    if walk.pool:
        head = f"| share of each grade | pictures | {' | '.join(named)} |"
        for name in (*METHODS, "10_second_stage"):
            assert head in walk.text(name), name
