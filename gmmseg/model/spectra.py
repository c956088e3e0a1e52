"""Spectra of the classes of a model that was fitted to principal components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmmseg.model.model import Model

__all__ = ["spectra"]


def spectra(model: Model, names: Sequence[str] = ()) -> list[dict[str, float | None]]:
    """Return the mean of each class in the channels, as far as components stand above the noise.

    Parameters
    ----------
    model : Model
    names : sequence of str
        Of the channels, where the model knows none; "band 1", ... where there are none here either.

    Returns
    -------
    list of dict of str to (float or None)
        By the names of the channels, one for each class; None of a channel that never had a number. Empty of models
        that have no components.

    Examples
    --------
    >>> import gmmseg, numpy as np
    >>> from gmmseg.image import Image
    >>> level = np.repeat([10.0, 50.0], 32).reshape(8, 8, 1) + np.arange(64).reshape(8, 8, 1) % 3
    >>> cube = Image(level * np.linspace(1, 3, 20), channel_names=tuple(f"{n} nm" for n in range(400, 420)))
    >>> [round(spectrum["419 nm"]) for spectrum in spectra(gmmseg.fit(cube, 2))]
    [33, 153]
    """
    pca = model.recipe.pca
    if pca is None:
        return []
    known = model.channel_names or names
    names = known if len(set(known)) == len(pca.center) else [f"band {i + 1}" for i in range(len(pca.center))]
    first = model.plane_names.index("component 1")
    found = pca.channels(model.means[:, first : first + len(pca.axes)])
    return [
        {name: value if math.isfinite(value) else None for name, value in zip(names, each, strict=True)}
        for each in found.tolist()
    ]
