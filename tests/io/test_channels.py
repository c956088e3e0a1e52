"""Choosing channels of a file, and stacking files of one grid as the channels of one image."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

import gmmseg
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io import read
from gmmseg.io.parts import files_of, name_of, parts_of
from gmmseg.io.raster import format
from gmmseg.io.raster.location import GeoReference
from gmmseg.io.stacking import stack


class CountedSource:
    """An array that says which windows and channels of it were read."""

    blocks, sweep = (2, 7), 0

    def __init__(self, array, channels=None, log=None):
        self.array, self.log = array, [] if log is None else log
        self.channels = tuple(range(array.shape[-1])) if channels is None else channels

    @property
    def shape(self):
        return (*self.array.shape[:-1], len(self.channels))

    @property
    def dtype(self):
        return self.array.dtype

    def read(self, window):
        self.log.append(self.channels)
        pixels = self.array[window][..., list(self.channels)]
        return pixels, np.isfinite(pixels).any(axis=-1) if self.dtype.kind == "f" else None


class SelectableSource(CountedSource):
    def select(self, channels):
        return SelectableSource(self.array, tuple(self.channels[c] for c in channels), self.log)


@pytest.fixture
def scene(rng):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint8)
    values.flags.writeable = False
    return Image(values, channel_names=("blue", "green", "red", "NIR"), name="scene.tif")


@pytest.mark.parametrize(
    ("channels", "positions"),
    [
        ("4,3,2", [3, 2, 1]),
        ("nir, red,2", [3, 2, 1]),
        ([1, 2, 4], [0, 1, 3]),
        (3, [2]),
        (("NIR",), [3]),
        ("1,4", [0, 3]),
    ],
)
def test_select_by_number_and_name(scene, channels, positions):
    chosen = scene.select(channels)
    np.testing.assert_array_equal(chosen.array, scene.array[..., positions])
    assert chosen.channel_names == tuple(scene.channel_names[p] for p in positions)
    assert not chosen.color
    assert np.shares_memory(chosen.array, scene.array) == (positions != [0, 1, 3])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("5", r"scene\.tif has no channel '5'; use numbers from 1 to 4, or names: blue, green, red, NIR$"),
        (0, "no channel 0; use numbers from 1 to 4"),
        (-1, "no channel -1"),
        (1.5, r"no channel 1\.5"),
        ("1,swir", "no channel 'swir'"),
        ("1,,2", "has an empty place"),
        ([], "has an empty place"),
        ("red,3", "channel 3 is chosen twice"),
    ],
)
def test_wrong_channels_are_one_line(scene, channels, message):
    with pytest.raises(ParameterError, match=message) as caught:
        scene.select(channels)
    assert "\n" not in str(caught.value)


def test_names_that_differ_in_letter_case_only(rng):
    image = Image(rng.random((3, 3, 4)), channel_names=("a", "A", "b", "b"))
    assert image.select("A").channel_names == ("A",)
    assert image.select("a").array[0, 0] == image.array[0, 0, 0]
    with pytest.raises(ParameterError, match="channels 3, 4 are all named 'b'; choose by number"):
        image.select("b")


def test_a_wavelength_may_be_a_name_where_it_is_no_number_of_a_channel(rng):
    image = Image(rng.random((3, 3, 3)), channel_names=("443", "560", "2"))
    assert image.select("560").channel_names == ("560",)
    assert image.select("2").channel_names == ("560",)


def test_bands_without_names_keep_their_numbers(rng):
    assert Image(rng.random((3, 3, 4))).select("4,2").channel_names == ("band 4", "band 2")


def test_colour_stays_colour_only_as_a_whole(rng):
    image = Image.from_array(rng.integers(0, 255, (3, 4, 3)).astype(np.uint8))
    assert image.select("1,2,3") is image
    assert not image.select("3,2,1").color
    assert not image.select("1").color


def test_pixels_whose_chosen_channels_are_all_missing_are_not_valid(rng):
    values = rng.random((4, 5, 3)) * 9
    values[1, 2, :2] = np.nan
    values[0, 0, 0] = np.inf
    image = Image.from_array(values, channel_axis=-1, mask=np.arange(20).reshape(4, 5) < 18)
    for chosen in (image.select("1,2"), Image(CountedSource(values), valid=image.valid).select("1,2")):
        whole = chosen.crop(everything((4, 5)))
        assert not whole.valid[1, 2]
        assert whole.valid[0, 0]
        assert whole.valid.sum() == 17


@pytest.mark.parametrize(("kind", "read_channels"), [(CountedSource, (0, 1, 2, 3)), (SelectableSource, (3, 1))])
def test_sources_read_only_what_they_are_asked_for(rng, kind, read_channels):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint16)
    source = kind(values)
    chosen = Image(source, color=False).select("4,2")
    assert not chosen.in_memory
    assert chosen.pixels.shape == (6, 7, 2)
    np.testing.assert_array_equal(chosen.array, values[..., [3, 1]])
    np.testing.assert_array_equal(chosen.select("2").array, values[..., [1]])
    assert source.log[0] == read_channels


def test_red_green_and_blue_by_the_file_are_colour(tmp_path, rng):
    values = rng.integers(0, 255, (8, 9, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "n.tif", values, photometric="rgb", extrasamples=["unspecified"])
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="minisblack", planarconfig="contig", extrasamples=[0] * 3)
    for memory in (None, 10):
        assert read(tmp_path / "n.tif").channel_names == ("red", "green", "blue", "band 4")
        assert read(tmp_path / "n.tif", channels="red,green,blue", memory=memory).color
        assert not read(tmp_path / "n.tif", channels="band 4,red,green", memory=memory).color
        assert not read(tmp_path / "b.tif", channels="1,2,3", memory=memory).color
    np.testing.assert_array_equal(read(tmp_path / "n.tif", channels=[1, 2, 3]).array, values[..., :3])


@pytest.mark.parametrize("memory", [None, 0, 10**9])
def test_reading_chosen_channels_is_selecting_them(pictures, memory):
    path = pictures / "L7_ETMs.tif"
    chosen = read(path, channels="4,3,2", memory=memory)
    assert chosen.in_memory == (memory != 0)
    expected = read(path)
    np.testing.assert_array_equal(chosen.array, expected.array[..., [3, 2, 1]])
    assert chosen.spacing == expected.spacing
    assert set(chosen.metadata) == set(expected.metadata)
    assert chosen.origin is None


def test_planes_that_are_taken_as_channels_are_colour_only_where_the_file_says_so(tmp_path, rng):
    values = rng.integers(0, 255, (3, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", values, photometric="minisblack", imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "p.tif", values, photometric="rgb", planarconfig="separate")
    assert not read(tmp_path / "t.tif", channel_axis=0).color
    assert read(tmp_path / "p.tif", channel_axis=0).color


def test_nodata_is_judged_by_the_chosen_bands(tmp_path):
    values = np.ones((4, 5, 3), np.uint8)
    values[1, 1] = [0, 0, 9]
    values[2, 2] = 0
    tifffile.imwrite(
        tmp_path / "n.tif",
        values,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, "s", 0, "0", True)],
        extrasamples=[0, 0],
    )
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 2]]
    for memory in (None, 0):
        chosen = read(tmp_path / "n.tif", channels="1,2", memory=memory).crop(everything((4, 5)))
        assert np.argwhere(~chosen.valid).tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("memory", [None, 0])
def test_colour_is_called_red_green_and_blue(tmp_path, rng, memory):
    values = rng.integers(0, 255, (8, 9, 3)).astype(np.uint8)
    np.save(tmp_path / "a.npy", values)
    Pillow.fromarray(values).save(tmp_path / "a.png")
    for name in ("a.npy", "a.png"):
        chosen = read(tmp_path / name, channels="Green", memory=memory)
        np.testing.assert_array_equal(chosen.array[..., 0], values[..., 1])
        assert chosen.channel_names == ("green",)


@pytest.fixture
def as_raster(tmp_path, rng, monkeypatch):
    """Have a TIFF file read as GDAL's reader does: (values, meanings of the bands) -> (path, log of what was read)."""

    def make(values, meanings):
        tifffile.imwrite(tmp_path / "r.tif", np.zeros((2, 2), np.uint8))
        source = SelectableSource(values)

        def opened(path, *, max_pixels, memory):
            pixels = values if memory is None or values.nbytes <= memory else source
            return Image(pixels, name=str(path), place=Place(native=GeoReference(facts={"colorinterp": meanings})))

        monkeypatch.setattr(format, "owns", lambda path: True)
        monkeypatch.setattr(format, "open_raster", opened)
        return tmp_path / "r.tif", source.log

    return make


@pytest.mark.parametrize("memory", [None, 0, 10**9])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_bands_of_a_raster_are_chosen_before_they_are_read(rng, as_raster, memory, dtype):
    values = rng.integers(0, 99, (6, 7, 4)).astype(dtype)
    path, log = as_raster(values, ("alpha", "blue", "green", "red", "undefined"))  # alpha is no channel of an image
    color = read(path, channels="3,2,1", memory=memory)
    assert color.color == (dtype == "u2")
    assert color.in_memory == (memory != 0)
    np.testing.assert_array_equal(color.array, values[..., [2, 1, 0]])
    assert set(log) == {(2, 1, 0)}
    assert not read(path, channels="4,3,2", memory=memory).color
    assert not read(path, channels="1,2,3", memory=memory).color
    assert not read(path, memory=memory).color
    with pytest.raises(InputError, match="above the limit of 41"):
        read(path, channels="1", max_pixels=41)


# Stacks


@pytest.fixture
def pair(tmp_path, rng):
    """Two contrasts of one grid, as .npy files, and their values."""
    values = rng.random((2, 20, 30)).astype(np.float32)
    for name, each in zip(("t1", "t2"), values, strict=True):
        np.save(tmp_path / f"{name}.npy", each)
    return f"{tmp_path}/t1.npy+{tmp_path}/t2.npy", values


def test_parts_of_a_path(tmp_path):
    for name in ("a.npy", "b+c.npy", "d.npy"):
        (tmp_path / name).touch()
    a, bc, d = (tmp_path / name for name in ("a.npy", "b+c.npy", "d.npy"))
    assert parts_of(a) == (a,)
    assert parts_of(bc) == (bc,)
    assert parts_of(f"{a}+{bc}+{d}") == (a, bc, d)
    assert parts_of(f"{tmp_path}/none.npy+{d}") == (tmp_path / "none.npy", d)
    assert files_of(f"{tmp_path}/none.npy+{d}") == (d,)
    assert name_of(f"{tmp_path}/none.npy+{d}") == "none+d"
    assert name_of(bc) == "b+c"
    for nothing in ("x.npy+y.npy", "c++.npy", "+a.npy", "a" * 5000 + "+b"):
        assert len(parts_of(nothing)) == 1
    assert parts_of([a, "b"]) == (a, Path("b"))


@pytest.mark.parametrize("memory", [None, 0, 10**9])
def test_files_stack_as_channels(pair, memory):
    path, values = pair
    for source in (path, path.split("+")):
        image = read(source, memory=memory)
        assert image.in_memory == (memory != 0)
        assert image.channel_names == ("t1", "t2")
        assert image.name == path
        assert image.pixels.dtype == np.float32
        np.testing.assert_array_equal(image.array, np.moveaxis(values, 0, -1))
        chosen = read(source, memory=memory, channels="t2")
        np.testing.assert_array_equal(chosen.array[..., 0], values[1])


def test_a_stack_is_segmented_by_all_its_channels(tmp_path, rng):
    first = np.repeat([0.0, 5.0], 15)[None] + rng.normal(0, 0.3, (20, 30))
    second = np.repeat([0.0, 5.0], 10)[:, None] + rng.normal(0, 0.3, (20, 30))
    np.save(tmp_path / "a.npy", first)
    np.save(tmp_path / "b.npy", second)
    labels = gmmseg.segment(f"{tmp_path}/a.npy+{tmp_path}/b.npy", 4).labels
    quarters = [labels[:10, :15], labels[:10, 15:], labels[10:, :15], labels[10:, 15:]]
    assert all(len(np.unique(quarter)) == 1 for quarter in quarters)
    assert len({int(quarter[0, 0]) for quarter in quarters}) == 4


@pytest.mark.parametrize("memory", [None, 0])
def test_a_missing_file_is_a_missing_channel(pair, memory):
    path, values = pair
    with pytest.warns(DataWarning, match=r"flair\.npy does not exist; its channel is missing everywhere"):
        image = read(f"{path}+flair.npy", memory=memory)
    assert image.channel_names == ("t1", "t2", "flair")
    np.testing.assert_array_equal(image.array[..., :2], np.moveaxis(values, 0, -1))
    assert np.isnan(image.array[..., 2]).all()
    assert image.crop(everything((20, 30))).valid is None
    assert image.select("flair").crop(everything((20, 30))).valid.sum() == 0


def test_without_any_file_there_is_no_image(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read(f"{tmp_path}/a.npy+{tmp_path}/b.npy")
    with pytest.raises(InputError, match="does not exist"):
        read([tmp_path / "a.npy", tmp_path / "b.npy"])
    with pytest.raises(ParameterError, match="names no file"):
        read([])
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    with pytest.raises(ParameterError, match=r"a\.npy is stacked twice; name each file once"):
        read([tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "a.npy"])


@pytest.mark.parametrize(
    ("dtypes", "result"), [("u1 u1", "u1"), ("u2 u2", "u2"), ("u1 u2", "f4"), ("f8 f8", "f8"), ("f8 u1", "f4")]
)
def test_dtypes(tmp_path, dtypes, result):
    for name, dtype in zip("ab", dtypes.split(), strict=True):
        np.save(tmp_path / f"{name}.npy", np.arange(12, dtype=dtype).reshape(3, 4))
    image = read([tmp_path / "a.npy", tmp_path / "b.npy"])
    assert image.pixels.dtype == np.dtype(result)
    assert (image.array == np.arange(12).reshape(3, 4, 1)).all()


@pytest.mark.parametrize("lazy", [False, True])
def test_a_pixel_is_valid_where_any_file_has_it(rng, tmp_path, lazy):
    values = rng.integers(1, 9, (2, 4, 5)).astype(np.uint8)
    masks = np.ones((2, 4, 5), bool)
    masks[0, :2], masks[1, 1:3] = False, False
    pixels = [CountedSource(v[..., None]) if lazy else v[..., None] for v in values]
    images = [Image(p, valid=m, name=n) for p, m, n in zip(pixels, masks, "ab", strict=True)]
    stacked = stack([tmp_path / "a.tif", tmp_path / "b.tif"], images, name="a+b")
    assert stacked.in_memory != lazy
    whole = stacked.crop(everything((4, 5)))
    np.testing.assert_array_equal(whole.valid, masks.any(axis=0))
    np.testing.assert_array_equal(np.isnan(whole.array), ~np.moveaxis(masks, 0, -1))
    np.testing.assert_array_equal(whole.array[masks[0], 0], values[0][masks[0]])


def test_a_stack_of_sources_reads_windows_of_each_and_only_chosen_channels(rng, tmp_path):
    values = rng.random((2, 6, 7, 2))
    sources = [SelectableSource(v) for v in values]
    stacked = stack([tmp_path / "a.tif", tmp_path / "b.tif"], [Image(s) for s in sources], name="a+b")
    assert stacked.channel_names == ("a 1", "a 2", "b 1", "b 2")
    assert stacked.pixels.blocks == (2, 7)
    window = (slice(2, 5), slice(1, 4))
    np.testing.assert_array_equal(stacked.crop(window).array, np.concatenate(values, axis=-1)[window])
    chosen = stacked.select("4,2,3")
    sources[0].log.clear(), sources[1].log.clear()
    np.testing.assert_array_equal(chosen.crop(window).array, np.concatenate(values, axis=-1)[window][..., [3, 1, 2]])
    assert (sources[0].log, sources[1].log) == ([(1,)], [(1, 0)])
    sources[0].log.clear()
    stacked.select("b 1").crop(window)
    assert sources[0].log == []


def test_numbers_that_float32_cannot_hold_are_missing(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1e300, 2.0]]))
    np.save(tmp_path / "b.npy", np.array([[1, 2]], np.uint8))
    with pytest.warns(DataWarning, match="1 pixels are NaN, infinite or beyond float32"):
        image = read([tmp_path / "b.npy", tmp_path / "a.npy"])
    assert image.valid is None
    assert np.isnan(image.array[0, 0, 1])


def test_shapes_have_to_agree(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    np.save(tmp_path / "b.npy", np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"b\.npy has shape \(4, 3\), but .*a\.npy has \(3, 4\); resample"):
        read([tmp_path / "a.npy", tmp_path / "b.npy"])


def _placed(name, **where):
    shape = (5, 6, 7, 1) if "affine3d" in where else (6, 7, 1)
    return Image(np.zeros(shape), name=name, place=Place(**where))


def _stack(*images):
    return stack([Path(image.name) for image in images], images, name="all")


def test_affines_have_to_agree():
    affine = np.diag([1.0, 1, 2, 1])
    rounded, moved, turned = affine + 1e-6, affine.copy(), affine.copy()
    moved[0, 3] = 0.5
    turned[:2, :2] = [[0, 1], [1, 0]]
    first = _placed("t1.nii", affine3d=affine)
    assert _stack(first, _placed("t2.nii", affine3d=rounded)).place is first.place
    with pytest.raises(
        InputError, match=r"t2\.nii lies elsewhere than t1\.nii: .* at \(0\.5, 0, 0\), not at \(0, 0, 0\)"
    ):
        _stack(first, _placed("t2.nii", affine3d=moved))
    with pytest.raises(InputError, match="lies elsewhere"):
        _stack(first, _placed("t2.nii", affine3d=turned))
    unplaced = Image(np.zeros((5, 6, 7, 1)), name="t3.npy")
    assert _stack(first, unplaced).n_channels == 2


def test_transforms_and_coordinate_systems_have_to_agree():
    transform = (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)
    first = _placed("a.tif", affine=transform, crs="EPSG:32625")
    same = _placed("b.tif", affine=tuple(v + 1e-4 for v in transform), crs=None)
    assert _stack(first, same).n_channels == 2
    moved = _placed("b.tif", affine=(30.0, 0.0, 500030.0, 0.0, -20.0, 9000000.0), crs="EPSG:32625")
    with pytest.raises(
        InputError, match=r"b\.tif lies elsewhere than a\.tif: .*\(500030, 9000000\), not at \(500000, 9"
    ):
        _stack(first, moved)
    with pytest.raises(InputError, match=r"another coordinate system than a\.tif \(EPSG:32626 and EPSG:32625\)"):
        _stack(first, _placed("b.tif", affine=transform, crs="EPSG:32626"))


@pytest.mark.filterwarnings("ignore:.*`@`.*:PendingDeprecationWarning")
def test_one_coordinate_system_in_two_spellings():
    crs = pytest.importorskip("rasterio.crs").CRS
    transform = (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)
    images = [
        _placed("a.tif", affine=transform, crs="EPSG:32625"),
        _placed("b.tif", affine=transform, crs=crs.from_epsg(32625).to_wkt()),
    ]
    assert _stack(*images).n_channels == 2


def test_georeferenced_tiff_files_have_to_agree(tmp_path):
    def write(name, x):
        tags = [(33550, "d", 3, (30, 20, 0), True), (33922, "d", 6, (0, 0, 0, x, 9e6, 0), True)]
        tifffile.imwrite(tmp_path / name, np.zeros((6, 7), np.uint8), extratags=tags)
        return tmp_path / name

    a, b, c = write("a.tif", 5e5), write("b.tif", 5e5), write("c.tif", 5e5 + 10)
    assert read([a, b]).spacing == (20, 30)
    with pytest.raises(InputError, match=r"c\.tif lies elsewhere than .*a\.tif"):
        read([a, c])


def test_spacings_have_to_agree_where_places_are_unknown():
    images = [Image(np.zeros((3, 4, 1)), name=n, spacing=s) for n, s in (("a", (1, 2)), ("b", (1, 3)))]
    with pytest.raises(InputError, match="b has pixels of 1 x 3, but a of 1 x 2; resample"):
        _stack(*images)


def test_names_of_files_that_are_called_the_same(tmp_path):
    paths = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "t1.ome.tif")
        tifffile.imwrite(paths[-1], np.zeros((3, 4), np.uint8))
    assert read(paths).channel_names == (str(tmp_path / "x" / "t1"), str(tmp_path / "y" / "t1"))
    assert read([paths[0], tmp_path / "y" / "t1.ome.tif"][:1]).channel_names == ()


def test_colour_in_a_stack_is_bands(tmp_path, rng):
    rgb = rng.integers(0, 255, (3, 4, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "nir.tif", rgb[..., 0])
    image = read([tmp_path / "rgb.tif", tmp_path / "nir.tif"])
    assert image.channel_names == ("rgb red", "rgb green", "rgb blue", "nir")
    assert not image.color
    assert not image.select("1,2,3").color


def test_masks_apply_to_the_stack(pair, tmp_path):
    path, _ = pair
    mask = np.zeros((20, 30), np.uint8)
    mask[:5] = 1
    assert read(path, mask=mask).valid.sum() == 150
    assert read(path, mask=mask, memory=0).crop(everything((20, 30))).valid.sum() == 150


def test_what_stays_in_its_file_is_segmented_like_what_is_in_memory(pictures, tmp_path):
    path = pictures / "L7_ETMs.tif"
    whole, lazy = (read(path, channels="4,3,2", memory=memory) for memory in (None, 0))
    model = gmmseg.fit(whole, 3)
    expected = gmmseg.apply(model, whole).labels
    assert len(np.unique(expected)) == 3
    np.testing.assert_array_equal(gmmseg.apply(model, lazy).labels, expected)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the program in an empty folder: (argument, ...) -> (exit code, stdout, stderr)."""
    from gmmseg.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_the_command_takes_channels_by_either_name(run, pictures):
    for number, option in enumerate(("--channels", "--bands")):
        code, out, err = run("segment", pictures / "L7_ETMs.tif", option, "4, 2", "-k", 3, "-o", f"{number}.tif")
        assert (code, err) == (0, "")
        assert "band 4  band 2" in out
    with tifffile.TiffFile("0.tif") as labels:
        assert 33550 in labels.pages[0].tags
    assert run("segment", pictures / "L7_ETMs.tif", "--bands", "4,,2")[0] == 2
    code, _, err = run("segment", pictures / "L7_ETMs.tif", "--bands", "9")
    assert code in (1, 2)
    assert err.endswith("has no channel '9'; use numbers from 1 to 6\n")


def test_the_command_takes_a_stack_and_never_writes_over_its_files(run, pair):
    path, values = pair
    code, out, err = run("segment", path, "-k", 2, "-o", "labels.npy")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["class", "share", "t1", "t2"]
    code, _, err = run("segment", path, "-k", 2, "-o", "t2.npy", "--overwrite")
    assert code == 2
    assert "t2.npy, which is an input" in err
    np.testing.assert_array_equal(np.load("t2.npy"), values[1])
    code, _, err = run("segment", "t1.npy+flair.npy", "-k", 2, "-o", "missing.npy")
    assert code == 0
    assert err == "gmmseg: warning: flair.npy does not exist; its channel is missing everywhere (NaN)\n"
