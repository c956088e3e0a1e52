"""Lattices: the same voxels of a volume, whichever way its axes are turned, ordered or mirrored."""

import itertools

import numpy as np
import pytest

from gmmseg.image.lattice import in_shells, on_lattice, regular_centers, step_for, thinned


@pytest.mark.parametrize("shape", [(7, 9, 10), (12, 5, 5), (1, 30, 31)])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_lattice_does_not_depend_on_axes(shape, step):
    def chosen(shape):
        return on_lattice(np.arange(np.prod(shape)), shape, step).reshape(shape)

    here = chosen(shape)
    for axis in range(3):
        np.testing.assert_array_equal(np.flip(here, axis), here)
    for order in itertools.permutations(range(3)):
        np.testing.assert_array_equal(chosen(tuple(shape[axis] for axis in order)), here.transpose(order))


@pytest.mark.parametrize("shape", [(7, 9, 10), (12, 6, 6), (1, 30, 31)])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_shells_do_not_depend_on_axes(shape, every):
    def chosen(shape):
        found, size = np.zeros(shape, bool), int(np.prod(shape))
        found.reshape(-1)[in_shells(np.arange(size), shape, -(-size // every))] = True
        return found

    here = chosen(shape)
    assert here.mean() == pytest.approx(1 / every, rel=0.1)
    for axis in range(3):
        np.testing.assert_array_equal(np.flip(here, axis), here)
    for order in itertools.permutations(range(3)):
        np.testing.assert_array_equal(chosen(tuple(shape[axis] for axis in order)), here.transpose(order))


@pytest.mark.parametrize("shape", [(40, 41, 60), (15, 18, 90), (3, 50, 51)])
def test_windows_on_a_lattice_do_not_depend_on_axes(shape):
    def chosen(shape):
        found = np.zeros(shape, bool)
        found.reshape(-1)[regular_centers(shape, tuple(min(15, n) for n in shape), 21)] = True
        return found

    here = chosen(shape)
    assert here.any()
    for axis, n in enumerate(shape):
        if n > 15:
            np.testing.assert_array_equal(np.flip(here, axis), here)
    for order in itertools.permutations(range(3)):
        np.testing.assert_array_equal(chosen(tuple(shape[axis] for axis in order)), here.transpose(order))


def test_a_lattice_takes_the_share_that_it_is_asked_for():
    flat = np.arange(90**3)
    assert len(thinned(flat, (90, 90, 90), len(flat) // 27)) == 30**3
    assert step_for(0.5) == 3
    few = thinned(np.array([5]), (90, 90, 90), 1)
    np.testing.assert_array_equal(few, [0])
