"""What callers may choose, as small frozen objects: made once from plain keywords, checked once, handed down whole.

`FitOptions` is what is fitted, `Hints` what is known of the classes of single pixels; `gmmseg.io.request.Reading` is
how an image is taken from its file or array, and `gmmseg.effort.Effort` how much of the machine that may take.
`segment`, `fit`, `apply`, the command line and batches all check their parameters by making these, and load no NumPy
for it: a batch checks them before its workers load that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.checks import is_flag, single, strength_of, whole_number
from gmmseg.errors import ParameterError
from gmmseg.features import Recipe
from gmmseg.image.grey import as_grey
from gmmseg.io.classes import default_names
from gmmseg.mixture.words import COVARIANCES, MOST_COMPONENTS, OUTLIERS, known_covariance
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gmmseg.image import Image
    from gmmseg.spatial.guidance import Guidance

    Array = NDArray[Any]

__all__ = ["MOST_CHOSEN", "MOST_CLASSES", "FitOptions", "Hints"]

MOST_CLASSES = 255
"""Labels are of 8 bits, and 0 is no data."""

MOST_CHOSEN = 12
"""Numbers of classes that are compared where none is given."""

_USUAL = 4  # classes, where nobody says how many
_SINGLE = ("k", "features", "covariance", "bias_field", "partial_volume", "outliers", "order", "weight")
_MOST_COMPONENTS = 64
_COUNT, _WHOLE, _WHOLE_TIMES_CLASSES = 100_000, 1 << 24, 1 << 26
# Components that strokes tell apart: of two classes 12 to 24 are equally good on photographs, as long as every one
# is seen by some pixels of the strokes of its class.
_TOLD_APART, _EACH, _TOLD_BY = 24, 4, 8


@dataclass(frozen=True, eq=False)
class Hints:
    """What a caller knows of the classes of single pixels of one image.

    Parameters
    ----------
    scribbles : path or array_like of integers, shape (*spatial), optional
        Strokes that decide: 1 to k where the class of a pixel is given, 0 where it is free; or a vector file.
    prior : path or array_like, shape (k, *spatial), optional
        Prior probability of each class at each pixel, as of an atlas; of paths see `gmmseg.io.prior_maps.prior_of`.
    prior_weight : float
        Power of `prior`: 0 ignores it, 1 takes it as it is.
    """

    scribbles: Any = None
    prior: Any = None
    prior_weight: float = 1.0

    @property
    def given(self) -> bool:
        """Whether anything is known."""
        return self.scribbles is not None or self.prior is not None

    def require_one(self, image: Image) -> None:
        """Refuse hints of a time-lapse: they are of one image."""
        if self.given and image.time:
            raise _of_one_image(image, "scribbles and prior are")

    def guidance(self, image: Image, k: int, names: Sequence[str] = ()) -> Guidance | None:
        """Return the hints as they guide k classes of an image; None where nothing is known. Files are read now.

        By the `names` of the classes, where there are some, training areas say what they are of.
        """
        if not self.given:
            return None
        self.require_one(image)
        from gmmseg.io.prior_maps import prior_of  # here, because most runs have no hints
        from gmmseg.io.strokes import named_strokes  # here, for the same reason
        from gmmseg.spatial.guidance import Guidance  # here, for the same reason

        scribbles, prior = self.scribbles, self.prior
        if scribbles is not None:
            scribbles, names = named_strokes(scribbles, image, k, names)
        if isinstance(prior, str | os.PathLike):
            prior = prior_of(prior, image)
        found = Guidance.of(image, k, scribbles, prior, self.prior_weight)
        return None if found is None else replace(found, names=tuple(names))


@dataclass(frozen=True, eq=False)
class FitOptions:
    """What is fitted to images: the parameters of `gmmseg.segment` that say so, under the same names.

    Parameters
    ----------
    k : int, 1 to 255, or "auto", optional
        By default 4; where there are strokes and no prior as many as names, or None until `told` has counted them.
    features : str, optional
        A recipe such as "lab,xy:0.5"; by default what suits the image.
    covariance : {"auto", "full", "tied", "diag", "spherical"}
        "auto" is full, but tied for "pca".
    smooth : bool or float, 0 to 1
    bias_field : bool or "auto"
        "auto" is of scans, where nothing else is asked for that a field does not go with.
    partial_volume : bool
    sample : int or "auto", optional
        Pixels that the fit sees, of all images together; None for every pixel. "auto" is every voxel of volumes of up
        to 16 million, and 100 000 pixels of all else.
    seed : int
    outliers : {"uniform", "student"}, optional
    class_names : sequence of str, optional
        One a class, in the order of the labels.
    components : int, 1 to 64, optional
        Gaussians of which each class is made; by default 1, and as many as scribbles can tell apart where every
        class has some.
    order : {"dark", "bright"}
        Which class that nothing else numbers is the first: the one of the least first feature, or of the greatest.
    weight : {"equal", "area"}
        What say each of many images has: the same, or by the area of its valid pixels.
    hints : Hints

    Raises
    ------
    ParameterError
        A value is not usable, or two contradict each other.
    """

    k: int | Literal["auto"] | None = None
    features: str | None = None
    covariance: str = "auto"
    smooth: bool | float = True
    bias_field: bool | Literal["auto"] = False
    partial_volume: bool = False
    sample: int | Literal["auto"] | None = "auto"
    seed: int = 0
    outliers: str | None = None
    class_names: Sequence[str] | None = None
    components: int | None = None
    order: str = "dark"
    weight: str = "equal"
    hints: Hints = Hints()

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> FitOptions:
        """Take from parameters of `gmmseg.segment` those that say what is fitted.

        Examples
        --------
        >>> FitOptions.of({"k": 6, "prior_weight": 0.5, "threads": 2}).hints.prior_weight
        0.5
        """
        from dataclasses import fields  # here, because a run that is not a batch gives them one by one

        own, hints = (
            {each.name: parameters[each.name] for each in fields(kind) if each.name in parameters}
            for kind in (cls, Hints)
        )
        return cls(**own, hints=Hints(**hints))

    def __post_init__(self) -> None:
        """Refuse what could not be fitted, before anything is read."""
        for name in _SINGLE:
            single(name, getattr(self, name))
        if self.k is None:
            drawn = self.hints.scribbles is not None and self.hints.prior is None
            names: Any = self.class_names
            named = len(names) if hasattr(names, "__len__") else None
            object.__setattr__(self, "k", named if drawn else _USUAL)
        if not self.automatic and self.k is not None:
            _check_k(self.k)
        self._take_numbers()
        known_covariance(self.covariance, choices=("auto", *COVARIANCES))
        _ = self.recipe, self.strength
        if not is_flag(self.bias_field) and self.bias_field != "auto":
            raise ParameterError(f'bias_field={self.bias_field!r} is not usable; use True, False or "auto"')
        if self.has_field and self.textured:
            raise ParameterError(f"bias_field=True does not go with features={self.features!r}; leave texture out")
        self._check_partial()
        self._check_words()
        if self.components is not None and self.k is not None:
            self._check_components(self.components)
        if self.automatic and self.hints.given:
            raise ParameterError(
                'k="auto" does not go with scribbles or prior, which number the classes; give k, or, with scribbles, '
                "leave it out"
            )
        if not self.automatic and (self.k is not None or self.class_names is not None):
            _ = self.names(self.most_classes)

    def _take_numbers(self) -> None:
        """Make numbers ints, as which they are computed with: 2 of uint8 times 200 classes would be 144 components."""
        for name, low, high in (("sample", 1, None), ("seed", 0, None), ("components", 1, _MOST_COMPONENTS)):
            given = getattr(self, name)
            unset = name != "seed" and given is None
            if not unset and not (name == "sample" and self._sampled_by_kind):
                also = ', "auto", or None for every pixel' if name == "sample" else ""
                object.__setattr__(self, name, whole_number(name, given, low, high, also))

    def _check_partial(self) -> None:
        """Refuse mixtures of classes where something else says what a pixel is."""
        if not is_flag(self.partial_volume):
            raise ParameterError(f"partial_volume={self.partial_volume!r} is not usable; use True or False")
        asked = {
            "scribbles": self.hints.scribbles is not None,
            "components": (self.components or 1) > 1,
            "outliers='student'": self.outliers == "student",  # whose tails would take what is mixed
        }
        others = [name for name, given in asked.items() if given]
        if self.partial_volume and others:
            raise ParameterError(f"partial_volume=True does not go with {others[0]}; leave one of them out")

    def _check_words(self) -> None:
        """Refuse words that mean nothing."""
        if self.outliers not in (None, *OUTLIERS):
            raise ParameterError(f"outliers={self.outliers!r} is not known; use {' or '.join(OUTLIERS)}, or None")
        if self.order not in ("dark", "bright"):
            raise ParameterError(f'order={self.order!r} is not known; use "dark" or "bright"')
        if self.order == "bright" and self.hints.prior is not None:
            raise ParameterError("order='bright' does not go with prior, whose maps number the classes; leave it out")
        if self.weight not in ("equal", "area"):
            raise ParameterError(f'weight={self.weight!r} is not known; use "equal" or "area"')

    def _check_components(self, components: int) -> None:
        """Refuse classes of several Gaussians where something else takes a class for one."""
        asked = {'k="auto"': self.automatic, "bias_field=True": self.has_field, "prior": self.hints.prior is not None}
        others = [name for name, given in asked.items() if given]
        if components > 1 and others:
            raise ParameterError(f"components={components} does not go with {others[0]}; leave one of them out")
        together, most = self.most_classes * components, MOST_COMPONENTS // 2  # strokes average fits of twice as many
        if components > 1 and together > most:
            raise ParameterError(
                f"components={components} of k={self.k} classes are {together} Gaussians, at most {most} are fitted; "
                "use fewer"
            )

    @property
    def _sampled_by_kind(self) -> bool:
        return isinstance(self.sample, str) and self.sample == "auto"

    @property
    def count(self) -> int | None:
        """Pixels that the fit sees of what it does not see whole, of all images together; None for every pixel."""
        return _COUNT if isinstance(self.sample, str) else self.sample

    @property
    def whole(self) -> int:
        """Voxels of volumes that are seen whole, of all together: a start is looked for once, and k may be many."""
        once = self._sampled_by_kind and not self.automatic
        return min(_WHOLE, _WHOLE_TIMES_CLASSES // self.most_classes) if once else 0

    @property
    def automatic(self) -> bool:
        """Whether the number of classes is chosen by the images."""
        return isinstance(self.k, str) and self.k == "auto"

    @property
    def asked(self) -> int | str:
        """The number of classes, or "auto"."""
        return "auto" if self.automatic else self.most_classes

    @property
    def most_classes(self) -> int:
        """The number of classes, or where it is chosen the largest."""
        return MOST_CHOSEN if self.automatic else int(self.k or _USUAL)

    @property
    def recipe(self) -> Recipe | None:
        """The features that are asked for; None for those that suit the image."""
        return None if self.features is None else Recipe.parse(self.features)

    def family_of(self, recipe: Recipe) -> str:
        """Return the name of the family of covariances, which unless it is given the features decide.

        Many channels are those of spectra, and many pixels mixtures of materials. Free covariances take the mixed ones,
        which lie between the materials, for a class of its own, and the pure ones for others, which are tiny.
        """
        if self.covariance != "auto":
            return self.covariance
        return "full" if recipe.pca is None else "tied"

    @property
    def strength(self) -> float | None:
        """How much neighbours agree, 0 to 1; None where it is estimated."""
        return strength_of(self.smooth)

    @property
    def textured(self) -> bool:
        """Whether features are asked for that have heard the neighbourhood already."""
        recipe = self.recipe
        return recipe is not None and recipe.has_texture

    @property
    def hears_neighbours(self) -> bool:
        """Whether classes are fitted on patches of pixels, together with their neighbours or with a bias field."""
        alone = (self.components or 1) > 1 or self.strength == 0 or self.most_classes == 1
        return self.has_field or not (alone or self.textured)

    @property
    def has_field(self) -> bool:
        """Whether a bias field is asked for."""
        return self.bias_field != "auto" and bool(self.bias_field)

    @property
    def has_rims(self) -> bool:
        """Whether pixels on blurred borders may be a component of their own; not where it is said what there is."""
        said = self.components is not None or self.outliers is not None or self.partial_volume or self.hints.given
        return self.most_classes > 1 and not (said or self.textured)

    @property
    def evens_scans(self) -> bool:
        """Whether a bias field is tried that nobody asked for; not where pixels are given, or classes are counted."""
        asked = self.automatic or self.hints.given or self.textured
        return self.bias_field == "auto" and self.strength != 0 and not asked

    @property
    def has_object(self) -> bool:
        """Whether strokes may be on an object and on what is around it, which place tells where values do not."""
        told = self.hints.scribbles is not None and self.hints.prior is None and self.k == 2
        plain = self.components != 1 and self.outliers is None and not (self.partial_volume or self.has_field)
        return told and plain and self.strength != 0

    def components_of(self, strokes: Array | None) -> int:
        """Return how many components k classes have together, given the classes of some samples, 0 where free."""
        k = self.most_classes
        if self.components is not None:
            return k * self.components
        if strokes is None or k == 1 or self.hints.prior is not None or self.has_field:
            return k
        fewest = min(int((strokes == label).sum()) for label in range(1, k + 1))
        return max(k, min(max(_TOLD_APART, _EACH * k), fewest // _TOLD_BY, MOST_CLASSES))

    def numbered(self, first: Array) -> Array:
        """Return indices of classes in the order of their labels, given the mean of each (k,) in the first feature.

        Examples
        --------
        >>> import numpy as np
        >>> FitOptions(order="bright").numbered(np.array([2.0, 5.0, 3.0])).tolist()
        [1, 2, 0]
        """
        return (-first if self.order == "bright" else first).argsort(kind="stable")

    def view(self, image: Image) -> Image:
        """Return an image as it is fitted: grey values stored as colour are one channel, unless features need colour.

        Those of `lab`, say, are taken of red, green and blue that are equal.

        Raises
        ------
        ParameterError
            It is a time-lapse, and something is asked for that is of one image.
        """
        self.hints.require_one(image)
        if self.has_field and image.time:
            raise _of_one_image(image, "a bias field is")
        return as_grey(image) if self.recipe is None or not self.recipe.needs_color else image

    def told(self, image: Image) -> FitOptions:
        """Return the options with as many classes as there are strokes of, where nobody says how many.

        There are at least two: what the strokes are on, and the rest. Files of strokes are read now.
        """
        if self.k is not None:
            return self
        from gmmseg.io.strokes import named_strokes  # here, because most runs have no strokes

        strokes, names = named_strokes(self.hints.scribbles, image)
        most = int(strokes.max(initial=0)) if strokes.dtype.kind in "bui" else 0  # what are no labels is told later
        k = min(max(2, most), MOST_CLASSES)
        named = default_names(k, names) if names else None
        return replace(self, k=k, class_names=named, hints=replace(self.hints, scribbles=strokes))

    def names(self, k: int, guidance: Guidance | None = None) -> tuple[str, ...]:
        """Return names of k classes: those given, checked, or those that training areas have, or numbers."""
        names = self.class_names
        if names is None:
            return default_names(k, () if guidance is None else guidance.names)
        listed = hasattr(names, "__len__") and hasattr(names, "__iter__") and not isinstance(names, str)
        listed = listed and getattr(names, "ndim", 1) == 1
        if not listed or [isinstance(name, str) and bool(name.strip()) for name in names] != [True] * k:
            other = f", or k={len(names)}" if listed and len(names) != k else ""
            raise ParameterError(
                f"class_names={names!r} are not {k} names; give one a class, in the order of the labels{other}"
            )
        return tuple(name.strip() for name in names)


def _of_one_image(image: Image, what: str) -> ParameterError:
    number = "1 frame" if image.shape[0] == 1 else f"{image.shape[0]} frames"
    return ParameterError(f"{image.name} has {number}, but {what} of one image; leave it out, or give one frame alone")


def _check_k(k: Any) -> None:
    try:
        whole_number("k", k, 1, MOST_CLASSES)
    except ParameterError as error:
        raise ParameterError(f'{error}, or "auto"') from None
