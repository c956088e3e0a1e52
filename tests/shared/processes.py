"""The program in a process of its own."""

import subprocess
import sys

PROGRAM = "import sys; from gmmseg.cli import main; sys.exit(main())"


def process(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


def imported_by(*arguments):
    lines = process("-X", "importtime", "-c", PROGRAM, *arguments).stderr.splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "gmmseg.cli" in modules
    return modules
