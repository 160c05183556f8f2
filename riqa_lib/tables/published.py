"""What the paper's own numbers say: Table 2 of Dang et al. read beside constants on the test split
of their Table 1.

Nothing of ours enters here but `claims`, which puts each of the paper's comparisons beside our own
runs. The printed numbers have two decimals, and no rule is stated: everything is computed for both
readings, "rounded" and "truncated" (0.47 stands for 0.465..0.475 or for 0.47..0.48). One cell, 0.47
of 23 pictures, fits only truncation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..stats.metrics import best_constant, grouped
from .names import BASE, PUBLISHED, order
from .text import cell_of, decided, markdown, show_frame

# what may be added to a printed number
READINGS = {
    "rounded": (-0.005, 0.005),
    "truncated": (0.0, 0.01),
}


CLASSES = 5


# error -> the true grades that it is of
SETS = {
    "mae": (0, 1, 2, 3, 4),
    "mae_3": (3,),
    "mae_4": (4,),
    **grouped(CLASSES),
}


# (true, said)
DISTANCE = np.abs(np.subtract.outer(np.arange(CLASSES), np.arange(CLASSES))).astype(float)


Floats = NDArray[np.float64]


def _ends(reading: str) -> tuple[float, float]:
    if reading not in READINGS:
        raise ValueError(f"reading {reading!r}; allowed: {', '.join(READINGS)}")
    return READINGS[reading]


def counts(split: str = "test") -> Floats:
    """Pictures per grade (5,) of a split in the paper's Table 1.

    >>> counts("test").astype(int).tolist()
    [23, 139, 515, 347, 23]
    """
    table = published("table1")
    if split not in set(table["split"]):
        raise ValueError(f"split {split!r}; Table 1 has {', '.join(table['split'].unique())}")
    by_grade = table[table["split"] == split].set_index("grade")["count"]
    return by_grade.reindex(range(CLASSES)).to_numpy(float)


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
    return best_constant(np.repeat(np.arange(CLASSES), counts("train").astype(int)), CLASSES)


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
    # least where the whole was printed too high, and the part that is taken off it too low
    least, most = n.sum() * (table["mae"] + down), n.sum() * (table["mae"] + up)
    table["mae_012_low"] = (least - upper * (table["mae_34"] + up)) / lower
    table["mae_012_high"] = (most - upper * (table["mae_34"] + down)) / lower
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
            # printing may hide 0.01 of a difference, either way
            if (gap - 0.01) / wide > 2:
                beyond = "yes"
            else:
                beyond = "no" if (gap + 0.01) / narrow < 2 else "about two"
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
    both = [implied(reading).set_index("method") for reading in READINGS]
    for method, row in printed().iterrows():
        spans = [_span(table.loc[method], "mae_012") for table in both]
        rows.append([f"paper: {row['row']}", *(f"{row[m]:.2f}" for m in PUBLISHED), *spans])
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
        f"Computed from Table 1's test split ({'/'.join(f'{v:.0f}' for v in n)}, "
        f"n = {n.sum():.0f}) and the numbers that Table 2 prints; MAE 0–2 of the paper's rows is "
        "implied, in brackets all that fits the two printed decimals."
    )
    return markdown(head, rows) + f"\n\n{note}\n"


def _span(row: Mapping, name: str) -> str:
    return cell_of(row, name, digits=3)


def _than(mae: float, other: float) -> str:
    return "better" if mae < other else "worse"


def _surely(row: Mapping, mae_012: float) -> str:
    """Whether all that fits a row's printed numbers is on one side of this error of grades 0-2."""
    low, high = row["mae_012_low"] - mae_012, row["mae_012_high"] - mae_012
    return decided(low, high, neither="not surely another")


def _percent(row: Mapping) -> str:
    return f"{row['percent']:.1f} % (from {row['percent_low']:.1f} to {row['percent_high']:.1f})"


def _and(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words) or "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"


# the reading of Table 2, a sentence each; see `finding`
OVERALL = (
    "**Read as {reading}.** The paper's ViT (MAE {mae:.2f}) is {than} than the constant “{grade}” "
    "({constant:.3f}) by {gain}, {percent}; the constant's own standard error over pictures is "
    "{se:.3f}, the paired one cannot be computed from the paper."
)
BY_CLASS = (
    "It is {than_3} on class 3 ({mae_3:.2f} v {constant_3:.2f}), {than_4} on class 4 ({mae_4:.2f} "
    "v {constant_4:.2f}) and {surely} on classes 0–2 ({mae_012} v {constant_012:.3f})."
)
THE_BEST = (
    "The best method, {row} ({mae:.2f}), is {than} than the constant by {percent} overall and "
    "{surely} on classes 0–2 ({mae_012} v {constant_012:.3f}). {worse} of the {rows} rows are "
    "worse than the constant there."
)
UPPER = "On MAE 3&4 the predictor “{row}” has {mae:.3f}, the best method {best:.2f} ({method})."
SHIFTED = "Better than the ViT on 3&4 and worse on 0–2: {rows}"
A_SHIFT = (
    " (0–2: {low:.2f}–{high:.2f} v {vit:.2f}); a shift of all predictions upwards would look like "
    "that."
)


def finding(reading: str = "rounded") -> str:
    """The honest reading of Table 2, in words made from its numbers under one reading
    (markdown)."""
    table = implied(reading).set_index("method")
    fixed, grade = constants(), constant()
    said, vit = fixed.iloc[grade], table.loc[BASE]
    best, upper = table.loc[table["mae"].idxmin()], fixed.loc[fixed["mae_34"].idxmin()]
    overall = OVERALL.format(
        reading=reading,
        mae=vit["mae"],
        than=_than(vit["mae"], said["mae"]),
        grade=grade,
        constant=said["mae"],
        gain=_span(vit, "gain"),
        percent=_percent(vit),
        se=said["se"],
    )
    by_class = BY_CLASS.format(
        than_3=_than(vit["mae_3"], said["mae_3"]),
        mae_3=vit["mae_3"],
        constant_3=said["mae_3"],
        than_4=_than(vit["mae_4"], said["mae_4"]),
        mae_4=vit["mae_4"],
        constant_4=said["mae_4"],
        surely=_surely(vit, said["mae_012"]),
        mae_012=_span(vit, "mae_012"),
        constant_012=said["mae_012"],
    )
    the_best = THE_BEST.format(
        row=best["row"],
        mae=best["mae"],
        than=_than(best["mae"], said["mae"]),
        percent=_percent(best),
        surely=_surely(best, said["mae_012"]),
        mae_012=_span(best, "mae_012"),
        constant_012=said["mae_012"],
        worse=int((table["mae_012_low"] > said["mae_012"]).sum()),
        rows=len(table),
    )
    on_upper = UPPER.format(
        row=upper["row"],
        mae=upper["mae_34"],
        best=table["mae_34"].min(),
        method=table.loc[table["mae_34"].idxmin(), "row"],
    )
    return " ".join([overall, by_class, the_best, on_upper, _shift(table, vit)])


def _shift(table: pd.DataFrame, vit: Mapping) -> str:
    """Which methods gained on grades 3 and 4 what they lost on 0-2."""
    gained = table["mae_34"] < vit["mae_34"]
    shifted = table[gained & (table["mae_012_low"] > vit["mae_012_high"])]
    text = SHIFTED.format(rows=_and(list(shifted["row"])))
    if shifted.empty:
        return text + "."
    low, high = shifted["mae_012"].min(), shifted["mae_012"].max()
    return text + A_SHIFT.format(low=low, high=high, vit=vit["mae_012"])


def noise() -> str:
    """How far Table 2's differences are from the noise of its test split, in words made from its
    numbers (markdown)."""
    four, pairs = class_4(), gaps()
    n = four["pictures"][0]
    cut = four[(four["truncated"] != "") & (four["rounded"] == "")]
    fits = f"every number of the column rounds from a multiple of 1/{n}"
    if len(cut):
        only = [f"{mae:.2f} ({row})" for mae, row in zip(cut["mae_4"], cut["row"], strict=True)]
        fits = (
            f"no multiple of 1/{n} rounds to {_and(only)}, but one is cut to it: truncated, if it "
            "is one run's"
        )
    return (
        f"Class 4 has {n} test pictures: one step is {four['step'][0]:.3f}, the standard error of "
        f"MAE 4 at least {four['se'].min():.3f} to {four['se'].max():.3f}; {fits}.\n\n"
        "Overall differences beyond about two unpaired standard errors of test sampling (seed "
        f"noise unknown): {_listed(pairs, 'yes')}.\n\n"
        f"About two: {_listed(pairs, 'about two')}.\n\nWithin: {_listed(pairs, 'no')}.\n"
    )


def _listed(pairs: pd.DataFrame, beyond: str) -> str:
    """The pairs of `gaps` of one kind, with their difference and its ratios."""
    name = printed()["row"]
    said = [
        f"{name[r['a']]} v {name[r['b']]} ({r['difference']:.2f}, {r['ratio']:.1f} to "
        f"{r['ratio_most']:.1f} SE)"
        for r in pairs[pairs["beyond"] == beyond].to_dict("records")
    ]
    return "; ".join(said) or "none"


# ---------------------------------------------------------------- published numbers
def of_paper(info: Mapping) -> bool:
    """Whether pictures are the paper's (KOKA10K) or simulated like them, so that its numbers may
    stand beside ours; never of a folder of one's own, whatever it is called. info: a dataset.json.

    >>> of_paper({"name": "KOKA10K-like"}), of_paper({"name": "photos"})
    (True, False)
    >>> of_paper({"name": "KOKA10K", "settings": {"id": "file"}})  # declared: see datasets.folder
    False
    """
    declared = "id" in (info.get("settings") or {})
    return "KOKA10K" in info["name"] and not declared


def show_choices() -> str:
    """What the paper leaves open and what is taken here, as a markdown table."""
    return show_frame(published("choices"))


def published(name: str = "table2") -> pd.DataFrame:
    """A table of published numbers (table1, table2), each row with its source, of equivalence
    margins (margins) or of what the paper states or leaves open, and what we chose (choices: item,
    paper, ours).

    Raises ValueError listing what there is.

    >>> published("table2").query("method == 'supervised' and metric == 'mae'")["value"].tolist()
    [0.53]
    """
    folder = Path(__file__).parent / "published_numbers"
    file = folder / f"{name}.csv"
    if not file.exists():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.csv")))
        raise ValueError(f"no published table {name}; there are {known}")
    return pd.read_csv(file, encoding="utf-8")
