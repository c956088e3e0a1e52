"""What names an image that is no file of its own."""

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.addresses import Address, address_of, is_remote, local, shown
from gmmseg.io.request import Reading


@pytest.fixture
def picture(tmp_path, rng):
    Pillow.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)).save(tmp_path / "a b.png")
    return tmp_path / "a b.png"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a.png", None),
        ("C:/a.png", None),
        ("NETCDF:/a.nc:b", None),
        ("file:///x/a%20b.png", Address("file", "/x/a b.png")),
        ("file://localhost/x/a.png", Address("file", "/x/a.png")),
        ("https://x.org/a.tif?b=c", Address("web", "https://x.org/a.tif?b=c")),
        ("HTTP://x.org/a.tif", Address("web", "http://x.org/a.tif")),
        ("/vsicurl/https://x.org/a.tif", Address("web", "https://x.org/a.tif")),
        ("s3://bucket/a/b.tif", Address("web", "https://bucket.s3.amazonaws.com/a/b.tif")),
        ("/vsis3/bucket/a/b.tif", Address("web", "https://bucket.s3.amazonaws.com/a/b.tif")),
        ("gs://bucket/b.tif", Address("web", "https://storage.googleapis.com/bucket/b.tif")),
        ("ftp://x.org/a.tif", Address("elsewhere", "ftp:/x.org/a.tif")),
        ("/vsiaz_streaming/a/b", Address("elsewhere", "/vsiaz_streaming/a/b")),
        ("zip+https://x.org/a.zip!b", Address("unknown", "zip+https:/x.org/a.zip!b")),
        ("zip://https://x.org/a.zip!b", Address("elsewhere", "https:/x.org/a.zip!b")),
        ("/vsizip//vsicurl/https://x.org/a.zip/b", Address("elsewhere", "vsicurl/https:/x.org/a.zip/b")),
        ("/vsitar/vsigzip/a", Address("elsewhere", "vsigzip/a")),
        ("/vsimem/a", Address("unknown", "/vsimem/a")),
        ("zip://a.zip!/x/b.tif", Address("zip", "a.zip", "x/b.tif")),
        ("/vsizip/{a.zip}/x/b.tif", Address("zip", "a.zip", "x/b.tif")),
        ("gzip://a.gz", Address("gzip", "a.gz")),
    ],
)
def test_what_is_meant(text, address):
    assert address_of(Path(text)) == address
    assert is_remote(Path(text)) == (address is not None and address.kind in ("web", "elsewhere"))


def test_a_file_of_that_name_is_meant_first(tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    Path("https:").mkdir()
    os.link(picture, "https:/a.png")
    assert read("https://a.png").shape == (6, 9)


def test_a_url_of_a_file_is_the_file(picture):
    assert local(Path(picture.as_uri()), Reading()) == picture
    assert read(picture.as_uri(), memory=0).name == str(picture)
    assert read_info(picture.as_uri())["size"] == [9, 6]


def test_the_network_is_not_used_unasked(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *given: pytest.fail("connected"))
    for address in ("https://x.org/a.tif", "s3://bucket/a.tif", "/vsicurl/https://x.org/a.tif"):
        with pytest.raises(InputError, match=r"^\S+a\.tif is on the network, .*; pass allow_remote=True, or download"):
            read(address)
    with pytest.raises(InputError, match="is on the network"):
        read_labels("https://x.org/a.png")
    with pytest.raises(InputError, match=r"^az://a/b cannot be fetched from there; download it"):
        read("az://a/b", allow_remote=True)
    with pytest.raises(InputError, match=r"^foo://a does not exist, and begins with no address"):
        read("foo://a", allow_remote=True)


class Answers(BaseHTTPRequestHandler):
    """Answers with the files of a folder, and with redirections."""

    def do_GET(self):
        name = self.path.strip("/").replace("%20", " ")
        if name.startswith("to="):
            self.send_response(302)
            self.send_header("Location", name[3:])
            self.end_headers()
            return
        found = self.server.folder / name
        self.send_response(200 if found.is_file() else 404)
        self.end_headers()
        if found.is_file():
            self.wfile.write(found.read_bytes())

    def log_message(self, *given):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a server of the temporary folder on this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Answers) as running:
        running.folder = tmp_path
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_what_is_allowed_is_fetched(server, picture):
    image = read(f"{server}/a%20b.png", allow_remote=True)
    np.testing.assert_array_equal(image.array, read(picture).array)
    assert image.name == f"{server}/a%20b.png"
    np.testing.assert_array_equal(read(f"{server}/to=/a%20b.png", allow_remote=True).array, image.array)


def test_every_function_that_takes_an_image_may_be_allowed_to(server, picture):
    url, allowed = f"{server}/a%20b.png", {"allow_remote": True}
    expected = gmmseg.segment(picture, 2).labels
    np.testing.assert_array_equal(gmmseg.segment(url, 2, **allowed).labels, expected)
    model = gmmseg.fit([url], 2, **allowed)
    np.testing.assert_array_equal(gmmseg.apply(model, url, **allowed).labels, gmmseg.apply(model, picture).labels)
    assert gmmseg.choose_k(url, max_k=2, **allowed).k == gmmseg.choose_k(picture, max_k=2).k
    np.testing.assert_array_equal(gmmseg.regions(url, **allowed).labels(n=2), gmmseg.regions(picture).labels(n=2))
    for function in (gmmseg.segment, gmmseg.fit, gmmseg.choose_k, gmmseg.regions):
        with pytest.raises(InputError, match="pass allow_remote=True"):
            function(url)


def test_pixels_stay_in_what_was_fetched(server, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    image = read(f"{server}/a.npy", allow_remote=True, memory=0)
    (tmp_path / "a.npy").unlink()
    assert not image.in_memory
    assert image.array[2, 3, 0] == 11


def test_what_cannot_be_fetched(server, picture):
    with pytest.raises(InputError, match=r"none\.png cannot be fetched: the server says 404 \(Not Found\)"):
        read(f"{server}/none.png", allow_remote=True)
    with pytest.raises(InputError, match=r"cannot be fetched: the server says 302 .*is not allowed"):
        read(f"{server}/to={picture.as_uri()}", allow_remote=True)
    with pytest.raises(InputError, match=r"cannot be fetched: Connection refused; check the address"):
        read("http://127.0.0.1:1/a.png", allow_remote=True)


def test_a_description_that_was_fetched_leads_nowhere(server, tmp_path, picture):
    band = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource>'
    text = f'<VRTDataset rasterXSize="9" rasterYSize="6">{band}</VRTRasterBand></VRTDataset>'
    for name in (picture, f"/vsicurl/{server}/a%20b.png", f"{server}/a%20b.png"):
        (tmp_path / "a.vrt").write_text(text.format(name))
        with pytest.raises(InputError, match=r"^http://127.*a\.vrt"):
            read(f"{server}/a.vrt", allow_remote=True)


def test_a_pipe_is_read_once_and_within_the_limit(picture):
    reader, writer = os.pipe()
    with open(writer, "wb") as file:
        file.write(picture.read_bytes())
    image = read(f"/dev/fd/{reader}")
    os.close(reader)
    np.testing.assert_array_equal(image.array, read(picture).array)
    assert image.name == f"/dev/fd/{reader}"


def test_an_empty_pipe_and_one_without_end():
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(InputError, match=r"^/dev/fd/\d+ is empty \(0 bytes\); check what writes"):
        read(f"/dev/fd/{reader}")
    os.close(reader)
    with open("/dev/zero", "rb") as endless, pytest.raises(InputError, match=r"larger than the 64 MiB that are copied"):
        local(Path(f"/dev/fd/{endless.fileno()}"), Reading(budget=1))


def test_a_terminal_has_no_image():
    main, other = os.openpty()
    with pytest.raises(InputError, match="is a terminal; send an image there"):
        read(f"/dev/fd/{other}")
    os.close(other)
    os.close(main)


def test_a_file_at_standard_input_is_not_copied(picture):
    with open(picture, "rb") as file:
        path = Path(f"/dev/fd/{file.fileno()}")
        assert local(path, Reading()) == path
        np.testing.assert_array_equal(read(path).array, read(picture).array)


def test_addresses_are_shown_as_they_were_given():
    assert shown(Path("https://x.org/a")) == "https://x.org/a"
    assert shown(Path("file:///x/a.png")) == "file:///x/a.png"
    assert shown(Path("/dev/stdin")) == "/dev/stdin"


def test_labels_and_masks_have_addresses_too(tmp_path, picture):
    Pillow.fromarray(np.eye(6, 9, dtype=np.uint8)).save(tmp_path / "m.png")
    address = (tmp_path / "m.png").as_uri()
    np.testing.assert_array_equal(read_labels(address), np.eye(6, 9))
    assert read(picture, mask=address).valid.sum() == 6
