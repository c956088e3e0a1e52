"""Scores as tables."""

import numpy as np

from gmmseg.cli.scores import accuracy_text, agreement_text, changes_text, detection_text, surfaces_text
from gmmseg.evaluation import accuracy, changes, detection, evaluate, surface_distance


def test_agreement_of_masks():
    mask = np.array([[0, 0, 255, 255]], np.uint8)
    lines = agreement_text(evaluate(mask, mask)).splitlines()
    dice = [line for line in lines if line.startswith("Dice")]
    assert dice == [
        "Dice of the background           1.0000  (label 0)",
        "Dice of true class 255           1.0000  (label 255)",
    ]
    assert "0  (no label left)" in agreement_text(evaluate([[1, 1, 1]], [[1, 1, 2]]))


def test_confusion_of_maps():
    text = agreement_text(evaluate([[1, 1, 1, 2, 2, 3]], [[7, 7, 4, 4, 4, 4]]))
    assert text.split("\n\n")[1:] == [
        "map \\ truth  4  7  pixels\n2            2  0       2\n1            1  2       3\n3            1  0       1",
        "class  user's  producer's\n4      1.0000      0.5000\n7      0.6667      1.0000",
        "overall accuracy 0.6667, kappa 0.4545",
    ]
    many = np.arange(1, 31)[None]
    assert agreement_text(evaluate(many, many)).split("\n\n")[1:] == ["overall accuracy 1.0000, kappa 1.0000"]


def test_accuracy():
    found = accuracy([1, 1, 1, 2, 2, 2], [1, 1, 2, 2, 2, 3], areas={1: 30, 2: 70})
    text = accuracy_text(found, {1: 30.0, 2: 70.0}, 100.0, "ha", {1: "sea", 2: "land"})
    assert text.splitlines()[:4] == [
        "map \\ truth  sea  land  3  points",
        "sea            2     1  0       3",
        "land           0     2  1       3",
        "3              0     0  0       0",
    ]
    assert "3                     -  0.0000 +- 0.0000          0  23.33 +- 45.73" in text
    assert text.splitlines()[-1].startswith("overall accuracy 0.6667 +- 0.")
    assert text.endswith("kappa 0.3865 (95% intervals)")


def test_objects():
    text = detection_text(detection([[1, 2]], [[1, 2]], overlaps=[0.5]))
    assert text.splitlines() == [
        "2 objects, 2 true ones",
        "overlap      F1  average precision",
        "0.5      1.0000             1.0000",
        "mean                        1.0000",
    ]


def test_surfaces_and_changes():
    inside = np.ones((2, 3, 4), bool)
    found = surface_distance(inside, inside, spacing=(10, 10, 10))
    assert surfaces_text({7: found}, "mm", 3).splitlines() == [
        "true class  Hausdorff 95 % (mm)  average (mm)  volume (ml)   true  difference",
        "7                             0             0        24.00  24.00       +0.0%",
    ]
    assert "area (pixels^2)" in surfaces_text({7: found}, "pixels", 2)
    lines = changes_text(changes([[1, 1, 2]], [[1, 2, 2]], areas=0.09), "ha", ["sea", "land"]).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["sea", "0.09000", "0.09000", "0.1800"],
        ["land", "0", "0.09000", "0.09000"],
        ["total", "0.09000", "0.1800", "0.2700"],
    ]
