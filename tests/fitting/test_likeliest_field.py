"""Classes and a bias field of volumes in noise, where values alone leave open which voxels are mixtures."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.fitting import likeliest_field

SIDE = 40


def _head(noise, gain):
    """Three tissues from outside to inside, mixed in voxels on borders, the tissue of each voxel, and the gain."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, 2 * SIDE),) * 3, indexing="ij")
    depth = 1 - np.sqrt(z * z + y * y + x * x)
    folded = depth + 5 * gaussian_filter(rng.normal(size=depth.shape), 3)
    tissue = np.where(depth > 0, np.searchsorted(np.quantile(folded[depth > 0], (0.33, 0.7)), folded) + 1, 0)
    split = (SIDE, 2) * 3
    shares = np.stack([(tissue == label).reshape(split).mean(axis=(1, 3, 5)) for label in (1, 2, 3)])
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, SIDE),) * 3, indexing="ij")
    field = np.exp(gain * (z - 0.5 * y * y + 0.5 * z * x))
    values = np.tensordot([0.2, 0.55, 0.85], shares, 1) * field + rng.normal(0, noise, (SIDE,) * 3)
    return values.astype(np.float32), np.where(shares.sum(axis=0) > 0.99, shares.argmax(axis=0) + 1, 0), field


def _segmented(values, truth, **asked):
    return gmmseg.segment(values, 3, channel_axis=None, mask=truth > 0, bias_field=True, **asked)


def _dice(labels, truth):
    return [2 * ((labels == c) & (truth == c)).sum() / ((labels == c).sum() + (truth == c).sum()) for c in (1, 2, 3)]


@pytest.mark.parametrize(("noise", "gain", "least", "alike"), [(0.08, 0.1, 0.9, 0.8), (0.1, 0.3, 0.88, 0.95)])
def test_tissues_are_not_taken_for_one_that_the_field_makes_uneven(noise, gain, least, alike):
    values, truth, field = _head(noise, gain)
    found = _segmented(values, truth)
    assert min(_dice(found.labels, truth)) > least
    inside = truth > 0
    assert np.corrcoef(np.log(found.bias_field[inside]), np.log(field[inside]))[0, 1] > alike


def test_neither_threads_nor_the_order_of_axes_change_what_neighbours_tell():
    values, truth, _ = _head(0.1, 0.3)
    labels = _segmented(values, truth, threads=1).labels
    np.testing.assert_array_equal(_segmented(values, truth, threads=2).labels, labels)
    turned = _segmented(values.transpose(2, 0, 1)[:, ::-1], truth.transpose(2, 0, 1)[:, ::-1])
    back = turned.labels[:, ::-1].transpose(1, 2, 0)
    assert (back != labels).mean() < 0.001


@pytest.mark.parametrize(
    ("noise", "smooth", "expected"), [(0.03, True, [True]), (0.1, True, [False]), (0.1, False, [])]
)
def test_neighbours_are_asked_where_values_leave_it_open(monkeypatch, noise, smooth, expected):
    values, truth, _ = _head(noise, 0.1)
    first_taken, likeliest = [], likeliest_field.likeliest

    def watched(scene, without, first, *others, **named):
        chosen = likeliest(scene, without, first, *others, **named)
        first_taken.append(chosen is first)
        return chosen

    monkeypatch.setattr(likeliest_field, "likeliest", watched)
    _segmented(values, truth, smooth=smooth)
    assert first_taken == expected


@pytest.mark.parametrize(("clear", "alone"), [(1.0, True), (-1.0, False)])
def test_other_classes_are_tried_only_where_a_field_of_higher_degree_is_likelier(monkeypatch, clear, alone):
    """Classes heard without a field are settled four times: without it, and with one of each of three degrees."""
    values, truth, _ = _head(0.1, 0.1)
    settled, settle = [], likeliest_field.Tied.settle

    def counted(self, *arguments, **named):
        settled.append(named.get("iterations"))
        return settle(self, *arguments, **named)

    monkeypatch.setattr(likeliest_field.Tied, "settle", counted)
    monkeypatch.setattr(likeliest_field, "_CLEAR", clear)
    _segmented(values, truth)
    assert (settled.count(likeliest_field._ITERATIONS) == 4) == alone
