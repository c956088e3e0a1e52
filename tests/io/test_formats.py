"""Every registered format, by the same contracts: what is written comes back, what is damaged is one clear line.

A format that is registered is taken up here by itself: for each suffix that it can write, every contract holds.
"""

import gzip
import json
import logging
import sys
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pillow_jxl  # noqa: F401  # with which Pillow writes JPEG XL
import pydicom
import pytest
import zarr
from PIL import Image as Pillow
from scipy.io import savemat

import gmmseg.io.formats as registry
from gmmseg.errors import GmmsegError, GmmsegWarning, InputError, OutputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.sources import Completed
from gmmseg.io import (
    check_target,
    read,
    read_info,
    read_labels,
    read_probabilities,
    write_labels,
    write_map,
    write_probabilities,
    write_rgb,
    write_windows,
)
from gmmseg.io.contents import Contents
from gmmseg.io.request import chosen, require_room

FOLDERS = {"Zarr"}  # labels that are never replaced, and have no single bytes to cut: see tests/io/zarr/test_write.py
WRITTEN = [
    (known, end)
    for known in registry.each_format()
    for end, kinds in known.suffixes.items()
    if kinds and known.name not in FOLDERS
]
CONTRACTS = []

# What is known of single formats; of any other, nothing that comes back may contradict what was written.
EIGHT_BITS = {"DICOM"}  # fractions of 255, whatever is asked for
ONE_SLICE = {"NIfTI"}  # probabilities of a picture have a third axis of length 1, because the fourth is the classes'
SAY_ANYWAY = {"NIfTI", "MGH"}  # sides of 1 and the axes of a scanner, where nothing is known of them
NO_IMAGES = {"DICOM"}  # segmentations refer to images, and are none
QUIET_IN_THREADS = {"NIfTI", "DICOM"}  # those whose readers are held to it so far
KEEP_SPACING = {
    "NIfTI": {"volume", "map", "scan"},
    "NRRD": {"volume", "map", "scan"},
    "MetaImage": {"volume", "map", "scan"},
    "MGH": {"volume", "scan"},
    "TIFF": {"map"},
}
KEEP_PLACE = {"NIfTI": {"scan"}, "NRRD": {"scan"}, "MetaImage": {"scan"}, "MGH": {"scan"}, "TIFF": {"map"}}


def contract(function):
    CONTRACTS.append(function)
    return function


@pytest.fixture(scope="module")
def images():
    """Images by what is known of their place; one that only formats which refer to their source need comes last."""
    affine = ((0.0, 0.0, -2.0, 30.0), (0.5, 0.0, 0.0, -7.0), (0.0, 0.75, 0.0, 11.0), (0.0, 0.0, 0.0, 1.0))
    utm = Place((30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0), "EPSG:32625", unit="m")
    return {
        "picture": Image(np.zeros((60, 47), np.uint8)),
        "volume": Image(np.zeros((5, 60, 47, 1), np.uint8), spacing=(2.0, 0.5, 0.75)),
        "map": Image(np.zeros((60, 47), np.uint8), spacing=(20.0, 30.0), place=utm),
        "scan": Image(np.zeros((60, 47, 5, 1), np.uint8), spacing=(0.5, 0.75, 2.0), place=Place(affine3d=affine)),
        "slice": read(Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"),
    }


def usable(known, images):
    """Those images of which a format can hold results; the slice only where it can hold no others."""

    def fits(image):
        try:
            known.check(image)
        except OutputError:
            return False
        return image.ndim == 2 or not known.planar

    found = {name: image for name, image in images.items() if fits(image)}
    return {name: image for name, image in found.items() if name != "slice" or len(found) == 1}


def holds(known, end, kind):
    return kind in known.suffixes[end]


def some_labels(image):
    """Regions that compress, but not to nothing, of every label up to 5."""
    numbers = np.random.default_rng(3).integers(0, 6, image.shape, dtype=np.uint8)
    numbers[..., : image.shape[-1] // 4] = 2
    return numbers


def write_something(known, end, image, path):
    """Write the simplest result that files of this name hold; what lies beside a former one is replaced."""
    if holds(known, end, "labels"):
        write_labels(path, some_labels(image), image=image, overwrite=True)
    elif holds(known, end, "picture"):
        write_rgb(path, gradients(image), image=image, overwrite=True)
    else:
        write_map(path, some_labels(image).astype(np.float32), key="anomaly", image=image, overwrite=True)


def gradients(image):
    """A picture that JPEG keeps closely."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.stack([rows * 2, columns * 2, 255 - rows - columns], -1).clip(0, 255).astype(np.uint8)


def reread(path, **options):
    """Read an image, whose axes the caller names where the file does not say them."""
    try:
        return read(path, **options)
    except ParameterError:
        return read(path, channel_axis=None, **options)


@contract
def labels_come_back(known, end, images, path):
    if not holds(known, end, "labels"):
        with pytest.raises(OutputError, match="a label map cannot be written to"):
            check_target(path, kind="labels")
        return
    for image in usable(known, images).values():
        for factor in (1, 60):  # beyond 8 bits
            numbers = some_labels(image) * np.uint16(factor)
            write_labels(path, numbers, image=image, names=("a", "b", "c", "d", "e"), overwrite=True)
            found = read_labels(path)
            assert found.dtype == (np.uint8 if factor == 1 else np.uint16)
            np.testing.assert_array_equal(found, numbers)


@contract
def probabilities_come_back_within_their_precision(known, end, images, path):
    if not holds(known, end, "soft"):
        with pytest.raises(OutputError, match="probabilities cannot be written to"):
            check_target(path, kind="soft")
        return
    for image in usable(known, images).values():
        shares = np.moveaxis(np.random.default_rng(5).dirichlet(np.ones(3), image.shape), -1, 0).astype(np.float32)
        for dtype, step in (("float32", 1e-6), ("uint16", 1 / 65535), ("uint8", 1 / 255)):
            write_probabilities(path, shares, image=image, dtype=dtype, overwrite=True)
            found = read_probabilities(path)
            found = found[..., 0] if known.name in ONE_SLICE and image.ndim == 2 else found
            largest = np.iinfo(found.dtype).max if found.dtype.kind == "u" else 1
            error = 1 / 255 if known.name in EIGHT_BITS else step
            np.testing.assert_allclose(found / largest, shares, rtol=0, atol=0.51 * error)


@contract
def maps_come_back(known, end, images, path):
    if not holds(known, end, "map"):
        with pytest.raises(OutputError, match=r"numbers cannot be written to|hold classes, not numbers"):
            check_target(path, kind="map")
        return
    for image in usable(known, images).values():
        values = np.random.default_rng(7).normal(0, 100, image.shape).astype(np.float32)
        write_map(path, values, key="anomaly", image=image, overwrite=True)
        np.testing.assert_array_equal(reread(path).array[..., 0], values)


@contract
def pictures_come_back(known, end, images, path):
    if not holds(known, end, "picture"):
        with pytest.raises(OutputError, match="a picture cannot be written to"):
            check_target(path, kind="picture")
        return
    pixels = gradients(images["picture"])
    write_rgb(path, pixels, image=images["picture"])
    image = read(path)
    assert image.color
    exact = holds(known, end, "labels")
    np.testing.assert_allclose(image.array, pixels.astype(float), atol=0 if exact else 20)


@contract
def windows_are_parts_of_the_whole(known, end, images, path):
    for image in usable(known, images).values():
        write_something(known, end, image, path)
        source = Path(image.name) if known.name in NO_IMAGES else path
        whole, lazy = reread(source), reread(source, memory=0)
        assert (lazy.shape, lazy.n_channels, lazy.pixels.dtype) == (whole.shape, whole.n_channels, whole.pixels.dtype)
        window = tuple(slice(length // 3, length - 1) for length in whole.shape)
        expected, found = whole.crop(window), lazy.crop(window)
        np.testing.assert_array_equal(found.array, expected.array)
        valid = [np.ones(each.shape, bool) if each.valid is None else each.valid for each in (found, expected)]
        np.testing.assert_array_equal(*valid)
        np.testing.assert_array_equal(reread(source, channels=[1]).array, whole.array[..., :1])
        path.unlink()


@contract
def windows_that_come_one_by_one_make_the_whole(known, end, images, path):
    for image in usable(known, images).values():
        in_file = replace(image, pixels=Completed(image.pixels))
        shares = np.random.default_rng(5).random((3, *image.shape), np.float32)
        for kind, values, options in (
            ("labels", some_labels(image), {}),
            ("soft", shares, {"dtype": "uint16"}),
            ("map", shares[0], {}),
        ):
            if holds(known, end, kind):
                names = ("anomaly",) if kind == "map" else ("a", "b", "c")
                contents = Contents(kind, image.shape, values.dtype.name, names, in_file, options)
                write_windows(path, contents, rows_of(values, image), overwrite=True)
                by_windows = path.read_bytes()
                contents = replace(contents, image=image)
                write_windows(path, contents, rows_of(values, image), overwrite=True)
                readers = {"labels": read_labels, "soft": read_probabilities, "map": reread}
                whole = readers[kind](path)
                path.write_bytes(by_windows)
                found = readers[kind](path)
                found, whole = (each.array if kind == "map" else each for each in (found, whole))
                assert found.dtype == whole.dtype
                # GeoTIFF rounds in 64 bits, which the other writers do in 32.
                np.testing.assert_allclose(found, whole, rtol=0, atol=kind == "soft")


def rows_of(values, image):
    """Windows of some rows each, of the first axis."""
    for start in range(0, image.shape[0], 4):
        window = (slice(start, min(start + 4, image.shape[0])), *(slice(0, n) for n in image.shape[1:]))
        yield window, values[(..., *window)]


@contract
def the_place_is_kept_or_not_said(known, end, images, path):
    if known.name in NO_IMAGES:
        with pytest.raises(InputError, match="not an image"):
            write_something(known, end, images["slice"], path)
            read(path)
        return
    for name, image in usable(known, images).items():
        write_something(known, end, image, path)
        found = reread(path)
        for kept, here, there in (
            (KEEP_SPACING, *lengths(found, image)),
            (KEEP_PLACE, located(found), located(image)),
        ):
            if name in kept.get(known.name, ()):
                assert here == pytest.approx(there)
            elif known.name not in SAY_ANYWAY:
                assert here is None or here == pytest.approx(there)
        path.unlink()


def lengths(found, image):
    """Sides of the pixels of both, in metres where both say the unit."""
    metres = [None if each.place is None else each.place.metres for each in (found, image)]
    if None in metres:
        metres = [1, 1]
    return [
        each.spacing and [side * m for side in each.spacing] for each, m in zip((found, image), metres, strict=True)
    ]


def located(image):
    """Where the corners of an image lie in the world; None where it does not say it."""
    matrix = None if image.place is None else image.place.matrix(image.ndim)
    return None if matrix is None else matrix.ravel().tolist()


@contract
def a_file_says_what_it_is(known, end, images, path):
    image = next(iter(usable(known, images).values()))
    write_something(known, end, image, path)
    assert registry.identify(path) is known
    info = read_info(path)
    assert (info["file"], info["format"], info["bytes"]) == (str(path), known.name, path.stat().st_size)
    assert json.loads(json.dumps(info))["format"] == known.name


@contract
def a_cut_file_is_one_line(known, end, images, path):
    image = next(iter(usable(known, images).values()))
    write_something(known, end, image, path)
    content = path.read_bytes()
    for keep in (len(content) // 2, 24):  # within the numbers, within the header
        path.write_bytes(content[:keep])
        for function in (read, read_labels, read_info):
            if function is read_info and keep > 24:
                try:  # a header that is whole may be described
                    assert read_info(path)["format"] == known.name
                    continue
                except InputError as error:
                    message = str(error)
            else:
                with pytest.raises(InputError) as caught:
                    function(path)
                message = str(caught.value)
            assert "\n" not in message
            assert str(path) in message


@contract
def threads_leave_the_process_as_it_is(known, end, images, path):
    """Filters of warnings, levels and handlers of loggers; and what libraries warn of and log is not heard."""
    if known.name not in QUIET_IN_THREADS:
        pytest.skip("not held to it so far")
    write_something(known, end, next(iter(usable(known, images).values())), path)
    content, rng = path.read_bytes(), np.random.default_rng(9)
    files = [path, Path(images["slice"].name)]
    for number in range(12):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), 4):
            changed[place] = rng.integers(256)
        files.append(path.with_name(f"{number}{end}"))
        files[-1].write_bytes(changed[: len(changed) - number])

    def reads(number):
        for each in range(25):
            function = (read, read_info, read_labels, read_probabilities)[each % 4]
            try:
                function(files[(number + each) % len(files)])
            except GmmsegError as error:
                assert "\n" not in str(error)

    heard = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = heard.append
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            reads(0)  # libraries are loaded, some of which set levels of their own then
            before = state_of_the_process()
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(reads, range(8)))
            assert state_of_the_process() == before
    finally:
        logging.getLogger().removeHandler(handler)
    assert [record.getMessage() for record in heard] == []
    assert [each for each in caught if not issubclass(each.category, GmmsegWarning)] == []


def state_of_the_process():
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    kept = {each.name: (each.level, each.disabled) for each in loggers if isinstance(each, logging.Logger)}
    return (
        list(warnings.filters),
        warnings.showwarning,
        {name: state for name, state in kept.items() if state != (logging.NOTSET, False)},
        pydicom.config.settings.reading_validation_mode,
        nibabel.imageglobals.error_level,
    )


@pytest.mark.slow
@pytest.mark.parametrize("holds_for", CONTRACTS, ids=lambda each: each.__name__)
@pytest.mark.parametrize(("known", "end"), WRITTEN, ids=[f"{known.name}{end}" for known, end in WRITTEN])
def test_every_format(holds_for, known, end, images, tmp_path):
    holds_for(known, end, images, tmp_path / f"a{end}")


def test_names_and_suffixes_are_told_apart():
    formats = registry.each_format()
    names = [known.name for known in formats]
    ends = [end for known in formats for end in known.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(ends)) == len(ends)
    assert all(end == end.lower() and end.startswith(".") for end in ends)


@pytest.mark.slow
def test_what_is_packed_says_how_it_is_read(tmp_path):
    rows = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Pillow.fromarray(rows).save(tmp_path / "a.png")
    packed, archive = tmp_path / "a.png.gz", tmp_path / "a.zip"
    packed.write_bytes(gzip.compress((tmp_path / "a.png").read_bytes()))
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / "a.png", "in/a.png")
    with pytest.raises(InputError, match=rf"a\.png\.gz is PNG compressed by gzip; name it gzip://{packed}"):
        read(packed)
    with pytest.raises(
        InputError, match=rf"is an archive of other files, not of arrays; name one, as zip://{archive}!in"
    ):
        read(archive)
    for address in (f"gzip://{packed}", f"zip://{archive}!in/a.png"):
        np.testing.assert_array_equal(read(address).array[..., 0], rows)


def test_a_format_is_loaded_when_it_is_used(fresh_python, pictures):
    code = """
import sys
from pathlib import Path
from gmmseg.io.formats import choose, identify
known = identify(Path(sys.argv[1]))
assert choose(Path("a.nii.gz"), kind="labels").name == "NIfTI"
heavy = {"numpy", "cv2", "PIL", "tifffile", "nibabel", "rasterio", "pydicom", "importlib.metadata"}
print(known.name, *sorted(heavy & set(sys.modules)))
from gmmseg.io import read
read(sys.argv[1])
print(*sorted({"PIL", "tifffile", "nibabel", "rasterio", "pydicom", "importlib.metadata"} & set(sys.modules)))
"""
    assert fresh_python(code, pictures / "coffee.png").splitlines() == ["PNG", ""]


OUTSIDER = '''
import numpy as np
from gmmseg.image import Image
from gmmseg.io.contents import assembled, refuse_options
from gmmseg.io.damage import explained
from gmmseg.io.formats import FileFormat
from gmmseg.io.contents import Contents
from gmmseg.io.request import chosen, require_room

class Grid(FileFormat):
    """A line with the dtype and the shape, then the numbers."""

    name = "grid"
    suffixes = {".grid": ("labels", "map", "soft"), ".gridded": ()}

    def sniff(self, start, path):
        return start.startswith(b"grid ")

    def read(self, path, reading):
        array = self._numbers(path, reading)
        return chosen(Image(array[..., None], name=str(path)), reading)

    def read_probabilities(self, path, reading):
        return self._numbers(path, reading)

    def _numbers(self, path, reading):
        with explained(path, "write it again"), open(path, "rb") as file:
            _, dtype, *shape = file.readline().decode().split()
            shape = tuple(map(int, shape))
            require_room(path, shape, reading)
            return np.frombuffer(file.read(), dtype).reshape(shape)

    def write(self, path, contents, windows):
        refuse_options(contents, "dtype")
        array = assembled(contents, windows)
        path.write_bytes(f"grid {array.dtype} {' '.join(map(str, array.shape))}\\n".encode() + array.tobytes())
        return {}
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that names a format as an entry point: (source of its module, value) -> None."""

    def install(source, value):
        site = tmp_path / "site"
        information = site / "gridded-1.0.dist-info"
        information.mkdir(parents=True)
        (site / "gridded.py").write_text(source)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: gridded\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[gmmseg.formats]\ngrid = {value}\n")
        monkeypatch.syspath_prepend(site)
        registry.outsiders.cache_clear()

    yield install
    sys.modules.pop("gridded", None)
    monkeypatch.undo()
    registry.outsiders.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("holds_for", CONTRACTS, ids=lambda each: each.__name__)
def test_a_format_of_another_package(installed, holds_for, images, tmp_path):
    installed(OUTSIDER, "gridded:Grid")
    (known,) = registry.outsiders()
    assert registry.choose(tmp_path / "a.GRID", kind="labels") is known
    holds_for(known, ".grid", images, tmp_path / "a.grid")


def test_a_format_of_another_package_is_named_in_messages(installed, tmp_path):
    installed(OUTSIDER, "gridded:Grid")
    with pytest.raises(OutputError, match=r"use one of .*\.grid$"):
        check_target(tmp_path / "a.xyz")
    with pytest.raises(OutputError, match=r"'\.gridded', which a label map cannot be written to"):
        check_target(tmp_path / "a.gridded")
    (tmp_path / "a.grid").write_text("something else")
    with pytest.raises(InputError, match=r"a\.grid is named as a grid file, but starts with text"):
        read(tmp_path / "a.grid")


@pytest.mark.parametrize(
    ("source", "reason"), [("import a_package_that_is_missing", "No module named"), ("Grid = int", "it is no")]
)
def test_a_broken_package_does_not_stop_others(installed, tmp_path, pictures, source, reason):
    installed(source, "gridded:Grid")
    assert read(pictures / "coffee.png").color  # a format of gmmseg does not ask others
    (tmp_path / "a.grid").write_bytes(b"grid")
    with (
        pytest.warns(GmmsegWarning, match=rf"the file format grid \(gridded:Grid\) cannot be used \({reason}"),
        pytest.raises(InputError, match=r"a\.grid"),
    ):
        read(tmp_path / "a.grid")


class Numbers(registry.FileFormat):
    """Text of numbers, with all else as simple formats have it."""

    name, suffixes, folders = "numbers", {".num": ()}, True

    def sniff(self, start, path):
        return path.suffix == ".num"

    def read(self, path, reading):
        array = np.loadtxt(path if path.is_file() else path / "numbers", np.uint16, ndmin=2)
        require_room(path, array.shape, reading)
        return chosen(Image(array, name=str(path)), reading)


@pytest.fixture
def numbers(monkeypatch):
    known = Numbers()
    monkeypatch.setattr(registry, "outsiders", lambda: (known,))
    return known


def test_a_simple_format_has_the_rest_by_itself(numbers, tmp_path):
    path = tmp_path / "a.num"
    path.write_text("0 1 2\n3 4 500\n")
    np.testing.assert_array_equal(read_labels(path), [[0, 1, 2], [3, 4, 500]])
    info = read_info(path)
    assert (info["format"], info["shape"], info["channels"], info["dtype"]) == ("numbers", [2, 3], 1, "uint16")
    with pytest.raises(InputError, match="is a numbers file; give probability maps as"):
        read_probabilities(path)
    with pytest.raises(InputError, match="above the limit of 5"):
        read(path, max_pixels=5)
    assert numbers.suffix_of_labels(path, "auto") == ".tif"
    assert numbers.place(path) is numbers.class_names(path) is None


def test_a_folder_can_be_an_image(numbers, tmp_path):
    folder = tmp_path / "a.num"
    folder.mkdir()
    (folder / "numbers").write_text("7 8\n")
    np.testing.assert_array_equal(read(folder).array[..., 0], [[7, 8]])
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)


def _hdf5(path, values):
    with h5py.File(path, "w") as file:
        file["image"] = values


def _matlab(path, values):
    savemat(path, {"image": values})


def _zarr(path, values):
    zarr.create_array(path, shape=values.shape, dtype=values.dtype, chunks=(16, 16))[:] = values


def _grid(path, values):
    rows = "\n".join(" ".join(map(str, row)) for row in values.tolist())
    size = f"ncols {values.shape[1]}\nnrows {values.shape[0]}\n"
    path.write_text(f"{size}xllcorner 0\nyllcorner 0\ncellsize 1\n{rows}\n")


def _picture(path, values):
    Pillow.fromarray(values).save(path, **({"lossless": True} if path.suffix == ".jxl" else {}))


ONLY_READ = {
    "BMP": ("a.bmp", _picture),
    "GIF": ("a.gif", _picture),
    "AVIF": ("a.avif", _picture),
    "JPEG XL": ("a.jxl", _picture),
    "HDF5": ("a.h5", _hdf5),
    "MATLAB": ("a.mat", _matlab),
    "Zarr": ("a.zarr", _zarr),
    "GDAL raster": ("a.asc", _grid),
}
LOSSY = {"AVIF": 12}  # how far a grey value may be off


def test_every_format_is_written_or_only_read():
    written = {known.name for known, _ in WRITTEN}
    # Scenes of satellites are folders in scale, and nibabel has samples of scans; their tests are beside them.
    elsewhere = {"satellite scene", "Analyze", "AFNI", "PAR/REC", "MINC"}
    assert {known.name for known in registry.each_format()} - written == {*ONLY_READ, *elsewhere}


@pytest.mark.parametrize("name", ONLY_READ)
def test_what_is_only_read(tmp_path, name):
    if name == "AVIF" and not registry.has_module("PIL.AvifImagePlugin"):
        pytest.skip("this Pillow does not know AVIF")
    rows, columns = np.mgrid[:40, :56]
    values = (rows * 3 + columns * 2).astype(np.uint8)
    path = tmp_path / ONLY_READ[name][0]
    ONLY_READ[name][1](path, values)
    assert registry.identify(path).name == name
    image, stays = read(path), read(path, memory=0)
    for found in (image, stays):
        assert found.shape == (40, 56)
        np.testing.assert_allclose(found.array[..., 0].astype(int), values, atol=LOSSY.get(name, 0))
    window = (slice(3, 20), slice(7, 50))
    np.testing.assert_array_equal(stays.crop(window).array, image.crop(window).array)
    json.dumps(read_info(path), allow_nan=False)
    with pytest.raises(InputError, match=r"above the limit of 99; raise max_pixels"):
        read(path, max_pixels=99)
    with pytest.raises(OutputError):
        check_target(path.with_name("b" + path.suffix), kind="map" if name in FOLDERS else "labels")
    if path.is_file():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=path.name) as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("to", ["gpkg", "geojson"])
def test_files_of_outlines_are_exported(to):
    with pytest.raises(OutputError, match=f"; outlines are written by `gmmseg export --to {to}`$"):
        registry.choose(Path(f"x.{to}"), kind="labels")
    with pytest.raises(OutputError, match=r"cannot be written to; use one of [^;]*$"):
        registry.choose(Path(f"x.{to}"), kind="soft")


@pytest.mark.parametrize(
    ("scans", "pictures", "opened", "is_series"), [(3, 2, 6, True), (2, 2, 5, False), (0, 9, 6, False)]
)
def test_a_folder_is_a_series_where_most_images_in_it_are(tmp_path, monkeypatch, scans, pictures, opened, is_series):
    (tmp_path / "0.txt").write_text("a text does not count")
    for number in range(pictures):
        (tmp_path / f"a{number}").write_bytes(b"\x89PNG\r\n\x1a\n")
    for number in range(scans):
        (tmp_path / f"b{number}").write_bytes(bytes(128) + b"DICM")
    looked, real = [], registry.first_bytes
    monkeypatch.setattr(registry, "first_bytes", lambda path: (looked.append(path), real(path))[1])
    if is_series:
        assert registry.identify(tmp_path).name == "DICOM"
    else:
        with pytest.raises(InputError, match="is a folder"):
            registry.identify(tmp_path)
    assert len(looked) == opened
