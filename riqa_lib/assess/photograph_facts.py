"""Patient, eye, time and camera of a photograph: as its file says (DICOM, EXIF), else as its name
and folder do. What is unsure is "": a wrong eye is worse than none.

    facts("Images/965/965_l2.jpg")["eye"]     "left"

Names that are known: EyePACS, EyeQ and ODIR ("99009_left"), DeepDRiD ("965_l2"), UK Biobank
(fields 21015 left, 21016 right), Messidor ("20051020_99999_0100_PP": the day), PAPILA ("RET902OD"),
CHASE_DB1 ("Image_91L"), and exports of cameras: "12345_20190102_101010_Color_R_001", "12345 OD".
OD is the right eye, OS and OI the left; but OD is also the optic disc, a single letter may be of
somebody's name, and "left" a side of the picture: there nothing is said. A day alone may be that of
somebody's birth: it needs a time beside it. Where the photograph was taken is never looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from PIL import Image

from ..pictures import dicom_files, file_kinds
from ..pictures.formats import formats, no_limit

KEYS = ("patient", "eye", "taken", "camera")
LONGEST = 80  # characters of what a file says
EXIF, TAKEN, MAKE, MODEL = 0x8769, 0x9003, 0x010F, 0x0110

SIDES = {"right": "right", "left": "left", "od": "right", "os": "left", "oi": "left"}
SIDES |= {"re": "right", "le": "left", "r": "right", "l": "left", "21016": "right", "21015": "left"}
# beside these, left and right are those of a picture, not of a person
PLACES = {
    *("top", "upper", "bottom", "lower", "side", "corner", "half", "patch", "tile", "crop"),
    *("quadrant", "shift", "shifted", "rotated", "rotate", "turned", "turn", "flip", "flipped"),
    *("mirror", "mirrored", "hand", "stereo", "montage", "both", "ou"),
}
# beside these, OD is the optic disc
DISC = {
    *("disc", "disk", "cup", "oc", "mask", "masks", "seg", "segmentation", "gt", "boundary"),
    *("fovea", "idrid", "refuge"),
}
# what a camera writes between day and eye
KINDS = {
    *("color", "colour", "col", "fundus", "fa", "fag", "rf", "redfree", "photo", "image", "img"),
    *("eye", "retina", "macula", "disc"),
}
COUNTED = ("img", "im", "image", "dsc", "photo", "pic", "scan", "fundus", "file", "frame", "page")

LETTERS = ("R", "L", "RE", "LE")
WORD = re.compile(r"(?:eye)?(right|left)(?:eye)?\d{0,3}", re.IGNORECASE)
CODE = re.compile(r"(OD|OS|OI)\d{0,3}", re.IGNORECASE)
GLUED = re.compile(r"(\w*\d)(OD|OS|OI)")
DEEPDRID = re.compile(r"(\d+)[_-]([lr])\d?")
BIOBANK = re.compile(r"(\d{7})_(2101[56])_\d+_\d+")
CHASE = re.compile(r"Image_(\d\d)([LR])")
DASHED = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)[ T_](\d\d)[-.:](\d\d)[-.:](\d\d)(?!\d)")
MESSIDOR = re.compile(r"(\d{8})_\d{4,6}_\d{4}_PP")
FOLDER = re.compile(r"(right|left)(?:[ _-]?eyes?)?", re.IGNORECASE)
PAIRS = {"OD": ("OS", "OI"), "OS": ("OD",), "OI": ("OD",)}


def facts(file: Path | str) -> dict[str, str]:
    """{"patient", "eye" ("left", "right"), "taken" (ISO: 2019-01-02T10:11:12, or the day),
    "camera"} of a picture file, "" where nothing sure is said. Never raises.

    >>> facts("99009_left.jpeg")
    {'patient': '99009', 'eye': 'left', 'taken': '', 'camera': ''}
    """
    told, named = _of_file(file), of_name(file)
    return {key: (told.get(key) or named[key])[:LONGEST] for key in KEYS}


# ---------------------------------------------------------------- what the file says
def _of_file(file: Path | str) -> dict[str, str]:
    if file_kinds.special(file):
        return {}
    try:
        if file_kinds.kind_of(file_kinds.head_of(file)) == file_kinds.DICOM:
            said = dicom_files.said(file)
            return said | {"taken": moment(said["taken"])}
        return _of_exif(file)
    except Exception:  # damaged files make decoders raise almost anything
        return {}


def _of_exif(file: Path | str) -> dict[str, str]:
    with no_limit(), Image.open(file, formats=formats()) as image:
        exif = image.getexif()
        taken = exif.get_ifd(EXIF).get(TAKEN, "")
        maker, model = _line(exif.get(MAKE, "")), _line(exif.get(MODEL, ""))
    named_twice = model.lower().startswith(maker.lower())
    return {"taken": moment(_line(taken)), "camera": model if named_twice else f"{maker} {model}"}


def _line(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return " ".join(text.replace("\0", " ").split())


def moment(text: str) -> str:
    """A time of DICOM or EXIF as ISO, to the second; the day where there is no time, "" where there
    is no day.

    >>> moment("20051020101112.25+0100"), moment("2005:10:20"), moment("0000:00:00")
    ('2005-10-20T10:11:12', '2005-10-20', '')
    """
    found = re.match(r"(\d{4})[:.-]?(\d\d)[:.-]?(\d\d)(?:[ T]?(\d\d):?(\d\d)(?::?(\d\d))?)?", text)
    if not found:
        return ""
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        when = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return ""
    return when.isoformat() if found[4] else when.date().isoformat()


# ---------------------------------------------------------------- what its name says
def of_name(file: Path | str) -> dict[str, str]:
    """The same of a file's name and the two folders that it lies in; what is in the file is not
    looked at.

    >>> of_name("12345_20190102_101112_Color_R_001.jpg")["taken"]
    '2019-01-02T10:11:12'
    """
    path = Path(file)
    parts = [part for part in re.split(r"[\W_]+", path.stem) if part]
    patient, eye = _known(path.stem)
    if not eye:
        patient, eye = _patient(parts), _eye(parts, path)
    return {"patient": patient, "eye": eye, "taken": _when(path.stem, parts), "camera": ""}


def _known(stem: str) -> tuple[str, str]:
    """(patient, eye) of names that only one set of photographs has; "", "" of others."""
    for form in (DEEPDRID, BIOBANK, CHASE):
        if found := form.fullmatch(stem):
            return found[1], SIDES[found[2].lower()]
    return "", ""


def _eye(parts: list[str], path: Path) -> str:
    words = {part.lower() for part in parts}
    if words & PLACES:
        return ""
    if "od" in {word[:2] for word in words} and words & DISC:
        return ""
    said = {eye for eye in map(_side, *_neighbours(parts)) if eye} | set(_folders(path))
    return said.pop() if len(said) == 1 else ""


def _neighbours(parts: list[str]) -> tuple[list[str], list[str], list[str]]:
    """What comes before each part, the parts, and what comes behind each; "" at the ends."""
    return ["", *parts[:-1]], parts, [*parts[1:], ""]


def _side(before: str, part: str, behind: str) -> str:
    """The eye that a part of a name says, between its neighbours; "" where it says none."""
    if found := WORD.fullmatch(part):
        return SIDES[found[1].lower()]
    follows = _of_export(before)
    if (found := CODE.fullmatch(part)) and (part.isupper() or follows):
        return SIDES[found[1].lower()]
    if found := GLUED.fullmatch(part):
        return SIDES[found[2].lower()]
    alone = part in LETTERS and follows and (not behind or _of_export(behind))
    return SIDES[part.lower()] if alone else ""


def _of_export(part: str) -> bool:
    """Whether it is a number, or a word of cameras: no part of somebody's name."""
    return _has_digit(part) or part.lower() in KINDS


def _folders(path: Path) -> Iterator[str]:
    """The eyes that the two folders above a file name. OD and OS need each other beside them: alone
    they could be optic discs, or anything."""
    for folder in [*path.parents][:2]:
        if found := FOLDER.fullmatch(folder.name):
            yield SIDES[found[1].lower()]
        elif any((folder.parent / other).is_dir() for other in PAIRS.get(folder.name, ())):
            yield SIDES[folder.name.lower()]


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _patient(parts: list[str]) -> str:
    """A number in front of the eye, or of day and time."""
    first, second, third = [*parts, "", "", ""][:3]
    if found := GLUED.fullmatch(first):
        return "" if _is_counter(found[1]) else found[1]
    if not _has_digit(first) or _is_counter(first) or _day(first):
        return ""
    eye = WORD.fullmatch(second) or CODE.fullmatch(second) or second in LETTERS
    return first if eye or (_day(second) and _time(third)) else ""


def _is_counter(text: str) -> bool:
    """Whether it numbers pictures, not people: IMG0012."""
    return re.sub(r"\d+$", "", text).lower() in COUNTED


def _day(text: str) -> bool:
    return len(text) == 8 and text.isdigit() and text > "1990" and bool(moment(text))


def _time(text: str) -> bool:
    return len(text) == 6 and text.isdigit() and bool(moment(f"20000101{text}"))


def _when(stem: str, parts: list[str]) -> str:
    if (found := MESSIDOR.fullmatch(stem)) and _day(found[1]):
        return moment(found[1])
    whole = [part for part in parts if len(part) == 14]
    whole += [day + time for day, time in pairwise(parts)]
    whole += ["".join(found.groups()) for found in DASHED.finditer(stem)]
    said = {moment(text) for text in whole if _day(text[:8]) and _time(text[8:])}
    return said.pop() if len(said) == 1 else ""
