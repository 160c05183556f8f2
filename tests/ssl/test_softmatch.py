"""SoftMatch, the tutorial's exercise, against a slow loop written from its formula. Held to it is
the worked answer, or the file that RIQA_METHOD names:

    RIQA_METHOD=docs/exercises/softmatch.py .venv/bin/python -m pytest tests/ssl/test_softmatch.py

An exercise whose gaps are not filled fails here, and says which gap."""

from __future__ import annotations

import math

import pytest
import torch
from exercises import EXERCISES, OWN_METHODS
from formulas import (
    agree,
    columns,
    continues_identically,
    cross,
    every_setting_is_read,
    mean,
    move,
    skewed,
    slow_softmax,
    some,
    top,
)
from torch import nn

from riqa_lib.training.own_method import load, tried


@pytest.fixture
def kind():
    """The method that is tried; of another name than SoftMatch there is nothing to hold it to."""
    return OWN_METHODS.get("softmatch") or pytest.skip("the method given is not SoftMatch")


def slow_softmatch(v, y, c, state):
    """One step, a picture at a time: (terms, the state after it)."""
    s, m = dict(state), c.momentum
    p = [slow_softmax(z) for z in v["z_w"]]
    classes = len(p[0])
    q = p
    if c.align:
        now = columns(p)
        old = s["mean"]
        s["mean"] = [m * a + (1 - m) * b for a, b in zip(old or now, now, strict=True)]
        q = move(p, [1 / classes] * classes, s["mean"])
    sure = [max(row) for row in q]
    middle = mean(sure)
    spread = sum((x - middle) ** 2 for x in sure) / (len(sure) - 1)
    s["mu"] = m * s["mu"] + (1 - m) * middle
    s["var"] = m * s["var"] + (1 - m) * spread
    weights = [
        1.0 if x >= s["mu"] else math.exp(-((c.sigmas * (x - s["mu"])) ** 2) / (2 * s["var"]))
        for x in sure
    ]
    losses = [cross(top(row), z) for row, z in zip(p, v["z_s"], strict=True)]
    sup = mean(cross(t, z) for t, z in zip(y, v["z_x"], strict=True))
    unsup = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / len(losses)
    terms = {"loss": sup + c.lambda_u * unsup, "sup_loss": sup, "unsup_loss": unsup}
    return terms | {"kept": mean(weights)}, s


def held_to_the_formula(kind, classes=5, scale=2.0, **settings):
    """Three steps: terms, gradients and state of each are the slow loop's."""
    c = kind.Config(**settings)
    method = kind(nn.Linear(1, classes), classes, c, skewed(classes)).double()
    state = {"mu": 1 / classes, "var": 1.0, "mean": None}
    for seed in range(3):
        values = some(seed, scale, z_x=(4, classes), z_w=(6, classes), z_s=(6, classes))
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(values["z_x"], torch.tensor(y), values["z_w"], values["z_s"])

        def slow(v, _, y=y, state=state):
            return slow_softmatch(v, y, c, state)[0]

        agree(out, values, slow, {"z_w"})
        state = slow_softmatch({k: v.tolist() for k, v in values.items()}, y, c, state)[1]
        assert method.mu.item() == pytest.approx(state["mu"], abs=1e-6)
        assert method.var.item() == pytest.approx(state["var"], abs=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("scale", [0.1, 4.0])
@pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.4}, {"momentum": 0.0, "sigmas": 1.0}, {"align": False, "momentum": 0.5},
    {"lambda_u": 3.0, "momentum": 0.5},
])  # fmt: skip
def test_terms_state_and_gradients(kind, classes, scale, settings):
    held_to_the_formula(kind, classes, scale, **settings)


def test_weights_by_hand(kind):
    method = kind(nn.Linear(1, 2), 2, kind.Config(), skewed(2))
    method.mu.fill_(0.8)
    method.var.fill_(0.04)  # a standard deviation of 0.2, halved by sigmas = 2
    expected = [1, 1, math.exp(-0.5), math.exp(-2)]
    assert method.weight(torch.tensor([0.9, 0.8, 0.7, 0.6])).tolist() == pytest.approx(expected)


def test_selected_are_those_that_count_fully(kind):
    method = kind(nn.Linear(1, 2), 2, kind.Config(align=False), skewed(2))
    method.mu.fill_(0.7)
    assert method.selected(torch.tensor([[0.75, 0.25], [0.65, 0.35]])).tolist() == [True, False]
    aligned = kind(nn.Linear(1, 2), 2, kind.Config(), skewed(2))
    aligned.mu.fill_(0.7)
    aligned.alignment.mean.copy_(torch.tensor([0.75, 0.25]))
    aligned.alignment.steps.fill_(1)
    # 0.75 / 0.75 against 0.25 / 0.25: even; 0.65 / 0.75 against 0.35 / 0.25: 0.38 and 0.62
    told = aligned.selected(torch.tensor([[0.75, 0.25], [0.4, 0.6]]))
    assert told.tolist() == [False, True]


def test_every_setting_is_read(kind):
    others = {"momentum": 0.9, "lambda_u": 2.0, "sigmas": 0.5, "align": False, "weak": "eval"}
    every_setting_is_read(kind, kind.Config(momentum=0.5), others)


def test_state_survives_a_round_trip(kind):
    continues_identically(kind, kind.Config(momentum=0.5, weak="ema"))


@pytest.mark.parametrize("bad", [{"momentum": 1.5}, {"weak": "never"}, {"sigmas": 0.0}])
def test_bad_settings_say_what_is_allowed(kind, bad):
    with pytest.raises(ValueError, match=r"method\.\w+ is .*(0 to 1|train, eval|more than 0)"):
        kind.Config(**bad)


# ---------------------------------------------------------------- the exercise itself
def test_the_exercise_fails_with_the_gap_that_is_open():
    """The first gap stops all; filled as in the answer, the next one does, up to the last."""
    exercise, answer = load(EXERCISES / "softmatch.py"), load(EXERCISES / "softmatch_answer.py")
    for attempt in (held_to_the_formula, tried):
        with pytest.raises(NotImplementedError, match=r"TODO 1, update: .*formula 1"):
            attempt(exercise)
    gaps = {"update": "TODO 2, weight: .*formula 2", "weight": "TODO 3, terms: .*formula 3"}
    gaps["terms"] = "TODO 4, selected"
    for part, then in gaps.items():
        setattr(exercise, part, getattr(answer, part))
        with pytest.raises(NotImplementedError, match=then):
            tried(exercise)
    exercise.selected = answer.selected
    held_to_the_formula(exercise)
    assert {"loss", "kept"} <= tried(exercise).keys()


def test_the_exercise_is_the_answer_with_gaps():
    """Whoever changes one changes the other."""
    filled, open_ = ((EXERCISES / f).read_text() for f in ("softmatch_answer.py", "softmatch.py"))
    head = "class SoftMatch(Method)"
    for text in (filled, open_):
        assert head in text
    between = [t[t.index(head) : t.index("    def terms(")] for t in (filled, open_)]
    assert between[0] == between[1]
    formulas = [t[t.index("    p = softmax") : t.index("from __future__")] for t in (filled, open_)]
    assert formulas[0] == formulas[1]
    assert all(f'NotImplementedError("TODO {k}, ' in open_ for k in (1, 2, 3, 4))
    assert "TODO" not in filled
