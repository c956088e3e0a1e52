"""Writing TIFF: label maps, probabilities and RGB pictures, with the source's georeferencing and resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gmmseg.io.classes import CLASS_NAMES
from gmmseg.io.contents import stored_probabilities
from gmmseg.io.geotiff import tags_to_write
from gmmseg.io.tiff.fallback import ORIENTATION
from gmmseg.io.tiff.stacks import native_of, sizes_of

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = [
    "color_map",
    "orientation_of",
    "resolution_of",
    "write_labels_tiff",
    "write_map_of_volume",
    "write_probabilities_tiff",
    "write_rgb_tiff",
]


def _options(image: Image | None, *, nodata: str | None) -> dict[str, Any]:
    """Return the arguments of tifffile that carry over what the source said."""
    options: dict[str, Any] = {
        "compression": "zlib",
        # For 12 million labels 39 ms and 0.51 MB; level 1 gave 29 ms and 0.60 MB, level 6 118 ms and 0.39 MB.
        "compressionargs": {"level": 3},
        "extratags": [*tags_to_write(native_of(image).tags, nodata=nodata), *orientation_of(image)],
        "software": "gmmseg",
    }
    return options | resolution_of(image)


def orientation_of(image: Image | None) -> list[tuple[int, int, int, int, bool]]:
    """Return the tag by which programs turn a result as they turn the picture; none where they do not."""
    orientation = 1 if image is None else image.metadata.get("orientation", 1)
    return [] if orientation == 1 else [(ORIENTATION, 3, 1, orientation, False)]  # of every page


def resolution_of(image: Image | None) -> dict[str, Any]:
    """Return the arguments of tifffile for the resolution for print, or for the size of a pixel where it is known."""
    sizes = sizes_of(image)
    if image is not None and "dpi" in image.metadata:
        return {"resolution": image.metadata["dpi"], "resolutionunit": "inch"}
    if {"X", "Y"} <= sizes.keys():
        return {"resolution": (1e4 / sizes["X"], 1e4 / sizes["Y"]), "resolutionunit": "centimeter"}
    return {}


def write_labels_tiff(
    file: BinaryIO,
    labels: np.ndarray,
    image: Image | None,
    *,
    names: Sequence[str] = (),
    palette: np.ndarray | None = None,
) -> None:
    """Write labels, shape (*spatial); a volume becomes one page a plane.

    Parameters
    ----------
    file : binary file
    labels : ndarray of unsigned integers
    image : Image or None
        What was segmented.
    names : sequence of str
        Of the classes, where they have names of their own; they go into the description, as JSON.
    palette : ndarray of uint8, shape (n, 3), optional
        Colours of the labels, 0 first; for those of 8 bits.
    """
    import tifffile

    axes = "YX" if labels.ndim == 2 else "ZYX" if labels.ndim == 3 else None
    metadata: dict[str, Any] = {"axes": axes} if axes == "ZYX" else {}
    if names:
        metadata |= {CLASS_NAMES: [*names]} | ({} if axes is None else {"axes": axes})
    colors: dict[str, Any] = {"photometric": "minisblack"}
    if palette is not None and labels.dtype == np.uint8:
        colors = {"photometric": "palette", "colormap": color_map(palette)}
    tifffile.imwrite(file, labels, metadata=metadata or None, **colors, **_options(image, nodata="0"))


def color_map(palette: np.ndarray) -> np.ndarray:
    """Return the colours of labels, 0 first, as TIFF files have them: (3, 256) uint16, black where there is none."""
    colors = np.zeros((256, 3), np.uint16)
    colors[: len(palette)] = palette[:256]
    # Programs multiply 8-bit colours by 257 or by 256; the upper byte is the same.
    return np.ascontiguousarray(colors.T * 257)


def write_probabilities_tiff(
    file: BinaryIO,
    values: np.ndarray,
    image: Image | None,
    dtype: str,
    *,
    names: Sequence[str] = (),
    fractions: bool = False,
) -> None:
    """Write maps, shape (n_classes, *spatial), one page each and named; or as bands where georeferenced."""
    import tifffile

    options = _options(image, nodata=None)
    if tags_to_write(native_of(image).tags, nodata=None) and values.ndim == 3:
        stored = stored_probabilities(values, dtype)
        tifffile.imwrite(
            file,
            stored,
            photometric="minisblack",
            planarconfig="separate",
            description="gmmseg: fractions" if fractions else None,
            metadata=None,
            extrasamples=_others(stored),
            **options,
        )
        return
    meaning = " (fraction)" if fractions else ""
    with tifffile.TiffWriter(file, bigtiff=values.size * 4 > 2**32 - 2**25) as tiff:
        for index, plane in enumerate(values):
            stored = stored_probabilities(plane, dtype)
            pages = stored.reshape(-1, *stored.shape[-2:]) if stored.ndim > 2 else stored[None]
            for page in pages:
                tiff.write(
                    page,
                    photometric="minisblack",
                    contiguous=False,
                    description=(names[index] if names else f"class {index + 1}") + meaning,
                    metadata=None,
                    **options,
                )


def _others(stored: np.ndarray) -> list[int]:
    """Return what bands past the first are: of no specified meaning, so not transparency."""
    return [0] * (len(stored) - 1)


def write_map_of_volume(file: BinaryIO, values: np.ndarray, image: Image | None, name: str) -> None:
    """Write numbers of voxels, shape (planes, rows, columns), one page a plane, which the description says."""
    import tifffile

    metadata = {"axes": "ZYX", "name": name}
    tifffile.imwrite(file, values, photometric="minisblack", metadata=metadata, **_options(image, nodata=None))


def write_rgb_tiff(file: BinaryIO, rgb: np.ndarray, image: Image | None) -> None:
    """Write an RGB picture, shape (rows, columns, 3)."""
    import tifffile

    whole = rgb.dtype.kind == "u"  # of floats few programs, and tifffile alone not, undo a predictor
    tifffile.imwrite(file, rgb, photometric="rgb", metadata=None, predictor=whole, **_options(image, nodata=None))
