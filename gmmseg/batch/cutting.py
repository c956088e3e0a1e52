"""An image file in, a cut-out of one of its classes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gmmseg.batch.processing import least, read_ahead
from gmmseg.io.classes import class_numbers
from gmmseg.io.writing import check_opacity, check_target, write_rgb

__all__ = ["cut_out"]


def cut_out(
    source: Path,
    target: Path,
    *,
    label: Any = None,
    parameters: Mapping[str, Any],
    reading: Mapping[str, Any],
    cutting: Mapping[str, Any],
    overwrite: bool = False,
    stage: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Segment an image file and write a cut-out.

    Parameters
    ----------
    source : Path
        A picture.
    target : Path
        .png or .webp; on a background also .jpg and .tif.
    label : int, str, or iterable of these, optional
        What is cut out; by default class 1, that of the first strokes.
    parameters : mapping of str to object
        Of `gmmseg.segment`, but those that tell how the image is read. Also "min_size", by which the labels are
        cleaned.
    reading : mapping of str to object
        Of `gmmseg.io.read`.
    cutting : mapping of str to object
        Of `gmmseg.Segmentation.cutout`: background, crop, feather.
    overwrite : bool
        Whether an existing file may be replaced.
    stage : callable, optional
        Called with "reading", "fitting", "cutting out" and "writing" as each begins.
    progress : callable, optional
        Called with the number of tiles that have their labels and of all tiles.

    Returns
    -------
    dict
        Ready for JSON: "output", "size" (width, height), "classes" (label and name of what is cut out), "share" of the
        pixels, 0 to 1, and "seconds".

    Raises
    ------
    InputError
        The image or the scribbles cannot be read.
    OutputError
        The file cannot be written.
    ParameterError
        A parameter has an unusable value; or there is no such class, and the message lists those that there are.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_rgb(f"{folder}/a.png", np.repeat(np.uint8([[[0, 0, 200]], [[250, 250, 0]]]), 8, 1))
    ...     source, target = Path(folder, "a.png"), Path(folder, "a_cutout.png")
    ...     made = cut_out(source, target, label=2, parameters={"k": 2}, reading={}, cutting={"crop": True})
    >>> made["size"], made["share"]
    ([8, 2], 0.5)
    """
    from gmmseg.export.cutout import color_of, require_picture  # here, because it needs NumPy, and help does not

    start = time.perf_counter()
    say = stage or (lambda _: None)
    check_target(target, kind="picture", overwrite=overwrite)
    if cutting.get("background") is None:
        check_opacity(target)
    else:
        color_of(cutting["background"])
    say("reading")
    image = read_ahead(source, reading)
    require_picture(image)
    chosen = dict(parameters)
    min_size = least(chosen.pop("min_size", None), image)
    from gmmseg.segmentation import segment  # here, because it loads while the file is read

    say("fitting")
    result = segment(image, **chosen, progress=progress)
    if min_size > 1:
        result = result.clean(min_size)
    say("cutting out")
    names = dict(enumerate(result.model.class_names, 1))
    label = class_numbers(1 if label is None else label, names, where=result.image.name, parameter="class")
    picture = result.cutout(label, **cutting)
    say("writing")
    opaque = cutting.get("background") is not None
    write_rgb(target, picture[..., :3] if opaque else picture, image=image, overwrite=overwrite)
    inside = result.mask(label)
    named = [each for each in result.classes if inside[result.labels == each.label].any()]
    return {
        "output": str(target),
        "size": [picture.shape[1], picture.shape[0]],
        "classes": [{"label": each.label, "name": each.name} for each in named],
        "share": float(inside.mean()),
        "seconds": round(time.perf_counter() - start, 3),
    }
