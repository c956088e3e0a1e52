"""Bias fields that nobody asked for: of scans with a gain, and of nothing else."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.errors import DataWarning
from gmmseg.fitting.uneven_scans import is_clearer, may_be_uneven
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.mixture.parameters import Mixture

SHAPE = (56, 60, 64)
IN_A_PATIENT = Place(affine3d=((0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)), unit="mm")
MEANS = np.array([0.3, 0.6, 0.9])


def _tissues():
    """Blobs of three classes, 0 to 2."""
    field = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 4)
    return np.searchsorted(np.quantile(field, [0.3, 0.65]), field)


def _under(values, gain, noise):
    """Values under a gain that rises by `gain` along the first axis, in the logarithm; and noise."""
    along = np.linspace(-gain / 2, gain / 2, values.shape[0])[:, None, None]
    return (values * np.exp(along) + np.random.default_rng(1).normal(0, noise, values.shape)).astype(np.float32)


def _scan(values, place=IN_A_PATIENT, **kinds):
    return Image(values[..., None], spacing=(1.0, 1.0, 1.0), name="t1.nii.gz", place=place, **kinds)


def _found(image, k=3, **asked):
    """What is found in an image, and what is said of a field that was taken out."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        seg = gmmseg.segment(image, k, **asked)
    return seg, [str(each.message) for each in heard if "bias field was taken out" in str(each.message)]


@pytest.mark.parametrize("noise", [0.03, 0.08])
def test_a_gain_is_taken_out_of_a_scan_and_named(noise):
    tissues = _tissues()
    image = _scan(_under(MEANS[tissues], 0.6, noise))
    seg, (said,) = _found(image)
    wrong, wrong_before = ((each.labels != tissues + 1).mean() for each in (seg, _found(image, bias_field=False)[0]))
    assert wrong < 0.6 * wrong_before
    assert "\n" not in said
    assert said.startswith("t1.nii.gz: a bias field was taken out, ")
    assert said.endswith("bias_field=False leaves it in")
    # From the lowest 5 % to the highest the gain is exp(0.6 * 0.9), 72 % more.
    assert int(said.split(" about ")[1].split(" %")[0]) == pytest.approx(72, abs=6)
    asked, _ = _found(image, bias_field=True)
    np.testing.assert_array_equal(seg.labels, asked.labels)
    np.testing.assert_array_equal(seg.bias_field, asked.bias_field)


def test_voxels_that_are_of_two_tissues_have_a_gain_too():
    share = np.stack([_tissues() == label for label in range(3)]).reshape(3, 28, 2, 30, 2, 32, 2).mean(axis=(2, 4, 6))
    image = _scan(_under(np.tensordot(MEANS, share, 1), 0.6, 0.03))
    seg, said = _found(image)
    truth = share.argmax(axis=0) + 1
    assert len(said) == 1
    assert (seg.labels != truth).mean() < 0.6 * (_found(image, bias_field=False)[0].labels != truth).mean()


@pytest.mark.parametrize("noise", [0.03, 0.08, 0.15])
@pytest.mark.parametrize("gain", [0, 0.04])
def test_an_even_scan_is_left_as_it_is(noise, gain):
    image = _scan(_under(MEANS[_tissues()], gain, noise))
    (seg, said), (without, _) = _found(image), _found(image, bias_field=False)
    assert said == []
    np.testing.assert_array_equal(seg.labels, without.labels)
    np.testing.assert_array_equal(seg.model.mixture.means, without.model.mixture.means)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("noise", [5, 20])
def test_computed_tomography_has_no_gain(noise, k):
    """Air, a ring of bone, soft tissue of two kinds on two sides, 60 HU apart: in Hounsfield units, or from 0 on."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    radius = np.sqrt(z**2 / 2 + y**2 + x**2)
    values = gaussian_filter(np.select([radius < 0.7, radius < 0.88], [np.where(x < 0, 0, 60), 900.0], -1000.0), 0.7)
    values = np.maximum(values + np.random.default_rng(0).normal(0, noise, SHAPE), -1024).astype(np.float32)
    for image, mask in ((values, None), (values, radius < 0.65), (values + 1024, None), (values + 1024, radius < 0.65)):
        assert _found(_scan(image), k, mask=mask)[1] == []


def test_what_may_have_a_gain():
    def may(image):
        return may_be_uneven(image, image.array.reshape(-1, 1))

    values = _under(MEANS[_tissues()], 0, 0.01)
    assert may(_scan(values))
    assert may(_scan(values, metadata={"modality": "MR"}))
    assert not may(_scan(values, metadata={"modality": "PT"}))
    assert may(_scan((1000 * values).astype(np.uint16)))
    assert not may(_scan(values, Place(unit="mm")))
    assert not may(_scan(values, None))
    for around in (0.01, 0):
        surrounded = values.copy()
        surrounded[:12] = around
        assert not may(_scan(surrounded))
    ringing, air = values.copy(), values.copy()
    ringing[0, :10, :10] = -300
    air[:2] = -1000
    assert may(_scan(ringing))
    assert not may(_scan(air))


def test_classes_have_to_be_told_apart_better():
    def mixture(spread):
        return Mixture(np.full(2, 0.5), np.array([[0.0], [1.0]]), np.full((2, 1, 1), spread**2))

    assert is_clearer(mixture(0.4), mixture(0.3))
    assert not is_clearer(mixture(0.4), mixture(0.38))
    assert not is_clearer(mixture(0.3), mixture(0.4))
    assert not is_clearer(mixture(1.0), mixture(0.6))  # of which a fifth is wrong


def test_a_class_that_a_field_swallows_is_worth_more_than_the_field():
    z, y, x = np.mgrid[:12, :36, :40]
    ball = (x - 25) ** 2 + (y - 18) ** 2 + (3 * (z - 6)) ** 2 < 120
    values = np.where(ball, 200, 40 + 2 * x) + np.random.default_rng(0).integers(-5, 6, ball.shape)
    seg, said = _found(_scan(values.astype(np.float32)))
    assert said == []
    assert np.bincount(seg.labels.ravel(), minlength=4)[1:].min() > 1000


def test_two_tissues_in_one_class_are_no_gain():
    """One of them lies to one side, which makes their class brighter there, as a gain would."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    rng = np.random.default_rng(0)
    tissue = np.where(rng.random(SHAPE) < 0.5 + 0.4 * x, 1, 0) + 2 * (np.sin(9 * y) * np.cos(9 * z) > 0)
    image = _scan(_under(np.array([0.5, 0.6, 1.0, 1.2])[tissue], 0, 0.04))
    with pytest.warns(DataWarning, match="it may have a bias field, .* or more classes; bias_field=True takes it out"):
        seg = gmmseg.segment(image, 2)
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(image, 2, bias_field=False).labels)


def test_a_field_is_confirmed_by_one_class_more():
    values = _under(MEANS[_tissues()], 0.6, 0.03)
    (one, said), (other, _) = _found(_scan(values)), _found(_scan(values), 4, bias_field=True)
    assert len(said) == 1
    assert np.ptp(np.log(one.bias_field / other.bias_field)) < 0.3 * np.ptp(np.log(one.bias_field))


def test_nobody_else_gets_one():
    values = _under(MEANS[_tissues()], 0.6, 0.03)
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[10, :5, :5] = 1
    for image, asked in (
        (_scan(values, None), {}),
        (_scan(values), {"scribbles": strokes}),
        (_scan(values), {"smooth": 0}),
        (_scan(values), {"bias_field": False}),
    ):
        assert _found(image, **asked)[1] == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gmmseg.fit(_scan(values), 3)  # which has no place for a field


def test_objects_of_nibabel_are_scans():
    values = _under(MEANS[_tissues()], 0.6, 0.03)
    seg, said = _found(nib.Nifti1Image(values, np.eye(4)))
    assert len(said) == 1
    assert np.ptp(np.log(seg.bias_field)) > 0.4
