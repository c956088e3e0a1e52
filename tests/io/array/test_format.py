"""NumPy files as images and labels."""

import errno
import os
import re
import zipfile

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import DataWarning, InputError, OutputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels
from gmmseg.io.array import format
from gmmseg.io.array.format import NPZ
from gmmseg.io.array.preamble import read_header
from gmmseg.io.request import Reading


def test_npz_by_name_or_alone(tmp_path, rng):
    values = rng.random((6, 7))
    np.savez(tmp_path / "one.npz", whatever=values)
    np.savez_compressed(tmp_path / "two.npz", other=values[:2], image=values)
    for name in ("one.npz", "two.npz"):
        np.testing.assert_array_equal(read(tmp_path / name).array[..., 0], values)
    assert read_info(tmp_path / "two.npz")["arrays"]["image"] == {"shape": [6, 7], "dtype": "float64"}


def test_axes_are_asked_for(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 6, 7), np.float32))
    with pytest.raises(ParameterError, match=r"v\.npy.*channel_axis=None"):
        read(tmp_path / "v.npy")
    assert read(tmp_path / "v.npy", channel_axis=None).shape == (5, 6, 7)


@pytest.mark.parametrize(("dtype", "stored"), [(bool, "u1"), ("i8", "u1"), ("u2", "u2"), (">u2", "u2")])
def test_labels(tmp_path, dtype, stored):
    np.save(tmp_path / "l.npy", np.eye(3).astype(dtype))
    found = read_labels(tmp_path / "l.npy")
    assert found.dtype == np.dtype(stored)
    np.testing.assert_array_equal(found, np.eye(3))


def test_mask_files_and_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    np.save(tmp_path / "m.npy", np.eye(3, dtype=bool))
    by_file = read(tmp_path / "a.npy", mask=tmp_path / "m.npy")
    by_array = read(str(tmp_path / "a.npy"), mask=np.eye(3, dtype=int))
    assert by_file.valid.tolist() == by_array.valid.tolist() == np.eye(3, dtype=bool).tolist()


def test_what_is_wrong_in_memory_is_wrong_in_the_file(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 6, 7), np.float32))
    np.save(tmp_path / "f.npy", np.full((5, 6, 3), 200.0))
    np.save(tmp_path / "c.npy", np.zeros((5, 6), complex))
    np.save(tmp_path / "s.npy", np.zeros((5, 6)))
    (tmp_path / "s.npy").write_bytes((tmp_path / "s.npy").read_bytes()[:-1])
    for name, error in (("v", ParameterError), ("f", ParameterError), ("c", InputError), ("s", InputError)):
        with pytest.raises(error) as in_memory:
            read(tmp_path / f"{name}.npy")
        with pytest.raises(error) as in_file:
            read(tmp_path / f"{name}.npy", memory=0)
        assert str(in_file.value) == str(in_memory.value)


def numbers(path, shape, content=b"", descr="'|u1'", version=b"\x01\x00"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    path.write_bytes(b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content)
    return path


def archive(path, name="a.npy", method=zipfile.ZIP_DEFLATED, **entry):
    numbers(path, **entry)
    content = path.read_bytes()
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr(name, content)
    return path


@pytest.mark.parametrize("function", [read, read_labels, read_probabilities])
@pytest.mark.parametrize(
    ("descr", "words"),
    [
        ("'|V2000000000'", "expected real numbers"),
        ("'<U500000000'", "expected real numbers"),
        ("'<c16'", "complex128, expected real numbers; take their magnitude, numpy.abs"),
        ("[('a', '<f8'), ('b', '<i4')]", "expected real numbers"),
        ("('<f8', (1000, 1000, 500))", "above the limit of|cut short"),
        ("'<M8[s]'", "expected real numbers"),
    ],
)
@pytest.mark.parametrize("make", [numbers, archive])
def test_only_numbers_are_read(tmp_path, function, descr, words, make):
    path = make(tmp_path / "a", shape=(1, 1), content=bytes(2000), descr=descr)
    with pytest.raises(InputError, match=words):
        function(path)


def test_an_array_that_ends_early_or_late(tmp_path):
    with pytest.raises(InputError, match=r"a is cut short: 1 of the 20 bytes of 4 x 5 numbers are missing"):
        read(numbers(tmp_path / "a", (4, 5), bytes(19)))
    with pytest.raises(InputError, match=r"a is cut short: 1 of 20 bytes are missing"):
        read(archive(tmp_path / "a", shape=(4, 5), content=bytes(19)))
    with pytest.warns(DataWarning, match="a: 7 bytes behind its array are not read"):
        assert read(numbers(tmp_path / "a", (4, 5), bytes(27))).shape == (4, 5)
    with pytest.warns(DataWarning, match="a: 7 bytes behind its array are not read"):
        assert read(archive(tmp_path / "a", shape=(4, 5), content=bytes(27))).shape == (4, 5)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused_unread(tmp_path, method):
    path = archive(tmp_path / "a", method=method, shape=(4, 5), content=bytes(20))
    for function in (read, read_info):
        with pytest.raises(InputError, match="which NumPy does not use"):
            function(path)


def test_names_of_classes(tmp_path):
    names = NPZ.class_names
    np.savez(tmp_path / "a.npz", labels=np.eye(3), class_names=["water", "land"])
    assert names(tmp_path / "a.npz") == ("water", "land")
    np.savez(tmp_path / "a.npz", labels=np.eye(3))
    assert names(tmp_path / "a.npz") is None
    np.savez(tmp_path / "a.npz", class_names=np.array("water"))
    with pytest.raises(InputError, match=r"a\.npz: its class names are an array of shape \(\)"):
        names(tmp_path / "a.npz")
    archive(tmp_path / "a.npz", "class_names.npy", shape=(1 << 40,), descr="'<U9'")
    with pytest.raises(InputError, match="which is no list of names; save them as strings"):
        names(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="its class names"):
        names(tmp_path / "a.npz")


def test_the_budget_counts_what_is_made_of_the_numbers(tmp_path):
    def least(dtype, shape=(64, 64, 20, 1000), channel_axis=None):
        header = numbers(tmp_path / "a", shape, descr=f"'{dtype}'")
        with pytest.raises(InputError, match=r"take \d+ MiB") as caught, open(header, "rb") as file:
            found = read_header(header, file, "")
            format._require_room(header, found, Reading(budget=0), channel_axis)
        return int(re.search(r"take (\d+) MiB", str(caught.value))[1])

    million = 64 * 64 * 20 * 1000 / 2**20
    for dtype, size in (("|u1", 2), ("<u2", 3), (">u2", 5), ("<f4", 6), ("<f2", 8), (">f8", 18), ("<f16", 26)):
        assert least(dtype) == pytest.approx(size * million, abs=1)
    assert least("<u2", channel_axis=3) == pytest.approx(2.001 * million, abs=1)


@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, rng, kind):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    np.save(tmp_path / "a.npy", rng.integers(0, 99, (64, 64), np.uint8))
    found = gmmseg.segment(tmp_path / "a.npy", k=2, memory=1 << 12)
    layer = {"labels": "labels", "soft": "probabilities"}[kind]
    found.save(tmp_path / "whole.npy", layer=layer)
    assert np.load(tmp_path / "whole.npy").shape[-2:] == (64, 64)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match=r"b\.npy cannot be written: No space left on device; free space"):
        found.save(tmp_path / "b.npy", layer=layer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "whole.npy"]


def test_no_array_strays_into_an_archive(tmp_path):
    write_labels(tmp_path / "a.npz", np.eye(3, dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz") as packed:
        assert packed.namelist() == ["labels.npy"]


def test_savez_is_given_arrays_alone(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(np, "savez_compressed", lambda _file, **arrays: given.update(arrays))
    write_labels(tmp_path / "a.npz", np.eye(3, dtype=np.uint8))
    assert list(given) == ["labels"]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("memory", [None, 0])
def test_arrays_of_named_axes(tmp_path, rng, suffix, memory):
    values = rng.integers(0, 255, (4, 2, 8, 9)).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    np.save(path, values) if suffix == ".npy" else np.savez(path, image=values)
    movie = read(path, axes="TCYX", memory=memory)
    assert (movie.time, movie.shape, movie.n_channels) == (True, (4, 8, 9), 2)
    np.testing.assert_array_equal(movie.frames[2].array, np.moveaxis(values[2], 0, -1))
    turned = read(path, axes="CTXY", memory=memory)
    np.testing.assert_array_equal(turned.frames[1].array, values.transpose(1, 3, 2, 0)[1])
    with pytest.raises(ParameterError, match=r"axes='TYX' does not fit .*a\.np., which has 4 axes"):
        read(path, axes="TYX", memory=memory)
