"""What is installed only where it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gmmseg.errors import GmmsegError

__all__ = ["require"]


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module that comes with an extra.

    Parameters
    ----------
    module : str
    extra : str
        The extra of gmmseg that brings it.
    purpose : str
        What needs it, to begin the message with: "NIfTI files need".

    Raises
    ------
    GmmsegError
        It is not installed; the message says how to.

    Examples
    --------
    >>> require("math", "plot", "sums need").floor(1.5)
    1
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise GmmsegError(f"{purpose} {error.name}, which is not installed; pip install 'gmmseg[{extra}]'") from None
