"""Files on disk, written whole or not at all; and the store of runs, one folder per hash of
settings.

A run's folder holds
    config.json            the settings; their hash names the folder
    history.csv            one row per evaluation: step, losses, diagnostics, validation metrics
    predictions.csv.gz     one row per picture: id, group, source, split, truth, p0..p4
    predictions-last.csv.gz  the same of validation and test, by the weights of the last step
    model.safetensors      weights (no pickle)
    about.json             what a trained network must know of itself to answer for new pictures
    provenance.json        software, machine, times; written last: it means "done"
While it trains: state.safetensors, to resume from.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import lzma
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from . import contents, paths, repairs

# columns that are text whatever they look like
TEXT = (
    "id",
    "group",
    "source",
    "path",
    "split",
    "run",
    "method",
)


# a run's predictions, by the weights that make them
PREDICTIONS = {"selected": "predictions.csv.gz", "last": "predictions-last.csv.gz"}
JOURNAL = "RIQA_JOURNAL"  # a file that lists what a step wrote, kept by `plan.one_step`


# ---------------------------------------------------------------- files
@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it replaces `path` at once, on failure it is
    removed.

    A reader sees the old file or the new one, never half of it (also after a kill or on a full
    disk)."""
    with contents.replacing(Path(path)) as temporary:
        yield temporary
    journal(path)


def journal(path: Path | str) -> None:
    """Note that this step wrote `path` (does nothing outside the plan)."""
    log = os.environ.get(JOURNAL)
    if log:
        with open(log, "a", encoding="utf-8") as f:
            f.write(f"{Path(path).resolve()}\n")


def write_bytes(path: Path | str, data: bytes) -> Path:
    """Write bytes atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_json(path: Path | str, value: object) -> Path:
    """Write JSON atomically: sorted keys, indented, UTF-8."""
    return write_bytes(
        path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    )


def read_json(path: Path | str) -> dict:
    """Read a JSON file; ValueError naming the file when it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise ValueError(
            f"{paths.shown(path)}: not a JSON file ({e}); {repairs.advice(path)}"
        ) from e


def write_table(path: Path | str, frame: pd.DataFrame) -> Path:
    """Write a CSV (packed: .gz, .xz) atomically, the same bytes for the same table; the index is
    not written.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "table.csv.gz"
    >>> _ = write_table(file, pd.DataFrame({"id": ["007", "NA"], "mae": [0.25, float("nan")]}))
    >>> read_table(file).to_dict("list")
    {'id': ['007', 'NA'], 'mae': [0.25, nan]}
    """
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.7g").encode()
    if str(path).endswith(".xz"):  # a quarter smaller than gzip, and slow: for what is tracked
        text = lzma.compress(text, preset=9)
    if str(path).endswith(".gz"):
        buffer = io.BytesIO()
        with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as f:
            f.write(text)
        text = buffer.getvalue()
    return write_bytes(path, text)


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a CSV (packed or not) that write_table wrote; names stay text, "NA" too. ValueError
    names a damaged file."""
    try:
        rest = [c for c in pd.read_csv(path, nrows=0) if c not in TEXT]
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXT, str),
            keep_default_na=False,
            na_values={key: [""] for key in rest},
        )
    except (
        EOFError,
        gzip.BadGzipFile,
        lzma.LZMAError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
    ) as e:
        raise ValueError(
            f"{paths.shown(path)}: damaged or not a table ({e}); {repairs.advice(path)}"
        ) from e


def need(path: Path | str, notebook: str) -> Path:
    """The path, if it is there; else FileNotFoundError that names the notebook to run first, and
    the walk that lacks it."""
    path = Path(path)
    if not path.exists():
        name = _walk_of(path)
        its = f"--name {name} --only {notebook}, with its --profile and --set"
        raise FileNotFoundError(
            f"{paths.shown(path)} is not there yet: run the notebook {notebook} first "
            f"(python run_all.py {its if name not in ('', 'demo') else f'--only {notebook}'})"
        )
    return path


def _walk_of(path: Path) -> str:
    """The name of the walk in whose folder a path lies; "" for none."""
    whole, everything = path.absolute(), paths.results("")
    no_walks = (paths.runs(), paths.reference())
    if not whole.is_relative_to(everything) or any(map(whole.is_relative_to, no_walks)):
        return ""
    return next(iter(whole.relative_to(everything).parts), "")


def same(folder: Path, there: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    """ValueError, naming what differs, where a walk's data were made with other settings than are
    wanted; what is not known of them is not compared."""
    plain = json.loads(json.dumps(dict(wanted)))  # as it was written: tuples are lists
    told = [
        f"{key} {there[key]!r} there, {value!r} asked for"
        for key, value in plain.items()
        if key in there and there[key] != value
    ]
    if told:
        raise ValueError(
            f"{paths.shown(folder)} was made with other settings ({'; '.join(told)}): give this "
            "notebook the PROFILE and SETTINGS of that walk, or another NAME"
        )


# ---------------------------------------------------------------- settings and runs
def settings_hash(settings: dict) -> str:
    """Twelve hex digits that name these settings. Raises ValueError for values that are not plain
    JSON (or are NaN).

    >>> settings_hash({"lr": 1, "seed": 0}) == settings_hash({"seed": 0, "lr": 1})
    True
    """
    try:
        text = json.dumps(settings, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as e:
        raise ValueError(
            f"settings must be plain numbers, strings, lists and dictionaries: {e}"
        ) from e
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_hash(config: dict) -> str:
    """`settings_hash` of a run's settings without where its data lie: they are named by their
    contents, as config's data_key.

    >>> here, there = ({"data": {"folder": {"root": r, "low": 1}}} for r in ("/a", "/b"))
    >>> run_hash(here) == run_hash(there), run_hash(here) == settings_hash(here)
    (True, False)
    """
    data = config.get("data")
    if not isinstance(data, dict):
        return settings_hash(config)
    named = dict(data)
    if named.get("extra"):
        named["extra"] = ""
    if isinstance(named.get("folder"), dict):
        named["folder"] = {k: v for k, v in named["folder"].items() if k not in paths.PLACES}
    return settings_hash(config | {"data": named})


def run_folder(config: dict, base: Path | None = None) -> Path:
    """The folder for these settings (made if needed, with its config.json). A finished run of which
    a file is no more as it was written counts as unfinished from now on, and a line says so.

    Raises ValueError if the folder there holds other settings: a run is never mixed with another
    one."""
    method = config.get("method", {}).get("name", "run")
    folder = (base or paths.runs()) / f"{method}-{run_hash(config)}"
    _check_finished(folder)
    file = folder / "config.json"
    found = _settings_in(file)
    if found is not None:
        if run_hash(found) != run_hash(config):
            differ = sorted(k for k in {*found, *config} if found.get(k) != config.get(k))
            raise ValueError(
                f"{paths.shown(file)} holds other settings "
                f"({', '.join(differ)} differ); move it away"
            )
    else:
        write_json(file, config)
    return folder


def _settings_in(file: Path) -> dict | None:
    """What a config.json says; None where there is none, or a damaged one: its folder is named by
    what it must say."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return read_json(file)
    return None


def _check_finished(folder: Path) -> None:
    """Where a finished run is no more as it was written, remove what differs, its last file too."""
    wrong = spoilt(folder)
    if wrong:
        names = ", ".join(wrong)
        print(f"{paths.shown(folder)}: {names} damaged; this run is made anew", flush=True)
        for name in (repairs.PROVENANCE, *wrong):
            (folder / name).unlink(missing_ok=True)


def finish(folder: Path, facts: Mapping[str, object]) -> None:
    """Write what is known of a run, last of all: it is done. The SHA-256 of each of its files is
    part of it, so that damage is seen when it is used again."""
    files = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith((".", "state"))
    }
    files.pop(repairs.PROVENANCE, None)
    write_json(folder / repairs.PROVENANCE, repairs.sealed({**facts, "files": files}))


def own_files(folder: Path) -> list[Path]:
    """Files of a finished run that it wrote itself: those that `finish` names, and where it names
    them. What others put beside them, such as how fast it answers, is theirs."""
    names = read_json(folder / repairs.PROVENANCE).get("files")
    if names is None:  # finished before hashes were kept
        return sorted(file for file in folder.iterdir() if file.is_file())
    return [folder / name for name in sorted((*names, repairs.PROVENANCE))]


def spoilt(folder: Path) -> list[str]:
    """Names of files of a finished run that are gone or not as it wrote them; [] for a run that is
    not finished, or that was finished before hashes were kept."""
    if not done(folder):
        return []
    files = read_json(folder / repairs.PROVENANCE).get("files", {})
    places = {name: folder / name for name in files}
    return [
        name
        for name, file in places.items()
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != files[name]
    ]


def done(folder: Path) -> bool:
    """Whether a run has finished: its provenance.json is written last, and is whole."""
    return repairs.is_whole(folder / repairs.PROVENANCE)


def flat(config: dict, prefix: str = "") -> dict[str, object]:
    """Nested settings as one level with dotted names.

    >>> flat({"method": "fixmatch", "train": {"lr": 1}})
    {'method': 'fixmatch', 'train.lr': 1}
    """
    out: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


def no_column(table: pd.DataFrame, columns: Iterable[str]) -> str:
    """What a table lacks of these columns, in words for an error; "" where it has them all.

    >>> no_column(pd.DataFrame({"id": ["a"], "truth": [1]}), ["id", "seed", "group"])
    'no column seed, group; found id, truth'
    """
    lacking = [c for c in columns if c not in table]
    if not lacking:
        return ""
    return f"no column {', '.join(lacking)}; found {', '.join(map(str, table.columns))}"


def columns_of_p(table: pd.DataFrame) -> list[str]:
    """The columns of class probabilities, p0, p1, ..., in the order of the table."""
    return [c for c in table if c.startswith("p") and c[1:].isdigit()]


def row_of(file: Path, table: pd.DataFrame, row: int) -> str:
    """A row of a stored table as an error names it: file, line in it, and the picture's id."""
    return f"{paths.shown(file)}: row {row + 2} ({table['id'][row]})"


def read_predictions(folder: Path | str, weights: str = "selected") -> pd.DataFrame:
    """Predictions of one run, by the weights that validation "selected" or those of the "last"
    step; ValueError, naming file and row, if a probability row does not sum to 1."""
    file = Path(folder) / PREDICTIONS[weights]
    frame = read_table(file)
    columns = columns_of_p(frame)
    if not columns:
        raise ValueError(
            f"{paths.shown(file)}: no probability columns p0, p1, ...; found {', '.join(frame)}"
        )
    total = frame[columns].sum(axis=1, skipna=False)
    wrong = frame.index[~((total - 1).abs() <= 1e-3)]
    if len(wrong):
        said = f"probabilities sum to {total[wrong[0]]:.4f}, expected 1"
        raise ValueError(f"{row_of(file, frame, int(wrong[0]))}: {said}")
    return frame


def free_space(folder: Path, bytes_needed: int) -> None:
    """Raise OSError before writing when the disk cannot take `bytes_needed`."""
    probe = folder
    while not probe.exists():
        probe = probe.parent
    stat = os.statvfs(probe)
    free = stat.f_bavail * stat.f_frsize
    if free < bytes_needed:
        raise OSError(
            f"{paths.shown(folder)}: needs {math.ceil(bytes_needed / 2**20)} MiB, "
            f"only {free // 2**20} MiB are free"
        )
