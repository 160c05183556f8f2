"""A stage of a training that is cut into several: steps of an optimiser, saved now and then, gone
on with after an interruption, not done again once they are finished.

Every step's randomness depends on its number, so a stage that was interrupted ends with the same
bits as one that was not (on the same machine and thread count)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import bars
from ..networks.weights import is_finite
from . import saved_state
from .loop import Best


class Stage:
    """A network, its optimiser, what was noted, the best weights; `done`: steps so far.

    learn(step): one step of the optimiser, returns the loss (); check(step): what validation says
    after so many steps, a row of the history, "val_mae" in it. What `file` holds of an earlier
    call is gone on from, unless it is damaged."""

    def __init__(self, net: nn.Module, optim: torch.optim.Optimizer, file: Path, name: str) -> None:
        self.net, self.optim, self.file, self.name = net, optim, file, name
        self.done, self.history, self.best = 0, list[dict[str, Any]](), Best()
        self._resume()

    def run(
        self,
        steps: int,
        checks: int,
        learn: Callable[[int], Tensor],
        check: Callable[[int], dict[str, float]],
        stop_after: int | None = None,
    ) -> None:
        """Go on up to so many steps, with so many checks at even distances, each followed by a
        saved state. stop_after: return after that many steps (tests). FloatingPointError where the
        loss or a weight is not a number."""
        due = {round(steps * (k + 1) / checks) for k in range(checks)}
        losses: list[Tensor] = []
        last = steps if stop_after is None else min(steps, stop_after)
        each = range(self.done, last)
        for step in bars.bar(each, initial=self.done, total=steps, desc=self.name):
            losses.append(learn(step).detach())
            self.done = step + 1
            if self.done in due:
                self._note(float(torch.stack(losses).mean()), check(self.done))
                losses = []

    def _note(self, loss: float, said: dict[str, float]) -> None:
        if not math.isfinite(loss):
            raise FloatingPointError(f"{self.name}: the loss is {loss} by step {self.done}")
        if not is_finite(self.net):
            raise FloatingPointError(f"{self.name}: weights are no numbers by step {self.done}")
        self.history.append({"step": self.done, "loss": loss} | said)
        if "val_mae" in said:
            self.best.offer(said["val_mae"], self.net)
        self._save()

    def _save(self) -> None:
        """All that the next step depends on, in one file (see saved_state)."""
        parts = {"net": self.net.state_dict(), "best": self.best.weights}
        note = {"step": self.done, "history": self.history, "score": self.best.score}
        saved_state.save(self.file, parts, note, self.optim)

    def _resume(self) -> None:
        state = saved_state.read(self.file, self.optim)
        if state is None:
            return
        self.net.load_state_dict(state.part("net"))
        self.best.score, self.best.weights = state.note["score"], state.part("best")
        state.load_into(self.optim)
        self.done, self.history = state.note["step"], state.note["history"]
