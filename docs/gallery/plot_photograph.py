"""
Classes of a photograph
=======================

A plain mixture decides for every pixel by itself; with its neighbourhood heard, a class holds together. Both come with
the probability of every class at every pixel.
"""

from matplotlib import pyplot as plt

import gmmseg
from gmmseg.io.palette import palette

plain = gmmseg.segment("../../images/chelsea.png", k=4, smooth=False)
heard = gmmseg.segment("../../images/chelsea.png", k=4)

figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
pictures = heard.image.array, palette(4)[plain.labels], palette(4)[heard.labels]
for axis, picture, title in zip(axes, pictures, ["pixels", "each for itself", "with its neighbourhood"], strict=True):
    axis.imshow(picture)
    axis.set_title(title)
    axis.axis("off")

# %%
# The classes are ellipsoids in the space of the features. What they are like can be read off:

for found in heard.classes:
    print(found.label, f"{found.share:.1%}", {name: round(value, 2) for name, value in found.means.items()})

# %%
# How sure is a pixel? The probability of a class is its soft mask, and what is left of 1 its uncertainty.

figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for axis, layer, title in zip(
    axes, [heard.probabilities[3], heard.uncertainty], ["class 4", "uncertainty"], strict=True
):
    axis.imshow(layer, cmap="gray")
    axis.set_title(title)
    axis.axis("off")
