"""`gmmseg export`: a label map in, the files of an annotation tool, a training pipeline or a GIS out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.records import print_json
from gmmseg.cli.types import FILE, SOURCE, Amount, Command, Names, Option, WholeNumber
from gmmseg.errors import InputError
from gmmseg.export.kinds import FORMATS, PLACED, SIMPLIFIED, Format, Kind
from gmmseg.io.request import MAX_PIXELS

if TYPE_CHECKING:
    from gmmseg.export import Instances

__all__ = ["command"]

_classes = partial(click.option, cls=Option, section="Classes", show_default=True)
_shapes = partial(click.option, cls=Option, section="Shapes", show_default=True)
_output = partial(click.option, cls=Option, section="Output")


@click.command("export", cls=Command)
@click.argument("labels", type=SOURCE)
@_output(
    "--to",
    metavar="FORMAT",
    type=click.Choice(get_args(Format)),
    help="The format (required): coco, coco-panoptic, yolo, labelme, geojson, gpkg (GeoPackage), png (the label map "
    "with a palette), masks (a folder with a black and white PNG file a class) or npz.",
)
@_classes("--class-names", type=Names(), help="Names of the classes, in the order of their labels.")
@_classes(
    "--model",
    type=FILE,
    help="The model (.json) that has the names.  [default: names that come with LABELS, or class 1, ...]",
)
@_shapes(
    "--instances",
    metavar="KIND",
    type=click.Choice(get_args(Kind)),
    help="What is listed: each component (connected region of a class), each class, or each object (the numbers are "
    "objects of one class).  [default: component; object where labels are above 255]",
)
@_shapes("--min-size", metavar="PIXELS", type=WholeNumber(1), default=1, help="Leave out smaller connected regions.")
@_shapes(
    "--simplify",
    metavar="PIXELS",
    type=Amount(),
    help="Smooth outlines by about so much, shared edges kept: geojson, gpkg and labelme.",
)
@_shapes("--keep-crs", is_flag=True, show_default=False, help="geojson: keep the raster's coordinates, not WGS 84.")
@_output("--image", type=FILE, help="The photo that LABELS belongs to, to be named in the files.")
@_output(
    "-o",
    "--output",
    type=FILE,
    help="File to write, for masks a folder.  [default: named after the photo or LABELS, in this folder]",
)
@_output("--uncompressed", is_flag=True, help="coco: run lengths as lists of numbers.")
@_output("--overwrite", is_flag=True, help="Replace files that exist.")
@_output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@_shapes("--max-pixels", type=WholeNumber(1), default=MAX_PIXELS, help="Refuse larger files before decoding them.")
def command(
    labels: Path,
    *,
    to: Format | None,
    class_names: tuple[str, ...] | None,
    model: Path | None,
    image: Path | None,
    **options: Any,
) -> int:
    """Export a label map to annotation tools, training pipelines and GIS.

    Masks and outlines are exact: they hold the pixels of LABELS and no others. Coordinates in geojson and gpkg are
    those of the raster (geojson: WGS 84), or pixels counted from the upper left corner where it is not georeferenced.
    yolo joins holes to the outline by a cut; labelme fills them, and says how many. With yolo goes a .yaml file of the
    class names, with coco-panoptic a .png file of the segments. geojson in WGS 84, gpkg and --simplify need
    pip install 'gmmseg[geo]'.

    \b
    Examples:
      gmmseg export photo_labels.png --to coco --image photo.jpg --class-names sky,land
      gmmseg export scene_labels.tif --to gpkg --model land.gmm.json --min-size 50
      gmmseg export scene_labels.tif --to geojson --simplify 2 -o scene.geojson
    """  # noqa: D301  # click keeps the lines below this character as they are
    if to is None:
        raise click.UsageError(f"--to is missing; give one of {', '.join(get_args(Format))}")
    _check_options(to, options, class_names, model)
    target = options["output"] or Path(f"{(image or labels).stem.removesuffix('_labels')}{FORMATS[to]}")
    _check_inputs(target, [labels, image, model])
    from gmmseg.export import Export, check_export, find_instances, place_in, write_export
    from gmmseg.io.reading import read_labels

    check_export(target, to, overwrite=options["overwrite"])
    with collected_warnings(lambda: None) as warned:
        numbers = read_labels(labels, max_pixels=options["max_pixels"])
        if image is not None:
            _check_size(image, labels, numbers.shape)
        names = class_names or _names(labels, model)
        found = find_instances(numbers, class_names=names, instances=options["instances"], min_size=options["min_size"])
        written = write_export(
            target,
            found,
            to,
            options=Export(
                image=image or labels,
                place=place_in(labels) if to in PLACED else None,
                keep_crs=options["keep_crs"],
                simplify=options["simplify"] or None,
                compressed=not options["uncompressed"],
            ),
            overwrite=options["overwrite"],
        )
    if options["as_json"]:
        print_json(_record(labels, to, written, found) | {"warnings": warned})
    else:
        click.echo(plain(f"wrote {_files(target, written)}: {_summary(found)}"))
    return 0


def _check_options(
    to: Format, options: dict[str, Any], class_names: tuple[str, ...] | None, model: Path | None
) -> None:
    """Refuse options that contradict each other or would do nothing."""
    if class_names is not None and model is not None:
        raise click.UsageError("--class-names and --model both give the names; give one of them")
    for name, formats in {"simplify": SIMPLIFIED, "keep_crs": ("geojson",), "uncompressed": ("coco",)}.items():
        if options[name] and to not in formats:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} does nothing for --to {to}; it is for {', '.join(formats)}, leave it out")


def _check_inputs(target: Path, inputs: list[Path | None]) -> None:
    for source in inputs:
        if source is not None and target.exists() and source.exists() and target.samefile(source):
            raise click.UsageError(f"{target} would be written over {source}, which is an input; choose another name")


def _check_size(image: Path, labels: Path, shape: tuple[int, ...]) -> None:
    """Refuse a photo of another size; turned by 90 degrees (EXIF) is the same size."""
    from gmmseg.io.reading import read_info

    size = read_info(image).get("size")
    if size is not None and sorted(size) != sorted(shape):
        across = " x ".join(map(str, reversed(shape)))
        raise InputError(
            f"--image {image} is {size[0]} x {size[1]} pixels, but {labels} is {across}; give the photo that it is of"
        )


def _names(labels: Path, model: Path | None) -> tuple[str, ...] | None:
    """Return the names of a model, or those that come with the labels."""
    if model is None:
        from gmmseg.export import names_in

        return names_in(labels)
    from gmmseg.model import load_model

    return load_model(model).class_names


def _files(target: Path, written: list[Path]) -> str:
    if target.is_dir():
        return f"{len(written)} files to {target}"
    return " and ".join(map(str, written))


def _summary(found: Instances) -> str:
    n = len(found)
    if found.kind == "object":
        return f"{n} object{'s' * (n != 1)}"
    classes = len({*found.categories.tolist()})
    of = f"{classes} class{'es' * (classes != 1)}"
    return of if found.kind == "class" else f"{n} region{'s' * (n != 1)} of {of}"


def _record(labels: Path, to: Format, written: list[Path], found: Instances) -> dict[str, Any]:
    return {
        "input": str(labels),
        "format": to,
        "outputs": [str(path) for path in written],
        "instances": len(found),
        "kind": found.kind,
        "classes": list(found.names),
    }
