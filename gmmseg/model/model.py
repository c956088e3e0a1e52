"""Model: recipe, scaling, mixture and class names; all that a segmentation needs but the image. One JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from reprlib import Repr
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import InputError
from gmmseg.extras import face
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.image.grey import as_grey
from gmmseg.io.atomic import atomic_file
from gmmseg.io.classes import regroup
from gmmseg.io.formats import is_scene
from gmmseg.io.raster.bad_bands import leaves_out_bands
from gmmseg.kernels import Densities
from gmmseg.kernels.blas import ALONE
from gmmseg.mixture import patterns
from gmmseg.mixture.memberships import ROUNDING, moments
from gmmseg.mixture.parameters import Mixture, log_density
from gmmseg.records import dataclass, replace
from gmmseg.spatial.enlarging import GRAIN
from gmmseg.spatial.grain import UNDONE, Grain
from gmmseg.spatial.smoothing import HALO, Smoothing, share_power

__all__ = ["FORMAT", "VERSION", "Model", "Training"]

FORMAT, VERSION = "gmmseg-model", 7
# 2 where there are outliers or Student-t distributions, 3 with memberships or pca, 4 with dropped classes, 5 with
# grain, 6 where that is cut, 7 where its kind is known


@dataclass(frozen=True)
class Training:
    """What a model remembers of the images that it was fitted to, to tell others apart from them.

    Parameters
    ----------
    spacing : tuple of float, optional
        Size of a pixel along each spatial axis; None where unknown.
    gap : float
        By how much, in nats a feature, the pixels of a quarter of an image were at most less likely than samples of
        the mixture itself; at least 0.
    unusual : float
        Largest share of a quarter's pixels beyond the contours that hold 99.9 % of each class, 0 to 1.
    gain, offset : tuple of float, optional
        Of each plane but those of position, scaled: what `gmmseg.model.adapting.adapt` finds for the images themselves.
        It is not quite 1 and 0 where classes are not Gaussian.
    """

    spacing: tuple[float, ...] | None = None
    gap: float = 0.0
    unusual: float = 0.0
    gain: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no image could have been."""
        if not (0 <= self.gap < np.inf and 0 <= self.unusual <= 1):
            raise ValueError("the training's gap or share of unusual pixels is out of range")
        if len(self.gain) != len(self.offset) or not all(0 < gain < np.inf for gain in self.gain):
            raise ValueError("the training's gains are not above 0, or there is not one offset to each")
        if not np.isfinite(self.offset).all():
            raise ValueError("the training's offsets are not finite")
        if self.spacing is not None and not all(0 < step < np.inf for step in self.spacing):
            raise ValueError("the training's spacing is not finite and above 0")


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted mixture with all that turns an image into its planes.

    Parameters
    ----------
    recipe : Recipe
    plane_names : tuple of str
    groups : tuple of int
        For each plane the group it was scaled with; -1 for position.
    center, scale : ndarray, shape (d,)
        The mixture is of `(planes - center) / scale`.
    mixture : Mixture
        Of the scaled planes; its components are the classes, in ascending order of the first feature's mean, or parts
        of them as `memberships` says.
    class_names : tuple of str
    strength : float
        Of the smoothing, 0 to 1.
    n_channels : int
    color : bool
        What images the model is for.
    training : Training, optional
        Of the images that it was fitted to.
    memberships : ndarray, shape (k, K), optional
        Probability of each class given each of the mixture's K components; where None, components are classes. What is
        missing to 1 belongs to no class: classes that were dropped, whose pixels are no data.
    channel_names : tuple of str
        Of the channels of the images that it was fitted to; empty where nothing but their order tells them.
    contrast : ndarray, shape (c,), optional
        How much neighbouring pixels of these images differ in the first features, see
        `gmmseg.features.contrast.contrast`: what is an edge. It makes every window of every image get the labels of the
        whole. Where None, each image is measured by itself.
    grain : Grain, optional
        How the picture was enlarged, see `gmmseg.spatial.grain`. Then the mixture is of the pixels that it was enlarged
        from, or of what lies in the middle of blocks of 2 x 2, and pixels are labelled as these.

    Examples
    --------
    >>> import gmmseg
    >>> model = gmmseg.fit(np.repeat(np.uint8([10, 200]), 8).reshape(2, 8), k=2)
    >>> model.k, model.class_names, model.means.round().tolist()
    (2, ('class 1', 'class 2'), [[10.0], [200.0]])
    """

    recipe: Recipe
    plane_names: tuple[str, ...]
    groups: tuple[int, ...]
    center: Array
    scale: Array
    mixture: Mixture
    class_names: tuple[str, ...]
    strength: float
    n_channels: int
    color: bool
    training: Training | None = None
    memberships: Array | None = None
    channel_names: tuple[str, ...] = ()
    contrast: Array | None = None
    grain: Grain | None = None

    def _repr_html_(self) -> str:
        """Show the classes in a notebook."""
        return str(face("gmmseg.integrations.notebook.html_views:model_html")(self))

    def __repr__(self) -> str:
        short = Repr()
        short.maxtuple, short.maxstring = 2, 18  # one line of at most 120 characters, also of 255 classes
        return (
            f"Model(k={self.k}, features={short.repr(str(self.recipe))}, covariance={self.mixture.covariance!r}, "
            f"classes={short.repr(self.class_names)})"
        )

    @property
    def k(self) -> int:
        """Number of classes."""
        return self.mixture.n_components if self.memberships is None else len(self.memberships)

    @cached_property
    def has_whole_components(self) -> bool:
        """Whether each component of the mixture belongs to one class as a whole."""
        own = self.memberships
        return own is None or bool(np.isin(own, (0, 1)).all() and (own.sum(axis=0) == 1).all())

    @property
    def drops(self) -> bool:
        """Whether some of the mixture belongs to no class."""
        return self.memberships is not None and bool((self.memberships.sum(axis=0) < 1 - ROUNDING).any())

    @cached_property
    def complete(self) -> Model:
        """The model with all that belongs to no class as one more class, the last: by it every pixel is decided."""
        if self.memberships is None or not self.drops:
            return self
        rest = np.clip(1 - self.memberships.sum(axis=0), 0, 1)
        return replace(
            self, class_names=(*self.class_names, "no data"), memberships=np.concatenate([self.memberships, rest[None]])
        )

    @property
    def n_guides(self) -> int:
        """Number of planes before those of position."""
        return sum(group >= 0 for group in self.groups)

    @property
    def weights(self) -> Array:
        """Share of each class (k,) in the samples."""
        return self._classes.weights

    @property
    def means(self) -> Array:
        """Class means (k, d) in the features' own units."""
        return self._classes.means * self.scale + self.center

    @property
    def covariances(self) -> Array:
        """Class covariances (k, d, d) in the features' own units."""
        dense = self._classes.family.dense(self._classes.covariances, self.k, len(self.scale))
        return np.asarray(dense * self.scale[:, None] * self.scale)

    @cached_property
    def _classes(self) -> Mixture:
        """The classes by their shares, means and covariances, whatever they are made of."""
        return self.mixture if self.memberships is None else moments(self.mixture, self.memberships)

    @cached_property
    def among_neighbours(self) -> Model:
        """The model whose posteriors the smoothing takes: where classes overlap, neighbours replace their shares.

        Components that belong to several classes tell of these as if they were equally frequent already.
        """
        if self.memberships is not None and not np.isin(self.memberships, (0, 1)).all():
            return self
        power = share_power(self.strength, self.mixture.expected_error(self.memberships))
        if self.memberships is None:
            return replace(self, mixture=self.mixture.tempered(power))
        shares = self.memberships.T @ self._classes.tempered(power).weights
        own = self.memberships.T @ self._classes.weights
        weights = self.mixture.weights * np.divide(shares, own, out=np.zeros_like(own), where=own > 0)
        return replace(self, mixture=replace(self.mixture, weights=weights))

    def posterior(self, planes: Array, out: Array, log_prior: Array | None = None) -> bool:
        """Write the classes' probabilities (k, n), float32, of planes (d, n) in the features' own units.

        A `log_prior` (k, n) holds logarithms of the classes' prior probabilities. Returns whether all features
        certainly are finite.
        """
        if self.memberships is None:
            return patterns.posterior(planes, self.arguments_of, out, None, log_prior=log_prior)
        if self.has_whole_components:
            known = patterns.posterior(planes, self.classes_of, out, None)
        else:
            known = self._shared(planes, out)
        if log_prior is not None:
            weighted = np.log(np.maximum(out, np.finfo(np.float32).tiny)) + log_prior
            np.exp(weighted - weighted.max(axis=0), out=out)
            out /= out.sum(axis=0)
        return known

    def _shared(self, planes: Array, out: Array) -> bool:
        """Write the classes' probabilities, as of `posterior`, where components are shared by classes."""
        memberships = np.asarray(self.memberships, np.float32)
        step, known = max(1, ALONE // memberships.size), True
        for first in range(0, planes.shape[1], step):
            columns = slice(first, first + step)
            some = planes[:, columns]
            parts = np.empty((memberships.shape[1], some.shape[1]), np.float32)
            known &= patterns.posterior(some, self.arguments_of, parts, None)
            out[:, columns] = memberships @ parts
        return known

    @cached_property
    def _arguments(self) -> dict[tuple[bool, bytes], Densities]:
        return {}

    def arguments_of(self, observed: Array | None, *, outliers: bool = False) -> Densities:
        """Return the mixture of some features, all where None, as the kernels take it.

        It is for planes in the features' own units: the scaling is folded in. `outliers` adds their component, where
        the mixture has one, as the last.
        """
        key = (outliers, b"" if observed is None else observed.tobytes())
        if key not in self._arguments:
            chosen = slice(None) if observed is None else observed
            local = self.mixture.marginal(observed)
            constants, means, factors, dof, *_ = local.all_densities if outliers else local.densities
            scale, center = self.scale[chosen], self.center[chosen]
            self._arguments[key] = Densities(
                constants - np.log(scale).sum(),
                np.ascontiguousarray(means * scale + center),
                factors / np.broadcast_to(scale, factors.shape),  # the last axis of both is that of the features
                dof,
            )
        return self._arguments[key]

    def classes_of(self, observed: Array | None) -> Densities:
        """Return what `arguments_of` does, with the classes that its components are of, each of them as a whole."""
        densities = self.arguments_of(observed)
        if self.memberships is None:
            return densities
        key = (False, b"classes" if observed is None else b"classes" + observed.tobytes())
        if key not in self._arguments:
            constants, means, factors, dof, *_ = densities
            of, order = np.nonzero(self.memberships)
            self._arguments[key] = Densities(
                constants[order],
                means[order],
                factors[order],
                None if dof is None else dof[order],
                np.bincount(of, minlength=self.k).astype(np.int64),
            )
        return self._arguments[key]

    @cached_property
    def _smoothings(self) -> dict[tuple[float, ...], Smoothing]:
        return {}

    def smoothing(self, spacing: tuple[float, ...], variation: Array | None) -> Smoothing:
        """Return how the neighbourhood is heard: by the model's own contrast, which edges are told by, or another."""
        if self.contrast is None and variation is not None:
            return Smoothing.of(self.strength, variation, self.scale[: len(variation)], spacing)
        if spacing not in self._smoothings:
            own = np.asarray(self.contrast)
            self._smoothings[spacing] = Smoothing.of(self.strength, own, self.scale[: len(own)], spacing)
        return self._smoothings[spacing]

    def log_density(self, planes: Array) -> Array:
        """Return the logarithms of the densities (n,) of planes (d, n) in the features' own units, outliers counted."""
        box = self.mixture.outlier_box
        box = None if box is None else box * self.scale + self.center
        return log_density(planes, partial(self.arguments_of, outliers=True), box)

    def halo(self, image: Image, *, smoothed: bool = True) -> int:
        """Return how many pixels around a window of an image its labels depend on.

        A window with so many pixels around it gets the labels that it has in the whole image, pixel for pixel, where
        the model remembers its `contrast`. Where position is a feature, or the model has a `grain`, it has to be a
        window of `Image.crop`, which knows where it lies; otherwise an array of these pixels will do.

        Parameters
        ----------
        image : Image
        smoothed : bool
            False for what does not depend on the neighbours' classes, such as the log density.

        Examples
        --------
        >>> import gmmseg
        >>> scene = np.random.default_rng(0).normal(100, 20, (90, 90)) + 40 * (np.arange(90) // 30 == 1)
        >>> model = gmmseg.fit(scene, 2)
        >>> halo = model.halo(Image.from_array(scene))
        >>> whole, window = gmmseg.apply(model, scene).labels, gmmseg.apply(model, scene[30 - halo : 60 + halo]).labels
        >>> bool((window[halo : 30 + halo] == whole[30:60]).all())
        True
        """
        heard = HALO if smoothed and self.strength > 0 and self.k > 1 else 0
        around = heard + self.recipe.context(image)
        return GRAIN * (around + UNDONE) if smoothed and self.grain is not None else around

    def moved(self, gain: Array | float, center: Array) -> Model:
        """Return the model of images whose planes, those of position left out, vary `gain` times as much.

        Parameters
        ----------
        gain : ndarray, shape (g,), or float
            Above 0; one for each of the g planes, or for all.
        center : ndarray, shape (g,), or more with numbers of other planes
            Where what was at the model's center lies in them.
        """
        g = self.n_guides
        scale, middle = self.scale.copy(), self.center.copy()
        scale[:g] *= gain
        middle[:g] = center[:g]
        edges = None if self.contrast is None else self.contrast * np.broadcast_to(gain, g)[: len(self.contrast)] ** 2
        return replace(self, center=middle, scale=scale, contrast=edges)

    def view(self, image: Image) -> Image:
        """Return an image as the model takes it: for a model of one channel, grey values stored as colour are one.

        Channels that have names, as those of a scene or of a GeoTIFF file that describes its bands, are taken by their
        names, in the order of the model.

        Raises
        ------
        InputError
            The image is not of the kind that the model was fitted to, or has no channel of a name.
        """
        image = as_grey(image) if self.n_channels == 1 else image
        image = image.in_order_of(self.channel_names, of="the model")
        self.check(image)
        return image

    def channels_in(self, source: Any) -> tuple[str, ...] | None:
        """Return the channels to read where nobody chooses: the model's, of images that are read without some bands."""
        if not (self.channel_names and isinstance(source, str | os.PathLike)):
            return None
        return self.channel_names if is_scene(Path(source)) or leaves_out_bands(Path(source)) else None

    def check(self, image: Image) -> None:
        """Raise InputError where the image is not of the kind that the model was fitted to."""
        still = image.frames[0]
        same_kind = (image.n_channels, image.color) == (self.n_channels, self.color)
        groups = self.recipe.groups(still) if same_kind else ()
        if len(groups) == len(self.groups) and groups != self.groups:
            raise InputError(
                f"{image.name}: the model's groups {self.groups} are not those of features {self.recipe}, which are "
                f"{groups}; give a model that `gmmseg fit` wrote"
            )
        if not same_kind or len(groups) != len(self.groups):
            own, found = (self.groups.count(-1), still.ndim) if same_kind else (None, None)
            raise InputError(
                f"{image.name}: the model is for {_kind(self.color, self.n_channels, own)} images with features "
                f"{self.recipe}, this image is {_kind(image.color, image.n_channels, found)}; "
                "fit a model to images of its kind"
            )

    def relabel(
        self, *, merge: Any = (), rename: Mapping[Any, str] | None = None, drop: Any = (), keep_numbers: bool = False
    ) -> Model:
        """Return the model with classes merged, as groups of their components, renamed and dropped.

        Parameters
        ----------
        merge : iterable of groups, or one group
            Classes by number or name, as in `merge=(3, 4)` or `merge=[(3, 4), ("oak", "pine")]`. A group keeps the
            lowest of the numbers and the name of the class that is named first.
        rename : mapping of (int or str) to str, optional
            New names, as in `{1: "water"}`; of a group by any of its classes.
        drop : int, str, or iterable of these
            Classes whose pixels become 0, no data: their components stay, and no class has them.
        keep_numbers : bool
            Whether numbers stay that are above those that go, and of these classes without components. Otherwise they
            move down.

        Raises
        ------
        ParameterError
            A class does not exist, is in two groups or dropped from one, or two classes would have one name.
        """
        names = dict(enumerate(self.class_names, 1))
        changes = regroup(names, merge=merge, rename=rename, drop=drop, keep_numbers=keep_numbers, where="the model")
        if all(old == new for old, new in changes.numbers.items()):
            return replace(self, class_names=changes.names)
        own = np.eye(self.k) if self.memberships is None else self.memberships
        memberships = np.zeros((len(changes.names), own.shape[1]))
        for old, new in changes.numbers.items():
            if new:
                memberships[new - 1] += own[old - 1]
        return replace(self, class_names=changes.names, memberships=memberships)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model as JSON; numbers are kept to the last bit.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is False, or the folder cannot be written.
        """
        import json  # here, because most models stay in memory

        with atomic_file(path_of(path), overwrite=overwrite) as file:
            file.write((json.dumps(self.content, indent=1, allow_nan=False) + "\n").encode())

    @property
    def content(self) -> dict[str, Any]:
        """What its file holds, ready for JSON."""
        mixture = self.mixture
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": 1,
            "features": str(self.recipe),
            "planes": list(self.plane_names),
            "groups": list(self.groups),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "covariance": mixture.covariance,
            "weights": mixture.weights.tolist(),
            "means": mixture.means.tolist(),
            "covariances": mixture.covariances.tolist(),
            "classes": list(self.class_names),
            "smooth": self.strength,
            "channels": self.n_channels,
            "color": self.color,
        }
        if self.channel_names:  # as little
            content |= {"channel_names": list(self.channel_names)}
        if self.contrast is not None:
            content |= {"contrast": self.contrast.tolist()}
        if self.training is not None:  # nothing that a reader of version 1 has to know to apply the model
            from dataclasses import asdict  # here, because only models of `fit` know what they were fitted to

            content |= {"training": asdict(self.training)}
        if mixture.dof is not None:
            content |= {"version": 2, "dof": mixture.dof.tolist()}
        if mixture.outlier_ranges is not None:
            place = {name: getattr(mixture, f"outlier_{name}").tolist() for name in ("ranges", "center")}
            content |= {"version": 2, "outliers": {"weight": mixture.outlier_weight, **place}}
        if self.memberships is not None:
            content |= {"version": 4 if self.drops else 3, "memberships": self.memberships.tolist()}
        if self.recipe.pca is not None:
            pca = self.recipe.pca
            arrays = {name: getattr(pca, name).tolist() for name in ("center", "scale", "axes", "variance")}
            content |= {"version": max(3, content["version"]), "pca": arrays}
        return content if self.grain is None else content | _content_of(self.grain)


def _content_of(grain: Grain) -> dict[str, Any]:
    begin = list(grain.begin)
    if grain.kind is not None:
        return {"version": 7, "grain": GRAIN, "grain_begin": begin, "grain_kind": grain.kind}
    if any(begin):
        return {"version": 6, "grain": GRAIN, "grain_begin": begin, "grain_linear": False}
    return {"version": 5, "grain": GRAIN}


def _kind(color: bool, n_channels: int, axes: int | None) -> str:
    channels = "colour" if color else f"{n_channels}-channel"
    return channels if axes is None else f"{channels}, {axes}-D"
