"""Draw the pictures of README and guides.

images/chelsea_segmented.png: pixels, plain mixture, with its neighbourhood, regions; images/coins_segmented.png: uneven
light, classes, classes with the bias field taken out, the field; images/coffee_model.png: the fitted classes;
images/nuclei_segmented.png: pixels, classes, objects; images/land_segmented.png: infrared, red and green, classes;
images/head_segmented.png: a slice of the guide's made scan, tissues without and with the bias field, a soft mask.
"""

import os
import re
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

import gmmseg
from gmmseg import plot
from gmmseg.export.overlay import contours
from gmmseg.io.palette import palette

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "images"
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


def grey(values: np.ndarray) -> np.ndarray:
    """Numbers from the 1st to the 99th percentile as grey levels."""
    low, high = np.percentile(values, [1, 99])
    return (255 * ((values - low) / (high - low)).clip(0, 1)).astype(np.uint8)


def nuclei() -> None:
    """Nuclei as pixels, as a class, and as objects one by one."""
    seg = gmmseg.segment(IMAGES / "nuclei.tif", k=2)
    objects = seg.objects(2, min_size=30)
    shuffled = np.random.default_rng(0).permutation(len(objects)) % 12
    colors = np.concatenate([[[0, 0, 0]], palette(12)[1:][shuffled]]).astype(np.uint8)
    panels = [grey(seg.image.array[..., 0]), palette(2)[seg.labels], colors[objects.labels]]
    cut = (slice(0, 342), slice(0, 512))
    sheet([panel[cut] for panel in panels], IMAGES / "nuclei_segmented.png")


def land() -> None:
    """A satellite's near infrared, red and green, and five classes."""
    seg = gmmseg.segment(IMAGES / "L7_ETMs.tif", k=5)
    infrared = np.stack([grey(seg.image.array[..., band]) for band in (3, 2, 1)], axis=-1)
    cut = (slice(0, 233), slice(0, 349))
    sheet([infrared[cut], palette(5)[seg.labels][cut]], IMAGES / "land_segmented.png")


def head() -> None:
    """The scan that the guide makes: a slice of it, its tissues and one of its soft masks."""
    guide = (ROOT / "docs" / "guides" / "scans.md").read_text(encoding="utf-8")
    made = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert made is not None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(made[1], {})
        plain = gmmseg.segment("head.nii.gz", k=3, mask="head_mask.nii.gz")
        even = gmmseg.segment("head.nii.gz", k=3, mask="head_mask.nii.gz", bias_field=True)
        at = (30, slice(12, 60))
        layers = [plain.image.array[..., 0], plain.labels, even.labels, even.probabilities[2]]
        scan, uneven, tissue, white = (layer[at].T for layer in layers)
        os.chdir(ROOT)
    colors = palette(3)
    sheet([grey(scan), colors[uneven], colors[tissue], grey(white)], IMAGES / "head_segmented.png")


def main() -> None:
    """Draw what a reader sees first."""
    nuclei()
    land()
    head()
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
    light = (255 * (field - field.min()) / np.ptp(field)).astype(np.uint8)
    panels = [even.image.array[..., 0], palette(2)[uneven.labels], palette(2)[even.labels], light]
    sheet(panels, IMAGES / "coins_segmented.png")

    coffee = gmmseg.segment(IMAGES / "coffee.png", k=4)
    figure = plot.figure(coffee.model, coffee.image)
    plot.save(figure, IMAGES / "coffee_model.png", dpi=150, overwrite=True)
    with Pillow.open(IMAGES / "coffee_model.png") as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(IMAGES / "coffee_model.png", optimize=True)


if __name__ == "__main__":
    main()
