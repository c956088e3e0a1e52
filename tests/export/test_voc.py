"""Pascal VOC: the numbers of the development kit."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import ParameterError
from gmmseg.export import find_instances
from gmmseg.export.voc import voc_annotation, voc_colors, voc_label_map, write_voc_classes, write_voc_objects

LABELS = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [0, 2, 0, 0]], np.uint8)


def picture(write, *arguments):
    file = io.BytesIO()
    write(file, *arguments)
    return Pillow.open(file)


def test_boxes_count_from_one_and_hold_their_ends():
    root = ElementTree.fromstring(voc_annotation(find_instances(LABELS, class_names=["a<b", "c"]), file_name="a.jpg"))
    assert root.findtext("filename") == "a.jpg"
    assert [root.findtext(f"size/{name}") for name in ("width", "height")] == ["4", "3"]
    boxes = [
        [each.findtext("name"), *(int(each.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))]
        for each in root.iter("object")
    ]
    assert boxes == [["a<b", 1, 1, 2, 2], ["c", 4, 1, 4, 2], ["c", 2, 3, 2, 3]]


def test_pictures_of_classes_and_objects():
    found = find_instances(LABELS)
    classes = picture(write_voc_classes, found, np.array([0, 1, 7]))
    assert classes.mode == "P"
    np.testing.assert_array_equal(np.asarray(classes), np.choose(LABELS, [0, 1, 7]))
    assert np.asarray(classes.convert("RGB"))[0, 3].tolist() == voc_colors()[7].tolist()
    objects = np.asarray(picture(write_voc_objects, found))
    np.testing.assert_array_equal(objects, found.numbers)
    with pytest.raises(ParameterError, match="holds 254 classes, here is number 300"):
        write_voc_classes(io.BytesIO(), found, np.array([0, 1, 300]))


def test_colors_are_those_of_the_development_kit():
    assert voc_colors()[[0, 15, 20, 255]].tolist() == [[0, 0, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192]]
    assert voc_label_map([(15, "person")]).splitlines()[1:] == ["background:0,0,0::", "person:192,128,128::"]
