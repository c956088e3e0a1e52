"""Styles for a GIS."""

from xml.etree import ElementTree

import numpy as np
import pytest

from gmmseg.errors import OutputError, ParameterError
from gmmseg.export import Choice, find_instances, write_export
from gmmseg.export.styles import check_style, qml_style, sld_style, write_style

FOUND = find_instances(np.array([[1, 2, 3]], np.uint8), class_names=["a<b", "c", "d"], choice=Choice(background=("c",)))


def test_qml(tmp_path):
    (path,) = write_export(tmp_path / "land.qml", FOUND, "qml")
    root = ElementTree.parse(path).getroot()
    renderer = root.find("pipe/rasterrenderer")
    assert (root.tag, renderer.get("type"), renderer.get("band")) == ("qgis", "paletted", "1")
    entries = [(each.get("value"), each.get("label"), each.get("color")) for each in root.iter("paletteEntry")]
    assert entries == [("1", "a<b", "#0072b2"), ("3", "d", "#009e73")]


def test_sld(tmp_path):
    (path,) = write_export(tmp_path / "land.sld", FOUND, "sld")
    spaces = {"s": "http://www.opengis.net/sld"}
    root = ElementTree.parse(path).getroot()
    assert root.findtext("s:NamedLayer/s:Name", namespaces=spaces) == "land"
    colors = root.find("s:NamedLayer/s:UserStyle/s:FeatureTypeStyle/s:Rule/s:RasterSymbolizer/s:ColorMap", spaces)
    assert [(each.get("quantity"), each.get("label"), each.get("color")) for each in colors] == [
        ("0", "no data", "#000000"),
        ("1", "a<b", "#0072b2"),
        ("3", "d", "#009e73"),
    ]


def test_objects_have_no_style(tmp_path):
    with pytest.raises(ParameterError, match="styles are of classes, but the numbers are objects"):
        write_export(tmp_path / "a.qml", find_instances(np.array([[1]], np.uint16)), "qml")
    many = find_instances(np.array([[300]], np.uint16), instances="class")
    with pytest.raises(ParameterError, match="class 256 has no colour"):
        write_export(tmp_path / "a.sld", many, "sld")


def test_a_style_is_written_by_the_suffix_of_its_file(tmp_path):
    classes = {1: "water", 2: "forest"}
    write_style(tmp_path / "land.qml", classes)
    assert (tmp_path / "land.qml").read_bytes() == qml_style(classes)
    write_style(tmp_path / "land.SLD", classes)
    assert (tmp_path / "land.SLD").read_bytes() == sld_style(classes, layer="land")
    with pytest.raises(OutputError, match="exists already"):
        write_style(tmp_path / "land.qml", classes)
    with pytest.raises(OutputError, match=r"styles are written to \.qml \(QGIS\) and \.sld files"):
        check_style(tmp_path / "land.xml")
