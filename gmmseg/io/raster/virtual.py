"""Virtual rasters (VRT): read here, checked, and given to GDAL as a description that names nothing but checked files.

GDAL takes names in any case, attributes for elements, addresses and other drivers' words for files. So it never sees
what a file says: it gets what was understood of it, written anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from gmmseg.errors import InputError
from gmmseg.io.raster.beside import require_inside
from gmmseg.io.raster.drivers import Driver, beginning, driver_of
from gmmseg.io.raster.systems import require_no_files

__all__ = ["MOST_BYTES", "description"]

MOST_BYTES = 64 << 20
"""Of a description, and of all that it is made of."""
_DEEPEST = 8  # virtual rasters of virtual rasters

_SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource", "NoDataFromMaskSource")
_OF_SOURCES = (
    *("SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect", "NODATA", "UseMaskBand", "Clamp"),
    *("ScaleOffset", "ScaleRatio", "Exponent", "SrcMin", "SrcMax", "DstMin", "DstMax", "LUT", "ColorTableComponent"),
    *("Kernel", "MaskValueThreshold", "RemappedValue"),
)
_OF_BANDS = (
    *("ColorInterp", "NoDataValue", "HideNoDataValue", "ColorTable", "Description", "Offset", "Scale", "UnitType"),
    *("CategoryNames", "Metadata", "MaskBand", *_SOURCES),
)
_RECTANGLE = ("xOff", "yOff", "xSize", "ySize")

# What an element may hold, and which attributes it has.
_PARTS: dict[str, tuple[str, ...]] = {
    "VRTDataset": ("SRS", "GeoTransform", "GCPList", "Metadata", "MaskBand", "VRTRasterBand"),
    "VRTRasterBand": _OF_BANDS,
    "MaskBand": ("VRTRasterBand",),
    "GCPList": ("GCP",),
    "Metadata": ("MDI",),
    "ColorTable": ("Entry",),
    "CategoryNames": ("Category",),
    "Kernel": ("Size", "Coefs"),
    **dict.fromkeys(_SOURCES, _OF_SOURCES),
}
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "VRTDataset": ("rasterXSize", "rasterYSize"),
    "VRTRasterBand": ("dataType", "band", "blockXSize", "blockYSize"),
    "SRS": ("dataAxisToSRSAxisMapping", "coordinateEpoch"),
    "GCPList": ("Projection", "dataAxisToSRSAxisMapping"),
    "GCP": ("Id", "Info", "Pixel", "Line", "X", "Y", "Z"),
    "MDI": ("key",),
    "Entry": ("c1", "c2", "c3", "c4"),
    "SourceProperties": ("RasterXSize", "RasterYSize", "DataType", "BlockXSize", "BlockYSize"),
    "SrcRect": _RECTANGLE,
    "DstRect": _RECTANGLE,
    "Kernel": ("normalized",),
    **dict.fromkeys(_SOURCES, ("resampling",)),
}
_LEFT_OUT = frozenset({"histograms", "gdalrasterattributetable", "overview", "overviewlist"})  # never asked for
_DOMAINS = frozenset({"", "rpc"})  # of metadata: others are never asked for, and some make GDAL open files


def description(path: Path, check: Callable[[Path, Driver], None]) -> str:
    """Return what GDAL is to open in place of a virtual raster.

    Parameters
    ----------
    path : Path
    check : callable
        Takes the real path and the driver of each file that it is made of; raises where it may not be opened.

    Raises
    ------
    InputError
        It is damaged, has parts beyond files and what is done to their numbers, or names what is no regular file of a
        known format in its folder or below.
    """
    return _Rewriting(path, check).text(path.resolve(), ())


class _Rewriting:
    """The rewriting of one virtual raster, with all those that it is made of."""

    def __init__(self, owner: Path, check: Callable[[Path, Driver], None]) -> None:
        self.owner, self._check = owner, check
        self._checked: dict[Path, str] = {}
        self._bytes = 0

    def text(self, path: Path, above: tuple[Path, ...]) -> str:
        """Return the description of a virtual raster that others are made of."""
        if path in above or len(above) == _DEEPEST:
            raise InputError(
                f"{self.owner} is a virtual raster of itself, or of more than {_DEEPEST} levels; make it again"
            )
        root = self._parsed(path)
        if _name(root) != "vrtdataset":
            raise InputError(
                f"{self.owner} is a damaged virtual raster (it begins with {root.tag[:40]!r}); make it again"
            )
        made = ElementTree.tostring(self._rewritten(root, "VRTDataset", path, above), encoding="unicode")
        require_no_files(made, self.owner, path.name)
        self._count(len(made))
        return made

    def _count(self, n_bytes: int) -> None:
        self._bytes += n_bytes
        if self._bytes > MOST_BYTES:
            raise InputError(
                f"{self.owner} is a virtual raster of more than {MOST_BYTES >> 20} MiB of descriptions; "
                "export it as GeoTIFF"
            )

    def _parsed(self, path: Path) -> Element:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        self._count(len(content))
        try:
            text = content.decode("utf-8-sig")
            if "<!DOCTYPE" in text.upper():
                raise ValueError("it has a document type")
            return ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError) as error:
            raise InputError(f"{self.owner} is a damaged virtual raster ({error}); make it again") from None

    def _rewritten(self, found: Element, tag: str, path: Path, above: tuple[Path, ...]) -> Element:
        """Return an element with the parts that are known, by the names that GDAL gives them."""
        attributes = {name.lower(): value for name, value in found.items()}
        self._require_plain(attributes.get("subclass", ""))
        names = {name.lower(): name for name in _ATTRIBUTES.get(tag, ())}
        made = Element(tag, {names[key]: value for key, value in attributes.items() if key in names})
        if tag == "SourceFilename":
            made.set("relativeToVRT", "0")
            made.text = self._source(found, attributes.get("relativetovrt", "0"), path, above)
            return made
        parts = {name.lower(): name for name in _PARTS.get(tag, ())}
        if not parts:
            made.text = found.text
        for child in found:
            name = _name(child)
            if name in _LEFT_OUT or (name == "metadata" and _domain(child) not in _DOMAINS):
                continue
            if name not in parts:
                raise InputError(
                    f"{self.owner} is a virtual raster with {child.tag[:40]!r}, which is not followed; "
                    "export it as GeoTIFF"
                )
            if tag == "MaskBand" and any(_name(each) == "maskband" for each in child):
                raise InputError(f"{self.owner} is a damaged virtual raster (a mask has a mask); make it again")
            made.append(self._rewritten(child, parts[name], path, above))
            if name == "metadata" and _domain(child):
                made[-1].set("domain", _domain(child).upper())
        if tag in _SOURCES and [each.tag for each in made].count("SourceFilename") != 1:
            raise InputError(f"{self.owner} is a damaged virtual raster (a source is of no single file); make it again")
        return made

    def _require_plain(self, kind: str) -> None:
        if kind.lower() not in ("", "vrtsourcedrasterband"):
            raise InputError(
                f"{self.owner} is a virtual raster of the kind {kind[:40]!r}, which is computed or read from plain "
                "bytes; export it as GeoTIFF"
            )

    def _source(self, found: Element, relative: str, path: Path, above: tuple[Path, ...]) -> str:
        """Return what GDAL opens for a file that a source names: its real path, or the description that it holds."""
        name = (found.text or "").strip()
        if not name or "\0" in name or len(found):
            raise InputError(f"{self.owner} is a damaged virtual raster (a source has no name); make it again")
        target = path.parent / name if relative == "1" else Path(name).absolute()
        if target in self._checked:
            return self._checked[target]
        real = require_inside(target, path.parent, self.owner)
        driver = driver_of(real)
        if driver is not None and driver.name == "VRT":
            return self.text(real, (*above, path))
        if driver is None or not driver.mosaics or b"<" in beginning(real).partition(b"\0")[0]:
            raise InputError(
                f"{self.owner} is a virtual raster of {name[:200]}, which is none of the files that mosaics are made "
                "of (.tif, .jp2, .png, .jpg, .img, .asc); convert it to GeoTIFF"
            )
        self._check(real, driver)
        self._checked[target] = str(real)
        return str(real)


def _name(element: Element) -> str:
    return element.tag.lower()


def _domain(element: Element) -> str:
    return next((value.lower() for key, value in element.items() if key.lower() == "domain"), "")
