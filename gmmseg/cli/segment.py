"""`gmmseg segment`: images in, label maps and a table of their classes out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from gmmseg.batch.guide_names import masks_of
from gmmseg.batch.outputs import KINDS
from gmmseg.batch.processing import process
from gmmseg.cli.each import RUNNING, run_each
from gmmseg.cli.progress import Progress, progress_option
from gmmseg.cli.shared import (
    FILE_LAYERS,
    cluster_of,
    cluster_options,
    fitting_options,
    fitting_parameters,
    guides_of,
    layer_options,
    memory_option,
    min_size_option,
    plain_option,
    reading_options,
    reading_parameters,
    remote_option,
    reported,
    saving_parameters,
)
from gmmseg.cli.targets import Job, folder, plan
from gmmseg.cli.types import FILE, PRINTED, SOURCE, Amount, Command, WholeNumber, output, pixels, running

__all__ = ["command"]


@click.command("segment", cls=Command, epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.")
@click.argument("images", metavar="IMAGE...", nargs=-1, type=SOURCE)
@fitting_options
@reading_options
@remote_option
@memory_option
@min_size_option
@pixels(
    "--scribbles",
    type=SOURCE,
    help="Strokes (one image): a label map, 0 where a pixel is free; a mask, 255 is class 1; or colours painted on a "
    "transparent or white layer or on the photo, numbered as in the rainbow from red: class 1, ... blue, greys last; "
    "or training areas of named classes: .gpkg, .shp, .geojson. Without -k there are as many classes as they have.",
)
@pixels(
    "--prior", type=SOURCE, help="Probability of each class at each pixel (one image): .npz, .npy, .tif or .nii.gz."
)
@pixels("--prior-weight", type=Amount(), default=1.0, help="Power of the prior: 0 ignores it, 1 takes it as it is.")
@output(
    "-o",
    "--output",
    type=PRINTED,
    help="Label map of one image: .png, .tif, .npy, .npz, .zarr, .nii.gz, .mgz, .nrrd, .seg.nrrd, .mha or .dcm; - "
    "prints a PNG.  [default: "
    "NAME_labels in this folder: .png, or what suits the image]",
)
@output(
    "--out-dir", metavar="DIR", type=FILE, help="Folder for the label maps of many images; made where it is missing."
)
@plain_option
@output("--cog", is_flag=True, help="GeoTIFF outputs are cloud-optimised, with overviews.")
@layer_options
@output(
    "--soft-type",
    type=click.Choice(("float32", "uint16", "uint8")),
    help="How probabilities are stored: integers are in proportion.  [default: float32]",
)
@output(
    "--overlay",
    type=FILE,
    help="Classes laid over the picture, of a volume over cuts in three planes (one image): .png, .tif, .jpg or .webp.",
)
@output("--legend", is_flag=True, help="Add a strip with the colours and names of the classes below --overlay.")
@output("--contours", type=FILE, help="Outlines of the classes on the picture (one image): .png, .tif, .jpg or .webp.")
@output(
    "--style",
    type=FILE,
    help="Colours and names of the classes for a GIS (one image): .qml, which QGIS loads by itself beside a label map "
    "of the same name, or .sld.",
)
@output("--table", type=FILE, help="Areas or volumes and channels of the classes (one image): .csv, .json or .parquet.")
@output("--report", type=FILE, help="A page with pictures, classes, charts and quality flags (one image): .html.")
@output("--model", type=FILE, help="The fitted classes (one image; without its bias field): .json.")
@output("--overwrite", is_flag=True, help="Replace files that exist.")
@output("--json", "as_json", is_flag=True, help="Print JSON instead of tables: a list with one object an image.")
@cluster_options
@running("--replay", type=FILE, help="Do again what was done in `gmmseg view`: its NAME.gmmseg.json, without an IMAGE.")
@running("-q", "--quiet", is_flag=True, help="Print no table and no progress.")
@progress_option
@running("--threads", type=WholeNumber(1, 1024), help="They do not change the result.  [default: all processors]")
@click.pass_context
def command(context: click.Context, /, images: tuple[Path, ...], **options: Any) -> int:
    """Segment images into classes and write their label maps.

    Each pixel gets the number of its class, counted from 1, dark to bright; 0 means no data. A table of the classes is
    printed: their share of the image, mean colour and mean features. Files of one grid with + between them are the
    channels of one image; so is the folder of a satellite scene (.SAFE of Sentinel-2, Landsat Collection 2). An IMAGE
    may also be - (standard input), a URL, zip://A.zip!/NAME or NETCDF:FILE:NAME.

    \b
    Examples:
      gmmseg segment photo.png -k 4
      gmmseg segment cell.png -k 3 --soft cell_soft.npz --overlay cell_overlay.png
      gmmseg segment scenes/*.tif -k 6 --out-dir labels --json
      gmmseg segment scene.tif --channels 4,3,2
      gmmseg segment S2A_MSIL2A_20230605.SAFE -k 6 --channels nir,red,green
      gmmseg segment brain.nii.gz -k 3 --nodata 0 --bias-field -o tissue.nii.gz
      gmmseg segment t1.nii.gz+t2.nii.gz -k 3 -o tissue.nii.gz
      cat photo.jpg | gmmseg segment - -o - > labels.png
    """  # noqa: D301  # click keeps the lines below this character as they are
    if options["replay"] is not None:
        from gmmseg.cli.replay import replay

        return replay(context, options["replay"], options | {"images": images})
    if not images:
        raise click.MissingParameter(ctx=context, param=context.command.params[0])
    fitting, saving = fitting_parameters(context), saving_parameters(context)
    for layer in FILE_LAYERS:
        if layer.corrects and options[layer.output] is not None and fitting["bias_field"] is not True:
            file = options[layer.output]
            raise click.UsageError(f"{layer.option} {file} is of --bias-field, which is not given; add it")
    jobs = plan(
        images,
        output=options["output"],
        out_dir=options["out_dir"],
        extra={kind: options[kind] for kind in KINDS if kind != "labels"},
        channel_axis=options["channel_axis"],
        axes=options["axes"],
        guides=guides_of(options, images),
    )

    def work(job: Job, progress: Progress, title: str, record: dict[str, Any]) -> None:
        record |= process(
            job.source,
            job.outputs,
            parameters={
                **fitting,
                **{name: options[name] for name in ("scribbles", "prior", "prior_weight", "memory", "threads")},
                "min_size": options["min_size"],
            },
            reading=reading_parameters(context) | masks_of(options["mask"], options["mask_values"], job.source),
            saving=saving | {"report": reported(context, record)},
            overwrite=options["overwrite"],
            stage=partial(progress.stage, title),
            progress=progress,
            cluster=cluster,
        )

    with folder(options["out_dir"]), cluster_of(options) as cluster:
        return run_each(jobs, work, **{name: options[name] for name in RUNNING})
