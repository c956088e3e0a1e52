"""
A mixture of a table
====================

Tilted clusters that overlap, with gaps and gross errors in the table: the mixture is found all the same, and says how
usual each row is.
"""

import numpy as np
from matplotlib import pyplot as plt

import gmmseg
from gmmseg import plot

rng = np.random.default_rng(0)
turn = np.array([[1.0, 0.8], [0.0, 0.4]])
x = np.concatenate([rng.normal(size=(800, 2)) @ turn, rng.normal(size=(400, 2)) * 0.4 + [2.5, -0.5]])
x[:40] = rng.uniform(-8, 8, (40, 2))
gaps = x.copy()
gaps[rng.random(x.shape) < 0.2] = np.nan

mixture = gmmseg.GaussianMixture(2, outliers="uniform", random_state=0).fit(gaps)
print(mixture.means_.round(2), mixture.outlier_weight_.round(3))

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
plot.scatter(axis, mixture, x)

# %%
# What is missing is filled in by its conditional mean, and p-values find the gross errors:

filled = mixture.impute(gaps)
print(np.isnan(filled).sum(), "left;", (mixture.p_values(gaps) < 0.001).sum(), "rows are unlike the rest")
