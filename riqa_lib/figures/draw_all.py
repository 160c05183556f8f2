"""Every figure of a walk, drawn from its stored tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from .. import paths, store
from ..tables import bench_tables, comparisons, paired_differences
from ..tables.error_against_labels import LAST, load, place
from ..tables.grade_columns import classes_in, names_in
from ..tables.names import REFERENCE, is_ablation
from ..tables.reference import about, tables
from ..tables.stored import is_simulated
from ..tables.tracked_budgets import BLOCKS
from . import architecture, explanations, forest, fundus_results, style
from .curves import learning_curves, pseudo_labels
from .data import class_shares
from .label_curves import label_curves
from .own_defect_responses import own_defect_responses
from .results import by_stage, confusion, reliability, table2_points
from .step_costs import step_costs

# rows whose heads are drawn against their own defects: more would crowd the figure
ANSWERING = (
    *("forest", "teacher", "multi_eyeq", "multi_own_eyeq"),
    *("multi_lite0_plain_eyeq", "multi_lite0_eyeq"),
)


# ---------------------------------------------------------------- all of a walk
def draw_all(frames: Mapping[str, pd.DataFrame], walk: str) -> list[Path]:
    """Draw every figure that the tables of `stored.load_walk` allow, into figures/<walk>; returns
    the files.

    A figure whose table has no rows, or lacks the columns of its optional part (pseudo-labels), is
    left out. The tracked reference also has the house of the code (`architecture`)."""
    simulated = is_simulated(frames)
    command = f"python -m riqa_lib figures ({walk})"
    drawn: dict[str, Figure] = {}
    if len(frames.get("counts", ())):
        drawn["class_shares"] = class_shares(
            frames["counts"], simulated=simulated, **_grades(frames)
        )
    history = frames.get("history", pd.DataFrame())
    if len(history) and "val_mae" in history:
        drawn |= by_stage(learning_curves, "learning_curves", history, simulated=simulated)
    # where a method keeps all or nothing there is no choice to draw
    if "val_kept" in history and history["val_kept"].between(0, 1, inclusive="neither").any():
        drawn["pseudo_labels"] = pseudo_labels(history, simulated=simulated)
    drawn |= _of_predictions(frames, simulated)
    if walk == REFERENCE:
        drawn["architecture"] = architecture.house(architecture.arrows(), architecture.rooms())
        drawn |= _of_steps()
    return [
        path for name, figure in drawn.items() for path in style.save(figure, name, walk, command)
    ]


def _of_steps() -> dict[str, Figure]:
    """What a step costs, on each machine that was measured (`riqa bench --keep`, gpu.sh)."""
    kept = {"step_costs": "bench.csv", "step_costs_gpu": "gpu/bench-gpu.csv"}
    files = {name: paths.reference() / file for name, file in kept.items()}
    return {
        name: step_costs(bench_tables.by_machine(store.read_table(file))[-1])
        for name, file in files.items()
        if file.exists()
    }


def _grades(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """How many grades there are (0: nobody says) and their names, worst first."""
    table = frames.get("table2", pd.DataFrame())
    return {"classes": classes_in(table) if len(table) else 0, "names": names_in(table)}


def _of_predictions(frames: Mapping[str, pd.DataFrame], simulated: bool) -> dict[str, Figure]:
    """Table 2's figure, and those of its predictions, where they are stored."""
    drawn: dict[str, Figure] = {}
    predictions = frames.get("predictions", pd.DataFrame())
    if len(frames.get("table2", ())):
        seeds = predictions if len(predictions) else None
        drawn["table2"] = table2_points(frames["table2"], seeds, simulated=simulated)
    if len(predictions):
        words = _grades(frames)["names"]
        drawn |= by_stage(confusion, "confusion", predictions, simulated=simulated, words=words)
        drawn |= by_stage(reliability, "reliability", predictions, simulated=simulated)
    return drawn


def draw(name: str) -> list[Path]:
    """Every figure that the fundus tables of a walk allow, into figures/<name>; returns the
    files."""
    found = tables(name)
    if not found:
        return []
    simulated = bool(about(name)["simulated"])
    drawn: dict[str, Figure] = {}
    if "experts-details" in found:
        drawn["fundus_details"] = fundus_results.detail_points(
            _papers(found["experts-details"]), simulated=simulated
        )
    if "significance" in found:
        drawn |= _compared(found["significance"], simulated)
    if len(found.get("responses", ())):
        told = found["responses"]
        told = told[told["method"].isin(ANSWERING)]
        if len(told):
            drawn["fundus_own_defects"] = own_defect_responses(told, simulated=simulated)
    if len(found.get("explain", ())):
        drawn["fundus_maps_on_defects"] = explanations.localisation(
            found["explain"], simulated=simulated
        )
    command = f"python -m riqa_lib figures ({name})"
    return [
        path for key, figure in drawn.items() for path in style.save(figure, key, name, command)
    ]


def _papers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without the ablations, which would crowd a figure."""
    return table[~table["method"].map(is_ablation)].reset_index(drop=True)


def _compared(table: pd.DataFrame, simulated: bool) -> dict[str, Figure]:
    """Multi-task less single-task, of the overall grade and of each Student's details, and each
    Student less its Teacher; on each set all differences of the overall grade; those that can be
    judged."""
    chosen = {"fundus_multi_v_single": comparisons.of_students(table)}
    for comparison, name in DETAILS_OF.items():
        for student in dict.fromkeys(table.loc[table["comparison"] == comparison, "a"]):
            rows = comparisons.of_details(table, comparison, student)
            chosen[f"fundus_{name}_{student}"] = rows
    drawn = {
        name: forest.forest(rows, simulated=simulated)
        for name, rows in chosen.items()
        if rows["low"].notna().any()
    }
    for on in comparisons.SETS:
        rows = paired_differences.of_comparisons(table, on)
        if rows["low"].notna().any():
            shown = fundus_results.differences(rows, simulated=simulated)
            drawn[f"fundus_overall_{on}"] = shown
    return drawn


# comparisons of details whose figures are drawn: how their names begin
DETAILS_OF = {"multi v single": "details", "Student v Teacher": "teacher_v"}


AGAINST_LABELS = {
    "mae": "error_against_labels",
    "srcc": "srcc_against_labels",
    "srcc_within": "srcc_within_against_labels",
}  # column of the table: name of its figure


def draw_budgets(walk: str) -> list[Path]:
    """Errors against labels, from the stored table of a walk, into figures/<walk>; of the reference
    also those of real data sets, a folder each. Returns the files; none where there is no table."""
    below = [f"{walk}/{folder}" for folder in BLOCKS.values() if folder and walk == REFERENCE]
    files: list[Path] = []
    command = f"python -m riqa_lib figures ({walk})"
    for name in (n for n in (walk, *below) if place(n).exists()):
        table = load(name)
        simulated = bool((table["data"] == "simulated").all())
        for metric in (m for m in AGAINST_LABELS if m in table):
            figure = label_curves(table, metric, simulated=simulated)
            files += style.save(figure, AGAINST_LABELS[metric], name, command)
        if place(name, LAST).exists():
            figure = label_curves(load(name, LAST), "mae", simulated=simulated)
            files += style.save(figure, "error_of_the_last_step", name, command)
    return files
