"""QuPath's GeoJSON."""

import json
import uuid

import numpy as np
import pytest
from label_maps import CRAFTED
from pyogrio import raw
from shapely import from_wkb

from gmmseg.export import Export, find_instances, write_export
from gmmseg.io.ground import Ground


def features(path, found, **options):
    write_export(path, found, "qupath", options=Export(**options))
    return json.loads(path.read_text())["features"]


def test_annotations(tmp_path, burn):
    path = tmp_path / "a.geojson"
    found = find_instances(CRAFTED, class_names=["tumour", "stroma", "none"], instances="class")
    every = features(path, found, ground=Ground("area_um2", 0.25, found.shape))
    assert [each["properties"]["objectType"] for each in every] == ["annotation"] * 3
    assert every[0]["properties"]["classification"] == {"name": "tumour", "color": [0, 114, 178]}
    n = int((CRAFTED == 1).sum())
    assert every[0]["properties"]["measurements"] == {"Area px^2": n, "Area um^2": pytest.approx(n / 4)}
    assert len({str(uuid.UUID(each["id"])) for each in every}) == 3
    assert features(tmp_path / "b.geojson", found)[0]["id"] != every[0]["id"]
    shapes = from_wkb(raw.read(path)[2])
    np.testing.assert_array_equal(burn(CRAFTED.shape, list(zip(shapes, [1, 2, 3], strict=True))), CRAFTED)


def test_detections_are_called_by_their_numbers(tmp_path):
    found = find_instances(np.array([[7, 7, 900]], np.uint16), class_names=["nucleus"])
    every = features(tmp_path / "a.geojson", found)
    assert [each["properties"]["objectType"] for each in every] == ["detection"] * 2
    assert [each["properties"]["name"] for each in every] == ["nucleus 7", "nucleus 900"]
    assert every[0]["properties"]["measurements"] == {"Area px^2": 2}
