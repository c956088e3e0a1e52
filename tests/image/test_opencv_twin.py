"""OpenCV's twin gives what OpenCV gives, function by function."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.image import opencv_twin as twin

cv2 = pytest.importorskip("cv2", reason="there is nothing to compare with")

FLOATS = np.random.default_rng(0).normal(0, 20, (31, 23, 3)).astype(np.float32)
PLANE = np.ascontiguousarray(FLOATS[..., 0])
MASK = (np.random.default_rng(1).random((31, 23)) > 0.1).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.4, 1.1, 1.3, 2.0, 7.7])
@pytest.mark.parametrize("border", ["BORDER_DEFAULT", "BORDER_REPLICATE"])
def test_blur(sigma, border):
    for values in (FLOATS, PLANE):
        ours = twin.GaussianBlur(values, (0, 0), sigma, borderType=getattr(twin, border))
        theirs = cv2.GaussianBlur(values, (0, 0), sigma, borderType=getattr(cv2, border))
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("axis", [(1, 0), (0, 1)])
def test_slopes(axis):
    ours, theirs = twin.Sobel(FLOATS, twin.CV_32F, *axis, ksize=3), cv2.Sobel(FLOATS, cv2.CV_32F, *axis, ksize=3)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_sums_and_borders():
    ours = twin.boxFilter(PLANE, -1, (7, 7), normalize=False, borderType=twin.BORDER_CONSTANT)
    theirs = cv2.boxFilter(PLANE, -1, (7, 7), normalize=False, borderType=cv2.BORDER_CONSTANT)
    np.testing.assert_allclose(ours, theirs, atol=1e-2)
    sides = (2, 3, 4, 5)
    ours = twin.copyMakeBorder(PLANE, *sides, twin.BORDER_REPLICATE)
    np.testing.assert_array_equal(ours, cv2.copyMakeBorder(PLANE, *sides, cv2.BORDER_REPLICATE))


def test_colors():
    colors = np.random.default_rng(2).random((4, 64, 3)).astype(np.float32)
    colors[0] = colors[0, :, :1]  # greys, which have no hue
    for name, far in (("COLOR_RGB2HSV", 1e-3), ("COLOR_RGB2Luv", 0.1)):
        ours, theirs = colors.copy(), colors.copy()
        twin.cvtColor(ours, getattr(twin, name), ours)
        cv2.cvtColor(theirs, getattr(cv2, name), theirs)
        np.testing.assert_allclose(ours, theirs, atol=far)


@pytest.mark.parametrize("size", range(1, 12))
def test_shapes_grow_and_shrink_by_an_ellipse(size):
    kernel = twin.getStructuringElement(twin.MORPH_ELLIPSE, (size, size))
    np.testing.assert_array_equal(kernel, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    np.testing.assert_array_equal(twin.erode(MASK, kernel), cv2.erode(MASK, kernel))
    np.testing.assert_array_equal(twin.dilate(1 - MASK, kernel), cv2.dilate(1 - MASK, kernel))


def test_distances():
    here = np.ones((40, 50), np.uint8)
    here[10, 10] = here[30, 45] = 0
    ours = twin.distanceTransform(here, twin.DIST_L2, twin.DIST_MASK_5)
    np.testing.assert_allclose(ours, cv2.distanceTransform(here, cv2.DIST_L2, cv2.DIST_MASK_5), rtol=0.03)
    assert (twin.distanceTransform(np.ones((2, 2), np.uint8), 2, 5) > 1e6).all()
    _, numbers = twin.distanceTransformWithLabels(here, 2, 5, labelType=twin.DIST_LABEL_PIXEL)
    assert len(np.unique(numbers)) == 2
    assert numbers[0, 0] == numbers[10, 10] != numbers[30, 45] == numbers[39, 49]


@pytest.mark.parametrize("values", [FLOATS, PLANE, np.uint8(FLOATS.clip(0, 255)), PLANE[..., None]])
@pytest.mark.parametrize("name", ["INTER_AREA", "INTER_NEAREST"])
def test_smaller_pictures(values, name):
    ours = twin.resize(values, [9, 11], interpolation=getattr(twin, name))
    theirs = cv2.resize(values, [9, 11], interpolation=getattr(cv2, name))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, atol=1 if values.dtype == np.uint8 else 1e-3)


@pytest.mark.parametrize("thickness", [1, 2, 5, 12])
def test_lines(thickness):
    lines = [np.array([[160, 160], [800, 480], [480, 900]], np.int32)]
    ours, theirs = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    twin.polylines(ours, lines, False, 3, thickness, twin.LINE_8, 4)
    cv2.polylines(theirs, lines, False, 3, thickness, cv2.LINE_8, 4)
    assert set(np.unique(ours)) == {0, 3}
    grown = [cv2.dilate(each, np.ones((5, 5), np.uint8)) for each in (ours, theirs)]
    assert not ((ours > 0) & (grown[1] == 0)).any()
    assert not ((theirs > 0) & (grown[0] == 0)).any()


def test_encoded_pictures():
    drawn = np.uint8(FLOATS.clip(0, 255))
    for ending, option, value, far in (
        (".png", "IMWRITE_PNG_COMPRESSION", 1, 0),
        (".jpg", "IMWRITE_JPEG_QUALITY", 92, 8),
    ):
        done, encoded = twin.imencode(ending, drawn, [getattr(twin, option), value])
        theirs = cv2.imencode(ending, drawn, [getattr(cv2, option), value])[1]
        ours, theirs = (np.asarray(Pillow.open(io.BytesIO(bytes(each))), int) for each in (encoded, theirs))
        assert done
        assert abs(ours - theirs).max() <= far
