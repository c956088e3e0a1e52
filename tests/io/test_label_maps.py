"""Label maps as images, whole and in windows."""

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import write_labels
from gmmseg.io.file_format import BuiltIn
from gmmseg.io.label_maps import label_windows, open_labels
from gmmseg.io.request import Reading

LABELS = (np.arange(600 * 520).reshape(600, 520) // 1000 % 4).astype(np.uint8)
PLACED = Image(LABELS[..., None], place=Place((30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0), "EPSG:32633"))


@pytest.mark.parametrize("name", ["a.tif", "a.nii", "a.npy"])
@pytest.mark.parametrize("memory", [None, 0])
def test_numbers_are_those_of_the_file_in_windows_too(tmp_path, name, memory):
    write_labels(tmp_path / name, LABELS, image=PLACED if name == "a.tif" else None)
    image = open_labels(tmp_path / name, Reading(memory=memory))
    assert image.in_memory == (memory is None)
    found = np.zeros_like(LABELS)
    for window, labels in label_windows(image):
        found[window] = labels
    np.testing.assert_array_equal(found, LABELS)
    if name == "a.tif":
        assert image.place.affine == PLACED.place.affine


@pytest.mark.parametrize("name", ["a.png", "plain.png", "a.tif", "a.nii", "a.npy"])
def test_a_file_is_decoded_once(tmp_path, monkeypatch, name):
    write_labels(tmp_path / name, LABELS, plain=name == "plain.png")
    decoded = []
    for function in ("read", "read_labels"):
        whole = getattr(BuiltIn, function)

        def counted(self, path, reading, whole=whole):
            decoded.append(path)
            return whole(self, path, reading)

        monkeypatch.setattr(BuiltIn, function, counted)
    np.testing.assert_array_equal(open_labels(tmp_path / name).array[..., 0], LABELS)
    assert len(decoded) == 1


@pytest.mark.parametrize("transparency", [2, bytes([255, 128, 0])])
def test_a_class_in_a_transparent_colour_is_no_data(tmp_path, transparency):
    picture = Pillow.fromarray(LABELS).convert("P")
    picture.putpalette(range(12))
    picture.putdata(LABELS.ravel().tolist())
    picture.save(tmp_path / "a.png", transparency=transparency)
    ((_, labels),) = label_windows(open_labels(tmp_path / "a.png"))
    np.testing.assert_array_equal(labels, np.where(LABELS == 2, 0, LABELS))


def test_what_is_not_exact_is_no_label_map(tmp_path):
    Pillow.fromarray(LABELS).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="values are not exact"):
        open_labels(tmp_path / "a.jpg")


def test_a_photograph_is_no_label_map(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4), np.float32))
    with pytest.raises(InputError, match="labels are whole numbers"):
        open_labels(tmp_path / "a.npy")
