"""
How many classes?
=================

Four criteria for one to six classes of a cell in phase contrast; ICL, which counts classes that are clearly apart,
decides.
"""

from matplotlib import pyplot as plt

import gmmseg
from gmmseg import plot

choice = gmmseg.choose_k("../../images/cell.png", covariance="full", max_k=6)
tried = choice.candidates
curves = {name.upper(): [getattr(each, name) for each in tried] for name in ("bic", "aic", "icl", "mdl")}

figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
plot.criteria(axis, [each.k for each in tried], chosen=choice.k, **curves)

# %%
# The reason in words:

print(choice.reason)
