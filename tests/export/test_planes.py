"""Label maps of volumes and time-lapses: one plane of them, or the instances of each."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.export import Choice, find_in_planes, write_export
from gmmseg.export.planes import plane_of

LABELS = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.uint8)


def test_one_plane_of_one_frame():
    np.testing.assert_array_equal(plane_of(LABELS, time=True, frame=2, plane=3), LABELS[1, 2])
    np.testing.assert_array_equal(plane_of(LABELS[0], time=True, frame=3), LABELS[0, 2])
    np.testing.assert_array_equal(plane_of(LABELS[0], time=False, plane=1), LABELS[0, 0])
    np.testing.assert_array_equal(plane_of(LABELS[0, 0], time=False), LABELS[0, 0])
    np.testing.assert_array_equal(plane_of(LABELS[:1, 1], time=True), LABELS[0, 1])  # the only frame


@pytest.mark.parametrize(
    ("labels", "given", "said"),
    [
        (
            LABELS,
            {"time": True, "frame": 1},
            "labels have 3 planes; pass plane=1 to 3 for one of them, or",
        ),
        (LABELS, {"time": True, "plane": 1}, "labels have 2 frames; pass frame=1 to 2"),
        (LABELS[0], {"time": False, "plane": 4}, "plane=4 is not there; labels have planes 1 to 3"),
        (LABELS[0], {"time": False, "plane": 1, "frame": 1}, "frame=1 was given, but the labels have no frames"),
        (LABELS[0], {"time": True, "plane": 1, "frame": 1}, "plane=1 was given, but the labels have no planes"),
    ],
)
def test_what_is_not_there_is_refused(labels, given, said):
    with pytest.raises(ParameterError, match=said):
        plane_of(labels, **given)


def test_instances_of_each_plane_are_of_the_same_kind_and_names():
    labels = np.zeros((2, 2, 1, 3), np.uint8)
    labels[0, 0], labels[1, 1] = [[1, 0, 1]], [[2, 2, 0]]
    found = find_in_planes(labels, time=True, class_names=["sea", "land"])
    assert [(each.frame, each.plane) for each in found] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [each.instances.categories.tolist() for each in found] == [[1, 1], [], [], [2]]
    assert {each.instances.names for each in found} == {("sea", "land")}
    assert [(each.frame, each.plane) for each in find_in_planes(labels[0], time=True)] == [(1, 0), (2, 0)]
    assert [(each.frame, each.plane) for each in find_in_planes(labels[0, 0], time=False)] == [(0, 0)]


def test_a_mask_of_255_is_one_class_in_all_planes_and_255_of_others_is_a_number():
    masks = np.zeros((2, 2, 2), np.uint8)
    masks[1, 0] = 255
    assert [each.instances.values.tolist() for each in find_in_planes(masks, time=False)] == [[], [1]]
    masks[0, 0] = 7
    assert [each.instances.values.tolist() for each in find_in_planes(masks, time=False)] == [[7], [255]]


def test_objects_keep_their_numbers_and_choices_are_of_all_planes():
    tracks = np.uint16([[[500, 0]], [[500, 900]]])
    found = find_in_planes(tracks, time=True)
    assert [each.instances.values.tolist() for each in found] == [[500], [500, 900]]
    kept = find_in_planes(tracks, time=True, choice=Choice(classes=("900",)))
    assert [each.instances.values.tolist() for each in kept] == [[], [900]]
    with pytest.raises(ParameterError, match="there is no class '7'; the classes are 500, 900"):
        find_in_planes(tracks, time=True, choice=Choice(classes=("7",)))


def test_only_rois_hold_several_planes(tmp_path):
    found = find_in_planes(LABELS[0], time=False)
    with pytest.raises(ParameterError, match="coco has one plane"):
        write_export(tmp_path / "a.json", found, "coco")
    with pytest.raises(ParameterError, match="of no plane"):
        write_export(tmp_path / "a.zip", [], "roi")
    assert not list(tmp_path.iterdir())
