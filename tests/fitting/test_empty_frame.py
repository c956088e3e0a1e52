"""A frame of one value around a picture is no part of its objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import gmmseg
from gmmseg import Image
from gmmseg.fitting.empty_frame import Frame


def discs(seed: int, side: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Blurred discs above an even ground of about 100."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((side, side))
    light = np.zeros((side, side))
    for y in range(16, side, 32):
        for x in range(16, side, 32):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2] = rng.uniform(0.6, 1.4)
    return rng.poisson(100 + 400 * ndimage.gaussian_filter(light, 1.5)).astype(np.uint16), light > 0


def turned(seed: int, degrees: float = 15, fill: float = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same, turned as programs do it; where discs are; and what is outside."""
    values, truth = discs(seed)
    turn = {"angle": degrees, "reshape": False, "order": 1}
    values = ndimage.rotate(values, cval=fill, **turn)
    outside = ndimage.rotate(np.ones(truth.shape), **turn) == 0
    return values, ndimage.rotate(truth.astype(float), **turn) > 0.5, outside


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_objects_of_a_turned_picture_are_those_of_what_is_inside(seed: int, dtype: type) -> None:
    values, truth, outside = turned(seed)
    labels = gmmseg.segment(values.astype(dtype), 2).labels
    assert (labels[outside] == 1).all()
    assert dice(labels == 2, truth) > 0.93
    inside = gmmseg.segment(values.astype(dtype), 2, mask=~outside).labels
    assert (labels != inside)[~outside].mean() < 0.01


def test_a_frame_that_is_a_class_by_itself_stays_one() -> None:
    values, truth, outside = turned(0)
    labels = gmmseg.segment(values, 3).labels
    assert (labels[outside] == 1).all()
    assert np.count_nonzero(labels == 1) < 1.1 * np.count_nonzero(outside)
    assert dice(labels == 3, truth) > 0.93


def test_the_darkest_class_is_the_frame_s_in_the_other_order_too_and_names_stay() -> None:
    values, truth, outside = turned(1)
    found = gmmseg.segment(values, 2, order="bright", class_names=["cells", "ground"])
    assert (found.labels[outside] == 2).all()
    assert dice(found.labels == 1, truth) > 0.93
    assert [each.name for each in found.classes] == ["cells", "ground"]
    three = gmmseg.segment(values, 3, order="bright").labels
    assert (three[outside] == 3).all()
    assert dice(three == 1, truth) > 0.93


def test_labels_are_the_same_on_any_threads_and_by_a_saved_model(tmp_path: Any) -> None:
    values, _, _ = turned(2)
    found = gmmseg.segment(values, 2, threads=1)
    np.testing.assert_array_equal(gmmseg.segment(values, 2, threads=3).labels, found.labels)
    found.model.save(tmp_path / "cells.gmm.json")
    np.testing.assert_array_equal(
        gmmseg.apply(gmmseg.load_model(tmp_path / "cells.gmm.json"), values).labels, found.labels
    )


def test_a_frame_is_of_one_value_far_below_all_inside() -> None:
    values, _, outside = turned(0)

    def frame(changed: np.ndarray) -> Frame | None:
        return Frame.of(Image(changed[..., None]))

    found = frame(values)
    assert found is not None
    np.testing.assert_array_equal(found.inside, values != 0)
    assert found.levels[0, 0] == 0
    assert frame(discs(0)[0]) is None
    assert frame(np.where(outside, 80, values)) is None  # nearly as dark as the ground
    assert frame(np.where(outside, values.max() + 9, values)) is None
    holes = values.copy()
    holes[40:60, 70:90] = 0  # inside there is the same: it was measured
    assert frame(holes) is None
    assert frame(np.where(outside, 0, 150)) is None  # what is drawn has no noise
    assert frame(np.zeros((20, 20), np.uint8)) is None
    alone = np.zeros((200, 200), np.uint16)
    alone[60:140, 60:140] = values[40:120, 40:120]
    assert frame(alone) is None  # most of it is what the picture is of


def test_one_thing_on_black_is_told_from_it() -> None:
    rng, (rows, columns) = np.random.default_rng(0), np.indices((160, 160))
    disc = (rows - 80) ** 2 + (columns - 80) ** 2 < 70**2
    values = np.where(disc, rng.normal(100, 4, disc.shape).round(), 0).astype(np.uint8)
    np.testing.assert_array_equal(gmmseg.segment(values, 2).labels == 2, disc)
