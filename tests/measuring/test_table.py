"""Tables and their files."""

import json
import os

import numpy as np
import pandas
import pytest

from gmmseg.errors import InputError, OutputError
from gmmseg.measuring import Table
from gmmseg.measuring.table import read_table, stacked

TABLE = Table(
    {
        "label": np.array([1, 2]),
        "name": np.array(["a, b", "ü"], object),
        "area_mm2": np.array([0.1 + 0.2, np.nan]),
    }
)


def test_csv_is_read_by_others(tmp_path):
    TABLE.save(tmp_path / "t.csv")
    found = pandas.read_csv(tmp_path / "t.csv")
    assert found["name"].tolist() == ["a, b", "ü"]
    assert found["area_mm2"][0] == 0.3
    assert np.isnan(found["area_mm2"][1])


def test_json_knows_null(tmp_path):
    TABLE.save(tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text())
    assert rows[1] == {"label": 2, "name": "ü", "area_mm2": None}


def test_parquet_is_read_by_others(tmp_path):
    pytest.importorskip("pyarrow")
    TABLE.save(tmp_path / "t.parquet")
    found = pandas.read_parquet(tmp_path / "t.parquet")
    pandas.testing.assert_frame_equal(found, pandas.DataFrame(TABLE), check_dtype=False)


def test_nothing_is_lost(tmp_path):
    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        TABLE.save(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "old"
    TABLE.save(tmp_path / "t.csv", overwrite=True)
    with pytest.raises(OutputError, match="tables are written to .csv, .json, .parquet"):
        TABLE.save(tmp_path / "t.xlsx")


def test_what_was_written_is_read(tmp_path):
    TABLE.save(tmp_path / "t.csv")
    found = read_table(tmp_path / "t.csv")
    assert list(found) == list(TABLE)
    assert found["label"].tolist() == [1, 2]
    assert found["name"].tolist() == ["a, b", "ü"]
    np.testing.assert_allclose(found["area_mm2"], TABLE["area_mm2"])
    (tmp_path / "u.csv").write_text("a,b\n1\n")
    with pytest.raises(InputError, match="u.csv is no table"):
        read_table(tmp_path / "u.csv")


def test_tables_below_each_other():
    one = Table({"label": np.array([1, 2]), "area_ha": np.array([0.5, 1.5])})
    two = Table({"label": np.array([1]), "name": np.array(["7"], object)})
    found = stacked({"x.tif": one, "y.png": two}, "image")
    assert found["image"].tolist() == ["x.tif", "x.tif", "y.png"]
    assert found["label"].tolist() == [1, 2, 1]
    np.testing.assert_array_equal(found["area_ha"], [0.5, 1.5, np.nan])
    assert found["name"].tolist() == ["", "", "7"]
    assert stacked({}, "image").n_rows == 0
    none = Table({"label": np.array([], np.float64), "name": np.array([], object)})
    found = stacked({1: none, 2: one, 3: none}, "frame")  # what has no rows changes no column
    assert (found["frame"].tolist(), found["label"].dtype, list(found)) == ([2, 2], np.int64, ["frame", *one])
    found = stacked({1: none, 2: none}, "frame")
    assert ({name: len(column) for name, column in found.items()}) == {"frame": 0, "label": 0, "name": 0}


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_names_of_files_that_are_no_text_are_written(tmp_path, suffix):
    """As of a batch: one file with a name that is no UTF-8 is no reason to lose the table of all."""
    path = tmp_path / f"t.{suffix}"
    stacked({"a.png": TABLE, os.fsdecode(b"b\xff.png"): TABLE}, "image").save(path)
    read = {"csv": pandas.read_csv, "json": pandas.read_json, "parquet": pandas.read_parquet}[suffix]
    names = read(path)["image"].tolist() if suffix != "json" else [row["image"] for row in json.loads(path.read_text())]
    wrong = os.fsdecode(b"b\xff.png") if suffix == "json" else r"b\udcff.png"  # which JSON reads as it was
    assert names == ["a.png", "a.png", wrong, wrong]
