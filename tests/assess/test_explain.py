"""Grad-CAM against its formula by hand; measures against loops; comparisons paired by picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from riqa_lib.assess import advice, explain, grad_cam
from riqa_lib.datasets import data_folder
from riqa_lib.figures import explanations
from riqa_lib.networks.views import normalise
from riqa_lib.sim import fundus_sets
from riqa_lib.sim.fundus_camera import CAUSES
from riqa_lib.sim.fundus_sets import make_fundus, shot_of
from riqa_lib.stats.bootstrap import resamples_of
from riqa_lib.tables import localisation
from riqa_lib.training import fundus


class Tiny(nn.Module):
    """Two convolutions and two heads."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.last = nn.Conv2d(4, 5, 3, stride=2, padding=1)
        self.drop = nn.Dropout(0.5)
        self.overall = nn.Linear(5, 3)
        self.details = nn.Linear(5, 3)

    def forward(self, x):
        a = torch.tanh(self.last(torch.relu(self.first(x))))
        feature = self.drop((a * a).mean(dim=(2, 3)))
        return self.overall(feature), self.details(feature)


def pictures(n=3, side=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def by_hand(net, x, score):
    """One picture: activations and gradients by autograd, the rest in loops; (h, w)."""
    a = net.last(torch.relu(net.first(x))).detach().requires_grad_()
    feature = (torch.tanh(a) ** 2).mean(dim=(2, 3))
    (gradient,) = torch.autograd.grad(score(net.overall(feature), net.details(feature)), a)
    _, channels, height, width = a.shape
    out = np.zeros((height, width))
    for k in range(channels):
        alpha = sum(float(gradient[0, k, i, j]) for i in range(height) for j in range(width)) / (
            height * width
        )
        for i in range(height):
            for j in range(width):
                out[i, j] += alpha * float(a[0, k, i, j].detach())
    return np.maximum(out, 0)


SCORES = {
    "overall": lambda o, d: (o[:, 0] - o[:, 2]).sum(),
    "illumination": lambda o, d: -d[:, 0].sum(),
    "clarity": lambda o, d: -d[:, 1].sum(),
    "contrast": lambda o, d: -d[:, 2].sum(),
}


@pytest.mark.parametrize("head", grad_cam.HEADS)
def test_grad_cam_is_its_formula(head):
    net, shown = Tiny().train(), pictures()
    field = np.random.default_rng(1).random((3, 24, 24)) < 0.8
    maps = grad_cam.grad_cam(net, net.last, shown, head, inside=field, batch=2)
    assert maps.shape == (3, 24, 24)
    assert net.training  # left as it was
    assert maps.max() > 0
    for i in range(3):
        small = by_hand(net, normalise(torch.from_numpy(shown[i : i + 1])), SCORES[head])
        large = F.interpolate(
            torch.tensor(small)[None, None], size=(24, 24), mode="bilinear", align_corners=False
        )
        expected = large[0, 0].numpy() * field[i]  # 0 outside the field
        np.testing.assert_allclose(maps[i], expected, atol=1e-5 * max(small.max(), 1e-3))


def test_nothing_of_a_map_lies_outside_the_field_nor_is_drawn_there(made):
    """Of simulated crops, cut by the frame: by their true field, and by the crop alone."""
    of = explain.cases(made, 30, 40, seed=1)
    net = fundus.network(fundus.settings("smoke"), 3)
    layer = grad_cam.last_layer(net, 40)
    truth = np.stack(of.insides)
    assert (~truth).mean() > 0.15
    for head in grad_cam.HEADS:
        by_truth = grad_cam.grad_cam(net, layer, of.pixels, head, inside=of.insides)
        by_crop = grad_cam.grad_cam(net, layer, of.pixels, head)
        assert by_truth.sum() > 0
        assert by_truth[~truth].sum() == 0
        # the rim's pixels, which are part surround: at 40 px half a pixel is 5 % of the field
        assert by_crop[~truth].sum() < 0.1 * by_crop.sum()
        circle = np.hypot(*(np.mgrid[:40, :40] - 19.5)) <= 20
        assert by_crop[:, ~circle].sum() == 0
    flat = np.ones((40, 40))
    for i in range(3):
        drawn = grad_cam.overlay(of.pixels[i], flat, inside=truth[i])
        grey = np.ptp(drawn.astype(int), axis=2) == 0
        assert grey[~truth[i]].all()
        assert not grey[truth[i]].any()


def test_the_field_of_a_crop_is_what_is_not_black_from_its_rim(made):
    for i in range(12):
        pixels = made.pixels[i : i + 1]
        mask = shot_of(made, made.frame["id"].iloc[i]).mask() > 0.5
        found = grad_cam.fields_of(pixels)[0]
        assert (found != mask).sum() < 0.1 * mask.sum()
        middle = grad_cam.fields_of(pixels[:, 2:-2, 2:-2], made.pixels.shape[1])[0]
        assert (middle != mask[2:-2, 2:-2]).sum() < 0.1 * mask.sum()
    hole = np.full((1, 20, 20, 3), 80, np.uint8)
    hole[0, 9:11, 9:11] = 0  # a black spot in the retina
    hole[0, :, 15:] = 0  # a straight cut
    found = grad_cam.fields_of(hole)[0]
    assert found[9:11, 9:11].all()
    assert not found[:, 15:].any()
    assert found[:, :15].sum() > 200


def test_wrong_pictures_and_heads_are_refused():
    net = Tiny()
    with pytest.raises(ValueError, match="expected uint8"):
        grad_cam.grad_cam(net, net.last, pictures().astype(float), "overall")
    with pytest.raises(ValueError, match="expected overall, illumination"):
        grad_cam.grad_cam(net, net.last, pictures(), "sharpness")


def test_the_last_layer_with_a_map_large_enough():
    net = Tiny()
    assert grad_cam.last_layer(net, 24) is net.last  # 6 x 6
    assert grad_cam.last_layer(net, 12) is net.first  # the last has 3 x 3
    with pytest.raises(ValueError, match="no layer"):
        grad_cam.last_layer(net, 4)


# ---------------------------------------------------------------- measures
def test_measures_are_loops():
    rng = np.random.default_rng(0)
    for _ in range(20):
        inside = rng.random((9, 9)) < 0.8
        where = inside & (rng.random((9, 9)) < 0.4)
        cam = np.round(rng.random((9, 9)), 1) * (rng.random((9, 9)) < 0.7)
        if not where.any():
            continue
        best, hits, energy, total, area, field = -1.0, [], 0.0, 0.0, 0, 0
        for i in range(9):
            for j in range(9):
                if not inside[i, j]:
                    continue
                field += 1
                area += bool(where[i, j])
                total += cam[i, j]
                energy += cam[i, j] * where[i, j]
                if cam[i, j] > best:
                    best, hits = cam[i, j], []
                if cam[i, j] == best:
                    hits.append(float(where[i, j]))
        found = explain.measure(cam, where, inside)
        expected = {
            "pointing": sum(hits) / len(hits),
            "energy": energy / total,
            "chance": area / field,
        }
        assert found == pytest.approx(expected)


def test_a_map_that_says_nothing_counts_as_chance_and_outside_does_not_count():
    inside = np.zeros((6, 6), bool)
    inside[1:5, 1:5] = True
    where = np.zeros((6, 6), bool)
    where[1:5, 1] = True
    assert explain.measure(np.zeros((6, 6)), where, inside) == {
        "pointing": 0.25,
        "energy": 0.25,
        "chance": 0.25,
    }
    cam = np.zeros((6, 6))
    cam[0, 0], cam[2, 1] = 100, 1  # the maximum outside the field is not looked at
    assert explain.measure(cam, where, inside) == {"pointing": 1, "energy": 1, "chance": 0.25}
    for wrong in ((cam, where & False, inside), (-cam, where, inside), (cam[:3], where, inside)):
        with pytest.raises(ValueError, match="expected equal shapes"):
            explain.measure(*wrong)


def test_regions():
    inside = np.ones((10, 10), bool)
    inside[0] = False
    ramp = np.tile(np.linspace(0, 1, 10), (10, 1))
    where = explain.region(ramp, inside)
    assert where.sum() == 45  # the upper half of its range, inside
    assert not where[0].any()
    assert not explain.region(np.full((10, 10), 0.9), inside).any()  # alike everywhere
    assert not explain.region(ramp * 0.1, inside).any()
    assert not explain.region(np.where(ramp > 0.1, 1.0, 0.0), inside).any()  # fills the field
    both = explain.whole_defect({"a": np.full((2, 2), 0.5), "b": np.full((2, 2), 0.5)})
    assert np.allclose(both, 0.75)


# ---------------------------------------------------------------- intervals
def measured(shift=0.0, n=40, seeds=(0, 1), seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    base = rng.random(n)
    for s in seeds:
        for method, more in (("single_eyeq", 0.0), ("multi_eyeq", shift)):
            noise = rng.normal(0, 0.02, n)
            rows += [
                {
                    "method": method,
                    "seed": s,
                    "head": "clarity",
                    "id": f"p{i}",
                    "group": f"g{i // 2}",
                    "chance": 0.3,
                    "energy": base[i] + more + noise[i],
                    "pointing": float(base[i] > 0.5),
                    "shuffled_energy": 0.4,
                    "shuffled_pointing": 0.4,
                }
                for i in range(n)
            ]
    return pd.DataFrame(rows)


def test_differences_are_paired_by_picture():
    table = localisation.table(measured(0.05), resamples=500).set_index(
        ["measure", "method", "against"]
    )
    paired, own = (
        table.loc[("energy", "multi_eyeq", "single_eyeq")],
        table.loc[("energy", "multi_eyeq", "itself")],
    )
    assert paired["value"] == pytest.approx(0.05, abs=0.01)
    assert 0.03 < paired["low"] < paired["value"] < paired["high"] < 0.07
    assert own["high"] - own["low"] > 5 * (
        paired["high"] - paired["low"]
    )  # pictures differ much more than the methods on one
    assert table.loc[("energy", "multi_eyeq", "chance"), "value"] == pytest.approx(
        own["value"] - 0.3
    )
    assert table.loc[("energy", "multi_eyeq", "shuffled"), "value"] == pytest.approx(
        own["value"] - 0.4
    )
    words = localisation.findings(table.reset_index())
    other = "multi-task − single-task's overall map"  # its only one
    assert f"clarity, energy: {other} {paired['value']:+.3f}" in words
    assert f"{other} +0.000 [+0.000, +0.000], 40 pictures: not decided" in words
    assert words.count("− the region's share of the field") == 4  # both networks, both measures
    assert words.count("− maps of other pictures") == 4
    shown = localisation.show(table.reset_index()).splitlines()
    assert len(shown) == 2 + 4
    line = next(t for t in shown if t.startswith("| clarity | energy | multi-task |"))
    assert line.count("[") == 4  # itself, less both kinds of chance, less the other network
    for shift, word in ((0.05, "more"), (-0.05, "less")):
        told = localisation.findings(
            localisation.table(measured(shift), resamples=200)
        ).splitlines()
        line = next(t for t in told if f"energy: {other}" in t)
        assert line.endswith(f": {word}."), line
    assert len(explanations.localisation(table.reset_index(), simulated=True).axes) == 2


def test_the_interval_is_a_slow_bootstrap_of_groups_and_seeds():
    data = measured(seeds=(0, 1, 2))
    of = data[data["method"] == "single_eyeq"]
    row = (
        localisation.table(of, resamples=300, seed=3)
        .set_index(["measure", "against"])
        .loc[("energy", "itself")]
    )
    clusters, seeds = resamples_of(20, 3, 300, 3)
    wide = of.pivot_table(index="id", columns="seed", values="energy")
    names = list(
        dict.fromkeys(of.drop_duplicates("id").set_index("id")["group"].reindex(wide.index))
    )
    members = [set(of.loc[of["group"] == g, "id"]) for g in names]
    sums = [[sum(wide.loc[i, k] for i in ids) for k in range(3)] for ids in members]
    means = []
    for c, s in zip(clusters, seeds, strict=True):
        total = weight = 0.0
        for own, ids, times in zip(sums, members, c, strict=True):
            for k, again in enumerate(s):
                total += times * again * own[k]
                weight += times * again * len(ids)
        means.append(total / weight)
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_other_pictures_cannot_be_compared():
    data = measured()
    with pytest.raises(ValueError, match="other pictures or seeds"):
        localisation.table(data[~((data["method"] == "multi_eyeq") & (data["id"] == "p3"))])


# ---------------------------------------------------------------- on a simulated set
@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_fundus(tmp_path_factory.mktemp("set"), "eyeq-like", 80, 40, progress=False)
    return data_folder.open_dataset(folder)


def test_cases_hold_the_middle_of_pictures_and_maps(made):
    of = explain.cases(made, 30, 36, seed=1)
    assert of.pixels.shape == (30, 36, 36, 3)
    assert (made.frame["split"].iloc[of.rows] == "test").all()
    assert all({*d} == {*CAUSES} and d["clarity"].shape == (36, 36) for d in of.defects)
    for i in range(3):
        one = shot_of(made, of.frame["id"].iloc[i])
        assert np.array_equal(of.insides[i], one.mask()[2:38, 2:38] > 0.5)
        assert np.array_equal(of.defects[i]["illumination"], one.maps()["illumination"][2:38, 2:38])
        assert np.array_equal(of.pixels[i], one.pixels[2:38, 2:38])
    dark = [i for i in range(30) if not of.insides[i].all()]
    assert (
        np.mean([of.pixels[i][~of.insides[i]].mean() for i in dark]) < 40
    )  # the field's mask fits the picture
    for head, regions in of.regions.items():
        for i, where in regions.items():
            bad = (
                of.frame["true_grade"].iloc[i] < 2
                if head == "overall"
                else of.frame[f"true_{head}"].iloc[i] == 0
            )
            assert bad
            assert where[of.insides[i]].mean() <= explain.AREA
    best = explain.chosen(of, 3, good=True)
    assert (of.frame["true_grade"].iloc[best] == 2).all()


def test_a_map_that_is_the_truth_beats_chance_and_one_of_its_own_picture_beats_shuffled(
    made, monkeypatch
):
    of = explain.cases(made, 50, 36, seed=1)

    def row_of(pixels):
        return int(np.flatnonzero((of.pixels == pixels).all(axis=(1, 2, 3)))[0])

    def truth(net, layer, shown, head, inside):
        return np.stack([of.defects[row_of(pixels)]["illumination"] for pixels in shown])

    monkeypatch.setattr(explain, "grad_cam", truth)
    only = {"illumination": of.regions["illumination"]}
    found = explain.scores(nn.Identity(), nn.Identity(), of.pixels, of.frame, only, of.insides)
    assert len(found) > 5
    assert (found["pointing"] == 1).all()
    assert (found["energy"] > found["chance"]).all()
    assert found["shuffled_pointing"].mean() < 0.9


def test_a_single_task_network_answers_with_its_only_map(made):
    of = explain.cases(made, 30, 36, seed=1)
    net = fundus.network(fundus.settings("smoke"), 3)
    layer = grad_cam.last_layer(net, 36)
    only = {"illumination": of.regions["illumination"]}
    multi, single = (
        explain.scores(net, layer, of.pixels, of.frame, only, of.insides, details=d)
        for d in (True, False)
    )
    rows = sorted(of.regions["illumination"])
    inside = [of.insides[i] for i in rows]
    cams = grad_cam.grad_cam(net, layer, of.pixels[rows], "overall", inside=inside)
    slow = [
        explain.measure(c, of.regions["illumination"][i], of.insides[i])["energy"]
        for i, c in zip(rows, cams, strict=True)
    ]
    assert np.allclose(single["energy"], slow)
    assert not np.allclose(multi["energy"], slow)


def test_advice_is_held_against_the_true_cause(made):
    test = made.frame[made.frame["split"] == "test"].set_index("id")
    details = pd.DataFrame(
        {d: np.where(test[f"true_{d}"] == 1, 0.95, 0.05) for d in advice.DETAILS}, index=test.index
    )
    told = explain.advice_truth(made, 25, details, test["true_grade"] == 2, {})
    assert {*told["say"]} <= {r.say for r in advice.RULES}
    assert (told["said"] > 0).all()
    weighted = (told["right"] * told["said"]).sum() / told["said"].sum()
    assert weighted > (told["chance"] * told["said"]).sum() / told["said"].sum() + 0.1
    slow: dict[str, list[bool]] = {}
    for key in explain.rng("advice", 0).permutation(test.index.to_numpy())[:25]:
        one = shot_of(made, key)
        row = fundus_sets.plan("eyeq-like", 80, 0).set_index("id", drop=False).loc[key].to_dict()
        large = fundus_sets.shot(row, "eyeq-like", 160, 0)
        found = advice.statistics(large.pixels, large.mask() > 0.5)
        for a in advice.advise(
            details.loc[key].to_dict(), found, good=test["true_grade"][key] == 2
        ):
            strong = {
                k
                for c, d in one.defects.items()
                if one.severity[c] >= (0.3 if c == "artefact" else 0.8)
                for k in d.kinds
            }
            slow.setdefault(a.say, []).append(any(k in advice.rule(a.say).fits for k in strong))
    assert told.set_index("say")["right"].to_dict() == {
        k: np.mean(v) for k, v in slow.items() if advice.rule(k).fits
    }
    often = told["said"] >= explain.OFTEN
    assert (told["said"] < explain.OFTEN).any()
    table = explain.show_advice(told)
    assert [f"| {say} |" in table for say in told["say"]] == often.tolist()
    assert f"{(~often).sum()} rules said of fewer than 10" in table
    few = explain.advice_findings(told.assign(said=explain.OFTEN - 1))
    assert few.startswith("- No advice")
    both = pd.DataFrame({"say": ["x", "y"], "said": 10, "right": [0.5, 0.1], "chance": [0.2, 0.2]})
    said = explain.advice_findings(both)
    assert "of 2 rules" in said
    assert "1 name a true cause" in said
    assert 'most gains "x" (50% of 10 pictures, 20% of all), least "y"' in said
