"""Centre and scale of planes."""

import numpy as np
import pytest

from gmmseg.features.scaling import location_and_scale


def test_location_and_scale_are_those_of_the_bulk(rng):
    planes = np.stack([rng.normal(50, 4, 20_000), rng.normal(-3, 2, 20_000), rng.normal(1e4, 100, 20_000)])
    planes[:, rng.random(20_000) < 0.05] = 1e6
    center, scale = location_and_scale(planes.astype(np.float32), (0, 0, 1))
    assert (np.abs(center - [50, -3, 1e4]) < 0.3 * np.array([4, 2, 100])).all()
    assert scale[0] == scale[1] == pytest.approx(4, rel=0.15)
    assert scale[2] == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize(
    ("values", "expected"),
    [(np.full(50, 7.0), 1.0), (np.repeat([0.0, 10.0], [90, 10]), 3.0), (np.zeros(0), 1.0), (np.array([5.0]), 1.0)],
)
def test_scales_are_never_zero(values, expected):
    center, scale = location_and_scale(values[None].astype(np.float32), (0,))
    assert scale[0] == pytest.approx(expected)
    assert np.isfinite(center).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 101])
def test_the_median_and_the_quartiles_are_those_of_the_sorted_values(n, rng):
    for values in (rng.permutation(n), rng.integers(0, 3, n)):
        ordered = np.sort(values)
        center, scale = location_and_scale(values[None].astype(np.float32), (0,))
        assert center[0] == ordered[n // 2]
        spread = ordered[3 * n // 4] - ordered[n // 4]
        assert scale[0] == pytest.approx(spread / 1.349 if spread else values.std() or 1)
