"""What README and guides show works: their Python runs, their commands succeed and write what they say."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from contextlib import nullcontext, suppress
from glob import glob
from pathlib import Path

import click
import guide_inputs
import pytest

import gmmseg
from gmmseg.cli import main
from gmmseg.cli.group import GROUP

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = sorted(page for page in (ROOT / "docs" / "guides").glob("*.md") if page.stem != "index")
PAGES = [ROOT / "README.md", ROOT / "docs" / "start.md", *GUIDES]
TABLES = [ROOT / "docs" / "coming_from.md", ROOT / "docs" / "limits.md", ROOT / "docs" / "reference" / "files.md"]

MADE = {
    "faces": guide_inputs.photograph,
    "pipelines": guide_inputs.photograph,
    "satellite": lambda: (guide_inputs.delivered_scenes(), guide_inputs.cubes()),
    "clusters": guide_inputs.mosaic,
    "qgis": lambda: Path(".local/share/QGIS/QGIS3/profiles/default/python/plugins").mkdir(parents=True),
}
"""By the page: what makes the files that its blocks of sh name."""

ELSEWHERE = {
    "python3 -m venv": "installs; .ci/run does so by the README's own words",
    "pipx install": "installs, from the network",
    "gmmseg view": "serves a page until that is closed; tests/web opens it",
    "qgis_process": "needs QGIS; tests/integrations/qgis runs it where it is",
}
"""Lines of sh, by their beginnings, that are understood by the command line at most: why."""


def blocks(page):
    return re.findall(r"^```(python|console)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def shell(page):
    """Lines of the blocks of sh."""
    found = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines()]


def commands(page):
    """Commands that a page shows and does not run: of blocks of sh, and within sentences and tables."""
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"(?:^|\| |\$\()(gmmseg [^|#>)\n]+)", block, re.MULTILINE)
    yield from re.findall(r"`(gmmseg [a-z-]+ [^`\n]+)`", page)


def run(line, capsys, page=""):
    """Run a command, which may say what the page shows."""
    program, *words = shlex.split(line)
    arguments = [name for word in words for name in (sorted(glob(word)) if "*" in word else [word])]
    assert program == "gmmseg"
    code, messages = main(arguments), capsys.readouterr().err
    assert (code, [each for each in messages.splitlines() if each not in page]) == (0, []), line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "images", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_run_from_top_to_bottom(page, folder, capsys):
    known = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    for language, code in blocks(text):
        if language == "python":
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                exec(compile(code, page.name, "exec"), known)
            assert [str(each.message) for each in said if str(each.message) not in text] == []
        else:
            for line in code.splitlines():
                if line.startswith("$ "):
                    run(line[2:], capsys, text)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in MADE], ids=lambda page: page.stem)
def test_blocks_of_sh_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MADE[page.stem]()
    program = tmp_path / "bin" / "gmmseg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gmmseg "$@"\n')
    program.chmod(0o755)
    lines = [line for line in shell(page) if not line.startswith(tuple(ELSEWHERE))]
    if shutil.which("jq") is None:
        lines = [line for line in lines if "jq" not in line]
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(Path(gmmseg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    with guide_inputs.local_cluster() if any("tcp://" in line for line in lines) else nullcontext() as address:
        for line in lines:
            text = line.replace("tcp://host:8786", str(address)).replace("--workers 8", "--workers 1")
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", text], env=env, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, (line, done.stderr)
            assert "gmmseg: " not in done.stderr, (line, done.stderr)
            for name in re.findall(r"(?: -o| --out-dir|>) ([\w./]+)", line):
                assert Path(name).exists(), line


def test_what_of_sh_is_not_run_is_there_and_the_rest_is_made():
    lines = {page.stem: shell(page) for page in PAGES}
    for beginning in ELSEWHERE:
        assert any(line.startswith(beginning) for each in lines.values() for line in each), beginning
    run = {page for page, each in lines.items() if any(not line.startswith(tuple(ELSEWHERE)) for line in each)}
    assert run == set(MADE)


@pytest.mark.slow
def test_the_pages_hold_code():
    assert all(len(blocks(page.read_text(encoding="utf-8"))) >= 1 for page in PAGES)


def test_code_is_run_or_at_least_understood():
    fences = {
        kind for page in PAGES for kind in re.findall(r"^```(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert fences == {"console", "python", "sh"}
    root = GROUP.make_context("gmmseg", ["info"])
    shown = [line for page in (*PAGES, *TABLES) for line in commands(page.read_text(encoding="utf-8"))]
    assert len(shown) > 30
    for line in shown:
        _, name, *words = shlex.split(line)
        command = GROUP.get_command(root, name)
        assert command is not None, line
        with suppress(click.MissingParameter):  # a sentence may leave out what it is not about
            command.make_context(name, words, root)


def test_the_printed_table_is_the_real_one(folder, capsys):
    shown = re.search(r"^wrote coffee.*?(?=^\$)", README, re.MULTILINE | re.DOTALL).group()
    assert main(["segment", "images/coffee.png", "-k", "4"]) == 0
    printed = capsys.readouterr().out
    words, shown_words = (re.sub(r"[\d.]+ s$", "", text, flags=re.MULTILINE).split() for text in (printed, shown))
    assert len(words) == len(shown_words)
    for word, expected in zip(words, shown_words, strict=True):
        if re.fullmatch(r"-?[\d.]+", expected):  # another processor rounds otherwise
            assert float(word) == pytest.approx(float(expected), rel=0.02, abs=0.002)
        elif not expected.startswith("#"):
            assert word == expected
