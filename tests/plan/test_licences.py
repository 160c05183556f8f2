"""Which packages riqa runs with, and under which licence."""

from __future__ import annotations

from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest

from riqa_lib.plan import licences


class Strict(Message):
    """As the backport importlib_metadata has it, and Python will."""

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(name)
        return super().__getitem__(name)


class Made:
    """A distribution made by hand."""

    version = "1.0"

    def __init__(self, name, requires=(), **facts):
        self.requires = list(requires)
        self.metadata = Strict()
        self.metadata["Name"] = name
        for key, values in facts.items():
            for value in values if isinstance(values, list) else [values]:
                self.metadata[key.replace("_", "-")] = value


MADE = {
    one.metadata["Name"]: one
    for one in (
        Made(
            "riqa", ["A[fast]>1", "tests; extra == 'dev'", "w; sys_platform == 'nowhere'", "gone"]
        ),
        Made("a", ["b", "c; extra == 'fast'", "d; extra == 'slow'"], License_Expression="MIT"),
        Made("b", ["a"], Classifier=["License :: OSI Approved :: BSD License", "Topic :: X"]),
        Made("c", License="Apache 2.0\nand more"),
        *(Made(name) for name in ("d", "tests", "w")),
    )
}


def find(name):
    if name.lower() not in MADE:
        raise PackageNotFoundError(name)
    return MADE[name.lower()]


def test_what_is_needed_and_its_licence_by_hand():
    rows = licences.table("riqa", find).set_index("package")["licence"].to_dict()
    assert rows == {"a": "MIT", "b": "BSD License", "c": "Apache 2.0"}


def test_a_package_that_is_not_there_is_told():
    with pytest.raises(PackageNotFoundError):
        licences.needed("nobody", find)


def test_every_package_that_riqa_runs_with_says_its_licence():
    rows = licences.table()
    assert {"torch", "pandas", "papermill", "safetensors"} <= set(rows["package"].str.lower())
    assert "pytest" not in set(rows["package"])
    unknown = set(rows.loc[rows["licence"] == licences.UNKNOWN, "package"])
    assert unknown <= {"cuda-toolkit"}  # NVIDIA's, names others only
    assert not rows["licence"].str.contains("GPL|Affero", regex=True).any()
