"""Fundus photographs with right and wrong answers, for notebooks 14, 15 and 18, and the views that
networks learn from: pixels of the pictures that `tables.telling_details` chooses, drawn by
`figures.called_details`.

    figure, said = seen_fundus.beside_people(data, predictions, ["teacher"])
    figure, said = seen_fundus.abstained(data, student)

Each returns the figure (None where there is no picture to show) and a sentence that reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ..assess.fundus_student import Assessor
from ..datasets.data_folder import DataSet
from ..figures.called_details import called_details
from ..figures.data import contact_sheet
from ..networks.views import centre_crops, crop
from ..scales import DETAILS, FUNDUS_GRADES
from ..ssl.teacher_student import GEOMETRY
from ..stats.calibration import calibrated, tempered
from ..tables import telling_details
from ..tables.text import percent


def beside_people(
    data: DataSet, predictions: pd.DataFrame, rows: Sequence[str], count: int = 4
) -> tuple[Figure | None, str]:
    """Pictures of a set with details on which the first of these rows and people agree, and on
    which they do not; the other rows stand beside. predictions: of `stored.load_fundus`; the
    first seed that all rows have is shown. ValueError where there is none."""
    its = predictions[predictions["set"] == data.folder.name]
    seeds = [set(its.loc[its["method"] == row, "seed"]) for row in rows]
    if not (both := set.intersection(*seeds)):
        raise ValueError(f"{data.info['name']}: no seed that all of {', '.join(rows)} have")
    by_row = {row: its[(its["method"] == row) & (its["seed"] == min(both))] for row in rows}
    chosen = telling_details.telling(by_row[rows[0]], count)
    said = telling_details.sentence(by_row[rows[0]], rows[0])
    if chosen.empty:
        return None, said
    bad = {row: _bad(one, chosen["id"]) for row, one in by_row.items()}
    at = _places(data, chosen["id"])
    grades = data.frame["grade"].to_numpy(int)[at]
    words = FUNDUS_GRADES[int(data.info["classes"])]
    told = [f"people: {words[k]}" if k >= 0 else "no overall grade" for k in grades]
    table = chosen.assign(words=told, wrong=chosen["right"] < len(DETAILS))
    simulated = bool(data.info["simulated"])
    return called_details(np.asarray(data.pixels[at]), table, bad, simulated=simulated), said


def _bad(predictions: pd.DataFrame, ids: pd.Series) -> np.ndarray:
    """Probabilities of bad (n, 3) of these pictures."""
    told = predictions.set_index("id").loc[ids, [f"d_{d}" for d in DETAILS]]
    return 1 - told.to_numpy(float)


def _places(data: DataSet, ids: Sequence[str] | pd.Series) -> np.ndarray:
    """Rows (n,) of a set, one for each id."""
    return pd.Series(np.arange(len(data.frame)), data.frame["id"])[list(ids)].to_numpy()


def abstained(data: DataSet, student: Assessor, count: int = 4) -> tuple[Figure | None, str]:
    """Test pictures of the Student's own set that it gives no grade, the least sure first: people's
    grade, the likeliest one, its probability. data: that set."""
    told = student.predictions
    test = told[(told["set"] == student.about["set"]) & (told["split"] == "test")]
    test = test[test["truth"] >= 0].reset_index(drop=True)
    raw = test[[f"p{k}" for k in range(len(student.words))]].to_numpy(float)
    p = tempered(raw, student.temperature)
    sure, says = p.max(axis=1), p.argmax(axis=1)
    truth = test["truth"].to_numpy(int)
    withheld = np.flatnonzero(sure < student.abstention.threshold)
    if not len(withheld):
        return None, f"It gives each of {len(test)} test pictures a grade."
    at = withheld[np.argsort(sure[withheld], kind="stable")][:count]
    simulated = bool(data.info["simulated"])
    words = [
        f"people: {student.words[truth[i]]}\nlikeliest {student.words[says[i]]} ({sure[i]:.2f})"
        for i in at
    ]
    chosen = test.iloc[at].assign(words=words, wrong=says[at] != truth[at])
    good = calibrated(chosen[[f"d_{d}" for d in DETAILS]].to_numpy(float), list(student.maps))
    places = _places(data, chosen["id"])
    for d in DETAILS:  # of simulated pictures it is known what is bad, though nobody said it
        chosen[d] = data.frame.get(f"true_{d}", data.frame[d]).to_numpy(int)[places]
    pixels = np.asarray(data.pixels[places])
    own = {f"multi{_family(student)}": 1 - good}
    whose = "where it truly is" if simulated else "where people put it"
    drawn = called_details(pixels, chosen, own, simulated=simulated, whose=whose)
    return drawn, _withheld(len(test), truth != says, withheld)


def _family(student: Assessor) -> str:
    return "_lite0" if student.about.get("encoder", "resnet") != "resnet" else ""


def _withheld(pictures: int, wrong: np.ndarray, withheld: np.ndarray) -> str:
    """How often the answer that was withheld would have been wrong, and those that were given."""
    given = np.delete(wrong, withheld)
    told = f"{percent(given.mean())} of those given are wrong" if len(given) else "none was given"
    return (
        f"It withholds {len(withheld)} of {pictures} answers "
        f"({percent(len(withheld) / pictures)}): {percent(wrong[withheld].mean())} of them would "
        f"be wrong; {told}."
    )


def views(data: DataSet, side: int, count: int = 6, seed: int = 0) -> tuple[Figure, str]:
    """One picture of a set as it lies, and `count` views of it as networks learn from them: cut to
    `side` px somewhere, mirrored, turned by quarters."""
    rows = torch.zeros(count, dtype=torch.long)
    first = torch.from_numpy(np.array(data.pixels[:1]))
    g = torch.Generator().manual_seed(seed)
    seen = crop(first, rows, side, g, GEOMETRY.flip, GEOMETRY.turns).numpy()
    whole = centre_crops(first, side)[0].numpy()
    light = seen.reshape(count, -1).mean(axis=1)
    words = ["as it lies", *(f"view {k}" for k in range(1, count + 1))]
    figure = contact_sheet(
        np.concatenate([whole, seen]),
        pd.DataFrame({"words": words}),
        simulated=bool(data.info["simulated"]),
        captions="words",
        columns=len(words),
    )
    told = (
        f"{count} views of one picture: {side} of its {first.shape[1]} px, mirrored and turned by "
        f"quarters. Their mean grey level is {light.min():.1f} to {light.max():.1f} of 255, as it "
        f"lies {whole.mean():.1f}: no view changes what is graded."
    )
    return figure, told
