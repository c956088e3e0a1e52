"""Seeds that are pictures, TIFF files or arrays."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image as Pillow

__all__ = [
    "SHAPE",
    "bmp",
    "colours",
    "deflated_zeros",
    "gif",
    "grey",
    "jpeg",
    "microscopy",
    "npy",
    "npz",
    "png",
    "tiff",
    "webp",
]

SHAPE = 20, 24
"""Rows and columns."""

Write = Callable[[Path], None]
OME = """<?xml version="1.0"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="24" SizeY="20" SizeZ="2" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>
<TiffData IFD="0" FirstZ="0" PlaneCount="1"><UUID FileName="{own}">urn:uuid:1</UUID></TiffData>
<TiffData IFD="0" FirstZ="1" PlaneCount="1"><UUID FileName="{other}">urn:uuid:2</UUID></TiffData>
</Pixels></Image></OME>"""


def colours() -> np.ndarray:
    """A disc before a gradient, with noise, uint8."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disc = (rows - 10) ** 2 + (columns - 12) ** 2 < 40
    planes = np.stack([rows * 6 + 90 * disc, columns * 5, 200 - rows * 3 - 100 * disc], -1)
    return np.clip(planes + np.random.default_rng(0).integers(-9, 10, planes.shape), 0, 255).astype(np.uint8)


def grey(dtype: str = "u1") -> np.ndarray:
    """The first channel, of any dtype; what has more bits has larger numbers."""
    values = colours()[..., 0]
    return values.astype(dtype) * (257 if np.dtype(dtype) == np.uint16 else 1)


def _opaque() -> np.ndarray:
    """The picture with an alpha channel."""
    alpha = np.full(SHAPE, 255, np.uint8)
    alpha[:5], alpha[5:8] = 0, 128
    return np.dstack([colours(), alpha])


def _saved(mode: str = "RGB", **options: Any) -> Write:
    """Make a writer of the picture, by Pillow."""

    def write(path: Path) -> None:
        picture = Pillow.fromarray(_opaque())
        made = picture if mode == "RGBA" else picture.convert(mode) if mode == "LA" else picture.convert("RGB")
        made = made.quantize(16) if mode == "P" else made.convert(mode)
        made.save(path, **options)

    return write


def _frames(**options: Any) -> Write:
    """Make a writer of an animation."""
    more = [Pillow.fromarray(np.roll(colours(), step, 1)) for step in (3, 6)]
    return _saved(save_all=True, append_images=more, **options)


def _exif(orientation: int) -> Any:
    made = Pillow.Exif()
    made[0x0112] = orientation
    return made


def _encoded(values: np.ndarray) -> Write:
    return lambda path: path.write_bytes(cv2.imencode(path.suffix, values)[1].tobytes()) and None


def png() -> dict[str, Write]:
    return {
        "rgb.png": _saved(dpi=(72, 72), exif=_exif(6)),
        "rgba.png": _saved("RGBA"),
        "grey.png": _saved("L", transparency=0),
        "grey alpha.png": _saved("LA"),
        "bits.png": _saved("1"),
        "palette.png": _saved("P", transparency=bytes([0, 128, 255])),
        "rgb16.png": _encoded(np.dstack([grey("u2")] * 3)),
        "grey16.png": _encoded(grey("u2")),
        "frames.png": _frames(duration=50),
    }


def jpeg() -> dict[str, Write]:
    return {
        "rgb.jpg": _saved(quality=90, exif=_exif(8), dpi=(72, 72)),
        "progressive.jpg": _saved(progressive=True, subsampling=0),
        "restarts.jpg": _saved(restart_marker_blocks=2, comment=b"a disc"),
        "grey.jpg": _saved("L"),
        "cmyk.jpg": _saved("CMYK"),
    }


def webp() -> dict[str, Write]:
    return {
        "lossy.webp": _saved(quality=80, exif=_exif(3)),
        "lossless.webp": _saved("RGBA", lossless=True),
        "alpha.webp": _saved("RGBA", quality=60),
        "frames.webp": _frames(duration=50),
    }


def bmp() -> dict[str, Write]:
    return {
        "rgb.bmp": _saved(),
        "rgba.bmp": _saved("RGBA"),
        "grey.bmp": _saved("L"),
        "palette.bmp": _saved("P"),
        "bits.bmp": _saved("1"),
    }


def gif() -> dict[str, Write]:
    return {
        "palette.gif": _saved("P"),
        "transparent.gif": _saved("P", transparency=1, interlace=1),
        "frames.gif": _frames(duration=50, loop=0),
    }


def _tiff(values: np.ndarray, **options: Any) -> Write:
    return lambda path: tifffile.imwrite(path, values, **{"photometric": "minisblack", "metadata": None} | options)


def _pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(colours(), subifds=1, tile=(16, 16), photometric="rgb", compression="zlib")
        file.write(colours()[::2, ::2].copy(), subfiletype=1, photometric="rgb")


def tiff() -> dict[str, Write]:
    pages = np.stack([grey(), 255 - grey(), grey()])
    rgb = partial(_tiff, colours(), photometric="rgb")
    return {
        "rgb.tif": rgb(),
        "deflate.tif": rgb(compression="zlib", predictor=True, rowsperstrip=7),
        "lzma.tif": rgb(compression="lzma"),
        "tiles.tif": rgb(tile=(16, 16), compression="zlib"),
        "planes.tif": _tiff(np.moveaxis(colours(), -1, 0), photometric="rgb", planarconfig="separate"),
        "alpha.tif": _tiff(_opaque(), photometric="rgb", extrasamples=["unassalpha"]),
        "big.tif": rgb(bigtiff=True, tile=(16, 16)),
        "motorola.tif": _tiff(grey("u2"), byteorder=">", extratags=[(274, 3, 1, 6, True)]),
        "floats.tif": _tiff(grey("f4"), compression="zlib"),
        "halves.tif": _tiff(grey("f2")),
        "signed.tif": _tiff(grey("i4") - 99, resolution=(3, 3), resolutionunit=3),
        "inverted.tif": _tiff(grey(), photometric="miniswhite"),
        "bits.tif": _tiff(grey() > 99),
        "pages.tif": _tiff(pages, compression="zlib"),
        "pyramid.tif": _pyramid,
        "lzw.tif": _saved(compression="tiff_lzw"),
        "packbits.tif": _saved("L", compression="packbits"),
        "jpeg.tif": _saved(compression="jpeg"),
        "fax.tif": _saved("1", compression="group4"),
        "palette.tif": _saved("P"),
        "cmyk.tif": _saved("CMYK", compression="tiff_deflate"),
        "odd zeros.tif": _zeros_in_strip,
        "odd loop.tif": _loop,
    }


def _zeros_in_strip(path: Path) -> None:
    """Write a small picture whose only strip inflates to gibibytes."""
    content = b"\x78\xda" + deflated_zeros(1.5)
    tags = ((256, 24), (257, 20), (258, 8), (259, 8), (262, 1), (273, 122), (277, 1), (278, 20), (279, len(content)))
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content)


def _loop(path: Path) -> None:
    """Write pages of which the last is followed by an earlier one."""
    tifffile.imwrite(path, np.stack([grey()] * 8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        second, last = file.pages[1].offset, file.pages[-1]
        link = last.offset + 2 + 12 * len(last.tags)
    content = bytearray(path.read_bytes())
    content[link : link + 4] = second.to_bytes(4, "little")
    path.write_bytes(content)


def microscopy() -> dict[str, Write]:
    stack = np.stack([np.stack([grey("u2"), grey("u2") // 3])] * 3)
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 1.0, "Channel": {"Name": ["DAPI", "GFP"]}}
    same = {"UUID": "urn:uuid:12345678-0000-0000-0000-000000000000"}  # instead of a new one each time
    imagej = {"unit": "um", "spacing": 0.5, "Labels": ["DAPI", "GFP"] * 3, "axes": "ZCYX"}
    return {
        "stack.ome.tif": _tiff(stack, ome=True, metadata={"axes": "ZCYX", **same, **sizes}),
        "tiles.ome.tif": _tiff(stack[0], ome=True, metadata={"axes": "CYX", **same}, tile=(16, 16), compression="zlib"),
        "big.ome.tif": _tiff(stack[:, 0], ome=True, metadata={"axes": "ZYX", **same}, bigtiff=True),
        "two.ome.tif": _two_files("other.ome.tif"),
        "odd two.ome.tif": _two_files("../outside.tif"),
        "imagej.tif": _tiff(stack, imagej=True, resolution=(5, 5), metadata=imagej),
        "odd times.tif": _tiff(stack[:, 0], imagej=True, metadata={"axes": "TYX"}),
        "shaped.tif": _tiff(stack[:, 0], metadata={"axes": "ZYX"}),
    }


def _two_files(other: str) -> Write:
    """Make a writer of an OME file whose second plane is in another file."""

    def write(path: Path) -> None:
        tifffile.imwrite(path.with_name("other.ome.tif"), 255 - grey(), metadata=None, ome=False)
        tifffile.imwrite(path, grey(), description=OME.format(own=path.name, other=other), metadata=None, ome=False)

    return write


def npy() -> dict[str, Write]:
    def saved(values: np.ndarray, version: tuple[int, int] = (1, 0)) -> Write:
        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.lib.format.write_array(file, values, version)

        return write

    return {
        "grey.npy": saved(grey()),
        "colours.npy": saved(colours()),
        "floats.npy": saved(grey("f8")),
        "wide.npy": saved(grey(">u2"), (2, 0)),
        "columns.npy": saved(np.asfortranarray(grey("i4")), (3, 0)),
        "bits.npy": saved(grey() > 99),
        "odd objects.npy": lambda path: np.save(path, np.array([{}, print], object), allow_pickle=True),
        "odd shape.npy": lambda path: path.write_bytes(_promise(b"(1000000, 1000000)")) and None,
        "odd items.npy": lambda path: path.write_bytes(_promise(b"(2, 2)", b"|V2000000000")) and None,
    }


def _promise(shape: bytes, dtype: bytes = b"|u1") -> bytes:
    """Return an array file whose header promises more than there is."""
    header = b"{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n" % (dtype, shape)
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + b"\0" * 64


def npz() -> dict[str, Write]:
    return {
        "image.npz": lambda path: np.savez_compressed(path, image=colours(), labels=grey() // 64),
        "stored.npz": lambda path: np.savez(path, grey("f4")),
        "odd two.npz": lambda path: np.savez(path, a=grey(), b=grey()),
        "odd objects.npz": lambda path: np.savez(path, np.array([{}, print], object), allow_pickle=True),
        "odd zeros.npz": _zeros_in_archive,
    }


def deflated_zeros(gibibytes: float) -> bytes:
    """Return a raw deflate stream of zeros, a thousandth in size, in the time of the first 16 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * int(gibibytes * 64) + packer.flush()


def _zeros_in_archive(path: Path) -> None:
    """Write an archive of one array whose few items are huge."""
    header = _promise(b"(3, 500)", b"|V1000000")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(1.5)
    facts = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(content), 3 << 29, 7, 0)
    local = b"PK\3\4" + facts + b"arr.npy" + content
    entry = b"PK\1\2" + struct.pack("<H", 20) + facts + bytes(14) + b"arr.npy"
    path.write_bytes(local + entry + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0))
