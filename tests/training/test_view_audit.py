"""The audit of operations: against slow loops, nothing changed by nothing, destruction seen, the
rule."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from riqa_lib.figures import style, view_effects
from riqa_lib.networks import views
from riqa_lib.sim import photo_raters, photo_sets
from riqa_lib.sim.scenes import scene
from riqa_lib.tables import view_verdicts
from riqa_lib.training import view_audit

SIZE, CROP, N = 40, 32, 16


class Net(torch.nn.Module):
    """Grades brightness: enough of a network for an audit."""

    tokens = 16

    def forward(self, x, keep=None):
        level = x.mean(dim=(1, 2, 3)) if keep is None else x.mean(dim=(1, 2, 3)) * keep.mean(dim=1)
        return -((level[:, None] + 1 - torch.arange(5) / 2) ** 2) * 8, x.new_zeros(len(x), 1)


@pytest.fixture(scope="module")
def world():
    made = [photo_sets.picture((0, f"k{i}"), SIZE, 0.35 + 0.02 * i) for i in range(N)]
    frame = pd.DataFrame(
        {
            "id": [f"k{i}" for i in range(N)],
            "split": "test",
            "grade": 2,
            "true_quality": [m.quality for m in made],
        }
    )
    return None, np.stack([m.pixels for m in made]), frame


def audited(world, names, **changes):
    _, pixels, frame = world
    clean = np.stack([scene((0, one), SIZE) for one in frame["id"]])
    return view_audit.measure(
        Net(), pixels, clean, np.arange(N), view_audit.chosen(CROP, names), CROP, **changes
    )


def centre(picture):
    a = (len(picture) - CROP) // 2
    return picture[a : a + CROP, a : a + CROP]


def judged(net, picture):
    x = (torch.from_numpy(centre(picture).copy()).float() / 255 - views.MEAN) / views.SD
    return net(x.permute(2, 0, 1)[None])[0][0].double().softmax(dim=0).numpy()


def test_against_a_slow_loop(world):
    """flip (the scene is flipped too) and solarise (it is not), picture by picture in numpy."""
    _, pixels, frame = world
    net, found = Net(), audited(world, ["flip", "solarise u=0.5"])

    def solarise(x):
        return np.where(x >= 127.5, 255 - x, x).astype(np.uint8)

    for name, change, moves in (
        ("flip", lambda x: x[:, ::-1], True),
        ("solarise u=0.5", solarise, False),
    ):
        rows = found[found["operation"] == name].reset_index(drop=True)
        for i, picture in enumerate(pixels):
            seen, clean = change(picture).copy(), scene((0, frame["id"][i]), SIZE)
            after = photo_raters.quality(
                photo_raters.Look((change(clean) if moves else clean).copy()),
                photo_raters.Look(seen),
            )
            before = frame["true_quality"][i]
            assert rows["d_true"][i] == pytest.approx(4 * (after - before), abs=2e-4)
            assert rows["flip_true"][i] == (
                photo_raters.true_grade([after])[0] != photo_raters.true_grade([before])[0]
            )
            p, q = judged(net, picture), judged(net, seen)
            assert rows["d_model"][i] == pytest.approx(float((q - p) @ np.arange(5)), abs=1e-4)
            assert rows["flip_model"][i] == (q.argmax() != p.argmax())


def test_identity_changes_nothing_and_token_drop_no_pixels(world):
    found = audited(world, ["identity", "token drop 30%"])
    identity = found[found["operation"] == "identity"]
    assert (identity[["d_true", "flip_true", "d_model", "flip_model"]] == 0).all(axis=None)
    drop = found[found["operation"] == "token drop 30%"]
    assert (drop[["d_true", "flip_true"]] == 0).all(axis=None)
    assert (drop["d_model"] != 0).any()


def test_scenes_move_along_with_turns_and_crops(world):
    """The same draws for a picture and its scene: else every moved picture would look destroyed."""
    found = audited(world, ["quarter turn", "crop 75%", "weak"]).groupby("operation")["d_true"]
    assert (found.mean().abs() < 0.15).all()
    assert found.get_group("quarter turn").abs().max() < 1e-3


def test_randaugments_moves_are_those_of_the_view(world):
    """Without operations that only change colours, the view of the policy and the moved scene are
    the same picture."""
    op = view_audit.chosen(CROP, ["randaugment"])[0]
    x = (
        torch.rand(8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)).mul(255).round()
        / 255
    )

    def g():
        return torch.Generator().manual_seed(5)

    moves = {
        n: (o if n in view_audit.MOVES else lambda x, u: x) for n, o in views.OPERATIONS.items()
    }
    g1 = g()
    raw = (
        views.make(view_audit._stored(x), torch.arange(8), CROP, views.WEAK, 0, g1).images
        * views.SD
        + views.MEAN
    )
    assert torch.equal(
        op.clean(x, g()), views.randaugment(raw.clamp(0, 1), 3, g1, moves, hole=False)
    )
    different = (op.seen(x, g()) - op.clean(x, g())).abs().mean()
    assert 0.01 < different < 0.5


def test_destruction_is_flagged_and_nothing_is_not(world):
    table = view_verdicts.summary(
        audited(world, ["identity", "flip", "solarise u=0.1", "sharpness u=0.1", "noise 10"]), 0.06
    )
    by = table.set_index("operation")["by_truth"]
    assert by["solarise u=0.1"] == view_verdicts.CHANGES
    assert by["identity"] == by["flip"] == view_verdicts.KEEPS
    assert "| solarise u=0.1 |" in view_verdicts.show(table)
    assert "one grade" not in view_verdicts.findings(table.assign(grades_model=2), True)
    assert "one grade" in view_verdicts.findings(table.assign(grades_model=1), True)


def test_real_pictures_have_no_truth_and_small_crops_no_model(world):
    _, pixels, _ = world
    found = view_audit.measure(
        Net(), pixels, None, np.arange(N), view_audit.chosen(CROP, ["flip", "crop 50%"]), CROP
    )
    table = view_verdicts.summary(found, 0.06).set_index("operation")
    assert (table["by_truth"] == "not measured").all()
    assert table.loc["crop 50%", "by_model"] == "not measured"
    assert table.loc["flip", "by_model"] != "not measured"


def test_intervals_resample_clusters():
    g = np.random.default_rng(0)
    changes = pd.DataFrame(
        {
            "operation": "a",
            "group": "",
            "rough": False,
            "picture": range(60),
            "grade_model": 2,
            "cluster": np.repeat(range(20), 3),
            "d_true": np.repeat(g.normal(size=20), 3),
            "flip_true": 0.0,
            "d_model": 1.0,
            "flip_model": 1.0,
        }
    )
    row = view_verdicts.summary(changes, 0.1).iloc[0]
    expected = 2 * 1.96 * changes["d_true"][::3].std(ddof=0) / math.sqrt(20)
    assert row["d_true_high"] - row["d_true_low"] == pytest.approx(expected, rel=0.12)
    assert row["d_model_low"] == row["d_model_high"] == 1
    assert row["by_model"] == view_verdicts.CHANGES


@pytest.mark.parametrize(("change", "flips", "rough", "expected"), [
    ((-0.05, 0.05), (0, 0.05), False, "keeps"), ((-0.05, 0.05), (0, 0.05), True, "undecided"),
    ((-0.3, -0.12), (0, 0.05), False, "changes"), ((-0.3, 0.3), (0, 0.05), False, "undecided"),
    ((0, 0), (0.07, 0.2), False, "changes"), ((0, 0), (0.05, 0.2), False, "undecided"),
    ((0.12, 0.3), (0, 0), True, "undecided"),
    ((-0.3, -0.12), (0, 0), True, "changes"),
])  # fmt: skip
def test_the_rule(change, flips, rough, expected):
    assert view_verdicts.verdict(change, flips, 0.06, rough) == expected
    assert view_verdicts.verdict((0, 0), (0, 0), math.nan) == "undecided"


@pytest.mark.parametrize("classes", [3, 5, 10])
def test_disagreement_against_pairs_of_raters(classes):
    votes = np.zeros((4, classes), int)
    votes[:, :3] = [[0, 3, 2], [0, 0, 4], [0, 0, 0], [1, 0, 0]]
    frame = pd.DataFrame(votes, columns=[f"c{k + 1}" for k in range(classes)])
    pairs = [
        [a != b for i, a in enumerate(r) for j, b in enumerate(r) if i != j]
        for r in ([1, 1, 1, 2, 2], [2] * 4)
    ]
    found = view_verdicts.disagreement(frame, draws=400)
    assert found["pictures"] == 2
    assert found["two_raters"] == pytest.approx(np.mean([np.mean(p) for p in pairs]))
    changes = sum(
        math.comb(5, k) * 0.6**k * 0.4 ** (5 - k) for k in range(3)
    )  # the first's label falls to the other grade
    assert found["redraw"] == pytest.approx(changes / 2, abs=0.04)
    assert math.isnan(view_verdicts.disagreement(frame[[]])["redraw"])


def test_bad_input(world):
    with pytest.raises(ValueError, match="'blurr'; allowed: identity, flip"):
        view_audit.chosen(CROP, ["flip", "blurr"])
    with pytest.raises(ValueError, match="smaller than the network's 64 px"):
        view_audit.measure(Net(), world[1], None, np.arange(N), [], 64)
    with pytest.raises(ValueError, match="no column operation"):
        view_effects.operations(pd.DataFrame({"a": [1]}), {}, simulated=True)
    names = [o.name for o in view_audit.operations(CROP)]
    assert len(set(names)) == len(names)


def test_figure_and_examples(world):
    table = view_verdicts.summary(audited(world, ["identity", "flip", "randaugment"]), 0.06)
    table.loc[0, "by_model"] = view_verdicts.NOT_MEASURED
    figure = view_effects.operations(table, {"redraw": 0.06, "two_raters": 0.4}, simulated=True)
    assert style.data_label(figure) == "simulated data"
    marks = [t.get_text() for t in figure.axes[1].texts]
    of = {verdict: view_effects.MARKS[verdict][0] for verdict in view_effects.MARKS}
    sides = [table["by_truth"], table["by_model"]]
    assert marks == [
        *("truth", *map(of.get, sides[0])),
        *("model", *map(of.get, sides[1])),
    ]
    assert view_effects.LIMIT == view_verdicts.LIMIT
    shown, frame = view_audit.examples(
        world[1][0], view_audit.chosen(CROP, ["identity", "crop 50%"])
    )
    assert np.array_equal(shown[0], world[1][0])
    assert (shown[1][0] == 255).all()
    assert list(frame["view"]) == ["identity", "crop 50%"]


def test_examples_show_a_turn_and_blanked_tokens_whatever_the_draw(world):
    todo = view_audit.shown(CROP, view_verdicts.SHOWN)
    assert len(todo) == 20
    names = [op.name for op in todo]
    picture = world[1][0]
    for seed in range(4):
        shown, _ = view_audit.examples(picture, todo, 16, seed)
        turned = shown[names.index("quarter turn")]
        others = [np.rot90(picture, k) for k in (1, 2, 3)]
        assert any(np.array_equal(turned, other) for other in others)
        blanked = shown[names.index("token drop 30%")]
        grey = (blanked == 128).all(axis=2).reshape(4, SIZE // 4, 4, SIZE // 4).all(axis=(1, 3))
        assert 1 <= grey.sum() <= 11
        kept = np.repeat(np.repeat(~grey, SIZE // 4, axis=0), SIZE // 4, axis=1)
        assert np.array_equal(blanked[kept], picture[kept])
    data = type("Data", (), {"frame": pd.DataFrame({"grade": [4, 2, 3, 3]})})
    assert view_audit.best_of(data, np.array([1, 2, 3])) == 2
