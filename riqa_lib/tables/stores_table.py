"""What the stores of pixels and of maps cost, from the tracked measurement, and what they would
cost for other numbers of pictures: results/reference/stores.csv (benchmarks/stores.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store
from .text import markdown

STORED = "stores.csv"
NOTHING = "Nothing was measured yet: `python -m benchmarks.stores measure`."
POOL = 140_000  # pictures of KADIS-700k, 512 x 384 px: KOKA10K's pool
CORES = (2, 16, 64)
SIZE, PLANNED = 128, 256  # px of the stores: of those that were made; of the profile `paper`
GIB = 2**30
HOUR_MS = 3.6e6
WORDS = {
    "part: read and checked": "of it: read, damage looked for",
    "part: hashed": "of it: files hashed",
    "part: made": "of it: made {} px",
    "Pillow, made": "Pillow, made {} px",
    "Pillow, draft": "Pillow's draft mode for {} px (other pixels)",
    "simplejpeg": "simplejpeg (the same pixels)",
    "import": "import, {} px",
    "bare forward": "the stem alone, {} px",
    "maps": "store, {} px",
}


def measured() -> pd.DataFrame | None:
    """The stored measurement; None where there is none yet."""
    file = paths.reference() / STORED
    return store.read_table(file) if file.exists() else None


def worded(way: str) -> str:
    """A way of the measurement, as tables call it.

    >>> worded("part: made 128"), worded("Pillow")
    ('of it: made 128 px', 'Pillow')
    """
    name, _, size = way.rpartition(" ")
    return WORDS[name].format(size) if name in WORDS else WORDS.get(way, way)


def show_rates() -> str:
    """CPU time a picture of both stores beside the bare decoder and the bare network, as
    markdown."""
    table = measured()
    if table is None:
        return NOTHING
    rates = table[table["what"].isin(["decode", "maps"])]
    kinds = {"jpg": "JPEG", "png": "PNG", "lite0": "maps"}
    cells = [
        [kinds[r["form"]], worded(r["way"]), f"{r['cpu_ms']:.2f}", f"{1e3 / r['cpu_ms']:,.0f}",
         f"{r['share']:.0%}"]
        for r in rates.to_dict("records")
    ]  # fmt: skip
    head = ["", "way", "ms of CPU a picture", "pictures a CPU second", "bare way over it"]
    return "\n\n".join([markdown(head, cells, [0, 1]), _where_it_goes(rates), _about(table)])


def _ms(rates: pd.DataFrame, form: str, way: str) -> float:
    (ms,) = rates[(rates["form"] == form) & (rates["way"] == way)]["cpu_ms"]
    return float(ms)


def _where_it_goes(rates: pd.DataFrame) -> str:
    """Of an import, what each part takes."""
    size = SIZE
    whole = _ms(rates, "jpg", f"import {size}")
    read, made, hashed = (
        _ms(rates, "jpg", way)
        for way in ("part: read and checked", f"part: made {size}", "part: hashed")
    )
    both = _ms(rates, "jpg", f"Pillow, made {size}")
    return (
        f"Of a JPEG's {whole:.2f} ms at {size} px, {read:.2f} go into decoding it once, which also "
        f"tells damage, {made:.2f} into resampling, {hashed:.2f} into its hash and "
        f"{max(0.0, whole - read - made - hashed):.2f} into all else (writing, table). Pillow with "
        f"the same resampling, and no look for damage, takes {both:.2f}: the import reaches "
        f"{both / whole:.0%} of that."
    )


def _about(table: pd.DataFrame) -> str:
    one, load = table.iloc[0], table["load"]
    return (
        f"{one['machine']}; torch {one['torch']}; load {load.min():.0f} to {load.max():.0f} "
        "meanwhile (other work); pictures made by code, 512 x 384 px."
    )


def show_run() -> str:
    """All the pictures imported and mapped, and steps of training from either store, as
    markdown."""
    table = measured()
    if table is None:
        return NOTHING
    run = table[table["what"].isin(["import", "build"])]
    return "\n\n".join(
        [_made(run), _memory(run), _steps(table[table["what"] == "steps"]), _about(table)]
    )


def _made(run: pd.DataFrame) -> str:
    cells = [
        [_named(r), f"{r['pictures']:,.0f}", f"{r['predicted_ms']:.2f}", f"{r['cpu_ms']:.2f}",
         f"{r['seconds']:,.0f}", f"{r['bytes'] / GIB:.2f}"]
        for r in run[run["cpu_ms"].notna()].to_dict("records")
    ]  # fmt: skip
    head = ["", "pictures", "predicted, ms of CPU each", "measured", "seconds", "GiB then there"]
    return markdown(head, cells)


def _named(r: dict) -> str:
    what = {"import": "pixels", "build": "maps"}[r["what"]]
    return f"{what}, {r['way'].rpartition(' ')[2]} px, {r['part']}"


def _memory(run: pd.DataFrame) -> str:
    """How memory stood as the stores grew."""
    said = []
    for what, its in run.groupby("what", sort=False):
        least, most = its["peak_mib"].min(), its["peak_mib"].max()
        name = {"import": "import", "build": "building of maps"}[str(what)]
        said.append(f"the {name} took at most {least:,.0f} to {most:,.0f} MiB in its parts")
    return f"Memory of their own, at every quarter and at the end: {'; '.join(said)}."


def _steps(steps: pd.DataFrame) -> str:
    cells = [
        [r["way"], f"{r['pictures']:,.0f}", r["part"], f"{r['cpu_ms']:,.0f}",
         f"{r['peak_mib']:,.0f}"]
        for r in steps.to_dict("records")
    ]  # fmt: skip
    head = [
        "FixMatch from",
        "pool",
        "pool is",
        "ms of CPU a step",
        "memory, pages of files too, MiB",
    ]
    return markdown(head, cells, [0, 2])


# ---------------------------------------------------------------- on paper
def plan(pictures: int = POOL, cores: tuple[int, ...] = CORES) -> str:
    """Hours and bytes of so many pictures, and hours of training, frozen and unfrozen, as markdown.

    Rates are those that were measured, a core as fast as the machine's there; cores are taken to
    work side by side without loss, which is the best case. ValueError for no picture or core."""
    if pictures < 1 or min(cores) < 1:
        raise ValueError(f"{pictures} pictures on {min(cores)} cores; expected 1 or more of each")
    table = measured()
    if table is None or not table["way"].str.startswith("step, ").any():
        return NOTHING
    head = ["", *(f"stores: hours on {n} cores" for n in cores), "GiB on disk"]
    head += ["read a step, MiB", *(f"training: hours on {n} cores" for n in cores)]
    cells = [_planned(table, pictures, cores, way) for way in ("frozen", "unfrozen")]
    return "\n\n".join([markdown(head, cells, [0]), _how_planned(table, pictures)])


def _planned(table: pd.DataFrame, pictures: int, cores: tuple[int, ...], way: str) -> list[str]:
    """A row of the plan."""
    size = PLANNED
    ms = _ms(table, "jpg", f"import {size}")
    each = size * size * 3
    disk = each
    if way == "frozen":
        ms += _ms(table, "lite0", f"maps {size}")
        rows = table[(table["form"] == "lite0") & (table["way"] == f"maps {size}")].iloc[0]
        each = rows["bytes"] / rows["pictures"]
        disk += each
    step = table[(table["what"] == "network") & (table["way"] == f"step, {way}")].iloc[0]
    training = step["cpu_ms"] * step["steps"]
    return [
        f"{way}: {step['form']}",
        *(_hours(ms * pictures / n) for n in cores),
        f"{disk * pictures / GIB:,.1f}",
        f"{each * step['pictures'] / 2**20:.1f}",
        *(_hours(training / n) for n in cores),
    ]  # fmt: skip


def _hours(ms: float) -> str:
    """Milliseconds as hours, to two digits, whole from 10 on.

    >>> _hours(9e5), _hours(9e9)
    ('0.25', '2,500')
    """
    hours = ms / HOUR_MS
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _how_planned(table: pd.DataFrame, pictures: int) -> str:
    run = table[table["what"].isin(["import", "build"]) & table["peak_mib"].notna()]
    steps = table[table["what"] == "network"]["steps"].max()
    return (
        f"On paper, for {pictures:,} JPEGs of 512 x 384 px, stored at {PLANNED} px as the profile "
        f"`paper` has it: rates as measured above, {steps:,.0f} steps of FixMatch with that "
        "profile's batch, a core as fast as there, and cores side by side without loss. Memory: "
        f"{run['peak_mib'].max():,.0f} MiB while the stores are made, whatever the number of "
        "pictures; in training what the network takes, and of the pool what RIQA_IN_MEMORY allows."
    )
