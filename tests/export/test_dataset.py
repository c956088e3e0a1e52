"""Data sets of many label maps, opened by the programs that they are for."""

import json
import tracemalloc

import numpy as np
import pytest
from label_maps import smooth_labels
from PIL import Image as Pillow
from pycocotools.coco import COCO
from scipy import ndimage

from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.export import Choice, Export, Finding, LabelMap, find_instances, write_dataset
from gmmseg.export.dataset import label_map_in

pytestmark = [
    # Of pycocotools with NumPy 2, when it decodes, and of what the others load.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(supervision|datumaro|pandas|json_stream).*"),
]

NAMES = ("sea", "sand", "wood")


@pytest.fixture
def maps(tmp_path):
    """Three label maps of other sizes, one in a folder of its own, with photos; the last one lacks the third class."""
    made = []
    for number, (name, k) in enumerate([("a", 3), ("b", 3), ("more/c", 2)]):
        labels = smooth_labels((20 + number, 30), k, seed=number)
        path = tmp_path / f"{name}_labels.png"
        path.parent.mkdir(exist_ok=True)
        Pillow.fromarray(labels).save(path)
        Pillow.fromarray(np.stack([labels * 50] * 3, axis=-1)).save(photo := path.with_name(f"{name[-1]}.png"))
        made.append(LabelMap(path, photo, name))
    return made


def read(each):
    return label_map_in(each.labels)


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr("builtins.print", lambda *arguments, **options: None)


@pytest.mark.parametrize("polygons", [False, True])
def test_one_coco_of_all(tmp_path, maps, quiet, polygons):
    options = Export(polygons=polygons)
    made = write_dataset(tmp_path / "all.json", maps, "coco", finding=Finding(NAMES), options=options)
    assert (made.maps, made.names) == (3, NAMES)
    data = COCO(tmp_path / "all.json")
    assert [data.imgs[i]["file_name"] for i in (1, 2, 3)] == ["a.png", "b.png", "more/c.png"]
    assert sorted(data.anns) == list(range(1, made.instances + 1))
    assert {data.cats[i]["name"]: i for i in data.cats} == {"sea": 1, "sand": 2, "wood": 3}
    for number, each in enumerate(maps, 1):
        labels = read(each)
        drawn = np.zeros_like(labels)
        for annotation in data.loadAnns(data.getAnnIds(number)):
            inside = data.annToMask(annotation).astype(bool)
            assert annotation["area"] == inside.sum()
            assert not drawn[inside].any()
            drawn[inside] = annotation["category_id"]
        np.testing.assert_array_equal(drawn, labels)


def test_results_are_loaded_beside_a_coco(tmp_path, maps, quiet):
    write_dataset(tmp_path / "all.json", maps, "coco")
    data = COCO(tmp_path / "all.json")
    listed = [
        {name: each[name] for name in ("image_id", "category_id", "segmentation")} | {"score": 0.5}
        for each in data.dataset["annotations"]
    ]
    loaded = data.loadRes(listed)
    assert [loaded.anns[i]["area"] for i in sorted(loaded.anns)] == [data.anns[i]["area"] for i in sorted(data.anns)]


def test_supervision_reads_coco_and_yolo(tmp_path, maps):
    supervision = pytest.importorskip("supervision")
    flat = maps[:2]
    write_dataset(tmp_path / "all.json", flat, "coco", finding=Finding(NAMES), options=Export(polygons=True))
    write_dataset(tmp_path / "set", flat, "yolo", finding=Finding(NAMES))
    coco = supervision.DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "all.json"), force_masks=True)
    yolo = supervision.DetectionDataset.from_yolo(
        *(str(tmp_path / "set" / name) for name in ("images/train", "labels/train", "data.yaml")), force_masks=True
    )
    for data in (coco, yolo):
        assert tuple(data.classes) == NAMES
        for path, image, detections in data:
            each = next(one for one in flat if one.picture.name == path.rpartition("/")[2])
            labels = read(each)
            assert image.shape[:2] == labels.shape
            for class_id in range(3):
                masks = detections.mask[detections.class_id == class_id]
                inside = labels == class_id + 1
                # It draws outlines one pixel wider than they are.
                assert masks.any(axis=0)[inside].all()
                assert not (masks.any(axis=0) & ~ndimage.binary_dilation(inside, np.ones((3, 3)))).any()


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_datumaro_reads_all(tmp_path, maps, kind):
    datumaro = pytest.importorskip("datumaro")
    place = tmp_path / ("set/annotations/instances_train.json" if kind == "coco" else "set")
    if kind == "coco":
        place.parent.mkdir(parents=True)
        (tmp_path / "set" / "images").mkdir()
    write_dataset(place, maps[:2], kind, finding=Finding(NAMES, min_size=4))
    formats = {"coco": "coco_instances", "voc": "voc_segmentation"}
    data = datumaro.Dataset.import_from(str(tmp_path / "set"), formats[kind])
    assert sorted(item.id.rpartition("/")[2] for item in data) == ["a", "b"]
    category = data.categories()[datumaro.AnnotationType.label]
    assert [each.name for each in category if each.name != "background"] == list(NAMES)
    for item in data:
        each = next(one for one in maps if one.name == item.id)
        labels = find_instances(read(each), min_size=4).labels
        drawn = np.zeros_like(labels)
        for annotation in item.annotations:
            if hasattr(annotation, "image") and annotation.label is not None:
                drawn[np.asarray(annotation.image) > 0] = NAMES.index(category[annotation.label].name) + 1
        np.testing.assert_array_equal(drawn, labels)


def test_a_yolo_folder_has_all_that_training_needs(tmp_path, maps):
    made = write_dataset(tmp_path / "set", maps, "yolo", finding=Finding(NAMES, choice=Choice(background=("sea",))))
    text = (tmp_path / "set" / "data.yaml").read_text()
    assert text == 'train: images/train\nval: images/train\nnames:\n  0: "sand"\n  1: "wood"\n'
    assert made.names == ("sand", "wood")
    for each in maps:
        copied = tmp_path / "set" / "images" / "train" / f"{each.name}.png"
        assert copied.read_bytes() == each.picture.read_bytes()
        lines = (tmp_path / "set" / "labels" / "train" / f"{each.name}.txt").read_text().splitlines()
        assert {line.split()[0] for line in lines} == ({"0"} if each.name == "more/c" else {"0", "1"})


def test_classes_are_told_apart_by_name(tmp_path, maps):
    for each, names in zip(maps, (["sea", "sand", "wood"], ["wood", "sea", "ice"], ["sea", "sand"]), strict=True):
        beside = "".join(f"<Category>{name}</Category>" for name in ["", *names])
        each.labels.with_name(f"{each.labels.name}.aux.xml").write_text(
            f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{beside}</CategoryNames></PAMRasterBand></PAMDataset>'
        )
    made = write_dataset(tmp_path / "all.json", maps, "coco")
    data = json.loads((tmp_path / "all.json").read_text())
    assert {each["id"]: each["name"] for each in data["categories"]} == dict(
        enumerate(["sea", "sand", "wood", "ice"], 1)
    )
    areas = np.bincount([each["category_id"] for each in data["annotations"] if each["image_id"] == 2], minlength=5)
    counts = find_instances(read(maps[1])).categories
    assert areas[[3, 1, 4]].tolist() == np.bincount(counts)[1:].tolist()
    assert made.names == ("sea", "sand", "wood", "ice")


def test_a_file_for_each_map(tmp_path, maps):
    write_dataset(tmp_path / "marks", maps, "labelme", finding=Finding(min_size=600))
    data = json.loads((tmp_path / "marks" / "more" / "c.json").read_text())
    assert (tmp_path / "marks" / "more" / data["imagePath"]).resolve() == maps[2].picture
    assert sorted(path.name for path in (tmp_path / "marks").iterdir()) == ["a.json", "b.json", "more"]


def test_memory_is_that_of_one_map(tmp_path):
    labels = np.random.default_rng(0).integers(1, 4, (60, 60)).astype(np.uint8)
    Pillow.fromarray(labels).save(tmp_path / "a.png")

    def peak(n):
        many = [LabelMap(tmp_path / "a.png", None, str(number)) for number in range(n)]
        tracemalloc.start()
        write_dataset(tmp_path / "all.json", many, "coco", overwrite=True)
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    peak(1)
    assert peak(40) < 1.5 * peak(2)


def test_nothing_is_left_of_what_fails(tmp_path, maps):
    bad = tmp_path / "bad_labels.png"
    bad.write_bytes(b"no picture")
    before = sorted(tmp_path.rglob("*"))
    for to in ("coco", "yolo", "voc", "png"):
        with pytest.raises(InputError, match=r"bad_labels\.png"):
            write_dataset(tmp_path / f"out{'.json' * (to == 'coco')}", [*maps, LabelMap(bad, bad, "bad")], to)
    with pytest.raises(ParameterError, match="there is no class 'lake'; the classes are class 1, class 2, class 3"):
        write_dataset(tmp_path / "a.json", maps, "coco", finding=Finding(choice=Choice(("lake",))))
    assert sorted(tmp_path.rglob("*")) == before


def test_refusals(tmp_path, maps):
    alone = [LabelMap(maps[0].labels, None, "a")]
    with pytest.raises(
        InputError, match="yolo needs the pictures, and .*a_labels.png has none beside it; give --image"
    ):
        write_dataset(tmp_path / "set", alone, "yolo")
    with pytest.raises(InputError, match=r"b\.png is 30 x 21 pixels, but .*a_labels\.png is 30 x 20"):
        write_dataset(tmp_path / "a.json", [LabelMap(maps[0].labels, maps[1].picture, "a")], "coco")
    with pytest.raises(ParameterError, match="a_labels.png and .*b_labels.png would both be called a"):
        write_dataset(tmp_path / "a.json", [maps[0], LabelMap(maps[1].labels, None, "a")], "coco")
    with pytest.raises(OutputError, match=r"coco is written to \.json files"):
        write_dataset(tmp_path / "set", maps, "coco")
    with pytest.raises(OutputError, match=r"more is not empty; pass overwrite=True"):
        write_dataset(tmp_path / "more", maps, "voc")
    with pytest.raises(ParameterError, match="to='shp' is not known; use coco, "):
        write_dataset(tmp_path / "set", maps, "shp")
    with pytest.raises(ParameterError, match="a_labels.png: 1 class name was given"):
        write_dataset(tmp_path / "set.json", maps, "coco", finding=Finding(("sea",)))


def test_overwriting_keeps_what_else_is_there(tmp_path, maps):
    write_dataset(tmp_path / "set", maps, "voc")
    (tmp_path / "set" / "notes.txt").write_text("mine")
    write_dataset(tmp_path / "set", maps[:1], "voc", overwrite=True)
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "set" / "ImageSets" / "Main" / "train.txt").read_text() == "a\n"


def test_a_signed_file_does_not_say_what_its_numbers_are(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[300, 1]], np.int32))
    np.save(tmp_path / "b.npy", np.array([[300, 1]], np.uint16))
    assert Finding().of(tmp_path / "b.npy").kind == "object"
    with pytest.raises(ParameterError, match=r"a\.npy: labels of dtype int64 go up to 300"):
        Finding().of(tmp_path / "a.npy")
    assert len(Finding(instances="object").of(tmp_path / "a.npy")) == 2
