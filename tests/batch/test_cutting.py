"""Cut-outs from file to file."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.batch.cutting import cut_out
from gmmseg.errors import OutputError, ParameterError


@pytest.fixture
def photo(tmp_path):
    pixels = np.full((30, 40, 3), 40, np.uint8)
    pixels[10:20, 10:30] = (200, 90, 30)
    Pillow.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_stages_and_the_record(photo, tmp_path):
    stages = []
    record = cut_out(
        photo, tmp_path / "a.png", label=2, parameters={"k": 2}, reading={}, cutting={"crop": True}, stage=stages.append
    )
    assert stages == ["reading", "fitting", "cutting out", "writing"]
    assert record["classes"] == [{"label": 2, "name": "class 2"}]
    assert record["share"] == pytest.approx(200 / 1200)


def test_as_many_classes_as_strokes_have_colors(photo, tmp_path):
    layer = np.zeros((30, 40, 4), np.uint8)
    for row, color in ((12, (255, 0, 0)), (2, (0, 0, 255)), (27, (0, 200, 0))):
        layer[row : row + 2, 12:28] = (*color, 255)
    Pillow.fromarray(layer).save(tmp_path / "s.png")
    parameters = {"k": None, "scribbles": tmp_path / "s.png"}
    record = cut_out(photo, tmp_path / "a.png", parameters=parameters, reading={}, cutting={})
    assert record["share"] == pytest.approx(200 / 1200)


def test_training_areas_name_what_is_cut_out(photo, tmp_path):
    lines = {"wall": [[2, 2], [38, 2]], "door": [[12, 15], [28, 15]]}
    features = [
        {"properties": {"class": name}, "geometry": {"type": "LineString", "coordinates": places}}
        for name, places in lines.items()
    ]
    (tmp_path / "areas.geojson").write_text(json.dumps({"features": features}))
    parameters = {"k": None, "scribbles": tmp_path / "areas.geojson"}
    record = cut_out(photo, tmp_path / "a.png", label="door", parameters=parameters, reading={}, cutting={})
    assert record["classes"] == [{"label": 1, "name": "door"}]
    assert record["share"] == pytest.approx(200 / 1200)


def test_what_is_wrong_is_found_before_anything_is_read(photo, tmp_path):
    for target, cutting, error in (
        ("a.jpg", {}, OutputError),
        ("a.png", {"background": "whitish"}, ParameterError),
        ("a.txt", {}, OutputError),
    ):
        with pytest.raises(error):
            cut_out(tmp_path / "none", tmp_path / target, parameters={"k": 2}, reading={}, cutting=cutting)
