"""The plugin for QGIS: this folder, which QGIS loads by itself and without the package around it.

So modules here import each other relatively, and nothing of gmmseg, whose program they run.
"""

from __future__ import annotations

from typing import Any

__all__ = ["classFactory"]


def classFactory(iface: Any) -> Any:  # noqa: N802  # QGIS calls it so
    """Return the plugin; `iface` is the window of QGIS, or None where it has none."""
    from .plugin import Plugin  # here, because only QGIS has what it imports

    return Plugin()
