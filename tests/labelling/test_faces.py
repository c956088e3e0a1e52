"""Ways to look at a segmentation."""

import numpy as np
import pytest

import gmmseg


def test_a_report_is_written(tmp_path):
    gmmseg.segment(np.uint8([[10, 200]] * 2), k=2).report(tmp_path / "r.html")
    assert "2 classes" in (tmp_path / "r.html").read_text()


def test_the_page_needs_a_file(tmp_path):
    seg = gmmseg.segment(np.uint8([[10, 200]] * 2), k=2)
    with pytest.raises(gmmseg.ParameterError, match="is no file, which the page needs"):
        seg.view(folder=tmp_path, browser=False)


def test_a_plot_is_of_the_image_without_its_bias_field(rng):
    y, x = np.mgrid[:60, :80]
    gain = np.exp(0.6 * (x / 80 - 0.5))
    image = ((60 + 80 * ((x // 10 + y // 10) % 2)) * gain + rng.normal(0, 2, x.shape)).astype(np.float32)
    found = gmmseg.segment(image, k=2, bias_field=True)
    assert found.rule.bias is not None
    (ax,) = found.plot(kind="density").axes
    low, high = ax.get_xlim()
    assert high - low < np.ptp(image)


def test_segmenting_loads_no_face(fresh_python):
    code = (
        "import sys, gmmseg, numpy; gmmseg.segment(numpy.uint8([[10, 200]] * 2), k=2);"
        "faces = tuple('gmmseg.' + name for name in ('report', 'plot', 'web', 'integrations'));"
        "print([m for m in sys.modules if m.startswith(faces)])"
    )
    assert fresh_python(code).strip() == "[]"
