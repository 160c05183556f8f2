"""Tries to steady the Lite0 Student where a photograph is stored again as a coarse JPEG, each with
what it costs: results/reference/fundus/real_jpeg_tries.csv, summaries alone, no name of a picture.

    RIQA_HOME=HOME python -m benchmarks.jpeg_tries WALK SHARP_FOLDER CACHE ALL_FOLDER...

Heads are trained on moments that are measured once (CACHE), as training.fundus_learning trains
them, on the sets of a finished walk. Simulated photographs are there to choose by; the real ones of
ALL_FOLDER are the check, those of SHARP_FOLDER also blurred (benchmarks.real_fundus).

grain      grey levels of noise under every view, in training and asking (networks.field_moments)
steady     directions in which moments of other simulated photographs move with the file count less:
           standardised features times (I + steady S)^(-1/2), S the mean of m m^T over the moves m,
           the longer ones brought to the median length. A smoothed within-class covariance
           normalisation (Hatch et al., Interspeech 2006), to weights Tikhonov's penalty
without    as many of these directions are left out: nuisance attribute projection (Solomonoff et
           al., ICASSP 2005)
coded      training pictures once more, drawn large without a sensor's noise, stored as a JPEG of
           quality 30 to 90 and brought down; details alone are learnt from them
drop       dropout of features and units"""

from __future__ import annotations

import dataclasses
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks.real_fundus import prepared
from riqa_lib import paths, store
from riqa_lib.assess import stability
from riqa_lib.assess.fundus_reading import prepare
from riqa_lib.assess.fundus_student import calibrated_detail
from riqa_lib.assess.inputs import files
from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.networks import field_moments, fundus_net
from riqa_lib.networks.field_moments import FEATURES, MomentNet
from riqa_lib.networks.network import Network
from riqa_lib.networks.predict import two_heads
from riqa_lib.pictures.field import Field, crop_field
from riqa_lib.pictures.fundus_data import open_set
from riqa_lib.pictures.reading import read_picture
from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.sim import fundus_sets
from riqa_lib.sim.fundus_camera import Shot, fundus
from riqa_lib.stats.calibration import calibrated, temperature, tempered
from riqa_lib.training import fundus as runs
from riqa_lib.training import fundus_learning, own_defects
from riqa_lib.training.fundus_sources import Rows
from riqa_lib.training.measured import by_blocks
from riqa_lib.training.run_folder import RunFolder

VARIANTS: dict[str, dict[str, float]] = {
    "as it is": {},
    "dropout .5": {"drop": 0.5},
    "steadied": {"steady": 5},
    "coded copies": {"coded": 1},
    "grain 2": {"grain": 2},
    "grain 3": {"grain": 3},
    "grain 2, steadied": {"grain": 2, "steady": 5},
    "grain 2, without 8": {"grain": 2, "without": 8},
    "grain 2, coded copies": {"grain": 2, "coded": 1},
    "grain 2, coded copies, steadied": {"grain": 2, "coded": 1, "steady": 5},
}
SEEDS = 4
SETS = ("eyeq", "mshf", "eyeq_d", "single")
PAIRS = 60
SEVERITIES = (0.0, 0.0, 0.5, 1.0, 1.6, 2.2)  # of each detail's defect in a pair, drawn alike
DRAWN, FULL, READ = 2, 8, 3.75  # sides, in sides of a crop: drawn, stored, as assess reads it
MOST = 0.05  # change of a probability that was asked for


# ---------------------------------------------------------------- pictures
def stored_twice(
    shot: Shot, side: int, draw: np.random.Generator, quality: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A shot of DRAWN sides without its sensor's noise, made large, and the same out of a JPEG of
    a quality from least to most; both brought down to side px, as `assess` does."""
    still = dataclasses.replace(shot, style=dataclasses.replace(shot.style, noise=0.0))
    full = (FULL * side, FULL * side)
    large = np.asarray(Image.fromarray(still.pixels).resize(full, Image.Resampling.BICUBIC))
    noise = draw.uniform(0, 3) * draw.standard_normal(large.shape, dtype=np.float32)
    photograph = Image.fromarray(np.clip(np.round(large + noise), 0, 255).astype(np.uint8))
    file = io.BytesIO()
    photograph.save(file, format="JPEG", quality=int(draw.integers(quality[0], quality[1] + 1)))
    with Image.open(file) as again:
        return brought_down(photograph, side), brought_down(again, side)


def brought_down(photograph: Image.Image, side: int) -> np.ndarray:
    """A square photograph that its field fills, read and cropped."""
    px = round(READ * side)
    read = np.asarray(photograph.resize((px, px), Image.Resampling.BOX))
    middle = (px - 1) / 2
    return crop_field(read, side, Field(middle, middle, px / 2, 1.0))[0]


def pairs(name: str, side: int, quality: tuple[int, int], count: int = PAIRS) -> np.ndarray:
    """(2 count, side, side, 3): simulated photographs, then the same out of JPEG files."""
    both = []
    for number in range(count):
        draw = rng(name, number)
        severity = {d: float(draw.choice(SEVERITIES)) for d in DETAILS}
        shot = fundus((name, number), DRAWN * side, severity, framing="crop")
        both.append(stored_twice(shot, side, draw, quality))
    return np.concatenate([np.stack(each) for each in zip(*both, strict=True)])


def coded(data: DataSet, which: str, rows: np.ndarray) -> np.ndarray:
    """Rows of a simulated set drawn large, stored as JPEG, brought down; black where the set is."""
    made, side, out = data.info["settings"], data.pixels.shape[1], []
    plan = fundus_sets.plan(made["kind"], made["n"], made["seed"]).set_index("id", drop=False)
    for row in rows:
        its = plan.loc[data.frame["id"].iloc[row]].to_dict()
        shot = fundus_sets.shot(its, made["kind"], DRAWN * side, made["seed"])
        again = stored_twice(shot, side, rng("coded copy", which, int(row)), (30, 90))[1]
        out.append(again * (data.pixels[row].max(axis=2) > 3)[..., None])
    return np.stack(out)


def real(named: list[str], side: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Crops of real photographs and of what stability.changes makes of them: (n, side, side, 3),
    and a row each: picture (a number), change ("" as it is)."""
    crops: list[np.ndarray] = []
    told: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files(named)):
            places = {"": Path(file)}
            for k, (change, image, how) in enumerate(stability._changed(read_picture(file))):
                places[change] = Path(folder) / f"{k}.{how['format'].lower()}"
                image.save(places[change], **how)
            for change, place in places.items():
                if (crop := prepare(place, side).crop) is not None:
                    crops.append(crop)
                    told.append((number, change))
    return np.stack(crops), pd.DataFrame(told, columns=["picture", "change"])


def blurred(sharp: str, side: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Crops of real photographs, sharp and blurred, and a row each: place."""
    with tempfile.TemporaryDirectory() as folder:
        found = [
            (prepare(file, side).crop, place.name)
            for place in prepared([sharp], Path(folder))
            for file in files([place])
        ]
    there = [(crop, name) for crop, name in found if crop is not None]
    return np.stack([c for c, _ in there]), pd.DataFrame({"place": [n for _, n in there]})


# ---------------------------------------------------------------- what is measured once
class Measured:
    """Pictures and moments of a walk and of the photographs, made now where the cache lacks
    them."""

    def __init__(self, walk: str, cache: Path, sharp: str, everything: list[str]) -> None:
        self.cache, self.sets = cache, {which: open_set(walk, which) for which in SETS}
        self.side = self.sets["eyeq"].pixels.shape[1]
        self.learnt = {which: self.rows(which) for which in ("eyeq", "mshf")}
        self.own = {w: own_defects.copies(self.sets[w], r) for w, r in self.learnt.items()}
        self.pixels = {which: data.pixels for which, data in self.sets.items()}
        for which, rows in self.learnt.items():
            self.pixels[f"{which}-own"] = self.own[which].pixels
            made = self.kept(f"{which}-coded", partial(coded, self.sets[which], which, rows))
            self.pixels[f"{which}-coded"] = made
        self.pixels["moved"] = pairs("file changes", self.side, (20, 50))
        self.pixels["check"] = pairs("to check", self.side, (30, 30))
        self.pixels["real"], self.told = self.with_table(
            "real", lambda: real(everything, self.side)
        )
        self.pixels["blur"], self.place = self.with_table("blur", lambda: blurred(sharp, self.side))

    def rows(self, which: str) -> np.ndarray:
        """Rows of a set that are learnt from."""
        if which == "eyeq":
            return fundus_learning.graded(self.sets[which], "train")
        run = runs.settings("reference", "teacher_lite0").but(**{"method.folds": False})
        return fundus_learning.lesson(run, self.sets[which]).rows

    def kept(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        file = self.cache / f"{name}.npy"
        if not file.exists():
            np.save(file, make())
        return np.load(file)

    def with_table(
        self, name: str, make: Callable[[], tuple[np.ndarray, pd.DataFrame]]
    ) -> tuple[np.ndarray, pd.DataFrame]:
        file = self.cache / f"{name}.csv"
        if not file.exists():
            pixels, table = make()
            np.save(self.cache / f"{name}.npy", pixels)
            table.to_csv(file, index=False)
        return np.load(self.cache / f"{name}.npy"), pd.read_csv(file, keep_default_na=False)

    def moments(self, name: str, grain: float) -> np.ndarray:
        says, pixels = field_moments.moments_under(grain), self.pixels[name]
        rows = np.arange(len(pixels))
        return self.kept(f"{name}-moments-{grain:g}", lambda: by_blocks(says, pixels, rows))


# ---------------------------------------------------------------- a variant
class Both(own_defects.Copies):
    """Own-defect copies, then as many coded ones, of the same pictures."""

    def targets(self, known: np.ndarray) -> np.ndarray:
        once = 2 * len(known) == len(self.of)
        return super().targets(np.concatenate([known, known]) if once else known)


class Turned(MomentNet):
    """A MomentNet whose standardised features go through a symmetric matrix."""

    turn: torch.Tensor

    def __init__(self, hidden: int, drop: float, classes: int) -> None:
        super().__init__(hidden, drop, classes)
        self.register_buffer("turn", torch.eye(FEATURES))

    def forward(
        self, x: torch.Tensor, keep: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # undone before the network standardises again, so that its own code is what runs
        seen = (x - self.mean) * self.factor
        return super().forward(seen @ self.turn / self.factor + self.mean, keep)


def turn_of(moved: torch.Tensor, its: dict[str, float]) -> torch.Tensor:
    """The matrix of a variant, from moves (n, F) of standardised features.

    >>> turn_of(torch.tensor([[2.0, 0.0]]), {"steady": 6}).tolist()  # 1 / sqrt(1 + 6 * 4)
    [[0.20000000298023224, 0.0], [0.0, 1.0]]
    >>> turn_of(torch.tensor([[2.0, 0.0]]), {"without": 1}).tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    moved = moved.double()
    whole = torch.eye(moved.shape[1]).double()
    if "without" in its:
        axes = torch.linalg.svd(moved, full_matrices=False)[2][: int(its["without"])]
        return (whole - axes.T @ axes).float()
    length = moved.norm(dim=1, keepdim=True).clamp(min=1e-12)
    moved = moved * (length.median() / length).clamp(max=1)
    size, axes = torch.linalg.svd(moved, full_matrices=False)[1:]
    less = (1 + its.get("steady", 0) * size.square() / len(moved)).rsqrt() - 1
    return (whole + axes.T @ (less[:, None] * axes)).float()


@contextmanager
def as_variant(seen: Measured, its: dict[str, float]) -> Iterator[None]:
    """fundus_learning trains and asks as a variant says."""
    grain = its.get("grain", 0)
    move = seen.moments("moved", grain)
    moved = torch.from_numpy(move[PAIRS:] - move[:PAIRS]).float()

    def copies(run: runs.Run, data: DataSet, rows: np.ndarray) -> own_defects.Copies:
        own = seen.own[run.set]
        if "coded" not in its:
            return own
        return Both(
            np.concatenate([own.pixels, seen.pixels[f"{run.set}-coded"]]),
            np.concatenate([own.of, own.of]),
            np.concatenate([own.spoilt, np.zeros_like(own.spoilt)]),
            own.key,
        )

    def learning(run: runs.Run, data: DataSet, own: own_defects.Copies) -> Rows:
        kinds = ["", "-own", *(["-coded"] if "coded" in its else [])]
        return rows_of(np.concatenate([seen.moments(f"{run.set}{k}", grain) for k in kinds]))

    def said_of(
        run: runs.Run, net: Network, data: DataSet, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        which = next(w for w, d in seen.sets.items() if d is data)
        return said(net, seen.moments(which, grain)[rows])

    def start(net: Turned, source: Rows, rows: np.ndarray) -> None:
        net.standardise(source.values[rows])
        net.turn.copy_(turn_of(moved * net.factor, its))

    patched: dict[str, Any] = {
        "learnt_copies": copies,
        "learning": learning,
        "said_of": said_of,
        "start": start,
    }
    with (
        mock.patch.multiple(fundus_learning, **patched),
        mock.patch.object(fundus_net, "MomentNet", Turned),
    ):
        yield


def rows_of(values: np.ndarray) -> Rows:
    return Rows(torch.from_numpy(np.asarray(values, np.float32)))


def said(net: Network, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    overall, details = two_heads(net, rows_of(values), np.arange(len(values)))
    return overall.numpy(), details.numpy()


def trained(seen: Measured, its: dict[str, float], seed: int) -> tuple[Network, pd.DataFrame]:
    """A Student of "multi_lite0_eyeq" with its Teacher, as a variant has them, and its
    predictions."""
    changes: dict[str, object] = {"fundus.model.drop": its["drop"]} if "drop" in its else {}
    rest = {w: d for w, d in seen.sets.items() if w != "mshf"}
    with as_variant(seen, its), tempfile.TemporaryDirectory() as folder:
        teacher = runs.settings("reference", "teacher_lite0", seed, changes)
        first = {"mshf": seen.sets["mshf"]} | rest
        taught = fundus_learning.train_teacher(teacher, first, RunFolder(Path(folder)))
        maps = [cast("Any", taught.about["calibration"])[d] for d in DETAILS]
        knows = cast("Network", taught.net)

        def pseudo(_: str, data: DataSet, rows: np.ndarray) -> np.ndarray:
            return calibrated(fundus_learning.said_of(teacher, knows, data, rows)[1], maps)

        student = runs.settings("reference", "multi_lite0_eyeq", seed, changes)
        with mock.patch.object(fundus_learning, "pseudo_details", pseudo):
            learnt = fundus_learning.train_student(
                student, seen.sets, RunFolder(Path(folder) / "student")
            )
    return cast("Network", learnt.net), learnt.predictions


# ---------------------------------------------------------------- what it is worth
def judged(seen: Measured, its: dict[str, float], seed: int) -> dict[str, float]:
    """A variant's numbers."""
    net, told = trained(seen, its, seed)
    grades = told[(told["set"] == "eyeq") & (told["truth"] >= 0)]
    p = {s: grades.loc[grades["split"] == s, ["p0", "p1", "p2"]] for s in ("val", "test")}
    truth = {s: grades.loc[grades["split"] == s, "truth"].to_numpy(int) for s in p}
    warm = temperature(p["val"].to_numpy(float), truth["val"])
    known = told[(told["set"] == "mshf") & (told["split"] == "train")]
    maps = [
        calibrated_detail(
            known.loc[known[d] >= 0, f"d_{d}"].to_numpy(float),
            known.loc[known[d] >= 0, d].to_numpy(int),
        )[0]
        for d in DETAILS
    ]

    def answers(name: str) -> np.ndarray:
        overall, details = said(net, seen.moments(name, its.get("grain", 0)))
        return np.column_stack([tempered(overall, warm), calibrated(details, maps)])

    check, of_blur = answers("check"), answers("blur")[:, 3 + DETAILS.index("clarity")] < 0.5
    drawn = np.abs(check[PAIRS:] - check[:PAIRS])
    moved = changed(answers("real"), seen.told)
    jpeg = moved[moved["change"] == f"JPEG {stability.QUALITY}"]["moved"]
    sizes = moved[moved["change"].str.endswith("px")]["moved"]
    mine = told[told["set"] == "eyeq_d"]
    others = (mine[["illumination", "contrast"]] == 0).all(axis=1)
    told_grade = p["test"].to_numpy(float).argmax(axis=1)
    return {
        "real_jpeg": jpeg.max(),
        "real_over": int((jpeg > MOST).sum()),
        "real_pictures": len(jpeg),
        "real_sizes": sizes.max(),
        "real_sharp_bad": int(of_blur[seen.place["place"] == "sharp"].sum()),
        "real_blurred_bad": int(of_blur[seen.place["place"] == "blurred"].sum()),
        "simulated_jpeg": drawn.max(),
        "simulated_jpeg_mean": drawn.mean(),
        "macro_f1": f1_score(truth["test"], told_grade, average="macro"),
        "clarity_auc": roc_auc_score(mine["clarity"], mine["d_clarity"]),
        "clarity_auc_others_bad": roc_auc_score(
            mine.loc[others, "clarity"], mine.loc[others, "d_clarity"]
        ),
    }


def changed(p: np.ndarray, told: pd.DataFrame) -> pd.DataFrame:
    """A row a changed picture: picture, change, moved (the largest change of a probability)."""
    first = {n: p[k] for k, (n, c) in enumerate(told.itertuples(index=False)) if not c}
    moved = [np.abs(p[k] - first[n]).max() for k, n in enumerate(told["picture"])]
    return told.assign(moved=moved)[told["change"] != ""]


def main(walk: str, sharp: str, cache: str, *everything: str) -> None:
    torch.set_num_threads(1)
    seen = Measured(walk, Path(cache), sharp, [*everything])
    tries = [(name, seed) for name in VARIANTS for seed in range(SEEDS)]
    rows = [{"variant": v, "seed": s} | judged(seen, VARIANTS[v], s) for v, s in tries]
    store.write_table(paths.reference() / "fundus" / "real_jpeg_tries.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
