"""Where a network looks, as Grad-CAM maps, and whether that is where the defects are.

Grad-CAM (Selvaraju et al., ICCV 2017), by captum's LayerGradCam: with A (K, h, w) a layer's
activations and s the score explained,
    map = relu(sum_k alpha_k A_k),  alpha_k = mean over h, w of ds/dA_k,
resized (bilinear) to the picture, 0 outside the field of view. The scores are evidence for *bad*:
for the overall grade the logit of the worst class less that of the best, for a detail (whose logit
speaks for good) the logit's negative.

Measured against true defect maps, inside the field of view, on the defect's region: where its map
is above the middle between its least and its greatest value there.
    pointing game (Zhang et al., IJCV 2018)  whether the map's maximum lies in the region
    energy inside (Wang et al., CVPRW 2020)  share of the map's sum that does
Two kinds of chance: the region's share of the field (`chance`), and what the same network's maps of
other pictures reach on this region (`shuffled`), which also catches maps that always point at the
same place. A map that is 0 throughout counts as chance. Defects that are alike everywhere (SPREAD),
or whose region fills most of the field (AREA), can't be pointed at: left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from .. import paths
from ..datasets.data_folder import DataSet
from ..scales import DETAILS
from ..seeding import rng
from ..sim.fundus_camera import Shot
from ..sim.fundus_sets import plan, shot, shot_of
from ..tables.localisation import COLUMNS, MEASURES
from ..training.fundus import load_student
from . import advice
from .grad_cam import HEADS, fields_of, grad_cam, last_layer, overlay

SPREAD = 0.2  # least difference between a defect map's greatest and least value in the field


AREA = 0.6  # largest share of the field that a region may fill


OTHERS = 20  # other pictures whose maps are tried on a region


CAUSE = (0.8, 0.3)  # severity from which a defect counts as the cause of advice; of an artefact


# ---------------------------------------------------------------- measures
def region(defect: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Where a defect is: its map (S, S) above the middle of its range in the field (S, S), bool.
    Empty where it varies by less than SPREAD or fills more than AREA of the field."""
    values = defect[inside]
    low, high = float(values.min()), float(values.max())
    where = inside & (defect > (low + high) / 2)
    return (
        where
        if high - low >= SPREAD and where.sum() <= AREA * inside.sum()
        else np.zeros_like(inside, dtype=bool)
    )


def whole_defect(maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """All causes together: 1 - prod(1 - m), (S, S)."""
    left = [1 - np.asarray(m, float) for m in maps.values()]
    return 1 - np.prod(left, axis=0)


def measure(cam: np.ndarray, where: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """pointing (0 or 1; the share of tied maxima that hit), energy and chance (the region's area),
    0..1, of a map (S, S) >= 0 and a region (S, S) within the field `inside` (S, S). Raises
    ValueError for unequal shapes, an empty region or a negative map."""
    if (
        not cam.shape == where.shape == inside.shape
        or not (where & inside).any()
        or (cam < 0).any()
    ):
        raise ValueError(
            f"map {cam.shape}, region {where.shape} of {int((where & inside).sum())} px, "
            f"field {inside.shape}; expected equal shapes, a region, and no negative value"
        )
    chance = float((where & inside).sum() / inside.sum())
    values, hit = cam[inside].astype(float), where[inside]
    total = values.sum()
    if total <= 0:
        return {"pointing": chance, "energy": chance, "chance": chance}
    return {
        "pointing": float(hit[values == values.max()].mean()),
        "energy": float(values[hit].sum() / total),
        "chance": chance,
    }


def localised(
    maps: Sequence[Mapping[str, np.ndarray]], insides: Sequence[np.ndarray], bad: pd.DataFrame
) -> dict[str, dict[int, np.ndarray]]:
    """Regions that can be pointed at: {head: {row: region}}.

    maps: true defect maps of N pictures, insides: their fields; bad: bool (N rows), a column for
    each of HEADS: only pictures that are truly bad there count, with a `region` that is not
    empty."""
    out: dict[str, dict[int, np.ndarray]] = {head: {} for head in HEADS}
    for i, (each, inside) in enumerate(zip(maps, insides, strict=True)):
        for head in HEADS:
            if not bad[head].iloc[i]:
                continue
            where = region(whole_defect(each) if head == "overall" else each[head], inside)
            if where.any():
                out[head][i] = where
    return out


def scores(
    net: nn.Module,
    layer: nn.Module,
    pixels: np.ndarray,
    frame: pd.DataFrame,
    regions: Mapping[str, Mapping[int, np.ndarray]],
    insides: Sequence[np.ndarray],
    *,
    details: bool = True,
) -> pd.DataFrame:
    """Measures of every head's map on every picture with a region: COLUMNS.

    pixels (N, S, S, 3) uint8; frame: id, group (N rows); regions, as `localised` gives them;
    insides: N fields (S, S), bool. details: False for a single-task network, whose map of the
    overall grade, its only one, then answers for the details too."""
    rows = []
    for head, of in regions.items():
        chosen = sorted(of)
        fields = [insides[i] for i in chosen]
        asked = head if details else HEADS[0]
        maps = grad_cam(net, layer, pixels[chosen], asked, inside=fields)
        n = len(chosen)
        steps = sorted({int(step) for step in np.linspace(1, n - 1, OTHERS)}) if n > 1 else []
        for k, i in enumerate(chosen):
            facts = {"head": head, "id": frame["id"].iloc[i], "group": frame["group"].iloc[i]}
            others = [measure(maps[(k + step) % n], of[i], insides[i]) for step in steps]
            mixed = {
                f"shuffled_{m}": float(np.mean([o[m] for o in others])) if others else float("nan")
                for m in MEASURES
            }
            rows.append(facts | measure(maps[k], of[i], insides[i]) | mixed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


# ---------------------------------------------------------------- a walk's Students
@dataclass(frozen=True)
class Cases:
    """Pictures as the network sees them, with their truth: rows of the set, frame, pixels (N, S, S,
    3) uint8, defects (N dicts of true maps (S, S); empty ones for real pictures), insides (N
    fields), regions as `localised` gives them."""

    rows: np.ndarray
    frame: pd.DataFrame
    pixels: np.ndarray
    defects: list[dict[str, np.ndarray]]
    insides: list[np.ndarray]
    regions: dict[str, dict[int, np.ndarray]]


def cases(data: DataSet, count: int, crop: int, seed: int = 0) -> Cases:
    """Up to `count` test pictures of a set, drawn by seed, their middle `crop` px. Real ones have
    no defect maps and no regions; their field is what is not the crop's black surround
    (`grad_cam.fields_of`)."""
    test = np.flatnonzero(data.frame["split"] == "test")
    rows = np.sort(rng("explain", seed).permutation(test)[:count])
    frame = data.frame.iloc[rows].reset_index(drop=True)
    size = int(data.info["size"])
    middle = slice((size - crop) // 2, (size - crop) // 2 + crop)
    pixels = data.pixels[rows][:, middle, middle]
    if not data.info["simulated"]:
        fields = list(fields_of(pixels, size))
        return Cases(rows, frame, pixels, [{}] * len(rows), fields, {head: {} for head in HEADS})
    defects, insides = [], []
    for key in frame["id"]:
        one = shot_of(data, key)
        defects.append({cause: m[middle, middle] for cause, m in one.maps().items()})
        insides.append(one.mask()[middle, middle] > 0.5)
    bad = pd.DataFrame(
        {"overall": frame["true_grade"] < data.info["classes"] - 1}
        | {d: frame[f"true_{d}"] == 0 for d in DETAILS}
    )
    return Cases(rows, frame, pixels, defects, insides, localised(defects, insides, bad))


def chosen(of: Cases, count: int, *, good: bool = False) -> list[int]:
    """Rows of the cases to look at: those with most defects that can be pointed at, or, where none
    can, of the worst grade; good: of the best grade."""
    heads = pd.Series([i for rows in of.regions.values() for i in rows], dtype=int).value_counts()
    if good or heads.empty:
        grade = of.frame["true_grade" if "true_grade" in of.frame else "grade"]
        known = grade[grade >= 0]
        return [
            int(i) for i in known.index[known == (known.max() if good else known.min())][:count]
        ]
    return sorted(heads.index, key=lambda i: (-heads[i], i))[:count]


def study(of: Cases, runs: pd.DataFrame) -> pd.DataFrame:
    """`scores` of Students on the same pictures, for `localisation.table`: method and seed in
    front. runs: run, row, seed."""
    parts = [pd.DataFrame(columns=["method", "seed", *COLUMNS])]
    for run in runs.itertuples():
        net, about = load_student(paths.runs() / str(run.run))
        layer = last_layer(net, of.pixels.shape[1])
        found = scores(
            net, layer, of.pixels, of.frame, of.regions, of.insides, details=about["details_learnt"]
        )
        found.insert(0, "seed", run.seed)
        found.insert(0, "method", run.row)
        parts.append(found)
    full = [part for part in parts if len(part)]
    return pd.concat(full, ignore_index=True) if full else parts[0]


def sheet(of: Cases, chosen: Sequence[int], runs: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Pictures to look at, for figures.data.contact_sheet: per picture itself, all defects
    (simulated ones), the overall map of each run, and of one that learnt details their maps.
    chosen: rows of the cases; runs: run, row (of one seed). Returns pixels and frame (words)."""
    words, columns = ["picture"], [[of.pixels[i] for i in chosen]]

    def over(maps: Iterable[np.ndarray]) -> list[np.ndarray]:
        """A column of the sheet: the chosen pictures with a map over each, in its field."""
        return [
            overlay(of.pixels[i], each, inside=of.insides[i])
            for i, each in zip(chosen, maps, strict=True)
        ]

    if any(of.defects):
        words.append("true defects")
        columns.append(over([whole_defect(of.defects[i]) for i in chosen]))
    for run in runs.itertuples():
        kind = str(run.row).split("_")[0]
        for head, maps in _cams(of, chosen, str(run.run)).items():
            words.append(f"{kind}: {head}")
            columns.append(over(maps))
    tiles = [column[k] for k in range(len(chosen)) for column in columns]
    return np.stack(tiles), pd.DataFrame({"words": words * len(chosen)})


def _cams(of: Cases, chosen: Sequence[int], run: str) -> dict[str, np.ndarray]:
    """Maps of a run's heads on the chosen pictures; of the overall head only where it learnt no
    details."""
    net, about = load_student(paths.runs() / run)
    layer = last_layer(net, of.pixels.shape[1])
    heads = HEADS if about["details_learnt"] else HEADS[:1]
    pixels, inside = of.pixels[list(chosen)], [of.insides[i] for i in chosen]
    return {head: grad_cam(net, layer, pixels, head, inside=inside) for head in heads}


def advice_truth(
    data: DataSet,
    count: int,
    details: pd.DataFrame,
    good: pd.Series,
    sure: Mapping[str, float],
    seed: int = 0,
) -> pd.DataFrame:
    """How often advice names the true cause, on up to `count` test pictures of a simulated set: a
    row for each rule that was said: say, detail, said (pictures), right (share of these with a
    strong defect of the rule's kinds: severity CAUSE or more), chance (that share among all these
    pictures).

    details: index id, columns DETAILS, calibrated probabilities of good; good: index id, whether
    the overall grade is the best."""
    settings = data.info["settings"]
    drawn = plan(settings["kind"], settings["n"], settings["seed"]).set_index("id", drop=False)
    test = data.frame["id"][data.frame["split"] == "test"].to_numpy()
    said: dict[str, list[bool]] = {}  # by what was said, whether each picture had such a defect
    causes: list[set[str]] = []
    for key in rng("advice", seed).permutation(test)[:count]:
        one = shot(drawn.loc[key].to_dict(), settings["kind"], advice.SIDE, settings["seed"])
        found = advice.statistics(one.pixels, one.mask() > 0.5)
        told = advice.advise(details.loc[key].to_dict(), found, good=bool(good[key]), sure=sure)
        causes.append(_causes(one))
        for each in told:
            hit = not causes[-1].isdisjoint(advice.rule(each.say).fits)
            said.setdefault(each.say, []).append(hit)
    rows = [
        {
            "say": rule.say,
            "detail": rule.detail,
            "said": len(said[rule.say]),
            "right": float(np.mean(said[rule.say])),
            "chance": float(np.mean([not kinds.isdisjoint(rule.fits) for kinds in causes])),
        }
        for rule in advice.RULES
        if rule.fits and rule.say in said
    ]
    return pd.DataFrame(rows, columns=["say", "detail", "said", "right", "chance"])


def _causes(one: Shot) -> set[str]:
    """Kinds of the defects of a simulated photograph that are strong enough to be a cause."""
    return {
        kind
        for cause, defect in one.defects.items()
        if one.severity[cause] >= CAUSE[cause == "artefact"]
        for kind in defect.kinds
    }


def advice_findings(told: pd.DataFrame) -> str:
    """`advice_truth` in words."""
    lines = [
        f'- "{row.say}": said of {row.said} pictures, a true cause in {row.right:.0%} '
        f"(of all pictures {row.chance:.0%} have it)."
        for row in told.itertuples()
    ]
    return "\n".join(lines) or "- No advice was given."
