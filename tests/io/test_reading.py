"""Reading: chosen channels, masks, and what is kept in memory."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

import gmmseg
from gmmseg.errors import ParameterError
from gmmseg.image.windows import everything
from gmmseg.io import read, write_labels


def test_red_green_and_blue_by_the_file_are_colour(tmp_path, rng):
    values = rng.integers(0, 255, (8, 9, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "n.tif", values, photometric="rgb", extrasamples=["unspecified"])
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="minisblack", planarconfig="contig", extrasamples=[0] * 3)
    for memory in (None, 10):
        assert read(tmp_path / "n.tif").channel_names == ("red", "green", "blue", "band 4")
        assert read(tmp_path / "n.tif", channels="red,green,blue", memory=memory).color
        assert not read(tmp_path / "n.tif", channels="band 4,red,green", memory=memory).color
        assert not read(tmp_path / "b.tif", channels="1,2,3", memory=memory).color
    np.testing.assert_array_equal(read(tmp_path / "n.tif", channels=[1, 2, 3]).array, values[..., :3])


@pytest.mark.parametrize("memory", [None, 0, 10**9])
def test_reading_chosen_channels_is_selecting_them(pictures, memory):
    path = pictures / "L7_ETMs.tif"
    chosen = read(path, channels="4,3,2", memory=memory)
    assert chosen.in_memory == (memory != 0)
    expected = read(path)
    np.testing.assert_array_equal(chosen.array, expected.array[..., [3, 2, 1]])
    assert chosen.spacing == expected.spacing
    assert set(chosen.metadata) == set(expected.metadata)
    assert chosen.origin is None


def test_planes_that_are_taken_as_channels_are_colour_only_where_the_file_says_so(tmp_path, rng):
    values = rng.integers(0, 255, (3, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", values, photometric="minisblack", imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "p.tif", values, photometric="rgb", planarconfig="separate")
    assert not read(tmp_path / "t.tif", channel_axis=0).color
    assert read(tmp_path / "p.tif", channel_axis=0).color


@pytest.mark.parametrize("memory", [None, 0])
def test_colour_is_called_red_green_and_blue(tmp_path, rng, memory):
    values = rng.integers(0, 255, (8, 9, 3)).astype(np.uint8)
    np.save(tmp_path / "a.npy", values)
    Pillow.fromarray(values).save(tmp_path / "a.png")
    for name in ("a.npy", "a.png"):
        chosen = read(tmp_path / name, channels="Green", memory=memory)
        np.testing.assert_array_equal(chosen.array[..., 0], values[..., 1])
        assert chosen.channel_names == ("green",)


@pytest.mark.slow
def test_what_stays_in_its_file_is_segmented_like_what_is_in_memory(pictures, tmp_path):
    path = pictures / "L7_ETMs.tif"
    whole, lazy = (read(path, channels="4,3,2", memory=memory) for memory in (None, 0))
    model = gmmseg.fit(whole, 3)
    expected = gmmseg.apply(model, whole).labels
    assert len(np.unique(expected)) == 3
    np.testing.assert_array_equal(gmmseg.apply(model, lazy).labels, expected)


def test_importing_io_loads_nothing_heavy():
    code = "import sys, gmmseg.io; print([m for m in ('numpy', 'PIL', 'cv2', 'tifffile') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_axes_of_a_format_that_says_them(tmp_path):
    write_labels(tmp_path / "a.png", np.ones((4, 5), np.uint8))
    with pytest.raises(ParameterError, match=r"axes='YX' does not fit .*a\.png: PNG says which axes it has"):
        read(tmp_path / "a.png", axes="YX")
    with pytest.raises(ParameterError, match="axes='TYX' and channel_axis=0 are both given"):
        read(tmp_path / "a.png", axes="TYX", channel_axis=0)


@pytest.mark.parametrize("memory", [None, 0])
def test_masks_of_time_lapses(tmp_path, rng, memory):
    np.save(tmp_path / "a.npy", rng.integers(0, 255, (3, 4, 5)).astype(np.uint8))
    still = (np.arange(20).reshape(4, 5) % 3 > 0).astype(np.uint8)
    each = np.stack([still, 1 - still, still])
    for name, mask in (("still.npy", still), ("each.npy", each)):
        np.save(tmp_path / name, mask)
        image = read(tmp_path / "a.npy", axes="TYX", memory=memory, mask=tmp_path / name)
        for frame, wanted in zip(image.frames, np.broadcast_to(mask, (3, 4, 5)), strict=True):
            np.testing.assert_array_equal(frame.crop(everything((4, 5))).valid, wanted != 0)
    with pytest.raises(
        ParameterError, match=r"mask .*turned\.npy has shape \(5, 4\), but .*a\.npy has shape \(3, 4, 5\)"
    ):
        np.save(tmp_path / "turned.npy", still.T)
        read(tmp_path / "a.npy", axes="TYX", memory=memory, mask=tmp_path / "turned.npy")
