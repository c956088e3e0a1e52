"""An image as the page shows it: its picture, and classes found while somebody waits, on a megapixel or the whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import MEMORY
from gmmseg.errors import DataWarning, GmmsegWarning, InputError, ParameterError
from gmmseg.hierarchy.tree import RegionTree
from gmmseg.image import Image
from gmmseg.image.cuts import Cuts
from gmmseg.image.pixels import sample_pixels
from gmmseg.image.vision import opencv
from gmmseg.io.opening import Reading, open_image
from gmmseg.labelling.picking import without_bias
from gmmseg.labelling.result import Segmentation
from gmmseg.labelling.summary import without_pixels
from gmmseg.plot.view import View
from gmmseg.segmentation import segment
from gmmseg.web.levels import Level
from gmmseg.web.painting import painted
from gmmseg.web.pyramid import Pyramid
from gmmseg.web.steps import Step
from gmmseg.web.warned import warned
from gmmseg.web.work import Work

__all__ = ["LAYERS", "MOST_PIXELS", "Preview", "described", "encoded", "shrunk", "smaller"]

LAYERS = "labels", "uncertainty", "anomaly", "soft", "volume"

MOST_PIXELS = 600_000
"""Of the copy that sliders are tried on: with a megapixel a photograph of 12 took 0.4 s, not 0.25."""

_TEXTURE, _DEEP = 8192, 256  # pixels on a side that every WebGL2 draws, and voxels
_MOST_SOFT = 1 << 24  # bytes of all soft masks; main.js counts as `_few` does
_BINS, _SAMPLES = 64, 20_000
_LOSSLESS = 1_000_000  # pixels up to which the picture is sent as PNG


class Preview:
    """A picture or a volume, and a smaller copy on which classes are found at once.

    Parameters
    ----------
    source : Path or Image
        A picture, a raster, or a volume of three axes.
    threads : int, optional
        All processors by default.

    Raises
    ------
    InputError
        It cannot be read, has other axes than these, or is a volume larger than memory.
    """

    def __init__(self, source: Path | Image, *, threads: int | None = None) -> None:
        image = source if isinstance(source, Image) else _opened(source)
        if image.ndim not in (2, 3) or image.time:
            size = " x ".join(map(str, image.shape))
            raise InputError(
                f"{image.name} has {size} pixels; the page shows pictures and volumes, use `gmmseg segment`"
            )
        if not image.in_memory and image.ndim == 3:
            raise InputError(f"{image.name} is larger than memory; the page shows pictures, use `gmmseg segment`")
        self.image, self.threads = image, threads
        self.cuts = Cuts.of(image) if image.ndim == 3 else None
        self.pyramid = None if image.in_memory else Pyramid(image, MOST_PIXELS)
        self.small = smaller(image, MOST_PIXELS) if self.pyramid is None else self.pyramid.small
        self._range = None if self.cuts is None else _range(self.small)
        self._tree: RegionTree | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image, or of the cuts through a volume."""
        rows, columns = self.image.shape if self.cuts is None else self.cuts.page
        return rows, columns

    @property
    def complete(self) -> bool:
        """Whether the copy is the image itself."""
        return self.small is self.image

    def picture(self, at: Sequence[int] = ()) -> tuple[bytes, str]:
        """Return the image as a browser shows it, and the kind of the file; at most 8192 pixels on a side.

        Of a volume these are the cuts through the voxel `at`; of a raster that stays in its file the small copy.
        """
        from gmmseg.export.overlay import shown  # here, because classes may be asked for first

        if self.pyramid is not None:
            return encoded(self.pyramid.whole())
        return encoded(_fitting(shown(self.image) if self.cuts is None else self._cut(self.cuts, at)))

    def tile(self, at: Sequence[int], found: Segmentation | Level | None = None) -> tuple[bytes, str]:
        """Return the picture of a tile, or the labels of what was found there, a byte a pixel.

        Raises
        ------
        ParameterError
            There is no such tile, or there are no labels of it.
        """
        if self.pyramid is None:
            raise ParameterError(f"{self.image.name} has no tiles; ask for its picture")
        if found is None:
            return encoded(self.pyramid.picture(at))
        if isinstance(found, Level) or found.rule.bias is not None or found.min_size > 1:
            raise ParameterError("bias_field and min_size need all pixels; leave them out to see labels of tiles")
        return self.pyramid.labels(found.rule, at, self.threads).tobytes(), "application/octet-stream"

    @property
    def tiles(self) -> dict[str, int] | None:
        """How the page asks for tiles, where the image stays in its file."""
        return None if self.pyramid is None else self.pyramid.described()

    def _cut(self, cuts: Cuts, at: Sequence[int]) -> Array:
        pixels = cuts.laid(self.image.array, at)[..., : 3 if self.image.n_channels > 2 else 1]
        low, high = self._range or (0.0, 1.0)
        grey = np.rint(np.clip((pixels.astype(np.float32) - low) / (high - low), 0, 1) * 255)
        within = cuts.laid(np.ones(self.image.shape, bool), at)[..., None]
        drawn = np.where(within & np.isfinite(grey), grey, 0).astype(np.uint8)
        return drawn if drawn.shape[-1] == 3 else drawn.repeat(3, axis=-1)

    def layer(self, found: Segmentation | Level, name: str, at: Sequence[int] = ()) -> bytes:
        """Return a layer for a texture of bytes: "labels", or "uncertainty" and "anomaly", 255 where it is certain.

        Of a volume it is that of the cuts through the voxel `at`. Labels of regions have two bytes each, lower first.
        "soft" are the masks of all classes, one after the other, 255 for 1: of so few pixels that they take 16 MiB.
        "volume" are the labels of all of it, of at most 256 voxels along an axis, as the cuts lie on the page.
        """
        if isinstance(found, Level):
            if name != "labels":
                raise ParameterError(f"layer={name!r} is of classes; regions have none")
            return _few(found.labels).astype("<u2", copy=False).tobytes()
        if name == "volume":
            if self.cuts is None:
                raise ParameterError(f"{self.image.name} is no volume; ask for its labels")
            return self.cuts.whole(found.labels, _DEEP).tobytes()
        if name == "labels":
            layers: Iterable[Array] = [found.labels]
        elif name == "soft":
            layers = found.probabilities
        else:
            layers = [found.uncertainty if name == "uncertainty" else 1 - np.nan_to_num(found.anomaly, nan=1.0)]
        masks = len(found.classes) if name == "soft" else 0
        few = [_few(each if self.cuts is None else self.cuts.laid(each, at), masks) for each in layers]
        return b"".join(bytes(each if name == "labels" else _as_bytes(each)) for each in few)

    def described(self, found: Segmentation | Level, before: Iterable[GmmsegWarning] | None = None) -> dict[str, Any]:
        """Return what the page says of classes or regions that were found, and how many pixels their layers have.

        Their warnings are those of the image, of the model `before`, if it is of many images, and of the classes.
        """
        grid, regions = found.labels.shape, isinstance(found, Level)
        shape = grid if self.cuts is None else self.cuts.page
        said = found.described() if isinstance(found, Level) else described(found)
        return {
            **said,
            "warnings": self.warned(found, before),
            "shape": list(shape),
            "grid": list(grid),
            "regions": regions,
        }

    def warned(
        self, found: Segmentation | Level, before: Iterable[GmmsegWarning] | None = None, names: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Return what was warned of when the image was read, and of what was found, as `described` does.

        Of what names classes, `names` are those that they have been given since.
        """
        said = [*self.image.warnings, *(before or ())]
        if isinstance(found, Segmentation):
            own = before is None and found.min_size == 1  # else a class may well have no pixel
            said += [each.named(names) if names else each for each in found.warnings]
            said += map(DataWarning, without_pixels(found.classes) if own else ())
        return warned(said, found.labels.shape, self.image)

    def cut(self, work: Work) -> Level:
        """Cut the picture into regions, all of it: the tree is built once, and then cut at any level of detail.

        Raises
        ------
        InputError
            There are no regions of such an image.
        """
        from gmmseg.hierarchy.regions import regions  # here, because most pages show classes alone

        if self._tree is None:
            self._tree = regions(self.image)
        return Level.of(self._tree, work)

    def painted(self, strokes: Iterable[Step], *, whole: bool = False) -> Array:
        """Return strokes as a label map of the smaller copy, or of the whole image, which is that of the command.

        Raises
        ------
        ParameterError
            They are not of such an image.
        """
        return painted(strokes, (self.image if whole else self.small).shape, self.cuts or self.shape)

    def segment(self, work: Work, *, whole: bool = False) -> Segmentation:
        """Segment the smaller copy, or the whole image as `gmmseg segment` does.

        Raises
        ------
        ParameterError
            An option has an unusable value.
        """
        image = self.image if whole else self.small
        strokes = self.painted(work.strokes, whole=whole) if work.drawn and self.pyramid is None else None
        if strokes is not None and not strokes.any():  # all were erased
            strokes = None
        found = segment(image, **work.parameters, scribbles=strokes, threads=self.threads)
        if not found.image.in_memory:  # the small copy and tiles are labelled with the model of the whole
            found = replace(found, image=found.model.view(self.small), rule=found.rule.measured(found.image))
        return self.cleaned(found, work, whole=whole)

    def cleaned(self, found: Segmentation, work: Work, *, whole: bool) -> Segmentation:
        """Return classes of the whole image, or of the smaller copy, without the small regions that are not wanted."""
        size = work.options.get("min_size")
        if size in (None, 1):
            return found
        fewer = isinstance(size, int) and not whole
        return found.clean(max(1, round(size * self.small.n_pixels / self.image.n_pixels)) if fewer else size)


def described(found: Segmentation) -> dict[str, Any]:
    """Return what the page says of the classes: shares, colours, and of each feature a histogram with its Gaussians."""
    classes = [
        {
            "class": each.label,
            "name": each.name,
            "share": each.share,
            "color": f"#{bytes(each.map_color).hex()}",
            "mean": None if each.color is None else f"#{bytes(each.color).hex()}",
        }
        for each in found.classes
    ]
    return {"classes": classes, "features": _features(found)}


def _opened(path: Path) -> Image:
    """Open a picture, left in its file where `gmmseg segment` leaves it there; volumes are read whole."""
    image = open_image(path, Reading(memory=MEMORY // 2))
    return image if image.in_memory or image.ndim == 2 else open_image(path, Reading())


def encoded(drawn: Array) -> tuple[bytes, str]:
    """Return red, green and blue as a file, and its kind."""
    cv2 = opencv()

    lossless = drawn.shape[0] * drawn.shape[1] <= _LOSSLESS
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1] if lossless else [cv2.IMWRITE_JPEG_QUALITY, 92]
    _, encoded = cv2.imencode(".png" if lossless else ".jpg", drawn[..., ::-1], how)
    return bytes(encoded), "image/png" if lossless else "image/jpeg"


def _as_bytes(values: Array) -> Array:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)


def _few(values: Array, masks: int = 0) -> Array:
    """Return every pixel, or so many of them as a texture holds, or as many as so many soft masks may have."""
    step = math.ceil(max(max(values.shape) / _TEXTURE, math.sqrt(masks * values.size / _MOST_SOFT)))
    return np.ascontiguousarray(values[::step, ::step])


def _features(found: Segmentation) -> list[dict[str, Any]]:
    view = View.of(found.model)
    image = found.model.view(without_bias(found.image, found.rule.bias))
    taken = sample_pixels(image, _SAMPLES, np.random.default_rng(0)).only_valid
    if not len(taken.flat):
        return []
    planes = found.model.recipe.planes_of(image, taken.values, taken.flat)
    mixture = view.mixture
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    deviations = np.sqrt(np.diagonal(dense, axis1=1, axis2=2))
    weights = mixture.weights / mixture.weights.sum()
    described = []
    for row, label in enumerate(view.labels):
        values = planes[row][np.isfinite(planes[row])]
        low, high = (float(each) for each in np.quantile(values, [0.001, 0.999])) if values.size else (0.0, 1.0)
        high = high if high > low else low + 1
        counts = np.histogram(values, _BINS, (low, high))[0]
        density = counts / max(1, values.size) * _BINS / (high - low)
        described.append(
            {
                "name": label.replace("\\$", "$"),
                "low": low,
                "high": high,
                "density": _rounded(density),
                "weights": _rounded(weights),
                "means": _rounded(mixture.means[:, row]),
                "deviations": _rounded(deviations[:, row]),
            }
        )
    return described


def _rounded(values: Array) -> list[float]:
    return [float(f"{each:.5g}") for each in values]


def _fitting(drawn: Array) -> Array:
    return shrunk(drawn, min(1.0, _TEXTURE / max(drawn.shape[:2])))


def smaller(image: Image, most: int) -> Image:
    """Return a copy of at most so many pixels, or the image itself where it has no more."""
    factor = (most / image.n_pixels) ** 0.5
    if factor >= 1:
        return image
    pixels = image.array
    if image.ndim == 3:
        return _smaller_volume(image, most)
    if pixels.dtype not in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        pixels = pixels.astype(np.float32)
    if image.n_channels in (3, 4):  # all at once, in two thirds of the time and less
        small = shrunk(pixels, factor)
    else:
        small = np.stack([shrunk(pixels[..., channel], factor) for channel in range(image.n_channels)], axis=-1)
    valid = None if image.valid is None else shrunk(image.valid.astype(np.uint8), factor, area=False).astype(bool)
    spacing = None if image.spacing is None else tuple(each / factor for each in image.spacing)
    return Image(small, image.color, valid, spacing, image.channel_names, image.name)


def _smaller_volume(image: Image, most: int) -> Image:
    """Return a copy of so many voxels, each as it is: means would need the whole volume as numbers with fractions."""
    cube = most ** (1 / 3)
    lengths: list[int] = []
    for each in sorted(image.shape):  # short axes stay whole, and leave more to the others
        left = (most / np.prod(lengths)) ** (1 / (3 - len(lengths))) if lengths else cube
        lengths.append(min(each, max(1, int(left))))
    wanted = dict(zip(np.argsort(image.shape, kind="stable").tolist(), lengths, strict=True))
    places = [(2 * np.arange(wanted[a]) + 1) * n // (2 * wanted[a]) for a, n in enumerate(image.shape)]
    chosen = np.ix_(*places)
    valid = None if image.valid is None else image.valid[chosen]
    spacing = image.spacing
    if spacing is not None:
        spacing = tuple(
            each * n / wanted[axis] for axis, (each, n) in enumerate(zip(spacing, image.shape, strict=True))
        )
    return Image(image.array[chosen], image.color, valid, spacing, image.channel_names, image.name)


def _range(image: Image) -> tuple[float, float]:
    """Return what is drawn black and white in every cut, so that nothing flickers while the cross moves."""
    if image.array.dtype == np.uint8 and image.color:
        return 0.0, 255.0
    values = image.array if image.valid is None else image.array[image.valid]
    values = values[np.isfinite(values)]
    low, high = (float(each) for each in np.quantile(values, [0.01, 0.995])) if values.size else (0.0, 1.0)
    return low, high if high > low else low + 1


def shrunk(values: Array, factor: float, *, area: bool = True) -> Array:
    """Return an array (rows, columns, ...) with so many times the rows and columns, or as it is for 1 and more."""
    cv2 = opencv()

    if factor >= 1:
        return values
    size = [max(1, round(each * factor)) for each in values.shape[1::-1]]
    shrunk: Array = cv2.resize(values, size, interpolation=cv2.INTER_AREA if area else cv2.INTER_NEAREST)
    return shrunk
