"""How Sphinx builds the documentation: `sphinx-build -W docs FOLDER`."""

import re
from typing import Any

import gmmseg

project = "gmmseg"
author = "the gmmseg developers"
version = release = gmmseg.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery/*"]  # what is built of it lies in `pictures/`
default_role = "code"
smartquotes = False  # of two dashes an option begins

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # docstrings say them, with shapes and units
numpydoc_show_class_members = False  # each member follows with all that is said of it
templates_path = ["templates"]

html_theme = "pydata_sphinx_theme"
html_title = "gmmseg"
html_static_path, html_css_files = ["style"], ["wide.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
    "show_toc_level": 3,  # the commands on their page
}

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "pictures",
    "filename_pattern": "/",
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
}


def _without_emphasis(*event: Any) -> None:
    """Escape the stars of shapes and patterns, as in `(K, *spatial)` and `*.tif`, which are no markup."""
    lines = event[-1]
    lines[:] = [re.sub(r"(`[^`]*`|\*\*\w+\*\*)|\*", lambda found: found[1] or r"\*", line) for line in lines]


def setup(app: Any) -> None:
    """Look at all docstrings and help texts before they are parsed."""
    app.connect("autodoc-process-docstring", _without_emphasis, priority=0)
    for part in ("description", "usage", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", _without_emphasis)
