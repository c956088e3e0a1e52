"""Cloud-optimised GeoTIFF: what is where in the file, and what GDAL finds in it."""

import io
from itertools import pairwise

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio")

import tifffile  # noqa: E402

from gmmseg.io.blocks import Plan, blocks_of  # noqa: E402
from gmmseg.io.coarser import most_frequent  # noqa: E402
from gmmseg.io.raster import cloud  # noqa: E402
from gmmseg.io.tiff.segments import encoded  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
SHAPE = (300, 500)
TAGS = {
    258: (3, 1, 8),
    259: (3, 1, 8),
    262: (3, 1, 1),
    277: (3, 1, 1),
    284: (3, 1, 1),
    305: (2, 7, "gmmseg"),
    322: (3, 1, 64),
    323: (3, 1, 64),
    339: (3, 1, 1),
    33550: (12, 3, (10.0, 10.0, 0.0)),
    33922: (12, 6, (0.0, 0.0, 0.0, 5e5, 5e6, 0.0)),
    42113: (2, 2, "0"),
}


def written(path, labels, windows=None):
    plan = Plan(labels.shape, labels.dtype, (64, 64), 4)
    whole = [((slice(0, labels.shape[0]), slice(0, labels.shape[1])), labels)]
    blocks = encoded(blocks_of(plan, windows or whole), plan.encode)
    cloud.write_cloud_optimised(path, plan, TAGS, blocks, io.BytesIO())


@pytest.mark.parametrize("big", [False, True])
def test_directories_come_first_and_the_coarsest_tiles_next(tmp_path, rng, monkeypatch, big):
    if big:
        monkeypatch.setattr(cloud, "_MOST_CLASSIC", 1000)
    labels = rng.integers(0, 4, SHAPE, np.uint8)
    written(tmp_path / "l.tif", labels)
    expected = [labels]
    for _ in range(3):
        expected.append(most_frequent(expected[-1]))
    content = (tmp_path / "l.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        assert tiff.is_bigtiff == big
        assert [page.subfiletype for page in tiff.pages] == [0, 1, 1, 1]
        for page, values in zip(tiff.pages, expected, strict=True):
            np.testing.assert_array_equal(page.asarray(), values)
            assert page.tags[42113].value == "0"
        assert 33550 not in tiff.pages[1].tags
        ends = {}
        for number, page in enumerate(tiff.pages):
            places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
            # In the order of the rows, with sizes before them and the last bytes once more behind, and nothing else.
            assert all(a + n + 8 == b for (a, n), (b, _) in pairwise(places))
            for start, size in places:
                assert content[start - 4 : start] == size.to_bytes(4, "little")
                assert content[start + size :][:4] == content[start + size - 4 : start + size]
            ends[number] = places[0][0] - 4, sum(places[-1]) + 4
        assert [ends[number][1] for number in (3, 2, 1)] == [ends[number][0] for number in (2, 1, 0)]
        assert max(page.offset for page in tiff.pages) < ends[3][0]
    assert ends[0][1] == len(content)
    with rasterio.open(tmp_path / "l.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (raster.overviews(1), raster.nodata) == ([2, 4, 8], 0)
        assert tuple(raster.transform)[:6] == (10, 0, 5e5, 0, -10, 5e6)
        np.testing.assert_array_equal(raster.read(1), labels)
    with rasterio.open(tmp_path / "l.tif", overview_level=1) as raster:
        np.testing.assert_array_equal(raster.read(1), expected[2])


def test_the_order_in_which_blocks_come_changes_nothing(tmp_path, rng):
    labels = rng.integers(0, 4, SHAPE, np.uint8)
    written(tmp_path / "a.tif", labels)
    parts = [
        (slice(a, min(a + 70, 300)), slice(b, min(b + 130, 500))) for a in range(0, 300, 70) for b in range(0, 500, 130)
    ]
    rng.shuffle(parts)
    written(tmp_path / "b.tif", labels, [(tuple(each), labels[tuple(each)]) for each in parts])
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
