"""view(): open the page on an image, and serve it until it is closed."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path

from gmmseg.web.desk import Desk
from gmmseg.web.server import Server

__all__ = ["view"]


def view(
    image: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] = ".",
    port: int = 0,
    browser: bool = True,
    threads: int | None = None,
    opened: Callable[[str], None] | None = None,
) -> Path:
    """Work on an image in the browser; returns once the page is closed.

    Parameters
    ----------
    image : path-like
        A picture or raster of two axes that fits into memory.
    folder : path-like
        Where the page writes: its log, NAME.gmmseg.json, strokes and exports. Nothing is written elsewhere. A log that
        is there is gone on with.
    port : int
        On 127.0.0.1; 0 for any that is free.
    browser : bool
        Whether the address is opened in the browser.
    threads : int, optional
        All processors by default.
    opened : callable, optional
        Called with the address once the page can be opened. It holds the key to the page: keep it to yourself.

    Returns
    -------
    Path
        The log, which `gmmseg segment --replay` does again; where nothing was done, there is no file.

    Raises
    ------
    InputError
        The image cannot be read, is no picture, or the log that is there is none.
    OutputError
        The port cannot be used, or the log that is there is of another image.
    """
    desk = Desk(Path(image), Path(folder), threads=threads)
    with Server(desk, port) as server:
        if opened is not None:
            opened(server.address)
        if browser:
            webbrowser.open(server.address)
        server.serve_forever(poll_interval=0.1)
    return Path(folder) / desk.file.name
