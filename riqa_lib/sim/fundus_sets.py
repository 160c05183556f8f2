"""Simulated sets of fundus photographs as data folders: four built like the real ones,
and one to see what a head answers to.

mshf-like      three cameras (its sources and groups), three readers; details and overall grade by
               majority. Two cameras are for training, the portable one for testing.
eyeq-like      overall grade only, 3 classes; patients are groups, some with both eyes, which are
               alike; the split "train" (and "val", taken from it by patients) has fewer Usable
               pictures than "test": EyeQ's prior shift.
deepdrid-like  overall grade in 2 classes, one label for an eye, two views of it (macula and disc);
               60/20/20 of the patients.
eyeq_d-like    pictures by the law of eyeq-like's test split; overall grade and details. All are
               "test".
single-defect  every eye with one detail spoilt at a time, at LEVELS of severity, all else perfect:
               same eye, camera, framing, kind and place of defect. Details and grade are the true
               ones; columns cause and severity. All are "test".

Grades: 0 bad, higher is better, everywhere; details 1 good, 0 bad, -1 where the real set has none.
Truth stays beside: each cause's severity, true_<detail>, true_grade, and all votes, also where the
real set publishes none. Pictures are framed as `pictures.field.crop_field` frames them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import paths, seeding
from ..datasets.data_folder import DataSet, write_dataset
from ..scales import DETAILS
from . import fundus_raters
from .fundus_camera import CAUSES, STYLES, Shot, fundus
from .workers import spawned

CHUNK = 32  # pictures made at a time
VERSION = 2  # raise it when the same settings would give other pictures
KINDS = ("mshf-like", "eyeq-like", "deepdrid-like", "eyeq_d-like", "single-defect")

# pictures of each kind, in the order of KINDS
SIZES = {
    profile: dict(zip(KINDS, sizes, strict=True))
    for profile, sizes in {
        "smoke": (60, 120, 40, 40, 18),
        "demo": (400, 1100, 440, 160, 216),
        "gpu": (802, 28792, 2000, 160, 432),
    }.items()
}
LEVELS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)  # severities of single-defect
STEPS = {"deepdrid-like": 4, "single-defect": len(DETAILS) * len(LEVELS)}  # n is a multiple of it

CAMERAS = {"kowa45": 0.33, "topcon50": 0.29, "portable60": 0.38}  # of MSHF without ultra-wide field
HELD_OUT = "portable60"
EYEQ_TRAIN, VALIDATION = 12543 / (12543 + 16249), 0.15
BOTH_EYES = 0.40  # share of EyeQ's patients with two pictures

# quantiles of the general factor in train, and which of test's they get
SHIFT = ((0.74, 0.03, 0.23), (0.44, 0.42, 0.14))

MSHF_WORSE, DEEPDRID_WORSE, DEEPDRID_NOISE = 0.35, -0.05, 2.6


DRAWN = ("anatomy", "pigment", "camera", "left", "view")  # columns that only drawing needs


# ---------------------------------------------------------------- what each picture is
def plan(kind: str, n: int, seed: int = 0) -> pd.DataFrame:
    """The table of a set, without its pictures: the frame that `make_fundus` writes, and columns
    DRAWN.

    Raises ValueError for an unknown kind, or an n that is no count (deepdrid-like: a multiple of 4,
    four pictures a patient; single-defect: of 18, those of an eye)."""
    if kind not in KINDS or n < 1 or n % STEPS.get(kind, 1):
        raise ValueError(
            f"{n} pictures of kind {kind!r}; expected one of {', '.join(KINDS)}, 1 or more "
            "(deepdrid-like: 4, 8, ...; single-defect: 18, 36, ...)"
        )
    makers = {
        "mshf-like": _mshf,
        "eyeq-like": _eyeq,
        "deepdrid-like": _deepdrid,
        "eyeq_d-like": _eyeq_d,
        "single-defect": _single,
    }
    rows = makers[kind](n, seeding.rng("fundus set", kind, seed))
    severity = rows[list(CAUSES)].to_numpy()
    true_details = fundus_raters.true_details(severity)
    graded = _graded(rows, kind, seed)
    if kind == "single-defect":
        graded = graded._replace(majority=true_details, grade=graded.true_grade)
    # the real sets that publish details
    public = kind in ("mshf-like", "eyeq_d-like", "single-defect")
    frame = pd.DataFrame(
        {
            "id": rows["id"],
            "path": "",
            "group": rows["group"],
            "source": rows["source"],
            "split": rows["split"],
            "grade": graded.grade,
            "score": np.nan,
            **{d: graded.majority[:, i] if public else -1 for i, d in enumerate(DETAILS)},
            **{f"true_{d}": true_details[:, i] for i, d in enumerate(DETAILS)},
            "true_grade": graded.true_grade,
            "true_badness": fundus_raters.badness(severity).round(6),
            **{f"severity_{c}": severity[:, i] for i, c in enumerate(CAUSES)},
            **graded.votes,
        }
    )
    more = [c for c in ("cause", "severity", *DRAWN) if c in rows]
    return pd.concat([frame, rows[more]], axis=1)


class Graded(NamedTuple):
    """What the panel says of n pictures: majorities of the details (n, 3) and grade (n,), what
    infinitely many graders would say, and each grader's votes as columns."""

    majority: np.ndarray
    grade: np.ndarray
    true_grade: np.ndarray
    votes: dict[str, np.ndarray]


def _graded(rows: pd.DataFrame, kind: str, seed: int) -> Graded:
    """Votes of three graders. Those of deepdrid-like see both views of an eye, and give it one
    grade of two."""
    by_eye = kind == "deepdrid-like"
    # the same graders whatever the seed; eyeq_d-like has those of eyeq-like
    panel = ("panel", "eyeq" if kind.startswith("eyeq") else kind)
    seen, noise = rows[list(CAUSES)].to_numpy(), 1.0
    first = np.arange(len(rows))
    if by_eye:
        seen, noise = rows.groupby("eye")[list(CAUSES)].transform("mean").to_numpy(), DEEPDRID_NOISE
        first = rows.groupby("eye").ngroup().to_numpy()
    once = np.unique(first, return_index=True)[1]
    patients = rows["id" if kind == "mshf-like" else "group"].to_numpy()
    votes = fundus_raters.votes(
        seen[once], (*panel, seed), patients=patients[once], noise=noise, panel=panel
    )
    back = np.searchsorted(first[once], first)
    details, overall = votes.details[back], votes.overall[back]
    majority, grade = (part[back] for part in votes.majority())
    true_grade = fundus_raters.true_grade(seen)
    if by_eye:
        overall, grade, true_grade = (np.asarray(g == 2, int) for g in (overall, grade, true_grade))
    columns = {"overall": overall} | {d: details[:, :, i] for i, d in enumerate(DETAILS)}
    return Graded(
        majority,
        grade,
        true_grade,
        {
            f"{name}_{k + 1}": said[:, k]
            for name, said in columns.items()
            for k in range(fundus_raters.PEOPLE)
        },
    )


def _table(
    rows: dict[str, object],
    general: np.ndarray,
    rng: np.random.Generator,
    patients: np.ndarray,
    alike: float,
) -> pd.DataFrame:
    severity = fundus_raters.severities(general, rng, patients, alike).round(4)
    return pd.DataFrame({**rows, **{c: severity[:, i] for i, c in enumerate(CAUSES)}})


def _mshf(n: int, rng: np.random.Generator) -> pd.DataFrame:
    camera = np.repeat(list(CAMERAS), _counts(n, list(CAMERAS.values())))
    ids = np.array([f"{c}-{i + 1:04d}" for i, c in enumerate(camera)])
    rows = {
        "id": ids,
        "group": camera,
        "source": camera,
        "split": np.where(camera == HELD_OUT, "test", "train"),
        "anatomy": ids,
        "pigment": rng.beta(2, 2.2, n),
        "camera": camera,
        "left": rng.random(n) < 0.5,
        "view": "macula",
    }
    return _table(rows, rng.standard_normal(n) + MSHF_WORSE, rng, ids, 0)


def _counts(n: int, shares: list[float]) -> np.ndarray:
    """n divided in these shares, whole numbers, the remainder to the largest fractions."""
    exact = n * np.array(shares) / np.sum(shares)
    out = np.floor(exact).astype(int)
    out[np.argsort(out - exact, kind="stable")[: n - out.sum()]] += 1
    return out


def _eyeq(
    n: int, rng: np.random.Generator, train: float = EYEQ_TRAIN, both: float = BOTH_EYES
) -> pd.DataFrame:
    patient = np.repeat(np.arange(n), 1 + (rng.random(n) < both))[:n]
    second = np.r_[False, patient[1:] == patient[:-1]]
    left = np.where(
        second, False, (np.r_[patient[1:] == patient[:-1], False]) | (rng.random(n) < 0.5)
    )
    people = patient.max() + 1
    of_train = round(people * float(train))
    place = rng.permutation(people)
    split = np.where(
        place < of_train * VALIDATION, "val", np.where(place < of_train, "train", "test")
    )[patient]
    number = rng.permutation(9 * people)[:people] + 10
    general = fundus_raters.general_factor(n, rng, patient)
    general = np.where(split == "test", general, fundus_raters.shifted(general, *SHIFT))
    ids = [f"{number[p]}_{'left' if e else 'right'}" for p, e in zip(patient, left, strict=True)]
    rows = {
        "id": ids,
        "group": [f"patient-{number[p]}" for p in patient],
        "source": "eyeq-like",
        "split": split,
        "anatomy": ids,
        "pigment": rng.beta(2, 2.2, people)[patient],
        "camera": rng.choice(list(STYLES), people)[patient],
        "left": left,
        "view": "macula",
    }
    return _table(rows, general, rng, patient, 0.93)


def _eyeq_d(n: int, rng: np.random.Generator) -> pd.DataFrame:
    return _eyeq(n, rng, train=0.0, both=1 / 159).assign(source="eyeq_d-like")


def _deepdrid(n: int, rng: np.random.Generator) -> pd.DataFrame:
    people = n // 4
    patient = np.repeat(np.arange(people), 4)
    eye = np.arange(n) // 2
    of = np.repeat(["train", "val", "test"], _counts(people, [0.6, 0.2, 0.2]))
    of = of[rng.permutation(people)]
    general = fundus_raters.general_factor(n // 2, rng, np.arange(n // 2) // 2)[eye]
    general = np.sqrt(0.9) * general + np.sqrt(0.1) * rng.standard_normal(n) + DEEPDRID_WORSE
    side = np.where(eye % 2 == 0, "l", "r")
    rows = {
        "id": [
            f"{p + 1}_{s}{i % 2 + 1}" for i, (p, s) in enumerate(zip(patient, side, strict=True))
        ],
        "group": [f"patient-{p + 1}" for p in patient],
        "source": "deepdrid-like",
        "split": of[patient],
        "anatomy": [f"{p + 1}_{s}" for p, s in zip(patient, side, strict=True)],
        "pigment": rng.beta(2, 2.2, people)[patient],
        "camera": "topcon50",
        "left": side == "l",
        "view": np.where(np.arange(n) % 2 == 0, "disc", "macula"),
        "eye": eye,
    }
    return _table(rows, general, rng, eye, 0.8)


def _single(n: int, rng: np.random.Generator) -> pd.DataFrame:
    eyes = n // STEPS["single-defect"]
    grid = pd.MultiIndex.from_product(
        [range(eyes), DETAILS, LEVELS], names=["eye", "cause", "severity"]
    ).to_frame(index=False)
    eye = grid["eye"]
    name = [f"eye-{e + 1}" for e in eye]
    camera = np.resize(list(STYLES), eyes)[eye]
    return grid.assign(
        id=[
            f"{e}-{c}-{s:g}" for e, c, s in zip(name, grid["cause"], grid["severity"], strict=True)
        ],
        group=name,
        source=camera,
        split="test",
        anatomy=name,
        pigment=rng.beta(2, 2.2, eyes)[eye],
        camera=camera,
        left=(rng.random(eyes) < 0.5)[eye],
        view="macula",
        **{c: np.where(grid["cause"] == c, grid["severity"], 0.0) for c in CAUSES},
    )


# ---------------------------------------------------------------- pictures
def shot(row: dict[str, object], kind: str, size: int, seed: int) -> Shot:
    """The photograph of a row of `plan`."""
    severity = {c: float(row[f"severity_{c}"]) for c in CAUSES}  # type: ignore[arg-type]
    return fundus(
        (kind, seed, row["anatomy" if kind == "single-defect" else "id"]),
        size,
        severity,
        style=str(row["camera"]),
        left=bool(row["left"]),
        view=str(row["view"]),
        framing="crop",
        anatomy=(kind, seed, row["anatomy"]),
        pigment=float(row["pigment"]),  # type: ignore[arg-type]
    )


def _make(rows: list[dict[str, object]], kind: str, size: int, seed: int) -> np.ndarray:
    return np.stack([shot(row, kind, size, seed).pixels for row in rows])


def make_fundus(
    folder: Path | str,
    kind: str,
    n: int,
    size: int = 80,
    seed: int = 0,
    *,
    processes: int = 1,
    progress: bool = True,
    workers: Executor | None = None,
) -> Path:
    """Write a set as a data folder (frame.csv, pixels.npy, dataset.json); returns the folder.

    kind: one of KINDS; n: pictures; size: 24 to 1024 px. processes: worker processes, started
    afresh, so a script needs `if __name__ == "__main__":` (workers: an executor to use instead);
    any number gives the same bytes. A finished folder with these settings is left as it is, an
    interrupted one goes on. Raises ValueError for bad arguments."""
    table = plan(kind, n, seed)
    if not 24 <= size <= 1024:
        raise ValueError(f"size {size}; expected 24 to 1024 px")
    rows = table.to_dict("records")

    def blocks(start: int) -> Iterator[np.ndarray]:
        parts = [rows[i : i + CHUNK] for i in range(start, n, CHUNK)]
        with ExitStack() as stack:
            pool = workers
            if pool is None and processes > 1:
                pool = stack.enter_context(spawned(processes))
            if pool is None:
                yield from (_make(part, kind, size, seed) for part in parts)
            else:
                for future in [pool.submit(_make, part, kind, size, seed) for part in parts]:
                    yield future.result()

    settings = {"kind": kind, "n": n, "size": size, "seed": seed}
    info = {
        "name": kind,
        "simulated": True,
        "classes": 2 if kind == "deepdrid-like" else 3,
        "settings": settings,
    }
    frame = table.drop(columns=[*DRAWN])
    key = json.dumps({"fundus": VERSION, **settings})
    return write_dataset(folder, frame, size, blocks, key=key, info=info, progress=progress)


@lru_cache(maxsize=4)
def _planned(kind: str, n: int, seed: int) -> pd.DataFrame:
    return plan(kind, n, seed).set_index("id", drop=False)


def shot_of(data: DataSet, id: str) -> Shot:
    """The photograph of a picture of a set that make_fundus wrote, drawn again: `.maps()` are its
    true defect maps, `.mask()` its field of view. Raises ValueError for a set of another making, or
    an unknown id."""
    settings = data.info.get("settings", {})
    if settings.get("kind") not in KINDS:
        raise ValueError(
            f"{paths.shown(data.folder)}: no simulated fundus set, so it has no true defect maps"
        )
    table = _planned(settings["kind"], settings["n"], settings["seed"])
    if id not in table.index:
        raise ValueError(f"{paths.shown(data.folder)}: no picture {id!r}")
    return shot(table.loc[id].to_dict(), settings["kind"], settings["size"], settings["seed"])
