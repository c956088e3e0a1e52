"""The widgets: a form, a button, and one to cancel. Qt is loaded by napari, when one of them is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gmmseg.errors import GmmsegError
from gmmseg.extras import require
from gmmseg.integrations.napari.background import Background
from gmmseg.integrations.napari.exchange import applied, cut_into_regions, segmented

__all__ = ["apply_panel", "regions_panel", "segment_panel"]

_STEPS = 1000  # of the bar


def segment_panel() -> Any:
    """Return a widget that segments an Image layer, by strokes in a Labels layer where one is chosen."""
    widgets = require("magicgui.widgets", "napari", "the widgets of napari need")
    form = [
        _layer("image", "Image"),
        widgets.SpinBox(name="k", label="classes", value=4, min=1, max=255),
        widgets.CheckBox(name="automatic", label="choose the number", value=False),
        widgets.LineEdit(name="features", label="features", tooltip="such as lab,xy; empty for what suits the image"),
        widgets.CheckBox(name="smooth", label="smooth", value=True),
        _layer("strokes", "Labels", optional=True),
    ]

    def work(values: dict[str, Any]) -> Callable[..., Any]:
        k: Any = "auto" if values["automatic"] else values["k"]
        return partial(
            segmented,
            values["image"],
            k=k,
            features=values["features"] or None,
            smooth=values["smooth"],
            strokes=values["strokes"],
        )

    return _panel(form, "Segment", work)


def apply_panel() -> Any:
    """Return a widget that applies a model file to an Image layer."""
    widgets = require("magicgui.widgets", "napari", "the widgets of napari need")
    form = [
        _layer("image", "Image"),
        widgets.FileEdit(name="model", label="model", filter="*.json", value=Path()),
    ]
    return _panel(form, "Apply", lambda values: partial(applied, values["image"], model=values["model"]))


def regions_panel() -> Any:
    """Return a widget that cuts an Image layer into connected regions."""
    widgets = require("magicgui.widgets", "napari", "the widgets of napari need")
    form = [
        _layer("image", "Image"),
        widgets.FloatSlider(name="detail", label="detail", value=0.38, min=0, max=1),
    ]
    return _panel(form, "Cut", lambda values: partial(cut_into_regions, values["image"], detail=values["detail"]))


def _layer(name: str, kind: str, *, optional: bool = False) -> Any:
    """Return a list of the layers of a kind."""
    create = require("magicgui.widgets", "napari", "the widgets of napari need").create_widget
    annotation = getattr(require("napari.layers", "napari", "the widgets of napari need"), kind)
    return create(annotation=annotation | None if optional else annotation, name=name, label=name)


def _panel(form: list[Any], title: str, work: Callable[[dict[str, Any]], Callable[..., Any]]) -> Any:
    """Return a form with a button that starts the work on what it says, a bar, and a button that cancels it."""
    from magicgui.widgets import Container, ProgressBar, PushButton

    start, cancel = PushButton(name="start", text=title), PushButton(name="cancel", text="Cancel", enabled=False)
    bar = ProgressBar(name="bar", label=" ", value=0, max=_STEPS, visible=False)
    panel = Container(widgets=[*form, start, cancel, bar])
    names = [each.name for each in form]

    def begin() -> None:
        from napari.qt.threading import create_worker
        from napari.utils.notifications import show_error

        values = {name: panel[name].value for name in names}
        if values["image"] is None:
            show_error("there is no image to work on; open one first")
            return
        worker = create_worker(Background(work(values)).watched, _start_thread=False)

        def show(told: tuple[int, int]) -> None:
            done, total = told
            bar.value = round(_STEPS * done / total) if total else 0

        def end() -> None:
            start.enabled, cancel.enabled, bar.visible = True, False, False

        def fail(error: Exception) -> None:
            if isinstance(error, GmmsegError):
                show_error(str(error))

        worker.yielded.connect(show)
        worker.returned.connect(_add_layers)
        worker.errored.connect(fail)
        worker.finished.connect(end)
        cancel.changed.connect(worker.quit)
        start.enabled, cancel.enabled, bar.visible = False, True, True
        worker.start()

    start.changed.connect(begin)
    return panel


def _add_layers(made: list[Any] | None) -> None:
    """Add layers to the viewer that is open, and say what they are to be doubted for."""
    from napari import current_viewer
    from napari.layers import Layer
    from napari.utils.notifications import show_warning

    viewer = current_viewer()
    for data, more, kind in made or ():
        told = more.get("metadata", {})
        if viewer is not None:
            if told.get("doubts") in viewer.layers:  # those of the classes before
                viewer.layers.remove(told["doubts"])
            viewer.add_layer(Layer.create(data, more, kind))
        for text in told.get("warnings", ()):
            show_warning(text)
