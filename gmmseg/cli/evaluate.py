"""`gmmseg evaluate`: how well labels agree with a truth."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gmmseg.cli.records import print_json
from gmmseg.cli.types import SOURCE, Command, Option

if TYPE_CHECKING:
    from gmmseg.evaluation import Agreement

__all__ = ["command"]

_output = partial(click.option, cls=Option, section="Output")

_NAMES = {
    "rand_index": "probabilistic Rand index",
    "variation_of_information": "variation of information (bits)",
    "covering": "covering",
    "adjusted_rand_index": "adjusted Rand index",
    "boundary_f": "boundary F",
}
_MOST_LISTED = 20


@click.command("evaluate", cls=Command)
@click.argument("labels", type=SOURCE)
@click.argument("truths", metavar="TRUTH...", nargs=-1, required=True, type=SOURCE)
@_output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
def command(labels: Path, truths: tuple[Path, ...], *, as_json: bool) -> int:
    """Compare a label map with a truth, or with several people's.

    Numbers need not agree: classes are matched with true classes so that the Dice coefficients are largest. Pixels that
    are 0 in either are left out, but for Dice and boundaries. All scores are 1 at best, the variation of information 0.

    \b
    Examples:
      gmmseg evaluate photo_labels.png truth.png
      gmmseg evaluate tissue.nii.gz expert1.nii.gz expert2.nii.gz --json
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.evaluation import evaluate
    from gmmseg.io.reading import read_labels

    found = evaluate(read_labels(labels), [read_labels(truth) for truth in truths])
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(_text(found))
    return 0


def _text(found: Agreement) -> str:
    rows: list[tuple[str, Any]] = [(title, getattr(found, name)) for name, title in _NAMES.items()]
    rows.append(("segments", found.segments))
    for number, score in list(found.dice.items())[:_MOST_LISTED]:
        match = found.matching[number]
        rows.append(
            (f"Dice of true class {number}", f"{score:.4f}  (label {match})" if match else "0  (no label left)")
        )
    if len(found.dice) > _MOST_LISTED:
        rows.append(("", f"{len(found.dice) - _MOST_LISTED} more true classes: see --json"))
    width = max(len(title) for title, _ in rows)
    shown = [(t, f"{v:.4f}" if isinstance(v, float) else str(v)) for t, v in rows if v is not None]
    return "\n".join(f"{title:{width}}  {value}".rstrip() for title, value in shown)
