"""Tables as text: cells, Markdown, the generated blocks of the README."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd


# ---------------------------------------------------------------- numbers
def cell(
    value: float, low: float = np.nan, high: float = np.nan, sign: bool = False, digits: int = 2
) -> str:
    """A number with its interval as text; "–" where there is none.

    >>> cell(0.53, 0.5, 0.56), cell(-0.041, digits=3, sign=True), cell(float("nan"))
    ('0.53 [0.50, 0.56]', '−0.041', '–')
    """
    if pd.isna(value):
        return "–"
    said = _number(value, sign, digits)
    if pd.isna(low):
        return said
    return f"{said} [{_number(low, sign, digits)}, {_number(high, sign, digits)}]"


def _number(value: float, sign: bool, digits: int) -> str:
    # + 0.0 makes a zero of -0.0
    return f"{value + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def with_ends(name: str, three: Sequence[float]) -> dict[str, float]:
    """(value, low, high) under the columns name, name_low, name_high."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), three, strict=True))


def cell_of(row: Mapping, name: str, sign: bool = False, digits: int = 2) -> str:
    """`cell` of the columns name, name_low, name_high; those that the row lacks count as nan."""
    low, high = row.get(f"{name}_low", np.nan), row.get(f"{name}_high", np.nan)
    return cell(row.get(name, np.nan), low, high, sign, digits)


def decided(
    low: float,
    high: float,
    below: str = "better",
    above: str = "worse",
    neither: str = "not decided",
) -> str:
    """What an interval of a difference says: `below` where all of it is below 0 (of errors that is
    better), `above` where all of it is above, else `neither`, which is not "the same".

    >>> decided(-0.3, -0.1), decided(-0.3, 0.1), decided(0.1, 0.3, below="lower", above="higher")
    ('better', 'not decided', 'higher')
    """
    if high < 0:
        return below
    return above if low > 0 else neither


def percent(share: float) -> str:
    """A share in whole per cent; what is not none or all is not said to be.

    >>> percent(0.346), percent(0.001), percent(0.999), percent(1)
    ('35 %', 'under 1 %', 'over 99 %', '100 %')
    """
    if 0 < share < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def kind_of(simulated: bool) -> str:
    """ "Simulated data" or "Real data": what every text about results begins with."""
    return "Simulated data" if simulated else "Real data"


# ---------------------------------------------------------------- grades
def grade_names(info: Mapping) -> tuple[str, ...]:
    """The owner's names of the grades, worst first, from a dataset.json (`scale.grades`). Empty
    where it has none, or not one for each grade, and where they only number the grades as every
    table does, from 0 on.

    >>> grade_names({"classes": 2, "scale": {"grades": ["bad", "good"]}})
    ('bad', 'good')
    >>> grade_names({"classes": 2})
    ()
    """
    names = tuple(str(name) for name in (info.get("scale") or {}).get("grades") or ())
    numbers = tuple(str(k) for k in range(len(names)))
    return names if len(names) == info["classes"] and names != numbers else ()


def named(grade: int, names: Sequence[str] = ()) -> str:
    """A grade as tables and figures print it, with its name where it has one.

    >>> named(1, ["bad", "good"]), named(1)
    ('1 (good)', '1')
    """
    return f"{grade} ({names[grade]})" if len(names) else str(grade)


# ---------------------------------------------------------------- names from files
MARKS = re.compile(r"[\\`*\[\]{}$~]|(?<![^\W_])_|_(?![^\W_])")  # my_photos has none
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def as_text(name: object) -> str:
    """A name from a file or a table (a folder's, a picture's, a column's, a grade's) as it may
    stand in a line of Markdown: nothing in it is a tag, a link, a formula or a mark, or ends the
    line. ("|" is escaped by `markdown`.)

    >>> as_text("<img src=x onerror=alert(1)> & my_photos")
    '&lt;img src=x onerror=alert(1)&gt; &amp; my_photos'
    >>> print(as_text("[a](javascript:alert(1)) *b* `c`"))
    \\[a\\](javascript:alert(1)) \\*b\\* \\`c\\`
    """
    text = MARKS.sub(r"\\\g<0>", BREAKS.sub(" ", str(name)))
    return html.escape(text, quote=False)


# ---------------------------------------------------------------- tables
def _line(cells: Iterable[object]) -> str:
    texts = (" ".join(str(c).splitlines()) for c in cells)
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def markdown(
    head: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[int] = (0,)
) -> str:
    """A markdown table; columns are set right but those numbered in `left`. "|" inside a cell is
    escaped, a line break a space.

    >>> print(markdown(["method", "MAE"], [["ViT", "0.53"]]))
    | method | MAE |
    |---|---:|
    | ViT | 0.53 |
    """
    rule = "|" + "|".join("---" if i in left else "---:" for i in range(len(head))) + "|"
    return "\n".join([_line(head), rule, *(_line(row) for row in rows)])


def said_once(head: list[str], rows: Sequence[list], columns: Sequence[str], words: str) -> str:
    """Take out of a table those of the columns that have the same cell in every row ("–" aside), or
    nothing in any. Returns what they say after `words`, as a sentence with a space at its end; ""
    where that is nothing. A table of one row stays as it is.

    >>> head, rows = ["method", "seeds", "MAE"], [["ViT", 8, "0.53"], ["always 2", "–", "0.55"]]
    >>> said_once(head, rows, ["seeds"], "In every row"), head, rows
    ('In every row: seeds 8. ', ['method', 'MAE'], [['ViT', '0.53'], ['always 2', '0.55']])
    """
    said = []
    for column in columns:
        place = head.index(column)
        found = {str(row[place]) for row in rows} - {"–"}
        if len(found) > 1 or len(rows) < 2:
            continue
        said += [f"{column} {one}" for one in found]
        for line in (head, *rows):
            del line[place]
    return f"{words}: {'; '.join(said)}. " if said else ""


def show_frame(frame: pd.DataFrame, markup: Sequence[str] = ()) -> str:
    """A table of words as a markdown table, nothing cut off; numbers with three digits, "–" where
    there is none. What stands in it is text (`as_text`), but for columns that are markdown
    themselves (markup)."""
    left = [i for i, c in enumerate(frame) if not pd.api.types.is_numeric_dtype(frame[c])]
    shown = [frame[c] if c in markup else frame[c].map(_shown, na_action=None) for c in frame]
    return markdown([as_text(column) for column in frame], zip(*shown, strict=True), left) + "\n"


def _shown(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else as_text(value)


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
