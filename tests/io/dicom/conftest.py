"""A series of slices, and its labels."""

import numpy as np
import pytest
from dicom_slices import COLUMNS, N_SLICES, ROWS, dataset, position

from gmmseg.errors import InputError
from gmmseg.io import read


@pytest.fixture
def head(rng):
    """Stored numbers of a head: air, water and bone, 12 bits, 1024 above Hounsfield units."""
    z, y, x = np.mgrid[:N_SLICES, :ROWS, :COLUMNS]
    values = np.where((y - 10) ** 2 + (x - 12) ** 2 < 64, 1064, 24)
    values[(abs(y - 10) < 3) & (abs(x - 12) < 3) & (z > 1)] = 1700
    return (values + rng.integers(-9, 10, values.shape)).astype("<u2")


@pytest.fixture
def series(tmp_path, head):
    """Write a series, in an order of names that says nothing: (folder, change=, **attributes) -> folder."""

    def write(folder="ct", *, orientation=(1, 0, 0, 0, 1, 0), change=lambda made: made, stored=head, **attributes):
        place = tmp_path / folder
        place.mkdir()
        for number in range(len(stored)):
            made = dataset(number, stored[number], ImageOrientationPatient=list(orientation))
            made.ImagePositionPatient = position(number, orientation)
            for name, value in attributes.items():
                setattr(made, name, value)
            made = change(made)
            if made is not None:
                made.save_as(place / f"IM{number * 5 % 6}", enforce_file_format=True)
        return place

    return write


@pytest.fixture
def refused():
    """Read what must be refused in one line: (path) -> the line."""

    def call(path):
        with pytest.raises(InputError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return call


@pytest.fixture
def labels(rng):
    """Labels 0 to 3, with a slice in which there is none."""
    made = rng.integers(0, 4, (N_SLICES, ROWS, COLUMNS), dtype=np.uint8)
    made[2] = 0
    made.flags.writeable = False
    return made
