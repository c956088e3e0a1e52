"""What is released: workflows that run only what is named by its hash, and kernels of which none is forgotten."""

import configparser
import os
import re
import runpy
import subprocess
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
    assert {
        *sources,
        "module.cpp",
        "gaps_module.cpp",
        "climbing.cpp",
        "dividing.cpp",
        "moving.cpp",
        "outlying.cpp",
        "trying.cpp",
        "tying.cpp",
        "clustering.cpp",
        "coloring.cpp",
        "bumps.cpp",
        "calming.cpp",
        "chance.cpp",
        "factoring.cpp",
        "heights.cpp",
        "rounding.cpp",
        "stepping.cpp",
        "unfiltering.cpp",
    } == {path.name for path in NATIVE.glob("*.cpp")}


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


needs_ci = pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="it is in the repository alone")


def instructions(name):
    """Instructions of a Dockerfile and their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / ".ci" / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


@needs_ci
def test_the_container_copies_what_is_there_and_runs_as_nobody_special():
    given = instructions("Dockerfile")
    stages = [number for number, (word, _) in enumerate(given) if word == "FROM"]
    assert len(stages) == 2
    images = {argument.split()[0] for word, argument in given if word == "FROM"}
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", each) for each in images)
    last = given[stages[-1] :]
    assert [argument for word, argument in last if word == "USER"] == [
        "1000"
    ]  # by its number, or a cluster cannot tell that it is not root
    assert [argument for word, argument in last if word == "ENTRYPOINT"] == ['["gmmseg"]']
    assert not any("apt-get" in argument for _, argument in last)
    assert [argument for word, argument in last if word == "COPY"] == ["--from=build /opt/gmmseg /opt/gmmseg"]
    copied = [argument.split()[:-1] for word, argument in given[: stages[-1]] if word == "COPY"]
    sources = {each.rstrip("/") for group in copied for each in group}
    assert all((ROOT / each).exists() for each in sources)
    ignored = (ROOT / ".ci" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    files = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"pyproject.toml", files["readme"], *files["license-files"], "gmmseg"} == sources
    extras = next(argument for word, argument in given if word == "ARG").partition("=")[2].strip('"[]').split(",")
    assert {*extras} < {*files["optional-dependencies"]}


@needs_ci
def test_the_recipe_of_conda_asks_for_what_the_project_asks_for():
    yaml = pytest.importorskip("yaml", reason="the recipe is YAML")
    recipe = yaml.safe_load((ROOT / ".ci" / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, build = settings["project"], settings["build-system"]["requires"]

    def bounds(requirements):
        known = {"opencv-python-headless": "py-opencv"}
        found = (re.match(r"([\w-]+) ?>=([\d.]+)", each).groups() for each in requirements)
        return {known.get(name, name): ".".join(version.split(".")[:3]) for name, version in found}

    needed = recipe["requirements"]
    assert recipe["context"]["version"] == project["version"]
    assert bounds(needed["run"]) == bounds([*project["dependencies"], f"python{project['requires-python']}"])
    extras = bounds(each for extra in project["optional-dependencies"].values() for each in extra if "[" not in each)
    assert bounds(needed["run_constraints"]).items() <= extras.items()
    assert bounds(needed["host"][2:]) == bounds(build)
    assert recipe["about"]["license"] == project["license"]
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["build"]["python"]["entry_points"] == [f"gmmseg = {project['scripts']['gmmseg']}"]
    assert (ROOT / ".ci" / "recipe" / recipe["source"]["path"] / recipe["about"]["license_file"]).is_file()


@needs_ci
def test_the_gate_compiles_once_what_differs_in_its_folders_alone(tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text(
        '#!/bin/bash\nfor each; do [[ $each == *.cpp ]] && text=$(cat "$each"); done\n'
        'if [[ " $* " == *" -E "* ]]; then echo "$text"; exit; fi\n'
        f'[[ $text == wrong ]] && exit 1\necho "$*" >> "{tmp_path}/compiled.txt"\n'
        'for ((i = 1; i < $#; i++)); do [[ ${!i} == -o ]] && j=$((i + 1)); done\necho "object of $text" > "${!j}"\n'
    )
    compiler.chmod(0o755)
    (tmp_path / "all objects").mkdir()
    environment = {**os.environ, "COMPILED": str(tmp_path / "all objects")}

    def compiled(folder, text, *options):
        """The object, or nothing, and how often the compiler has compiled."""
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.cpp").write_text(text)
        paths = [f"-I{tmp_path / folder}", "-o", f"{folder}/a.o", "-c", tmp_path / folder / "a.cpp"]
        command = [ROOT / ".ci" / "compile_once", compiler, *options, *paths]
        code = subprocess.run(command, env=environment, cwd=tmp_path).returncode
        times = len((tmp_path / "compiled.txt").read_text().splitlines())
        return not code and (tmp_path / folder / "a.o").read_text(), times

    assert compiled("first", "x", "-O3") == ("object of x\n", 1)
    assert compiled("second", "x", "-O3") == ("object of x\n", 1)
    assert compiled("second", "y", "-O3") == ("object of y\n", 2)
    assert compiled("second", "x", "-O3", "-march=x86-64-v3") == ("object of x\n", 3)
    assert compiled("third", "x", "-O3", "-v")[1] == 4  # what CMake asks is always answered by the compiler
    assert compiled("third", "wrong", "-O3") == (False, 4)
    assert compiled("third", "wrong", "-O3") == (False, 4)
    assert compiled("a folder", "x", "-O3") == ("object of x\n", 4)
    assert compiled("third", "x", "-O3", "@more") == ("object of x\n", 5)  # whatever is in that file
    assert compiled("second", "x", "-O3", "@more") == ("object of x\n", 6)
    del environment["COMPILED"]
    assert compiled("fourth", "x", "-O3") == (False, 6)
