"""A picture of a disc from which a branch of its colours goes on to the end, most of which strokes leave in doubt."""

import numpy as np

BRANCH = (45, 160)
"""Row in which the branch is, and columns of the picture."""


def doubtful(scale=1):
    """The picture (90, 160, 3), or larger by a scale."""
    rows, columns = np.mgrid[:90, : BRANCH[1]]
    own = (rows - 45) ** 2 + (columns - 40) ** 2 < 196
    own |= (abs(rows - BRANCH[0]) < 4) & (columns > 50)
    levels = np.where(own[..., None], (130, 88, 60), (70, 120, 60)).repeat(scale, axis=0).repeat(scale, axis=1)
    return np.uint8((levels + np.random.default_rng(0).normal(0, 14, levels.shape)).clip(0, 255))


def strokes(scale=1):
    """Steps of strokes on the disc, on its surroundings, and on the end of the branch."""
    drawn = [(1, 3, [[35, 39], [45, 39]]), (2, 4, [[10, 6], [150, 6]]), (2, 5, [[152, 45], [155, 45]])]
    return [
        {"do": "stroke", "class": label, "size": size * scale, "points": (np.array(points) * scale).tolist()}
        for label, size, points in drawn
    ]
