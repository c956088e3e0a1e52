"""Legends: below the picture, which they do not touch."""

import numpy as np
import pytest

import gmmseg
from gmmseg.export.legend import with_legend

ENTRIES = [((0, 114, 178), "water"), ((230, 159, 0), "forest"), ((0, 158, 115), "class 3")]


@pytest.mark.parametrize("columns", [5, 60, 600, 4000])
def test_the_picture_is_untouched_and_each_class_shown(columns):
    picture = np.random.default_rng(0).integers(0, 256, (40, columns, 3), np.uint8)
    found = with_legend(picture, ENTRIES)
    np.testing.assert_array_equal(found[:40], picture)
    strip = found[40:].reshape(-1, 3)
    for color, _ in ENTRIES if columns > 50 else []:
        assert (strip == color).all(axis=1).sum() > 20
    assert (strip == 255).all(axis=1).mean() > 0.3
    if columns == 600:
        assert len(strip) / columns < 60


def test_nothing_to_say():
    picture = np.zeros((4, 5, 3), np.uint8)
    assert with_legend(picture, []) is picture


def test_letters_of_any_kind_and_long_names(monkeypatch):
    from PIL import ImageFont

    from gmmseg.export import legend

    pillows = ImageFont.truetype

    def missing(font, *size, **more):
        if isinstance(font, str):
            raise OSError
        return pillows(font, *size, **more)

    monkeypatch.setattr(ImageFont, "truetype", missing)
    legend._font.cache_clear()
    picture = np.zeros((4, 300, 3), np.uint8)
    plain = with_legend(picture, [((9, 9, 9), "Unter " + "x" * 90)])
    np.testing.assert_array_equal(with_legend(picture, [((9, 9, 9), "Ünter " + "x" * 90)]), plain)
    legend._font.cache_clear()


def test_classes_without_pixels_are_left_out():
    seg = gmmseg.segment(
        np.repeat(np.uint8([[10, 200]]), 32, axis=0).repeat(32, axis=1), k=2, class_names=["low", "high"]
    )
    assert [text for _, text in seg.legend] == ["low  50.0 %", "high  50.0 %"]
    assert seg.overlay(legend=True).shape[0] > seg.overlay().shape[0]
    model = gmmseg.apply(seg.model, np.full((8, 8), 10, np.uint8))
    assert [text for _, text in model.legend] == ["low  100.0 %"]
