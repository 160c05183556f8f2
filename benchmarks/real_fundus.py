"""What a walk's Students say of real fundus photographs: results/reference/fundus/real_*.csv,
counts and summaries alone, no name of a picture.

    RIQA_HOME=HOME python benchmarks/real_fundus.py WALK SHARP_FOLDER ALL_FOLDER...

real_blur.csv        of the photographs of SHARP_FOLDER as they are and blurred by a Gaussian of a
                     25th of the field's radius: how many have each detail called bad, by row and
                     seed
real_stability.csv   `assess.stability.summary` of all photographs, for the first seed of
                     "multi_lite0_eyeq"
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from riqa_lib import paths, store
from riqa_lib.assess import fundus_student, stability
from riqa_lib.assess.grading import assess
from riqa_lib.assess.inputs import files
from riqa_lib.pictures.field import find_field
from riqa_lib.pictures.reading import read_picture
from riqa_lib.scales import DETAILS
from riqa_lib.tables import stored

ROWS = ("multi_eyeq", "multi_own_eyeq", "multi_lite0_plain_eyeq", "multi_lite0_eyeq")
SHARE = 1 / 25  # of the field's radius: standard deviation of the blur
LONGEST = 960  # px that pictures are brought to before they are blurred


def prepared(named: list[str], folder: Path) -> list[Path]:
    """Folders "sharp" and "blurred" of the same pictures, as PNG files."""
    places = [folder / "sharp", folder / "blurred"]
    for place in places:
        place.mkdir()
    for k, file in enumerate(files(named)):
        image = read_picture(file)
        image.thumbnail((LONGEST, LONGEST))
        pixels = np.asarray(image)
        sigma = SHARE * find_field(pixels).radius
        soft = ndimage.gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0))
        for place, a in zip(places, (pixels, np.round(soft).astype(np.uint8)), strict=True):
            Image.fromarray(a).save(place / f"{k}.png")
    return places


def called(one: fundus_student.Assessor, place: Path) -> dict[str, int]:
    """How many pictures of a folder were looked at, and have each detail called bad."""
    rows = [row for row in assess([place], one) if "details" in row]
    bad = {d: sum(row["details"][d]["call"] == "bad" for row in rows) for d in DETAILS}
    return {"pictures": len(rows)} | bad


def blur(walk: str, sharp: str) -> pd.DataFrame:
    """real_blur.csv as the head of the file says."""
    runs = stored.fundus_runs_of(walk, list(ROWS))
    with tempfile.TemporaryDirectory() as folder:
        places = prepared([sharp], Path(folder))
        rows = [
            {"row": run.row, "seed": run.seed, "pictures_are": place.name}
            | called(fundus_student.load(str(run.run), uncalibrated=True), place)
            for run in runs.itertuples()
            for place in places
        ]
    return pd.DataFrame(rows)


def main(walk: str, sharp: str, *everything: str) -> None:
    folder = paths.reference() / "fundus"
    store.write_table(folder / "real_blur.csv", blur(walk, sharp))
    runs = stored.fundus_runs_of(walk, ["multi_lite0_eyeq"]).sort_values("seed")
    one = fundus_student.load(str(runs["run"].iloc[0]), uncalibrated=True)
    found = stability.summary(stability.changes(everything, one))
    store.write_table(folder / "real_stability.csv", found)


if __name__ == "__main__":
    main(*sys.argv[1:])
