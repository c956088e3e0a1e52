"""Without OpenCV everything works all the same: its twin is taken, and pictures are as they are with it."""

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg.image.vision import opencv, with_opencv

STORY = """
import sys

sys.modules["cv2"] = None  # an import of it fails
import numpy as np
import gmmseg
from gmmseg.cli import main
from gmmseg.image.vision import opencv, with_opencv

assert opencv().__name__ == "gmmseg.image.opencv_twin" and not with_opencv()
pictures, deep = sys.argv[1:]
commands = (
    f"segment {pictures}/coffee.png -k 4 -o l.png --quiet",
    "segment cup.png -k 3 --features luv,hsv -o h.png --overlay o.jpg --contours c.png --report r.html --quiet",
    "cutout cup.png -k 3 --class 3 -o cut.png --background white --feather 2 --quiet",
    "regions cup.png -n 9 -o regions.png --quiet",
)
for command in commands:
    assert main(command.split()) == 0, command
np.save("deep.npy", gmmseg.io.read(deep).array)
"""


def test_opencv_works_where_it_is():
    pytest.importorskip("cv2", reason="it is not here")
    assert with_opencv()
    assert opencv().__name__ == "cv2"


@pytest.mark.slow
def test_the_story_of_the_coffee_without_opencv(fresh_python, pictures, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="there is nothing to compare with")
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])
    with Pillow.open(pictures / "coffee.png") as picture:
        picture.crop((200, 100, 400, 250)).save(tmp_path / "cup.png")
    fresh_python(STORY, pictures, tmp_path / "deep.png")
    np.testing.assert_array_equal(np.load(tmp_path / "deep.npy"), deep)
    labels = gmmseg.segment(pictures / "coffee.png", k=4).labels
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "l.png"), labels)
    tree = gmmseg.regions(tmp_path / "cup.png")
    ours = gmmseg.io.read_labels(tmp_path / "regions.png")
    assert (ours == tree.labels(n=9)).mean() > 0.95
