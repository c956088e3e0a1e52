"""The sources of the package, each read and parsed once a process, when a test asks for them."""

import ast
from functools import cache
from pathlib import Path

import gmmseg

PACKAGE = Path(gmmseg.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def text_of(path):
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path):
    return ast.parse(text_of(path))


@cache
def nodes_of(path):
    """All nodes of a source."""
    return tuple(ast.walk(tree_of(path)))
