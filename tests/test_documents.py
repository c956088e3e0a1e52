"""What is written for contributors and readers is of this source: its files are there, its version is the same."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

import gmmseg

ROOT = Path(__file__).parents[1]
HERE_ONLY = ("scripts/", ".ci/")  # in the repository, not in the archive of a release


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "lines"), [("CONTRIBUTING.md", 60), ("SECURITY.md", 60), ("docs/architecture.md", 170)]
)
def test_pages_are_short_and_name_files_that_are_there(page, lines):
    assert text(page).count("\n") < lines
    named = re.findall(r"`([\w./-]+/[\w./-]*)`", text(page))
    assert len(named) > 10
    looked_at = [name for name in named if not name.startswith(HERE_ONLY)]
    gone = [name for name in looked_at if not any((folder / name).exists() for folder in (ROOT, ROOT / "gmmseg"))]
    assert not gone


def test_one_version():
    assert tomllib.loads(text("pyproject.toml"))["project"]["version"] == gmmseg.__version__
    assert f"\nversion: {gmmseg.__version__}\n" in text("CITATION.cff")
    assert f"\nversion={gmmseg.__version__}\n" in text("gmmseg/integrations/qgis/metadata.txt")


def test_the_reference_lists_every_public_name():
    page = text("docs/reference/library.md")
    for name in ("", ".batch", ".evaluation", ".export", ".io", ".measuring", ".plot", ".report", ".web"):
        module = importlib.import_module(f"gmmseg{name}")
        sections = re.findall(rf"^\.\. currentmodule:: {module.__name__}$(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        listed = re.findall(r"^   (\w+)$", "\n".join(sections), re.MULTILINE)
        assert sorted(listed) == sorted(public for public in module.__all__ if public != "__version__")


def test_links_lead_somewhere():
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs").glob("*/*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
