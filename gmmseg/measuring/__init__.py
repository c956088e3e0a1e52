"""What is in label maps: objects one by one, and tables of classes and objects in physical units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
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

__getattr__, __dir__ = lazily(__name__, _HOMES)
