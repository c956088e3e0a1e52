"""
Regions at every level of detail
================================

Connected regions need no number of classes: they come as a tree, which can be cut anywhere.
"""

from matplotlib import pyplot as plt

import gmmseg
from gmmseg.export.overlay import contours

tree = gmmseg.regions("../../images/coffee.png")
image = gmmseg.io.read("../../images/coffee.png")

figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
for axis, n in zip(axes, [4, 10, 40], strict=True):
    axis.imshow(contours(image, tree.labels(n=n)))
    axis.set_title(f"{n} regions")
    axis.axis("off")
