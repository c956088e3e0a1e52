"""Nodata values: which pixels and which bands are missing."""

import numpy as np
import pytest
import tifffile

from gmmseg.image.windows import everything
from gmmseg.io import read, read_info
from gmmseg.io.request import Reading
from gmmseg.io.tiff.decoding import read_tiff


def test_nodata_is_judged_by_the_chosen_bands(tmp_path):
    values = np.ones((4, 5, 3), np.uint8)
    values[1, 1] = [0, 0, 9]
    values[2, 2] = 0
    tifffile.imwrite(
        tmp_path / "n.tif",
        values,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, "s", 0, "0", True)],
        extrasamples=[0, 0],
    )
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 2]]
    for memory in (None, 0):
        chosen = read(tmp_path / "n.tif", channels="1,2", memory=memory).crop(everything((4, 5)))
        assert np.argwhere(~chosen.valid).tolist() == [[1, 1], [2, 2]]


pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def test_nodata_beyond_the_range_of_the_dtype(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[1, 2] = -np.inf
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "-1.7976931348623157e+308", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("dtype", "nodata", "missing"),
    [("f4", "-9999", [[0, 1]]), ("i2", "-9999", [[0, 1]]), ("u2", "9", [[0, 1]]), ("u1", "-9999", [])],
)
def test_nodata(tmp_path, dtype, nodata, missing):
    value = float(nodata) if float(nodata) >= 0 or dtype != "u1" else 7
    values = np.ones((4, 5, 2), dtype)
    values[0, 0, 0] = value
    values[0, 1] = value
    tifffile.imwrite(
        tmp_path / "n.tif",
        values,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, "s", 0, nodata, True)],
    )
    for image in (read(tmp_path / "n.tif"), read_tiff(tmp_path / "n.tif", Reading(max_pixels=100))):
        assert (np.argwhere(~image.valid).tolist() if image.valid is not None else []) == missing
        # A single band without data is missing for itself, but where numbers are unsigned each is an ordinary one.
        assert np.argwhere(np.isnan(image.array[..., 0]) & (image.valid if missing else True)).tolist() == (
            [[0, 0]] if dtype in ("f4", "i2") else []
        )
    if dtype != "u1":  # which has no such number
        assert read_info(tmp_path / "n.tif")["nodata"] == nodata


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_nodata_nan(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[2, 3] = np.nan
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "nan", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 3]]
