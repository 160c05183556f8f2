"""The README's table of notebooks: each with a link, what it is about, and one sentence of what
came out, made from the tracked reference results. Nobody types a number there.

What a notebook is about and its kind are words (`NOTEBOOKS`). Its sentence is a function of tracked
tables (`SENTENCES`); a notebook without one, or whose tables are not tracked, has "–"."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from .. import paths, store
from . import budget_verdicts, claims_ledger, related_models, table2
from . import published as paper
from .claims_ledger_rules import VERDICTS
from .claims_ledger_words import held, verdict
from .error_against_labels import POOLED
from .names import BASE
from .published import published
from .text import cell, cell_of, markdown, percent

NONE = "–"  # no result of its own, or not tracked

NOTE = (
    "MAE less supervised: a row's mean absolute error less that of the supervised ViT, below 0 is "
    "better; brackets: 95 % intervals. “–”: no result of its own."
)

FEW = 100  # labels: where a pool should help most

# file below notebooks/, without its end: (kind, what it is about)
NOTEBOOKS = {
    "00_start_here": ("read", "map of papers, notebooks, data"),
    "01_koka10k": ("run", "KOKA10K, Table 1: its split found again, which label rule is nearest"),
    "02_views_that_keep_quality": ("run", "which augmentations change the label; FixMatch on both"),
    "03_vit_supervised": ("run", "Table 2, row ViT, beside constants, one rater, forest, ridge"),
    "04_fixmatch": ("run", "FixMatch: our row, no published number"),
    "05_simmatch": ("run", "Table 2, row SimMatch, its mechanism seen at work"),
    "06_adamatch": ("run", "Table 2, row AdaMatch, likewise"),
    "07_comatch": ("run", "Table 2, row CoMatch, likewise"),
    "08_freematch": ("run", "Table 2, row FreeMatch, likewise"),
    "09_crmatch": ("run", "Table 2, row CRMatch, likewise"),
    "10_second_stage": (
        "run",
        "Figure 2: each method labels the pool, a fresh ViT learns from all",
    ),
    "11_table2": ("read", "Table 2, paper and ours, with what MAE hides; costs; departures"),
    "12_related_models": (
        "run",
        "the related work in numbers: DBCNN, HyperIQA, Re-IQA, and simpler",
    ),
    "13_fundus_datasets": ("run", "EyeQ, MSHF, DeepDRiD, EyeQ-D; the field of view"),
    "14_teacher": ("run", "Teacher of details on the small set"),
    "15_student": ("run", "pseudo-labels; single-task and multi-task Students"),
    "16_significance": ("read", "intervals, tests, equivalence, what the data could have shown"),
    "17_expert_agreement": ("read", "EyeQ-D; pseudo-label noise and expert variability"),
    "18_explain_and_advise": ("run", "Grad-CAM on true defect maps; abstention; recapture advice"),
    "19_claims": ("read", "every claim that can be checked: what would refute it, the verdict"),
    "20_label_budgets": ("run", "every row on 50, 100, 300 labels"),
    "21_error_against_labels": ("read", "each method beside its own control, with few labels"),
    "tools/label_pictures": ("interactive", "grade pictures by hand; agreement of two labellers"),
    "tools/browse_predictions": ("interactive", "worst errors, two methods on one picture"),
    "tools/move_defects": (
        "interactive",
        "move a simulated eye's defects: Teacher and Student answer",
    ),
}


# ---------------------------------------------------------------- the block
def block() -> str:
    """The table as markdown: notebook, kind, what, what came out."""
    rows = [
        [f"[`{Path(name).name}`](notebooks/{name}.ipynb)", kind, what, result(name)]
        for name, (kind, what) in NOTEBOOKS.items()
    ]
    head = ["notebook", "kind", "what", "what came out (reference run)"]
    return f"{markdown(head, rows, left=range(len(head)))}\n\n{NOTE}"


def result(notebook: str) -> str:
    """What came out of a notebook, in one sentence; "–" where it has none or its tables are not
    tracked."""
    if notebook not in SENTENCES:
        return NONE
    say, names = SENTENCES[notebook]
    files = [paths.reference() / name for name in names]
    if not all(file.exists() for file in files):
        return NONE
    return say(*(_read(file) for file in files))


def _read(file: Path) -> pd.DataFrame:
    return claims_ledger.load() if file.name == "claims.csv" else store.read_table(file)


def _kind(table: pd.DataFrame) -> str:
    """What the pictures of a table are: "Simulated", "Real", or both."""
    return " and ".join(sorted(set(table["data"]))).capitalize()


def _claims(ledger: pd.DataFrame, *ids: str, table: str = "") -> pd.DataFrame:
    """The tests of these claims that could be done here (on this table only)."""
    part = ledger[ledger["id"].isin(ids) & (ledger["data"] != claims_ledger.NOWHERE)]
    return part[part["table"] == table] if table else part


# ---------------------------------------------------------------- photographs
def split_found(ledger: pd.DataFrame) -> str:
    """01: the arithmetic of Table 1, and the rule that comes nearest. ledger: of claims."""
    (nearest,) = _claims(ledger, "D7")["ours"]
    checks = held(_claims(ledger, *(f"D{k}" for k in range(1, 8))))
    apart = nearest.split(" (")[0]
    return f"Printed numbers, label files: {checks} checks hold; the nearest label rule is {apart}"


def views(table: pd.DataFrame) -> str:
    """02: FixMatch with both policies of views, each against the supervised ViT. table: Table 2."""
    keep, rand = _row(table, "fixmatch"), _row(table, "fixmatch_randaugment")
    return (
        f"{_kind(table)}: MAE less supervised {_less(keep)} with views that keep quality "
        f"({table2.verdict(keep)}), {_less(rand)} with RandAugment ({table2.verdict(rand)})"
    )


def supervised(table: pd.DataFrame) -> str:
    """03: the ViT beside ridge on frozen maps. table: Table 2."""
    ridge = _row(table, "ridge")
    vit, other = (cell(row["mae"], digits=3) for row in (_row(table, BASE), ridge))
    change = cell_of(ridge, "d_mae", sign=True, digits=3)
    return (
        f"{_kind(table)}: MAE {vit}, ridge's {other}; ridge less ViT {change}: "
        f"{table2.verdict(ridge)}"
    )


def method(table: pd.DataFrame, name: str) -> str:
    """04 to 09: a method's MAE less that of the supervised ViT. table: Table 2."""
    row = _row(table, name)
    change = cell_of(row, "d_mae", sign=True, digits=3)
    return f"{_kind(table)}: MAE less supervised {change}: {table2.verdict(row)}"


def second_stages(table: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """10: second stages against the supervised ViT in all grades; and on grades 3 and 4."""
    rows = table[table["method"].str.endswith("_second")].to_dict("records")
    worse = sum(table2.verdict(row) == "worse" for row in rows)
    tests = _claims(ledger, "D23", table="pairs")
    (upper,) = tests[tests["on"].str.contains("second stage")]["ours"]
    return (
        f"{_kind(table)}: MAE of {worse} of {len(rows)} second stages worse than supervised; on "
        f"grades 3 and 4 the paper's are better in {_held_in(upper)}"
    )


def _held_in(ours: str) -> str:
    """ "5 of 5" from a ledger's count of differences; ValueError where it has none."""
    found = re.match(r"(\d+ of \d+) hold", ours)
    if not found:
        raise ValueError(f"no count of differences that hold in {ours!r}")
    return found[1]


def hidden(ledger: pd.DataFrame) -> str:
    """11: the paper's own rows beside the constant; our verdict on the ViT's gain."""
    rows, fixed, grade = paper.implied(), paper.constants(), paper.constant()
    vit = rows.set_index("method").loc[BASE]
    worse = int((rows["mae_012_low"] > fixed.iloc[grade]["mae_012"]).sum())
    return (
        f"Paper's numbers: ViT {vit['gain']:.3f} better than “always {grade}” "
        f"({verdict(ledger, 'D10')}); on grades 0–2 {worse} of {len(rows)} rows are worse"
    )


def best_rank(table: pd.DataFrame) -> str:
    """12: the row that ranks best, and the best of networks. table: related/real.csv."""
    networks = table[table["method"].isin(related_models.NETWORKS)]
    best, second = (t.loc[t["srcc"].idxmax()] for t in (table, networks))
    return (
        f"{_kind(table)}: {best['row']} ranks best, SRCC {cell_of(best, 'srcc')}; of the networks "
        f"{second['row']}, {cell_of(second, 'srcc')}"
    )


# ---------------------------------------------------------------- fundus photographs
def fundus_sets(ledger: pd.DataFrame) -> str:
    """13: what the label files say of the sets."""
    facts = published("label_facts").set_index("fact")["value"]
    same, of = facts["eyeq_d_same_grade"], facts["eyeq_d_pictures"]
    sizes = held(_claims(ledger, "T10", "T11", "T12"))
    return (
        f"Label files: {sizes} sizes and splits as told; EyeQ-D's overall grade is EyeQ's own in "
        f"{same:.0f} of {of:.0f}"
    )


def teacher(table: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """14: the Teacher of details against a forest on another camera. table: significance.csv, of
    the pictures that the ledger says."""
    of_teacher = (table["comparison"] == "Teacher v forest") & (table["a"] == "teacher")
    rows = table[of_teacher & (table["set"] == "mshf") & table["primary"].astype(bool)]
    above, below = (rows["low"] > 0).sum(), (rows["high"] < 0).sum()
    return (
        f"{_kind(_claims(ledger, 'T6'))}: on another camera its AUC is above a forest's in {above} "
        f"of {len(rows)} details, below in {below}"
    )


def students(ledger: pd.DataFrame) -> str:
    """15: whether learning details makes the overall grade better."""
    tests = _claims(ledger, "T1", "T2", table="significance")
    return f"{_kind(tests)}: details make the overall grade better in {held(tests)} comparisons"


def significance(ledger: pd.DataFrame) -> str:
    """16: as good as the Teacher, and the least difference that the paper's test can show."""
    tests = _claims(ledger, "T6")
    (least,) = _claims(ledger, "T17")["ours"]
    shown = least.split("(")[-1].rstrip(")")
    return (
        f"{_kind(tests)}: Student as good as Teacher in most details in {held(tests)} tests; "
        f"EyeQ-D: {shown}"
    )


def experts(table: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """17: how often pseudo-labels and graders differ. table: experts-noise.csv."""
    tests = _claims(ledger, "T8")
    return (
        f"{_kind(tests)}: pseudo-label and grader differ in {_span(table['pseudo'])}, two graders "
        f"in {_span(table['experts'])}; alike: {', '.join(sorted(set(tests['verdict'])))}"
    )


def _span(shares: pd.Series) -> str:
    return f"{percent(shares.min()).removesuffix(' %')} to {percent(shares.max())}"


def explained(table: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """18: how often advice names what was wrong; maps of both Students. table: advice.csv."""
    tests = _claims(ledger, "T15")
    right = round(float((table["said"] * table["right"]).sum()))
    return (
        f"{_kind(tests)}: advice right in {right} of {table['said'].sum()}; multi-task maps better "
        f"on the defect in {held(tests)} tests"
    )


# ---------------------------------------------------------------- all claims, few labels
def all_claims(ledger: pd.DataFrame) -> str:
    """19: how many tests have each verdict."""
    n = ledger["verdict"].value_counts()
    told = ", ".join(f"{n[v]} {v}" for v in VERDICTS if v in n)
    return f"{len(ledger)} tests, real, simulated, of printed numbers: {told}"


def few_labels(table: pd.DataFrame) -> str:
    """20: rows with a pool against the supervised ViT. table: biq2021/budgets.csv."""
    better, worse, n = _counts(table, "supervised")
    return (
        f"{_kind(table)}, {FEW} labels: of {n} methods {better} shown better than supervised, "
        f"{worse} worse"
    )


def own_controls(chosen: pd.DataFrame, last: pd.DataFrame) -> str:
    """21: against own controls, weights chosen on validation pictures, or those of the last step.
    Tables: biq2021/budgets.csv and budgets_last.csv."""
    (better, _, n), (better_last, _, n_last) = (_counts(t, "control") for t in (chosen, last))
    return (
        f"{_kind(chosen)}, {FEW} labels: better than its own control {better} of {n}, with the "
        f"last step's weights {better_last} of {n_last}"
    )


def _counts(table: pd.DataFrame, against: str) -> tuple[int, int, int]:
    """How many rows with a pool are better, worse, and how many there are, with FEW labels."""
    rows = table[table["method"].isin(POOLED) & (table["labels"] == FEW)].to_dict("records")
    words = [budget_verdicts.verdict(row, against) for row in rows]
    return words.count("better"), words.count("worse"), len(words)


def _row(table: pd.DataFrame, name: str) -> pd.Series:
    return table.set_index("method", drop=False).loc[name]


def _less(row: pd.Series) -> str:
    return cell(row["d_mae"], sign=True, digits=3)


# notebook: its sentence, and the files below results/reference that it reads, in this order
TABLE2, CLAIMS = "table2.csv", "claims.csv"

SENTENCES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "01_koka10k": (split_found, (CLAIMS,)),
    "02_views_that_keep_quality": (views, (TABLE2,)),
    "03_vit_supervised": (supervised, (TABLE2,)),
    "04_fixmatch": (partial(method, name="fixmatch"), (TABLE2,)),
    "05_simmatch": (partial(method, name="simmatch"), (TABLE2,)),
    "06_adamatch": (partial(method, name="adamatch"), (TABLE2,)),
    "07_comatch": (partial(method, name="comatch"), (TABLE2,)),
    "08_freematch": (partial(method, name="freematch"), (TABLE2,)),
    "09_crmatch": (partial(method, name="crmatch"), (TABLE2,)),
    "10_second_stage": (second_stages, (TABLE2, CLAIMS)),
    "11_table2": (hidden, (CLAIMS,)),
    "12_related_models": (best_rank, ("related/real.csv",)),
    "13_fundus_datasets": (fundus_sets, (CLAIMS,)),
    "14_teacher": (teacher, ("fundus/significance.csv", CLAIMS)),
    "15_student": (students, (CLAIMS,)),
    "16_significance": (significance, (CLAIMS,)),
    "17_expert_agreement": (experts, ("fundus/experts-noise.csv", CLAIMS)),
    "18_explain_and_advise": (explained, ("fundus/advice.csv", CLAIMS)),
    "19_claims": (all_claims, (CLAIMS,)),
    "20_label_budgets": (few_labels, ("biq2021/budgets.csv",)),
    "21_error_against_labels": (own_controls, ("biq2021/budgets.csv", "biq2021/budgets_last.csv")),
}
