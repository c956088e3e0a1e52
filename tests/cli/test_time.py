"""Time-lapses on the command line."""

import json

import numpy as np
import pytest
import tifffile


@pytest.fixture
def movie(folder, rng):
    """Five frames with a bright square that moves, as movie.npy and movie.tif, whose axes nothing says."""
    values = rng.normal(50, 6, (5, 40, 50))
    for number, frame in enumerate(values):
        frame[5:25, 7 * number : 7 * number + 15] += 60
    values = values.round().astype(np.uint8)
    np.save("movie.npy", values)
    tifffile.imwrite("movie.tif", values, photometric="minisblack", metadata=None)
    return values


@pytest.mark.parametrize("source", ["movie.npy", "movie.tif"])
def test_labels_have_the_axis_of_time(run, movie, source):
    finished = run("segment", source, "-k", 2, "--axes", "tyx", "--model", "m.gmm.json", "--min-size", 30, "--json")
    assert finished.code == 0, finished.err
    assert json.loads(finished.out)[0]["shape"] == [5, 40, 50]
    with tifffile.TiffFile("movie_labels.tif") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("TYX", (5, 40, 50))
        labels = tiff.asarray()
    for number, frame in enumerate(movie):
        np.save("frame.npy", frame)
        assert run("apply", "m.gmm.json", "frame.npy", "-o", "frame.tif", "--min-size", 30, "--overwrite").code == 0
        np.testing.assert_array_equal(labels[number], tifffile.imread("frame.tif"))


def test_the_other_commands_take_axes(run, movie):
    assert run("fit", "movie.npy", "-k", 2, "--axes", "TYX", "-o", "m.gmm.json").code == 0
    assert run("apply", "m.gmm.json", "movie.tif", "--axes", "TYX", "-o", "a.npy").code == 0
    assert np.load("a.npy").shape == (5, 40, 50)
    chosen = run("choose-k", "movie.npy", "--axes", "TYX", "--max-k", 3, "--json")
    assert json.loads(chosen.out)["k"] == 2
    done = run("batch", "movie.tif", "-k", 2, "--axes", "TYX", "--out-dir", "c")
    assert done.code == 0, done.err
    assert tifffile.imread("c/movie_labels.tif").shape == (5, 40, 50)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--axes", "TZCYX"), 2, "--axes TZCYX does not fit movie.npy, which has 3 axes (5 x 40 x 50), not 5"),
        (("--axes", "TYQ"), 2, "TYQ is not usable; give one letter an axis of T (time), Z (planes)"),
        (
            ("--axes", "TYX", "--channel-axis", "0"),
            2,
            "--axes TYX and --channel-axis 0 are both given; leave one of them out",
        ),
        (("--axes", "TYX", "--bias-field"), 2, "movie.npy has 5 frames, but a bias field is of one image"),
        (("--axes", "TYX", "-o", "labels.png"), 1, "labels.png: PNG has no axis of time; use .tif, .ome.tif or .npy"),
        (("--axes", "TYX", "-o", "labels.nii"), 1, "labels.nii: NIfTI has no axis of time"),
        (("--axes", "TYX", "-o", "labels.tif", "--soft", "s.nii.gz"), 1, "s.nii.gz: NIfTI has no axis of time"),
        ((), 2, "--channel-axis none where every axis is spatial (a volume), or --axes TYX (say) for time"),
        (
            ("--axes", "TYX", "--overlay", "o.png"),
            1,
            "o.png: an overlay needs a picture or a volume, movie.npy has frames",
        ),
    ],
)
def test_what_does_not_fit(refuse, movie, arguments, code, words):
    assert words in refuse("segment", "movie.npy", "-k", 2, *arguments, code=code)


def test_regions_of_a_time_lapse(refuse, movie):
    line = refuse("regions", "movie.npy", "--axes", "TYX", code=1)
    assert "movie.npy has 5 frames; regions are of a picture, so give one frame" in line
