"""`gmmseg export`: label maps in, the files of an annotation tool, a training pipeline or a GIS out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gmmseg.batch.outputs import require_distinct
from gmmseg.cli.messages import collected_warnings, plain, plural
from gmmseg.cli.progress import Count, progress_option
from gmmseg.cli.records import print_json
from gmmseg.cli.types import FILE, SOURCE, Amount, Bytes, Command, MinSize, Names, Option, WholeNumber, classes, output
from gmmseg.export.kinds import DATASETS, FORMATS, NAMED_AS_LABELS, PLACED, SIMPLIFIED, Kind
from gmmseg.io.parts import name_of
from gmmseg.io.request import MAX_PIXELS

if TYPE_CHECKING:
    from gmmseg.export import Export, Finding, LabelMap, Plane
    from gmmseg.export.kinds import Format
    from gmmseg.image import Image

__all__ = ["command"]

_shapes = partial(click.option, cls=Option, section="Shapes", show_default=True)

_KNOWN = tuple(dict.fromkeys([*FORMATS, *DATASETS]))


@click.command("export", cls=Command)
@click.argument("sources", metavar="LABELS|FOLDER|PATTERN|LIST.txt...", nargs=-1, required=True, type=SOURCE)
@output(
    "--to",
    metavar="FORMAT",
    type=click.Choice(_KNOWN),
    help="The format (required): coco, coco-panoptic, yolo, voc (Pascal VOC), labelme, geojson, gpkg (GeoPackage), png "
    "(the label map with a palette), masks (a folder with a black and white PNG file a class), npz, roi (ImageJ), "
    "qupath, or a style for the label map: qml (QGIS) or sld.",
)
@classes("--class-names", type=Names(), help="Names of the classes, in the order of their labels.")
@classes("--classes", type=Names(), help="Names or numbers of the classes to export.  [default: all]")
@classes("--background", type=Names(), help="Names or numbers of classes to leave out; 0, no data, always is.")
@classes("--ignore", metavar="INT", type=WholeNumber(0), help="The number of pixels of which nothing is known, as 255.")
@classes(
    "--model",
    type=FILE,
    help="The model (.json) that has the names.  [default: names that come with LABELS, or class 1, ...]",
)
@_shapes(
    "--instances",
    metavar="KIND",
    type=click.Choice(get_args(Kind)),
    help="What is listed: each component (connected region of a class), each class, or each object (the numbers are "
    "objects of one class).  [default: component; object where LABELS has 16 or 32 bits]",
)
@_shapes(
    "--min-size",
    type=MinSize(),
    default="1",
    help="Leave out smaller connected regions: pixels, or an area where the file says how large a pixel is (2.5ha, "
    "15um2).",
)
@_shapes("--frame", metavar="INT", type=WholeNumber(1), help="Of a time-lapse this frame, from 1.")
@_shapes("--plane", metavar="INT", type=WholeNumber(1), help="Of a volume this plane, from 1.")
@_shapes(
    "--simplify",
    metavar="PIXELS",
    type=Amount(),
    help="Smooth outlines by about so much, shared edges kept: geojson, gpkg and labelme.",
)
@_shapes("--keep-crs", is_flag=True, help="geojson: keep the raster's coordinates, not WGS 84.")
@_shapes("--polygons", is_flag=True, help="coco: outlines, not run lengths.")
@output(
    "--image",
    metavar="FILE|FOLDER",
    type=FILE,
    help="The photo that LABELS belongs to, to be named in the files; of several LABELS the folder of the photos.  "
    "[default of several: what is beside them, or what a batch made them from]",
)
@output(
    "-o",
    "--output",
    type=FILE,
    help="File to write, for masks, voc and several LABELS a folder, but for coco.  [default: named after the photo or "
    "LABELS, of several after the format, in this folder]",
)
@output("--uncompressed", is_flag=True, help="coco: run lengths as lists of numbers.")
@output("--overwrite", is_flag=True, help="Replace files that exist.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@progress_option
@_shapes(
    "--memory",
    type=Bytes(),
    default="1GiB",
    help="geojson, gpkg: rasters whose outlines take more are traced strip by strip.",
)
@_shapes("--max-pixels", type=WholeNumber(1), default=MAX_PIXELS, help="Refuse larger files before decoding them.")
def command(
    sources: tuple[Path, ...],
    *,
    to: str | None,
    class_names: tuple[str, ...] | None,
    model: Path | None,
    image: Path | None,
    **options: Any,
) -> int:
    """Export label maps to annotation tools, training pipelines and GIS.

    Masks and outlines are exact: they hold the pixels of LABELS and no others. Coordinates in geojson and gpkg are
    those of the raster (geojson: WGS 84), or pixels counted from the upper left corner where it is not georeferenced.
    roi holds all planes of a volume and all frames of a time-lapse, any other format the one of --plane and --frame.
    yolo joins holes to the outline by a cut; labelme fills them, and says how many. With yolo goes a .yaml file of the
    class names, with coco-panoptic a .png file of the segments. geojson in WGS 84, gpkg and --simplify need
    pip install 'gmmseg[geo]'.

    Several label maps, a folder (of NAME_labels.* files, where it has some), a quoted PATTERN or a LIST.txt become one
    data set: coco one file, yolo and voc a folder with the photos, any other format a folder with a file for each.
    Classes are told apart by their names.

    \b
    Examples:
      gmmseg export photo_labels.png --to coco --image photo.jpg --class-names sky,land
      gmmseg export labels --to yolo --image photos --background sky -o dataset
      gmmseg export scene_labels.tif --to gpkg --model land.gmm.json --min-size 50
      gmmseg export scene_labels.tif --to geojson --simplify 2 -o scene.geojson
    """  # noqa: D301  # click keeps the lines below this character as they are
    if to is None:
        raise click.UsageError(f"--to is missing; give one of {', '.join(_KNOWN)}")
    _check_options(to, options, class_names, model)
    several = to == "voc" or len(sources) > 1 or _are_many(sources[0]) or (image is not None and image.is_dir())
    if not several:
        stem = name_of(sources[0] if to in NAMED_AS_LABELS else image or sources[0])
        stem = stem if to in NAMED_AS_LABELS else stem.removesuffix("_labels")
        target = options["output"] or Path(f"{stem}{_ending(to)}")
        from gmmseg.export.files import companions

        _check_inputs([target, *companions(target, to)], [*sources, image, model])
    else:
        target = options["output"] or Path(DATASETS.get(to, to))
    from gmmseg.export import Choice, Export, Finding

    choice = Choice(options["classes"] or (), options["background"] or (), options["ignore"])
    finding = Finding(
        class_names or (None if model is None else _names_of(model)),
        options["instances"],
        options["min_size"],
        choice,
        options["max_pixels"],
        options["frame"],
        options["plane"],
    )
    wanted = Export(
        keep_crs=options["keep_crs"],
        simplify=options["simplify"] or None,
        compressed=not options["uncompressed"],
        polygons=options["polygons"],
    )
    if several:
        from gmmseg.batch.pairing import find_label_maps

        maps = find_label_maps(sources, pictures=image, without=target)
        _check_inputs([target], [*(each.labels for each in maps), *(each.picture for each in maps), model])
        return _export_all(target, maps, to, finding, wanted, options)
    large = _large(sources[0], to, options)
    if large is not None:
        return _export_by_windows(target, (sources[0], large), to, finding, wanted, options)
    return _export_one(target, (sources[0], image), to, finding, wanted, options)


def _export_one(
    target: Path,
    source: tuple[Path, Path | None],
    to: str,
    finding: Finding,
    wanted: Export,
    options: dict[str, Any],
) -> int:
    from gmmseg.export import Plane, check_export, place_in, write_export
    from gmmseg.export.dataset import require_picture
    from gmmseg.export.georeference import ground_in

    labels, image = source
    known = next(each for each in FORMATS if each == to)
    check_export(target, known, overwrite=options["overwrite"])
    with collected_warnings(lambda: None) as warned:
        every = to == "roi" and finding.frame is None and finding.plane is None
        found = finding.in_planes(labels) if every else [Plane(0, 0, finding.of(labels))]
        if image is not None:
            require_picture(image, labels, found[0].instances.shape)
        place = place_in(labels) if known in PLACED else None
        ground = ground_in(labels) if known == "qupath" else wanted.ground
        wanted = replace(wanted, image=image or labels, place=place, ground=ground)
        written = write_export(
            target, found if every else found[0].instances, known, options=wanted, overwrite=options["overwrite"]
        )
    if options["as_json"]:
        print_json(_record(labels, to, written, found) | {"warnings": warned})
    else:
        click.echo(plain(f"wrote {_files(target, written)}: {_summary(found)}"))
    return 0


def _export_by_windows(
    target: Path, source: tuple[Path, Image], to: str, finding: Finding, wanted: Export, options: dict[str, Any]
) -> int:
    from gmmseg.export import check_export, names_in, place_in
    from gmmseg.export.windowed import WindowedExport, write_by_windows
    from gmmseg.io.atomic import atomic_file

    labels, image = source
    known: Format = "gpkg" if to == "gpkg" else "geojson"
    check_export(target, known, overwrite=options["overwrite"])
    with collected_warnings(lambda: None) as warned:
        strips = WindowedExport(
            class_names=finding.class_names or names_in(labels),
            min_size=finding.pixels(labels),
            choice=finding.choice,
            place=place_in(labels),
            keep_crs=wanted.keep_crs,
            simplify=wanted.simplify,
            layer=target.stem if to == "gpkg" else None,
            memory=options["memory"] // 2,
        )
        with atomic_file(target, overwrite=options["overwrite"]) as file:
            n, names = write_by_windows(file, image, strips)
    if options["as_json"]:
        record = {"input": str(labels), "format": to, "outputs": [str(target)], "instances": n}
        print_json(record | {"kind": "component", "classes": list(names), "warnings": warned})
    else:
        of = plural(len(names), "class", "classes")
        click.echo(plain(f"wrote {target}: {plural(n, 'region')} of {of}"))
    return 0


def _large(labels: Path, to: str, options: dict[str, Any]) -> Image | None:
    """Return a label map whose outlines do not fit into memory, and can be traced strip by strip."""
    from gmmseg.export.georeference import image_in

    if to not in ("geojson", "gpkg") or options["instances"] not in (None, "component"):
        return None
    image = image_in(labels)
    if image is None or image.in_memory or image.n_channels != 1 or image.ndim != 2 or image.pixels.dtype != "uint8":
        return None
    from gmmseg.export.windowed import BYTES_A_PIXEL

    return image if image.n_pixels * BYTES_A_PIXEL > options["memory"] else None


def _export_all(
    target: Path, maps: list[LabelMap], to: str, finding: Finding, wanted: Export, options: dict[str, Any]
) -> int:
    from gmmseg.export import write_dataset

    count = Count(len(maps), "label maps", style=options["progress"])
    with collected_warnings(count.clear) as warned:
        try:
            made = write_dataset(
                target,
                maps,
                to,
                finding=finding,
                options=wanted,
                overwrite=options["overwrite"],
                progress=lambda done, total: count.add(1),
            )
        finally:
            count.clear()
    if options["as_json"]:
        sources = [str(each.labels) for each in maps]
        record = {"inputs": sources, "format": to, "output": str(target), "instances": made.instances}
        print_json(record | {"classes": list(made.names), "warnings": warned})
    else:
        what = f"{plural(made.maps, 'label map')}, {plural(made.instances, 'instance')}"
        click.echo(plain(f"wrote {target}: {what} of {plural(len(made.names), 'class', 'classes')}"))
    return 0


def _are_many(source: Path) -> bool:
    """Whether a source may stand for several label maps."""
    return (
        source.is_dir() or source.suffix.lower() == ".txt" or (not source.exists() and bool({*"*?["} & {*str(source)}))
    )


def _ending(to: str) -> str:
    return next(end for name, end in FORMATS.items() if name == to)


def _check_options(to: str, options: dict[str, Any], class_names: tuple[str, ...] | None, model: Path | None) -> None:
    """Refuse options that contradict each other or would do nothing."""
    if class_names is not None and model is not None:
        raise click.UsageError("--class-names and --model both give the names; give one of them")
    coco = ("coco",)
    only = {"simplify": SIMPLIFIED, "keep_crs": ("geojson",), "uncompressed": coco, "polygons": coco}
    for name, formats in only.items():
        if options[name] and to not in formats:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} does nothing for --to {to}; it is for {', '.join(formats)}, leave it out")
    if options["polygons"] and options["uncompressed"]:
        raise click.UsageError("--uncompressed is of run lengths, which --polygons does without; leave one of them out")


def _check_inputs(written: Sequence[Path], inputs: Sequence[Path | None]) -> None:
    require_distinct([(path, {"export": path}) for path in written], [each for each in inputs if each is not None])


def _names_of(model: Path) -> tuple[str, ...]:
    from gmmseg.model import load_model

    return load_model(model).class_names


def _files(target: Path, written: list[Path]) -> str:
    if target.is_dir():
        return f"{plural(len(written), 'file')} to {target}"
    return " and ".join(map(str, written))


def _summary(found: Sequence[Plane]) -> str:
    n, kind = sum(len(each.instances) for each in found), found[0].instances.kind
    if kind == "object":
        number = len({value for each in found for value in each.instances.values.tolist()})
        sort = "frames" if found[-1].frame and not found[-1].plane else "planes"
        return plural(number, "object") + (f" in {len(found)} {sort}" if len(found) > 1 else "")
    of = plural(len({value for each in found for value in each.instances.categories.tolist()}), "class", "classes")
    return of if kind == "class" else f"{plural(n, 'region')} of {of}"


def _record(labels: Path, to: str, written: list[Path], found: Sequence[Plane]) -> dict[str, Any]:
    first = found[0].instances
    return {
        "input": str(labels),
        "format": to,
        "outputs": [str(path) for path in written],
        "instances": sum(len(each.instances) for each in found),
        "kind": first.kind,
        "classes": [first.names[number - 1] for number in first.classes],
    }
