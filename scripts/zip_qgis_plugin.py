#!/usr/bin/env python3
"""Pack the plugin for QGIS as its repository takes it: a folder with the licence, and what only a publisher knows.

scripts/zip_qgis_plugin.py                        # to be installed by Plugins, Install from ZIP
scripts/zip_qgis_plugin.py --repository https://example.org/gmmseg --email someone@example.org    # to be uploaded
"""

from __future__ import annotations

import argparse
import configparser
import io
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "gmmseg" / "integrations" / "qgis"
FOLDER = "gmmseg_qgis"
REQUIRED = ("name", "description", "about", "version", "qgisMinimumVersion", "author", "email", "repository")


def metadata(repository: str | None, email: str | None) -> str:
    """Return metadata.txt with the addresses that were given."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # QGIS tells upper from lower case
    parser.read(PLUGIN / "metadata.txt", encoding="utf-8")
    if repository:
        known = {"repository": repository, "homepage": repository, "tracker": f"{repository.rstrip('/')}/issues"}
        parser["general"].update(known)
    if email:
        parser["general"]["email"] = email
    text = io.StringIO()
    parser.write(text, space_around_delimiters=False)
    return text.getvalue()


def pack(target: Path, repository: str | None, email: str | None) -> None:
    """Write the archive, the same bytes whenever it is made of the same files."""
    contents = {path.name: path.read_bytes() for path in sorted(PLUGIN.glob("*.py"))}
    contents |= {"LICENSE": (ROOT / "LICENSE").read_bytes(), "metadata.txt": metadata(repository, email).encode()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(f"{FOLDER}/{name}"), content, zipfile.ZIP_DEFLATED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path(f"{FOLDER}.zip"), help="archive to write")
    parser.add_argument("--repository", metavar="URL", help="where the source is")
    parser.add_argument("--email", help="of who answers for the plugin")
    given = parser.parse_args()
    pack(given.output, given.repository, given.email)
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(metadata(given.repository, given.email))
    missing = [name for name in REQUIRED if name not in parsed["general"]]
    print(f"wrote {given.output}" + (f"; to be uploaded it lacks {' and '.join(missing)}" if missing else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
