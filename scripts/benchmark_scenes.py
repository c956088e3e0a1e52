"""Measure segmentation of satellite scenes as they are delivered, beside that of virtual rasters of the same bands.

A .SAFE folder of Sentinel-2 (JPEG 2000 at 10 and 20 m) and a folder of Landsat (GeoTIFF at 30 m) are made with names,
metadata and grids as they are delivered. The virtual raster of each is what `gdalbuildvrt -separate -resolution
highest -r bilinear` writes for its bands. Each figure is a whole process, of one command.

    python scripts/benchmark_scenes.py --folder scenes                  # 10 980 and 7 680 pixels a side
    python scripts/benchmark_scenes.py --folder scenes --side 2048
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import rasterio
from benchmark import process

PROGRAM = [sys.executable, "-P", "-c", "from gmmseg.cli import program; program()"]
CRS, LEFT, TOP = "EPSG:32632", 300_000, 4_900_020
SENTINEL = {"B02": 10, "B03": 10, "B04": 10, "B08": 10} | dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20)
LANDSAT = range(1, 8)
ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
JPEG = {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES", "BLOCKXSIZE": 1024, "BLOCKYSIZE": 1024}
TIFF = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}


def write(path: Path, side: int, metres: int, number: int, **options: object) -> None:
    """Write a band: six kinds of ground in smooth regions, the same in all bands, with noise."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(6, 40, 40)).astype(np.float32)
    fields = [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in coarse]
    kinds = np.argmax(fields, axis=0)
    levels = np.random.default_rng(number + 1).integers(1500, 6000, 6)
    noise = np.random.default_rng(number).normal(0, 120, (side, side)).astype(np.float32)
    values = np.clip(levels[kinds] + noise, 1, 65_535).astype(np.uint16)
    values[:, : side // 20] = 0  # beyond the swath
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"height": side, "width": side, "count": 1, "dtype": "uint16", "crs": CRS}
    transform = rasterio.Affine(metres, 0, LEFT, 0, -metres, TOP)
    with rasterio.open(path, "w", **profile, transform=transform, **options) as file:
        file.write(values, 1)


def make_sentinel(folder: Path, side: int) -> tuple[Path, dict[Path, int]]:
    """Return a .SAFE folder, and its bands with the size of their pixels."""
    tile = "T32TLQ_20230605T101559"
    safe = folder / f"S2A_MSIL2A_20230605T101559_N0509_R065_T32TLQ_{side}.SAFE"
    place = safe / "GRANULE" / "L2A_T32TLQ_A041534_20230605T101559" / "IMG_DATA"
    bands = {
        place / f"R{metres}m" / f"{tile}_{band}_{metres}m.jp2": metres for band, metres in sorted(SENTINEL.items())
    }
    for number, (path, metres) in enumerate(bands.items()):
        if not path.exists():
            write(path, side * 10 // metres, metres, number, **JPEG)
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(len(ORDER)))
    (safe / "MTD_MSIL2A.xml").write_text(
        "<Product><PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>"
        f"<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{offsets}</Product>"
    )
    return safe, bands


def make_landsat(folder: Path, side: int) -> tuple[Path, dict[Path, int]]:
    """Return the folder of a scene, and its bands with the size of their pixels."""
    scene = "LC09_L2SP_195028_20230605_20230613_02_T1"
    place = folder / f"{side}" / scene
    bands = {place / f"{scene}_SR_B{number}.TIF": 30 for number in LANDSAT}
    for number, path in enumerate(bands):
        if not path.exists():
            write(path, side, 30, number, **TIFF)
    return place, bands


def make_virtual(path: Path, bands: dict[Path, int], side: int) -> Path:
    """Describe bands as one raster with the pixels of the finest."""
    finest = min(bands.values())
    with rasterio.open(next(iter(bands))) as file:
        wkt = file.crs.to_wkt().replace('"', "&quot;")
    text = f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>{wkt}</SRS>'
    text += f"<GeoTransform>{LEFT}, {finest}, 0, {TOP}, 0, -{finest}</GeoTransform>"
    for number, (band, metres) in enumerate(bands.items(), 1):
        n = side * finest // metres
        text += (
            f'<VRTRasterBand dataType="UInt16" band="{number}"><NoDataValue>0</NoDataValue>'
            f'<ComplexSource resampling="bilinear"><SourceFilename relativeToVRT="1">{band.relative_to(path.parent)}'
            f'</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{n}" ySize="{n}"/>'
            f'<DstRect xOff="0" yOff="0" xSize="{side}" ySize="{side}"/><NODATA>0</NODATA></ComplexSource>'
            "</VRTRasterBand>"
        )
    path.write_text(f"{text}</VRTDataset>")
    return path


def main() -> None:
    """Print a row a scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where scenes are made, and kept for the next run")
    parser.add_argument("--side", type=int, default=10_980, help="of the scene of Sentinel-2; even")
    parser.add_argument("--only", choices=("sentinel", "landsat"))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--memory", default="1GiB")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sides = {"sentinel": options.side, "landsat": options.side * 7680 // 10_980}
    print("| scene | side | bands | seconds | of the virtual raster | ratio | peak MiB | of the virtual raster |")
    print("| --- " + "| --: " * 7 + "|")
    for kind in [options.only] if options.only else sides:
        side = sides[kind]
        scene, bands = (make_sentinel if kind == "sentinel" else make_landsat)(options.folder, side)
        virtual = make_virtual(options.folder / f"{kind}_{side}.vrt", bands, side)
        runs = []
        for _ in range(options.repeats):
            both = []
            for source in (scene, virtual):
                labels = options.folder / f"{kind}_{source.suffix[1:]}_labels.tif"
                command = [*PROGRAM, "segment", str(source), "-k", "6", "-o", str(labels), "--overwrite", "--quiet"]
                both += process([*command, "--memory", options.memory])
            runs.append((both[0], both[2], both[0] / both[2], both[1], both[3]))
        ours, theirs, ratio, peak, other = np.median(runs, axis=0)
        print(
            f"| {kind} | {side} | {len(bands)} | {ours:.1f} | {theirs:.1f} | {ratio:.2f} | {peak:.0f} | {other:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
