"""How many processes make pictures."""

from __future__ import annotations

import os

import pytest

from riqa_lib.pictures.photo_data import processes_at_most


@pytest.mark.parametrize(("cores", "expected"), [(None, 1), (2, 2), (16, 16), (96, 16)])
def test_one_process_a_core_up_to_sixteen(monkeypatch, cores, expected):
    monkeypatch.delenv("RIQA_PROCESSES", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert processes_at_most() == expected


def test_what_is_asked_for_is_taken(monkeypatch):
    monkeypatch.setenv("RIQA_PROCESSES", "3")
    assert processes_at_most() == 3


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(monkeypatch, asked):
    monkeypatch.setenv("RIQA_PROCESSES", asked)
    with pytest.raises(ValueError, match=r"RIQA_PROCESSES is '.*', expected a whole number"):
        processes_at_most()
