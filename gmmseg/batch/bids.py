"""Data sets as BIDS has them: which of their images are meant, and results as a derivative that other programs know.

Names and contents are those of BIDS 1.9, "Derivatives: imaging data types": discrete segmentations (dseg) with a table
of their labels, probabilistic ones (probseg) with one file a class.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg import __version__
from gmmseg.batch.guide_names import root_of
from gmmseg.errors import OutputError, ParameterError
from gmmseg.io.atomic import atomic_file
from gmmseg.io.classes import default_names
from gmmseg.io.parts import files_of

if TYPE_CHECKING:
    from gmmseg.labelling.result import Segmentation

__all__ = ["Scan", "check_description", "is_meant", "subjects_without", "write_beside", "write_description"]

_NAME = re.compile(r"(?P<stem>sub-[0-9A-Za-z+]+(?:_[a-z]+-[0-9A-Za-z+]+)*)_(?P<suffix>[0-9A-Za-z]+)\.nii(?:\.gz)?")
_APART = ("derivatives", "sourcedata", "code", "stimuli")  # folders of a data set that hold no images of its own
_ENDS = {
    "table": "table.csv",
    "report": "report.html",
    "model": "model.gmm.json",
    "style": "style.qml",
    **{kind: f"{kind}.png" for kind in ("overlay", "contours")},
}
_MAPS = ("anomaly", "bias", "logdensity", "uncertainty")  # for which BIDS has no name, as for what _ENDS lists
_DESC = "desc-gmmseg"
# Name: abbreviation and number, as BIDS has them for the tissues of a brain.
_TISSUES = {
    **dict.fromkeys(("csf", "fluid"), ("CSF", 3)),
    **dict.fromkeys(("gm", "grey", "gray", "grey matter", "gray matter"), ("GM", 1)),
    **dict.fromkeys(("wm", "white", "white matter"), ("WM", 2)),
}
_UNNAMED = (*_ENDS.values(), *(f"{each}.nii.gz" for each in _MAPS))
_IGNORED = "".join(f"{each}\n" for each in ("manifest.jsonl", "*.txt", *(f"*_{each}" for each in _UNNAMED)))

_README = """Classes of the scans in {source} by Gaussian mixtures, as gmmseg {version} finds them.

dseg: the class of each voxel, numbered as the table beside it says. probseg: how much of each class is in each voxel,
as the description beside it says. What other files hold is in their names.
"""


@dataclass(frozen=True)
class Scan:
    """What the name of an image says in BIDS.

    Parameters
    ----------
    folder : str
        Below the data set: "sub-01/ses-a/anat".
    stem : str
        What is known of it but for what it shows: "sub-01_ses-a_acq-fine".
    suffix : str
        What it shows: "T1w".
    name : str
        Of the file.

    Examples
    --------
    >>> Scan.of(Path("raw/sub-01/anat/sub-01_T1w.nii.gz")).names(["labels", "soft"], ["grey", "white"])["probseg_2"]
    'sub-01/anat/sub-01_label-WM_desc-gmmseg_probseg.nii.gz'
    """

    folder: str
    stem: str
    suffix: str
    name: str

    @classmethod
    def of(cls, image: Path) -> Scan | None:
        """Return what the name of an image says, of several files that of the first; None where it is no such name.

        The folder of a subject stands for the scan that it lacks.
        """
        first = files_of(image)[0]
        found = _NAME.fullmatch(f"{first.name}_T1w.nii.gz" if first.is_dir() else first.name)
        if found is None:
            return None
        entities = [each for each in found["stem"].split("_") if not each.startswith("desc-")]
        folders = [each for each in entities[:2] if each.startswith(("sub-", "ses-"))]
        return cls("/".join([*folders, "anat"]), "_".join(entities), found["suffix"], first.name)

    def names(self, kinds: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
        """Return the files of the results by what they hold, below the folder of the derivative.

        Probabilities are one file a class; beside the labels lie the table and the description of them.
        """
        start = f"{self.folder}/{self.stem}"
        files = {"labels": f"{start}_{_DESC}_dseg.nii.gz"}
        for kind in kinds:
            if kind == "corrected":
                files[kind] = f"{start}_desc-corrected_{self.suffix}.nii.gz"
                files["corrected_json"] = f"{start}_desc-corrected_{self.suffix}.json"
            elif kind not in ("labels", "soft"):
                files[kind] = f"{start}_{_DESC}_{_ENDS.get(kind, kind.replace('_', '') + '.nii.gz')}"
        files |= {f"dseg_{end}": f"{start}_{_DESC}_dseg.{end}" for end in ("tsv", "json")}
        if "soft" in kinds:
            words = [_abbreviation(name) for name in classes]
            if len(set(words)) < len(words):
                raise ParameterError(f"class_names {', '.join(classes)} are alike as names of files; change one")
            files |= {f"probseg_{i}": f"{start}_label-{word}_{_DESC}_probseg.nii.gz" for i, word in enumerate(words, 1)}
            files["probseg_json"] = f"{start}_{_DESC}_probseg.json"  # of all classes, as names inherit in BIDS
        return files


def is_meant(place: str, *, chosen: bool) -> bool:
    """Whether a file of a data set is an image to segment; `chosen` where patterns say which, else T1w images are.

    Examples
    --------
    >>> is_meant("sub-01/anat/sub-01_T1w.nii.gz", chosen=False)
    True
    >>> is_meant("derivatives/other/sub-01/anat/sub-01_T1w.nii.gz", chosen=False)
    False
    """
    found = _NAME.fullmatch(Path(place).name)
    apart = any(part in _APART for part in Path(place).parts)
    return found is not None and not apart and (chosen or found["suffix"] == "T1w")


def subjects_without(data_set: Path, images: Iterable[Path]) -> list[Path]:
    """Return the folders of subjects of a data set in which none of some images lies, in the order of their names."""
    having = {parent for image in images for parent in files_of(image)[0].absolute().parents}
    return [each for each in sorted(data_set.glob("sub-*")) if each.is_dir() and each.absolute() not in having]


def check_description(folder: Path) -> None:
    """Raise OutputError where a folder is a data set that another program made."""
    path = folder / "dataset_description.json"
    if not path.exists():
        return
    try:
        made_by = [each["Name"] for each in json.loads(path.read_bytes())["GeneratedBy"]]
    except (OSError, ValueError, LookupError, TypeError):
        made_by = []
    if "gmmseg" not in made_by:
        raise OutputError(f"{path} is of another data set; choose a folder of its own, as in derivatives/gmmseg")


def write_description(folder: Path, root: Path) -> None:
    """Write what makes a folder a derivative, and which of its files BIDS has no name for.

    Parameters
    ----------
    folder : Path
        Of the results.
    root : Path
        The data set that they are of.
    """
    source = Path(os.path.relpath(root, folder.absolute())).as_posix()
    description = {
        "Name": "Tissue by Gaussian mixtures",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "gmmseg", "Version": __version__}],
        "SourceDatasets": [{"URL": source}],
        "DatasetLinks": {"raw": source},
    }
    _write(folder / "dataset_description.json", _json(description))
    _write(folder / ".bidsignore", _IGNORED)
    if not any(folder.glob("README*")):
        _write(folder / "README", _README.format(source=source, version=__version__))


def write_beside(source: Path, files: Mapping[str, Path], result: Segmentation) -> None:
    """Write what lies beside the labels of an image.

    Parameters
    ----------
    source : Path
        The image.
    files : mapping of str to Path
        Those of `Scan.names` that are of BIDS alone: "dseg_tsv", "dseg_json", "probseg_1", ...
    result : Segmentation
    """
    from gmmseg.io import write_map  # here, because plans name files only

    names = result.model.class_names or default_names(len(result.classes))
    for kind, path in files.items():
        if kind == "dseg_tsv":
            _write(path, _lookup(names, result))
        elif kind == "dseg_json":
            what = f"{len(result.classes)} classes of a Gaussian mixture, the most probable at each voxel"
            _write(path, _json(_sidecar(source, what)))
        elif kind == "probseg_json":
            mixed = result.rule.partial is not None
            what = f"{'Fraction' if mixed else 'Probability'} of a class of a Gaussian mixture in each voxel"
            _write(path, _json(_sidecar(source, what)))
        elif kind == "corrected_json":
            # Outside a mask, and where there is no data, nothing is left of the scan.
            stripped = {"SkullStripped": result.image.valid is not None}
            _write(path, _json(_sidecar(source, "The scan divided by its bias field") | stripped))
        else:
            number = int(kind.removeprefix("probseg_"))
            if number > len(names):
                raise OutputError(f"{path}: {source} has {len(names)} classes; give as many names as classes")
            values = result.probabilities[number - 1]
            write_map(path, values, key=names[number - 1], image=result.image, overwrite=True)


def _lookup(names: Sequence[str], result: Segmentation) -> str:
    """Return the table of labels; "mapping" is the number that BIDS has for a tissue."""
    rows = ["index\tname\tabbreviation\tcolor\tmapping"]
    for each, name in zip(result.classes, names, strict=True):
        color = f"#{bytes(each.map_color).hex()}"
        mapping = _TISSUES.get(name.lower(), ("", "n/a"))[1]
        rows.append(f"{each.label}\t{' '.join(name.split())}\t{_abbreviation(name)}\t{color}\t{mapping}")
    return "\n".join(rows) + "\n"


def _sidecar(source: Path, what: str) -> dict[str, Any]:
    parts = [part.absolute() for part in files_of(source)]
    root = root_of(parts[0])
    sources = [
        f"bids:raw:{part.relative_to(root).as_posix()}" if root in part.parents else part.as_uri() for part in parts
    ]
    return {"Description": what, "Manual": False, "SpatialReference": sources[0], "Sources": sources}


def _abbreviation(name: str) -> str:
    known = _TISSUES.get(name.lower())
    return known[0] if known else re.sub(r"[^0-9A-Za-z]", "", name) or "class"


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    with atomic_file(path, overwrite=True) as file:
        file.write(text.encode())
