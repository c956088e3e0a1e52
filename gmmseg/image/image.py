"""Image: pixels, and what has to survive from the file they came from to the file that is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.errors import GmmsegWarning, InputError, ParameterError, heard
from gmmseg.image.axes import AXIS_CHOICES, guess_channels, named_channels, real_numbers
from gmmseg.image.channels import matching, metadata_of, positions
from gmmseg.image.masked_arrays import channels_like, hidden_numbers, marked, without
from gmmseg.image.named_axes import Lettered
from gmmseg.image.sources import ArraySource, Completed, Frame, Source, windows_of
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window, everything, holding, shifted, tiles_holding, widened
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from gmmseg.image.channels import Channels
    from gmmseg.image.place import Place

    ChannelAxis = int | None | Literal["auto"]

__all__ = ["NAMED_BY_FILES", "Image"]

NAMED_BY_FILES = "channels are named by files"
"""Entry of an image's metadata, true where files that were stacked gave their names to its channels."""

_NUMBERED = "band "  # begins the names of channels that have none


@dataclass(frozen=True, eq=False, init=False)
class Image:
    """Pixels plus what must survive a segmentation.

    Parameters
    ----------
    pixels : ndarray, shape (*spatial, n_channels), or Source
        Any real integer or floating dtype, channel axis last, alpha removed; an array of two axes is a picture of one
        channel. Colour is RGB; integers span the range of their dtype, floats 0 to 1. NaN in a band is a number that is
        missing. Kept as a `Source`: an array as an `ArraySource`, whose pixels `array` returns; other sources are read
        window by window, where an image is larger than the memory it may take.
    color : bool
        Whether the channels are red, green and blue.
    valid : ndarray of bool, shape (*spatial), optional
        False where there is no data (alpha 0, the file's nodata value, NaN or infinity, or outside the caller's mask);
        None where all is valid.
    spacing : sequence of float, optional
        Physical size of a pixel along each axis of space, in the unit that the place says; None where unknown.
    channel_names : sequence of str
        One name a channel; empty where unknown.
    name : str
        What messages call this image: the path it was read from, or "image".
    metadata : dict
        What readers found and writers of the same family put back, such as the resolution for print ("dpi").
    origin, extent : tuple of int, optional
        Of a window (see `crop`): where it lies in the whole image, and the spatial shape of that.
    place : Place, optional
        Where the pixels lie in the world; of a window where those of the whole image do.
    time : bool
        Whether the first axis is time, and not one of space: the image is a time-lapse, whose `frames` are images of
        their own. Only they are segmented, one by one; a pixel has no neighbour in another frame.
    stored : dtype, optional
        That of the numbers in the file, where pixels are what was made of them, as colours from 0 to 1 of integers that
        were divided by a gain; None where it is the pixels' own.
    warnings : tuple of GmmsegWarning
        What was warned of while the image was read, each once; a segmentation of it holds them too.

    Notes
    -----
    `pixels` may be a view of the caller's array, in any memory order and read-only.

    Examples
    --------
    >>> Image.from_array([[[1, 2, 3], [4, 5, 6]]], channel_axis=-1)
    Image('image', 1 x 2, 3 channels, uint8)
    """

    pixels: Source
    color: bool
    valid: np.ndarray | None
    spacing: tuple[float, ...] | None
    channel_names: tuple[str, ...]
    name: str
    metadata: dict[str, Any]
    origin: tuple[int, ...] | None
    extent: tuple[int, ...] | None
    place: Place | None
    time: bool
    stored: np.dtype[Any] | None
    warnings: tuple[GmmsegWarning, ...]

    def __init__(
        self,
        pixels: np.ndarray | Source,
        color: bool = False,
        valid: np.ndarray | None = None,
        spacing: Sequence[float] | None = None,
        channel_names: Sequence[str] = (),
        name: str = "image",
        metadata: dict[str, Any] | None = None,
        origin: tuple[int, ...] | None = None,
        extent: tuple[int, ...] | None = None,
        place: Place | None = None,
        time: bool = False,
        stored: np.dtype[Any] | None = None,
        warnings: tuple[GmmsegWarning, ...] = (),
    ) -> None:
        """Take the parts of an image, and refuse what no step could handle, whoever made it."""
        steps = None if spacing is None else _hashable(spacing)
        vars(self).update(pixels=_source_of(pixels), color=color, valid=valid, spacing=steps)
        names, known = _hashable(channel_names), {} if metadata is None else metadata
        vars(self).update(channel_names=names, name=name, metadata=known)
        vars(self).update(origin=origin, extent=extent, place=place, time=time, stored=stored, warnings=warnings)
        self._check()

    def _check(self) -> None:
        """Refuse what no step could handle."""
        if self.color and self.n_channels != 3:
            raise ParameterError(
                f"{self.name}: color=True needs 3 channels, there are {self.n_channels}; use color=False"
            )
        n_space = self.ndim - self.time
        if n_space not in (1, 2, 3):
            raise ParameterError(f"{self.name}: {n_space} spatial axes are too many; {AXIS_CHOICES}")
        if self.spacing is not None and len(self.spacing) != n_space:
            raise ParameterError(
                f"{self.name}: spacing={self.spacing} has {len(self.spacing)} numbers, but the image has {n_space} "
                "spatial axes; give one number an axis"
            )
        if self.spacing is not None and not all(0 < step < float("inf") for step in self.spacing):
            raise ParameterError(
                f"{self.name}: spacing={self.spacing} has to be finite and above 0; use None if unknown"
            )

    def __repr__(self) -> str:
        from reprlib import Repr

        short = Repr()
        short.maxstring = 60  # one line of at most 120 characters; the end of a path is kept
        size = " x ".join(map(str, self.shape))
        channels = f"{self.n_channels} channel{'' if self.n_channels == 1 else 's'}"
        return f"Image({short.repr(self.name)}, {size}, {channels}, {self.pixels.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape: (rows, columns), or (planes, rows, columns) for a volume; of a time-lapse its frames first."""
        return tuple(self.pixels.shape[:-1])

    @property
    def ndim(self) -> int:
        """Number of spatial axes, and time."""
        return len(self.pixels.shape) - 1

    @property
    def n_channels(self) -> int:
        """Number of channels, alpha not counted."""
        return int(self.pixels.shape[-1])

    @property
    def n_pixels(self) -> int:
        """Number of pixels (voxels), valid or not."""
        return math.prod(self.shape)

    @property
    def is_scan(self) -> bool:
        """Whether its place is that of a scan: an affine of three dimensions."""
        return self.place is not None and self.place.affine3d is not None

    @property
    def frames(self) -> tuple[Image, ...]:
        """The images of which a time-lapse is made, in their order; of any other image itself alone."""
        return tuple(self._frame(number) for number in range(self.shape[0])) if self.time else (self,)

    def _frame(self, number: int) -> Image:
        source = self.pixels
        return replace(
            self,
            pixels=ArraySource(source.array[number]) if isinstance(source, ArraySource) else Frame(source, number),
            valid=None if self.valid is None else combine(None, self.valid[number]),
            name=f"{self.name}, frame {number + 1}",
            time=False,
        )

    @property
    def in_memory(self) -> bool:
        """Whether the pixels are an array, not a source to be read window by window."""
        return isinstance(self.pixels, ArraySource)

    @property
    def window(self) -> Window:
        """Where this lies in the whole image that it is a window of."""
        return shifted(everything(self.shape), self.origin or (0,) * self.ndim)

    @property
    def array(self) -> np.ndarray:
        """The pixels as an array (*spatial, n_channels), read now where they are in a file."""
        return self.pixels.array if isinstance(self.pixels, ArraySource) else self._read(everything(self.shape))[0]

    def crop(self, window: Window) -> Image:
        """Return a window of the image, in memory: a view where the image is, otherwise read from the file."""
        pixels, valid = self._read(window)
        origin = tuple(s.start + start for s, start in zip(window, self.origin or (0,) * self.ndim, strict=True))
        return replace(self, pixels=ArraySource(pixels), valid=valid, origin=origin, extent=self.extent or self.shape)

    def without_pixels(self) -> Image:
        """Return what else is known of the image, around a single pixel of 0."""
        import numpy as np

        one = np.zeros((1,) * self.ndim + (self.n_channels,), self.pixels.dtype)
        return replace(self, pixels=ArraySource(one), valid=None)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        pixels, valid = self.pixels.read(window)
        return pixels, combine(valid, None if self.valid is None else self.valid[window])

    def select(self, channels: Channels) -> Image:
        """Return some of the channels, in the order named.

        Parameters
        ----------
        channels : str, int or sequence of (int or str)
            Numbers, counted from 1 as in GIS programs, or names of channels; a string may name several with commas
            between them: "4,3,2" or "nir,red,green". Letter case matters only where names differ in nothing else.

        Returns
        -------
        Image
            Not colour, unless the channels are all of a colour image in their order. Channels without a name are
            called "band" and their number. A view where the positions are evenly spaced; other channels of a source
            that has `select` are not read. A pixel is valid where the image is and any of these channels is a finite
            number.

        Raises
        ------
        ParameterError
            No channel, one that is not there, or one twice.

        Examples
        --------
        >>> import numpy as np
        >>> scene = Image(np.arange(24).reshape(2, 3, 4), channel_names=("blue", "green", "red", "nir"))
        >>> scene.select("nir,red,2").channel_names
        ('nir', 'red', 'green')
        """
        names = self.known_names
        chosen = positions(channels, self.n_channels, names, image=self.name)
        if chosen == tuple(range(self.n_channels)):
            return self
        names = names or tuple(f"{_NUMBERED}{i + 1}" for i in range(self.n_channels))
        source = self.pixels.select(chosen)
        metadata, named = metadata_of(self.metadata, chosen), tuple(names[c] for c in chosen)
        changed = replace(self, pixels=source, color=False, channel_names=named, metadata=metadata)
        known = finite(source.array, every=False) if isinstance(source, ArraySource) else None
        return changed if known is None else replace(changed, valid=combine(self.valid, known))

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names by which channels of other images are the same; empty where nothing but the order tells them.

        Those of colour, and names that are twice there, tell nothing; nor do those of files that were stacked, which
        are other files for every image, and the numbers that `select` gives for want of names.
        """
        names = self.channel_names
        distinct = len({name.lower() for name in names}) == len(names)
        numbers = any(name.startswith(_NUMBERED) and name[len(_NUMBERED) :].isdigit() for name in names)
        return names if distinct and not (numbers or self.color or self.metadata.get(NAMED_BY_FILES)) else ()

    def in_order_of(self, names: tuple[str, ...], *, of: str) -> Image:
        """Return the channels of these names, in their order; the image as it is where it or they have no names.

        Parameters
        ----------
        names : tuple of str
            As of `band_names` of another image.
        of : str
            What they are of, for messages.

        Raises
        ------
        InputError
            One of them is not there.
        """
        own = self.band_names
        if not names or not own or own == names:
            return self
        found = matching(names, own)
        if isinstance(found, str):
            raise InputError(
                f"{self.name} has no channel {found!r}, as {of} has; it has {', '.join(own[:12])}"
                f"{', ...' if len(own) > 12 else ''}: give an image with the same channels, or rename them"
            )
        return self if found == tuple(range(len(own))) else self.select([c + 1 for c in found])

    @property
    def known_names(self) -> tuple[str, ...]:
        """Names of the channels, those of colour too; empty where unknown."""
        return self.channel_names or (("red", "green", "blue") if self.color else ())

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels.

        Parameters
        ----------
        flat : ndarray of int, shape (n,)
            Indices into the flattened spatial axes. A source is read once, whatever their number and order.

        Returns
        -------
        values : ndarray, shape (n, n_channels)
        valid : ndarray of bool, shape (n,), optional
            None where all are.
        """
        values, valid = self.pixels.take(flat)
        return values, combine(valid, None if self.valid is None else self.valid.reshape(-1)[flat])

    def windows(self) -> list[Window]:
        """Cover the image with windows that are cheap to read one after the other; all of it where it is in memory."""
        return [everything(self.shape)] if self.in_memory else list(windows_of(self.pixels))

    def around(
        self, flat: np.ndarray, sides: tuple[int, ...], context: int
    ) -> Iterator[tuple[Image, list[tuple[Window, np.ndarray, tuple[np.ndarray, ...]]]]]:
        """Go to single pixels with what lies around them; a source is read once, window by window.

        Parameters
        ----------
        flat : ndarray of int, shape (n,)
            Indices into the flattened spatial axes.
        sides : tuple of int
            Of the tiles in which pixels are gathered.
        context : int
            Pixels that are wanted around a tile, as far as the image goes.

        Yields
        ------
        part : Image
            In memory.
        tiles : list of tuple
            Each a window of the part, which of the pixels it holds, and where they are in it, axis by axis.
        """
        import numpy as np

        index = np.stack(np.unravel_index(flat, self.shape))
        for window, here in holding(self.windows(), index):
            outer = widened(window, context, self.shape)
            yield self.crop(outer), list(tiles_holding(here, index[:, here], window, outer, sides))

    @classmethod
    def from_array(
        cls,
        array: npt.ArrayLike,
        *,
        channel_axis: ChannelAxis = "auto",
        axes: str | None = None,
        mask: npt.ArrayLike | None = None,
        name: str = "image",
    ) -> Image:
        """Take an array as an image, without a copy unless its dtype has to change.

        Parameters
        ----------
        array : array_like
            2-D is one channel; 3-D with a last axis of 3 or 4 is colour, whose fourth channel is alpha (0 = no data).
            Any other shape must say `channel_axis`, and so must four channels of integers beyond 255. Booleans become
            uint8 0 and 1, float16 becomes float32, and integers of a colour that are all within 0..255 become uint8.
            What a masked array hides is missing.
        channel_axis : int, None or "auto"
            Axis of the channels; None where every axis is spatial. A named axis of 3 channels is colour for integers
            and for floats within 0..1, and plain bands otherwise; a named axis of 4 channels is always plain bands
            (red, green, blue, near infrared), never colour with alpha.
        axes : str, optional
            A letter for each axis, instead of `channel_axis`: T time, Z planes, Y rows, X columns, C channels that each
            stand for themselves, S red, green and blue and perhaps alpha. "TZCYX" is a time-lapse of volumes of several
            channels. The image has its axes in the order T, Z, Y, X.
        mask : array_like of bool or integer, shape (*spatial), optional
            Non-zero where pixels are used; of a time-lapse also one for all frames.
        name : str
            What messages call the image.

        Returns
        -------
        Image
            `valid` is None unless alpha, NaN, infinity or the mask excludes a pixel. Bands of a pixel may be missing
            (NaN, infinite) one by one; colour is missing as a whole.

        Raises
        ------
        InputError
            The array is empty or has no real numbers.
        ParameterError
            The axes are ambiguous, colour floats are outside 0..1, or the mask does not fit.

        Notes
        -----
        Integers are never scanned, but for those of a colour that are wider than 8 bits; floats are, once, for NaN and
        infinity.

        Examples
        --------
        >>> import numpy as np
        >>> Image.from_array(np.zeros((4, 5, 3), np.uint8)).color
        True
        >>> Image.from_array(np.zeros((6, 4, 5)), channel_axis=0).shape
        (4, 5)
        >>> len(Image.from_array(np.zeros((6, 4, 5)), axes="TYX").frames)
        6
        """
        hidden, time = hidden_numbers(array), False
        numbers = without(real_numbers(array, name), hidden)
        if axes is not None:
            lettered = Lettered.of(axes, numbers.shape, name)
            if channel_axis != "auto":
                raise ParameterError(f"axes={axes!r} and channel_axis={channel_axis} are both given; leave one out")
            pixels, color, alpha = lettered.arranged(numbers)
            time = lettered.time
        elif isinstance(channel_axis, str):
            if channel_axis != "auto":
                raise ParameterError(f'channel_axis={channel_axis!r} is not an axis; use an integer, None or "auto"')
            pixels, color, alpha = guess_channels(numbers, name)
        else:
            pixels, color = named_channels(numbers, channel_axis, name)
            alpha = None
        with heard() as said:
            valid = finite(pixels, every=color, name=name)
        if alpha is not None:
            valid = combine(valid, alpha != 0)
        if hidden is not None:
            hidden = lettered.like(hidden, pixels.shape[-1]) if axes else channels_like(hidden, pixels, channel_axis)
            pixels, there = marked(pixels, hidden, color=color)
            valid = combine(valid, there)
        image = cls(ArraySource(pixels), color=color, valid=valid, name=name, time=time, warnings=tuple(said))
        return image if mask is None else image.with_mask(mask)

    def with_mask(self, mask: npt.ArrayLike) -> Image:
        """Exclude the pixels where `mask` is zero, besides those already without data.

        Parameters
        ----------
        mask : array_like of bool or integer, shape (*spatial)
            Non-zero where pixels are used; of a time-lapse also one for all frames.

        Returns
        -------
        Image
            Shares the pixels.

        Raises
        ------
        ParameterError
            The mask has another shape or another kind of values.
        """
        import numpy as np

        used = np.asarray(mask)
        self.require_mask(used)
        # A view of one mask for all frames takes the memory of one.
        return replace(self, valid=combine(self.valid, np.broadcast_to(used != 0, self.shape)))

    def require_mask(self, mask: Any) -> None:
        """Refuse an array that is no mask of this image."""
        if mask.dtype.kind not in "bui":
            raise ParameterError(
                f"mask has dtype {mask.dtype}, expected booleans or integers (non-zero = use); pass mask != 0"
            )
        if not self.fits(mask.shape):
            raise ParameterError(
                f"mask has shape {mask.shape}, but {self.name} has shape {self.shape}; give one value a pixel"
            )

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a mask of this shape has a value for each pixel, or one for each of every frame."""
        return shape == self.shape or (self.time and shape == self.shape[1:])


def _hashable(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return numbers or names of a list or array as a tuple, by which results are kept."""
    return tuple(values.tolist() if hasattr(values, "tolist") else values)


def _source_of(pixels: np.ndarray | Source) -> Source:
    """Return an array as a source; one of two axes is of one channel."""
    import numpy as np

    if not isinstance(pixels, np.ndarray):
        return pixels if hasattr(pixels, "take") else Completed(pixels)
    return ArraySource(pixels[..., None] if pixels.ndim == 2 else pixels)
