"""Where a network runs, with how many threads, and what becomes of the memory it gives back."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them
KEPT_BLOCK, KEPT_FREE = 2**28, 2**30  # bytes


def device() -> torch.device:
    """The GPU if there is one, else the CPU; there what a network gives back is kept
    (`keep_memory`)."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    keep_memory()
    return torch.device("cpu")


@lru_cache(maxsize=1)
def keep_memory() -> bool:
    """Memory that is given back stays with this process: blocks of up to KEPT_BLOCK, up to
    KEPT_FREE in all. Whether that was set: not where glibc's malloc is not there (Linux has it),
    nor where GLIBC_TUNABLES says how memory is given, as it does in a plan's kernels.

    A network asks for the same blocks again and again. As malloc comes, those of more than 32 MB
    go back to the system each time, smaller ones often, and every page that comes again is filled
    with zeros first. Measured on two cores of an Intel Xeon, in turns: the frozen stem on 32
    pictures of 224 px 283 ms instead of 370; a step of FixMatch from pixels of 224 px 1.7 s instead
    of 2.35 (120 pictures), of 64 px 395 ms instead of 434, on stored maps 49 instead of 53. The
    most memory taken was 4 to 15 % more, since blocks of one size leave holes for another."""
    if "GLIBC_TUNABLES" in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc, not Linux
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK) and mallopt(M_TRIM_THRESHOLD, KEPT_FREE))


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
