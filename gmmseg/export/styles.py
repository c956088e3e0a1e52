"""Styles of label maps, by which a GIS shows classes in their colours and by their names: QML (QGIS) and SLD."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from gmmseg.errors import ParameterError
from gmmseg.export.instances import Instances
from gmmseg.io.palette import palette

__all__ = ["qml_style", "sld_style"]


def qml_style(instances: Instances) -> bytes:
    """Return a style of QGIS: it loads the file that is called as the raster, but for the suffix, by itself."""
    root = ElementTree.Element("qgis", version="3.0", styleCategories="Symbology")
    attributes = {"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ElementTree.SubElement(ElementTree.SubElement(root, "pipe"), "rasterrenderer", attributes)
    entries = ElementTree.SubElement(renderer, "colorPalette")
    for number, name, color in _classes(instances):
        ElementTree.SubElement(entries, "paletteEntry", value=str(number), label=name, color=color, alpha="255")
    return _text(root, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>")


def sld_style(instances: Instances, *, layer: str) -> bytes:
    """Return a Styled Layer Descriptor 1.0.0 (OGC 02-070), as GeoServer, MapServer and QGIS read it."""
    spaces = {"xmlns": "http://www.opengis.net/sld", "xmlns:ogc": "http://www.opengis.net/ogc"}
    root = ElementTree.Element("StyledLayerDescriptor", spaces, version="1.0.0")
    named = ElementTree.SubElement(root, "NamedLayer")
    ElementTree.SubElement(named, "Name").text = layer
    rule = named
    for name in ("UserStyle", "FeatureTypeStyle", "Rule", "RasterSymbolizer"):
        rule = ElementTree.SubElement(rule, name)
    # 1.0.0 knows no type of maps of colours; those that have numbers as values name it all the same.
    entries = ElementTree.SubElement(rule, "ColorMap", type="values")
    ElementTree.SubElement(entries, "ColorMapEntry", color="#000000", quantity="0", label="no data", opacity="0")
    for number, name, color in _classes(instances):
        ElementTree.SubElement(entries, "ColorMapEntry", color=color, quantity=str(number), label=name, opacity="1")
    return _text(root, '<?xml version="1.0" encoding="UTF-8"?>')


def _classes(instances: Instances) -> Iterator[tuple[int, str, str]]:
    """Yield number, name and colour of the classes."""
    if instances.kind == "object":
        raise ParameterError("styles are of classes, but the numbers are objects; use --instances class, or geojson")
    colors = palette(min(255, max(instances.classes, default=0))).tolist()
    for number in instances.classes:
        if number >= len(colors):
            raise ParameterError(f"class {number} has no colour, as none above 255 has; choose classes below")
        yield number, instances.names[number - 1], "#{:02x}{:02x}{:02x}".format(*colors[number])


def _text(root: ElementTree.Element, head: str) -> bytes:
    ElementTree.indent(root)
    return f"{head}\n{ElementTree.tostring(root, encoding='unicode')}\n".encode()
