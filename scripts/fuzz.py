"""Damage files of every format in many ways, and see that whatever gmmseg does with them is safe.

usage: fuzz.py [--mutants N] [--seed N] [--jobs N] [--only FORMAT] [--keep FOLDER]      needs Linux, the `test` extra

The seeds, small files of every format and some hostile ones, are made here, and are tried as they are first. Mutants
follow: bits flipped, bytes set, numbers replaced by extreme ones, chunks removed, repeated or swapped, files cut short,
two files spliced, words replaced. The same --seed makes the same mutants of the same seeds. With each, `read_info`,
`read`, `read_labels`, `segment` and `gmmseg info --json` are called in a process that is watched; models are loaded and
applied, priors used. A failure is

- a hang: no answer in 20 s of the processors' time, or in 60 s;
- the end of the process, by a signal or otherwise;
- an error that is not gmmseg's own, and what the command line calls unexpected;
- a message of several lines, or of more than 400 characters beside the path;
- memory: more than the budget of 1 GiB, and 300 MiB, above what the process takes anyway;
- files: something made, changed or removed where the mutant lies, or where the process works;
- outside: a file was opened that lies beside the folder of the mutant;
- network: the address was called that seeds and mutants name;
- forbidden: something was unpickled, or a program or a connection was started.

They are counted by format, kind and place, the innermost function of gmmseg. With --keep, the first file of each such
group is saved as FOLDER/FORMAT/NAME, with what happened in NAME.txt. The exit code is 1 where there was a failure.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from fuzzing.calls import Failure, calls_of
from fuzzing.mutations import mutate
from fuzzing.seeds import KINDS, Case, make_seeds
from fuzzing.watching import Limits, Listener, Outside, Worker, snapshot

PORT = b"127.0.0.1:00000"
"""What seeds and mutants say instead of the port that is listened to, which is another one in each run."""

_LIFE = 300  # mutants of a process: what libraries keep of them must not add up
_COLUMNS = "{:>6}  {:10}  {:18}  {:40}  {}"
_NEWS = 1000  # mutants between two words on stderr


def cases(seeds: dict[str, list[Case]]) -> list[Case]:
    """Return the seeds of all formats."""
    return [each for of_kind in seeds.values() for each in of_kind]


def mutant(seeds: dict[str, list[Case]], number: int, seed: int) -> Case:
    """Make a mutant of one of the seeds; numbers that follow each other are of different formats."""
    kinds = tuple(seeds)
    kind, index = kinds[number % len(kinds)], number // len(kinds)
    rng = random.Random(f"{seed} {kind} {index}")  # not of the other formats: the same with --only
    chosen = rng.choice(seeds[kind])
    files = mutate(chosen, seeds[rng.choice(kinds)] if rng.random() < 0.2 else seeds[kind], rng)
    return replace(chosen, name=f"{index:05} of {chosen.name}", files=files)


class Guard:
    """A worker, and what tells whether it did more than to read.

    Parameters
    ----------
    worker : Worker
    outside : bytes
        Content of the file that mutants may name, but that is not theirs.
    """

    def __init__(self, worker: Worker, outside: bytes) -> None:
        self._worker, self._listener, self._done = worker, Listener(), 0
        self.outside = Outside(worker.folder / "outside.tif", outside)

    def examine(self, case: Case) -> Iterator[tuple[str, Failure]]:
        """Yield what is wrong with a file, and with which call."""
        self._done += 1
        if self._done % _LIFE == 0:
            self._worker.stop()
        folder = self._worker.folder / f"m{self._done}"
        folder.mkdir()
        port = b"127.0.0.1:%05d" % self._listener.port
        write(case, folder, port)
        before = snapshot(self._worker.folder)
        for name in calls_of(case.kind):
            failure = self._worker.ask(name, folder / case.path)
            if failure is not None:
                yield name, failure
            after = snapshot(self._worker.folder)
            if after != before:
                changed = sorted(os.path.basename(path) for path, _ in before.items() ^ after.items())
                yield name, Failure("files", "", f"made, changed or removed: {', '.join(dict.fromkeys(changed))}")
                before = after
            if self._listener.called():
                yield name, Failure("network", "", "the address in the file was called")
            if self.outside.opened():
                yield name, Failure("outside", "", "the file outside was opened")
            if not self._worker.runs:
                break  # it would go the same way with the next call, which may take as long
        shutil.rmtree(folder)

    def close(self) -> None:
        """End what runs."""
        self._worker.stop()
        self._listener.close()


def write(case: Case, folder: Path, port: bytes = PORT) -> None:
    """Write the files of a seed or mutant."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.replace(PORT, port))


class Found:
    """Failures, counted; the first of a group is kept."""

    def __init__(self, keep: Path | None) -> None:
        self._keep, self._lock = keep, threading.Lock()
        self.groups: dict[tuple[str, str, str], list[str]] = {}

    def add(self, case: Case, call: str, failure: Failure) -> None:
        """Count a failure."""
        group = case.kind, failure.kind, failure.place
        with self._lock:
            known = self.groups.setdefault(group, [])
            known.append(f"{case.name}: {call}: {_last_line(failure)}")
            if len(known) == 1 and self._keep is not None:
                self._save(case, call, failure)

    def _save(self, case: Case, call: str, failure: Failure) -> None:
        assert self._keep is not None
        place = self._keep / case.kind
        name = "-".join(filter(None, (failure.kind, failure.place, case.name)))
        name = name.replace("/", ".").replace(",", "").replace(" ", "_")
        shutil.rmtree(place / name, ignore_errors=True)
        (place / name).mkdir(parents=True)
        write(case, place / name)
        text = f"{call} of {case.path}, {case.name}: {failure.kind} in {failure.place}\n{failure.text}\n"
        (place / f"{name}.txt").write_text(text)

    def report(self) -> None:
        """Print a line for each group, the largest first."""
        if not self.groups:
            return
        print(_COLUMNS.format("count", "format", "failure", "where", "the first"))
        for (kind, what, place), all_of_it in sorted(self.groups.items(), key=lambda each: -len(each[1])):
            print(_COLUMNS.format(len(all_of_it), kind, what, place, all_of_it[0]))


def _last_line(failure: Failure) -> str:
    """Return what says most, on one line: a traceback ends with it, all else begins with it."""
    lines = failure.text.strip().splitlines() or [""]
    return lines[-1 if lines[0].startswith("Traceback") else 0][:200]


def run(seeds: dict[str, list[Case]], options: argparse.Namespace, guards: list[Guard], found: Found) -> int:
    """Examine the seeds and their mutants, and return how many there were."""
    whole = cases(seeds)
    free: queue.SimpleQueue[Guard] = queue.SimpleQueue()
    for each in guards:
        free.put(each)

    def examine(number: int) -> None:
        case = whole[number] if number < len(whole) else mutant(seeds, number - len(whole), options.seed)
        guard = free.get()
        try:
            for call, failure in guard.examine(case):
                found.add(case, call, failure)
        finally:
            free.put(guard)

    numbers = range(len(whole) + options.mutants)
    with ThreadPoolExecutor(len(guards)) as pool:
        for done, _ in enumerate(pool.map(examine, numbers), 1):
            if done % _NEWS == 0:
                print(f"{done} files, {len(found.groups)} kinds of failures", file=sys.stderr, flush=True)
    return len(numbers)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", metavar="FORMAT", choices=KINDS, help=f"one of {', '.join(KINDS)}")
    parser.add_argument("--keep", metavar="FOLDER", type=Path)
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    outside = make_seeds(("geotiff",))["geotiff"][0]
    seeds = make_seeds(KINDS if options.only is None else (options.only,))
    found = Found(options.keep)
    with tempfile.TemporaryDirectory() as name:
        workers = [Worker(Path(name, f"w{number}"), Limits()) for number in range(options.jobs)]
        guards = [Guard(worker, outside.files[outside.path]) for worker in workers]
        try:
            count = run(seeds, options, guards, found)
        finally:
            for guard in guards:
                guard.close()
        if not all(guard.outside.is_seen for guard in guards):
            print("files are not seen to be opened here, so it is not known whether some outside were")
    found.report()
    failures = sum(map(len, found.groups.values()))
    print(
        f"{count} files in {time.perf_counter() - start:.0f} s: {failures} failures, {len(found.groups)} kinds of them"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
