"""Variables of this process's environment, for as long as a block lasts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def variables(given: Mapping[str, str]) -> Iterator[None]:
    """Set these; at the end each is as it was before, or gone.

    >>> with variables({"RIQA_EXAMPLE": "1"}):
    ...     os.environ["RIQA_EXAMPLE"]
    '1'
    >>> "RIQA_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
