"""Pictures of one's own with 2, 3 and 10 grades, the whole way: declared, made into a walk's data,
every row of the tables trained, Table 2, the pool's story, both stages, label budgets, figures."""

from __future__ import annotations

import cheaper
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.figures import mechanisms, results
from riqa_lib.figures.draw_all import draw_all
from riqa_lib.scales import SECOND
from riqa_lib.stats.metrics import columns_p
from riqa_lib.tables import (
    error_against_labels,
    grade_columns,
    pool,
    second_stage,
    stored,
    table2,
    table2_shown,
)
from riqa_lib.tables.names import always
from riqa_lib.training import budgets, photographs
from riqa_lib.training.photo_profiles import ROWS

NAMES = {2: ("bad", "good"), 3: (), 10: ()}
SHOWN = {2: ("bad", "good"), 3: ("1", "2", "3"), 10: (*"123456789", "10")}
SMALLEST = {
    "data.source": "folder",
    "data.size": 32,
    "data.crop": 32,
    "data.labels": 30,
    "model.weights": "none",
    "model.patch": 16,
    "train.steps": 2,
    "train.batch": 4,
    "train.evaluations": 1,
}
# The rest of the rows do what these do, with other settings
LIKE_OTHERS = ("supervised_strong", "supervised_equal", "supervised_all", "fixmatch_randaugment")
LIKE_OTHERS += tuple(f"{m}{SECOND}" for m in ("adamatch", "comatch", "freematch", "crmatch"))
ONCE = [row for row in ROWS if row not in LIKE_OTHERS]
TRAINED = {2: [*ROWS], 3: ONCE, 10: ONCE}
PARTS = ["train"] * 6 + ["val"] * 2 + ["test"] * 4  # of twelve pictures of a grade


def make_folder(root, classes: int) -> dict[str, object]:
    """Pictures whose brightness is their grade, 72 or more of two sources; the declaration that
    reads them: of two grades by the grade's number, else by a score of 1 to 10."""
    g, images = np.random.default_rng(classes), root / "images"
    images.mkdir(parents=True)
    lines = ["file,score,grade,split,place"]
    for k in range(classes):
        for i in range(12 * -(-6 // classes)):
            light = 40 + 160 * (k + g.uniform()) / classes
            pixels = np.clip(light + g.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(images / f"{k}-{i}.png")
            score = 1 + 9 * (k + 0.1 + 0.8 * g.uniform()) / classes
            place = ("here", "there")[i % 2]
            lines.append(f"{k}-{i}.png,{score:.3f},{k},{PARTS[i % 12]},{place}")
    (root / "scores.csv").write_text("\n".join(lines) + "\n")
    own = {"grade": "grade"} if classes == 2 else {"score": "score", "low": 1, "high": 10}
    named = {"names": NAMES[classes]} if NAMES[classes] else {}
    own |= {"id": "file", "split": "split", "source": "place", "classes": classes} | named
    return {"root": str(images), "table": str(root / "scores.csv")} | own


@pytest.fixture(scope="module", params=[2, 3, 10])
def walk(request, tmp_path_factory):
    """(classes, settings, data, tables) of a walk with TRAINED, made once."""
    home = tmp_path_factory.mktemp(f"grades{request.param}")
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(home))
    patch.delenv("RIQA_JOURNAL", raising=False)
    cheaper.few_trees(patch)
    cheaper.few_resamples(patch)
    own = SMALLEST | {"data.folder": make_folder(home / "photos", request.param)}
    data = photographs.make_data("mine", "smoke", own)
    runs = photographs.train_rows("mine", "smoke", TRAINED[request.param], 0, own)
    yield request.param, own, data, stored.load_runs("mine", runs)
    patch.undo()


def test_every_row_is_in_table2_with_the_data_s_own_grades(walk):
    classes, _, data, tables = walk
    predictions, table = tables["predictions"], tables["table2"].set_index("method")
    assert int(data.info["classes"]) == classes == len(columns_p(predictions))
    assert [*table.index[:3]] == ["constant", *always(classes)]
    assert {*table.index[3:]} == {*TRAINED[classes]}
    for method in ("supervised", "fixmatch_second", "ridge"):
        own = predictions[(predictions["method"] == method) & (predictions["split"] == "test")]
        said = own[columns_p(own)].to_numpy().argmax(axis=1)
        errors = [(t, abs(t - k)) for t, k in zip(own["truth"], said, strict=True)]
        assert table.loc[method, "mae"] == pytest.approx(np.mean([e for _, e in errors]))
        best = [e for t, e in errors if t >= classes - 2]
        together = "mae" if classes == 2 else f"mae_{classes - 2}{classes - 1}"
        assert table.loc[method, together] == pytest.approx(np.mean(best))
    assert not {"published_mae_3", "published_mae_4"} & {*table}


def test_columns_and_constants_have_the_owner_s_names(walk):
    classes, _, _, tables = walk
    words, table = SHOWN[classes], tables["table2"]
    assert grade_columns.names_in(table) == words
    middle = (classes - 1) // 2
    assert [*table["row"].iloc[1:3]] == [f"always {w}" for w in words[middle : middle + 2]]
    hidden = table2_shown.show_table(table, "hidden").split("\n\n")[:-1]
    head = " ".join(part.splitlines()[0] for part in hidden)
    assert all(f"| MAE {word} ↓ |" in head for word in words)
    summary = table2_shown.show_table(table).splitlines()[0]
    assert (f"MAE {' & '.join(words[-2:])} ↓" in summary) == (classes > 2)
    assert table2.findings(table)


def test_figures_have_as_many_grades_and_their_names(walk, monkeypatch):
    classes, _, _, tables = walk
    words = SHOWN[classes]
    of_some = {k: tables[k] for k in ("predictions", "history", "table2")}
    few = {k: rows[rows["method"].isin(["supervised", "freematch"])] for k, rows in of_some.items()}
    cheaper.unrendered(monkeypatch)
    assert len(draw_all(tables | few, "mine")) >= 5
    figure = results.confusion(tables["predictions"], "supervised", simulated=False, words=words)
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        assert [tick.get_text() for tick in axis.get_ticklabels()] == [*words]
    history = tables["history"]
    of = {method: rows for method, rows in history.groupby("method")}
    shares = np.full(classes, 1 / classes)
    run = paths.runs() / tables["runs"].set_index("method").loc["freematch", "run"]
    said = store.read_predictions(run)
    for figure in (
        mechanisms.thresholds(of["freematch"], simulated=False, words=words),
        mechanisms.marginals(of["adamatch"], shares, simulated=False, words=words),
        mechanisms.label_graph(said, 0.3, simulated=False, words=words),
        mechanisms.kept_per_class(said, shares, simulated=False, words=words),
    ):
        text = {t.get_text() for t in figure.findobj(Text)}
        labels = {f"grade {w}" if w.isdigit() else w for w in words}
        assert {*words} <= text or labels <= text
        assert len({t for t in text if t.startswith("grade ")} - labels) == 0
    mechanisms.memory(of["simmatch"], 9, simulated=False, words=words)


def test_the_pool_and_both_stages_have_as_many_grades(walk):
    classes, own, data, tables = walk
    runs = tables["runs"][["run", "method", "seed", "labels"]]
    shown = runs[runs["method"].isin(["supervised", "simmatch"])]
    said = pool.told(shown, simulated=False)
    rows = photographs.rows_of(photographs.settings("smoke", overrides=own), data)
    labels = data.frame["grade"].iloc[rows["labelled"]]
    assert pool.show(said, labels, simulated=False)
    table = pool.judged(said, labels)  # pictures whose label was hidden
    assert (table["top"] == classes - 1).all()
    own_part = said[said["method"] == "simmatch"]
    right = (own_part["truth"] == own_part["grade"])[own_part["truth"] >= 0]
    assert table.set_index("method").loc["simmatch", "accuracy"] == pytest.approx(right.mean())
    assert {"supervised", "simmatch"} <= {*second_stage.changes(tables["predictions"])["method"]}


def test_label_budgets_have_as_many_grades(walk):
    classes, own, data, _ = walk
    listed = budgets.train("mine", "smoke", [20], 0, own, ["supervised", "ridge"])
    assert {*listed["method"]} == {"supervised", "ridge"}
    table = error_against_labels.measured("mine", resamples=50)
    few = table[table["labels"] == 20].set_index("method")
    assert {"supervised", "ridge"} <= {*few.index}
    assert few.loc["supervised", "mae"] <= classes - 1
    assert data.frame["grade"].max() == classes - 1
