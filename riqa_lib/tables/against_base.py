"""The rows of Table 2 beside the supervised one: each metric by the bootstrap, on the same draws
wherever rows share pictures, and the differences of errors by their crossed components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..scales import SECOND
from ..stats import bootstrap
from ..stats.crossed import Crossed, compare
from ..stats.resampling import Bootstrap
from .names import BASE, FIVE, SIMPLE, UNTRAINED, name_of
from .text import with_ends

# of each difference
ENDS = ("", "_low", "_high", "_low_90", "_high_90")


# metrics compared with the supervised row, and the column of what could be shown of each
COULD_SHOW = {"mae": "could_show", "macro_mae": "could_show_macro_mae"}


COMPARED = tuple(COULD_SHOW)


Key = tuple[str, int]  # method and number of labels


class Comparison:
    """The metrics of each row with intervals, and its paired differences to the supervised row.

    parts: test predictions of each method and number of labels. Rows that share seeds and pictures
    have the same draws, of one bootstrap."""

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

    def _bootstrap(self, keys: Sequence[Key], metrics: Iterable[str]) -> Bootstrap:
        """Draws for these rows, each a method of its own."""
        return bootstrap.paired_bootstrap(
            self._rows(keys), [_label(key) for key in keys], metrics, self.resamples, self.seed
        )

    def _rows(self, keys: Iterable[Key]) -> pd.DataFrame:
        return pd.concat(
            [self.parts[key].assign(method=_label(key)) for key in keys], ignore_index=True
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
        """Differences to the supervised row over the seeds that both have (`crossed`): for each of
        COMPARED d_ with its 95 and 90 % intervals, p_ of trained rows, COULD_SHOW; d_seeds, how
        many seeds. nan, and 0 seeds, where there is none to compare with."""
        base = self.base_of(key, constant)
        rows = None if base is None or key[0] == BASE else self._beside(key, base)
        if base is None or rows is None or rows.empty:
            return {"d_seeds": 0} | {name: np.nan for m in COMPARED for name in _names(m)}
        data = bootstrap.paired(rows, [_label(key), _label(base)])
        out: dict[str, float] = {"d_seeds": len(data.seeds)}
        for m in COMPARED:
            out |= _judged(m, compare(data, _label(key), _label(base), m), key[0])
        return out

    def _beside(self, key: Key, base: Key) -> pd.DataFrame:
        """The predictions of a row and of the supervised one, of the seeds that both have. A row
        that no training made says the same at every seed, and is held against all of the supervised
        row's."""
        rows = self._rows([key, base])
        own, its = (rows["method"] == _label(k) for k in (key, base))
        seeds = sorted({*rows.loc[its, "seed"]})
        if key[0] in UNTRAINED:
            once = rows[own & (rows["seed"] == rows.loc[own, "seed"].min())]
            return pd.concat([rows[its], *(once.assign(seed=s) for s in seeds)])
        shared = {*rows.loc[own, "seed"]} & {*seeds}
        return rows[rows["seed"].isin(shared)]


def _names(metric: str) -> list[str]:
    return [*(f"d_{metric}{end}" for end in ENDS), f"p_{metric}", COULD_SHOW[metric]]


def _judged(metric: str, found: Crossed, method: str) -> dict[str, float]:
    """The columns of `_names`. What could be shown: of the paper's methods with Holm's first
    step."""
    trained = method not in UNTRAINED
    family = len(FIVE) if method.removesuffix(SECOND) in FIVE else 1
    numbers = [*found.interval(), *found.interval(0.9)[1:]]
    numbers += [found.p if trained else np.nan, found.could_show(family)]
    return dict(zip(_names(metric), numbers, strict=True))


def _label(key: Key) -> str:
    return f"{key[0]} {key[1]}"


def outdone_by(row: Mapping, rows: Sequence[Mapping]) -> list[str]:
    """Names of the simple rows (names.SIMPLE) whose MAE a network's row does not undercut, by point
    estimates; empty for rows that train no network.

    >>> rows = [{"method": "forest", "mae": 0.37}, {"method": "ridge", "mae": 0.36}]
    >>> outdone_by({"method": "fixmatch", "mae": 0.365}, rows)
    ['ridge on frozen maps']
    """
    if row["method"] in {*UNTRAINED, *SIMPLE}:
        return []
    return [
        name_of(simple["method"])
        for simple in rows
        if simple["method"] in SIMPLE and simple["mae"] <= row["mae"]
    ]
