"""The photographs of a walk: simulated, KOKA10K or a folder of one's own, made once and opened
again."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import paths, store
from ..datasets import koka10k
from ..datasets.data_folder import DataSet, open_dataset


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, how many labels, how the network sees them."""

    # "simulation" (KOKA10K-like), "koka10k" (real, below RIQA_DATA) or "folder" (see `folder`)
    source: str = "simulation"
    labelled: int = 2600  # simulation: labelled pictures in all splits
    pool: int = 2000  # simulation: unlabelled pictures
    pool_kind: str = (
        "pristine"  # simulation: "pristine" (shifted prior, as in the paper) or "matched"
    )
    size: int = 80  # px, side of the stored pictures
    fractions: tuple[float, float, float] = (0.5, 0.1, 0.4)  # train, validation, test
    world: int = 0  # simulation: seed of the world; koka10k, folder: seed of the split
    # koka10k: table of hand labels (columns id, grade); "" = RIQA_DATA/koka10k/extra.csv, if it is
    # there
    extra: str = ""
    rule: str = "mode"  # koka10k: how votes become grades: "mode", "equal_width" or "round_mean"
    folder: dict = field(default_factory=dict)  # source = folder: arguments of pixels.import_folder
    # labelled training pictures that are used; 0 = all. The rest joins the pool, its grades hidden
    labels: int = 0
    crop: int = 64  # px, side of what the network sees
    grid: int = 1  # evaluation: mean over grid x grid crops (1 = the centre)
    pseudo_confidence: float = (
        0.0  # second stage: pseudo-labels surer than this are used (0: all, as in the paper)
    )

    def __post_init__(self) -> None:
        if self.source not in ("simulation", "koka10k", "folder"):
            raise ValueError(
                f"data.source is {self.source!r}; allowed: simulation, koka10k, folder"
            )
        if self.rule not in koka10k.RULES:
            raise ValueError(f"data.rule is {self.rule!r}; allowed: {', '.join(koka10k.RULES)}")
        if self.crop > self.size:
            raise ValueError(f"data.crop is {self.crop} px, larger than data.size, {self.size} px")
        if not 0 <= self.pseudo_confidence < 1:
            raise ValueError(
                f"data.pseudo_confidence is {self.pseudo_confidence}; expected 0 (all) up to, not including, 1"
            )
        if self.labels < 0:
            raise ValueError(
                f"data.labels is {self.labels}; expected 0 (all) or a number of pictures"
            )


def walk_data(name: str) -> DataSet:
    """The data set of a walk, as notebook 01 left it."""
    return open_dataset(store.need(paths.results(name) / "data", "01_koka10k"))
