"""Bands of a scene on one grid: the right numbers, by windows as in one piece."""

import numpy as np
import pytest
from satellite_scenes import make_safe, stored_bands, write_band

from gmmseg.errors import InputError
from gmmseg.io.request import Reading
from gmmseg.io.satellite.bands_on_grid import OpenBand, open_bands
from gmmseg.io.satellite.sentinel import sentinel_product


@pytest.fixture
def stored(rng):
    made = stored_bands(rng)
    made["B02"][:5] = 0
    made["B05"][20:, :4] = 0
    return made


@pytest.fixture
def safe(tmp_path, stored):
    return make_safe(tmp_path, stored, suffix=".tif")


def _read(safe, channels, resolution=None):
    source, grid = open_bands(sentinel_product(safe).chosen(channels), Reading(resolution=resolution), str(safe))
    pixels, valid = source.read((slice(0, grid.shape[0]), slice(0, grid.shape[1])))
    return source, pixels, valid


def test_bands_of_the_grid_are_what_is_stored_in_scale(safe, stored):
    _, pixels, valid = _read(safe, "B02,B08")
    expected = (np.stack([stored["B02"], stored["B08"]], -1) - 1000.0) / 10_000
    expected[:5, :, 0] = np.nan
    np.testing.assert_allclose(pixels, expected, atol=1e-7)
    assert pixels.dtype == np.float32
    assert valid is None  # the other band is there


def test_coarse_bands_come_to_the_grid_of_the_finest(safe, stored):
    _, pixels, _ = _read(safe, "B08,B05")
    values = np.where(stored["B05"] == 0, np.nan, stored["B05"] / 10_000 - 0.1)
    fine, row, column = pixels[..., 1], 10, 10
    # A tenth metre pixel lies a quarter of a coarse pixel from its centre.
    (a, b), (c, d) = values[4:6, 4:6]
    expected = 0.75 * (0.75 * d + 0.25 * c) + 0.25 * (0.75 * b + 0.25 * a)
    assert fine[row, column] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(fine[40:, :8]).all()
    assert np.isfinite(fine[:38]).all()


def test_the_resolution_that_is_asked_for(safe, stored):
    for resolution, side in ((None, 30), (10, 60), (60, 10), (25, 24)):
        _, pixels, _ = _read(safe, "B06,B11", resolution)
        assert pixels.shape == (side, side, 2)
    _, pixels, _ = _read(safe, "B06", 20)
    np.testing.assert_allclose(pixels[..., 0], stored["B06"] / 10_000 - 0.1, atol=1e-7)


def test_a_file_of_the_resolution_that_is_asked_for_is_taken_as_it_is(safe):
    place = next(safe.rglob("R20m"))
    delivered = np.full((30, 30), 4000, np.uint16)
    write_band(place / "T32TLQ_20230605T101559_B03_20m.tif", delivered, 20)
    _, pixels, _ = _read(safe, "B03", 20)
    np.testing.assert_allclose(pixels, 0.3, atol=1e-7)
    assert _read(safe, "B03")[1].shape == (60, 60, 1)


def test_windows_and_chosen_bands_are_those_of_the_whole(safe):
    source, whole, _ = _read(safe, None)
    window = (slice(7, 41), slice(3, 50))
    np.testing.assert_array_equal(source.read(window)[0], whole[window])
    np.testing.assert_array_equal(source.select((7, 0)).read(window)[0], whole[window][..., [7, 0]])
    flat = np.array([0, 61, 3599, 700])
    np.testing.assert_array_equal(source.take(flat)[0], whole.reshape(-1, 10)[flat])


def test_where_no_band_has_data_nothing_is_valid(tmp_path, stored):
    for values in stored.values():
        values[: len(values) // 2] = 0
    _, pixels, valid = _read(make_safe(tmp_path, stored, suffix=".tif"), None)
    assert valid[40:].all()
    assert not valid[:25].any()
    assert np.isnan(pixels[:25]).all()


def test_a_band_that_lies_elsewhere(safe):
    path = next(safe.rglob("*B05_20m.tif"))
    write_band(path, np.ones((30, 30), np.uint16), 20, left=700_000)
    with pytest.raises(InputError, match=r"B05_20m\.tif lies elsewhere than .*SAFE"):
        _read(safe, "B08,B05")


def test_a_band_that_is_no_single_band(safe):
    path = next(safe.rglob("*B05_20m.tif"))
    write_band(path, np.ones((30, 30), np.uint16), 20, crs=None)
    with pytest.raises(InputError, match=r"B05_20m\.tif is no single band that says where it lies \(1 bands, no place"):
        _read(safe, "B08,B05")


def test_a_damaged_band(safe):
    path = next(safe.rglob("*B08_10m.tif"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"B08_10m\.tif is damaged or cut short in rows 0 to 59"):
        _read(safe, "B08")


def test_deep_blocks_are_decoded_once_by_windows_that_go_down(tmp_path, monkeypatch):
    """JPEG 2000 is decoded tile by tile; wide windows of few rows share those of a row."""
    rows, columns = np.indices((1100, 1300))
    fine, coarse = (1 + (rows * 7 + columns) % 5000).astype(np.uint16), (rows[::2, ::2] + 1).astype(np.uint16)
    write_band(tmp_path / "B02_10m.jp2", fine, 10, BLOCKXSIZE=512, BLOCKYSIZE=512)
    write_band(tmp_path / "B05_20m.jp2", coarse, 20, BLOCKXSIZE=512, BLOCKYSIZE=512)
    source, _ = open_bands(sentinel_product(tmp_path).chosen(None), Reading(), "scene")
    assert source.blocks == (128, 1024)
    whole, _ = source.read((slice(0, 1100), slice(0, 1300)))
    np.testing.assert_allclose(whole[..., 0], fine / 10_000, atol=1e-6)
    decoded = []
    monkeypatch.setattr(
        OpenBand,
        "_decoded",
        lambda self, rows, columns, read=OpenBand._decoded: decoded.append(rows.start) or read(self, rows, columns),
    )
    for top in range(0, 1100, 128):
        window = (slice(top, min(top + 128, 1100)), slice(200, 1300))
        np.testing.assert_array_equal(source.read(window)[0], whole[window])
    assert decoded == [0, 0, 512, 512, 1024, 1024]
    for window in (
        (slice(500, 530), slice(0, 40)),
        (slice(10, 1090), slice(7, 1300)),
        (slice(1099, 1100), slice(3, 4)),
    ):
        np.testing.assert_array_equal(source.read(window)[0], whole[window])
