"""--channels, and files that are stacked as channels."""

from pathlib import Path

import numpy as np
import pytest
import tifffile


@pytest.fixture
def pair(tmp_path, rng):
    """Two contrasts of one grid, as .npy files, and their values."""
    values = rng.random((2, 20, 30)).astype(np.float32)
    for name, each in zip(("t1", "t2"), values, strict=True):
        np.save(tmp_path / f"{name}.npy", each)
    return f"{tmp_path}/t1.npy+{tmp_path}/t2.npy", values


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the program in an empty folder: (argument, ...) -> (exit code, stdout, stderr)."""
    from gmmseg.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.slow
def test_the_command_takes_channels_by_either_name(run, pictures):
    for number, option in enumerate(("--channels", "--bands")):
        code, out, err = run("segment", pictures / "L7_ETMs.tif", option, "4, 2", "-k", 3, "-o", f"{number}.tif")
        assert (code, err) == (0, "")
        assert "band 4  band 2" in out
    with tifffile.TiffFile("0.tif") as labels:
        assert 33550 in labels.pages[0].tags
    assert run("segment", pictures / "L7_ETMs.tif", "--bands", "4,,2")[0] == 2
    code, _, err = run("segment", pictures / "L7_ETMs.tif", "--bands", "9")
    assert code in (1, 2)
    assert err.endswith("has no channel '9'; use numbers from 1 to 6\n")


def test_the_command_takes_a_stack_and_never_writes_over_its_files(run, pair):
    path, values = pair
    code, out, err = run("segment", path, "-k", 2, "-o", "labels.npy")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["class", "share", "map", "t1", "t2"]
    code, _, err = run("segment", path, "-k", 2, "-o", "t2.npy", "--overwrite")
    assert code == 2
    assert "t2.npy, which is an input" in err
    np.testing.assert_array_equal(np.load("t2.npy"), values[1])


def test_a_file_of_a_stack_that_is_not_there_is_an_error(run, pair):
    words = "flair.npy does not exist, so that t1.npy+flair.npy lacks a channel; check the path"
    code, _, err = run("segment", "t1.npy+flair.npy", "-k", 2, "-o", "missing.npy")
    assert (code, words in err) == (1, True)
    assert not Path("missing.npy").exists()
    code, _, err = run("fit", "t1.npy+flair.npy", "-k", 2, "-o", "missing.gmm.json")
    assert (code, words in err) == (1, True)
    assert run("fit", "t1.npy+t2.npy", "-k", 2, "-o", "both.gmm.json")[0] == 0
    code, _, err = run("apply", "both.gmm.json", "t1.npy+flair.npy", "-o", "missing.npy")
    assert (code, words in err) == (1, True)


def test_images_of_a_study_may_lack_a_channel(run, pair):
    np.save("b1.npy", np.load("t1.npy") + 1)
    code, _, err = run("fit", "t1.npy+t2.npy", "b1.npy+b2.npy", "-k", 2, "-o", "study.gmm.json")
    assert (code, "b2.npy does not exist; its channel is missing everywhere" in err) == (0, True)
    Path("list.txt").write_text("b1.npy+b2.npy\n")
    options = ("--model", "study.gmm.json", "--out-dir")
    assert run("batch", "list.txt", *options, "refused")[0] == 1
    assert run("batch", "list.txt", *options, "labels", "--missing-channels", "ok")[0] == 0
