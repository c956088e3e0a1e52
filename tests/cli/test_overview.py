"""What is instant: the help, the version, the list of commands; and how the process ends."""

import os
import subprocess
import sys
from importlib import import_module

import pytest

import gmmseg
from gmmseg.cli.group import run as run_parsed
from gmmseg.cli.overview import COMMANDS, overview

PROGRAM = "import sys; from gmmseg.cli import main; sys.exit(main())"


def process(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


def imported_by(*arguments):
    lines = process("-X", "importtime", "-c", PROGRAM, *arguments).stderr.splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "gmmseg.cli" in modules
    return modules


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


def test_the_parser_gives_the_same_help(capsys):
    assert run_parsed(["--help"]) == 0
    assert capsys.readouterr().out == overview()


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


def test_help_of_segment_shows_sections_and_defaults(run):
    text = run("segment", "--help").out
    for section in ("Classes:", "Pixels:", "Output:", "Running:"):
        assert f"\n{section}\n" in text
    flat = " ".join(text.split())
    for default in (
        "[default: 4]",
        "[default: full]",
        "[default: auto]",
        "[default: 100000]",
        "[default: all processors]",
    ):
        assert default in flat


def test_version(run):
    assert run("--version").out == f"gmmseg {gmmseg.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_help_imports_nothing_heavy(arguments):
    assert not imported_by(*arguments) & {"click", "numpy", "PIL", "cv2", "json", "gmmseg.cli.group"}


def test_wrong_values_and_help_of_commands_import_no_numpy():
    assert not imported_by("segment", "photo.png", "-k", "0") & {"numpy", "PIL", "cv2"}
    assert not imported_by("segment", "--help") & {"numpy", "PIL", "cv2"}


def test_unknown_commands(refuse):
    assert "did you mean 'segment'?" in refuse("segmnt", "photo.png", code=2)
    assert "commands are segment, fit, apply" in refuse("xyz", code=2)
    assert "did you mean 'gmmseg segment photo.png'?" in refuse("photo.png", code=2)
    assert "no option --frobnicate" in refuse("--frobnicate", code=2)


def test_exit_code_reaches_the_shell():
    finished = process("-c", PROGRAM, "segment", "none.png")
    assert finished.returncode == 1
    assert finished.stderr == "gmmseg: error: none.png does not exist; check the path\n"


def test_a_reader_that_has_gone_is_no_news():
    command = f"{sys.executable} -c '{PROGRAM}' info --json | true"
    assert process("-c", f"import subprocess; subprocess.run({command!r}, shell=True)").stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("argument", ["--help", "info"])
def test_no_room_for_the_results(argument):
    with open("/dev/full", "w") as full:
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, argument], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert finished.returncode == 1
    assert finished.stderr == "gmmseg: error: the results cannot be printed: No space left on device\n"
