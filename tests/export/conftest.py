"""What the tests of exports share."""

import numpy as np
import pytest
import rasterio.features
from label_maps import smooth_labels

from gmmseg.export import Place


@pytest.fixture
def labels():
    """40 x 70, four classes, some without data; read-only."""
    values = smooth_labels((40, 70), 4)
    values[5:9, 30:50] = 0
    values.setflags(write=False)
    return values


@pytest.fixture
def place():
    return Place((30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0), "EPSG:32633")


@pytest.fixture
def burn():
    """Rasterise as GDAL does, in order: (shape, [(geometry, value), ...], transform=) -> labels."""

    def call(shape, shapes, transform=None):
        out = np.zeros(shape, np.uint32)
        options = {} if transform is None else {"transform": rasterio.Affine(*transform)}
        return rasterio.features.rasterize(shapes, out=out, **options) if shapes else out

    return call
