"""What is written: before any of it is computed, as its windows come, and as it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import ParameterError
from gmmseg.io.atomic import atomic_file, atomic_path, check_place
from gmmseg.io.file_format import BuiltIn
from gmmseg.io.formats import FileFormat, ResultKind, choose, side_files, suffix_of
from gmmseg.records import dataclass, field
from gmmseg.threads import ahead

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image
    from gmmseg.image.windows import Window

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = ["Contents", "assembled", "refuse_options", "stored_probabilities", "write_with"]

_STORED = ("float32", "uint16", "uint8")


@dataclass(frozen=True, eq=False)
class Contents:
    """What is written, before any of it is computed.

    Parameters
    ----------
    kind : {"labels", "soft", "map", "picture"}
        A label map (*spatial), probabilities (n_classes, *spatial), one number a pixel (*spatial), NaN = no data, or a
        picture (rows, columns, 3) or (rows, columns).
    shape : tuple of int
        Spatial shape.
    dtype : str
        Of the values as they come; "uint8", "uint16" or "uint32" for labels, "uint8" for pictures, "float32" otherwise.
    names : tuple of str
        Of the classes 1, 2, ...; of a map its own name.
    image : Image, optional
        What was segmented: what located its pixels is written too.
    options : dict
        Of the format.
    target : Path
        The name that the file gets, for messages.
    """

    kind: ResultKind
    shape: tuple[int, ...]
    dtype: str
    names: tuple[str, ...] = ()
    image: Image | None = None
    options: dict[str, Any] = field(default_factory=dict)
    target: Path = Path()

    @property
    def stored_dtype(self) -> str:
        """Of probabilities in the file: "float32", or "uint16" or "uint8" in proportion to the largest number."""
        return str(self.options.get("dtype", "float32"))

    @property
    def shares(self) -> str:
        """What the numbers of a soft mask are: "probabilities", or "fractions" of what a pixel or voxel holds."""
        return "fractions" if self.options.get("occupancy") else "probabilities"

    @property
    def packing(self) -> Any | None:
        """What packs windows as the format of the target takes them, see `FileFormat.packing`; None: nothing does."""
        return choose(self.target, kind=self.kind).packing(self)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Horizontal and vertical resolution of the image in pixels an inch."""
        return None if self.image is None else self.image.metadata.get("dpi")

    def check(self) -> None:
        """Raise ParameterError where probabilities cannot be stored as is asked for."""
        if self.kind == "soft" and self.stored_dtype not in _STORED:
            raise ParameterError(
                f"dtype={self.options['dtype']!r} is not a way to store probabilities; "
                'use "float32", "uint16" or "uint8"'
            )


def refuse_options(contents: Contents, *known: str | None) -> None:
    """Raise ParameterError where there are options beside those that a format has.

    Labels without colours, "plain", are asked of all formats, and those that have no colours need not know it; nor need
    those that have no word for it know that shares are of what a pixel holds, "occupancy".
    """
    common = {"labels": "plain", "soft": "occupancy"}.get(contents.kind)
    others = {name: value for name, value in contents.options.items() if name not in (*known, common)}
    if others:
        words = ", ".join(f"{name}={value!r}" for name, value in others.items())
        raise ParameterError(
            f"{contents.target}: {words} is of another format, or of images that have a place; leave it out"
        )


def write_with(known: FileFormat, path: Path, contents: Contents, windows: Windows, *, overwrite: bool) -> None:
    """Write a result in a format with the files that go beside it, all of them or none, and replace none unasked."""
    for each in side_files(path, contents.kind, known):
        check_place(each, overwrite=overwrite)
    # One window is there already; of several the next one is computed while one is written.
    coming = windows if isinstance(windows, Sequence) else ahead(windows)
    suffix, alone = suffix_of(path, known) or "", isinstance(known, BuiltIn) and known.alone
    with atomic_path(path, overwrite=overwrite, suffix=suffix, alone=alone) as temporary, ExitStack() as files:
        beside = known.write(temporary, contents, coming)
        for ending, content in beside.items():
            file = files.enter_context(atomic_file(path.with_name(path.name + ending), overwrite=overwrite))
            file.write(content)


def assembled(contents: Contents, windows: Windows) -> np.ndarray:
    """Return a whole result: the values themselves where they come as one window."""
    import numpy as np

    whole: np.ndarray | None = None
    shape = (len(contents.names), *contents.shape) if contents.kind == "soft" else contents.shape
    for window, values in windows:
        if all(s.stop - s.start == length for s, length in zip(window, contents.shape, strict=True)):
            return values
        if whole is None:
            whole = np.zeros(shape, contents.dtype)
        where: tuple[Any, ...] = (..., *window)
        whole[where] = values
    return np.zeros(shape, contents.dtype) if whole is None else whole


def stored_probabilities(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return probabilities as stored: float32, or in proportion to the largest number of an unsigned dtype."""
    import numpy as np

    if dtype != "float32":
        largest = np.iinfo(dtype).max
        scaled: np.ndarray = np.multiply(values, np.float32(largest), dtype=np.float32)
        np.clip(np.rint(scaled, out=scaled), 0, largest, out=scaled)
        stored: np.ndarray = scaled.astype(dtype)
        return stored
    return values.astype(np.float32, copy=False)
