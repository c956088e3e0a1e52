"""Parts of one result that is computed in chunks: each is a file in a hidden folder, so that a second run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmmseg.batch.manifest import locked
from gmmseg.errors import OutputError
from gmmseg.image import Image
from gmmseg.image.sources import beneath
from gmmseg.io.reopening import InFile
from gmmseg.labelling.chunks import ChunkWork

__all__ = ["Parts", "fingerprint", "parts_of_target"]

Number = tuple[int, ...]
"""Of a chunk: its place along each axis."""

_PLAN = "plan.json"


@dataclass(frozen=True)
class Parts:
    """A folder of parts, each of one chunk or of several that were computed together; nobody else writes in it.

    Parameters
    ----------
    folder : Path
    """

    folder: Path
    _holder: dict[Number, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look what is there."""
        for path in self.folder.glob("*.part"):
            with open(path, "rb") as file:
                self._holder.update({tuple(number): path for number in json.loads(file.readline())})

    def has(self, number: Number) -> bool:
        """Whether the part of a chunk is there, whole."""
        return number in self._holder

    def load(self, number: Number) -> tuple[list[Number], bytes]:
        """Return the part of a chunk, and the numbers of those that it is of, in the order in which they were kept."""
        numbers, _, content = self._holder[number].read_bytes().partition(b"\n")
        return [tuple(each) for each in json.loads(numbers)], content

    def store(self, numbers: Sequence[Number], content: bytes) -> None:
        """Keep the part of some chunks: under its name once it is whole on disk.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        path = self.folder / f"{'-'.join(map(str, numbers[0]))}.part"
        beside = path.with_suffix(".new")
        try:
            with open(beside, "wb") as file:
                file.write(json.dumps(numbers).encode() + b"\n" + content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error.strerror or error}; free space, what is done is kept for a next run"
            ) from error
        self._holder.update(dict.fromkeys(numbers, path))

    def remove(self) -> None:
        """Remove the folder, when its result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def parts_of_target(target: Path, plan: str) -> Iterator[Parts]:
    """Have the parts of a result to oneself; those of another plan, of another model say, are thrown away.

    Parameters
    ----------
    target : Path
        The file or folder that is written.
    plan : str
        Of `fingerprint`.

    Raises
    ------
    OutputError
        Another run writes this result, or the folder cannot be made.
    """
    folder = target.parent / f".{target.name}.gmmseg-parts"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}; choose another place") from None
    with locked(folder, target):
        known = folder / _PLAN
        if not known.exists() or known.read_text(encoding="utf-8") != plan:
            for each in [known, *folder.glob("*.part"), *folder.glob("*.new")]:
                each.unlink(missing_ok=True)
            known.write_text(plan, encoding="utf-8")
        yield Parts(folder)


def fingerprint(work: ChunkWork, sides: tuple[tuple[int, ...], ...]) -> str:
    """Return what tells whether parts are of this result: of the same pixels, model, layer and chunks."""
    from gmmseg import __version__  # here, because most runs keep no parts

    rule, image = work.rule, work.image
    digest = hashlib.sha256()
    arrays = [image.valid, *(vars(rule.guidance).values() if rule.guidance is not None else ())]
    arrays += [] if rule.bias is None else [*vars(rule.bias).values()]
    for each in arrays:
        digest.update(each.tobytes() if hasattr(each, "tobytes") else repr(each).encode())
    facts: dict[str, Any] = {
        "gmmseg": __version__,
        "image": [image.name, list(image.shape), str(image.pixels.dtype), list(image.channel_names), _stamp(image)],
        "model": rule.model.content,
        "arrays": digest.hexdigest(),
        "layer": work.layer.name,
        "chunks": sides,
        "packing": repr(work.packing),
    }
    return json.dumps(facts)


def _stamp(image: Image) -> Any:
    """Return size and time of the file that pixels stay in; None where they are not of one."""
    found = next((each for each in beneath(image.pixels) if isinstance(each, InFile)), None)
    return None if found is None or found.stamp is None else [found.stamp.size, found.stamp.times[0]]
