"""OME-XML is looked at before it is followed: sizes, planes, and files that it names."""

import os
import socket

import numpy as np
import pytest
from ome_tiff import ome_xml, plane, write_ome
from refusals import refusal

from gmmseg.errors import InputError
from gmmseg.io import read
from gmmseg.io.request import Reading
from gmmseg.io.tiff import ome as subject

VALUES = np.arange(72, dtype=np.uint8).reshape(8, 9)
PLAIN = plane(0) + plane(1)


@pytest.fixture
def folder(tmp_path):
    """A folder of pictures, in one whose files are nobody's business."""
    (tmp_path / "pictures").mkdir()
    write_ome(tmp_path / "secret.ome.tif", VALUES, None)
    return tmp_path / "pictures"


@pytest.mark.parametrize("name", ["../secret.ome.tif", "{outside}", "link.ome.tif", "below/../../secret.ome.tif"])
def test_files_outside_the_folder_are_not_opened(folder, name):
    outside = folder.parent / "secret.ome.tif"
    (folder / "link.ome.tif").symlink_to(outside)
    (folder / "below").mkdir()
    write_ome(
        folder / "a.ome.tif", VALUES, ome_xml((1, 2, 8, 9), plane(0) + plane(1, 0, 0, name.format(outside=outside), 7))
    )
    assert "which is outside its folder; put it beside it" in refusal(folder / "a.ome.tif")


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device", "name"])
def test_what_is_no_file_is_not_opened(folder, monkeypatch, kind):
    monkeypatch.chdir(folder)  # names of sockets are short
    name = "b.ome.tif"
    if kind == "fifo":
        os.mkfifo(folder / name)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    elif kind == "folder":
        (folder / name).mkdir()
    else:
        name = "/dev/zero" if kind == "device" else "b" * 300
    write_ome(folder / "a.ome.tif", VALUES, ome_xml((1, 2, 8, 9), plane(0) + plane(1, 0, 0, name, 7)))
    words = {"device": "outside its folder", "name": "cannot be opened"}.get(kind, "is no regular file")
    assert words in refusal(folder / "a.ome.tif")


def test_files_in_the_folder_and_below_are_opened(folder):
    (folder / "below").mkdir()
    write_ome(folder / "below" / "b.ome.tif", VALUES + 1, None)
    (folder / "c.ome.tif").symlink_to("below/b.ome.tif")
    data = plane(0) + plane(1, 0, 0, "below/b.ome.tif", 7) + plane(2, 0, 0, "c.ome.tif", 8)
    write_ome(folder / "a.ome.tif", VALUES, ome_xml((1, 3, 8, 9), data))
    np.testing.assert_array_equal(read(folder / "a.ome.tif").array, np.stack([VALUES, VALUES + 1, VALUES + 1], -1))


def test_a_file_that_was_renamed_names_itself(folder):
    write_ome(folder / "new.ome.tif", VALUES, ome_xml((1, 1, 8, 9), plane(0, 0, 0, "/elsewhere/old.ome.tif", 0)))
    np.testing.assert_array_equal(read(folder / "new.ome.tif").array[..., 0], VALUES)


def test_a_damaged_file_beside_is_refused(folder):
    (folder / "b.ome.tif").write_bytes(b"II*\0\x08\0\0\0")
    write_ome(folder / "a.ome.tif", VALUES, ome_xml((1, 2, 8, 9), plane(0) + plane(1, 0, 0, "b.ome.tif", 7)))
    with pytest.raises(InputError, match=r"b\.ome\.tif is cut short"):
        read(folder / "a.ome.tif")


@pytest.mark.parametrize(
    ("shape", "data", "words"),
    [
        ((10**9, 1, 8, 9), PLAIN, r"its 1000000000 planes take \d+ MiB, above the limit"),
        ((1, 2, 8, 9), plane(0, count=10**10), "places 10000000000 planes where it has room for 2"),
        ((1, 2, 8, 9), plane(0, count="-1"), "PlaneCount='-1' of its OME-XML is no whole number"),
        ((1, 2, 8, 9), plane(0, count="9" * 5000), "PlaneCount='9999"),
        ((1, 2, 8, 9), '<TiffData NumPlanes="2"/>' * 600_000, "places 1200000 planes where it has room for 2"),
    ],
)
def test_more_planes_than_may_be_read(tmp_path, shape, data, words):
    xml = ome_xml(shape, data)
    with pytest.raises(InputError, match=words):
        subject.require_sound_ome(tmp_path / "a.ome.tif", xml, 1, Reading())
    if len(xml) < 10_000:
        write_ome(tmp_path / "a.ome.tif", VALUES, xml)
        refusal(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("<a>" * 200 + "</a>" * 200, "its XML is nested more than 100 deep"),
        ("<a/>" * 300_000, r"the elements of its XML take \d+ MiB, above the limit of 64 MiB"),
    ],
)
def test_xml_that_is_too_large(tmp_path, more, words):
    for xml in (ome_xml((1, 1, 8, 9), "", more=more), f"<other>{more}</other>"):
        with pytest.raises(InputError, match=words):
            subject.require_modest_xml(tmp_path / "a.tif", xml, Reading(budget=1))
    subject.require_modest_xml(tmp_path / "a.tif", f"no XML: {more}", Reading(budget=1))


def test_entities_are_not_expanded(tmp_path):
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    xml = f'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY e0 "laugh">{entities}]>' + ome_xml((1, 1, 8, 9), "&e9;")
    write_ome(tmp_path / "a.ome.tif", VALUES, xml)
    assert "its XML declares a document type" in refusal(tmp_path / "a.ome.tif")


def test_damaged_xml_is_left_to_the_reader(tmp_path):
    assert subject.require_sound_ome(tmp_path / "a.tif", "<OME><Image>", 1, Reading()) == []
