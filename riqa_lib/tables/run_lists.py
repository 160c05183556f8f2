"""Lists of runs in words: which rows, seeds and numbers of labels there are, without the hashes
that name their folders."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..checks import has
from .names import name_of, order
from .text import markdown


def listed(runs: pd.DataFrame, head: str = "Here") -> str:
    """One sentence: how many runs, of which seeds and labels, and their rows by name (markdown).
    runs: method, seed, labels, perhaps commit and machine; head: how it begins.

    >>> runs = pd.DataFrame({"method": ["fixmatch", "forest"], "seed": 0, "labels": 99})
    >>> listed(runs, "Trained")
    'Trained: 2 runs, seed 0, 99 labels: statistics + forest; ViT + FixMatch.'
    """
    has(runs, ["method", "seed", "labels"], "runs")
    if runs.empty:
        return f"{head}: no run."
    labels = ", ".join(f"{n:,}" for n in sorted({int(n) for n in runs["labels"]}))
    seeds = sorted({int(seed) for seed in runs["seed"]})
    of = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    many = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    rows = "; ".join(name_of(method) for method in order(runs["method"]))
    made = [
        f"{word} {', '.join(sorted({str(v) for v in runs[column]}))}"
        for column, word in (("commit", "by commit"), ("machine", "on"))
        if column in runs
    ]
    how = f" Made {' '.join(made)}." if made else ""
    return f"{head}: {many}, {of}, {labels} labels: {rows}.{how}"


def by_labels(table: pd.DataFrame) -> str:
    """Which rows there are at each number of labels, and of how many seeds (markdown). table: row,
    labels, seeds (`tables.error_against_labels`)."""
    has(table, ["row", "labels", "seeds"], "table")
    budgets = sorted({int(n) for n in table["labels"]})
    seeds = table.pivot_table("seeds", "row", "labels", sort=False)
    rows = [
        [row, *("–" if pd.isna(n) or n == 0 else str(int(n)) for n in cells)]
        for row, cells in zip(seeds.index, seeds[budgets].to_numpy(), strict=True)
    ]
    head = ["seeds of each row, by labels", *(f"{n:,}" for n in budgets)]
    return markdown(head, rows) + "\n"


# what is known of first weights (`photographs.prepare_weights`), in words
KNOWN = {
    "weights": "made by",
    "maps": "maps of a picture",
    "kind_accuracy": "share of distortions named rightly",
    "pair_accuracy": "share of pairs of levels ordered rightly",
    "seconds": "seconds",
}


def first_weights(facts: Mapping[str, object]) -> str:
    """What is known of the first weights, in a sentence.

    >>> first_weights({"weights": "imagenet", "kind_accuracy": 0.8125})
    'First weights: made by imagenet; share of distortions named rightly 0.81.'
    """
    told = [(words, facts[key]) for key, words in KNOWN.items() if key in facts]
    said = [f"{words} {f'{v:.2f}' if isinstance(v, float) else v}" for words, v in told]
    return f"First weights: {'; '.join(said)}."
