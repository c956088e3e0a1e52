"""Tables and their files."""

import json

import numpy as np
import pandas
import pytest

from gmmseg.errors import OutputError
from gmmseg.measuring import Table

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
    pandas.testing.assert_frame_equal(found, pandas.DataFrame(dict(TABLE)), check_dtype=False)


def test_nothing_is_lost(tmp_path):
    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        TABLE.save(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "old"
    TABLE.save(tmp_path / "t.csv", overwrite=True)
    with pytest.raises(OutputError, match="tables are written to .csv, .json, .parquet"):
        TABLE.save(tmp_path / "t.xlsx")
