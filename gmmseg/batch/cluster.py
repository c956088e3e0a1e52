"""Workers of Dask, on this machine or others: they compute the chunks of an image, and one driver writes them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.batch.chunk_bytes import packed_chunks, reason_of, unpacked, wire
from gmmseg.batch.kept_chunks import Parts, fingerprint, parts_of_target
from gmmseg.errors import GmmsegError, GmmsegWarning, InputError, UnfinishedError, one_line, warn
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.sources import Over, Overheard, Source
from gmmseg.image.windows import Window, holding, windows_across
from gmmseg.labelling.chunks import (
    Chunk,
    Returned,
    chunk_sides,
    chunks_of,
    joined,
    tasks_of,
)
from gmmseg.labelling.graph import work_on
from gmmseg.labelling.layers import Layer
from gmmseg.labelling.result import Segmentation

__all__ = ["Cluster", "connected"]

_WAITING = 3  # chunks that each thread of a worker has before it: enough never to wait for the driver
_LOCAL = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.comm.timeouts.connect": "5s",
    "distributed.worker.preload": ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
}
"""Of workers of this machine: memory that was freed is kept for what comes next, where Dask has the system take it back
at once and give it anew, page by page (1.45 times the processor time); to watch themselves takes their time (two that
do nothing and their driver take 0.02 s of processors a second, not 0.09), one that was killed is not waited for, and
Ctrl-C, of which the terminal tells all of them, is the driver's affair."""

_SECONDS = 30.0  # that a scheduler may take to answer


@dataclass
class Cluster:
    """Workers that compute the chunks of images.

    Parameters
    ----------
    client : distributed.Client
    side : int, optional
        Of the chunks, in pixels; by default 4096.
    progress : callable, optional
        Called with the number of chunks done and of all chunks of a layer.
    """

    client: Any
    side: int | None = None
    progress: Callable[[int, int], None] | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _parts: list[Parts] = field(default_factory=list)

    def spread(self, image: Image) -> Image:
        """Return an image of whose file single pixels are taken by the workers, a task a chunk."""
        return image if image.in_memory else replace(image, pixels=_Spread(image.pixels, self))

    def computing(self, found: Segmentation) -> Segmentation:
        """Return a segmentation of which the workers compute what is saved."""
        return found if found.image.in_memory else replace(found, elsewhere=self.computed)

    def computed(
        self, found: Segmentation, layer: Layer, target: Path, packing: Any | None = None
    ) -> Iterator[Returned]:
        """Compute a layer chunk by chunk, in their order; what is done is kept beside the target until `finish`.

        With a `packing` windows come as the file of the target has them, see `FileFormat.packing`.

        Raises
        ------
        UnfinishedError
            Chunks cannot be read or computed; all others are done by then.
        OutputError
            Another run writes this target, or the disk is full.
        GmmsegError
            The scheduler went away.
        """
        work = replace(work_on(found, layer), packing=packing)
        sides = chunk_sides(work.image, self.side)
        chunks = {chunk.number: chunk for chunk, _ in chunks_of(work, sides)}
        parts = self._open.enter_context(parts_of_target(target, fingerprint(work, sides)))
        self._parts.append(parts)
        missing = [chunk for number, chunk in chunks.items() if not parts.has(number)]
        runs = tasks_of(work.image, missing, self._threads)
        done, failed = len(chunks) - len(missing), list[tuple[Chunk, str]]()
        content, waiting = wire().dumps(work), dict(chunks)
        for run, result in self.results(packed_chunks, ((run, (content, run)) for run in runs)):
            if isinstance(result, BaseException):
                failed += [(chunk, reason_of(result)) for chunk in run]
                continue
            for some, packed in result:
                if isinstance(packed, str):
                    failed += [(chunk, packed) for chunk in some]
                    continue
                parts.store([chunk.number for chunk in some], packed)
                done += len(some)
            if self.progress is not None:
                self.progress(done, len(chunks))
            if not failed:
                yield from _in_turn(parts, waiting, found.image.pixels)
        if failed:
            raise _unfinished(work.image.name, failed, len(chunks))
        yield from _in_turn(parts, waiting, found.image.pixels)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return max(1, len(self.client.nthreads()))

    @property
    def _threads(self) -> int:
        """How many chunks are computed at a time."""
        return max(1, int(sum(self.client.nthreads().values())))

    def pick(self, source: Source, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Take single pixels of a file: one task for each chunk that holds some of them."""
        shape = tuple(source.shape[:-1])
        index = np.stack(np.unravel_index(flat, shape))
        sides = chunk_sides(Image(source), self.side)
        values, valid = np.empty((len(flat), source.shape[-1]), source.dtype), np.ones(len(flat), bool)
        jobs = (
            (here, (source, window, index[:, here] - [[s.start] for s in window]))
            for window, here in holding(windows_across(sides), index)
        )
        for here, result in self.results(_told, ((key, (_picked, *job)) for key, job in jobs)):
            values[here], usable = _usable(result)
            valid[here] = True if usable is None else usable
        return values, None if valid.all() else valid

    def results(
        self, function: Any, jobs: Iterable[tuple[Any, tuple[Any, ...]]], *, ahead: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Have workers call a function, a few calls waiting on each.

        Parameters
        ----------
        function : callable
        jobs : iterable of (key, tuple)
            With the arguments; taken when they are sent.
        ahead : int, optional
            How many are sent before there is a result; by default some for each thread.

        Yields
        ------
        key
        object
            What comes of it, as it comes: the result, or an exception.

        Raises
        ------
        GmmsegError
            The scheduler went away.
        """
        distributed = require("distributed", "dask", "workers need")
        try:
            running, todo = {}, iter(jobs)
            queue = distributed.as_completed()
            for name, job in itertools.islice(todo, ahead or max(2, _WAITING * self._threads)):
                running[future := self.client.submit(function, *job, pure=False)] = name
                queue.add(future)
            for future in queue:
                name = running.pop(future)
                error = future.exception() if future.status != "finished" else None
                if future.status in ("cancelled", "lost"):
                    raise ConnectionError(f"a task was {future.status}")
                yield name, future.result() if error is None else error
                future.release()
                if (more := next(todo, None)) is not None:
                    running[fresh := self.client.submit(function, *more[1], pure=False)] = more[0]
                    queue.add(fresh)
        # What a client raises whose scheduler is gone differs from version to version.
        except Exception as error:
            lost = isinstance(error, OSError | TimeoutError | distributed.CancelledError)
            if isinstance(error, GmmsegError) or not (lost or self.client.status != "running"):
                raise
            raise GmmsegError(
                f"the scheduler went away ({one_line(error)}); what is done is kept, run it again when it is back"
            ) from error

    def finish(self) -> None:
        """Throw away the parts of results that are written."""
        for each in self._parts:
            each.remove()
        self.close()

    def close(self) -> None:
        """Let others write the results that are not finished."""
        self._parts.clear()
        self._open.close()


@contextmanager
def connected(scheduler: str | None = None, workers: int | None = None, side: int | None = None) -> Iterator[Cluster]:
    """Have a cluster: that of a scheduler somewhere, or processes of this machine.

    Parameters
    ----------
    scheduler : str, optional
        Such as "tcp://host:8786".
    workers : int, optional
        Processes of this machine, where there is no scheduler.
    side : int, optional
        Of the chunks, in pixels.

    Raises
    ------
    GmmsegError
        Dask is not installed, or the scheduler does not answer.

    Warns
    -----
    GmmsegWarning
        The scheduler has no workers.
    """
    distributed = require("distributed", "dask", "workers need")
    with ExitStack() as stack:
        # What it has to say of a scheduler that goes away is a page, and an error of one line comes of it.
        for log in map(logging.getLogger, ("distributed", "distributed.client")):
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
        if scheduler is None:
            stack.enter_context(require("dask.config", "dask", "workers need").set(_LOCAL))
            local = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs="ERROR"
            )
            where = stack.enter_context(local)
        else:
            where = scheduler
        try:
            client = stack.enter_context(distributed.Client(where, timeout=_SECONDS))
        except (OSError, TimeoutError, ValueError) as error:
            raise GmmsegError(
                f"scheduler {scheduler} does not answer ({one_line(error)}); start it with `dask scheduler`, or use "
                "--workers"
            ) from None
        if not client.nthreads():
            warn(
                f"scheduler {scheduler} has no workers; it waits for some, start them with `dask worker {scheduler}`",
                GmmsegWarning,
            )
        found = Cluster(client, side)
        stack.callback(found.close)
        yield found


class _Spread(Over):
    """A file of which workers take single pixels; with a worker it is the file itself."""

    def __init__(self, whole: Source, cluster: Cluster) -> None:
        super().__init__(whole)
        self.cluster = cluster

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.whole,)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a window here."""
        return self.whole.read(window)

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Let workers take single pixels."""
        return self.cluster.pick(self.whole, flat)

    def called(self, function: Callable[[Window], Any], windows: list[Window]) -> Iterator[Any]:
        """Let workers call a function with windows, and yield what comes of it in their order."""
        content, found = wire().dumps(function), dict[int, Any]()
        jobs = ((number, (_called, content, each)) for number, each in enumerate(windows))
        for number, result in self.cluster.results(_told, jobs):
            found[number] = _usable(result)
        yield from (found[number] for number in range(len(windows)))

    def select(self, channels: tuple[int, ...]) -> _Spread:
        """Return some channels."""
        return _Spread(self.whole.select(channels), self.cluster)


def _in_turn(parts: Parts, waiting: dict[tuple[int, ...], Chunk], source: Source) -> Iterator[Returned]:
    """Take parts as long as that of the first chunk that waits is there: a part comes with its first chunk."""
    while waiting and parts.has(first := next(iter(waiting))):
        numbers, packed = parts.load(first)
        part = unpacked(joined([waiting.pop(number) for number in numbers]), packed)
        if part.heard is not None and isinstance(source, Overheard):
            source.hear(*part.heard)
        yield part


def _unfinished(name: str, failed: list[tuple[Chunk, str]], count: int) -> UnfinishedError:
    chunk, reason = min(failed, key=lambda each: each[0].number)
    place = ", ".join(f"{s.start} to {s.stop - 1}" for s in chunk.tile.inner)
    return UnfinishedError(
        f"{name}: {len(failed)} of {count} chunks could not be computed, first that of pixels {place} ({reason}); the "
        "others are kept, run it again when this is put right"
    )


def _itself(source: Source) -> Source:
    return source


def _told(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what comes of a call, or the words of its error: not all that is raised can be sent; in a worker."""
    try:
        return function(*arguments)
    except Exception as error:
        return reason_of(error)


def _usable(result: Any) -> Any:
    """Return what `_told` has returned; InputError where that are words."""
    if isinstance(result, str | BaseException):
        raise InputError(result if isinstance(result, str) else f"pixels cannot be read ({one_line(result)})")
    return result


def _called(content: bytes, window: Window) -> Any:
    """Call a function that came as bytes with a window; in a worker."""
    return wire().loads(content)(window)


def _picked(source: Source, window: Window, local: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Take the pixels of one chunk; in a worker."""
    values, valid = source.read(window)
    place = tuple(local)
    return values[place].copy(), None if valid is None else valid[place]
