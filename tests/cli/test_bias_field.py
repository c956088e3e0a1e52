"""--bias-field, --save-bias and --save-corrected."""

import numpy as np
import pytest
from PIL import Image as Pillow

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
