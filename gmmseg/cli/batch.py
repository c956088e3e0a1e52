"""`gmmseg batch`: folders of images in several processes, with a manifest from which a second run resumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gmmseg.batch.outputs import KINDS
from gmmseg.cli.messages import explain, plain, plural, print_error
from gmmseg.cli.progress import Count, progress_option
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import (
    cluster_of,
    fitting_options,
    fitting_parameters,
    memory_option,
    min_size_option,
    reading_options,
    reading_parameters,
)
from gmmseg.cli.types import FILE, Command, Names, WholeNumber, classes, output, pixels, running
from gmmseg.errors import GmmsegError, OutputError, ParameterError, clipped
from gmmseg.export.kinds import DATASETS

if TYPE_CHECKING:
    from gmmseg.batch import Plan

__all__ = ["command"]


_CHOOSING = ("include", "exclude", "missing_channels", "bids", "more_channels")
_MOST_SKIPPED = 5  # files that are no images are named up to this number; --dry-run names all


@click.command("batch", cls=Command, epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.")
@click.argument("sources", metavar="FOLDER|PATTERN|LIST.txt|IMAGE...", nargs=-1, type=FILE)
@classes("--model", type=FILE, help="Apply these classes to every image instead of finding each image's own: .json.")
@classes(
    "--prior",
    type=FILE,
    help="Probability maps of the classes, as of an atlas: one file, or a pattern of one an image, as of --mask.",
)
@fitting_options
@reading_options
@pixels("--include", multiple=True, metavar="PATTERN", help="Only images of this name or path, as in '*_T1w.nii.gz'.")
@pixels("--exclude", multiple=True, metavar="PATTERN", help="No images of this name or path, as in 'derivatives/*'.")
@pixels(
    "--more-channels",
    multiple=True,
    metavar="PATTERN",
    type=FILE,
    help="Further channels of each image, in files named as those of --mask: '{folder}/{stem}_T2w.nii.gz'.",
)
@pixels(
    "--missing-channels",
    type=click.Choice(["refuse", "ok"]),
    default="refuse",
    show_default=True,
    help="Whether an image whose channels are several files fails where one of them is not there.",
)
@memory_option
@min_size_option
@output("--out-dir", metavar="DIR", type=FILE, required=True, help="Folder of the results; made where it is missing.")
@output(
    "--also",
    type=Names(),
    multiple=True,
    help=f"More files an image: {', '.join(KINDS[1:])}; or of all images one data set: {', '.join(DATASETS)}.",
)
@output(
    "--table",
    "tables",
    type=FILE,
    multiple=True,
    help="One table of all images, a row for each class: shares, areas or volumes, channels; .csv, .json or .parquet. "
    "One that ends in .tsv is read: a study, with columns image, mask, prior and out (what results are called).",
)
@output("--report", type=FILE, help="One page of all images, those unlike the others first: .html.")
@output(
    "--bids",
    is_flag=True,
    help="Take T1w images (or those of --include) of a BIDS data set, leave its derivatives alone, and write one: "
    "_dseg.nii.gz with .tsv and .json, for --also soft one _label-GM_probseg.nii.gz a class.",
)
@output("--resume", is_flag=True, help="Do what is unfinished, failed, or changed since; keep what is done.")
@output("--overwrite", is_flag=True, help="Do all again, and replace results that exist.")
@output("--dry-run", is_flag=True, help="Print what would be done with each file, and why; write nothing.")
@output("--json", "as_json", is_flag=True, help="Print JSON: an object a line, as in the manifest.")
@running("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
@progress_option
@running("--scheduler", metavar="ADDRESS", help="Workers of Dask that take the images, as in tcp://host:8786.")
@running("--workers", type=WholeNumber(1, 1024), help="Workers of Dask on this machine that take the images.")
@running("--jobs", type=WholeNumber(1, 1024), help="Images at a time, each in its own process.  [default: processors]")
@running("--threads", type=WholeNumber(1, 1024), help="Of each process.  [default: the processors shared out]")
@click.pass_context
def command(
    context: click.Context,
    /,
    sources: tuple[Path, ...],
    *,
    out_dir: Path,
    model: Path | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Segment folders of images in several processes, and resume.

    Label maps go to --out-dir with the structure of the folders. The file manifest.jsonl there says of each image what
    was done and what came out. A run that was interrupted, even by a power cut, is finished by the same command with
    --resume; a bad image, or one that kills its process, does not stop the others. Workers of a cluster see images and
    results under the same paths, and do one image each at a time.

    A PATTERN such as 'scenes/**/*.tif' is quoted; a LIST.txt has one path a line, of files in its folder
    or below; one that begins with # is a comment. --mask and --prior may name a file for each image: {folder} is the
    image's folder, {name} its name without suffix, {stem} that name up to its last _, {subject} and {session} what is
    called sub-... and ses-... in its path, {dataset} the folder above sub-..., {subfolder} what leads from there to
    that folder.

    \b
    Examples:
      gmmseg batch scenes -k 6 --out-dir labels
      gmmseg batch scenes -k 6 --out-dir labels --resume
      gmmseg batch 'scenes/**/*.tif' --model land.gmm.json --out-dir labels --jobs 2
      gmmseg batch scans -k 3 --mask '{folder}/../anat/{subject}_mask.nii.gz' --out-dir tissue
      gmmseg batch raw --bids -k 3 --class-names csf,gm,wm --also soft --out-dir raw/derivatives/gmmseg
      gmmseg batch raw --bids -k 3 --mask '{dataset}/derivatives/bet/{subfolder}/{stem}_mask.nii.gz' --out-dir tissue
      gmmseg batch --table study.tsv -k 3 --out-dir tissue --table volumes.csv
      gmmseg batch scenes -k 6 --out-dir labels --scheduler tcp://host:8786
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.batch import plan, run
    from gmmseg.batch.study import Choice

    given, options["table"] = _given(sources, options["tables"])
    also, datasets = _asked_for([word for words in options["also"] for word in words])
    made = plan(
        given,
        out_dir,
        parameters={**_finding(context, model), "memory": options["memory"], "min_size": options["min_size"]},
        reading=reading_parameters(context),
        model=model,
        outputs=[*also, *["table"][: options["table"] is not None]],
        choice=Choice(**{name: options[name] for name in _CHOOSING}),
        resume=options["resume"],
        overwrite=options["overwrite"],
    )
    _check_gathered(made, datasets, options, overwrite=options["overwrite"] or options["resume"])
    if options["dry_run"]:
        _print_plan(made, as_json=options["as_json"])
        return 0
    count = Count(len(made.todo), "images", quiet=quiet, style=options["progress"])
    if not quiet:
        _tell_what_is_left_out(made)

    def report(line: dict[str, Any]) -> None:
        count.clear()
        for text in _warnings_of(line):
            click.echo(f"gmmseg: warning: {clipped(plain(text))}", err=True)
        again = "; it is tried again at the end" if "retry" in line else ""
        if "error" in line:
            print_error(explain(GmmsegError(line["error"]["message"])) + again)
        if options["as_json"]:
            print_json(line, indent=None)
        count.add(0 if again else 1)

    try:
        with cluster_of(options) as cluster:
            lines = run(made, jobs=options["jobs"], threads=options["threads"], report=report, cluster=cluster)
    finally:
        count.clear()
    failed = sum("error" in line for line in lines)
    if not (quiet or options["as_json"]):
        click.echo(plain(_summary(made, len(lines) - failed, failed, count.seconds)))
    _write_datasets(made, datasets, class_names=options["class_names"], quiet=quiet or options["as_json"])
    _write_table(made, options["table"], quiet=quiet or options["as_json"])
    _write_report(made, options["report"], quiet=quiet or options["as_json"])
    if failed:
        return 1 if failed == len(made.images) else 3
    return 0


def _given(sources: tuple[Path, ...], tables: tuple[Path, ...]) -> tuple[list[Path], Path | None]:
    """Return what is read, with the studies among the tables, and the table that is written; suffixes tell them."""
    written = [path for path in tables if path.suffix.lower() != ".tsv"]
    given = [*sources, *(path for path in tables if path not in written)]
    if len(written) > 1:
        raise click.UsageError(f"--table {written[0]} and --table {written[1]} are both written; give one of them")
    if not given:
        raise click.UsageError("there is nothing to segment; name folders or images, or a study with --table study.tsv")
    return given, written[0] if written else None


def _finding(context: click.Context, model: Path | None) -> dict[str, Any]:
    """Return how classes are found, or what a model leaves to choose."""
    fitting, prior = fitting_parameters(context), context.params["prior"]
    if model is not None:
        return _of_apply(context, fitting)
    return fitting if prior is None else {**fitting, "prior": prior}


def _of_apply(context: click.Context, fitting: dict[str, Any]) -> dict[str, Any]:
    """Return what a model leaves to choose, and refuse what it has chosen."""
    given = [
        name
        for name in (*fitting, "prior")
        if name != "smooth" and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        option = "-k" if given[0] == "k" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} is for finding classes, but --model brings them; leave one of them out")
    chosen = (context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ("smooth", "no_smooth"))
    return {"smooth": fitting["smooth"] if any(chosen) else None}


def _asked_for(words: Collection[str]) -> tuple[list[str], list[str]]:
    """Return what --also asks for of each image, and which data sets of all."""
    for word in words:
        if word not in (*KINDS, *DATASETS):
            raise click.UsageError(f"--also {word} is not known; use {', '.join((*KINDS[1:], *DATASETS))}")
    return [kind for kind in KINDS if kind in words], [kind for kind in DATASETS if kind in words]


def _check_gathered(made: Plan, kinds: list[str], options: dict[str, Any], *, overwrite: bool) -> None:
    """Refuse a table, report or data set whose name something else has; a data set of a run before is written again."""
    if options["table"] is not None:
        from gmmseg.measuring.table import check_table

        check_table(options["table"], overwrite=overwrite)
    if options["report"] is not None:
        from gmmseg.report import check_page

        check_page(options["report"], overwrite=overwrite)
    if kinds and made.out_dir.is_dir():
        from gmmseg.export.dataset import check_dataset

        for kind in kinds:
            check_dataset(made.out_dir / DATASETS[kind], kind, overwrite=made.manifest.exists)


def _lines(made: Plan) -> list[dict[str, Any]]:
    """Return what the manifest says of the images of a plan that were tried, now or before."""
    from gmmseg.batch.manifest import Manifest

    lines = Manifest.read(made.out_dir).lines
    return [lines[step.key] for step in made.images if step.key in lines]


def _write_datasets(made: Plan, kinds: list[str], *, class_names: tuple[str, ...] | None, quiet: bool) -> None:
    """Write data sets of the label maps of all images that are done, now or before."""
    if not kinds:
        return
    from gmmseg.batch.pairing import done_maps
    from gmmseg.export import Finding, write_dataset

    maps = done_maps(made.out_dir, _lines(made))
    if made.task.model is not None:
        from gmmseg.model import load_model

        class_names = load_model(made.task.model).class_names
    for kind in kinds if maps else []:
        place = made.out_dir / DATASETS[kind]
        try:
            written = write_dataset(place, maps, kind, finding=Finding(class_names=class_names), overwrite=True)
        except ParameterError as error:
            raise OutputError(f"{place} was not written: {error}; the label maps are done and kept") from None
        if not quiet:
            click.echo(
                plain(f"wrote {place}: {plural(written.maps, 'label map')}, {plural(written.instances, 'instance')}")
            )


def _write_table(made: Plan, path: Path | None, *, quiet: bool) -> None:
    """Write the tables of all images that are done, now or before, as one, where that is asked for."""
    if path is None:
        return
    from gmmseg.measuring.table import read_table, stacked

    done = [line for line in _lines(made) if "error" not in line]
    counts = Counter(line["input"] for line in done)  # a folder of several series is one input
    tables = {}
    for line in done:
        title, files = line["input"], line["outputs"]
        title += f": {files['labels']['file']}" if counts[title] > 1 else ""
        tables[title] = read_table(made.out_dir / files["table"]["file"])
    stacked(tables, "image").save(path, overwrite=True)
    if not quiet:
        click.echo(plain(f"wrote {path}: {plural(len(tables), 'image')}"))


def _write_report(made: Plan, path: Path | None, *, quiet: bool) -> None:
    """Write a report of all images that were tried, now or before, where that is asked for."""
    if path is None:
        return
    from gmmseg.report import batch_report

    number = batch_report(_lines(made), made.out_dir, path, overwrite=True)
    if not quiet:
        click.echo(plain(f"wrote {path}: {plural(number, 'image')}"))


def _print_plan(made: Plan, *, as_json: bool) -> None:
    if as_json:
        for step in made.steps:
            outputs = {kind: str(made.out_dir / file) for kind, file in step.outputs.items()}
            each = {"input": str(step.source), "action": step.action, "reason": step.reason, "outputs": outputs}
            print_json(each, indent=None)
        return
    names = [plain(f"{step.source}, series {step.series}" if step.series else str(step.source)) for step in made.steps]
    width = max(map(len, names))
    for name, step in zip(names, made.steps, strict=True):
        click.echo(f"{step.action:7}  {name:{width}}  {plain(step.reason)}")
    counts = Counter(step.action for step in made.steps)
    total = ", ".join(f"{counts[action]} to {action}" for action in ("process", "redo", "skip") if counts[action])
    click.echo(f"{len(made.steps)} files: {total}")


def _warnings_of(line: dict[str, Any]) -> list[str]:
    """Return what was said of an image, and of which, where that does not name it, as what a fit says."""
    source = line["input"]
    texts = [explain(GmmsegError(text)) for text in line.get("warnings", ())]
    return [text if Path(source).name in text else f"{source}: {text}" for text in texts]


def _tell_what_is_left_out(made: Plan) -> None:
    """Name files that are no images."""
    others = [step for step in made.steps if not step.outputs]
    for step in others[:_MOST_SKIPPED]:
        click.echo(f"gmmseg: skipped {clipped(plain(f'{step.source}: {step.reason}'))}", err=True)
    if len(others) > _MOST_SKIPPED:
        click.echo(f"gmmseg: skipped {len(others) - _MOST_SKIPPED} more files; --dry-run names them", err=True)


def _summary(made: Plan, done: int, failed: int, seconds: float) -> str:
    images = len(made.images)
    before = images - done - failed
    if not done + failed:
        return f"nothing to do: all {images} images are done; see {made.manifest.path}"
    parts = [f"{done} done in {seconds:.1f} s"]
    parts += [f"{before} done before"] if before else []
    parts += [f"{failed} failed"] if failed else []
    return f"{', '.join(parts)}; results in {made.out_dir}, one line an image in {made.manifest.path}"
