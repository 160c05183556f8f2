"""The losses of Teacher and Student against slow loops, and what they must not see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from riqa_lib.networks.predict import probabilities, two_heads
from riqa_lib.networks.resnet import MultiTaskResNet, ResNetConfig
from riqa_lib.networks.sources import Pixels
from riqa_lib.networks.views import View
from riqa_lib.ssl import teacher_student
from riqa_lib.stats import calibration
from riqa_lib.training import loop
from riqa_lib.training.loop import Material, TrainConfig

TINY = ResNetConfig(width=4)
FAST = TrainConfig(steps=4, batch=6, evaluations=2, precision="fp32", lr=1e-2)
ROWS = 24
NOBODY = np.array([], int)


def pixels(n=ROWS + 12, size=34):
    out = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8)
    for k in range(3):
        out[np.arange(n) % 3 == k] //= (8, 2, 1)[k]
    return torch.from_numpy(out)


def material(classes=3):
    rows = np.arange(ROWS + 12)
    val = rows[ROWS:]
    return Material(
        source=Pixels(pixels(), 33),
        labelled=rows[:ROWS],
        grades=rows[:ROWS] % classes,
        unlabelled=NOBODY,
        val=val,
        val_grades=val % classes,
    )


def net(seed=0, classes=3):
    torch.manual_seed(seed)
    return MultiTaskResNet(TINY, classes)


def student(pseudo=None, seed=0, **changes):
    pseudo = np.random.default_rng(1).random((ROWS, 3)) if pseudo is None else pseudo
    return teacher_student.Student(net(seed), 3, teacher_student.Student.Config(**changes), pseudo)


def weights(module):
    return torch.cat([v.double().flatten() for v in module.state_dict().values()])


def batch_of(method, step=0):
    return loop.batch_of(material(), method, FAST, 0, step, 0)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_masked_bce_is_the_formula():
    rng = np.random.default_rng(0)
    z, t, m = rng.normal(0, 2, (7, 3)), rng.random((7, 3)), (rng.random((7, 3)) < 0.6).astype(float)
    total = n = 0.0
    for i in range(7):
        for j in range(3):
            p = sigmoid(z[i, j])
            total -= m[i, j] * (t[i, j] * math.log(p) + (1 - t[i, j]) * math.log(1 - p))
            n += m[i, j]
    got = teacher_student.masked_bce(*(torch.tensor(a) for a in (z, t, m)))
    assert float(got) == pytest.approx(total / n, rel=1e-9)
    assert (
        float(teacher_student.masked_bce(torch.tensor(z), torch.tensor(t), torch.zeros(7, 3))) == 0
    )


def test_masked_details_give_no_gradient():
    z = torch.randn(5, 3, requires_grad=True)
    mask = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]])
    teacher_student.masked_bce(z, torch.rand(5, 3), mask).backward()
    assert torch.equal(z.grad != 0, mask.bool())


@pytest.mark.parametrize(("a", "b"), [(0.7, 1.0), (2.0, 0.5), (0.0, 1.0)])
def test_the_students_loss_is_the_formula(a, b):
    method = student(lambda_a=a, lambda_b=b).eval()
    batch = batch_of(method)
    out = method(batch)
    overall, details = (x.detach().double().numpy() for x in method.net(batch.x.images))
    ce = bce = 0.0
    for i, index in enumerate(batch.index.tolist()):
        ce -= overall[i, int(batch.y[i])] - math.log(sum(math.exp(v) for v in overall[i]))
        for j in range(3):
            p, t = sigmoid(details[i, j]), float(method.targets[index, j])
            bce -= t * math.log(p) + (1 - t) * math.log(1 - p)
    n = len(batch.y)
    assert out["loss"].item() == pytest.approx(a * bce / (3 * n) + b * ce / n, rel=1e-5)


def test_the_teacher_learns_known_details_only():
    labels = np.random.default_rng(2).integers(-1, 2, (ROWS, 3))
    method = teacher_student.Teacher(net(), 3, labels, labels[:0]).eval()
    batch = batch_of(method)
    details = method.net(batch.x.images)[1].detach().double().numpy()
    terms = []
    for i, index in enumerate(batch.index.tolist()):
        for j in range(3):
            if labels[index, j] >= 0:
                p = sigmoid(details[i, j])
                terms.append(-math.log(p if labels[index, j] else 1 - p))
    assert method(batch)["loss"].item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_targets_of_each_kind():
    p = np.array([[0.9, 0.5, 0.1], [0.6, 0.74, 0.4], [0.76, 0.2, 0.25]])
    soft, hard, filtered = (
        teacher_student.pseudo_targets(p, kind, 0.25) for kind in teacher_student.PSEUDO
    )
    assert np.array_equal(soft[0], p)
    assert np.array_equal(hard[0], [[1, 1, 0], [1, 1, 0], [1, 0, 0]])
    assert soft[1].all()
    assert hard[1].all()
    assert np.array_equal(filtered[0], p)
    assert np.array_equal(filtered[1], [[1, 0, 1], [0, 0, 0], [1, 1, 0]])
    with pytest.raises(ValueError, match="allowed: soft, hard, filtered"):
        teacher_student.pseudo_targets(p, "sharp")
    with pytest.raises(ValueError, match=r"probabilities \(N, 3\)"):
        teacher_student.pseudo_targets(p + 0.2, "soft")


def test_single_and_multi_task_start_alike_and_see_the_same_pictures():
    single, multi = student(lambda_a=0.0), student(lambda_a=1.0)
    assert torch.equal(weights(single.net), weights(multi.net))
    for step in (0, 3):
        a, b = batch_of(single, step), batch_of(multi, step)
        assert torch.equal(a.x.images, b.x.images)
        assert torch.equal(a.y, b.y)
    nets = {}
    for name, method in (("single", single), ("multi", multi)):
        nets[name], _, _ = loop.fit(method, material(), FAST, 0)
    assert not torch.equal(weights(nets["single"]), weights(nets["multi"]))


def test_single_task_learns_nothing_of_details():
    method = student(lambda_a=0.0)
    method(batch_of(method))["loss"].backward()
    assert not method.net.details.weight.grad.any()
    assert method.net.overall.weight.grad.any()


def test_views_only_flip_and_turn():
    method = student()
    batch = batch_of(method)
    assert batch.x.keep is None
    shown = (batch.x.images * 0.25 + 0.45) * 255
    rows = material().labelled[batch.index.numpy()]
    for image, row in zip(shown, rows, strict=True):
        seen = np.sort(image.round().int().permute(1, 2, 0).reshape(-1, 3).numpy().sum(axis=1))
        whole = pixels()[int(row)].numpy().astype(int).sum(axis=2)
        crops = [np.sort(whole[a : a + 33, b : b + 33].ravel()) for a in (0, 1) for b in (0, 1)]
        assert any(np.array_equal(seen, c) for c in crops)


def test_resumes_with_the_same_bits_and_selects_by_macro_f1(tmp_path):
    config = TrainConfig(**{**vars(FAST), "steps": 10, "evaluations": 5, "ema": 0.5, "lr": 0.03})
    whole, history, _ = loop.fit(student(), material(), config, 1)
    loop.fit(student(), material(), config, 1, tmp_path / "state", stop_after=9)
    resumed, after, _ = loop.fit(student(seed=9), material(), config, 1, tmp_path / "state")
    assert torch.equal(weights(whole), weights(resumed))
    assert history.to_csv() == after.to_csv()
    kept = student().validation(whole, material())["val_macro_f1"]
    assert kept == pytest.approx(history["val_macro_f1"].max())
    assert (
        history["val_macro_f1"].idxmax() == 3
    )  # before it died: the best must come from the state


def test_it_learns():
    config = TrainConfig(steps=40, batch=12, evaluations=4, precision="fp32", lr=5e-3, ema=0.9)
    bright = np.tile((np.arange(ROWS) % 3 / 2)[:, None], 3)
    trained, history, _ = loop.fit(student(bright), material(), config, 0)
    assert history["val_macro_f1"].max() > 0.8
    asked = np.arange(ROWS, ROWS + 12)
    p, d = two_heads(trained, Pixels(pixels(), 33), asked)
    assert torch.equal(p, probabilities(trained, Pixels(pixels(), 33), asked))
    grade = np.arange(ROWS, ROWS + 12) % 3
    assert d[grade == 2].mean() > d[grade == 0].mean() + 0.3


def test_teacher_without_left_out_pictures_validates_as_nan():
    none = Material(
        source=Pixels(pixels(), 33),
        labelled=np.arange(ROWS),
        grades=np.zeros(ROWS, int),
        unlabelled=NOBODY,
        val=NOBODY,
        val_grades=NOBODY,
    )
    labels = np.arange(ROWS * 3).reshape(ROWS, 3) % 2
    config = TrainConfig(**{**vars(FAST), "select": "last"})
    _, history, _ = loop.fit(teacher_student.Teacher(net(), 3, labels, labels[:0]), none, config, 0)
    assert history["val_auc"].isna().all()


def test_platt_is_logistic_regression_on_logits():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.02, 0.98, 4000)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * np.log(p / (1 - p)) + 0.8)))).astype(int)
    a, b = calibration.platt(p, truth)
    fitted = LogisticRegression(C=np.inf).fit(calibration.logit(p)[:, None], truth)
    assert a == pytest.approx(float(fitted.coef_[0, 0]), abs=0.01)
    assert b == pytest.approx(float(fitted.intercept_[0]), abs=0.01)
    truth[::2] = -1
    assert calibration.platt(p, truth) == pytest.approx(calibration.platt(p[1::2], truth[1::2]))
    assert calibration.platt(p, np.ones(4000)) == (1.0, 0.0)
    same = calibration.calibrated(np.stack([p, p, p], axis=1), [(1, 0), (a, b), (1, 0)])
    assert np.allclose(same[:, 0], p.clip(1e-4, 1 - 1e-4))
    assert np.allclose(same[:5, 1], [sigmoid(a * math.log(v / (1 - v)) + b) for v in p[:5]])


def test_lookup_and_mean_auc():
    p = np.array([[0.2, 0, 1], [0.4, 1, 1], [0.9, 1, 0]])
    table = calibration.lookup(np.array([0, 0, 2]), p, 3)
    assert np.allclose(table, [[0.3, 0.5, 1], p.mean(axis=0), [0.9, 1, 0]])
    labels = np.array([[0, 1, -1], [1, 1, 0], [1, 1, 1]])
    said = np.array([[0.5, 0.1, 0.9], [0.5, 0.2, 0.6], [0.7, 0.3, 0.4]])
    assert teacher_student.mean_auc(labels, said) == pytest.approx((0.75 + 0.0) / 2)
    assert math.isnan(teacher_student.mean_auc(np.ones((3, 3), int), said))


@pytest.mark.parametrize(("kind", "changes", "words"), [
    (teacher_student.Student.Config, {"pseudo": "sharp"}, "soft, hard, filtered"),
    (teacher_student.Student.Config, {"lambda_a": -1.0}, r"student\.lambda_a is -1"),
    (teacher_student.Student.Config, {"margin": 0.5}, "below 0.5"),
    (teacher_student.Teacher.Config, {"learns": "test"}, "train, all"),
    (ResNetConfig, {"weights": "distortion"}, "none, imagenet"),
    (ResNetConfig, {"weights": "imagenet"}, "needs fundus.model.arch"),
    (ResNetConfig, {"arch": "vit_small_patch16_224"}, "not a timm ResNet"),
    (ResNetConfig, {"width": 7}, "even number"),
])  # fmt: skip
def test_bad_settings_say_what_is_allowed(kind, changes, words):
    with pytest.raises(ValueError, match=words):
        kind(**changes)


def test_the_network():
    assert net()(torch.zeros(2, 3, 40, 40))[0].shape == (2, 3)
    assert net()(torch.zeros(2, 3, 40, 40))[1].shape == (2, 3)
    with pytest.raises(ValueError, match="no tokens to blank"):
        net()(torch.zeros(2, 3, 40, 40), torch.ones(2, 4))
    full = MultiTaskResNet(ResNetConfig(arch="resnet18"), 2)
    assert full.width == 512
    assert (
        sum(p.numel() for p in full.trunk.parameters()) == 11176512
    )  # ResNet-18 without its classifier
    assert View(torch.zeros(1)).keep is None
