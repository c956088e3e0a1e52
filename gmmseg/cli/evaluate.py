"""`gmmseg evaluate`: how well labels agree with a truth, and what changed between two maps."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gmmseg.cli.messages import collected_warnings
from gmmseg.cli.records import print_json
from gmmseg.cli.types import FILE, SOURCE, Command, Names, Option, output

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.place import Place

__all__ = ["command"]

_scores = partial(click.option, cls=Option, section="Scores")


@click.command("evaluate", cls=Command)
@click.argument("labels", type=SOURCE)
@click.argument("truths", metavar="TRUTH...", nargs=-1, required=True, type=SOURCE)
@_scores("--as-numbered", is_flag=True, help="The numbers count: no class is matched with another number's.")
@_scores(
    "--background/--no-background",
    default=None,
    help="Whether 0 is a class.  [default: in masks, of 0 and one other number; otherwise 0 is no data]",
)
@_scores(
    "--partly-labelled/--fully-labelled",
    default=None,
    help="Whether nothing is known where TRUTH is 0, so that Dice and boundaries leave it out.  [default: where TRUTH "
    "lies on the ground and is no mask]",
)
@_scores("--instances", is_flag=True, help="Compare objects, of each frame: F1 and average precision at overlaps.")
@_scores("--surfaces", is_flag=True, help="Distances of the surfaces and volumes of each class, in the file's unit.")
@_scores("--class-names", type=Names(), help="Names of LABELS' classes that points go by.  [default: those in LABELS]")
@_scores(
    "--confidence",
    metavar="0..1",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of the intervals, where TRUTH is points.",
)
@output("--change-map", type=FILE, help="Write where TRUTH has another class than LABELS: .tif, .png, .npz, ...")
@output("--overwrite", is_flag=True, help="Replace a change map that exists.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
def command(labels: Path, truths: tuple[Path, ...], *, as_json: bool, **options: Any) -> int:
    """Compare a label map with a truth, or with several people's.

    Numbers need not agree: classes are matched with true classes so that the Dice coefficients are largest. By that
    there are a confusion matrix, overall, user's and producer's accuracies. Pixels that are 0 in either are left out,
    but for Dice and boundaries. All scores are 1 at best, the variation of information 0.

    A TRUTH of points (GeoPackage, Shapefile, GeoJSON, or CSV with columns x, y, class) gives the accuracies, and the
    area of each class, with their confidence intervals: there numbers and names are compared as they are. --change-map
    compares two dates: 1 is unchanged, and the matrix is in hectares, or the unit of the file.

    \b
    Examples:
      gmmseg evaluate photo_labels.png truth.png
      gmmseg evaluate scene_labels.tif plots.geojson
      gmmseg evaluate cells.tif cells_truth.tif --instances
      gmmseg evaluate tissue.nii.gz expert.nii.gz --surfaces --as-numbered
      gmmseg evaluate land_2015.tif land_2025.tif --change-map change.tif
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.io.label_maps import read_labels
    from gmmseg.io.points import SUFFIXES
    from gmmseg.io.vector_features import file_and_layer

    points = [truth for truth in truths if file_and_layer(truth)[0].suffix.lower() in SUFFIXES]
    _check_options(truths, points, options)

    with collected_warnings(lambda: None) as warned:
        mapped = read_labels(labels)
        if points:
            record, text = _by_points(labels, mapped, points[0], options)
        else:
            places = [_place(each) for each in (labels, *truths)]
            others = [_over(labels, mapped, truth) for truth in truths]
            if options["change_map"] is not None:
                record, text = _changes(labels, mapped, truths[0], others[0], options)
            else:
                options["time"] = options["instances"] and any(map(_is_lapse, (labels, truths[0])))
                record, text = _by_maps(mapped, others, places, options)
    if as_json:
        print_json(record | ({"warnings": warned} if warned else {}))
    else:
        click.echo(text)
    return 0


def _check_options(truths: tuple[Path, ...], points: list[Path], options: dict[str, Any]) -> None:
    """Refuse options that contradict each other or would do nothing."""
    of_maps = ("as_numbered", "instances", "surfaces", "change_map")
    given = [f"--{name.replace('_', '-')}" for name in of_maps if options[name]]
    _check_extent(points, options)
    if points and (given or options["background"] is not None):
        option = given[0] if given else "--background" if options["background"] else "--no-background"
        raise click.UsageError(f"{option} is for truths that are label maps, but {points[0]} is points; leave it out")
    if len(truths) > 1 and (points or (given and given != ["--as-numbered"])):
        what = f"points in {points[0]}" if points else next(each for each in given if each != "--as-numbered")
        raise click.UsageError(f"{what} is compared one at a time, but {len(truths)} truths are given; give one")
    if options["background"] is not None:
        given.append("--background" if options["background"] else "--no-background")
    if len(given) > 1:
        for alone in ("--change-map", "--instances"):
            other = next(each for each in given if each != alone)
            if alone in given:
                raise click.UsageError(f"{alone} and {other} do not go together; leave one of them out")
    confidence = click.get_current_context().get_parameter_source("confidence") is ParameterSource.COMMANDLINE
    if not points and (options["class_names"] or confidence):
        option = "--class-names" if options["class_names"] else "--confidence"
        raise click.UsageError(f"{option} is for truths that are points, but {truths[0]} is a label map; leave it out")


def _check_extent(points: list[Path], options: dict[str, Any]) -> None:
    """Refuse what is said of 0 in a truth where it contradicts another option, or does nothing."""
    partly = options["partly_labelled"]
    if partly is None:
        return
    option = "--partly-labelled" if partly else "--fully-labelled"
    if points:
        raise click.UsageError(f"{option} is for truths that are label maps, but {points[0]} is points; leave it out")
    others = ("instances", "change_map", *(("surfaces", "background") if partly else ()))
    other = next((name for name in others if options[name]), None)
    if other is not None:
        with_it = f"--{other.replace('_', '-')}"
        raise click.UsageError(f"{option} and {with_it} do not go together; leave one of them out")


def _by_maps(
    mapped: np.ndarray, truths: list[np.ndarray], places: list[tuple[Any, Place | None]], options: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    from gmmseg.cli.scores import agreement_text, detection_text, surfaces_text
    from gmmseg.evaluation import detection, evaluate

    if options["instances"]:
        found = detection(mapped, truths[0], time=options["time"])
        return asdict(found), detection_text(found)
    agreement = evaluate(
        mapped,
        truths,
        as_numbered=options["as_numbered"],
        background=options["background"],
        partly_labelled=_is_partly_labelled(mapped, truths[0], places, options),
    )
    record, text = asdict(agreement), agreement_text(agreement)
    if options["surfaces"]:
        distances, unit = _surfaces(mapped, truths[0], agreement.matching, places)
        record["surfaces"] = {number: asdict(each) for number, each in distances.items()}
        record["unit"] = unit
        text = f"{text}\n\n{surfaces_text(distances, unit, mapped.ndim)}"
    return record, text


def _is_partly_labelled(
    mapped: np.ndarray, truth: np.ndarray, places: list[tuple[Any, Place | None]], options: dict[str, Any]
) -> bool:
    """Return whether nothing is known where a truth is 0, and say what was taken for it where nobody has said it."""
    from gmmseg.errors import warn
    from gmmseg.evaluation.agreement import is_mask

    if options["partly_labelled"] is not None:
        return bool(options["partly_labelled"])
    if options["surfaces"] or options["background"] or (options["background"] is None and is_mask(truth)):
        return False
    zeros, labelled = truth == 0, mapped > 0
    only_labelled = int((zeros & labelled).sum())
    on_the_ground = any(place is not None and place.crs for _, place in places)
    # A map that has no label in most of what is 0 in truth takes 0 for the background as the truth does.
    if only_labelled == 0 or not (on_the_ground or 2 * only_labelled > zeros.sum()):
        return False
    said = f"the truth is 0 at {only_labelled / labelled.sum():.1%} of the pixels that have a label, which "
    if on_the_ground:
        warn(f"{said}are left out; with --fully-labelled they count as wrong in Dice and boundaries")
    else:
        warn(f"{said}count as wrong in Dice and boundaries; --partly-labelled leaves them out")
    return on_the_ground


def _surfaces(
    mapped: np.ndarray, truth: np.ndarray, matching: dict[int, int], places: list[tuple[Any, Place | None]]
) -> tuple[dict[int, Any], str]:
    """Return the distances of each true class from its match, and the unit of length."""
    from gmmseg.evaluation import surface_distance

    known = [(spacing, place) for spacing, place in places if spacing is not None and len(spacing) == mapped.ndim]
    spacing, place = known[-1] if known else (None, None)
    unit = "pixels" if spacing is None else (place.unit if place is not None else None) or "units of the file"
    found = {
        number: surface_distance(mapped == label if label else mapped < 0, truth == number, spacing=spacing)
        for number, label in matching.items()
        if number > 0
    }
    return found, unit


def _by_points(labels: Path, mapped: np.ndarray, path: Path, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from gmmseg.cli.scores import accuracy_text
    from gmmseg.errors import ParameterError, warn
    from gmmseg.evaluation import accuracy
    from gmmseg.export import names_in
    from gmmseg.image.windows import everything
    from gmmseg.io.ground import Ground
    from gmmseg.io.points import read_points

    if mapped.ndim != 2:
        raise ParameterError(f"{labels} has {mapped.ndim} axes, but points are of a picture or a map; give one plane")
    points = read_points(path)
    names = options["class_names"] or names_in(labels)
    spacing, place = _place(labels)
    ground = Ground.at(place, mapped.shape, spacing=spacing, name=str(labels))
    numbers = points.numbers(names)
    here = mapped[points.pixels(place, mapped.shape)]
    if not (here > 0).any():
        raise ParameterError(f"{path}: no point lies where {labels} has a class; give other points")
    if not (here > 0).all():
        without = f"{int((here == 0).sum())} of {len(here)} points lie where {labels} has no data; they are left out"
        warn(without)
    unit, every = (
        ground.unit,
        dict(enumerate(ground.sums(everything(ground.shape), mapped, int(mapped.max()) + 1).tolist())),
    )
    every = {number: area for number, area in every.items() if number > 0 and area > 0}
    found = accuracy(here[here > 0], numbers[here > 0], areas=every, confidence=options["confidence"])
    missing = [number for number in every if number not in set(here.tolist())]
    total = sum(area for number, area in every.items() if number not in missing)
    record = {**asdict(found), "mapped_area": every, "total_area": total, "unit": unit, "without_points": missing}
    named = {number: name for number, name in enumerate(names or (), 1) if number in found.classes}
    record["class_names"] = named
    return record, accuracy_text(found, every, total, unit, named)


def _changes(
    labels: Path, mapped: np.ndarray, later: Path, after: np.ndarray, options: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    from gmmseg.cli.scores import changes_text
    from gmmseg.evaluation import changes
    from gmmseg.export.georeference import image_in, names_in
    from gmmseg.image.windows import everything
    from gmmseg.io import check_target, write_labels
    from gmmseg.io.ground import Ground

    target = options["change_map"]
    if target.exists() and any(target.samefile(each) for each in (labels, later)):
        raise click.UsageError(f"--change-map {target} would be written over an input; choose another name")
    check_target(target, overwrite=options["overwrite"], ndim=mapped.ndim)
    spacing, place = _place(labels)
    ground = Ground.at(place, mapped.shape, spacing=spacing, name=str(labels))
    unit, whole = ground.unit, ground.cells is not None
    found = changes(
        mapped, after, areas=ground.within(everything(ground.shape)) * ground.each if whole else ground.each
    )
    names = dict(enumerate(names_in(labels) or names_in(later) or (), 1))

    def name(number: int) -> str:
        return names.get(number, f"class {number}")

    kinds = [f"{name(old)} to {name(new)}" for old, new in found.kinds]
    write_labels(
        target,
        found.labels,
        image=image_in(labels),
        names=("unchanged", *kinds),
        overwrite=options["overwrite"],
    )
    record = {
        "output": str(target),
        "classes": list(found.classes),
        "class_names": {number: name(number) for number in found.classes},
        "areas": found.areas.tolist(),
        "unit": unit,
        "kinds": dict(enumerate(("unchanged", *kinds), 1)),
    }
    return record, f"{changes_text(found, unit, [name(number) for number in found.classes])}\nwrote {target}"


def _place(path: Path) -> tuple[tuple[float, ...] | None, Place | None]:
    """Return the size of a pixel along each axis, and where they lie; without reading pixels that can stay there."""
    from gmmseg.export.georeference import image_in

    image = image_in(path)
    return (None, None) if image is None else (image.spacing, image.place)


def _is_lapse(path: Path) -> bool:
    from gmmseg.export.georeference import image_in

    image = image_in(path)
    return image is not None and image.time


def _over(labels: Path, mapped: np.ndarray, truth: Path) -> np.ndarray:
    """Return a truth as it lies over the labels; refuse one of other shape or place."""
    from gmmseg.errors import ParameterError
    from gmmseg.export.georeference import image_in
    from gmmseg.io.label_maps import read_labels
    from gmmseg.io.same_place import turn_of

    found = read_labels(truth)
    here, there = image_in(labels), image_in(truth)
    known = here is not None and there is not None and (here.shape, there.shape) == (mapped.shape, found.shape)
    turn = turn_of(here, there) if known and here is not None else None
    if turn is not None:
        return turn.of(found)
    if found.shape != mapped.shape:
        raise ParameterError(
            f"{labels} has shape {mapped.shape}, the truth has {found.shape} in {truth}; compare the same pixels"
        )
    return found
