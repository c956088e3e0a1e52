"""What is written for contributors and readers is of this source: its files are there, its version is the same."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import gmmseg

ROOT = Path(__file__).parents[1]
NEVER_REFUSES = ("place_of", "to_coco", "to_yolo")  # what they take was checked before
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


FACES = ("", ".batch", ".evaluation", ".export", ".io", ".measuring", ".plot", ".report", ".web")


def test_the_reference_lists_every_public_name():
    page = text("docs/reference/library.md")
    for name in FACES:
        module = importlib.import_module(f"gmmseg{name}")
        sections = re.findall(rf"^\.\. currentmodule:: {module.__name__}$(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        listed = re.findall(r"^   (\w+)$", "\n".join(sections), re.MULTILINE)
        assert sorted(listed) == sorted(public for public in module.__all__ if public != "__version__")


def public():
    for name in FACES:
        module = importlib.import_module(f"gmmseg{name}")
        for each in module.__all__:
            if callable(found := getattr(module, each)):
                yield pytest.param(found, id=f"{module.__name__}.{each}")


@pytest.mark.parametrize("found", [*public()])
def test_every_public_name_says_what_it_takes_gives_and_refuses_and_shows_it(found):
    sections = {"Examples"}
    if not (inspect.isclass(found) and issubclass(found, Exception)):
        sections.add("Parameters")
    if inspect.isfunction(found) and found.__name__ not in NEVER_REFUSES:
        sections.add("Raises")
    if inspect.isfunction(found) and (given := found.__annotations__["return"]) != "None":
        sections.add("Yields" if given.startswith("Iterator") else "Returns")
    said = inspect.getdoc(found)
    assert not {each for each in sections if f"\n{each}\n{'-' * len(each)}\n" not in said}
    assert ">>> " in said


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
