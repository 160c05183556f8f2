"""Where a network runs and with how many threads."""

from __future__ import annotations

import os
import warnings

import numpy as np
import torch
from torch import Tensor, nn


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(where: torch.device) -> bool:
    """Whether bfloat16 convolutions and products run on hardware units there."""
    if where.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def on_device(pixels: np.ndarray, where: torch.device) -> Tensor:
    """The pixel store as a tensor: on the GPU when it takes less than half of the free memory, else
    in (mapped) memory."""
    with warnings.catch_warnings():  # torch wants to write; a map to write in needs as much memory
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        tensor = torch.from_numpy(np.asarray(pixels))
    if where.type == "cuda" and tensor.nbytes < torch.cuda.mem_get_info()[0] // 2:
        return tensor.to(where)
    return tensor


def sent(x: Tensor, where: torch.device) -> Tensor:
    """The tensor there. To a GPU without waiting for it: from pinned memory, since a plain `.to`
    first lets the GPU finish all that it has been given, and a step then begins with an idle GPU.

    >>> sent(torch.ones(2), torch.device("cpu"))
    tensor([1., 1.])
    """
    if x.device.type == "cpu" and where.type == "cuda":
        return x.pin_memory().to(where, non_blocking=True)
    return x.to(where)


def device_of(net: nn.Module, otherwise: torch.device) -> torch.device:
    """Where a network's parameters lie; `otherwise` for one that has none."""
    return next((p.device for p in net.parameters()), otherwise)


def threads() -> int:
    """Number of CPU threads that torch uses, set by RIQA_THREADS where given (the plan gives every
    step the same)."""
    if os.environ.get("RIQA_THREADS"):
        torch.set_num_threads(int(os.environ["RIQA_THREADS"]))
    return torch.get_num_threads()
