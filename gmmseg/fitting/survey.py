"""Survey: what is known of images before classes are fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import InputError, ParameterError, warn
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast
from gmmseg.features.scaling import location_and_scale
from gmmseg.fitting.above_noise import learned
from gmmseg.fitting.large_squares import LargeSquares, Place
from gmmseg.fitting.sampling import Sample, SampleRequest, area_of, join_samples, planes_at, take_sample
from gmmseg.fitting.scene import Scene
from gmmseg.fitting.undeclared_nodata import require_squares
from gmmseg.image import Image
from gmmseg.image.lattice import taken_in
from gmmseg.image.pixels import Taken
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from numpy.random import Generator

    from gmmseg.fitting.every_pixel import EveryPixel
    from gmmseg.spatial.guidance import Guidance

__all__ = ["Survey", "SurveyRequest", "survey"]

# Numbers that leave room in float32 for sums and differences, or for squares, as their inverses do.
_RANGE, _RANGE_OF_TEXTURE = 1e30, 1e15
_MOST = float(np.finfo(np.float32).max)
_TO_BEGIN = 100_000  # pixels of an image that a fit will see whole, but not at once
_LEAST_NOISE = 1e-4  # variance, in scaled units: about what rounding to 8 bits leaves
# One feature is known better where its values are finer, or were not rounded: air and bone make the scale of a CT so
# large that the least noise hides what tells soft tissues apart. So many times the variance of rounding is more than
# the above of 8 bits. The other figure is the least where float32 still has digits for it. Several features are not:
# of made scenes of 16 bits some gain, but of blurred borders more become classes.
_ROUNDED, _FINEST = 20, 1e-6


@dataclass(frozen=True, eq=False)
class SurveyRequest:
    """What is asked of images before classes are fitted to them.

    Parameters
    ----------
    recipe : Recipe or None
        By default what suits the first image.
    count : int or None
        Pixels that are sampled of each image; None for all.
    k : int
        Number of classes that they are for.
    n_images : int
    by_value : bool
        As of `SampleRequest`.
    patches : bool
        Whether patches of neighbouring pixels are taken too.
    squares : bool
        Whether large squares are taken, too.
    alike, calm : int
        As of `SampleRequest`; of all images together.
    judges : int
        As of `SampleRequest`, of a single image.
    threads : int
    by_area : bool
        Whether each image has a say by the area of its valid pixels; otherwise all have the same.
    whole : int
        As of `SampleRequest`; of all images together.
    fenced, unrounded
        As of `SampleRequest`.
    placed : bool
        Whether place may be a feature by default where strokes need it.
    """

    recipe: Recipe | None
    count: int | None
    k: int = 1
    n_images: int = 1
    by_value: bool = True
    patches: bool = False
    squares: bool = False
    alike: int = 0
    judges: int = 0
    calm: int = 0
    threads: int = 1
    by_area: bool = False
    whole: int = 0
    fenced: bool = False
    unrounded: int = 1
    placed: bool = False


class Survey(NamedTuple):
    """What is known of images before classes are fitted: their kind, and a scaled sample of them.

    Parameters
    ----------
    image : Image
        The first one that has a valid pixel; the others are of its kind.
    n_images : int
    recipe : Recipe
    sample : Sample
        Its planes are centred and scaled.
    center, scale : ndarray, shape (d,)
    noise : ndarray, shape (d,)
        Variance, in scaled units, by which the sample is uncertain: its own, and at least what rounding to 8 bits
        leaves.
    scenes : tuple of Scene
        Of each image, where patches were asked for.
    guidance : Guidance, optional
        What is known of the classes of the image's pixels.
    contrast : ndarray, shape (c,), optional
        The mean of the images' contrast; None where no pixel is valid.
    squares : tuple of Scene
        Large squares of each image, where these were asked for and they have one feature.
    every : EveryPixel, optional
        All pixels of the one image, where these are asked for and it is not in memory: the sample is where to begin.
    """

    image: Image
    n_images: int
    recipe: Recipe
    sample: Sample
    center: Array
    scale: Array
    noise: Array
    scenes: tuple[Scene, ...] = ()
    guidance: Guidance | None = None
    contrast: Array | None = None
    squares: tuple[Scene, ...] = ()
    every: EveryPixel | None = None

    @property
    def groups(self) -> tuple[int, ...]:
        """For each plane the number of the group that shares one scale with it; -1 for position."""
        return self.recipe.groups(self.image)

    def noise_within(self, planes: Array) -> Array:
        """Like `noise`, of planes (d, n) of which less is left because something was taken out, as a bias field is."""
        spread = location_and_scale(planes, self.groups)[1]
        spread[np.array(self.groups, np.intp) < 0] = 1
        return _at_least(self.sample.noise / self.scale**2, spread)

    def unrounded(self) -> Survey:
        """Return what is known of one image, its pixels where they may have been before they were rounded."""
        scene = self.scenes[0].unrounded()
        if scene is self.scenes[0]:
            return self
        noise = np.where(np.array(self.groups, np.intp) < 0, self.sample.noise, 0.0)
        return self._replace(scenes=(scene,), sample=replace(self.sample, noise=noise))

    def supported(self, k: int, *, quiet: bool = False) -> int:
        """k, or the number of distinct colours where that is less."""
        rows = [row for row, group in enumerate(self.groups) if group >= 0]
        planes = self.sample.planes
        if planes.shape[1] == 0:
            return 1
        for size in (64, 1024, planes.shape[1]):  # a few mostly tell
            part = planes[rows, :size]
            part[np.isnan(part)] = np.inf  # missing once is like missing again
            ordered = part[:, np.lexsort(part)]
            distinct = 1 + int((ordered[:, 1:] != ordered[:, :-1]).any(axis=0).sum())
            if distinct >= k:
                return k
        if quiet:
            return distinct
        found = "only 1 distinct colour" if distinct == 1 else f"only {distinct} distinct colours"
        warn(
            f"{self.image.name}: k={k} classes were asked for, but the sampled pixels have {found}; "
            f"k={distinct} was used"
        )
        return distinct


def _default_recipe(image: Image, guidance: Guidance | None) -> Recipe:
    """Return the features that suit an image, with place where strokes need it."""
    if guidance is not None:
        from gmmseg.fitting.placing import needs_place  # here, because most runs have no strokes

        if needs_place(image, guidance):
            return Recipe(("intensity", "xy"))
    return Recipe.default(image)


def survey(
    images: Iterable[Image],
    request: SurveyRequest,
    rng: Generator,
    *,
    guide: Callable[[Image], Guidance | None] | None = None,
    seen: Callable[[Image, Recipe], None] | None = None,
) -> Survey:
    """Sample images of one kind, one after the other; frames of a time-lapse share the pixels of one image.

    Images without a valid pixel are left out with a warning each, unless there are no others.

    Parameters
    ----------
    images : iterable of Image
        Gone through twice where components of several are asked for.
    request : SurveyRequest
    rng : numpy.random.Generator
    guide : callable, optional
        Takes an image, returns what is known of the classes of its pixels.
    seen : callable, optional
        Called with each image and the recipe, when it is sampled.

    Raises
    ------
    InputError
        Values lie so far from the others that they cannot be meant.
    ParameterError
        There is no image, or images are of different kinds.
    """
    first, recipe, scenes, empty, guidance, apart = None, request.recipe, [], [], None, False
    parts: list[Sample] = []
    large = LargeSquares(request.k, request.n_images if request.squares else 0)
    for whole, place in _frames(images, large.end):
        n_frames = place.n_frames
        n_images = request.n_images * n_frames
        whole = whole if first is None else whole.in_order_of(first.band_names, of=first.name)
        image = taken_in(whole)
        first = image if first is None else first
        guidance = None if guide is None else guide(image)
        recipe = _default_recipe(image, guidance if request.placed else None) if recipe is None else recipe
        ordered = (each.in_order_of(first.band_names, of=first.name) for each, _ in _frames(images))
        recipe = learned(recipe, [image] if n_images == 1 else ordered)
        recipe.check(image)
        if recipe.groups(image) != recipe.groups(first) or image.color != first.color:
            raise ParameterError(f"{image.name} and {first.name} are of different kinds; fit one model to each kind")
        apart = request.count is None and not image.in_memory
        if apart and (n_images > 1 or guidance is not None):
            what = "scribbles or prior" if n_images == 1 else "other images"
            raise ParameterError(
                f"{image.name} is not held in memory, and with {what} not every pixel of it is fitted; give a number "
                "of pixels as sample"
            )
        count = _TO_BEGIN if apart else request.count
        asked = SampleRequest(
            recipe,
            None if count is None else -(-count // n_frames),
            request.k,
            request.by_value and n_frames == 1,  # the values of each frame would be as many as those of an image
            patches=n_images * request.patches,
            squares=large.pixels(place),
            alike=-(-request.alike // n_images),
            judges=request.judges * (n_images == 1),
            calm=-(-request.calm // n_images),
            threads=request.threads,
            whole=request.whole // n_images if recipe.by_value else 0,
            fenced=request.fenced,
            unrounded=request.unrounded,
        )
        found = take_sample(image, asked, rng, guidance)
        if seen is not None:
            seen(image, recipe)
        if request.by_area:
            found = replace(found, area=area_of(image))
        if found.planes.shape[1] == 0:
            empty.append((image.name, found))
            continue
        first = first if parts else image
        around, variation, known = found.patches, found.variation, found.of_all(image)
        variation = contrast(image, recipe, fenced=request.fenced, known=known) if variation is None else variation
        kept = image if n_images == 1 else image.without_pixels()
        if around is not None:
            features = planes_at(image, recipe, found, Taken(around.flat, around.values, None), request.threads)
            scenes.append((kept, around, features, variation, found.area))
        large.add(kept if n_frames == 1 else whole, place, recipe, found, variation)
        parts.append(replace(found, variation=variation, squares=None))
    if first is None or recipe is None:
        raise ParameterError("images is empty; give at least one image")
    for name, _ in empty if parts else ():
        warn(f"{name}: no pixel is valid; it was left out of the fit")
    parts = parts or [empty[0][1]]
    sample = join_samples(parts)
    center, scale = _rescale(first, recipe, sample)
    largest = max((part.area for part in parts), default=1.0) or 1.0
    ready = tuple(
        Scene(image, recipe, around, features, center, scale, variation, area / largest)
        for image, around, features, variation, area in scenes
    )
    noise = _at_least(sample.noise / scale**2, np.ones_like(scale))
    measured = [part.variation for part in parts if part.variation is not None and part.planes.shape[1]]
    edges = np.mean(measured, axis=0) if measured else None
    counted = sample.weights is not None  # all of them, by their values
    squares = large.scaled(center, scale)
    every = _every(first, recipe, center, scale) if apart and not counted and sample.planes.shape[1] else None
    return Survey(first, len(parts), recipe, sample, center, scale, noise, ready, guidance, edges, squares, every)


def _every(image: Image, recipe: Recipe, center: Array, scale: Array) -> EveryPixel:
    from gmmseg.fitting.every_pixel import EveryPixel  # here, because most fits are of a sample

    return EveryPixel(image, recipe, center, scale)


def _at_least(noise: Array, spread: Array) -> Array:
    """Variance (d,) by which features of this spread are uncertain, which where more is not known is so much of it."""
    least = _LEAST_NOISE * spread**2
    if len(spread) == 1:
        least = np.minimum(least, np.maximum(_FINEST * spread**2, _ROUNDED * noise))
    return np.asarray(np.maximum(least, noise))


def _frames(images: Iterable[Image], ended: Callable[[], None] | None = None) -> Iterator[tuple[Image, Place]]:
    """Go through the images, and the frames of those that are time-lapses; call `ended` after each image."""
    for number, image in enumerate(images):
        frames = image.frames
        for frame in frames:
            yield frame, Place(number, len(frames))
        if ended is not None:
            ended()


def _rescale(image: Image, recipe: Recipe, sample: Sample) -> tuple[Array, Array]:
    """Center and scale a sample, in place, and return by what; refuse numbers that cannot be."""
    every = sample.planes, sample.alike, sample.judges, sample.calm
    each = [planes for planes in every if planes is not None]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # of what is refused in the next lines
        center, scale = location_and_scale(sample.planes, recipe.groups(image), sample.weights)
        for planes in each:
            planes[...] -= center.astype(np.float32)[:, None]
            planes[...] /= scale.astype(np.float32)[:, None]
    _require_range(image, recipe, center, scale)
    for planes in each:
        require_squares(image, planes)
    return center, scale


def _require_range(image: Image, recipe: Recipe, center: Array, scale: Array) -> None:
    """Refuse numbers so large, or so close to each other, that float32 does not hold what follows from them."""
    limit = _RANGE_OF_TEXTURE if recipe.has_texture else _RANGE
    for middle, spread in zip(center.tolist(), scale.tolist(), strict=True):
        large = np.float32(max(abs(middle), spread)) > np.float32(limit)
        if large or spread < 1 / limit:
            raise InputError(
                f"{image.name}: its numbers lie around {middle:.3g}, {min(spread, _MOST):.3g} from each other, which "
                f"is beyond what can be computed with ({1 / limit:g} to {limit:g}); "
                f"{'divide' if large else 'multiply'} all of them by a power of ten"
            )
