"""What is loaded, or even installed, only where it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from gmmseg.errors import GmmsegError

__all__ = ["face", "lazily", "loaded", "require"]


def loaded(package: str, name: str, homes: Mapping[str, str]) -> Any:
    """Load a public name of a package, and keep it there: what the package's `__getattr__` returns.

    Parameters
    ----------
    package : str
        Its `__name__`.
    name : str
    homes : mapping of str to str
        The modules that have the public names.

    Raises
    ------
    AttributeError
        It is no public name of the package.
    """
    if name not in homes:
        # With these two Python says which name may have been meant.
        raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
    value = getattr(import_module(homes[name]), name)
    setattr(sys.modules[package], name, value)
    return value


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package whose public names are `loaded` where they are used."""
    return lambda name: loaded(package, name, homes), lambda: sorted(homes)


def face(address: str) -> Any:
    """Return what shows a result, such as its report, by its address: no room knows the rooms above that show it.

    Parameters
    ----------
    address : str
        Module and function, as in "math:floor".

    Examples
    --------
    >>> face("math:floor")(1.5)
    1
    """
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)


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
