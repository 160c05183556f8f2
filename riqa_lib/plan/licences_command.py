"""`riqa licences`: what riqa runs with here, and under which licence."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add(command: Callable) -> None:
    """Enter it among the commands of `riqa`."""
    command(
        licences,
        "list the packages that riqa runs with here, each with its version and licence",
        "example\n  riqa licences",
    )


def licences(chosen: argparse.Namespace) -> int:
    """Print them; 0."""
    from .licences import table

    print(table().to_string(index=False, justify="left"))
    return 0
