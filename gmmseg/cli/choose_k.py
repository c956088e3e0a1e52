"""`gmmseg choose-k`: how many classes an image has, by several criteria."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gmmseg.batch.outputs import require_distinct
from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.progress import Progress, progress_option
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import memory_option, reading_options, reading_parameters, remote_option
from gmmseg.cli.types import FILE, SOURCE, Command, Covariance, Features, WholeNumber, classes, output, running

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Candidate, Choice

__all__ = ["command"]


_NAMES = ("bic", "aic", "icl", "mdl")
_CURVE = 40  # columns


@click.command("choose-k", cls=Command)
@click.argument("image", type=SOURCE)
@classes("--max-k", type=WholeNumber(1, 255), default=12, help="Largest number of components to try.")
@classes(
    "--covariance",
    type=Covariance(),
    default=None,
    help="Only this shape of classes: full, tied, diag or spherical.  [default: all four]",
)
@classes("--criterion", type=click.Choice(_NAMES), default="icl", help="What decides.")
@classes("--features", type=Features(), help="As of `gmmseg segment`; position (xy) does not count.")
@classes("--sample", metavar="INT|all", type=WholeNumber(1, word="all"), default=100_000, help="Pixels, or all.")
@classes("--seed", type=WholeNumber(0), default=0, help="Start of the random choices: same seed, same result.")
@reading_options
@remote_option
@memory_option
@output("-o", "--output", type=FILE, help="Draw the curves: .png, .svg or .pdf; needs pip install 'gmmseg[plot]'.")
@output("--overwrite", is_flag=True, help="Replace a file that exists.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@running("--quiet", is_flag=True, help="No progress.")
@progress_option
@running("--threads", type=WholeNumber(1, 1024), help="They do not change the result.  [default: all processors]")
@click.pass_context
def command(
    context: click.Context,
    /,
    image: Path,
    *,
    covariance: str | None,
    output: Path | None,
    **options: Any,
) -> int:
    """Choose how many classes an image has.

    Mixtures of 1, 2, ... components are compared by four criteria (the lowest of each column is marked *), which allow
    for neighbouring pixels being alike. By ICL, components that have no border between them are one class. What
    `-k auto` decides by is --covariance full (tied, of pca): over all four another number may be chosen.

    \b
    Examples:
      gmmseg choose-k photo.png -o curve.png
      gmmseg choose-k scan.png --covariance full --max-k 6 --json
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.io.reading import read
    from gmmseg.mixture.covariance import FAMILIES
    from gmmseg.segmentation import choose_k

    if output is not None:
        from gmmseg import plot

        inputs = [image] if options["mask"] is None else [image, options["mask"]]
        require_distinct([(image, {"figure": output})], inputs)
        plot.check_target(output, overwrite=options["overwrite"])
    progress = Progress(quiet=options["quiet"], style=options["progress"])
    with collected_warnings(progress.clear):
        progress.stage(plain(image.name), "reading")
        pixels = read(image, **reading_parameters(context))
        progress.stage(plain(image.name), "comparing numbers of classes")
        same = {name: options[name] for name in ("max_k", "criterion", "features", "sample", "seed", "threads")}
        choice = choose_k(pixels, covariance=covariance or tuple(FAMILIES), **same)
        progress.clear()
        if output is not None:
            _draw(choice, output, overwrite=options["overwrite"])
    if options["as_json"]:
        print_json(_record(image, choice))
    else:
        click.echo(_text(choice))
    if output is not None and not options["as_json"]:
        click.echo(plain(f"wrote {output}"))
    return 0


def _draw(choice: Choice, output: Path, *, overwrite: bool) -> None:
    """Curves of the criteria in the chosen family."""
    from matplotlib.figure import Figure

    from gmmseg import plot

    shown = _family(choice)
    curves = {name.upper(): [float(getattr(each, name)) for each in shown] for name in _NAMES}
    drawn = Figure(figsize=(5.0, 3.4), layout="constrained")
    ax = drawn.add_subplot()
    plot.criteria(ax, [each.k for each in shown], chosen=choice.best.k, **curves)
    ax.set_title(f"{choice.best.covariance} covariances, {choice.effective:.0f} effective samples", fontsize="medium")
    plot.save(drawn, output, overwrite=overwrite)


def _family(choice: Choice) -> list[Candidate]:
    return [each for each in choice.candidates if each.covariance == choice.best.covariance]


def _record(image: Path, choice: Choice) -> dict[str, Any]:
    return {
        "input": str(image),
        "k": choice.k,
        "components": choice.best.k,
        "classes": [[i + 1 for i in group] for group in choice.groups],
        "covariance": choice.best.covariance,
        "criterion": choice.criterion,
        "reason": choice.reason,
        "effective_samples": choice.effective,
        "best": {name: {"k": (b := choice.best_by(name)).k, "covariance": b.covariance} for name in _NAMES},
        "candidates": [
            {
                "covariance": each.covariance,
                "k": each.k,
                "log_likelihood": each.log_likelihood,
                "parameters": each.n_parameters,
                **{name: getattr(each, name) for name in _NAMES},
            }
            for each in choice.candidates
        ],
    }


def _text(choice: Choice) -> str:
    """Table, curve and reason."""
    best = {name: choice.best_by(name) for name in _NAMES}
    rows = [["covariance", "k", "log-lik", "parameters", *(f"{name.upper()} " for name in _NAMES)]]
    for each in choice.candidates:
        marks = [f"{getattr(each, name):.0f}{'*' if each is best[name] else ' '}" for name in _NAMES]
        rows.append([each.covariance, str(each.k), f"{each.log_likelihood:.4f}", str(each.n_parameters), *marks])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    size = f"{choice.effective:.0f} effective samples; log-likelihood in nats a pixel"
    return "\n".join([*table, "", size, "", *_curve(choice), "", choice.reason])


def _curve(choice: Choice) -> list[str]:
    """Bars of the deciding criterion over k in the chosen family, the shorter the better."""
    shown = _family(choice)
    values = [float(getattr(each, choice.criterion)) for each in shown]
    low, span = min(values), max(max(values) - min(values), 1e-9)
    title = f"{choice.criterion.upper()} of {choice.best.covariance} covariances, above its lowest"
    bars = [
        f"{each.k:3d}  {'#' * max(1, round(_CURVE * (value - low) / span)) if value > low else '*'}"
        for each, value in zip(shown, values, strict=True)
    ]
    return [title, *bars]
