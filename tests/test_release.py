"""What is released: workflows that run only what is named by its hash, and kernels of which none is forgotten."""

import configparser
import re
import runpy
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NATIVE = ROOT / "gmmseg" / "kernels" / "native"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_named_by_hash_and_version(path):
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert used
    assert not [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each)]


def test_an_action_is_the_same_in_every_workflow():
    used = {each for path in WORKFLOWS for each in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))}
    assert len({each.partition("@")[0] for each in used}) == len(used)


def test_every_kernel_is_compiled():
    sources = re.search(r"set\(sources (.+?)\)", (NATIVE / "kernels.cmake").read_text())[1].split()
    assert {*sources, "module.cpp", "gaps_module.cpp"} == {path.name for path in NATIVE.glob("*.cpp")}


def test_released_wheels_are_never_without_kernels():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    systems = [tool["cibuildwheel"], *(tool["cibuildwheel"][each] for each in ("macos", "windows"))]
    assert all(each["environment"]["GMMSEG_REQUIRE_NATIVE"] == "1" for each in systems)
    without = [each for each in tool["scikit-build"]["overrides"] if each.get("wheel", {}).get("cmake") is False]
    assert [each["if"] for each in without] == [{"failed": True, "env": {"GMMSEG_REQUIRE_NATIVE": False}}]


@pytest.mark.skipif(not (ROOT / "scripts").is_dir(), reason="scripts are in the repository alone")
def test_the_archive_of_the_qgis_plugin_has_what_its_repository_asks_for(tmp_path):
    script = runpy.run_path(str(ROOT / "scripts" / "zip_qgis_plugin.py"))
    for name in ("a.zip", "b.zip"):
        script["pack"](tmp_path / name, "https://example.org/gmmseg", "someone@example.org")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        described = configparser.ConfigParser(interpolation=None)
        described.read_string(archive.read("gmmseg_qgis/metadata.txt").decode())
    assert {"gmmseg_qgis/__init__.py", "gmmseg_qgis/LICENSE", "gmmseg_qgis/plugin.py"} < {*names}
    assert all(name.startswith("gmmseg_qgis/") for name in names)
    assert all(described["general"][name] for name in script["REQUIRED"])
    assert described["general"]["tracker"] == "https://example.org/gmmseg/issues"
    assert "\nqgisMinimumVersion=" in script["metadata"](None, None)
