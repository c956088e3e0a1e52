"""Commands whose chunks are computed by workers: the same bytes, also when they are killed and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mosaics import made_scene

import gmmseg
from gmmseg import Image

pytest.importorskip("distributed")
rasterio = pytest.importorskip("rasterio")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A scene on a map, a model of it, and what one process makes of both."""
    tmp_path = tmp_path_factory.mktemp("scene")
    pixels = np.tile(made_scene(), (6, 5, 1))
    with rasterio.open(
        tmp_path / "scene.tif",
        "w",
        driver="GTiff",
        width=pixels.shape[1],
        height=pixels.shape[0],
        count=3,
        dtype="uint8",
        tiled=True,
        photometric="minisblack",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 500000, 0, -10, 5000000),
    ) as file:
        file.write(pixels.transpose(2, 0, 1))
    gmmseg.fit(Image(pixels), 3).save(tmp_path / "m.gmm.json")
    one = finished(tmp_path, "apply", "m.gmm.json", "scene.tif", "-o", "one.tif", "--cog")
    assert one.returncode == 0, one.stderr
    return tmp_path / "scene.tif", one.stdout


def command(folder, *arguments):
    path = os.pathsep.join([str(Path(gmmseg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return [sys.executable, "-m", "gmmseg", *arguments], {"cwd": folder, "env": {**os.environ, "PYTHONPATH": path}}


def finished(folder, *arguments):
    line, options = command(folder, *arguments)
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_workers_write_the_bytes_of_one_process(scene):
    here, said = scene[0].parent, scene[1]
    two = finished(here, "apply", "m.gmm.json", "scene.tif", "-o", "two.tif", "--workers", "2", "--chunk", "300")
    assert two.returncode == 0, two.stderr
    assert (here / "one.tif").read_bytes() == (here / "two.tif").read_bytes()
    with rasterio.open(here / "two.tif") as labels:
        assert labels.shape == (1536, 1600)
        assert labels.overviews(1) == [2, 4]
    assert said.splitlines()[1:] == two.stdout.splitlines()[1:]


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], ["--plain"]], ids=["levels", "plain"])
def test_workers_write_the_zarr_of_one_process(scene, extra):
    pytest.importorskip("zarr")
    here, name = scene[0].parent, f"{'plain' if extra else 'levels'}"
    one = finished(here, "apply", "m.gmm.json", "scene.tif", "-o", f"one_{name}.zarr", *extra)
    workers = ["--workers", "2", "--chunk", "512"]
    two = finished(here, "apply", "m.gmm.json", "scene.tif", "-o", f"two_{name}.zarr", *extra, *workers)
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    found = {}
    for which in ("one", "two"):
        folder = here / f"{which}_{name}.zarr"
        found[which] = {each.relative_to(folder): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    assert found["one"] == found["two"]
    assert len(found["two"]) == (5 if extra else 8)  # chunks of 1024 of 1536 x 1600, and what says so


@pytest.mark.slow
def test_workers_fit_the_model_of_one_process(scene):
    here = scene[0].parent
    one = finished(here, "fit", "scene.tif", "-k", "3", "-o", "one.gmm.json")
    two = finished(here, "fit", "scene.tif", "-k", "3", "-o", "two.gmm.json", "--workers", "1", "--chunk", "500")
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert (here / "one.gmm.json").read_bytes() == (here / "two.gmm.json").read_bytes()


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_bytes(scene):
    here = scene[0].parent
    arguments = ["apply", "m.gmm.json", "scene.tif", "-o", "again.tif", "--cog", "--workers", "1", "--chunk", "100"]
    line, options = command(here, *arguments)
    child = subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL, **options)
    parts = here / ".again.tif.gmmseg-parts"
    stop = time.monotonic() + 60
    while len(list(parts.glob("*.part"))) < 2 and time.monotonic() < stop:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    kept = len(list(parts.glob("*.part")))
    assert 2 <= kept < 16
    assert not (here / "again.tif").exists()
    again = finished(here, *arguments)
    assert again.returncode == 0, again.stderr
    assert not parts.exists()
    assert (here / "again.tif").read_bytes() == (here / "one.tif").read_bytes()


@pytest.mark.parametrize("command", ["segment", "fit"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2", "--scheduler", "tcp://a:1"], "--scheduler tcp://a:1 and --workers 2 contradict each other"),
        (["--chunk", "512"], "--chunk 512 is of --scheduler or --workers, which are not given"),
    ],
)
def test_options_that_contradict_each_other(options, words, refuse, command):
    assert words in refuse(command, "photo.png", *options, code=2)


def test_a_batch_has_workers_of_one_kind(refuse, folder):
    words = "--scheduler tcp://a:1 and --workers 2 contradict each other; give one"
    arguments = ["photo.png", "--out-dir", "labels", "--workers", "2", "--scheduler", "tcp://a:1"]
    assert words in refuse("batch", *arguments, code=2)
    assert not (folder / "labels").exists()


@pytest.mark.slow
def test_a_batch_that_was_killed_goes_on(tmp_path):
    """With no process of its own kept: workers end with their driver, and what they had in hand is done again."""
    for number in range(6):
        gmmseg.io.write_rgb(tmp_path / f"{number}.png", made_scene()[:, number:])
    arguments = ["batch", str(tmp_path), "-k", "2", "--out-dir", "labels", "--resume", "-q"]
    line, options = command(tmp_path, *arguments, "--workers", "1")
    child = subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL, **options)
    stop = time.monotonic() + 60
    while len(list((tmp_path / "labels").glob("*_labels.png"))) < 2 and time.monotonic() < stop:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert 2 <= len(list((tmp_path / "labels").glob("*_labels.png"))) < 6
    again = finished(tmp_path, *arguments)
    assert again.returncode == 0, again.stderr
    files = sorted(path.name for path in (tmp_path / "labels").iterdir())
    assert files == [*(f"{number}_labels.png" for number in range(6)), "manifest.jsonl"]
    assert finished(tmp_path, *arguments).stdout == ""
    assert len((tmp_path / "labels" / "manifest.jsonl").read_text().splitlines()) == 6
