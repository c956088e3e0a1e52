"""Man pages and completions: where they are looked for, whole, and in the words of the help."""

import shutil
import subprocess

import pytest

from gmmseg.cli import main
from gmmseg.cli.manual import install
from gmmseg.cli.overview import COMMANDS


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    install(folder)
    return folder


def test_each_command_has_a_page(prefix):
    pages = {path.name for path in (prefix / "share/man/man1").iterdir()}
    assert pages == {"gmmseg.1", *(f"gmmseg-{name}.1" for name in COMMANDS)}


def test_pages_say_what_the_help_says(prefix):
    page = (prefix / "share/man/man1/gmmseg-segment.1").read_text()
    assert page.startswith(".TH GMMSEG-SEGMENT 1")
    for words in ('.SH "PIXELS"', "\\-\\-bias\\-field", "gmmseg segment photo.png \\-k 4", "[OPTIONS] IMAGE..."):
        assert words in page
    assert not [line for line in page.splitlines() if line.startswith("'")]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("bash-completion/completions/gmmseg", "complete -o nosort -F"),
        ("zsh/site-functions/_gmmseg", "#compdef gmmseg"),
        ("fish/vendor_completions.d/gmmseg.fish", "complete --no-files --command gmmseg"),
    ],
)
def test_completions_are_the_scripts_that_shells_read(prefix, place, words):
    assert words in (prefix / "share" / place).read_text()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_sets_the_pages_without_a_complaint(prefix):
    for path in (prefix / "share/man/man1").iterdir():
        told = subprocess.run(["groff", "-man", "-Tutf8", "-ww", path], capture_output=True, text=True, check=True)
        assert told.stderr == ""


def test_the_command_replaces_what_an_older_version_wrote(tmp_path, capsys):
    page = tmp_path / "share/man/man1/gmmseg.1"
    page.parent.mkdir(parents=True)
    page.write_text("old")
    assert main(["info", "--shell-files", str(tmp_path)]) == 0
    assert f"wrote {page}" in capsys.readouterr().out
    assert "SYNOPSIS" in page.read_text()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "share").write_text("in the way")
    assert main(["info", "--shell-files", str(tmp_path)]) == 1
    assert str(tmp_path / "share") in capsys.readouterr().err
