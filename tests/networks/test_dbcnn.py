"""DBCNN held to its table: shapes of every stage, parameters, bilinear pooling by a slow loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from riqa_lib.networks import dbcnn
from riqa_lib.networks.dbcnn import DBCNN, SCNN, bilinear, shown, signed_root

SCNN_STAGES = [(48, 224), (48, 112), (64, 112), (64, 56), (64, 56), (64, 28), (128, 28), (128, 28)]


def count(module):
    return sum(p.numel() for p in module.parameters())


def pictures(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=g)


def shapes_of(features, kind, x):
    """Channels and side after every module of this kind."""
    out = []
    for module in features:
        x = module(x)
        if isinstance(module, kind):
            assert x.shape[2] == x.shape[3]
            out.append((x.shape[1], x.shape[2]))
    return out


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(0)
    return DBCNN("vgg16", pretrained=False).eval()


@pytest.fixture
def frozen():
    torch.manual_seed(0)
    return DBCNN("lite0", pretrained=False)


@torch.no_grad()
def test_stages_of_the_scnn():
    net = SCNN().eval()
    x = torch.zeros(1, 3, 224, 224)
    kinds = [type(m) for m in net.features]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 9
    assert shapes_of(net.features, nn.ReLU, x) == [*SCNN_STAGES, (128, 14)]
    assert {m.kernel_size for m in net.features if isinstance(m, nn.Conv2d)} == {(3, 3)}
    mean = net.features(x).mean(dim=(2, 3), keepdim=True)
    assert shapes_of(net.projection, nn.ReLU, mean) == [(256, 1), (256, 1)]
    assert net(x).shape == (1, 39)


@torch.no_grad()
def test_stages_of_vgg(paper):
    assert [c for c, _ in shapes_of(paper.backbone, nn.ReLU, torch.zeros(1, 3, 32, 32))] == (
        [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    )
    assert isinstance(paper.backbone[-1], nn.ReLU)  # relu5_3, before the last pool
    assert paper.content(pictures(1, 224, 224)).shape == (1, 512, 14, 14)


def test_parameters(paper, frozen):
    convolutions = sum(9 * a * b + b + 2 * b for a, b, _ in dbcnn.LAYERS)  # with batch norm's two
    head = sum(a * 256 + 256 + 512 for a in (128, 256)) + 256 * 39 + 39
    assert (count(paper.distortions), count(SCNN())) == (convolutions, convolutions + head)
    assert (convolutions, head) == (531_120, 109_863)
    assert count(paper.backbone) == 14_714_688
    assert (paper.fc.in_features, count(paper.fc)) == (65_536, 65_537)
    assert frozen.fc.in_features == 176 * 128


def test_bilinear_pooling_by_a_loop():
    g = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 3, 2, 4, generator=g), torch.randn(2, 5, 2, 4, generator=g)
    a[1] *= 1e-4  # there the 1e-8 below the root counts, and so does h w
    b[1] *= 1e-4
    said = bilinear(a, b)
    for n in range(2):
        rooted = []
        for i in range(3):
            for j in range(5):
                total = sum(
                    float(a[n, i, y, x]) * float(b[n, j, y, x]) for y in range(2) for x in range(4)
                )
                p = total / 8
                rooted.append(math.copysign(math.sqrt(abs(p) + 1e-8), p))
        length = math.sqrt(sum(v * v for v in rooted))
        torch.testing.assert_close(said[n], torch.tensor([v / length for v in rooted]))


def test_root_as_the_paper_has_it_and_finite_at_zero():
    x = torch.tensor([0.0, 1e-9, 0.3, 7.0], requires_grad=True)
    torch.testing.assert_close(signed_root(x), torch.sqrt(x + 1e-8))
    (slope,) = torch.autograd.grad(signed_root(x).sum(), x)
    torch.testing.assert_close(slope[0], torch.tensor(5000.0))
    torch.testing.assert_close(signed_root(-x[2:]), -signed_root(x[2:]))
    a = torch.zeros(1, 2, 3, 3, requires_grad=True)  # a stream that says nothing
    bilinear(a, torch.zeros(1, 4, 3, 3)).sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()


@torch.no_grad()
def test_pixels_as_imagenet_has_them():
    pixels = pictures(2, 16, 20)
    by_hand = pixels.permute(0, 3, 1, 2).float() / 255
    for c, (m, s) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        torch.testing.assert_close(shown(pixels)[:, c], (by_hand[:, c] - m) / s)


@torch.no_grad()
def test_quality_of_whole_pictures_of_any_shape(paper, frozen):
    frozen.eval()
    for net in (paper, frozen):
        wide = pictures(3, 40, 56)  # grids of VGG (2, 3), of the S-CNN (3, 4)
        said = net.quality(wide)
        assert said.shape == (3,)
        assert said.isfinite().all()
        torch.testing.assert_close(net.quality(wide[1:2]), said[1:2], rtol=1e-4, atol=1e-5)
        with pytest.raises(ValueError, match="15 x 40 px: DBCNN needs at least 16"):
            net.quality(pictures(1, 15, 40))


def test_forward_is_the_formula(frozen):
    frozen.standardise(torch.linspace(-1, 1, 176), torch.linspace(0.5, 2, 176))
    frozen.eval()
    pixels = pictures(2, 32, 32)
    with torch.no_grad():
        x = pixels.permute(0, 3, 1, 2) / 255 * 2 - 1  # as Lite0 knows pixels
        maps = frozen.backbone(x)
        maps = (maps - torch.linspace(-1, 1, 176).view(-1, 1, 1)) / torch.linspace(
            0.5, 2, 176
        ).view(-1, 1, 1)
        features = bilinear(maps, frozen.distortions(shown(pixels)))
        by_hand = features @ frozen.fc.weight[0] + frozen.fc.bias
        torch.testing.assert_close(frozen.quality(pixels), by_hand, rtol=1e-4, atol=1e-5)


def test_batch_norm_keeps_its_statistics_and_the_stem_its_weights(frozen):
    frozen.train()
    before = {k: v.clone() for k, v in frozen.state_dict().items()}
    optim = torch.optim.SGD([p for p in frozen.parameters() if p.requires_grad], lr=0.1)
    frozen.quality(pictures(4, 32, 32)).square().sum().backward()
    optim.step()
    after = frozen.state_dict()
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert moved == {k for k in before if k.startswith(("fc.", "distortions."))} - {
        k for k in before if k.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }


def test_vgg_is_trained_along(paper):
    paper.train()
    paper.quality(pictures(1, 32, 32)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in paper.backbone.parameters())
    paper.zero_grad()
    paper.eval()


def test_errors_say_what_to_do(monkeypatch):
    with pytest.raises(ValueError, match=r"dbcnn.backbone is 'vgg19'; allowed: 'lite0', 'vgg16'"):
        DBCNN("vgg19")

    def unreachable(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(dbcnn.timm, "create_model", unreachable)
    with pytest.raises(OSError, match=r"could not be had from timm's hub.*lite0"):
        DBCNN("vgg16", pretrained=True)
