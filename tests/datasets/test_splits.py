from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa_lib.datasets import splits
from riqa_lib.datasets.splits import check_splits, draw_labelled, few, floor_split, shared_groups
from riqa_lib.seeding import rng

TABLE_1 = {  # Dang et al., Table 1: pictures of each label 0..4
    "all": [225, 1379, 5150, 3459, 219],
    "train": [180, 1103, 4120, 2767, 175],
    "val": [22, 137, 515, 345, 21],
    "test": [23, 139, 515, 347, 23],
}
GRADES = np.repeat(range(5), TABLE_1["all"])


def floor_counts(n: int, fractions: tuple[float, ...] = (0.8, 0.1, 0.1)) -> tuple[int, int, int]:
    return splits._counts(n, splits._exact(fractions))


def per_class(grades: np.ndarray, split: np.ndarray, name: str) -> list[int]:
    return np.bincount(grades[split == name], minlength=5).tolist()


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("groups", [None, np.arange(len(GRADES)).astype(str)])
def test_the_fifteen_cells_of_table_1(seed: int, groups: np.ndarray | None) -> None:
    split = floor_split(GRADES, groups, seed=seed)
    for name in ("train", "val", "test"):
        assert per_class(GRADES, split, name) == TABLE_1[name]


def test_floor_is_that_of_split_folders_for_its_usual_fractions() -> None:
    for n in range(3000):
        assert floor_counts(n) == (int(0.8 * n), int(0.1 * n), n - int(0.8 * n) - int(0.1 * n))


def test_fractions_are_what_they_are_written_as() -> None:
    assert int(0.29 * 100) == 28  # the trap
    assert floor_counts(100, (0.29, 0.57, 0.14)) == (29, 57, 14)


def test_a_seed_gives_one_split_and_another_seed_another() -> None:
    assert (floor_split(GRADES, seed=3) == floor_split(GRADES, seed=3)).all()
    assert (floor_split(GRADES, seed=3) != floor_split(GRADES, seed=4)).mean() > 0.1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=60),
    st.integers(0, 5),
)
def test_no_group_is_ever_in_two_splits(pairs: list[tuple[int, int]], seed: int) -> None:
    grades, groups = np.array(pairs).T
    split = floor_split(grades, groups, seed=seed)
    check_splits(pd.DataFrame({"group": groups.astype(str), "split": split}))
    assert set(split) <= {"train", "val", "test"}


def test_groups_keep_the_counts_per_class_near() -> None:
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 400, 3000)
    grades = np.clip(groups % 5 + draw.integers(-1, 2, 3000), 0, 4)
    split = floor_split(grades, groups)
    for name, at in (("train", 0), ("val", 1), ("test", 2)):
        wanted = [floor_counts(n)[at] for n in np.bincount(grades)]
        assert np.abs(np.array(per_class(grades, split, name)) - wanted).max() <= 4


def test_large_groups_are_not_all_training() -> None:
    sizes = np.repeat([20, 1], [30, 600])
    groups = np.repeat(np.arange(630), sizes)
    split = floor_split(np.zeros(len(groups), int), groups)
    for name in ("val", "test"):
        share = (
            np.repeat(sizes, sizes)[split == name] == 20
        ).mean()  # 0.5 of all pictures are in large groups
        assert 0.2 < share < 0.8


def test_an_empty_part_stays_empty() -> None:
    for groups in (None, np.arange(51) // 4, np.maximum(np.arange(51) - 30, 0)):
        split = floor_split(np.zeros(51, int), groups, fractions=(0.5, 0.5, 0))
        assert set(split) == {"train", "val"}
    assert set(floor_split(np.zeros(51, int), fractions=(1, 0, 0))) == {"train"}


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.1, -0.1, 0.0)])
def test_bad_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected three"):
        floor_split([0, 1], fractions=fractions)


def test_bad_grades_and_groups() -> None:
    with pytest.raises(ValueError, match="row 1 has no grade"):
        floor_split([0, -1, 2])
    with pytest.raises(ValueError, match="integers"):
        floor_split([0.5, 1.0])
    with pytest.raises(ValueError, match="expected 3 names"):
        floor_split([0, 1, 2], ["a", "b"])
    with pytest.raises(ValueError, match="1 of them empty"):
        floor_split([0, 1, 2], ["a", None, "b"])


def test_check_splits_names_the_group() -> None:
    frame = pd.DataFrame({"group": ["a", "b", "a", "c"], "split": ["train", "val", "test", "pool"]})
    assert shared_groups(frame) == {"a": ["train", "test"]}
    with pytest.raises(ValueError, match=r"1 group.* a in train, test"):
        check_splits(frame)
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        check_splits(frame.assign(split="dev"))
    check_splits(frame.assign(split="train"))


# ---------------------------------------------------------------- few labels
def test_labels_are_drawn_in_proportion_and_each_class_once() -> None:
    for n in (5, 6, 40, 300, 5000):
        counts = np.bincount(GRADES[draw_labelled(GRADES, n, seed=1)], minlength=5)
        assert counts.sum() == n
        assert counts.min() >= 1
        quota = n * np.array(TABLE_1["all"]) / len(GRADES)
        assert (np.abs(counts - quota) < 1)[quota >= 1].all() or n < 40


def test_fewer_labels_than_classes_takes_the_larger_classes() -> None:
    assert sorted(GRADES[draw_labelled(GRADES, 3)]) == [1, 2, 3]


def test_more_labels_contain_fewer_and_seeds_differ() -> None:
    masks = [draw_labelled(GRADES, n, seed=5) for n in range(1, 400, 7)]
    assert all((small <= large).all() for small, large in pairwise(masks))
    assert (draw_labelled(GRADES, 300, 5) & draw_labelled(GRADES, 300, 6)).sum() < 60


def test_labels_spread_over_groups() -> None:
    grades, groups = np.repeat([0, 1], 100), np.arange(200) // 10
    drawn = draw_labelled(grades, 20, groups=groups)
    assert len(set(groups[drawn])) == 20


def test_pictures_without_grade_are_never_drawn() -> None:
    grades = np.array([-1] * 50 + [0, 1, 2])
    assert draw_labelled(grades, 3)[50:].all()
    for n in (0, 4):
        with pytest.raises(ValueError, match="expected 1 to 3"):
            draw_labelled(grades, n)


# ---------------------------------------------------------------- small classes
def floors_alone(grade, group, fractions, seed):
    """The split as it was before small classes were mended, written out: floors per class, or whole
    groups, largest first, where the counts are most behind."""
    names = np.array(["train", "val", "test"], dtype=object)
    split = np.empty(len(grade), dtype=object)
    if np.bincount(group).max() == 1:
        for value in np.unique(grade):
            rows = np.flatnonzero(grade == value)
            parts = np.repeat(names, floor_counts(len(rows), fractions))
            split[rng("floor_split", seed, int(value)).permutation(rows)] = parts
        return split
    values, inverse = np.unique(grade, return_inverse=True)
    counts = np.zeros((group.max() + 1, len(values)))
    np.add.at(counts, (group, inverse), 1)
    wanted = np.array([floor_counts(int(n), fractions) for n in counts.sum(axis=0)], float).T
    missing, weight = wanted.copy(), 1 / np.maximum(wanted, 0.1)
    order = rng("floor_split", seed, "groups").permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    for g in order:
        gain = (weight * counts[g] * (2 * missing - counts[g])).sum(axis=1)
        best = np.argmax(np.where(np.array(fractions) > 0, gain, -np.inf))
        missing[best] -= counts[g]
        split[group == g] = names[best]
    return split


PARTS = [(0.8, 0.1, 0.1), (0.5, 0.1, 0.4), (0.6, 0.2, 0.2), (0.5, 0.5, 0.0)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(10, 40), min_size=1, max_size=4),
    st.integers(0, 50),
    st.sampled_from(PARTS),
    st.integers(1, 3),
)
def test_classes_with_ten_pictures_split_as_they_always_did(sizes, seed, fractions, each) -> None:
    grades = np.repeat(np.arange(len(sizes)), np.array(sizes) * each)
    groups = np.arange(len(grades)) // each  # of one class each, so ten groups a class
    assert few(grades, groups, fractions) == {}
    before = floors_alone(grades, groups, fractions, seed)
    assert floor_split(grades, groups, fractions, seed).tolist() == before.tolist()
    if each == 1:
        assert floor_split(grades, None, fractions, seed).tolist() == before.tolist()


def test_a_class_of_few_trains_first_then_validates_then_tests() -> None:
    expected = {1: (1, 0, 0), 2: (1, 1, 0), 3: (1, 1, 1), 4: (2, 1, 1), 5: (3, 1, 1), 9: (6, 1, 2)}
    for n, parts in expected.items():
        grades = np.array([0] * 50 + [1] * n)
        split = floor_split(grades)
        found = tuple(int((split[50:] == name).sum()) for name in ("train", "val", "test"))
        assert found == parts, n
        assert few(grades) == {1: n}
        assert per_class(grades, split, "train")[0] == 40  # the other class as ever
    assert few([0] * 10) == few([]) == {}
    assert few([0] * 3, fractions=(1, 0, 0)) == {}
    assert few([0] * 3, fractions=(0.5, 0.5, 0)) == {}


def test_floors_that_leave_none_can_be_had() -> None:
    grades = np.repeat([0, 1, 2], [30, 9, 1])
    group = np.arange(40)
    for groups, seed in ((None, 0), (group, 1)):
        asked = floor_split(grades, groups, seed=seed, floors=True)
        assert asked.tolist() == floors_alone(grades, group, (0.8, 0.1, 0.1), seed).tolist()
        assert set(asked[-1:]) == {"test"}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60),
    st.integers(0, 5),
    st.sampled_from(PARTS),
)
def test_each_grade_trains_and_where_two_are_there_most_validate(pairs, seed, fractions) -> None:
    grades, groups = np.array(pairs).T
    for group in (None, groups):
        split = floor_split(grades, group, fractions, seed)
        for grade, n in few(grades, group, fractions).items():
            there = set(split[grades == grade])
            assert "train" in there
            if group is None:
                wanted = [p for p, f in zip(("train", "val", "test"), fractions, strict=True) if f]
                assert there == {*wanted[:n]}


def test_a_grade_of_two_patients_has_one_to_train_and_one_to_validate() -> None:
    """Patients with five pictures each: the floors alone would leave both in training."""
    grades = np.array([0] * 50 + [1] * 10)
    groups = np.arange(60) // 5
    for seed in range(5):
        split = floor_split(grades, groups, seed=seed)
        assert set(split[50:]) == {"train", "val"}
        check_splits(pd.DataFrame({"group": groups.astype(str), "split": split}))
        assert few(grades, groups) == {1: 2}
