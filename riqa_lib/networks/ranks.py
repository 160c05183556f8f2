"""Several processes in one training, called ranks: what each does of a batch, and what all know.

A step's batch is that of one process, whatever the number of ranks: rank r of R has rows r, r + R,
r + 2R, ... of it, equally many as the others. So

    a mean over rows in a loss    is over a rank's own rows: DistributedDataParallel averages the
                                  gradients, and the mean of the ranks' means is that of the batch
    all else that rows make       (a threshold, a mean to align to, a bank, a graph, a denominator
                                  that is counted) is made from `rows(x)`: the rows of the whole
                                  batch, in the order of one process, the same on every rank

Gradients flow through `rows`. The rest of the library knows nothing of ranks but these functions;
with one process each gives back what it was given, or draws what torch would.

Started by training.launch. A GPU each over NCCL, or, without GPUs, processes over gloo."""

from __future__ import annotations

import contextlib
import datetime
import inspect
import os
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

# until a rank that waits for another gives up: none is still busy with something of its own
TIMEOUT = datetime.timedelta(minutes=30)

Kind = TypeVar("Kind", Tensor, np.ndarray)


def world() -> int:
    """How many processes train together: R; 1 where this one is alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, 0 to R - 1."""
    return dist.get_rank() if world() > 1 else 0


def first() -> bool:
    """Whether this is rank 0, which alone writes and shows anything."""
    return rank() == 0


def join(place: int, processes: int, meeting: str) -> None:
    """Become rank `place` of so many. meeting: a URL that all can reach (torch's init_method). On a
    machine with GPUs this process takes the GPU of its number."""
    if torch.cuda.is_available():
        torch.cuda.set_device(place)
    # all of one machine: nobody else is listened to
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, "lo0" if os.uname().sysname == "Darwin" else "lo")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend, init_method=meeting, timeout=TIMEOUT, world_size=processes, rank=place
    )


def leave() -> None:
    """Be alone again."""
    dist.destroy_process_group()


def wait() -> None:
    """Until every rank is here."""
    rows(torch.zeros(1))


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """Rank 0 goes through the block first, then the others: they find what it leaves there."""
    if not first():
        wait()
    yield
    if first():
        wait()


# ---------------------------------------------------------------- rows of the batch
def mine(x: Kind, dim: int = 0) -> Kind:
    """This rank's of the rows x of the whole batch, which lie along `dim`.

    >>> mine(torch.arange(4))
    tensor([0, 1, 2, 3])
    """
    if world() == 1:
        return x
    return x[(slice(None),) * dim + (slice(rank(), None, world()),)]


def rows(x: Tensor) -> Tensor:
    """The rows of the whole batch from this rank's x (n, ...): (R n, ...), in the order of one
    process, on every rank. Every rank must call it, with as many rows.

    With gradient: a row learns from the losses of all ranks; the mean that
    DistributedDataParallel takes makes of that the gradient of the ranks' mean loss.

    >>> rows(torch.arange(4))
    tensor([0, 1, 2, 3])
    """
    return x if world() == 1 else _Rows.apply(x)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(world())]
        dist.all_gather(parts, x)
        return torch.stack(parts, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        asked = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(asked)
        return mine(asked)


def mean(x: Tensor) -> Tensor:
    """Mean of x over the ranks, element by element; with gradient, as `rows`."""
    return x if world() == 1 else rows(x.unsqueeze(0)).mean(dim=0)


def shared(x: np.ndarray) -> np.ndarray:
    """This rank's of any number of rows, for `joined`: equally many on each, so that the last row
    may come several times."""
    return mine(np.pad(x, (0, -len(x) % world()), mode="edge")) if world() > 1 else x


def joined(x: Tensor, count: int) -> Tensor:
    """What was made of `shared` rows, again of all `count` of them, in their order."""
    return rows(x)[:count]


# ---------------------------------------------------------------- random numbers of the batch
def rand(size: tuple[int, ...], g: torch.Generator, dim: int = 0) -> Tensor:
    """torch.rand of this rank's rows, size[dim] of them: those numbers that one process would give
    to these rows of its batch. Every rank's g is in the same state, and stays so."""
    return mine(torch.rand(_whole(size, dim), generator=g), dim)


def randint(high: int, size: tuple[int, ...], g: torch.Generator) -> Tensor:
    """torch.randint, 0 to high - 1, of this rank's rows, as `rand`."""
    return mine(torch.randint(high, _whole(size, 0), generator=g))


def uniform(x: Tensor, low: float, high: float, g: torch.Generator) -> Tensor:
    """Uniform numbers in the shape and memory order of x, of this rank's rows, as `rand`; g is of
    x's device."""
    if world() == 1:
        return torch.empty_like(x).uniform_(low, high, generator=g)
    order = sorted(range(x.ndim), key=x.stride, reverse=True)  # of memory; rows come first
    whole = torch.empty(_whole(tuple(x.permute(order).shape), 0), dtype=x.dtype, device=x.device)
    drawn = mine(whole.uniform_(low, high, generator=g))
    return drawn.permute([order.index(k) for k in range(x.ndim)])


def rand_like(x: Tensor) -> Tensor:
    """torch.rand_like of this rank's rows x (n, ...): rank 0 draws those of the whole batch."""
    if world() == 1:
        return torch.rand_like(x)
    whole = x.new_empty(_whole(tuple(x.shape), 0)).uniform_()
    dist.broadcast(whole, 0)
    return mine(whole)


def _whole(size: tuple[int, ...], dim: int) -> tuple[int, ...]:
    return (*size[:dim], size[dim] * world(), *size[dim + 1 :])


# ---------------------------------------------------------------- one network on all ranks
def must_share(batch: int, mu: int, processes: int) -> None:
    """ValueError unless so many processes can share a batch of `batch` labelled and mu times as
    many unlabelled pictures evenly.

    >>> must_share(batch=30, mu=2, processes=4)
    Traceback (most recent call last):
    ValueError: train.batch is 30 (train.mu 2: 60 unlabelled), which 4 processes cannot share ...
    """
    if batch % processes:
        raise ValueError(
            f"train.batch is {batch} (train.mu {mu}: {mu * batch} unlabelled), which {processes} "
            f"processes cannot share evenly; expected a multiple of {processes}, "
            f"for example {max(1, round(batch / processes)) * processes}"
        )


def learner(module: nn.Module, uses_all: bool = True) -> nn.Module:
    """The module, its gradients averaged over ranks after each backward pass; the module itself
    where this process is alone. Weights begin as rank 0's.

    uses_all: whether its loss moves every weight each step; False costs a look at each step's
    graph. Buffers are not sent around: they are the same where they were made from `rows`, which
    `must_agree` looks at."""
    if world() == 1:
        return module
    kind: Any = nn.parallel.DistributedDataParallel
    known = inspect.signature(kind).parameters
    # the same under two names: torch 2.13 has another
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    return kind(module, find_unused_parameters=not uses_all, **{buffers: False})


def must_use_all(module: nn.Module) -> None:
    """ValueError, naming the first, where a step gave some weight no gradient."""
    if world() == 1:
        return
    for name, weight in module.named_parameters():
        if weight.requires_grad and weight.grad is None:
            raise ValueError(
                f"no loss needs {name}: with several processes, set uses_all = False in "
                f"{type(module).__name__}"
            )


@torch.no_grad()
def must_agree(module: nn.Module, when: str) -> None:
    """RuntimeError, naming the first that differs, unless every weight and buffer is the same on
    every rank."""
    if world() == 1:
        return
    named = module.state_dict()
    sums = torch.stack([v.double().sum().cpu() for v in named.values()]).nan_to_num()
    each = rows(sums.unsqueeze(0))  # (R, tensors)
    differ = (each != each[0]).any(dim=0)
    if differ.any():
        name = list(named)[int(differ.nonzero()[0])]
        raise RuntimeError(
            f"{name} is not the same in all {world()} processes {when}: what is made of a batch "
            "must be made from networks.ranks.rows(...) of it"
        )
