"""Writing TIFF: labels, probabilities and pictures."""

import numpy as np
import pytest
import tifffile

from gmmseg.io import read, read_labels, write_probabilities


def write_ome(path, values, **facts):
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=facts)


@pytest.mark.parametrize("shape", [(8, 9), (3, 8, 9)])
def test_labels_as_ome_tiff(tmp_path, rng, shape):
    from gmmseg.io.tiff.write import write_labels_tiff

    labels = rng.integers(0, 4, shape).astype(np.uint8)
    axes = "ZYX"[-len(shape) :]
    source = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (1.5, 0.25, 0.2), strict=True) if axis in axes}
    write_ome(tmp_path / "in.ome.tif", np.zeros(shape, np.uint16), axes=axes, **source)
    image = read(tmp_path / "in.ome.tif")
    for name in ("a.ome.tif", "b.ome.tif"):
        with open(tmp_path / name, "wb") as file:
            write_labels_tiff(file, labels, image, ome=True)
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == axes
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert {key: pixels[key] for key in source} == source
    np.testing.assert_array_equal(read_labels(tmp_path / "a.ome.tif"), labels)
    assert read(tmp_path / "a.ome.tif").spacing == image.spacing


def test_pages_of_probabilities_have_the_classes_names(tmp_path):
    write_probabilities(tmp_path / "p.tif", np.full((2, 4, 5), 0.5, np.float32), names=("water", "land"))
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        assert [page.description for page in tiff.pages] == ["water", "land"]
