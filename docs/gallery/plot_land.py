"""
Land from a satellite
=====================

Six bands of Landsat 7 over Olinda in Brazil, five classes, and what they cover on the ground.
"""

import numpy as np
from matplotlib import pyplot as plt

import gmmseg
from gmmseg.io.palette import palette

seg = gmmseg.segment("../../images/L7_ETMs.tif", k=5)
bands = seg.image.array[..., [3, 2, 1]].astype(float)  # near infrared, red, green
low, high = np.percentile(bands, [2, 98], axis=(0, 1))

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
axes[0].imshow(((bands - low) / (high - low)).clip(0, 1))
axes[1].imshow(palette(5)[seg.labels])
for axis in axes:
    axis.axis("off")

# %%
# Hectares of each class, and its mean in the near infrared:

table = seg.table()
for label, area, infrared in zip(table["label"], table["area_ha"], table["band 4_mean"], strict=True):
    print(label, f"{area:7.1f} ha", f"{infrared:6.1f}")
