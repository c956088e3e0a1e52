"""What the scripts of the repository take from the package is there: no run of the tests needs them."""

import ast
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))


def taken(tree):
    """Modules of the package, and what is asked of each: (module, name)."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gmmseg":
            for each in node.names:
                yield node.module, each.name
                modules[each.asname or each.name] = f"{node.module}.{each.name}"
        elif isinstance(node, ast.Import) and any(each.name.split(".")[0] == "gmmseg" for each in node.names):
            modules["gmmseg"] = "gmmseg"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def is_there(path, name):
    try:
        pkgutil.resolve_name(f"{path}.{name}")
    except (AttributeError, ImportError):
        return False
    return True


@pytest.mark.skipif(not SCRIPTS, reason="scripts are in the repository alone")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_take_what_is_there(script):
    asked = set(taken(ast.parse(script.read_text("utf-8"))))
    assert [f"{path}.{name}" for path, name in sorted(asked) if not is_there(path, name)] == []


def test_what_is_gone_is_seen():
    source = "import gmmseg\nfrom gmmseg import kernels\nfrom gmmseg.io import read\nkernels.gone(gmmseg.fit, read)"
    asked = set(taken(ast.parse(source)))
    assert [name for path, name in asked if not is_there(path, name)] == ["gone"]
