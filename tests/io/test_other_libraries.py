"""What other libraries hold images in."""

import gzip
import io
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pydicom
import pytest
import rasterio
import SimpleITK
from affine import Affine
from PIL import Image as Pillow
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read
from gmmseg.io.opening import Reading, is_one_image, open_image


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)


def assert_same(image, expected):
    assert image.color == expected.color
    assert image.array.dtype == expected.array.dtype
    np.testing.assert_array_equal(image.array, expected.array)
    assert (image.valid is None) == (expected.valid is None)
    assert image.valid is None or np.array_equal(image.valid, expected.valid)
    assert image.metadata == expected.metadata


def turned():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return exif


PICTURES = {
    "palette.png": lambda picture: (picture.quantize(9), {}),
    "palette and transparency.png": lambda picture: (picture.quantize(9), {"transparency": 3}),
    "inks.jpg": lambda picture: (picture.convert("CMYK"), {}),
    "bits.png": lambda picture: (picture.convert("1"), {}),
    "grey and alpha.png": lambda picture: (picture.convert("LA"), {}),
    "alpha.png": lambda picture: (Pillow.fromarray(np.dstack([np.asarray(picture), np.eye(12, 15, dtype="u1")])), {}),
    "deep.png": lambda picture: (Pillow.fromarray(np.asarray(picture)[..., 0].astype(np.uint16) * 250), {}),
    "turned.jpg": lambda picture: (picture, {"exif": turned(), "dpi": (300, 150)}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_pillow_is_the_file_that_it_came_from(tmp_path, rgb, name):
    picture, options = PICTURES[name](Pillow.fromarray(rgb))
    picture.save(tmp_path / name, **options)
    expected = read(tmp_path / name)
    with Pillow.open(tmp_path / name) as opened:
        image = open_image(opened)
    assert_same(image, expected)
    assert image.name == str(tmp_path / name)


def test_a_picture_without_a_file(rgb):
    picture = Pillow.fromarray(rgb)
    image = open_image(picture, Reading(channels="3,1", mask=np.eye(12, 15, dtype=bool)))
    np.testing.assert_array_equal(image.array, rgb[..., [2, 0]])
    assert image.valid.sum() == 12
    with pytest.raises(InputError, match=r"180 pixels, above the limit of 100"):
        open_image(picture, Reading(max_pixels=100))
    with pytest.raises(ParameterError, match="channel_axis=0 does not fit image"):
        open_image(picture, Reading(channel_axis=0))
    with (
        Pillow.open(io.BytesIO(encoded(rgb)[:80])) as cut,
        pytest.raises(InputError, match=r"^image is damaged or cut short .*picture\.convert\('RGB'\)"),
    ):
        open_image(cut)


def encoded(rgb):
    buffer = io.BytesIO()
    Pillow.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_encoded_bytes_are_their_file(rgb, kind):
    image = open_image(kind(encoded(rgb)))
    np.testing.assert_array_equal(image.array, rgb)
    assert image.name == "image"


def test_an_open_file_is_read_from_where_it_stands(tmp_path, rgb):
    path = tmp_path / "a"
    path.write_bytes(b"12345" + encoded(rgb))
    with open(path, "rb") as file:
        file.seek(5)
        image = open_image(file)
        np.testing.assert_array_equal(image.array, rgb)
        assert image.name == str(path)
        with pytest.raises(InputError, match=r"a is at its end; .*seek\(0\)"):
            open_image(file)
    with (
        open(path, encoding="utf-8") as file,  # of which these bytes are none
        pytest.raises(InputError, match="is open as text; open it with mode 'rb'"),
    ):
        open_image(file)


def test_an_open_file_from_its_beginning_is_its_path(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    with open(tmp_path / "a.npy", "rb") as file:
        image = open_image(file, Reading(memory=0))
    assert not image.in_memory
    assert image.array[2, 3, 0] == 11


def test_what_inflates_a_file_is_not_the_file_of_its_name(tmp_path, rgb):
    (tmp_path / "a.png.gz").write_bytes(gzip.compress(encoded(rgb)))
    with gzip.open(tmp_path / "a.png.gz") as file:
        np.testing.assert_array_equal(open_image(file).array, rgb)


def test_pixels_stay_in_a_copy_as_long_as_they_are_read():
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12.0).reshape(3, 4))
    image = open_image(buffer.getvalue(), Reading(memory=0)).select([1])
    assert not image.in_memory
    assert image.array[2, 3, 0] == 11


def test_what_is_wrong_with_bytes_names_no_temporary_file(rgb):
    with pytest.raises(InputError, match="^image is damaged or cut short"):
        open_image(encoded(rgb)[:60])
    with pytest.raises(InputError, match="^image starts with text, which is no known image"):
        open_image(b"hello, world")
    with pytest.raises(InputError, match=r"^image is larger than the 64 MiB that are copied; raise memory"):
        open_image(bytes(65 << 20), Reading(budget=1))


def test_grey_of_netpbm_needs_a_name_that_bytes_do_not_have():
    image = open_image(b"P5\n3 2\n255\n" + bytes([1, 2, 3, 4, 5, 6]))
    np.testing.assert_array_equal(image.array[..., 0], [[1, 2, 3], [4, 5, 6]])


@pytest.fixture
def scene(tmp_path, rng):
    bands = rng.integers(1, 4000, (4, 20, 30), dtype=np.uint16)
    options = {"count": 4, "width": 30, "height": 20, "dtype": "uint16", "crs": "EPSG:32633"}
    with rasterio.open(
        tmp_path / "s.tif", "w", driver="GTiff", transform=Affine(30, 0, 5e5, 0, -20, 9e6), nodata=0, **options
    ) as file:
        file.write(bands)
        file.descriptions = ("b", "g", "r", "n")
    return tmp_path / "s.tif"


@pytest.mark.parametrize("memory", [None, 0])
def test_an_open_dataset_is_its_file_and_stays_open(scene, memory):
    expected = read(scene)
    with rasterio.open(scene) as dataset:
        image = open_image(dataset, Reading(memory=memory, channels="r,b"))
        assert image.in_memory == (memory is None)
        np.testing.assert_array_equal(image.array, expected.array[..., [2, 0]])
        assert (image.place, image.spacing, image.place.unit) == (expected.place, (20.0, 30.0), "m")
        assert image.channel_names == ("r", "b")
        del image
        assert dataset.read(1).shape == (20, 30)
    with pytest.raises(InputError, match=r"s\.tif is a closed dataset; open it again, or pass its path"):
        open_image(dataset)


def test_datasets_that_have_no_file(scene):
    with MemoryFile(scene.read_bytes()) as memory, memory.open() as dataset:
        assert_same(open_image(dataset), read(scene))
    with rasterio.open(scene) as dataset:
        for numbers, channels in ((2, "2"), ([1, 3], "1,3")):
            with pytest.raises(InputError, match=rf"rasterio\.Band of .*pass the dataset, with channels='{channels}'"):
                open_image(rasterio.band(dataset, numbers))
    with rasterio.open(scene) as dataset, WarpedVRT(dataset, crs="EPSG:32632") as warped:
        assert "32632" in open_image(warped).place.crs
    with (
        MemoryFile() as memory,
        memory.open(
            driver="GTiff", count=1, width=3, height=2, dtype="uint8", transform=Affine(2, 0, 5, 0, -2, 5)
        ) as new,
        pytest.raises(InputError, match="open for writing; close it and pass its path"),
    ):
        open_image(new)


def stand_in(monkeypatch, library, name, **attributes):
    """Make a class of a library that is not installed here, as its users' objects look."""
    made = type(name, (), {"__module__": library, **attributes})
    monkeypatch.setitem(sys.modules, library, ModuleType(library))
    setattr(sys.modules[library], name, made)
    return made


@pytest.mark.parametrize(
    ("facts", "call"),
    [
        ({"requires_grad": True}, "image.detach()"),
        ({"device": "cuda:0"}, "image.cpu()"),
        ({"device": "cuda:1", "requires_grad": True}, "image.detach().cpu()"),
        ({"layout": "torch.sparse_coo"}, "image.to_dense()"),
        ({"dtype": "torch.bfloat16"}, "image.float()"),
    ],
)
def test_a_tensor_is_an_array_or_says_what_makes_it_one(monkeypatch, rgb, facts, call):
    usual = {"requires_grad": False, "device": "cpu", "layout": "torch.strided", "dtype": "torch.uint8"}
    tensor = stand_in(monkeypatch, "torch", "Tensor", **usual, numpy=lambda self: np.moveaxis(rgb, -1, 0))
    image = open_image(tensor(), Reading(channel_axis=0))
    np.testing.assert_array_equal(image.array, rgb)
    with pytest.raises(ParameterError, match="channel_axis"):
        open_image(tensor())
    other = tensor()
    for name, value in facts.items():
        setattr(other, name, value)
    with pytest.raises(InputError) as caught:
        open_image(other)
    assert str(caught.value).endswith(f"; pass {call}")


def test_an_array_on_a_graphics_card_says_what_fetches_it(monkeypatch):
    array = stand_in(monkeypatch, "cupy", "ndarray", __array__=None)
    with pytest.raises(InputError, match=r"graphics card; pass image\.get\(\)"):
        open_image(array())


class Exchanged:
    """An array that has DLPack's protocol and no other."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_whatever_gives_an_array(rgb):
    for source in (Exchanged(rgb.copy()), SimpleArray(rgb)):
        assert_same(open_image(source), open_image(rgb))
        assert is_one_image(source)
    stubborn = SimpleArray(None)
    with pytest.raises(InputError, match=r"SimpleArray that gives no array \(not today\); convert it"):
        open_image(stubborn)
    with pytest.raises(InputError, match="dtype object"):
        open_image(SimpleNamespace())


class SimpleArray:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        if self.array is None:
            raise TypeError("not today")
        return self.array


def test_axes_are_those_of_arrays_and_of_nothing_that_has_its_own(tmp_path, rgb, scene):
    frames = np.stack([rgb[..., 0]] * 3, -1)
    for source in (Exchanged(frames.copy()), SimpleArray(frames)):
        image = open_image(source, Reading(axes="YXT"))
        assert image.time
        assert_same(image, open_image(frames, Reading(axes="YXT")))
    with rasterio.open(scene) as dataset:
        for known in (Pillow.fromarray(rgb), dataset):
            with pytest.raises(ParameterError, match="has its axes; leave it out"):
                open_image(known, Reading(axes="YXS"))


def test_results_of_an_open_dataset_lie_where_it_does(tmp_path, scene):
    with rasterio.open(scene) as dataset:
        for memory in (1 << 30, 64 << 20):
            seg = gmmseg.segment(dataset, 3, memory=memory)
            seg.save(tmp_path / "l.tif", overwrite=True)
            with rasterio.open(tmp_path / "l.tif") as labels:
                assert (labels.crs, labels.transform) == (dataset.crs, dataset.transform)
                np.testing.assert_array_equal(labels.read(1), gmmseg.segment(scene, 3).labels)


def test_one_model_of_pictures_and_of_bytes(rgb):
    picture = Pillow.fromarray(rgb)
    means = gmmseg.fit(rgb, 3).mixture.means
    for images in (picture, [picture], encoded(rgb), io.BytesIO(encoded(rgb))):
        np.testing.assert_array_equal(gmmseg.fit(images, 3).mixture.means, means)
    assert not is_one_image([picture])


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm"])
def test_a_dataset_of_pydicom_is_its_file(name):
    path = pydicom.data.get_testdata_file(name)
    dataset = pydicom.dcmread(path)
    before = dataset.file_meta.to_json(), dataset.to_json()
    image, expected = open_image(dataset), read(path)
    assert_same(image, expected)
    assert (image.place, image.spacing, image.name) == (expected.place, expected.spacing, "image")
    assert (dataset.file_meta.to_json(), dataset.to_json()) == before


def slices(n):
    """Datasets of a series, the last slice first."""
    found = []
    for number in range(n)[::-1]:
        dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        dataset.ImagePositionPatient = [-100.0, -50.0, 3.0 * number]
        dataset.PixelData = np.full((128, 128), 7 * number, np.int16).tobytes()
        found.append(dataset)
    return found


def test_datasets_of_pydicom_are_a_series(tmp_path):
    datasets = slices(3)
    assert is_one_image(datasets)
    for number, each in enumerate(datasets):
        each.save_as(tmp_path / f"{number}.dcm")
    expected = read(tmp_path)
    for image in (open_image(datasets), open_image(tuple(datasets), Reading(memory=0))):
        assert_same(image, expected)
        assert image.place == expected.place
        assert image.place.affine3d[2][0] == 3
    np.testing.assert_array_equal(gmmseg.fit(datasets, 2).mixture.means, gmmseg.fit(tmp_path, 2).mixture.means)


def test_datasets_of_pydicom_that_are_no_image():
    datasets = slices(2)
    with pytest.raises(InputError, match=r"^image\[1\] is a numpy\.ndarray, the others are datasets of pydicom"):
        open_image([datasets[0], np.zeros((2, 2))])
    bare = pydicom.Dataset()
    bare.Rows = 3
    with pytest.raises(InputError, match=r"^image is a dataset of pydicom that does not say .*; pass its path, or set"):
        open_image(bare)
    with pytest.raises(InputError, match=r"^image\[0\] is a dataset of pydicom that does not say"):
        open_image([bare])
    del datasets[0].PixelData
    with pytest.raises(InputError, match="^image holds no pixels, only a header"):
        open_image(datasets[0])
    datasets[1].file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000  # which its pixels are not
    with pytest.raises(InputError, match="^image is no dataset that can be written") as caught:
        open_image(datasets[1])
    assert "\n" not in str(caught.value)


@pytest.fixture
def itk(monkeypatch):
    """The class of what ITK's own package holds, and what makes an array of it."""
    made = stand_in(monkeypatch, "itk.ITKCommonBasePython", "itkDataObject")
    monkeypatch.setitem(sys.modules, "itk", ModuleType("itk"))
    sys.modules["itk"].array_from_image = lambda scan: scan.numbers
    return made


class OfSimpleITK:
    """What ITK says of an image, by that of SimpleITK: sequences of its own kinds, directions as a matrix."""

    def __init__(self, twin):
        self.numbers = SimpleITK.GetArrayFromImage(twin)
        self.GetSpacing, self.GetOrigin = twin.GetSpacing, twin.GetOrigin
        self.GetLargestPossibleRegion = lambda: SimpleNamespace(GetSize=twin.GetSize)
        self.GetDirection = lambda: np.reshape(twin.GetDirection(), (twin.GetDimension(),) * 2)
        self.GetNumberOfComponentsPerPixel = twin.GetNumberOfComponentsPerPixel


def itk_image(base, numbers, *, n_parts=1):
    twin = SimpleITK.GetImageFromArray(numbers, isVector=n_parts > 1)
    n_axes = twin.GetDimension()
    turn = np.eye(n_axes)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    twin.SetSpacing((0.5, 2.0, 3.0)[:n_axes])
    twin.SetOrigin((1.0, -2.0, 3.0)[:n_axes])
    twin.SetDirection(turn.ravel())
    return type("itkImageF3", (OfSimpleITK, base), {"__module__": "itk.itkImagePython"})(twin), twin


@pytest.mark.parametrize(("shape", "n_parts"), [((6, 5), 1), ((6, 5, 3), 3), ((4, 6, 5), 1), ((4, 6, 5, 2), 2)])
def test_an_image_of_itk_is_that_of_simpleitk(itk, rng, shape, n_parts):
    scan, twin = itk_image(itk, rng.integers(0, 99, shape).astype(np.float32), n_parts=n_parts)
    image, expected = open_image(scan), open_image(twin)
    assert_same(image, expected)
    assert (image.place, image.spacing) == (expected.place, expected.spacing)


def test_a_mask_that_itk_holds_lies_where_it_says(itk, rng):
    scan, _ = itk_image(itk, rng.integers(0, 99, (4, 6, 5)).astype(np.float32))
    inside = np.zeros((4, 6, 5), np.uint8)
    inside[1, 2, 3] = 1
    mask, _ = itk_image(itk, inside)
    np.testing.assert_array_equal(np.argwhere(open_image(scan, Reading(mask=mask)).valid), [[3, 2, 1]])


def test_what_itk_holds_and_is_no_image(itk, monkeypatch):
    with pytest.raises(InputError, match=r"^image is an itk\.itkDataObject, which has no pixels; pass an image"):
        open_image(itk())
    scan, _ = itk_image(itk, np.zeros((2, 3), np.float32))

    def refuse(scan):
        raise RuntimeError("No suitable template parameter can be found.\nSpecify an output type.")

    monkeypatch.setattr(sys.modules["itk"], "array_from_image", refuse)
    with pytest.raises(
        InputError, match=r"itkImageF3, which gives no array \(No suitable .*\); pass one of real"
    ) as caught:
        open_image(scan)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4), (6, 5, 4, 3)])
@pytest.mark.parametrize("n_parts", [1, 3])
def test_a_scan_of_ants_is_the_one_that_itk_holds(monkeypatch, rng, shape, n_parts):
    if len(shape) == 4 and n_parts > 1:
        pytest.skip("refused, as of SimpleITK")
    numbers = rng.integers(0, 99, (*shape, n_parts)[: None if n_parts > 1 else -1]).astype(np.float32)
    n_axes = len(shape)
    turn = np.eye(n_axes)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    facts = {"spacing": (0.5, 2.0, 3.0, 1.0)[:n_axes], "origin": (1.0, -2.0, 3.0, 0.0)[:n_axes], "direction": turn}
    ants = stand_in(
        monkeypatch, "ants.core.ants_image", "ANTsImage", numpy=lambda self: numbers, shape=shape, components=n_parts
    )
    scan = ants()
    vars(scan).update(facts)
    slowest_first = numbers.transpose(*range(n_axes)[::-1], *range(n_axes, numbers.ndim))
    twin = SimpleITK.GetImageFromArray(slowest_first, isVector=n_parts > 1)
    twin.SetSpacing(facts["spacing"])
    twin.SetOrigin(facts["origin"])
    twin.SetDirection(turn.ravel())
    image, expected = open_image(scan), open_image(twin)
    assert_same(image, expected)
    assert (image.place, image.spacing) == (expected.place, expected.spacing)
