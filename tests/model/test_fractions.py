"""Fractions of classes in pixels that hold two of them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.errors import ParameterError
from gmmseg.model.fractions import balanced, fractions_of


def _scan(noise=0.05, seed=0):
    """Three winding tissues averaged down by 2 along each axis, with their true fractions (3, 28, 28, 28)."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=(56, 56, 56)), 3)
    fine = np.searchsorted(np.quantile(field, [0.33, 0.66]), field)
    truth = np.stack([(fine == c).astype("f4").reshape(28, 2, 28, 2, 28, 2).mean((1, 3, 5)) for c in range(3)])
    values = np.tensordot([0.2, 0.55, 0.9], truth, 1) + rng.normal(0, noise, truth.shape[1:])
    return values.astype("f4"), truth


def _segment(values, **options):
    return gmmseg.segment(values, 3, channel_axis=None, **options)


@pytest.mark.parametrize("noise", [0.03, 0.05])
def test_fractions_are_nearer_the_truth_than_posteriors_and_labels(noise):
    values, truth = _scan(noise)
    plain, found = _segment(values), _segment(values, partial_volume=True)
    error = np.abs(found.probabilities - truth).mean()
    assert error < 0.75 * np.abs(plain.probabilities - truth).mean()
    volumes, hard = found.probabilities.sum((1, 2, 3)), np.bincount(plain.labels.ravel(), minlength=4)[1:]
    true = truth.sum((1, 2, 3))
    assert np.abs(volumes / true - 1).max() < 0.5 * np.abs(hard / true - 1).max()


def test_in_much_noise_neighbours_help_and_leave_volumes_where_they_are():
    """Noise of a third of the step between tissues."""
    errors = []
    for seed in range(2):
        values, truth = _scan(0.1, seed)
        plain, found = _segment(values), _segment(values, partial_volume=True)
        errors.append([np.abs(each.probabilities - truth).mean() for each in (found, plain)])
        volumes = found.probabilities.sum((1, 2, 3)) / truth.sum((1, 2, 3))
        np.testing.assert_allclose(volumes, 1, atol=0.02)
    of_fractions, of_posteriors = np.mean(errors, axis=0)  # the posteriors of one scan may happen to be as good
    assert of_fractions < min(0.9 * of_posteriors, 0.084)


def test_balanced_shares_are_those_without_neighbours():
    values, _ = _scan(0.1)
    alone = _segment(values, partial_volume=True, smooth=False).rule.partial
    valid, offsets = np.ones(values.shape, bool), np.eye(3, dtype=np.int64)
    planes, neighbours = values.reshape(1, -1), (offsets, np.ones(3, np.float32))
    shares = fractions_of(alone, planes, valid, None).mean(axis=(1, 2, 3))
    heard = fractions_of(alone, planes, valid, neighbours).mean(axis=(1, 2, 3))
    even = balanced(alone, planes, valid, np.ones(values.size, np.float32), neighbours)
    again = fractions_of(even, planes, valid, neighbours).mean(axis=(1, 2, 3))
    assert np.abs(again / shares - 1).max() < 0.01 < 0.02 < np.abs(heard / shares - 1).max()
    np.testing.assert_allclose(even.mixture.weights.sum(), 1)
    np.testing.assert_array_equal(even.mixture.means, alone.mixture.means)


def test_pixels_outside_have_no_fractions_and_no_say():
    values, _ = _scan()
    model = _segment(values, partial_volume=True).rule.partial
    neighbours, valid = (np.eye(3, dtype=np.int64), np.ones(3, np.float32)), np.ones(values.shape, bool)
    valid[:, :9] = False
    found = fractions_of(model, values.reshape(1, -1), valid, neighbours)
    assert not found[:, :, :9].any()
    inner = np.ascontiguousarray(values[:, 9:])
    expected = fractions_of(model, inner.reshape(1, -1), valid[:, 9:], neighbours)
    np.testing.assert_array_equal(found[:, :, 9:], expected)


def test_fractions_sum_to_one_and_leave_labels_as_they_are():
    values, _ = _scan()
    mask = np.arange(28)[:, None, None] >= np.zeros((28, 28), int) + 3
    plain, found = _segment(values, mask=mask), _segment(values, mask=mask, partial_volume=True)
    np.testing.assert_array_equal(found.labels, plain.labels)
    np.testing.assert_array_equal(found.uncertainty, plain.uncertainty)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), found.labels > 0, atol=1e-5)


def test_threads_and_tiles_do_not_change_fractions(monkeypatch):
    values, _ = _scan()
    one = _segment(values, partial_volume=True, threads=1).probabilities
    monkeypatch.setattr("gmmseg.labelling.tiles.TILE_BYTES", 300_000)
    two = _segment(values, partial_volume=True, threads=2).probabilities
    assert one.tobytes() == two.tobytes()


def test_pixels_for_themselves_have_fractions_too():
    values, truth = _scan()
    found = _segment(values, partial_volume=True, smooth=False).probabilities
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    plain = _segment(values, smooth=False).probabilities
    assert np.abs(found - truth).mean() < 0.8 * np.abs(plain - truth).mean()


def test_pictures_of_one_and_of_three_channels_have_fractions():
    values, _ = _scan()
    picture = np.uint8(255 * np.clip(values[12], 0, 1))
    for image in (picture, np.stack([picture, picture // 2, 255 - picture], axis=-1)):
        found = gmmseg.segment(image, 3, partial_volume=True).probabilities
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_a_bias_field_is_taken_out_of_fractions():
    values, truth = _scan()
    values = values * np.exp(np.linspace(-0.3, 0.3, values.shape[0], dtype="f4"))[:, None, None]
    found = _segment(values, partial_volume=True, bias_field=True)
    assert (
        np.abs(found.probabilities - truth).mean()
        < np.abs(_segment(values, bias_field=True).probabilities - truth).mean()
    )


def test_prior_maps_speak_for_fractions():
    values, truth = _scan(0.1)
    prior = np.stack([gaussian_filter(each, 2) for each in truth]) + 1e-3
    alone, guided = _segment(values, partial_volume=True), _segment(values, partial_volume=True, prior=prior)
    assert np.abs(guided.probabilities - truth).mean() < np.abs(alone.probabilities - truth).mean()


def test_tables_have_volumes_by_fractions_where_they_were_asked_for():
    values, truth = _scan()
    table = _segment(values, partial_volume=True, spacing=(1, 1, 1), unit="mm").table()
    np.testing.assert_allclose(table["volume_ml_soft"], truth.sum((1, 2, 3)) / 1000, rtol=0.06)
    assert "pixels_soft" not in _segment(values).table()


def test_gross_errors_and_frames_in_time_leave_fractions_near_the_truth():
    values, truth = _scan()
    spoilt = values.copy()
    spoilt.reshape(-1)[::1500] = 5
    found = _segment(spoilt, partial_volume=True, outliers="uniform").probabilities
    assert np.abs(found - truth).mean() < 0.06
    frames = gmmseg.segment(np.uint8(np.clip(200 * values, 0, 255)), 3, axes="TYX", partial_volume=True)
    assert np.abs(frames.probabilities - truth).mean() < 0.06


def test_one_class_is_all_there_is():
    found = gmmseg.segment(np.full((8, 8), 7, np.uint8), 1, partial_volume=True)
    assert (found.probabilities == 1).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partial_volume": "yes"}, "partial_volume='yes' is not usable"),
        ({"partial_volume": True, "outliers": "student"}, "partial_volume=True does not go with outliers='student'"),
        ({"partial_volume": True, "components": 2}, "partial_volume=True does not go with components"),
        ({"partial_volume": True, "scribbles": np.ones((8, 8), int)}, "partial_volume=True does not go with scribbles"),
    ],
)
def test_what_says_otherwise_what_a_pixel_is_is_refused(options, said):
    with pytest.raises(ParameterError, match=said):
        gmmseg.segment(np.zeros((8, 8), np.uint8), 2, **options)
