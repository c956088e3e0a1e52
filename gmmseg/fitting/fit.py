"""Fitting a model: a sample of images, its scaling, how many classes it supports, EM, and the order of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError, warn
from gmmseg.features import Recipe
from gmmseg.fitting.hmrf import fit_neighbourhood, strength_among
from gmmseg.fitting.mixed_pixels import beside_borders, taken_borders
from gmmseg.fitting.one_call import fit_at_once
from gmmseg.fitting.options import FitOptions
from gmmseg.fitting.scene import Scene
from gmmseg.fitting.stand_in import StandIn
from gmmseg.fitting.starting import ALIKE, JUDGED, JUDGES, MOST_DIVIDED, begin, begin_from_classes, start_samples
from gmmseg.fitting.survey import Survey, SurveyRequest, survey
from gmmseg.image import Image
from gmmseg.kernels.chance import default_rng
from gmmseg.mixture.covariance import family
from gmmseg.mixture.em import Course, Fit, Iteration, expectation_maximization
from gmmseg.mixture.memberships import moments
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding
from gmmseg.mixture.statistics import measure
from gmmseg.model import Model
from gmmseg.records import replace
from gmmseg.spatial.smoothing import TYPICAL

if TYPE_CHECKING:
    from numpy.random import Generator

    from gmmseg.fitting.bias_estimation import Shaded
    from gmmseg.fitting.choosing_k import Chosen
    from gmmseg.fitting.shading import Shading
    from gmmseg.spatial.bias import BiasField

__all__ = ["Fitted", "fit_images"]

_TOLERANCE, _MAX_ITERATIONS = 1e-5, 300
_BALANCING = 1 << 18  # pixels that tell the shares of mixed classes among neighbours
# Neighbours decide where values leave it open. Then the likelihood of the values alone hardly falls: on brains with
# noise of a sixth to two thirds of the difference of tissues by 0.001 nats a pixel. Where it falls by more, as on
# photographs, what they found are not the classes but their shading.
_LARGEST_FALL = 0.005


class Fitted(NamedTuple):
    """What came of fitting classes to images.

    Parameters
    ----------
    model : Model
    found : Survey
        What was known of the images before.
    bias : BiasField, optional
        Of the only image, where one was asked for and found.
    course : Course, optional
        How the classes were found.
    partial : Model, optional
        Of pure classes and mixtures of two, where fractions were asked for.
    blocks : Image, optional
        What the only image was put together to, where it was enlarged.
    """

    model: Model
    found: Survey
    bias: BiasField | None = None
    course: Course | None = None
    partial: Model | None = None
    blocks: Image | None = None


def fit_images(
    images: Iterable[Image],
    n_images: int,
    options: FitOptions,
    threads: int = 1,
    *,
    seen: Callable[[Image, Recipe], None] | None = None,
) -> Fitted:
    """Fit classes to images of one kind, of which each has a say as the options' weight has it.

    Parameters
    ----------
    images : iterable of Image
        Taken one after the other; twice where components of several are asked for.
    n_images : int
        How many will come.
    options : FitOptions
    threads : int
        They do not change the result.
    seen : callable, optional
        Called with each image and the recipe.
    """
    if n_images != 1 and options.hints.given:
        raise ParameterError(f"scribbles and prior are of one image, but there are {n_images}; fit one at a time")
    stand_in = None
    if n_images == 1:
        image = next(iter(images))
        options = options.told(image)
        stand_in = StandIn.of(image, options)
        images, seen = [stand_in.image], stand_in.told(seen)
        del image  # which a stand-in may do without
    rng, number = default_rng(options.seed), options.most_classes
    request = SurveyRequest(
        options.recipe,
        None if options.count is None else -(-options.count // max(1, n_images)),
        k=number,
        n_images=n_images,
        by_value=not options.automatic,
        patches=options.hears_neighbours,
        squares=options.has_rims,
        alike=0 if options.hints.given or not (options.automatic or number <= MOST_DIVIDED) else ALIKE,
        judges=JUDGES if number in JUDGED and not options.automatic else 0,
        threads=threads,
        calm=ALIKE if options.has_rims and options.count is not None else 0,
        by_area=options.weight == "area",
        whole=options.whole,
        fenced=options.outliers is not None,
        unrounded=1 if options.automatic else number,
        placed=options.has_object,
    )
    found = survey(
        images,
        request,
        rng,
        guide=lambda image: options.hints.guidance(image, number, options.class_names or ()),
        seen=seen,
    )
    if found.sample.classes is None:
        number = found.supported(number, quiet=options.automatic)
    chosen: Chosen | None = None
    if options.automatic and found.sample.planes.shape[1]:
        from gmmseg.fitting.choosing_k import Candidates, choose_classes  # here, because most runs never choose

        candidates = Candidates(number, (options.family_of(found.recipe),), merged=options.components is None)
        chosen = choose_classes(found, candidates, rng, threads)
        number = chosen.choice.best.k
    fitted = _fit_model(found, number, options, rng, threads, chosen)
    fit = None if fitted.course is None else fitted.course.fit
    fitted = fitted._replace(course=Course(options.asked, options.seed, fit, chosen and chosen.choice))
    if stand_in is None:
        return fitted
    fitted = _beside_frame(fitted, options, threads)
    partial = None if fitted.partial is None else stand_in.returned(fitted.partial)
    return fitted._replace(
        model=stand_in.returned(fitted.model),
        partial=partial,
        found=fitted.found._replace(image=stand_in.whole),
        blocks=stand_in.blocks,
    )


def _beside_frame(fitted: Fitted, options: FitOptions, threads: int) -> Fitted:
    """Return classes that were fitted beside the frame of one value around a picture; as they are where none is."""
    image, model = fitted.found.image, fitted.model
    plain = options.has_rims and not (options.has_field or options.automatic) and len(model.groups) == 1
    if not plain or model.k < options.most_classes:
        return fitted
    from gmmseg.fitting.empty_frame import Frame  # here, because most pictures are of several features

    frame = Frame.of(image)
    place = None if frame is None else frame.place_in(image, model)
    if frame is None or place is None:
        return fitted
    fewer = replace(options, k=model.k - place.alone, class_names=None)
    again = fit_images([replace(image, valid=frame.inside)], 1, fewer, threads)
    if again.model.k < fewer.most_classes or again.blocks is not None:
        return fitted
    joined = replace(frame.added_to(again.model, image, place), class_names=model.class_names)
    return fitted._replace(model=joined)


def _fit_model(
    found: Survey,
    k: int,
    options: FitOptions,
    rng: Generator,
    threads: int = 1,
    chosen: Chosen | None = None,
) -> Fitted:
    """Fit a model of k classes to a survey, and on request the bias field of its one image.

    Where classes that were `chosen` are of several components, k is how many these are.
    """
    ordered, strength = options.hints.prior is not None, options.strength  # maps number the classes already
    n_components = options.components_of(found.sample.classes)
    if n_components > k == options.most_classes and found.sample.planes.shape[1]:
        return _of_several(found, k, n_components, options, rng, threads)
    merged = chosen if chosen is not None and chosen.merges else None
    every, (found, fit) = found, _fit_beside_borders(found, k, options, rng, threads, merged)
    fit = fit.warned()
    if not found.sample.planes.shape[1]:
        warn(f"{found.image.name}: no pixel is valid; every label is 0")
        mixture, shading = fit.mixture, None
    elif options.has_field:
        seen = found.unrounded()
        shaded = _shaded(seen, fit.mixture, options, rng, threads)
        found = found if shaded.shading is None else seen
        if shaded.shading is None:
            message = f"{found.image.name}: no bias field was taken out: {shaded.reason}"
            warn(message)
        shading = shaded.shading
        mixture, strength = _among_neighbours(found, shaded.mixture, strength, shading, threads)
    else:
        mixture, own = _among_neighbours(found, fit.mixture, strength, None, threads)
        evened = _evened(found, fit.mixture, mixture, options, rng, threads)
        mixture, strength, shading = evened or (mixture, own, None)
    field = None if shading is None else shading.field
    order = np.arange(mixture.n_components) if ordered else _order(mixture, found.sample.classes, options)
    strength = TYPICAL if strength is None else strength
    mixture = mixture.select(order)
    parts = None if merged is None else merged.memberships(mixture, found.sample)
    plain = mixture.n_components > 1 and mixture.dof is None and not mixture.family.shared
    if plain and parts is None and found.squares:
        mixture, parts, strength = _with_rims(found, mixture, field, strength, options, rng, threads)
    elif plain and parts is None and field is None and (pair := taken_borders(mixture, every)) is not None:
        from gmmseg.fitting.rims_of_bands import with_rim_of_bands  # here, because most pictures have none

        mixture, parts = with_rim_of_bands(mixture, every, pair, threads)
    if parts is not None:
        parts = parts[options.numbered(moments(mixture, parts).means[:, 0])]
        k = len(parts)
    names = options.names(k if options.automatic else options.most_classes, found.guidance)
    model = _model(found, mixture, names[: mixture.n_components], strength)
    fractions = _partial(found, model, field, threads) if options.partial_volume else None
    if parts is not None:
        model = replace(model, memberships=parts)
        if fractions is not None:
            fractions = replace(fractions, memberships=parts @ np.asarray(fractions.memberships))
    return Fitted(model, found, field, Course(options.asked, options.seed, fit), fractions)


def _with_rims(
    found: Survey,
    mixture: Mixture,
    field: BiasField | None,
    strength: float,
    options: FitOptions,
    rng: Generator,
    threads: int,
) -> tuple[Mixture, Array | None, float]:
    """Return classes of one feature with the rims of objects apart, their memberships, and the strength among them."""
    from gmmseg.fitting.cut_ground import may_be_cut, with_ground_joined  # here, because most are of several features
    from gmmseg.fitting.rims import Seen, with_rim  # here, likewise

    seen, two = Seen.of(found.squares, field), mixture.n_components == 2 and field is None
    if two and may_be_cut(mixture, seen) and found.supported(3, quiet=True) == 3:
        fit = _fit_mixture(found, 3, options, rng, threads)
        finer, own = _among_neighbours(found, fit.mixture, options.strength, None, threads)
        finer = finer.select(_order(finer, None, options))
        joined = with_ground_joined(mixture, finer, seen, noise=found.noise)
        if joined is not None:
            return (*joined, TYPICAL if own is None else own)
    return (*with_rim(mixture, seen, noise=found.noise), strength)


def _of_several(found: Survey, k: int, n_components: int, options: FitOptions, rng: Generator, threads: int) -> Fitted:
    """Return a model whose classes are several components each."""
    if found.every is not None:
        raise ParameterError(
            f"{found.image.name} is not held in memory, and classes of several components are fitted to a sample; "
            "give a number of pixels as sample"
        )
    from gmmseg.fitting.components import fit_components  # here, because most classes are one Gaussian each
    from gmmseg.model.sides import has_sides, relearned  # here, likewise

    mixture, memberships = fit_components(found, k, n_components, options, rng, threads)
    strength = TYPICAL if options.strength is None else options.strength
    model = _model(found, mixture, options.names(k, found.guidance), strength, memberships)
    if found.guidance is not None and has_sides(found.image, model, found.guidance):
        model = relearned(found.image, model, found.guidance)
    return Fitted(model, found)


def _shaded(
    found: Survey, mixture: Mixture, options: FitOptions, rng: Generator, threads: int, least: float = 0
) -> Shaded:
    """Return the bias field of the one image with its classes, which are begun with those that were found without.

    Of fields that are smaller than `least`, the logarithm of a ratio of gains, the first may do.
    """
    from gmmseg.fitting.bias_estimation import fit_shading  # here, because most runs have none

    scene = found.scenes[0]
    numbered = options.hints.prior is not None or found.sample.classes is not None
    shaded = fit_shading(scene, mixture, rng, noise=found.noise_within, numbered=numbered, threads=threads)
    small = shaded.shading is None or shaded.shading.size < least
    if small or options.strength == 0 or scene.patches.told is None:
        return shaded
    from gmmseg.fitting.likeliest_field import likeliest  # here, likewise

    return likeliest(scene, mixture, shaded, options.strength, noise=found.noise_within, threads=threads)


def _among_neighbours(
    found: Survey, mixture: Mixture, strength: float | None, shading: Shading | None, threads: int
) -> tuple[Mixture, float | None]:
    """Return classes as they are with their neighbours in mind, and the strength of the smoothing."""
    if not found.scenes or strength == 0 or mixture.n_components == 1:
        return mixture, strength
    begun = None if shading is None else shading.field
    # Voxels have so many neighbours that in noise these know a gain better than values do.
    free = shading is not None and found.image.ndim > 2
    judges = at_once = None
    if shading is None:
        how, judges = Iteration(noise=found.noise, threads=threads), start_samples(found.sample)
        at_once = fit_at_once(found.scenes, mixture, strength, how, judges=judges, fall=_LARGEST_FALL)
    heard, estimated = at_once or fit_neighbourhood(
        found.scenes,
        mixture,
        strength,
        regularization=found.noise if shading is None else found.noise_within(shading.planes),
        shading=shading,
        accepted=None if free else _hardly_less_likely(found, mixture, shading, judges, threads),
        threads=threads,
    )
    if heard is not None:
        return heard, estimated
    if shading is not None and begun is not None:
        shading.field = begun
    if strength is not None:
        return mixture, strength
    scene = found.scenes[0]
    if len(found.scenes) == 1 and mixture.n_features == 1 and found.image.ndim == 2 and scene.patches.log_prior is None:
        from gmmseg.fitting.independence import without_noise  # here, because most fits are of several features

        classes = without_noise(scene, mixture, begun)
        if classes is not None:
            own = classes is mixture
            return mixture, estimated if own else strength_among(scene, classes, shading, threads)
    return mixture, min(estimated, TYPICAL)


def _evened(
    found: Survey, begun: Mixture, without: Mixture, options: FitOptions, rng: Generator, threads: int
) -> tuple[Mixture, float | None, Shading] | None:
    """Return classes of a scan without a bias field that nobody asked for; None where it is none, or not worth it.

    Parameters
    ----------
    begun, without : Mixture
        As they were fitted to the values alone, and with their neighbours.
    """
    if not options.evens_scans or len(found.scenes) != 1 or begun.n_components == 1:
        return None
    patches = found.scenes[0].patches
    if patches.told is None:
        return None
    # Here, because most images are pictures.
    from gmmseg.fitting.uneven_scans import LEAST, is_clearer, is_confirmed, may_be_uneven

    if not may_be_uneven(found.image, patches.values[patches.weights > 0]):
        return None
    shaded = _shaded(found, begun, options, rng, threads, LEAST)
    shading = shaded.shading
    if shading is None or shading.size < LEAST:
        return None
    mixture, strength = _among_neighbours(found, shaded.mixture, options.strength, shading, threads)
    if not is_clearer(without, mixture):
        return None
    more = _fit_mixture(found, begun.n_components + 1, options, rng, threads)
    # What neighbours make of that changes the answer for 3 of 72 brains of 2 mm, of which one for the better.
    confirmed = is_confirmed(shading, _shaded(found, more.mixture, options, rng, threads, np.inf).shading)
    uneven = f"makes some parts brighter than others by about {100 * np.expm1(shading.size):.0f} %"
    said = (
        f"a bias field was taken out, which {uneven}; bias_field=False leaves it in"
        if confirmed
        else f"it may have a bias field, which {uneven}, or more classes; bias_field=True takes it out"
    )
    warn(f"{found.image.name}: {said}")
    return (mixture, strength, shading) if confirmed else None


def _partial(found: Survey, model: Model, field: BiasField | None, threads: int) -> Model | None:
    """Return the model with mixtures of two classes beside the pure ones; None where there is nothing to mix."""
    from gmmseg.mixture.partial_volume import fit_mixed  # here, because most runs take pixels for pure

    planes, weights = found.sample.planes, found.sample.relative_weights
    if field is not None:
        scene = found.scenes[0]
        counted = scene.patches.weights > 0
        planes = scene.planes(field.within(scene.patches.axes))[:, counted]
        weights = scene.patches.weights[counted]
    elif len(planes) > 1:
        planes, weights = start_samples(found.sample)
    if model.k < 2 or not planes.shape[1]:
        return None
    mixture, fractions = fit_mixed(model.mixture, planes, weights, noise=found.noise, threads=threads)
    mixed = replace(model, mixture=mixture, memberships=fractions)
    return _heard(mixed, found.scenes[0].in_patches(_BALANCING), field) if found.scenes and model.strength else mixed


def _heard(mixed: Model, scene: Scene, field: BiasField | None) -> Model:
    """Return a model of mixtures whose shares are right where neighbours are heard."""
    from gmmseg.model.fractions import balanced  # here, because most runs take pixels for pure

    patches, planes = scene.patches, scene.features
    if field is not None:
        gained = scene.planes(field.within(patches.axes))
        planes = (gained * mixed.scale[:, None] + mixed.center[:, None]).astype(np.float32)
    neighbours = scene.smoothing(mixed.strength).neighbours
    return balanced(mixed, planes, patches.valid.reshape(patches.shape), patches.weights, neighbours, patches.log_prior)


def _model(
    found: Survey, mixture: Mixture, names: tuple[str, ...], strength: float, memberships: Array | None = None
) -> Model:
    image, recipe = found.image, found.recipe
    return Model(
        recipe,
        recipe.names(image),
        found.groups,
        found.center,
        found.scale,
        mixture,
        names,
        strength,
        image.n_channels,
        image.color,
        memberships=memberships,
        channel_names=image.band_names,
        contrast=found.contrast,
    )


def _fit_beside_borders(
    found: Survey, k: int, options: FitOptions, rng: Generator, threads: int, chosen: Chosen | None
) -> tuple[Survey, Fit]:
    """Fit a mixture as `_fit_mixture` does, to calm pixels where it would be one of borders, and return the survey."""
    fit = _fit_mixture(found, k, options, rng, threads, chosen)
    # Classes of several components are those of the pixels that they were chosen for.
    beside = None if chosen is not None else beside_borders(found, fit.mixture, threads)
    return (found, fit) if beside is None else (beside, _fit_mixture(beside, k, options, rng, threads))


def _fit_mixture(
    survey: Survey, k: int, options: FitOptions, rng: Generator, threads: int, chosen: Chosen | None = None
) -> Fit:
    """Fit a mixture of k components; from those that were chosen, where classes are groups of them."""
    found, noise, outliers = survey.sample, survey.noise, options.outliers
    covariance = options.family_of(survey.recipe)
    planes = found.planes
    d, n = planes.shape
    if n == 0:
        rules = family(covariance)
        second = np.ones((k, d)) if rules.diagonal else np.tile(np.eye(d), (k, 1, 1))
        estimate = rules.estimate(np.ones(k), second, np.zeros(d))
        return Fit(Mixture(np.full(k, 1 / k), np.zeros((k, d)), estimate, covariance), (), converged=True)
    weights = found.relative_weights
    # Pixels are many, even where their values are few, so one round of seeding is enough.
    seeding = Seeding(covariance, noise=noise, outliers=outliers, rounds=1, threads=threads)
    if chosen is None:
        start = begin(survey, k, rng, seeding, prior=options.hints.prior is not None)
    else:
        start = begin_from_classes(planes, chosen.components + 1, k, rng, seeding)
    iteration = Iteration(_TOLERANCE, _MAX_ITERATIONS, noise=noise, threads=threads)
    fit = expectation_maximization(planes, start, iteration, weights=weights, log_prior=found.log_prior)
    if survey.every is not None:
        fit = expectation_maximization(survey.every, fit.mixture, iteration)
    return fit


def _hardly_less_likely(
    found: Survey,
    mixture: Mixture,
    shading: Shading | None,
    judges: tuple[Array, Array | None] | None,
    threads: int,
) -> Callable[[Mixture], bool]:
    """Tell of other mixtures whether values are hardly less likely under them, in nats a pixel, than under this one.

    Values of samples that judge, with their weights; or of the patches, less the bias field that there is by then.
    """
    noise = found.noise if shading is None else found.noise_within(shading.planes)

    def likelihood(each: Mixture) -> float:
        if shading is None:
            assert judges is not None
            own, counted = judges
        else:
            patches = found.scenes[0].patches
            own, counted = found.scenes[0].planes(shading.field.within(patches.axes)), patches.weights
        total = measure(own, each, counted, noise=noise if each.dof is None else None, threads=threads)
        return total.log_likelihood / max(total.weight, 1.0)

    least = likelihood(mixture) - _LARGEST_FALL
    return lambda other: likelihood(other) > least


def _order(mixture: Mixture, classes: Array | None, options: FitOptions) -> Array:
    """Components in the order of their labels: those that were given stay, the rest go by the first feature."""
    order = np.arange(mixture.n_components)
    free = order if classes is None else np.setdiff1d(order, classes.astype(np.intp) - 1)
    order[free] = free[options.numbered(mixture.means[free, 0])]
    return order
