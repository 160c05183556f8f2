"""The fundus tables of a walk: kept for tracking, drawn again without training, and summed up for the README.

Notebooks 16 to 18 leave them in results/<walk>/tables; `collect` copies them to results/reference/fundus with their provenance
(predictions of eight seeds would take more than is tracked)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from . import advice_figures, comparisons, fundus_report, fundus_training_figures, localisation, paths, provenance, store, style
from . import significance_figures as comparing
from .report import REFERENCE

TABLES = {  # table -> the notebook that makes it
    "overall_eyeq": "16_significance", "overall_deepdrid": "16_significance", "significance": "16_significance",
    "experts-details": "17_expert_agreement", "experts-noise": "17_expert_agreement",
    "explain": "18_explain_and_advise", "advice": "18_explain_and_advise",
}  # fmt: skip
ABOUT = "provenance.json"


def _folder(name: str) -> Path:
    return paths.reference() / "fundus" if name == REFERENCE else paths.results(name) / "tables"


def tables(name: str) -> dict[str, pd.DataFrame]:
    """Those of TABLES that a walk has; "reference": the tracked ones, none while a collection is unfinished."""
    folder = _folder(name)
    if name == REFERENCE and not (folder / ABOUT).exists():
        return {}
    found = {key: store.read_table(folder / f"{key}.csv") for key in TABLES if (folder / f"{key}.csv").exists()}
    for table in found.values():
        if "note" in table:
            table["note"] = table["note"].astype(object).fillna("")
    return found


def about(name: str) -> dict[str, object]:
    """What a walk's fundus results come from: data, simulated, pictures of the sets, runs, seeds, minutes, machine, software."""
    if name == REFERENCE:
        return store.read_json(store.need(paths.reference() / "fundus" / ABOUT, "18_explain_and_advise"))
    runs = fundus_report.listed(name)
    facts = [store.flat(store.read_json(paths.runs() / run / ABOUT)) for run in runs["run"]]
    sets = {which: comparisons.frame_of(name, which) for which in ("mshf", "eyeq", "deepdrid", "eyeq_d")}
    every = lambda key: ", ".join(sorted({str(f.get(key, "")) for f in facts}))  # noqa: E731
    return {
        "simulated": any(simulated for _, simulated in sets.values()),
        "pictures": {which: len(frame) for which, (frame, _) in sets.items()},
        "runs": len(runs), "seeds": sorted({int(s) for s in runs["seed"]}),
        "minutes": round(sum(float(str(f.get("seconds", 0))) for f in facts) / 60, 1), "machine": every("machine"),
        "commit": every("commit"), "torch": every("versions.torch"), "python": every("versions.python"),
        "collected": provenance.commit(),
    }  # fmt: skip


def collect(name: str) -> Path:
    """Copy TABLES of a walk to results/reference/fundus; returns that folder. Provenance goes first and comes back last.

    FileNotFoundError, naming the notebook to run, where one is missing ("advice" needs the simulation's truth: it may be)."""
    source, folder = _folder(name), paths.reference() / "fundus"
    for key, notebook in TABLES.items():
        if key != "advice":
            store.need(source / f"{key}.csv", notebook)
    facts, found = about(name), tables(name)
    (folder / ABOUT).unlink(missing_ok=True)
    for key, table in found.items():
        store.write_table(folder / f"{key}.csv", table)
    if "advice" not in found:
        (folder / "advice.csv").unlink(missing_ok=True)
    store.write_json(folder / ABOUT, facts)
    return folder


def draw(name: str) -> list[Path]:
    """Every figure that the fundus tables of a walk allow, into figures/<name>; returns the files."""
    found = tables(name)
    if not found:
        return []
    simulated = bool(about(name)["simulated"])
    drawn: dict[str, Figure] = {}
    for on in comparisons.SETS:
        if f"overall_{on}" in found:
            drawn[f"fundus_overall_{on}"] = fundus_training_figures.points(found[f"overall_{on}"], simulated=simulated)
    if "experts-details" in found:
        drawn["fundus_details"] = fundus_training_figures.detail_points(found["experts-details"], simulated=simulated)
    if "significance" in found:
        all_of = found["significance"]
        multi, teacher = (all_of[all_of["comparison"] == which] for which in ("multi v single", "Student v Teacher"))
        drawn["fundus_multi_v_single"] = comparing.forest(multi, simulated=simulated)
        for student, rows in teacher.groupby("a", sort=False):
            drawn[f"fundus_teacher_v_{student}"] = comparing.forest(rows, simulated=simulated)
    if len(found.get("explain", ())):
        drawn["fundus_maps_on_defects"] = advice_figures.localisation(found["explain"], simulated=simulated)
    command = f"python -m riqa_lib figures ({name})"
    return [path for key, figure in drawn.items() for path in style.save(figure, key, name, command)]


def block() -> str:
    """The README's block: overall grades, the primary comparisons, maps on defects, where it comes from."""
    found = tables(REFERENCE)
    if not found:
        return "No fundus run is tracked yet: `python run_all.py --reference`, then `python -m riqa_lib collect best`."
    facts = about(REFERENCE)
    simulated = bool(facts["simulated"])
    parts = [fundus_report.show_overall(found[f"overall_{on}"], on, simulated) for on in comparisons.SETS]
    parts.append(comparisons.findings(found["significance"], simulated))
    maps = found["explain"]
    paired = maps[~maps["against"].isin([localisation.ITSELF, "chance", "shuffled"])] if len(maps) else maps
    parts.append("Grad-CAM on the true defects:\n\n" + localisation.findings(paired) if len(paired) else "")
    kind = "Simulated" if simulated else "Real"
    pictures = ", ".join(f"{which} {n}" for which, n in facts["pictures"].items())  # type: ignore[attr-defined]
    parts.append(f"{kind} data ({pictures}); {facts['runs']} runs, {len(facts['seeds'])} seeds, {facts['minutes']:.0f} minutes of "  # type: ignore[arg-type]
                 f"training in all; {facts['machine']}; torch {facts['torch']}; commit {facts['commit']}.")  # fmt: skip
    return "\n\n".join(part for part in parts if part)
