"""What is released: workflows that run only what is named by its hash, and kernels of which none is forgotten."""

import re
import tomllib
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
