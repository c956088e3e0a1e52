"""Habits that keep the package readable: few parameters, one name for one thing, deferred imports that say why."""

import ast
from collections import defaultdict

import pytest
from sources import PACKAGE, SOURCES, nodes_of, text_of, tree_of


@pytest.fixture(scope="module")
def public():
    """What a package's face exports is called by users; its parameters are plain keywords, however many there are."""
    return {
        each.value
        for path in SOURCES
        if path.name == "__init__.py"
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("__all__", "_HOMES")
        for each in ast.walk(node.value)
        if isinstance(each, ast.Constant)
    }


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


# Files of a format's folder are named by their role, a command's by the command, kernels by what they are twins of.
ROLES = {"__init__", "format", "write"}
TWINS = {PACKAGE / "cli", PACKAGE / "kernels" / "reference"}


def functions(path):
    """Functions of a source with the class that they are methods of, or None."""
    for node in nodes_of(path):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield child, node.name if isinstance(node, ast.ClassDef) else None


def test_no_function_but_public_ones_has_more_than_seven_parameters(public):
    wrong = []
    for path in SOURCES:
        for function, owner in functions(path):
            given = function.args
            each = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
            count = len([one for one in each if one is not None and one.arg not in ("self", "cls")])
            if count > 7 and (owner or function.name) not in public:
                wrong.append(f"{name_of(path)}: {function.name} has {count} parameters")
    assert not wrong


def test_public_functions_are_told_from_others(public):
    assert {"segment", "GaussianMixture", "process"} <= public
    assert "fit_images" not in public


def test_no_two_modules_have_one_name():
    places = defaultdict(list)
    for path in SOURCES:
        if path.stem not in ROLES and path.parent not in TWINS:
            places[path.stem].append(path)
    assert not [same for same in places.values() if len(same) > 1]


def test_deferred_imports_of_the_package_say_why():
    """Not those of other packages, which load where they are used, nor those of commands, which load what they run."""
    silent = []
    for path in SOURCES:
        if PACKAGE / "cli" in path.parents:
            continue
        lines = text_of(path).splitlines()
        for function, _ in functions(path):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("gmmseg"):
                    here, above = lines[node.lineno - 1], lines[node.lineno - 2].strip()
                    if "#" not in here and not above.startswith("#"):
                        silent.append(f"{name_of(path)}, line {node.lineno}: {here.strip()}")
    assert not silent


# Filters of warnings are of the whole process: who may set them has it to himself. Readers may run in any thread.
OWN_PROCESS = {"cli/messages.py", "batch/answering.py"}
READERS = {"io/dicom/parsing.py", "io/nifti/format.py", "io/picture/pillow.py", "io/raster/gdal.py"}
FILTERS = {"catch_warnings", "simplefilter", "filterwarnings", "resetwarnings", "showwarning"}


def test_no_function_changes_what_the_process_does_with_warnings():
    changing = {
        name_of(path)
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute | ast.Name) and getattr(node, "attr", getattr(node, "id", "")) in FILTERS
    }
    assert changing >= OWN_PROCESS  # what is looked for is found
    assert changing <= OWN_PROCESS | READERS


# Those of the estimator (mixture/estimator) are of tables, which have no segmentation; those of libraries are dropped.
UNHEARD = {"errors.py", "io/unheard.py"}


def test_warnings_of_images_are_heard_by_their_segmentations():
    """`warnings.warn` alone tells the page and `seg.warnings` nothing: what is said goes through `errors.warn`."""
    silent = {
        name_of(path)
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    }
    assert silent >= UNHEARD  # what is looked for is found
    assert {name for name in silent if not name.startswith("mixture/estimator/")} == UNHEARD
