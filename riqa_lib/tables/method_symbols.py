"""The letters of the formulas of notebooks 04 to 09, and every setting of those methods in a few
words. `symbols` makes tables of them; a test holds them against the methods' own settings."""

from __future__ import annotations

from .symbols import Symbol

# ---------------------------------------------------------------- letters that all six share
EVERY = (
    Symbol("x_i,\\ y_i", "a labelled picture, as its weak view, and its grade"),
    Symbol("u_j", "a picture of the pool (or a labelled one whose grade is not read)"),
    Symbol("w(u)", "its weak view: another window, perhaps mirrored"),
    Symbol("s(u)", "its strong view: by the policy named here", "train.strong"),
    Symbol("p(\\cdot)", "what the network says of a view: a probability for each grade"),
    Symbol("H(a, b)", "cross-entropy, $-\\sum_c a_c \\log b_c$; a single grade counts as certain"),
    Symbol("[\\,\\cdot\\,]", "1 where what stands in it holds, else 0"),
    Symbol("C", "number of grades"),
    Symbol("B", "labelled pictures in a batch", "train.batch"),
    Symbol("\\mu", "pictures of the pool for each labelled one", "train.mu"),
    Symbol("M", "pictures of the pool in a batch, $\\mu B$"),
)


# ---------------------------------------------------------------- settings of several methods
TAU = Symbol("\\tau", "least confidence of a pseudo-label that is learnt from", "method.tau")
LAMBDA_U = Symbol("\\lambda_u", "weight of the loss on the pool", "method.lambda_u")
WEAK = Symbol(
    "",
    "who sees the weak view: the network as it trains (train), in evaluation mode (eval), or its "
    "running average (ema)",
    "method.weak",
)
START = Symbol("", "steps on labels alone, before anything else of the loss counts", "method.start")
ORDINAL = Symbol(
    "", "targets that spread to neighbouring grades, since grades are ordered", "method.ordinal"
)
SOFT = Symbol("", "learn $q$ itself instead of its most probable grade", "method.soft")
ALIGN = Symbol("", "move $q$ to the shares of the labelled grades first", "method.align")
ALIGN_TO = Symbol(
    "",
    "what predictions are aligned to: the labelled grades' shares (prior) or equal ones (uniform)",
    "method.align_to",
)
QUEUE = Symbol("", "batches whose mean prediction is aligned", "method.queue")
T = Symbol("T", "temperature: the lower, the more the nearest count", "method.temperature")

Q = Symbol("q", "the pseudo-label: what is said of the weak view, no gradient through it")
MASK = Symbol("m_j", "1 where the pseudo-label is sure enough to be learnt")
TWO = (ORDINAL, START)

# ---------------------------------------------------------------- each method's own
OWN: dict[str, tuple[Symbol, ...]] = {
    "fixmatch": (Q, MASK, TAU, LAMBDA_U, ALIGN, WEAK, SOFT, *TWO),
    "simmatch": (
        Q,
        Symbol("p", "the network's prediction on the weak view, aligned"),
        Symbol("f_w,\\ f_s", "features of the weak and the strong view, of length 1"),
        Symbol("F_k,\\ \\ell_k", "the memory: feature and grade of labelled picture $k$"),
        Symbol("K", "pictures in the memory: all labelled ones"),
        Symbol("a_k", "how like labelled picture $k$ the weak view is; sums to 1"),
        Symbol("t_k", "the same, weighted by what the network says: target of the strong view"),
        Symbol("g_c", "what the memory says of grade $c$"),
        Symbol("\\alpha", "the network's share of $q$; the rest is the memory's", "method.alpha"),
        T,
        TAU,
        LAMBDA_U,
        Symbol("\\lambda_{in}", "weight of the similarity loss", "method.lambda_in"),
        Symbol("", "numbers in a feature $f$", "method.dim"),
        Symbol("", "share of its old feature that a picture in the memory keeps", "method.mix"),
        Symbol(
            "",
            "who makes the memory's features: the network as it trains, or its average",
            "method.bank",
        ),
        QUEUE,
        ALIGN_TO,
        WEAK,
        *TWO,
    ),
    "adamatch": (
        Symbol("q", "the pseudo-label: the prediction on the weak view, aligned"),
        Symbol("p_x,\\ p_w", "predictions on labelled pictures and on the pool's weak views"),
        Symbol("P_t,\\ P_u", "their running means: what is said on average, by grade"),
        Symbol("m", "how slowly the means follow: share of the old value", "method.momentum"),
        Symbol("c", "the cut: confidence that is needed now"),
        Symbol(
            "\\tau", "the cut as a share of the mean confidence on labelled pictures", "method.tau"
        ),
        LAMBDA_U,
        Symbol("", "steps over which $\\lambda_u(t)$ rises; 0: at once", "method.ramp"),
        Symbol("", "batches that $P_u$ is the mean of; 0: a running mean", "method.window"),
        Symbol("", "whether $P_t$ moves; if not, it stays where it starts", "method.moving"),
        ALIGN_TO,
        Symbol("", "learn from the labelled pictures' strong views too", "method.labelled_strong"),
        Symbol(
            "",
            "mix labelled logits with those of a batch without the pool",
            "method.interpolate",
        ),
        WEAK,
        SOFT,
        *TWO,
    ),
    "comatch": (
        Q,
        Symbol("q^0", "the prediction on the weak view, aligned"),
        Symbol("f_w,\\ f_s,\\ f_{s'}", "features of the weak and two strong views, of length 1"),
        Symbol("F,\\ P", "the memory: features of recent pictures and what was said of them"),
        Symbol("", "pictures in the memory", "method.bank"),
        Symbol("\\alpha", "the network's share of $q$; the rest is the memory's", "method.alpha"),
        Symbol("W_{ij}", "the graph: how alike the pseudo-labels of pictures $i$ and $j$ are"),
        Symbol("", "the edge threshold: least $q_i \\cdot q_j$ of a joined pair", "method.edge"),
        T,
        TAU,
        LAMBDA_U,
        Symbol("\\lambda_c", "weight of the graph's loss", "method.lambda_c"),
        Symbol("", "numbers in a feature $f$", "method.dim"),
        Symbol("", "slope of the projection on negative values", "method.slope"),
        QUEUE,
        ALIGN_TO,
        WEAK,
        *TWO,
    ),
    "freematch": (
        Q,
        Symbol("\\hat y", "the most probable grade of $q$"),
        Symbol("\\tau", "the global threshold, a running mean of the confidence"),
        Symbol("\\tau_c", "the threshold of grade $c$: lower where the grade is said more rarely"),
        Symbol("p,\\ h", "running means of predictions and of grades said, on weak views"),
        Symbol("a,\\ b", "$p / h$, scaled to sum 1, of weak views, and of the kept strong ones"),
        Symbol("m", "how slowly the means follow: share of the old value", "method.momentum"),
        LAMBDA_U,
        Symbol("\\lambda_e", "weight of the fairness term", "method.lambda_e"),
        Symbol("", "follow this quantile of the confidence; 0: its mean", "method.quantile"),
        Symbol("", "least value of $\\tau$", "method.tau_min"),
        Symbol("", "greatest value of $\\tau$", "method.tau_max"),
        SOFT,
        Symbol("", "temperature of soft targets", "method.temperature"),
        ALIGN,
        WEAK,
        *TWO,
    ),
    "crmatch": (
        Q,
        MASK,
        Symbol("g_w,\\ g_s", "distance features of the weak and the strong view"),
        Symbol("\\mathrm{turn}_k(u)", "the weak view turned by $k$ quarter turns, $k = 0..3$"),
        Symbol("r(\\cdot)", "what the second head says: which of the four turns it was"),
        TAU,
        LAMBDA_U,
        Symbol("\\lambda_{dist}", "weight of the distance loss", "method.lambda_dist"),
        Symbol(
            "\\lambda_{rot}", "weight of the rotation loss; 0: no such head", "method.lambda_rot"
        ),
        Symbol("", "the distance loss trains the weak view's side too", "method.both"),
        ALIGN,
        WEAK,
        *TWO,
    ),
}


def letters(method: str) -> list[Symbol]:
    """The symbols of a method's formulas, those that all share first; KeyError for a method without
    a notebook of its own.

    >>> [one.setting for one in letters("fixmatch") if one.sign == r"\\tau"]
    ['method.tau']
    """
    return [one for one in (*EVERY, *OWN[method]) if one.sign]


def settings(method: str) -> list[Symbol]:
    """Every setting of a method, those of its formulas first."""
    own = [one for one in OWN[method] if one.setting]
    return sorted(own, key=_unsigned)


def _unsigned(one: Symbol) -> bool:
    return not one.sign
