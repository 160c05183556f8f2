"""The panel of predictions without a browser: which pictures, in which order, and what is said of
them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from panel_walks import EVIL, SAID, SIZE, SURE, TRUTH, photographs
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.panels import prediction_choice as choosing
from riqa_lib.panels.prediction_choice import Choice
from riqa_lib.panels.prediction_page import page
from riqa_lib.panels.prediction_panel import open_panel
from riqa_lib.panels.prediction_walk import open_walk


@pytest.fixture
def ids(home):
    return photographs()


def shown(walk, **wanted):
    """Places of the pictures that fit, in order."""
    table = choosing.picked(walk, Choice(**{"method": "supervised", "labels": 10, **wanted}))
    return table["row"].tolist()


def test_each_order_is_what_a_slow_loop_gives(ids):
    walk = open_walk("tiny")
    method = SAID["supervised"]
    test = range(10)

    def sorted_by(key):
        return sorted(test, key=lambda k: (*(-v for v in key(k)), ids[k]))

    error = [abs(s - t) for s, t in zip(method, TRUTH, strict=True)]
    against = [1 - (SURE[k] if error[k] == 0 else (1 - SURE[k]) / 2) for k in range(12)]
    assert shown(walk, sort="error") == sorted_by(lambda k: (error[k], round(against[k], 9)))
    assert shown(walk, sort="error")[:2] == [9, 2]  # both two grades off, the surer one first
    assert shown(walk, sort="sure") == sorted_by(lambda k: (SURE[k], error[k]))
    assert shown(walk, sort="unsure") == sorted_by(lambda k: (-SURE[k], error[k]))

    def expected(name, k):
        rest = (1 - SURE[k]) / 2
        return sum(g * (SURE[k] if g == SAID[name][k] else rest) for g in range(3))

    def apart(names):
        def far(k):
            said = [SAID[n][k] for n in names]
            means = [expected(n, k) for n in names]
            return max(said) - min(said), round(max(means) - min(means), 9)

        return far

    two = apart(["supervised", "fixmatch"])
    assert shown(walk, sort="disagreement", other="fixmatch") == sorted_by(two)
    assert shown(walk, sort="disagreement") == sorted_by(apart([*SAID]))


def test_grades_splits_and_seeds_choose_pictures(ids):
    walk = open_walk("tiny")
    assert set(shown(walk, truth=2)) == {6, 7, 8, 9}
    assert shown(walk, truth=2, said=0) == [9]
    assert shown(walk, truth=1, said=2) == []
    assert set(shown(walk, split="pool")) == {10, 11}
    assert set(shown(walk, method="fixmatch", seed=1, said=0)) == set(range(10))
    confused = choosing.confusion(walk, Choice("fixmatch", labels=10))
    assert confused.tolist() == [[1, 1, 1], [1, 2, 0], [0, 1, 3]]
    assert choosing.confusion(walk, Choice("supervised", labels=10, split="pool")).sum() == 0


def test_worst_errors_by_method_and_grade(ids):
    table = choosing.worst(open_walk("tiny"), Choice("supervised", labels=10))
    assert len(table) == 3 * 3
    mine = table[table["method"] == "ViT, supervised"].set_index("truth")
    assert mine.loc[2, ["pictures", "wrong", "mae", "worst_id"]].tolist() == [4, 1, 0.5, ids[9]]
    assert mine.loc[0, "worst_id"] == EVIL
    assert EVIL not in open_panel("tiny").worst().to_html()


def test_a_choice_fits_the_walk_and_says_what_is_allowed(ids):
    walk = open_walk("tiny")
    choice = choosing.settled(walk, Choice("simmatch", other="simmatch", seed=7, said=5, sort="?"))
    assert choice == Choice("supervised", labels=10)
    one = choosing.changed(walk, choice, {"other": "fixmatch", "truth": "2", "said": ""})
    assert (one.other, one.truth, one.said) == ("fixmatch", 2, None)
    other = choosing.swapped(walk, one)
    assert (other.method, other.other) == ("fixmatch", "supervised")
    late = choosing.changed(walk, other, {"seed": "1"})  # "supervised" has no seed 1
    assert (late.method, late.other, late.seed) == ("fixmatch", "", 1)
    for wrong in ({"truth": "3"}, {"method": "simmatch"}, {"colour": "red"}, {"seed": 1.5}):
        with pytest.raises(ValueError, match="expected"):
            choosing.changed(walk, choice, wrong)
    assert choosing.offered(walk, choice)["split"] == ["test", "pool"]


def test_what_is_said_of_a_picture(ids):
    walk = open_walk("tiny")
    choice = Choice("supervised", other="fixmatch", labels=10)
    table = choosing.picked(walk, choice)
    one = page(walk, choice, table, table["row"].tolist().index(9))
    assert json.loads(json.dumps(one)) == one
    assert one["methods"][0]["verdict"] == "says 0 (bad) with probability 0.95: 2 grades too low"
    assert one["methods"][1]["p"] == [0.025, 0.95, 0.025]
    assert one["apart"] == "1 grade apart; expected grades 0.93 apart"
    assert one["votes"] == [1, 1, 7]
    assert (one["place"], one["count"], one["truth"]) == (1, 10, 2)
    assert one["summary"] == "10 pictures for testing; 2 wrong, mean error 0.40 grades."
    assert one["everyone"][0][1:4:2] == ["ViT, supervised", "0.95"]
    assert [row[4] for row in one["everyone"]] == [False, False, True]
    assert ["from", EVIL] in one["facts"]
    assert not [what for what, _ in one["facts"] if "simulation" in what]
    assert "gone" in one["notes"][0]
    unvoted = page(walk, choice, table, table["row"].tolist().index(3))
    assert unvoted["votes"] == []
    pool = Choice("supervised", labels=10, split="pool")
    one = page(walk, pool, choosing.picked(walk, pool), 0)
    assert one["methods"][0]["verdict"].endswith("no true grade is known")
    assert one["everyone"][0][4] is None
    assert one["summary"] == "2 pictures of the pool (no label); no true grade is known."


def test_simulated_pictures_are_called_so(home):
    photographs(simulated=True)
    one = open_panel("tiny").page
    assert one["kind"].startswith("SIMULATED")
    assert one["alt"].startswith("Simulated photograph")
    assert ["done to it by the simulation", f"blur{EVIL}"] in one["facts"]
    assert open_panel("tiny").found().startswith("Simulated data.")


def test_keys_and_menus_move_through_the_list(ids):
    panel = open_panel("tiny", method="fixmatch", seed=0)

    def tell(**message):
        panel._told(None, message, [])

    first = panel.page["id"]
    assert Image.open(io.BytesIO(panel.picture)).size == (SIZE, SIZE)
    tell(step=1)
    assert panel.page["place"] == 2
    assert Image.open(io.BytesIO(panel.picture)).getpixel((0, 0))[0] == 20 * ids.index(
        panel.page["id"]
    )
    tell(go=10**15)
    assert panel.page["place"] == 10
    tell(step=1)
    assert panel.page["place"] == 10
    tell(choose={"sort": "sure"})
    assert panel.page["place"] == 1
    tell(step=3)
    picture = panel.page["id"]
    tell(method=1)  # the same picture through the next method's eyes
    assert (panel.page["id"], panel.page["chosen"]["method"]) == (picture, EVIL)
    tell(method=-1)
    tell(choose={"other": "supervised"})
    tell(swap=True)
    assert (panel.page["chosen"]["method"], panel.page["id"]) == ("supervised", picture)
    tell(choose={"truth": "1", "said": "2"})
    assert (panel.page["state"], panel.picture) == ("empty", b"")
    tell(choose={"truth": "9"})
    assert "expected one of" in panel.page["trouble"]
    tell(choose={"truth": "", "said": ""})
    assert panel.page["state"] == "picture"
    assert "trouble" not in panel.page
    assert first in panel.table()["id"].tolist()


def test_what_is_not_there_is_said_and_what_to_type(home):
    assert "there is none yet: python run_all.py" in open_panel("nobody").page["words"]
    photographs("mine")
    said = open_panel("min")
    assert "did you mean mine?" in said.page["words"]
    assert said.worst() == said.table() == said.found() == said.provenance() == said.page["words"]
    assert "no pictures to look at" in open_panel("reference").page["words"]
    for file in (paths.results("mine") / "tables").iterdir():
        file.unlink()
    assert "--name mine --only 03_vit_supervised" in open_panel("mine").page["words"]


def test_predictions_of_other_pictures_or_grades_are_no_predictions(ids):
    file = paths.runs() / "r0" / "predictions.csv.gz"
    table = store.read_predictions(file.parent)
    store.write_table(file, table.assign(id=[f"other{k}" for k in range(len(table))]))
    assert "12 of 12 predictions are of pictures" in open_panel("tiny").page["words"]
    store.write_table(file, table.drop(columns="p2").assign(p1=1 - table["p0"]))
    assert "results/runs/r0: 2 probabilities" in open_panel("tiny").page["words"]
    assert np.isin("r0", open_walk("tiny").runs["run"])
