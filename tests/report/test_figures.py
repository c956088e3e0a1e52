"""Charts of a segmentation."""

from xml.etree import ElementTree

import pytest

from gmmseg.plot.view import View
from gmmseg.report.figures import choice_chart, class_colors, density_chart, ellipse_chart, guides, history_chart


@pytest.fixture(scope="module")
def seen(found):
    view = View.of(found.model)
    return view, view.samples(found.image, 2000, 0)


def curves(drawn):
    return [each.get("stroke") for each in ElementTree.fromstring(drawn).iter("path") if each.get("class") == "curve"]


def test_a_histogram_has_the_gaussian_of_each_class_and_their_sum(found, seen):
    assert curves(density_chart(*seen, 0)) == [*class_colors(found.model.k), "currentColor"]


def test_each_class_has_two_rings_and_its_number(found, seen):
    drawn = ellipse_chart(*seen, guides(seen[0], 2))
    assert sorted(curves(drawn)) == sorted(2 * class_colors(found.model.k))
    numbers = [each.text for each in ElementTree.fromstring(drawn).iter("text") if each.get("class") == "number"]
    assert numbers == [str(each + 1) for each in range(found.model.k)]


def test_position_is_no_guide_where_there_is_anything_else(seen):
    assert not {"x", "y"} & {seen[0].names[row] for row in guides(seen[0], 3)}


def test_the_choice_has_a_curve_a_criterion_and_marks_k(found):
    drawn = choice_chart(found.course.choice)
    assert curves(drawn) == class_colors(4)
    assert f"Choice of k = {found.model.k} by ICL" in drawn


def test_the_history_goes_up(found):
    drawn = history_chart(found.course.fit)
    (line,) = [each for each in ElementTree.fromstring(drawn).iter("path") if each.get("class") == "curve"]
    heights = [float(each.split()[1]) for each in line.get("d")[1:].split("L")]
    assert heights == sorted(heights, reverse=True)
