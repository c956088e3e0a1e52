"""Members of archives."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image as Pillow

from gmmseg.errors import InputError
from gmmseg.io import read


@pytest.fixture
def files(tmp_path, rng):
    """A picture, and a raster whose place is in a file beside it."""
    pixels = rng.integers(0, 256, (6, 9), dtype=np.uint8)
    picture = io.BytesIO()
    Pillow.fromarray(pixels).save(picture, "PNG")
    raster = tmp_path / "made" / "r.tif"
    raster.parent.mkdir()
    Pillow.fromarray(pixels).save(raster)
    world = "\n".join(map(str, (30, 0, 0, -20, 5e5 + 15, 9e6 - 10)))
    return pixels, {"in/a.png": picture.getvalue(), "in/r.tif": raster.read_bytes(), "in/r.tfw": world.encode()}


@pytest.fixture
def packed(tmp_path, files):
    """The same files in archives of each kind."""
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("in")
        for name, content in files[1].items():
            archive.writestr(name, content)
    for end, mode in ((".tar", "w"), (".tgz", "w:gz"), (".tar.xz", "w:xz")):
        with tarfile.open(tmp_path / f"f{end}", mode) as archive:
            for name, content in files[1].items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    (tmp_path / "a.png.gz").write_bytes(gzip.compress(files[1]["in/a.png"]))
    return tmp_path


@pytest.mark.parametrize(
    "form",
    [
        "zip://{}/f.zip!/in/a.png",
        "zip://{}/f.zip!in/a.png",
        "zip://{}/f.zip/in/a.png",
        "/vsizip/{}/f.zip/in/a.png",
        "/vsizip/{{{}/f.zip}}/in/a.png",
        "tar://{}/f.tar!/in/a.png",
        "/vsitar/{}/f.tgz/in/a.png",
        "tar://{}/f.tar.xz!/in/a.png",
        "gzip://{}/a.png.gz",
        "/vsigzip/{}/a.png.gz",
    ],
)
def test_a_member_is_its_file(packed, files, form):
    address = form.format(packed)
    image = read(address)
    np.testing.assert_array_equal(image.array[..., 0], files[0])
    assert image.name == (address.replace("//", "/") if address.startswith("/vsi") else address)


@pytest.mark.parametrize("form", ["zip://{}/f.zip!/in/r.tif", "/vsitar/{}/f.tgz/in/r.tif"])
def test_what_lies_beside_a_member_comes_with_it(packed, files, form):
    image = read(form.format(packed))
    np.testing.assert_array_equal(image.array[..., 0], files[0])
    assert image.place.affine == (30, 0, 5e5, 0, -20, 9e6)


def test_a_path_below_the_current_folder(packed, files, monkeypatch):
    monkeypatch.chdir(packed)
    for address in (
        "zip://f.zip!/in/a.png",
        "/vsizip/f.zip/in/a.png",
        "zip:f.zip!/in/a.png"[:0] or "tar://f.tar!in/a.png",
    ):
        np.testing.assert_array_equal(read(address).array[..., 0], files[0])


def test_the_only_member_need_not_be_named(tmp_path, files):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("in/a.png", files[1]["in/a.png"])
    np.testing.assert_array_equal(read(f"zip://{tmp_path}/one.zip").array[..., 0], files[0])


def test_what_is_not_there_or_not_read(packed, tmp_path):
    with pytest.raises(InputError, match=r"f\.zip has no in/b\.png, but in/a\.png, in/r\.tif, in/r\.tfw; name one"):
        read(f"zip://{packed}/f.zip!/in/b.png")
    with pytest.raises(InputError, match=r"holds in/a\.png, in/r\.tif, in/r\.tfw; name one after the archive"):
        read(f"zip://{packed}/f.zip")
    with pytest.raises(InputError, match=r"there is no file .*none\.zip; check the path"):
        read(f"zip://{packed}/none.zip!/a")
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(InputError, match=r"bad\.zip is damaged or cut short .*unpack it"):
        read(f"zip://{tmp_path}/bad.zip!/a")
    with zipfile.ZipFile(tmp_path / "l.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", b"1" * 99)
    with pytest.raises(InputError, match="compressed by method 14, which is not read; unpack it"):
        read(f"zip://{tmp_path}/l.zip!/a.png")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\x89PNG" + bytes(9999))[:30])
    with pytest.raises(InputError, match=r"cut\.gz is cut short"):
        read(f"gzip://{tmp_path}/cut.gz")


def test_members_are_copied_within_the_limit(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(70 << 20))
    with pytest.raises(InputError, match=r"larger than the 64 MiB that are copied; raise memory"):
        read(f"zip://{tmp_path}/b.zip", memory=1 << 20)


def test_a_link_in_an_archive_leads_nowhere(tmp_path):
    with tarfile.open(tmp_path / "l.tar", "w") as archive:
        entry = tarfile.TarInfo("a.png")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(entry)
    with pytest.raises(InputError, match=r"l\.tar has no a\.png, but no file"):
        read(f"tar://{tmp_path}/l.tar!/a.png")


def test_pixels_of_a_raster_stay_in_the_copy(tmp_path, rng):
    bands = rng.integers(0, 256, (2, 30, 40), dtype=np.uint8)
    with rasterio.open(
        tmp_path / "r.tif", "w", width=40, height=30, count=2, dtype="uint8", transform=Affine(2, 0, 9, 0, -2, 9)
    ) as file:
        file.write(bands)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.write(tmp_path / "r.tif", "r.tif")
    image = read(f"zip://{tmp_path}/r.zip!/r.tif", memory=0)
    assert not image.in_memory
    np.testing.assert_array_equal(image.array, np.moveaxis(bands, 0, -1))
