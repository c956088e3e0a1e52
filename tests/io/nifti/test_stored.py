"""The numbers of NIfTI files: those of nibabel, whole and window by window."""

import gzip

import nibabel
import numpy as np
import pytest

from gmmseg.errors import DataWarning
from gmmseg.image.windows import strips, tiles
from gmmseg.io import read, read_info
from gmmseg.io.nifti.gzip_stream import GzipStream


def pixels_of(path, **options):
    image = read(path, **options)
    return image.array[..., 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"])
def test_numbers_are_those_of_nibabel(save, volume, name, dtype):
    kind = nibabel.Nifti1Pair if name.endswith("hdr") else nibabel.Nifti1Image
    data = abs(volume % 200).astype(dtype)
    path = save(name, data, kind=kind)
    image = read(path)
    assert image.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert image.shape == volume.shape
    np.testing.assert_array_equal(image.array[..., 0], np.asarray(nibabel.load(path).dataobj))
    np.testing.assert_allclose(image.spacing, nibabel.load(path).header.get_zooms())
    np.testing.assert_array_equal(image.place.affine3d, nibabel.load(path).affine)


def test_scaled_numbers_are_floats(save, volume, tmp_path):
    path = save("a.nii.gz", volume)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[112:120] = np.array([0.25, -7.5], "<f4").tobytes()  # scl_slope and scl_inter
    (tmp_path / "b.nii").write_bytes(content)
    found = pixels_of(tmp_path / "b.nii")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, nibabel.load(tmp_path / "b.nii").get_fdata())
    assert read_info(tmp_path / "b.nii")["scaling"] == {"slope": 0.25, "intercept": -7.5}


@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
def test_colors(save, rng, channels):
    data = np.zeros((5, 6, 4), [(name, "u1") for name in channels])
    for name in channels:
        data[name] = rng.integers(0, 256, data.shape)
    if "A" in channels:
        data["A"][0] = 0
        with pytest.warns(DataWarning, match="30 voxels|2[0-9] voxels"):
            image = read(save("a.nii.gz", data))
        np.testing.assert_array_equal(image.valid, data["A"] != 0)
    else:
        image = read(save("a.nii.gz", data))
        assert image.valid is None
    assert image.color
    np.testing.assert_array_equal(image.array, np.stack([data[name] for name in "RGB"], -1))


def test_missing_numbers(save, rng):
    data = rng.random((4, 5, 6, 2)).astype("f4")
    data[0, 0, 0, 0] = np.nan  # one contrast is missing: the other decides
    data[1, 1, 1] = np.inf
    with pytest.warns(DataWarning, match=r"a\.nii\.gz: 1 voxels"):
        image = read(save("a.nii.gz", data))
    assert np.argwhere(~image.valid).tolist() == [[1, 1, 1]]
    whole, valid = read(save("b.nii.gz", data), memory=0).pixels.read((slice(0, 4), slice(0, 5), slice(1, 3)))
    np.testing.assert_array_equal(whole, data[:, :, 1:3])
    assert np.argwhere(~valid).tolist() == [[1, 1, 0]]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "two.nii.gz"])
@pytest.mark.parametrize("n_volumes", [1, 3])
def test_windows_are_parts_of_the_whole(save, rng, name, n_volumes):
    data = rng.integers(0, 9000, (9, 8, 7, n_volumes)).astype("i2")
    path = save(name, data)
    if name == "two.nii.gz":  # gzip parts in a row, as block-wise compressors write them
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(b"".join(gzip.compress(content[i : i + 700]) for i in range(0, len(content), 700)))
    image = read(path, memory=data.nbytes - 1)
    assert not image.in_memory
    assert read(path, memory=data.nbytes).in_memory
    source = image.pixels
    assert (source.shape, source.dtype, source.blocks, source.sweep) == (data.shape, data.dtype, (9, 8, 1), 2)
    forward = [tile.outer for strip in strips(image.shape, source.blocks, 2, 3 * 72, 1) for tile in strip]
    anywhere = [tile.outer for tile in tiles(image.shape, (4, 5, 3), 1)]
    for window in [*forward, *anywhere, *reversed(anywhere), *forward]:
        found, valid = source.read(window)
        assert valid is None
        np.testing.assert_array_equal(found, data[window])


@pytest.mark.parametrize("n_volumes", [1, 4])
def test_a_sweep_decompresses_a_file_once(save, rng, monkeypatch, n_volumes):
    data = rng.integers(0, 60000, (64, 64, 40, n_volumes)).astype("u2")
    path = save("a.nii.gz", data)
    read_bytes = []
    more = GzipStream._more

    def counted(self, file):
        data = more(self, file)
        read_bytes.append(len(data))
        return data

    monkeypatch.setattr(GzipStream, "_more", counted)
    source = read(path, memory=0).pixels
    for sweep in range(2):
        read_bytes.clear()
        for z in range(0, 40, 2):
            source.read((slice(0, 64), slice(0, 64), slice(max(0, z - 3), z + 2)))
        passes = 2 if sweep == 0 and n_volumes > 1 else 1
        # Each decoder reads ahead by one piece of the file.
        assert sum(read_bytes) <= passes * path.stat().st_size + n_volumes * (1 << 18)
