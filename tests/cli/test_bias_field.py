"""--bias-field, --save-bias and --save-corrected."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg import io


@pytest.fixture
def shaded(folder):
    """shaded.png and colour.png: stripes under light that fades from left to right; shaded.npy: the same as floats."""
    light = np.linspace(1.0, 0.4, 160)
    stripes = np.where(np.arange(120) // 10 % 2, 100.0, 180.0)[:, None] * light
    grey = (stripes + np.random.default_rng(0).normal(0, 3, stripes.shape)).clip(0, 255)
    Pillow.fromarray(grey.round().astype(np.uint8)).save("shaded.png", dpi=(300, 300))
    colour = grey[..., None] * np.array([1.0, 0.8, 0.5])
    Pillow.fromarray(colour.round().astype(np.uint8)).save("colour.png")
    np.save("shaded.npy", grey.astype(np.float32))
    np.save("bands.npy", np.stack([grey, grey[:, ::-1]], -1).astype(np.float32))
    return light / np.exp(np.log(light).mean())


@pytest.mark.slow
def test_the_field_and_the_corrected_picture(run, shaded):
    done = run("segment", "shaded.png", "-k", 2, "--bias-field", "--save-bias", "b.tif", "--save-corrected", "c.png")
    assert done.code == 0
    assert done.out.startswith("wrote shaded_labels.png, b.tif, c.png: ")
    labels = io.read_labels("shaded_labels.png")
    assert (labels == np.where(np.arange(120) // 10 % 2, 1, 2)[:, None]).mean() > 0.99
    gain = io.read("b.tif").array[..., 0]
    np.testing.assert_allclose(gain.mean(axis=0), shaded, rtol=0.05)
    with Pillow.open("c.png") as picture:
        assert (picture.mode, tuple(np.round(picture.info["dpi"]))) == ("L", (300, 300))
        corrected = np.asarray(picture).astype(float)
    np.testing.assert_allclose(corrected, np.asarray(Pillow.open("shaded.png")) / gain, atol=0.51)
    assert corrected[:10].mean(axis=0).std() < 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["c.png", "c.jpg", "c.tif", "c.npy"])
def test_colour_keeps_its_channels(run, shaded, name):
    options = ("-k", 2, "--features", "lab", "--bias-field", "--save-corrected", name, "--save-bias", "b.npy")
    assert run("segment", "colour.png", *options).code == 0
    assert np.load("b.npy").shape == (120, 160)
    if not name.endswith(".npy"):
        assert io.read(name).n_channels == 3
    else:
        assert np.load(name).shape == (3, 120, 160)


@pytest.mark.slow
def test_bands_have_a_gain_each(run, shaded):
    options = ("--channel-axis", -1, "-k", 2, "--bias-field", "--save-bias", "b.npy", "--save-corrected", "c.npy")
    assert run("segment", "bands.npy", *options, "-o", "labels.npy").code == 0
    bands = np.moveaxis(np.load("bands.npy"), -1, 0)
    np.testing.assert_allclose(np.load("c.npy") * np.load("b.npy"), bands, rtol=1e-5)


@pytest.mark.slow
def test_an_image_in_its_file_is_corrected_window_by_window(run, shaded):
    for memory, name in (("1GiB", "whole"), ("64MiB", "parts")):
        tall = np.tile(np.load("shaded.npy"), (90, 8))
        np.save("tall.npy", tall)
        options = ("-k", 2, "--bias-field", "--memory", memory, "--overwrite", "-o", f"{name}.tif")
        files = ("--save-bias", f"{name}_b.npy", "--save-corrected", f"{name}_c.npy")
        assert run("segment", "tall.npy", *options, *files).code == 0
    np.testing.assert_array_equal(np.load("whole_b.npy"), np.load("parts_b.npy"))
    np.testing.assert_array_equal(np.load("whole_c.npy"), np.load("parts_c.npy"))
    np.testing.assert_array_equal(io.read_labels("whole.tif"), io.read_labels("parts.tif"))


def test_where_there_is_no_field_the_files_say_so(run, folder):
    done = run("segment", "scan.png", "-k", 2, "--bias-field", "--save-bias", "b.npy")
    assert done.code == 0
    assert "scan.png: no bias field was taken out: parts of the image are no likelier with one" in done.err
    assert (np.load("b.npy") == 1).all()


@pytest.mark.slow
def test_a_batch_takes_them_out_too(run, shaded):
    assert run("batch", "shaded.png", "-k", 2, "--bias-field", "--out-dir", "labels", "--also", "bias", "-q").code == 0
    found = gmmseg.segment("shaded.png", 2, bias_field=True)
    np.testing.assert_array_equal(io.read_labels("labels/shaded_labels.png"), found.labels)
    np.testing.assert_array_equal(io.read("labels/shaded_bias.tif").array[..., 0], found.bias_field)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--save-bias", "b.tif"], 2, "--save-bias b.tif is of --bias-field, which is not given; add it"),
        (["--save-corrected", "c.tif"], 2, "--save-corrected c.tif is of --bias-field"),
        (["--bias-field", "--save-bias", "b.jpg"], 1, "b.jpg has the suffix '.jpg'"),
        (["--bias-field", "--save-bias", "b.dcm"], 1, "b.dcm: DICOM segmentations hold classes, not numbers"),
        (["--bias-field", "--features", "intensity,texture"], 2, "--bias-field does not go with"),
    ],
)
def test_what_cannot_be(refuse, folder, arguments, code, words):
    assert words in refuse("segment", "scan.png", "-k", 2, *arguments, code=code)


def test_a_picture_has_no_room_for_floats(refuse, shaded):
    options = ("-k", 2, "--bias-field", "--save-corrected", "c.png", "-o", "labels.png")
    assert "c.png: PNG holds 8 bits of grey or colour, shaded.npy has 1 x float32" in refuse(
        "segment", "shaded.npy", *options, code=1
    )


@pytest.mark.slow
def test_no_data_stays_no_data(run, shaded):
    mask = np.ones((120, 160), np.uint8)
    mask[30:50, 60:90] = 0
    Pillow.fromarray(mask).save("mask.png")
    options = ("-k", 2, "--bias-field", "--mask", "mask.png", "-o", "labels.png", "--overwrite", "--save-corrected")
    assert run("segment", "shaded.npy", *options, "c.npy").code == 0
    np.testing.assert_array_equal(np.isnan(np.load("c.npy")), mask == 0)
    assert run("segment", "shaded.png", *options, "c.png").code == 0
    with Pillow.open("c.png") as corrected, Pillow.open("shaded.png") as picture:
        np.testing.assert_array_equal(np.asarray(corrected)[mask == 0], np.asarray(picture)[mask == 0])


def test_a_scan_is_evened_unasked_and_says_so(run, folder):
    """Blobs of two tissues in zeros, brighter by half at one end."""
    blobs = gaussian_filter(np.random.default_rng(0).normal(size=(40, 44, 48)), 3) > 0
    values = np.where(blobs, 100.0, 60.0) * np.exp(np.linspace(-0.25, 0.25, 40))[:, None, None]
    values += np.random.default_rng(1).normal(0, 3, values.shape)
    values[:, :8] = 0
    nib.save(nib.Nifti1Image(values.astype(np.float32), np.diag([1, 1, 1, 1])), folder / "t1.nii.gz")
    options = ("segment", "t1.nii.gz", "-k", 2, "--nodata", 0, "--json", "--overwrite", "-o")
    done = run(*options, "evened.nii.gz")
    (said,) = json.loads(done.out)[0]["warnings"]
    assert said.startswith(
        "t1.nii.gz: a bias field was taken out, which makes some parts brighter than others by about "
    )
    assert said.endswith(" %; --no-bias-field leaves it in")
    assert said in done.err
    assert json.loads(done.out)[0]["bias_field"] is True
    left = json.loads(run(*options, "left.nii.gz", "--no-bias-field").out)[0]
    assert (left["warnings"], left["bias_field"]) == ([], False)
    evened, as_it_is = (io.read_labels(folder / name)[:, 8:] for name in ("evened.nii.gz", "left.nii.gz"))
    truth = blobs[:, 8:] + 1
    assert (evened != truth).mean() < 0.5 * (as_it_is != truth).mean()
    assert run("batch", "t1.nii.gz", "-k", 2, "--nodata", 0, "--out-dir", "all", "-q").code == 0
    np.testing.assert_array_equal(
        io.read_labels(folder / "all/t1_labels.nii.gz"), io.read_labels(folder / "evened.nii.gz")
    )
