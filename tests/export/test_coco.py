"""COCO: pycocotools, the format's own library, reads the pixels that were written."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_maps import CRAFTED
from PIL import Image as Pillow
from pycocotools import mask as reference
from pycocotools.coco import COCO

from gmmseg.export import Export, find_instances, to_coco, to_panoptic, write_export

# Of pycocotools with NumPy 2, when it decodes.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SMALL = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3))


@pytest.mark.slow
@settings(deadline=None)
@given(SMALL, st.sampled_from(["component", "class", "object"]))
@example(np.array([[0, 1], [1, 1], [1, 1]], np.uint8), "component")  # one run through the end of a column
@example(np.array([[1, 1, 0], [1, 1, 1], [1, 1, 0]], np.uint8), "class")
@example(CRAFTED, "class")
def test_codes_are_those_of_pycocotools(labels, kind):
    found = find_instances(labels, instances=kind)
    data = to_coco(found, file_name="a.png")
    plain = to_coco(found, file_name="a.png", compressed=False)
    assert len(data["annotations"]) == len(found)
    for annotation, listed in zip(data["annotations"], plain["annotations"], strict=True):
        mask = np.asfortranarray(found.numbers == annotation["id"], np.uint8)
        expected = reference.encode(mask)
        code = annotation["segmentation"]
        assert code["counts"] == expected["counts"].decode()
        assert annotation["area"] == reference.area(expected)
        assert annotation["bbox"] == reference.toBbox(expected).tolist()
        rows, columns = labels.shape
        assert reference.frPyObjects(listed["segmentation"], rows, columns)["counts"] == expected["counts"]


@pytest.mark.slow
def test_lengths_that_need_many_characters():
    labels = np.zeros((3000, 2500), np.uint8)
    labels[0, 0] = labels[1500, 1200] = labels[-1, -2] = 1
    labels[100:2900, 2000:2300] = 1
    (only,) = to_coco(find_instances(labels, instances="class"), file_name="a.png")["annotations"]
    assert only["segmentation"]["counts"] == reference.encode(np.asfortranarray(labels))["counts"].decode()


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_through_the_reader(tmp_path, labels, compressed):
    names = ["sea", "sand", "wood", "straße"]
    options = Export(image=tmp_path / "photo.jpg", compressed=compressed)
    written = write_export(tmp_path / "a.json", find_instances(labels, class_names=names), "coco", options=options)
    assert written == [tmp_path / "a.json"]
    data = COCO(str(written[0]))
    assert data.loadImgs(1)[0] == {"id": 1, "file_name": "photo.jpg", "width": 70, "height": 40}
    assert {c["id"]: c["name"] for c in data.loadCats(data.getCatIds())} == dict(enumerate(names, 1))
    back = np.zeros_like(labels)
    for annotation in data.loadAnns(data.getAnnIds()):
        back += np.uint8(annotation["category_id"]) * data.annToMask(annotation)
        assert annotation["iscrowd"] == 0
    np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize(("kind", "is_thing"), [("component", 1), ("class", 0)])
def test_panoptic(tmp_path, labels, kind, is_thing):
    found = find_instances(labels, instances=kind)
    written = write_export(tmp_path / "a.json", found, "coco-panoptic")
    assert [path.name for path in written] == ["a.json", "a.png"]
    data = json.loads(written[0].read_text())
    (annotation,) = data["annotations"]
    rgb = np.asarray(Pillow.open(tmp_path / annotation["file_name"])).astype(np.uint32)
    numbers = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    back = np.zeros_like(labels)
    for segment in annotation["segments_info"]:
        mask = numbers == segment["id"]
        back[mask] = segment["category_id"]
        assert segment["area"] == mask.sum()
        assert segment["bbox"] == reference.toBbox(reference.encode(np.asfortranarray(mask, np.uint8))).tolist()
    np.testing.assert_array_equal(back, labels)
    assert {segment["id"] for segment in annotation["segments_info"]} == set(numbers[labels > 0].tolist())
    assert {category["isthing"] for category in data["categories"]} == {is_thing}


def test_panoptic_numbers_use_all_three_bytes():
    labels = np.arange(1, 70_001, dtype=np.uint32).reshape(200, 350)
    data, rgb = to_panoptic(find_instances(labels), file_name="a.png", segments_file="b.png")
    assert rgb.reshape(-1, 3)[65_536].tolist() == [1, 0, 1]
    assert data["annotations"][0]["segments_info"][65_536]["bbox"] == [65_536 % 350, 65_536 // 350, 1, 1]
