"""Files of exports: all formats, whole or not at all, nothing replaced unasked."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import OutputError
from gmmseg.export import Export, find_instances, names_in, to_geojson, write_export
from gmmseg.export.kinds import FORMATS
from gmmseg.io import read_labels


def test_palette_png(tmp_path, labels):
    (path,) = write_export(tmp_path / "a.png", find_instances(labels), "png")
    with Pillow.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), labels)
    many = np.arange(1, 301, dtype=np.uint16).reshape(15, 20)
    (path,) = write_export(tmp_path / "b.png", find_instances(many), "png")
    np.testing.assert_array_equal(np.asarray(Pillow.open(path)), many)
    with pytest.raises(OutputError, match="PNG holds labels up to 65535, the largest is 65836"):
        write_export(tmp_path / "c.png", find_instances(many.astype(np.uint32) + 65_536), "png")


def test_a_mask_a_class(tmp_path, labels):
    names = ["sea", "../../etc/passwd", "a b", "straße"]
    written = write_export(tmp_path / "masks", find_instances(labels, class_names=names), "masks")
    assert [path.name for path in written] == ["1_sea.png", "2__etc_passwd.png", "3_a_b.png", "4_straße.png"]
    for label, path in enumerate(written, 1):
        assert path.parent == tmp_path / "masks"
        np.testing.assert_array_equal(np.asarray(Pillow.open(path)), np.where(labels == label, 255, 0))
    objects = find_instances(labels, class_names=["cell"], instances="object")
    (path,) = write_export(tmp_path / "cells", objects, "masks")
    np.testing.assert_array_equal(np.asarray(Pillow.open(path)), np.where(labels > 0, 255, 0))


def test_npz_keeps_names_and_place(tmp_path, labels, place):
    names = ["sea", "sand", "wood", "straße"]
    found = find_instances(labels, class_names=names)
    (path,) = write_export(tmp_path / "a.npz", found, "npz", options=Export(place=place))
    with np.load(path, allow_pickle=False) as data:
        assert sorted(data.files) == ["class_names", "crs", "labels", "transform"]
        np.testing.assert_array_equal(data["labels"], labels)
        assert data["class_names"].tolist() == names
        assert tuple(data["transform"]) == place.affine
        assert data["crs"] == place.crs
    np.testing.assert_array_equal(read_labels(path), labels)
    assert names_in(path) == tuple(names)


@pytest.mark.parametrize("to", FORMATS)
def test_no_pixel_with_a_class(tmp_path, to):
    path = tmp_path / f"a{FORMATS[to]}"
    written = write_export(path, find_instances(np.zeros((4, 5), np.uint8)), to)
    assert all(each.exists() for each in written)
    if path.suffix == ".json":
        data = json.loads(path.read_text())
        listed = data["annotations"][0]["segments_info"] if to == "coco-panoptic" else data
        assert (listed["shapes"] if to == "labelme" else listed["annotations"] if to == "coco" else listed) == []


@pytest.mark.parametrize("to", FORMATS)
def test_files_are_replaced_only_where_asked(tmp_path, labels, to):
    path = tmp_path / f"a{FORMATS[to]}"
    found = find_instances(np.where(labels == 1, labels, 0), instances="class")
    options = Export(image=tmp_path / "a.jpg")
    written = write_export(path, found, to, options=options)
    for each in written:
        content = each.read_bytes()
        for other in written:
            other.unlink()
        each.write_bytes(b"mine")
        with pytest.raises(OutputError, match=r"exists already; pass overwrite=True"):
            write_export(path, found, to, options=options)
        assert [p for p in tmp_path.rglob("*") if p.is_file()] == [each]
        assert each.read_bytes() == b"mine"
        write_export(path, found, to, options=options, overwrite=True)
        assert len(each.read_bytes()) == len(content)


@pytest.mark.parametrize(
    ("name", "to", "words"),
    [
        ("a.txt", "coco", "a.txt: coco is written to .json files"),
        ("a", "yolo", "a: yolo is written to .txt files"),
        ("a.shp", "geojson", "geojson is written to .geojson or .json files"),
        ("none/a.json", "coco", "the folder .*none does not exist"),
        ("taken", "masks", "taken is a file, but masks are written to a folder"),
    ],
)
def test_refused_targets(tmp_path, labels, name, to, words):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match=words):
        write_export(tmp_path / name, find_instances(labels), to)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_failure_leaves_nothing_behind(tmp_path, labels, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("json.JSONEncoder.encode", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_export(tmp_path / "a.geojson", find_instances(labels), "geojson")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_polygons_are_written_one_by_one(tmp_path):
    rows, columns = np.mgrid[:100, :100]
    found = find_instances(((rows + columns) % 2 + 1).astype(np.uint8))
    assert len(found) == 10_000

    def peak(call):
        tracemalloc.start()
        call()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    path = tmp_path / "a.geojson"
    whole = peak(lambda: to_geojson(found))
    assert peak(lambda: write_export(path, found, "geojson")) < 0.5 * whole
    assert json.loads(path.read_text()) == to_geojson(found)
