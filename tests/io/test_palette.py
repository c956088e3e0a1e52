"""Colours of classes."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from gmmseg.errors import ParameterError
from gmmseg.io.palette import palette


def test_palette_shape_and_stability():
    every = palette(255)
    assert every.shape == (256, 3)
    assert every.dtype == np.uint8
    assert every[0].tolist() == [0, 0, 0]
    for n in (0, 1, 12):
        np.testing.assert_array_equal(palette(n), every[: n + 1])
    for n in (-1, 256):
        with pytest.raises(ParameterError, match=f"n={n}"):
            palette(n)


@pytest.mark.parametrize(("n", "distance"), [(12, 25), (64, 20), (255, 12)])
def test_palette_is_distinct(n, distance):
    lab = rgb2lab(palette(n) / 255.0)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    assert apart[~np.eye(n + 1, dtype=bool)].min() > distance


# Of linear RGB, as people see it who lack one kind of cones: Machado, Oliveira and Fernandes (2009), severity 1.0.
MACHADO = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}
# Vienot, Brettel and Mollon (1999): RGB to cones, and there the plane that is left.
CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
VIENOT = {
    "deuteranopia": [[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]],
    "protanopia": [[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]],
}
SEEN = {
    "normal": np.eye(3),
    **{f"{name}, Machado": np.array(matrix) for name, matrix in MACHADO.items()},
    **{f"{name}, Vienot": np.linalg.inv(CONES) @ matrix @ CONES for name, matrix in VIENOT.items()},
}


@pytest.mark.parametrize("matrix", SEEN.values(), ids=SEEN)
def test_twelve_colors_stay_apart_for_the_color_blind(matrix):
    colors = palette(12) / 255.0  # black, no data, is one more
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(matrix), 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(13, dtype=bool)].min() >= 10
