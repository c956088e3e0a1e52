"""Label maps and the pictures that they are of."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.batch.pairing import done_maps, find_label_maps
from gmmseg.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(np.ones((4, 5), np.uint8)).save(name)

    return make


def found(*sources, **options):
    maps = find_label_maps(sources, without=Path("out"), **options)
    return [(str(each.labels), each.picture and str(each.picture), each.name) for each in maps]


def test_a_folder_of_pictures_and_their_label_maps(here):
    here("in/a.jpg", "in/a_labels.png", "in/a_overlay.png", "in/b/c_labels.tif", "in/b/c.tif")
    assert found("in") == [
        ("in/a_labels.png", "in/a.jpg", "a"),
        ("in/b/c_labels.tif", "in/b/c.tif", "b/c"),
    ]


def test_a_folder_of_masks_alone(here):
    here("masks/1.png", "masks/2.png", "photos/1.jpg", "photos/2.jpg", "photos/notes.tif")
    Path("photos/1.json").write_text("{}")
    pairs = [("masks/1.png", "photos/1.jpg", "1"), ("masks/2.png", "photos/2.jpg", "2")]
    assert found("masks", pictures=Path("photos")) == pairs
    assert found("masks/2.png", "masks/1.png", pictures=Path("photos")) == pairs[::-1]
    Path("all.txt").write_text("masks/1.png\nmasks/2.png\n")
    assert found("all.txt", pictures=Path("photos")) == pairs
    assert found("masks/*.png") == [(labels, None, name) for labels, _, name in pairs]


def test_pictures_are_found_by_their_places_first(here):
    here("labels/x/a_labels.png", "labels/y/a_labels.png", "labels/z/b_labels.png")
    here("photos/x/a.png", "photos/y/a.png", "photos/b.png")
    assert [each[1] for each in found("labels", pictures=Path("photos"))] == [
        "photos/x/a.png",
        "photos/y/a.png",
        "photos/b.png",
    ]


def test_the_manifest_of_a_batch_names_the_pictures(here):
    here("photos/a.png", "labels/a_labels.png", "labels/b_labels.png")
    lines = [
        {"input": f"photos/{name}.png", "parameters": {}, "outputs": {"labels": {"file": f"{name}_labels.png"}}}
        for name in "ab"
    ]
    Path("labels/manifest.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert [each[1] for each in found("labels")] == ["photos/a.png", None]
    maps = done_maps(Path("labels"), [*lines, {**lines[0], "error": {}}])
    assert [(str(each.labels), each.name, each.picture) for each in maps] == [
        ("labels/a_labels.png", "a", Path("photos/a.png")),
        ("labels/b_labels.png", "b", None),
    ]


def test_no_label_map(here):
    here("in/a.jpg")
    with pytest.raises(InputError, match="in: there is no label map; name files, or a folder that has some"):
        found("in")
