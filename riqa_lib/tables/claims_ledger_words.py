"""The ledger of claims to be read: counts, a table a paper, and five sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import published as paper
from .claims_ledger_audit import AUDITS
from .claims_ledger_rules import REFUTED, REPRODUCED, UNDECIDED, UNTESTED, VERDICTS
from .names import BASE
from .published import published
from .text import cell, markdown

PAPERS = {
    "dang": "Dang et al., photographs (IJCA 186(9), 2024)",
    "telesco": "Telesco et al., fundus images (arXiv 2511.13353)",
}

# what a test is of, in the order of tables
DATA = {
    "published numbers": "its own numbers",
    "label files": "published label files",
    "real": "real pictures",
    "simulated": "simulated pictures",
    "none": "pictures that are not here",
}

# sources of published numbers that we have not read in the paper
HEARSAY = ("a reader's notes", "third party")

NOTE = (
    "Every difference is turned so that above 0 speaks for the claim; brackets: 95 % intervals. "
    "Each verdict is computed from the stored tables by a rule that is written down as data "
    "(`riqa_lib/tables/published_numbers/claim_rules.csv`): “{undecided}” is neither of the two "
    "before it. The margins were set before any result, the rules when the reference results were "
    "known, one for all claims of a kind. *Implied*: what a reader takes from the numbers, not "
    "what the paper says in words. Where each published number comes from: `claims.csv`."
)


# ---------------------------------------------------------------- tables
def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many tests have each verdict: paper, data, claims, tests, then a column a verdict."""
    rows = []
    for key in PAPERS:
        for data in DATA:
            part = table[(table["paper"] == key) & (table["data"] == data)]
            if len(part):
                n = {v: int((part["verdict"] == v).sum()) for v in VERDICTS}
                about = {"claims": part["id"].nunique(), "tests": len(part)}
                rows.append({"paper": key, "data": data} | about | n)
    return pd.DataFrame(rows, columns=["paper", "data", "claims", "tests", *VERDICTS])


def show_counts(table: pd.DataFrame) -> str:
    """`counts` as markdown, with all together."""
    found = counts(table)
    rows = [
        [PAPERS[row["paper"]].split(",")[0], DATA[row["data"]], row["tests"], *_each(row)]
        for row in found.to_dict("records")
    ]
    total = [
        f"all, {table['id'].nunique()} claims",
        "",
        len(table),
        *_each(found[[*VERDICTS]].sum()),
    ]
    return markdown(["paper", "tested on", "tests", *VERDICTS], [*rows, total], left=(0, 1))


def _each(row: Mapping | pd.Series) -> list[int]:
    return [int(row[v]) for v in VERDICTS]


def show_paper(table: pd.DataFrame, key: str) -> str:
    """The claims of one paper as a markdown table, one line a test. ValueError for another."""
    if key not in PAPERS:
        raise ValueError(f"paper {key!r}: expected one of {', '.join(PAPERS)}")
    rows: list[list[str]] = []
    for _, part in table[table["paper"] == key].groupby("id", sort=False):
        for k, row in enumerate(part.to_dict("records")):
            about = [row["id"], f"{row['claim']} ({row['item']})", _printed(row)]
            rows.append([*(about if k == 0 else [""] * 3), *_tested(row)])
    head = ["", "claim (where it stands)", "published", "tested on", "ours", "verdict"]
    return markdown(head, rows, left=range(len(head)))


def _printed(row: Mapping) -> str:
    """The published number, and how it is known where that is not by the paper itself."""
    return f"{row['published']} ({row['source']})" if row["source"] in HEARSAY else row["published"]


def _tested(row: Mapping) -> list[str]:
    """Where, what and how: the last cells of a line."""
    kind = (
        "simulated: " if row["data"] == "simulated" else "real: " if row["data"] == "real" else ""
    )
    seeds = "" if pd.isna(row["seeds"]) else f" ({row['seeds']:.0f} seeds)"
    verdict = f"**{row['verdict']}**" if row["verdict"] in (REPRODUCED, REFUTED) else row["verdict"]
    why = f": {row['why']}" if row["why"] and row["verdict"] not in (REPRODUCED, REFUTED) else ""
    return [f"{kind}{row['on']}", f"{row['ours']}{seeds}", f"{verdict}{why}"]


def show_rules(table: pd.DataFrame) -> str:
    """The rules that the ledger used, as markdown: what is reproduced, what refutes."""
    rules = published("claim_rules").set_index("rule")
    used = [r for r in rules.index if r in set(table["rule"]) and r != "none"]
    rows = [[r, rules.loc[r, "reproduced"], rules.loc[r, "refuted"]] for r in used]
    return markdown(["rule", REPRODUCED, f"{REFUTED} (refuted)"], rows, left=range(3))


def show_refuted(table: pd.DataFrame) -> str:
    """What is measured, what would refute the claim, and every single difference, as markdown: one
    line a test that can be done."""
    tested = table[table["rule"] != "none"].to_dict("records")
    rows = [
        [r["id"], r["on"], r["measure"], r["refuted"], r["each"] or r["ours"], r["verdict"]]
        for r in tested
    ]
    head = ["", "tested on", "measured", "refuted where", "found", "verdict"]
    return markdown(head, rows, left=range(len(head)))


def show(table: pd.DataFrame) -> str:
    """The ledger as markdown: counts, then a table a paper, then how it was judged."""
    parts = [show_counts(table)]
    parts += [f"### {title}\n\n{show_paper(table, key)}" for key, title in PAPERS.items()]
    return "\n\n".join([*parts, NOTE.format(undecided=UNDECIDED)]) + "\n"


# ---------------------------------------------------------------- five sentences
def summary(table: pd.DataFrame) -> str:
    """The ledger in five sentences (markdown): the reading of both papers' own numbers, then real
    photographs, then the simulation, then what cannot be said."""
    return " ".join(sentences(table))


def sentences(table: pd.DataFrame) -> list[str]:
    """The five sentences of `summary`, each made from the ledger and the published numbers."""
    return [
        _of_table2(table),
        _of_fundus_numbers(table),
        _of_real(table),
        _of_simulation(table),
        _of_all(table),
    ]


def verdict(table: pd.DataFrame, claim: str, tested: str = "audit") -> str:
    """The verdict of a claim's first test on a table (see claim_tests.csv); "not tested" without
    one."""
    part = table[(table["id"] == claim) & (table["table"] == tested)]
    return str(part["verdict"].iloc[0]) if len(part) else "not tested"


# how the first sentence goes on, by the verdict on the ViT against the constant
TOLD = {
    REPRODUCED: "more than its test pictures' noise",
    REFUTED: "which is no gain worth the name",
    UNDECIDED: "within its test pictures' noise",
}


def _of_table2(table: pd.DataFrame) -> str:
    rows, fixed, grade = paper.implied(), paper.constants(), paper.constant()
    said, upper = fixed.iloc[grade], fixed.loc[fixed["mae_34"].idxmin()]
    vit, n = rows.set_index("method").loc[BASE], len(rows)
    worse = (rows["mae_012_low"] > said["mae_012"]).sum()
    beaten = (rows["mae_34"] > upper["mae_34"]).sum()
    return (
        f"**In the paper on photographs** the ViT (MAE {vit['mae']:.2f}) is {vit['gain']:.3f} "
        f"better than a predictor that always says “{grade}” ({said['mae']:.3f}), "
        f"{TOLD.get(verdict(table, 'D10'), 'not judged here')}; on grades 0–2 {worse} of its {n} "
        f"rows are worse than that constant, and on grades 3 and 4 "
        f"“{upper['row']}” ({upper['mae_34']:.3f}) beats {beaten} of {n} "
        f"(best {rows['mae_34'].min():.2f})."
    )


def _of_fundus_numbers(table: pd.DataFrame) -> str:
    told = published("fundus").set_index(["set", "measure"]).loc["deepdrid"]
    facts = published("label_facts").set_index("fact")["value"].to_dict()
    (right,), (precision,) = (
        AUDITS[name](facts.__getitem__) for name in ("right_answers", "precision")
    )
    f1, recall = (f"{row['single']:.3f} → {row['multi']:.3f}" for _, row in told.iterrows())
    surely = verdict(table, "T3") == REFUTED and verdict(table, "T4") != REPRODUCED
    moved = ": what a moved threshold looks like" if surely else ""
    second = ", no second opinion" if verdict(table, "T9") == REFUTED else ""
    return (
        f"**In the paper on fundus images** DeepDRiD's gain (F1 {f1}) goes with recall {recall} "
        f"(by a third party), {precision.label} and {right.label}{moved}; EyeQ-D's overall grade "
        f"is EyeQ's own in {facts['eyeq_d_same_grade']:.0f} of {facts['eyeq_d_pictures']:.0f} "
        f"pictures{second}."
    )


SHORT = {REFUTED: "refuted", UNDECIDED: UNDECIDED, UNTESTED: "not testable"}


def held(rows: pd.DataFrame) -> str:
    """How many of some tests hold, and what became of the others, in words.

    >>> held(pd.DataFrame({"verdict": ["undecided", "reproduced", "undecided"]}))
    '1 of 3 (2 undecided)'
    """
    n = rows["verdict"].value_counts()
    others = ", ".join(f"{n[v]} {word}" for v, word in SHORT.items() if v in n)
    return f"{n.get(REPRODUCED, 0)} of {len(rows)}{f' ({others})' if others else ''}"


def _of_real(table: pd.DataFrame) -> str:
    chosen, last = (table[table["table"] == t] for t in ("biq2021", "biq2021_last"))
    seeds = cell(chosen["seeds"].min(), digits=0)
    return (
        f"**On real photographs** (BIQ2021, 100 and 300 labels, {seeds} seeds) {held(chosen)} "
        "methods are shown to grade better than the supervised ViT where validation pictures "
        f"choose the weights, {held(last)} with the weights of the last step."
    )


def _of_simulation(table: pd.DataFrame) -> str:
    two, fundus = (table[table["table"] == t] for t in ("table2", "significance"))
    overall, more = fundus[fundus["id"].isin(["T1", "T2"])], fundus[fundus["id"] == "T13"]
    simulated = (two["data"] == "simulated").all()
    return (
        f"**{'In the simulation' if simulated else 'On the walk’s own pictures'}** {held(two)} "
        f"methods are, with all labels; learning details makes the overall fundus grade better in "
        f"{held(overall)} comparisons, that the Student is as good as its Teacher in most details "
        f"is {verdict(table, 'T6', 'significance')}, and that its details tell more than the "
        f"overall grade alone holds in {held(more)}."
    )


def _of_all(table: pd.DataFrame) -> str:
    n = table["verdict"].value_counts()
    told = ", ".join(f"{n[v]} {v}" for v in VERDICTS if v in n)
    return (
        f"**In all**, {len(table)} tests of {table['id'].nunique()} claims: {told}; neither "
        "paper's pictures are here, and a simulation shows what methods do on its pictures, never "
        "what they did on KonIQ's or EyeQ's."
    )
