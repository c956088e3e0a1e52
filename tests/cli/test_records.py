"""What --json prints is strict JSON, whatever the numbers are."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from gmmseg import cli
from gmmseg.cli.records import print_json

INFINITE = {"a": [1.5, float("inf")], "b": {"c": (np.float64("nan"), -float("inf"))}, "d": 3, "e": None, "f": "NaN"}


def strictly(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_json_cannot_hold_are_null(capsys):
    print_json(INFINITE)
    text = capsys.readouterr().out
    assert strictly(text) == {"a": [1.5, None], "b": {"c": [None, None]}, "d": 3, "e": None, "f": "NaN"}
    assert len(text.splitlines()) > 5
    print_json([INFINITE], indent=None)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_commands_print_json_in_no_other_way():
    for path in sorted(Path(cli.__file__).parent.glob("*.py")):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert ("dumps" in names) == (path.name == "records.py"), path.name


@pytest.mark.parametrize("affine", [(1e308, 0, 1e308, 0, -1e308, 1e308), (np.inf, 0, 0, 0, -1, 0), (np.nan,) * 6])
@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_a_raster_at_no_place(run, affine):
    rasterio = pytest.importorskip("rasterio")
    size = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint8"}
    with rasterio.open("scene.tif", "w", transform=rasterio.Affine(*affine), crs="EPSG:32633", **size) as file:
        file.write(np.arange(64, dtype=np.uint8).reshape(1, 8, 8))
    for command in (
        "info scene.tif",
        "segment scene.tif -k 2 -o labels.tif --model one.json",
        "fit scene.tif -k 2 -o model.json",
        "apply model.json scene.tif -o again.tif",
        "choose-k scene.tif --max-k 2",
        "regions scene.tif -o regions.tif",
        "evaluate labels.tif again.tif",
        "info model.json",
        "export labels.tif --to coco -o coco.json",
    ):
        finished = run(*command.split(), "--json")
        assert finished.code == 0, (command, finished.err)
        assert strictly(finished.out)
    finished = run("export", "labels.tif", "--to", "geojson", "--keep-crs", "-o", "a.geojson", "--json")
    assert finished.code == 2
    assert "labels.tif" not in finished.out
    assert "at no place that numbers can hold" in finished.err
