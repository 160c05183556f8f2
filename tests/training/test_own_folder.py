"""A folder of one's own whose pictures come in subsets, as BIQ2021's do: declared, made into a
walk's data, the rows without a network trained, tables within subsets."""

from __future__ import annotations

import cheaper
import numpy as np
import pandas as pd
import pytest
from photo_trees import BIQ2021, make_biq2021

from riqa_lib import paths
from riqa_lib.datasets.problems import FolderError
from riqa_lib.stats.votes import equal_width
from riqa_lib.tables import stored, subsets
from riqa_lib.training import baselines, photographs

ROWS = ["source_mean", "forest", "ridge"]
FROZEN = {
    "data.source": "folder",
    "data.size": 48,
    "data.crop": 32,
    "data.labels": 45,
    "model.stem": "lite0",
    "model.freeze": True,
    "model.weights": "imagenet",
}


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """(overrides, data) of the tree, made once."""
    home = tmp_path_factory.mktemp("own")
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(home))
    patch.delenv("RIQA_JOURNAL", raising=False)
    cheaper.few_trees(patch)
    cheaper.few_resamples(patch)
    own = FROZEN | {"data.folder": make_biq2021(home / "biq2021")}
    yield own, photographs.make_data("mine", "smoke", own)
    patch.undo()


def test_the_declaration_reads_scores_and_subsets(walk):
    own, data = walk
    table = pd.read_csv(own["data.folder"]["table"]).set_index("image_name")
    frame = data.frame.set_index("id")
    assert len(frame) == len(table) == 150
    assert not data.info["simulated"]
    assert (frame["source"] == table.loc[frame.index, "subset"]).all()
    assert frame["score"].to_numpy() == pytest.approx(table.loc[frame.index, "MOS"])
    assert (frame["grade"] == equal_width(frame["score"].to_numpy(), 0, 1, 5)).all()
    assert set(frame["split"]) == {"train", "val", "test"}
    assert baselines.sources_of(data) == [*BIQ2021]


def test_the_set_is_called_what_its_owner_calls_it(walk):
    own, data = walk
    assert data.info["name"] == "images"
    called = own | {"data.folder": own["data.folder"] | {"name": "BIQ2021"}}
    assert photographs.make_data("called", "smoke", called).info["name"] == "BIQ2021"


def test_rows_without_a_network_and_what_they_know_within_subsets(walk):
    own, data = walk
    assert baselines.rows_for(ROWS, data) == ROWS
    runs = [photographs.train_rows("mine", "smoke", ROWS, seed, own) for seed in (0, 1)]
    tables = stored.load_runs("mine", pd.concat(runs, ignore_index=True))
    rows = tables["table2"].set_index("method")
    assert rows.loc["source_mean", "row"] == "mean of its subset"
    assert (rows.loc[ROWS, "labels"] == 45).all()
    assert (rows.loc[ROWS, "mae"] < rows.loc["constant", "mae"]).all()
    found = subsets.subsets(tables["predictions"], tables["counts"], False, 50)
    known = found.set_index(["method", "part"])
    assert set(found["part"]) == {"all", "within", *BIQ2021}
    for row, kind in zip(ROWS, ("subset mean", "no network", "no network"), strict=True):
        assert known.loc[(row, "all"), "kind"] == kind
        assert known.loc[(row, "all"), "srcc"] > 0.6
    assert np.isnan(known.loc[("source_mean", "within"), "srcc"])
    assert (known.loc[[("forest", "within"), ("ridge", "within")], "srcc"] > 0.3).all()


def test_a_table_without_the_subset_column_is_told_with_its_columns(walk, monkeypatch):
    own, _ = walk
    declared = own["data.folder"] | {"source": "subsets"}
    with pytest.raises(FolderError) as e:
        photographs.make_data("other", "smoke", own | {"data.folder": declared})
    assert str(e.value).startswith(paths.shown(declared["table"]))
    words = "missing column (1): row 1: subsets: found image_name, MOS, subset"
    assert words in str(e.value)
    assert not (paths.results("other") / "data" / "dataset.json").exists()


def test_without_the_declaration_the_row_says_what_to_declare(walk):
    own, _ = walk
    declared = {k: v for k, v in own["data.folder"].items() if k != "source"}
    silent = own | {"data.folder": declared, "data.size": 32}
    data = photographs.make_data("silent", "smoke", silent)
    assert baselines.rows_for(ROWS, data) == ["forest", "ridge"]
    with pytest.raises(ValueError, match=r"silent/data/frame\.csv: .*found none; .*\"source\": "):
        photographs.train_rows("silent", "smoke", ["source_mean"], 0, silent)


def test_a_crop_larger_than_the_maps_is_told(walk):
    """The data were made at 48 px; somebody now asks for more."""
    own, data = walk
    run = photographs.settings("smoke", "supervised", 0, own | {"data.size": 96, "data.crop": 64})
    with pytest.raises(ValueError, match=r"a window of 4 tokens does not fit into maps of 3 x 3"):
        photographs.train(run, data)
