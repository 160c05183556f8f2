"""Which fundus rows are compared with which, where, and on what.

Rows are compared within their encoder (`names.FAMILIES`): multi-task with single-task, a Student
with its own Teacher, both with what looks at pictures without a network and with what people's
overall grade alone says; and the same row between encoders, and with own-defect copies and
without."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from .names import FAMILIES, FUNDUS_CONSTANTS, FUNDUS_SIMPLE, LABEL

# sets whose details are judged, and the splits from which no network has learnt: MSHF's held-out
# sources; nobody learns from EyeQ-D
HELD_OUT = {"mshf": ("test",), "eyeq_d": ("train", "val", "test")}


SETS = ("eyeq", "deepdrid")  # with an overall grade that a Student learns


LOOKING = tuple(kind for kind in FUNDUS_SIMPLE if kind not in FUNDUS_CONSTANTS)


# the same row made otherwise: comparison, family of a, family of b
OTHERWISE = (
    ("Lite0 v ResNet", "_lite0", ""),
    ("copies v none", "_own", ""),
    ("copies v none", "_lite0", "_lite0_plain"),
)


class Pair(NamedTuple):
    """a is compared with b on the set `where`; judged: "overall" (the grade) or "details"."""

    comparison: str
    a: str
    b: str
    where: str
    judged: str


def splits_of(where: str) -> tuple[str, ...]:
    """The splits of a set on which rows are compared.

    >>> splits_of("mshf"), splits_of("eyeq")
    (('test',), ('test',))
    """
    return HELD_OUT.get(where, ("test",))


def pairs(methods: Collection[str], *, label: bool = True) -> list[Pair]:
    """Who of these rows is compared with whom. label: also with people's overall grade, alone
    (names.LABEL, which is not among the methods).

    >>> [(p.comparison, p.where) for p in pairs(["multi_eyeq", "single_eyeq"], label=False)]
    [('multi v single', 'eyeq'), ('multi v single', 'mshf'), ('multi v single', 'eyeq_d')]
    """
    there = {*methods, LABEL} if label else {*methods}
    return [pair for pair in _all_pairs() if {pair.a, pair.b} <= there]


def rows_of_details(methods: Collection[str], on: str = "eyeq") -> list[str]:
    """The networks among these rows whose details stand in one table: Teachers, and the Students of
    one set, those of an encoder together.

    >>> rows_of_details({"multi_lite0_eyeq", "multi_eyeq", "teacher", "multi_deepdrid"})
    ['teacher', 'multi_eyeq', 'multi_lite0_eyeq']
    """
    every = [
        row
        for family in FAMILIES
        for row in (f"teacher{family}", f"single{family}_{on}", f"multi{family}_{on}")
    ]
    return [row for row in every if row in methods]


def _all_pairs() -> Iterator[Pair]:
    for on in SETS:
        for family in FAMILIES:
            yield from _student(family, on)
    for family in FAMILIES:
        for kind in (*LOOKING, LABEL):
            yield from _on_details(f"Teacher v {kind}", f"teacher{family}", kind)
    for comparison, first, second in OTHERWISE:
        for on in SETS:
            for row in ("multi", "single"):
                a, b = f"{row}{first}_{on}", f"{row}{second}_{on}"
                yield Pair(comparison, a, b, on, "overall")
                yield from _on_details(comparison, a, b) if row == "multi" else ()
        yield from _on_details(comparison, f"teacher{first}", f"teacher{second}")


def _student(family: str, on: str) -> Iterator[Pair]:
    """A multi-task Student against everything within its encoder."""
    multi, single = f"multi{family}_{on}", f"single{family}_{on}"
    yield Pair("multi v single", multi, single, on, "overall")
    for kind in LOOKING:
        yield Pair(f"multi v {kind}", multi, f"{kind}_{on}", on, "overall")
    yield from _on_details("multi v single", multi, single)
    yield from _on_details("Student v Teacher", multi, f"teacher{family}")
    for kind in (*LOOKING, LABEL):
        yield from _on_details(f"multi v {kind}", multi, kind)


def _on_details(comparison: str, a: str, b: str) -> Iterator[Pair]:
    for where in HELD_OUT:
        yield Pair(comparison, a, b, where, "details")
