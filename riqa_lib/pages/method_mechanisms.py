"""What is each method's own in notebooks 05 to 09: its figure and the sentence that reads it.

    display(*method_mechanisms.memory(page))        page: `method_page.MethodPage`, trained

Each returns what there is to show: the figure, saved under the notebook's number, then Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from ..figures import mechanisms
from ..tables import diagnostics, mechanism_words
from ..training import photographs
from .method_page import MethodPage

Shown = list[Figure | Markdown]
IN_GRAPH = 150  # pictures of the pool, drawn at random


def _shown(page: MethodPage, figure: Figure, what: str, words: str) -> Shown:
    page.save(figure, what)
    return [figure, Markdown(words)]


def memory(page: MethodPage) -> Shown:
    """SimMatch: what the memory says, learnt and changed."""
    pictures, simulated = page.counts["K"], page.simulated
    figure = mechanisms.memory(page.history, pictures, simulated=simulated, words=page.words)
    return _shown(page, figure, "memory", mechanism_words.memory(page.history, pictures))


def relative_cut(page: MethodPage) -> Shown:
    """AdaMatch: the cut, and who reaches it."""
    figure = mechanisms.relative_cut(page.history, simulated=page.simulated)
    return _shown(page, figure, "cut", mechanism_words.relative_cut(page.history))


def marginals(page: MethodPage) -> Shown:
    """AdaMatch: mean predictions on labelled pictures and on the pool, and what is aligned."""
    look: Any = {"simulated": page.simulated, "words": page.words}
    figure = mechanisms.marginals(page.history, _shares(page.labels(), page), **look)
    words = mechanism_words.marginals(page.history, _true_shares(page), page.words)
    return _shown(page, figure, "marginals", words)


def _shares(grades: pd.Series, page: MethodPage) -> np.ndarray:
    """Share of each grade (C,)."""
    counts = np.bincount(grades.to_numpy(int), minlength=page.counts["C"])
    return counts / counts.sum()


def _true_shares(page: MethodPage) -> np.ndarray | None:
    """Shares (C,) of the true grades of the unlabelled pictures: the pool, and all training
    pictures; None where nobody knows the pool's, or there is none."""
    if page.pool.empty:
        return None
    rows = photographs.rows_of(page.run, page.data)["unlabelled"]
    told = page.data.frame.iloc[rows]
    train = told.loc[told["split"] == "train", "grade"]  # a pool's own grades may be stopgaps
    true = pd.concat([train, page.pool["truth"]])
    return None if (true < 0).any() else _shares(true, page)


def graph_over_steps(page: MethodPage) -> Shown:
    """CoMatch: how dense the graph is, its loss, what the memory changed."""
    batch = page.counts["M"]
    figure = mechanisms.graph_over_steps(page.history, batch, simulated=page.simulated)
    words = mechanism_words.graph_over_steps(page.history, batch)
    return _shown(page, figure, "graph_over_steps", words)


def label_graph(page: MethodPage) -> Shown:
    """CoMatch: the graph of some pictures of the pool."""
    pool, edge = page.pool, page.run.method.edge
    if pool.empty:
        return [Markdown(page.no_pool)]
    some = pool.sample(min(IN_GRAPH, len(pool)), random_state=page.seed)
    figure = mechanisms.label_graph(some, edge, simulated=page.simulated, words=page.words)
    return _shown(page, figure, "graph", mechanism_words.label_graph(some, edge))


def thresholds(page: MethodPage) -> Shown:
    """FreeMatch: the thresholds over time."""
    figure = mechanisms.thresholds(page.history, simulated=page.simulated, words=page.words)
    weight = page.run.method.lambda_e
    words = mechanism_words.thresholds(page.history, weight, page.words)
    return _shown(page, figure, "thresholds", words)


def kept_per_class(page: MethodPage) -> Shown:
    """FreeMatch: what the last thresholds keep of the pool."""
    pool, limits = page.pool, diagnostics.last_per_class(page.history, "tau")
    if pool.empty:
        return [Markdown(page.no_pool)]
    look: Any = {"simulated": page.simulated, "words": page.words}
    figure = mechanisms.kept_per_class(pool, limits, **look)
    words = mechanism_words.kept_per_class(pool, limits, page.words)
    return _shown(page, figure, "kept_per_class", words)


def views_apart(page: MethodPage) -> Shown:
    """CRMatch: how far apart the views are held, and whether turns are told."""
    figure = mechanisms.views_apart(page.history, simulated=page.simulated)
    words = mechanism_words.views_apart(page.history, page.run.method.lambda_rot)
    return _shown(page, figure, "views_apart", words)
