"""What the models of related work have in common: a picture in, one number out, its quality."""

from __future__ import annotations

from torch import Tensor, nn


class Regressor(nn.Module):
    """A network that says how good pictures are, on the scale of grades: 0 (worst) to classes - 1.

    A run of one is scored, audited and tried on other data by `quality` alone."""

    def quality(self, pixels: Tensor) -> Tensor:
        """Expected grade (N,), float, of pictures (N, S, S, 3) uint8, any N and any S that the
        network takes, on the device of the network's weights. Evaluation mode and no gradients are
        the caller's; what evaluation shows of a picture (mirror image, crops) is averaged here, the
        same every time."""
        raise TypeError(f"{type(self).__name__} has no quality(pixels)")
