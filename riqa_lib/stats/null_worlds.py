"""The tests tested: how often they reject where two classifiers are equally good, and how often
intervals hold the truth.

A simulated world is one test set of patients with one picture or more, a label (bad or good) alike
within a patient, and two classifiers' scores for bad: s = mu bad + sqrt(shared) h + sqrt(1 -
shared) g, h common to both classifiers, g of each, both standard normal with correlation `alike`
between a patient's pictures. p(bad) = Phi(s - cut). With the same mu the two may be exchanged, so
every difference is truly 0; with another mu the true differences follow from the normal
distribution. The functions tried are those the notebooks use (`paired_tests`,
`class_bootstrap.bootstrap`). These worlds have one seed; those of several are `seed_worlds`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import optimize
from scipy import stats as sp

from .. import provenance, store
from ..paths import reference
from ..seeding import rng
from . import paired_tests
from .class_bootstrap import bootstrap, f1_of
from .resampling import Floats, Ints, Paired, resamples_of
from .seed_worlds import run_seeds, share

BOOTSTRAPPED = ("accuracy", "macro_f1", "f1", "auc")


EXACT = ("mcnemar_exact", "sign_flip")


MOST, NEAR, COVER, FAILS = (0.0, 0.05), (0.04, 0.06), (0.93, 0.97), (0.06, 1.0)


WORLDS, RESAMPLES = 2000, 1000


# sets of bootstrap resamples, used in turn: drawing them anew for each world takes longer than all
# tests
SHARED = 16


@dataclass(frozen=True)
class World:
    """One kind of test set, for two classifiers A and B."""

    name: str
    patients: int
    pictures: int = 1  # of a patient that has several
    several: float = 0.0  # share of patients that have several, else one
    kappa: float = 0.0  # of the labels of two pictures of one patient
    alike: float = 0.0  # correlation of a classifier's noise between them
    mu_a: float = 1.6  # distance of bad from good, in standard deviations of the score
    mu_b: float = 1.6
    shared: float = 0.5  # share of the noise's variance that A and B have in common
    bad: float = 0.35  # share of bad pictures
    cut: float = 0.8  # score from which a picture is called bad

    @property
    def null(self) -> bool:
        """Whether A and B are equally good."""
        return self.mu_a == self.mu_b


ALL = (
    World("one eye", 250),
    # EyeQ's test split: 35 % of patients with both eyes, kappa 0.69
    World("fellow eyes", 250, 2, 0.35, 0.7, 0.7),
    # DeepDRiD's: 100 patients, two eyes, two views
    World("strong clusters", 100, 4, 1.0, 0.7, 0.9),
    World("fellow eyes, unequal", 250, 2, 0.35, 0.7, 0.7, mu_a=1.9),
)


def latent_correlation(kappa: float, share: float) -> float:
    """Correlation of two standard normals whose excess over a threshold, of probability `share`,
    agrees with this kappa."""
    if not 0 <= kappa < 1 or not 0 < share < 1:
        raise ValueError(f"kappa {kappa}, share {share}: expected 0 <= kappa < 1 and 0 < share < 1")
    edge = sp.norm.ppf(share)

    def excess(r: float) -> float:
        both = sp.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([edge, edge])
        return float((both - share**2) / (share - share**2) - kappa)

    return 0.0 if kappa == 0 else float(optimize.brentq(excess, 0.0, 0.9999, xtol=1e-6))


def _alike(generator: np.random.Generator, code: Ints, r: float, shape: int) -> Floats:
    """Standard normals (shape, N), correlated by r within a patient."""
    own = generator.standard_normal((shape, len(code)))
    return (
        np.sqrt(r) * generator.standard_normal((shape, code.max() + 1))[:, code]
        + np.sqrt(1 - r) * own
    )


def simulated_sets(world: World, numbers: Iterable[int], seed: int = 0) -> Iterator[Paired]:
    """The test sets of this kind with these numbers: methods "a" and "b", one seed; class 0 bad, 1
    good; cluster: the patient."""
    r = latent_correlation(world.kappa, world.bad)
    for number in numbers:
        generator = rng("null world", world, number, seed)
        size = np.where(generator.random(world.patients) < world.several, world.pictures, 1)
        code = np.repeat(np.arange(world.patients), size)
        bad = _alike(generator, code, r, 1)[0] < sp.norm.ppf(world.bad)
        common, a, b = _alike(generator, code, world.alike, 3)
        p = {}
        for name, mu, own in (("a", world.mu_a, a), ("b", world.mu_b, b)):
            score = mu * bad + np.sqrt(world.shared) * common + np.sqrt(1 - world.shared) * own
            says_bad = sp.norm.cdf(score - world.cut)
            p[name] = np.stack([says_bad, 1 - says_bad], axis=1)[None]
        truth = (~bad).astype(np.int64)
        yield Paired(truth, truth.astype(float), code, (0,), p)


def true_values(world: World, mu: float) -> dict[str, float]:
    """Accuracy, macro F1, F1 of bad and AUC of a classifier of this mu on infinitely many
    pictures."""
    hit, right = sp.norm.cdf(mu - world.cut), sp.norm.cdf(world.cut)
    table = np.array(
        [
            [world.bad * hit, world.bad * (1 - hit)],
            [(1 - world.bad) * (1 - right), (1 - world.bad) * right],
        ]
    )
    macro, f1 = f1_of(table[None])[0], f1_of(table[None], 0)[0]
    return {
        "accuracy": float(np.trace(table)),
        "macro_f1": float(macro),
        "f1": float(f1),
        "auc": float(sp.norm.cdf(mu / 2**0.5)),
    }


def outcomes(
    world: World, data: Paired, resamples: int, seed: int
) -> list[tuple[str, str, bool, float, float, float]]:
    """All tests of one set: (test, metric, clusters kept, p, low, high); low and high are nan for a
    test without interval."""
    x, y, bad = data.p["a"][0], data.p["b"][0], data.truth == 0
    right, other = ((p.argmax(axis=1) == data.truth).astype(int) for p in (x, y))
    tests = [
        ("auc", True, paired_tests.auc_test(bad, x[:, 0], y[:, 0], data.cluster)),
        ("auc", False, paired_tests.auc_test(bad, x[:, 0], y[:, 0])),
        ("accuracy", True, paired_tests.sign_flip(right - other, data.cluster)),
        ("accuracy", True, paired_tests.durkalski(right, other, data.cluster)),
        *(("accuracy", False, t) for t in paired_tests.mcnemar(right, other)),
    ]
    out = [(t.name, metric, kept, t.p, *t.interval()) for metric, kept, t in tests]
    kinds: list[tuple[Paired, bool, tuple[str, ...]]] = [(data, True, BOOTSTRAPPED)]
    if world.several == 1:
        kinds.append((replace(data, cluster=np.arange(len(data.truth))), False, ("accuracy",)))
    for one, kept, metrics in kinds:
        drawn = _drawn(one.clusters, resamples, seed)
        boot = bootstrap(one, metrics, drawn=drawn)
        for metric in metrics:
            _, low, high = boot.difference("a", "b", metric)
            out.append(("bootstrap", metric, kept, boot.p_value("a", "b", metric), low, high))
    return out


@lru_cache(maxsize=2 * SHARED)
def _drawn(clusters: int, resamples: int, seed: int) -> tuple[Ints, Ints]:
    return resamples_of(clusters, 1, resamples, seed)


def run(
    kinds: tuple[World, ...] = ALL, worlds: int = WORLDS, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Rejection rates and coverage over `worlds` simulated sets of each kind; one row per kind,
    test, metric and whether the test kept the clusters.

    Columns: world, test, metric, clusters (kept, ignored, none: one picture each), worlds (that
    gave a p), undefined, rejected (share with p < 0.05), low, high (its 95 % Clopper-Pearson
    interval), covered, cover_low, cover_high (share of 95 % intervals that hold the true
    difference), bound_low, bound_high (of `rejected`; nan where none is set, as with unequal skill,
    where it is power), meets (see `meets`), true_difference, resamples, seed, simulated. ValueError
    for worlds < 1."""
    if worlds < 1:
        raise ValueError(f"worlds {worlds}: expected at least 1")
    rows = []
    for kind in kinds:
        va, vb = true_values(kind, kind.mu_a), true_values(kind, kind.mu_b)
        found: dict[tuple[str, str, bool], list[tuple[float, float, float]]] = {}
        for number, data in enumerate(simulated_sets(kind, range(worlds), seed)):
            for test, metric, kept, *values in outcomes(
                kind, data, resamples, seed + number % SHARED
            ):
                found.setdefault((test, metric, kept), []).append((values[0], values[1], values[2]))
        for (test, metric, kept), triples in found.items():
            p, low, high = np.array(triples).T
            truth, known, n = va[metric] - vb[metric], np.isfinite(p), int(np.isfinite(p).sum())
            how = "none" if kind.pictures == 1 else "kept" if kept else "ignored"
            row = {
                "world": kind.name,
                "test": test,
                "metric": metric,
                "clusters": how,
                "worlds": n,
                "undefined": worlds - n,
            } | share(("rejected", "low", "high"), p[known] < 0.05)
            has = np.isfinite(low)
            held = (low[has] <= truth) & (truth <= high[has])
            row |= share(("covered", "cover_low", "cover_high"), held)
            row |= dict(zip(("bound_low", "bound_high"), bound(kind, test, how), strict=True))
            rows.append(
                row
                | {
                    "true_difference": truth,
                    "resamples": resamples,
                    "seed": seed,
                    "simulated": True,
                }
            )
    table = pd.DataFrame(rows)
    table["meets"] = [meets(row) for row in table.to_dict("records")]
    return table


def bound(kind: World, test: str, clusters: str) -> tuple[float, float]:
    """Rejection rate to be met under the null: exact tests at most 5 %, others 4 to 6 %, and tests
    that ignore strong clusters above 6 %; nan where nothing is asked."""
    if not kind.null or (clusters == "ignored" and kind.several < 1):
        return float("nan"), float("nan")
    if clusters == "ignored":
        return FAILS
    return MOST if test in EXACT else NEAR


def meets(row: dict) -> bool:
    """Whether a row's rate is within its bound, allowing for the Monte Carlo error (the intervals
    overlap), and its coverage in 93-97 % likewise. Rows that ignore strong clusters must fail
    visibly: the whole interval above 6 %."""
    if row["clusters"] == "ignored":
        return bool(not row["bound_low"] > 0 or row["low"] > row["bound_low"])
    inside = not (row["low"] > row["bound_high"] or row["high"] < row["bound_low"])
    covered = not (
        row.get("cover_low", np.nan) > COVER[1] or row.get("cover_high", np.nan) < COVER[0]
    )
    return bool(inside and covered)


def report(table: pd.DataFrame) -> str:
    """The table in a few lines: each rate, its Monte Carlo interval and coverage, and what does not
    meet its bound."""
    lines = []
    for r in table.to_dict("records"):
        line = (
            f"{r['world']:22} {r['test']:14} {r['metric']:9} clusters {r['clusters']:8} "
            f"rejects {r['rejected']:6.2%} ({r['low']:.2%} to {r['high']:.2%})"
        )
        if np.isfinite(r["covered"]):
            line += f", covers {r['covered']:.2%}"
        if not r["meets"]:
            line += "  <- not within its bound"
        lines.append(line)
    lines.append(
        f"{int(table['meets'].sum())} of {len(table)} rows within their bounds; "
        f"{table['worlds'].max()} worlds a kind"
    )
    return "\n".join(lines)


def command(worlds: int = WORLDS, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Run all worlds and store results/reference/nullworlds.csv, and nullworlds-seeds.csv of those
    with several seeds, each with the machine; returns both in one table."""
    of_seeds = run_seeds(worlds=worlds, resamples=resamples, seed=seed)
    tables = {"nullworlds": run(ALL, worlds, resamples, seed), "nullworlds-seeds": of_seeds}
    for name, table in tables.items():
        table["machine"] = provenance.machine()
        store.write_table(reference() / f"{name}.csv", table)
    return pd.concat(tables.values(), ignore_index=True)
