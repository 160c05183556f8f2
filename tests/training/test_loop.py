"""The loop: the same bits after a kill, the schedule's formula, what each setting does."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from exercises import OWN_METHODS

from riqa_lib.networks.sources import Pixels
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.networks.weights import load_weights, save_weights
from riqa_lib.ssl.fixmatch import FixMatch
from riqa_lib.ssl.supervised import Supervised
from riqa_lib.training import loop, saved_state
from riqa_lib.training.loop import Material, TrainConfig
from riqa_lib.training.photographs import METHODS

TINY = ViTConfig(width=16, depth=2, heads=2, patch=8, drop_path=0.4, weights="none")
FAST = TrainConfig(steps=6, batch=4, mu=2, evaluations=3, precision="fp32")


def material(n=40, size=20, classes=5):
    pixels = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8)
    rows = np.arange(n)
    for k in range(classes):
        # grade = brightness, so that there is something to learn
        pixels[rows % classes == k] //= classes + 1 - k
    return Material(
        source=Pixels(torch.from_numpy(pixels), 16),
        labelled=rows[:20],
        grades=rows[:20] % classes,
        unlabelled=rows[20:],
        val=rows[20:30],
        val_grades=rows[20:30] % classes,
    )


def method(kind=FixMatch, seed=0, **settings):
    torch.manual_seed(seed)
    config = (
        kind.Config(tau=0.2, align=True, **settings)
        if kind is FixMatch
        else kind.Config(**settings)
    )
    return kind(ViT(TINY, 16, 5), 5, config, torch.full((5,), 0.2))


def weights(net):
    return torch.cat([v.double().flatten() for v in net.state_dict().values()])


@pytest.mark.parametrize(
    "kind",
    [k for n, k in (METHODS | OWN_METHODS).items() if n != "fixmatch"],
    ids=lambda k: k.__name__,
)
def test_every_method_resumes_with_the_same_bits(tmp_path, kind):
    def fresh(seed):
        torch.manual_seed(seed)
        return kind(ViT(TINY, 16, 5), 5, kind.Config(), torch.full((5,), 0.2))

    whole, history, _ = loop.fit(fresh(0), material(), FAST, 0)
    loop.fit(fresh(0), material(), FAST, 0, tmp_path / "state", stop_after=5)
    net, after, _ = loop.fit(fresh(1), material(), FAST, 0, tmp_path / "state")
    assert torch.equal(weights(whole), weights(net))
    assert history.to_csv() == after.to_csv()


@pytest.mark.parametrize("config", [
    FAST, TrainConfig(**{**vars(FAST), "select": "last"}),
    TrainConfig(**{**vars(FAST), "optimiser": "adam", "ema": 0.0, "select": "last"}),
])  # fmt: skip
def test_killed_and_resumed_ends_with_the_same_bits(tmp_path, config):
    state = tmp_path / "state.safetensors"
    whole, history, _ = loop.fit(method(), material(), config, 0)
    loop.fit(
        method(), material(), config, 0, state, stop_after=3
    )  # dies after step 3; the state of step 2 is on disk
    resumed = method(seed=99)  # other first weights: all must come from the state
    net, after, times = loop.fit(resumed, material(), config, 0, state)
    assert times["steps_now"] == 4
    assert torch.equal(weights(whole), weights(net))
    assert history.to_csv() == after.to_csv()
    again, _, _ = loop.fit(method(), material(), config, 0)
    assert torch.equal(weights(whole), weights(again))
    other, _, _ = loop.fit(method(), material(), config, 1)
    assert not torch.equal(weights(whole), weights(other))


def test_the_time_of_a_resumed_training_counts_what_was_before(tmp_path, monkeypatch):
    clock = itertools.count(0, 10)  # seconds, one look at the clock after the other
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    state = tmp_path / "state.safetensors"
    loop.fit(method(), material(), FAST, 0, state, stop_after=3)  # looks: at first, at one save
    monkeypatch.setattr(loop.time, "perf_counter", lambda: 1e6)  # another day; it stands still
    _, _, times = loop.fit(method(), material(), FAST, 0, state)
    assert times["train_seconds"] == 10


def bit_flipped(data: bytes) -> bytes:
    """The last byte of the last tensor with its lowest bit changed."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("harm", [bit_flipped, lambda b: b[: len(b) // 2], lambda b: b""])
def test_a_damaged_state_is_thrown_away_and_the_run_ends_as_if_nothing_was(tmp_path, capsys, harm):
    state = tmp_path / "state.safetensors"
    whole, history, _ = loop.fit(method(), material(), FAST, 0)
    loop.fit(method(), material(), FAST, 0, state, stop_after=3)
    state.write_bytes(harm(state.read_bytes()))
    net, after, times = loop.fit(method(), material(), FAST, 0, state)
    assert "state.safetensors: damaged" in capsys.readouterr().out
    assert times["steps_now"] == FAST.steps
    assert torch.equal(weights(whole), weights(net))
    assert history.to_csv() == after.to_csv()


def test_a_bit_flipped_in_the_note_of_a_state_is_seen(tmp_path, capsys):
    state = tmp_path / "state.safetensors"
    loop.fit(method(), material(), FAST, 0, state, stop_after=3)
    assert saved_state.read(state).note["step"] == 2
    state.write_bytes(state.read_bytes().replace(b'step\\": 2', b'step\\": 3', 1))
    assert saved_state.read(state) is None
    assert not state.exists()
    assert "thrown away" in capsys.readouterr().out


def test_it_learns_and_selects_on_validation():
    config = TrainConfig(steps=60, batch=8, evaluations=6, precision="fp32", lr=3e-3, ema=0.9)
    _, history, _ = loop.fit(method(Supervised), material(), config, 0)
    assert history["val_mae"].iloc[-1] < 0.8  # chance: 1.6
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


@pytest.mark.parametrize("classes", [2, 10])
def test_validation_counts_in_the_data_s_own_grades(classes):
    torch.manual_seed(0)
    own = Supervised(ViT(TINY, 16, classes), classes, Supervised.Config(), torch.ones(classes))
    shown = material(classes=classes)
    found = loop.validate(own.net, own, shown)
    p = loop.probabilities(own.net, shown.source, shown.val).numpy()
    errors = [(t, abs(t - g)) for t, g in zip(shown.val_grades, p.argmax(axis=1), strict=True)]
    assert found["val_mae"] == pytest.approx(np.mean([e for _, e in errors]))
    by_grade = [np.mean([e for t, e in errors if t == k]) for k in range(classes)]
    assert found["val_macro_mae"] == pytest.approx(np.mean(by_grade))


@pytest.mark.parametrize("select", ["best", "last"])
def test_the_selected_weights_are_those_of_the_best_or_last_evaluation(select):
    config = TrainConfig(**{**vars(FAST), "select": select, "evaluations": 6, "lr": 0.05})
    net, history, _ = loop.fit(method(Supervised), material(), config, 0)
    mine = loop.validate(net, method(Supervised), material())["val_mae"]
    assert mine == pytest.approx(
        history["val_mae"].min() if select == "best" else history["val_mae"].iloc[-1]
    )


def test_the_weights_of_the_last_step_are_shown_before_the_best_are_loaded():
    config = TrainConfig(**{**vars(FAST), "evaluations": 6, "lr": 0.05})
    shown = []

    def look(net, selected):
        shown.append(loop.validate(net, method(Supervised), material())["val_mae"])
        said.append(selected)

    said = []
    net, history, _ = loop.fit(method(Supervised), material(), config, 0, at_end=look)
    assert shown == [pytest.approx(history["val_mae"].iloc[-1])]
    best = loop.validate(net, method(Supervised), material())["val_mae"]
    assert best == pytest.approx(history["val_mae"].min())
    assert best < shown[0]  # else this says nothing
    last = TrainConfig(**{**vars(config), "select": "last"})
    loop.fit(method(Supervised), material(), last, 0, at_end=look)
    assert said == [False, True]


def test_learning_rate():
    c = TrainConfig(steps=100, lr=2.0, warmup=0.1, final=0.25)
    for step in range(100):
        t = (step - 10) / 89
        slow = 2.0 * (step + 1) / 10 if step < 10 else 0.5 + 1.5 * 0.5 * (1 + math.cos(math.pi * t))
        assert loop.lr_at(step, c) == pytest.approx(slow)
    assert loop.lr_at(99, c) == pytest.approx(0.5)


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_one_step_against_plain_descent(clip):
    """theta - lr * lr_scale * g, g scaled down to a norm of clip."""
    layer = torch.nn.Linear(3, 1, bias=False)
    before = layer.weight.detach().clone()
    x = torch.tensor([[3.0, 0.0, 4.0]])  # the gradient of sum(layer(x)), of length 5

    class Learner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, scale):
            return {"loss": scale * self.layer(x).sum(), "seen": x.sum()}

    optim = torch.optim.SGD([{"params": layer.parameters(), "lr_scale": 0.5}], lr=9.0)
    out = loop.one_step(Learner(), (x, 1.0), optim, 0.2, clip, contextlib.nullcontext())
    g = x if not clip else x * clip / 5
    assert torch.allclose(layer.weight, before - 0.2 * 0.5 * g, atol=1e-6)
    assert set(out) == {"loss", "seen"}


def test_passes_counts_a_network_once_and_leaves_no_hook():
    net, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    with loop.passes(net, net, other) as shown:
        net(torch.zeros(3, 2))
        with torch.no_grad():
            other(torch.zeros(5, 2))
    net(torch.zeros(7, 2))
    assert [(len(images), learns) for images, learns in shown] == [(3, True), (5, False)]


def test_batches_go_through_whole_permutations():
    seen = np.concatenate([loop.drawn(10, 4, step, "x") for step in range(5)])
    assert Counter(seen.tolist()) == {k: 2 for k in range(10)}
    assert not np.array_equal(seen[:10], seen[10:])
    assert np.array_equal(loop.drawn(10, 4, 3, "x"), loop.drawn(10, 4, 3, "x"))
    assert np.array_equal(np.sort(loop.drawn(3, 9, 0, "x")), np.repeat([0, 1, 2], 3))


def test_all_methods_see_the_same_labelled_pictures():
    a = loop.batch_of(material(), method(Supervised), FAST, 0, 5, 4)
    b = loop.batch_of(material(), method(FixMatch), FAST, 0, 5, 4)
    assert torch.equal(a.x.images, b.x.images)
    assert torch.equal(a.y, b.y)
    assert {n: len(v.images) for n, v in b.u.items()} == {"weak": 8, "strong": 8}
    assert a.u == {}


def test_layer_decay_and_weight_decay():
    m = method(Supervised)
    m.net = ViT(ViTConfig(width=16, depth=2, heads=2, weights="none"), 16, 5)
    groups = loop.optimiser(m, TrainConfig(layer_decay=0.5)).param_groups
    scale = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
    decay = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    assert len(scale) == len(list(m.net.parameters()))
    vit = m.net.vit
    found = [
        scale[id(p)]
        for p in (
            vit.head.weight,
            vit.blocks[1].mlp.fc1.weight,
            vit.blocks[0].mlp.fc1.weight,
            vit.pos_embed,
        )
    ]
    assert found == [1.0, 0.5, 0.25, 0.125]
    assert decay[id(vit.head.weight)] == 0.05
    assert decay[id(vit.head.bias)] == decay[id(vit.pos_embed)] == 0.0
    # without it, all that learn alike are one group
    alike = loop.optimiser(m, TrainConfig(layer_decay=1.0)).param_groups
    assert sorted(g["weight_decay"] for g in alike) == [0.0, 0.05]
    assert {id(p): g["weight_decay"] for g in alike for p in g["params"]} == decay


def test_average_is_the_running_mean():
    net = ViT(TINY, 16, 5)
    average = loop.Average(net, 0.9)
    slow = {k: v.clone() for k, v in net.named_parameters()}
    for step in range(12):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(0.1)
        average.update(step)
        d = min(0.9, (1 + step) / (10 + step))
        slow = {k: d * slow[k] + (1 - d) * v for k, v in net.named_parameters()}
    for k, v in average.net.named_parameters():
        assert torch.allclose(v, slow[k], atol=1e-5)
    assert net.training
    assert not any(part.training for part in average.net.modules())


@pytest.mark.parametrize(("changes", "words"), [
    ({"steps": 0}, "train.steps is 0"), ({"optimiser": "sgd"}, "adamw, adam"),
    ({"strong": "blur"}, "quality, randaugment"),
    ({"mu": -1}, "train.mu"), ({"select": "test"}, "best, last"),
])  # fmt: skip
def test_bad_settings_say_what_is_allowed(changes, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**changes)


def test_a_loss_that_is_not_a_number_stops_the_run():
    m = method(Supervised)
    with torch.no_grad():
        m.net.vit.head.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="by step 2"):
        loop.fit(m, material(), FAST, 0)


def test_weights_that_the_last_step_spoilt_stop_the_run():
    config = TrainConfig(steps=1, batch=4, evaluations=1, precision="fp32", lr=1e38, clip=0.0)
    with pytest.raises(FloatingPointError, match=r"weights are no numbers by step 1 \(lr 1e\+38"):
        loop.fit(method(Supervised), material(), config, 0)


def test_no_pictures_is_said():
    import dataclasses

    none = dataclasses.replace(material(), unlabelled=np.array([], int))
    with pytest.raises(ValueError, match=r"train\.mu is 0; FixMatch learns from unlabelled"):
        loop.fit(method(), material(), TrainConfig(steps=1, mu=0), 0)
    loop.fit(method(Supervised), material(), TrainConfig(steps=1, mu=0, evaluations=1), 0)
    with pytest.raises(ValueError, match="FixMatch needs unlabelled pictures"):
        loop.fit(method(), none, FAST, 0)


def test_weights_that_do_not_fit_are_named(tmp_path):
    net = ViT(TINY, 16, 5)
    save_weights(tmp_path / "w.safetensors", net)
    fresh = ViT(TINY, 16, 5)
    load_weights(tmp_path / "w.safetensors", fresh)
    assert torch.equal(weights(net), weights(fresh))
    with pytest.raises(ValueError, match=r"w\.safetensors: these weights don't fit"):
        load_weights(
            tmp_path / "w.safetensors", ViT(ViTConfig(width=32, depth=1, weights="none"), 16, 5)
        )
    other = ViT(TINY, 16, 3)
    load_weights(tmp_path / "w.safetensors", other, skip=("vit.head.",))
    assert torch.equal(other.vit.pos_embed, net.vit.pos_embed)
