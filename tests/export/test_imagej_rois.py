"""ImageJ's ROIs, read by another program."""

import io
import zipfile

import numpy as np
import pytest
from label_maps import CRAFTED
from skimage.draw import polygon2mask

from gmmseg.errors import ParameterError
from gmmseg.export import find_in_planes, find_instances, write_export
from gmmseg.export.imagej_rois import write_rois

roifile = pytest.importorskip("roifile")


def drawn(roi, shape):
    """The pixels of an ROI: whose centres lie within an odd number of its rings."""
    if roi.composite:
        path, rings, at = roi.multi_coordinates, [], 0
        while at < len(path):
            if path[at] == 4:
                at += 1
                continue
            if path[at] == 0:
                rings.append([])
            rings[-1].append(path[at + 1 : at + 3])
            at += 3
    else:
        rings = [roi.coordinates()]
    inside = np.zeros(shape, bool)
    for ring in rings:
        inside ^= polygon2mask(shape, np.asarray(ring, float)[:, ::-1] - 0.5)
    return inside


@pytest.mark.parametrize("kind", ["component", "class", "object"])
def test_the_pixels_come_back(tmp_path, kind):
    labels = CRAFTED.astype(np.uint16) * 300
    found = find_instances(labels if kind == "object" else CRAFTED, instances=kind)
    (path,) = write_export(tmp_path / "a.zip", found, "roi")
    rois = roifile.roiread(path)
    assert len(rois) == len(found)
    for index, roi in enumerate(rois):
        np.testing.assert_array_equal(drawn(roi, CRAFTED.shape), found.numbers == index + 1)
        number = int(found.values[index]) if kind == "object" else index + 1
        assert roi.name == f"{number:04}-{found.name_of(index)}"
        assert roi.group == found.categories[index]


def test_colours_and_bytes(tmp_path):
    found = find_instances(np.array([[1, 1, 2]]), class_names=["a/b", "straße"])
    first, second = io.BytesIO(), io.BytesIO()
    write_rois(first, found)
    write_rois(second, found)
    assert first.getvalue() == second.getvalue()
    assert zipfile.ZipFile(first).namelist() == ["0001-a_b.roi", "0002-straße.roi"]
    path = tmp_path / "a.zip"
    path.write_bytes(first.getvalue())
    roi = roifile.roiread(path)[1]
    assert roi.stroke_color == bytes([255, 230, 159, 0])
    assert (roi.left, roi.top, roi.right, roi.bottom) == (2, 0, 3, 1)


def test_pictures_that_rois_cannot_count():
    with pytest.raises(ParameterError, match="40000 x 1 pixels, ImageJ's ROIs count to 32767"):
        write_rois(io.BytesIO(), find_instances(np.ones((1, 40_000), np.uint8)))


def test_rois_of_volumes_over_time_lie_in_their_plane_and_frame(tmp_path):
    labels = np.zeros((2, 3, 4, 5), np.uint16)
    labels[0, 2, 1:3, 1:4], labels[1, 0, 0, 0], labels[1, 2, 3, 4] = 7, 7, 9
    (path,) = write_export(tmp_path / "a.zip", find_in_planes(labels, time=True), "roi")
    rois = roifile.roiread(path)
    assert [roi.name for roi in rois] == ["t1-z3-0007-object", "t2-z1-0007-object", "t2-z3-0009-object"]
    assert [(roi.t_position, roi.z_position, roi.c_position) for roi in rois] == [(1, 3, 0), (2, 1, 0), (2, 3, 0)]
    assert [roi.position for roi in rois] == [3, 4, 6]  # in a stack of all planes
    np.testing.assert_array_equal(drawn(rois[0], (4, 5)), labels[0, 2] > 0)


@pytest.mark.parametrize(("time", "places"), [(True, [(1, 0), (12, 0)]), (False, [(0, 1), (0, 12)])])
def test_rois_of_one_axis_more_are_numbered_through(tmp_path, time, places):
    labels = np.zeros((12, 2, 3), np.uint8)
    labels[0, 0, [0, 2]], labels[11, 1] = 1, 2
    (path,) = write_export(tmp_path / "a.zip", find_in_planes(labels, time=time), "roi")
    rois = roifile.roiread(path)
    letter = "t" if time else "z"
    assert [roi.name for roi in rois] == [
        f"{letter}01-0001-class 1",
        f"{letter}01-0002-class 1",
        f"{letter}12-0003-class 2",
    ]
    assert [(roi.t_position, roi.z_position) for roi in rois] == [places[0], places[0], places[1]]
    assert [roi.position for roi in rois] == [1, 1, 12]
