"""Bands that headers of ENVI mark as bad."""

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_info


def test_bands_that_envi_marks_as_bad_are_left_out_unless_they_are_chosen(tmp_path):
    numbers = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    (tmp_path / "cube.img").write_bytes(numbers.tobytes())
    head = "ENVI\nsamples = 4\nlines = 3\nbands = 5\ndata type = 1\ninterleave = bsq\nwavelength = {1,2,3,4,5}\n"
    header = tmp_path / "cube.hdr"
    header.write_text(head + "bbl = {1, 0, 0,\n 1, 0}\n")
    with pytest.warns(DataWarning, match=r"cube\.img: 3 of its 5 bands are marked as bad \(bbl: 2-3,5\) and left out"):
        image = read(tmp_path / "cube.img")
    np.testing.assert_array_equal(image.array, np.moveaxis(numbers[[0, 3]], 0, -1))
    assert image.channel_names == ("1", "4")
    np.testing.assert_array_equal(read(tmp_path / "cube.img", channels="1-5").array, np.moveaxis(numbers, 0, -1))
    assert read_info(tmp_path / "cube.img")["bad_bands"] == "2-3,5"
    with pytest.raises(InputError, match=r"cube\.hdr is the header of an ENVI raster; name .* its pixels, cube\.img"):
        read_info(header)
    for none in ("bbl = {1, 1, 1, 1, 1}\n", "bbl = {0, 0, 0, 0, 0}\n", "bbl = {0, 1}\n", ""):
        header.write_text(head + none)
        assert read(tmp_path / "cube.img").n_channels == 5


def test_a_model_of_all_bands_reads_those_that_are_marked_too(tmp_path, rng):
    numbers = rng.normal(size=(3, 8, 9)).astype(np.float32)
    numbers[:, :4] += 9
    (tmp_path / "cube.img").write_bytes(numbers.tobytes())
    head = "ENVI\nsamples = 9\nlines = 8\nbands = 3\ndata type = 4\ninterleave = bsq\nwavelength = {1,2,3}\n"
    (tmp_path / "cube.hdr").write_text(head + "bbl = {1, 0, 1}\n")
    seg = gmmseg.segment(read(tmp_path / "cube.img", channels="1-3"), k=2)
    assert seg.labels.tolist() == [[2] * 9] * 4 + [[1] * 9] * 4
    np.testing.assert_array_equal(gmmseg.apply(seg.model, tmp_path / "cube.img").labels, seg.labels)
