"""Completion by the shell, and the program as a module: processes of their own, as a shell starts them."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import gmmseg
from gmmseg.cli.completion import script
from gmmseg.cli.overview import COMMANDS, overview

BASH = shutil.which("bash")


def process(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "gmmseg", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def complete(words, shell="bash"):
    """Lines that answer a shell for words before the cursor; a space at the end begins a new word."""
    place = len(words.split()) - (not words.endswith(" "))
    current = words.split(" ")[-1] if shell == "fish" else str(place)
    finished = process(_GMMSEG_COMPLETE=f"{shell}_complete", COMP_WORDS=words, COMP_CWORD=current)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.strip().splitlines()


@pytest.mark.slow
def test_the_package_runs_as_a_module():
    assert process("--version").stdout == f"gmmseg {gmmseg.__version__}\n"
    assert process().stdout == overview()
    finished = process("segment", "none.png")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == "gmmseg: error: none.png does not exist; check the path\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o nosort -F _gmmseg_completion gmmseg"),
        ("zsh", "compdef _gmmseg_completion gmmseg"),
        ("fish", "complete --no-files --command gmmseg"),
    ],
)
def test_the_script_that_switches_it_on(shell, line):
    finished = process(_GMMSEG_COMPLETE=f"{shell}_source", PATH="")  # no bash to be found either
    assert (finished.returncode, finished.stderr) == (0, "")
    assert line in finished.stdout
    assert f"_GMMSEG_COMPLETE={shell}_complete" in finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("gmmseg ", [f"plain,{name}" for name in COMMANDS]),
        ("gmmseg ch", ["plain,choose-k"]),
        ("gmmseg --v", ["plain,--version"]),
        ("gmmseg segment --co", ["plain,--covariance", "plain,--components", "plain,--cog", "plain,--contours"]),
        ("gmmseg segment -k 999 --smooth nonsense --out-d", ["plain,--out-dir"]),
        ("gmmseg segment photo.png --soft-type ui", ["plain,uint16", "plain,uint8"]),
        ("gmmseg segment photo", ["file,photo"]),
        ("gmmseg nonsense --o", []),
    ],
)
def test_what_may_follow(words, answer):
    assert complete(words) == answer


def test_fish_shows_what_options_do_past_a_comma():
    (answer,) = complete("gmmseg segment --covariance", "fish")
    assert "full, tied" in answer
    text = script("fish", "_GMMSEG_COMPLETE")
    (split,) = [line for line in text.splitlines() if "string split" in line]
    assert 'string split --max 1 "," $completion' in split


def test_other_shells_are_told_what_commands_do():
    summary = COMMANDS["choose-k"][1]
    assert complete("gmmseg ch", "zsh") == ["plain", "choose-k", summary]
    assert complete("gmmseg ch", "fish") == [f"plain,choose-k\t{summary}"]


@pytest.mark.slow
@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_bash_itself_completes(tmp_path):
    program = tmp_path / "gmmseg"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gmmseg "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(_GMMSEG_COMPLETE=bash_source gmmseg)"; complete -p gmmseg; COMP_WORDS=(gmmseg fit --see) COMP_CWORD=2;'
        ' _gmmseg_completion gmmseg; echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    finished = subprocess.run(
        [BASH, "--norc", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert finished.stderr == ""
    assert finished.stdout.splitlines() == ["complete -o nosort -F _gmmseg_completion gmmseg", "--seed"]


@pytest.mark.slow
@pytest.mark.parametrize("instruction", ["tcsh_source", "bash", "bash_complete"])
def test_what_cannot_be_answered(instruction):
    finished = process(_GMMSEG_COMPLETE=instruction)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == (
        f"gmmseg: error: _GMMSEG_COMPLETE={instruction} cannot be answered; use bash_source, zsh_source or fish_source,"
        " or unset the variable\n"
    )


def test_what_nobody_catches_is_shown_but_for_letters_that_a_library_cannot_show():
    """As rasterio's messages of GDAL that are not UTF-8."""
    lines = """
        import gmmseg.cli as cli
        class Failing:
            def __init__(self, work): self.work = work
            def __del__(self): self.work()
        def run(arguments):
            Failing(lambda: b"\\xff".decode())
            Failing(lambda: 1 / 0)
            return 7
        cli._run = run
        cli.program()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "ZeroDivisionError" in done.stderr
    assert "UnicodeDecodeError" not in done.stderr
