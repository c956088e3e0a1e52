"""Pictures that are not plain grey or RGB, through Pillow."""

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.io import read, read_info


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palette_with_transparency(tmp_path, suffix):
    indices = np.tile(np.array([[0, 1, 2, 3]], np.uint8), (4, 1))
    picture = Pillow.fromarray(indices)
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    picture.save(tmp_path / f"p.{suffix}", transparency=2)
    image = read(tmp_path / f"p.{suffix}")
    assert image.color
    assert image.array[0, 1].tolist() == [40, 50, 60]
    assert image.valid[0].tolist() == [True, True, False, True]


def test_gif_gives_the_first_frame(tmp_path):
    frames = [Pillow.new("P", (4, 4), value) for value in (1, 2)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "a.gif").array[0, 0].tolist() == [200, 0, 0]
    assert read_info(tmp_path / "a.gif")["pages"] == 2


def test_one_bit_is_zero_and_one(tmp_path):
    bits = np.eye(9, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "bits.png")
    image = read(tmp_path / "bits.png")
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.array[..., 0], bits)


def test_cmyk_jpeg_is_not_inverted(tmp_path):
    Pillow.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    image = read(tmp_path / "c.jpg")
    assert image.color
    np.testing.assert_allclose(image.array[8, 8], [250, 10, 10], atol=4)
