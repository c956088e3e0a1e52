"""Run the tests with every package that pyproject.toml names at the lowest version that it allows.

usage: lower_bounds.py [FOLDER]     needs Python 3.11, PyPI and, for the kernels, a C++ compiler

The environment is made in FOLDER, which must not exist and stays, or in a temporary folder; tests that take long are
left out. A bound with which something no longer works fails here, as does one that names no version on PyPI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def constraints(requirements: list[str]) -> list[str]:
    """Return `name==1.2` for each `name>=1.2`; the project's own extras are left out."""
    others = [each.partition(";")[0] for each in requirements if not each.startswith("gmmseg[")]
    bounds = {each: re.fullmatch(r"([\w-]+)>=([\w.]+)", each) for each in others}
    without = [each for each, bound in bounds.items() if bound is None]
    if without:
        sys.exit(f"pyproject.toml: {', '.join(without)}: no lower bound; write it as name>=1.2")
    return sorted({f"{bound[1]}=={bound[2]}" for bound in bounds.values() if bound is not None})


def test(folder: Path) -> int:
    """Make the environment in a new folder, run the tests there, and return their exit code."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, build = settings["project"], settings["build-system"]["requires"]
    needed = sum(project["optional-dependencies"].values(), project["dependencies"])
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pinned, bin_folder = folder / "constraints.txt", folder / "bin"
    pinned.write_text("\n".join(constraints(needed)) + "\n", encoding="utf-8")
    install = [bin_folder / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *constraints(build), "cmake", "ninja"], check=True)
    given = ["--no-build-isolation", "--constraint", pinned, f"{ROOT}[test]"]
    subprocess.run([*install, *given], check=True)
    where = ["-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "no:cacheprovider", ROOT / "tests"]
    # What old packages say of newer ones that they use is nobody's concern.
    silent = ["-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning"]
    tests = [bin_folder / "pytest", *where, *silent, "-m", "not slow"]
    # Elsewhere, and without the paths of the caller, so that what is installed is what is tested.
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(tests, cwd=folder, env=plain, check=False).returncode


def main() -> int:
    if len(sys.argv) > 1:
        return test(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory(prefix="gmmseg-") as folder:
        return test(Path(folder, "environment"))


if __name__ == "__main__":
    sys.exit(main())
