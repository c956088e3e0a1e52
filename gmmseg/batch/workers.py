"""Processes that take one job at a time and may die of it: a death costs its job and nothing else.

Jobs and answers are lines of JSON through pipes. A worker that hears no more from its parent ends at once, whatever it
is doing, so none outlives a parent that was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from types import TracebackType
from typing import Any

from gmmseg.io.temporary import keep_folders, remove_own
from gmmseg.io.unnamed import leave_all_unnamed
from gmmseg.platforms import ending_signals, handed_down

__all__ = ["Crew", "Death", "serve"]

_MOST_SAID = 8192  # bytes of a worker's last words
_MOST_WAITING = 128  # answers of a worker that nobody has looked at: what they tell of is done again after a crash
# Seconds of answers that are yielded together: a batch of icons takes .76 of its time by .05, and its parent .7 by .15.
_TOGETHER = 0.15
_HEARD_AFTER = 1.0  # seconds
# glibc gives memory back to the system only where there is more than it would come to keep by itself after a block of
# 32 MB: the next image of 1 megapixel had it cleared page by page again, 7 of 77 ms of the processor.
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}


@dataclass(frozen=True)
class Death:
    """How a worker ended in the middle of a job.

    Parameters
    ----------
    cause : str
        Such as "was killed by SIGKILL".
    last_words : str
        The end of what it wrote to its standard error; after a crash in compiled code the Python lines that led there.
    """

    cause: str
    last_words: str


class Crew:
    """Some workers, started when there is work for them.

    Parameters
    ----------
    size : int
        The most processes at a time.
    task : str
        The function that answers a job, as "package.module:function"; it takes and returns what JSON can hold.
    held : tuple of int
        File descriptors that workers keep open.
    """

    def __init__(self, size: int, task: str, *, held: tuple[int, ...] = ()) -> None:
        self._size, self._task, self._held = size, task, held
        self._workers: list[_Worker] = []
        self._listeners: list[Thread] = []  # one a worker, for Windows waits for no pipes
        self._lock, self._ended = Lock(), False
        self._room = Semaphore(size * (1 + _MOST_WAITING))  # each has one job at work

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ended = True
            for worker in self._workers:
                worker.dismiss(kill=kind is not None)
        for _ in self._listeners:
            self._room.release()
        for listener in self._listeners:
            if listener.is_alive():  # a signal may have come while it was started: it finds that all has ended
                listener.join()
        for worker in self._workers:
            worker.end()

    def work(self, jobs: Iterable[tuple[Any, dict[str, Any]]]) -> Iterator[list[tuple[Any, dict[str, Any] | Death]]]:
        """Have jobs done.

        Parameters
        ----------
        jobs : iterable of (key, dict)
            Taken when a worker is free, in threads, one at a time.

        Yields
        ------
        list of (key, dict or Death)
            The answers that have come since the last list, at least one. Workers go on while the caller takes its time,
            until so many answers wait that a crash would cost too much.
        """
        waiting, over = iter(jobs), Event()
        came: SimpleQueue[tuple[Any, dict[str, Any] | Death] | BaseException | None] = SimpleQueue()
        for _ in range(self._size):
            self._listeners.append(Thread(target=self._listen, args=(waiting, came, over), daemon=True))
            self._listeners[-1].start()
        listening = self._size
        while listening:
            first, answers = _waited_for(came), []
            over.wait(_TOGETHER)  # the last answers are not waited for
            for each in (first, *_all_in(came)):
                if isinstance(each, BaseException):
                    raise each
                if each is None:
                    listening -= 1
                else:
                    answers.append(each)
            if answers:
                yield answers
                self._room.release(len(answers))

    def _listen(self, waiting: Iterator[tuple[Any, dict[str, Any]]], came: SimpleQueue[Any], over: Event) -> None:
        """Give jobs to one worker after the other, and put what they answer in a queue; None at the end."""
        try:
            worker = self._given(waiting, None)
            while worker is not None:
                key, answer = worker.key, worker.answer()
                said = worker.death() if answer is None else answer
                # The next job is given before anybody looks at the answer.
                worker = self._given(waiting, None if answer is None else worker)
                came.put((key, said))
        except BaseException as error:
            came.put(error)
        came.put(None)
        over.set()

    def _given(self, waiting: Iterator[tuple[Any, dict[str, Any]]], worker: _Worker | None) -> _Worker | None:
        """Give the next job to a worker, or to a new one, and return which; None where there is no more."""
        self._room.acquire()
        with self._lock:
            following = None if self._ended else next(waiting, None)
            if following is None:
                return None
            if worker is not None and worker.take(*following):
                return worker
            if worker is not None:  # it was killed while it had nothing to do
                worker.death()
            worker = _Worker(self._task, self._held)
            self._workers.append(worker)
            worker.take(*following)
            return worker


def _waited_for(queue: SimpleQueue[Any]) -> Any:
    """Return what comes first; a signal that comes just before a wait is heard when that ends, so none is long."""
    while True:
        with suppress(Empty):
            return queue.get(timeout=_HEARD_AFTER)


def _all_in(queue: SimpleQueue[Any]) -> Iterator[Any]:
    """Yield what is in a queue."""
    while not queue.empty():
        yield queue.get()


class _Worker:
    """One process."""

    def __init__(self, task: str, held: tuple[int, ...]) -> None:
        import subprocess
        import tempfile

        module, _, function = task.partition(":")
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from gmmseg.batch.workers import serve; "
            f"from {module} import {function}; serve({function})"
        )
        self.key: Any = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        self._process = subprocess.Popen(
            # Not the current folder's modules (-P): a file named random.py among the images is no module of Python's.
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**_MEMORY, **os.environ, "OPENBLAS_NUM_THREADS": "1"},
            **handed_down(held),
        )
        assert self._process.stdout is not None
        self.pipe = self._process.stdout

    def take(self, key: Any, job: dict[str, Any]) -> bool:
        """Begin a job; False where the process has gone."""
        assert self._process.stdin is not None
        self.key = key
        if os.fstat(self._said.fileno()).st_size:  # about the job before
            self._said.seek(0)
            self._said.truncate()
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def answer(self) -> dict[str, Any] | None:
        """Wait for the answer and return it; None where the process has died instead."""
        text = self.pipe.readline()
        if not text.endswith(b"\n"):
            return None
        answer = json.loads(text)
        assert isinstance(answer, dict)
        return answer

    def death(self) -> Death:
        """Say how the process ended, and clear up after it."""
        code = self._process.wait()
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _MOST_SAID))
        words = self._said.read().decode(errors="replace")
        self.end()
        if code < 0:
            name = next((each.name for each in signal.Signals if each == -code), f"signal {-code}")
            return Death(f"was killed by {name}", words)
        return Death(f"ended with exit code {code}", words)

    def dismiss(self, *, kill: bool) -> None:
        """Have the process end: it does when its pipe is closed."""
        if kill:
            self._process.kill()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for the end of a process that was dismissed or has died."""
        self.dismiss(kill=False)
        self._process.wait()
        self.pipe.close()
        self._said.close()


def serve(task: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Be a worker: answer the jobs on standard input until there are no more, or nobody to send them.

    What it writes is named by its parent, see `gmmseg.io.unnamed`.
    """
    import faulthandler

    for number in (signal.SIGINT, *ending_signals()):
        signal.signal(number, signal.SIG_IGN)  # the parent's affair: it ends its workers, and tidies up after them
    faulthandler.enable()
    keep_folders()
    leave_all_unnamed()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def leave() -> None:
        remove_own()
        os._exit(0)

    def listen() -> None:
        for text in sys.stdin.buffer:
            jobs.put(json.loads(text))
        leave()

    Thread(target=listen, daemon=True).start()
    while True:
        said = json.dumps(task(jobs.get())).encode() + b"\n"
        try:
            answers.write(said)
            answers.flush()
        except OSError:  # nobody to hear it
            leave()
