"""The rows of Table 2 beside the supervised one: on the same draws wherever they share pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..stats import bootstrap
from ..stats.resampling import Bootstrap
from .names import BASE, UNTRAINED
from .text import with_ends

COMPARED = ("mae", "macro_mae")  # with the supervised row


Key = tuple[str, int]  # method and number of labels


class Comparison:
    """The metrics of each row with intervals, and its paired differences to the supervised row.

    parts: test predictions of each method and number of labels. Rows that share seeds and pictures
    are compared on the same draws, of one bootstrap."""

    def __init__(
        self,
        parts: Mapping[Key, pd.DataFrame],
        metrics: Iterable[str],
        resamples: int,
        seed: int,
    ) -> None:
        self.parts, self.metrics = parts, list(metrics)
        self.resamples, self.seed = resamples, seed
        self.budgets = sorted(labels for method, labels in parts if method == BASE)
        groups: dict[tuple, list[Key]] = {}
        for key, part in parts.items():
            alike = (*sorted(part["seed"].unique()), frozenset(part["id"]))
            groups.setdefault(alike, []).append(key)
        self.found: dict[Key, Bootstrap] = {}
        for keys in groups.values():
            self.found |= dict.fromkeys(keys, self._bootstrap(keys, self.metrics))

    def _bootstrap(
        self, keys: Sequence[Key], metrics: Iterable[str], seeds: Sequence[int] | None = None
    ) -> Bootstrap:
        """Draws for these rows, each a method of its own; over these seeds alone where given."""
        rows = pd.concat(
            [self.parts[key].assign(method=_label(key)) for key in keys], ignore_index=True
        )
        if seeds is not None:
            rows = rows[rows["seed"].isin(seeds)]
        return bootstrap.paired_bootstrap(
            rows, [_label(key) for key in keys], metrics, self.resamples, self.seed
        )

    def values(self, key: Key) -> dict[str, float]:
        """Each metric with its interval."""
        out: dict[str, float] = {}
        for m in self.metrics:
            out |= with_ends(m, self.found[key].interval(_label(key), m))
        return out

    def base_of(self, key: Key, constant: bool) -> Key | None:
        """The supervised row that a row is compared with: of as many labels, else the only one; a
        constant, which has no labels, with the one of the least."""
        if key[1] in self.budgets:
            return BASE, key[1]
        if self.budgets and (constant or len(self.budgets) == 1):
            return BASE, self.budgets[0]
        return None

    def to_base(self, key: Key, constant: bool) -> dict[str, float]:
        """Differences to the supervised row over the seeds that both have, with p-values of trained
        rows; nan where there is none to compare with."""
        base = self.base_of(key, constant)
        shared: list[int] = []
        if base is not None and key[0] != BASE:
            shared = sorted({*self.parts[key]["seed"]} & {*self.parts[base]["seed"]})
        out: dict[str, float] = {}
        if base is None or not shared:
            for m in COMPARED:
                out |= with_ends(f"d_{m}", (np.nan,) * 3) | {f"p_{m}": np.nan}
            return out
        draws = self.found[key]
        if self.found[base] is not draws:  # other seeds: those that both have
            draws = self._bootstrap([key, base], COMPARED, shared)
        a, b = _label(key), _label(base)
        for m in COMPARED:
            out |= with_ends(f"d_{m}", draws.difference(a, b, m))
            out[f"p_{m}"] = np.nan if key[0] in UNTRAINED else draws.p_value(a, b, m)
        return out


def _label(key: Key) -> str:
    return f"{key[0]} {key[1]}"
