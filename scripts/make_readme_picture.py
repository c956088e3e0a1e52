"""Draw the README's pictures.

images/chelsea_segmented.png: pixels, plain mixture, with its neighbourhood, regions; images/coins_segmented.png: uneven
light, classes, classes with the bias field taken out, the field; images/coffee_model.png: the fitted classes.
"""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

import gmmseg
from gmmseg import plot
from gmmseg.export.overlay import contours
from gmmseg.io.palette import palette

IMAGES = Path(__file__).parents[1] / "images"
PANEL = (300, 200)  # columns, rows
CUT = (slice(20, 220), slice(10, 310))  # of the cat, at its own resolution
GAP = 6


def sheet(panels: list[np.ndarray], path: Path) -> None:
    """Lay panels side by side and write them in 256 colours, which take a third of the bytes."""
    columns, _ = PANEL
    paper = Pillow.new("RGB", (len(panels) * (columns + GAP) - GAP, PANEL[1]), "white")
    for number, panel in enumerate(panels):
        fitted = Pillow.fromarray(panel).convert("RGB").resize(PANEL, Pillow.Resampling.LANCZOS)
        paper.paste(fitted, (number * (columns + GAP), 0))
    paper.quantize(256).save(path, optimize=True)


def filled(picture: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Each region in its mean colour."""
    places = regions.ravel()
    counts = np.maximum(np.bincount(places), 1)
    means = np.stack([np.bincount(places, channel.ravel()) / counts for channel in np.moveaxis(picture, -1, 0)], -1)
    return means.round().astype(np.uint8)[regions]


def main() -> None:
    """Draw what a reader of the README sees first."""
    heard = gmmseg.segment(IMAGES / "chelsea.png", k=4)
    plain = gmmseg.segment(IMAGES / "chelsea.png", k=4, smooth=False)
    regions = gmmseg.regions(IMAGES / "chelsea.png").labels()
    picture, colors = heard.image.array, palette(4)
    outlined = contours(gmmseg.Image(filled(picture, regions), color=True), regions)
    panels = [picture, colors[plain.labels], colors[heard.labels], outlined]
    sheet([panel[CUT] for panel in panels], IMAGES / "chelsea_segmented.png")

    uneven = gmmseg.segment(IMAGES / "coins.png", k=2)
    even = gmmseg.segment(IMAGES / "coins.png", k=2, bias_field=True)
    field = even.bias_field
    grey = (255 * (field - field.min()) / np.ptp(field)).astype(np.uint8)
    panels = [even.image.array[..., 0], palette(2)[uneven.labels], palette(2)[even.labels], grey]
    sheet(panels, IMAGES / "coins_segmented.png")

    coffee = gmmseg.segment(IMAGES / "coffee.png", k=4)
    figure = plot.figure(coffee.model, coffee.image)
    plot.save(figure, IMAGES / "coffee_model.png", dpi=150, overwrite=True)
    with Pillow.open(IMAGES / "coffee_model.png") as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(IMAGES / "coffee_model.png", optimize=True)


if __name__ == "__main__":
    main()
