"""Ways to look at a segmentation."""

import numpy as np

import gmmseg


def test_a_report_is_written(tmp_path):
    gmmseg.segment(np.uint8([[10, 200]] * 2), k=2).report(tmp_path / "r.html")
    assert "2 classes" in (tmp_path / "r.html").read_text()


def test_segmenting_loads_no_face(fresh_python):
    code = (
        "import sys, gmmseg, numpy; gmmseg.segment(numpy.uint8([[10, 200]] * 2), k=2);"
        "print([m for m in sys.modules if m.startswith(('gmmseg.report', 'gmmseg.plot', 'gmmseg.integrations'))])"
    )
    assert fresh_python(code).strip() == "[]"
