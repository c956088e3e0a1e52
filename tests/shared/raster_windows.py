"""A raster read window by window, beside the whole."""

import numpy as np
import rasterio

from gmmseg.io import read

PLACE = {"crs": "EPSG:32625", "transform": rasterio.Affine(30, 0, 500000, 0, -20, 9000000)}


def by_windows(path, rows, columns):
    """Pixels and validity of a raster that stays in its file, put together of windows."""
    image = read(path, memory=0, max_pixels=1)
    assert not image.in_memory
    source = image.pixels
    pixels = np.empty(source.shape, source.dtype)
    valid = np.ones(image.shape, bool)
    for r in range(0, image.shape[0], rows):
        for c in range(0, image.shape[1], columns):
            window = (slice(r, min(r + rows, image.shape[0])), slice(c, min(c + columns, image.shape[1])))
            part, usable = source.read(window)
            assert part.dtype == source.dtype
            pixels[window] = part
            valid[window] = True if usable is None else usable
    source.close()
    return pixels, valid


def assert_same_by_windows(path):
    image = read(path)
    valid = np.ones(image.shape, bool) if image.valid is None else image.valid
    for rows, columns in ((7, 11), (1, 500), (64, 3)):
        pixels, usable = by_windows(path, rows, columns)
        assert pixels.dtype == image.pixels.dtype
        np.testing.assert_array_equal(pixels, image.array)
        np.testing.assert_array_equal(usable, valid)
    return image
