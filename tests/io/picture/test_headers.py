"""What the headers of pictures say."""

import pytest
from PIL import Image as Pillow

from gmmseg.io import read, read_info


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_resolution_is_kept(tmp_path, smooth_rgb, suffix):
    path = tmp_path / f"r.{suffix}"
    Pillow.fromarray(smooth_rgb).save(path, dpi=(300, 150))
    assert read(path).metadata["dpi"] == pytest.approx((300, 150), rel=1e-3)


def test_info_decodes_nothing(tmp_path, smooth_rgb):
    path = tmp_path / "i.png"
    Pillow.fromarray(smooth_rgb).save(path)
    path.write_bytes(path.read_bytes()[:60])
    info = read_info(path)
    assert (info["format"], info["size"], info["channels"], info["bits"]) == ("PNG", [60, 40], 3, 8)
