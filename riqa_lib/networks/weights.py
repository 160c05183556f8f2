"""Weights on disk, as safetensors: written whole, read with a clear error."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .. import paths, repairs, store


def is_finite(net: nn.Module) -> bool:
    """Whether every weight is a number.

    >>> net = nn.Linear(2, 1)
    >>> _ = net.bias.data.fill_(float("nan"))
    >>> is_finite(net)
    False
    """
    return all(bool(v.isfinite().all()) for v in net.state_dict().values())


def save_weights(file: Path, net: nn.Module) -> None:
    """Weights as safetensors, atomically. FloatingPointError where one is not a number."""
    if not is_finite(net):
        raise FloatingPointError(
            f"{paths.shown(file)}: weights are no numbers; nothing was kept (a lower learning "
            "rate may help)"
        )
    with store.replacing(file) as part:
        save_file(
            {k: v.detach().cpu().contiguous().clone() for k, v in net.state_dict().items()}, part
        )


def load_weights(file: Path, net: nn.Module, skip: tuple[str, ...] = ()) -> None:
    """Weights from safetensors into `net`; `skip`: prefixes left as they are (heads). ValueError if
    they don't fit."""
    try:
        with safe_open(file, "pt") as f:
            names = [k for k in f.keys() if not k.startswith(skip or ("\0",))]  # noqa: SIM118
            found = {k: f.get_tensor(k) for k in names}
        missing, unexpected = net.load_state_dict(found, strict=False)
    except SafetensorError as e:
        raise ValueError(f"{paths.shown(file)}: damaged ({e}); {repairs.advice(file)}") from e
    except RuntimeError as e:
        raise ValueError(f"{paths.shown(file)}: these weights don't fit this network ({e})") from e
    wrong = [k for k in missing if not k.startswith(skip or ("\0",))] + list(unexpected)
    if wrong:
        raise ValueError(
            f"{paths.shown(file)}: these weights don't fit this network: {', '.join(wrong[:5])}"
        )
