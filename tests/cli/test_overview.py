"""What is instant: the help, the version, the list of commands."""

from importlib import import_module

import pytest
from processes import imported_by

import gmmseg
from gmmseg.cli.overview import COMMANDS, overview


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_every_command(run, arguments):
    finished = run(*arguments)
    assert (finished.code, finished.err) == (0, "")
    assert finished.out == overview()
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in finished.out
        assert summary in finished.out
    for word in ("Usage: gmmseg", "Examples:", "gmmseg COMMAND --help", "Exit codes: 0 done"):
        assert word in finished.out
    assert max(map(len, finished.out.splitlines())) <= 88


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_helps(run, name):
    module, summary = COMMANDS[name]
    assert import_module(module).command.name == name
    for flag in ("--help", "-h"):
        finished = run(name, flag)
        assert finished.code == 0
        assert finished.out.startswith(f"Usage: gmmseg {name} ")
        assert summary in finished.out
        assert f"gmmseg {name} " in finished.out.partition("Examples:")[2]


def test_version(run):
    assert run("--version").out == f"gmmseg {gmmseg.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_help_imports_nothing_heavy(arguments):
    assert not imported_by(*arguments) & {"click", "numpy", "PIL", "cv2", "json", "gmmseg.cli.group"}
