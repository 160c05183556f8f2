"""Tables as text: cells, Markdown, the generated blocks of the README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd


def cell(
    value: float, low: float = np.nan, high: float = np.nan, sign: bool = False, digits: int = 2
) -> str:
    """A number with its interval as text: "0.53 [0.50, 0.56]"; "–" where there is none."""
    if pd.isna(value):
        return "–"
    text = lambda v: f"{v + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")
    return text(value) if pd.isna(low) else f"{text(value)} [{text(low)}, {text(high)}]"


def markdown(
    head: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[int] = (0,)
) -> str:
    """A markdown table; columns are set right but those numbered in `left`. "|" inside a cell is
    escaped."""
    line = lambda cells: "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"
    rule = "|" + "|".join("---" if i in left else "---:" for i in range(len(head))) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def show_frame(frame: pd.DataFrame) -> str:
    """A table of words as a markdown table, nothing cut off; numbers with three digits, "–" where
    there is none."""
    said = lambda v: "–" if pd.isna(v) else f"{v:.3f}" if isinstance(v, float) else str(v)
    numbers = [pd.api.types.is_numeric_dtype(frame[c]) for c in frame]
    left = [i for i, number in enumerate(numbers) if not number]
    return (
        markdown(
            list(frame), [[said(v) for v in row] for row in frame.itertuples(index=False)], left
        )
        + "\n"
    )


# ---------------------------------------------------------------- README
MARK = re.compile(r"<!-- (/?)riqa:([\w-]+) -->")


def fill_markers(text: str, blocks: Mapping[str, str]) -> str:
    """The text with what stands between `<!-- riqa:NAME -->` and `<!-- /riqa:NAME -->` replaced by
    blocks[NAME].

    Raises ValueError, naming the line, for an unknown name, a marker not closed, closed twice or
    inside another."""
    out, last, opened = [], 0, ""
    for mark in MARK.finditer(text):
        closing, name = mark.groups()
        line = text.count("\n", 0, mark.start()) + 1
        if name not in blocks:
            raise ValueError(
                f"line {line}: unknown marker riqa:{name}; known are {', '.join(sorted(blocks))}"
            )
        if (closing and opened != name) or (opened and not closing):
            raise ValueError(
                f"line {line}: marker {mark.group()} does not fit; {opened or 'no marker'} is open"
            )
        if not closing:
            out.append(text[last : mark.end()])
            opened = name
        else:
            out.append(f"\n{blocks[name].strip()}\n")
            last, opened = mark.start(), ""
    if opened:
        raise ValueError(f"marker riqa:{opened} is not closed")
    return "".join(out) + text[last:]
