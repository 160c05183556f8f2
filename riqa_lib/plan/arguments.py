"""A command line that says what is wrong, what is allowed and what was probably meant."""

from __future__ import annotations

import argparse
import glob
import json
import os
import re
from collections.abc import Iterable
from typing import NoReturn

from ..hints import did_you_mean


def _layout(prog: str) -> argparse.HelpFormatter:
    """Texts as they are written, and room for an option beside its explanation."""
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that keeps the layout of its texts, takes no abbreviated options and, for
    a word that is not among the choices, names the nearest that is. Sub-commands inherit all
    three."""

    def __init__(self, **given) -> None:
        given.setdefault("formatter_class", _layout)
        # an abbreviation that works today is ambiguous after the next option
        given.setdefault("allow_abbrev", False)
        super().__init__(**given)

    def error(self, message: str) -> NoReturn:
        """Print usage and message, exit with 2."""
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if wrong:
            message += did_you_mean(wrong[1], re.findall(r"[\w.-]+", wrong[2]))
        super().error(message)


def as_paths(arguments: Iterable[str]) -> list[str]:
    """The words of a command line, files whose names begin like options as paths.

    >>> as_paths(["score", "-h", "--csv", "-2.5"])
    ['score', '-h', '--csv', '-2.5']
    """
    return [f"./{word}" if _is_file(word) else word for word in arguments]


def _is_file(word: str) -> bool:
    """Whether a word that begins with a dash names files that are there."""
    like_option = word in ("-h", "-", "--") or (word.startswith("--") and "." not in word)
    if like_option or not word.startswith("-"):
        return False
    return os.path.lexists(word) or bool(glob.has_magic(word) and glob.glob(word))


def at_least_one(text: str) -> int:
    """A whole number from 1 on.

    >>> at_least_one("3")
    3
    """
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


TRUTHS = {"True": "true", "False": "false"}  # as tables of settings print them


def setting(text: str) -> tuple[str, object]:
    """KEY=VALUE of --set; the value is JSON, or True or False as Python has it, else a string.

    >>> setting("train.lr=1e-4"), setting("train.strong=weak"), setting("fixmatch.soft=True")
    (('train.lr', 0.0001), ('train.strong', 'weak'), ('fixmatch.soft', True))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key.strip(), json.loads(TRUTHS.get(value, value))
    except json.JSONDecodeError as e:
        if value.lstrip()[:1] in ("{", "["):
            raise argparse.ArgumentTypeError(
                f"the value of {key.strip()} begins like JSON, and is none: {e}\n"
                "(names in double quotes, the whole in single quotes)"
            ) from e
        return key.strip(), value
