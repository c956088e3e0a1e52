"""Habits that keep the package readable: few parameters, one name for one thing, deferred imports that say why."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import gmmseg

PACKAGE = Path(gmmseg.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}

# What a package's face exports is called by users; its parameters are plain keywords, however many there are.
PUBLIC = {
    each.value
    for path, tree in TREES.items()
    if path.name == "__init__.py"
    for node in tree.body
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("__all__", "_HOMES")
    for each in ast.walk(node.value)
    if isinstance(each, ast.Constant)
}

# Files of a format's folder are named by their role, a command's by the command, kernels by what they are twins of.
ROLES = {"__init__", "format", "write"}
TWINS = {PACKAGE / "cli", PACKAGE / "kernels" / "reference"}


def functions(tree):
    """Functions with the class that they are methods of, or None."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield child, node.name if isinstance(node, ast.ClassDef) else None


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_no_function_but_public_ones_has_more_than_seven_parameters(path):
    for function, owner in functions(TREES[path]):
        given = function.args
        each = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        count = len([one for one in each if one is not None and one.arg not in ("self", "cls")])
        assert count <= 7 or (owner or function.name) in PUBLIC, f"{function.name} has {count} parameters"


def test_public_functions_are_told_from_others():
    assert {"segment", "GaussianMixture", "process"} <= PUBLIC
    assert "fit_images" not in PUBLIC


def test_no_two_modules_have_one_name():
    places = defaultdict(list)
    for path in SOURCES:
        if path.stem not in ROLES and path.parent not in TWINS:
            places[path.stem].append(path)
    assert not [same for same in places.values() if len(same) > 1]


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_deferred_imports_of_the_package_say_why(path):
    """Not those of other packages, which load where they are used, nor those of commands, which load what they run."""
    if PACKAGE / "cli" in path.parents:
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    for function, _ in functions(TREES[path]):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("gmmseg"):
                here, above = lines[node.lineno - 1], lines[node.lineno - 2].strip()
                assert "#" in here or above.startswith("#"), f"line {node.lineno}: {here.strip()}"


# Filters of warnings are of the whole process: who may set them has it to himself. Readers may run in any thread.
OWN_PROCESS = {"cli/messages.py", "batch/answering.py"}
READERS = {"io/dicom/parsing.py", "io/nifti/format.py", "io/picture/pillow.py", "io/raster/gdal.py"}
FILTERS = {"catch_warnings", "simplefilter", "filterwarnings", "resetwarnings", "showwarning"}


def test_no_function_changes_what_the_process_does_with_warnings():
    changing = {
        path.relative_to(PACKAGE).as_posix()
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name) and getattr(node, "attr", getattr(node, "id", "")) in FILTERS
    }
    assert changing >= OWN_PROCESS  # what is looked for is found
    assert changing <= OWN_PROCESS | READERS


# Those of the estimator (mixture/estimator) are of tables, which have no segmentation; those of libraries are dropped.
UNHEARD = {"errors.py", "io/unheard.py"}


def test_warnings_of_images_are_heard_by_their_segmentations():
    """`warnings.warn` alone tells the page and `seg.warnings` nothing: what is said goes through `errors.warn`."""
    silent = {
        path.relative_to(PACKAGE).as_posix()
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    }
    assert silent >= UNHEARD  # what is looked for is found
    assert {name for name in silent if not name.startswith("mixture/estimator/")} == UNHEARD
