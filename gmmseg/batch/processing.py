"""The work on one image: read it, segment it, write what was asked for, say what came out."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from gmmseg.batch.outputs import KINDS, LAYER_OF, PICTURES, check_outputs, check_room
from gmmseg.errors import GmmsegError, OutputError, described, lacks_memory, warn

if TYPE_CHECKING:
    from gmmseg.batch.cluster import Cluster
    from gmmseg.image import Image
    from gmmseg.labelling.result import Segmentation
    from gmmseg.labelling.summary import ClassSummary
    from gmmseg.model import Model

__all__ = ["least", "process", "read_ahead"]

_NOTHING: Mapping[str, Any] = {}


def process(
    source: Path,
    outputs: Mapping[str, Path],
    *,
    model: Model | Callable[[Image], tuple[Model, Image]] | None = None,
    parameters: Mapping[str, Any] = _NOTHING,
    reading: Mapping[str, Any] = _NOTHING,
    saving: Mapping[str, Mapping[str, Any]] = _NOTHING,
    overwrite: bool = False,
    stage: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cluster: Cluster | None = None,
    also: Callable[[Segmentation], None] | None = None,
) -> dict[str, Any]:
    """Segment an image file and write the results.

    Parameters
    ----------
    source : Path
        The image.
    outputs : mapping of str to Path
        Files to write by what they hold: the outputs that `gmmseg.labelling.layers` lists ("labels", "soft", "anomaly",
        ...), "overlay" (the picture in class colours), "contours" (with their outlines), "style" (of a GIS),
        "table", "report" and "model".
    model : Model, or callable that takes the Image and returns one and the Image to apply it to, optional
        Applied; by default one is fitted to the image.
    parameters : mapping of str to object
        Of `gmmseg.segment`, or where there is a model of `gmmseg.apply`; but those that tell how the image is read.
        Also "min_size", by which the labels are cleaned, see `Segmentation.clean`.
    reading : mapping of str to object
        Of `gmmseg.io.read`: mask, channel_axis, max_pixels, ...
    saving : mapping of str to mapping
        Options of the formats of layers, by their outputs, see `Segmentation.save`; of the "overlay" "legend", whether
        a strip with the names of the classes is added below it; of the "report" "command" and "warnings", see
        `Segmentation.report`.
    overwrite : bool
        Whether existing files may be replaced.
    stage : callable, optional
        Called with "reading", "fitting" (without a model), "cleaning" (by a size) and "writing" as each begins.
    progress : callable, optional
        Called with the number of tiles that have their labels and of all tiles.
    cluster : Cluster, optional
        Workers that compute the layers, chunk by chunk, and take the pixels that a fit sees; the results are the same.
        GeoTIFF outputs are cloud-optimised then. What is done when a run ends early is kept for the next one.
    also : callable, optional
        Called with the Segmentation when its outputs are written, to write more of it.

    Returns
    -------
    dict
        Ready for JSON: "outputs", "shape", "k", "classes" (label, name, share from 0 to 1, pixels, area or volume where
        it is known under the name that tables have, mean color and map_color as "#rrggbb", means by feature, and the
        spectrum by channel where features are principal components),
        "bias_field" (whether one was taken out) and "seconds"; "places" where warnings are about a pixel: each with its
        index ("place") and the "warning" behind the name of the image.

    Raises
    ------
    InputError
        The image cannot be read, or is of another kind than the model's.
    OutputError
        A result cannot be written; those that are named in the message were written before.
    ParameterError
        A parameter has an unusable value.

    Examples
    --------
    >>> import tempfile, numpy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image, labels = Path(folder, "image.npy"), Path(folder, "labels.png")
    ...     numpy.save(image, numpy.repeat(numpy.uint8([10, 200, 200]), 8).reshape(3, 8))
    ...     record = process(image, {"labels": labels}, parameters={"k": 2})
    >>> [round(each["share"], 3) for each in record["classes"]]
    [0.333, 0.667]
    """
    start = time.perf_counter()
    say = stage or (lambda _: None)
    check_outputs(outputs, overwrite=overwrite)
    say("reading")
    image = read_ahead(source, reading if cluster is None else {**reading, "memory": 0})
    check_room(source, outputs, image)
    parameters = dict(parameters)
    min_size = least(parameters.pop("min_size", None), image)
    from gmmseg.segmentation import apply, segment  # here, because it loads while the file is read

    if cluster is not None:
        image, cluster.progress = cluster.spread(image), progress
    if callable(model):
        model, image = model(image)
    if model is None:
        say("fitting")
        result = segment(image, **parameters, progress=progress)
    else:
        result = apply(model, image, **parameters, progress=progress)
    if min_size > 1:
        say("cleaning")
        result = result.clean(min_size)
    if cluster is not None:
        result, saving = cluster.computing(result), _with_overviews(outputs, saving, image)
    say("writing")
    ordered = {kind: outputs[kind] for kind in KINDS if kind in outputs}
    _write(ordered, result, saving, overwrite=overwrite)
    if also is not None:
        also(result)
    if cluster is not None:
        cluster.finish()
    if model is None and min_size == 1 and parameters.get("prior") is None:
        from gmmseg.labelling.summary import without_pixels  # here, because the help of commands segments nothing

        for text in without_pixels(result.classes):
            warn(f"{result.image.name}: {text}")
    return {
        "outputs": {kind: str(path) for kind, path in ordered.items()},
        "shape": list(image.shape),
        "k": len(result.classes),
        "classes": _classes(result),
        **({"places": placed} if (placed := _placed(result)) else {}),
        "bias_field": result.rule.bias is not None,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _with_overviews(
    outputs: Mapping[str, Path], saving: Mapping[str, Mapping[str, Any]], image: Image
) -> dict[str, Mapping[str, Any]]:
    """Return options by which GeoTIFF files of layers get overviews: without them nobody can look at a large one."""
    from gmmseg.io.contents import Contents  # here, because most runs have no workers

    def in_tiles(kind: str) -> bool:
        layer, path = LAYER_OF[kind], outputs[kind]
        as_tiff = path.suffix.lower() in (".tif", ".tiff")
        return as_tiff and Contents(layer.kind, image.shape, "uint8", (), image, {}, path).packing is not None

    added = {kind: {**saving.get(kind, {}), "cog": True} for kind in outputs if kind in LAYER_OF and in_tiles(kind)}
    return {**saving, **added}


def read_ahead(source: Path, reading: Mapping[str, Any]) -> Image:
    """Read an image file while that is loaded which segments it."""
    from gmmseg.io.reading import prepare, read  # here, because the help of commands reads nothing

    if "gmmseg.segmentation" in sys.modules:
        return read(source, **reading)
    prepare(source)
    import_module("numpy")  # two threads that load it find it half there, for its modules go in circles
    # Loads while the file is decoded: a tenth of the time of a 12-megapixel JPEG.
    failures: list[Exception] = []
    loading = Thread(target=_load_ahead, args=(failures,), daemon=True)
    loading.start()
    image = read(source, **reading)
    loading.join()  # a module that is loaded in two threads is half there in one of them when it fails in the other
    if failures:
        raise failures[0]
    return image


def _load_ahead(failures: list[Exception]) -> None:
    try:
        import_module("gmmseg.segmentation")
        import_module("concurrent.futures.thread")  # what works with threads would load it later, alone
    except Exception as error:
        failures.append(error)


def least(min_size: int | str | None, image: Image) -> int:
    """Return a minimum size in pixels; one that is not usable is refused before anything is computed."""
    if min_size is None:
        return 1
    from gmmseg.image.sizes import least_pixels  # here, because most runs clean nothing

    return least_pixels(min_size, image)


def _write(
    outputs: Mapping[str, Path], result: Segmentation, saving: Mapping[str, Mapping[str, Any]], *, overwrite: bool
) -> None:
    """Write the outputs of one image; where one fails, say which are there."""
    written: list[str] = []
    for kind, path in outputs.items():
        try:
            if kind in LAYER_OF:
                result.save(path, layer=LAYER_OF[kind].name, overwrite=overwrite, **saving.get(kind, {}))
            elif kind in PICTURES:
                _write_picture(path, kind, result, overwrite=overwrite, **saving.get(kind, {}))
            elif kind == "style":
                _write_style(path, result, overwrite=overwrite)
            elif kind == "table":
                result.table().save(path, overwrite=overwrite)
            elif kind == "report":
                result.report(path, overwrite=overwrite, **saving.get(kind, {}))
            else:
                result.model.save(path, overwrite=overwrite)
        except (GmmsegError, MemoryError, OSError) as error:
            if not written:
                raise
            # What is wrong may be an input, of which a large one is read as its results are written.
            which = type(error) if isinstance(error, GmmsegError) else OutputError
            raise which(f"{_reason(error, path)} ({', '.join(written)} was written before that)") from error
        written.append(str(path))


def _placed(result: Segmentation) -> list[dict[str, Any]]:
    """Return the warnings that are about a pixel: its index, and the text behind the name of the image."""
    name = f"{result.image.name}: "
    said = [each for each in result.warnings if each.place is not None]
    return [{"place": list(each.place or ()), "warning": str(each).removeprefix(name)} for each in said]


def _reason(error: BaseException, path: Path) -> str:
    if isinstance(error, GmmsegError):
        return str(error)
    if lacks_memory(error):
        return f"{path} cannot be written: there is not enough memory; leave it out, or use a smaller image"
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return described(error, f"{os.fsdecode(error.filename)}: ")
    return f"{path} cannot be written: {getattr(error, 'strerror', None) or error}; free space or choose another place"


def _write_picture(path: Path, kind: str, result: Segmentation, *, overwrite: bool, legend: bool = False) -> None:
    from gmmseg.export.legend import with_legend  # here, because most runs draw nothing
    from gmmseg.export.overlay import DRAWINGS  # here, because most runs draw nothing
    from gmmseg.io.writing import write_rgb  # here, because most runs draw nothing

    drawn = DRAWINGS[kind](result.image, result.labels)
    drawn = with_legend(drawn, result.legend) if legend else drawn
    located = result.image if result.image.ndim == 2 else None  # cuts of a volume lie in no plane of it
    write_rgb(path, drawn, image=located, overwrite=overwrite)


def _write_style(path: Path, result: Segmentation, *, overwrite: bool) -> None:
    from gmmseg.export.styles import write_style  # here, because most runs write none

    write_style(path, dict(enumerate(result.model.class_names, 1)), overwrite=overwrite)


def _classes(result: Segmentation) -> list[dict[str, Any]]:
    found = [_described(each) for each in result.classes]
    if result.model.recipe.pca is not None:
        from gmmseg.model.spectra import spectra  # here, because most images have few channels

        for facts, spectrum in zip(found, spectra(result.model, result.image.channel_names), strict=True):
            facts["spectrum"] = spectrum
    return found


def _described(each: ClassSummary) -> dict[str, Any]:
    color = None if each.color is None else f"#{bytes(each.color).hex()}"
    means = {name: mean if math.isfinite(mean) else None for name, mean in each.means.items()}
    shown = f"#{bytes(each.map_color).hex()}"
    facts = {"label": each.label, "name": each.name, "share": each.share, **each.sizes}
    return {**facts, "color": color, "map_color": shown, "means": means}
