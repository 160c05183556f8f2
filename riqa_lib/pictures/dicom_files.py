"""Pictures in DICOM files, read by pydicom where it is installed (the extra riqa[dicom]): their
pages, one of them as an image, and what the file says of patient, eye, time and camera.

    opened("eye.dcm", page=1).image       a Pillow image, RGB or grey, 8 bits

Colours. What a JPEG says of itself (JFIF, Adobe's mark) counts; where it says nothing, the file's
PhotometricInterpretation. YBR_FULL and YBR_FULL_422 that are not compressed are converted, palettes
looked up. Grey values go through the file's rescaling and its window (or its table of values), and
without one from 0 to the largest of BitsStored; MONOCHROME1 is turned over.
DICOM PS3.3: C.7.6.3 (pixels), C.11.2 (windows), C.8.17 (ophthalmic photographs); PS3.5, 6.2."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from . import file_kinds

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BASELINE = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")  # JPEG that Pillow reads
EYES = {"L": "left", "R": "right"}  # B: both


class Opened(NamedTuple):
    """A page of a DICOM file. image: of 8 bits; size: its own (width, height) in the file."""

    image: Image.Image
    size: tuple[int, int]


class NoPicture(ValueError):
    """A DICOM file without a picture, or one that cannot be read here."""


# ---------------------------------------------------------------- what the file says
def _read(file: Path | str, pixels: bool) -> Dataset:
    """The file's own words, with its pixels still as they are stored. NoPicture, saying what to
    install, where pydicom is not there."""
    if not file_kinds.pydicom_is_there():
        raise NoPicture(file_kinds.NEEDS_PYDICOM)
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that bend the standard are common
        return pydicom.dcmread(file, force=True, stop_before_pixels=not pixels)


def pages(file: Path | str) -> int:
    """How many pictures a DICOM file holds. Raises what pydicom raises for one that is damaged."""
    return max(1, int(_read(file, pixels=False).get("NumberOfFrames") or 1))


def said(file: Path | str) -> dict[str, str]:
    """{"patient", "eye" ("left", "right"), "taken" (digits as DICOM has them), "camera"} of a DICOM
    file, "" where it says nothing or that both eyes are in it; all "" without pydicom."""
    if not file_kinds.pydicom_is_there():
        return dict.fromkeys(("patient", "eye", "taken", "camera"), "")
    ds = _read(file, pixels=False)
    eye = _text(ds, "ImageLaterality") or _text(ds, "Laterality")
    maker, model = _text(ds, "Manufacturer"), _text(ds, "ManufacturerModelName")
    return {
        "patient": _text(ds, "PatientID"),
        "eye": EYES.get(eye.upper(), ""),
        "taken": _taken(ds),
        "camera": model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip(),
    }


def _text(ds: Dataset, keyword: str) -> str:
    """A value as one line; "" where it is not there or cannot be read."""
    try:
        value = ds.get(keyword)
    except Exception:  # of values that are not of their kind, pydicom raises almost anything
        return ""
    return " ".join(str(value).replace("\0", " ").split()) if value is not None else ""


def _taken(ds: Dataset) -> str:
    if moment := _text(ds, "AcquisitionDateTime"):
        return moment
    for kind in ("Acquisition", "Content"):
        if day := _text(ds, f"{kind}Date"):
            return day + _text(ds, f"{kind}Time")
    return ""


# ---------------------------------------------------------------- pixels
def opened(file: Path | str, page: int, least: int | None, max_pixels: int) -> Opened:
    """A page of a DICOM file, from 1; least, max_pixels: as reading.read has them. NoPicture with
    the reason where there is none or it cannot be read; else what pydicom and Pillow raise."""
    ds = _read(file, pixels=True)
    width, height = _size(ds)
    if width * height > max_pixels:
        raise NoPicture(
            f"too large: {width} x {height} px are {width * height:,} pixels, more than "
            f"max_pixels, {max_pixels:,}"
        )
    coded = _jpeg(ds, page, least)
    return Opened(coded or Image.fromarray(_decoded(ds, page)), (width, height))


def _size(ds: Dataset) -> tuple[int, int]:
    if "PixelData" not in ds or not ds.get("Rows") or not ds.get("Columns"):
        what = getattr(ds.get("SOPClassUID"), "name", "")
        raise NoPicture(f"not a picture: a DICOM file without one{what and f' ({what})'}")
    return int(ds.Columns), int(ds.Rows)


def _kept(ds: Dataset) -> str:
    """How pixels are stored: pydicom's UID, a str with a `name`; "" where the file doesn't say."""
    return getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", "")


def _jpeg(ds: Dataset, page: int, least: int | None) -> Image.Image | None:
    """A page of 3 x 8 bits that is kept as JPEG; None where it is kept otherwise."""
    if _kept(ds) not in BASELINE or (ds.get("SamplesPerPixel"), ds.get("BitsStored")) != (3, 8):
        return None
    from pydicom import encaps

    count = int(ds.get("NumberOfFrames") or 1)
    coded = encaps.get_frame(ds.PixelData, page - 1, number_of_frames=count)
    image = Image.open(io.BytesIO(coded), formats=("JPEG",))
    marked = "jfif" in image.info or "adobe_transform" in image.info
    as_they_are = not marked and not str(ds.get("PhotometricInterpretation")).startswith("YBR")
    least_size = (least, least) if least is not None else image.size
    image.draft("YCbCr" if as_they_are else None, least_size)
    image.load()
    # "YCbCr" made Pillow leave the colours as they are: they are red, green and blue
    return Image.frombytes("RGB", image.size, image.tobytes()) if as_they_are else image


def _decoded(ds: Dataset, page: int) -> np.ndarray:
    """A page as uint8 (H, W) or (H, W, 3)."""
    from pydicom.pixels import apply_color_lut, pixel_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = pixel_array(ds, index=page - 1)
        except (RuntimeError, NotImplementedError, AttributeError) as e:  # no decoder; no such form
            how = getattr(_kept(ds), "name", "an unknown form")
            raise NoPicture(f"a DICOM file whose pixels ({how}) cannot be read here") from e
        if str(ds.get("PhotometricInterpretation")) == "PALETTE COLOR":
            values = apply_color_lut(values, ds)
            deep = values.dtype.itemsize > 1
            return _scaled(values.astype(float), 0, 65535 if deep else 255)
        if values.ndim == 3:
            return _scaled(values.astype(float), 0, 2 ** int(ds.BitsStored) - 1)
        return _grey(ds, values)


def _grey(ds: Dataset, values: np.ndarray) -> np.ndarray:
    """Stored values (H, W) as they are to be shown."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    bits, signed = int(ds.BitsStored), bool(ds.get("PixelRepresentation"))
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1])
    # a window gives the whole range of what is stored, a table that of its own depth
    low, high = apply_modality_lut(ends.astype(values.dtype), ds).tolist()
    if table := ds.get("VOILUTSequence"):
        low, high = 0, 2 ** int(table[0].LUTDescriptor[2]) - 1
    shown = apply_voi_lut(apply_modality_lut(values, ds), ds)
    grey = _scaled(np.asarray(shown, float), min(low, high), max(low, high))
    return 255 - grey if ds.get("PhotometricInterpretation") == "MONOCHROME1" else grey


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values from low to high as 0 to 255."""
    share = (values - low) / max(high - low, 1e-9)
    return (255 * share.clip(0, 1)).round().astype(np.uint8)
