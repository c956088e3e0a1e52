#!/usr/bin/env python3
"""Compile the kernels for systems that are not at hand, with the options that the build gives there.

    scripts/cross_compile.py                   # every target whose compiler is installed
    scripts/cross_compile.py aarch64 clang-cl  # these, or fail

Debian has the compilers: g++-aarch64-linux-gnu, clang with llvm and g++-mingw-w64-x86-64-posix, emscripten. For aarch64
the whole module is linked, with the headers of the Python that runs this and of its nanobind; elsewhere it is the
kernels alone, which need neither. Nothing of it runs here. clang-cl compiles for Windows with the C++ headers of MinGW,
because those of Microsoft are not free to fetch.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "gmmseg" / "kernels" / "native"
SOURCES = re.search(r"set\(sources (.+?)\)", (NATIVE / "kernels.cmake").read_text())[1].split()
ALONE = f"""\
cmake_minimum_required(VERSION 3.18...3.31)
project(kernels LANGUAGES CXX)
include({NATIVE}/kernels.cmake)
"""


@dataclass(frozen=True)
class Target:
    """A system to compile for.

    Parameters
    ----------
    compiler : str
    definitions : dict of str to str
        What CMake is told of it.
    magic : bytes
        How object files begin there.
    libraries : int
        How many instruction sets there are.
    whole : bool
        Whether the module of Python is linked too.
    """

    compiler: str
    definitions: dict[str, str]
    magic: bytes
    libraries: int = 1
    whole: bool = False


def system(name: str, processor: str, **others: str) -> dict[str, str]:
    return {"CMAKE_SYSTEM_NAME": name, "CMAKE_SYSTEM_PROCESSOR": processor, **others}


def windows_headers() -> str:
    """Return the options by which clang-cl finds C++ and Windows headers of MinGW."""
    found = sorted(Path("/usr/lib/gcc/x86_64-w64-mingw32").glob("*-posix/include/c++"))[-1:]
    folders = [each for base in found for each in (base, base / "x86_64-w64-mingw32")]
    folders.append(Path("/usr/x86_64-w64-mingw32/include"))
    # Those headers ask which version of GCC they are read by.
    return " ".join([f"-imsvc {each}" for each in folders] + ["/clang:-fgnuc-version=12.0", "-Wno-#warnings"])


TARGETS = {
    "aarch64": Target("aarch64-linux-gnu-g++", system("Linux", "aarch64"), b"\x7fELF\x02\x01\x01", whole=True),
    "clang": Target("clang++", system("Linux", "x86_64"), b"\x7fELF\x02\x01\x01", 3),
    "clang-cl": Target(
        "clang-cl",
        system(
            "Windows",
            "AMD64",
            CMAKE_CXX_COMPILER_TARGET="x86_64-pc-windows-msvc",
            CMAKE_CXX_FLAGS=windows_headers(),
            CMAKE_AR="llvm-lib",
            CMAKE_LINKER="lld-link",
            CMAKE_MT="llvm-mt",
            CMAKE_RC_COMPILER="llvm-rc",
        ),
        b"\x64\x86",
        3,
    ),
    "wasm": Target("em++", system("Generic", "wasm32", CMAKE_CXX_FLAGS="-msimd128"), b"\0asm"),
}


def compiler_of(target: Target, folder: Path) -> str | None:
    """Return the path of a compiler; clang-cl is Clang by another name, which not every package of it gives."""
    found = shutil.which(target.compiler)
    if found is None and target.compiler == "clang-cl" and (clang := shutil.which("clang")):
        link = folder / "clang-cl"
        link.symlink_to(Path(clang).resolve())
        return str(link)
    return found


def build(target: Target, compiler: str, folder: Path) -> list[Path]:
    """Compile, and return the object files; a warning is an error."""
    source = NATIVE
    if not target.whole:
        source = folder / "source"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(ALONE)
    definitions = {
        "CMAKE_CXX_COMPILER": compiler,
        "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",  # what is linked would not run here
        "CMAKE_BUILD_TYPE": "Release",
        "Python_EXECUTABLE": sys.executable,
        **target.definitions,
    }
    given = [f"-D{name}={value}" for name, value in definitions.items()]
    configure = ["cmake", "-G", "Ninja", "-S", source, "-B", folder / "build", *given]
    for command in (configure, ["cmake", "--build", folder / "build"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or "unknown argument" in done.stderr + done.stdout:
            sys.exit(f"{target.compiler} failed:\n{done.stdout}{done.stderr}")
    return [each for each in (folder / "build").rglob("kernels_*/**/*") if each.suffix in (".o", ".obj")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all by default")
    asked = parser.parse_args().targets
    for name in asked or TARGETS:
        target = TARGETS[name]
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            compiler = compiler_of(target, folder)
            if compiler is None:
                print(f"{name:9} {target.compiler} is not installed")
                if asked:
                    return 1
                continue
            objects = build(target, compiler, folder)
            wrong = [each.name for each in objects if not each.read_bytes().startswith(target.magic)]
            if len(objects) != len(SOURCES) * target.libraries or wrong:
                print(f"{name:9} made {len(objects)} object files, of another system: {wrong}")
                return 1
            modules = ", and the module" if target.whole and list((folder / "build").glob("_native*")) else ""
            print(f"{name:9} {len(objects)} object files{modules}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
