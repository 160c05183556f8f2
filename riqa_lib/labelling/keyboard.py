"""Which keys give which grade: 2 to 10 grades, with names of one's own."""

from __future__ import annotations

from collections.abc import Sequence

DIGITS = "1234567890"
SKIP, UNDO = "s", "u"
FEWEST, MOST = 2, len(DIGITS)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of the grades, worst first, as they are stored. Raises ValueError for fewer than 2,
    more than 10, an empty one or one that is there twice; TypeError for a text where a list is
    meant.

    >>> check_names(["bad", " good"])
    ('bad', 'good')
    """
    if isinstance(names, str):
        raise TypeError(f"grades = {names!r}: expected a list of names, worst first")
    found = tuple(" ".join(str(name).split()) for name in names)
    if not FEWEST <= len(found) <= MOST:
        raise ValueError(f"{len(found)} grades: expected {FEWEST} to {MOST} names, worst first")
    if not all(found) or len(set(found)) < len(found):
        raise ValueError(f"grades {found}: expected names that differ, none of them empty")
    return found


def keys_of(names: Sequence[str]) -> list[list[str]]:
    """The keys of each grade, worst first: 1, 2, ... 9, 0 and, where all names begin with another
    letter (none with s or u, which skip and undo), that letter. Names that begin with a figure of
    their own have that key only, so that "0 bad" is not typed as 1.

    >>> keys_of(["bad", "good"])
    [['1', 'b'], ['2', 'g']]
    >>> keys_of(["0 bad", "1 poor", "2 fair"])
    [['0'], ['1'], ['2']]
    >>> keys_of([str(k) for k in range(1, 11)])[-1]
    ['0']
    """
    first = [name[0].lower() for name in names]
    digits = list(DIGITS[: len(names)])
    plain = all(key.isalnum() for key in first) and not {SKIP, UNDO} & set(first)
    if not plain or len(set(first)) < len(first):
        return [[key] for key in digits]
    if any(key.isdigit() for key in first):
        return [[key] for key in first]
    return [list(pair) for pair in zip(digits, first, strict=True)]
