"""Tables: columns of equal length, and the files that hold them."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import InputError, OutputError
from gmmseg.extras import require
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.io.parts import as_text

__all__ = ["Table", "check_table", "read_table", "stacked"]

_TEXTS = ("name", "unit", "image")  # whatever is in them, also where it looks like a number


class Table(dict[str, Array]):
    """Columns by name, all of one length: `pandas.DataFrame(table)` takes it as it is.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n,)
        Numbers, or text as objects; NaN where a number is not known.

    Examples
    --------
    >>> import numpy as np
    >>> table = Table({"label": np.array([1, 2]), "area_mm2": np.array([3.5, 0.25])})
    >>> table["area_mm2"].sum(), table.rows()[1]
    (np.float64(3.75), {'label': 2, 'area_mm2': 0.25})
    """

    def __repr__(self) -> str:
        """Say how large it is, on one line."""
        return f"Table({self.n_rows} rows: {', '.join(self)})"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values()), ()))

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, in Python's own numbers."""
        values = [column.tolist() for column in self.values()]
        return [dict(zip(self, row, strict=True)) for row in zip(*values, strict=True)]

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the table; the suffix chooses the format.

        Parameters
        ----------
        path : path-like
            .csv (UTF-8, a dot before decimals, nothing where a number is not known), .json (a list of objects, null
            where a number is not known) or .parquet, which needs pyarrow.
        overwrite : bool
            Whether an existing file may be replaced.

        Raises
        ------
        OutputError
            The suffix is not known, the folder cannot be written or the file exists.
        GmmsegError
            pyarrow is not installed.
        """
        path = path_of(path)
        check_table(path, overwrite=overwrite)
        content = _WRITERS[path.suffix.lower()](self)
        with atomic_file(path, overwrite=overwrite) as file:
            file.write(content)


def read_table(path: Path) -> Table:
    """Read a table that was written as .csv; columns of whole numbers, of numbers, and of text are told by their cells.

    Raises
    ------
    InputError
        The file is none.
    """
    import csv

    try:
        with open(path, encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file, strict=True)
        columns = [[row[index] for row in rows] for index in range(len(head))]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InputError(f"{path} is no table ({error}); write it again") from None
    return Table(dict(zip(head, map(_column, head, columns), strict=True)))


def _column(name: str, cells: list[str]) -> Array:
    if name not in _TEXTS:
        for dtype in (np.int64, np.float64):
            with contextlib.suppress(ValueError):
                return np.array([dtype(cell or "nan") for cell in cells], dtype)
    return np.array(cells, object)


def stacked(tables: Mapping[str, Table] | Mapping[int, Table], title: str) -> Table:
    """Return several tables as one, below each other.

    Parameters
    ----------
    tables : mapping of str or int to Table
        By what the first column, called `title`, has in their rows.
    title : str

    Returns
    -------
    Table
        Of all columns that any with rows has; not known where a table has none of the name.
    """
    filled = {name: table for name, table in tables.items() if table.n_rows} or tables
    counts = [table.n_rows for table in filled.values()]
    first = np.array(list(filled), object if any(isinstance(name, str) for name in filled) else np.int64)
    columns = {title: np.repeat(first, counts)}
    for name in dict.fromkeys(name for table in filled.values() for name in table):
        text = any(table[name].dtype == object for table in filled.values() if name in table)
        unknown: Any = np.array("", object) if text else math.nan
        columns[name] = np.concatenate(
            [table.get(name, np.full(n, unknown)) for table, n in zip(filled.values(), counts, strict=True)]
        )
    return Table(columns)


def check_table(path: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError where no table can be written to a file of this name, before anything is computed."""
    if path.suffix.lower() not in _WRITERS:
        raise OutputError(f"{path}: tables are written to {', '.join(_WRITERS)} files; give it a name that ends so")
    if path.suffix.lower() == ".parquet":
        require("pyarrow.parquet", "tables", ".parquet files need")
    check_place(path, overwrite=overwrite)


def _csv(table: Table) -> bytes:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows([_as_text(value) for value in row.values()] for row in table.rows())
    return as_text(text.getvalue()).encode()


def _as_text(value: Any) -> str:
    """A number with the digits that tell it from others; nothing where it is not known."""
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else ""
    return str(value)


def _json(table: Table) -> bytes:
    rows = [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in table.rows()
    ]
    return (json.dumps(rows, indent=1, allow_nan=False) + "\n").encode()


def _parquet(table: Table) -> bytes:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    columns = {name: list(map(as_text, column)) if column.dtype == object else column for name, column in table.items()}
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return bytes(sink.getvalue())


_WRITERS: dict[str, Callable[[Table], bytes]] = {".csv": _csv, ".json": _json, ".parquet": _parquet}
