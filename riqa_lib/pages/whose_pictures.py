"""What notebooks 01, 10 and 11 say beside their tables, by whose pictures they are: the paper's
(KOKA10K) or simulated like them, or one's own. Of one's own nothing is said of the paper: its
numbers and claims are about other pictures.

    Markdown(whose_pictures.made(data))     after notebook 01 has made the set
    Markdown(whose_pictures.RULES)          above what only the paper's pictures have
"""

from __future__ import annotations

from collections.abc import Mapping

from ..datasets.data_folder import DataSet
from ..datasets.problems import Problem, listed
from ..stats.votes import vote_columns
from ..tables.published import of_paper
from ..tables.table1 import graded
from ..tables.text import as_text, grade_names, markdown, named, show_frame

# ---------------------------------------------------------------- notebook 01
THE_PAPERS = (
    "The paper's set has KonIQ-10k photographs (grade = the **mode** of about a hundred votes from "
    "1 to 5), 359 hand-labelled pictures and 139,641 unlabelled ones from KADIS-700k. The "
    "simulation follows it: scenes with several defects at once for the labelled part, scenes "
    "nearly without defects for the pool, a few of which are graded by hand and moved over. "
    "Without them, grades 0 and 4 would hardly occur."
)


COUNTS = (
    "Table 1: pictures per grade and split, beside the paper's. With shares of .8 and .1 the split "
    "gives the paper's fifteen cells exactly. Sizes and shares differ by profile."
)


RULES = """### Why the counts differ
The paper does not say how votes became grades. Three rules, and what each would leave for Table 1,
once the hand labels are taken off. `as_mode`: share of pictures that get the mode's grade; `l1`:
distance of the counts to what is needed, for as many pictures as KonIQ has."""


SOURCE_LEAK = (
    "In KOKA10K, grade 4 and most of grade 0 were added from another collection than the rest. So "
    "we score a model that knows nothing but a picture's source: it is fitted to tell sources "
    "apart from a few statistics of the pixels, and answers with the best constant of the source "
    "that it sees."
)


HOW = {
    "mode": "by the most frequent vote",
    "round_mean": "by the rounded mean of the votes",
    "given": "as the table gives them",
    "equal_width": "in parts of equal width",
}


def made(data: DataSet) -> str:
    """What the set is, how its grades were made, and what is worth knowing of it (markdown)."""
    info = data.info
    found = [Problem(*note) for note in info.get("notes", [])]
    notes = listed([p._replace(name=as_text(p.name), found=as_text(p.found)) for p in found])
    said = _the_papers(data) if of_paper(info) else _own(data)
    return "\n\nWorth knowing:\n\n".join([said, *([notes] if notes else [])])


def _the_papers(data: DataSet) -> str:
    kind = "**simulated**" if data.info["simulated"] else "real"
    head = (
        f"**{len(data)} pictures** ({as_text(data.info['name'])}), {data.info['size']} px; {kind}"
    )
    return f"{head}\n\n{THE_PAPERS}"


def _own(data: DataSet) -> str:
    info, known = data.info, len(graded(data.frame))
    pool = int((data.frame["split"] == "pool").sum())
    lines = [
        f"**{len(data)} pictures of your own** ({as_text(info['name'])}), {info['size']} px; real",
        f"{known:,} have a grade. {_grades(info)}",
        _pool(pool),
    ]
    return "\n\n".join(lines)


def _grades(info: Mapping) -> str:
    """The grades and how they were made."""
    names = grade_names(info)
    words = ", ".join(as_text(named(k, names)) for k in range(int(info["classes"])))
    scale = info.get("scale") or {}
    said = [HOW[scale["rule"]]] if scale.get("rule") in HOW else []
    if scale.get("score"):
        worse = "" if scale.get("higher_is_better", True) else ", turned round: higher is worse"
        # as code, which nothing in it ends
        score = " ".join(str(scale["score"]).replace("`", "'").split())
        said.insert(0, f"of `{score}` ({scale['low']:g} to {scale['high']:g}{worse})")
    return f"Grades, worst first: {words}." + (f" Made {', '.join(said)}." if said else "")


def _pool(pictures: int) -> str:
    if pictures:
        are = f"{pictures:,} {'is' if pictures == 1 else 'are'}"
        return (
            f"{are} the **pool**: pictures to learn from without a label. How good they are nobody "
            "knows, so nothing below says how right anything is there."
        )
    return (
        "There is no **pool**: no picture without a label. To have one, leave the score empty in "
        "the table, or declare `pool = true`, by which files that the table does not name are it."
    )


SHOWN = ("source", "split", "grade", "score")  # columns of a table of pictures that people read


def few_rows(data: DataSet, count: int = 5) -> str:
    """The first pictures' rows of the table: where from, which split, grade, score, votes and
    simulated defects, of those columns that it has (markdown; no ids, which may be names of
    files)."""
    frame = data.frame
    votes = [c for c in vote_columns(frame) if c in frame]
    columns = [c for c in (*SHOWN, *votes, "defects") if c in frame]
    return show_frame(frame[columns].head(count))


RATER = {
    "mae": "MAE of all test pictures",
    "macro_mae": "mean over grades (macro-MAE)",
    "accuracy": "share that is right",
}


def one_rater(rater: Mapping[str, float]) -> str:
    """`votes.one_rater` as a table: one person's error against the grade of all votes, overall and
    by true grade (markdown); a sentence where no votes are known."""
    if not rater:
        return "No votes are known, so nothing can be said of a single rater."
    single = {k: v for k, v in rater.items() if k.removeprefix("mae_").isdigit() and len(k) == 5}
    rows = [(words, rater[key]) for key, words in RATER.items() if key in rater]
    rows += [(f"MAE of pictures of grade {k[4:]}", v) for k, v in single.items()]
    return markdown(["one rater against all", ""], [(w, f"{v:.3f}") for w, v in rows]) + "\n"


# ---------------------------------------------------------------- notebooks 10 and 11
STAGES = "`second − supervised` is what Table 2 of the paper is about."


BOTH_STAGES = (
    "Both stages of a method stand beside the same published number, since the paper does not say "
    "which of them its Table 2 reports."
)


COLUMNS = """## The paper's four columns, paper and ours
The published numbers belong to other pictures (KOKA10K) and other models than ours; on simulated
data they stand there for orientation, and agreement or disagreement with them means nothing."""


READ = """## The paper's numbers, read by themselves
Nothing of ours is in this section: Table 2's printed numbers beside predictors that look at no
picture, on the test split of Table 1. Two decimals are printed, and it is not said whether they are
rounded or cut: both readings follow."""


CLAIMS = """## The paper's claims, beside ours
Every comparison that Table 2 prints: each method with the ViT, and the best row with all others.
Ours are paired differences, one column a stage, always against the supervised ViT of the first."""


CHOICES = "## What the paper states, what it leaves open, and what we chose"


ADDED = """## Without the added pictures
Grades 0 and 4 come mostly from another collection than the rest. So the table again on the
KonIQ-like pictures alone, and on the added ones; and, where notebook 01 stored it, what a model
reaches that knows nothing but which collection a picture comes from."""
