"""What the paper's own numbers say: Table 2 of Dang et al. read beside constants on the test split
of their Table 1.

Nothing of ours enters here but `claims`, which puts each of the paper's comparisons beside our own
runs. The printed numbers have two decimals, and no rule is stated: everything is computed for both
readings, "rounded" and "truncated" (0.47 stands for 0.465..0.475 or for 0.47..0.48). One cell, 0.47
of 23 pictures, fits only truncation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..stats.metrics import CLASSES, best_constant
from .names import BASE, PUBLISHED, order
from .text import cell, markdown

READINGS = {
    "rounded": (-0.005, 0.005),
    "truncated": (0.0, 0.01),
}  # what may be added to a printed number


SETS = {
    "mae": (0, 1, 2, 3, 4),
    "mae_3": (3,),
    "mae_4": (4,),
    "mae_34": (3, 4),
    "mae_012": (0, 1, 2),
}


DISTANCE = np.abs(np.subtract.outer(np.arange(CLASSES), np.arange(CLASSES))).astype(
    float
)  # (true, said)


Floats = NDArray[np.float64]


def _ends(reading: str) -> tuple[float, float]:
    if reading not in READINGS:
        raise ValueError(f"reading {reading!r}; allowed: {', '.join(READINGS)}")
    return READINGS[reading]


def counts(split: str = "test") -> Floats:
    """Pictures per grade (5,) of a split in the paper's Table 1."""
    table = published("table1")
    if split not in set(table["split"]):
        raise ValueError(f"split {split!r}; Table 1 has {', '.join(table['split'].unique())}")
    return (
        table[table["split"] == split]
        .set_index("grade")["count"]
        .reindex(range(CLASSES))
        .to_numpy(float)
    )


def printed() -> pd.DataFrame:
    """Table 2 as printed: one row per method (index), columns row, mae, mae_3, mae_4, mae_34."""
    table = published("table2")
    values = table.pivot_table(index="method", columns="metric", values="value")[list(PUBLISHED)]
    names = table.drop_duplicates("method").set_index("method")["row"]
    return pd.concat([names, values], axis=1).loc[order(values.index)]


# ---------------------------------------------------------------- predictors that see no picture
def constants() -> pd.DataFrame:
    """Predictors that look at no picture, on the test split of Table 1: "always 0" .. "always 4",
    "draw from class shares".

    Columns: row, the sets of SETS (MAE over pictures of these grades), macro_mae, se (standard
    error of mae over pictures: sd(|error|) / sqrt(N), N = 1,047). Of the draw: expected values, the
    shares being the test split's own."""
    n = counts()
    said = {f"always {k}": np.tile(np.eye(CLASSES)[k], (CLASSES, 1)) for k in range(CLASSES)}
    said["draw from class shares"] = np.tile(n / n.sum(), (CLASSES, 1))
    rows = []
    for name, q in said.items():  # q (true, said): chance of each answer
        error, square = (q * DISTANCE).sum(axis=1), (q * DISTANCE**2).sum(axis=1)
        row: dict[str, object] = {"row": name}
        row |= {
            m: float(np.average(error[list(of)], weights=n[list(of)])) for m, of in SETS.items()
        }
        spread = np.average(square, weights=n) - np.average(error, weights=n) ** 2
        rows.append(
            row | {"macro_mae": float(error.mean()), "se": float(np.sqrt(spread / n.sum()))}
        )
    return pd.DataFrame(rows)


def constant() -> int:
    """The grade whose constant has the least MAE on the training split of Table 1."""
    return best_constant(np.repeat(np.arange(CLASSES), counts("train").astype(int)))


# ---------------------------------------------------------------- what Table 2 implies
def implied(reading: str = "rounded") -> pd.DataFrame:
    """What the printed numbers imply about the grades that Table 2 leaves out, under one reading.

    One row per method: method, row, the printed columns; mae_012 with _low and _high: (N MAE - N34
    MAE34) / N012 and its ends over all numbers that print the same ("rounded": the middle;
    "truncated": the middle of the ends); gain with _low and _high: MAE of the best constant minus
    this; percent, percent_low, percent_high: of the constant; micro: whether MAE 3&4 can be the
    mean over pictures of columns 3 and 4."""
    down, up = _ends(reading)
    n, table = counts(), printed().reset_index()
    upper, lower = n[3:].sum(), n[:3].sum()
    of = lambda mae, mae_34: (n.sum() * mae - upper * mae_34) / lower
    table["mae_012_low"] = of(table["mae"] + down, table["mae_34"] + up)
    table["mae_012_high"] = of(table["mae"] + up, table["mae_34"] + down)
    table["mae_012"] = (table["mae_012_low"] + table["mae_012_high"]) / 2
    best = constants()["mae"][constant()]
    for end, shift in (("", (down + up) / 2), ("_low", up), ("_high", down)):
        table[f"gain{end}"] = best - table["mae"] - shift
        table[f"percent{end}"] = 100 * table[f"gain{end}"] / best
    mean = (n[3] * table["mae_3"] + n[4] * table["mae_4"]) / upper
    table["micro"] = (mean - table["mae_34"]).abs() < up - down + 1e-9
    return table


def class_4() -> pd.DataFrame:
    """How coarse MAE 4 is: method, row, mae_4 as printed, pictures n, step 1/n, rounded and
    truncated (the sums of errors k, of n pictures, whose k/n prints so: "" for none), se (standard
    error over pictures if no error exceeds one grade)."""
    n, rows = int(counts()[4]), []
    for method, row in printed().iterrows():
        value = row["mae_4"]
        out: dict[str, object] = {
            "method": method,
            "row": row["row"],
            "mae_4": value,
            "pictures": n,
            "step": 1 / n,
        }
        for reading, (down, up) in READINGS.items():
            k = [k for k in range(4 * n + 1) if value + down - 1e-9 <= k / n < value + up - 1e-9]
            out[reading] = ", ".join(map(str, k))
        rows.append(out | {"se": float(np.sqrt(value * (1 - value) / n))})
    return pd.DataFrame(rows)


def gaps() -> pd.DataFrame:
    """Differences of overall MAE between any two rows of Table 2, in unpaired standard errors over
    test pictures.

    The paper prints no spread, so that of an error with mean m is bounded below by errors of 0 and
    1 alone, m (1 - m), and taken above as r m - m^2, with r = mean square error / mean error of the
    best constant. Columns: a, b, difference (b - a, b the larger), ratio (by the larger error),
    ratio_most (by the smaller), beyond: more than two, also with a difference smaller by 0.01,
    which is what printing may hide under either reading ("yes"), less than two, also with one
    larger by 0.01 ("no"), or "about two". Seeds add to the noise; pictures that both see would take
    from it; neither can be known from the paper."""
    n, k = counts(), constant()
    r = np.average(DISTANCE[:, k] ** 2, weights=n) / np.average(DISTANCE[:, k], weights=n)
    table = printed().sort_values("mae", kind="stable")
    rows = []
    for i, (a, first) in enumerate(table.iterrows()):
        for b, second in table.iloc[i + 1 :].iterrows():
            m = np.array([first["mae"], second["mae"]])
            gap = m[1] - m[0]
            wide, narrow = (np.sqrt(v.sum() / n.sum()) for v in (r * m - m**2, m * (1 - m)))
            beyond = (
                "yes"
                if (gap - 0.01) / wide > 2
                else "no"
                if (gap + 0.01) / narrow < 2
                else "about two"
            )
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "difference": gap,
                    "ratio": gap / wide,
                    "ratio_most": gap / narrow,
                    "beyond": beyond,
                }
            )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- in words
def show() -> str:
    """The constants and Table 2 in one markdown table, with what Table 2 implies of grades 0-2
    under both readings."""
    n = counts()
    rows = [[r["row"], *(f"{r[m]:.4f}" for m in SETS), ""] for r in constants().to_dict("records")]
    both = {reading: implied(reading).set_index("method") for reading in READINGS}
    for method, row in printed().iterrows():
        ends = [
            both[k].loc[method, ["mae_012", "mae_012_low", "mae_012_high"]].tolist()
            for k in READINGS
        ]
        rows.append(
            [
                f"paper: {row['row']}",
                *(f"{row[m]:.2f}" for m in PUBLISHED),
                *(cell(value, low, high, digits=3) for value, low, high in ends),
            ]
        )
    head = [
        "predictor",
        "MAE",
        "MAE 3",
        "MAE 4",
        "MAE 3&4",
        f"MAE 0–2 (n = {n[:3].sum():.0f})",
        "MAE 0–2, if truncated",
    ]
    note = (
        f"Computed from Table 1's test split ({'/'.join(f'{v:.0f}' for v in n)}, n = {n.sum():.0f}) and the numbers that "
        "Table 2 prints; MAE 0–2 of the paper's rows is implied, in brackets all that fits the two printed decimals."
    )
    return markdown(head, rows) + f"\n\n{note}\n"


def _and(words: Sequence[str]) -> str:
    return (
        " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
        if words
        else "none"
    )


def finding(reading: str = "rounded") -> str:
    """The honest reading of Table 2, in words made from its numbers under one reading
    (markdown)."""
    table, k = implied(reading).set_index("method"), constant()
    fixed = constants()
    said, vit = fixed.iloc[k], table.loc[BASE]
    best = table.loc[table["mae"].idxmin()]
    span = lambda row, m: cell(row[m], row[f"{m}_low"], row[f"{m}_high"], digits=3)
    than = lambda a, b: "better" if a < b else "worse"
    surely = lambda row: (
        "worse"
        if row["mae_012_low"] > said["mae_012"]
        else "better"
        if row["mae_012_high"] < said["mae_012"]
        else "not surely another"
    )
    upper = fixed.loc[fixed["mae_34"].idxmin()]
    others = table.drop(index=BASE)
    shifted = others[
        (others["mae_34"] < vit["mae_34"]) & (others["mae_012_low"] > vit["mae_012_high"])
    ]
    text = [
        f"**Read as {reading}.** The paper's ViT (MAE {vit['mae']:.2f}) is {than(vit['mae'], said['mae'])} than the constant "
        f"“{k}” ({said['mae']:.3f}) by {span(vit, 'gain')}, {vit['percent']:.1f} % (from {vit['percent_low']:.1f} to "
        f"{vit['percent_high']:.1f}); the constant's own standard error over pictures is {said['se']:.3f}, the paired one cannot "
        f"be computed from the paper.",
        f"It is {than(vit['mae_3'], said['mae_3'])} on class 3 ({vit['mae_3']:.2f} v {said['mae_3']:.2f}), "
        f"{than(vit['mae_4'], said['mae_4'])} on class 4 ({vit['mae_4']:.2f} v {said['mae_4']:.2f}) and {surely(vit)} on "
        f"classes 0–2 ({span(vit, 'mae_012')} v {said['mae_012']:.3f}).",
        f"The best method, {best['row']} ({best['mae']:.2f}), is {than(best['mae'], said['mae'])} than the constant by "
        f"{best['percent']:.1f} % (from {best['percent_low']:.1f} to {best['percent_high']:.1f}) overall and {surely(best)} on "
        f"classes 0–2 ({span(best, 'mae_012')} v {said['mae_012']:.3f}). "
        f"{int((table['mae_012_low'] > said['mae_012']).sum())} of the {len(table)} rows are worse than the constant there.",
        f"On MAE 3&4 the predictor “{upper['row']}” has {upper['mae_34']:.3f}, the best method {table['mae_34'].min():.2f} "
        f"({table.loc[table['mae_34'].idxmin(), 'row']}).",
        f"Better than the ViT on 3&4 and worse on 0–2: {_and(list(shifted['row']))}"
        + (
            f" (0–2: {shifted['mae_012'].min():.2f}–{shifted['mae_012'].max():.2f} v {vit['mae_012']:.2f}); a shift of all "
            "predictions upwards would look like that."
            if len(shifted)
            else "."
        ),
    ]
    return " ".join(text)


def noise() -> str:
    """How far Table 2's differences are from the noise of its test split, in words made from its
    numbers (markdown)."""
    four, pairs, name = class_4(), gaps(), printed()["row"]
    only = [
        f"{r['mae_4']:.2f} ({r['row']})"
        for r in four.to_dict("records")
        if r["truncated"] and not r["rounded"]
    ]
    pair = lambda r: (
        f"{name[r['a']]} v {name[r['b']]} ({r['difference']:.2f}, {r['ratio']:.1f} to {r['ratio_most']:.1f} SE)"
    )
    of = lambda kind: (
        "; ".join(pair(r) for r in pairs[pairs["beyond"] == kind].to_dict("records")) or "none"
    )
    n = four["pictures"][0]
    fits = f"every number of the column rounds from a multiple of 1/{n}"
    if only:
        fits = f"no multiple of 1/{n} rounds to {_and(only)}, but one is cut to it: truncated, if it is one run's"
    return (
        f"Class 4 has {n} test pictures: one step is {four['step'][0]:.3f}, the standard error of MAE 4 at least "
        f"{four['se'].min():.3f} to {four['se'].max():.3f}; {fits}.\n\n"
        f"Overall differences beyond about two unpaired standard errors of test sampling (seed noise unknown): {of('yes')}.\n\n"
        f"About two: {of('about two')}.\n\nWithin: {of('no')}.\n"
    )


# ---------------------------------------------------------------- published numbers
def published(name: str = "table2") -> pd.DataFrame:
    """A table of published numbers (table1, table2), each row with its source, of equivalence
    margins (margins) or of what the paper states or leaves open, and what we chose (choices: item,
    paper, ours).

    Raises ValueError listing what there is."""
    folder = Path(__file__).parent / "published_numbers"
    file = folder / f"{name}.csv"
    if not file.exists():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.csv")))
        raise ValueError(f"no published table {name}; there are {known}")
    return pd.read_csv(file, encoding="utf-8")
