"""Where a file or folder of a published set probably is, when it is not where it should be: under a
nearly equal name, or one folder too deep, as unpacking an archive leaves it."""

from __future__ import annotations

from pathlib import Path

from ..contents import names_below
from ..hints import did_you_mean

NAMED = 5  # how many names of a folder a message shows


def hint(folder: Path, name: str) -> str:
    """What to add to a message that `name` is not in `folder`: where it is instead, what was
    probably meant, or what is there. "" where there is no such folder, or nothing in it.

    name: of a file where it has an ending, else of a folder.

    >>> import tempfile
    >>> where = Path(tempfile.mkdtemp())
    >>> (where / "KADIS-700k" / "ref_imgs").mkdir(parents=True)
    >>> hint(where, "kadis700k")
    '; did you mean KADIS-700k? rename it kadis700k'
    >>> hint(where, "ref_imgs")
    '; it is one folder too deep, in KADIS-700k/'
    """
    here = {f: (folder / f).is_dir() for f in names_below(folder, deep=False)}
    inside = too_deep(folder, [name])
    if inside:
        return f"; it is one folder too deep, in {inside}/"
    alike = [f for f, is_folder in here.items() if is_folder == (not Path(name).suffix)]
    same = [f for f in alike if _plain(f) == _plain(name)]
    near = f"; did you mean {same[0]}?" if same else _near(name, alike)
    return f"{near} rename it {name}" if near else _there(here)


def _there(here: dict[str, bool]) -> str:
    """The first names of a folder's; whether each is a folder too."""
    if not here:
        return ""
    shown = ", ".join(f"{f}/" if here[f] else f for f in [*here][:NAMED])
    return f"; there are {shown}{f' and {len(here) - NAMED} more' if len(here) > NAMED else ''}"


def elsewhere(root: Path, key: str) -> str:
    """Where the folder of a set probably is, that is not in the folder of all sets; "" where
    nothing there is called alike."""
    near = hint(root, key).removeprefix("; ")
    return "" if near.startswith("there are") else near


def too_deep(folder: Path, names: list[str]) -> str:
    """The folder in `folder` that has one of these names (upper and lower case are the same); ""
    where none has."""
    wanted = {name.lower() for name in names}
    for inside in names_below(folder, deep=False):
        if (folder / inside).is_dir() and wanted & {
            f.lower() for f in names_below(folder / inside, deep=False)
        }:
            return inside
    return ""


def _plain(name: str) -> str:
    """Letters and digits alone."""
    return "".join(c for c in name.lower() if c.isalnum())


def _near(name: str, known: list[str]) -> str:
    """`did_you_mean`, upper and lower case being the same."""
    on_disk = {f.lower(): f for f in known}
    near = did_you_mean(name.lower(), on_disk)
    return f"; did you mean {on_disk[near[15:-1]]}?" if near else ""
