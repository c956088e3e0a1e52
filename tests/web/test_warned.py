"""Warnings for the page: each once, of places in the whole image."""

import numpy as np

from gmmseg.errors import DataWarning
from gmmseg.image import Image
from gmmseg.web.warned import warned

PHOTO = Image.from_array(np.zeros((300, 201), np.uint8), name="some/photo.png")


def test_a_place_in_a_copy_is_the_middle_of_what_it_stands_for():
    (told,) = warned([DataWarning("some/photo.png: look at {place}", (0, 66))], (100, 67), PHOTO)
    assert told == {"text": "look at row 1, column 199", "place": [1, 199]}
    (told,) = warned([DataWarning("look at {place}", (7, 9))], PHOTO.shape, PHOTO)
    assert told["place"] == [7, 9]


def test_what_is_said_twice_is_told_once():
    said = [DataWarning("other.png: odd"), DataWarning("few"), DataWarning("other.png: odd")]
    assert warned(said, (1, 1), PHOTO) == [
        {"text": "other.png: odd", "place": None},
        {"text": "few", "place": None},
    ]
