"""What a step depends on, what of it changed, and what that means for the runs it has stored.

A step is up to date when what it depends on (see `components`) is what its manifest says, and so
are the data that it read (see data_read) and its outputs. The needs' figures (png, pdf, svg) are no
inputs: a new palette must not train anything again.

Stored runs and data are reused by their settings. A change in what makes data or trains makes them
anew; a change in the notebook's own code, in a parameter, in a table of a step before or in a
module that only reads keeps them. What only reads: every module that neither makes data nor trains
(`steps.MAKES`) nor is imported by one that does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import provenance, repairs
from . import data_read
from .code_read import Code, Library, Reader, file_digest
from .steps import PlanError, Step, Walk, threads

PICTURES = {".png", ".pdf", ".svg"}


# ---------------------------------------------------------------- what a step depends on
@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {f"version {k}": v for k, v in provenance.versions().items() if k != "papermill"}


def library_now(walk: Walk) -> Library:
    """The walk's library as it is now; its reader reads the notebooks too."""
    return Library(walk.library, Reader(walk.home))


def components(walk: Walk, step: Step, library: Library | None = None) -> dict[str, str]:
    """Everything this step's outputs depend on, each part under a name that --why can show.

    library: as another step has just found it (see `library_now`); else it is looked at, and what
    was read is kept for the next process."""
    looked = library or library_now(walk)
    notebook = looked.reader.notebook(walk.notebooks / step.notebook)
    parts = {"notebook code": notebook.digest} | looked.parts(notebook)
    if library is None:
        looked.reader.keep()
    parts |= {f"parameter {k}": json.dumps(v, sort_keys=True) for k, v in step.parameters.items()}
    for need in step.needs:
        outputs = walk.manifest(need).get("outputs", {})
        parts |= {
            f"input {k}": v for k, v in outputs.items() if v and Path(k).suffix not in PICTURES
        }
    return parts | {"threads": str(threads())} | _versions()


def changed(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """What differs between two sets of components, in words; of settings those that differ.

    >>> changed({"parameter SEED": "0", "notebook code": "1f"}, {"parameter SEED": "1"})
    {'notebook code': 'notebook code is gone', 'parameter SEED': 'parameter SEED changed: 0 -> 1'}
    """
    words = {}
    for key in sorted({*old, *new}):
        if key not in old:
            words[key] = f"{key} is new"
        elif key not in new:
            words[key] = f"{key} is gone"
        elif old[key] != new[key]:
            exact = key.startswith(("parameter ", "version ", "threads"))
            words[key] = (
                f"{key} changed{': ' * exact}{_from_to(old[key], new[key]) if exact else ''}"
            )
    return words


def _from_to(old: str, new: str) -> str:
    """
    >>> _from_to('{"data.size": 40, "data.crop": 32}', '{"data.size": 64, "data.crop": 32}')
    'data.size 40 -> 64'
    """
    try:
        before, after = json.loads(old), json.loads(new)
    except ValueError:
        return f"{old} -> {new}"
    if not isinstance(before, dict) or not isinstance(after, dict):
        return f"{old} -> {new}"
    differ = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    ends = (
        [json.dumps(one[k]) if k in one else "not set" for k in differ] for one in (before, after)
    )
    return "; ".join(f"{key} {a} -> {b}" for key, a, b in zip(differ, *ends, strict=True))


def makers(walk: Walk) -> set[str]:
    """Components of every module that makes data or trains: walk.makes and all that they import,
    however indirectly.

    The top package itself isn't one: it imports nothing, and a new version number must not train
    anything again."""
    files = [
        f
        for name in walk.makes
        for f in (*walk.library.glob(f"{name}.py"), *walk.library.glob(f"{name}/**/*.py"))
    ]
    dotted = [
        ".".join([walk.library.name, *f.relative_to(walk.library).with_suffix("").parts])
        for f in files
    ]
    code = Code("", imports=tuple(name.removesuffix(".__init__") for name in dotted))
    return library_now(walk).parts(code).keys() - {f"library {walk.library.name}"}


def settings_only(key: str) -> bool:
    """Whether this component is a setting: what was made under the old one stays what it says.

    >>> settings_only("parameter SEED"), settings_only("version numpy")
    (True, False)
    """
    return key.startswith("parameter ")


DATA = re.compile(r"results/[^/]+/(data|fundus/[^/]+)/.*")  # the data folders of a walk
RUNS = re.compile(r"results/runs/.*")


def named_by_contents(file: str) -> bool:
    """Whether a file, relative to home, bears the name of what it was made from, as part of a run
    (settings, with the key of its data) or of a data folder (its own key): such a file is never
    wrong, at most of no use now.

    >>> named_by_contents("results/mine/data/frame.csv"), named_by_contents("results/mine/tables/a")
    (True, False)
    """
    return bool(DATA.fullmatch(file) or RUNS.fullmatch(file))


def other_data(key: str) -> bool:
    """Whether this component is part of the data that runs learn from and are named by."""
    return key.startswith("input ") and bool(DATA.fullmatch(key.removeprefix("input ")))


def reads_only(key: str, made_by: set[str]) -> bool:
    """Whether a change in this component cannot change a stored run or data set, only what is said
    of it."""
    if key.startswith("library file "):
        return True
    if key.startswith("library "):
        return key not in made_by
    if key.startswith(
        "input "
    ):  # which runs there are is a setting of the runs that learn from them
        return re.fullmatch(r"input results/[^/]+/tables/.*", key) is not None
    return key == "notebook code"


def stamp(path: Path) -> list[int]:
    """Size and time of a file: as long as they stay, its contents need not be read again."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def damaged(walk: Walk, manifest: dict[str, Any]) -> dict[str, str]:
    """{path: "is gone" or "was altered"} for outputs that are not as the step left them.

    A file whose size and time are as recorded is not read again (see verify)."""
    stamps, wrong = manifest.get("stamps", {}), {}
    for name in manifest.get("outputs", {}):
        path = walk.home / name
        if not path.is_file():
            wrong[name] = "is gone"
        elif stamp(path) != stamps.get(name) and not as_it_was(path, name, manifest):
            wrong[name] = "was altered"
    return wrong


def altered_inputs(walk: Walk, step: Step) -> list[str]:
    """Files that the steps before this one made, and that are not as they left them, all hashed:
    what flips a bit on a disk changes neither size nor time. Pictures are no inputs."""
    wrong: dict[str, None] = {}
    for before in walk.ordered([step.name])[:-1]:
        manifest = walk.manifest(before.name)
        for name, sha in manifest.get("outputs", {}).items():
            path = walk.home / name
            read = (sha and path.suffix not in PICTURES) or path.name == repairs.PROVENANCE
            if read and not (path.is_file() and as_it_was(path, name, manifest)):
                wrong[name] = None
    return list(wrong)


def as_it_was(path: Path, name: str, manifest: dict[str, Any]) -> bool:
    """Whether an output says what it said when its step ended. A provenance.json knows its own
    hash, since walks share runs and each writes its own times; what older manifests have no hash of
    counts as it is."""
    if path.name == repairs.PROVENANCE:
        return repairs.is_whole(path)
    sha = manifest["outputs"][name] or manifest.get("copies", {}).get(name)
    return not sha or file_digest(path) == sha


def why(walk: Walk, step: Step, library: Library | None = None) -> list[str]:
    """Why this step has to run, given that its needs are up to date; empty when it hasn't to.
    library: see `components`."""
    manifest = walk.manifest(step.name)
    if not manifest:
        return [
            "did not finish last time"
            if walk.file(step.name, "journal").exists()
            else "never ran here"
        ]
    differs = changed(manifest["components"], components(walk, step, library))
    made_by = makers(walk) if any(k.startswith("library ") for k in differs) else set()
    notes = {
        k: " (makes data or trains: stored runs are made anew)" for k in differs if k in made_by
    }
    notes |= {"threads": " (sums differ in the last bits: stored runs are made anew)"}
    words = [text + notes.get(key, "") for key, text in differs.items()]
    words += data_read.changes(walk, step, manifest)
    return words + [f"{name} {what}" for name, what in damaged(walk, manifest).items()]


def why_all(walk: Walk, steps: Sequence[Step], force: Sequence[str] = ()) -> dict[str, list[str]]:
    """`why` for steps in order; a step below one that runs says so (it stays if its inputs come out
    the same)."""
    reasons: dict[str, list[str]] = {}
    library = library_now(walk)
    for step in steps:
        waits = [n for n in step.needs if reasons.get(n)]
        reasons[step.name] = ["forced"] if step.name in force else why(walk, step, library)
        if waits and not reasons[step.name]:
            reasons[step.name] = [f"depends on what {n} writes" for n in waits]
    library.reader.keep()
    return reasons


def check(walk: Walk, steps: Sequence[Step]) -> None:
    """Raise PlanError, with every problem of every step, for absent notebooks, cells that are no
    Python, and parameters that the notebook doesn't have (papermill itself would only warn)."""
    problems, reader = [], Reader(walk.home)
    for step in steps:
        try:
            known = reader.notebook(walk.notebooks / step.notebook).parameters
        except PlanError as e:
            problems.append(str(e))
            continue
        for name in sorted(set(step.parameters) - set(known or ())):
            have = f"it has {', '.join(known)}" if known else "it has no parameters cell"
            problems.append(f"{step.notebook} (step {step.name}) has no parameter {name}; {have}")
    if problems:
        raise PlanError("\n".join(dict.fromkeys(problems)))
