"""The vessel trees of a simulated eye, grown and drawn. Lengths in mm on the retina, in the frame
of `fundus_eye`: the optic disc at (0, 0), x to the temple, y down.

Vessels branch by Murray's law, r0^3 = r1^3 + r2^3 (C. D. Murray, PNAS 12, 1926), at Zamir's angles
(M. Zamir, J. Theor. Biol. 62, 1976): cos t1 = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POINTS = 15  # points along a branch
THINNEST = 0.010  # mm, radius at which vessels end
TAPER = 0.05  # share of its radius that a branch loses along its way
REACH = 11.5  # mm from between disc and fovea, where vessels end
ARTERY, VEIN = 0, 1


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
class Course:
    """Where an eye's vessels go: the arcades keep `ring` mm from the fovea (2,), and `opening` mm
    more for every mm towards the temple."""

    fovea: np.ndarray
    ring: float
    opening: float


def grow(rng: np.random.Generator, fovea: tuple[float, float]) -> Tree:
    """The vessels of an eye: four arteries and veins, above and below, to the temple and the nose,
    and some small vessels that leave the disc by themselves."""
    tips = _roots(rng)
    course = Course(
        fovea=np.array(fovea), ring=rng.uniform(2.7, 3.6), opening=rng.uniform(0.55, 1.0)
    )
    rows: list[dict[str, np.ndarray]] = []
    total = 0
    for _ in range(14):
        branch = _extend(rng, tips, course)
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
            x, y = rng.normal(-0.12 + 0.10 * kind, 0.04), side * rng.uniform(0.0, 0.09)
            rows.append(
                [x, y, side * np.radians(rng.uniform(82, 104) - 14 * kind), radius, kind, side]
            )
            rows.append(
                [
                    x - 0.04,
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
    rng: np.random.Generator, tips: dict[str, np.ndarray], course: Course
) -> dict[str, np.ndarray]:
    """One branch from each tip: it bends towards where a vessel of its place and size goes, and
    winds a little. It ends near the fovea, and at the raphe, the line from there to the temple that
    no vessel crosses."""
    fovea = course.fovea
    place, heading, radius, side = tips["place"], tips["heading"], tips["radius"], tips["side"]
    n = len(radius)
    length = np.clip(2 * radius * rng.uniform(13, 30, n), 0.6, 2.6)
    middle = place + 0.5 * length[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    dx, dy = (middle - fovea).T
    distance = np.hypot(dx, dy)
    ring = course.ring + course.opening * np.maximum(dx, 0)  # an arcade keeps this far
    around = (
        np.arctan2(dy, dx) - side * np.pi / 2
    )  # tangent of the circle round the fovea, to the temple
    arcade = around - side * np.clip(0.55 * (distance - ring), -0.95, 0.95)
    inward = np.arctan2(-dy, -dx)
    outward = np.arctan2(middle[:, 1], middle[:, 0] - 0.25 * fovea[0])
    near = (distance < 3.4) & (np.abs(_wrap(inward - heading)) < 1.9)
    # towards the fovea, but past it rather than into it
    beside = inward + np.sign(_wrap(heading - inward)) * np.clip(1.7 - distance, 0, 0.9)
    free = np.where(near, beside, outward)
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
    inner = np.hypot(*(points - fovea).transpose(2, 0, 1)) < 0.42 + 14 * radius[:, None]
    far = np.hypot(points[..., 0] - fovea[0] / 2, points[..., 1]) > REACH
    over = (points[..., 1] - fovea[1]) * np.sign(place[:, 1] - fovea[1])[:, None] < 0
    out = inner | far | (over & (points[..., 0] > fovea[0] - 0.6))
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
    # a branch that ends on its way thins out
    left = tree.count[mine, None] - np.arange(POINTS)
    cut = (tree.count[mine] < POINTS)[:, None]
    radius *= np.where(cut, np.clip(left / 6, 0.2, 1), 1)
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
