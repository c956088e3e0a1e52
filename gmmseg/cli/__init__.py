"""The command line: one file a command, and here what must be instant.

The help, the version and the list of commands need no argument parser, and importing one takes several times as long as
starting Python. So this module imports none; `gmmseg.cli.group` brings the parser when a command is run, and
`gmmseg.cli.completion` when a shell asks how a command may go on.
"""

from __future__ import annotations

import gc
import os
import sys

from gmmseg.cli.overview import overview

TYPE_CHECKING = False  # as in gmmseg itself
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main", "program"]

_COMPLETION = "_GMMSEG_COMPLETE"  # variable of the environment, by which shells ask


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the program's name; by default that of this process.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong usage, 3 some files failed, 128 and the number of the signal that ended it: 130 the
        interrupt key, 143 SIGTERM, 129 SIGHUP.
    """
    hooks = sys.excepthook, sys.unraisablehook
    sys.excepthook = _shown
    sys.unraisablehook = lambda found: _shown(found.exc_type, found.exc_value, found.exc_traceback)
    try:
        return _code(sys.argv[1:] if arguments is None else arguments)
    finally:
        sys.excepthook, sys.unraisablehook = hooks


def _code(arguments: list[str]) -> int:
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        _complain("interrupted; files that were complete are kept")
        return 128 + getattr(error, "number", 2)  # that of SIGINT
    except OSError as error:
        # Whoever read the results has gone (`| head`) or has no room for them.
        if not isinstance(error, BrokenPipeError):
            _complain(f"the results cannot be printed: {error.strerror or error}")
        _drop_output()
        return 1
    return code


def program() -> None:
    """Run as a process of its own, and end it at once.

    Taking the interpreter and its libraries apart would cost 25 to 50 ms, a tenth of a run on a photograph; by now
    every output is on disk and both streams are flushed.
    """
    # BLAS threads would spin beside the kernels' own, which do the work: a tenth to a fifth of a run on two processors.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What modules make stays to the end, and yet would be gone through some ten times while they load: a twentieth of a
    # run on a photograph. `gmmseg.cli.types.Command` goes on collecting when it begins its work.
    gc.disable()
    code = main()
    if temporary := sys.modules.get("gmmseg.io.temporary"):
        temporary.remove_own()
    _drop_output()
    os._exit(code)


def _shown(kind: Any, error: Any, trace: Any) -> None:
    """Show what nobody has caught; but not that rasterio cannot decode a message of GDAL, whose error is raised."""
    if not issubclass(kind, UnicodeDecodeError):
        sys.__excepthook__(kind, error, trace)


def _run(arguments: list[str]) -> int:
    if instruction := os.environ.get(_COMPLETION):
        from gmmseg.cli.completion import complete

        return complete(_COMPLETION, instruction)
    if not arguments or arguments[0] in ("-h", "--help"):
        return _print(overview())
    if arguments[0] == "--version":
        from gmmseg import __version__

        return _print(f"gmmseg {__version__}\n")
    from gmmseg.cli.ending import interrupted_by_signals
    from gmmseg.cli.group import run
    from gmmseg.cli.loading import load_opencv

    load_opencv(arguments)
    with interrupted_by_signals():
        return run(arguments)


def _print(text: str) -> int:
    if sys.stdout is not None:
        sys.stdout.write(text)
    return 0


def _complain(text: str) -> None:
    """Write one line on stderr, if there is one."""
    import contextlib

    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"gmmseg: error: {text}\n")


def _drop_output() -> None:
    """Send what is left in the buffers nowhere, or Python complains about it at its end."""
    import contextlib

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):
            stream.flush()
            continue
        with contextlib.suppress(OSError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
