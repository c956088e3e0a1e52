"""The work on one image."""

from pathlib import Path

import numpy as np
import pytest
from doubtful import doubtful, strokes
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch import process
from gmmseg.errors import DataWarning, InputError, OutputError, ParameterError
from gmmseg.labelling.result import Segmentation
from gmmseg.web.painting import painted


def test_one_image_is_what_segment_says(scenes, tmp_path):
    outputs = {"model": Path("m.json"), "labels": Path("l.npy"), "soft": Path("s.npy"), "anomaly": Path("n.npy")}
    stages = []
    record = process(scenes / "a.png", outputs, parameters={"k": 3, "seed": 5}, stage=stages.append)
    direct = gmmseg.segment(scenes / "a.png", 3, seed=5)
    assert stages == ["reading", "fitting", "writing"]
    assert list(record["outputs"]) == ["labels", "soft", "anomaly", "model"]
    np.testing.assert_array_equal(np.load("l.npy"), direct.labels)
    np.testing.assert_array_equal(np.load("s.npy"), direct.probabilities)
    np.testing.assert_array_equal(np.load("n.npy"), direct.anomaly)
    assert [each["share"] for each in record["classes"]] == [each.share for each in direct.classes]
    model = gmmseg.load_model("m.json")
    process(scenes / "b.png", {"labels": Path("b.npy")}, model=model, parameters={"smooth": 0.2})
    np.testing.assert_array_equal(np.load("b.npy"), gmmseg.apply(model, scenes / "b.png", smooth=0.2).labels)
    with pytest.raises(OutputError, match="exists already"):
        process(scenes / "b.png", {"labels": Path("b.npy")}, model=model)
    outputs = {"labels": Path("c.tif"), "style": Path("c.qml")}
    process(scenes / "b.png", outputs, model=model)
    assert Path("c.qml").read_text().count("<paletteEntry ") == 3
    with pytest.raises(OutputError, match=r"c\.qml exists already"):
        process(scenes / "b.png", outputs | {"labels": Path("d.tif")}, model=model)
    with pytest.raises(ParameterError, match="'depth', which is nothing to write"):
        process(scenes / "b.png", {"depth": Path("c.npy")})


def test_one_image_needs_nothing_of_the_rest(fresh_python):
    code = "import sys; from gmmseg.batch.processing import process; print('gmmseg.batch.planning' in sys.modules)"
    assert fresh_python(code).strip() == "False"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gmmseg.batch.nothing


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (InputError("a.tif is not there any more; check the path"), InputError, "a.tif is not there any more"),
        (FileNotFoundError(2, "No such file", "b.tif"), OutputError, "b.tif: No such file; check the file"),
        (OSError(28, "No space left"), OutputError, "s.npy cannot be written: No space left; free space"),
        (RuntimeError("std::bad_alloc"), RuntimeError, "std::bad_alloc"),
        (MemoryError(), OutputError, "s.npy cannot be written: there is not enough memory"),
        (OSError(12, "Cannot allocate memory"), OutputError, "s.npy cannot be written: there is not enough memory"),
    ],
)
def test_what_fails_while_results_are_written_is_said_of_what_failed(scenes, monkeypatch, error, kind, words):
    save = Segmentation.save

    def fail(self, path, **options):
        if path.name == "s.npy":
            raise error
        save(self, path, **options)

    monkeypatch.setattr(Segmentation, "save", fail)
    with pytest.raises(kind) as caught:
        process(scenes / "a.png", {"labels": Path("l.npy"), "soft": Path("s.npy")}, parameters={"k": 2})
    assert str(caught.value).startswith(words)
    assert kind is RuntimeError or str(caught.value).endswith("(l.npy was written before that)")


FIRST = """
import sys
from pathlib import Path
from gmmseg.batch.processing import process

print(process(Path(sys.argv[1]), {"labels": Path(sys.argv[2])}, parameters={"k": 2})["k"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee.png", "small.png", "photo.jpg", "photo.npy"])
def test_the_first_image_of_a_process_is_read_while_the_rest_is_loaded(tmp_path, pictures, fresh_python, name):
    """What both threads need is there before there are two."""
    with Pillow.open(pictures / "coffee.png") as picture:
        picture.save(tmp_path / "coffee.png")
        picture.resize((64, 48)).save(tmp_path / "small.png")
        picture.save(tmp_path / "photo.jpg")
        np.save(tmp_path / "photo.npy", np.asarray(picture))
    assert fresh_python(FIRST, tmp_path / name, tmp_path / "labels.png").strip() == "2"


def test_a_class_without_a_pixel_is_named(tmp_path):
    image, labels = tmp_path / "image.npy", tmp_path / "labels.png"
    np.save(image, np.repeat(np.uint8([0, 1, 2]), [300, 500, 200]).reshape(20, 50))
    with pytest.warns(DataWarning, match=r"image\.npy: no pixel is of class 1: fewer than 2 classes can be told apart"):
        record = process(image, {"labels": labels}, parameters={"k": 2})
    assert [each["pixels"] for each in record["classes"]] == [0, 1000]


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_where_a_stroke_is_wanted_is_data_and_not_only_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Pillow.fromarray(doubtful()).save("toad.png")
    drawn = painted(strokes(), (90, 160), (90, 160))
    labels = {"labels": Path("labels.png")}
    record = process(Path("toad.png"), labels, parameters={"k": 2, "scribbles": drawn})
    (place,) = record["places"]
    row, column = place["place"]
    assert f"most of it around row {row}, column {column};" in place["warning"]
    assert "toad" not in place["warning"]
    assert "places" not in process(Path("toad.png"), labels, parameters={"k": 2}, overwrite=True)
