"""Grade fundus photographs: files, folders or globs; `python -m riqa_lib assess PATH...`.

Every file gets a row, whatever it is: graded, abstained (too unsure: no grade), refused (no fundus,
with the reason) or unreadable. A picture is read and cropped to its field of view
(fundus_reading.py), then graded by a trained, calibrated Student (fundus_student.py).

Pictures flow: some dozens are in memory, however many there are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..scales import DETAILS
from ..sim.fundus_camera import fundus
from ..stats import calibration
from ..stats.calibration import calibrated
from ..training.fundus_sources import said_of_pixels
from . import advice, flow
from .apart import Call, Ended, here
from .fundus_reading import Prepared, prepare, unread
from .fundus_student import NEVER, NOT_YOURS, Assessor, rounded
from .inputs import Known, Page, pages
from .looks import LOOK
from .taken import Taken

TOO_SMALL = "too small"  # call of a detail that cannot be judged in so few px
TOO_DARK = "too dark"  # of one that cannot be judged in so little light


# ---------------------------------------------------------------- what the Student says of them
def _graded(one: Assessor, batch: list[Prepared]) -> list[dict[str, Any]]:
    """Rows of prepared pictures, in order."""
    crops = [b.crop for b in batch if b.crop is not None]
    if not crops:
        return [b.row for b in batch]
    said = zip(*_probabilities(one, np.stack(crops)), strict=True)
    rows = []
    for b in batch:
        if b.crop is None:
            rows.append(b.row)
            continue
        p, good = next(said)
        details = dict(zip(DETAILS, good.tolist(), strict=True))
        rows.append(b.row | _answer(one, b, p, details))
    return rows


def _probabilities(one: Assessor, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of crops (N, S, S, 3) uint8: calibrated probabilities of the grades (N, C), and of good of
    the details (N, 3), nan where the Student learnt none."""
    raw, details = said_of_pixels(one.net, one.about, crops)
    p = calibration.tempered(raw, one.temperature)
    if one.about["details_learnt"]:
        return p, calibrated(details, list(one.maps))
    return p, np.full((len(crops), len(DETAILS)), np.nan)


def _answer(
    one: Assessor, its: Prepared, p: np.ndarray, details: dict[str, float]
) -> dict[str, Any]:
    k, found = int(p.argmax()), its.statistics or {}
    threshold = _threshold(one, its, k)
    sure = bool(p[k] >= threshold)
    calls = _calls(one, its, details)
    judged = {d: x for d, x in details.items() if calls.get(d) not in (TOO_SMALL, TOO_DARK)}
    told = _advice(one, its, judged, good=k == len(p) - 1)
    return {
        "state": "graded" if sure else "abstained",
        "reason": _reason(one, its),
        "grade": one.words[k] if sure else "",
        "likeliest": one.words[k],
        "confidence": rounded(p[k]),
        "distance": rounded(p[k] - threshold),
        "score": rounded(100 * float(p @ np.arange(len(p))) / (len(p) - 1), 2),
        "probabilities": {w: rounded(x) for w, x in zip(one.words, p, strict=True)},
        "details": {d: {"good": rounded(details[d]), "call": call} for d, call in calls.items()},
        "advice": [asdict(a) for a in told],
        "statistics": found,
    }


def _threshold(one: Assessor, its: Prepared, k: int) -> float:
    """From which probability on grade k is said. In the dark a picture may be the worst for sure,
    and never better."""
    return NEVER if its.too_small or (_is_dark(its) and k > 0) else one.threshold


def _advice(
    one: Assessor, its: Prepared, judged: dict[str, float], good: bool
) -> list[advice.Advice]:
    """Of a picture that is too dark nothing is said but that."""
    found = its.statistics or {}
    if _is_dark(its):
        return [advice.Advice(advice.DIM.say, advice.DIM.reason(found), advice.DIM.detail)]
    return advice.advise(judged, found, good=good, sure=one.sure)


def _is_dark(its: Prepared) -> bool:
    return its.statistics is not None and advice.DIM.meets(its.statistics)


def _reason(one: Assessor, its: Prepared) -> str:
    """Why there is no grade, if that is not for want of confidence, and what is worth knowing of
    the field."""
    dark = "too dark to be judged" if _is_dark(its) else ""
    why = (NOT_YOURS if one.basis == "none" else "", its.too_small, dark, its.row["reason"])
    return "; ".join(filter(None, why))


def _calls(one: Assessor, its: Prepared, details: dict[str, float]) -> dict[str, str]:
    """What each detail that was learnt is called."""
    calls = {d: advice.call(p, one.sure[d]) for d, p in details.items() if np.isfinite(p)}
    if its.too_small and "clarity" in calls:
        calls["clarity"] = TOO_SMALL
    if _is_dark(its):
        calls |= {d: TOO_DARK for d in calls if d != "illumination"}
    return calls


# ---------------------------------------------------------------- many
def assess(
    named: Iterable[str | Path],
    one: Assessor,
    *,
    workers: int = 2,
    working: int | None = None,
    keep: bool = False,
    taken: Taken | None = None,
    call: Call = here,
    known: Known = frozenset(),
) -> Iterator[dict[str, Any]]:
    """A row for every file of `files`, in order, and for every page of those that have several
    (page, from 1): file, state (one of STATES), reason, patient, eye, taken, camera (see
    photograph_facts), width, height; of fundus photographs also field_confidence, grade ("" where
    it abstains, and reason says why if it is not for want of confidence), likeliest (grade),
    confidence (its probability), distance (confidence less the threshold; below 0 it abstains),
    score (0..100: expected grade, higher is better), probabilities, details (good: probability;
    call: good, bad, unsure, TOO_SMALL or TOO_DARK), advice (say, why, detail), statistics.

    workers: threads that decode and crop; at most flow.BATCH x (workers + 1) pictures are in
    memory.
    working: px that pictures are brought to, the Student's by default.
    keep: rows also have what a report shows, as looks.LOOK (no plain JSON; pop it).
    taken: which files are, by size and damage. call: how a picture is read: `apart.apart` in a
    process of its own, so that none can end the rest. known: files and pages that get no row."""
    size, least = int(one.about["size"]), working or one.working

    def ready(one_page: Page) -> Prepared:
        file, page = one_page
        how = {"size": size, "working": least, "keep": keep, "page": page, "taken": taken}
        try:
            return call(prepare, file, **how)
        except (Ended, MemoryError) as e:
            return unread(file, page, str(e) or "it needs more memory than there is")

    for batch in flow.batches(pages(named, call, known), ready, workers):
        for row, its in zip(_graded(one, batch), batch, strict=True):
            yield row | {LOOK: its.look} if its.look else row


# ---------------------------------------------------------------- for the notebook
def _own(one: Assessor, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and truth of the Student's own set."""
    said = one.predictions
    mine = said[(said["set"] == one.about["set"]) & (said["split"] == split) & (said["truth"] >= 0)]
    p = mine[[f"p{k}" for k in range(len(one.words))]].to_numpy(float)
    return calibration.tempered(p, one.temperature), mine["truth"].to_numpy(int)


def curves(one: Assessor) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """`calibration.risk_coverage` of validation and test; and what the threshold does on each:
    pictures, answered, error, error_all."""
    out, rows = {}, []
    for split, name in (("val", "validation"), ("test", "test")):
        p, truth = _own(one, split)
        out[name] = calibration.risk_coverage(p, truth)
        told = p.max(axis=1) >= one.abstention.threshold
        wrong = p.argmax(axis=1) != truth
        error = float(wrong[told].mean()) if told.any() else float("nan")
        row = {
            "split": name,
            "pictures": len(truth),
            "answered": float(told.mean()),
            "error": error,
        }
        rows.append(row | {"error_all": float(wrong.mean())})
    return out, pd.DataFrame(rows)


def calls(one: Assessor, which: str) -> tuple[pd.DataFrame, pd.Series]:
    """Of a set's predictions, by id: calibrated probabilities of good of DETAILS, and whether the
    overall grade is the best."""
    mine = one.predictions[one.predictions["set"] == which].set_index("id")
    said = calibrated(mine[[f"d_{d}" for d in DETAILS]].to_numpy(float), list(one.maps))
    best = (
        mine[[f"p{k}" for k in range(len(one.words))]].to_numpy(float).argmax(axis=1)
        == len(one.words) - 1
    )
    return pd.DataFrame(said, index=mine.index, columns=list(DETAILS)), pd.Series(
        best, index=mine.index
    )


def examples(one: Assessor, count: int, seed: int = 0, size: int = 512) -> list[dict[str, Any]]:
    """Rows of `assess` for simulated photographs of growing defects, size x size px (PNG files,
    deleted after)."""
    with tempfile.TemporaryDirectory() as folder:
        for k in range(count):
            severity = dict.fromkeys(DETAILS, 0.3 * (k > 0))
            severity[DETAILS[k % 3]] = (0.9 + 0.4 * k) * (k > 0)
            Image.fromarray(fundus(("example", seed, k), size, severity).pixels).save(
                Path(folder) / f"example-{k}.png"
            )
        shown = replace(one, basis="validation")  # simulated pictures, as those it is promised for
        return [row | {"file": Path(row["file"]).name} for row in assess([folder], shown)]


def findings(one: Assessor, held: pd.DataFrame) -> str:
    """What abstention keeps of its promise on the test split; `held` as `curves` gives it."""
    test, rule = held.set_index("split").loc["test"], one.abstention
    if not rule.met:
        return (
            f"- {rule.n} validation pictures don't show an error of at most {rule.rate:.0%}: it "
            "abstains always."
        )
    if np.isnan(test["error"]):
        word = "not tried (nothing is answered)"
    else:
        word = "kept" if test["error"] <= rule.rate else "broken"
    return (
        f"- At {rule.threshold:.2f} it answers {test['answered']:.0%} of the test pictures, "
        f"{test['error']:.1%} of these wrong ({test['error_all']:.1%} of all would be); "
        f"promised: at most {rule.rate:.0%}. Here the promise is {word}."
    )
