"""What a worker does with a job: the work on one image, and the line of the manifest that tells of it."""

from __future__ import annotations

import errno
import os
import time
import warnings
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.batch.bids import write_beside
from gmmseg.batch.guide_names import rule_with
from gmmseg.batch.manifest import digest, digest_of_parts, stamp
from gmmseg.batch.outputs import KINDS
from gmmseg.batch.processing import process
from gmmseg.errors import GmmsegWarning, InputError, OutputError, described, lacks_memory
from gmmseg.io.held import holding
from gmmseg.io.unnamed import lies_at, take_unnamed
from gmmseg.platforms import forget_peak, peak_memory

if TYPE_CHECKING:
    from gmmseg.model import Model  # here, because most batches have no model

__all__ = ["answer"]

# With these no other image could be written either.
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Do the work on one image.

    Parameters
    ----------
    job : dict
        "source", "folder" (of the results), "parameters" and "reading" as of `process`, "model" (a path or None),
        "guides" (the files of this image alone: its "mask", its "prior"), "fault" (why it cannot be done, or ""), and
        "line": what the manifest says anyway, with "outputs" by kind, each a dict with "file", below the folder.

    Returns
    -------
    dict
        "line": the given one and what came of the work: the input's size, time and hash, the outputs' sizes and hashes,
        "shape", "k", "classes", "seconds", "peak_mib" and "warnings", or "error"; "retry": whether it may succeed with
        more memory; "stop": why no other image can be written either, or None; "unnamed": files that this process left
        under temporary names, in pairs of the names to come and these.
    """
    source, folder, line = Path(job["source"]), Path(job["folder"]), dict(job["line"])
    start = time.perf_counter()
    forget_peak()
    retry, stop = False, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GmmsegWarning)
        try:
            with holding(source):
                with suppress(OSError):  # reported when it is read
                    line |= stamp(source)  # before it is read: should it change meanwhile, the hash is not the file's
                    line |= _stamped(job["guides"])
                line |= _processed(job, source, folder)
        # Even a mistake of ours must not cost the other images.
        except Exception as error:
            line["error"] = _described(error, source)
            retry = lacks_memory(error)
            stop = str(error) if isinstance(error, OutputError) and _has_no_place(error) else None
    said = [str(each.message) for each in caught if issubclass(each.category, GmmsegWarning)]
    line |= {"seconds": round(time.perf_counter() - start, 3), "warnings": said}
    peak = peak_memory()
    line["peak_mib"] = None if peak is None else round(peak / 2**20, 1)
    return {"line": line, "retry": retry, "stop": stop, "unnamed": take_unnamed()}


def _processed(job: dict[str, Any], source: Path, folder: Path) -> dict[str, Any]:
    if job["fault"]:
        raise InputError(job["fault"])
    files = {kind: each["file"] for kind, each in job["line"]["outputs"].items()}
    outputs = {kind: folder / file for kind, file in files.items()}
    for path in outputs.values():
        _make_folder(path.parent)
    model = None if job["model"] is None else _load(job["model"], job["line"]["model"])
    guides = job["guides"]
    reading = job["reading"] | {name: each for name, each in guides.items() if name == "mask"}
    if "mask_values" in guides:
        reading = reading | {"mask_values": rule_with(guides["mask_values"], reading["mask_values"])}
    parameters = job["parameters"] | {name: each for name, each in guides.items() if name == "prior"}
    if model is not None and reading.get("channels") is None:
        reading = reading | {"channels": model.channels_in(source)}
    # The plan has decided what may be replaced.
    usual = {kind: path for kind, path in outputs.items() if kind in KINDS}
    others = {kind: path for kind, path in outputs.items() if kind not in KINDS}
    also = partial(write_beside, source, others) if others else None
    record = process(source, usual, model=model, parameters=parameters, reading=reading, overwrite=True, also=also)
    written = {kind: lies_at(path) for kind, path in outputs.items()}
    return {
        "outputs": {
            kind: {"file": files[kind], "bytes": path.stat().st_size, "sha256": digest(path)}
            for kind, path in written.items()
        },
        "shape": record["shape"],
        "k": record["k"],
        "classes": [
            {name: value for name, value in each.items() if name not in ("map_color", "means", "spectrum")}
            for each in record["classes"]
        ],
    }


def _stamped(guides: dict[str, str]) -> dict[str, Any]:
    """Return what the manifest says of the files of one image alone; nothing where it has none."""
    hashes = {name: {"file": path, "sha256": digest_of_parts(Path(path))} for name, path in guides.items()}
    return {"guides": hashes} if hashes else {}


def _make_folder(folder: Path) -> None:
    if os.path.isdir(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{folder} cannot be made: {reason}; free space or choose another folder") from error


@cache
def _load(path: str, sha256: str) -> Model:
    from gmmseg.model import load_model  # here, because most batches have no model

    if digest(Path(path)) != sha256:
        raise InputError(f"{path} has changed since the batch began; begin it again")
    return load_model(path)


def _described(error: Exception, source: Path) -> dict[str, Any]:
    """Say what went wrong in one line, and where."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": described(error, f"{source}: "), "traceback": trace}


def _has_no_place(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            return True
        error = error.__cause__
    return False
