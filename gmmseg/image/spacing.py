"""How large a pixel is, where a caller says it and not the file."""

from __future__ import annotations

from collections.abc import Sequence

from gmmseg.errors import ParameterError
from gmmseg.image.image import Image
from gmmseg.image.place import METRES, Place
from gmmseg.records import replace

__all__ = ["with_spacing"]


def with_spacing(image: Image, spacing: Sequence[float] | None, unit: str | None = None) -> Image:
    """Return an image of which it is known how large a pixel is, whatever it says itself.

    Parameters
    ----------
    image : Image
    spacing : sequence of float, optional
        Along each axis of space, such as (planes, rows, columns), or one number for all; None leaves it as it is.
    unit : str, optional
        Of its lengths: one of `gmmseg.image.place.METRES`; None where it is not known.

    Returns
    -------
    Image
        Shares the pixels.

    Raises
    ------
    ParameterError
        It has another number of axes, is not above 0, or the unit is not known or of nothing.

    Examples
    --------
    >>> import numpy as np
    >>> with_spacing(Image(np.zeros((4, 5))), (0.5, 0.25), "um").place.metres
    1e-06
    """
    if spacing is None:
        if unit is not None:
            raise ParameterError(
                f"unit={unit!r} is of spacing, which is not given; give the size of a pixel as spacing"
            )
        return image
    if isinstance(unit, str):
        unit = unit.replace("µ", "u").replace("μ", "u")  # the micro sign, and the Greek letter
    if unit is not None and unit not in METRES:
        raise ParameterError(f"unit={unit!r} is not known; use one of {', '.join(METRES)}")
    try:
        steps = tuple(float(step) for step in spacing)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"spacing={spacing!r} is not a number for each axis, as in (2.0, 0.5, 0.5)") from None
    if len(steps) == 1:
        steps *= image.ndim - image.time
    return replace(image, spacing=steps, place=replace(image.place or Place(), unit=unit))
