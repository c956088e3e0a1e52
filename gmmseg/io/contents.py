"""Writing window by window: results that are never whole, and formats whose module takes windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.image.windows import Window
from gmmseg.io.atomic import atomic_file, atomic_path

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = ["Layers", "assembled", "write_with"]


@dataclass(frozen=True)
class Layers:
    """What is written, before any of it is computed.

    Parameters
    ----------
    kind : {"labels", "soft", "map"}
        A label map (*spatial), probabilities (n_classes, *spatial), or one number a pixel (*spatial), NaN = no data.
    shape : tuple of int
        Spatial shape.
    dtype : str
        Of the values as they come; "uint8", "uint16" or "uint32" for labels, "float32" otherwise.
    names : tuple of str
        Of the classes 1, 2, ...; of a map its own name.
    image : Image, optional
        What was segmented: what located its pixels is written too.
    options : dict
        Of the format.
    """

    kind: Literal["labels", "soft", "map"]
    shape: tuple[int, ...]
    dtype: str
    names: tuple[str, ...] = ()
    image: Image | None = None
    options: dict[str, Any] = field(default_factory=dict)


def write_with(module: Any, path: Path, layers: Layers, windows: Windows, *, suffix: str, overwrite: bool) -> None:
    """Write a result by the module of a format, whole or not at all, with the files that go beside it."""
    with atomic_path(path, overwrite=overwrite, suffix=suffix) as temporary:
        beside: dict[str, bytes] = module.write(temporary, layers, _ahead(windows))
    for ending, content in beside.items():
        with atomic_file(path.with_name(path.name + ending), overwrite=True) as file:
            file.write(content)


def _ahead(windows: Windows) -> Iterator[tuple[Window, np.ndarray]]:
    """Compute the next window in a thread while one is written."""
    from concurrent.futures import ThreadPoolExecutor

    source = iter(windows)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, source, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, source, None)
            yield item


def assembled(layers: Layers, windows: Windows) -> np.ndarray:
    """Return a whole result."""
    import numpy as np

    shape = (len(layers.names), *layers.shape) if layers.kind == "soft" else layers.shape
    whole = np.zeros(shape, layers.dtype)
    for window, values in windows:
        where: tuple[Any, ...] = (..., *window)
        whole[where] = values
    return whole
