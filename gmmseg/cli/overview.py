"""The commands, and the help of the whole program, without an argument parser."""

from __future__ import annotations

__all__ = ["COMMANDS", "overview"]

# Name of the command: the module that holds it as `command`, and what it does.
COMMANDS = {
    "segment": ("gmmseg.cli.segment", "Segment images into classes and write their label maps."),
    "fit": ("gmmseg.cli.fit", "Fit one model to one image or to many of a kind."),
    "apply": ("gmmseg.cli.apply", "Segment images with a fitted model: same classes, same numbers."),
    "batch": ("gmmseg.cli.batch", "Segment folders of images in several processes, and resume."),
    "plan": ("gmmseg.cli.plan", "Tell what workers will have to do for an image: chunks, bytes, memory, time."),
    "regions": ("gmmseg.cli.regions", "Cut a picture into connected regions."),
    "choose-k": ("gmmseg.cli.choose_k", "Choose how many classes an image has."),
    "measure": ("gmmseg.cli.measure", "Measure the classes of a label map: shares, areas, volumes."),
    "objects": ("gmmseg.cli.objects", "Find and measure the objects of a class one by one."),
    "export": ("gmmseg.cli.export", "Export label maps to annotation tools, training pipelines and GIS."),
    "cutout": ("gmmseg.cli.cutout", "Cut an object out of a picture, with soft edges."),
    "view": ("gmmseg.cli.view", "Work on a picture in the browser: classes, strokes, merging, exports."),
    "relabel": ("gmmseg.cli.relabel", "Merge, rename and drop the classes of a label map or a model."),
    "evaluate": ("gmmseg.cli.evaluate", "Compare a label map with a truth, or with several people's."),
    "plot": ("gmmseg.cli.plot", "Draw a model's classes among the pixels of an image."),
    "report": ("gmmseg.cli.report", "Show the images of a batch on one page, the most unlike first."),
    "info": ("gmmseg.cli.info", "Describe an image, a model file or this installation."),
}

_OVERVIEW = """\
Usage: gmmseg COMMAND [OPTIONS] ...

Segment images with Gaussian mixtures: label maps and soft masks, from a
snapshot to a volume.

Commands:
{commands}

Examples:
  gmmseg segment photo.png -k 4            write photo_labels.png, print the classes
  gmmseg segment *.tif --out-dir labels    many images, one label map each
  gmmseg batch scenes --out-dir labels     folders of images, in all processors
  gmmseg fit scenes -k 6 -o land.gmm.json  one model for the images of a folder
  gmmseg apply land.gmm.json *.tif         the same classes in other images
  gmmseg view photo.png                    work on it in the browser
  gmmseg cutout photo.png --class 2        an object on a transparent ground
  gmmseg info photo.png                    what the file holds
  gmmseg plot land.gmm.json scene.tif      draw a model as a figure

Options:
  -h, --help  Show this text.
  --version   Show the version.

Run `gmmseg COMMAND --help` for the options of a command.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some files failed and the others
were done.
"""


def overview() -> str:
    """Return the help of the whole program, made from `COMMANDS`."""
    width = max(map(len, COMMANDS))
    return _OVERVIEW.format(commands="\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()))
