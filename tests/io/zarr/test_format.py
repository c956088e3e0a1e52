"""Zarr folders, written by the library itself."""

import json

import numpy as np
import pytest
import tifffile
import zarr

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels
from gmmseg.io.formats import identify

VALUES = np.arange(2 * 3 * 20 * 30, dtype=np.uint16).reshape(2, 3, 20, 30)
AXES = [{"name": "c", "type": "channel"}] + [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]


@pytest.fixture(params=["0.4", "0.5"])
def make(tmp_path, request):
    """Write an image of OME-Zarr of either version: (values, axes, scale, names of channels) -> path."""

    def write(values=VALUES, axes=AXES, scale=(1, 2, 0.5, 0.25), names=("DAPI", "GFP"), **more):
        version, path = request.param, tmp_path / "a.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
        sizes = {"shape": values.shape, "chunks": (*[1] * (values.ndim - 2), 8, 8)}
        group.create_array("finest", dtype=values.dtype, **sizes)[:] = values
        group.create_array("coarse", dtype=values.dtype, **sizes)
        scales = [{"type": "scale", "scale": list(scale)}]
        levels = [{"path": name, "coordinateTransformations": scales} for name in ("finest", "coarse")]
        facts = {"multiscales": [{"axes": axes, "datasets": levels, "version": version}]}
        facts |= {"omero": {"channels": [{"label": name} for name in names]}} | more
        group.attrs.update(facts if version == "0.4" else {"ome": {"version": version} | facts})
        return path

    return write


@pytest.mark.parametrize("memory", [None, 0])
def test_axes_channels_and_sides_of_a_pixel(make, memory):
    path = make()
    image = read(path, memory=memory)
    assert image.in_memory == (memory is None)
    np.testing.assert_array_equal(image.array, np.moveaxis(VALUES, 0, -1))
    assert image.channel_names == ("DAPI", "GFP")
    assert (image.spacing, image.place.unit) == ((2.0, 0.5, 0.25), "um")
    assert not image.color
    chosen = read(path, memory=memory, channels="GFP")
    np.testing.assert_array_equal(chosen.array[..., 0], VALUES[1])
    part = image.crop((slice(1, 3), slice(5, 12), slice(6, 20)))
    np.testing.assert_array_equal(part.array[..., 1], VALUES[1, 1:3, 5:12, 6:20])
    facts = read_info(path)
    assert (facts["axes"], facts["bands"], facts["pixel_size"]) == ("CZYX", ["DAPI", "GFP"], [2.0, 0.5, 0.25])
    assert identify(path).suffix_of_labels(path, "auto") == ".ome.tif"


def test_one_point_in_time_and_none_of_the_channels_named(make):
    axes = [{"name": "t", "type": "time"}, *AXES]
    image = read(make(VALUES[None], axes, (1, 1, 2, 1, 1), ()))
    np.testing.assert_array_equal(image.array, np.moveaxis(VALUES, 0, -1))
    assert image.channel_names == ()


@pytest.mark.parametrize("memory", [None, 0])
def test_several_points_in_time_are_a_time_lapse(make, tmp_path, memory):
    axes = [{"name": "t", "type": "time", "unit": "second"}, *AXES]
    movie = np.stack([VALUES, VALUES[..., ::-1]])
    path = make(movie, axes, (5, 1, 2, 0.5, 0.25))
    image = read(path, memory=memory)
    assert (image.time, image.shape, image.in_memory) == (True, (2, 3, 20, 30), memory is None)
    assert (image.spacing, image.channel_names) == ((2.0, 0.5, 0.25), ("DAPI", "GFP"))
    np.testing.assert_array_equal(image.frames[1].array, np.moveaxis(VALUES[..., ::-1], 0, -1))
    assert identify(path).suffix_of_labels(path, "auto") == ".ome.tif"
    found = gmmseg.segment(path, 2, smooth=False)
    assert found.labels.shape == (2, 3, 20, 30)
    found.save(tmp_path / "labels.zarr")
    again = read(tmp_path / "labels.zarr")
    assert (again.time, again.spacing) == (True, (2.0, 0.5, 0.25))
    np.testing.assert_array_equal(again.array[..., 0], found.labels)
    found.save(tmp_path / "labels.ome.tif")
    with tifffile.TiffFile(tmp_path / "labels.ome.tif") as file:
        assert file.series[0].axes == "TZYX"


def test_time_is_the_first_axis(make):
    axes = [AXES[0], {"name": "t", "type": "time"}, *AXES[1:]]
    with pytest.raises(InputError, match="time is axis 2, but the first in all that is named so"):
        read(make(VALUES[:, None], axes, (1, 1, 2, 1, 1)))


def test_a_picture_and_units_that_differ_or_are_not_known(make, tmp_path):
    planar = [
        {"name": "y", "type": "space", "unit": "millimeter"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    image = read(make(VALUES[0, 0], planar, (0.002, 3), ()))
    assert image.shape == (20, 30)
    np.testing.assert_allclose(image.spacing, (2.0, 3.0))
    of_no_unit = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    path = make(VALUES[0, 0], of_no_unit, (2, 3), ())  # pixels are longer along x, in whatever unit
    image = read(path)
    assert (image.spacing, image.place.unit) == ((2.0, 3.0), None)
    assert read_info(path)["pixel_size"] == [2.0, 3.0]
    found = gmmseg.segment(path, 2, smooth=False)
    found.save(tmp_path / "labels.zarr")
    assert read(tmp_path / "labels.zarr").spacing == (2.0, 3.0)
    assert set(found.objects(2, min_size=1).table()["unit"]) == {"unknown"}
    image = read(make(VALUES[0, 0], of_no_unit, (1, 1), ()))
    assert (image.spacing, image.place) == (None, None)
    path = make(VALUES[0, 0].astype(np.uint8), planar, (1, 1), ())
    np.testing.assert_array_equal(read_labels(path), VALUES[0, 0].astype(np.uint8))
    assert identify(path).suffix_of_labels(path, "auto") == ".ome.tif"


def test_missing_numbers(make):
    values = VALUES[:1].astype(np.float32)
    values[0, 1, 2, 3] = np.nan
    image = read(make(values, names=("a",)))
    assert np.argwhere(~image.valid).tolist() == [[1, 2, 3]]


def test_what_names_no_single_image(make, tmp_path):
    path = make()
    with pytest.raises(ParameterError, match=r"axes='CZYX' does not fit .*OME-Zarr says which axes"):
        read(make(), axes="CZYX")
    with pytest.raises(ParameterError, match=r"channel_axis=0 does not fit .*OME-Zarr says which axes"):
        read(path, channel_axis=0)
    with pytest.raises(InputError, match="2 channels, so it is not a label map"):
        read_labels(path)
    with pytest.raises(InputError, match="is a Zarr file; give probability maps as"):
        read_probabilities(path)
    with pytest.raises(InputError, match="above the limit of 99"):
        read(path, max_pixels=99)
    with pytest.raises(InputError, match="has no array gone, which its multiscales name"):
        read(make(multiscales=[{"axes": AXES, "datasets": [{"path": "gone"}]}]))
    with pytest.raises(InputError, match="has no array ../b, which"):
        read(make(multiscales=[{"axes": AXES, "datasets": [{"path": "../b"}]}]))
    with pytest.raises(InputError, match="is damaged: its multiscales say no image"):
        read(make(multiscales=[{"axes": AXES}]))
    with pytest.raises(InputError, match=r"has 4 axes, but names 1 \(x\)"):
        read(make(multiscales=[{"axes": ["x"], "datasets": [{"path": "finest"}]}]))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}, r"is a plate with wells A/1, A/2, \.\.\.; name one"),
        ({"well": {}}, r"holds several images; name the folder of one, as in .*/0"),
        ({"bioformats2raw.layout": 3}, r"holds several images; name the folder of one"),
        ({}, r"holds no array; name the folder of one"),
    ],
)
def test_groups_of_images(tmp_path, facts, message):
    zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=2).attrs.update(facts)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "g.zarr")


@pytest.mark.parametrize("memory", [None, 0])
def test_plain_arrays_follow_the_rules_of_arrays(tmp_path, rng, memory):
    rgb = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    options = {"chunks": (8, 8, 3), "shards": (16, 16, 3)}
    zarr.create_array(tmp_path / "a.zarr", shape=rgb.shape, dtype=rgb.dtype, **options)[:] = rgb
    image = read(tmp_path / "a.zarr", memory=memory)
    np.testing.assert_array_equal(image.array, rgb)
    assert image.color
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("only", shape=(4, 5, 6), dtype="f4")[:] = 7
    with pytest.raises(ParameterError, match=r"channel_axis=-1 .* channel_axis=None"):
        read(tmp_path / "g.zarr", memory=memory)
    assert read(tmp_path / "g.zarr", channel_axis=None, memory=memory).shape == (4, 5, 6)
    group.create_array("other", shape=(4, 5), dtype="u1")
    with pytest.raises(InputError, match=r"g\.zarr holds only, other; name the folder of one"):
        read(tmp_path / "g.zarr")
    assert read(tmp_path / "g.zarr" / "other").shape == (4, 5)


@pytest.mark.parametrize("place", ["filters", "compressor"])
@pytest.mark.parametrize("codec", ["pickle", "lzma"])
def test_nothing_is_unpickled_or_inflated_without_a_limit(tmp_path, place, codec):
    facts = {"zarr_format": 2, "shape": [3, 4], "chunks": [3, 4], "dtype": "<f4", "order": "C", "fill_value": 0.0}
    codecs = {"filters": None, "compressor": None}
    codecs[place] = [{"id": codec}] if place == "filters" else {"id": codec}
    (tmp_path / "p.zarr").mkdir()
    (tmp_path / "p.zarr" / ".zarray").write_text(json.dumps(facts | codecs))
    (tmp_path / "p.zarr" / "0.0").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(InputError, match=f"p.zarr is .*{codec}"):
        read(tmp_path / "p.zarr")


def test_blocks_that_are_too_large_or_damaged(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(40_000, 40_000), dtype="u1", chunks=(40_000, 40_000))
    with pytest.raises(InputError, match="its blocks take 1526 MiB, above the limit"):
        read(tmp_path / "a.zarr", memory=1 << 20)
    array = zarr.create_array(tmp_path / "b.zarr", shape=(20, 30), dtype="u1", chunks=(20, 30))
    array[:] = np.arange(600).reshape(20, 30) % 7
    (tmp_path / "b.zarr" / "c" / "0" / "0").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"b\.zarr is damaged, or encoded in a way that is not read"):
        read(tmp_path / "b.zarr")


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("suffix", [".zarr", ".ome.tif"])
def test_label_maps_have_the_interval_of_frames(make, tmp_path, suffix, spaced):
    unit = {"unit": "micrometer"} if spaced else {}
    axes = [{"name": "t", "type": "time", "unit": "minute"}, *({"name": n, "type": "space"} | unit for n in "yx")]
    image = read(make(VALUES[0], axes, (5, 0.5, 0.25) if spaced else (5, 1, 1), ()))
    assert image.time
    assert image.place.interval == (5, "min")
    assert read_info(image.name)["interval_s"] == 300
    path = tmp_path / f"labels{suffix}"
    write_labels(path, np.ones(image.shape, np.uint8), image=image)
    if suffix == ".zarr":
        first = zarr.open_group(path, mode="r").attrs["ome"]["multiscales"][0]
        assert first["axes"][0] == {"name": "t", "type": "time", "unit": "minute"}
        scale = first["datasets"][0]["coordinateTransformations"][0]["scale"]
        assert scale == ([5, 0.5, 0.25] if spaced else [5, 1, 1])
    else:
        with tifffile.TiffFile(path) as tiff:
            pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (5, "min")
        assert pixels.get("PhysicalSizeX") == (0.25 if spaced else None)
    write_labels(tmp_path / "again.zarr", np.ones(image.shape, np.uint8), image=read(path))
    again = zarr.open_group(tmp_path / "again.zarr", mode="r").attrs["ome"]["multiscales"][0]
    assert again["axes"][0] == {"name": "t", "type": "time", "unit": "minute"}
