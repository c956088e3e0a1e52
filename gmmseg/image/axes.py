"""What the axes of an array are: rows and columns, slices, channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gmmseg.errors import InputError, ParameterError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    ChannelAxis = int | None | Literal["auto"]

__all__ = [
    "AXIS_CHOICES",
    "are_bytes",
    "guess_channels",
    "made_real",
    "named_channels",
    "real_numbers",
    "require_alpha",
    "spans_color",
]

# Floats that were scaled to 0..1 and then rounded or resized leave the range by about this much.
_COLOR_TOLERANCE = 1e-3
AXIS_CHOICES = (
    "pass channel_axis=-1 (or another axis) for channels, channel_axis=None where every axis is spatial (a volume), or "
    "axes='TYX' (say) for time"
)


def real_numbers(array: npt.ArrayLike, name: str) -> np.ndarray:
    """Return the array in a dtype that the rest of the package reads."""
    import numpy as np

    try:
        numbers = np.asarray(array)
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular array of numbers; pass one array of equal rows") from error
    if numbers.dtype.kind not in "buif":
        if array is None:
            raise InputError(f"{name} is None; check the path that it was read from: OpenCV has None for no image")
        raise InputError(f"{name} has dtype {numbers.dtype}, expected real numbers; {made_real(numbers.dtype)}")
    if numbers.size == 0:
        raise InputError(f"{name} is empty (shape {numbers.shape}); pass an array with at least one pixel")
    if numbers.dtype.kind == "b":
        bits = numbers.view(np.uint8)
        # Some libraries (Pillow, for 1-bit files) hand out booleans whose bytes are 255.
        return bits if bits.max() <= 1 else (bits != 0).view(np.uint8)
    if numbers.dtype.kind == "f" and numbers.dtype.itemsize not in (4, 8):
        with np.errstate(over="ignore", under="ignore"):  # what float64 does not hold is infinite, and no data
            return numbers.astype(np.float32 if numbers.dtype.itemsize == 2 else np.float64)
    return numbers if numbers.dtype.isnative else numbers.astype(numbers.dtype.newbyteorder("="))


def made_real(dtype: np.dtype[Any]) -> str:
    """Say what makes numbers of a dtype real ones."""
    return "take their magnitude, numpy.abs" if dtype.kind == "c" else "convert it to uint8 or float32"


def guess_channels(numbers: np.ndarray, name: str) -> tuple[np.ndarray, bool, np.ndarray | None]:
    """Return (pixels, color, alpha) of an array whose shape alone says what its axes are."""
    if numbers.ndim == 2:
        return numbers[..., None], False, None
    if numbers.ndim != 3 or numbers.shape[-1] not in (3, 4):
        raise ParameterError(f"{name} has shape {numbers.shape}, whose axes are ambiguous; {AXIS_CHOICES}")
    if numbers.shape[-1] == 4:
        numbers = _as_bytes(numbers)
        require_alpha(numbers.dtype, name, numbers.shape)
    pixels = _as_bytes(numbers[..., :3])
    if not spans_color(pixels):
        raise ParameterError(
            f"{name} has floats outside 0..1 in {numbers.shape[-1]} channels, so it is not colour as it stands; "
            "divide by 255 if it is 0..255, or pass channel_axis=-1 for plain bands"
        )
    return pixels, True, numbers[..., 3] if numbers.shape[-1] == 4 else None


def named_channels(numbers: np.ndarray, channel_axis: int | None, name: str) -> tuple[np.ndarray, bool]:
    """Return (pixels, color) of an array whose channel axis the caller named."""
    import operator

    import numpy as np

    if channel_axis is None:
        if numbers.ndim == 0:
            raise ParameterError(f"{name} is a single number; pass an array of at least one axis")
        return numbers[..., None], False
    try:
        axis = operator.index(channel_axis)
    except TypeError:
        raise ParameterError(f'channel_axis={channel_axis!r} is not an axis; use an integer, None or "auto"') from None
    if not -numbers.ndim <= axis < numbers.ndim or numbers.ndim < 2:
        raise ParameterError(
            f"channel_axis={axis} is not an axis of {name} with shape {numbers.shape} beside at least one spatial "
            f"axis; {AXIS_CHOICES}"
        )
    pixels = np.moveaxis(numbers, axis, -1)
    color = pixels.shape[-1] == 3 and spans_color(pixels)
    return _as_bytes(pixels) if color else pixels, color


def are_bytes(numbers: np.ndarray) -> bool:
    """Whether integers all lie within 0..255."""
    return bool(numbers.min() >= 0 and numbers.max() <= 255)


def _as_bytes(numbers: np.ndarray) -> np.ndarray:
    """Return integers that all lie within 0..255 as uint8, whatever dtype they came in; other numbers as they are.

    Python's lists and most sums and indices of NumPy are 64 bits wide; no colour is meant to span these.
    """
    import numpy as np

    if numbers.dtype.kind not in "iu" or numbers.dtype == np.uint8 or not are_bytes(numbers):
        return numbers
    return numbers.astype(np.uint8)


def require_alpha(dtype: np.dtype[Any], name: str, shape: tuple[int, ...]) -> None:
    """Refuse integers of more than 8 bits in four channels: as many are red, green, blue and near infrared."""
    if dtype.kind in "iu" and dtype.itemsize > 1:
        raise ParameterError(
            f"{name} has shape {shape} and integers beyond 255, which may be four bands or a colour with alpha; pass "
            "channel_axis=-1 for bands, or the first three channels and mask=image[..., 3]"
        )


def spans_color(pixels: np.ndarray) -> bool:
    """Whether floats lie within 0..1 (NaN and infinity aside); integers always may be colour."""
    import numpy as np

    if pixels.dtype.kind != "f":
        return True
    finite = np.isfinite(pixels)
    low = np.min(pixels, where=finite, initial=0)
    high = np.max(pixels, where=finite, initial=0)
    return bool(low >= -_COLOR_TOLERANCE and high <= 1 + _COLOR_TOLERANCE)
