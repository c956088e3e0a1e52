"""The first picture of a GIF file."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import DataWarning
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.picture.gif import first_picture, gif_header


@pytest.fixture(params=[0, 2])
def frames(request):
    """A GIF file of three pictures: (disposal of each) -> bytes."""
    pictures = [Pillow.new("P", (5, 4), value) for value in (1, 2, 3)]
    for picture in pictures:
        picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    content = io.BytesIO()
    options = {"save_all": True, "append_images": pictures[1:], "disposal": request.param}
    pictures[0].save(content, "GIF", comment=b"made up " * 99, **options)
    return content.getvalue()


def test_headers(frames):
    header = gif_header(io.BytesIO(frames))
    assert (header.width, header.height, header.color, header.frames) == (5, 4, "palette", 3)
    assert gif_header(io.BytesIO(frames[:12])) is None
    assert gif_header(io.BytesIO(frames[:20])) is None


def test_only_the_first_picture_is_left(frames):
    first = first_picture(io.BytesIO(frames))
    assert len(first) < len(frames)
    assert gif_header(io.BytesIO(first)).frames == 1
    with Pillow.open(io.BytesIO(first)) as alone, Pillow.open(io.BytesIO(frames)) as all_of_them:
        assert alone.disposal_method == 0
        np.testing.assert_array_equal(np.asarray(alone.convert("RGB")), np.asarray(all_of_them.convert("RGB")))


def test_files(tmp_path, frames):
    (tmp_path / "a.gif").write_bytes(frames)
    with pytest.warns(DataWarning, match="is animated: of its 3 pictures the first is read"):
        assert read(tmp_path / "a.gif").array[0, 0].tolist() == [200, 0, 0]
    assert read_labels(tmp_path / "a.gif").shape == (4, 5)
    assert read_info(tmp_path / "a.gif")["pages"] == 3
