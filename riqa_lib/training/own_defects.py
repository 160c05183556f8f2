"""Own-defect copies: pictures to learn from, each once more with one or several of the three
defects added, whose details are then known to be bad.

Among graded photographs the details are bad together, so a network can call clarity bad by the
light, and does: blur alone leaves it unmoved. A copy (sim.added_defects) tells them apart: its
spoilt details are bad whatever the picture was, the others are what they were, and nothing is said
of its overall grade. Counterfactual copies, of texts by hand: Kaushik et al., "Learning the
Difference that Makes a Difference with Counterfactually-Augmented Data", ICLR 2020; distortions of
known strength as labels: RankIQA, Liu et al., ICCV 2017. Not in the paper: rows that learn from
copies say so.

They count less than pictures (`own_defects` of a method is their weight in L_A), and several
defects come together in half of them. Measured with logistic regression on moments, simulated
pictures, against the true details where the other two are bad: AUC of clarity .923 without copies,
.818 with copies of one defect that count as much as pictures, .912 so (half as much); blur alone
(severity 2) makes contrast bad in 58, 25 and 25 % of the eyes.

Copies depend on the set alone, not on a run's seed; they lie beside its pictures."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass

import numpy as np

from .. import store
from ..datasets.data_folder import DataSet
from ..networks import lite0
from ..networks.field_moments import moments_under
from ..scales import DETAILS
from ..seeding import rng
from ..sim import added_defects, defect_effects, fundus_defects
from .measured import Floats, by_blocks, kept

SEVERITY = (1.1, 2.2)  # least and most of what is added; 1 is where graders begin to call it bad
CHANCE = 0.5  # of each defect; at least one is added
ORDER = ("contrast", "illumination", "clarity")  # a veil dims the retina, light falls on both


@dataclass(frozen=True)
class Copies:
    """pixels (n, S, S, 3) uint8; of (n,): the row of the set that each is made of; spoilt (n, 3),
    bool: which of DETAILS are bad in it for sure; key: names them."""

    pixels: np.ndarray
    of: np.ndarray
    spoilt: np.ndarray
    key: str

    def targets(self, known: np.ndarray) -> np.ndarray:
        """Labels or probabilities of good (n, 3) of the copies, from those of the pictures that
        they are made of (n, 3): the same, but of spoilt details 0."""
        return np.where(self.spoilt, 0, known)

    def among(self, rows: np.ndarray) -> np.ndarray:
        """Which copies (positions) are made of these rows."""
        return np.flatnonzero(np.isin(self.of, rows))


def copies(data: DataSet, rows: np.ndarray) -> Copies:
    """One copy of each of these rows of a set of fundus photographs cropped to their field; made
    now where it is not there yet."""
    name = data.info["name"]
    spoilt = np.array([_drawn(name, row)[0] for row in rows], bool).reshape(-1, len(DETAILS))
    key = _key(data, rows)

    def make() -> np.ndarray:
        return np.stack([_spoilt(data.pixels[row], name, row) for row in rows])

    pixels = kept(data.folder, f"own-defects-{key}.npy", (len(rows), *data.pixels.shape[1:]), make)
    return Copies(pixels, rows, spoilt, key)


def _drawn(name: str, row: int) -> tuple[np.ndarray, np.random.Generator]:
    """Which of DETAILS are spoilt in the copy of a set's row, and the generator after that draw."""
    draw = rng("own defects", name, int(row))
    which = draw.random(len(DETAILS)) < CHANCE
    one = draw.integers(len(DETAILS))
    which[one] |= not which.any()
    return which, draw


def _spoilt(pixels: np.ndarray, name: str, row: int) -> np.ndarray:
    """The copy of a picture (S, S, 3)."""
    which, draw = _drawn(name, row)
    for cause in ORDER:
        if which[DETAILS.index(cause)]:
            pixels = added_defects.added(pixels, cause, float(draw.uniform(*SEVERITY)), draw)
    return pixels


def _key(data: DataSet, rows: np.ndarray) -> str:
    """Names the pictures, which rows, and the code that adds defects."""
    code = "".join(inspect.getsource(m) for m in (added_defects, defect_effects, fundus_defects))
    return store.settings_hash(
        {
            "pictures": data.info["key"],
            "rows": hashlib.sha256(np.ascontiguousarray(rows, np.int64).tobytes()).hexdigest(),
            "drawn": [SEVERITY, CHANCE, ORDER],
            "code": hashlib.sha256(code.encode()).hexdigest(),
        }
    )


def moments_of(data: DataSet, made: Copies, grain: float = 0.0) -> Floats:
    """networks.field_moments of copies (n, FEATURES), under so much grain; made now where they are
    not there yet."""
    rows = np.arange(len(made.of))
    under = f"-grain{grain:g}" if grain else ""
    name = f"own-defects-{made.key}-moments-{lite0.SHA256[:8]}{under}.npy"
    said = moments_under(grain)
    return kept(data.folder, name, (len(rows), -1), lambda: by_blocks(said, made.pixels, rows))
