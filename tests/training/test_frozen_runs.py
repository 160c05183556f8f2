"""Runs on the maps of a frozen stem, from settings to predictions: the same bits after a stop, and
what float16 maps change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from map_trees import blurred_pictures

from riqa_lib import store
from riqa_lib.networks import lite0, map_store, views
from riqa_lib.networks.hybrid import OnPixels
from riqa_lib.networks.predict import probabilities
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.vit import ViT
from riqa_lib.networks.weights import load_weights
from riqa_lib.stats import metrics
from riqa_lib.training import photographs
from riqa_lib.training.photographs import settings

FROZEN = {
    "data.size": 48,
    "data.crop": 32,
    "data.labels": 30,
    "model.stem": "lite0",
    "model.freeze": True,
    "model.weights": "imagenet",
}
SURE = FROZEN | {
    "model.width": 128,
    "model.depth": 2,
    "train.steps": 100,
    "train.batch": 16,
    "train.lr": 3e-3,
    "train.ema": 0.9,
}
# of a probability, at most, where maps are kept as float16; and of a single window of a map
FP16_CHANGES, OF_A_WINDOW = 1e-3, 5e-3
P = [f"p{k}" for k in range(5)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("pictures")))
    patch.delenv("RIQA_JOURNAL", raising=False)
    yield blurred_pictures()
    patch.undo()


def left_by(folder):
    """Bytes of all that a run leaves and that says nothing of times."""
    names = ("config.json", "history.csv", *store.PREDICTIONS.values(), "model.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_run_says_what_the_weights_of_the_last_step_say(data, home):
    few = {"train.evaluations": 6, "train.lr": 0.05}  # best before the end, and far from it
    folder = photographs.train(settings("smoke", "supervised", 0, FROZEN).but(**few), data)
    chosen, last = (store.read_predictions(folder, w) for w in ("selected", "last"))
    history = store.read_table(folder / "history.csv")["val_mae"]
    assert history.idxmin() < len(history) - 1
    shown = chosen[chosen["split"] != "pool"].reset_index(drop=True)
    shown = shown[shown["split"] != "train"].reset_index(drop=True)
    assert last["id"].tolist() == shown["id"].tolist()
    for said, mae in ((shown, history.min()), (last, history.iloc[-1])):
        val = said[said["split"] == "val"]
        errors = (val[P].to_numpy().argmax(axis=1) - val["truth"]).abs()
        assert errors.mean() == pytest.approx(mae)


@pytest.mark.parametrize("select", ["best", "last"])
def test_all_that_the_selected_weights_are_asked_is_said_in_order(data, home, select):
    """Where they are those of the last step, some of it was said before, and is not said again."""
    run = settings("smoke", "fixmatch", 0, FROZEN)
    run = run.but(**{"train.select": select, "train.evaluations": 6, "train.lr": 0.05})
    folder = photographs.train(run, data)
    chosen, last = (store.read_predictions(folder, w) for w in ("selected", "last"))
    rows = photographs.asked(data, photographs.rows_of(run, data))
    assert chosen["id"].tolist() == data.frame["id"].iloc[rows].tolist()
    assert "pool" in set(chosen["split"])
    net = ViT(run.model, run.data.crop, 5)
    load_weights(folder / "model.safetensors", net)
    p = probabilities(net, photographs.source_of(run, data), rows).numpy()
    assert np.abs(p - chosen[P].to_numpy()).max() < 2e-5
    both = chosen.merge(last, on="id")
    assert len(both) == len(last)
    same = (both[[f"{c}_x" for c in P]].to_numpy() == both[[f"{c}_y" for c in P]].to_numpy()).all()
    assert same == (select == "last")


@pytest.mark.parametrize("row", ["supervised", "fixmatch", "fixmatch_randaugment"])
def test_a_run_on_maps_stopped_and_resumed_ends_with_the_same_bits(data, home, monkeypatch, row):
    run = settings("smoke", row, 0, FROZEN)
    whole = photographs.train(run, data)
    said = left_by(whole)
    assert store.read_json(whole / "provenance.json")["labels"] == 30

    fit = photographs.fit

    def stopped(*given, **more):
        fit(*given, **more, stop_after=4)
        raise KeyboardInterrupt

    monkeypatch.setenv("RIQA_HOME", str(home / "another"))
    monkeypatch.setattr(photographs, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        photographs.train(run, data)
    monkeypatch.setattr(photographs, "fit", fit)
    assert [*(home / "another").rglob("state.safetensors")]
    resumed = photographs.train(run, data)
    assert resumed != whole
    assert left_by(resumed) == said
    names = map_store.SHOWN if row == "fixmatch_randaugment" else ["mirrored"]
    for shown in names:
        assert (data.folder / f"maps-{map_store.key_of(data, True, shown)}.npy").exists()


def test_the_network_sees_windows_of_two_by_two_tokens(data, home, monkeypatch):
    seen = []
    monkeypatch.setattr(ViT, "forward", spying(ViT.forward, seen))
    photographs.train(settings("smoke", "fixmatch", 0, FROZEN), data)
    assert set(seen) == {(176, 2, 2)}
    run = settings("smoke", "fixmatch", 0, FROZEN)
    source = photographs.source_of(run, data)
    assert isinstance(source, Maps)
    assert source.maps.shape == (len(data), 2, 3, 3, 176)
    assert source.looks(torch.arange(3)).shape == (8, 3, 176, 2, 2)
    two = settings("smoke", "fixmatch", 0, FROZEN | {"data.looks": 2})
    assert photographs.source_of(two, data).looks(torch.arange(3)).shape == (2, 3, 176, 2, 2)


def spying(forward, seen):
    def watched(self, x, keep=None):
        seen.append(tuple(x.shape[1:]))
        return forward(self, x, keep)

    return watched


def test_an_unfrozen_run_needs_no_maps(tmp_path, home):
    data = blurred_pictures("unfrozen")
    few = {"model.freeze": False, "train.steps": 2, "train.evaluations": 1}
    run = settings("smoke", "supervised", 0, FROZEN | few)
    folder = photographs.train(run, data)
    assert not [*data.folder.glob("*maps*")]
    assert isinstance(photographs.source_of(run, data), Pixels)
    assert len(store.read_predictions(folder))


def trained(data, extra=SURE):
    """(network, run, folder) of a run that learnt enough to be sure of something."""
    run = settings("smoke", "supervised", 0, extra)
    folder = photographs.train(run, data)
    net = ViT(run.model, run.data.crop, 5)
    load_weights(folder / "model.safetensors", net)
    return net.eval(), run, folder


@pytest.fixture(scope="module")
def sure(data):
    """As `trained`, once."""
    return trained(data)


def test_the_stored_weights_alone_say_the_same(data, sure):
    """Mean and deviation of the maps are in them."""
    net, run, folder = sure
    stored = map_store.open_maps(data, progress=False)
    assert torch.equal(net.vit.patch_embed.mean.flatten(), stored.mean)
    assert torch.equal(net.vit.patch_embed.sd.flatten(), stored.sd)
    table = store.read_predictions(folder)
    rows = np.flatnonzero(data.frame["id"].isin(table["id"]))
    p = probabilities(net, photographs.source_of(run, data), rows).numpy()
    assert np.abs(p - table[P].to_numpy()).max() < 1e-5  # five decimals are stored
    test = table[table["split"] == "test"]
    truth = test["truth"].to_numpy()
    best = min(metrics.mae(truth, np.full(len(truth), k), 5) for k in range(5))
    assert metrics.mae(truth, test[P].to_numpy().argmax(axis=1), 5) < 0.6 * best


@pytest.fixture(scope="module")
def exact(data):
    """All maps in fp32, never rounded: (N, 2, h, w, channels)."""
    stem = lite0.Lite0().eval()
    with torch.no_grad():
        looks = map_store.mirrored(torch.from_numpy(data.pixels.copy()), 0)
        both = [stem(lite0.renormalised(x)) for x in looks]
    return torch.stack(both, dim=1).permute(0, 1, 3, 4, 2)


def largest_changes(data, sure, exact, rounded):
    """Of a probability where maps are rounded so: (of predictions, of a single window)."""
    net, run, _ = sure
    source = photographs.source_of(run, data)
    if rounded == torch.float16:
        assert torch.allclose(source.maps.float(), exact, rtol=2.0**-10, atol=1e-4)
    else:
        source = Maps(exact.to(rounded), source.window, source.mean)
    rows, both = np.arange(len(data)), (source, Maps(exact, source.window, source.mean))
    kept, never = (probabilities(net, s, rows) for s in both)
    assert kept.max() > 0.99  # a network that is sure of something
    with torch.no_grad():
        every = [net(s.looks(torch.from_numpy(rows)).flatten(0, 1))[0].softmax(1) for s in both]
    return (kept - never).abs().max().item(), (every[0] - every[1]).abs().max().item()


def test_maps_kept_as_float16_change_probabilities_by_little(data, sure, exact):
    change, of_a_window = largest_changes(data, sure, exact, torch.float16)
    print(f"float16: {change:.1e}, of a single window {of_a_window:.1e}")
    assert 0 < change < FP16_CHANGES
    assert 0 < of_a_window < OF_A_WINDOW


def test_a_smaller_precision_of_maps_would_be_noticed(data, sure, exact):
    """The tolerance is no formality: maps rounded to bfloat16 are outside it."""
    change, of_a_window = largest_changes(data, sure, exact, torch.bfloat16)
    print(f"bfloat16: {change:.1e}, of a single window {of_a_window:.1e}")
    assert change > FP16_CHANGES
    assert of_a_window > OF_A_WINDOW


def test_maps_are_made_in_full_precision_whatever_is_around(data, home):
    """Also inside somebody's autocast: stored maps must not depend on it."""
    other = blurred_pictures("autocast")
    with torch.autocast("cpu", torch.bfloat16):
        maps = map_store.open_maps(other, progress=False).maps
    assert np.array_equal(maps, map_store.open_maps(data, progress=False).maps)


def test_no_tf32_while_maps_are_made(home, monkeypatch):
    """What a GPU would take for convolutions by default; after that it may again."""
    seen = []
    forward = lite0.Lite0.forward

    def watched(self, x):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.enabled))
        return forward(self, x)

    monkeypatch.setattr(lite0.Lite0, "forward", watched)
    before = torch.backends.cudnn.allow_tf32
    map_store.open_maps(blurred_pictures(), progress=False)
    assert set(seen) == {(False, True)}
    assert torch.backends.cudnn.allow_tf32 is before is True


def test_the_network_on_pixels_says_what_it_says_of_stored_maps(data, home):
    """Where the window is the whole map; for pictures whose maps nobody has stored."""
    net, run, _ = trained(data, SURE | {"data.crop": 48})
    source = photographs.source_of(run, data)
    assert source.window == 3
    on_pixels = OnPixels(net, run.model.scales).eval()
    rows = torch.arange(20)
    x = views.normalise(torch.from_numpy(data.pixels[:20].copy()))
    with torch.no_grad():
        for k, shown in enumerate((x, x.flip(3))):
            mine = on_pixels(shown)[0].softmax(dim=1)
            stored = net(source.looks(rows)[k])[0].softmax(dim=1)
            assert (mine - stored).abs().max() < OF_A_WINDOW
