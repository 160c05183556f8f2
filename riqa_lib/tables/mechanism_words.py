"""What the figures of a method's mechanism show, in sentences made from the same numbers: one
function a figure of `figures.mechanisms`, and of the curves beside them.

history: one method's rows of `stored.load_runs`' history; several seeds are averaged. "At the last
look": at the last evaluation. words: names of the grades, worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..stats.metrics import columns_p
from .diagnostics import (
    CHANCE,
    edge_counts,
    kept_shares,
    last_per_class,
    over_steps,
    when_full,
)
from .names import BASE, name_of
from .text import cell, named, percent

HARDLY = 0.05  # a share, or a distance from chance, below which hardly anything has happened


# ---------------------------------------------------------------- pseudo-labels
def pseudo_labels(history: pd.DataFrame, commonest: float) -> str:
    """Which share of the held-out pictures would get a pseudo-label and how many of these are
    right, at the first and the last look. commonest: share of the held-out pictures that have their
    commonest grade. history: step, val_kept, val_kept_accuracy (nan where none is kept)."""
    table = history.groupby("step")[["val_kept", "val_kept_accuracy"]].mean()
    first, last = table.iloc[0], table.iloc[-1]
    always = f"Always saying their commonest grade would be right for {percent(commonest)}."
    if (table["val_kept"] == 0).all():
        return "No held-out picture ever passes the threshold, so nothing is learnt from the pool."
    if (table["val_kept"] == 1).all():
        right = _share_right(last)
        return f"Every held-out picture passes, so the threshold chooses nothing; {right}. {always}"
    return (
        f"At the last look (step {table.index[-1]}) {percent(last['val_kept'])} of the held-out "
        f"pictures would get a pseudo-label; {_share_right(last)}. At the first (step "
        f"{table.index[0]}) it was {percent(first['val_kept'])}; {_share_right(first)}. {always}"
    )


def _share_right(look: pd.Series) -> str:
    right = look["val_kept_accuracy"]
    return "none to be right" if pd.isna(right) else f"{percent(right)} of them are right"


# ---------------------------------------------------------------- SimMatch
def memory(history: pd.DataFrame, pictures: int) -> str:
    """What SimMatch's memory of so many pictures learnt and changed. history: step, full, agrees,
    changed, in_loss."""
    table = over_steps(history, ["full", "agrees", "changed", "in_loss"])
    seen = when_full(table, table["full"])
    if seen.empty:
        return (
            f"The memory was never full: {pictures:,} labelled pictures did not all come in so few "
            "steps. SimMatch was trained without it."
        )
    last = seen.iloc[-1]
    blind = math.log(pictures)
    below = 1 - last["in_loss"] / blind
    side = "below" if below >= 0 else "above"
    learnt = (
        "it hardly tells its pictures apart"
        if below < HARDLY
        else f"as if all likeness lay evenly on {math.exp(last['in_loss']):,.0f} of them"
    )
    little = (
        "so the pseudo-labels are nearly what the network alone would have said"
        if last["changed"] < HARDLY
        else "so the memory does change what is learnt"
    )
    return (
        f"At the last look the similarity loss is {last['in_loss']:.2f}. A memory of {pictures:,} "
        f"pictures that sees no difference between them has log {pictures:,} = {blind:.2f}: "
        f"{percent(abs(below))} {side} it, {learnt}. The memory names "
        f"the network's grade for {percent(last['agrees'])} of the pictures and changed "
        f"{_fine(last['changed'])} of the pseudo-labels, {little}."
    )


# ---------------------------------------------------------------- AdaMatch
def relative_cut(history: pd.DataFrame) -> str:
    """How AdaMatch's cut moved, and which share of the pool's batch reaches it. history: step, cut,
    kept."""
    table = over_steps(history, ["cut", "kept"])
    first, last = table.iloc[0], table.iloc[-1]
    return (
        f"The confidence that is asked for {_moved(first['cut'], last['cut'])}; "
        f"{percent(first['kept'])} of the pool's batch had it at the first look, "
        f"{percent(last['kept'])} at the last."
    )


def marginals(
    history: pd.DataFrame, true: ArrayLike | None = None, words: Sequence[str] = ()
) -> str:
    """What AdaMatch's alignment does to the grade that it changes most, and, where the true shares
    (C,) of the unlabelled pictures are known, whether it moves towards them. history: step,
    P_t_0.., P_u_0.."""
    target, said = last_per_class(history, "P_t"), last_per_class(history, "P_u")
    most = int(np.abs(target - said).argmax())
    told = (
        f"At the last look the network says grade {named(most, words)} with "
        f"{said[most]:.2f} on average on the pool and {target[most]:.2f} on labelled pictures: the "
        f"largest gap; alignment multiplies it by {target[most] / max(said[most], 1e-6):.2f}."
    )
    if true is None:
        return f"{told} No true grades of a pool are known."
    truth = np.asarray(true, float)
    before, after = (np.abs(shares - truth).sum() / 2 for shares in (said, target))
    far = int(np.abs(truth - target).argmax())
    way = "away from" if after > before else "towards"
    return (
        f"{told} Truly {percent(truth[far])} of the unlabelled pictures have grade "
        f"{named(far, words)}, where alignment asks for {percent(target[far])}. Before it, "
        f"{percent(before)} of the predictions would have to move to another grade for the true "
        f"shares, after it {percent(after)}: it moves {way} the truth."
    )


# ---------------------------------------------------------------- CoMatch
def graph_over_steps(history: pd.DataFrame, batch: int) -> str:
    """How dense CoMatch's graph of a batch (so many unlabelled pictures) is, what its loss learnt,
    and what the memory changed. history: step, edges, con_loss, changed, full."""
    table = over_steps(history, ["edges", "con_loss", "changed", "full"])
    last, blind = table.iloc[-1], math.log(batch)
    seen = when_full(table, table["full"])
    changed = (
        f"The memory changed {_fine(seen['changed'].iloc[-1])} of the pseudo-labels."
        if len(seen)
        else "The memory was never full and changed nothing."
    )
    return (
        f"At the last look a picture has {last['edges']:.1f} neighbours among the {batch - 1} "
        f"others of its batch ({percent(last['edges'] / max(1, batch - 1))}). The graph's loss is "
        f"{last['con_loss']:.2f}; features that see no difference would have log {batch} = "
        f"{blind:.2f}. {changed}"
    )


def label_graph(predictions: pd.DataFrame, edge: float) -> str:
    """How many pairs of these pictures are joined, and, where true grades are known, how many of
    these have equal ones, beside how many of all pairs have. predictions: truth (-1: unknown),
    p0.."""
    its = edge_counts(predictions, edge)
    told = (
        f"{percent(its['edges'] / max(1, its['pairs']))} of the pairs of {len(predictions)} "
        f"pictures are joined."
    )
    if not its["edges"]:
        return f"{told} No pseudo-labels are sure enough: the graph says nothing."
    if not its["known_edges"]:
        return f"{told} Nobody knows the true grades, so no edge is right or wrong."
    right, chance = (its[f"equal_{k}"] / its[f"known_{k}"] for k in ("edges", "pairs"))
    gain = right - chance
    verdict = "better than at random" if gain > 0 else "worse than at random"
    verdict = "hardly other than at random" if abs(gain) < HARDLY else verdict
    return (
        f"{told} Of these {percent(right)} join pictures of equal true grade; of all pairs "
        f"{percent(chance)} are equal: the graph joins {verdict}."
    )


# ---------------------------------------------------------------- FreeMatch
def thresholds(history: pd.DataFrame, weight: float, words: Sequence[str] = ()) -> str:
    """How FreeMatch's thresholds moved, which of them keep everything, and how much the fairness
    term (weighted) adds. history: step, tau, fair_loss, tau_0.."""
    table, each = over_steps(history, ["tau", "fair_loss"]), last_per_class(history, "tau")
    first, last, least = table["tau"].iloc[0], table["tau"].iloc[-1], 1 / len(each)
    idle = [named(int(k), words) for k in np.flatnonzero(each < least)]
    told = (
        f"The global threshold {_moved(first, last)}. The most probable of {len(each)} grades "
        f"always has at least {least:.2f}: "
    )
    told += (
        f"the thresholds of {_listed(idle)} lie below that and keep every picture that is said to "
        f"have {'one of them' if len(idle) > 1 else 'it'}."
        if idle
        else "no grade's threshold lies below that."
    )
    fair = table["fair_loss"].iloc[-1]
    return f"{told} The fairness term is {cell(fair)}, {cell(weight * fair, digits=3)} of the loss."


def kept_per_class(predictions: pd.DataFrame, limits: ArrayLike, words: Sequence[str] = ()) -> str:
    """What FreeMatch's thresholds (C,) keep of these pictures and how right it is, and the same of
    the grade said most rarely. predictions: truth (-1: unknown), p0.."""
    table = kept_shares(predictions, np.asarray(limits, float))
    p = predictions[columns_p(predictions)].to_numpy(float)
    said, truth = p.argmax(axis=1), predictions["truth"].to_numpy()
    kept, known = p.max(axis=1) >= np.asarray(limits, float)[said], truth >= 0
    told = f"Of {len(p):,} pictures {percent(kept.mean())} are kept"
    if (kept & known).any():
        told += f", {percent((said == truth)[kept & known].mean())} of these rightly"
        told += f" (of all {percent((said == truth)[known].mean())})"
    given = table[table["pictures"] > 0]
    rare = given.loc[given["pictures"].idxmin()]
    told += (
        f". The grade said most rarely is {named(int(rare['grade']), words)}, of "
        f"{_pictures(rare['pictures'])}: {percent(rare['kept'])} of them are kept"
    )
    if not pd.isna(rare["right"]):
        told += f", {percent(rare['right'])} of these rightly"
    never = [named(int(k), words) for k in table.loc[table["pictures"] == 0, "grade"]]
    return told + (f". {_listed(never).capitalize()} is never said." if never else ".")


# ---------------------------------------------------------------- CRMatch
def views_apart(history: pd.DataFrame, lambda_rot: float) -> str:
    """How far apart CRMatch's views are held, and whether turns are told. history: step, cosine,
    dist_loss, rot_loss, rot_right; lambda_rot: 0 where there is no head for turns."""
    table = over_steps(history, ["cosine", "dist_loss", "rot_loss", "rot_right"])
    first, last = table.iloc[0], table.iloc[-1]
    told = (
        f"The cosine of weak and strong view {_moved(first['cosine'], last['cosine'])}; the "
        f"distance loss is {last['dist_loss']:.3f}"
    )
    told += ": the views are held apart." if last["cosine"] <= 0 else ": they are still alike."
    if not lambda_rot:
        return f"{told} There is no head for turns (its weight is 0)."
    found = (
        "the head has found no orientation in these pictures"
        if abs(last["rot_right"] - CHANCE) < HARDLY
        else "the head tells turns apart"
    )
    return (
        f"{told} Of the turns {percent(last['rot_right'])} are told right, {percent(CHANCE)} by "
        f"chance; the rotation loss is {last['rot_loss']:.3f}, that of guessing log 4 = "
        f"{math.log(4):.3f}: {found}."
    )


# ---------------------------------------------------------------- what comes of it
def learning_curves(history: pd.DataFrame, method: str, select: str = "best") -> str:
    """Where validation MAE was least and where it ended, of a method and of the supervised row.
    history: method, step, val_mae; select: train.select, which weights are kept."""
    told = []
    for row in dict.fromkeys((method, BASE)):
        mean = history[history["method"] == row].groupby("step")["val_mae"].mean().dropna()
        if len(mean):
            told.append(
                f"{name_of(row)}: least validation MAE {mean.min():.3f} at step {mean.idxmin()}, "
                f"{mean.iloc[-1]:.3f} at the last, {mean.index[-1]}"
            )
    kept = "least" if select == "best" else "last"
    return f"{'; '.join(told)}. The weights of the {kept} are kept."


def not_in_the_row(history: pd.DataFrame, start: int = 0, select: str = "best") -> str:
    """What a method had not yet begun to do at the step whose weights are kept; "" where it had.
    history: one method's step, val_mae, perhaps full; start: method.start; select: train.select."""
    mean = history.groupby("step")[[c for c in ("val_mae", "full") if c in history]].mean()
    step = mean["val_mae"].idxmin() if select == "best" else mean.index[-1]
    late = []
    if start >= step:
        late.append(f"before the pool counts (from step {start} on)")
    if "full" in mean and mean.loc[step, "full"] == 0:
        late.append("before the memory was full")
    if not late:
        return ""
    return (
        f"**Not in the row**: the weights that are kept are those of step {step}, "
        f"{' and '.join(late)}. What the method does after that is seen above, not in its numbers."
    )


def beside(one: pd.DataFrame, other: pd.DataFrame, name: str, other_name: str) -> str:
    """How many pictures of known grade two rows get right, both, one alone, neither. one, other:
    their predictions of one run each (id, truth, p0..); names: as sentences call them."""
    both = _right(one).to_frame(name).join(_right(other).rename(other_name), how="inner")
    if both.empty:
        return ""
    a, b = both[name], both[other_name]
    return (
        f"Of {_pictures(len(both))} {name} and {other_name} get {(a & b).sum():,} right together; "
        f"{name} alone {(a & ~b).sum():,}, {other_name} alone {(b & ~a).sum():,}, neither "
        f"{(~a & ~b).sum():,}."
    )


def _right(predictions: pd.DataFrame) -> pd.Series:
    known = predictions[predictions["truth"] >= 0].set_index("id")
    said = known[columns_p(known)].to_numpy(float).argmax(axis=1)
    return pd.Series(said == known["truth"].to_numpy(), known.index)


# ---------------------------------------------------------------- parts
def _moved(first: float, last: float) -> str:
    """
    >>> _moved(0.2, 0.5), _moved(0.3, -0.1), _moved(0.2, 0.201)
    ('rose from 0.20 to 0.50', 'fell from 0.30 to −0.10', 'stayed at 0.20')
    """
    if cell(first) == cell(last):
        return f"stayed at {cell(last)}"
    return f"{'rose' if last > first else 'fell'} from {cell(first)} to {cell(last)}"


def _fine(share: float) -> str:
    """A share in per cent, small ones with a decimal.

    >>> _fine(0.011), _fine(0.42), _fine(0)
    ('1.1 %', '42 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else percent(share)


def _listed(names: Sequence[str]) -> str:
    """
    >>> _listed(["0"]), _listed(["0", "1", "4"])
    ('grade 0', 'grades 0, 1 and 4')
    """
    if len(names) == 1:
        return f"grade {names[0]}"
    return f"grades {', '.join(names[:-1])} and {names[-1]}"


def _pictures(count: float) -> str:
    return "1 picture" if count == 1 else f"{count:,.0f} pictures"
