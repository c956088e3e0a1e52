"""Names of classes in the text chunks of PNG files."""

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from gmmseg.errors import InputError
from gmmseg.io.picture.png_classes import class_colors, class_names

LABELS = np.array([[0, 1, 2]], np.uint8)


def saved(path, add):
    texts = PngInfo()
    add(texts)
    Pillow.fromarray(LABELS).save(path, pnginfo=texts)
    return path


def test_names_that_others_wrote(tmp_path):
    path = saved(tmp_path / "a.png", lambda t: (t.add_text("Title", "x"), t.add_text("class_names", '["sea", "land"]')))
    assert class_names(path) == ("sea", "land")


@pytest.mark.parametrize("text", ['{"water": 1}', "[1, 2]", "water", "[" * 100_000])
def test_what_is_no_list_of_texts(tmp_path, text):
    path = saved(tmp_path / "a.png", lambda t: t.add_itxt("class_names", text))
    with pytest.raises(InputError, match=r"a\.png: its class names are no list of texts"):
        class_names(path)


def test_a_file_that_ends_early_has_neither(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert class_names(path) is None
    assert class_colors(path) is None
