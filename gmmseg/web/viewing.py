"""view(): open the page on an image or on a segmentation of one, and serve it until it is closed."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gmmseg.errors import ParameterError
from gmmseg.labelling.result import Segmentation
from gmmseg.web.desk import Desk
from gmmseg.web.server import Server
from gmmseg.web.strip import Strip
from gmmseg.web.work import wishes

__all__ = ["view", "view_images", "view_segmentation"]


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
        A picture, a raster, or a volume that fits into memory. Rasters that do not are shown as tiles, volumes as three
        cuts.
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

    Examples
    --------
    >>> view("images/coffee.png", folder="work")  # until the page is closed  # doctest: +SKIP
    PosixPath('work/coffee.gmmseg.json')
    """
    return _serve(Desk(Path(image), Path(folder), threads=threads), Path(folder), port, browser, opened)


def view_images(
    images: Mapping[Path, str],
    named: Sequence[Path],
    *,
    folder: str | os.PathLike[str] = ".",
    port: int = 0,
    browser: bool = True,
    threads: int | None = None,
    opened: Callable[[str], None] | None = None,
) -> Path:
    """Work on images in the browser that have one model: as a strip of small pictures, of which one is shown.

    Parameters
    ----------
    images : mapping of Path to str
        Pictures in their order, with the reason why one cannot be taken, or "" where it can. They are read when they
        are looked at; those that turn out to be none are left out then.
    named : sequence of Path
        What the images without a reason come from, as `gmmseg fit` takes it: they themselves, or folders of them.
    folder, port, browser, threads, opened
        As of `view`.

    Returns
    -------
    Path
        The log, which `gmmseg segment --replay` does again; where nothing was done, there is no file.

    Raises
    ------
    InputError, OutputError
        As of `view`.

    Examples
    --------
    >>> photos = [Path("images/coffee.png"), Path("images/cat.png")]
    >>> view_images(dict.fromkeys(photos, ""), photos, folder="work")  # until it is closed  # doctest: +SKIP
    PosixPath('work/images.gmmseg.json')
    """
    strip = Strip(images, named, Path(folder), threads=threads)
    return _serve(strip, Path(folder), port, browser, opened)


def view_segmentation(
    found: Segmentation,
    *,
    folder: str | os.PathLike[str] = ".",
    port: int = 0,
    browser: bool = True,
    opened: Callable[[str], None] | None = None,
) -> Path:
    """Go on with a segmentation in the browser: `view` of its image, with as many classes of the same features.

    Parameters
    ----------
    found : Segmentation
        Of an image that was read from a file. Its classes are found anew, by the command that the page shows; what the
        command of a log that is there says is given up for it, and can be had back by undoing.
    folder, port, browser, opened
        As of `view`.

    Returns
    -------
    Path
        The log.

    Raises
    ------
    ParameterError
        The image is no file.

    Examples
    --------
    >>> import gmmseg
    >>> view_segmentation(gmmseg.segment("images/coffee.png", k=5), folder="work")  # doctest: +SKIP
    PosixPath('work/coffee.gmmseg.json')
    """
    path = Path(found.image.name)
    if not path.is_file():
        raise ParameterError(f"{path} is no file, which the page needs; save the picture, and segment the file")
    step = wishes(found)
    desk = Desk(path, Path(folder), threads=found.effort.threads)
    if desk.log.work.options != step["options"]:
        desk.do({"step": step})
    return _serve(desk, Path(folder), port, browser, opened)


def _serve(desk: Desk | Strip, folder: Path, port: int, browser: bool, opened: Callable[[str], None] | None) -> Path:
    with Server(desk, port) as server:
        if opened is not None:
            opened(server.address)
        if browser:
            webbrowser.open(server.address)
        server.serve_forever(poll_interval=0.1)
    return folder / desk.file.name
