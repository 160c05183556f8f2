"""Tables of fundus runs, from stored predictions alone: F1 and AUC with intervals, baselines,
operating points.

The positive class of F1, recall, precision and AUC is bad (grade 0, detail 0), and every column
says so. Intervals resample patients (MSHF, whose groups are sources: pictures) and seeds together
(`class_bootstrap.bootstrap`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..datasets.catalogue import SETS
from ..scales import DETAILS, FUNDUS_GRADES
from ..stats import class_bootstrap
from ..stats.resampling import Bootstrap, Paired
from . import beside_simple, quantities
from .names import BAD, LABEL, WORST, encoder_of, fundus_order, plain, row_name, title
from .operating_points import bad_or_not, matched_thresholds
from .published import published
from .quantities import clustered
from .text import cell, cell_of, kind_of, markdown, said_once, with_ends

PARTS = ("train", "val", "test")


MEASURES = ("macro_f1", "f1", "matched", "recall", "precision", "auc", "accuracy")


# of the overall grade, and of a detail: those that a network is held against simple rows by
HELD = ("macro_f1", "f1", "auc", "accuracy")


WITH_ENDS = ("macro_f1", "f1", "matched", "auc", "accuracy")  # those that have an interval


# ---------------------------------------------------------------- what is there
def counts(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Sizes of the four sets beside the published ones: set, what, ours, published, our_share,
    published_share (of the split, or of the set). Published "train" of EyeQ includes what is
    validation here. Names as in the sets' own ABOUT.counts."""
    rows = []
    for which in [w for w in frames if w in SETS]:  # nobody published the set of single defects
        frame = frames[which]
        ours = _sizes(which, frame)
        known: dict[str, float] = dict(SETS[which].about.counts)
        if (
            which == "mshf"
        ):  # its authors' split is another one; shares of details are not published
            good = dict.fromkeys([f"{d} good" for d in DETAILS], float("nan"))
            known = {"pictures": known["pictures"]} | good
        for what, n in known.items():
            if what not in ours:
                continue
            part = what.split()[0]
            whole = part if part in PARTS else "pictures"
            rows.append(
                {
                    "set": which,
                    "what": what,
                    "ours": ours[what],
                    "published": n,
                    "our_share": ours[what] / max(ours[whole], 1),
                    "published_share": n / known.get(whole, float("nan")),
                }
            )
    return pd.DataFrame(rows)


def _sizes(which: str, frame: pd.DataFrame) -> dict[str, int]:
    """Numbers of a set's pictures under the names of ABOUT.counts; EyeQ's val counts as train."""
    split = frame["split"].replace("val", "train") if which == "eyeq" else frame["split"]
    words = FUNDUS_GRADES[2 if which == "deepdrid" else 3]
    ours = {"pictures": len(frame), "patients": frame["group"].nunique()}
    for part in PARTS:
        mine = frame[split == part]
        ours |= {part: len(mine), f"{part} patients": mine["group"].nunique()}
        ours |= {f"{part} {w}": int((mine["grade"] == g).sum()) for g, w in enumerate(words)}
    ours |= {w: int((frame["grade"] == g).sum()) for g, w in enumerate(words)}
    return ours | {f"{d} good": int((frame[d] == 1).sum()) for d in DETAILS}


# ---------------------------------------------------------------- the overall grade
def overall(
    predictions: pd.DataFrame,
    on: str,
    methods: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[pd.DataFrame, Bootstrap]:
    """Overall grade on the test split of a set: a row a method (method, row, pictures, patients,
    seeds, and of each of macro_f1, f1, matched, auc, accuracy value, _low and _high; recall and
    precision without), and the bootstrap for paired differences. matched: nan of constants, which
    have no threshold.

    predictions: of `stored.load_fundus`. methods: by default every network that learns from the
    set, after the simple rows (`beside_simple.rows_of`). ValueError as `quantities.quantity`, or
    with its reason where there is nothing to judge."""
    mine = predictions[predictions["set"] == on]
    methods = methods or _rows_of(mine, on)
    mine = mine[mine["method"].isin(methods)]
    data = quantities.quantity(mine[mine["split"] == "test"], methods, "overall")
    if isinstance(data, str):
        raise ValueError(f"{on}, test: {data}")
    boot = class_bootstrap.bootstrap(data, resamples=resamples, seed=seed)
    thresholds = matched_thresholds(mine[mine["split"] == "val"])
    for name, said in (("matched", bad_or_not(data, thresholds)), ("f1", bad_or_not(data, None))):
        found = class_bootstrap.bootstrap(said, ["f1"], resamples, seed)
        boot.estimate.update({(m, name): found.estimate[m, "f1"] for m in methods})
        boot.draws.update({(m, name): found.draws[m, "f1"] for m in methods})
    rows = []
    for method in methods:
        row = {
            "method": method,
            "row": row_name(method),
            "encoder": encoder_of(method),
            "pictures": len(data.truth),
            "patients": data.clusters,
            "seeds": len(data.seeds),
        }
        for metric in WITH_ENDS:
            undefined = metric == "matched" and beside_simple.is_constant(method)
            ends = (np.nan,) * 3 if undefined else boot.interval(method, metric)
            row |= with_ends(metric, ends)
        recall, precision = _recall_and_precision(data, method)
        rows.append(row | {"recall": recall, "precision": precision})
    return pd.DataFrame(rows), boot


def _rows_of(predictions: pd.DataFrame, on: str) -> list[str]:
    """The rows of the overall grade of a set, of which these predictions are."""
    its = [m for m in fundus_order(predictions["method"]) if m.endswith(f"_{on}")]
    networks = [m for m in its if not beside_simple.is_simple(m)]
    return beside_simple.rows_of(predictions, networks, on)


def _recall_and_precision(data: Paired, method: str) -> tuple[float, float]:
    """Of bad, means over seeds; nan where no picture is bad, or is called bad."""
    hit, bad = data.p[method].argmax(axis=2) == 0, data.truth == 0
    recall = float(hit[:, bad].mean()) if bad.any() else float("nan")
    return recall, float(np.mean([bad[h].mean() if h.any() else np.nan for h in hit]))


def differences(boot: Bootstrap, a: str, b: str) -> pd.DataFrame:
    """a - b, paired, of everything `overall` has: measure, difference, low, high, p (bootstrap,
    unadjusted)."""
    rows = []
    for metric in WITH_ENDS:
        d, low, high = boot.difference(a, b, metric)
        rows.append(
            {
                "measure": metric,
                "difference": d,
                "low": low,
                "high": high,
                "p": boot.p_value(a, b, metric),
            }
        )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- details
def with_label_baseline(predictions: pd.DataFrame, learn_from: pd.DataFrame) -> pd.DataFrame:
    """Predictions with rows of a method "label": every detail said from the overall grade that
    people gave, alone.

    Its probability of good is (1 + good) / (2 + all) among the pictures of that grade in
    learn_from, another set (columns grade and details). predictions: with a column truth_overall,
    people's grade of the picture. See `details`."""
    first = predictions[predictions["method"] == predictions["method"].iloc[0]].copy()
    for d in DETAILS:
        of = learn_from[learn_from[d] >= 0]
        good, n = of.groupby("grade")[d].sum(), of.groupby("grade")[d].size()
        first[f"d_{d}"] = (1 + first["truth_overall"].map(good).fillna(0)) / (
            2 + first["truth_overall"].map(n).fillna(0)
        )
    return pd.concat([predictions, first.assign(method=LABEL)], ignore_index=True)


def beside_label(
    predictions: pd.DataFrame, frame: pd.DataFrame, learn_from: pd.DataFrame
) -> pd.DataFrame:
    """`with_label_baseline` of predictions on a set, with people's grades from its table."""
    grades = frame.set_index("id")["grade"]
    return with_label_baseline(
        predictions.assign(truth_overall=predictions["id"].map(grades)), learn_from
    )


def details(
    predictions: pd.DataFrame,
    on: str,
    methods: Sequence[str],
    frame: pd.DataFrame | None = None,
    learn_from: pd.DataFrame | None = None,
    *,
    splits: Sequence[str] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Details on a set: rows method x detail: method, row, detail, pictures, bad, seeds, f1 and auc
    (of bad) with _low and _high, accuracy, brier; over_label (AUC less that of the baseline
    "label", paired).

    frame, learn_from: the set's table with grade, and the table of another set; then the baseline
    "label" stands beside, which is learnt from the latter. splits: only these of the set.
    ValueError where nothing can be judged, and for one of the two tables without the other: the
    baseline would be missing without a word."""
    if (frame is None) != (learn_from is None):
        lacking = "frame" if frame is None else "learn_from"
        raise ValueError(f"{lacking} is missing: the baseline needs frame and learn_from, or none")
    mine = clustered(predictions[(predictions["set"] == on) & predictions["method"].isin(methods)])
    mine = mine[mine["split"].isin(splits)] if splits else mine
    names = list(methods)
    if frame is not None and learn_from is not None:
        mine = beside_label(mine, frame, learn_from)
        names.append(LABEL)
    rows: list[dict[str, object]] = []
    for d in DETAILS:
        data = quantities.quantity(mine, names, d)
        if isinstance(data, str):
            raise ValueError(f"{on}, {d}: {data}")
        boot = class_bootstrap.bootstrap(data, ["f1", "auc", "accuracy"], resamples, seed)
        rows += [_detail_row(data, boot, method, d, LABEL in names) for method in names]
    return pd.DataFrame(rows)


def _detail_row(
    data: Paired, boot: Bootstrap, method: str, detail: str, label: bool
) -> dict[str, object]:
    row: dict[str, object] = {
        "method": method,
        "row": row_name(method),
        "encoder": encoder_of(method),
        "detail": detail,
        "pictures": len(data.truth),
        "bad": int((data.truth == 0).sum()),
        "seeds": len(data.seeds),
    }
    for metric in ("f1", "auc"):
        row |= with_ends(metric, boot.interval(method, metric))
    if label and method != LABEL:
        row |= with_ends("over_label", boot.difference(method, LABEL, "auc"))
    row["accuracy"] = boot.estimate[method, "accuracy"]
    row["brier"] = float(np.mean((data.p[method][..., 1] - data.truth) ** 2))
    return row


# ---------------------------------------------------------------- words
def show_overall(table: pd.DataFrame, on: str, simulated: bool) -> str:
    """`overall` as a markdown table; below it what all rows share, which simple rows a network does
    not pass, the published numbers of this set."""
    shown = [m for m in MEASURES if m in table]
    every = table.to_dict("records")
    head = ["", "seeds", *(title(m, on) for m in shown)]
    rows: list[list[object]] = [
        [row_name(row["method"]), row["seeds"], *(cell_of(row, m, digits=3) for m in shown)]
        for row in every
    ]
    shared = said_once(head, rows, ("seeds",), "In every row")
    known = published("fundus")
    told = [
        f"{plain(r.measure, on)} {r.single:g} (single-task), {r.multi:g} (multi-task): {r.source}"
        for r in known[known["set"] == on].itertuples()
    ]
    first = table.iloc[0]
    foot = (
        f"{kind_of(simulated)}, test split of {on}: {first['pictures']} pictures of "
        f"{first['patients']} patients. {shared}{_encoders(every)}"
        "Intervals: 95 %, patients and seeds resampled. Matched threshold: as many validation "
        f"pictures called {WORST.get(on, BAD)} as are."
    )
    passed = "\n".join(beside_simple.sentences(table, HELD, on))
    beside = f"Published, on the real set: {'; '.join(told)}." if told else ""
    parts = (_all_left(head, rows), foot, passed, beside)
    return "\n\n".join(part for part in parts if part)


def _encoders(rows: Sequence[Mapping]) -> str:
    """Which rows have which encoder, as sentences with a space at the end."""
    of: dict[str, dict[str, None]] = {}
    for row in rows:
        of.setdefault(encoder_of(row["method"]), {})[row_name(row["method"])] = None
    return "".join(f"{e}: {'; '.join(names)}. " for e, names in of.items() if e != "–")


def _all_left(head: list[str], rows: list[list[object]]) -> str:
    # the empty first cell as the README's block has it, which is held byte for byte
    return markdown(head, rows, left=range(len(head))).replace("|  |", "| |", 1)


def show_details(table: pd.DataFrame, simulated: bool) -> str:
    """`details` as a markdown table, what all rows share below it."""
    said = [title("f1"), title("auc"), title("accuracy"), "Brier ↓"]
    head = ["", "detail", f"pictures ({BAD})", *said]
    every = table.to_dict("records")
    rows: list[list[object]] = [
        [
            row_name(row["method"]),
            row["detail"],
            f"{row['pictures']} ({row['bad']})",
            cell_of(row, "f1", digits=3),
            cell_of(row, "auc", digits=3),
            cell(row["accuracy"], digits=3),
            cell(row["brier"], digits=3),
        ]
        for row in every
    ]
    beside_simple.add_column(head, rows, beside_simple.cells(every, HELD[1:]))
    return f"{_all_left(head, rows)}\n\n{kind_of(simulated)}. {_encoders(every).strip()}"


def data_findings(counts: pd.DataFrame, errors: pd.DataFrame, simulated: bool) -> str:
    """What the four sets are like, in words: the shift of Usable, both against published; errors of
    the field of view."""
    at = counts.set_index(["set", "what"])
    lines = []
    if {("eyeq", "train usable"), ("eyeq", "test usable")} <= {*at.index}:
        usable = at.loc[[("eyeq", "train usable"), ("eyeq", "test usable")]]
        ours, theirs = usable["our_share"].tolist(), usable["published_share"].tolist()
        lines.append(
            f"- Usable is {ours[0]:.1%} of EyeQ's training and {ours[1]:.1%} of its test pictures "
            f"here (published: {theirs[0]:.1%} and {theirs[1]:.1%})."
        )
    for d in DETAILS:
        if ("eyeq_d", f"{d} good") in at.index:
            row = at.loc[("eyeq_d", f"{d} good")]
            lines.append(
                f"- EyeQ-D, {d}: {row['our_share']:.1%} good here "
                f"(published: {row['published_share']:.1%})."
            )
    sure = errors[errors["confidence"] >= 0.5]
    middle = errors[["centre", "radius"]].median()
    lines.append(
        f"- Field of view on {len(errors)} simulated frames: median error of the centre "
        f"{middle['centre']:.2%} and of the radius {middle['radius']:.2%} of the radius; largest "
        f"where it is sure ({len(sure)} frames): {sure['centre'].max():.2%} and "
        f"{sure['radius'].max():.2%}."
    )
    return f"The sets are {'simulated' if simulated else 'real'}.\n\n" + "\n".join(lines)
