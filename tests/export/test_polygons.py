"""Polygons: valid by Shapely, of the same pixels; YOLO and LabelMe read as their programs read them."""

import json
import warnings

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_maps import CRAFTED, smooth_labels
from rasterio.enums import MergeAlg
from rasterio.features import rasterize

from gmmseg.errors import DataWarning, ParameterError
from gmmseg.export import Export, find_instances, to_labelme, to_polygons, to_yolo, write_export

SMALL = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))
KINDS = st.sampled_from(["component", "class"])


def pixels_of(shape, size):
    """The pixels whose centres are in a shape, which no exact outline runs through."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return shapely.contains_xy(shape, columns + 0.5, rows + 0.5)


@settings(deadline=None)
@given(SMALL, KINDS)
@example(CRAFTED, "component")
@example(CRAFTED, "class")
@example(np.zeros((2, 3), np.uint8), "component")
def test_polygons_are_the_regions(labels, kind):
    found = find_instances(labels, instances=kind)
    polygons = to_polygons(found)
    seen = np.zeros_like(labels)
    for each in polygons:
        assert each.name == f"class {each.label}"
        shape = shapely.Polygon(each.exterior, each.holes)
        assert shape.is_valid
        assert shapely.is_ccw(shape.exterior)
        assert not any(shapely.is_ccw(hole) for hole in shape.interiors)
        inside = pixels_of(shape, labels.shape)
        assert inside.sum() == shape.area
        assert len(np.unique(found.parts[inside])) == 1
        assert not seen[inside].any()
        seen[inside] = each.label
    np.testing.assert_array_equal(seen, labels)
    assert len(polygons) == found.parts.max()


@settings(deadline=None)
@given(SMALL)
@example(CRAFTED)
def test_corners_only_and_rings_that_never_meet_themselves(labels):
    for each in to_polygons(find_instances(labels)):
        for ring in (each.exterior, *each.holes):
            steps = np.diff(ring, axis=0)
            assert (ring[0] == ring[-1]).all()
            assert len(np.unique(ring[:-1], axis=0)) == len(ring) - 1
            assert ((steps == 0).sum(axis=1) == 1).all()
            turned = np.vstack([steps, steps[:1]]) == 0
            assert (turned[1:] != turned[:-1]).all()


def test_simplified_outlines_still_fit_together():
    labels = smooth_labels((120, 150), 4, sigma=4)
    found = find_instances(labels)
    simple = to_polygons(found, simplify=2.0)
    shapes = np.array([shapely.Polygon(each.exterior, each.holes) for each in simple])
    assert shapely.is_valid(shapes).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(shapes)).all()
    assert shapely.coverage_is_valid(shapes)
    exact = to_polygons(found)
    assert [each.label for each in simple] == [each.label for each in exact]
    assert sum(len(each.exterior) for each in simple) < 0.4 * sum(len(each.exterior) for each in exact)
    back = np.zeros_like(labels)
    for each, shape in zip(simple, shapes, strict=True):
        back[pixels_of(shape, labels.shape)] = each.label
    assert 0.9 < (back == labels).mean() < 1


@pytest.mark.parametrize("tolerance", [0, -1, np.nan, np.inf])
def test_tolerances_are_checked(labels, tolerance):
    with pytest.raises(ParameterError, match="simplify="):
        to_polygons(find_instances(labels), simplify=tolerance)


def ring(points):
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def read_yolo(text, shape):
    """As Ultralytics: the class, then x and y as shares of width and height."""
    shapes = []
    for line in text.splitlines():
        number, *values = line.split()
        points = np.array(values, float).reshape(-1, 2)
        assert len(points) >= 4
        assert ((points >= 0) & (points <= 1)).all()
        shapes.append((ring((points * shape[::-1]).tolist()), int(number) + 1))
    if not shapes:
        return np.zeros(shape, np.uint8)
    assert rasterize([each for each, _ in shapes], out_shape=shape, merge_alg=MergeAlg.add).max() == 1
    return rasterize(shapes, out_shape=shape)


@pytest.mark.slow
@settings(deadline=None)
@given(SMALL)
@example(CRAFTED)
@example(smooth_labels((101, 157), 5, sigma=1.2))
def test_yolo_gives_back_the_pixels_holes_included(labels):
    text = "\n".join(to_yolo(find_instances(labels)))
    np.testing.assert_array_equal(read_yolo(text, labels.shape), labels)


def test_yolo_files(tmp_path, labels):
    names = ["sea", 'the "old" town', "3: wood", "straße"]
    written = write_export(tmp_path / "photo.txt", find_instances(labels, class_names=names), "yolo")
    assert [path.name for path in written] == ["photo.txt", "photo.yaml"]
    np.testing.assert_array_equal(read_yolo(written[0].read_text(), labels.shape), labels)
    head, *lines = written[1].read_text().splitlines()
    assert head == "names:"
    assert [line.split(": ", 1)[0] for line in lines] == ["  0", "  1", "  2", "  3"]
    assert [json.loads(line.split(": ", 1)[1]) for line in lines] == names


@pytest.mark.slow
@settings(deadline=None)
@given(SMALL.filter(lambda labels: (labels > 0).all()))
@example(np.maximum(CRAFTED, 1))
@example(smooth_labels((60, 80), 4, sigma=1.2))
def test_labelme_painted_in_order_gives_back_the_pixels(labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        data = to_labelme(find_instances(labels), image_path="a.png")
    numbers = {f"class {label}": label for label in range(1, 6)}
    shapes = [(ring(shape["points"]), numbers[shape["label"]]) for shape in data["shapes"]]
    np.testing.assert_array_equal(rasterize(shapes, out_shape=labels.shape), labels)


def test_labelme_says_how_many_holes_it_fills():
    with pytest.warns(DataWarning, match=r"^a\.jpg: LabelMe polygons have no holes: 2 are filled") as caught:
        to_labelme(find_instances(np.pad(np.array([[0, 1, 2]], np.uint8), 1, constant_values=1)), image_path="a.jpg")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_labelme(find_instances(np.eye(3, dtype=np.uint8)), image_path="a")


def test_labelme_files_have_what_labelme_reads(tmp_path):
    labels = np.kron(np.array([[1, 2], [2, 1]], np.uint8), np.ones((20, 30), np.uint8))
    (tmp_path / "labels").mkdir()
    options = Export(image=tmp_path / "photos" / "a.jpg")
    found = find_instances(labels, class_names=["sea", "land"], instances="class")
    (path,) = write_export(tmp_path / "labels" / "a.json", found, "labelme", options=options)
    data = json.loads(path.read_text())
    assert data["imagePath"] == "../photos/a.jpg"
    assert data["imageData"] is None
    assert (data["imageHeight"], data["imageWidth"]) == labels.shape
    assert isinstance(data["version"], str)
    assert data["flags"] == {}
    assert [shape["label"] for shape in data["shapes"]] == ["sea", "sea", "land", "land"]
    assert [shape["group_id"] for shape in data["shapes"]] == [1, 1, 2, 2]
    for shape in data["shapes"]:
        # The keys of a shape that LabelMe's LabelFile takes; others it would keep as unknown data.
        assert set(shape) == {"label", "points", "group_id", "description", "shape_type", "flags", "mask"}
        assert shape["shape_type"] == "polygon"
        assert len(shape["points"]) == 4
