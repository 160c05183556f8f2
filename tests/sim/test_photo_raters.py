"""Graders: quality falls with damage; votes have KonIQ's spread; one rater and the ceiling are
worth what they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from conftest import real_data

from riqa_lib.seeding import rng
from riqa_lib.sim import photo_raters
from riqa_lib.sim.distortions import distort
from riqa_lib.sim.photo_raters import Look
from riqa_lib.sim.photo_sets import KONIQ
from riqa_lib.sim.scenes import scene
from riqa_lib.stats import votes


@pytest.fixture(scope="module")
def koniq_like() -> np.ndarray:
    """Votes on 5,000 pictures whose quality is distributed as KonIQ-10k's."""
    quality = np.interp((np.arange(5000) + 0.5) / 5000, *KONIQ)
    return photo_raters.votes(quality, photo_raters.rater_counts(5000, rng("n")), rng("votes"))


def one_rater_mae(counts) -> float:
    """Expected distance of one vote to the mode of the picture's other votes: what one human scores
    as a predictor. counts: (N, 5), at least two votes a row. KonIQ-10k: 0.409."""
    given = votes.vote_counts(counts, least=2)
    distance = np.zeros(given.shape)
    for grade in range(5):
        others = given.copy()
        others[:, grade] -= 1  # rows without such a vote have weight 0 below
        distance[:, grade] = np.abs(votes.mode_grade(others) - grade)
    return float(((given * distance).sum(axis=1) / given.sum(axis=1)).mean())


# ---------------------------------------------------------------- quality
def test_quality_of_pristine_and_of_damaged_pictures():
    for key in range(8):
        clean = scene(key, 64)
        assert 0.92 <= photo_raters.quality(Look(clean), Look(clean)) <= 1
        falling = [
            photo_raters.quality(Look(clean), Look(distort(clean, 11, level, rng(key))))
            for level in range(1, 6)
        ]
        assert all(a > b for a, b in pairwise(falling))
        assert falling[-1] < 0.6
    with pytest.raises(ValueError, match="expected the same twice"):
        photo_raters.quality(Look(scene(0, 32)), Look(scene(0, 48)))
    with pytest.raises(ValueError, match="at least 16"):
        Look(np.zeros((8, 8, 3)))


@pytest.mark.parametrize("kind", [1, 2, 3, 10, 16, 17])
def test_mean_quality_falls_with_the_level(kind):
    looks = [(scene(("q", i), 48), i) for i in range(8)]
    mean = [
        np.mean(
            [
                photo_raters.quality(Look(s), Look(distort(s, kind, level, rng(i), scale=0.4)))
                for s, i in looks
            ]
        )
        for level in range(1, 6)
    ]
    assert all(a >= b - 1e-3 for a, b in pairwise(mean))
    assert mean[0] - mean[-1] > 0.15


def test_quality_depends_on_the_content():
    scenes = [scene(i, 48) for i in range(12)]
    same_defect = [
        photo_raters.quality(Look(s), Look(distort(s, 1, 4, rng(0), scale=0.4))) for s in scenes
    ]
    assert np.std(same_defect) > 0.03


def test_quality_from_bytes_is_quality_from_floats():
    clean = scene("b", 48)
    seen = np.round(distort(clean, 10, 4, rng(0)) * 255).astype(np.uint8)
    assert photo_raters.quality(Look(clean), Look(seen)) == pytest.approx(
        photo_raters.quality(Look(clean), Look(seen.astype(np.float32) / 255)), abs=1e-6
    )


def test_gmsd_against_a_slow_loop():
    one, two = np.random.default_rng(0).random((2, 9, 11))
    c, similar = 170 / 255**2, []
    for y in range(1, 8):
        for x in range(1, 10):
            size = []
            for image in (one, two):
                p = image[y - 1 : y + 2, x - 1 : x + 2]
                size.append(np.hypot((p[:, 2] - p[:, 0]).sum() / 3, (p[2] - p[0]).sum() / 3))
            similar.append((2 * size[0] * size[1] + c) / (size[0] ** 2 + size[1] ** 2 + c))
    fast = [photo_raters._gradient(image) for image in (one, two)]
    assert photo_raters._deviation(*fast) == pytest.approx(np.std(similar), rel=1e-5)
    assert photo_raters._deviation(fast[0], fast[0]) == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- votes
def test_votes_follow_their_expectation():
    quality = np.array([0.0, 0.3, 0.6, 0.95, 1.0])
    counts = photo_raters.votes(quality, np.full(5, 20_000), rng("many"))
    assert np.all(counts.sum(axis=1) == 20_000)
    assert (
        np.abs(counts / 20_000 - photo_raters.vote_shares(quality)).max() < 0.025
    )  # the people's biases are fixed
    assert photo_raters.true_grade(quality).tolist() == [0, 1, 2, 4, 4]
    assert np.array_equal(votes.mode_grade(counts), photo_raters.true_grade(quality))


def test_nobody_votes_where_nobody_is_asked():
    counts = photo_raters.votes([0.2, 0.8, 0.5], [3, 0, 2], rng(0))
    assert counts.sum(axis=1).tolist() == [3, 0, 2]


def test_votes_are_spread_as_in_koniq(koniq_like):
    n = koniq_like.sum(axis=1)
    grades = np.arange(1, 6)
    mean = koniq_like @ grades / n
    sd = np.sqrt((koniq_like @ grades**2 / n - mean**2) * n / (n - 1))
    assert n.mean() == pytest.approx(107, abs=0.5)
    assert n.min() >= 93
    assert n.max() <= 157
    assert sd.mean() == pytest.approx(0.575, abs=0.01)
    assert mean.mean() == pytest.approx(3.162, abs=0.03)
    assert mean.std() == pytest.approx(0.552, abs=0.02)
    assert one_rater_mae(koniq_like) == pytest.approx(0.409, abs=0.012)
    changed, mae = votes.redraw(koniq_like, rng("again"))
    assert changed == pytest.approx(0.062, abs=0.012)
    assert mae == pytest.approx(0.062, abs=0.012)
    share = np.bincount(votes.mode_grade(koniq_like), minlength=5) / len(koniq_like)
    assert np.abs(share - [0.0075, 0.1369, 0.5113, 0.3443, 0]).max() < 0.02


# ---------------------------------------------------------------- what votes are worth
def test_mode_grade_ties_go_to_the_lower_class():
    counts = [[0, 5, 5, 0, 0], [4, 0, 0, 0, 4], [0, 1, 2, 3, 0], [1, 0, 0, 0, 0]]
    assert votes.mode_grade(counts).tolist() == [1, 0, 3, 0]


def test_one_rater_against_a_slow_loop():
    counts = np.random.default_rng(1).integers(0, 6, (40, 5)) + np.array([0, 0, 1, 1, 0])
    rows = []
    for row in counts:
        people = [grade for grade in range(5) for _ in range(row[grade])]
        distances = []
        for i, vote in enumerate(people):
            others = people[:i] + people[i + 1 :]
            most = max(range(5), key=lambda g: (others.count(g), -g))
            distances.append(abs(vote - most))
        rows.append(np.mean(distances))
    assert one_rater_mae(counts) == pytest.approx(np.mean(rows), rel=1e-12)


def test_redraw_of_unanimous_votes_changes_nothing():
    assert votes.redraw(np.diag([50, 60, 70, 80, 90]), rng(0)) == (0.0, 0.0)
    changed, mae = votes.redraw(np.tile([1, 0, 0, 0, 1], (4000, 1)), rng(0))
    assert changed == pytest.approx(0.25, abs=0.03)  # both votes on 5: the mode moves from 0 to 4
    assert mae == pytest.approx(4 * changed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: votes.vote_counts([[1], [2]]), r"expected \(N, grades\)"),
        (lambda: votes.vote_counts([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]), "row 1"),
        (lambda: votes.vote_counts([[1, 0, 0, -1, 3]]), "row 0"),
        (lambda: votes.vote_counts([[0.2, 0.3, 0.5, 0, 0]]), "expected counts"),
        (lambda: votes.vote_counts([[1, 0, 0, 0, 0]], least=2), "sum of 2 or more"),
        (lambda: photo_raters.opinion([0.5, 1.2]), "row 1: quality 1.2"),
        (lambda: photo_raters.opinion([float("nan")]), "row 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.real
def test_beside_koniq():
    table = pd.read_csv(real_data("labels", "koniq10k_distributions_sets.csv"))
    counts = np.rint(
        table[["c1", "c2", "c3", "c4", "c5"]].to_numpy() * table[["c_total"]].to_numpy()
    )
    assert np.bincount(votes.mode_grade(counts), minlength=5).tolist() == [
        76,
        1379,
        5150,
        3468,
        0,
    ]
    assert one_rater_mae(counts) == pytest.approx(0.4089, abs=1e-3)
    assert votes.redraw(counts, rng("koniq"))[0] == pytest.approx(0.062, abs=0.004)
