"""Numbers of every picture, measured once and kept beside the pixels."""

import numpy as np
import pytest

from riqa_lib.training import measured as module
from riqa_lib.training.measured import measured
from riqa_lib.training.photographs import make_data

CALLS: list[int] = []


def brightness(pixels):
    CALLS.append(len(pixels))
    return pixels.reshape(len(pixels), -1).mean(axis=1, keepdims=True).astype(float)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    monkeypatch.setattr(module, "BLOCK", 8)
    CALLS.clear()
    return make_data("one", "smoke", {"data.labelled": 15, "data.pool": 5})


def test_measured_once_in_the_order_of_the_frame(data):
    first = measured(data, brightness, data.pixels)
    expected = [[float(np.mean(picture))] for picture in data.pixels]  # picture by picture
    np.testing.assert_allclose(first, expected)
    assert CALLS == [8, 8, 4]
    assert np.array_equal(measured(data, brightness, data.pixels), first)
    assert sum(CALLS) == len(data)


def test_other_maps_or_other_code_are_measured_anew(data, monkeypatch):
    measured(data, brightness, data.pixels)
    measured(data, brightness, data.pixels, source="maps of other weights")
    assert sum(CALLS) == 2 * len(data)
    monkeypatch.setattr(module.inspect, "getsource", lambda _: "another formula")
    measured(data, brightness, data.pixels)
    assert sum(CALLS) == 3 * len(data)


def test_a_damaged_or_shorter_file_is_named(data):
    measured(data, brightness, data.pixels)
    (file,) = data.folder.glob("measured-brightness-*.npy")
    np.save(file, np.zeros((3, 1)))
    with pytest.raises(ValueError, match=rf"{file.name}: \(3, 1\), expected a row for each of 20"):
        measured(data, brightness, data.pixels)
    file.write_bytes(b"not a table")
    with pytest.raises(ValueError, match=rf"{file.name}: damaged"):
        measured(data, brightness, data.pixels)
