#!/usr/bin/env python3
"""Run tests with kernels that report what they read or write where nothing is, and threads that meet in one place.

usage: sanitize.py address|thread [TESTS...]     needs GCC with its sanitizers, and PyPI

`address` looks for what C++ leaves undefined too: overflow, shifts, pointers that are not aligned, floats that no
integer holds. The tests are those of the kernels, unless others are named; those that take long are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = {
    "address": "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all",
    "thread": "-fsanitize=thread",
}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",  # Python itself frees little at its end
    "TSAN_OPTIONS": "halt_on_error=1",
}


def library(name: str) -> str:
    """Return the path of a library of the compiler's."""
    asked = ["g++", f"-print-file-name={name}"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def test(folder: Path, kind: str, tests: list[str]) -> int:
    """Install the package with such kernels in a new folder, run tests with it, and return their exit code."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *build, "cmake", "ninja"], check=True)
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    compiled = {"CXX": "g++", "CXXFLAGS": f"{FLAGS[kind]} -g1", "GMMSEG_REQUIRE_NATIVE": "1"}
    subprocess.run([*install, "--no-build-isolation", f"{ROOT}[test]"], check=True, env=plain | compiled)
    # Before all else, because Python is not compiled so; the C++ library too, whose exceptions are listened to.
    first = {"LD_PRELOAD": f"{library(f'lib{kind[0]}san.so')} {library('libstdc++.so')}"}
    where = ["-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "no:cacheprovider", "-s"]
    which = ["-m", "not slow", "-k", "not too_little_memory"]  # where memory is short, what is reported has no room
    command = [folder / "bin" / "pytest", *where, *which, *(Path(each).absolute() for each in tests)]
    return subprocess.run(command, cwd=folder, env=plain | OPTIONS | first, check=False).returncode


def main() -> int:
    kind, *tests = sys.argv[1:] or [""]
    if kind not in FLAGS:
        sys.exit(str(__doc__))
    with tempfile.TemporaryDirectory(prefix="gmmseg-") as folder:
        return test(Path(folder, "environment"), kind, tests or [str(ROOT / "tests" / "kernels")])


if __name__ == "__main__":
    sys.exit(main())
