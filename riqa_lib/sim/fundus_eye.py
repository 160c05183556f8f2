"""A simulated eye, drawn from a key: vessel trees, optic disc, macula, pigment, choroid. Lengths in
mm on the retina.

The frame: the optic disc is at (0, 0), x points to the temple, y down; the fovea lies 3.9 to 4.9 mm
temporal. 1 degree of view is 0.28 mm. Sizes of disc, fovea and vessels are those of the literature
(riqa.md 4.3): disc about 1.8 mm across, arteries about 0.135 and veins about 0.15 mm wide at the
disc, a fovea free of vessels.

Vessels branch by Murray's law, r0^3 = r1^3 + r2^3 (C. D. Murray, PNAS 12, 1926), at Zamir's angles
(M. Zamir, J. Theor. Biol. 62, 1976): cos t1 = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2

from .. import seeding

MM_PER_DEGREE = 0.28


TEXELS, TILE = 128, 12.0  # textures: texels a side, mm a side; they wrap around


POINTS = 15  # points along a branch


THINNEST = 0.010  # mm, radius at which vessels end


TAPER = 0.05  # share of its radius that a branch loses along its way


REACH = 11.5  # mm from between disc and fovea, where vessels end


ARTERY, VEIN = 0, 1


def colour(red: float, green: float, blue: float) -> np.ndarray:
    """(3,) float32."""
    return np.array([red, green, blue], np.float32)


@dataclass(frozen=True)
class Tree:
    """n branches, parents before daughters: points (n, POINTS, 2) in mm, start (n,) and end (n,)
    radius in mm, parent (n,) as row number or -1, kind (n,) ARTERY or VEIN, count (n,) of the
    points that are drawn."""

    points: np.ndarray
    start: np.ndarray
    end: np.ndarray
    parent: np.ndarray
    kind: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class Eye:
    """All that makes one eye look as it does; the same in every view of it."""

    tree: Tree
    fovea: tuple[float, float]  # mm
    disc: tuple[float, float]  # half axes in mm, horizontal and vertical
    cup: float  # cup to disc ratio
    crescent: float  # 0 none, 1 a strong crescent of atrophy at the disc's temporal side
    pigment: float  # 0 blond to 1 dark
    tigroid: float  # how much the choroid shows, 0 to 1
    sheen: float  # reflexes of the nerve fibre layer, 0 (old) to 1 (young)
    texture: np.ndarray  # (3, TEXELS, TEXELS), float32, mean 0, standard deviation 1
    fibres: np.ndarray  # (360,), the nerve fibres' brightness by direction from the disc
    lesions: np.ndarray  # (n, 4): x, y, radius in mm, kind 0 bleeding, 1 exudate


# ---------------------------------------------------------------- vessels
def grow(rng: np.random.Generator, fovea: tuple[float, float]) -> Tree:
    """The vessels of an eye: four arteries and veins, above and below, to the temple and the nose,
    and some small vessels that leave the disc by themselves."""
    tips = _roots(rng)
    rows: list[dict[str, np.ndarray]] = []
    total = 0
    for _ in range(14):
        branch = _extend(rng, tips, np.array(fovea))
        rows.append(branch)
        tips = _split(rng, tips, branch, total)
        total += len(branch["start"])
        if not len(tips["radius"]) or total > 500:
            break
    return Tree(
        **{
            k: np.concatenate([r[k] for r in rows])
            for k in ("points", "start", "end", "parent", "kind", "count")
        }
    )


def _roots(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Where vessels leave the disc: place, heading, radius, kind, side (-1 upper arcade, 1 lower, 0
    none), parent."""
    rows = []
    for kind in (ARTERY, VEIN):
        for side in (-1, 1):
            radius = rng.uniform(0.056, 0.070) * (1.15 if kind == VEIN else 1.0)
            x, y = rng.normal(-0.12 + 0.16 * kind, 0.06), side * rng.uniform(0.05, 0.22)
            rows.append(
                [x, y, side * np.radians(rng.uniform(82, 104) - 14 * kind), radius, kind, side]
            )
            rows.append(
                [
                    x - 0.1,
                    y,
                    side * np.radians(rng.uniform(112, 150)),
                    radius * rng.uniform(0.62, 0.8),
                    kind,
                    0,
                ]
            )
    for _ in range(int(rng.integers(6, 11))):
        turn = rng.uniform(0, 2 * np.pi)
        rows.append(
            [
                0.3 * np.cos(turn),
                0.35 * np.sin(turn),
                turn,
                rng.uniform(0.016, 0.032),
                rng.integers(2),
                0,
            ]
        )
    table = np.array(rows)
    return {
        "place": table[:, :2],
        "heading": table[:, 2],
        "radius": table[:, 3],
        "kind": table[:, 4].astype(int),
        "side": table[:, 5].astype(int),
        "parent": np.full(len(table), -1),
    }


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _extend(
    rng: np.random.Generator, tips: dict[str, np.ndarray], fovea: np.ndarray
) -> dict[str, np.ndarray]:
    """One branch from each tip: it bends towards where a vessel of its place and size goes, and
    winds a little."""
    place, heading, radius, side = tips["place"], tips["heading"], tips["radius"], tips["side"]
    n = len(radius)
    length = np.clip(2 * radius * rng.uniform(13, 30, n), 0.6, 2.6)
    middle = place + 0.5 * length[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    dx, dy = (middle - fovea).T
    distance = np.hypot(dx, dy)
    ring = np.where(dx < 0, 3.1, 3.1 + 0.55 * dx)  # an arcade keeps this far from the fovea
    around = (
        np.arctan2(dy, dx) - side * np.pi / 2
    )  # tangent of the circle round the fovea, to the temple
    arcade = around - side * np.clip(0.55 * (distance - ring), -0.95, 0.95)
    inward = np.arctan2(-dy, -dx)
    outward = np.arctan2(middle[:, 1], middle[:, 0] - 0.25 * fovea[0])
    free = np.where((distance < 3.4) & (np.abs(_wrap(inward - heading)) < 1.9), inward, outward)
    main = (side != 0) & (radius > 0.024)
    turn = np.where(main, 0.9, 0.45) * _wrap(np.where(main, arcade, free) - heading)
    u = np.linspace(0, 1, POINTS)
    wind = np.clip(0.005 / radius, 0.07, 0.24) * rng.uniform(0.4, 1.4, n)
    phase, waves = rng.uniform(0, 2 * np.pi, (2, n, 1)), rng.uniform(0.5, 1.6, (n, 1))
    winding = np.sin(2 * np.pi * waves * u + phase[0]) + 0.6 * np.sin(
        5 * np.pi * waves * u + phase[1]
    )
    angle = heading[:, None] + turn[:, None] * u + wind[:, None] * (winding - winding[:, :1])
    step = length[:, None] / (POINTS - 1)
    moves = np.stack([np.cos(angle[:, :-1]), np.sin(angle[:, :-1])], axis=2) * step[..., None]
    points = np.concatenate([place[:, None], place[:, None] + np.cumsum(moves, axis=1)], axis=1)
    near = np.hypot(*(points - fovea).transpose(2, 0, 1)) < 0.38 + 14 * radius[:, None]
    far = np.hypot(points[..., 0] - fovea[0] / 2, points[..., 1]) > REACH
    out = near | far
    count = np.where(out.any(axis=1), out.argmax(axis=1), POINTS)
    return {
        "points": points,
        "start": radius,
        "end": radius * (1 - TAPER),
        "parent": tips["parent"],
        "kind": tips["kind"],
        "count": count,
        "heading": angle[:, -1],
        "side": side,
    }


def _split(
    rng: np.random.Generator, tips: dict[str, np.ndarray], branch: dict[str, np.ndarray], first: int
) -> dict[str, np.ndarray]:
    """Two tips from the end of each branch that goes on, by Murray's law and at Zamir's angles."""
    r0 = branch["end"]
    alive = (branch["count"] == POINTS) & (r0 > 1.05 * THINNEST)
    n = len(r0)
    ratio = np.where(branch["side"] != 0, rng.uniform(0.32, 0.72, n), rng.uniform(0.42, 1.0, n))
    large = r0 / np.cbrt(1 + ratio**3)
    small = ratio * large
    hand = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    tips_out = []
    for radius, other, sign in ((large, small, -hand), (small, large, hand)):
        angle = np.arccos(np.clip((r0**4 + radius**4 - other**4) / (2 * r0**2 * radius**2), -1, 1))
        angle = np.minimum(angle, 1.3) + rng.normal(0, 0.08, n)
        stays = branch["side"] if radius is large else np.zeros(n, int)
        tips_out.append(
            (
                branch["points"][:, -1],
                branch["heading"] + sign * angle,
                radius,
                branch["kind"],
                stays,
            )
        )
    keep = np.concatenate([alive & (t[2] > THINNEST) for t in tips_out])
    names = ("place", "heading", "radius", "kind", "side")
    out = {k: np.concatenate([t[i] for t in tips_out])[keep] for i, k in enumerate(names)}
    out["parent"] = np.concatenate([first + np.arange(n)] * 2)[keep]
    return out


def thickness(
    tree: Tree,
    kind: int,
    to_pixels: tuple[float, float, float, float],
    size: int,
    share: float = 1.0,
) -> np.ndarray:
    """How much of a vessel each pixel sees, (size, size) in 0..1: 1 in the middle of one wider than
    a pixel.

    to_pixels: (ax, bx, ay, by), column = ax x + bx, row = ay y + by. share: radius drawn over true
    radius."""
    mine = (tree.kind == kind) & (tree.count > 1)
    ax, bx, ay, by = to_pixels
    spot = tree.points[mine] * (ax, ay) + (bx, by)
    along = np.linspace(0, 1, POINTS)
    radius = (
        (tree.start[mine, None] + (tree.end - tree.start)[mine, None] * along) * abs(ax) * share
    )
    drawn = np.arange(1, POINTS) < tree.count[mine, None]
    a, move, r = spot[:, :-1][drawn], np.diff(spot, axis=1)[drawn], radius[:, :-1][drawn]
    reach = int(np.ceil(r.max() + 0.5)) if len(r) else 1
    inside = (np.abs(a - size / 2) < size / 2 + 3).all(axis=1)
    a, move, r = a[inside], move[inside], r[inside]
    n = np.ceil(np.hypot(*move.T) / np.clip(0.5 * r, 0.7, 2)).astype(int) + 1  # dots on each piece
    piece = np.repeat(np.arange(len(n)), n)
    part = (np.arange(len(piece)) - np.repeat(np.cumsum(n) - n, n)) / n[piece]
    centre, r = (
        (a[piece] + move[piece] * part[:, None]).astype(np.float32),
        r[piece].astype(np.float32),
    )
    pale = np.minimum(1, 2 * r) * np.minimum(
        1, (r / (0.055 * abs(ax) * share)) ** 0.5
    )  # a thin vessel holds less blood
    margin = reach + 16 + int(np.abs(move).max(initial=0))
    wide = size + 2 * margin
    out = np.zeros(wide * wide, np.float32)
    reach_of = np.ceil(r + 0.5).astype(int)
    for k in np.unique(reach_of):
        some = reach_of == k
        corner = np.floor(centre[some])
        offset = np.arange(-k, k + 1)
        dx, dy = (
            (offset + np.float32(0.5) + (corner - centre[some])[:, i, None]) ** 2 for i in (0, 1)
        )
        value = (
            1
            - (dx[:, None, :] + dy[:, :, None]) / ((r[some] + np.float32(0.5)) ** 2)[:, None, None]
        )
        value = np.sqrt(np.maximum(value, 0)) * pale[some, None, None]
        first = (corner.astype(int) + margin) @ (1, wide)
        spot = first[:, None, None] + (offset[:, None] * wide + offset)
        np.maximum.at(out, spot.ravel(), value.astype(np.float32).ravel())
    return out.reshape(wide, wide)[margin : margin + size, margin : margin + size]


# ---------------------------------------------------------------- the eye
def eye(key: object, pigment: float | None = None) -> Eye:
    """The eye of this key. pigment: 0 blond to 1 dark; drawn when None (fellow eyes share it)."""
    rng = seeding.rng("eye", key)
    fovea = (rng.uniform(3.9, 4.9), rng.uniform(0.1, 0.6))
    tree = grow(rng, fovea)
    half = rng.normal(0.90, 0.07)
    f = np.hypot(np.fft.fftfreq(TEXELS)[:, None], np.fft.rfftfreq(TEXELS)[None, :])
    f[0, 0] = np.inf
    amplitude = np.stack([f**-1.6, np.exp(-(((f - 0.11) / 0.06) ** 2)), f**-0.5]).astype(np.float32)
    noise = irfft2(rfft2(rng.standard_normal((3, TEXELS, TEXELS), dtype=np.float32)) * amplitude)
    fibres = rng.standard_normal(360)
    fibres = np.mean(
        [
            np.convolve(np.tile(fibres, 3), np.ones(k) / np.sqrt(k), "same")[360:720]
            for k in (1, 3, 9)
        ],
        axis=0,
    )
    lesions = np.empty((0, 4))
    if rng.random() < 0.3:
        n, middle = int(rng.integers(4, 40)), rng.normal((fovea[0], 0), (1.8, 2.0), (3, 2))
        places = middle[rng.integers(0, 3, n)] + rng.normal(0, rng.uniform(0.3, 1.4), (n, 2))
        lesions = np.column_stack(
            [
                places,
                np.minimum(0.03 * np.exp(rng.exponential(0.5, n)), 0.25),
                rng.random(n) < rng.random(),
            ]
        )
    return Eye(
        tree=tree,
        fovea=fovea,
        disc=(half * rng.uniform(0.88, 0.97), half),
        cup=float(np.clip(rng.normal(0.42, 0.12), 0.15, 0.8)),
        crescent=max(0.0, rng.normal(-0.1, 0.5)),
        pigment=float(rng.beta(2, 2.2)) if pigment is None else pigment,
        tigroid=float(rng.beta(1.4, 2.6)),
        sheen=float(rng.beta(1.2, 1.8)),
        texture=noise / noise.std(axis=(1, 2), keepdims=True),
        fibres=fibres,
        lesions=lesions,
    )


def _sampled(texture: np.ndarray, x: np.ndarray, y: np.ndarray, zoom: float = 1.0) -> np.ndarray:
    """The wrapping texture at columns x and rows y (mm), Catmull-Rom; (len(y), len(x))."""

    def weights(where: np.ndarray) -> np.ndarray:
        t = where * (TEXELS / TILE / zoom)
        base, f = np.floor(t).astype(int), t - np.floor(t)
        taps = (
            f * (-0.5 + f * (1 - 0.5 * f)),
            1 + f * f * (1.5 * f - 2.5),
            f * (0.5 + f * (2 - 1.5 * f)),
            f * f * (0.5 * f - 0.5),
        )
        out = np.zeros((len(t), TEXELS), np.float32)
        for k, tap in enumerate(taps):
            np.add.at(out, (np.arange(len(t)), (base + k - 1) % TEXELS), tap)
        return out

    return weights(y) @ texture @ weights(x).T


def reflectance(one: Eye, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the retina reflects, (len(y), len(x), 3), float32, RGB, about 0..1, at columns x and
    rows y in mm.

    Both must be evenly spaced, with the same step but for the sign."""
    size = len(x)
    gx, gy = x[None, :].astype(np.float32), y[:, None].astype(np.float32)
    fx, fy = gx - np.float32(one.fovea[0]), gy - np.float32(one.fovea[1])
    from_fovea = np.sqrt(fx * fx + fy * fy)
    from_disc = np.sqrt(gx * gx + gy * gy)
    cloud, mesh = (
        _sampled(one.texture[0], x, y),
        _sampled(one.texture[1], 1.1 * x + 0.5 * y.mean(), 0.9 * y),
    )
    grain = _sampled(one.texture[2], x + 5, y, 0.45)
    pale, dark = colour(0.88, 0.50, 0.36), colour(0.70, 0.36, 0.24)
    base = pale + (dark - pale) * np.float32(one.pigment)

    # light lost to pigment and blood, as optical density for red, green, blue
    macula = np.exp(-((from_fovea / 1.5) ** 2))
    density = 0.055 * cloud + 0.018 * grain - 0.20 * np.exp(-((from_disc / 3.0) ** 2))
    density += 0.24 * macula + 0.30 * np.exp(-((from_fovea / 0.42) ** 2))
    choroid = (np.exp(-((mesh / 0.85) ** 2)) - 0.6) * np.clip(0.7 + 0.5 * cloud, 0, 1.4)
    bare = 1 - 0.85 * np.exp(-((from_fovea / 2.6) ** 2)) - 0.4 * np.exp(-((from_disc / 1.8) ** 2))
    density -= (0.03 + 0.20 * one.tigroid**1.5) * choroid * bare
    bundle = np.interp(
        np.degrees(np.arctan2(gy, gx)).ravel() % 360, np.arange(360), one.fibres
    ).reshape(size, size)
    shine = (
        one.sheen
        * np.exp(-(((from_disc - 1.4) / 1.9) ** 2))
        * (0.35 + 0.65 * np.abs(gy) / (from_disc + 0.2))
    )
    density -= shine * (0.11 + 0.10 * bundle)
    image = base * np.exp(-density[..., None] * colour(0.55, 1.1, 1.2))

    columns, rows = (np.flatnonzero(np.abs(axis) < 2.3) for axis in (x, y))
    if len(columns) and len(rows):
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image[part] = _disc(one, image[part], gx[:, part[1]], gy[part[0]], bundle[part])
    for px, py, r, kind in one.lesions:
        _lesion(image, x, y, px, py, r, int(kind))
    step = x[1] - x[0]
    where = (1 / step, -x[0] / step + 0.5, 1 / (y[1] - y[0]), -y[0] / (y[1] - y[0]) + 0.5)
    artery, vein = (thickness(one.tree, kind, where, size) for kind in (ARTERY, VEIN))
    blood = artery[..., None] * colour(0.16, 0.62, 0.55) + vein[..., None] * colour(
        0.30, 0.86, 0.62
    )
    image *= np.exp(-blood)
    if (
        abs(step) < 0.06
    ):  # the light streak along arteries and larger veins, where a pixel can show it
        reflex = 0.26 * thickness(one.tree, ARTERY, where, size, 0.28) + 0.08 * thickness(
            one.tree, VEIN, where, size, 0.22
        )
        image *= 1 + reflex[..., None] * colour(0.6, 1.0, 0.9)
    return image.astype(np.float32)


def _disc(
    one: Eye, image: np.ndarray, gx: np.ndarray, gy: np.ndarray, bundle: np.ndarray
) -> np.ndarray:
    """The optic disc: rim, pale cup (towards the temple), a dark or pale crescent at its temporal
    side."""
    rho = np.sqrt((gx / one.disc[0]) ** 2 + (gy / one.disc[1]) ** 2)
    soft = np.float32(0.10)
    halo = np.exp(-((np.maximum(rho - 1, 0) / 0.5) ** 2))
    image = image * (1 + 0.10 * halo[..., None])
    if one.crescent > 0:
        shifted = np.sqrt(((gx - 0.22 * one.disc[0]) / one.disc[0]) ** 2 + (gy / one.disc[1]) ** 2)
        alpha = np.clip((1.06 - shifted) / soft, 0, 1) * np.float32(min(one.crescent, 0.9))
        image += alpha[..., None] * (colour(0.93, 0.72, 0.52) - image)
        edge = (
            np.exp(-(((shifted - 1.08) / 0.06) ** 2))
            * np.clip(gx, 0, 1)
            * np.float32(0.35 * min(one.crescent, 1))
        )
        image *= 1 - edge[..., None]
    rim = colour(1.12, 0.92, 0.62) - np.clip(-gx / one.disc[0], -1, 1)[..., None] * colour(
        0.03, 0.10, 0.08
    )
    rim = rim * (1 + 0.02 * bundle[..., None])
    alpha = np.clip((1 - rho) / (1.6 * soft) + 0.5, 0, 1)
    image += alpha[..., None] * (rim - image)
    inner = np.sqrt(
        ((gx - 0.12 * one.disc[0]) / (one.cup * one.disc[0])) ** 2
        + ((gy + 0.03) / (one.cup * one.disc[1])) ** 2
    )
    alpha = 0.85 * np.clip((1 - inner) / 0.45 + 0.5, 0, 1)
    return image + alpha[..., None] * (colour(1.24, 1.20, 0.98) - image)


def _lesion(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, px: float, py: float, r: float, kind: int
) -> None:
    """Paint one bleeding (dark red) or exudate (yellow) of radius r mm."""
    edge = max(0.35 * r, 0.6 * abs(x[1] - x[0]))
    columns, rows = (np.flatnonzero(np.abs(v - p) < r + 2 * edge) for v, p in ((x, px), (y, py)))
    if not len(columns) or not len(rows):
        return
    box = np.ix_(rows, columns)
    distance = np.hypot(x[columns][None, :] - px, y[rows][:, None] - py)
    alpha = np.clip((r - distance) / edge + 0.5, 0, 1) * (0.75 if kind else 0.7)
    tint = colour(0.98, 0.80, 0.42) if kind else colour(0.42, 0.12, 0.10)
    image[box] += (alpha[..., None] * (tint - image[box])).astype(np.float32)
