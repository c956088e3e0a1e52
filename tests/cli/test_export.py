"""gmmseg export: a label map in, files for other programs out."""

import json
import os
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import tifffile
from PIL import Image as Pillow
from pycocotools import mask as reference

import gmmseg
from gmmseg import io
from gmmseg.export.kinds import FORMATS, NAMED_AS_LABELS


@pytest.fixture
def labels(folder):
    """photo_labels.png for photo.png: three regions of two classes, one of them a hole."""
    values = np.ones((40, 60), np.uint8)
    values[:, 30:] = 2
    values[10:14, 5:9] = 2
    Pillow.fromarray(values).save("photo_labels.png")
    return values


@pytest.mark.parametrize("to", [to for to in FORMATS if to != "png"])
def test_default_names_and_one_line(run, folder, labels, to):
    finished = run("export", "photo_labels.png", "--to", to)
    assert finished.code == 0
    name = f"photo{'_labels' * (to in NAMED_AS_LABELS)}{FORMATS[to]}"
    beside = {"coco-panoptic": " and photo_panoptic.png", "yolo": " and photo.yaml"}.get(to, "")
    what = f"2 files to {name}" if to == "masks" else f"{name}{beside}"
    assert finished.out == f"wrote {what}: 3 regions of 2 classes\n"
    assert (folder / name).exists()
    assert ("1 are filled" in finished.err) == (to == "labelme")


def test_coco_with_photo_and_names(run, folder, labels):
    command = "export photo_labels.png --to coco --image photo.png --class-names sea,land --min-size 17 -o a.json"
    assert run(*command.split()).out == "wrote a.json: 2 regions of 2 classes\n"
    data = json.loads((folder / "a.json").read_text())
    assert data["images"][0] == {"id": 1, "file_name": "photo.png", "width": 60, "height": 40}
    assert [each["name"] for each in data["categories"]] == ["sea", "land"]
    assert [reference.area(each["segmentation"]) for each in data["annotations"]] == [1184, 1200]
    assert run(*command.split(), "--overwrite", "--uncompressed").code == 0
    counts = json.loads((folder / "a.json").read_text())["annotations"][1]["segmentation"]["counts"]
    assert counts == [1200, 1200]


def test_json_says_what_was_written(run, labels):
    finished = run("export", "photo_labels.png", "--to", "labelme", "--instances", "class", "--json")
    record = json.loads(finished.out)
    (warning,) = record.pop("warnings")
    assert warning in finished.err
    assert record == {
        "input": "photo_labels.png",
        "format": "labelme",
        "outputs": ["photo.json"],
        "instances": 2,
        "kind": "class",
        "classes": ["class 1", "class 2"],
    }


def test_names_of_a_model_and_of_the_labels(run, folder):
    run("segment", "photo.png", "-k", 2, "--class-names", "sea,land", "--model", "m.gmm.json", "-q")
    assert run("export", "photo_labels.png", "--to", "npz", "--model", "m.gmm.json").code == 0
    assert run("export", "photo.npz", "--to", "coco").code == 0
    assert [each["name"] for each in json.loads((folder / "photo_coco.json").read_text())["categories"]] == [
        "sea",
        "land",
    ]


def test_rasters_keep_their_place(run, folder, labels):
    profile = {"driver": "GTiff", "height": 40, "width": 60, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    transform = rasterio.Affine(30, 0, 390_000, 0, -30, 5_820_000)
    with rasterio.open("scene_labels.tif", "w", transform=transform, **profile) as raster:
        raster.write(labels[None])
    assert run("export", "scene_labels.tif", "--to", "gpkg").code == 0
    assert run("export", "scene_labels.tif", "--to", "geojson").code == 0
    assert run("export", "scene_labels.tif", "--to", "geojson", "--keep-crs", "-o", "kept.geojson").code == 0
    bounds = (390_000, 5_818_800, 391_800, 5_820_000)
    for name in ("scene.gpkg", "kept.geojson"):
        info = pyogrio.read_info(folder / name)
        assert (info["crs"], info["total_bounds"]) == ("EPSG:32633", bounds)
    assert pyogrio.read_info(folder / "scene.geojson")["crs"] == "EPSG:4326"
    assert pyogrio.read_info(folder / "scene.geojson")["total_bounds"][0] == pytest.approx(13.38, abs=0.01)


def test_rasters_larger_than_memory(run, folder):
    labels = np.ones((1600, 1500), np.uint8)
    labels[100:1500, 200:300], labels[700:900], labels[1599, 7] = 2, 3, 0
    profile = {"driver": "GTiff", "height": 1600, "width": 1500, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    transform = rasterio.Affine(30, 0, 390_000, 0, -30, 5_820_000)
    with rasterio.open("scene_labels.tif", "w", transform=transform, tiled=True, **profile) as raster:
        raster.write(labels[None])
    command = ["export", "scene_labels.tif", "--to", "geojson", "--class-names", "sea,sand,wood"]
    finished = run(*command, "--memory", "64MiB")
    assert (finished.out, finished.err) == ("wrote scene.geojson: 5 regions of 3 classes\n", "")
    assert run(*command, "-o", "whole.geojson").out == "wrote whole.geojson: 5 regions of 3 classes\n"
    windowed, whole = (
        sorted(
            (list(each["properties"].values()) for each in json.loads((folder / name).read_text())["features"]),
            key=lambda values: values[2],
        )
        for name in ("scene.geojson", "whole.geojson")
    )
    assert [values[:3] for values in windowed] == [values[:3] for values in whole]
    assert [values[3] for values in windowed] == pytest.approx([values[3] for values in whole])
    record = json.loads(run(*command, "--memory", "64MiB", "--json", "--overwrite", "--background", "wood").out)
    assert (record["instances"], record["classes"]) == (4, ["sea", "sand"])


def test_simplified(run, folder):
    rows, columns = np.mgrid[:200, :200]
    Pillow.fromarray(((rows - 90) ** 2 + (columns - 95) ** 2 < 60**2).astype(np.uint8)).save("disc.png")
    assert (
        run("export", "disc.png", "--to", "geojson", "--simplify", 3).out == "wrote disc.geojson: 1 region of 1 class\n"
    )
    (feature,) = json.loads((folder / "disc.geojson").read_text())["features"]
    assert 8 < len(feature["geometry"]["coordinates"][0]) < 60
    assert run("export", "disc.png", "--to", "geojson", "--simplify", 0, "-o", "b.geojson").code == 0


def test_objects(run, folder):
    Pillow.fromarray(np.arange(1, 401, dtype=np.uint16).reshape(20, 20)).save("cells.png")
    assert (
        run("export", "cells.png", "--to", "coco", "--class-names", "cell").out
        == "wrote cells_coco.json: 400 objects\n"
    )


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ("", "--to is missing; give one of coco, coco-panoptic", 2),
        ("--to shp", "--to 'shp' is not one of 'coco'", 2),
        ("--to png", "photo_labels.png would be written over photo_labels.png, which is an input", 2),
        ("--to png -o photo.png --image photo.png --overwrite", "would be written over photo.png", 2),
        ("--to coco --simplify 2", "--simplify does nothing for --to coco; it is for geojson, gpkg, labelme", 2),
        ("--to gpkg --keep-crs", "--keep-crs does nothing for --to gpkg", 2),
        ("--to coco --class-names a --model m.json", "--class-names and --model both give the names", 2),
        ("--to coco --class-names a", "1 class name was given, but the largest label is 2", 2),
        ("--to coco --min-size 0", "--min-size 0 is not usable; use pixels or voxels (50), an area", 2),
        ("--to coco --image scan.png", "--image scan.png is 20 x 30 pixels, but photo_labels.png is 60 x 40", 1),
        ("--to coco --image none.jpg", "none.jpg does not exist; check the path", 1),
        ("--to coco -o a.xml", "a.xml: coco is written to .json files", 1),
        ("--to coco -o none/a.json", "the folder none does not exist", 1),
        ("--to coco --max-pixels 9", "above the limit of 9; raise --max-pixels", 1),
    ],
)
def test_refusals(refuse, labels, options, words, code):
    assert words in refuse("export", "photo_labels.png", *options.split(), code=code)


@pytest.fixture
def several(folder):
    """Masks one.png and two.png in masks/, photos in photos/."""
    for name in ("masks", "photos"):
        (folder / name).mkdir()
    for number, name in enumerate(("one", "two"), 3):
        mask = np.zeros((20, 30), np.uint8)
        mask[number : number + 5, 4:9] = 255
        Pillow.fromarray(mask).save(f"masks/{name}.png")
        Pillow.fromarray(np.stack([mask] * 3, axis=-1)).save(f"photos/{name}.jpg")


def test_a_folder_of_masks_is_one_coco(run, folder, several):
    finished = run("export", "masks", "--to", "coco", "--image", "photos", "--class-names", "cell", "--polygons")
    assert (finished.out, finished.err) == ("wrote coco.json: 2 label maps, 2 instances of 1 class\n", "")
    data = json.loads((folder / "coco.json").read_text())
    assert [each["file_name"] for each in data["images"]] == ["one.jpg", "two.jpg"]
    assert [each["segmentation"] for each in data["annotations"]] == [
        [[4, top, 9, top, 9, top + 5, 4, top + 5]] for top in (3, 4)
    ]
    record = json.loads(run("export", "masks", "--to", "voc", "--image", "photos", "--json").out)
    assert (record["output"], record["instances"], record["classes"]) == ("voc", 2, ["class 1"])
    finished = run("export", "masks/one.png", "--to", "yolo", "--image", "photos", "-o", "set")
    assert finished.out == "wrote set: 1 label map, 1 instance of 1 class\n"


def test_classes_are_chosen(run, folder, labels):
    command = ["export", "photo_labels.png", "--to", "coco", "--class-names", "sea,land", "--overwrite"]
    for options, names in {("--classes", "land"): ["land"], ("--background", "2"): ["sea"]}.items():
        assert run(*command, *options).code == 0
        data = json.loads((folder / "photo_coco.json").read_text())
        assert [each["name"] for each in data["categories"]] == names
    assert run(*command, "--ignore", 2).out == "wrote photo_coco.json: 1 region of 1 class\n"


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ("masks --to yolo", "yolo needs the pictures, and masks/one.png has none beside it; give --image FOLDER", 1),
        ("masks --to coco -o photos", "photos: coco is written to .json files", 1),
        ("masks --to yolo -o photos --image photos", "photos is not empty; pass --overwrite or choose another", 1),
        ("masks --to coco --classes lake", "there is no class 'lake'; the classes are class 1", 2),
        ("photo_labels.png --to coco --classes lake", "no class 'lake'; the classes are 1 class 1, 2 class 2", 2),
        ("masks photo.png --to coco", "photo.png", 1),
        ("photos --to coco", "photos: there is no label map", 1),
        ("none --to coco", "none does not exist; check the path", 1),
        ("none photos --to coco", "none does not exist", 1),
        ("masks --to yolo --polygons", "--polygons does nothing for --to yolo", 2),
        ("masks --to coco --polygons --uncompressed", "--uncompressed is of run lengths", 2),
    ],
)
def test_refusals_of_data_sets(refuse, labels, several, options, words, code):
    assert words in refuse("export", *options.split(), code=code)


def test_numbers_that_nothing_explains(refuse):
    np.save("cells.npy", np.arange(400, dtype=np.int32).reshape(20, 20))
    line = refuse("export", "cells.npy", "--to", "coco", code=2)
    assert "nothing says whether they are classes or objects; pass --instances object, or --instances class" in line


def test_what_is_no_label_map(refuse):
    assert "photo.png" in refuse("export", "photo.png", "--to", "coco", code=1)
    np.save("volume.npy", np.ones((3, 4, 5), np.uint8))
    assert "labels have 3 planes; pass --plane 1 to 3" in refuse("export", "volume.npy", "--to", "coco", code=2)
    np.save("more.npy", np.ones((2, 3, 4, 5, 6), np.uint8))
    for to in ("coco", "roi"):
        assert "labels have shape (2, 3, 4, 5, 6)" in refuse("export", "more.npy", "--to", to, code=2)


def test_help_loads_nothing_heavy(fresh_python):
    code = "import sys; from gmmseg.cli import main; main(['export', '--help']); print('numpy' in sys.modules)"
    assert fresh_python(code).splitlines()[-1] == "False"


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nii.gz", "a.npz"])
def test_names_given_to_segment_are_known_to_export(run, folder, name):
    assert run("segment", "photo.png", "-k", 2, "--class-names", "sea,land", "-o", name, "-q").code == 0
    assert run("relabel", name, "--rename", "sea=water", "-o", f"b{name[1:]}").code == 0
    for labels, names in ((name, ["sea", "land"]), (f"b{name[1:]}", ["water", "land"])):
        record = json.loads(run("export", labels, "--to", "coco", "--json", "--overwrite").out)
        assert record["classes"] == names


def test_no_export_replaces_what_it_was_made_of(run, refuse):
    Path("d").mkdir()
    labels = np.repeat(np.uint8([[1, 2]]), 6, axis=0).repeat(4, axis=1)
    for name in ("a", "b"):
        gmmseg.io.write_labels(f"d/{name}_labels.png", labels)
        gmmseg.io.write_rgb(f"d/{name}.png", np.zeros((6, 8, 3), np.uint8))
    before = {path: path.read_bytes() for path in Path("d").iterdir()}
    maps = ("export", "d/a_labels.png", "d/b_labels.png")
    assert "is an input; choose another folder" in refuse(*maps, "--to", "png", "-o", "d", "--overwrite", code=1)
    one = ("export", "d/a_labels.png", "--to", "coco-panoptic", "--overwrite")
    assert "is an input" in refuse(*one, "--image", "d/a.png", "-o", "d/a.json", code=2)
    assert "is an input" in refuse(*one, "-o", "d/a_labels.json", code=2)
    assert {path: path.read_bytes() for path in Path("d").iterdir()} == before


def test_names_of_two_suffixes_are_cut_whole(run):
    labels = np.repeat(np.uint8([[1, 2]]), 6, axis=0).repeat(4, axis=1)
    gmmseg.io.write_labels("cell_labels.ome.tif", labels)
    tifffile.imwrite("cell.ome.tif", np.zeros((6, 8), np.uint8))
    assert run("export", "cell_labels.ome.tif", "--to", "geojson").out.startswith("wrote cell.geojson")
    assert run("export", ".", "--to", "yolo", "-o", "set").code == 0


@pytest.mark.parametrize("to", [each for each in FORMATS if each != "gpkg"])
def test_names_that_are_no_text(run, folder, to):
    """Linux allows any bytes in a name; in files of UTF-8 they are written as JSON writes them."""
    name = os.fsdecode(b"a\xff.png")
    numbers = np.ones((12, 15), np.uint8)
    numbers[3:9, 4:10] = 2
    np.save(name.replace(".png", ".npy"), numbers)
    with open(name, "wb") as file:
        Pillow.fromarray(numbers).save(file, "PNG")
    image = () if to in ("masks", "npz") else ("--image", name)
    finished = run("export", name.replace(".png", ".npy"), "--to", to, *image, "--json")
    assert finished.code == 0, finished.err
    written = {each for each in Path().rglob("*") if each.is_file()}
    for path in written:
        if path.suffix in (".json", ".geojson", ".xml", ".qml", ".sld", ".yaml"):
            text = path.read_text("utf-8")
            assert to not in ("coco", "voc", "labelme", "sld") or r"a\udcff" in text
    assert to != "voc" or Path("voc/ImageSets/Main/train.txt").read_bytes() == b"a\xff\n"


def test_a_layer_whose_name_is_no_text(run, folder):
    io.write_labels(os.fsdecode(b"a\xff_labels.png"), np.ones((12, 15), np.uint8))
    assert run("export", os.fsdecode(b"a\xff_labels.png"), "--to", "gpkg", "-o", os.fsdecode(b"a\xff.gpkg")).code == 0
    Path(os.fsdecode(b"a\xff.gpkg")).rename("b.gpkg")
    assert pyogrio.list_layers("b.gpkg")[:, 0].tolist() == [r"a\udcff"]


def test_of_a_time_lapse_one_frame_or_in_rois_all(run, refuse, folder):
    masks = np.zeros((3, 8, 10), np.uint16)
    masks[0, 1:4, 1:4], masks[2, 2:5, 1:4], masks[2, 6:, 8:] = 5, 5, 6
    tifffile.imwrite("film_labels.tif", masks, imagej=True, metadata={"axes": "TYX"})
    assert run("export", "film_labels.tif", "--to", "roi").out == "wrote film_rois.zip: 2 objects in 3 frames\n"
    np.save("scan_labels.npy", masks)
    assert run("export", "scan_labels.npy", "--to", "roi").out == "wrote scan_rois.zip: 2 objects in 3 planes\n"
    assert run("export", "film_labels.tif", "--to", "roi", "--frame", "3", "-o", "third.zip").out == (
        "wrote third.zip: 2 objects\n"
    )
    run("export", "film_labels.tif", "--to", "coco", "--frame", "1", "-o", "first.json")
    assert len(json.loads(Path("first.json").read_text())["annotations"]) == 1
    words = "labels have 3 frames; pass --frame 1 to 3 for one of them, or export to roi, which holds all"
    assert words in refuse("export", "film_labels.tif", "--to", "coco", code=2)
    assert "--frame 4 is not there" in refuse("export", "film_labels.tif", "--to", "coco", "--frame", "4", code=2)
    assert "have no planes; leave it out" in refuse("export", "film_labels.tif", "--to", "png", "--plane", "1", code=2)
