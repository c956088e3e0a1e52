"""Draw the README's pictures.

images/coffee_segmented.png: photograph, plain mixture, smoothed, overlay; images/coffee_model.png: the fitted classes.
"""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

import gmmseg
from gmmseg import plot
from gmmseg.export.colors import palette
from gmmseg.export.overlay import overlay

IMAGES = Path(__file__).parents[1] / "images"
PANEL = (300, 200)  # columns, rows
GAP = 6


def main() -> None:
    """Segment the coffee, with and without smoothing, lay four panels side by side, and plot the model."""
    smoothed = gmmseg.segment(IMAGES / "coffee.png", k=4)
    plain = gmmseg.apply(smoothed.model, IMAGES / "coffee.png", smooth=False)
    colors = palette(4)
    panels = [
        np.asarray(smoothed.image.pixels),
        colors[plain.labels],
        colors[smoothed.labels],
        overlay(smoothed.image, smoothed.labels),
    ]
    columns, rows = PANEL
    sheet = Pillow.new("RGB", (len(panels) * (columns + GAP) - GAP, rows), "white")
    for number, panel in enumerate(panels):
        sheet.paste(Pillow.fromarray(panel).resize(PANEL, Pillow.Resampling.LANCZOS), (number * (columns + GAP), 0))
    # 256 colours are enough here and take a third of the bytes.
    sheet.quantize(256).save(IMAGES / "coffee_segmented.png", optimize=True)
    figure = plot.figure(smoothed.model, smoothed.image)
    plot.save(figure, IMAGES / "coffee_model.png", dpi=150, overwrite=True)
    with Pillow.open(IMAGES / "coffee_model.png") as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(IMAGES / "coffee_model.png", optimize=True)


if __name__ == "__main__":
    main()
