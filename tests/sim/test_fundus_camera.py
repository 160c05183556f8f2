"""The simulated fundus: Murray's law, the double-pass formula, known severities and defect maps,
graders that disagree, sets."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import cohen_kappa_score

from riqa_lib.datasets.data_folder import open_dataset, write_dataset
from riqa_lib.figures import fundus_space
from riqa_lib.scales import DETAILS
from riqa_lib.sim import (
    defect_effects,
    fundus_camera,
    fundus_defects,
    fundus_eye,
    fundus_optics,
    fundus_raters,
    fundus_sets,
    vessels,
)
from riqa_lib.sim.fundus_camera import CAUSES, fundus

ONE = {"illumination": 1.2, "clarity": 0.9, "contrast": 0.8, "artefact": 0.7}


# ---------------------------------------------------------------- the eye
@pytest.fixture(scope="module")
def eyes() -> list[fundus_eye.Eye]:
    return [fundus_eye.eye(("test", i)) for i in range(8)]


def test_murrays_law_at_every_branching(eyes):
    pairs = 0
    for one in eyes:
        tree = one.tree
        assert (tree.parent < np.arange(len(tree.parent))).all()
        for mother in np.unique(tree.parent[tree.parent >= 0]):
            daughters = np.flatnonzero(tree.parent == mother)
            assert len(daughters) <= 2
            total = sum(tree.start[d] ** 3 for d in daughters)
            if len(daughters) == 2:
                pairs += 1
                assert total == pytest.approx(tree.end[mother] ** 3, rel=1e-9)
            else:  # the other daughter would be thinner than what is drawn
                missing = tree.end[mother] ** 3 - total
                assert -1e-12 < missing <= vessels.THINNEST**3 * (1 + 1e-9)
            for d in daughters:
                assert tree.kind[d] == tree.kind[mother]
                assert np.allclose(tree.points[d, 0], tree.points[mother, -1])
    assert pairs > 400


def test_zamirs_angles_where_nothing_jitters(monkeypatch):
    class Still:  # a generator whose normal deviates are 0
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def normal(self, mean, sd, n):
            return np.zeros(n)

        def __getattr__(self, name):
            return getattr(self.rng, name)

    n, r0 = 40, np.full(40, 0.06)
    branch = {
        "end": r0,
        "count": np.full(n, vessels.POINTS),
        "side": np.zeros(n, int),
        "heading": np.zeros(n),
        "points": np.zeros((n, vessels.POINTS, 2)),
        "kind": np.zeros(n, int),
    }
    tips = vessels._split(Still(), {}, branch, 0)
    half = len(tips["radius"]) // 2
    for i in range(half):
        large, small = tips["radius"][i], tips["radius"][half + i]
        for r, other, heading in (
            (large, small, tips["heading"][i]),
            (small, large, tips["heading"][half + i]),
        ):
            cosine = (0.06**4 + r**4 - other**4) / (2 * 0.06**2 * r**2)
            assert abs(heading) == pytest.approx(min(math.acos(min(cosine, 1)), 1.3), abs=1e-9)
        assert tips["heading"][i] * tips["heading"][half + i] < 0  # to either side


def test_no_large_vessel_in_the_fovea_and_arcades_around_it(eyes):
    for one in eyes:
        tree = one.tree
        drawn = np.arange(vessels.POINTS) < tree.count[:, None]
        distance = np.hypot(*(tree.points - np.array(one.fovea)).transpose(2, 0, 1))
        assert distance[drawn].min() > 0.38
        large = drawn & (tree.start > 0.04)[:, None]
        assert distance[large].min() > 0.9
        above, below = (
            large & (s * tree.points[..., 1] > 1.5) & (tree.points[..., 0] > one.fovea[0] - 1)
            for s in (-1, 1)
        )
        assert above.any()
        assert below.any()  # a large vessel runs above and one below the macula


def test_vessels_start_at_the_disc_and_none_crosses_the_raphe(eyes):
    for one in eyes:
        tree = one.tree
        roots = tree.points[tree.parent < 0, 0] / np.array(one.disc)
        assert np.hypot(*roots.T).max() < 0.8
        drawn = np.arange(vessels.POINTS) < tree.count[:, None]
        temporal = drawn & (tree.points[..., 0] > one.fovea[0] - 0.6)
        above = tree.points[..., 1] < one.fovea[1]
        for branch, there in zip(above, temporal, strict=True):
            assert len({*branch[there].tolist()}) <= 1


def test_a_branch_that_ends_on_its_way_thins_out():
    n = vessels.POINTS
    points = np.stack([np.linspace(1, 9, n), np.full(n, 5.0)], axis=1)[None]
    whole, cut = (
        vessels.Tree(
            points, np.array([0.6]), np.array([0.6]), np.array([-1]), np.array([1]), np.array([k])
        )
        for k in (n, 11)
    )
    wide = [
        (vessels.thickness(t, vessels.VEIN, (10, 0, 10, 0), 100)[:, 55] > 0.3).sum()
        for t in (whole, cut)
    ]
    assert wide[1] < 0.7 * wide[0]


def test_lesions_of_all_kinds_and_no_scar_in_the_macula():
    found = [fundus_eye._lesions(np.random.default_rng(i), (4.4, 0.3)) for i in range(120)]
    every = np.concatenate(found)
    assert {*every[:, 3].astype(int)} == {*range(len(fundus_eye.LESIONS))}
    scars = every[every[:, 3] >= 2]
    assert np.hypot(scars[:, 0] - 4.4, scars[:, 1] - 0.3).min() > 3.5
    assert every[:, 2].min() > 0
    assert 0.4 < np.mean([len(one) == 0 for one in found]) < 0.8


def test_textures_are_sampled_as_catmull_rom_says():
    rng = np.random.default_rng(4)
    texture = rng.random((fundus_eye.TEXELS,) * 2).astype(np.float32)
    x, y = np.array([-3.0, 0.31, 11.97]), np.array([0.0, 5.2])
    unit = fundus_eye.TEXELS / fundus_eye.TILE
    ring = np.pad(texture, 8, mode="wrap")

    def along(p, t):  # the textbook form
        return p[1] + 0.5 * t * (
            p[2]
            - p[0]
            + t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3])
            + t * t * (3 * (p[1] - p[2]) + p[3] - p[0])
        )

    found = fundus_eye._sampled(texture, x, y)
    for i, b in enumerate(y * unit % fundus_eye.TEXELS):
        for j, a in enumerate(x * unit % fundus_eye.TEXELS):
            part = ring[int(b) + 7 : int(b) + 11, int(a) + 7 : int(a) + 11].astype(float)
            lines = [along(line, a % 1) for line in part]
            assert found[i, j] == pytest.approx(along(lines, b % 1), abs=1e-4)


def test_vessels_are_drawn_where_they_are_as_wide_as_they_are():
    n = vessels.POINTS
    points = np.stack([np.linspace(1, 9, n), np.full(n, 5.0)], axis=1)[None]
    tree = vessels.Tree(
        points, np.array([0.6]), np.array([0.6]), np.array([-1]), np.array([1]), np.array([n])
    )
    drawn = vessels.thickness(tree, vessels.VEIN, (10, 0, 10, 0), 100)
    assert not vessels.thickness(tree, vessels.ARTERY, (10, 0, 10, 0), 100).any()
    rows = np.flatnonzero(drawn[:, 50] > 0.3)
    assert rows.mean() == pytest.approx(49.5, abs=0.6)
    assert len(rows) == pytest.approx(12, abs=1.1)  # 2 x 0.6 mm at 10 px a mm
    assert drawn[:, :3].max() == 0
    assert drawn[50, 20:80].min() > 0.9


# ---------------------------------------------------------------- optics
def test_double_pass_against_a_slow_loop():
    rng = np.random.default_rng(1)
    retina, light, veil = rng.random((4, 5, 3)), rng.random((4, 5, 3)), rng.random((4, 5, 1))
    out = fundus_optics.double_pass(retina, light, veil)
    for i in range(4):
        for j in range(5):
            for c in range(3):
                t = veil[i, j, 0]
                assert out[i, j, c] == pytest.approx(
                    light[i, j, c] * (t * t * retina[i, j, c] + 1 - t)
                )


@pytest.mark.parametrize("kind", ["defocus", "motion"])
@pytest.mark.parametrize("sigma", [1.5, 4.0])
def test_point_spread_functions_have_their_width(kind, sigma):
    psf = fundus_optics.kernel(kind, sigma, turn=0.6, bend=0.3)
    assert psf.sum() == pytest.approx(1)
    assert psf.min() >= 0
    grid = np.arange(len(psf)) - len(psf) // 2
    variance = ((psf.sum(axis=0) + psf.sum(axis=1)) * grid**2).sum() / 2
    assert np.sqrt(variance) == pytest.approx(sigma, rel=0.08)


def test_convolution_against_a_slow_loop():
    rng = np.random.default_rng(2)
    image, psf = rng.random((7, 9, 3)), rng.random((5, 5))
    psf /= psf.sum()
    out = fundus_optics.convolve(image, psf)
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    for i in range(7):
        for j in range(9):
            want = sum(psf[a, b] * padded[i + 4 - a, j + 4 - b] for a in range(5) for b in range(5))
            assert np.allclose(out[i, j], want, atol=1e-5)


# ---------------------------------------------------------------- the picture
def test_same_key_same_bytes_other_key_other_picture():
    fundus_camera._eye.cache_clear()
    one = fundus(("k", 1), 48, ONE).pixels
    fundus_camera._eye.cache_clear()
    assert np.array_equal(one, fundus(("k", 1), 48, ONE).pixels)
    assert one.dtype == np.uint8
    assert one.shape == (48, 48, 3)
    assert not np.array_equal(one, fundus(("k", 2), 48, ONE).pixels)


@pytest.mark.parametrize("cause", CAUSES)
def test_severity_is_what_was_asked_for(cause):
    for i in range(25):
        rng = np.random.default_rng(i)
        wanted = rng.uniform(0.05, 2.2 if cause != "artefact" else 1.1)
        assert fundus_defects.severity_of(
            fundus_defects.defect(cause, wanted, rng)
        ) == pytest.approx(wanted, abs=1e-3)
    with pytest.raises(ValueError, match="severity -1"):
        fundus_defects.defect(cause, -1, np.random.default_rng(0))


def test_defect_maps_are_zero_where_the_severity_is_and_only_there():
    for cause in CAUSES:
        shot = fundus(("maps", cause), 64, {cause: 1.0})
        maps = shot.maps()
        for other in CAUSES:
            assert maps[other].shape == (64, 64)
            assert maps[other].any() == (other == cause)
        assert maps[cause].max() <= 1
        assert maps[cause].min() >= 0
        assert not maps[cause][shot.mask() == 0].any()  # nothing outside the field
        field = fundus(("maps", cause), 64, {cause: 1.0}, framing="crop")
        if min(field.ends) == 1:
            assert field.maps(200)[cause][field.mask(200) > 0.5].mean() == pytest.approx(
                fundus_defects.BAD[cause], rel=0.05
            )


def test_defect_maps_say_where_the_picture_changes():
    """The light that the map says is lost is lost in the pixels; a veil moves pixels most where its
    map is largest."""
    for i in range(6):
        clean, dark = (
            fundus(("where", i), 64, s, style="canon45") for s in ({}, {"illumination": 1.5})
        )
        if dark.defects["illumination"].kinds[0] in (*fundus_defects.UP, "spotlight"):
            continue
        m, inside = dark.maps()["illumination"], clean.mask() > 0.99
        green = [s.pixels[..., 0].astype(float) + 1 for s in (clean, dark)]
        lost = 1 - green[1][inside] / green[0][inside]
        assert np.corrcoef(lost, m[inside])[0, 1] > 0.8 or m[inside].std() < 0.05
    veiled = fundus(("veil", 3), 64, {"contrast": 1.2})
    clean = fundus(("veil", 3), 64)
    moved = np.abs(veiled.pixels.astype(float) - clean.pixels).mean(axis=2)
    m = veiled.maps()["contrast"]
    if m[m > 0].std() > 0.05:
        assert (
            moved[m > np.quantile(m[m > 0], 0.8)].mean()
            > moved[(m > 0) & (m < np.quantile(m[m > 0], 0.3))].mean()
        )


def of_kind(cause: str, kind: str, severity: float) -> fundus_defects.Defect:
    """The defect of the first seed that draws this kind alone."""
    for seed in range(900):
        one = fundus_defects.defect(cause, severity, np.random.default_rng(seed))
        if one.kinds == (kind,):
            return one
    raise AssertionError(kind)


POINTS = ((np.arange(60) + 0.5) / 30 - 1)[None, :], ((np.arange(60) + 0.5) / 30 - 1)[:, None]
RHO = np.hypot(*POINTS)


@pytest.mark.parametrize("kind", fundus_defects.KINDS["illumination"])
@pytest.mark.parametrize("severity", [0.6, 2.0])
def test_the_map_is_the_share_of_light_lost_whatever_the_kind(kind, severity):
    one = of_kind("illumination", kind, severity)
    assert fundus_defects.severity_of(one) == pytest.approx(severity, abs=1e-3)
    light, stray = defect_effects.light(one, *POINTS), defect_effects.leak(one, *POINTS)
    ratio = (light + stray / defect_effects.PALE).mean(axis=2)
    lost = 1 - np.minimum(ratio, 1 / ratio)
    assert np.abs(lost - one.map(*POINTS))[RHO < 1].max() < 0.02
    assert stray.any() == (kind in fundus_defects.LEAKS)


def test_light_of_each_kind_is_where_real_cameras_have_it():
    def change(kind, severity=1.2):
        one = of_kind("illumination", kind, severity)
        light = defect_effects.light(one, *POINTS) + defect_effects.leak(one, *POINTS)
        return one, light.mean(axis=2)

    one, arc = change("arc")  # at one side of the rim, tinted
    side = POINTS[0] * np.cos(2 * np.pi * one.place[0]) + POINTS[1] * np.sin(
        2 * np.pi * one.place[0]
    )
    rim = (RHO > 0.85) & (RHO < 1)
    assert arc[rim & (side > 0.6)].mean() > 1.3 * arc[rim & (side < -0.6)].mean()
    assert arc[rim & (side > 0.6)].mean() > 1.3 * arc[RHO < 0.3].mean()
    _, spot = change("spotlight")  # brighter in the middle than it was, darker all around
    assert spot.max() > 1.2
    assert spot[rim].max() < 1
    one, flood = change("flood", 2.0)
    side = POINTS[0] * np.cos(2 * np.pi * one.place[0]) + POINTS[1] * np.sin(
        2 * np.pi * one.place[0]
    )
    assert flood[(RHO < 1) & (side > 0.7)].mean() > 1.5 * flood[(RHO < 1) & (side < -0.7)].mean()
    for i in range(6):  # ghosts lie near the middle
        place = tuple(np.random.default_rng(i).random(68).tolist())
        ghost = fundus_defects.Defect("artefact", ("ghost",), place, 1.0).map(*POINTS)
        assert RHO.ravel()[ghost.argmax()] < 0.6
        assert ghost[RHO < 0.5].mean() > 4 * ghost[rim].mean()


def test_a_flood_loses_texture():
    shot = fundus("flooded", 96, framing="crop", view="disc", style="topcon50")
    one = of_kind("illumination", "flood", 2.0)
    flooded = dataclasses.replace(shot, defects={"illumination": one})
    m, inside = flooded.maps()["illumination"], shot.mask() > 0.99
    lit = ndimage.binary_erosion(inside, iterations=12) & (m > 0.95 * m.max())

    def rough(pixels):
        green = pixels[..., 1].astype(float)
        green = ndimage.gaussian_filter(green, 1.2) - ndimage.gaussian_filter(green, 4)
        return green[lit].std() / pixels[lit].mean()

    assert rough(flooded.pixels) < 0.5 * rough(shot.pixels)


def test_fields_are_cut_as_real_ones_are():
    shots = [fundus(("cut", i), 24, framing="crop", style="canon45") for i in range(300)]
    ends = np.array([s.ends for s in shots])
    cut = ends < 1
    assert 0.5 < cut.any(axis=1).mean() < 0.75
    assert 0.08 < cut.all(axis=1).mean() < 0.3  # on all four sides
    four = ends[cut.all(axis=1)]
    assert ((four > 0.75) & (four < 0.84)).all(axis=1).mean() > 0.15
    assert four.min() > 0.7
    assert all(s.notch is None for s in shots)
    first = next(i for i, s in enumerate(shots) if s.ends[0] < 0.85)
    shot = fundus(("cut", first), 64, framing="crop", style="canon45")
    edge = shot.x - shot.ends[0] * shot.radius  # px, of the left bar
    assert not shot.pixels[:, : int(edge - 0.5)].any()
    assert shot.pixels[24:40, int(edge + 2)].mean() > 30
    for k, bar in enumerate((np.s_[:, :12], np.s_[:12], np.s_[:, -12:], np.s_[-12:])):
        one = dataclasses.replace(shot, ends=tuple(0.5 if i == k else 1.0 for i in range(4)))
        assert not one.mask()[bar].any()
        assert one.mask()[24:40, 24:40].all()
    assert not shot.pixels[shot.mask() == 0].any()  # a crop's surround is black
    assert fundus(("cut", first), 64).pixels[:3].any()  # a camera's is not quite


def test_blur_blurs_and_veil_takes_contrast():
    def rough(shot):
        green = shot.pixels[..., 1].astype(float)[20:44, 20:44]
        return np.abs(np.diff(green, axis=1)).mean()

    for i in range(4):
        clean = rough(fundus(("rough", i), 64, style="topcon50", view="disc"))
        assert (
            rough(fundus(("rough", i), 64, {"clarity": 1.8}, style="topcon50", view="disc"))
            < 0.75 * clean
        )
        assert (
            rough(fundus(("rough", i), 64, {"contrast": 1.8}, style="topcon50", view="disc"))
            < 0.85 * clean
        )


def test_the_true_circle_is_where_the_pixels_say():
    for i in range(6):
        shot = fundus(("circle", i), 96)
        y, x = np.mgrid[:96, :96]
        distance = np.hypot(x - shot.x, y - shot.y)
        red = shot.pixels[..., 0].astype(float)
        u, v = (x - shot.x) / shot.radius, (y - shot.y) / shot.radius
        left, top, right, bottom = shot.ends
        edge = np.minimum.reduce([left + u, right - u, top + v, bottom - v])
        inside = (distance < shot.radius - 1.5) & (edge * shot.radius > 1.5)
        assert (red[inside] > 40).mean() > 0.99
        assert red[(distance > 1.1 * shot.radius) | (edge * shot.radius < -1.5)].mean() < 12


def test_bad_requests_are_refused():
    for wrong in (
        {"size": 8},
        {"style": "phone"},
        {"view": "lens"},
        {"framing": "round"},
        {"severity": {"focus": 1}},
    ):
        with pytest.raises(ValueError, match="expected 24 to 1024 px"):
            fundus("x", **wrong)


# ---------------------------------------------------------------- graders
@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(4000), 2)
    severity = fundus_raters.severities(
        fundus_raters.general_factor(8000, rng, patients), rng, patients
    )
    return patients, severity, fundus_raters.votes(severity, "test", patients=patients)


def test_graders_agree_as_published(world):
    _, _, votes = world
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert 0.4 < cohen_kappa_score(votes.overall[:, i], votes.overall[:, j]) < 0.6
        for d in range(3):
            assert 0.38 < cohen_kappa_score(votes.details[:, i, d], votes.details[:, j, d]) < 0.62


def test_shares_are_near_those_of_eyeq_and_eyeq_d(world):
    _, severity, _ = world
    panels = [
        fundus_raters.votes(severity, ("panel", k), patients=world[0]).majority() for k in range(8)
    ]
    details, overall = (np.concatenate([p[i] for p in panels]) for i in (0, 1))
    assert np.bincount(overall) / len(overall) == pytest.approx([0.198, 0.281, 0.521], abs=0.04)
    assert 1 - details.mean(axis=0) == pytest.approx([106 / 160, 39 / 160, 55 / 160], abs=0.05)
    good_but_dark = 1 - details[overall == 2, 0].mean()
    assert (
        0.28 < good_but_dark < 0.5
    )  # illumination is judged harshly: 38 % of the good ones in EyeQ-D
    assert (fundus_raters.true_details(severity) == (severity[:, :3] < 1)).all()


def test_fellow_eyes_are_alike_and_noise_can_be_scaled(world):
    patients, severity, votes = world
    overall = votes.majority()[1]
    assert 0.6 < cohen_kappa_score(overall[::2], overall[1::2]) < 0.8
    still = fundus_raters.votes(severity, "test", patients=patients, noise=0, panel="p")
    again = fundus_raters.votes(severity, "other", patients=patients, noise=0, panel="p")
    assert (still.overall == again.overall).all()  # without noise only the panel matters
    with pytest.raises(ValueError, match="expected"):
        fundus_raters.badness(severity[:, :3])


def test_badness_and_grade_against_a_slow_loop(world):
    _, severity, _ = world
    for row, grade in zip(severity[:200], fundus_raters.true_grade(severity[:200]), strict=True):
        b = sum(fundus_raters.WEIGHTS[c] * row[i] for i, c in enumerate(CAUSES))
        assert grade == (0 if b >= fundus_raters.REJECT else 1 if b >= fundus_raters.USABLE else 2)


# ---------------------------------------------------------------- sets
def test_plans_have_the_shape_of_the_real_sets():
    eyeq = fundus_sets.plan("eyeq-like", 6000)
    test, train = eyeq[eyeq["split"] == "test"], eyeq[eyeq["split"] != "test"]
    assert len(test) / len(eyeq) == pytest.approx(16249 / 28792, abs=0.02)
    assert np.bincount(train["grade"]) / len(train) == pytest.approx(
        [0.185, 0.150, 0.665], abs=0.05
    )
    assert np.bincount(test["grade"]) / len(test) == pytest.approx([0.198, 0.281, 0.521], abs=0.05)
    assert (test["grade"] == 1).mean() > 1.4 * (train["grade"] == 1).mean()  # the prior shift
    assert eyeq.groupby("group")["split"].nunique().max() == 1
    both = eyeq[eyeq.groupby("group")["id"].transform("size") == 2]
    assert 0.6 < cohen_kappa_score(both["grade"][::2], both["grade"][1::2]) < 0.8
    assert (eyeq[list(DETAILS)] == -1).all(axis=None)

    deep = fundus_sets.plan("deepdrid-like", 2000)
    assert (deep.groupby(deep["id"].str[:-1])["grade"].nunique() == 1).all()  # a label for an eye
    assert (deep.groupby("group").size() == 4).all()
    assert deep["split"].value_counts(normalize=True).to_dict() == pytest.approx(
        {"train": 0.6, "val": 0.2, "test": 0.2}
    )
    assert deep["grade"].mean() == pytest.approx(0.46, abs=0.08)

    mshf = fundus_sets.plan("mshf-like", 802)
    assert set(mshf["group"]) == set(fundus_sets.CAMERAS)
    for d in DETAILS:
        assert (mshf[d] == (mshf[[f"{d}_{k}" for k in (1, 2, 3)]].sum(axis=1) >= 2)).all()

    small = fundus_sets.plan("eyeq_d-like", 160)
    assert set(small["split"]) == {"test"}
    assert small["illumination"].isin([0, 1]).all()
    for kind in fundus_sets.KINDS:
        table = fundus_sets.plan(kind, 144)
        assert table["id"].is_unique
        assert not table.equals(fundus_sets.plan(kind, 144, seed=1))
    with pytest.raises(ValueError, match="expected one of"):
        fundus_sets.plan("kaggle", 10)
    with pytest.raises(ValueError, match="deepdrid-like: 4"):
        fundus_sets.plan("deepdrid-like", 10)
    with pytest.raises(ValueError, match="single-defect: 18"):
        fundus_sets.plan("single-defect", 20)


def test_single_defects_spoil_one_detail_of_an_eye_and_nothing_else():
    table = fundus_sets.plan("single-defect", 72)
    assert {*table["source"]} == set(fundus_camera.STYLES)
    assert {*table["split"]} == {"test"}
    assert "eye-3-clarity-2.5" in set(table["id"])
    for _, one in table.iterrows():
        for cause in CAUSES:
            severity = one["severity"] if cause == one["cause"] else 0
            assert one[f"severity_{cause}"] == severity
            if cause in DETAILS:
                assert one[cause] == one[f"true_{cause}"] == (severity < 1)
        assert one["id"] == f"{one['group']}-{one['cause']}-{one['severity']:g}"
    assert table.groupby(["group", "cause"])["severity"].apply(tuple).unique().tolist() == [
        fundus_sets.LEVELS
    ]
    # same eye, framing, kind and place of defect at all severities
    rows = table[table["group"] == "eye-2"].to_dict("records")
    shots = [fundus_sets.shot(row, "single-defect", 24, 0) for row in rows]
    assert len({(s.x, s.y, s.radius, s.ends, s.notch, s.light, s.gains) for s in shots}) == 1
    assert len({id(s.eye) for s in shots}) == 1
    for cause in DETAILS:
        same = {
            (s.defects[cause].kinds, s.defects[cause].place) for s in shots if cause in s.defects
        }
        assert len(same) == 1


@pytest.mark.parametrize("kind", fundus_sets.KINDS)
def test_a_set_is_written_and_its_truth_can_be_drawn_again(tmp_path, kind):
    n = fundus_sets.STEPS.get(kind, 8)
    folder = fundus_sets.make_fundus(tmp_path / "a", kind, n, 32, progress=False)
    data = open_dataset(folder)
    assert data.info["simulated"] is True
    assert data.info["classes"] == (2 if kind == "deepdrid-like" else 3)
    assert data.pixels.shape == (n, 32, 32, 3)
    for i in (0, n - 1):
        row = data.frame.iloc[i]
        shot = fundus_sets.shot_of(data, row["id"])
        assert np.array_equal(shot.pixels, data.pixels[i])
        for cause, found in shot.severity.items():
            most = 0.97 / fundus_defects.BAD[cause]  # a map is 1 at most
            assert found == pytest.approx(min(row[f"severity_{cause}"], most), abs=2e-3)
        maps = fundus_sets.shot_of(data, row["id"]).maps(40)
        assert {c: m.any() for c, m in maps.items()} == {
            c: row[f"severity_{c}"] > 0 for c in CAUSES
        }
    before = (folder / "pixels.npy").stat().st_mtime_ns
    fundus_sets.make_fundus(folder, kind, n, 32, progress=False)
    assert (
        folder / "pixels.npy"
    ).stat().st_mtime_ns == before  # finished sets are left as they are
    with pytest.raises(ValueError, match="no picture"):
        fundus_sets.shot_of(data, "nobody")


def test_workers_make_the_same_bytes(tmp_path):
    alone = fundus_sets.make_fundus(tmp_path / "a", "mshf-like", 40, 24, progress=False)
    with ThreadPoolExecutor(2) as workers:
        shared = fundus_sets.make_fundus(
            tmp_path / "b", "mshf-like", 40, 24, progress=False, workers=workers
        )
    for name in ("pixels.npy", "frame.csv", "dataset.json"):
        assert (alone / name).read_bytes() == (shared / name).read_bytes()


def test_foreign_sets_have_no_true_maps(tmp_path):
    data = open_dataset(fundus_sets.make_fundus(tmp_path / "a", "mshf-like", 4, 24, progress=False))
    folder = write_dataset(
        tmp_path / "b",
        data.frame,
        24,
        lambda start: [np.asarray(data.pixels[start:])],
        key="k",
        progress=False,
        info={"name": "mine", "simulated": False, "classes": 3, "settings": {}},
    )
    with pytest.raises(ValueError, match="no simulated fundus set"):
        fundus_sets.shot_of(open_dataset(folder), data.frame["id"][0])


def test_figures():
    frame = fundus_sets.plan("eyeq-like", 200)
    figure = fundus_space.detail_space(frame, simulated=True)
    dots = sum(len(line.get_xdata()) for line in figure.axes[0].lines[:3])
    assert dots == 200
    pixels = fundus_camera.space("s", 24, (0.0, 1.0))
    assert np.array_equal(pixels[1, 0, 0], fundus("s", 24, {"contrast": 1.0}).pixels)
    assert np.array_equal(
        pixels[0, 1, 1], fundus("s", 24, {"clarity": 1.0, "illumination": 1.0}).pixels
    )
    assert len(fundus_space.picture_space(pixels, (0.0, 1.0), simulated=True).axes) == 2
    assert fundus_space.contact(pixels[0, 0], frame.head(2), simulated=True).axes
    for wrong in (
        lambda: fundus_space.detail_space(frame, simulated=True, classes=2),
        lambda: fundus_space.picture_space(pixels, (0, 1, 2), simulated=True),
        lambda: fundus_space.circle_errors(frame, simulated=True),
    ):
        with pytest.raises(ValueError, match=r"expected|no column"):
            wrong()
