"""relabel(): classes merged, renamed and dropped in files of every format, and in models."""

import json

import nibabel
import numpy as np
import pytest
import rasterio
from PIL import Image as Pillow

import gmmseg
from gmmseg import relabel
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.export import colors_in, find_instances, names_in
from gmmseg.image import Image
from gmmseg.io import read, read_labels, write_labels
from gmmseg.io.palette import palette

LABELS = np.array([[0, 1, 2, 3], [4, 5, 5, 1]], np.uint8)
NAMES = ("sea", "lake", "oak", "pine", "road")
CHANGED = np.array([[0, 1, 1, 2], [2, 0, 0, 1]], np.uint8)  # sea and lake are water, oak and pine wood, no road
CHANGES = {"merge": [(1, 2), (3, 4)], "rename": {"sea": "water", 4: "wood"}, "drop": 5}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ome.tif", ".npz", ".nii", ".nii.gz"])
def test_every_format_that_holds_names(tmp_path, suffix):
    old, new = tmp_path / f"old{suffix}", tmp_path / f"new{suffix}"
    write_labels(old, LABELS, names=NAMES)
    classes = relabel(old, new, **CHANGES)
    np.testing.assert_array_equal(read_labels(new), CHANGED)
    assert names_in(new) == ("water", "wood")
    assert [(each.label, each.name, each.share) for each in classes] == [(1, "water", 0.6), (2, "wood", 0.4)]
    assert [each.map_color for each in classes] == [tuple(palette(5)[1]), tuple(palette(5)[3])]


def test_a_file_without_names(tmp_path):
    np.save(tmp_path / "old.npy", LABELS)
    relabel(tmp_path / "old.npy", tmp_path / "new.npy", merge=(2, 3), drop=[4])
    assert np.load(tmp_path / "new.npy").tolist() == [[0, 1, 2, 2], [0, 3, 3, 1]]


def test_colors_follow_their_classes(tmp_path):
    colors = np.arange(18, dtype=np.uint8).reshape(6, 3) * 10
    write_labels(tmp_path / "old.png", LABELS, names=NAMES, palette=colors)
    for suffix in (".png", ".tif", ".npz", ".nii.gz"):
        relabel(tmp_path / "old.png", tmp_path / f"new{suffix}", **CHANGES)
        np.testing.assert_array_equal(colors_in(tmp_path / f"new{suffix}")[:2], colors[[1, 3]])


@pytest.mark.parametrize("memory", [1 << 30, 1])
def test_a_raster_keeps_its_place_and_its_table(tmp_path, memory):
    profile = {"driver": "GTiff", "height": 700, "width": 900, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    labels = np.arange(700 * 900, dtype=np.uint32).reshape(700, 900) // 7 % 6
    with rasterio.open(
        tmp_path / "old.tif", "w", transform=rasterio.Affine(30, 0, 390_000, 0, -30, 5_820_000), nodata=5, **profile
    ) as raster:
        raster.write(labels.astype(np.uint8)[None])
        raster.write_colormap(1, {number: (number, 2 * number, 3 * number, 255) for number in range(6)})
    relabel(tmp_path / "old.tif", tmp_path / "new.tif", merge=(1, 3), rename={4: "wood"}, memory=memory)
    expected = np.array([0, 1, 2, 1, 3, 0])[labels]
    with rasterio.open(tmp_path / "new.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), expected)
        assert raster.crs == rasterio.CRS.from_epsg(32633)
        assert raster.transform == rasterio.Affine(30, 0, 390_000, 0, -30, 5_820_000)
        assert raster.nodata == 0
        assert [raster.colormap(1)[n][:3] for n in (1, 2, 3)] == [(1, 2, 3), (2, 4, 6), (4, 8, 12)]
    assert names_in(tmp_path / "new.tif") == ("class 1", "class 2", "wood")


def test_a_volume_keeps_its_affine(tmp_path):
    affine = np.array([[2.0, 0, 0, -9], [0, 1.5, 0, 4], [0, 0, 3, 7], [0, 0, 0, 1]])
    volume = np.stack([LABELS, LABELS[::-1], LABELS], axis=-1)
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.float32), affine), tmp_path / "old.nii.gz")
    for memory in (1 << 30, 1):
        relabel(tmp_path / "old.nii.gz", tmp_path / "new.nii", drop=[2, 3], memory=memory, overwrite=True)
        found = nibabel.load(tmp_path / "new.nii")
        np.testing.assert_allclose(found.affine, affine)
        np.testing.assert_array_equal(np.asarray(found.dataobj), np.array([0, 1, 0, 0, 2, 3])[volume])


def test_resolution_is_kept(tmp_path):
    Pillow.fromarray(LABELS).save(tmp_path / "old.png", dpi=(300, 300))
    relabel(tmp_path / "old.png", tmp_path / "new.png", merge=(1, 2))
    assert read(tmp_path / "new.png").metadata["dpi"] == pytest.approx((300, 300), rel=1e-3)


def test_what_is_not_there_is_listed_and_nothing_is_written(tmp_path):
    write_labels(tmp_path / "old.png", LABELS, names=NAMES)
    for wrong in ({"merge": (1, 9)}, {"merge": ("sea", "mud")}, {"drop": 6}, {"rename": {"mud": "x"}}):
        with pytest.raises(ParameterError, match=r"old\.png; its classes are 1 \(sea\), 2 \(lake\), .* 5 \(road\)$"):
            relabel(tmp_path / "old.png", tmp_path / "new.png", **wrong)
    assert [each.name for each in tmp_path.iterdir()] == ["old.png"]


def test_names_count_where_no_pixel_has_the_class(tmp_path):
    write_labels(tmp_path / "old.png", np.where(LABELS == 2, 0, LABELS), names=NAMES)
    assert [each.name for each in relabel(tmp_path / "old.png", tmp_path / "new.png", drop="sea")] == list(NAMES[1:])
    assert read_labels(tmp_path / "new.png").tolist() == [[0, 0, 0, 2], [3, 4, 4, 0]]


@pytest.mark.parametrize("memory", [1 << 30, 1])
def test_objects_stay_objects_unless_they_are_named(tmp_path, memory):
    old, new = tmp_path / "old.tif", tmp_path / "new.tif"
    write_labels(old, LABELS, objects=True)
    relabel(old, new, drop=2, memory=memory)
    assert read_labels(new).tolist() == [[0, 1, 0, 2], [3, 4, 4, 1]]
    assert find_instances(read_labels(new)).kind == "object"
    relabel(old, new, rename={1: "sea"}, memory=memory, overwrite=True)
    assert find_instances(read_labels(new)).kind == "component"


def test_targets_that_cannot_be(tmp_path):
    write_labels(tmp_path / "old.png", LABELS)
    with pytest.raises(OutputError, match="written over itself"):
        relabel(tmp_path / "old.png", tmp_path / "old.png", drop=1, overwrite=True)
    write_labels(tmp_path / "new.png", LABELS)
    with pytest.raises(OutputError, match=r"new\.png exists"):
        relabel(tmp_path / "old.png", tmp_path / "new.png", drop=1)
    np.save(tmp_path / "objects.npy", np.array([1, 70_000]))
    with pytest.raises(InputError, match="a map of classes, not of objects"):
        relabel(tmp_path / "objects.npy", tmp_path / "a.npy", drop=1)


def test_a_model_gives_the_merged_map(tmp_path):
    pixels = np.repeat(np.uint8([10, 90, 170, 250]), 64).reshape(16, 16)
    pixels += np.random.default_rng(0).integers(0, 5, pixels.shape, np.uint8)
    model = gmmseg.fit(pixels, k=4, smooth=False, class_names=["a", "b", "c", "d"])
    model.save(tmp_path / "old.gmm.json")
    classes = relabel(tmp_path / "old.gmm.json", tmp_path / "new.gmm.json", merge=("b", "c"), rename={"b": "grey"})
    assert [each.name for each in classes] == ["a", "grey", "d"]
    merged = gmmseg.load_model(tmp_path / "new.gmm.json")
    assert (merged.k, merged.mixture.n_components) == (3, 4)
    np.testing.assert_allclose(merged.weights, [model.weights[0], model.weights[1:3].sum(), model.weights[3]])
    found, before = gmmseg.apply(merged, pixels), gmmseg.apply(model, pixels)
    np.testing.assert_array_equal(found.labels, np.array([0, 1, 2, 2, 3])[before.labels])
    np.testing.assert_array_equal(found.mask("grey"), before.mask(["b", 3]))
    assert json.loads((tmp_path / "new.gmm.json").read_text())["version"] == 3


def test_a_model_that_is_only_renamed_stays_as_it_is():
    model = gmmseg.fit(Image(LABELS[..., None]), k=2)
    renamed = model.relabel(rename={1: "low"})
    assert renamed.class_names == ("low", "class 2")
    assert renamed.memberships is None
    again = renamed.relabel(merge=(1, 2)).relabel(rename={1: "all"})
    assert (again.k, again.class_names) == (1, ("all",))


@pytest.mark.parametrize("smooth", [False, 0.5])
def test_what_a_model_drops_is_no_data(tmp_path, smooth):
    pixels = np.repeat(np.uint8([10, 90, 170, 250]), 64).reshape(16, 16)
    pixels += np.random.default_rng(0).integers(0, 5, pixels.shape, np.uint8)
    model = gmmseg.fit(pixels, k=4, smooth=smooth)
    model.save(tmp_path / "old.json")
    classes = relabel(tmp_path / "old.json", tmp_path / "new.json", merge=(3, 4), drop=2)
    assert [(each.label, each.name) for each in classes] == [(1, "class 1"), (2, "class 2")]
    dropped, before = gmmseg.load_model(tmp_path / "new.json"), gmmseg.apply(model, pixels).labels
    found, expected = gmmseg.apply(dropped, pixels), np.array([0, 1, 0, 2, 2])[before]
    np.testing.assert_array_equal(found.labels, expected)
    np.testing.assert_array_equal(found.probabilities.any(axis=0), expected > 0)
    np.testing.assert_array_equal(found.probabilities.argmax(axis=0)[expected > 0] + 1, expected[expected > 0])
    assert found.uncertainty[expected == 0].max() == 0
    assert np.isnan(found._whole("uncertainty")[expected == 0]).all()
    assert [each.share for each in found.classes] == pytest.approx([1 / 3, 2 / 3])
    assert json.loads((tmp_path / "new.json").read_text())["version"] == 4
    relabel(tmp_path / "old.json", tmp_path / "kept.json", drop=2, keep_numbers=True)
    kept = gmmseg.load_model(tmp_path / "kept.json")
    np.testing.assert_array_equal(gmmseg.apply(kept, pixels).labels, np.array([0, 1, 0, 3, 4])[before])
    with pytest.raises(InputError, match="memberships of a component sum to more than 1"):
        gmmseg.load_model(_changed(tmp_path / "new.json", memberships=[[1, 1, 1, 1]] * 2))
    strokes = np.where(np.indices(pixels.shape)[1] == 0, 1, 0)
    guided = gmmseg.apply(dropped, pixels, scribbles=strokes, prior=np.full((2, 16, 16), 0.5)).labels
    np.testing.assert_array_equal(guided[:, 0], 1)
    assert (guided == 0).any()


def _changed(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return path


def test_models_are_written_as_models(tmp_path):
    gmmseg.fit(LABELS, k=2).save(tmp_path / "a.json")
    with pytest.raises(OutputError, match="models are written as JSON"):
        relabel(tmp_path / "a.json", tmp_path / "b.png", merge=(1, 2))
