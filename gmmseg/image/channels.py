"""Channels as people name them: by numbers counted from 1, or by the names in the file."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["SCALINGS", "Channels", "evenly", "matching", "metadata_of", "positions"]

Channels = str | int | Sequence[int | str]

SCALINGS = "scalings"
"""Entry of an image's metadata: scale and offset of each channel, where its numbers are no longer those of the file."""

_RANGE = re.compile(r"(\d+)-(\d+)")
_MOST = 1 << 20  # channels: numbers that somebody mistyped make no long list


def positions(channels: Channels, n_channels: int, names: Sequence[str] = (), *, image: str) -> tuple[int, ...]:
    """Return the positions, from 0, of the channels that are named.

    Parameters
    ----------
    channels : str, int or sequence of (int or str)
        Numbers from 1, ranges of them ("20-30") or names; a string may hold several with commas between them. A number
        is that of a channel where there are so many, and otherwise may be a name (of a wavelength, perhaps). Letter
        case matters only between names that differ in nothing else. A name of two parts, as "B08/nir", is meant by
        either of them.
    n_channels : int
        How many there are.
    names : sequence of str
        Of all of them, or empty.
    image : str
        What messages call the image.

    Raises
    ------
    ParameterError
        No channel is named, one that is not there, or one twice.

    Examples
    --------
    >>> positions("nir,1", 4, ("blue", "green", "red", "NIR"), image="scene.tif")
    (3, 0)
    >>> positions("1-3,7", 8, image="cube.tif")
    (0, 1, 2, 6)
    """
    listed: Sequence[int | str]
    channels = channels.tolist() if hasattr(channels, "tolist") else channels
    if isinstance(channels, str):
        listed = [part.strip() for part in channels.split(",")]
    else:
        listed = channels if isinstance(channels, Sequence) else [channels]
    if not listed or "" in listed:
        raise ParameterError(f"channels={channels!r} has an empty place; {_choices(n_channels, names)}")
    each = [number for channel in listed for number in _numbers_of(channel, names)]
    found = tuple(_position(channel, n_channels, names, image) for channel in each)
    twice = next((position for i, position in enumerate(found) if position in found[:i]), None)
    if twice is not None:
        raise ParameterError(f"{image}: channel {twice + 1} is chosen twice; name each channel once")
    return found


def matching(wanted: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | str:
    """Return the positions of channels of the same names, in another order; the first name that is not there.

    Names are the same where letters are, in any case, and "B08/nir" is the same as "nir", "B08" and "B5/nir", which
    another satellite calls so; but not "B4/nir" as "B4/red", which are of other light.

    Examples
    --------
    >>> matching(("NIR", "red"), ("B04/red", "B03/green", "B08/nir"))
    (2, 0)
    >>> matching(("B4/nir",), ("B4/red",))
    'B4/nir'
    """
    found = []
    for name in wanted:
        same = [i for i, other in enumerate(names) if other == name] or [
            i for i, other in enumerate(names) if _is_same(name, other)
        ]
        if len(same) != 1 or same[0] in found:
            return name
        found.append(same[0])
    return tuple(found)


def _is_same(one: str, other: str) -> bool:
    """Whether two names mean one channel."""
    a, b = ([part.strip() for part in name.lower().split("/")] for name in (one, other))
    if len(a) == len(b) == 2:
        return a[1] == b[1]
    return a == b or (len(a) == 1 and a[0] in b) or (len(b) == 1 and b[0] in a)


def _numbers_of(channel: int | str, names: Sequence[str]) -> Sequence[int | str]:
    """Return the numbers of a range, or the channel itself: a name may look like a range."""
    found = _RANGE.fullmatch(channel.strip()) if isinstance(channel, str) and channel not in names else None
    if found is None:
        return [channel]
    first, last = int(found[1]), int(found[2])
    if not 1 <= first <= last < first + _MOST:
        raise ParameterError(f"channels={channel!r} is no range; give its first and last number, as in 20-30")
    return range(first, last + 1)


def _position(channel: int | str, n_channels: int, names: Sequence[str], image: str) -> int:
    try:
        number = operator.index(int(channel) if isinstance(channel, str) else channel)
    except (TypeError, ValueError):
        number = 0
    if 1 <= number <= n_channels:
        return number - 1
    wanted = str(channel)
    same = [i for i, name in enumerate(names) if name == wanted]
    same = same or [i for i, name in enumerate(names) if name.lower() == wanted.lower()]
    same = same or [i for i, name in enumerate(names) if wanted.lower() in name.lower().split("/")]
    if len(same) > 1:
        numbers = ", ".join(str(i + 1) for i in same)
        raise ParameterError(f"{image}: channels {numbers} are all named {channel!r}; choose by number")
    if not same:
        raise ParameterError(f"{image} has no channel {channel!r}; {_choices(n_channels, names)}")
    return same[0]


def _choices(n_channels: int, names: Sequence[str]) -> str:
    """Say what channels there are."""
    numbers = "use 1, its only channel" if n_channels == 1 else f"use numbers from 1 to {n_channels}"
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"{numbers}, or names: {listed}" if names else numbers


def metadata_of(metadata: dict[str, Any], chosen: tuple[int, ...]) -> dict[str, Any]:
    """Return the metadata of an image for those of its channels that are at some positions.

    Examples
    --------
    >>> metadata_of({SCALINGS: ((1e-4, 0), (1, 0)), "dpi": 72}, (1,))
    {'scalings': ((1, 0),), 'dpi': 72}
    """
    scalings = metadata.get(SCALINGS)
    return {**metadata, SCALINGS: tuple(scalings[c] for c in chosen)} if scalings else metadata


def evenly(at: tuple[int, ...]) -> slice | list[int]:
    """Return positions as a slice where they are evenly spaced, which indexes without a copy, otherwise as a list.

    Examples
    --------
    >>> evenly((3, 2, 1)), evenly((0, 2, 3))
    (slice(3, 0, -1), [0, 2, 3])
    """
    step = at[1] - at[0] if len(at) > 1 else 1
    stop = at[0] + step * len(at)
    return slice(at[0], stop if stop >= 0 else None, step) if at == tuple(range(at[0], stop, step)) else list(at)
