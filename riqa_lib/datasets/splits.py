"""Splits that do not leak: the per-class floor split of Dang et al.'s Table 1, and drawing few
labels.

Table 1 is, per class, int(.8 n) pictures for training, int(.1 n) for validation and the rest for
test: the arithmetic of split-folders (github.com/jfilter/split-folders), which no stratified split
of scikit-learn gives. Of a class that has fewer than ten pictures these floors leave none for
validation, of one picture none for training: such a class is shared out by hand, one picture for
training first, then one for validation, then one for test (see `few`)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..seeding import rng

SPLITS = ("train", "val", "test", "pool")


def _exact(fractions: Sequence[float]) -> list[Fraction]:
    """Fractions as people write them (.29 is 29/100, although as a float it is a little less)."""
    exact = [Fraction(str(f)) for f in fractions]
    if (
        len(exact) != 3
        or any(f < 0 for f in exact)
        or abs(sum(exact, Fraction(-1))) > Fraction(1, 10**9)
    ):
        raise ValueError(
            f"fractions {tuple(fractions)}: expected three for train, val, test, none negative, "
            "sum 1"
        )
    return exact


def _counts(n: int, exact: list[Fraction]) -> tuple[int, int, int]:
    train = floor(exact[0] * n)
    val = floor(exact[1] * n) if exact[2] else n - train
    return train, val, n - train - val


def _mended(n: int, exact: list[Fraction]) -> tuple[int, int, int]:
    """`_counts`, but a part that is wanted (its fraction is not 0) and gets none takes one from the
    part that has most: training first, then validation, then test, as far as n goes."""
    counts = list(_counts(n, exact))
    wanted = [k for k in range(3) if exact[k] > 0][:n]
    for k in wanted:
        if not counts[k]:
            counts[max(range(3), key=_spare(counts, wanted).__getitem__)] -= 1
            counts[k] = 1
    return counts[0], counts[1], counts[2]


def _spare(counts: list[int], wanted: list[int]) -> list[int]:
    """What each part can give away: all but one of it where it is wanted."""
    return [have - (k in wanted) for k, have in enumerate(counts)]


def few(
    grades: ArrayLike,
    groups: ArrayLike | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
) -> dict[int, int]:
    """Classes that the floors leave without a picture in a part that is wanted, and how many
    pictures they have (groups, where there are such): {} where `floor_split` is Table 1's
    arithmetic.

    >>> few([0] * 30 + [1] * 9 + [2])
    {1: 9, 2: 1}
    """
    grade, exact = _grades(grades), _exact(fractions)
    group = _groups(groups, len(grade))
    frame = pd.DataFrame({"grade": grade, "group": range(len(grade)) if group is None else group})
    sizes = frame.groupby("grade")["group"].nunique()
    return _small({int(k): int(n) for k, n in sizes.items()}, exact)


def _small(sizes: dict[int, int], exact: list[Fraction]) -> dict[int, int]:
    """Those of the classes that the floors leave without a picture in a part that is wanted."""
    return {k: n for k, n in sizes.items() if _mended(n, exact) != _counts(n, exact)}


def floor_split(
    grades: ArrayLike,
    groups: ArrayLike | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    floors: bool = False,
) -> np.ndarray:
    """A split name, "train", "val" or "test", for each picture.

    grades: (N,) integers >= 0. groups: (N,) contents or patients; all pictures of a group get the
    same split. Without groups, or when each has one picture, of every class's n pictures exactly
    floor(.8 n) train, floor(.1 n) validate and the rest tests (as the fractions are). With larger
    groups they go, largest first, where the counts per class are most behind, so these are met as
    nearly as whole groups allow. A class too small for that (`few`) has a picture, or a group, to
    train; where it has two, one to validate too; where three, one to test (floors: not even then,
    but the floors as they are). The same rows in the same order with the same seed give the same
    split. Raises ValueError for unlabelled (negative) or non-integer grades, other lengths, or bad
    fractions.

    >>> split = floor_split([0] * 219 + [4] * 11)
    >>> [int((split[:219] == name).sum()) for name in ("train", "val", "test")]
    [175, 21, 23]
    >>> sorted(floor_split([3, 3, 3]))
    ['test', 'train', 'val']
    """
    grade = _grades(grades)
    exact = _exact(fractions)
    if len(grade) and grade.min() < 0:
        raise ValueError(
            f"row {int(np.argmax(grade < 0))} has no grade ({grade.min()}): split labelled "
            "pictures only"
        )
    group = _groups(groups, len(grade))
    if group is not None and len(group) and np.bincount(group).max() > 1:
        return _split_groups(grade, group, exact, seed, floors)
    counts = _counts if floors else _mended
    split = np.empty(len(grade), dtype=object)
    for value in np.unique(grade):
        rows = np.flatnonzero(grade == value)
        names = np.repeat(np.array(SPLITS[:3], dtype=object), counts(len(rows), exact))
        split[rng("floor_split", seed, int(value)).permutation(rows)] = names
    return split


def _split_groups(
    grade: np.ndarray, group: np.ndarray, exact: list[Fraction], seed: int, floors: bool
) -> np.ndarray:
    """Greedy: each group goes where it lowers sum over classes and splits of (have - wanted)^2 /
    wanted the most."""
    classes, grade = np.unique(grade, return_inverse=True)
    counts = np.zeros((group.max() + 1, len(classes)))  # (groups, classes)
    np.add.at(counts, (group, grade), 1)
    wanted = np.array(
        [_counts(int(n), exact) for n in counts.sum(axis=0)], dtype=float
    ).T  # (3, classes)
    missing, weight = wanted.copy(), 1 / np.maximum(wanted, 0.1)
    allowed = np.array([f > 0 for f in exact])
    order = rng("floor_split", seed, "groups").permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    chosen = np.empty(len(counts), dtype=int)
    for g in order:
        gain = (weight * counts[g] * (2 * missing - counts[g])).sum(axis=1)
        chosen[g] = np.argmax(np.where(allowed, gain, -np.inf))
        missing[chosen[g]] -= counts[g]
    if not floors:
        _mend_groups(chosen, counts, exact)
    return np.array(SPLITS[:3], dtype=object)[chosen[group]]


def _mend_groups(chosen: np.ndarray, counts: np.ndarray, exact: list[Fraction]) -> None:
    """Move whole groups (in place) until each class that has few of them is in every part that it
    has groups for: the smallest group that no class needs where it is."""
    have, size = counts > 0, counts.sum(axis=1)  # (groups, classes), (groups,)
    groups_of = dict(enumerate(have.sum(axis=0).tolist()))
    small = sorted(_small(groups_of, exact), key=groups_of.__getitem__)
    parts = [k for k in range(3) if exact[k]]
    for at, part in enumerate(parts):
        for c in small:
            if groups_of[c] <= at or have[chosen == part, c].any():
                continue
            mine = np.flatnonzero(have[:, c])
            free = [g for g in mine if not _needed(have, chosen, g, parts[:at])]
            if free:
                chosen[min(free, key=size.__getitem__)] = part


def _needed(have: np.ndarray, chosen: np.ndarray, group: np.integer, filled: list[int]) -> bool:
    """Whether a group is the only one of a class in its part, where that part is filled already."""
    alone = have[chosen == chosen[group]].sum(axis=0) == 1
    return bool(chosen[group] in filled and (have[group] & alone).any())


def draw_labelled(
    grades: ArrayLike, n: int, seed: int = 0, groups: ArrayLike | None = None
) -> np.ndarray:
    """A boolean mask (N,) of the n pictures that keep their label; the rest becomes the unlabelled
    pool.

    Stratified in proportion to the classes (Sainte-Lague: counts are rounded quotas), and each
    class that exists gets at least one where n allows, larger classes first. Nested: with the same
    seed a larger n contains a smaller one. With groups, different groups of a class come before a
    second picture of the same one. Pictures without a grade (negative) are never drawn. Raises
    ValueError where n is not in 1..labelled pictures.

    >>> few = draw_labelled([0] * 90 + [1] * 10, 10)
    >>> int(few[:90].sum()), int(few[90:].sum())
    (9, 1)
    """
    grade = _grades(grades)
    labelled = np.flatnonzero(grade >= 0)
    if not 1 <= n <= len(labelled):
        raise ValueError(
            f"n = {n}: expected 1 to {len(labelled)}, the number of pictures with a grade"
        )
    group = _groups(groups, len(grade))
    place = np.full(len(grade), np.inf)  # the n smallest are drawn
    for value, size in zip(*np.unique(grade[labelled], return_counts=True), strict=True):
        rows = rng("draw_labelled", seed, int(value)).permutation(np.flatnonzero(grade == value))
        if group is not None:
            repeat = pd.Series(group[rows]).groupby(group[rows]).cumcount().to_numpy()
            rows = rows[np.argsort(repeat, kind="stable")]
        place[rows] = (np.arange(size) + 0.5) / size
        place[rows[0]] = -size
    mask = np.zeros(len(grade), dtype=bool)
    mask[np.argsort(place, kind="stable")[:n]] = True
    return mask


def check_splits(frame: pd.DataFrame) -> None:
    """Raise ValueError, naming the groups, if a group has pictures in two splits, or for an unknown
    split name.

    frame: columns group and split ("train", "val", "test" or "pool")."""
    unknown = sorted(set(frame["split"]) - set(SPLITS), key=str)
    if unknown:
        raise ValueError(
            f"unknown split {', '.join(map(repr, unknown))}: expected {', '.join(SPLITS)}"
        )
    leaks = shared_groups(frame)
    if leaks:
        shown = "; ".join(
            f"{group} in {', '.join(splits)}" for group, splits in list(leaks.items())[:10]
        )
        more = f"; and {len(leaks) - 10} more" if len(leaks) > 10 else ""
        raise ValueError(f"{len(leaks)} group(s) in more than one split: {shown}{more}")


def shared_groups(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The groups that have pictures in more than one split, and in which: {} is what you want."""
    pairs = frame[["group", "split"]].drop_duplicates()
    pairs = pairs[pairs.duplicated("group", keep=False)]
    return {
        group: sorted(splits, key=SPLITS.index)
        for group, splits in pairs.groupby("group", sort=True)["split"]
    }


def _grades(grades: ArrayLike) -> np.ndarray:
    grade = np.asarray(grades)
    if grade.ndim != 1 or not (np.issubdtype(grade.dtype, np.integer) or not len(grade)):
        raise ValueError(
            f"grades: expected one column of integers, got {grade.dtype} with shape {grade.shape}"
        )
    return grade.astype(int)


def _groups(groups: ArrayLike | None, n: int) -> np.ndarray | None:
    """Groups as numbers 0.., in order of first appearance."""
    if groups is None:
        return None
    codes = pd.factorize(np.asarray(groups))[0]
    if len(codes) != n or (n and codes.min() < 0):
        raise ValueError(
            f"groups: expected {n} names, got {len(codes)}, {int((codes < 0).sum())} of them empty"
        )
    return codes
