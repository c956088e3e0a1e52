"""The table of layers: what it says is what is computed, saved, and offered on the command line."""

import re

import numpy as np
import pytest
from noisy_images import patchwork

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.batch.outputs import ENDINGS, KINDS
from gmmseg.cli import main
from gmmseg.io import read
from gmmseg.labelling.layers import LAYERS, layer_named
from gmmseg.labelling.tiles import empty_layer

NAMES = [layer.name for layer in LAYERS]


@pytest.fixture
def gappy(tmp_path):
    """A float image with two classes and pixels without data: in memory, and in a file that is read by windows."""
    pixels = np.random.default_rng(0).normal(0, 1, (60, 50)).astype(np.float32)
    pixels[:, 25:] += 6
    pixels[10:20, 5:15] = np.nan
    np.save(tmp_path / "gappy.npy", pixels)
    return pixels, tmp_path / "gappy.npy"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*NaN.*:gmmseg.GmmsegWarning")
@pytest.mark.parametrize("layer", LAYERS, ids=NAMES)
def test_a_layer_has_its_dtype_and_its_nodata_value_in_memory_and_in_files(layer, gappy, tmp_path):
    pixels, path = gappy
    whole = gmmseg.segment(pixels, k=2)
    kept = gmmseg.segment(path, k=2, memory=4096)
    assert whole.image.in_memory
    assert not kept.image.in_memory
    for seg, name in ((whole, "whole.npy"), (kept, "kept.npy")):
        seg.save(tmp_path / name, layer=layer.name)
    saved, again = np.load(tmp_path / "whole.npy"), np.load(tmp_path / "kept.npy")
    np.testing.assert_array_equal(saved, again)
    assert saved.dtype == (np.float32 if layer.dtype == "image" else layer.dtype)
    assert saved.shape == ((2, 60, 50) if layer.kind == "soft" else (60, 50))
    if layer.name != "bias_field":  # a gain has a value everywhere
        np.testing.assert_array_equal(saved[..., 12, 8], np.full(saved.shape[:-2], layer.nodata))
    assert np.isfinite(saved[..., 40, 40]).all()


def test_uncertainty_is_one_less_the_largest_probability(gappy, tmp_path):
    pixels, _ = gappy
    with pytest.warns(gmmseg.GmmsegWarning, match="NaN"):
        seg = gmmseg.segment(pixels, k=2)
    alone = seg.uncertainty
    np.testing.assert_array_equal(alone, np.where(seg.labels > 0, 1 - seg.probabilities.max(axis=0), 0))
    seg.save(tmp_path / "u.npz", layer="uncertainty")
    saved = np.load(tmp_path / "u.npz")["uncertainty"]
    np.testing.assert_array_equal(np.isnan(saved), seg.labels == 0)
    np.testing.assert_array_equal(np.nan_to_num(saved), alone)


def test_every_layer_is_an_output_of_batches_and_an_option(capsys):
    assert [layer.output for layer in LAYERS] == list(KINDS[: len(LAYERS)])
    assert main(["segment", "--help"]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for layer in LAYERS:
        assert layer.option in text
        assert layer.name == "labels" or (layer.help in text and ENDINGS[layer.output] == layer.ending)


@pytest.mark.slow
def test_layers_that_the_command_line_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 90, (40, 50)).astype(np.uint8)
    pixels[:, 25:] += 150
    gmmseg.io.write_rgb("p.png", np.repeat(pixels[..., None], 3, axis=2))
    chosen = ["--soft", "s.npz", "--uncertainty", "u.tif", "--log-density", "d.tif", "--anomaly", "a.tif"]
    assert main(["segment", "p.png", "-k", "2", "-q", *chosen]) == 0
    seg = gmmseg.segment("p.png", k=2)
    np.testing.assert_array_equal(read("u.tif").array[..., 0], seg.uncertainty)
    np.testing.assert_array_equal(read("d.tif").array[..., 0], seg.log_density)
    np.testing.assert_array_equal(read("a.tif").array[..., 0], seg.anomaly)
    assert main(["batch", "p.png", "-k", "2", "-q", "--out-dir", "out", "--also", "uncertainty,log_density"]) == 0
    np.testing.assert_array_equal(read("out/p_uncertainty.tif").array[..., 0], seg.uncertainty)
    np.testing.assert_array_equal(read("out/p_log_density.tif").array[..., 0], seg.log_density)


def test_an_unknown_layer_is_refused_by_naming_all():
    with pytest.raises(ParameterError, match="layer='softness' is not known; use one of labels, probabilities, uncert"):
        layer_named("softness")
    seg = gmmseg.segment(np.uint8([[0, 200]]), k=2, smooth=False)
    with pytest.raises(ParameterError, match="layer='soft' is not known"):
        seg.save("x.npy", layer="soft")


def test_a_map_that_a_format_cannot_hold_is_not_called_probabilities(tmp_path):
    seg = gmmseg.segment(Image(np.zeros((4, 5), np.uint8)), k=1)
    for name in ("a.dcm", "a.png"):
        with pytest.raises(gmmseg.OutputError, match=r"\.nii\.gz") as refused:
            seg.save(tmp_path / name, layer="anomaly")
        assert "probabilit" not in str(refused.value)


def test_a_segmentation_says_what_it_is_on_one_line():
    seg = gmmseg.segment(np.uint8([[0, 200, 200]] * 2), k=2, smooth=False)
    assert repr(seg) == "Segmentation('image', 2 x 3 pixels, k=2)"
    assert repr(seg.clean(2)) == "Segmentation('image', 2 x 3 pixels, k=2, regions of at least 2 pixels)"


def test_layers_without_data(rng):
    model = gmmseg.fit(Image(patchwork(rng, (30, 30), 3, "uint8"), color=True), 2)
    assert empty_layer(layer_named("labels"), model, (2, 3)).sum() == 0
    assert empty_layer(layer_named("probabilities"), model, (2, 3)).shape == (2, 2, 3)
    assert np.isnan(empty_layer(layer_named("anomaly"), model, (2, 3))).all()
