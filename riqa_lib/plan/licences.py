"""The licence of every package that riqa runs with, from what each package says of itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNKNOWN = "not said"
Finds = Callable[[str], Distribution]


def needed(name: str = "riqa", find: Finds = distribution) -> list[Distribution]:
    """The packages that one needs to run (without its extras, and what other systems or Pythons
    need), itself left out, and all that these need, by name; those that are not installed are left
    out.

    PackageNotFoundError where the package itself is not installed."""
    found: dict[str, Distribution] = {}
    waiting = [*_requirements(find(name), set())]
    seen = {(canonicalize_name(one.name), frozenset(one.extras)) for one in waiting}
    while waiting:
        one = waiting.pop()
        try:
            its = find(one.name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(one.name)] = its
        for more in _requirements(its, set(one.extras)):
            key = canonicalize_name(more.name), frozenset(more.extras)
            if key not in seen:
                seen.add(key)
                waiting.append(more)
    return [found[name] for name in sorted(found)]


def _requirements(its: Distribution, extras: set[str]) -> list[Requirement]:
    every = [Requirement(text) for text in its.requires or []]
    asked = [{"extra": extra} for extra in ("", *sorted(extras))]
    return [one for one in every if one.marker is None or any(map(one.marker.evaluate, asked))]


def licence_of(its: Distribution) -> str:
    """What a package says of its licence: an SPDX expression, else its classifiers, else its own
    words (their first line)."""
    facts: Any = its.metadata  # an email's header
    if spdx := facts.get("License-Expression"):  # [...] raises where there is none, in some Pythons
        return str(spdx)
    told = [c.rpartition(" :: ")[2] for c in facts.get_all("Classifier") or [] if "License ::" in c]
    told = [one for one in told if one != "OSI Approved"]
    words = str(facts.get("License") or "").strip().splitlines()
    return "; ".join(told) or (words[0] if words else UNKNOWN)


def table(name: str = "riqa", find: Finds = distribution) -> pd.DataFrame:
    """package, version, licence of all that one runs with.

    >>> list(table().columns)
    ['package', 'version', 'licence']
    """
    rows = [(one.metadata["Name"], one.version, licence_of(one)) for one in needed(name, find)]
    return pd.DataFrame(rows, columns=["package", "version", "licence"])
