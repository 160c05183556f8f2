"""What became of runs on a cluster that lost a worker, from the tracked measurement:
results/reference/cluster.csv (benchmarks/cluster.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store

STORED = "cluster.csv"
KINDS = {
    "workers": "{} workers started by hand",
    "slurm": "dask-jobqueue, {} jobs of SLURM, with a stand-in `sbatch` that ran them here",
}  # cluster -> in words


def show() -> str:
    """A line a cluster, as markdown; a sentence where nothing is stored."""
    file = paths.reference() / STORED
    if not file.exists():
        return "Nothing was measured yet: `python -m benchmarks.cluster workers`."
    return "\n".join(sentence(line) for _, line in store.read_table(file).iterrows())


def sentence(line: pd.Series) -> str:
    """What was tried on a cluster, and what came out.

    >>> told = {"cluster": "workers", "workers": 3, "runs": 33, "same": 33, "killed": 1,
    ...         "seconds": 300, "machine": "2 cores, AMD", "load": 1.5}
    >>> print(sentence(pd.Series(told)))
    - 3 workers started by hand, over TLS: 33 runs at smoke size; 1 worker was killed (SIGKILL, with
      its nanny) while it trained. 33 of 33 runs have the bytes of the same runs one after another
      in notebooks. 300 s with the notebooks; 2 cores, AMD, load 1.5 at the end.
    """
    where = KINDS[line["cluster"]].format(line["workers"])
    many = "worker was" if line["killed"] == 1 else "workers were"
    what = f"{line['runs']} runs at smoke size; {line['killed']} {many} killed (SIGKILL, with"
    same = f"{line['same']} of {line['runs']} runs have"
    took = f"{line['seconds']} s with the notebooks; {line['machine']}, load {line['load']}"
    return (
        f"- {where}, over TLS: {what}\n  its nanny) while it trained. {same} the bytes of the same "
        f"runs one after another\n  in notebooks. {took} at the end."
    )
