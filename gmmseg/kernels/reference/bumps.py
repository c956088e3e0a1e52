"""How much more mass two intervals hold than one."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["second_mass"]


def second_mass(places: Array, levels: Array) -> float:
    """Return by how much the excess mass of two intervals is at most larger than that of one, among some levels.

    A mass of 1 is spread evenly over the gaps between `places` `(n,)`, ascending, of which there are at least two. The
    excess of an interval over a level, of `levels` `(m,)`, is its mass less that of an even density of so much there
    (Müller and Sawitzki 1991). All are float64.
    """
    # An interval of the line has as much mass above a level as this rises along it.
    above = np.linspace(0, 1, len(places)) - levels[:, None] * (places - places[0])
    until = np.maximum.accumulate(above - np.minimum.accumulate(above, axis=1), axis=1)
    back = above[:, ::-1]
    since = np.maximum.accumulate(np.maximum.accumulate(back, axis=1) - back, axis=1)[:, ::-1]
    return float(((until + since).max(axis=1) - until[:, -1]).max())
