"""
Coins in uneven light
=====================

The lamp stood at the upper left. Two classes of the picture as it is take its light for coins; estimated together with
the classes and taken out, it leaves the coins.
"""

from matplotlib import pyplot as plt

import gmmseg

uneven = gmmseg.segment("../../images/coins.png", k=2)
even = gmmseg.segment("../../images/coins.png", k=2, bias_field=True)

figure, axes = plt.subplots(2, 2, figsize=(8, 6.4), layout="constrained")
panels = {
    "pixels": even.image.array[..., 0],
    "two classes": uneven.labels,
    "the light, as a gain": even.bias_field,
    "two classes without it": even.labels,
}
for axis, (title, panel) in zip(axes.flat, panels.items(), strict=True):
    axis.imshow(panel, cmap="gray")
    axis.set_title(title)
    axis.axis("off")

# %%
# The coins one by one, holes filled, those that touch told apart:

coins = even.objects(2, fill_holes=True, min_size=50)
print(len(coins), "coins")
