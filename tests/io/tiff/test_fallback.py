"""Compressions that tifffile leaves to others."""

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.io import read


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressions_that_need_another_decoder(tmp_path, smooth_rgb, compression, mode):
    path = tmp_path / "c.tif"
    Pillow.fromarray(smooth_rgb).convert(mode).save(path, compression=compression)
    with Pillow.open(path) as picture:
        expected = np.asarray(picture).reshape(40, 60, -1)
    image = read(path)
    assert image.color == (mode == "RGB")
    np.testing.assert_array_equal(image.array, expected)


def test_lzw_sixteen_bits(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    grey = rng.integers(0, 65536, (20, 30), dtype=np.uint16)
    Pillow.fromarray(grey).save(
        tmp_path / "g.tif", compression="tiff_lzw", save_all=True, append_images=[Pillow.fromarray(grey + 1)]
    )
    np.testing.assert_array_equal(read(tmp_path / "g.tif").array[..., 0], [grey, grey + 1])
    colour = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "c.tif"), colour[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_array_equal(read(tmp_path / "c.tif").array, colour)


def test_group4_fax(tmp_path):
    bits = np.eye(16, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "f.tif", compression="group4")
    np.testing.assert_array_equal(read(tmp_path / "f.tif").array[..., 0], bits)
