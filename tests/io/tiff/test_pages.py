"""Windows of TIFF files: what is read window by window is what is read whole."""

import numpy as np
import pytest
import tifffile
from tiff_windows import assert_same_by_windows

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read

CONTIGUOUS = {"compression": None}
STRIPS = {"compression": "zlib", "rowsperstrip": 7}
TILES = {"compression": "zlib", "predictor": True, "tile": (16, 32)}
PLAIN_TILES = {"tile": (32, 16)}
LAYOUTS = [CONTIGUOUS, STRIPS, TILES, PLAIN_TILES]


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f2", "f4", "f8"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_windows_of_one_channel(tmp_path, rng, layout, dtype, byteorder):
    if dtype[0] == "f" and "predictor" in layout:  # needs a codec that tifffile does not have itself
        layout = layout | {"predictor": False}
    values = rng.integers(0, 120, (45, 70)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=byteorder, photometric="minisblack", **layout)
    assert_same_by_windows(tmp_path / "a.tif")


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize("n_channels", [3, 4])
def test_windows_of_channels(tmp_path, rng, layout, planar, photometric, n_channels):
    values = rng.integers(0, 2, (45, 70, n_channels)).astype(np.uint16) * 9
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    extra = [0] * (n_channels - 1) if photometric == "minisblack" else ["unassalpha"] * (n_channels - 3)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric=photometric, planarconfig=planar, extrasamples=extra, **layout
    )
    lazy = assert_same_by_windows(tmp_path / "a.tif")
    assert lazy.color == (photometric == "rgb")
    chosen = assert_same_by_windows(tmp_path / "a.tif", channels="3,1")
    np.testing.assert_array_equal(chosen.array, values[..., [2, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}])
@pytest.mark.parametrize(
    ("shape", "axes", "options"),
    [
        ((5, 18, 19), "ZYX", {}),
        ((5, 2, 18, 19), "ZCYX", {"imagej": True}),
        ((2, 5, 18, 19), "CZYX", {"ome": True}),
        ((5, 2, 18, 19), "ZCYX", {"ome": True}),
        ((1, 5, 18, 19), "TZYX", {"ome": True}),
        ((4, 18, 19), "CYX", {"ome": True}),
        ((4, 18, 19, 3), "ZYXS", {"photometric": "rgb"}),
    ],
)
def test_windows_of_stacks(tmp_path, rng, layout, shape, axes, options):
    if "imagej" in options:
        layout = {}  # all that ImageJ reads
    values = rng.integers(0, 255, shape).astype(np.uint16)
    options = {"photometric": "minisblack", "metadata": {"axes": axes}} | options | layout
    tifffile.imwrite(tmp_path / "s.tif", values, **options)
    lazy = assert_same_by_windows(tmp_path / "s.tif")
    if lazy.n_channels > 1:
        chosen = assert_same_by_windows(tmp_path / "s.tif", channels="2")
        channel = axes.index("C" if "C" in axes else "S")
        np.testing.assert_array_equal(chosen.array[..., 0], np.take(values, 1, axis=channel))


def test_windows_of_pages_without_metadata_and_with_another_channel_axis(tmp_path, rng):
    values = rng.integers(0, 255, (4, 6, 7)).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "s.tif") as tiff:
        for page in values:
            tiff.write(page, metadata=None, compression="zlib")
    for channel_axis in (None, 0):
        assert_same_by_windows(tmp_path / "s.tif", channel_axis=channel_axis)
    with pytest.raises(ParameterError, match="channel_axis=5 is not an axis"):
        read(tmp_path / "s.tif", channel_axis=5, memory=0)


def test_bigtiff(tmp_path, rng):
    values = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    how = {"photometric": "minisblack", "compression": "zlib", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(tmp_path / "b.tif", values, bigtiff=True, **how)
    np.testing.assert_array_equal(assert_same_by_windows(tmp_path / "b.tif").array[..., 0], values)


def test_a_strip_that_is_damaged_is_one_error_that_names_the_rows(tmp_path, rng):
    tifffile.imwrite(
        tmp_path / "d.tif", rng.integers(0, 255, (40, 30)).astype(np.uint8), compression="zlib", rowsperstrip=10
    )
    with tifffile.TiffFile(tmp_path / "d.tif") as tiff:
        offset = tiff.pages[0].dataoffsets[2]
    data = bytearray((tmp_path / "d.tif").read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    (tmp_path / "d.tif").write_bytes(data)
    image = read(tmp_path / "d.tif", memory=0)
    assert image.crop((slice(0, 20), slice(0, 30))).shape == (20, 30)
    with pytest.raises(InputError, match=r"d\.tif is damaged in rows 15 to 24 \(.*\); export or download") as caught:
        image.crop((slice(15, 25), slice(0, 30)))
    assert "\n" not in str(caught.value)
    (tmp_path / "d.tif").unlink()
    with pytest.raises(InputError, match=r"d\.tif cannot be read: No such file"):
        image.crop((slice(0, 5), slice(0, 30)))


def test_ome_files_of_one_image_in_two_files(tmp_path, rng):
    values = rng.integers(0, 99, (2, 8, 9)).astype(np.uint8)
    uuids = ["urn:uuid:11111111-1111-1111-1111-111111111111", "urn:uuid:22222222-2222-2222-2222-222222222222"]
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{c}.ome.tif">{uuid}</UUID></TiffData>'
        for c, uuid in enumerate(uuids)
    )
    for c, uuid in enumerate(uuids):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="9" SizeY="8" SizeC="2" SizeZ="1" '
            f'SizeT="1"><Channel ID="Channel:0:0" Name="a"/><Channel ID="Channel:0:1" Name="b"/>{data}</Pixels>'
            "</Image></OME>"
        )
        tifffile.imwrite(tmp_path / f"{c}.ome.tif", values[c], description=xml, metadata=None, compression="zlib")
    lazy = assert_same_by_windows(tmp_path / "0.ome.tif")
    assert lazy.channel_names == ("a", "b")
    np.testing.assert_array_equal(lazy.array, np.moveaxis(values, 0, -1))
