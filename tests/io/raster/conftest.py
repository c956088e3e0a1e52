"""Rasters that rasterio wrote, and a server that nobody may call."""

import socket
import threading
import warnings

import pytest
import rasterio
from raster_windows import PLACE


@pytest.fixture
def write_raster(tmp_path):
    """Write a raster with rasterio: (bands (n, rows, columns), name, **profile) -> path."""

    def make(bands, name="r.tif", *, finish=lambda raster: None, **profile):
        count, rows, columns = bands.shape
        options = {"driver": "GTiff", **PLACE, "dtype": bands.dtype.name, **profile}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(tmp_path / name, "w", count=count, width=columns, height=rows, **options) as raster:
                finish(raster)
                raster.write(bands)
        return tmp_path / name

    return make


class Listener:
    """A server on this computer that answers every call with "not found".

    Parameters
    ----------
    calls : list of bytes
        What was asked, in the order in which it came.
    """

    def __init__(self):
        self.calls = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:  # closed
                return
            with caller:
                caller.settimeout(5)
                self.calls.append(caller.recv(4096))
                caller.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def listener():
    server = Listener()
    yield server
    server.close()


@pytest.fixture
def virtual(tmp_path):
    """Write a virtual raster of 5 x 4 pixels: (source element or its name, name) -> path."""

    def make(source, name="v.vrt", *, before="", band='dataType="Byte" band="1"'):
        if "<" not in source:
            source = f'<SourceFilename relativeToVRT="1">{source}</SourceFilename>'
        inner = source if "Source>" in source else f"<SimpleSource>{source}<SourceBand>1</SourceBand></SimpleSource>"
        text = f"{before}<VRTRasterBand {band}>{inner}</VRTRasterBand>"
        (tmp_path / name).write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{text}</VRTDataset>')
        return tmp_path / name

    return make
