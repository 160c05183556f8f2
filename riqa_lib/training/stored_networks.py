"""Trained networks of photographs, out of their runs' folders: the same network, which sees the
same of a picture as where it was trained.

Two kinds: networks that classify, on pixels or on the maps of a frozen stem, which are made on the
fly here; and the models of related work, which say one number (networks.regressor)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import paths, store
from ..networks import lite0
from ..networks.device import device
from ..networks.lite0 import Lite0
from ..networks.map_store import maps_of, the_stem
from ..networks.predict import probabilities
from ..networks.regressor import Regressor
from ..networks.sources import Maps, Pixels, Source
from ..networks.vit import ViT, ViTConfig
from ..networks.weights import load_weights
from . import related_profiles
from .baselines import Floats, as_probabilities

WEIGHTS, ABOUT = "model.safetensors", "about.json"
FORWARD = 64  # pictures a forward pass


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, on the device. stem: of one that learnt from maps, what makes
    them; about: the run's about.json (training.photo_about)."""

    net: ViT | Regressor
    stem: Lite0 | None
    about: dict[str, Any]

    def probabilities(self, pixels: np.ndarray, batch: int = FORWARD) -> Floats:
        """(N, C) of pictures (N, S, S, 3) uint8, as the run stores them. Any N: `batch` of them at
        a time."""
        if isinstance(self.net, Regressor):
            return as_probabilities(self.quality(pixels, batch), int(self.about["classes"]))
        parts = []
        for chunk in torch.from_numpy(np.array(pixels)).split(batch):
            source = self._source(self.net, chunk)
            parts.append(probabilities(self.net, source, np.arange(len(chunk))))
        return torch.cat(parts).numpy().astype(float)

    @torch.no_grad()
    def quality(self, pixels: np.ndarray, batch: int = FORWARD) -> Floats:
        """What a network that regresses says of pictures (N, S, S, 3) uint8: (N,), as it says it,
        not held to the scale. TypeError of another network."""
        if not isinstance(self.net, Regressor):
            raise TypeError(f"{type(self.net).__name__} classifies: it has no quality")
        where = next(self.net.parameters()).device
        parts = torch.from_numpy(np.array(pixels)).split(batch)
        said = [self.net.quality(chunk.to(where)).double().cpu() for chunk in parts]
        return torch.cat(said).numpy()

    def _source(self, net: ViT, pixels: Tensor) -> Source:
        """What a network that classifies sees pixels through."""
        where = next(net.parameters()).device
        crop = int(self.about["crop"])
        if self.stem is None:
            return Pixels(pixels.to(where), crop, int(self.about["grid"]))
        mean = net.vit.patch_embed.mean.flatten()
        maps = maps_of(self.stem, pixels).to(where)
        return Maps(maps, crop // lite0.STRIDE, mean, shown=int(self.about.get("looks", 8)))


def load(folder: Path) -> Trained:
    """The network of a finished run of photographs. FileNotFoundError, saying what to do, where the
    run has no weights or says nothing of itself; ValueError, naming the file, for settings of
    another version of riqa or weights that don't fit."""
    if lacking := [name for name in (WEIGHTS, ABOUT) if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"{paths.shown(folder)}: {', '.join(lacking)} not there: no network, or one trained by "
            "an earlier riqa; delete the folder and train again"
        )
    config, about = (store.read_json(folder / name) for name in ("config.json", ABOUT))
    if "model" not in config:
        return Trained(_regressor(folder, config, about).to(device()).eval(), None, about)
    net = _classifier(folder, config, about).to(device()).eval()
    frozen = bool(config["model"]["freeze"])
    stem = the_stem(bool(config["model"]["scales"])) if frozen else None
    return Trained(net, stem, about)


def _classifier(folder: Path, config: dict[str, Any], about: dict[str, Any]) -> ViT:
    try:
        model = ViTConfig(**config["model"])
    except TypeError as e:
        raise _other_version(folder, e) from e
    if not model.freeze:  # the weights are in the run: none are fetched
        model = dataclasses.replace(model, weights="none")
    net = ViT(model, int(about["crop"]), int(about["classes"]))
    load_weights(folder / WEIGHTS, net)
    return net


def _regressor(folder: Path, config: dict[str, Any], about: dict[str, Any]) -> Regressor:
    method = dict(config["method"])
    try:
        model = related_profiles.model(method["name"])
        settings = type(model.settings)(**method)
    except (TypeError, KeyError, ValueError) as e:
        raise _other_version(folder, e) from e
    net = related_profiles.untrained(model, settings, int(about["classes"]), int(about["size"]))
    load_weights(folder / WEIGHTS, net)
    return net


def _other_version(folder: Path, e: Exception) -> ValueError:
    return ValueError(
        f"{paths.shown(folder / 'config.json')}: settings of another version of riqa ({e})"
    )
