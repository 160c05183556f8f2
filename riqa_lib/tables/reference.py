"""What is tracked of a walk: results kept, drawn again without training, and summed up for the
README.

`collect` copies what redraws a walk's figures and tables of photographs to results/reference;
`collect_fundus` the fundus tables that notebooks 16 to 18 leave in results/<walk>/tables to
results/reference/fundus, with the predictions that those of 16 and 17 are made of
(`tracked_predictions`). Each with its provenance."""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .. import paths, store
from . import (
    comparisons,
    fundus_grades,
    localisation,
    one_comparison,
    own_defect,
    selected,
    stored,
    tracked_budgets,
    tracked_predictions,
    wide_predictions,
)
from .bench_tables import show_bench, show_gpu
from .beside_simple import is_simple
from .names import LABEL, REFERENCE, is_ablation, set_of_row
from .stored import FILES, is_simulated, load_walk
from .table2_shown import show_table
from .text import as_text, kind_of

TABLES = {  # table -> the notebook that makes it
    "overall_eyeq": "16_significance",
    "overall_deepdrid": "16_significance",
    "significance": "16_significance",
    "experts-details": "17_expert_agreement",
    "experts-noise": "17_expert_agreement",
    "explain": "18_explain_and_advise",
}


OPTIONAL = {  # those that a walk may lack, with why
    "advice": "18_explain_and_advise",  # needs the simulation's truth
    "responses": "16_significance",  # need the set of single defects
    "verdicts": "16_significance",
    "conditional": "16_significance",
}


# comparisons whose details the README shows one by one, not in words only
SHOWN = (
    "multi v single",
    "Student v Teacher",
    "multi v label",
    "Teacher v label",
    "Lite0 v ResNet",
)


ABOUT = "provenance.json"


SETS = ("mshf", "eyeq", "deepdrid", "eyeq_d", tracked_predictions.SINGLE)  # the last: some walks


MOST_BYTES = 1_000_000  # of tracked predictions


# ---------------------------------------------------------------- kept
def _keep(folder: Path, tables: Mapping[str, pd.DataFrame], facts: Mapping[str, object]) -> Path:
    """Write tables (file name -> table) with their provenance, which goes first and comes back
    last: a half-written folder is never read."""
    (folder / ABOUT).unlink(missing_ok=True)
    for file, table in tables.items():
        store.write_table(folder / file, table)
    store.write_json(folder / ABOUT, facts)
    return folder


def collect(name: str) -> Path:
    """Copy what redraws every figure and table of the walk `name` into results/reference; returns
    that folder.

    provenance.json goes first and comes back last, so a half-written folder is never read.
    Predictions are of val and test, or of test alone where both exceed 1 MB; ValueError, with
    nothing replaced, where that is still too much."""
    frames = load_walk(name)
    kept = {file: frames[key] for key, file in FILES.items()}
    kept[FILES["predictions"]] = _small_enough(name, frames["predictions"])
    facts = frames["provenance"].set_index("item")["value"].to_dict()
    return _keep(paths.reference(), kept, facts)


def _small_enough(name: str, predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions that are tracked, as they are written."""
    for rows in (predictions, predictions[predictions["split"] == "test"]):
        kept = wide_predictions.packed(rows)
        size = len(lzma.compress(kept.to_csv(index=False).encode(), preset=9))
        if size <= MOST_BYTES:
            return kept
    raise ValueError(
        f"the test predictions of {name} take {size / 1e6:.1f} MB, at most "
        f"{MOST_BYTES / 1e6:.0f} MB are tracked; collect a walk with fewer seeds"
    )


def collect_fundus(name: str) -> Path:
    """Copy TABLES, OPTIONAL and the predictions of a walk to results/reference/fundus; returns that
    folder. Provenance goes first and comes back last.

    FileNotFoundError, naming the notebook to run, where one of TABLES is missing; ValueError, with
    nothing replaced, for tables of details without the baseline of the overall grade, and for
    predictions of more than MOST_BYTES."""
    folder = _folder(REFERENCE)
    for key, notebook in TABLES.items():
        store.need(_folder(name) / f"{key}.csv", notebook)
    facts, found = about(name), tables(name)
    if LABEL not in set(found["experts-details"]["method"]):
        raise ValueError(
            f"experts-details.csv of {name} lacks what the overall grade alone says; run the "
            "notebook 17_expert_agreement again"
        )
    kept = _packed(name)
    kept |= {f"{key}.csv": _short(table) for key, table in found.items()}
    (folder / ABOUT).unlink(missing_ok=True)
    for key in {*OPTIONAL} - {*found}:
        (folder / f"{key}.csv").unlink(missing_ok=True)
    return _keep(folder, kept, facts)


def _packed(name: str) -> dict[str, pd.DataFrame]:
    """The predictions of a walk as they are tracked: of all rows, or without the ablations where
    both exceed MOST_BYTES. ValueError where that is still too much."""
    predictions = stored.load_fundus(name)["predictions"]
    there = [which for which in SETS if which in set(predictions["set"])]
    frames = {which: comparisons.frame_of(name, which)[0] for which in there}
    size = 0
    for rows in (predictions, predictions[~predictions["method"].map(is_ablation)]):
        kept = tracked_predictions.packed(rows, frames)
        size = sum(map(tracked_predictions.size_of, kept.values()))
        if size <= MOST_BYTES:
            return kept
    raise ValueError(
        f"the fundus predictions of {name} take {size / 1e6:.1f} MB, at most "
        f"{MOST_BYTES / 1e6:.0f} MB are tracked; collect a walk with fewer rows or seeds"
    )


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Without the sentence of each row, which is made from the row again."""
    made = {*one_comparison.TABLE} <= {*table}
    return table.drop(columns="words") if made else table


# ---------------------------------------------------------------- read again
def _folder(name: str) -> Path:
    return paths.reference() / "fundus" if name == REFERENCE else paths.results(name) / "tables"


def tables(name: str) -> dict[str, pd.DataFrame]:
    """Those of TABLES and OPTIONAL that a walk has; "reference": the tracked ones, none while a
    collection is unfinished."""
    folder = _folder(name)
    if name == REFERENCE and not (folder / ABOUT).exists():
        return {}
    found = {
        key: store.read_table(folder / f"{key}.csv")
        for key in (*TABLES, *OPTIONAL)
        if (folder / f"{key}.csv").exists()
    }
    for table in found.values():
        if "note" in table:
            table["note"] = table["note"].astype(object).fillna("")
    if {*one_comparison.TABLE} - {*found.get("significance", ())} <= {"words"}:
        found["significance"] = comparisons.finished(found["significance"])
    return found


def about(name: str) -> dict[str, object]:
    """What a walk's fundus results come from: data, simulated, pictures of the sets, runs, seeds,
    minutes, machine, software."""
    if name == REFERENCE:
        return store.read_json(store.need(_folder(name) / ABOUT, "18_explain_and_advise"))
    runs = stored.fundus_runs(name)
    sets = {which: comparisons.frame_of(name, which) for which in SETS[:4]}
    return {
        "simulated": any(simulated for _, simulated in sets.values()),
        "pictures": {which: len(frame) for which, (frame, _) in sets.items()},
    } | stored.summed_up(runs)


# ---------------------------------------------------------------- the README's blocks
WORTH = ("multi v single", "multi v label")  # what the README says of learning details


NONE_YET = (
    "No fundus run is tracked yet: `python run_all.py --reference`, then "
    "`python -m riqa_lib collect best`."
)


def block() -> str:
    """The README's block: overall grades, whether the networks' heads answer to their own defects,
    where it comes from."""
    found = tables(REFERENCE)
    if not found:
        return NONE_YET
    facts = about(REFERENCE)
    simulated = bool(facts["simulated"])
    parts = [
        fundus_grades.show_overall(found[f"overall_{on}"], on, simulated) for on in comparisons.SETS
    ]
    compared = found["significance"]
    worth = compared[
        compared["comparison"].isin(WORTH) & ~compared["a"].map(is_ablation)
    ].reset_index(drop=True)
    if len(worth):
        parts.append(comparisons.findings(worth, simulated))
    told = _of_eyeq(found.get("verdicts", pd.DataFrame()))
    if len(told):
        networks = told[~told["method"].map(is_simple)]
        parts.append(
            "Does each head see its own defect? All else perfect:\n\n"
            + own_defect.show_verdicts(networks)
        )
    return "\n\n".join([*parts, _source(facts)])


def details_block() -> str:
    """The block of docs/fundus-results.md: every comparison in words, what the details are worth,
    heads and their own defects with the simple rows, maps on defects."""
    found = tables(REFERENCE)
    if not found:
        return NONE_YET
    facts = about(REFERENCE)
    compared = comparisons.findings(found["significance"], bool(facts["simulated"]))
    parts = [compared, *_details(found), *_on_defects(found["explain"]), _source(facts)]
    return "\n\n".join(part for part in parts if part)


def _details(found: Mapping[str, pd.DataFrame]) -> list[str]:
    """Tables of the details: compared, and each head answering to its own defect, of the Students
    of EyeQ and their Teachers; those that are tracked."""
    parts = [comparisons.show_worth(found["significance"], SHOWN)]
    if len(told := _of_eyeq(found.get("verdicts", pd.DataFrame()))):
        said = own_defect.show_verdicts(told)
        parts.append("Each head and its own defect, all else perfect:\n\n" + said)
    if len(told := _of_eyeq(found.get("conditional", pd.DataFrame()))):
        said = own_defect.show_conditional(told[told["on"] == "eyeq_d"])
        parts.append("Details where the other two are alike:\n\n" + said)
    return parts


def _of_eyeq(table: pd.DataFrame) -> pd.DataFrame:
    """Without the other set's Students; the tracked tables have them too."""
    return table if table.empty else table[table["method"].map(set_of_row) != "deepdrid"]


def _on_defects(maps: pd.DataFrame) -> list[str]:
    """What maps of two networks say of the defects, and each against chance; nothing where there
    are none."""
    if maps.empty:
        return []
    paired = maps[~maps["against"].isin([localisation.ITSELF, *localisation.AGAINST])]
    words = localisation.findings(paired)
    return ["Grad-CAM on the true defects:\n\n" + localisation.show(maps) + "\n\n" + words]


def _source(facts: Mapping) -> str:
    pictures = ", ".join(f"{which} {n}" for which, n in facts["pictures"].items())
    return (
        f"{kind_of(facts['simulated'])} ({pictures}); {facts['runs']} runs, "
        f"{len(facts['seeds'])} seeds, {facts['minutes']:.0f} minutes of training in all; "
        f"{facts['machine']}; torch {facts['torch']}; commit {facts['commit']}."
    )


def readme_blocks() -> dict[str, str]:
    """The README's generated blocks: "table2" (the reference table), "provenance" (data, runs,
    machine, software), "bench" and "gpu" (`bench_tables`), "budgets" and "biq2021"
    (`tracked_budgets`)."""
    frames = load_walk(REFERENCE)
    runs = frames["runs"]
    facts = frames["provenance"].set_index("item")["value"]
    every = {c: stored.every(runs[c]) for c in ("seed", "machine", "torch", "python", "commit")}
    minutes = runs["train_seconds"].sum() / 60
    name = as_text(facts["name"])
    line = (
        f"{kind_of(is_simulated(frames))} ({name}, {facts['size']} px); {len(runs)} runs, "
        f"seeds {every['seed']}, {minutes:.0f} minutes of training in all; "
        f"{every['machine']}; torch {every['torch']}, Python {every['python']}; "
        f"commit {every['commit']}. {selected.sentence(frames['history'])}"
    ).rstrip()
    blocks = {"table2": show_table(frames["table2"]), "provenance": line}
    blocks |= {"bench": show_bench(), "gpu": show_gpu()}
    return blocks | tracked_budgets.blocks()
