"""Objects: found, split and measured."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.ndimage import label
from skimage.measure import regionprops_table

import gmmseg
from gmmseg import Image, io
from gmmseg.errors import DataWarning, ParameterError
from gmmseg.export.dataset import Finding
from gmmseg.image.place import Place
from gmmseg.measuring import Objects, find_objects, object_table


def balls(shape, centres, radius, spacing=None):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * np.array(spacing or (1,) * len(shape))
    return [((grid - np.array(centre)) ** 2).sum(-1) <= radius**2 for centre in centres]


def of(mask, **place):
    return (
        Image.from_array(np.uint8(mask), channel_axis=None) if not place else Image(np.uint8(mask)[..., None], **place)
    )


def test_discs_that_touch_are_told_apart():
    discs = balls((60, 110), [(30, 25), (30, 52), (30, 79)], 15)
    mask = np.any(discs, 0)
    assert label(mask)[1] == 1
    found = find_objects(mask, of(mask))
    assert len(found) == 3
    for number, disc in enumerate(discs, 1):
        assert (found.labels[disc] == number).mean() > 0.93
    assert len(find_objects(mask, of(mask), split=False)) == 1
    np.testing.assert_array_equal(found.labels > 0, mask)


def test_long_objects_stay_whole():
    y, x = np.mgrid[:120, :120]
    bar = (np.abs(x - y) < 14) & (np.abs(x + y - 120) < 90)
    assert len(find_objects(bar, of(bar))) == 1


def test_thick_slices_are_taken_as_thick():
    spacing = (4.0, 1.0, 1.0)
    two = balls((12, 40, 70), [(22, 20, 22), (22, 20, 46)], 14, spacing)
    mask = two[0] | two[1]
    found = find_objects(mask, of(mask, spacing=spacing, place=Place(unit="mm")))
    assert len(found) == 2
    assert (found.labels[two[0] & ~two[1]] == 1).mean() > 0.95


def test_specks_are_no_objects_unless_asked_for():
    mask = np.any(balls((80, 80), [(20, 20), (60, 60)], 12), 0)
    mask[5::20, 45::10] = True
    n_specks = label(mask)[1] - 2
    assert n_specks > 8
    assert len(find_objects(mask, of(mask))) == 2
    assert len(find_objects(mask, of(mask), min_size=1)) == 2 + n_specks
    assert len(find_objects(mask, of(mask), min_size="300px")) == 2
    assert len(find_objects(mask, of(mask), min_size=600)) == 0


def test_sizes_may_be_physical():
    mask = np.any(balls((80, 80), [(20, 20), (60, 60)], 12) + balls((80, 80), [(20, 60)], 5), 0)
    image = of(mask, spacing=(0.5, 0.5), place=Place(unit="um"))
    assert len(find_objects(mask, image, min_size=1)) == 3
    assert len(find_objects(mask, image, min_size="30um2")) == 2


def test_holes_belong_to_objects_on_request_and_never_split_them():
    mask = balls((60, 60), [(30, 30)], 20)[0]
    mask[28:33, 28:33] = False
    open_, filled = find_objects(mask, of(mask)), find_objects(mask, of(mask), fill_holes=True)
    assert len(open_) == len(filled) == 1
    assert (open_.labels[28:33, 28:33] == 0).all()
    assert (filled.labels[28:33, 28:33] == 1).all()


@pytest.mark.parametrize("shape", [(70, 60), (20, 30, 25)])
def test_the_table_is_that_of_scikit_image(shape):
    rng = np.random.default_rng(0)
    numbers = np.zeros(shape, np.uint32)
    for number, corner in enumerate(rng.integers(0, 12, (4, len(shape))), 1):
        numbers[tuple(slice(number * 3 + c // 3, number * 3 + c // 3 + 6) for c in corner)] = number
    pixels = rng.random((*shape, 2)).astype(np.float32)
    spacing = (0.5, 2.0, 1.5)[: len(shape)]
    table = object_table(numbers, Image(pixels, spacing=spacing, place=Place(unit="um"), channel_names=("A", "B")))
    names = ["label", "area", "bbox", "centroid", "equivalent_diameter_area", "axis_major_length", "extent"]
    names += ["solidity", "orientation", "perimeter"] if len(shape) == 2 and spacing[0] == spacing[1] else []
    expected = regionprops_table(numbers.astype(int), pixels, properties=[*names, "intensity_mean"], spacing=spacing)
    for name, column in expected.items():
        ours = name.replace("intensity_mean-0", "intensity_mean-A").replace("intensity_mean-1", "intensity_mean-B")
        np.testing.assert_allclose(table[ours], column, rtol=1e-5, err_msg=name)
    for channel, name in enumerate("AB"):
        inside = pixels[..., channel][numbers == table["label"][0]].astype(float)
        assert table[f"intensity_std-{name}"][0] == pytest.approx(inside.std())
        assert table[f"intensity_min-{name}"][0] == inside.min()
        assert table[f"intensity_max-{name}"][0] == inside.max()
    assert set(table["unit"]) == {"um"}
    size = "area_um2" if len(shape) == 2 else "volume_um3"
    np.testing.assert_allclose(table[size], table["area"])


@pytest.mark.filterwarnings("ignore:.*are specks")
def test_numbers_survive_a_file(tmp_path):
    rows, columns = np.mgrid[:900, :900]
    mask = (rows % 3 < 2) & (columns % 3 < 2)
    found = find_objects(mask, of(mask), split=False)
    assert len(found) == 90_000
    for name in ("x.tif", "x.npy", "x.npz"):
        found.save(tmp_path / name)
        np.testing.assert_array_equal(io.read_labels(tmp_path / name), found.labels)


@pytest.mark.parametrize("name", ["x.tif", "x.ome.tif", "x.png", "x.npy", "x.npz", "x.nii.gz"])
def test_few_objects_are_objects_in_every_file(tmp_path, name):
    mask = np.zeros((20, 30), bool)
    mask[2:8, 2:8] = mask[12:18, 12:18] = True
    find_objects(mask, of(mask)).save(tmp_path / name)
    found = Finding().of(tmp_path / name)
    assert (found.kind, found.values.tolist(), found.names) == ("object", [1, 2], ("object",))


def test_of_a_segmentation():
    mask = np.any(balls((60, 90), [(30, 28), (30, 55)], 15), 0)
    rng = np.random.default_rng(0)
    found = gmmseg.segment((mask * 100 + 50 + rng.normal(0, 5, mask.shape)).astype(np.uint8), 2)
    cells = found.objects(2)
    assert len(cells) == 2
    assert cells.name == "class 2"
    assert (cells.table()["intensity_mean"] > 140).all()
    assert len(found.objects(2, split=False)) == 1
    np.testing.assert_array_equal(found.objects("class 2").labels, cells.labels)
    assert len(found.objects(number for number in (2,))) == 2
    assert found.objects([1, "class 2"]).name == "class 1, class 2"
    with pytest.raises(ParameterError, match="label=3"):
        found.objects(3)


def test_nothing_is_no_object():
    mask = np.zeros((5, 6), bool)
    found = find_objects(mask, of(mask))
    assert len(found) == 0
    assert found.table().n_rows == 0
    with pytest.raises(ParameterError, match="mask has shape"):
        find_objects(np.zeros((5, 5), bool), of(mask))


def film():
    """Three frames: two discs that touch, two specks alone, and one disc with a speck; each is on where others were."""
    frames = np.zeros((3, 50, 90), bool)
    frames[0] = np.any(balls((50, 90), [(25, 25), (25, 50)], 14), 0)
    frames[1, 10, 20:22] = frames[1, 40, 70] = True
    frames[2] = balls((50, 90), [(25, 40)], 14)[0]
    frames[2, 5, 80] = True
    return frames


def test_objects_of_a_time_lapse_are_those_of_frames():
    frames = film()
    values = np.where(frames, np.arange(9, 12, dtype=np.uint8)[:, None, None], 0)
    image = Image(values[..., None], time=True)
    found = find_objects(frames, dataclasses.replace(image, spacing=(0.5, 0.5), place=Place(unit="um")))
    assert found.labels.dtype == np.uint32
    assert [np.unique(frame[frame > 0]).tolist() for frame in found.labels] == [[1, 2], [], [3]]
    table = found.table()
    assert (len(found), table["frame"].tolist(), table["label"].tolist()) == (3, [1, 1, 3], [1, 2, 3])
    assert table["intensity_mean"].tolist() == [9, 9, 11]
    np.testing.assert_allclose(table["area_um2"], table["pixels"] / 4)
    np.testing.assert_allclose(table["centroid-1"][2], 20)
    assert len(find_objects(frames, image, min_size=1)) == 6


def test_tracks_keep_their_numbers():
    labels = np.zeros((2, 6, 8), np.uint16)
    labels[0, 1:3, 1:3], labels[0, 4:, 4:], labels[1, 1:3, 2:5] = 60_000, 3, 60_000
    table = object_table(labels, Image(np.zeros((*labels.shape, 1), np.uint8), time=True))
    assert table["frame"].tolist() == [1, 1, 2]
    assert table["label"].tolist() == [3, 60_000, 60_000]
    assert table["pixels"].tolist() == [8, 4, 6]
    assert len(Objects(labels, Image(labels[..., None], time=True))) == 2


def test_numbers_may_be_of_any_size():
    """What counts up to the largest one would need 128 GiB."""
    labels = np.array([[4_000_000_000, 0, 7, 7]], np.uint32)
    table = object_table(labels, Image.from_array(np.array([[5, 1, 2, 4]], np.uint8)))
    assert table["label"].tolist() == [7, 4_000_000_000]
    assert (table["pixels"].tolist(), table["intensity_mean"].tolist()) == ([2, 1], [3, 5])
    assert object_table(labels[:, ::2], Image.from_array(labels[:, ::2]))["label"].tolist() == [7, 4_000_000_000]


def test_one_warning_says_in_how_many_frames_the_ground_is_uneven():
    _, x = np.mgrid[:96, :128]
    discs = np.any(balls((96, 128), [(r, c) for r in (20, 48, 76) for c in (16, 48, 80, 112)], 7), 0)
    ramp = 40 + 1.2 * x
    noise = np.random.default_rng(0).normal(0, 1, (2, 96, 128))
    frames = np.stack([ramp * (1 + 0.5 * discs), 40 + 60.0 * discs]) + noise
    masks = frames > np.array([110, 70])[:, None, None]
    with pytest.warns(gmmseg.errors.DataWarning, match="image: the ground is uneven in 1 of 2 frames: ") as warned:
        found = find_objects(masks, Image(frames[..., None], time=True))
    assert len(warned) == 1
    assert [len(np.unique(frame)) - 1 for frame in found.labels] == [12, 12]


def test_pixels_without_data_are_not_measured():
    values = np.array([[1, np.nan, 3, 40, np.nan]])
    image = Image(values[..., None], valid=np.array([[True, True, True, False, True]]))
    table = object_table([[1, 1, 2, 2, 3]], image)
    np.testing.assert_array_equal(table["intensity_mean"], [1, 3, np.nan])
    np.testing.assert_array_equal(table["intensity_max"], [1, 3, np.nan])
    assert table["pixels"].tolist() == [2, 2, 1]


@pytest.mark.filterwarnings("error")
def test_specks_of_noise_are_told_from_small_objects(rng):
    noise = Image.from_array(rng.normal(100, 10, (90, 120)), name="field")
    scattered = noise.array[..., 0] > 125
    words = r"field: the \d+ objects \(cell\) are specks of about a pixel each, scattered as noise is; if"
    with pytest.warns(DataWarning, match=words):
        find_objects(scattered, noise, split=False, name="cell")
    film = Image(noise.array.reshape(2, 45, 120, 1), time=True, name="film")
    with pytest.warns(DataWarning, match="film: the"):
        find_objects(scattered.reshape(film.shape), film, split=False)
    with pytest.warns(DataWarning, match="field: the"):  # as many as by chance, whatever their size
        find_objects(noise.array[..., 0] > 103, noise, split=False)
    small = np.zeros((90, 120), bool)
    for row, column in itertools.product(range(2, 90, 9), range(3, 120, 11)):
        small[row : row + 2, column : column + 2] = True
    assert len(find_objects(small, noise, split=False)) == 110
    few = np.zeros((90, 120), bool)
    few[::30, ::30] = True
    assert len(find_objects(few, noise, split=False)) == 12  # hot pixels of which one can see each


@pytest.mark.filterwarnings("error")
def test_objects_that_fill_all_frames_are_no_specks():
    everywhere = np.ones((20, 5, 6), bool)
    found = find_objects(everywhere, Image.from_array(np.zeros((20, 5, 6)), axes="TYX"), split=False)
    assert len(found) == 20
