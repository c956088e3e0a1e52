"""A volume, and files that nibabel wrote."""

import nibabel
import numpy as np
import pytest

OBLIQUE = np.array([[-1.1, 0.2, 0.1, 90.3], [0.15, 1.9, -0.3, -120.7], [0.12, 0.31, 2.3, -70.1], [0, 0, 0, 1]])


@pytest.fixture
def volume(rng):
    made = rng.integers(-300, 300, (7, 6, 5), dtype=np.int16)
    made.flags.writeable = False
    return made


@pytest.fixture
def save(tmp_path):
    """Write a file with nibabel: (name, data, **header fields) -> path."""

    def write(name, data, *, kind=nibabel.Nifti1Image, slope=None, **fields):
        image = kind(data, OBLIQUE)
        image.header.set_sform(OBLIQUE, code="scanner")
        image.header.set_qform(OBLIQUE, code="aligned")
        image.header.set_xyzt_units("mm", "sec")
        for field, value in fields.items():
            image.header[field] = value
        if slope is not None:
            image.header.set_slope_inter(*slope)
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write
