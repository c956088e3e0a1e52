"""The shape of the package: what loads what, what is public, how long modules are."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sources import PACKAGE, SOURCES, nodes_of, text_of, tree_of

import gmmseg

TESTS = Path(__file__).parent
ROOT = TESTS.parent  # the compiled sources are not installed
NATIVE = [p for p in sorted((ROOT / "gmmseg" / "kernels" / "native").iterdir()) if p.suffix in (".cpp", ".h", ".txt")]


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for p in SOURCES}


def imports(path):
    """Modules of the package that a source imports anywhere, also within functions; those for types alone left out."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            plugin = path.parent.name == "qgis"  # QGIS loads it without the package around it
            assert node.level <= plugin, f"{path} imports relatively"
            source = f"{module_name(path.with_name('__init__.py'))}.{node.module}" if node.level else node.module
            found.update(f"{source}.{a.name}" if f"{source}.{a.name}" in MODULES else source for a in node.names)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):  # most nodes are one, and import nothing
                visit(child)

    visit(tree_of(path))
    return {name for name in found if name in MODULES}


@pytest.fixture(scope="module")
def graph():
    """Modules that each module imports."""
    return {name: imports(path) - {name} for name, path in MODULES.items()}


def part(name):
    """The top-level part of the package that a module belongs to."""
    return name.split(".")[1] if "." in name else ""


@pytest.fixture(scope="module")
def arrows(graph):
    """Parts of the package that each part imports, in pairs."""
    return {(part(a), part(b)) for a, targets in graph.items() for b in targets if part(a) != part(b)}


# From the ground up; what stands on one floor knows only the floors below it, and itself.
FLOORS = (
    {"arrays", "errors", "platforms"},
    {"checks", "extras", "records", "threads"},
    {"image", "kernels", "evaluation", "effort"},
    {"mixture", "spatial", "features", "io"},
    {"model", "hierarchy", "export", "measuring"},
    {"fitting", "labelling", "plot"},
    {"segmentation", "report"},
    {"integrations", "web"},
    {"batch"},
    {"cli"},
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def test_the_graph_is_not_empty(graph, arrows):
    assert ("segmentation", "fitting") in arrows
    assert "gmmseg.kernels" in graph["gmmseg.mixture.patterns"]


def test_every_part_of_the_package_has_its_floor():
    assert {part(name) for name in MODULES} - {"", "__main__"} == set(FLOOR_OF)


def test_the_root_holds_a_few_files():
    files = {path.stem for path in SOURCES if path.parent == PACKAGE}
    assert files <= {
        "__init__",
        "__main__",
        "arrays",
        "errors",
        "platforms",
        "checks",
        "effort",
        "extras",
        "records",
        "threads",
        "segmentation",
    }


def test_arrows_run_downwards(arrows):
    wrong = [
        f"{a} knows {b}"
        for a, b in sorted(arrows)
        if "" not in (a, b) and a != "__main__" and FLOOR_OF[b] >= FLOOR_OF[a]
    ]
    assert not wrong


def test_the_page_on_the_architecture_shows_the_floors():
    shown = []
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for number, rooms in re.findall(r"^\| (\d* ?)\| (.+?) \|", page, re.MULTILINE):
        if number:
            shown.append(set())
            assert int(number) == len(shown)
        shown[-1] |= {name.removesuffix(".py").rstrip("/") for name in re.findall("`(.+?)`", rooms)}
    assert shown == list(FLOORS)


def test_the_plugin_of_qgis_stands_alone(graph):
    plugin = {name for name in graph if name.startswith("gmmseg.integrations.qgis")}
    assert len(plugin) == 5
    assert all(graph[name] <= plugin for name in plugin)


def test_no_circle(graph):
    done, path = set(), []

    def visit(name):
        assert name not in path, f"circle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            path.append(name)
            for target in graph[name]:
                visit(target)
            path.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_public_names_are_few_sorted_out_and_there():
    assert len(gmmseg.__all__) <= 20
    assert len(set(gmmseg.__all__)) == len(gmmseg.__all__)
    for name in gmmseg.__all__:
        assert getattr(gmmseg, name) is not None
    assert set(dir(gmmseg)) == {*gmmseg.__all__, *PACKAGES}
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = gmmseg.no_such_name


PACKAGES = ("batch", "evaluation", "export", "io", "measuring", "plot", "report", "web")


@pytest.mark.parametrize("package", PACKAGES)
def test_public_packages_list_what_they_have(package):
    package = getattr(gmmseg, package)
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_public_packages_need_no_import_of_their_own(package):
    code = f"import gmmseg; print(gmmseg.{package}.__name__, len(gmmseg.{package}.__all__) > 0)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == [f"gmmseg.{package}", "True"]


def test_each_module_says_what_it_is():
    assert not [name for name, path in MODULES.items() if not ast.get_docstring(tree_of(path))]


def missing(name):
    """What a module says that it exports, and does not have."""
    module = importlib.import_module(name)
    return [f"{name}.{public}" for public in getattr(module, "__all__", ()) if not hasattr(module, public)]


WITHIN_QGIS = ("gmmseg.integrations.qgis.algorithm", "gmmseg.integrations.qgis.plugin")


@pytest.mark.slow
def test_each_module_exports_what_it_has():
    assert not [each for name in sorted(set(MODULES) - {*WITHIN_QGIS}) for each in missing(name)]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHIN_QGIS)
def test_modules_of_the_plugin_export_what_they_have(name):
    pytest.importorskip("qgis.core", reason="QGIS has its own Python")
    assert not missing(name)


@pytest.mark.parametrize("statement", ["import gmmseg", "import gmmseg.errors", "import gmmseg.cli"])
def test_importing_loads_nothing_heavy(fresh_python, statement):
    heavy = (
        "{'numpy', 'scipy', 'skimage', 'cv2', 'PIL', 'sklearn', 'tifffile', 'matplotlib',"
        " 'rasterio', 'nibabel', 'pydicom'}"
    )
    if "cli" not in statement:
        heavy = heavy.replace("}", ", 'click'}")
    loaded = fresh_python(f"import sys; {statement}; print(*sorted({heavy} & set(sys.modules)))")
    assert loaded.split() == []


@pytest.mark.slow
def test_scikit_learn_is_not_needed(fresh_python):
    code = "import sys, gmmseg; gmmseg.GaussianMixture, gmmseg.segment; print('sklearn' in sys.modules)"
    assert fresh_python(code).strip() == "False"


def test_modules_read_in_one_sitting_and_leave_nothing_over():
    texts = {path: text_of(path) for path in (*SOURCES, *NATIVE)}
    assert not [str(path) for path, text in texts.items() if text.count("\n") > 500]
    left = ("TODO", "FIXME", "XXX", "breakpoint(")
    assert not [(str(path), word) for path, text in texts.items() for word in left if word in text]


def test_nothing_below_the_command_line_prints_or_pickles():
    wrong = []
    for path in SOURCES:
        nodes = nodes_of(path)
        names = {n.id for n in nodes if isinstance(n, ast.Name)}
        loaded = {a.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
        wrong += [f"{path} loads {name}" for name in {"pickle", "joblib"} & loaded]
        if "allow_pickle=True" in text_of(path):
            wrong.append(f"{path} unpickles")
        if "cli" not in path.parts and "print" in names:
            wrong.append(f"{path} prints")
    assert not wrong


# Modules that need no test file of their name, and why.
NOT_MIRRORED = {
    "gmmseg.__main__": "one call, which tests/cli/test_completion.py makes as a user does",
    "gmmseg.arrays": "a name for those who check types",
    "gmmseg.export.kinds": "a table of words",
    "gmmseg.kernels.reference.at_once": "says of which modules the loops are the twins",
    "gmmseg.kernels.reference.bumps": "the twin in these comparisons",
    "gmmseg.kernels.reference.chance": "the twin in these comparisons",
    "gmmseg.kernels.reference.climbing": "the twin in these comparisons",
    "gmmseg.kernels.reference.clustering": "the twin in these comparisons",
    "gmmseg.kernels.reference.coloring": "the twin in these comparisons",
    "gmmseg.kernels.reference.color": "the twin in these comparisons",
    "gmmseg.kernels.reference.dividing": "the twin in these comparisons",
    "gmmseg.kernels.reference.factoring": "the twin in these comparisons",
    "gmmseg.kernels.reference.gaps": "the twin in these comparisons",
    "gmmseg.kernels.reference.calming": "the twin in these comparisons",
    "gmmseg.kernels.reference.halving": "the twin in these comparisons",
    "gmmseg.kernels.reference.heights": "the twin in these comparisons",
    "gmmseg.kernels.reference.mixture": "the twin in these comparisons",
    "gmmseg.kernels.reference.slopes": "the twin in these comparisons",
    "gmmseg.kernels.reference.spatial": "the twin in these comparisons",
    "gmmseg.kernels.reference.texture": "the twin in these comparisons",
    "gmmseg.kernels.reference.stepping": "the twin in these comparisons",
    "gmmseg.kernels.reference.unfiltering": "the twin in these comparisons",
}


def test_each_module_has_its_tests_at_the_mirrored_place():
    """Those of gmmseg/io/nifti/write.py are in tests/io/nifti/test_write.py; faces of packages have none."""
    mirrors = {
        name: TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")
        for name, path in MODULES.items()
        if path.name != "__init__.py"
    }
    absent = {name for name, path in mirrors.items() if not (path.is_file() and "def test_" in path.read_text())}
    assert not [f"{name} has no {mirrors[name].relative_to(ROOT)}" for name in sorted(absent - set(NOT_MIRRORED))]
    assert not set(NOT_MIRRORED) - absent, "tested by their name all the same, or gone"
