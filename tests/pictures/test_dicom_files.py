"""DICOM photographs as pydicom reads them: every form becomes the same picture, and says whose it
is. Skipped where pydicom, which is in no lock, is not installed."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import encoded
from PIL import Image

from riqa_lib.assess.photograph_facts import facts
from riqa_lib.pictures import file_pages
from riqa_lib.pictures.reading import read

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

RAW, BASELINE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
J2K, JPEG_LS = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"
GREY = {"SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
x, y = np.mgrid[0:64, 0:96]
SHOWN = np.dstack([40 + 2 * x, 30 + y, 90 - x // 2]).astype(np.uint8)


def written(file, pixels, kept=RAW, **said):
    """A photograph of the left eye of patient 0042, of these bytes."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = kept
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    known = {"PatientID": "0042", "ImageLaterality": "L", "Manufacturer": "Topcon"}
    known |= {"ManufacturerModelName": "NW8", "AcquisitionDateTime": "20240102101112.25"}
    known |= {"Rows": 64, "Columns": 96, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    known |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    for name, value in (known | {"PhotometricInterpretation": "RGB"} | said).items():
        if value is not None:
            setattr(ds, name, value)
    if pixels is not None:
        ds.PixelData = pixels
        ds["PixelData"].VR = "OB" if kept != RAW or ds.BitsAllocated == 8 else "OW"
    ds.save_as(file, enforce_file_format=True)
    return file


def coded(*frames):
    return pydicom.encaps.encapsulate(list(frames))


def without_mark(jpeg):
    """A JPEG without its JFIF segment: nothing in it says which colours it holds."""
    return jpeg[:2] + jpeg[4 + int.from_bytes(jpeg[4:6], "big") :]


YCC = np.asarray(Image.fromarray(SHOWN).convert("YCbCr"))
PAIRS = YCC.reshape(-1, 2, 3)
HALVED = np.stack([*PAIRS[:, :, 0].T, *PAIRS[:, 0, 1:].T], axis=1)
AS_THEY_ARE = Image.merge("YCbCr", Image.fromarray(SHOWN).split())  # Pillow converts no YCbCr
FORMS = {
    "rgb": (SHOWN.tobytes(), {}),
    "planes": (SHOWN.transpose(2, 0, 1).tobytes(), {"PlanarConfiguration": 1}),
    "ybr": (YCC.tobytes(), {"PhotometricInterpretation": "YBR_FULL"}),
    "ybr 422": (HALVED.tobytes(), {"PhotometricInterpretation": "YBR_FULL_422"}),
    "10 bits": (
        (SHOWN.astype("<u2") * 4).tobytes(),
        {"BitsAllocated": 16, "BitsStored": 10, "HighBit": 9},
    ),
    "jpeg": (
        coded(encoded(SHOWN, "JPEG", quality=95)),
        {"kept": BASELINE, "PhotometricInterpretation": "YBR_FULL_422"},
    ),
    "jpeg said to be rgb": (coded(encoded(SHOWN, "JPEG", quality=95)), {"kept": BASELINE}),
    "jpeg of ybr without a mark": (
        coded(without_mark(encoded(SHOWN, "JPEG", quality=95))),
        {"kept": BASELINE, "PhotometricInterpretation": "YBR_FULL_422"},
    ),
    "jpeg of rgb without a mark": (
        coded(without_mark(encoded(AS_THEY_ARE, "JPEG", quality=95, subsampling=0))),
        {"kept": BASELINE},
    ),
    "jpeg 2000": (
        coded(encoded(SHOWN, "JPEG2000", no_jp2=True, irreversible=False, mct=1)),
        {"kept": J2K, "PhotometricInterpretation": "YBR_RCT"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_picture(tmp_path, form):
    pixels, said = FORMS[form]
    found = read(written(tmp_path / "x.dcm", pixels, **said))
    assert found.size == (96, 64)
    assert found.notes == []
    assert np.abs(np.asarray(found.image).astype(int) - SHOWN).mean() < 2.5
    if said.get("kept") == BASELINE:
        assert read(tmp_path / "x.dcm", least=16).image.size == (24, 16)


def test_a_palette_is_looked_up(tmp_path):
    said = {"SamplesPerPixel": 1, "PhotometricInterpretation": "PALETTE COLOR"}
    for k, name in enumerate(("Red", "Green", "Blue")):
        table = np.arange(256) * (k + 1) // 3 * 257
        said[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        said[f"{name}PaletteColorLookupTableData"] = table.astype("<u2").tobytes()
    file = written(tmp_path / "x.dcm", SHOWN[..., 1].tobytes(), PlanarConfiguration=None, **said)
    expected = SHOWN[..., 1:2].astype(int) * [1, 2, 3] // 3
    assert np.abs(np.asarray(read(file).image).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("window", [None, (1000, 2000)])
def test_grey_goes_through_its_window_and_may_be_turned_over(tmp_path, turned, window):
    deep = SHOWN[..., 1].astype("<u2") * 16
    said = {**GREY, "PhotometricInterpretation": f"MONOCHROME{2 - turned}"}
    if window:
        said |= {"WindowCenter": window[0], "WindowWidth": window[1]}
    file = written(tmp_path / "x.dcm", deep.tobytes(), PlanarConfiguration=None, **said)
    top = 2000 if window else 4095
    expected = np.clip(deep / top, 0, 1) * 255
    found = np.asarray(read(file).image)[..., 0]
    assert np.abs(found - (255 - expected if turned else expected)).max() < 1.1


def test_frames_are_pages(tmp_path):
    both = SHOWN.tobytes() + SHOWN[::-1].tobytes()
    file = written(tmp_path / "x.dcm", both, NumberOfFrames=2)
    assert file_pages.count(file) == 2
    assert (np.asarray(read(file, page=2).image) == SHOWN[::-1]).all()
    jpegs = coded(*(encoded(np.ascontiguousarray(s), "JPEG") for s in (SHOWN, SHOWN[::-1])))
    said = {"kept": BASELINE, "PhotometricInterpretation": "YBR_FULL_422", "NumberOfFrames": 2}
    file = written(tmp_path / "y.dcm", jpegs, **said)
    assert np.abs(np.asarray(read(file, page=2).image).astype(int) - SHOWN[::-1]).mean() < 3
    with pytest.raises(ValueError, match=r"^no page 3: the file has 2$"):
        read(file, page=3)


def test_what_is_no_picture_or_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"^not a picture: a DICOM file without one \(Ophthalmic"):
        read(written(tmp_path / "x.dcm", None))
    with pytest.raises(ValueError, match=r"^a DICOM file whose pixels \(JPEG-LS Lossless"):
        read(written(tmp_path / "x.dcm", coded(b"\xff\xd8\xff\xf7" + bytes(40)), kept=JPEG_LS))
    with pytest.raises(ValueError, match=r"^a DICOM file, damaged"):
        read(written(tmp_path / "x.dcm", bytes(100)))
    with pytest.raises(ValueError, match=r"^too large: 96 x 64 px"):
        read(written(tmp_path / "x.dcm", SHOWN.tobytes()), max_pixels=1000)


def test_it_says_whose_eye_it_is(tmp_path):
    file = written(tmp_path / "7_right.dcm", SHOWN.tobytes())
    known = {"patient": "0042", "eye": "left", "taken": "2024-01-02T10:11:12"}
    assert facts(file) == known | {"camera": "Topcon NW8"}
    later = {"ImageLaterality": None, "Laterality": "R", "AcquisitionDateTime": None}
    later |= {"ContentDate": "20240103", "ContentTime": "0809", "ManufacturerModelName": "Topcon X"}
    file = written(tmp_path / "y.dcm", SHOWN.tobytes(), **later)
    assert [*facts(file).values()] == ["0042", "right", "2024-01-03T08:09:00", "Topcon X"]
    file = written(tmp_path / "z.dcm", SHOWN.tobytes(), ImageLaterality="B")
    assert facts(file)["eye"] == ""
