"""The keywords of somebody's own table (datasets.declaration) as options of a command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from ..datasets.declaration import Declaration
from ..training.photo_profiles import PROFILES
from .arguments import Parser, at_least_one

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


def check_options(own: Parser) -> None:
    """Add what may be typed after `riqa check`."""
    add = own.add_argument
    add("root", nargs="?", metavar="FOLDER", help="the pictures")
    add("--table", metavar="FILE", help="their scores, grades or votes")
    add("--profile", choices=PROFILES, default="demo", help="working size and split (default demo)")
    add("--size", type=at_least_one, metavar="PX", help="another working size, as data.size")
    add("--labels", type=at_least_one, metavar="N", help="so many labels are used, as data.labels")
    add("--scale", choices=("fit", "native"), help="as data.scale")
    add("--bad", choices=("stop", "skip"), help="as data.bad: files that can't be read")
    add("--csv", type=Path, help="write all problems and near-duplicates, a line each")
    add_declaration(own)
