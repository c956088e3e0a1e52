"""Styles of label maps, by which a GIS shows classes in their colours and by their names: QML (QGIS) and SLD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from gmmseg.errors import OutputError, ParameterError
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.io.classes import Names
from gmmseg.io.palette import palette
from gmmseg.io.parts import as_text

if TYPE_CHECKING:
    from gmmseg.export.instances import Instances

__all__ = ["check_style", "classes_of", "qml_style", "sld_style", "write_style"]


def check_style(path: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError where no style can be written to a file of this name, before anything is computed."""
    if path.suffix.lower() not in (".qml", ".sld"):
        raise OutputError(f"{path}: styles are written to .qml (QGIS) and .sld files; give it a name that ends so")
    check_place(path, overwrite=overwrite)


def write_style(path: Path, classes: Names, *, overwrite: bool = False) -> None:
    """Write the style of a label map, QML or SLD by the file's suffix.

    Parameters
    ----------
    path : Path
    classes : mapping of int to str
        Names of the classes by their numbers.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The file cannot be written, or its suffix is another one.
    """
    check_style(path, overwrite=overwrite)
    style = qml_style(classes) if path.suffix.lower() == ".qml" else sld_style(classes, layer=path.stem)
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(style)


def classes_of(instances: Instances) -> Names:
    """Return the names of the classes that instances are of, by their numbers; raise ParameterError of objects."""
    if instances.kind == "object":
        raise ParameterError("styles are of classes, but the numbers are objects; use --instances class, or geojson")
    return {number: instances.names[number - 1] for number in instances.classes}


def qml_style(classes: Names) -> bytes:
    """Return a style of QGIS: it loads the file that is called as the raster, but for the suffix, by itself."""
    root = ElementTree.Element("qgis", version="3.0", styleCategories="Symbology")
    attributes = {"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ElementTree.SubElement(ElementTree.SubElement(root, "pipe"), "rasterrenderer", attributes)
    entries = ElementTree.SubElement(renderer, "colorPalette")
    for number, name, color in _colored(classes):
        ElementTree.SubElement(entries, "paletteEntry", value=str(number), label=name, color=color, alpha="255")
    return _text(root, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>")


def sld_style(classes: Names, *, layer: str) -> bytes:
    """Return a Styled Layer Descriptor 1.0.0 (OGC 02-070), as GeoServer and MapServer read it; QGIS does not."""
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
    for number, name, color in _colored(classes):
        ElementTree.SubElement(entries, "ColorMapEntry", color=color, quantity=str(number), label=name, opacity="1")
    return _text(root, '<?xml version="1.0" encoding="UTF-8"?>')


def _colored(classes: Names) -> Iterator[tuple[int, str, str]]:
    """Yield number, name and colour of the classes."""
    colors = palette(min(255, max(classes, default=0))).tolist()
    for number, name in classes.items():
        if number >= len(colors):
            raise ParameterError(f"class {number} has no colour, as none above 255 has; choose classes below")
        yield number, name, f"#{bytes(colors[number]).hex()}"


def _text(root: ElementTree.Element, head: str) -> bytes:
    ElementTree.indent(root)
    return as_text(f"{head}\n{ElementTree.tostring(root, encoding='unicode')}\n").encode()
