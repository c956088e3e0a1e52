"""Charts as SVG: numbers are where the axes say."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gmmseg.report.charts import Curve, Frame, chart, dots, path


@pytest.fixture
def frame():
    return Frame.around(np.array([1.0, 6.0]), np.array([-2.0, 3.0]), ("k", "<value>"), whole=True)


def test_numbers_are_placed_between_the_ends_of_the_axes(frame):
    x, y = frame.place([1, 6], [-2, 3])
    assert x[0] < x[1]
    assert y[0] > y[1]  # upwards


def test_a_chart_is_well_formed_and_ticks_whole_numbers(frame):
    x = np.arange(1.0, 7)
    curves = [Curve("a", np.array([3, 1, np.nan, 0, -2, 2]), "#ff0000", marked=True)]
    drawn = chart("<title>", frame, frame.curves(x, curves), [("#ff0000", "a & b")])
    texts = [each.text for each in ElementTree.fromstring(drawn).iter("text")]
    assert texts[:3] == ["2", "4", "6"]
    assert "<value>" in texts
    assert drawn.count("<circle") == 6  # five that are known, and the ring of the lowest


def test_the_ring_is_at_the_lowest_number(frame):
    x, values = np.arange(1.0, 5), np.array([3.0, 1.0, -1.0, 0.0])
    ring = re.search(
        '<circle class="curve" stroke="red" cx="([^"]*)" cy="([^"]*)"',
        frame.curves(x, [Curve("", values, "red", marked=True)]),
    )
    assert [float(each) for each in ring.groups()] == pytest.approx(
        [float(each) for each in frame.place(3, -1)], abs=0.06
    )


def test_a_constant_has_axes_too():
    frame = Frame.around(np.full(3, 7.0), np.full(3, 0.0), ("", ""))
    assert frame.x[0] < 7 < frame.x[1]
    assert np.isfinite(frame.place(7, 0)).all()


def test_lines_and_points_are_short():
    assert path([1, 2.26], [3, 4]) == "M1.0 3.0L2.3 4.0"
    assert dots(np.array([1.2]), np.array([3.0]), "red") == '<path class="dots" stroke="red" d="M1 3h0"/>'


def test_a_histogram_stands_on_the_axis(frame):
    drawn = frame.bars(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0]))
    floor = f"{float(frame.place(0, 0)[1]):.1f}"
    assert re.search(r'd="M([^"]*)Z"', drawn)[1].endswith(floor)
