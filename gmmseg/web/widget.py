"""The page in a notebook: a widget that shows a segmentation, and is worked on with k, strokes and merging."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import GmmsegError, ParameterError
from gmmseg.extras import require
from gmmseg.io.classes import default_names
from gmmseg.labelling.result import Segmentation
from gmmseg.web.preview import Preview, described
from gmmseg.web.steps import Step, checked
from gmmseg.web.work import Work, wishes

__all__ = ["Bench", "bundled", "widget"]

_IMPORT = re.compile(r"^import \{ (.+?) \} from '\./(\w+)\.js';$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:class|const|function) (\w+))", re.MULTILINE)


def widget(found: Segmentation) -> Any:
    """Return a widget that shows a segmentation of a picture; see `Segmentation.widget`.

    Raises
    ------
    GmmsegError
        anywidget is not installed.
    ParameterError
        The image is no picture in memory.
    """
    return _widget_class()(found)


class Bench:
    """A segmentation, and what steps of a person make of it.

    Parameters
    ----------
    found : Segmentation
        Of a picture in memory.

    Raises
    ------
    ParameterError
        Of something else.
    """

    def __init__(self, found: Segmentation) -> None:
        image = found.image
        if image.ndim != 2 or not image.in_memory:
            size = " x ".join(map(str, image.shape))
            raise ParameterError(f"{image.name} has {size} pixels; widgets show pictures in memory, use `gmmseg view`")
        self.preview = Preview(image, threads=found.effort.threads)
        self.first = wishes(found)
        self._found = found
        self._start = Work.of([self.first])
        self._shown: tuple[Work, Segmentation] = (self._start, found)
        self._whole: tuple[Work, Segmentation] = (self._start, found)

    def picture(self) -> bytes:
        """Return the image as a browser shows it; of a large one the smaller copy."""
        return Preview(self.preview.small).picture()[0]

    def work(self, steps: Sequence[Step]) -> Work:
        """Return what steps amount to.

        Raises
        ------
        ParameterError
            One of them is none, or together they cannot be done.
        """
        work = Work.of([checked(step) for step in steps])
        work.require_usable()
        if work.detail is not None:
            raise ParameterError("detail= cuts regions, which a widget does not show; use gmmseg.regions")
        return work

    def answer(self, work: Work) -> dict[str, Any]:
        """Return what the widget shows of the work, "labels" among it; only where need be are classes found anew."""
        if not _same_classes(self._shown[0], work):
            start = _same_classes(self._start, work)
            self._shown = (work, self._found if start else self.preview.segment(work))
        found, (rows, columns) = self._shown[1], self.preview.shape
        places = [_places(*each) for each in zip(found.labels.shape, self.preview.small.shape, strict=True)]
        labels = np.ascontiguousarray(found.labels[np.ix_(*places)])
        return {
            "work": work.described(),
            "paths": [dict(stroke) for stroke in work.strokes],
            "classes": described(found)["classes"],
            "warnings": self.preview.warned(found, names=work.class_names or default_names(found.model.k)),
            "size": [columns, rows],
            "shape": list(labels.shape),
            "labels": labels.tobytes(),
        }

    def segmentation(self, work: Work) -> Segmentation:
        """Return the classes of all pixels, before any of them are merged."""
        before = self._whole[0]
        if not (_same_classes(before, work) and before.class_names == work.class_names):
            self._whole = (work, self.preview.segment(work, whole=True))
        return self._whole[1]

    def labels(self, work: Work) -> Array:
        """Return the label map of all pixels, classes that are one with one number, those left out with 0."""
        found = self.segmentation(work)
        return np.array(work.numbers(found.model.k), np.uint8)[found.labels]


def _same_classes(one: Work, other: Work) -> bool:
    return (one.options, one.strokes) == (other.options, other.strokes)


def _places(length: int, wanted: int) -> Array:
    """Return the middles of so many equal parts."""
    return (2 * np.arange(wanted) + 1) * length // (2 * wanted)


def bundled(name: str) -> str:
    """Return a script of the page and all that it imports as one module: in a notebook there is no server to ask.

    Parameters
    ----------
    name : str
        Of the script, without .js.
    """
    parts: dict[str, str] = {}

    def add(name: str) -> str:
        source = resources.files("gmmseg.web").joinpath("page", f"{name}.js").read_text(encoding="utf-8")
        for each in _IMPORT.finditer(source):
            if each[2] not in parts:
                inner = add(each[2])
                kept = ", ".join(_EXPORT.findall(inner))
                parts[each[2]] = (
                    f"const {each[2]}_js = (() => {{\n{_EXPORT.sub('', inner)}\nreturn {{ {kept} }};\n}})();"
                )
        return _IMPORT.sub(r"const { \1 } = \2_js;", source)

    whole = add(name)
    return "\n".join([*parts.values(), whole])


@cache
def _widget_class() -> Any:
    """Return the class, which there is only with the extra."""
    base: Any = require("anywidget", "notebook", "widgets need").AnyWidget
    traitlets = require("traitlets", "notebook", "widgets need")
    style = resources.files("gmmseg.web").joinpath("page", "widget.css").read_text(encoding="utf-8")

    class Widget(base):  # type: ignore[misc]  # which has no types where it is not installed
        """A segmentation that is worked on in a notebook.

        The browser keeps all steps in `log` ("steps", of which the first "done" count) and sets "tried", a step that is
        shown without being done; Python answers with `told`. So nothing is lost where only the newest state is sent.
        """

        _esm = bundled("widget")
        _css = style
        log = traitlets.Dict().tag(sync=True)
        tried = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
        told = traitlets.Dict().tag(sync=True)
        picture = traitlets.Bytes().tag(sync=True)

        def __init__(self, found: Segmentation) -> None:
            self._bench = Bench(found)
            self._kept: dict[str, Any] = {"steps": [self._bench.first], "done": 1}
            self._answered = (self._kept, None)
            told = {**self._bench.answer(self._work(self._kept)), "error": None, "count": 0}
            super().__init__(log=self._kept, told=told, picture=self._bench.picture())
            self.observe(self._answer, ["log", "tried"])

        @property
        def segmentation(self) -> Segmentation:
            """The classes of all pixels as they were worked on, before any of them are merged."""
            return self._bench.segmentation(self._work(self._kept))

        @property
        def labels(self) -> Array:
            """The label map of all pixels (rows, columns), classes that were merged with one number."""
            return self._bench.labels(self._work(self._kept))

        def _work(self, log: dict[str, Any], tried: Step | None = None) -> Work:
            steps = [*log["steps"][: log["done"]], *([] if tried is None else [tried])]
            return self._bench.work(steps)

        def _answer(self, _: Any) -> None:
            asked = (self.log, self.tried)
            if asked == self._answered:  # both are new, and this is the second to be noticed
                return
            try:
                told, error = self._bench.answer(self._work(*asked)), None
                self._kept = self.log
            except GmmsegError as refused:
                told, error = self.told, str(refused)
            self._answered = (self._kept, self.tried)
            self.log = self._kept
            # Counted, so that the browser hears of an answer that is the same.
            self.told = {**told, "error": error, "count": self.told["count"] + 1}

    return Widget
