"""Channels as people name them: by numbers counted from 1, or by the names in the file."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from gmmseg.errors import ParameterError

__all__ = ["Channels", "evenly", "positions"]

Channels = str | int | Sequence[int | str]


def positions(channels: Channels, n_channels: int, names: Sequence[str] = (), *, image: str) -> tuple[int, ...]:
    """Return the positions, from 0, of the channels that are named.

    Parameters
    ----------
    channels : str, int or sequence of (int or str)
        Numbers from 1, or names; a string may hold several with commas between them. A number is that of a channel
        where there are so many, and otherwise may be a name (of a wavelength, perhaps). Letter case matters only
        between names that differ in nothing else.
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
    """
    listed: Sequence[int | str]
    if isinstance(channels, str):
        listed = [part.strip() for part in channels.split(",")]
    else:
        listed = channels if isinstance(channels, Sequence) else [channels]
    if not listed or "" in listed:
        raise ParameterError(f"channels={channels!r} has an empty place; {_choices(n_channels, names)}")
    found = tuple(_position(channel, n_channels, names, image) for channel in listed)
    twice = next((position for i, position in enumerate(found) if position in found[:i]), None)
    if twice is not None:
        raise ParameterError(f"{image}: channel {twice + 1} is chosen twice; name each channel once")
    return found


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
