"""Advice: statistics tell defects apart, rules say what their table says, the promise of abstention
is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.assess import advice
from riqa_lib.figures.explanations import abstention
from riqa_lib.sim.fundus_camera import fundus
from riqa_lib.stats import calibration

NEUTRAL = {
    "level": 0.4,
    "bright": 0.0,
    "uneven": 0.2,
    "rim": 0.8,
    "direction": 0.1,
    "texture": 0.04,
    "veil": 0.2,
    "glare": 0.07,
    "shine": 1.0,
    "off_centre": 0.0,
    "cut": 0.0,
}
GOOD = dict.fromkeys(advice.DETAILS, 0.95)


def disc(side=100):
    v, u = (np.mgrid[:side, :side] + 0.5) * 2 / side - 1
    return u, v, np.hypot(u, v) < 1


# ---------------------------------------------------------------- statistics
def test_statistics_of_a_plain_disc_are_what_was_painted():
    u, _, mask = disc()
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[mask] = (153, 102, 51)
    found = advice.statistics(picture, mask, off_centre=0.3, cut=0.1)
    assert found["level"] == pytest.approx(0.5, abs=1e-3)
    assert found["off_centre"] == 0.3
    assert found["cut"] == 0.1
    assert found["veil"] == pytest.approx(0.4, abs=1e-3)  # 51 / 255 over 0.5
    assert found["bright"] == 0
    assert found["uneven"] < 1e-3
    assert found["rim"] == pytest.approx(1, abs=1e-3)
    assert found["glare"] < 1e-3
    half = picture.copy()
    half[mask & (u > 0)] //= 2
    assert advice.statistics(half, mask)["uneven"] == pytest.approx(0.5, abs=0.03)
    half[mask & (u > 0)] = 252
    assert advice.statistics(half, mask)["bright"] == pytest.approx(0.5, abs=0.02)


def test_one_channel_at_its_end_is_over_exposed():
    _, _, mask = disc()
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[mask] = (255, 90, 40)
    assert advice.statistics(picture, mask)["bright"] == 1


def test_direction_is_one_for_stripes_and_low_for_noise():
    u, v, mask = disc(160)
    stripes = np.repeat((120 + 60 * np.sin(40 * u + 0 * v))[..., None], 3, axis=2).astype(np.uint8)
    noise = np.random.default_rng(0).integers(60, 180, stripes.shape).astype(np.uint8)
    assert advice.statistics(stripes, mask)["direction"] > 0.95
    assert advice.statistics(noise, mask)["direction"] < 0.2


def test_a_reflection_is_a_bright_bluish_spot_and_no_arc_at_the_rim_nor_noise():
    u, v, mask = disc(160)
    rho, rng = np.hypot(u, v), np.random.default_rng(0)
    plain = np.zeros((*mask.shape, 3))
    plain[mask] = (120, 70, 25)

    def fires(picture):
        found = advice.statistics(np.clip(picture, 0, 255).astype(np.uint8), mask)
        return advice.rule("darken the room, tilt away from the reflection").meets(found), found

    spot = np.exp(-((u - 0.4) ** 2 + v**2) / 0.03)[..., None] * (90, 130, 160)
    yes, found = fires(plain + spot)
    assert yes
    assert found["glare"] > 0.4
    assert found["shine"] > 1.8
    assert not fires(plain)[0]
    arc = (np.exp(-(1 - rho) / 0.08) * (u > 0.3))[..., None] * (60, 200, 240)
    assert not fires(plain + arc)[0]
    assert not fires(plain * 0.3 + rng.normal(0, 12, plain.shape))[0]
    assert not fires(np.where((u > 0.5)[..., None], plain * 0.4 + (0, 5, 25), plain))[0]


@pytest.mark.parametrize("wrong", ["grey", "float", "mask", "empty"])
def test_statistics_refuse_other_arrays(wrong):
    _, _, mask = disc()
    picture = np.zeros((100, 100, 3), np.uint8)
    bad = {
        "grey": (picture[..., 0], mask),
        "float": (picture / 255, mask),
        "mask": (picture, mask[:50]),
        "empty": (picture, mask & False),
    }
    with pytest.raises(ValueError, match="expected uint8"):
        advice.statistics(*bad[wrong])


def test_a_dark_simulated_fundus_is_told_from_an_over_exposed_one():
    shots = [
        fundus(("advise", 0, i), 160, {"illumination": 1.6}, framing="crop") for i in range(12)
    ]
    levels: dict[str, list[float]] = {}
    for one in shots:
        levels.setdefault(one.defects["illumination"].kinds[0], []).append(
            advice.statistics(one.pixels, one.mask() > 0.5)["level"]
        )
    bright = [x for kind in ("bright", "halo") for x in levels.get(kind, [])]
    dark = [x for kind in ("dim", "crescent", "vignette", "hole") for x in levels.get(kind, [])]
    assert bright
    assert dark
    assert max(dark) < min(bright)


# ---------------------------------------------------------------- rules
CASES = [  # what is bad, what is measured, what must be said
    ("illumination", {"rim": 1.5, "bright": 0.1}, "darken the room, shield the lens, re-align"),
    ("illumination", {"bright": 0.1}, "lower the flash"),
    ("illumination", {"rim": 0.4}, "dilate the pupil, or come to the right distance"),
    ("illumination", {"uneven": 0.6}, "re-centre on the pupil"),
    ("illumination", {"rim": 1.0, "level": 0.2}, "come to the right distance"),
    ("illumination", {"level": 0.2}, "raise the flash, or dilate the pupil"),
    ("illumination", {}, "re-align and check the flash"),
    ("clarity", {"direction": 0.7}, "ask for a steady gaze, hold the camera still"),
    ("clarity", {}, "refocus"),
    ("contrast", {"uneven": 0.3}, "clean the lens"),
    (
        "contrast",
        {},
        "clean the lens; if it stays, dilate the pupil: the eye's media may be clouded",
    ),
    ("", {"direction": 0.6, "texture": 0.07}, "ask to open the eyes wide, or hold the lid"),
    ("", {"glare": 0.3, "shine": 1.5}, "darken the room, tilt away from the reflection"),
    ("", {"cut": 0.2}, "re-centre, or step back"),
    ("", {"off_centre": 0.4}, "re-centre the field"),
]


@pytest.mark.parametrize(("detail", "measured", "said"), CASES, ids=[c[2][:30] for c in CASES])
def test_each_rule_is_said_alone_with_its_number(detail, measured, said):
    details = GOOD | ({detail: 0.1} if detail else {})
    told = advice.advise(details, NEUTRAL | measured, good=False)
    assert [a.say for a in told] == [said]
    assert told[0].detail == detail
    for name, value in measured.items():
        if any(s == name for s, _, _ in advice.rule(said).when):
            assert f"{name} {value:.2f}" in told[0].why
    assert "probability 0.90" in told[0].why if detail else True


def test_every_rule_has_a_case_and_says_something_else():
    says = [r.say for r in advice.RULES]
    assert len(set(says)) == len(says)
    assert set(says) == {c[2] for c in CASES}
    assert {s for r in advice.RULES for s, _, _ in r.when} <= set(NEUTRAL)
    assert len(advice.listing()) == len(says)
    with pytest.raises(ValueError, match="no rule says"):
        advice.rule("smile")


def test_nothing_is_said_of_good_or_unsure_pictures():
    measured = NEUTRAL | {"glare": 0.3, "shine": 1.5, "cut": 0.2}
    assert advice.advise(GOOD, measured, good=True) == []
    assert len(advice.advise(GOOD, measured, good=False)) == 2
    # as blue, and no brighter than the rest
    assert advice.advise(GOOD, NEUTRAL | {"glare": 0.3}, good=False) == []
    unsure = GOOD | {"clarity": 0.4}
    assert advice.advise(unsure, NEUTRAL, good=False) == []
    assert [a.say for a in advice.advise(unsure, NEUTRAL, good=False, sure={"clarity": 0.55})] == [
        "refocus"
    ]
    assert advice.advise({"clarity": float("nan")}, NEUTRAL, good=False) == []
    assert [advice.call(p) for p in (0.9, 0.65, 0.5, 0.35, 0.1, float("nan"))] == [
        "good",
        "good",
        "unsure",
        "bad",
        "bad",
        "",
    ]
    for wrong in ({"clarity": 1.5}, {"sharpness": 0.5}):
        with pytest.raises(ValueError, match="expected probabilities"):
            advice.advise(wrong, NEUTRAL, good=False)


# ---------------------------------------------------------------- calibration
def test_temperature_finds_the_one_that_was_applied():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 6000)
    truth = np.array([rng.choice(3, p=row) for row in p])
    assert calibration.temperature(p, truth) == pytest.approx(1, abs=0.06)
    sharp = calibration.tempered(p, 0.5)  # too confident by a factor 2
    assert calibration.temperature(sharp, truth) == pytest.approx(2, rel=0.06)
    slow = np.array([[x ** (1 / 0.5) for x in row] for row in p])
    assert np.allclose(sharp, slow / slow.sum(axis=1, keepdims=True), atol=1e-6)
    assert calibration.temperature(p[:10], truth[:10]) == 1


# ---------------------------------------------------------------- abstention
def world(n, rng):
    """Probabilities and classes where the error falls with confidence, and how wrong one answer of
    given confidence is."""
    top = rng.uniform(0.5, 1, n)
    wrong = rng.random(n) < 1 - top
    p = np.stack([top, 1 - top], axis=1)
    return p, wrong.astype(int)


def test_the_promise_is_kept_as_often_as_it_says():
    rng = np.random.default_rng(1)
    rules = [
        calibration.abstention(*world(200, rng), rate=0.15, confidence=0.9) for _ in range(400)
    ]
    met = [r for r in rules if r.met]
    risk = [
        (1 - r.threshold) / 2 for r in met
    ]  # of the answered, known: confidence is uniform, error 1 - confidence
    assert len(met) > 200
    assert np.mean([r.coverage for r in met]) > 0.2
    broken = sum(x > 0.15 for x in risk) / len(rules)
    assert broken <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(rules))
    careless = (
        sum(x > 0.15 for x in [(1 - _largest(*world(200, rng), 0.15)) / 2 for _ in range(400)])
        / 400
    )
    assert (
        careless > 0.25
    )  # without the test the promise would be broken often: this is what it is for


def _largest(p, truth, rate):
    table = calibration.risk_coverage(p, truth)
    fine = table[table["error"] <= rate]
    return float(fine["threshold"].iloc[-1]) if len(fine) else 1.0


def test_abstention_says_when_it_cannot_promise_and_counts_patients():
    p = np.tile([0.9, 0.1], (60, 1))
    assert not calibration.abstention(p, np.r_[np.ones(30, int), np.zeros(30, int)]).met
    rule = calibration.abstention(p, np.zeros(60, int), rate=0.1)
    assert rule.met
    assert rule.coverage == 1
    assert rule.threshold == pytest.approx(0.9)
    few = calibration.abstention(
        p, np.zeros(60, int), rate=0.1, groups=np.arange(60) // 4
    )  # 15 patients can't show it
    assert not few.met
    assert few.n == 15
    assert few.threshold > 1
    for wrong in ({"rate": 0.0}, {"rate": 1.5}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match="between 0 and 1"):
            calibration.abstention(p, np.zeros(60, int), **wrong)
    with pytest.raises(ValueError, match="classes"):
        calibration.abstention(p, np.full(60, 2))


def test_the_first_coverage_that_fails_ends_it():
    """Testing on, until some coverage passes by luck, would break the promise."""
    top = np.linspace(0.99, 0.6, 400)
    truth = np.zeros(400, int)
    truth[:12] = 1  # the most confident answers are wrong, all others right: 3 % in the end
    p = np.stack([top, 1 - top], axis=1)
    assert calibration.risk_coverage(p, truth)["error"].iloc[-1] < 0.05
    assert not calibration.abstention(p, truth, rate=0.1).met
    assert calibration.abstention(p, np.zeros(400, int), rate=0.1).coverage == 1


def test_risk_coverage_is_a_slow_loop():
    rng = np.random.default_rng(2)
    p = rng.dirichlet([1, 1, 1], 40)
    truth = rng.integers(0, 3, 40)
    table = calibration.risk_coverage(p, truth)
    for row in table.itertuples():
        answered = [i for i in range(40) if p[i].max() >= row.threshold]
        wrong = [i for i in answered if p[i].argmax() != truth[i]]
        assert row.coverage == pytest.approx(len(answered) / 40)
        assert row.error == pytest.approx(len(wrong) / len(answered))
    figure = abstention({"test": table}, calibration.abstention(p, truth), simulated=True)
    assert len(figure.axes[0].lines) >= 2
    with pytest.raises(ValueError, match="error"):
        abstention(
            {"test": pd.DataFrame({"coverage": [1.0]})},
            calibration.abstention(p, truth),
            simulated=True,
        )
