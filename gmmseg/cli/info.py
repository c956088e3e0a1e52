"""`gmmseg info`: what an image or a model file holds, or what is installed."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gmmseg.cli.messages import collected_warnings
from gmmseg.cli.records import print_json
from gmmseg.cli.table import class_table, classes_of, pairs
from gmmseg.cli.types import SOURCE, Command, output, pixels
from gmmseg.errors import InputError
from gmmseg.io.regular import require_regular
from gmmseg.platforms import application_data

__all__ = ["command"]

_INSTALLING = (
    "Link or copy the folder to where it goes, start QGIS again, and switch gmmseg on in Plugins, Manage and Install\n"
    "Plugins. Where QGIS does not find the program, set it in Settings, Options, Processing, Providers, gmmseg."
)

_LISTS = frozenset({"bands", "other_bands", "masks", "overviews", "parts", "scale", "offset", "unit", "class_names"})
_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "opencv-python-headless",
    "opencv-python",
    "tifffile",
    "nibabel",
    "pydicom",
    "highdicom",
    "rasterio",
    "h5py",
    "zarr",
    "pillow-jxl-plugin",
    "matplotlib",
    "click",
)


@click.command("info", cls=Command)
@click.argument("file", required=False, type=SOURCE)
@pixels(
    "--series",
    metavar="NUMBER|UID|TEXT",
    help="Which series of a folder of DICOM files, by its number, identifier or description; 3/2 is the second volume "
    "of series 3, where that has several (echoes, times).",
)
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@output(
    "--shell-files",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write man pages, and completion for bash, zsh and fish, below DIR, such as ~/.local.",
)
@output("--qgis", is_flag=True, help="Say where the plugin for QGIS lies, and how it is installed.")
def command(file: Path | None, *, series: str | None, as_json: bool, shell_files: Path | None, qgis: bool) -> int:
    """Describe an image, a model file or this installation.

    Of an image only the header is read, so large files are answered at once. Without FILE: versions, and whether the
    compiled kernels are in use.

    \b
    Examples:
      gmmseg info photo.png
      gmmseg info study --series 3
      gmmseg info land.gmm.json
      gmmseg info --json
      gmmseg info --shell-files ~/.local
      gmmseg info --qgis
    """  # noqa: D301  # click keeps the lines below this character as they are
    if series is not None and (file is None or _is_text(file)):
        raise click.UsageError(f"--series {series} is of a FILE with images; name one, or leave it out")
    if shell_files is not None:
        from gmmseg.cli.manual import install  # here, because it loads every command

        for path in install(shell_files):
            click.echo(f"wrote {path}")
        return 0
    if qgis:
        facts = _plugin()
        text = f"{pairs((name.replace('_', ' '), value) for name, value in facts.items())}\n\n{_INSTALLING}"
    elif file is None:
        facts = _installation()
        text = pairs(_flat(facts))
    elif _is_text(file):
        facts = _model(file)
        text = pairs(
            (name, _training(value) if name == "training" else value)
            for name, value in facts.items()
            if name not in ("classes", "planes", "covariances")
        )
        text += "\n\n" + class_table(facts["classes"])
    else:
        from gmmseg.io.reading import read_info

        with collected_warnings(lambda: None):
            facts = read_info(file, series=series) | _classes(file)
        text = pairs((name, _readable(name, value)) for name, value in facts.items())
    if as_json:
        print_json(facts)
    else:
        click.echo(text)
    return 0


def _plugin() -> dict[str, Any]:
    """Return where the plugin for QGIS is, where it goes, and the program that it runs."""
    import gmmseg

    profile = application_data() / "QGIS" / "QGIS3" / "profiles" / "default"
    return {
        "folder": str(Path(gmmseg.__file__).parent / "integrations" / "qgis"),
        "goes_to": str(profile / "python" / "plugins" / "gmmseg_qgis"),
        "program": shutil.which("gmmseg", path=str(Path(sys.executable).parent)) or shutil.which("gmmseg"),
    }


def _classes(path: Path) -> dict[str, Any]:
    """Return the names of classes in a label map that has some."""
    from gmmseg.export import names_in
    from gmmseg.io.classes import own_names

    names = None if path.is_dir() else names_in(path)
    return {"class_names": list(names)} if names and own_names(names) else {}


def _is_text(path: Path) -> bool:
    """Whether a file starts as JSON does, or is named so; what is wrong with it is for its reader to say."""
    try:
        require_regular(path)
        with path.open("rb") as file:
            return file.read(256).lstrip().startswith(b"{") or path.suffix.lower() == ".json"
    except (InputError, OSError):
        return False


def _installation() -> dict[str, Any]:
    """Return versions and what computes."""
    from importlib.metadata import PackageNotFoundError, version

    import gmmseg
    from gmmseg import kernels
    from gmmseg.threads import thread_count

    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "gmmseg": gmmseg.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "kernels": kernels.IMPLEMENTATION,
        "instruction_set": kernels.INSTRUCTION_SET,
        "threads": thread_count(None),
        "packages": packages,
    }


def _flat(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return entries with those of the packages in their place."""
    entries = {name.replace("_", " "): value for name, value in facts.items() if name != "packages"}
    return list((entries | facts["packages"]).items())


def _model(path: Path) -> dict[str, Any]:
    """Return what a model file says, in the features' own units."""
    from gmmseg.model import load_model

    model = load_model(path)
    kind = "colour" if model.color else "1 channel" if model.n_channels == 1 else f"{model.n_channels} channels"
    return {
        "file": str(path),
        "format": "gmmseg model",
        "features": str(model.recipe),
        "planes": list(model.plane_names),
        "images": kind,
        "k": model.k,
        "components": model.mixture.n_components,
        "covariance": model.mixture.covariance,
        "smooth": model.strength,
        "training": None if model.training is None else asdict(model.training),
        "classes": classes_of(model),
        "covariances": model.covariances.tolist(),
    }


def _training(facts: dict[str, Any] | None) -> str:
    """Return in words what a model remembers of its images."""
    if facts is None:
        return "nothing known of its images"
    size = "" if facts["spacing"] is None else f"pixels of {_readable('', facts['spacing'])}, "
    return f"{size}up to {facts['gap']:.2f} nats a feature and {100 * facts['unusual']:.1f} % unusual pixels apart"


def _readable(name: str, value: Any) -> str:
    """Return a fact of an image's header in words."""
    if name == "bytes":
        return f"{value} ({value / 1e6:.2f} MB)" if value >= 10_000 else str(value)
    if name == "size":
        return f"{value[0]} x {value[1]} pixels"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _LISTS and isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, list | tuple):
        return " x ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_readable(key, each)}" for key, each in value.items())
    return str(value)
