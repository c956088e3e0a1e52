"""Seeds that GDAL reads, and texts that it may take for rasters: descriptions of files and addresses elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
from rasterio.shutil import copy as translate

from fuzzing.pictures import SHAPE, colours, grey

__all__ = ["aaigrid", "envi", "geotiff", "other", "texts", "vrt"]

Write = Callable[[Path], None]
ADDRESS = "http://127.0.0.1:00000"
"""Where the fuzzer listens; the port is put in when a mutant is written."""

PLACE = {"crs": "EPSG:32625", "transform": rasterio.Affine(30, 0, 500000, 0, -30, 9000000)}


def _bands(count: int = 3, dtype: str = "u1") -> np.ndarray:
    return np.stack([np.roll(grey(dtype), shift, 1) for shift in range(count)])


def _with_alpha() -> np.ndarray:
    bands = _bands(4)
    bands[3] = np.where(bands[3] < 100, 0, 255)
    return bands


def _write(path: Path, bands: np.ndarray, finish: Callable[[Any], None] | None = None, **profile: Any) -> None:
    count, rows, columns = bands.shape
    options = {"driver": "GTiff", **PLACE, "dtype": bands.dtype.name, **profile}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", count=count, width=columns, height=rows, **options) as raster:
            if finish is not None:
                finish(raster)
            raster.write(bands)


def _raster(bands: np.ndarray, finish: Callable[[Any], None] | None = None, **profile: Any) -> Write:
    return lambda path: _write(path, bands, finish, **profile)


def _described(raster: Any) -> None:
    raster.descriptions, raster.scales, raster.offsets = ("red", "near", "far"), (0.1, 1, 2), (0, 1, 5)
    raster.update_tags(SENSOR="x", AREA_OR_POINT="Point")


def _coloured(raster: Any) -> None:
    raster.write_colormap(1, {value: (value, 255 - value, 9, 255) for value in range(256)})


def _masked(path: Path) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        _write(path, _bands(), lambda raster: raster.write_mask(grey() > 40), compress="deflate")


def _with_overviews(path: Path) -> None:
    _write(path, _bands(1), tiled=True, blockxsize=16, blockysize=16)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2], rasterio.enums.Resampling.nearest)


def _with_files_beside(path: Path) -> None:
    _write(path, _bands(1))
    _write(path.with_name(path.name + ".ovr"), np.ascontiguousarray(_bands(1)[:, ::2, ::2]))
    path.with_name(path.name + ".aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Description>near</Description><NoDataValue>3</NoDataValue>'
        "<Scale>2</Scale></PAMRasterBand></PAMDataset>\n"
    )


def geotiff() -> dict[str, Write]:
    points = [rasterio.control.GroundControlPoint(r, c, 5e5 + 30 * c, 9e6 - 30 * r) for r in (0, 20) for c in (0, 24)]
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    return {
        "bands.tif": _raster(_bands(4, "u2"), compress="deflate", predictor=2, nodata=0),
        "described.tif": _raster(_bands(), _described, interleave="band", compress="lzw"),
        "tiles.tif": _raster(_bands(3), photometric="rgb", compress="jpeg", **tiles),
        "colours.tif": _raster(_bands(1), _coloured),
        "mask.tif": _masked,
        "overviews.tif": _with_overviews,
        "beside.tif": _with_files_beside,
        "alpha.tif": _raster(_with_alpha(), photometric="rgb", alpha="yes"),
        "floats.tif": _raster(_bands(2, "f4"), compress="zstd", predictor=3, nodata=float("nan"), **tiles),
        "signed.tif": _raster(_bands(1, "i2"), compress="lzma", nodata=-1),
        "big.tif": _raster(_bands(2), bigtiff="yes", endianness="big"),
        "sparse.tif": lambda path: _write(path, np.zeros((1, *SHAPE), "u1"), sparse_ok=True, **tiles),
        "points.tif": _raster(_bands(1), transform=None, gcps=points),
        "no place.tif": _raster(_bands(2), transform=None, crs=None, compress="packbits"),
        "odd complex.tif": _raster(_bands(1).astype("c8")),
    }


_SOURCE = """<SimpleSource><SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="24" ySize="20"/><DstRect xOff="0" yOff="0" xSize="24" ySize="20"/></SimpleSource>"""
_VRT = """<VRTDataset rasterXSize="24" rasterYSize="20">
<SRS>EPSG:32625</SRS>
<GeoTransform>500000, 30, 0, 9000000, 0, -30</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"{kind}>
<NoDataValue>0</NoDataValue>
{content}
</VRTRasterBand>
</VRTDataset>
"""
_RAW = """<SourceFilename relativeToVRT="1">{file}</SourceFilename>
<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>24</LineOffset>"""


def _virtual(content: str, kind: str = "", change: Callable[[str], str] = str) -> Write:
    """Make a writer of a virtual raster beside the rasters that it may name."""

    def write(path: Path) -> None:
        _write(path.with_name("a.tif"), _bands(1))
        path.with_name("below").mkdir()
        _write(path.parent / "below" / "b.tif", _bands(1), compress="deflate")
        path.with_name("inner.vrt").write_text(_VRT.format(content=_SOURCE.format(file="a.tif"), kind=""))
        path.write_text(change(_VRT.format(content=content, kind=kind)))

    return write


def vrt() -> dict[str, Write]:
    raw, derived = ' subClass="VRTRawRasterBand"', ' subClass="VRTDerivedRasterBand"'
    inner = _VRT.format(content=_SOURCE.format(file="../outside.tif"), kind="")
    escaped = inner.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    python = "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    code = "<PixelFunctionCode>import os; os.mkdir('made')</PixelFunctionCode>"
    return {
        "one.vrt": _virtual(_SOURCE.format(file="a.tif")),
        "below.vrt": _virtual(_SOURCE.format(file="a.tif") + _SOURCE.format(file="below/b.tif")),
        "nested.vrt": _virtual(_SOURCE.format(file="inner.vrt")),
        "odd lower.vrt": _virtual(_SOURCE.format(file="a.tif"), change=str.lower),
        "complex.vrt": _virtual(_SOURCE.format(file="a.tif").replace("SimpleSource", "ComplexSource")),
        "odd address.vrt": _virtual(_SOURCE.format(file=f"{ADDRESS}/a.tif")),
        "odd low address.vrt": _virtual(_SOURCE.format(file=f"{ADDRESS}/a.tif").replace("SourceF", "sourcef")),
        "odd curl.vrt": _virtual(_SOURCE.format(file=f"/vsicurl/{ADDRESS}/a.tif")),
        "odd outside.vrt": _virtual(_SOURCE.format(file="../outside.tif")),
        "odd low outside.vrt": _virtual(_SOURCE.format(file="../outside.tif").replace("SourceF", "sourcef")),
        "odd outside raw.vrt": _virtual(_RAW.format(file="../outside.tif"), raw),
        "odd itself.vrt": _virtual(_SOURCE.format(file="odd-itself.vrt")),
        "odd within.vrt": _virtual(_SOURCE.format(file=escaped)),
        "odd raw.vrt": _virtual(_RAW.format(file="a.tif"), raw),
        "odd code.vrt": _virtual(python + code + _SOURCE.format(file="a.tif"), derived),
        "odd size.vrt": _virtual(_SOURCE.format(file="a.tif"), change=lambda t: t.replace('XSize="24', 'XSize="2' * 9)),
    }


def _translated(driver: str, bands: np.ndarray, **options: Any) -> Write:
    """Make a writer for formats that GDAL copies into."""

    def write(path: Path) -> None:
        with rasterio.MemoryFile() as memory:
            with memory.open(
                driver="GTiff", count=len(bands), height=SHAPE[0], width=SHAPE[1], dtype=bands.dtype, **PLACE
            ) as raster:
                raster.write(bands)
            with memory.open() as raster, rasterio.Env(GDAL_PAM_ENABLED=False):
                translate(raster, path, driver=driver, **options)

    return write


def envi() -> dict[str, Write]:
    return {
        "bands.img": _translated("ENVI", _bands(3, "u2")),
        "lines.dat": _translated("ENVI", _bands(3), interleave="bil"),
        "floats.bin": _translated("ENVI", _bands(1, "f4"), suffix="add"),
    }


def aaigrid() -> dict[str, Write]:
    return {
        "whole.asc": _translated("AAIGrid", _bands(1, "i4")),
        "floats.asc": _translated("AAIGrid", _bands(1, "f4"), decimal_precision=3),
    }


def other() -> dict[str, Write]:
    return {
        "imagine.img": _translated("HFA", _bands(3), compressed="yes"),
        "jpeg.jp2": _translated("JP2OpenJPEG", _bands(3), quality=100, reversible="yes"),
        "net.nc": _translated("netCDF", _bands(1, "f4"), write_gdal_history="no"),
        "net4.nc": _translated("netCDF", _bands(1), format="NC4", write_gdal_history="no"),
        "odd cube.h5": _hierarchy(lambda file: file.create_dataset("cube", data=_bands(), compression="gzip")),
        "odd outside.h5": _hierarchy(
            lambda file: file.create_dataset("cube", SHAPE, "u1", external=[("outside.tif", 0, 480)])  # as with MRF
        ),
        "odd link.h5": _hierarchy(lambda file: file.__setitem__("cube", h5py.ExternalLink("../outside.tif", "/cube"))),
    }


def _hierarchy(fill: Callable[[h5py.File], Any]) -> Write:
    """Make a writer of an HDF5 file."""

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            fill(file)

    return write


def texts() -> dict[str, Write]:
    mrf = (
        '<MRF_META>{cached}<Raster><Size x="24" y="20" c="1"/><PageSize x="24" y="20" c="1"/>'
        "<Compression>NONE</Compression><DataFile>data.bin</DataFile><IndexFile>index.bin</IndexFile>"
        "</Raster></MRF_META>\n"
    )
    cached = "<CachedSource><Source>outside.tif</Source></CachedSource>"  # found from where the process works
    wms = (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{ADDRESS}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>\n'
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>20</UpperLeftY><LowerRightX>24</LowerRightX>"
        "<LowerRightY>0</LowerRightY><SizeX>24</SizeX><SizeY>20</SizeY><TileLevel>0</TileLevel></DataWindow>\n"
        "<BandsCount>3</BandsCount><Cache/></GDAL_WMS>\n"
    )
    wmts = f"<GDAL_WMTS><GetCapabilitiesUrl>{ADDRESS}/wmts.xml</GetCapabilitiesUrl></GDAL_WMTS>\n"
    wcs = f"<WCS_GDAL><ServiceURL>{ADDRESS}/wcs</ServiceURL><CoverageName>x</CoverageName></WCS_GDAL>\n"
    index = "<GDALTileIndexDataset><IndexDataset>index.gpkg</IndexDataset></GDALTileIndexDataset>\n"
    grid = "x,y,z\n" + "".join(f"{c},{r},{colours()[r, c, 0]}\n" for r in range(3) for c in range(4))
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.0.0/schema.json"],
        "id": "a",
        "bbox": [0, 0, 1, 1],
        "geometry": None,
        "properties": {"datetime": "2020-01-01T00:00:00Z", "proj:epsg": 32625},
        "assets": {
            "a": {
                "href": f"{ADDRESS}/a.tif",
                "type": "image/tiff; application=geotiff",
                "proj:transform": [30, 0, 0, 0, -30, 0],
                "proj:shape": list(SHAPE),
            }
        },
        "links": [{"rel": "next", "href": f"{ADDRESS}/next.json"}],
    }
    written = {
        "mrf.png": mrf.format(cached=""),
        "cached mrf.png": mrf.format(cached=cached),
        "cached mrf.mrf": mrf.format(cached=cached),
        "wms.xml": wms,
        "wms.jpg": wms,
        "wmts.xml": wmts,
        "wcs.tif": wcs,
        "index.gti": index,
        "grid.csv": grid,
        "grid.txt": grid.replace(",", " "),
        "items.json": json.dumps({"type": "FeatureCollection", "stac_version": "1.0.0", "features": [item]}, indent=1),
        "item.json": json.dumps(item, indent=1),
        "link.tif": f"{ADDRESS}/a.tif\n",
        "remote.vrt": f"STACIT:{ADDRESS}/items.json\n",
    }
    return {f"odd {name}": _text(text) for name, text in written.items()}


def _text(text: str) -> Write:
    """Make a writer of a text beside files that it may name."""

    def write(path: Path) -> None:
        _write(path.with_name("a.tif"), _bands(1))
        path.with_name("data.bin").write_bytes(b"")
        path.with_name("index.bin").write_bytes(b"\0" * 16)
        path.write_text(text)

    return write
