"""Workers of Dask that take one image at a time: their files become results when the driver has given them their names.

A worker that is cut off from its driver cannot be stopped. So none writes where results are: each writes in a folder of
this run alone, and who holds the lock of the results moves what is whole, then tells the manifest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from gmmseg import __version__
from gmmseg.batch.cluster import Cluster
from gmmseg.batch.outputs import with_side_files
from gmmseg.batch.workers import Death
from gmmseg.errors import GmmsegError, OutputError, one_line
from gmmseg.extras import require
from gmmseg.io.temporary import temporary_folder

__all__ = ["ClusterCrew"]

# What images take of a process, and how they warn, is told of one at a time; it has all threads of its worker.
_ONE_IMAGE = Lock()


class ClusterCrew:
    """Workers of a cluster that do jobs as a `Crew` does.

    Parameters
    ----------
    cluster : Cluster
    size : int
        The most images at a time.
    folder : Path
        Of the results; all workers have to see it, and the images, under the same paths.
    """

    def __init__(self, cluster: Cluster, size: int, folder: Path) -> None:
        self._cluster, self._size, self._folder = cluster, size, folder
        self._open = ExitStack()

    def __enter__(self) -> ClusterCrew:
        try:
            self._staged = self._open.enter_context(temporary_folder(self._folder))
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be written: {error.strerror}; choose another folder") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def work(self, jobs: Iterable[tuple[Any, dict[str, Any]]]) -> Iterator[list[tuple[Any, dict[str, Any] | Death]]]:
        """Have jobs done, see `Crew.work`; what an answer names is in its place then.

        Raises
        ------
        GmmsegError
            The scheduler went away, or workers lack the folder or this version of gmmseg.
        OutputError
            A result cannot be moved to its place.
        """
        killed = require("distributed", "dask", "workers need").KilledWorker
        folder = os.path.abspath(self._staged)
        sent = ((key, ({**job, "folder": folder},)) for key, job in jobs)
        for key, result in self._cluster.results(_answered, sent, ahead=self._size):
            if isinstance(result, killed):
                yield [(key, Death("was lost with its worker, as after SIGKILL", str(result)))]
            elif isinstance(result, BaseException):
                words = str(result) if isinstance(result, GmmsegError) else one_line(result)
                raise GmmsegError(f"a worker cannot take images ({words}); install gmmseg {__version__} there, as here")
            else:
                self._move(result["line"]["outputs"])
                yield [(key, result)]

    def _move(self, outputs: dict[str, dict[str, Any]]) -> None:
        """Give results their names, and what lies beside them; of an image that failed there may be none."""
        for kind, each in outputs.items():
            for file in with_side_files(kind, Path(each["file"])):
                target = Path(os.path.realpath(self._folder / file))  # a link keeps pointing where it points
                try:
                    if (self._staged / file).exists():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        os.replace(self._staged / file, target)
                except OSError as error:
                    raise OutputError(
                        f"{self._folder / file} cannot be written: {error.strerror or error}; what was done is kept, "
                        "and resume=True does the rest"
                    ) from error


def _answered(job: dict[str, Any]) -> dict[str, Any]:
    """Do the work on one image; in a worker."""
    from gmmseg.batch.answering import answer  # here, because the driver answers nothing

    worker = require("distributed", "dask", "workers need").get_worker()
    if job["line"]["version"] != __version__:
        raise GmmsegError(f"{worker.address} has gmmseg {__version__}")
    if not os.path.isdir(job["folder"]):
        raise GmmsegError(f"{worker.address} does not see the folder of the results, {job['folder']}; share it")
    threads = job["parameters"]["threads"] or worker.state.nthreads
    with _ONE_IMAGE:
        return answer({**job, "parameters": {**job["parameters"], "threads": threads}})
