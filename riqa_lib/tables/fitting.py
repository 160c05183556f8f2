"""Tables that fit a page: at most MOST columns, what all rows share said once below, the best value
of a column marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from .text import markdown

MOST = 8  # columns of a table; more go into a further one below


BOLD = "Bold: the best point estimate of a column, which is no test."


# ---------------------------------------------------------------- what rows share
def called(rows: Sequence[Mapping]) -> list[str]:
    """The rows' names (column row); where their numbers of labels or of seeds differ, a name says
    its own. Rows without labels or seeds (0: people, constants) are called by name only.

    >>> called([{"row": "ViT", "labels": 100, "seeds": 3}, {"row": "ViT", "labels": 300,
    ...     "seeds": 3}, {"row": "one rater", "labels": 0, "seeds": 0}])
    ['ViT (100 labels)', 'ViT (300 labels)', 'one rater']
    """
    differ = [what for what in ("labels", "seeds") if len(_values(rows, what)) > 1]
    out = []
    for row in rows:
        own = [counted(row[what], what) for what in differ if row.get(what)]
        out.append(f"{row['row']} ({', '.join(own)})" if own else str(row["row"]))
    return out


def shared(rows: Sequence[Mapping]) -> str:
    """What `called` leaves out since all rows have it, in words; "" where nothing is shared.

    >>> shared([{"row": "ViT", "labels": 1299, "seeds": 1}, {"row": "one rater", "labels": 0}])
    '1,299 labels, 1 seed'
    """
    both = {what: _values(rows, what) for what in ("labels", "seeds")}
    return ", ".join(counted(max(of), what) for what, of in both.items() if len(of) == 1)


def _values(rows: Sequence[Mapping], what: str) -> set[int]:
    return {int(row[what]) for row in rows if row.get(what)}


def counted(n: int, what: str) -> str:
    """
    >>> counted(1, "seeds"), counted(5998, "labels")
    ('1 seed', '5,998 labels')
    """
    return f"{n:,} {what.removesuffix('s') if n == 1 else what}"


# ---------------------------------------------------------------- the best of a column
def marked(cells: Sequence[str], values: Iterable[float], lower: bool) -> list[str]:
    """A column's cells with the best in bold: the lowest value where lower is better. All that are
    printed like the best are as good; nothing is marked where these are more than half.

    >>> marked(["0.50", "0.41 [0.3, 0.5]", "–"], [0.5, 0.41, float("nan")], lower=True)
    ['0.50', '**0.41 [0.3, 0.5]**', '–']
    """
    number = pd.Series([*values], dtype=float)
    if number.dropna().empty:
        return [*cells]
    at = int(number.idxmin() if lower else number.idxmax())
    printed = [cell.partition(" ")[0] for cell in cells]
    alike = [one == printed[at] for one in printed]
    if 2 * sum(alike) > max(number.notna().sum(), 2):
        return [*cells]
    return [f"**{cell}**" if best else cell for cell, best in zip(cells, alike, strict=True)]


# ---------------------------------------------------------------- as markdown
def fitted(
    head: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[int] = (0,)
) -> str:
    """`text.markdown` with at most MOST columns a table: those over it go into further tables of
    the same rows, each with the first column again.

    >>> wide = fitted(["", *"abcdefghi"], [["x", *range(9)]])
    >>> [line for line in wide.splitlines() if line.startswith("| x")]
    ['| x | 0 | 1 | 2 | 3 | 4 | 5 | 6 |', '| x | 7 | 8 |']
    """
    rows = [[*row] for row in rows]
    tables = []
    for at in range(1, max(len(head), 2), MOST - 1):
        columns = [0, *range(at, min(at + MOST - 1, len(head)))]
        part = [[row[k] for k in columns] for row in rows]
        here = [i for i, k in enumerate(columns) if k in left]
        tables.append(markdown([head[k] for k in columns], part, here))
    return "\n\n".join(tables)
