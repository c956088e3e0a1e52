"""Sides: an object and what is around it, where strokes are on both, are parted by what all of a picture says.

Colours alone give the object what has its colours anywhere. The minimum cut gives it what can be told from the strokes'
side by colours, edges and strokes together. What lies far from the object's strokes, as their own spread has it, is
less likely of it: background of exactly its colours may go on from it to the end of the picture. Beyond that end there
is more of the rest, and parts without a stroke that reach it are not the object's. What is on either side then tells of
which side the colours are that no stroke has touched (Rother, Kolmogorov and Blake 2004).

Large pictures are cut by every n-th pixel. At the border of the cut pixels are free: there smoothing decides. Elsewhere
the side is a prior, so that masks stay soft: less sure where colours contradict.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import warn
from gmmseg.image import Image
from gmmseg.kernels.blas import product
from gmmseg.mixture import patterns
from gmmseg.model.model import Model
from gmmseg.records import replace
from gmmseg.spatial.guidance import Guidance
from gmmseg.spatial.minimum_cut import minimum_cut
from gmmseg.spatial.sieve import untouched

__all__ = ["has_sides", "relearned", "settled"]

_PIXELS = 80_000  # that are cut: in a quarter of a second, and with a quarter as many photographs are hardly worse
_DRAWN = 20_000  # pixels of the strokes on a side that are looked at
# Photographs: as good with .3 to 1 of all there is for the rest, .4 to .6 of what regions say, one or two rounds.
_REST, _REGIONS, _ROUNDS = 0.5, 0.6, 2
# Spreads of the object's strokes from which on pixels are less likely of it, the power of the distance by which they
# are, and the least spread, of the root of the number of pixels. Nearer, large objects lose parts.
_FAR, _STEEP, _LEAST_SPREAD = 2.0, 1.5, 0.05
# Nats that a pixel at the end of the picture costs as part of the object: what three neighbours beyond it would, were
# these of the rest and usually alike. With 5 to 10 photographs are as good, with none large leaks stay.
_BEYOND = 7.3
_ROOM = 20.0  # times the area by the square of its outline: 1.25 in a square, 1.1 where one side is twice the other
_PART = 0.3  # of its largest part with a stroke that a part of the object without one has at least; as good to 0.7
# Share of the picture, and of its end, of the object by the colours of the strokes alone, from which on it is the rest.
# In 386 photographs of one object the lesser is .66 at most, of what lies between drawn cells and fruits .7 to .86.
_OUTSIDE = 0.7
_LIKELY = 1.0  # nats by which the side of the cut is likelier at least
# Nats by which what is of the object is made less likely of it, and what is of the rest likelier of the object, and the
# shares of the object that may be lost by the one and join it by the other. Of 374 sets of strokes 28 of the 37 whose F
# is below .75 lose more and 4 others gain more; of the 212 above .9 these are 25 and 11.
_LESS, _MORE, _LOST, _JOINED = 1.0, 1.4, 0.125, 0.6
_LEAST = np.finfo(np.float64).tiny


def has_sides(image: Image, model: Model, guidance: Guidance) -> bool:
    """Whether two classes of several components are to be parted in a picture with strokes on both."""
    if guidance.scribbles is None or model.memberships is None or model.k != 2:
        return False
    picture = image.ndim == 2 and model.strength > 0 and model.recipe.has_position and not model.recipe.has_texture
    return picture and bool((guidance.scribbles == 1).any() and (guidance.scribbles == 2).any())


def relearned(image: Image, model: Model, guidance: Guidance) -> Model:
    """Return a model whose components are of the classes that strokes and regions say.

    Parameters
    ----------
    image : Image
    model : Model
        Whatever its memberships.
    guidance : Guidance
        See `has_sides`.

    Returns
    -------
    Model
        With memberships (2, K) of its components in the object and the background.

    Notes
    -----
    Two minimum cuts of some 80 000 pixels at most.
    """
    assert guidance.scribbles is not None
    thin = _Thin(image, model, guidance)
    around = np.zeros_like(thin.told)
    around[thin.rest - 1] = _REST
    shares = thin.told + around * model.mixture.weights
    for _ in range(_ROUNDS):
        seen = _shares(thin.parts, thin.cut(thin.odds(_memberships(shares))).reshape(-1))
        # All there is, the object's colours with it, would speak against large objects.
        shares = thin.told + around * seen
        shares = (1 - _REGIONS) * shares / np.maximum(shares.sum(axis=1, keepdims=True), _LEAST) + _REGIONS * seen
    return replace(model, memberships=_memberships(shares))


def settled(image: Image, model: Model, guidance: Guidance) -> Guidance:
    """Return guidance that also makes the side of the cut likely, wherever that is not near its border.

    Parameters
    ----------
    image : Image
    model : Model
        With memberships in two classes.
    guidance : Guidance
        See `has_sides`.

    Returns
    -------
    Guidance
        Whose maps make the side of each pixel as likely as odds of `_LIKELY` nats say, whatever its colour is likelier
        of, and likelier where that is of the same side. Strokes are those that were given.
    """
    assert guidance.scribbles is not None
    thin = _Thin(image, model, guidance)
    odds = thin.odds(np.asarray(model.memberships))
    labels = thin.cut(odds)
    _tell_doubt(thin, odds, labels, image.name, model.class_names)
    around = np.pad(labels, 1, mode="edge")
    rows, columns = labels.shape
    shifts = [around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    inner = (np.minimum.reduce(shifts) == np.maximum.reduce(shifts)) & (labels > 0)
    toward = np.where(inner, 3 - 2 * labels.astype(np.float32), np.float32(0))  # 1 and -1
    likely = toward * np.maximum(_LIKELY, _LIKELY - toward * odds)
    rows, columns = image.shape
    whole = likely.repeat(thin.step, axis=0)[:rows].repeat(thin.step, axis=1)[:, :columns]
    given = _odds_of_maps(guidance, (slice(None), slice(None))).reshape(image.shape)
    first = 1 / (1 + np.exp(-(whole + given)))
    return replace(guidance, maps=np.stack([first, 1 - first]).astype(np.float32), weight=1.0)


def _tell_doubt(thin: _Thin, odds: Array, labels: Array, image: str, names: tuple[str, ...]) -> None:
    """Warn where much of the object, or of the rest, would be of the other were that a little likelier; say where."""
    doubtful, size = thin.doubtful(odds, labels), max(1, (labels == thin.object).sum())
    lost, joined = (doubtful & (labels == side) for side in (thin.object, thin.rest))
    own, other = (f"{{class {side}}}" for side in (thin.object, thin.rest))
    if lost.sum() > _LOST * size:
        place, what = thin.thickest(lost), f"{100 * lost.sum() / size:.0f} % of {own} might as well be {other}"
    elif joined.sum() > _JOINED * size:
        place = thin.thickest(joined)
        what = f"as much of {other} as {100 * joined.sum() / size:.0f} % of {own} might as well be {own}"
    else:
        return
    warn(
        f"{image}: {what}, most of it around {{place}}; draw a stroke there, of the one that it is",
        place=place,
        names=names,
    )


def _odds_of_maps(guidance: Guidance, where: tuple[Any, ...]) -> Array:
    """Return logarithms of the odds (n,) of the first side by what is given beside strokes; 0 where that is nothing."""
    assert guidance.scribbles is not None
    free = replace(guidance, scribbles=np.zeros_like(guidance.scribbles))
    return np.asarray(np.subtract(*free.log_prior(2, where)))


def _parts(image: Image, model: Model, flat: Array) -> tuple[Array, Array, Array | None]:
    """Return responsibilities of the components (K, n) at these pixels, scaled features (c, n), and where data are."""
    values, valid = image.take(flat)
    planes = model.recipe.planes_of(image, values, flat)
    parts = np.empty((model.mixture.n_components, len(flat)), np.float32)
    patterns.posterior(planes, model.arguments_of, parts, None)
    guide = (planes - model.center[:, None])[: model.n_guides] / model.scale[: model.n_guides, None]
    guide = np.nan_to_num(guide, nan=0.0)
    return parts, guide if valid is None else np.where(valid, guide, 0), valid


def _told(image: Image, model: Model, guidance: Guidance) -> Array:
    """Return how much of the strokes on each side components explain (2, K)."""
    assert guidance.scribbles is not None
    strokes = guidance.scribbles.reshape(-1)
    every = [np.flatnonzero(strokes == side) for side in (1, 2)]
    drawn = np.concatenate([each[:: math.ceil(len(each) / _DRAWN)] for each in every])
    parts, _, valid = _parts(image, model, drawn)
    return _shares(parts, strokes[drawn] if valid is None else np.where(valid, strokes[drawn], 0))


def _shares(parts: Array, sides: Array) -> Array:
    """Return how much of each side, 1 and 2, components (K, n) explain (2, K); nothing of one that is nowhere."""
    return np.stack(
        [parts[:, sides == side].sum(axis=1, dtype=np.float64) / max(1, (sides == side).sum()) for side in (1, 2)]
    )


def _memberships(shares: Array) -> Array:
    """Return memberships (2, K) in the sides; half of each of a component that is nowhere."""
    shares = shares + _LEAST
    return np.asarray(shares / shares.sum(axis=0))


def _nearness(strokes: Array) -> Array:
    """Return logarithms of the odds of the object by how far each pixel is from its strokes: 0 near them, then less."""
    from scipy.ndimage import distance_transform_edt  # here, because models of most runs have no strokes

    if not strokes.any():
        return np.zeros(strokes.shape)
    spread = math.sqrt(sum(along.var() for along in np.nonzero(strokes)))
    enough = _FAR * max(spread, _LEAST_SPREAD * math.sqrt(strokes.size))
    return np.asarray(-_STEEP * np.log(np.maximum(distance_transform_edt(~strokes) / enough, 1)))


def _end(shape: tuple[int, ...], valid: Array | None) -> tuple[Array, float]:
    """Return where the picture ends, at its frame or where data do, and what that costs a pixel of the object, in nats.

    A hole in the data is no end. In strips, which objects go across, it costs less.
    """
    from scipy.ndimage import binary_erosion, binary_fill_holes  # here, because models of most runs have no strokes

    inside = np.ones(shape, bool) if valid is None else binary_fill_holes(valid.reshape(shape))
    end = inside & ~binary_erosion(inside)
    return end, _BEYOND * min(1.0, float(_ROOM * inside.sum() / max(1, end.sum()) ** 2))


class _Thin:
    """Every n-th pixel of a picture, in the middle of blocks of n x n: its components, colours and strokes."""

    def __init__(self, image: Image, model: Model, guidance: Guidance) -> None:
        assert guidance.scribbles is not None
        self.step = math.ceil(math.sqrt(image.n_pixels / _PIXELS))
        self.places = [np.minimum(np.arange(0, n, self.step) + self.step // 2, n - 1) for n in image.shape]
        index = np.ix_(*self.places)
        self.shape = tuple(map(len, self.places))
        flat = np.ravel_multi_index(index, image.shape).ravel()
        self.parts, guide, self.valid = _parts(image, model, flat)
        if self.valid is not None:
            guide[:, ~self.valid] = np.nan
        self.guide = guide.reshape(-1, *self.shape)
        self.prior = _odds_of_maps(guidance, index)
        self.strokes = self._strokes(guidance.scribbles)
        self.end, beyond = _end(self.shape, self.valid)
        self.told = _told(image, model, guidance)
        self.rest = self._around(guidance.outermost())
        self.object = 3 - self.rest
        self.toward = 3 - 2 * self.object  # the sign of what speaks for the object
        self.near = self.toward * (_nearness(self.strokes == self.object) - beyond * self.end)

    def _around(self, outermost: int) -> int:
        """Return the side that is the rest: that with the outermost strokes, or else whose colours are nearly all over.

        Strokes on several objects of a kind may lie as far out as those between them.
        """
        own = (2 * outermost - 3) * self.odds(_memberships(self.told)) > 0
        over = all(each.sum() > _OUTSIDE * each.size for each in (own, own[self.end]))
        return 3 - outermost if over else outermost

    def _strokes(self, scribbles: Array) -> Array:
        """Return the stroke that most of a block's drawn pixels are of; of as many of both, none."""
        counts = []
        for side in (1, 2):
            rows, columns = np.nonzero(scribbles == side)
            blocks = np.ravel_multi_index((rows // self.step, columns // self.step), self.shape)
            counts.append(np.bincount(blocks, minlength=math.prod(self.shape)))
        return np.select([counts[0] > counts[1], counts[1] > counts[0]], [1, 2], 0).reshape(self.shape)

    def odds(self, memberships: Array) -> Array:
        """Return logarithms of the odds of the first side by colours and maps; 0 without data."""
        first, second = np.maximum(product(self.parts.T, memberships.astype(np.float32)), np.float32(1e-9))
        odds = np.log(first) - np.log(second) + self.prior
        return (odds if self.valid is None else np.where(self.valid, odds, 0)).reshape(self.shape)

    def cut(self, odds: Array) -> Array:
        """Return the side of each pixel by the odds of the first, 1 or 2; 0 without data.

        There are no specks and holes that no stroke is on, and no parts of the object that `_stray` names.
        """
        labels = np.where(minimum_cut(odds + self.near, self.guide, self.strokes), 1, 2)
        if self.valid is not None:
            labels[~self.valid.reshape(self.shape)] = 0
        small = untouched(labels, self.strokes, 2)
        labels = labels if small is None else np.where(small > 0, 3 - labels, labels)
        return np.where(self._stray(labels), self.rest, labels)

    def _stray(self, labels: Array) -> Array:
        """Return where parts of the object are that no stroke or map shows, and that are small or at the picture's end.

        Where one lies inside that is neither, or strokes are on two such parts, objects are several, and all stay.
        """
        from scipy.ndimage import label  # here, because models of most runs have no strokes

        parts, n = label(labels == self.object)
        sizes, drawn, at_end = np.bincount(parts.ravel(), minlength=n + 1), np.zeros(n + 1, bool), np.zeros(n + 1, bool)
        shown = (self.strokes == self.object) | (self.toward * self.prior > 0).reshape(self.shape)
        drawn[parts[shown]] = at_end[parts[self.end]] = True
        drawn[0] = False
        free = ~drawn
        free[0] = False
        small = sizes < _PART * sizes[drawn].max(initial=0)
        several = (free & ~small & ~at_end).any() or (drawn & ~small).sum() > 1
        return np.asarray((free & (small | at_end) & (not several))[parts])

    def doubtful(self, odds: Array, labels: Array) -> Array:
        """Return which pixels would be of the other side, were it likelier and all beyond the border as it is."""
        nats = self.toward * np.where(labels == self.object, -_LESS, _MORE)
        first = minimum_cut(odds + self.near + nats, self.guide, self.strokes, labels == 1)
        return np.asarray(first != (labels == 1))

    def thickest(self, region: Array) -> tuple[int, int]:
        """Return row and column, in the picture, of the middle of a region where it is widest."""
        from scipy.ndimage import distance_transform_edt  # here, because models of most runs have no strokes

        inside = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(inside.argmax()), region.shape)
        return int(self.places[0][row]), int(self.places[1][column])
