"""The usual pipeline that training is held against computes what ours computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import usual_pipeline
from riqa_lib.networks.vit import ViT
from riqa_lib.training import photographs

C = usual_pipeline.CLASSES
UNIFORM = torch.full((C,), 1 / C)


def ours(method):
    run = usual_pipeline.run_of(method, "smoke", "pixels", "weak", {f"{method}.tau": 0.3})
    return photographs.made(run, ViT(run.model, run.data.crop, C), C, UNIFORM)


def logits(g, *counts):
    return [2 * torch.randn(n, C, generator=g) for n in counts]


def test_fixmatch_is_the_same_loss():
    g = torch.Generator().manual_seed(0)
    z_x, z_w, z_s = logits(g, 4, 12, 12)
    y = torch.tensor([0, 4, 2, 2])
    expected = ours("fixmatch").terms(z_x, y, z_w, z_s)
    assert 0 < expected["kept"] < 1
    loss = usual_pipeline.fixmatch_loss(z_x, y, z_w, z_s, 0.3)
    torch.testing.assert_close(loss, expected["loss"])


def test_simmatch_is_the_same_loss_and_the_same_memory_for_two_steps():
    method, g = ours("simmatch"), torch.Generator().manual_seed(1)
    labels = torch.arange(20) % C
    usual = usual_pipeline.SimMatchLoss(method.config, labels, torch.device("cpu"))
    method.bank.write(torch.arange(20), usual.bank, labels, 0.0)
    for _ in range(2):
        z_x, z_w, z_s = logits(g, 4, 12, 12)
        shapes = (4, 12, 12)
        f_x, f_w, f_s = (
            F.normalize(torch.randn(n, method.config.dim, generator=g), dim=1) for n in shapes
        )
        index = torch.tensor([3, 7, 0, 19])
        y = labels[index]
        expected = method.terms(z_x, y, index, f_x, z_w, f_w, z_s, f_s)
        loss = usual(z_x, y, index, f_x, z_w, f_w, z_s, f_s)
        torch.testing.assert_close(loss, expected["loss"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(usual.bank, method.bank.f)


@pytest.mark.parametrize("name", usual_pipeline.COMPARISONS)
def test_a_comparison_times_both_sides(name, tmp_path):
    files = usual_pipeline.written(tmp_path, 40, 40)
    row = usual_pipeline.compared(name, "simmatch", "smoke", files, 1, 1, 0, {})
    c = photographs.settings("smoke", "simmatch", 0).train
    assert row["pictures"] == c.batch * (1 + 2 * c.mu)
    assert row["times_faster"] == pytest.approx(row["usual_mean_ms"] / row["ours_mean_ms"])
    assert min(row["usual_load_ms"], row["usual_learn_ms"], row["store_seconds"]) > 0


def test_both_sides_read_the_same_pictures(tmp_path):
    (file,) = usual_pipeline.written(tmp_path, 1, 40)
    stored = usual_pipeline.decoded([file], torch.device("cpu"))[0].numpy()
    transform = usual_pipeline.weak_transform(40)  # as large as the picture: only the flip is left
    seen, grade, index = usual_pipeline.Files([file], [transform])[0]
    assert (grade, index) == (0, 0)
    expected = (stored.transpose(2, 0, 1) / 255 - 0.45) / 0.25
    same = [np.abs(seen.numpy() - x).max() < 1e-5 for x in (expected, expected[..., ::-1])]
    assert any(same)
