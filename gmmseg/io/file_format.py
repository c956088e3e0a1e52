"""What a file format is: the Protocol that all of them fulfil, and those of gmmseg, loaded when they are first used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from gmmseg.errors import GmmsegError, InputError, OutputError
from gmmseg.extras import require
from gmmseg.io.request import Reading
from gmmseg.records import dataclass, field, replace

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.image.place import Place
    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Contents

__all__ = ["OUTLINES", "BuiltIn", "FileFormat", "ResultKind", "has_module", "not_probabilities"]

ResultKind = Literal["labels", "soft", "map", "picture"]
"""What is written: a label map, probabilities, other numbers, or a picture of 8 bits in colours or grey."""


OUTLINES = {f".{to}": f"; outlines are written by `gmmseg export --to {to}`" for to in ("gpkg", "geojson")}
"""What to do instead, of suffixes of files that hold outlines and no pixels."""


@runtime_checkable
class FileFormat(Protocol):
    r"""A file format: how a file of it is recognised, read and written.

    A class that is derived from this one says `name` and `suffixes`, and how to `sniff` and to `read`; `write` as far
    as its suffixes promise it. The rest follows from these, or is as simple formats have it.

    Parameters
    ----------
    name : str
        What people call it.
    suffixes : mapping of str to collection of str
        In lower case, with the dot, and for each what a file so named can hold as a result: "labels", "soft"
        (probabilities), "map" (other numbers), "picture"; nothing where files are only read.
    extra : str, optional
        The extra of gmmseg that brings what the format needs beyond gmmseg's own requirements.
    refusals : mapping of str to str
        Why one of its files cannot hold a result, and what to do, for those of which people may expect it.
    beside : mapping of str to collection of str
        For each kind of result what is added to the name of its file for those that `write` may put beside it.
    planar : bool
        Whether it has room for two axes only.
    folders : bool
        Whether a folder can be one image.
    weak : bool
        Whether it is recognised by so little that a file which is not named so may well be something else.
    lettered : bool
        Whether its files hold arrays of which a caller may say the axes, in `Reading.axes`.

    Examples
    --------
    Text files of whole numbers, a line a row, that begin with "P2 grid":

    >>> import numpy as np
    >>> from gmmseg.image import Image
    >>> from gmmseg.io.request import chosen
    >>> class Grid(FileFormat):
    ...     name, suffixes = "grid", {".grid": ()}
    ...     def sniff(self, start, path):
    ...         return start.startswith(b"P2 grid")
    ...     def read(self, path, reading):
    ...         return chosen(Image(np.loadtxt(path, np.uint8, skiprows=1), name=str(path)), reading)
    >>> Grid().sniff(b"P2 grid\n0 1\n", Path("a.grid"))
    True
    """

    name: str
    suffixes: Mapping[str, Collection[ResultKind]]
    extra: str | None = None
    refusals: Mapping[ResultKind, str] = {}
    beside: Mapping[ResultKind, Collection[str]] = {}
    planar: bool = False
    folders: bool = False
    weak: bool = False
    lettered: bool = False

    def sniff(self, start: bytes, path: Path) -> bool:
        """Whether a file that begins so is one of this format; `start` is that of what a gzip file holds.

        At least the first 512 bytes, where there are so many. Of a folder (see `folders`) there are none.
        """

    def read(self, path: Path, reading: Reading) -> Image:
        """Return the image as it is asked for, but for the mask.

        Pixels of more than `reading.max_pixels` are refused (`gmmseg.io.request.require_room`), those that take more
        than `reading.memory` may stay in the file as a `gmmseg.image.sources.Source`, and `gmmseg.io.request.chosen`
        picks the channels. Raises InputError of one line that names the file, see `gmmseg.io.damage.explained`.
        """

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Return the whole numbers (*spatial) of a label map, as they are stored."""
        image = self.read(path, replace(reading, memory=None))
        if image.n_channels != 1:
            raise InputError(f"{path} has {image.n_channels} channels, so it is not a label map; give one of integers")
        return image.array[..., 0]

    def is_exact(self) -> bool:
        """Whether numbers come out of a file as they were put in; labels are read of no other."""
        return True

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Return probability maps (n_classes, *spatial), as they are stored."""
        raise not_probabilities(path, self.name)

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says, ready for JSON."""
        image = self.read(path, Reading(memory=0))
        return {"shape": list(image.shape), "channels": image.n_channels, "dtype": str(image.pixels.dtype)}

    def describe_series(self, path: Path, series: str) -> dict[str, Any]:
        """Return what the headers of one series say, of a folder that holds several."""
        return self.describe(path)

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a result to a new file, and return what belongs into files beside it, by what is added to its name.

        Parameters
        ----------
        path : Path
            A temporary file; messages name `contents.target`.
        contents : Contents
            Of a kind that the suffix promises. Options that the format does not have are refused, see
            `gmmseg.io.contents.refuse_options`.
        windows : iterable of (tuple of slice, ndarray)
            Together all of the spatial shape; `gmmseg.io.contents.assembled` makes one array of them.
        """
        raise OutputError(f"{contents.target}: {self.name} files are only read; choose another suffix")

    def packing(self, contents: Contents) -> Any | None:
        """Return what packs windows of a result as `write` takes them too, by `pack(window, values)`; None: nothing.

        It is sent to workers that compute windows, so that they encode what they can.
        """
        return None

    def check(self, image: Image) -> None:
        """Raise OutputError where no result of an image can be written, as in formats that refer to it."""

    def suffix_of_labels(self, path: Path, channel_axis: ChannelAxis) -> str:
        """Return the suffix of the label map of one of its images, where nobody names the file."""
        return ".tif"

    def place(self, path: Path) -> Place | None:
        """Return where on a map a label map lies, as far as its file says it."""
        return None

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return the names of classes in a file of labels, class 1 first."""
        return None

    def class_colors(self, path: Path) -> np.ndarray | None:
        """Return the colours that a file of labels has for its classes, class 1 first, (n, 3) uint8."""
        return None

    def prepare(self) -> None:
        """Load what decodes files, so that a thread that reads one next need not share the interpreter."""


@dataclass(frozen=True, eq=False)
class BuiltIn(FileFormat):
    """A format of gmmseg: what is asked before anything is read or written is said here, its module does the rest.

    Parameters
    ----------
    name, suffixes, extra, refusals, beside, planar, folders, weak, lettered
        As of `FileFormat`.
    where : str
        The module below `gmmseg.io` with the functions, or an object in it: "picture.format:PNG".
    signatures : tuple of (int, bytes)
        Offset and bytes in the beginning of a file; one match is enough.
    labels : str
        Suffix of label maps, as far as the module does not say it.
    needs : str, optional
        The package that the extra brings.
    decoder : str, optional
        The module below `gmmseg.io` that loads the library that decodes files.
    others : frozenset of str
        Suffixes of files that begin so, but are of another format.
    named : bool
        Whether only files with its suffixes are of this format, because others begin so too.
    unpacks : bool
        Whether files compressed by gzip are read as they are.
    alone : bool
        Whether its module writes one file, whatever that is called for the time, and lets no library do it.
    marks : tuple of str
        Names of files that a folder has which is one image of this format.
    answers : frozenset of str
        Functions of the module beyond `read`, `read_labels`, `read_probabilities`, `describe` and `write`; to what is
        not among them, the answer is that of any format.
    """

    name: str
    suffixes: Mapping[str, Collection[ResultKind]]
    where: str
    signatures: tuple[tuple[int, bytes], ...] = ()
    labels: str = ".png"
    extra: str | None = None
    needs: str | None = None
    decoder: str | None = None
    refusals: Mapping[ResultKind, str] = field(default_factory=dict)
    beside: Mapping[ResultKind, Collection[str]] = field(default_factory=dict)
    planar: bool = False
    folders: bool = False
    weak: bool = False
    lettered: bool = False
    others: frozenset[str] = frozenset()
    named: bool = False
    unpacks: bool = False
    alone: bool = False
    marks: tuple[str, ...] = ()
    answers: frozenset[str] = frozenset()

    def _load(self) -> Any:
        if self.needs is not None and self.extra is not None:
            require(self.needs, self.extra, f"{self.name} files need")
        module, _, attribute = self.where.partition(":")
        loaded = import_module(f"gmmseg.io.{module}")
        return getattr(loaded, attribute) if attribute else loaded

    def may_begin(self, first: bytes) -> bool:
        """Whether a file can be of this format whose first byte is this one."""
        if "sniff" in self.answers:
            return True
        return any(offset > 0 or first.startswith(magic[:1]) for offset, magic in self.signatures)

    def sniff(self, start: bytes, path: Path) -> bool:
        """Whether a file begins with a signature, or is known by the module as far as what that needs is there."""
        if self.marks and not start:
            return any((path / name).is_file() for name in self.marks)
        begins = False
        for offset, magic in self.signatures:
            begins = begins or start.startswith(magic, offset)
        if not begins and "sniff" not in self.answers:
            return False
        suffix = path.suffix.lower()
        if suffix in self.others or (self.named and suffix not in self.suffixes):
            return False
        able = not begins and (self.needs is None or has_module(self.needs))
        return begins or (able and bool(self._load().sniff(start, path)))

    def read(self, path: Path, reading: Reading) -> Image:
        """Return the image as it is asked for."""
        image: Image = self._load().read(path, reading)
        return image

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Return the numbers of a label map."""
        labels: np.ndarray = self._load().read_labels(path, reading)
        return labels

    def is_exact(self) -> bool:
        """Whether the object in the module, where it is one of pictures, says so."""
        return bool(getattr(self._load(), "exact", True))

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Return probability maps."""
        maps: np.ndarray = self._load().read_probabilities(path, reading)
        return maps

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says."""
        facts: dict[str, Any] = self._load().describe(path)
        return facts

    def describe_series(self, path: Path, series: str) -> dict[str, Any]:
        """Return what the headers of one series say."""
        if "describe_series" not in self.answers:
            return super().describe_series(path, series)
        facts: dict[str, Any] = self._load().describe_series(path, series)
        return facts

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a result."""
        beside: dict[str, bytes] = self._load().write(path, contents, windows)
        return beside

    def packing(self, contents: Contents) -> Any | None:
        """Return what packs windows of a result."""
        return self._load().packing(contents) if "packing" in self.answers else super().packing(contents)

    def check(self, image: Image) -> None:
        """Refuse an image that results cannot refer to."""
        if "check" in self.answers:
            self._load().check(image)

    def suffix_of_labels(self, path: Path, channel_axis: ChannelAxis) -> str:
        """Return the suffix of the label map of an image."""
        if "suffix_of_labels" in self.answers:
            with suppress(GmmsegError):  # a file that cannot be read is reported when it is its turn
                return str(self._load().suffix_of_labels(path, channel_axis))
        return self.labels

    def place(self, path: Path) -> Place | None:
        """Return where on a map a label map lies."""
        found: Place | None = self._load().place(path) if "place" in self.answers else None
        return found

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return the names of classes in a file."""
        names: tuple[str, ...] | None = self._load().class_names(path) if "class_names" in self.answers else None
        return names

    def class_colors(self, path: Path) -> np.ndarray | None:
        """Return the colours of classes in a file."""
        colors: np.ndarray | None = self._load().class_colors(path) if "class_colors" in self.answers else None
        return colors

    def prepare(self) -> None:
        """Load what decodes files."""
        if self.decoder is not None:
            import_module(f"gmmseg.io.{self.decoder}")


def not_probabilities(path: Path, name: str) -> InputError:
    """Return what to raise where the format of this name holds no probabilities."""
    return InputError(f"{path} is a {name} file; give probability maps as NPZ, NPY, TIFF or NIfTI")


def has_module(name: str) -> bool:
    """Whether a package is installed; it is not loaded."""
    from importlib.util import find_spec

    return find_spec(name) is not None
