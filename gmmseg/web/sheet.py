"""The images of a strip: small pictures of them, small copies that a model is tried on, and which cannot be taken."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Lock, Thread

from gmmseg.checks import MEMORY
from gmmseg.effort import Effort
from gmmseg.errors import GmmsegError, InputError, ParameterError
from gmmseg.export.overlay import shown
from gmmseg.image import Image
from gmmseg.io.formats import identify
from gmmseg.io.opening import Reading, open_image
from gmmseg.io.parts import name_of
from gmmseg.threads import mapped
from gmmseg.web.preview import Preview, encoded, shrunk, smaller

__all__ = ["MOST_TRIED", "TRIED_PIXELS", "Sheet", "typed"]

MOST_TRIED = 500
"""Images that a model is tried on. Of photographs it needs all: with 32 of 50, 5 classes were others on most pixels."""

TRIED_PIXELS = 400_000
"""Of the copies of all these together; with those of the image that is shown a megapixel."""

_THUMBNAIL = 128  # pixels on a side, at most
_KEPT = 2  # images in memory: that which is shown, and the one before
_FIRST, _PATIENCE = 8, 0.5  # images that are waited for, and seconds for all of them

Kind = tuple[bool, int]


@dataclass(eq=False)
class _Entry:
    """An image of the strip, and what is known of it once it has been read."""

    path: Path
    name: str
    reason: str = ""
    kind: Kind | None = None
    copy: Image | None = None
    whole: bool = False  # whether the copy is the image itself
    thumbnail: tuple[bytes, str] = (b"", "")
    reading: Lock = field(default_factory=Lock)

    @property
    def read(self) -> bool:
        """Whether it has been read, or need not be."""
        return bool(self.reason or self.kind)


class Sheet:
    """Images that have one model; they are read when they are looked at, by several threads.

    Parameters
    ----------
    images : mapping of Path to str
        In their order, with the reason why one cannot be taken, or "".
    folder : Path
        Where commands are typed: images are called as they are typed there.
    threads : int, optional
        All processors by default.
    """

    def __init__(self, images: Mapping[Path, str], folder: Path, *, threads: int | None = None) -> None:
        self.threads = threads
        self._entries = [_Entry(path, typed(path, folder), reason) for path, reason in images.items()]
        self.offered = sum(not reason for reason in images.values())
        self._previews: OrderedDict[int, Preview] = OrderedDict()
        self._keeping, self._progress = Lock(), Condition()
        self._readers: list[Thread] = []
        self._closed = False
        for entry, others in zip(self._entries, self._same_names(), strict=True):
            if others and not entry.reason:
                entry.reason = f"{entry.name} has results of the same name as {others}; rename one, or open one alone"
        self._order = _spread([each for each in self._entries if not each.reason])[:MOST_TRIED]

    def __len__(self) -> int:
        return len(self._entries)

    def _same_names(self) -> list[str]:
        """Return for each image the one before it whose label map has the same name, or ""."""
        first: dict[str, str] = {}
        others = []
        for entry in self._entries:
            label_map = "" if entry.reason else _label_map(entry.path)
            others.append(first.get(label_map, ""))
            if label_map:
                first.setdefault(label_map, entry.name)
        return others

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Each image as it is typed, and why it cannot be taken, or "" as long as nothing else is known."""
        kinds = Counter(each.kind for each in self._entries if each.kind)
        most = kinds.most_common(1)[0][0] if kinds else None
        return [(each.name, _reason(each, most)) for each in self._entries]

    @property
    def taken(self) -> list[str]:
        """Those that can be taken, as they are typed, as far as they have been read."""
        return [name for name, reason in self.reasons if not reason]

    @property
    def label_maps(self) -> list[str]:
        """Names of the label maps of those that can be taken."""
        return [_label_map(each.path) for each in self._taken()]

    def _taken(self) -> list[_Entry]:
        return [each for each, (_, reason) in zip(self._entries, self.reasons, strict=True) if not reason]

    def look(self) -> None:
        """Read all images that were not read yet, to know which can be taken."""
        for _ in mapped(self._read, self._entries, Effort(threads=self.threads).workers):
            pass

    @property
    def ready(self) -> int:
        """Images that a model is tried on by now: so many as come first in an order that is spread over the strip.

        While they are read, in threads of their own, the number is a power of two: each model is of twice as many.
        """
        read = next((n for n, each in enumerate(self._order) if not each.read), len(self._order))
        return read if read == len(self._order) else 1 << read.bit_length() >> 1

    @property
    def wanted(self) -> int:
        """Images that a model is tried on in the end."""
        return len(self._order)

    def tried(self, most: int = MOST_TRIED) -> tuple[int, list[Image]]:
        """Return how many images are ready, at most so many, and small copies of those of them that can be taken.

        Raises
        ------
        InputError
            No image can be read.
        """
        if not self._readers:
            # Half of the processors, so that the others are there for what is asked meanwhile.
            n_readers = -(-Effort(threads=self.threads).workers // 2)
            self._readers = [Thread(target=self._read_on, daemon=True) for _ in range(n_readers)]
            for each in self._readers:
                each.start()
        with self._progress:
            self._progress.wait_for(lambda: self.ready == self.wanted, _PATIENCE)
            self._progress.wait_for(lambda: self.ready >= min(_FIRST, self.wanted) and self._any(self.ready))
            ready = self.ready
        ready = ready if ready <= most or not self._any(most) else most
        chosen = {id(each) for each in self._order[:ready]}
        copies = [each.copy for each in self._taken() if each.copy and id(each) in chosen]
        if not copies:
            raise InputError(f"{self._stated() or 'there is no image'}; no other image can be read")
        return ready, copies

    def _any(self, ready: int) -> bool:
        """Whether there is something to try a model on, or never will be."""
        return ready == self.wanted or any(each.copy for each in self._order[:ready])

    def _stated(self) -> str:
        return next((reason for _, reason in self.reasons if reason), "")

    def _read_on(self) -> None:
        """Read one image after the other."""
        for entry in self._order:
            if self._closed:
                return
            self._read(entry)

    def close(self) -> None:
        """End the threads that read, which wait for the image that they are at."""
        self._closed = True
        for each in self._readers:
            each.join()

    @property
    def complete(self) -> bool:
        """Whether the model is tried on the images themselves, all of them."""
        taken = self._taken()
        return len(taken) <= MOST_TRIED and all(each.whole for each in taken)

    def preview(self, number: int) -> Preview:
        """Return an image to be shown.

        Raises
        ------
        InputError
            It cannot be taken.
        ParameterError
            There is no such image.
        """
        entry = self._entry(number)
        with self._keeping:
            if number in self._previews:
                self._previews.move_to_end(number)
                return self._previews[number]
        made = Preview(self._opened(entry), threads=self.threads)
        with self._keeping:
            self._previews[number] = made
            while len(self._previews) > _KEPT:
                self._previews.popitem(last=False)
        return made

    def thumbnail(self, number: int) -> tuple[bytes, str]:
        """Return the small picture of an image, and the kind of its file.

        Raises
        ------
        InputError
            The image cannot be taken.
        ParameterError
            There is no such image.
        """
        entry = self._entry(number)
        self._read(entry)
        if reason := self.reasons[number][1]:
            raise InputError(reason)
        return entry.thumbnail

    def _entry(self, number: int) -> _Entry:
        if not 0 <= number < len(self):
            raise ParameterError(f"image={number} is none; there are {len(self)}, counted from 0")
        return self._entries[number]

    def _read(self, entry: _Entry) -> None:
        with entry.reading:
            if entry.read:
                return
            try:
                image = self._opened(entry)
            except GmmsegError as error:
                entry.reason = str(error)
            else:
                drawn = shown(image)
                entry.thumbnail = encoded(shrunk(drawn, min(1.0, _THUMBNAIL / max(drawn.shape[:2]))))
                entry.copy = smaller(image, TRIED_PIXELS // max(1, self.wanted))
                entry.whole = entry.copy is image
                entry.kind = image.color, image.n_channels
        with self._progress:
            self._progress.notify_all()

    def _opened(self, entry: _Entry) -> Image:
        """Open an image; what has a page of its own, but no place in a strip, is refused."""
        if entry.reason:
            raise InputError(entry.reason)
        image = open_image(entry.path, Reading(memory=MEMORY // 2))
        alone = f"open it by itself: gmmseg view {entry.name}"
        if image.ndim != 2 or image.time:
            raise InputError(f"{entry.name} has {' x '.join(map(str, image.shape))} pixels and is no picture; {alone}")
        if not image.in_memory:
            raise InputError(f"{entry.name} is larger than memory; {alone}")
        return image


def typed(path: Path, folder: Path) -> str:
    """Return how a file is called in commands that are typed in a folder: from there, where it is below it."""
    if not path.resolve().is_relative_to(folder.resolve()):
        return str(path.absolute())
    name = os.path.relpath(path, folder)
    return os.path.join(".", name) if name.startswith("-") else name


def _reason(entry: _Entry, most: Kind | None) -> str:
    if entry.reason or entry.kind in (None, most):
        return entry.reason
    return f"{entry.name} has {_called(entry.kind)}, but the others have {_called(most)}; open it by itself"


def _spread(entries: list[_Entry]) -> list[_Entry]:
    """Return entries in an order whose every beginning is spread over them: by the digits of their places, reversed."""
    bits = len(entries).bit_length()
    return [entries[n] for n in sorted(range(len(entries)), key=lambda n: f"{n:0{bits}b}"[::-1])]


def _label_map(path: Path) -> str:
    return f"{name_of(path)}_labels{identify(path).suffix_of_labels(path, 'auto')}"


def _called(kind: Kind | None) -> str:
    color, channels = kind or (False, 1)
    return "colours" if color else "one channel" if channels == 1 else f"{channels} channels"
