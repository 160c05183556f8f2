"""Which settings of a run are not those of the algorithm that it is named after, and why.

Read from the settings that a run really had (its config.json) beside those that the papers used on
small pictures (published_numbers/method_settings.csv), so no list of our own can fall behind. What
the papers leave to whoever uses them (network, optimiser, steps, batch) is in choices.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from .. import store
from .names import name_of, order
from .published import published
from .symbols import typed
from .text import show_frame

COLUMNS = ("setting", "paper", "ours", "why", "source")


EVERY = "every"  # rows of the published settings that hold for each method


NONE = "none"  # what is stored of a run that departs in nothing, or has no paper


NO_REASON = "set for this run"  # by a user: the profiles' departures all have a reason


def _published_of(method: str) -> dict[str, Mapping]:
    """Published settings by dotted name, a method's own before those of all; none of what is not
    one of the six algorithms."""
    table = published("method_settings").fillna("").to_dict("records")
    own = {row["setting"]: row for row in table if row["method"] == method}
    return {row["setting"]: row for row in table if row["method"] == EVERY} | own if own else {}


def _is(paper: str, ours: object, steps: float) -> bool:
    """Whether a setting has one of the values "a or b" that a paper gives."""
    for value in paper.split(" or "):
        if value == "half of train.steps":
            value = str(steps // 2)
        number = isinstance(ours, int | float) and not isinstance(ours, bool)
        if float(value) == ours if number else value == str(ours):
            return True
    return False


def departures(config: Mapping) -> pd.DataFrame:
    """The settings of a run, as in its config.json (nested), that are not its algorithm's: setting,
    paper (its value or values), ours, why, source; empty where there are none, or no paper.

    >>> method = {"name": "fixmatch", "tau": 0.7, "align": False}
    >>> departures({"method": method, "train": {"strong": "randaugment"}})["setting"].tolist()
    ['method.tau']
    """
    ours = store.flat(dict(config))
    known = _published_of(str(ours.get("method.name", "")))
    steps = float(str(ours.get("train.steps", 0)))
    rows = [
        (name, row["paper"], str(ours[name]), row["why"] or NO_REASON, row["source"])
        for name, row in known.items()
        if name in ours and not _is(str(row["paper"]), ours[name], steps)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def stored_words(config: Mapping) -> str:
    """`departures` in a word, as a walk's table of runs keeps it: "method.tau=0.7;
    method.weak=ema", or "none"."""
    found = departures(config)
    pairs = zip(found["setting"], found["ours"], strict=True)
    return "; ".join(f"{name}={value}" for name, value in pairs) or NONE


def of_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The departures of a table's rows, from what its runs stored (columns run, method, departs):
    rows (names, those that share a departure together), setting, paper, ours, why; in the order of
    the table. Empty where runs of before stored nothing. setting: as a user types it, of all that
    share it ("fixmatch.weak, crmatch.weak")."""
    shared: dict[tuple[str, ...], dict[str, list[str]]] = {}
    stored = runs[runs["departs"].notna()] if "departs" in runs else runs.iloc[:0]
    for method in order(stored["method"]):
        mine = stored[stored["method"] == method]
        for algorithm, *departure in dict.fromkeys(_stored(mine)):
            alike = shared.setdefault(tuple(departure), {"rows": [], "settings": []})
            alike["rows"].append(name_of(method))
            alike["settings"].append(typed(departure[0], algorithm))
    rows = [
        ("; ".join(alike["rows"]), ", ".join(dict.fromkeys(alike["settings"])), *departure[1:])
        for departure, alike in shared.items()
    ]
    return pd.DataFrame(rows, columns=["rows", *COLUMNS[:-1]])


def _stored(runs: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """(algorithm, setting, paper, ours, why) of each departure that these runs stored. A run's name
    begins with its algorithm's."""
    for run, words in zip(runs["run"], runs["departs"], strict=True):
        algorithm = str(run).rpartition("-")[0]
        known = _published_of(algorithm)
        for pair in str(words).split("; ") if words != NONE else ():
            name, _, ours = pair.partition("=")
            row = known.get(name, {})
            why = str(row.get("why", "")) or NO_REASON
            yield algorithm, name, str(row.get("paper", "–")), ours, why


# ---------------------------------------------------------------- as markdown
def show(config: Mapping) -> str:
    """`departures` of one run as a markdown table, or a sentence."""
    found, name = departures(config), str(store.flat(dict(config)).get("method.name", ""))
    if not _published_of(name):
        return f"{name_of(name)}: no algorithm of a paper; its settings are ours."
    found = found.assign(setting=[typed(setting, name) for setting in found["setting"]])
    return _table(found, "Every setting is as in the algorithm's paper.")


def show_runs(runs: pd.DataFrame) -> str:
    """`of_runs` as a markdown table, or a sentence."""
    if "departs" not in runs or runs["departs"].isna().all():
        return "These runs did not store how their settings depart from the papers' algorithms."
    return _table(of_runs(runs), "Every row has the settings of its algorithm's paper.")


def _table(found: pd.DataFrame, none: str) -> str:
    if found.empty:
        return none
    as_code = [", ".join(f"`{one}`" for one in names.split(", ")) for names in found["setting"]]
    shown = found.assign(setting=as_code).rename(columns={"why": "why ours"})
    return f"Not as in the algorithm's paper:\n\n{show_frame(shown, markup=['setting'])}"
