"""Settings changed by dotted names, with types kept and unknown names refused."""

from __future__ import annotations

import dataclasses
import typing


def replaced(part: typing.Any, changes: dict[str, object], where: str) -> typing.Any:
    """`part` with {"a": value, "b.c": value} put in, all at once, so that settings are checked
    together."""
    fields = {f.name: f for f in dataclasses.fields(part)}
    deeper: dict[str, dict[str, object]] = {}
    new: dict[str, object] = {}
    for key, value in changes.items():
        head, _, rest = key.partition(".")
        now = getattr(part, head) if head in fields else None
        if head not in fields or (rest and not dataclasses.is_dataclass(now)):
            raise ValueError(
                f"unknown setting {where + key!r}; {type(part).__qualname__} has: {', '.join(fields)}"
            )
        if rest:
            deeper.setdefault(head, {})[rest] = value
        elif dataclasses.is_dataclass(now):
            inside = ", ".join(f"{key}.{f.name}" for f in dataclasses.fields(now))
            raise ValueError(f"{where + key!r} has parts, set one of them: {inside}")
        else:
            new[head] = _typed(value, now, where + key)
    for head, inner in deeper.items():
        new[head] = replaced(getattr(part, head), inner, f"{where}{head}.")
    return dataclasses.replace(part, **new)


def _typed(value: object, now: object, name: str) -> object:
    """The value as the type of the present one; TypeError where it is of another."""
    if isinstance(now, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(now, tuple) and isinstance(value, list):
        value = tuple(value)
    if type(value) is not type(now):
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}; expected a {type(now).__name__} like {now!r}"
        )
    return value
