"""Axes of a TIFF series."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg import io
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_info


@pytest.mark.filterwarnings("ignore:.* does not say what its . pages are")
@pytest.mark.parametrize(
    ("shape", "options", "spatial", "n_channels"),
    [
        ((5, 8, 9), {"metadata": {"axes": "ZYX"}}, (5, 8, 9), 1),
        ((5, 8, 9), {}, (5, 8, 9), 1),
        ((5, 8, 9), {"imagej": True, "metadata": {"axes": "ZYX"}}, (5, 8, 9), 1),
        ((5, 2, 8, 9), {"imagej": True, "metadata": {"axes": "ZCYX"}}, (5, 8, 9), 2),
        ((2, 8, 9), {"metadata": {"axes": "CYX"}}, (8, 9), 2),
        ((1, 5, 8, 9), {"ome": True, "metadata": {"axes": "TZYX"}}, (5, 8, 9), 1),
        ((4, 8, 9, 3), {"photometric": "rgb"}, (4, 8, 9), 3),
    ],
)
def test_stacks(tmp_path, rng, shape, options, spatial, n_channels):
    values = rng.integers(0, 255, shape).astype(np.uint8)
    options = {"photometric": "minisblack"} | options
    tifffile.imwrite(tmp_path / "s.tif", values, **options)
    image = read(tmp_path / "s.tif")
    assert image.shape == spatial
    assert image.n_channels == n_channels
    assert image.array.sum(dtype=int) == values.sum(dtype=int)


def test_pages_without_metadata_are_a_volume(tmp_path):
    with tifffile.TiffWriter(tmp_path / "s.tif") as tiff:
        for value in range(4):
            tiff.write(np.full((6, 7), value, np.uint16), metadata=None)
    with pytest.warns(DataWarning, match=r"s\.tif does not say what its 4 pages are: .* planes .*, as by axes='ZYX'"):
        image = read(tmp_path / "s.tif")
    assert image.shape == (4, 6, 7)
    assert image.array[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    bands = read(tmp_path / "s.tif", channel_axis=0)
    assert (bands.shape, bands.n_channels) == ((6, 7), 4)
    # Whoever says it gets the same without a word.
    assert read(tmp_path / "s.tif", axes="ZYX").shape == read(tmp_path / "s.tif", spacing=(2, 1, 1)).shape == (4, 6, 7)
    assert io.read_labels(tmp_path / "s.tif").shape == (4, 6, 7)


WRITERS = {
    "imagej": ("TZCYX", {"imagej": True}),
    "ome": ("TCZYX", {"ome": True}),
    "planes before time": ("ZTCYX", {"ome": True}),
    "compressed": ("CZTYX", {"ome": True, "compression": "zlib"}),
    "without metadata of its own": ("TZCYX", {}),
}


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("writer", WRITERS)
def test_time_is_never_depth(tmp_path, rng, writer, memory):
    axes, options = WRITERS[writer]
    lengths = {"T": 4, "Z": 3, "C": 2, "Y": 8, "X": 9}
    values = rng.integers(0, 9000, tuple(lengths[axis] for axis in axes)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "t.tif", values, photometric="minisblack", metadata={"axes": axes}, **options)
    image = read(tmp_path / "t.tif", memory=memory)
    assert image.time
    assert image.in_memory == (memory is None)
    assert (image.shape, image.n_channels) == ((4, 3, 8, 9), 2)
    wanted = values.transpose([axes.index(axis) for axis in "TZYXC"])
    np.testing.assert_array_equal(image.array, wanted)
    for frame, own in zip(image.frames, wanted, strict=True):
        np.testing.assert_array_equal(frame.array, own)
    assert read_info(tmp_path / "t.tif")["frames"] == 4


@pytest.mark.parametrize("memory", [None, 0])
def test_axes_where_the_file_does_not_say_them(tmp_path, rng, memory):
    values = rng.integers(0, 255, (5, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "s.tif", values, photometric="minisblack", metadata=None)
    movie = read(tmp_path / "s.tif", axes="TYX", memory=memory)
    assert movie.time
    np.testing.assert_array_equal(movie.frames[3].array[..., 0], values[3])
    bands = read(tmp_path / "s.tif", axes="CYX", memory=memory)
    assert (bands.shape, bands.n_channels, bands.time) == ((8, 9), 5, False)
    tifffile.imwrite(tmp_path / "wrong.tif", values, imagej=True, metadata={"axes": "ZYX"})
    assert read(tmp_path / "wrong.tif", axes="TYX", memory=memory).time
    colours = rng.integers(0, 255, (2, 8, 9, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", metadata=None)
    film = read(tmp_path / "c.tif", axes="TYXS", memory=memory)
    assert (film.color, film.time, film.shape) == (True, True, (2, 8, 9))
    for axes, words in (
        ("TZCYX", r"s\.tif \(axes \w+\), which has 3 axes \(5 x 8 x 9\), not 5"),
        ("TYA", "'A' is no axis"),
    ):
        with pytest.raises(ParameterError, match=words):
            read(tmp_path / "s.tif", axes=axes, memory=memory)
    with pytest.raises(ParameterError, match="S is of the samples of a pixel"):
        read(tmp_path / "c.tif", axes="CTYX", memory=memory)


@pytest.mark.parametrize("memory", [None, 0])
def test_a_damaged_frame_is_named(tmp_path, rng, memory):
    values = rng.integers(0, 255, (4, 3, 20, 30)).astype(np.uint8)
    path = tmp_path / "t.ome.tif"
    tifffile.imwrite(path, values, ome=True, metadata={"axes": "TZYX"}, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[2 * 3 + 1].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start + 2 : start + 30] = b"\xff" * 28
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.ome\.tif is damaged in frame 3, plane 2") as caught:
        _ = read(path, memory=memory).array
    assert "\n" not in str(caught.value)


def test_axes_that_are_neither_time_nor_space(tmp_path):
    values = np.zeros((3, 4, 5, 6), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", metadata={"axes": "AZYX"})
    with pytest.raises(InputError, match=r"3 images along axis A .*channel_axis=0"):
        read(tmp_path / "a.tif")
    assert read(tmp_path / "a.tif", channel_axis=0).n_channels == 3


@pytest.mark.parametrize("memory", [None, 0])
def test_palettes_have_a_colour_for_each_number(tmp_path, memory):
    colors = np.arange(768, dtype=np.uint16).reshape(3, 256) << 6
    tifffile.imwrite(tmp_path / "p.tif", np.full((4, 5), 200, np.uint8), photometric="palette", colormap=colors)
    assert read(tmp_path / "p.tif").color
    content = bytearray((tmp_path / "p.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        struct.pack_into("<I", content, tiff.pages[0].tags[320].offset + 4, 24)
    (tmp_path / "p.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"p\.tif has a palette of 8 colours for numbers of 8 bits"):
        read(tmp_path / "p.tif", memory=memory)


def test_colours_of_cielab_are_not_taken_for_bands(tmp_path):
    """Half of a* and b* lies below 0, and is stored as 128 to 255."""
    Pillow.new("LAB", (4, 3), (90, 250, 5)).save(tmp_path / "lab.tif")
    with pytest.raises(
        InputError, match=r"lab\.tif has its colours in CIELAB, of which nothing is read; save it in RGB"
    ):
        read(tmp_path / "lab.tif")
