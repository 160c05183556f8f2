"""What an interrupted training goes on from: tensors, the optimiser's, a note, in one file with the
SHA-256 of all that is in it. A damaged one is not gone on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .. import paths, store


class SavedState:
    """A state as it was saved. note: what JSON holds, besides the tensors."""

    def __init__(self, note: Any, tensors: Mapping[str, Tensor]) -> None:
        self.note, self.tensors = note, tensors

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors that were saved under this name."""
        first = f"{name}."
        return {k[len(first) :]: v for k, v in self.tensors.items() if k.startswith(first)}

    def suits(self, optim: torch.optim.Optimizer) -> bool:
        """Whether the optimiser's parameters come in the order of the one that was saved, as far as
        shapes tell; not so where another version put them into other groups."""
        parameters = [p for group in optim.param_groups for p in group["params"]]
        for key, value in self.part("optim").items():
            place = int(key.split(".", 1)[0])
            if value.ndim and (place >= len(parameters) or value.shape != parameters[place].shape):
                return False
        return True

    def load_into(self, optim: torch.optim.Optimizer) -> None:
        """The optimiser goes on where it was."""
        state: dict[str, Any] = optim.state_dict()
        for key, value in self.part("optim").items():
            i, slot = key.split(".", 1)
            state["state"].setdefault(int(i), {})[slot] = value
        optim.load_state_dict(state)
        for parameter, slots in optim.state.items():
            # laid out as their parameter is (channels last, perhaps): a fused step runs through
            # both side by side
            slots |= {
                slot: torch.empty_like(parameter).copy_(value)
                for slot, value in slots.items()
                if value.shape == parameter.shape and value.ndim
            }


def save(
    file: Path,
    parts: Mapping[str, Mapping[str, Tensor]],
    note: Any,
    optim: torch.optim.Optimizer | None = None,
) -> None:
    """Write tensors by part, the optimiser's and a note (JSON), whole or not at all, without
    pickle."""
    tensors = {f"{part}.{k}": v for part, own in parts.items() for k, v in own.items()}
    for i, slots in optim.state_dict()["state"].items() if optim else ():
        tensors |= {f"optim.{i}.{k}": torch.as_tensor(v) for k, v in slots.items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    told = json.dumps(note)
    with store.replacing(file) as part:
        save_file(tensors, part, {"riqa": told, "sha256": _digest(told, tensors)})


def read(file: Path, optim: torch.optim.Optimizer | None = None) -> SavedState | None:
    """What `save` wrote; None where there is nothing, or where it is damaged, or is not of such an
    optimiser: then a line says so, and the file is gone."""
    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as f:
            about = f.metadata() or {}
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (no mapping)
        if about.get("sha256") != _digest(about.get("riqa", ""), tensors):
            raise ValueError("what is in it is not what was saved")
        state = SavedState(json.loads(about["riqa"]), tensors)
    except (SafetensorError, ValueError) as e:
        _throw_away(file, f"damaged ({e})")
        return None
    if optim is not None and not state.suits(optim):
        _throw_away(file, "of another version (the optimiser has other parameters)")
        return None
    return state


def _throw_away(file: Path, why: str) -> None:
    print(f"{paths.shown(file)}: {why}; thrown away, this part starts anew", flush=True)
    file.unlink()


def _digest(note: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the note and of every tensor, with its name, type and shape."""
    seen = hashlib.sha256(note.encode())
    for name, tensor in sorted(tensors.items()):
        seen.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            seen.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return seen.hexdigest()
