"""Ranges of settings, beside their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest

from riqa_lib.bounds import Checked, OneOf, Range


@dataclass(frozen=True)
class Settings(Checked):
    where: ClassVar[str] = "mine."
    share: Annotated[float, Range(0, below=1)] = 0.5
    many: Annotated[tuple[int, ...], Range(1, 3)] = (1, 2)
    word: Annotated[str, OneOf("a", "b")] = "a"
    free: float = -1.0


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "said"),
    [
        (Range(1), (1, 2, 1e30, np.int64(4)), (0, 0.99, True, "1", None), "1 or more"),
        (Range(0, 1), (0, 0.5, 1), (-1e-9, 1.0001, np.float32("nan")), "0 to 1"),
        (Range(above=0), (1e-30,), (0, -1, float("inf")), "more than 0"),
        (Range(above=0, high=1), (1, 0.1), (0, 1.1), "more than 0 to 1"),
        (Range(above=0, below=1), (0.5,), (0, 1), "more than 0 to below 1"),
    ],
)
def test_ranges_at_their_ends(bounds, inside, outside, said):
    assert not any(map(bounds.wrong, inside))
    assert [bounds.wrong(value) for value in outside] == [f"expected {said}"] * len(outside)


def test_settings_are_checked_where_they_are_made():
    assert Settings(free=7).share == 0.5
    for wrong, said in {
        ("share", 1.0): "mine.share is 1.0; expected 0 to below 1",
        ("many", (1, 4)): "mine.many is (1, 4); expected each of them 1 to 3",
        ("word", "c"): "mine.word is 'c'; allowed: a, b",
    }.items():
        with pytest.raises(ValueError, match="mine") as error:
            Settings(**dict([wrong]))
        assert str(error.value) == said
