"""In which order steps start, and how long all of them may still take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from .steps import Step

TRUST = 30.0  # declared seconds that count as if they had been measured as declared


def by_urgency(steps: Sequence[Step]) -> list[Step]:
    """Steps with most still to come first: their own declared seconds and the longest chain of
    steps that wait for them.

    >>> short, long = Step("short", "a.ipynb", seconds=1), Step("long", "b.ipynb", seconds=9)
    >>> after = Step("after", "c.ipynb", needs=("short",), seconds=10)
    >>> [step.name for step in by_urgency([long, short, after])]
    ['short', 'after', 'long']
    """

    @cache
    def left(step: str) -> float:
        own = next(s.seconds for s in steps if s.name == step)
        return own + max((left(s.name) for s in steps if step in s.needs), default=0)

    return sorted(steps, key=lambda step: -left(step.name))


def pace(
    declared: Mapping[str, float], took: Mapping[str, float], running: Mapping[str, float]
) -> float:
    """How many seconds a declared second takes here: by the steps that are done, and by those that
    already run for longer than these let expect. 1 at first; the plan's own numbers count as
    TRUST seconds.

    declared: seconds of every step; took: of those done, as measured; running: for how long others
    run.

    >>> pace({"a": 60, "b": 90}, {}, {"a": 5}), pace({"a": 60, "b": 90}, {"a": 150}, {})
    (1.0, 2.0)
    >>> round(pace({"a": 60, "b": 90}, {"a": 60}, {"b": 3600}))
    20
    """

    def of(known: Mapping[str, float]) -> float:
        return (TRUST + sum(known.values())) / (TRUST + sum(declared[name] for name in known))

    usual = of(took)
    return of({**took, **{n: s for n, s in running.items() if s > usual * declared[n]}})


def seconds_left(
    steps: Sequence[Step],
    took: Mapping[str, float],
    running: Mapping[str, float],
    over: frozenset[str] = frozenset(),
    room: tuple[int, int] = (2, 0),
) -> float:
    """Seconds until all steps are over, as if they started as the runner starts them.

    steps: all of this run; took: seconds of those done; running: for how many seconds others run
    already; over: what needs no time any more (failed, skipped, up to date); room: steps at a time,
    and of those that take a GPU (0: there is none, and it does not matter).

    >>> plan = [Step("a", "a.ipynb", seconds=60), Step("b", "b.ipynb", seconds=100)]
    >>> plan.append(Step("c", "c.ipynb", needs=("a",), seconds=60))
    >>> seconds_left(plan, {}, {}), seconds_left(plan, {}, {}, room=(1, 0))
    (120.0, 220.0)
    >>> seconds_left(plan, {"a": 60}, {"b": 60})
    60.0
    """
    declared = {step.name: step.seconds for step in steps}
    speed = pace(declared, took, running)
    # what takes longer than expected takes a tenth more
    ends = {n: max(declared[n] * speed - ran, ran / 10) for n, ran in running.items()}
    waiting = [s for s in by_urgency(steps) if s.name not in {*took, *over, *ends}]
    now = 0.0
    while waiting or ends:
        while step := _next(waiting, [s for s in steps if s.name in ends], room):
            ends[step.name] = now + step.seconds * speed
            waiting.remove(step)
        now = ends.pop(min(ends, key=lambda name: ends[name]))
    return now


def _next(waiting: Sequence[Step], running: Sequence[Step], room: tuple[int, int]) -> Step | None:
    """The first that may start beside what runs."""
    if len(running) >= room[0]:
        return None
    unmet = {step.name for step in (*waiting, *running)}
    full = room[1] > 0 and sum(step.gpu for step in running) >= room[1]
    may = (s for s in waiting if not (s.gpu and full) and unmet.isdisjoint(s.needs))
    return next(may, None)


def in_words(seconds: float) -> str:
    """About how long.

    >>> [in_words(s) for s in (3, 47, 200, 9000)]
    ['5 s', '45 s', '3 min', '2 h 30 min']
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def clock(seconds: float) -> str:
    """Seconds as a clock shows them.

    >>> clock(65), clock(3725)
    ('1:05', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
