"""Variables of files of several arrays, named as GDAL does: NETCDF:a.nc:warm, HDF5:run.h5://a/b, MATLAB:a.mat:b."""

from __future__ import annotations

import re
from pathlib import Path

from gmmseg.records import dataclass

__all__ = ["Variable", "file_of", "variable_of"]

_NAMED = re.compile(r"(NETCDF|HDF5|MATLAB):(?:\"([^\"]+)\"|([^\"]+?)):([^:\"]+)")


@dataclass(frozen=True)
class Variable:
    """One array of a file.

    Parameters
    ----------
    driver : {"NETCDF", "HDF5", "MATLAB"}
    file : Path
    name : str
    """

    driver: str
    file: Path
    name: str


def variable_of(path: Path) -> Variable | None:
    """Return what a path means that names an array in a file; None of any other path, and where a file is named so.

    Examples
    --------
    >>> variable_of(Path("HDF5:run.h5://images/first"))
    Variable(driver='HDF5', file=PosixPath('run.h5'), name='images/first')
    >>> variable_of(Path("run.h5")) is None
    True
    """
    found = _NAMED.fullmatch(str(path))
    if found is None or path.exists():
        return None
    return Variable(found[1], Path(found[2] or found[3]), found[4].lstrip("/"))


def file_of(path: Path) -> Path:
    """Return the file that a path leads to: the one that holds a variable, or the path itself."""
    variable = variable_of(path)
    return path if variable is None else variable.file
