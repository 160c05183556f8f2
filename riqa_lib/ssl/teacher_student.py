r"""Teacher and Student (Telesco et al., arXiv 2511.13353): details learnt from a small set, passed
on as pseudo-labels.

With z_j the logits of the details (illumination, clarity, contrast; 1 good) and f the probabilities
of the overall grade,

    L_A = sum_ij m_ij BCE(sigmoid(z_ij), t_ij) / sum_ij m_ij          details; m = 0: no target
    L_B = mean_i CE(f_i, y_i)                     overall grade; own-defect copies have none
    Teacher   L = L_A,                        t from people, m = 1 where they said something
    Student   L = lambda_A L_A + lambda_B L_B, t from the Teacher's probability p:
              soft       t = p                m = 1
              hard       t = [p >= 1/2]       m = 1
              filtered   t = p                m = [|p - 1/2| > margin]
    single-task: lambda_A = 0
Own-defect copies (training.own_defects, not the paper's) have m = own_defects, a weight below 1.

The paper leaves open whether its pseudo-labels are soft or hard; soft is our default, the others
are ablations. Views only flip and turn: brightness, contrast and sharpness are what is graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn

from ..bounds import OneOf, Range
from ..networks import ranks
from ..networks.network import Network
from ..networks.predict import two_heads
from ..networks.views import Policy
from ..scales import DETAILS
from .base import Batch, Method, MethodConfig

GEOMETRY = Policy(flip=0.5, turns=True)


PSEUDO = ("soft", "hard", "filtered")


Floats = NDArray[np.float64]


def pseudo_targets(p: Floats, kind: str, margin: float = 0.25) -> tuple[Floats, Floats]:
    """Targets and mask (N, 3) from the Teacher's probabilities of good (N, 3). ValueError for
    another kind or range.

    >>> target, mask = pseudo_targets(np.array([[0.9, 0.6, 0.2]]), "filtered")
    >>> target.tolist(), mask.tolist()
    ([[0.9, 0.6, 0.2]], [[1.0, 0.0, 1.0]])
    """
    if kind not in PSEUDO:
        raise ValueError(f"student.pseudo is {kind!r}; allowed: {', '.join(PSEUDO)}")
    p = np.asarray(p, float)
    if p.ndim != 2 or p.shape[1] != len(DETAILS) or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(
            f"pseudo-labels of shape {p.shape}: expected probabilities (N, {len(DETAILS)})"
        )
    target = (p >= 0.5).astype(float) if kind == "hard" else p
    mask = np.abs(p - 0.5) > margin if kind == "filtered" else np.ones_like(p)
    return target, mask.astype(float)


def masked_bce(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """L_A of the formula above; 0 (with gradient 0) where the mask is 0 everywhere. logits,
    targets, mask (N, 3).

    >>> logits, mask = torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]])
    >>> round(masked_bce(logits, torch.ones(1, 3), mask).item(), 4)  # log 2
    0.6931
    """
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * mask).sum() / ranks.mean(mask.sum()).clamp_min(1e-6)


def known_cross_entropy(logits: Tensor, grades: Tensor) -> Tensor:
    """L_B of the formula above over the pictures whose grade is known, 0 or more; 0 (with gradient
    0) where none is. logits (N, C), grades (N,).

    >>> round(known_cross_entropy(torch.zeros(2, 3), torch.tensor([1, -1])).item(), 4)  # log 3
    1.0986
    """
    each = F.cross_entropy(logits, grades, reduction="none", ignore_index=-1)
    return each.sum() / ranks.mean((grades >= 0).sum().float()).clamp_min(1 / ranks.world())


def _weighted(mask: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The mask (N, 3) of L_A, of pictures that count by weights (N,)."""
    return mask if weights is None else mask * weights[:, None]


class _Details(Method):
    """What both share: targets of the details beside the pictures, geometric views, two heads."""

    targets: Tensor
    mask: Tensor
    weak_policy = GEOMETRY
    higher_is_better = True

    def __init__(self, net: Network, classes: int, targets: np.ndarray, mask: np.ndarray) -> None:
        super().__init__(net, classes)
        self.register_buffer(
            "targets", torch.as_tensor(targets, dtype=torch.float32), persistent=False
        )
        self.register_buffer("mask", torch.as_tensor(mask, dtype=torch.float32), persistent=False)

    def seen(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(overall logits, details logits, L_A) of a batch; its index says which rows of the
        targets belong to it."""
        overall, details = self.net(batch.x.images, batch.x.keep)
        index = batch.index.to(self.targets.device)
        return (
            overall.float(),
            details,
            masked_bce(details.float(), self.targets[index], self.mask[index]),
        )


class Teacher(_Details):
    """Details learnt from people's labels (N, 3): 1 good, 0 bad, -1 unknown (no target). weights
    (N,): how much each picture counts, 1 by default."""

    criterion = "val_auc"
    uses_all = False  # of the overall grade it learns nothing

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """learns: which pictures of the detailed set the final Teacher learns from: "train" (its
        test sources stay unseen) or "all". folds: whether the sources that it learns from are left
        out one by one, which calibration and pseudo-labels' noise need."""

        # folds: no profile or row changes it; False is for pictures of one source alone
        where: ClassVar[str] = "teacher."
        name: str = "teacher"
        learns: Annotated[str, OneOf("train", "all")] = "train"
        folds: bool = True
        own_defects: Annotated[float, Range(0, 1)] = 0.0

    def __init__(
        self,
        net: Network,
        classes: int,
        labels: np.ndarray,
        val_labels: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> None:
        mask = _weighted(labels >= 0, weights)
        super().__init__(net, classes, np.maximum(labels, 0), mask)
        self.val_labels = val_labels

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        loss = self.seen(batch)[2]
        return {"loss": loss}

    def validation(self, net: nn.Module, material: Any) -> dict[str, float]:
        """Mean AUC over the details of the pictures that were left out (nan where none were):
        shown, never selected by."""
        if not len(material.val):
            return {"val_auc": float("nan")}
        p = two_heads(net, material.source, material.val)[1].numpy()
        return {"val_auc": mean_auc(self.val_labels, p)}


class Student(_Details):
    """The overall grade from people, -1 where nobody said any; the details from the Teacher,
    pseudo (N, 3). weights (N,): how much the details of each picture count, 1 by default."""

    criterion = "val_macro_f1"

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """lambda_a, lambda_b: weights of details and overall grade. grid: values of lambda_a to
        choose from by validation macro F1 of the overall grade (empty: lambda_a is taken as it is).
        pseudo: "soft", "hard" or "filtered"; margin: of the last. own_defects: as a Teacher has
        it; of a copy only the details are learnt."""

        # lambda_b, margin: no profile or row changes them; ours, as the paper leaves them open
        where: ClassVar[str] = "student."
        name: str = "student"
        lambda_a: Annotated[float, Range(0)] = 1.0
        lambda_b: Annotated[float, Range(above=0)] = 1.0
        grid: Annotated[tuple[float, ...], Range(above=0)] = ()
        pseudo: Annotated[str, OneOf(*PSEUDO)] = "soft"
        margin: Annotated[float, Range(0, below=0.5)] = 0.25
        own_defects: Annotated[float, Range(0, 1)] = 0.0

    def __init__(
        self,
        net: Network,
        classes: int,
        config: Config,
        pseudo: Floats,
        weights: np.ndarray | None = None,
    ) -> None:
        targets, mask = pseudo_targets(pseudo, config.pseudo, config.margin)
        super().__init__(net, classes, targets, _weighted(mask, weights))
        self.lambda_a, self.lambda_b = config.lambda_a, config.lambda_b

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        overall, _, of_details = self.seen(batch)
        of_overall = known_cross_entropy(overall, batch.y)
        loss = self.lambda_a * of_details + self.lambda_b * of_overall
        return {
            "loss": loss,
            "overall_loss": of_overall.detach(),
            "details_loss": of_details.detach(),
        }

    def validation(self, net: nn.Module, material: Any) -> dict[str, float]:
        """Macro F1 of the overall grade, by which weights are selected, and accuracy."""
        p = two_heads(net, material.source, material.val)[0].numpy()
        said = p.argmax(axis=1)
        classes = range(p.shape[1])
        return {
            "val_macro_f1": float(
                f1_score(
                    material.val_grades, said, average="macro", labels=[*classes], zero_division=0
                )
            ),
            "val_accuracy": float((said == material.val_grades).mean()),
        }


def mean_auc(labels: np.ndarray, p: np.ndarray) -> float:
    """Mean over the details of the AUC of p (N, 3) for labels (N, 3): 1, 0, -1 unknown; details of
    one class are left out."""
    found = []
    for j in range(p.shape[1]):
        known = labels[:, j] >= 0
        if len(np.unique(labels[known, j])) == 2:
            found.append(roc_auc_score(labels[known, j], p[known, j]))
    return float(np.mean(found)) if found else float("nan")
