"""What a trained network of photographs says of itself, in its run's about.json: all that scoring
new pictures needs beside config.json and the weights (assess.photo_runs reads it).

    kind        "photographs"
    name        of the data set; simulated: whether it is one
    scale       the owner's: name of the score's column, low, high, higher_is_better, names of the
                grades (worst first), rule; as dataset.json has it
    levels      score of each grade, worst first: the mean of its labelled pictures. As the frame's
                scores: on the owner's range, turned round where higher is worse
    classes, size, crop, grid, looks (8 where it isn't said), method, seed
    labels      pictures with a label; unlabelled: those shown without one, the labelled ones too
    read        of a model of related work: how its pictures were read (data.scale, data.max_pixels;
                a network's own run has them in config.json)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..datasets.data_folder import DataSet
from ..scales import PHOTO_GRADES
from .settings import RunSettings

KIND = "photographs"


def about(run: RunSettings, data: DataSet, labelled: np.ndarray, unlabelled: int) -> dict[str, Any]:
    """about.json of a run on these rows of the data set's frame. unlabelled: how many
    pictures it was shown without their label."""
    config: Any = run
    seen = {k: getattr(config.data, k) for k in ("crop", "grid", "looks")}
    seen["unlabelled"] = unlabelled
    return of(data, labelled, config.method.name, config.seed) | seen


def of(data: DataSet, labelled: np.ndarray, method: str, seed: int) -> dict[str, Any]:
    """about.json of whatever learns from these rows of the data set's frame alone, and sees its
    pictures whole."""
    scale = scale_of(data.info)
    size = int(data.info["size"])
    return {
        "kind": KIND,
        "name": data.info["name"],
        "simulated": bool(data.info["simulated"]),
        "scale": scale,
        "levels": levels(data.frame.iloc[labelled], scale),
        "classes": int(data.info["classes"]),
        "size": size,
        "crop": size,
        "grid": 1,
        "method": method,
        "seed": seed,
        "labels": len(labelled),
        "unlabelled": 0,
    }


def scale_of(info: dict[str, Any]) -> dict[str, Any]:
    """The scale that dataset.json names; where it names none (simulated pictures, KOKA10K), that of
    a mean vote, from 1 to the number of classes. ValueError for somebody's own folder without one:
    no scale is made up for them.

    >>> scale_of({"classes": 2})["grades"], scale_of({"classes": 5})["high"]
    (['1', '2'], 5.0)
    """
    if not info.get("scale") and "id" in info.get("settings", {}):
        raise ValueError(
            f"{info['name']}: its dataset.json, made by an earlier riqa, names no scale; make the "
            "data again (run 01, or photographs.make_data): pictures are not decoded again"
        )
    classes = int(info["classes"])
    words = PHOTO_GRADES if classes == len(PHOTO_GRADES) else range(1, classes + 1)
    votes = {"score": "mean vote", "low": 1.0, "high": float(classes), "higher_is_better": True}
    votes |= {"grades": [str(word) for word in words], "rule": "mode"}
    return votes | (info.get("scale") or {})


def levels(labelled: pd.DataFrame, scale: dict[str, Any]) -> list[float]:
    """Score of each grade, worst first: the mean score of its pictures in this frame (columns
    grade, score). For a grade with none, the middle of its bin where grades are bins of equal
    width, else its place between the ends of the scale.

    >>> frame = pd.DataFrame({"grade": [0, 0, 1], "score": [1.0, 2.0, 5.5]})
    >>> levels(frame, {"grades": "abc", "low": 0, "high": 9, "rule": "equal_width"})
    [1.5, 5.5, 7.5]
    """
    classes, low, high = len(scale["grades"]), scale["low"], scale["high"]
    place = np.arange(classes) / (classes - 1)
    if scale["rule"] == "equal_width":
        place = (np.arange(classes) + 0.5) / classes
    expected = pd.Series(low + (high - low) * place)
    known = labelled.groupby("grade")["score"].mean().dropna()
    return [round(float(x), 6) for x in known.reindex(expected.index).fillna(expected)]
