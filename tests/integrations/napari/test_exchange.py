"""Layers as images and results as layers; napari itself is not needed."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from doubtful import doubtful, strokes

import gmmseg
from gmmseg import io
from gmmseg.integrations.napari import exchange
from gmmseg.web.painting import painted


def layer(data, **options):
    found = {
        "rgb": False,
        "multiscale": False,
        "name": "scan",
        "scale": np.ones(data.ndim),
        "translate": np.zeros(data.ndim),
        "units": ("pixel",) * data.ndim,
    }
    return SimpleNamespace(data=data, **{**found, **options})


@pytest.fixture
def scan(rng):
    values = rng.integers(40, 50, (60, 80), np.uint8)
    values[:, 40:] += 120
    units = ("micrometer", "micrometer")
    return layer(values, scale=np.array([0.5, 0.25]), translate=np.array([3.0, 4.0]), units=units)


def test_classes_lie_where_the_image_does_and_carry_their_table(scan):
    ((labels, meta, kind),) = exchange.segmented(scan, k=2)
    np.testing.assert_array_equal(labels, 1 + (scan.data > 100))
    assert kind == "labels"
    assert (meta["scale"], meta["translate"], meta["units"]) == (scan.scale, scan.translate, scan.units)
    assert meta["name"] == "scan classes"
    assert meta["features"]["index"].tolist() == [0, 1, 2]
    assert meta["features"]["area_um2"][1:].tolist() == [300.0, 300.0]
    assert all(len(column) == 3 for column in meta["features"].values())


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_what_classes_are_to_be_doubted_for_is_told_and_marked():
    drawn = painted(strokes(), (90, 160), (90, 160))
    scan = layer(doubtful(), rgb=True, scale=np.array([0.5, 0.25]), translate=np.array([3.0, 4.0]))
    (_, classes, _), (places, marks, kind) = exchange.segmented(scan, k=2, strokes=layer(drawn))
    (text,) = classes["metadata"]["warnings"]
    assert f"around row {places[0, 0]:.0f}, column {places[0, 1]:.0f};" in text
    assert (kind, places.shape, marks["name"]) == ("points", (1, 2), "scan doubts")
    assert classes["metadata"]["doubts"] == "scan doubts"
    assert (marks["scale"], marks["translate"]) == (scan.scale, scan.translate)
    assert marks["features"]["warning"].tolist() == [text]
    assert exchange.segmented(scan, k=2)[0][1]["metadata"]["warnings"] == []


def test_pixels_without_a_unit_have_no_size(scan):
    scan.units = ("pixel", "pixel")
    assert exchange.image_of(scan).spacing is None


def test_colour_and_pyramids(rng):
    colour = rng.integers(0, 256, (20, 30, 3), np.uint8)
    assert exchange.image_of(layer(colour, rgb=True)).color
    pyramid = SimpleNamespace(
        **{**vars(layer(colour[..., 0])), "multiscale": True, "data": [colour[..., 0], colour[::2, ::2, 0]]}
    )
    assert exchange.image_of(pyramid).shape == (20, 30)


def test_a_volume_that_ends_in_three_planes_is_no_colour():
    assert exchange.image_of(layer(np.zeros((9, 8, 3), np.uint8))).shape == (9, 8, 3)


def test_strokes_decide(scan):
    strokes = np.zeros(scan.data.shape, np.int32)
    strokes[5, 50:70], strokes[5, 5:30] = 1, 2
    ((labels, _, _),) = exchange.segmented(scan, k=2, strokes=layer(strokes))
    np.testing.assert_array_equal(labels, 2 - (scan.data > 100))


def test_a_layer_without_a_stroke_is_none(scan):
    ((labels, _, _),) = exchange.segmented(scan, k=2, strokes=layer(np.zeros((60, 80), np.int32)))
    assert labels.max() == 2


def test_models_and_regions(scan, tmp_path):
    gmmseg.fit(scan.data, k=2).save(tmp_path / "m.json")
    ((labels, meta, _),) = exchange.applied(scan, model=tmp_path / "m.json")
    assert labels.max() == 2
    assert meta["metadata"]["model"].k == 2
    ((regions, meta, _),) = exchange.cut_into_regions(scan, detail=0.8)
    assert meta["name"] == "scan regions"
    assert regions.max() == gmmseg.regions(scan.data).count(0.8) > 1
    exchange.write_labels(str(tmp_path / "r.png"), regions, meta)
    assert io.read_labels(tmp_path / "r.png").dtype == np.uint16  # numbers of objects, to exports


def test_label_maps_are_written_with_the_size_of_their_pixels(scan, tmp_path):
    ((labels, meta, _),) = exchange.segmented(scan, k=2)
    path = str(tmp_path / "labels.nii.gz")
    assert exchange.write_labels(path, labels, meta) == [path]
    np.testing.assert_array_equal(io.read_labels(path), labels)
    written = io.read(path)
    assert written.place.metres * np.array(written.spacing) == pytest.approx((0.5e-6, 0.25e-6))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".npz", ".nii"])
def test_label_maps_are_written_to_each_format_of_the_manifest(suffix, tmp_path, rng):
    labels = rng.integers(0, 4, (6, 7), np.uint8)
    path = str(tmp_path / f"labels{suffix}")
    exchange.write_labels(path, labels, {"scale": (2.0, 2.0), "units": ("pixel", "pixel")})
    np.testing.assert_array_equal(io.read_labels(path), labels)


def test_the_manifest_names_what_is_there():
    text = (Path(exchange.__file__).parent / "napari.yaml").read_text()
    names = re.findall(r"python_name: gmmseg\.integrations\.napari\.(\w+):(\w+)", text)
    assert len(names) == 4
    for module, function in names:
        home = __import__(f"gmmseg.integrations.napari.{module}", fromlist=[function])
        assert callable(getattr(home, function))
