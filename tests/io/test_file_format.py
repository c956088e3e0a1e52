"""What a file format is: what follows from little, and the formats of gmmseg, which load when they are first used."""

from pathlib import Path

import numpy as np
import pytest

from gmmseg.errors import GmmsegError, InputError, OutputError
from gmmseg.image import Image
from gmmseg.io.contents import Contents
from gmmseg.io.file_format import BuiltIn, FileFormat, has_module, not_probabilities
from gmmseg.io.request import Reading, chosen


class Grid(FileFormat):
    """The least that a format has to say."""

    name, suffixes = "grid", {".grid": ()}

    def sniff(self, start, path):
        return start.startswith(b"grid")

    def read(self, path, reading):
        rows = np.loadtxt(path, np.uint8, skiprows=1, ndmin=2)
        return chosen(Image(rows[..., None].repeat(2 if path.stem == "two" else 1, -1), name=str(path)), reading)


@pytest.fixture
def grid(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.grid").write_text("grid\n1 2 3\n4 5 6\n")
    return tmp_path / "one.grid"


def test_what_follows_for_a_format_that_says_the_least(grid):
    known = Grid()
    assert isinstance(known, FileFormat)
    assert known.read_labels(grid, Reading()).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert known.describe(grid) == {"shape": [2, 3], "channels": 1, "dtype": "uint8"}
    assert known.suffix_of_labels(grid, "auto") == ".tif"
    assert (known.place(grid), known.class_names(grid)) == (None, None)
    known.check(Image(np.zeros((2, 3, 1))))
    known.prepare()


def test_what_it_cannot_do_is_said_in_one_line(grid):
    known = Grid()
    with pytest.raises(InputError, match=r"two\.grid has 2 channels, so it is not a label map"):
        known.read_labels(grid.with_name("two.grid"), Reading())
    with pytest.raises(InputError, match=r"one\.grid is a grid file; give probability maps as NPZ, NPY, TIFF or NIfTI"):
        known.read_probabilities(grid, Reading())
    with pytest.raises(OutputError, match=r"^b\.grid: grid files are only read; choose another suffix"):
        known.write(grid, Contents("labels", (2, 3), "uint8", target=Path("b.grid")), [])
    assert str(not_probabilities(Path("a.png"), "PNG")).startswith("a.png is a PNG file; ")


def test_what_lacks_a_part_is_no_format():
    class Nameless:
        def sniff(self, start, path):
            return True

    assert not isinstance(Nameless(), FileFormat)


def test_signatures_are_looked_for_where_they_are():
    known = BuiltIn("X", {".x": frozenset()}, "array.format:NPY", ((0, b"AB"), (4, b"CD")))
    assert known.sniff(b"ABxx", Path("a"))
    assert known.sniff(b"xxxxCD", Path("a"))
    assert not known.sniff(b"xAB", Path("a"))
    assert not known.sniff(b"", Path("a"))


def test_its_module_does_the_work(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.uint8).reshape(2, 3))
    known = BuiltIn("NPY", {".npy": frozenset({"labels"})}, "array.format:NPY", ((0, b"\x93NUMPY"),), labels=".png")
    assert known.read(tmp_path / "a.npy", Reading()).shape == (2, 3)
    assert known.read_labels(tmp_path / "a.npy", Reading()).max() == 5
    assert known.describe(tmp_path / "a.npy")["dtype"] == "uint8"
    # What its module is not said to answer is not asked of it.
    assert known.suffix_of_labels(tmp_path / "a.npy", "auto") == ".png"
    assert (known.place(tmp_path / "a.npy"), known.class_names(tmp_path / "a.npy")) == (None, None)


def test_a_package_that_is_missing_is_named_with_its_extra():
    known = BuiltIn("X", {}, "nifti.format", extra="medical", needs="no_such_package")
    with pytest.raises(GmmsegError, match=r"no_such_package, which is not installed; pip install 'gmmseg\[medical\]'"):
        known.read(Path("a.x"), Reading())


def test_formats_load_nothing_before_they_are_used(fresh_python):
    code = (
        "import sys, pathlib; from gmmseg.io.formats import FORMATS;"
        "print([each.name for each in FORMATS if each.sniff(b'II*\\0', pathlib.Path('a'))]);"
        "print(*sorted({'numpy', 'tifffile', 'PIL', 'nibabel', 'pydicom', 'cv2', 'rasterio'} & set(sys.modules)))"
    )
    assert fresh_python(code).splitlines() == ["['TIFF']", ""]


def test_packages_are_looked_for_without_loading_them(fresh_python):
    assert has_module("math")
    assert not has_module("no_such_package")
    code = (
        "import sys; from gmmseg.io.file_format import has_module; print(has_module('scipy'), 'scipy' in sys.modules)"
    )
    assert fresh_python(code).strip() == "True False"


@pytest.mark.parametrize(
    ("signatures", "answers", "first", "expected"),
    [
        (((0, b"AB"), (0, b"CD")), (), b"C", True),
        (((0, b"AB"), (0, b"CD")), (), b"B", False),
        (((4, b"AB"),), (), b"B", True),
        (((0, b""),), (), b"B", True),  # which only the suffix tells
        ((), (), b"B", False),
        ((), ("sniff",), b"B", True),
        (((0, b"AB"),), (), b"", False),
    ],
)
def test_which_files_a_format_is_asked_about(signatures, answers, first, expected):
    known = BuiltIn("a", {}, "nowhere", signatures, answers=frozenset(answers))
    assert known.may_begin(first) == expected
