"""The plugin in QGIS without a window, which is started once: every algorithm runs, and QGIS shows the classes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gmmseg

PLUGIN = Path(gmmseg.__file__).parent / "integrations" / "qgis"
QGIS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(QGIS is None, reason="there is no QGIS")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene in a folder, and what QGIS has made of it."""
    rasterio = pytest.importorskip("rasterio", reason="rasters on a map are of the extra geo")
    folder = tmp_path_factory.mktemp("qgis")
    values = np.repeat(np.uint8([20, 120, 220]), 16)[None, :, None] * np.uint8([1, 1, 1])[:, None, None]
    pixels = np.repeat(values, 40, axis=2) + np.random.default_rng(0).integers(0, 9, (3, 48, 40), np.uint8)
    profile = {"driver": "GTiff", "width": 40, "height": 48, "count": 3, "dtype": "uint8", "crs": "EPSG:32632"}
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    with rasterio.open(folder / "scene.tif", "w", transform=place, **profile) as file:
        file.write(pixels)
    settings = folder / "home" / "QGIS" / "QGIS3" / "profiles" / "default"
    for where in ("python/plugins", "processing/scripts", "QGIS"):
        (settings / where).mkdir(parents=True)
    shutil.copytree(PLUGIN, settings / "python" / "plugins" / "gmmseg_qgis")
    shutil.copy(Path(__file__).with_name("within_qgis.py"), settings / "processing" / "scripts")
    program = folder / "gmmseg"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{PLUGIN.parents[2]}" exec "{sys.executable}" -m gmmseg "$@"\n')
    program.chmod(0o755)
    (settings / "QGIS" / "QGIS3.ini").write_text(
        f"[PythonPlugins]\ngmmseg_qgis=true\n\n[Processing]\nConfiguration\\GMMSEG_PROGRAM={program}\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG"))}
    # With the system's own Python first: QGIS takes its packages from beside the first one that it finds.
    environment["PATH"] = os.pathsep.join(["/usr/bin", "/bin", environment["PATH"]])
    environment |= {"QT_QPA_PLATFORM": "offscreen", "XDG_DATA_HOME": str(folder / "home"), "HOME": str(folder / "home")}
    done = subprocess.run(
        [QGIS, "run", "script:withinqgis", "--", f"FOLDER={folder}"], env=environment, capture_output=True, text=True
    )
    assert (folder / "found.json").exists(), done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


def test_every_algorithm_runs(folder, found):
    assert found["k"] == 3
    assert found["applied"]
    assert found["exported"]
    assert gmmseg.load_model(folder / "model.json").class_names == ("water", "field", "town")
    assert len(found["table"]) == 4
    assert "hectares" in found["table"][0] or "ha" in found["table"][0]
    assert gmmseg.io.read_labels(folder / "regions.tif").max() == 4
    assert found["polygons"] == ["EPSG:32632", ["field", "town", "water"]]


def test_qgis_shows_the_classes_by_their_names(found):
    assert found["unstyled"] > 3  # what a colour table alone gives
    assert found["shown"] == ["water", "field", "town"]
    assert found["opened"] == ["water", "field", "town"]
    assert found["colors"] == [["water", "#0072b2"], ["field", "#e69f00"], ["town", "#009e73"]]


def test_qgis_offers_what_the_program_writes(found):
    assert found["written"] == ["tif", "gpkg", "geojson"]


def test_what_goes_wrong_is_said_in_the_words_of_the_program(folder, found):
    assert "-k" in found["error"]
    assert "many" in found["error"]
    assert not (folder / "wrong.tif").exists()


def test_who_cancels_gets_nothing(folder):
    assert not (folder / "cancelled.tif").exists()
