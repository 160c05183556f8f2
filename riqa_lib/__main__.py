"""python -m riqa_lib COMMAND: assess, data, figures, bench, readme, nullworlds, environment,
collect. Each prints what it did."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import paths

CONDA = {"torch": "pytorch"}  # names that differ on conda-forge


def environment() -> str:
    """environment.yml from pyproject.toml: the same list under conda's names, then this package
    itself."""
    import tomllib

    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        "# Made from pyproject.toml by `python -m riqa_lib environment`; change that file, not this one.",
        "name: riqa",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python {project['requires-python']}",
    ]
    for requirement in project["dependencies"]:
        name, least = requirement.split(">=")
        lines.append(f"  - {CONDA.get(name, name)} >={least}")
    lines += ["  - pip", "  - pip:", "      - -e .", ""]
    return "\n".join(lines)


def figures(walk: str) -> None:
    """Draw every figure and table of a walk from what it stored; no training."""
    from . import store
    from .figures import draw_all
    from .tables import names, stored, table2

    drawn = draw_all.draw(walk)
    if (
        not drawn or (paths.results(walk) / "data").exists() or walk == names.REFERENCE
    ):  # else of fundus photographs alone
        frames = stored.load_walk(walk)
        drawn = draw_all.draw_all(frames, walk) + drawn
        drawn.append(
            store.write_bytes(
                paths.figures(walk) / "table2.md", table2.show_table(frames["table2"]).encode()
            )
        )
    for file in drawn:
        print(paths.shown(file))


def collect(walk: str) -> None:
    """Copy what a walk has, photographs or fundus photographs or both, to results/reference."""
    from .tables import reference, stored

    fundus = not stored.fundus_runs(walk).empty
    if (paths.results(walk) / "data").exists() or not fundus:
        print(paths.shown(reference.collect(walk)))
    if fundus:
        print(paths.shown(reference.collect_fundus(walk)))


def readme(check: bool) -> int:
    """Fill the README's generated blocks from the tracked reference results; check: only say
    whether they are current."""
    from . import store
    from .tables import reference, text

    file = paths.ROOT / "README.md"
    old = file.read_text(encoding="utf-8")
    new = text.fill_markers(old, reference.readme_blocks() | {"fundus": reference.block()})
    if check:
        print(
            "README.md is current"
            if old == new
            else "README.md is not current: run python -m riqa_lib readme"
        )
        return int(old != new)
    store.write_bytes(file, new.encode())
    print("README.md filled")
    return 0


def data(root: Path | None) -> int:
    """Say of every real data set whether it is there and what is wrong; 1 if one that is there is
    broken."""
    from .datasets import catalogue

    if root is not None and not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder of data sets")
    table = catalogue.status(root)
    print(catalogue.report(table, root))
    return int((table["state"] == catalogue.BROKEN).any())


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 0, 1 (something failed) or 2 (wrong usage)."""
    parser = argparse.ArgumentParser(prog="python -m riqa_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    c = commands.add_parser("assess", help="grade fundus photographs: overall, details, advice")
    c.add_argument("path", nargs="+", help="files, folders or globs")
    c.add_argument(
        "--run",
        help="a Student's folder, or its name in results/runs (default: the newest multi-task one, eyeq first)",
    )
    c.add_argument(
        "--rate", type=float, default=0.1, help="error promised among the answered (default: 0.1)"
    )
    c.add_argument("--csv", type=Path, help="also write this table")
    c.add_argument("--json", type=Path, help="also write this, with all that was measured")
    c.add_argument(
        "--workers", type=int, default=2, help="threads that decode and crop (default: 2)"
    )
    c = commands.add_parser(
        "data", help="real data sets: found or not, where to get them, what is wrong"
    )
    c.add_argument("--root", type=Path, help="folder of all sets (default: RIQA_DATA)")
    c = commands.add_parser(
        "figures", help="draw figures and tables from stored results (no training)"
    )
    c.add_argument(
        "walk",
        nargs="?",
        default="reference",
        help="which walk: results/WALK (default: the tracked reference)",
    )
    c = commands.add_parser(
        "bench", help="pictures a second, and the cost of a step over its bare forward + backward"
    )
    c.add_argument("--profile", default="demo")
    c.add_argument("--steps", type=int, default=20)
    c.add_argument(
        "--keep",
        action="store_true",
        help="store it in results/reference/bench.csv, for the README",
    )
    c = commands.add_parser("readme", help="fill the README's generated blocks")
    c.add_argument(
        "--check", action="store_true", help="change nothing; exit status 1 if they are not current"
    )
    c = commands.add_parser(
        "nullworlds",
        help="try the significance tests on simulated worlds (minutes), keep the rates",
    )
    c.add_argument("--worlds", type=int, help="how many of each kind (default: 2,000)")
    c = commands.add_parser(
        "collect", help="copy a walk's results to results/reference, to be tracked"
    )
    c.add_argument("walk")
    commands.add_parser("environment", help="write environment.yml from pyproject.toml")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "assess":
            from .assess.command import command

            return command(
                chosen.path, chosen.run, chosen.rate, chosen.csv, chosen.json, chosen.workers
            )
        elif chosen.command == "data":
            return data(chosen.root.expanduser().resolve() if chosen.root else paths.data())
        elif chosen.command == "figures":
            figures(chosen.walk)
        elif chosen.command == "bench":
            from . import store
            from .training.bench import bench

            table = bench(chosen.profile, chosen.steps)
            if chosen.keep:
                store.write_table(paths.reference() / "bench.csv", table.round(4))
        elif chosen.command == "readme":
            return readme(chosen.check)
        elif chosen.command == "nullworlds":
            from .stats import null_worlds

            found = null_worlds.command(*([chosen.worlds] if chosen.worlds is not None else []))
            print(null_worlds.report(found))
        elif chosen.command == "collect":
            collect(chosen.walk)
        else:
            Path(paths.ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
            print("environment.yml")
    except (ValueError, OSError) as e:
        print(f"riqa: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
