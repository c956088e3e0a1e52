"""What is in label maps: objects one by one, and tables of classes and objects in physical units."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: names are loaded where they are first used
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.measuring.class_tables import class_table as class_table
    from gmmseg.measuring.objects import Objects as Objects
    from gmmseg.measuring.objects import find_objects as find_objects
    from gmmseg.measuring.objects import object_table as object_table
    from gmmseg.measuring.table import Table as Table

_HOMES = {
    "Objects": "gmmseg.measuring.objects",
    "Table": "gmmseg.measuring.table",
    "class_table": "gmmseg.measuring.class_tables",
    "find_objects": "gmmseg.measuring.objects",
    "object_table": "gmmseg.measuring.objects",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
