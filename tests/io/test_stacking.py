"""Files of one grid as the channels of one image."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from counted_sources import CountedSource, SelectableSource

import gmmseg
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.channels import SCALINGS
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io import read
from gmmseg.io.stacking import stack


@pytest.fixture
def pair(tmp_path, rng):
    """Two contrasts of one grid, as .npy files, and their values."""
    values = rng.random((2, 20, 30)).astype(np.float32)
    for name, each in zip(("t1", "t2"), values, strict=True):
        np.save(tmp_path / f"{name}.npy", each)
    return f"{tmp_path}/t1.npy+{tmp_path}/t2.npy", values


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


def test_a_coordinate_system_that_nobody_knows(capfd):
    transform = (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)
    first = _placed("a.tif", affine=transform, crs="EPSG:32625")
    for crs in ("EPSG:99999", "+proj=nothing", 'PROJCS["x",GEOGCS["y'):
        with pytest.raises(InputError, match=r"b\.tif has another coordinate system than a\.tif"):
            _stack(first, _placed("b.tif", affine=transform, crs=crs))
    assert capfd.readouterr() == ("", "")


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


def test_channels_of_all_subjects_have_the_same_names(tmp_path):
    for subject in ("sub-01_run-1", "sub-02_run-1"):
        for word in ("T1w", "T2w"):
            np.save(tmp_path / f"{subject}_{word}.npy", np.zeros((3, 4)))
        image = read([tmp_path / f"{subject}_T2w.npy", tmp_path / f"{subject}_T1w.npy"])
        assert image.channel_names == ("T2w", "T1w")
    both = [tmp_path / "sub-01_run-1_T1w.npy", tmp_path / "sub-02_run-1_T1w.npy"]
    assert read(both).channel_names == ("sub-01_run-1_T1w", "sub-02_run-1_T1w")


def test_channels_are_called_as_the_files_call_them(tmp_path, rng):
    paths = {}
    for name in ("nir", "red", ""):
        paths[name] = tmp_path / f"x{name}.tif"
        options = {"driver": "GTiff", "width": 5, "height": 4, "count": 1, "dtype": "uint16", "nodata": 0}
        with rasterio.open(paths[name], "w", crs="EPSG:32632", transform=(10, 0, 0, 0, -10, 0), **options) as raster:
            raster.descriptions, raster.scales, raster.offsets = [name or None], [2.0], [1.0 if name else 0.0]
            raster.write(rng.integers(1, 99, (1, 4, 5)).astype(np.uint16))
    image = read([paths["nir"], paths["red"]])
    assert image.channel_names == image.band_names == ("nir", "red")
    nir, red = (read(paths[name]).array[..., 0] for name in ("nir", "red"))
    ordered = image.in_order_of(("red", "nir"), of="the model")
    np.testing.assert_array_equal(ordered.array, np.stack([red, nir], -1))
    mixed = read([paths["nir"], paths[""]])
    assert (mixed.channel_names, mixed.band_names) == (("xnir", "x"), ())
    assert mixed.metadata[SCALINGS] == ((2.0, 1.0), (2.0, 0.0))
    assert mixed.select("2").metadata[SCALINGS] == ((2.0, 0.0),)
    with pytest.warns(DataWarning, match="gone"):
        assert read([paths["nir"], tmp_path / "gone.tif"]).band_names == ()


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


@pytest.fixture
def bands(tmp_path, rng):
    """Bands of two dates, as .tif files without a place, by date and name."""
    found = {}
    for date in ("20230605", "20230607"):
        for band in ("B04", "B08"):
            path = tmp_path / f"T32TQM_{date}T101559_{band}_10m.tif"
            tifffile.imwrite(path, rng.integers(1, 99, (4, 5)).astype(np.uint16))
            found[date, band] = path
    return found


def test_bands_of_a_scene_are_called_as_bands(bands, tmp_path):
    image = read([bands["20230605", "B08"], bands["20230605", "B04"]])
    assert image.channel_names == image.band_names == ("B08/nir", "B04/red")
    np.save(tmp_path / "t1.npy", np.zeros((4, 5), np.uint16))
    mixed = read([bands["20230605", "B08"], tmp_path / "t1.npy"])
    assert mixed.channel_names == ("T32TQM_20230605T101559_B08_10m", "t1")
    assert mixed.band_names == ()


def test_two_dates_in_one_stack_are_refused(bands):
    with pytest.raises(InputError, match=r"T32TQM_20230605.*B08_10m\.tif and T32TQM_20230607.* are of two dates"):
        read([bands["20230605", "B08"], bands["20230607", "B04"]])


def test_maps_of_several_resolutions_are_joined_by_a_mosaic(tmp_path):
    for name, rows, side in (("a", 6, 10), ("b", 3, 20)):
        profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "crs": "EPSG:32632"}
        transform = rasterio.Affine(side, 0, 300000, 0, -side, 4900020)
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", **profile, height=rows, width=rows, transform=transform
        ) as file:
            file.write(np.ones((1, rows, rows), np.uint8))
    with pytest.raises(
        InputError, match=r"b\.tif has shape \(3, 3\), but .*gdalbuildvrt -separate -resolution highest"
    ):
        read(f"{tmp_path}/a.tif+{tmp_path}/b.tif")
