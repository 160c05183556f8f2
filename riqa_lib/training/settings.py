"""What the settings of all runs share: changes by dotted names, with types kept and unknown names
refused; profiles and rows checked by name.

    >>> from riqa_lib.training.optimisation import TrainConfig
    >>> replaced(TrainConfig(), {"lr": 1, "steps": 20}, "train.").lr
    1.0
    >>> replaced(TrainConfig(), {"stops": 20}, "train.")
    Traceback (most recent call last):
    ValueError: unknown setting 'train.stops'; TrainConfig has: steps, batch, ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ..bounds import Checked, must_allow
from ..hints import did_you_mean


@dataclass(frozen=True)
class RunSettings(Checked):
    """Settings of one run, of photographs or of fundus pictures. With the keys of its data they are
    config.json; its hash names the run's folder."""

    method: Any = None  # the Config of one of `methods`

    methods: ClassVar[Mapping[str, Any]] = {}  # name -> class with a Config
    where: ClassVar[str] = ""  # what begins a setting's name where users give it

    def but(self, **changes: object) -> Self:
        """A copy with changes: seed=1, method="fixmatch", or dotted names such as **{"train.lr":
        1e-4}.

        ValueError for an unknown name (lists what is allowed), TypeError for a value of the wrong
        type."""
        run = self
        if "method" in changes:
            name = changes.pop("method")
            must_be_one_of("method", name, self.methods)
            run = dataclasses.replace(run, method=self.methods[str(name)].Config())
        return replaced(run, changes, self.where)

    def adjusted(self, changes: Mapping[str, object]) -> Self:
        """A copy with a profile's changes. Those of a method ("fixmatch.tau") are checked whichever
        method this is, and count only where it is that one. Raises as `but` does."""
        own: dict[str, object] = {}
        common: dict[str, object] = {}
        for key, value in changes.items():
            head, _, name = key.partition(".")
            if head not in self.methods:
                common[key] = value
                continue
            self._check_setting_of(head, name, value)
            if head == self.method.name:
                own[f"method.{name}"] = value
        return self.but(**common).but(**own)

    def _check_setting_of(self, method: str, name: str, value: object) -> None:
        kind = self.methods[method]
        names = [f.name for f in dataclasses.fields(kind.Config)]
        if name not in names:
            asked = f"{self.where}{method}.{name}"
            raise ValueError(
                f"unknown setting {asked!r}; {kind.__name__} has: {', '.join(names)}"
                + did_you_mean(asked, [f"{self.where}{method}.{n}" for n in names])
            )
        replaced(kind.Config(), {name: value}, f"{self.where}{method}.")

    def config(self, data_key: str) -> dict:
        """Plain settings for config.json; data_key names pictures and table (see
        datasets.data_folder.data_key). Settings that came later (metadata "later" of their field)
        are left out at their default: runs from before keep their names."""
        plain = dataclasses.asdict(self)
        for name, part in vars(self).items():
            for f in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
                if f.metadata.get("later") and getattr(part, f.name) == f.default:
                    del plain[name][f.name]
        return plain | {"data_key": data_key}


def must_be_one_of(what: str, name: object, allowed: Collection[str]) -> None:
    """ValueError, listing what is allowed, for an unknown profile, row or method."""
    if name not in allowed:
        raise ValueError(
            f"unknown {what} {name!r}; allowed: {', '.join(allowed)}"
            + did_you_mean(str(name), allowed)
        )


def replaced(part: Any, changes: Mapping[str, object], where: str) -> Any:
    """`part` with {"a": value, "b.c": value} put in, all at once, so that settings are checked
    together. where: what stands before these names in messages.

    ValueError for a name that is not there (lists those that are), or that has parts; TypeError for
    a value of another type."""
    fields = {f.name: f for f in dataclasses.fields(part)}
    deeper: dict[str, dict[str, object]] = {}
    new: dict[str, object] = {}
    for key, value in changes.items():
        head, _, rest = key.partition(".")
        now = getattr(part, head) if head in fields else None
        if head not in fields or (rest and not dataclasses.is_dataclass(now)):
            raise ValueError(
                f"unknown setting {where + key!r}; "
                f"{type(part).__qualname__} has: {', '.join(fields)}"
                + did_you_mean(where + key, dotted(part, where))
            )
        if rest:
            deeper.setdefault(head, {})[rest] = value
        elif dataclasses.is_dataclass(now):
            inside = ", ".join(f"{key}.{f.name}" for f in dataclasses.fields(now))
            raise ValueError(f"{where + key!r} has parts, set one of them: {inside}")
        else:
            new[head] = _typed(value, now, where + key)
            must_allow(type(part), head, new[head], where + key)
    for head, inner in deeper.items():
        new[head] = replaced(getattr(part, head), inner, f"{where}{head}.")
    return dataclasses.replace(part, **new)


def dotted(part: Any, where: str = "") -> list[str]:
    """The names of all settings below `part`, as `replaced` takes them."""
    names = []
    for field in dataclasses.fields(part):
        now = getattr(part, field.name)
        name = where + field.name
        names += dotted(now, f"{name}.") if dataclasses.is_dataclass(now) else [name]
    return names


def _typed(value: object, now: object, name: str) -> object:
    """The value as the type of the present one; TypeError where it is of another."""
    if isinstance(now, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(now, tuple) and isinstance(value, list):
        value = tuple(value)
    if type(value) is not type(now):
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}; "
            f"expected a {type(now).__name__} like {now!r}"
        )
    return value
