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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from .. import paths
from ..datasets.data_folder import DataSet
from ..scales import DETAILS, FUNDUS_GRADES
from ..seeding import rng
from ..sim.fundus_camera import Shot
from ..sim.fundus_sets import plan, shot, shot_of
from ..tables.localisation import COLUMNS, MEASURES
from ..tables.stored import read_fundus_predictions
from ..tables.text import markdown
from ..training.fundus import load_student
from . import advice
from .grad_cam import HEADS, fields_of, grad_cam, last_layer

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
    classes: int = 3


def cases(data: DataSet, count: int, crop: int, seed: int = 0) -> Cases:
    """Up to `count` test pictures of a set, drawn by seed, their middle `crop` px. Real ones have
    no defect maps and no regions; their field is what is not the crop's black surround
    (`grad_cam.fields_of`)."""
    test = np.flatnonzero(data.frame["split"] == "test")
    rows = np.sort(rng("explain", seed).permutation(test)[:count])
    frame = data.frame.iloc[rows].reset_index(drop=True)
    size, classes = int(data.info["size"]), int(data.info["classes"])
    middle = slice((size - crop) // 2, (size - crop) // 2 + crop)
    pixels = data.pixels[rows][:, middle, middle]
    if not data.info["simulated"]:
        fields = list(fields_of(pixels, size))
        none: dict[str, dict[int, np.ndarray]] = {head: {} for head in HEADS}
        return Cases(rows, frame, pixels, [{}] * len(rows), fields, none, classes)
    defects, insides = [], []
    for key in frame["id"]:
        one = shot_of(data, key)
        defects.append({cause: m[middle, middle] for cause, m in one.maps().items()})
        insides.append(one.mask()[middle, middle] > 0.5)
    bad = pd.DataFrame(
        {"overall": frame["true_grade"] < classes - 1}
        | {d: frame[f"true_{d}"] == 0 for d in DETAILS}
    )
    regions = localised(defects, insides, bad)
    return Cases(rows, frame, pixels, defects, insides, regions, classes)


def chosen(of: Cases, count: int, *, good: bool = False) -> list[int]:
    """Rows of the cases to look at: those with most defects that can be pointed at, or, where none
    can, of the worst grade; good: of the best grade, those with the least of any defect first."""
    heads = pd.Series([i for rows in of.regions.values() for i in rows], dtype=int).value_counts()
    if good or heads.empty:
        return _of_grade(of, best=good)[:count]
    return sorted(heads.index, key=lambda i: (-heads[i], i))[:count]


def _of_grade(of: Cases, *, best: bool) -> list[int]:
    """Rows of the cases of the worst grade, or of the best, those with the least of any defect
    first."""
    grade = of.frame["true_grade" if "true_grade" in of.frame else "grade"]
    known = grade[grade >= 0]
    rows = known.index[known == (known.max() if best else known.min())]
    severities = of.frame.filter(regex="^severity_") if best else pd.DataFrame()
    if severities.empty:
        return [int(i) for i in rows]
    return [int(i) for i in severities.loc[rows].max(axis=1).sort_values(kind="stable").index]


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


@dataclass(frozen=True)
class Sheet:
    """Pictures to look at with the maps of networks, for `figures.explanations.maps`: pixels (N, S,
    S, 3) uint8, fields (N, S, S) bool; maps, a column each by its words: float32 (N, S, S), 0 or
    more; regions: of each column the true region of each picture (S, S) bool, None where there is
    none; words: of each picture its true grade and what each network says."""

    pixels: np.ndarray
    fields: np.ndarray
    maps: dict[str, np.ndarray]
    regions: dict[str, list[np.ndarray | None]]
    words: list[str]


def sheet(of: Cases, chosen: Sequence[int], runs: pd.DataFrame) -> Sheet:
    """The maps of each run on the chosen rows of the cases: of the overall grade, and of one that
    learnt details also theirs. runs: run, row (of one seed)."""
    maps: dict[str, np.ndarray] = {}
    regions: dict[str, list[np.ndarray | None]] = {}
    words = [_truth(of, i) for i in chosen]
    for run in runs.itertuples():
        kind = str(run.row).split("_")[0]
        for head, its in _cams(of, chosen, str(run.run)).items():
            maps[f"{kind}: {head}"] = its
            regions[f"{kind}: {head}"] = [of.regions[head].get(i) for i in chosen]
        said = _grades_said(of, chosen, str(run.run))
        words = [f"{w}\n{kind} says {one}" for w, one in zip(words, said, strict=True)]
    picked = list(chosen)
    fields = np.array([of.insides[i] for i in picked], bool)
    return Sheet(of.pixels[picked], fields, maps, regions, words)


def read(of: Sheet) -> str:
    """What a sheet's maps say: how many are 0 throughout, and in how many of those with a true
    region their greatest value lies in it, beside the regions' shares of the field."""
    every = [(each, name, i) for name, its in of.maps.items() for i, each in enumerate(its)]
    empty = sum(not each.any() for each, _, _ in every)
    told = [
        measure(each, where, of.fields[i])
        for each, name, i in every
        if (where := of.regions[name][i]) is not None
    ]
    flat = f"{empty or 'None'} of {len(every)} maps {'are' if empty else 'is'} 0 throughout."
    if not told:
        return (
            f"None of these pictures has a true region. {flat} Colour says where a "
            "map is greatest, not that it is great: each is drawn up to its own greatest value."
        )
    hits, chance = (sum(one[m] for one in told) for m in ("pointing", "chance"))
    return (
        f"Of {len(told)} maps that have a true region, {hits:.1f} have their greatest value in it; "
        f"places drawn by chance in the field would {chance:.1f} times. {flat}"
    )


def _truth(of: Cases, i: int) -> str:
    """The true grade of a case, or what people said where nobody knows it."""
    known = "true_grade" in of.frame
    grade = int(of.frame["true_grade" if known else "grade"].iloc[i])
    words = FUNDUS_GRADES[of.classes]
    return f"{'true' if known else 'people say'} {words[grade] if grade >= 0 else 'nothing'}"


def _grades_said(of: Cases, chosen: Sequence[int], run: str) -> list[str]:
    """What a run's stored predictions call the chosen cases."""
    told = read_fundus_predictions(paths.runs() / run).drop_duplicates("id").set_index("id")
    p = told.loc[of.frame["id"].iloc[list(chosen)], [f"p{k}" for k in range(of.classes)]]
    return [FUNDUS_GRADES[of.classes][k] for k in p.to_numpy(float).argmax(axis=1)]


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


OFTEN = 10  # a rule said of fewer pictures is not judged: its share says nothing


def often_said(told: pd.DataFrame) -> pd.DataFrame:
    """The rows of `advice_truth` of rules that were said of OFTEN pictures or more."""
    return told[told["said"] >= OFTEN].reset_index(drop=True)


def show_advice(told: pd.DataFrame) -> str:
    """`often_said` as markdown, and how many rules are left out. told: of `advice_truth`."""
    rows = [
        [row.say, row.detail, row.said, f"{row.right:.0%}", f"{row.chance:.0%}"]
        for row in often_said(told).itertuples()
    ]
    head = ["advice", "detail", "pictures", "a true cause", "of all pictures have it"]
    left = len(told) - len(rows)
    foot = f"{left} rules said of fewer than {OFTEN} pictures are not judged." if left else ""
    return "\n".join([markdown(head, rows, left=(0, 1)), "", foot])


def advice_findings(told: pd.DataFrame) -> str:
    """`often_said` in words: how many rules name a true cause more often than it is there anyway,
    the best and the worst. told: of `advice_truth`."""
    its = often_said(told)
    if its.empty:
        return f"- No advice was given of {OFTEN} pictures or more, so none is judged."
    gain = its["right"] - its["chance"]
    best, worst = its.loc[gain.idxmax()], its.loc[gain.idxmin()]
    said = [
        f'"{row["say"]}" ({row["right"]:.0%} of {row["said"]} pictures, {row["chance"]:.0%} of all)'
        for row in (best, worst)
    ]
    return (
        f"- Advice: of {len(its)} rules said of {OFTEN} pictures or more, {(gain > 0).sum()} name "
        f"a true cause more often than it is there anyway; most gains {said[0]}, least {said[1]}."
    )
