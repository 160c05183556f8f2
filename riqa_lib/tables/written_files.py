"""The files with generated blocks: README.md, RESULTS.md and pages of docs, filled from the tracked
reference results. Nobody types a number there."""

from __future__ import annotations

from pathlib import Path

from .. import paths, store
from . import (
    claims_ledger,
    claims_ledger_words,
    cluster_table,
    determinism_table,
    faults_table,
    headlines,
    load_table,
    notebook_results,
    ranks_table,
    real_fundus,
    reference,
    related_reference,
    stores_table,
    text,
)

WRITTEN = (
    "README.md",
    "RESULTS.md",
    "docs/claims.md",
    "docs/fundus-results.md",
    "docs/fundus.md",
    "docs/running.md",
    "docs/many-machines.md",
    "docs/scale.md",
)


def blocks() -> dict[str, str]:
    """Every block by name, as it should be now."""
    made = reference.readme_blocks() | {"fundus": reference.block()}
    made |= {"fundus-details": reference.details_block(), "fundus-real": real_fundus.block()}
    made["claims"] = claims_ledger_words.show(claims_ledger.load())
    made |= {"related": related_reference.block(), "load": load_table.show()}
    made |= {"cluster": cluster_table.show(), "determinism": determinism_table.show()}
    made["faults"] = faults_table.show()
    made["ranks"] = ranks_table.show()
    made |= {"stores": stores_table.show_rates(), "stores-run": stores_table.show_run()}
    made["stores-plan"] = stores_table.plan()
    made["notebooks"] = notebook_results.block()
    return made | {"headlines": headlines.few_rows(), "findings": headlines.findings()}


def fill(check: bool = False, root: Path = paths.ROOT) -> list[str]:
    """Fill the blocks; returns the files that were not current. check: change nothing."""
    made, stale = blocks(), []
    for name in WRITTEN:
        file = root / name
        new = text.fill_markers(old := file.read_text(encoding="utf-8"), made)
        if old != new:
            stale.append(name)
            if not check:
                store.write_bytes(file, new.encode())
    return stale
