"""The random field of a small picture in one call: what the loop finds, and when it is left to it."""

import numpy as np
import pytest
from noisy_images import blobs, noisy

import gmmseg
from gmmseg import kernels
from gmmseg.fitting import fit, one_call

compiled = pytest.mark.skipif(kernels.native is None, reason="without compiled kernels the loop does it")


def both_ways(monkeypatch, image, k=3, **options):
    """What one call finds, and what the loop does."""
    at_once, loop, found = fit.fit_at_once, fit.fit_neighbourhood, []

    def first(*given, **named):
        found.append(at_once(*given, **named))

    def then(*given, **named):
        found.append(loop(*given, **named))
        return found[-1]

    with monkeypatch.context() as patched:
        patched.setattr(fit, "fit_at_once", first)
        patched.setattr(fit, "fit_neighbourhood", then)
        gmmseg.fit(image, k, **options)
    return found


def assert_alike(one, other):
    (mixture, strength), (expected, expected_strength) = one, other
    assert strength == pytest.approx(expected_strength, abs=1e-4)
    assert (mixture is None) == (expected is None)
    if mixture is not None:
        np.testing.assert_allclose(mixture.weights, expected.weights, atol=1e-4)
        np.testing.assert_allclose(mixture.means, expected.means, atol=1e-4)
        np.testing.assert_allclose(mixture.covariances, expected.covariances, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(mixture.factors, expected.factors, rtol=1e-3, atol=1e-3)


@compiled
@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
@pytest.mark.parametrize("smooth", [True, 0.7])
@pytest.mark.parametrize("shape", [(64, 64), (37, 51)])
def test_one_call_finds_what_the_loop_does(monkeypatch, rng, covariance, smooth, shape):
    grey = noisy(blobs(shape, 4), 20)
    colour = np.clip(np.stack([grey, 255 - grey, grey / 2], axis=2) + rng.normal(0, 9, (*shape, 3)), 0, 255)
    mask = rng.random(shape) > 0.1
    mask[:5, :9] = False
    monkeypatch.setattr(fit, "_LARGEST_FALL", 1.0)  # so that classes are accepted
    one, other = both_ways(monkeypatch, colour.astype(np.uint8), covariance=covariance, smooth=smooth, mask=mask)
    assert one[0] is not None
    assert_alike(one, other)


@compiled
def test_where_values_would_be_less_likely_neither_accepts_the_classes(monkeypatch):
    """Blobs of a pixel: neighbours take them for noise."""
    one, other = both_ways(monkeypatch, noisy(blobs((60, 60), 0.5), 15))
    assert one[0] is None
    assert_alike(one, other)


@compiled
def test_a_class_of_a_few_pixels_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(one_call, "FEW", 300.0)  # for 1200 of 4096 pixels, more than one of the classes has
    monkeypatch.setattr("gmmseg.fitting.hmrf.FEW", 300.0)
    image = noisy(blobs((64, 64), 4), 12)
    image[:20, :30] = 250
    started = []
    at_once = fit.fit_at_once
    monkeypatch.setattr(
        fit,
        "fit_at_once",
        lambda scenes, mixture, *given, **named: (started.append(mixture), at_once(scenes, mixture, *given, **named))[
            1
        ],
    )
    one, other = both_ways(monkeypatch, image, 4, features="bands,xy")
    assert_alike(one, other)
    same = (one[0].means == started[0].means).all(axis=1)
    assert same.any()
    assert not same.all()


@pytest.mark.parametrize("what", ["volume", "two images", "prior", "large"])
def test_what_is_more_than_one_patch_is_left_to_the_loop(monkeypatch, what):
    image = noisy(blobs((64, 64), 4), 12)
    options = {}
    if what == "volume":
        image, options = noisy(blobs((8, 24, 24), 4), 12), {"channel_axis": None}
    if what == "two images":
        image = [image, image + 1]
    if what == "prior":
        options = {"prior": np.full((3, 64, 64), 1 / 3, np.float32)}
    if what == "large":
        image = noisy(blobs((300, 300), 4), 12)
    one, other = both_ways(monkeypatch, image, **options)
    assert one is None
    assert other is not None


@compiled
def test_the_kernel_leaves_missing_features_to_the_loop_and_names_what_does_not_fit(rng):
    planes = rng.normal(size=(2, 12)).astype(np.float32)
    valid, weights = np.ones((3, 4), np.uint8), np.ones(12, np.float32)
    start = np.full(2, 0.5), np.array([[-1.0, 0], [1, 0]]), np.ones((2, 2)), "diag"
    offsets, shares = np.array([[0, 0, 1], [0, 1, 0]]), np.full(2, 0.5)
    heard, law = (offsets, shares, np.ones(1, np.float32), 7), (24.0, 4.0, 0.02, 0.05, 8)
    rest = np.zeros(2), None, heard, law, (0.5, True, 0.1, 1.0, 0.01, 0.005)
    accepted, strength, (found, means, *_) = kernels.tie(planes, valid, weights, start, *rest, planes, None, 8, 1)
    assert accepted in (True, False)
    assert 0 <= strength <= 1
    assert found.sum() == pytest.approx(1)
    assert means.shape == (2, 2)
    gap = planes.copy()
    gap[0, 3] = np.nan
    assert kernels.tie(gap, valid, weights, start, *rest, planes, None, 8, 1) is None
    assert kernels.tie(planes, valid, weights, start, *rest, gap, None, 8, 1) is None
    with pytest.raises(ValueError, match="numbers of pixels"):
        kernels.tie(planes[:, :11].copy(), valid, weights, start, *rest, planes, None, 8, 1)
