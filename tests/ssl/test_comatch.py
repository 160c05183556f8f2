"""CoMatch, its queue and its projection against slow loops written from the formulas."""

from __future__ import annotations

import math

import pytest
import torch
from formulas import (
    WideNet,
    agree,
    as_target,
    columns,
    continues_identically,
    cross,
    dot,
    every_setting_is_read,
    made,
    mean,
    move,
    norm,
    skewed,
    slow_softmax,
    some,
    top,
)
from formulas import views_batch as a_batch

from riqa_lib.ssl.comatch import CoMatch
from riqa_lib.ssl.parts import Projection, Queue, QueueAlignment


def slow_comatch(v, o, y, c, target, state):
    """One step, with what gets no gradient taken from o, the inputs as they were; returns (terms,
    state after it).

    state: seen (batch means, newest last), memory ((f, p) by place), written (how many rows ever),
    steps."""
    s = dict(state)
    classes = len(target)
    p = [slow_softmax(z) for z in o["z_w"]]
    s["seen"] = (s["seen"] + [columns(p)])[-c.queue :]
    q0 = move(p, target, columns(s["seen"]))
    q = q0
    if s["written"] >= c.bank:
        q = []
        for row, f in zip(q0, o["f_w"], strict=True):
            near = slow_softmax([dot(f, other) / c.temperature for other, _ in s["memory"]])
            told = [
                sum(a * kept[k] for a, (_, kept) in zip(near, s["memory"], strict=True))
                for k in range(classes)
            ]
            q.append([c.alpha * a + (1 - c.alpha) * b for a, b in zip(row, told, strict=True)])
    memory = list(s["memory"])
    hot = [[float(k == t) for k in range(classes)] for t in y]
    for f, row in zip(o["f_w"] + o["f_x"], q0 + hot, strict=True):
        memory[s["written"] % c.bank] = (f, row)
        s["written"] += 1
    s["memory"] = memory
    mask = [float(max(row) >= c.tau) for row in q]
    unsup = mean(k * cross(row, z) for k, row, z in zip(mask, q, v["z_s"], strict=True))
    con, edges = 0.0, 0
    for i, row in enumerate(q):
        w = [1.0 if i == j else dot(row, other) for j, other in enumerate(q)]
        w = [a if a >= c.edge else 0.0 for a in w]
        edges += sum(a > 0 for a in w) - 1
        con += cross(norm(w), [dot(v["f_s"][i], f) / c.temperature for f in v["f_s1"]])
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    on = float(s["steps"] >= c.start)
    s["steps"] += 1
    loss = sup + on * (c.lambda_u * unsup + c.lambda_c * con / len(q))
    changed = mean(float(top(a) != top(b)) for a, b in zip(q, q0, strict=True))
    full = float(state["written"] >= c.bank)
    return {
        "loss": loss,
        "sup_loss": sup,
        "unsup_loss": unsup,
        "con_loss": con / len(q),
        "kept": mean(mask),
        "edges": edges / len(q),
        "changed": changed,
        "full": full,
    }, s


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("settings", [
    # 10 rows a step
    {}, {"tau": 0.0, "bank": 20, "edge": 0.1},
    {"tau": 1.0, "bank": 7, "edge": 0.0, "temperature": 0.5},
    {"tau": 0.3, "bank": 13, "queue": 2, "alpha": 0.3, "edge": 0.3, "lambda_c": 2.0},
    {"tau": 0.4, "bank": 10, "alpha": 0.0,
     "align_to": "uniform", "lambda_u": 3.0, "edge": 1.0},
    {"tau": 0.2, "bank": 15, "start": 2, "alpha": 0.6, "queue": 1},
    {"tau": 0.2, "bank": 20, "ordinal": True},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, settings):
    c, prior = CoMatch.Config(dim=3, **settings), skewed(classes)
    method = CoMatch(WideNet(), classes, c, prior).double()
    target = prior.tolist() if c.align_to == "prior" else [1 / classes] * classes
    state = {
        "seen": [],
        "memory": [([0.0] * 3, [0.0] * classes)] * c.bank,
        "written": 0,
        "steps": 0,
    }
    shapes = {
        "z_x": (4, classes),
        "z_w": (6, classes),
        "z_s": (6, classes),
        "f_x": (4, 3),
        "f_w": (6, 3),
        "f_s": (6, 3),
    }
    shapes["f_s1"] = (6, 3)
    for seed in range(4):
        values = some(seed, scale, **shapes)
        if seed == 1:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(**values, y=torch.tensor(y))

        def slow(v, o, y=y, state=state):
            return slow_comatch(v, o, y, c, target, state)[0]

        agree(out, values, slow, {"z_w", "f_w", "f_x"})
        lists = {k: v.tolist() for k, v in values.items()}
        state = slow_comatch(lists, lists, y, c, target, state)[1]
        assert method.alignment.mean.tolist() == pytest.approx(columns(state["seen"]), abs=1e-6)
        assert method.memory.writes == state["written"]
        for row, (f, p) in enumerate(state["memory"]):
            assert method.memory.f[row].tolist() == pytest.approx(f, abs=1e-6)
            assert method.memory.p[row].tolist() == pytest.approx(p, abs=1e-5)


def test_nothing_and_everything_kept():
    v = some(
        0, 1.0, z_x=(4, 5), f_x=(4, 3), z_w=(6, 5), f_w=(6, 3), z_s=(6, 5), f_s=(6, 3), f_s1=(6, 3)
    )
    for tau, kept in ((1.0, 0), (0.0, 1)):
        method = CoMatch(
            WideNet(), 5, CoMatch.Config(tau=tau, dim=3, lambda_c=0.0), skewed(5)
        ).double()
        out = method.terms(**v, y=torch.tensor([0, 1, 2, 3]))
        out["loss"].backward()
        assert out["kept"] == kept
        assert bool(v["z_s"].grad.any()) == bool(kept)
        assert torch.isfinite(v["z_x"].grad).all()


def test_every_setting_is_read():
    others = {
        "tau": 0.99,
        "lambda_u": 2.0,
        "lambda_c": 2.0,
        "alpha": 0.3,
        "temperature": 0.5,
        "edge": 0.0,
        "dim": 5,
        "slope": 0.1,
        "bank": 20,
        "queue": 1,
        "align_to": "uniform",
        "weak": "eval",
        "start": 2,
        "ordinal": True,
    }
    every_setting_is_read(CoMatch, CoMatch.Config(tau=0.2, bank=10, dim=4, edge=0.4), others)


def test_state_survives_a_round_trip():
    continues_identically(
        CoMatch, CoMatch.Config(tau=0.2, bank=13, dim=4, edge=0.4, queue=2, weak="ema")
    )


def test_the_optimiser_gets_the_projection_and_forward_trains_it():
    method = made(CoMatch, CoMatch.Config(dim=4))
    method(a_batch())["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in method.projection.parameters())


def test_projection_is_the_formula_and_bears_a_zero():
    projection = Projection(3, 2, slope=0.1)
    h = torch.randn(4, 3)
    (a, b), (d, e) = (
        (layer.weight.tolist(), layer.bias.tolist())
        for layer in (projection.layers[0], projection.layers[2])
    )
    for row, f in zip(h.tolist(), projection(h).tolist(), strict=True):
        hidden = [dot(w, row) + bias for w, bias in zip(a, b, strict=True)]
        hidden = [v if v > 0 else 0.1 * v for v in hidden]
        raw = [dot(w, hidden) + bias for w, bias in zip(d, e, strict=True)]
        assert f == pytest.approx([v / math.sqrt(dot(raw, raw)) for v in raw], abs=1e-5)
    with torch.no_grad():
        for p in projection.parameters():
            p.zero_()
    projection(h).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in projection.parameters())


def test_queue_keeps_the_newest_rows_whatever_comes():
    queue, everything = Queue(5, 1, 2), []
    for n in (3, 4, 1, 7, 5, 2):  # fills, wraps in the middle, more than it holds
        rows = [float(len(everything) + k) for k in range(n)]
        everything += rows
        queue.write(torch.tensor(rows)[:, None], torch.tensor([[r, -r] for r in rows]))
        assert bool(queue.full()) == (len(everything) >= 5)
        assert sorted(queue.f[:, 0].tolist())[-min(5, len(everything)) :] == everything[-5:]
        assert torch.equal(queue.p[:, 1], -queue.f[:, 0])
    assert queue.f[(len(everything) - 1) % 5] == everything[-1]


def test_alignment_queue_is_the_mean_of_the_last_batches():
    prior = skewed(3)
    for fill in (None, torch.full((3,), 1 / 3)):
        queue, seen = QueueAlignment(prior, 3, fill), [] if fill is None else [[1 / 3] * 3] * 3
        for seed in range(5):
            p = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)).softmax(dim=1)
            seen = [*seen, columns(p.tolist())][-3:]
            q = queue(p)
            for row, slow in zip(
                q.tolist(), move(p.tolist(), prior.tolist(), columns(seen)), strict=True
            ):
                assert row == pytest.approx(slow, abs=1e-6)


def test_selected_follows_the_threshold_after_alignment():
    method = CoMatch(WideNet(), 2, CoMatch.Config(tau=0.6, align_to="uniform"), skewed(2))
    p = torch.tensor([[0.7, 0.3], [0.55, 0.45]])
    assert method.selected(p).tolist() == [True, False]
    method.alignment(torch.tensor([[0.8, 0.2]]))
    assert method.selected(p).tolist() == [
        True,
        True,
    ]  # the first becomes .37/.63, the second .23/.77


@pytest.mark.parametrize(
    "bad",
    [{"tau": 1.5}, {"bank": 0}, {"weak": "never"}, {"align_to": "mean"}, {"temperature": 0.0}],
)
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(
        ValueError,
        match=r"method\.\w+ is .*(0 to 1|1 or more|train, eval, ema|prior, uniform|more than 0)",
    ):
        CoMatch.Config(**bad)
