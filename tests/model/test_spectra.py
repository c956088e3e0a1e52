"""Spectra of classes that were told apart by principal components."""

import numpy as np
import pytest

import gmmseg
from gmmseg.image import Image
from gmmseg.model.spectra import spectra


@pytest.fixture
def cube(rng):
    """Two materials of 30 bands, half of the picture each, and their spectra; band 4 has no numbers."""
    known = np.stack([np.linspace(200, 900, 30), 600 + 200 * np.sin(np.arange(30) / 4)])
    values = known.repeat(800, axis=0).reshape(40, 40, 30) + rng.normal(0, 4, (40, 40, 30))
    values[..., 3] = np.nan
    return Image(values, channel_names=tuple(f"{400 + 10 * i} nm" for i in range(30))), known


@pytest.mark.parametrize("features", ["pca", "pca,xy"])
def test_they_are_the_means_of_the_bands(cube, features):
    image, known = cube
    found = spectra(gmmseg.fit(image, 2, features=features))
    assert [list(each) for each in found] == [list(image.channel_names)] * 2
    assert [each.pop("430 nm") for each in found] == [None, None]
    values = np.array([list(each.values()) for each in found])
    expected = np.delete(known, 3, axis=1)
    order = np.argsort(values[:, 0])
    np.testing.assert_allclose(values[order], expected[np.argsort(expected[:, 0])], atol=2)


def test_bands_without_names_have_numbers_or_those_that_are_given(cube):
    values = np.nan_to_num(cube[0].array)
    model = gmmseg.fit(values, 2, channel_axis=2)
    assert list(spectra(model)[0])[:2] == ["band 1", "band 2"]
    assert list(spectra(model, [f"b{i}" for i in range(30)])[0])[:2] == ["b0", "b1"]
    assert spectra(gmmseg.fit(values[..., :3], 2, channel_axis=2)) == []
