"""`gmmseg relabel`: classes of a label map or a model merged, renamed and dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import memory_option
from gmmseg.cli.table import class_table
from gmmseg.cli.types import FILE, SOURCE, Classes, Command, Renamed, classes, output, running
from gmmseg.io.formats import suffixes_for

__all__ = ["command"]


@click.command("relabel", cls=Command)
@click.argument("labels", type=SOURCE)
@classes(
    "--merge",
    multiple=True,
    type=Classes(),
    help="Classes that become one, by number or name: 3,4. It keeps the lowest number and the first name. Give it once "
    "for each group.",
)
@classes("--rename", type=Renamed(), help="New names of classes: 1=water,2=forest.")
@classes("--drop", type=Classes(), help="Classes that become 0, no data: 5.")
@classes(
    "--keep-numbers",
    is_flag=True,
    help="Leave gaps where classes have gone. Otherwise each number moves down by one for each lower one that has.",
)
@output(
    "-o",
    "--output",
    type=FILE,
    help="Label map: .png, .tif, .npy, .npz, .nii or .nii.gz; or model: .json.  [default: NAME_relabelled in this "
    "folder]",
)
@output("--overwrite", is_flag=True, help="Replace files that exist.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@memory_option
@running("-q", "--quiet", is_flag=True, help="Print no table.")
def command(
    labels: Path, *, output: Path | None, overwrite: bool, as_json: bool, memory: int, quiet: bool, **changes: Any
) -> int:
    """Merge, rename and drop the classes of a label map or a model.

    LABELS is a label map in any format, or a model (.json), whose new classes `gmmseg apply` then gives, and 0 where a
    pixel is of a class that was dropped. All numbers are those of LABELS. Place, resolution, names and colours are kept
    as far as the output can hold them.

    \b
    Examples:
      gmmseg relabel land.tif --merge 3,4 --rename 1=water,2=forest --drop 5
      gmmseg relabel land.tif --merge oak,pine --merge 1,2 -o simple.tif
      gmmseg relabel land.gmm.json --merge 3,4 --drop cloud -o simple.gmm.json
    """  # noqa: D301  # click keeps the lines below this character as they are
    if not any(changes[name] for name in ("merge", "rename", "drop")):
        raise click.UsageError("nothing is to be changed; give --merge, --rename or --drop")
    target = output or _default(labels)
    from gmmseg.labelling.relabelling import relabel

    with collected_warnings(lambda: None) as warned:
        classes = relabel(
            labels,
            target,
            merge=changes["merge"],
            rename=changes["rename"],
            drop=changes["drop"] or (),
            keep_numbers=changes["keep_numbers"],
            memory=memory,
            overwrite=overwrite,
        )
    size = "weight" if target.suffix.lower() == ".json" else "share"
    rows: list[dict[str, Any]] = [
        {"label": each.label, "name": each.name, size: each.share, **each.sizes}
        | {"map_color": f"#{bytes(each.map_color).hex()}", "means": {}}
        for each in classes
    ]
    if as_json:
        facts = [{name: value for name, value in row.items() if name != "means"} for row in rows]
        print_json({"input": str(labels), "output": str(target), "classes": facts, "warnings": warned})
    elif not quiet:
        count = "1 class" if len(rows) == 1 else f"{len(rows)} classes"
        click.echo(plain(f"wrote {target}: {count}") + "\n" + class_table(rows))
    return 0


def _default(labels: Path) -> Path:
    """Return the name of the output in the current folder: of the same format, where labels are written in it."""
    name = labels.name
    ends = [".gmm.json", ".json", *sorted(suffixes_for("labels"), key=len, reverse=True)]
    end = next((each for each in ends if name.lower().endswith(each)), None)
    stem = name[: -len(end)] if end else labels.stem
    if end == ".dcm":  # whose place in the patient NIfTI keeps
        return Path(f"{stem}_relabelled.nii.gz")
    return Path(f"{stem}_relabelled{name[len(stem) :] if end else '.tif'}")
