"""Own-defect copies: what is spoilt in them, what stays, and how a Teacher and a Student learn from
them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from riqa_lib.datasets.data_folder import open_dataset
from riqa_lib.networks.network import Network
from riqa_lib.networks.views import View
from riqa_lib.sim.fundus_sets import make_fundus
from riqa_lib.ssl.base import Batch
from riqa_lib.ssl.teacher_student import Student, Teacher, known_cross_entropy, masked_bce
from riqa_lib.training.own_defects import Copies, copies


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_dataset(
        make_fundus(tmp_path_factory.mktemp("own") / "mshf", "mshf-like", 60, 32, progress=False)
    )


def test_every_copy_has_a_defect_and_each_is_added_in_half(data):
    made = copies(data, np.arange(60))
    assert made.pixels.shape == (60, 32, 32, 3)
    assert made.spoilt.any(axis=1).all()
    assert (np.abs(made.spoilt.mean(axis=0) - 0.57) < 0.2).all()  # 1/2 + 1/24
    assert (made.pixels != data.pixels).reshape(60, -1).mean(axis=1).min() > 0.02
    again = copies(data, np.arange(60))
    assert np.array_equal(made.pixels, again.pixels)
    some = copies(data, np.array([7, 3]))  # a copy belongs to its picture, not to its place
    assert np.array_equal(some.pixels, made.pixels[[7, 3]])
    assert np.array_equal(some.spoilt, made.spoilt[[7, 3]])


def test_targets_are_bad_where_spoilt_and_stay_elsewhere():
    made = Copies(
        np.zeros((2, 8, 8, 3), np.uint8),
        np.array([4, 9]),
        np.array([[True, False, False], [False, True, True]]),
        "k",
    )
    assert made.targets(np.array([[1, -1, 0], [1, 1, -1]])).tolist() == [[0, -1, 0], [1, 0, 0]]
    assert made.among(np.array([1, 9])).tolist() == [1]
    assert made.among(np.array([9, 4])).tolist() == [0, 1]


def test_damaged_copies_are_named(data):
    copies(data, np.arange(5))
    file = data.folder / f"own-defects-{copies(data, np.arange(5)).key}.npy"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"{file.name}.*damaged.*delete it"):
        copies(data, np.arange(5))


class Fixed(Network):
    """Says the same of everything, by its parameters."""

    tokens, width = 0, 1

    def __init__(self):
        super().__init__()
        self.overall = torch.nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))
        self.details = torch.nn.Parameter(torch.tensor([0.4, -1.0, 0.1]))

    def forward(self, x, keep=None):
        return self.overall.expand(len(x), 3), self.details.expand(len(x), 3)


def batch(grades):
    n = len(grades)
    return Batch(View(torch.zeros(n, 3, 4, 4)), torch.tensor(grades), torch.arange(n))


def test_a_copy_counts_by_its_weight_and_has_no_overall_grade():
    pseudo = np.array([[0.9, 0.6, 0.2], [0.0, 0.6, 0.2]])
    net = Fixed()
    config = Student.Config(lambda_a=0.7, lambda_b=1.3, own_defects=0.2)
    out = Student(net, 3, config, pseudo, np.array([1.0, 0.2]))(batch([2, -1]))
    z, f = net.details.detach().double(), net.overall.detach().double()
    loss_a, total = 0.0, 0.0
    for i, weight in enumerate((1.0, 0.2)):
        for j in range(3):
            s = 1 / (1 + np.exp(-z[j].item()))
            t = pseudo[i, j]
            loss_a -= weight * (t * np.log(s) + (1 - t) * np.log(1 - s))
            total += weight
    loss_b = -np.log(np.exp(f[2].item()) / np.exp(f.numpy()).sum())  # the picture's alone
    assert out["loss"].item() == pytest.approx(0.7 * loss_a / total + 1.3 * loss_b, abs=1e-6)
    labels = np.array([[1, 0, -1], [0, 0, -1]])
    teacher = Teacher(Fixed(), 3, labels, labels, np.array([1.0, 0.2]))
    assert teacher.mask.tolist() == [[1, 1, 0], [pytest.approx(0.2), pytest.approx(0.2), 0]]


def test_without_any_known_grade_the_loss_is_zero_with_gradient_zero():
    logits = torch.ones(2, 3, requires_grad=True)
    loss = known_cross_entropy(logits, torch.tensor([-1, -1]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0
    only = masked_bce(torch.zeros(1, 3), torch.ones(1, 3), torch.full((1, 3), 0.2))
    assert only.item() == pytest.approx(np.log(2))  # a mean, however little all of it counts


def test_a_weight_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"teacher\.own_defects is 2; expected 0 to 1"):
        Teacher.Config(own_defects=2)
    with pytest.raises(ValueError, match=r"student\.own_defects is -0\.1"):
        Student.Config(own_defects=-0.1)
