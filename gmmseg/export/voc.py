"""Pascal VOC: boxes in XML, classes and objects as pictures of indices in the colours of the challenge.

The layout is that of the VOC 2012 development kit (Everingham and Winn 2012): boxes count pixels from 1, both ends
included; 255 is void.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.export.coco import boxes_of
from gmmseg.export.instances import Instances
from gmmseg.io.parts import as_text
from gmmseg.io.picture.png import write_png

__all__ = ["MOST_OBJECTS", "voc_annotation", "voc_colors", "voc_label_map", "write_voc_classes", "write_voc_objects"]

MOST_OBJECTS = 254
"""Objects a picture: 0 is background, 255 void."""


def voc_colors() -> Array:
    """Return the colours of the indices, shape (256, 3): their bits, dealt to red, green and blue in turn.

    Examples
    --------
    >>> voc_colors()[[1, 2, 3]].tolist()
    [[128, 0, 0], [0, 128, 0], [128, 128, 0]]
    """
    index = np.arange(256)
    colors = np.zeros((256, 3), np.uint8)
    for place in range(8):
        bits = index[:, None] >> (3 * place + np.arange(3)) & 1
        colors |= (bits << (7 - place)).astype(np.uint8)
    return colors


def voc_annotation(instances: Instances, *, file_name: str) -> bytes:
    """Return the XML file of a picture: a box for each instance."""
    rows, columns = instances.shape
    root = ElementTree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", file_name)
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", columns), ("height", rows), ("depth", 3)):
        _add(size, name, value)
    _add(root, "segmented", 1)
    for index, (left, top, width, height) in enumerate(boxes_of(instances)):
        each = ElementTree.SubElement(root, "object")
        _add(each, "name", instances.name_of(index))
        for name, text in (("pose", "Unspecified"), ("truncated", 0), ("difficult", 0)):
            _add(each, name, text)
        box = ElementTree.SubElement(each, "bndbox")
        corners = {"xmin": left + 1, "ymin": top + 1, "xmax": left + width, "ymax": top + height}
        for name, value in corners.items():
            _add(box, name, value)
    ElementTree.indent(root)
    return as_text(f"{ElementTree.tostring(root, encoding='unicode')}\n").encode()


def write_voc_classes(file: BinaryIO, instances: Instances, numbers: Array) -> None:
    """Write the data set's number of the class of each pixel; `numbers` are these by the label map's."""
    if numbers.max() > MOST_OBJECTS:
        raise ParameterError(f"Pascal VOC holds {MOST_OBJECTS} classes, here is number {numbers.max()}; use coco")
    categories = np.append(0, numbers[instances.categories])[instances.numbers]
    write_png(file, categories.astype(np.uint8), palette=voc_colors())


def write_voc_objects(file: BinaryIO, instances: Instances) -> None:
    """Write the number of the instance of each pixel, from 1."""
    write_png(file, instances.numbers.astype(np.uint8), palette=voc_colors())


def voc_label_map(items: Iterable[tuple[int, str]]) -> str:
    """Return the file that names the colours of the classes, by their numbers."""
    colors = voc_colors().tolist()
    lines = [f"{name}:{','.join(map(str, colors[number]))}::\n" for number, name in [(0, "background"), *items]]
    return "# label:color_rgb:parts:actions\n" + "".join(lines)


def _add(parent: ElementTree.Element, name: str, value: Any) -> None:
    ElementTree.SubElement(parent, name).text = str(value)
