"""What is asked of a reader of files: channels, memory, axes and limits."""

from pathlib import Path

import numpy as np
import pytest
from counted_sources import SelectableSource

from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.io import read
from gmmseg.io.request import Reading, chosen, kept, require_axis, require_bytes, require_limit, require_room


@pytest.fixture
def stored(rng):
    """An image of 6 x 7 pixels and 4 channels, uint16, in its file; and its values."""
    values = rng.integers(0, 9, (6, 7, 4)).astype(np.uint16)
    return Image(SelectableSource(values), color=False, name="a.tif"), values


def test_what_fits_into_the_memory_is_read_and_more_stays_in_its_file(stored):
    image, values = stored
    assert kept(image, Reading(memory=6 * 7 * 4 * 2 - 1)) is image
    for memory in (None, 6 * 7 * 4 * 2):
        whole = kept(image, Reading(memory=memory))
        assert whole.in_memory
        np.testing.assert_array_equal(whole.array, values)
    assert kept(whole, Reading(memory=0)) is whole  # it is in memory anyway


def test_the_limit_is_of_what_is_decoded_whole(stored):
    image, _ = stored
    assert kept(image, Reading(memory=0, max_pixels=1)) is image
    with pytest.raises(InputError, match=r"a\.tif is 7 x 6 = 42 pixels, above the limit of 41"):
        kept(image, Reading(max_pixels=41))
    assert kept(image, Reading(max_pixels=42)).in_memory


def test_channels_are_chosen_before_pixels_are_read(stored):
    _, values = stored
    source = SelectableSource(values)
    image = Image(source, color=False, name="a.tif")
    assert chosen(image, Reading()) is image
    few = chosen(image, Reading(channels="4,2"))
    np.testing.assert_array_equal(few.array, values[..., [3, 1]])
    assert source.log == [(3, 1)]
    assert not chosen(image, Reading(channels="4,2", memory=6 * 7 * 2 * 2 - 1)).in_memory


def test_pixels_stay_in_their_file_until_channels_are_chosen():
    assert Reading(memory=7).memory_unchosen == 7
    assert Reading().memory_unchosen is None
    assert Reading(memory=7, channels="1").memory_unchosen == 0


def test_axes_that_contradict_the_file():
    image = Image(np.zeros((3, 4, 2), np.uint8), name="a.nii")
    for axis in ("auto", -1, 2):
        require_axis(image, Reading(channel_axis=axis), "NIfTI")
    for axis in (0, None):
        with pytest.raises(ParameterError, match=rf"channel_axis={axis} does not fit a\.nii: NIfTI says which"):
            require_axis(image, Reading(channel_axis=axis), "NIfTI")
    require_axis(image, Reading(channel_axis=0), "NIfTI", fits=True)
    with pytest.raises(ParameterError, match="leave it out"):
        require_axis(image, Reading(), "NIfTI", fits=False)


def test_images_of_too_many_pixels_or_of_none():
    require_room(Path("a.png"), (3, 4), Reading(max_pixels=12))
    with pytest.raises(InputError, match=r"^a\.png is 5 x 4 x 3 = 60 pixels, above the limit of 59; raise "):
        require_room(Path("a.png"), (3, 4, 5), Reading(max_pixels=59))
    with pytest.raises(InputError, match="needs at least one pixel"):
        require_room(Path("a.png"), (3, 0), Reading())
    # No dtype of NumPy holds this product.
    with pytest.raises(InputError, match=f"= {2**80} pixels"):
        require_room(Path("a.png"), (2**40, 2**40), Reading())
    with pytest.raises(ParameterError, match="max_pixels=0 allows no image; use at least 1"):
        require_limit(0)


def test_bytes_are_limited_beside_pixels():
    reading = Reading(budget=100 << 20)
    require_room(Path("a.png"), (1024, 1024), reading, 100)
    with pytest.raises(InputError, match=r"^a\.png: its 1024 x 1024 pixels take 101 MiB, above the limit of 100 MiB; "):
        require_room(Path("a.png"), (1024, 1024), reading, 101)
    require_bytes("a.tif", 100 << 20, reading, "its tiles")
    with pytest.raises(InputError, match=r"^a\.tif: its tiles take 101 MiB, above the limit of 100 MiB; raise memory$"):
        require_bytes("a.tif", (100 << 20) + 1, reading, "its tiles")
    require_bytes("a.tif", 64 << 20, Reading(budget=1), "its tiles")  # what ordinary files need


def test_what_is_kept_in_memory_is_within_the_budget(stored):
    class Large(SelectableSource):
        @property
        def shape(self):
            return (4096, 4096, 8)

    with pytest.raises(InputError, match="pixels take 256 MiB, above the limit of 255 MiB"):
        kept(Image(Large(stored[1]), color=False, name="a.tif"), Reading(budget=255 << 20))


@pytest.mark.parametrize("value", [np.zeros((2, 2)), [1], "a", b"a", object()], ids=type)
@pytest.mark.parametrize("name", ["max_pixels", "memory", "resolution", "mask_threshold"])
def test_what_is_no_number_is_refused_before_anything_is_read(name, value):
    with pytest.raises(ParameterError, match=rf"^{name}(=| is an array)"):
        read("none.png", **{name: value})


def test_channels_may_be_an_array(tmp_path, rng):
    values = rng.integers(0, 9, (6, 7, 4)).astype(np.uint16)
    np.save(tmp_path / "a.npy", values)
    image = read(tmp_path / "a.npy", channels=np.array([3, 1]), channel_axis=-1)
    np.testing.assert_array_equal(image.array, values[..., [2, 0]])
