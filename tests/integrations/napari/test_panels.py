"""The widgets in napari itself, where it and a display are installed: in a process of its own, as Qt wants one."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from gmmseg.integrations.napari import exchange

XVFB = shutil.which("xvfb-run")

SESSION = """
import sys, time
import gmmseg.integrations.napari.panels as panels
early = {each.split(".")[0] for each in sys.modules} & {"qtpy", "PyQt5", "PyQt6", "PySide6", "napari", "magicgui"}
assert not early, early
import napari, numpy
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=False)
values = numpy.random.default_rng(0).integers(40, 50, (60, 80)).astype("uint8")
values[:, 40:] += 120
viewer.add_image(values, name="scan", scale=(0.5, 0.25), translate=(3, 4), units=("um", "um"))


def run(panel, cancel=False):
    panel["start"].changed.emit(True)
    assert panel["cancel"].enabled
    if cancel:
        panel["cancel"].changed.emit(True)
    end = time.monotonic() + 60
    while not panel["start"].enabled and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    assert panel["start"].enabled


panel = panels.segment_panel()
viewer.window.add_dock_widget(panel)
panel["k"].value = 2
run(panel, cancel=True)
assert len(viewer.layers) == 1, "what was cancelled leaves no layer"
run(panel)
classes = viewer.layers["scan classes"]
assert (classes.data == 1 + (values > 100)).all()
assert tuple(classes.scale) == (0.5, 0.25) and tuple(classes.translate) == (3, 4)
assert [str(each) for each in classes.units] == ["micrometer", "micrometer"]
assert classes.features["area_um2"].tolist()[1:] == [300.0, 300.0]
viewer.add_labels(numpy.zeros((60, 80), int), name="strokes", scale=(0.5, 0.25), translate=(3, 4), units=("um", "um"))
viewer.layers["strokes"].data[5, 50:70] = 1
viewer.layers["strokes"].data[5, 5:30] = 2
panel["strokes"].value = viewer.layers["strokes"]
run(panel)
assert (viewer.layers["scan classes [1]"].data == 2 - (values > 100)).all()
assert "scan doubts" not in viewer.layers
from napari.utils.notifications import notification_manager
from doubtful import doubtful, strokes
from gmmseg.web.painting import painted
viewer.add_image(doubtful(), name="branch", rgb=True)
viewer.add_labels(painted(strokes(), (90, 160), (90, 160)).astype(int), name="sides")
panel["image"].value, panel["strokes"].value = viewer.layers["branch"], viewer.layers["sides"]
run(panel)
(said,) = [each.message for each in notification_manager.records if "might as well be" in each.message]
assert viewer.layers["branch doubts"].features["warning"].tolist() == [said]
panel["strokes"].value = None
run(panel)
assert "branch doubts" not in viewer.layers, "they are of the classes before"
panel = panels.regions_panel()
viewer.window.add_dock_widget(panel)
run(panel)
assert "scan regions" in viewer.layers
viewer.layers["scan classes"].metadata["model"].save(sys.argv[1])
panel = panels.apply_panel()
viewer.window.add_dock_widget(panel)
panel["image"].value = viewer.layers["scan"]
panel["model"].value = sys.argv[1]
run(panel)
assert (viewer.layers["scan classes [2]"].data == classes.data).all()
if len(sys.argv) > 2:
    viewer.window.resize(1280, 860)
    viewer.screenshot(sys.argv[2], canvas_only=False, flash=False)
viewer.close()
print("all is well")
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("napari") is None, reason="needs napari")
@pytest.mark.skipif(XVFB is None, reason="needs xvfb-run")
def test_a_session_in_napari(tmp_path):
    done = subprocess.run(
        [XVFB, "-a", "-s", "-screen 0 1280x900x24", sys.executable, "-c", SESSION, str(tmp_path / "m.json")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LIBGL_ALWAYS_SOFTWARE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.endswith("all is well\n"), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("npe2") is None, reason="needs npe2")
def test_the_manifest_is_valid():
    manifest = exchange.__file__.replace("exchange.py", "napari.yaml")
    done = subprocess.run([sys.executable, "-m", "npe2", "validate", manifest], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
