"""Where the numbers of a result go in a stack of pages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io.contents import Contents
from gmmseg.io.geotiff import TiffPlace
from gmmseg.io.tiff.stacks import Stack, family_of, sizes_of, stored_attributes


def contents(shape, kind="labels", *, image=None, name="a.tif", dtype="uint8", n=3):
    names = tuple(f"class {i}" for i in range(n)) if kind == "soft" else ("m",)
    return Contents(kind, shape, "float32" if kind == "soft" else dtype, names, image, {}, Path(name))


@pytest.mark.parametrize("order", ["TZCYX", "TCZYX"])
def test_windows_have_their_places_in_the_order_of_the_axes(order, rng):
    image = Image(rng.random((2, 4, 5, 6, 1)), time=True)
    values = rng.random((3, 2, 4, 5, 6)).astype(np.float32)
    stack = Stack.of(contents(image.shape, "soft", image=image), order)
    assert stack.axes == order
    filled = np.full(stack.shape, np.nan, np.float32)
    windows = [((slice(t, t + 1), slice(z, z + 2), slice(0, 5), slice(0, 6))) for t in (1, 0) for z in (2, 0)]
    for box, part in stack.boxes((w, values[(slice(None), *w)]) for w in windows):
        filled[box] = part
    wanted = values.transpose(["CTZYX".index(axis) for axis in order])
    np.testing.assert_array_equal(filled, wanted)
    ((box, whole),) = stack.boxes([(everything(image.shape), values)])
    assert box == everything(stack.shape)
    np.testing.assert_array_equal(whole, wanted)


def test_families():
    ome = Image(np.zeros((4, 5)), place=Place(native=TiffPlace(family="ome")))
    imagej = Image(np.zeros((4, 5)), place=Place(native=TiffPlace(family="imagej")))
    movie = Image(np.zeros((2, 4, 5, 1)), time=True)
    assert family_of(contents((4, 5))) == ""
    assert family_of(contents((4, 5), name="a.ome.tiff")) == "ome"
    assert family_of(contents((4, 5), image=imagej)) == "imagej"
    assert family_of(contents((4, 5), image=imagej, name="a.ome.tif")) == "ome"
    assert family_of(contents((4, 5), image=imagej, dtype="uint32")) == "ome"
    assert family_of(contents((4, 5), image=ome)) == "ome"
    assert family_of(contents((2, 4, 5), image=movie)) == "imagej"
    apart = Image(np.zeros((2, 4, 5, 1)), spacing=(2.0, 1.0, 1.0), place=Place(unit="um"))
    scan = replace(apart, place=Place(affine3d=tuple(map(tuple, np.eye(4).tolist())), unit="mm"))
    assert family_of(contents((2, 4, 5), image=apart)) == "imagej"
    assert family_of(contents((2, 4, 5), image=scan)) == ""
    assert family_of(contents((2, 4, 5), image=replace(apart, spacing=None, place=None))) == ""
    assert family_of(contents((200_000, 30_000), image=imagej)) == "ome"  # more than ImageJ's offsets reach
    assert family_of(contents((4, 5), "picture", image=ome)) == ""


def test_sizes():
    mm = Image(np.zeros((3, 4, 5, 1)), spacing=(2.0, 1.0, 1.0), place=Place(unit="mm"))
    assert sizes_of(mm) == pytest.approx({"Z": 2000, "Y": 1000, "X": 1000})
    assert sizes_of(Image(np.zeros((4, 5)), spacing=(1.0, 1.0))) == {}
    on_map = Place((1.0, 0, 0, 0, 1, 0), "EPSG:32633", unit="m")
    assert sizes_of(Image(np.zeros((4, 5)), spacing=(1.0, 1.0), place=on_map)) == {}
    partly = Place(interval=(4.0, "ms"), native=TiffPlace(ome={"PhysicalSizeX": 2.0, "PhysicalSizeZ": 3.0}))
    assert sizes_of(Image(np.zeros((4, 5)), place=partly)) == {"X": 2.0}
    movie = Image(np.zeros((2, 4, 5, 1)), place=partly, time=True)
    wide, apart = {"PhysicalSizeX": 2.0, "PhysicalSizeXUnit": "µm"}, {"TimeIncrement": 4.0, "TimeIncrementUnit": "ms"}
    assert stored_attributes(movie) == wide | apart
    assert stored_attributes(replace(movie, pixels=np.zeros((4, 5, 1)), time=False)) == wide
    assert sizes_of(None) == stored_attributes(None) == {}
