"""Labels as Zarr: opened by the library itself, level by level."""

import numpy as np
import pytest
import zarr

from gmmseg import Image, OutputError
from gmmseg.image.place import Place
from gmmseg.io import read_labels, write_labels, write_windows
from gmmseg.io.coarser import most_frequent
from gmmseg.io.contents import Contents
from gmmseg.io.zarr.write import packing

LABELS = np.random.default_rng(0).integers(0, 4, (1500, 2300)).astype(np.uint8)


def test_labels_of_ome_zarr(tmp_path):
    image = Image(np.zeros(LABELS.shape, np.uint8), spacing=(2.0, 0.5), place=Place(unit="um"))
    write_labels(tmp_path / "a.zarr", LABELS, image=image, names=("sea", "land", "ice"))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    ome = group.attrs["ome"]
    assert [each["path"] for each in ome["multiscales"][0]["datasets"]] == ["0", "1", "2"]
    np.testing.assert_array_equal(group["0"], LABELS)
    np.testing.assert_array_equal(group["1"], most_frequent(LABELS))
    np.testing.assert_array_equal(group["2"], most_frequent(most_frequent(LABELS)))
    assert ome["multiscales"][0]["axes"][1] == {"name": "x", "type": "space", "unit": "micrometer"}
    assert ome["multiscales"][0]["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [4.0, 1.0]},
        {"type": "translation", "translation": [1.0, 0.25]},
    ]
    assert [each["name"] for each in ome["image-label"]["properties"]] == ["sea", "land", "ice"]
    assert ome["image-label"]["colors"][0] == {"label-value": 0, "rgba": [0, 0, 0, 0]}
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr"), LABELS)


def test_a_plain_array(tmp_path):
    write_labels(tmp_path / "a.zarr", LABELS, plain=True)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r"), LABELS)


def test_windows_in_any_order(tmp_path):
    parts = [
        (slice(a, min(a + 700, 1500)), slice(b, min(b + 900, 2300))) for a in (700, 0, 1400) for b in (900, 1800, 0)
    ]
    write_windows(
        tmp_path / "a.zarr", Contents("labels", LABELS.shape, "uint8", ("a",)), [(each, LABELS[each]) for each in parts]
    )
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "a.zarr", mode="r")["0"], LABELS)


def test_nothing_is_left_of_what_fails_and_no_folder_is_replaced(tmp_path):
    def failing():
        yield (slice(0, 10), slice(0, 2300)), LABELS[:10]
        raise OutputError("the disk is full")

    contents = Contents("labels", LABELS.shape, "uint8", ("a",))
    with pytest.raises(OutputError, match="the disk is full"):
        write_windows(tmp_path / "a.zarr", contents, failing())
    assert not list(tmp_path.iterdir())
    write_labels(tmp_path / "a.zarr", LABELS[:9, :9])
    with pytest.raises(OutputError, match="is a folder"):
        write_labels(tmp_path / "a.zarr", LABELS, overwrite=True)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("sides", [(1024, 1024), (700, 900)])
def test_chunks_that_are_encoded_elsewhere_are_those_of_the_library(tmp_path, plain, sides):
    labels = LABELS.astype(np.uint16)
    labels[:1024, :1024] = 0
    contents = Contents("labels", labels.shape, "uint16", ("a",), None, {"plain": plain})
    plan = packing(contents)
    windows = [
        (slice(a, min(a + sides[0], 1500)), slice(b, min(b + sides[1], 2300)))
        for a in range(0, 1500, sides[0])
        for b in range(0, 2300, sides[1])
    ]
    write_windows(tmp_path / "a.zarr", contents, [(each, plan.pack(each, labels[each])) for each in windows])
    write_windows(tmp_path / "b.zarr", contents, [((slice(0, 1500), slice(0, 2300)), labels)])
    found = {each.relative_to(tmp_path / "a.zarr") for each in (tmp_path / "a.zarr").rglob("*") if each.is_file()}
    assert found == {
        each.relative_to(tmp_path / "b.zarr") for each in (tmp_path / "b.zarr").rglob("*") if each.is_file()
    }
    for each in found:
        assert (tmp_path / "a.zarr" / each).read_bytes() == (tmp_path / "b.zarr" / each).read_bytes(), each
    array = zarr.open_array(tmp_path / "a.zarr" / ("" if plain else "0"), mode="r")
    same = zarr.create_array(tmp_path / "c.zarr", shape=labels.shape, chunks=(1024, 1024), dtype="uint16", fill_value=0)
    same[:] = array[:]
    np.testing.assert_array_equal(same[:], labels)
    own = tmp_path / "a.zarr" / ("" if plain else "0") / "c"
    chunks = {each.relative_to(own): each.read_bytes() for each in own.rglob("*") if each.is_file()}
    library = tmp_path / "c.zarr" / "c"
    assert chunks == {each.relative_to(library): each.read_bytes() for each in library.rglob("*") if each.is_file()}
    assert len(chunks) == 5  # of six, one of zeros
