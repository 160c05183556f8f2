"""What a damaged file is known by, and how it is made again. Light: no imports from outside."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import paths

PROVENANCE = "provenance.json"  # holds times, so nothing that depends on a run depends on it
SEAL = "sha256"


# ---------------------------------------------------------------- a file that knows its own hash
def sealed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with the SHA-256 of what they say.

    >>> sealed({"labels": 7})["sha256"][:8]
    '1ee607a9'
    """
    plain = {k: v for k, v in json.loads(json.dumps(facts)).items() if k != SEAL}
    text = json.dumps(plain, sort_keys=True)
    return plain | {SEAL: hashlib.sha256(text.encode()).hexdigest()}


def is_whole(file: Path) -> bool:
    """Whether a file of sealed facts is there and says what was written; one from before there were
    seals only has to be JSON."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and (SEAL not in found or sealed(found) == found)


# ---------------------------------------------------------------- how it is made again
def command(walk: str, steps: Iterable[str], settings: Mapping[str, Any]) -> str:
    """The command that runs these steps of a walk (none named: whatever waits). settings: the
    PROFILE and SETTINGS that its notebooks were given.

    >>> said = command("mine", ["04_fixmatch"], {"PROFILE": "demo", "SETTINGS": {"train.lr": 1e-4}})
    >>> said[said.index("--profile") :]  # before it, --home where results lie elsewhere
    '--profile demo --name mine --set train.lr=0.0001 --only 04_fixmatch'
    """
    words = ["python", "run_all.py"]
    if paths.home() != paths.ROOT:
        words += ["--home", str(paths.home())]
    profile = settings.get("PROFILE")
    words += ["--profile", str(profile)] if profile else []
    words += ["--name", walk] if walk != profile else []
    only = list(steps)
    for name, value in sorted(settings.get("SETTINGS", {}).items()):
        plain = isinstance(value, str) and value[:1] not in ("{", "[")
        words += ["--set", f"{name}={value if plain else json.dumps(value)}"]
    return shlex.join([*words, *(["--only", *only] if only else [])])


def given(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """PROFILE, SETTINGS and the like, as steps with these manifests were given them."""
    out: dict[str, Any] = {}
    for manifest in manifests:
        for key, value in manifest.get("components", {}).items():
            if key.startswith("parameter "):
                out[key.removeprefix("parameter ")] = json.loads(value)
    return out


def advice(file: Path | str) -> str:
    """What to do about a damaged file: the command that makes it again, where a step of a walk
    made it."""
    path = Path(file).resolve()
    for listed in sorted(paths.home().glob("results/*/steps/*.json")):
        try:
            manifest = json.loads(listed.read_text(encoding="utf-8"))
            made = any((paths.home() / name).resolve() == path for name in manifest["outputs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if made:
            walk = listed.parents[1].name
            return f"delete it, then {command(walk, [listed.stem], given([manifest]))}"
    return "delete it and run its step again"
