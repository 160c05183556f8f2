"""Error against labels, on a small walk written by hand: which runs belong there, the differences
by a slow way, the grid and the words."""

from __future__ import annotations

import budget_walks as walks
import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.stats import bootstrap, crossed
from riqa_lib.tables import budget_verdicts as words
from riqa_lib.tables import error_against_labels as budgets
from riqa_lib.tables import table2
from riqa_lib.tables.names import FIVE, name_of
from riqa_lib.tables.text import cell_of


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def told() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(predictions, table) of two sources and four seeds."""
    frame = walks.pictures(sources=2)
    predictions = walks.long(frame)
    grades = frame.loc[frame["split"] == "train", "grade"]
    return predictions, budgets.error_against_labels(predictions, grades, True, 20)


def row_of(table, method, labels):
    return table[(table["method"] == method) & (table["labels"] == labels)].iloc[0]


def errors(predictions, method, labels):
    """(S, N) errors of the most probable grade on test pictures, and their groups."""
    rows = predictions[(predictions["split"] == "test") & (predictions["method"] == method)]
    rows = rows[rows["labels"] == labels].sort_values(["seed", "id"])
    said = rows[walks.P].to_numpy().argmax(axis=1)
    error = np.abs(said - rows["truth"]).to_numpy().reshape(rows["seed"].nunique(), -1)
    return error, rows["group"].to_numpy()[: error.shape[1]]


# ---------------------------------------------------------------- runs
def test_all_lists_of_budgets_belong_and_of_table_2_those_of_all_labels(home):
    walks.write_walk("mine", seeds=2)
    frame, tables = walks.pictures(), paths.results("mine") / "tables"
    lines = [walks.write_run(frame, "fixmatch", n, 0) for n in (60, 100, walks.TRAIN)]
    store.write_table(tables / "runs-fixmatch-seed0.csv", pd.DataFrame(lines))
    again = walks.write_run(frame, "supervised", walks.TRAIN, 5) | {"method": "supervised_all"}
    second = lines[2] | {"method": "fixmatch_second"}
    store.write_table(tables / "runs-supervised-seed5.csv", pd.DataFrame([again, second]))
    found = budgets.listed("mine")
    kinds = {(r.method, r.labels, r.seed) for r in found.itertuples()}
    assert kinds == {
        *((m, n, s) for m, n in walks.budget_rows() for s in range(2)),
        ("fixmatch", walks.TRAIN, 0),
        ("supervised", walks.TRAIN, 5),
    }
    assert len(found) == len(kinds)
    predictions = budgets.predictions_of(found[found["seed"] == 5])
    assert set(predictions["split"]) == {"test"}
    assert len(predictions) == walks.TEST


def test_what_is_not_there_names_the_notebook(home):
    with pytest.raises(FileNotFoundError, match="run the notebook 01_koka10k first"):
        budgets.listed("mine")
    walks.write_walk("mine", seeds=1, only=walks.FEW)
    with pytest.raises(FileNotFoundError, match="run the notebook 21_error_against_labels first"):
        budgets.load("mine")
    run = paths.runs() / budgets.listed("mine")["run"].iloc[0]
    (run / "provenance.json").unlink()
    with pytest.raises(FileNotFoundError, match="run the notebook 20_label_budgets first"):
        budgets.listed("mine")
    for file in (paths.results("mine") / "tables").glob("budgets-*.csv"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match="run the notebook 20_label_budgets first"):
        budgets.listed("mine")


def test_the_weights_of_the_last_step_have_a_table_of_their_own(home):
    walks.write_walk("mine", seeds=1, only=walks.FEW)
    frame, tables = walks.pictures(), paths.results("mine") / "tables"
    older = walks.write_run(frame, "fixmatch", walks.TRAIN, 0)  # of before these were kept
    (paths.runs() / older["run"] / store.PREDICTIONS["last"]).unlink()
    store.write_table(tables / "runs-fixmatch-seed0.csv", pd.DataFrame([older]))
    found = budgets.listed("mine", "last")
    assert len(found) == len(budgets.listed("mine")) - 1
    said = budgets.predictions_of(found, "last")
    trained = said["method"] != "ridge"
    assert (said.loc[trained, "p0"] == 1).all()
    assert (said.loc[~trained, "p0"] < 1).any()
    made = budgets.table_of("mine", "last")
    assert budgets.load("mine", "last")["mae"].to_numpy() == pytest.approx(made["mae"].to_numpy())
    truth = frame.loc[frame["split"] == "test", "grade"]
    of_networks = made.loc[made["method"].isin(["supervised", "fixmatch"]), "mae"]
    assert of_networks.to_numpy() == pytest.approx(truth.mean())
    assert not budgets.place("mine").exists()
    (paths.runs() / found["run"].iloc[-1] / store.PREDICTIONS["last"]).unlink()
    with pytest.raises(FileNotFoundError, match="run the notebook 20_label_budgets first"):
        budgets.table_of("mine", "last")


def test_a_walks_table_is_kept_and_read_again(home):
    walks.write_walk("mine", seeds=1, only=walks.FEW)
    made = budgets.table_of("mine")
    again = budgets.load("mine")
    assert list(made) == list(again)
    assert made["mae"].to_numpy() == pytest.approx(again["mae"].to_numpy(), rel=1e-6)
    assert budgets.place("reference/biq2021").parts[-3:] == ("reference", "biq2021", "budgets.csv")


# ---------------------------------------------------------------- the table
def test_each_row_has_its_errors_and_its_difference_to_supervised(told):
    predictions, table = told
    assert set(zip(table["method"], table["labels"], strict=True)) == {
        ("constant", walks.TRAIN),
        *walks.budget_rows(),
    }
    for method, labels in walks.budget_rows():
        own, _ = errors(predictions, method, labels)
        assert row_of(table, method, labels)["mae"] == pytest.approx(own.mean())
        base, group = errors(predictions, "supervised", labels)
        if method != "supervised":
            slow = crossed.crossed(own - base, group).interval()
            found = row_of(table, method, labels)[["d_mae", "d_mae_low", "d_mae_high"]]
            assert found.tolist() == pytest.approx(slow)
    assert table["srcc_within"].notna().sum() == len(table) - 1
    assert (table["mae_within_low"] <= table["mae_within_high"]).sum() == len(table) - 1


@pytest.mark.parametrize("labels", walks.BUDGETS)
def test_the_control_has_the_same_targets_and_no_pool(told, labels):
    predictions, table = told
    for method in ("fixmatch", "simmatch", "mean_teacher"):
        control = "supervised_ordinal" if method == "mean_teacher" else "supervised"
        own, group = errors(predictions, method, labels)
        found = crossed.crossed(own - errors(predictions, control, labels)[0], group)
        row = row_of(table, method, labels)
        assert (row["control"], row["c_seeds"]) == (control, 4)
        numbers = row[["c_mae", "c_mae_low", "c_mae_high", "c_mae_low_90", "c_mae_high_90"]]
        assert numbers.tolist() == pytest.approx([*found.interval(), *found.interval(0.9)[1:]])
        assert row["p_control"] == pytest.approx(found.p)
        assert row["could_show_control"] == found.could_show(7)
        assert row["seeds_needed_control"] == crossed.seeds_needed(found, 0.02, 7)
        assert row["left_control"] == crossed.left_by_pictures(found)
    rows = table[(table["labels"] == labels) & (table["control"] != "")]
    holm = bootstrap.holm([*rows["p_control"], 1, 1, 1, 1])[:3]
    assert rows["p_holm_control"].tolist() == pytest.approx(holm.tolist())
    assert table.loc[table["control"] == "", "c_mae"].isna().all()


def test_seeds_needed_against_supervised_knows_the_family(told):
    predictions, table = told
    for method, tests in (("simmatch", 5), ("fixmatch", 1), ("ridge", 1)):
        own, group = errors(predictions, method, 60)
        found = crossed.crossed(own - errors(predictions, "supervised", 60)[0], group)
        row = row_of(table, method, 60)
        assert row["seeds_needed"] == crossed.seeds_needed(found, 0.02, tests)
        assert row["left"] == crossed.left_by_pictures(found)
    assert "simmatch" in FIVE
    assert np.isnan(row_of(table, "supervised", 60)["seeds_needed"])


def test_the_gap_is_that_of_the_control_with_all_labels(told):
    predictions, table = told
    base = errors(predictions, "supervised_ordinal", 20)[0].mean()
    gap = base - errors(predictions, "supervised_ordinal", walks.TRAIN)[0].mean()
    gain = base - errors(predictions, "mean_teacher", 20)[0].mean()
    row = row_of(table, "mean_teacher", 20)
    assert row["closed"] == pytest.approx(gain / gap)
    assert row["closed_low"] < row["closed"] < row["closed_high"]
    assert table.loc[table["labels"] == walks.TRAIN, "closed"].isna().all()


def test_rows_without_seeds_in_common_are_not_compared():
    frame = walks.pictures()
    predictions = walks.long(frame, seeds=2, only=walks.FEW)
    other = predictions["method"] == "fixmatch"
    predictions.loc[other, "seed"] += 10
    grades = frame.loc[frame["split"] == "train", "grade"]
    table = budgets.error_against_labels(predictions, grades, False, 20)
    row = row_of(table, "fixmatch", 20)
    assert (row["c_seeds"], row["d_seeds"], row["data"]) == (0, 0, "real")
    assert words.verdict(row, "control") == words.verdict(row) == "not compared"
    assert "srcc_within" not in table  # one source


# ---------------------------------------------------------------- words
def test_the_grid_has_a_cell_a_row_and_number_of_labels(told):
    _, table = told
    for against in ("supervised", "control"):
        grid = words.verdicts(table, against)
        assert list(grid) == ["row", "20 labels", "60 labels"]
        assert list(grid["row"]) == [name_of(m) for m in ("fixmatch", "simmatch", "mean_teacher")]
        cells = grid.iloc[:, 1:].to_numpy().ravel().tolist()
        open_cells = sum(cell.startswith("not decided") for cell in cells)
        assert words.undecided(table, against) == (open_cells, 6)
        assert f"{open_cells} of 6 cells undecided" in words.show_grid(table, against)
    last = words.verdicts(table, "control").iloc[-1]
    assert last["20 labels"] == last["60 labels"] == "better"
    assert words.verdicts(table, labels=[60]).columns.tolist() == ["row", "60 labels"]
    row = row_of(table, "simmatch", 20)
    assert words.verdict(row) == table2.verdict(row) == "worse"
    with pytest.raises(ValueError, match="against 'forest'; allowed: supervised, control"):
        words.verdict(row, "forest")


ENDS = ("c_mae_low", "c_mae_high", "c_mae_low_90", "c_mae_high_90")


def cell(**more):
    """A row of a table, undecided against both."""
    ends = {"": 0.0, "_low": -0.03, "_high": 0.03, "_low_90": -0.025, "_high_90": 0.025}
    row = {f"{d}_mae{end}": value for d in ("d", "c") for end, value in ends.items()}
    row |= {"method": "fixmatch", "row": "ViT + FixMatch", "labels": 100, "margin": 0.02}
    row |= {"seeds": 8, "d_seeds": 8, "c_seeds": 8, "p_holm": np.nan, "p_holm_control": 0.9}
    row |= {"seeds_needed": 17.0, "left": 0.01, "seeds_needed_control": np.inf}
    row |= {"left_control": 0.0131, "mae": 0.6, "mae_low": 0.5, "mae_high": 0.7, "pictures": 400}
    row |= {"data": "real", "closed": np.nan, "closed_low": np.nan, "closed_high": np.nan}
    return row | more


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "not decided (no number of seeds: the pictures alone leave ±0.013)"),
        ({"seeds_needed_control": 12.0}, "not decided (needs 12 seeds)"),
        ({"seeds_needed_control": np.nan}, "not decided"),
        ({"c_mae_low_90": -0.0199, "c_mae_high_90": 0.01}, "equivalent within 0.02"),
        ({"c_mae_high": -0.001, "p_holm_control": 0.04}, "better"),
        ({"c_mae_high": -0.001, "seeds_needed_control": 9.0}, "not decided (needs 9 seeds)"),
        ({"c_mae_low": 0.001, "p_holm_control": 0.04}, "worse"),
        ({"c_mae_high": -0.001, "c_seeds": 1}, "one seed: not a comparison"),
        (dict.fromkeys(ENDS, 0.0), "no test: the same in every picture"),
    ],
)
def test_a_cell_says_the_verdict_and_what_it_would_take(more, says):
    assert words.said(cell(**more), "control") == says
    assert words.said(cell()) == "not decided (needs 17 seeds)"


def test_a_row_that_never_differs_from_its_control_is_no_test_and_not_decided():
    rows = [cell(), cell(row="ViT + FreeMatch", method="freematch", **dict.fromkeys(ENDS, 0.0))]
    text = words.findings(pd.DataFrame(rows))
    assert "**no test**, the same as its own control in every picture: ViT + FreeMatch;" in text
    assert "2 of 2 cells are undecided" in text


def test_where_nothing_is_better_the_findings_say_which_gain_is_excluded():
    rows = [cell(), cell(method="simmatch", row="ViT + SimMatch", c_mae_low=-0.051)]
    text = words.findings(pd.DataFrame(rows))
    assert "a gain in MAE of more than 0.051 is excluded for every one" in text
    assert "2 of 2 cells are undecided" in text
    assert text.startswith("Real data, 400 test pictures")
    better = cell(c_mae=-0.02, c_mae_high=-0.001, p_holm_control=0.01, closed=0.4)
    text = words.findings(pd.DataFrame([better, rows[1]]))
    assert "excluded" not in text
    assert "**better** than its own control, after Holm: ViT + FixMatch" in text
    assert "40% of the gap to all labels" in text
    alone = pd.DataFrame([cell(c_seeds=1), cell(c_mae_low_90=-0.01, c_mae_high_90=0.01)])
    assert words.undecided(alone, "control") == (1, 2)
    one = words.findings(alone.head(1))
    assert "no row is compared with its control" in one
    simple = cell(method="ridge", row="ridge", mae=0.59)
    assert "none has a lower MAE than ridge (0.590)" in words.findings(
        pd.DataFrame([cell(), simple])
    )


def test_the_table_in_words_has_every_row_and_the_columns_within(told):
    _, table = told
    values, differences, note = words.show_table(table).split("\n\n")
    assert len(values.splitlines()) == 2 + 18
    assert "MAE within ↓" in values
    assert values.count("ViT + SimMatch") == differences.count("ViT + SimMatch") == 2
    assert note.startswith("In every row: seeds 4. Simulated data")
    shown = table[table["method"].isin(budgets.ROWS)]
    held = shown[shown[["d_mae", "c_mae", "closed"]].notna().any(axis=1)]
    assert len(differences.splitlines()) == 2 + len(held) < 2 + 18
    row = held.query("labels == labels.max() and method == 'supervised_ordinal'").iloc[0]
    last = [cell.strip() for cell in differences.splitlines()[-1].strip("|").split("|")]
    assert last[:4] == [
        f"{row['labels']:.0f}",
        row["row"],
        cell_of(row, "d_mae", sign=True, digits=3),
        cell_of(row, "c_mae", sign=True, digits=3),
    ]
    assert "within" not in words.show_table(table.drop(columns=["mae_within", "srcc_within"]))
    assert len(words.show_table(table, [60]).split("\n\n")[0].splitlines()) == 2 + 7
    assert list(words.controls().iloc[-1]) == [
        name_of("mean_teacher"),
        name_of("supervised_ordinal"),
    ]


def test_the_last_step_is_held_against_what_validation_chose(told):
    _, table = told
    least = walks.BUDGETS[0]
    base = table.query("method == 'supervised' and labels == @least")["mae"].iloc[0]
    pooled = table[table["method"].isin(budgets.POOLED) & (table["labels"] == least)]
    best = pooled.loc[pooled["mae"].idxmin()]
    said = words.beside_selected(table, table).splitlines()
    assert len(said) == len(walks.BUDGETS)
    assert said[0] == (
        f"- {least} labels: the best of them, {best['row']} ({best['mae']:.3f}), reaches the "
        f"supervised row whose weights validation chose ({base:.3f})."
    )
    worse = table.assign(mae=table["mae"] + 1)
    assert "does not reach" in words.beside_selected(table, worse).splitlines()[0]
