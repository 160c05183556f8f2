"""The keywords of somebody's own table (datasets.declaration) as options of a command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from ..datasets.declaration import Declaration
from .arguments import Parser

META = {"low": "NUMBER", "high": "NUMBER", "classes": "N", "seed": "N", "sheet": "NAME"}


def add_declaration(parser: Parser) -> None:
    """One option a keyword, --higher-is-better for higher_is_better; and --declare with all of them
    at once, as data.folder."""
    group = parser.add_argument_group(
        "the table (riqa_lib.datasets.folder.read_folder says what each means)"
    )
    group.add_argument(
        "--declare",
        type=_object,
        default={},
        metavar="JSON",
        help="these and --table at once, as in data.folder of run_all.py: "
        '\'{"root": "photos", "table": "scores.csv", "id": "name", ...}\'',
    )
    for field in dataclasses.fields(Declaration):
        option = f"--{field.name.replace('_', '-')}"
        group.add_argument(option, dest=field.name, **_kind(field.name, str(field.type)))


def declared(chosen: argparse.Namespace) -> dict[str, Any]:
    """What was typed of `add_declaration`, root and table too where they were: as data.folder.
    Single options count more than --declare."""
    words = ["root", "table", *(field.name for field in dataclasses.fields(Declaration))]
    typed = {word: getattr(chosen, word, None) for word in words}
    return chosen.declare | {word: value for word, value in typed.items() if value is not None}


def _kind(name: str, annotation: str) -> dict[str, Any]:
    """How argparse reads a keyword of this type; None where it is not given."""
    shown: dict[str, Any] = {"metavar": META.get(name, "NAME")}
    if annotation == "bool":
        return {"nargs": "?", "const": True, "type": _truth, "metavar": "true|false"}
    if annotation == "Sequence[float]":
        return {"nargs": 3, "type": float, "metavar": "SHARE"}
    if "Sequence" in annotation:
        return shown | {"nargs": "+", "action": _Names if "bool" in annotation else "store"}
    if annotation.startswith(("float", "int")):
        return shown | {"type": float if annotation.startswith("float") else int}
    return shown | ({"type": _number_or_name} if name == "sheet" else {})


class _Names(argparse.Action):
    """Names, or the one word true or false."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        words = {"true": True, "false": False}
        one = words.get(values[0].lower()) if len(values) == 1 else None
        setattr(namespace, self.dest, values if one is None else one)


def _truth(text: str) -> bool:
    """
    >>> _truth("true"), _truth("False")
    (True, False)
    """
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _number_or_name(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as e:
        raise argparse.ArgumentTypeError(f"no JSON ({e}): {text}") from e
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"expected an object, {{...}}: {text}")
    return found
