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
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from gmmseg.io.temporary import keep_folders, remove_own
from gmmseg.platforms import ending_signals, handed_down

__all__ = ["Crew", "Death", "serve"]

_MOST_SAID = 8192  # bytes of a worker's last words


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
        # One a worker that has a job: Windows waits for no pipes. A single one is listened to without: .75 of the time
        # of this process, and .96 of that of small pictures with a model, by two trees at the same time.
        self._listeners = ThreadPoolExecutor(size) if size > 1 else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end(kill=kind is not None)
        self._workers.clear()
        if self._listeners is not None:
            self._listeners.shutdown()

    def work(self, jobs: Iterable[tuple[Any, dict[str, Any]]]) -> Iterator[tuple[Any, dict[str, Any] | Death]]:
        """Have jobs done.

        Parameters
        ----------
        jobs : iterable of (key, dict)
            Taken when a worker is free.

        Yields
        ------
        key
        dict or Death
            The answer, as they come.
        """
        waiting = iter(jobs)
        busy: dict[_Worker, _Answer | None] = {}
        for _ in range(self._size):
            self._hand_out(waiting, None, busy)
        while busy:
            for worker, answer in _answered(busy):
                del busy[worker]
                key = worker.key
                if answer is None:
                    self._workers.remove(worker)
                # The next job is given before the caller takes its time.
                self._hand_out(waiting, None if answer is None else worker, busy)
                yield key, worker.death() if answer is None else answer

    def _hand_out(
        self, waiting: Iterator[tuple[Any, dict[str, Any]]], worker: _Worker | None, busy: dict[_Worker, _Answer | None]
    ) -> None:
        """Give the next job, if there is one, to a worker, or to a new one."""
        following = next(waiting, None)
        if following is None:
            return
        if worker is None or not worker.take(*following):  # it may have been killed while it had nothing to do
            if worker is not None:
                self._workers.remove(worker)
                worker.end(kill=True)
            worker = _Worker(self._task, self._held)
            self._workers.append(worker)
            worker.take(*following)
        busy[worker] = None if self._listeners is None else self._listeners.submit(worker.answer)


_Answer = Future[dict[str, Any] | None]


def _answered(busy: dict[_Worker, _Answer | None]) -> list[tuple[_Worker, dict[str, Any] | None]]:
    """Wait until some of the workers have answered, and return these with what they said."""
    listening = [each for each in busy.values() if each is not None]
    if not listening:
        return [(worker, worker.answer()) for worker in busy]
    done = wait(listening, return_when=FIRST_COMPLETED).done
    return [(worker, each.result()) for worker, each in busy.items() if each in done]


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
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            **handed_down(held),
        )
        assert self._process.stdout is not None
        self.pipe = self._process.stdout

    def take(self, key: Any, job: dict[str, Any]) -> bool:
        """Begin a job; False where the process has gone."""
        assert self._process.stdin is not None
        self.key = key
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
        self.end(kill=True)
        if code < 0:
            name = next((each.name for each in signal.Signals if each == -code), f"signal {-code}")
            return Death(f"was killed by {name}", words)
        return Death(f"ended with exit code {code}", words)

    def end(self, *, kill: bool) -> None:
        """End the process: one that is idle ends when its pipe is closed."""
        from contextlib import suppress

        if kill:
            self._process.kill()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self.pipe.close()
        self._said.close()


def serve(task: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Be a worker: answer the jobs on standard input until there are no more, or nobody to send them."""
    import faulthandler
    import queue
    import threading

    for number in (signal.SIGINT, *ending_signals()):
        signal.signal(number, signal.SIG_IGN)  # the parent's affair: it ends its workers, and tidies up after them
    faulthandler.enable()
    keep_folders()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        for text in sys.stdin.buffer:
            jobs.put(json.loads(text))
        remove_own()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        answers.write(json.dumps(task(jobs.get())).encode() + b"\n")
        answers.flush()
