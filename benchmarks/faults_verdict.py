"""What came of a fault: started again, does the plan end with the bytes of an undisturbed run, or
does it say what is wrong and what to do?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from .faults_kinds import Told
from .faults_toy import NAME, Lane, Run

WELL, AGAIN = "identical without a word", "identical after starting again"
MENDED = "seen by `riqa verify`, mended by the command it names"
COMMAND = "clear error, mended by the command it names"
CLEAR = "clear error while it lasted, identical afterwards"
UNCLEAR, WRONG, HAND, LEFT = "UNCLEAR", "SILENTLY WRONG", "NEEDS A HAND", "LEFT BEHIND"
BAD = (UNCLEAR, WRONG, HAND, LEFT)
NEVER = "did not happen"
GOOD = (WELL, AGAIN, MENDED, COMMAND, CLEAR)

WAYS = re.compile(
    r"start (it|the same command) again|delete it|move it away|python run_all\.py|riqa verify"
    r"|wait for it|stop it|--home|--force|touch |put it back|free"
)
NAMED = re.compile(r"[\w.-]+/[\w./-]+|\w+\.(csv|ipynb|json|safetensors|npy)|cell \d+|step \w+")
DELETE = re.compile(
    r"(\S+?): [^|]*?delete it(?:, then (python run_all\.py [^|\n;]*)| and run its step again)"
)
AWAY = re.compile(r"(\S+) holds other settings [^|]*?move it away")
STATUSES = (0, 1, 2, 130, -2, -9, -15)


def unclear(run: Run) -> str:
    """Why a run that failed is not clear about it; "" where it is."""
    if run.status is None:
        return "it hung"
    if run.status in (0, -9, -15) or (run.status, run.said.strip()) == (130, ""):
        # who is killed says nothing; nor who is interrupted before anything began
        return ""
    if "Traceback" in run.said:
        return "a traceback"
    if run.status not in STATUSES:
        return f"exit status {run.status}"
    if not NAMED.search(run.said):
        return "no file, step or cell is named"
    return "" if WAYS.search(run.said) else "no way out is named"


@dataclass
class Judged:
    """The outcome, why, and all that was run on the way."""

    outcome: str
    why: str = ""
    runs: list[tuple[str, Run]] = field(default_factory=list)


class _Recovery:
    """What somebody does after a fault: start again, do what messages say."""

    def __init__(self, lane: Lane, told: Told) -> None:
        self.lane, self.told = lane, told
        self.runs: list[tuple[str, Run]] = []
        self.commands = 0

    def ran(self, words: str, run: Run) -> Run:
        self.runs.append((words, run))
        return run

    def start_again(self, name: str) -> Run:
        """Once, once more if needed, and then what the message says, and once more."""
        run = Run(None, "")
        for _ in range(2):
            run = self.ran("start again", self.lane.run(words=["--name", name, "--serial"]))
            if run.status == 0:
                return run
        self.obey(run.said, name)
        if self.commands:
            run = self.ran("start again", self.lane.run(words=["--name", name, "--serial"]))
        return run

    def obey(self, said: str, name: str) -> None:
        """What the message of a run that failed twice says should be done."""
        for file, command in dict.fromkeys(DELETE.findall(said)):
            self.follow(f"rm {self.lane.home / file}")
            if command:
                self.follow(command.strip())
        for file in dict.fromkeys(AWAY.findall(said)):
            self.follow(f"rm {self.lane.home / file}")
        if f"riqa verify {name}" in said:
            self.commands += 1
            self.mend(self.verify(name).said)

    def follow(self, command: str) -> None:
        self.commands += 1
        self.ran(command, self.lane.follow(command))

    def verify(self, name: str) -> Run:
        return self.ran(f"riqa verify {name}", self.lane.verify(name))

    def mend(self, said: str) -> None:
        """Do what `riqa verify` says."""
        for line in said.splitlines():
            if line.startswith(("  rm ", "  python ", "  touch ")):
                self.follow(line.strip())

    def differs(self) -> str:
        """The first file that is not as in an undisturbed run; "" for none. What an earlier version
        of notebooks and data left beside it may stay; runs of it that were finished must."""
        expected = self.lane.references[self.told.reference] | self.told.stays
        for name in self.told.names:
            found = self.lane.results(name)
            if absent := sorted(expected.keys() - found.keys()):
                return f"{absent[0]} is not there"
            for file, said in found.items():
                others = {v.get(file) for v in self.lane.references.values()}
                if file not in expected and self._beside(file):
                    continue
                if said != expected[file] if file in expected else said not in others:
                    return f"{file} {'differs' if file in expected else 'should not be there'}"
        return ""

    def _beside(self, file: str) -> bool:
        """Whether it is of a run that learnt from other data: a folder of its own."""
        return file.startswith(tuple(f"results/runs/{run}/" for run in self.told.beside))


def judged(lane: Lane, told: Told) -> Judged:
    """Start again after a fault and say what came of it."""
    if not told.happened:
        return Judged(NEVER)
    recovery = _Recovery(lane, told)
    outcome, why = _outcome(recovery, told)
    if outcome not in BAD and (left := lane.left_behind()):
        outcome, why = LEFT, ", ".join(left[:5])
    return Judged(outcome, why, recovery.runs)


def _outcome(recovery: _Recovery, told: Told) -> tuple[str, str]:
    disturbed = [run for run in (told.first, *told.more) if run is not None]
    for run in disturbed:
        recovery.ran("disturbed", run)
        if why := unclear(run):
            return UNCLEAR, why
    done_at_once = bool(disturbed) and all(run.status == 0 for run in disturbed)
    done_at_once = done_at_once and not recovery.differs()
    for name in told.names:
        run = recovery.start_again(name)
        if run.status != 0:
            why = unclear(run) or "starting again and following its words does not help"
            return (UNCLEAR if unclear(run) else HAND), why
    seen = False
    for name in told.names:
        found = recovery.verify(name)
        if found.status not in (0, 1) or "Traceback" in found.said:
            return UNCLEAR, f"riqa verify: {found.said[-200:]}"
        if found.status == 1:
            seen = True
            recovery.mend(found.said)
            if (again := recovery.verify(name)).status != 0:
                return HAND, f"what verify names does not mend it: {again.said[:300]}"
    if differs := recovery.differs():
        return (HAND if seen else WRONG), differs
    return _kind_of_well(recovery, told, seen, done_at_once), ""


def _kind_of_well(recovery: _Recovery, told: Told, seen: bool, done_at_once: bool) -> str:
    if seen:
        return MENDED
    if recovery.commands:
        return COMMAND
    if told.lasting:
        return CLEAR
    at_rest = told.first is None  # nothing ran yet: the first start is the one that counts
    once = sum(words == "start again" for words, _ in recovery.runs) == len(told.names)
    return WELL if (done_at_once or at_rest) and once else AGAIN


def shown(judged: Judged) -> str:
    """All runs, for somebody who looks into a trial."""
    parts = []
    for words, run in judged.runs:
        parts.append(f"--- {words}: exit status {run.status}\n{run.said.rstrip()}")
    return "\n".join(parts)


def line(number: int, kind: str, told: Told, judged: Judged, seconds: float) -> str:
    """A trial as one line of JSON."""
    facts = {"trial": number, "kind": kind, "outcome": judged.outcome, "why": judged.why}
    return json.dumps(facts | {"what": told.said, "seconds": round(seconds, 1)})


__all__ = ["BAD", "GOOD", "NAME", "NEVER", "Judged", "judged", "line", "shown", "unclear"]
