"""Wrong options: one line that names option, value and remedy, exit 2, and nothing done."""

import os

import numpy as np
import pytest

WRONG = [
    ("-k 0", "-k 0 is not usable; use a whole number from 1 to 255"),
    ("-k -3", "-k -3 is not usable; use a whole number from 1 to 255"),
    ("-k 1000", "-k 1000 is not usable; use a whole number from 1 to 255"),
    ("-k x", "-k x is not usable; use a whole number from 1 to 255"),
    ("-k 2.5", "-k 2.5 is not usable"),
    ("-k", "-k needs a value; see `gmmseg segment --help`"),
    ("--features labb", "--features labb: 'labb' is not known; did you mean 'lab'? use any of rgb, lab"),
    ("--features lab,yx", "--features lab,yx: 'yx' is not known"),
    ("--features xy", "--features xy holds position alone"),
    ("--features=", "--features '': '' is not known; use any of rgb, lab"),
    ("--covariance ful", "--covariance ful is not known; use one of auto, full, tied, diag, spherical"),
    ("--smooth 2", "--smooth 2 is not usable; use a number from 0 to 1"),
    ("--smooth nan", "--smooth nan is not usable"),
    ("--smooth much", "--smooth much is not usable"),
    ("--smooth 0.3 --no-smooth", "--smooth 0.3 and --no-smooth contradict each other"),
    ("--sample 0", "--sample 0 is not usable; use a whole number of at least 1, or all"),
    ("--sample some", "--sample some is not usable"),
    ("--seed -1", "--seed -1 is not usable; use a whole number of at least 0"),
    ("--threads 0", "--threads 0 is not usable; use a whole number from 1 to 1024"),
    ("--max-pixels 0", "--max-pixels 0 is not usable; use a whole number of at least 1"),
    ("--channel-axis last", "--channel-axis last is not usable; use a whole number, none for a volume, or auto"),
    ("--channel-axis 0", "--channel-axis 0 does not fit photo.png"),
    ("--featurs lab", "there is no option --featurs; did you mean --features?"),
    ("--overwrite=yes", "--overwrite takes no value"),
    ("-o a.png --out-dir out", "--output and --out-dir both say where the labels go"),
    ("-o photo.png", "photo.png would be written over photo.png, which is an input"),
    ("-o photo.png --overwrite", "photo.png would be written over photo.png, which is an input"),
    ("-o link.png --overwrite", "link.png would be written over photo.png, which is an input"),
    ("--mask scan.png -o scan.png --overwrite", "scan.png would be written over scan.png, which is an input"),
    ("--mask scan.png", "mask scan.png has shape (30, 20), but photo.png has shape (40, 60)"),
    ("-o a.tif --soft a.tif", "a.tif is named for two results"),
    ("-o out", "--output out is a folder; use --out-dir out"),
    ("--soft out", "--soft out is a folder; name a file in it"),
    ("scan.png -o a.png", "--output a.png is one file, but 2 images are given; use --out-dir DIR"),
    ("scan.png --soft a.npz", "--soft a.npz is one file, but 2 images are given"),
    ("scan.png --overlay a.png --out-dir out", "--overlay a.png is one file, but 2 images are given"),
    ("scan.png --model a.json", "--model a.json is one file, but 2 images are given"),
    ("photo.png", "photo.png is given twice"),
    ("out/photo.tif", "photo.png and out/photo.tif would both be written to photo_labels.png"),
    ("photo_labels.png --overwrite", "photo_labels.png would be written over photo_labels.png, which is an input"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "words"), WRONG, ids=[options for options, _ in WRONG])
def test_wrong_options(refuse, folder, options, words):
    (folder / "out").mkdir()
    os.symlink("photo.png", "link.png")
    # Content decides, not the suffix: this is a PNG file, and gets a PNG label map.
    (folder / "out" / "photo.tif").write_bytes((folder / "photo.png").read_bytes())
    assert words in refuse("segment", "photo.png", *options.split(), code=2)


def test_features_that_the_image_does_not_have(refuse):
    text = refuse("segment", "scan.png", "--features", "lab", code=2)
    assert "scan.png: features 'lab' needs red, green and blue" in text
    assert "use --features intensity" in text


def test_axes_that_are_ambiguous(refuse):
    np.save("bands.npy", np.zeros((6, 7, 8), np.uint8))
    text = refuse("segment", "bands.npy", code=2)
    assert "(6, 7, 8)" in text
    assert "--channel-axis -1" in text
    assert "--channel-axis none" in text
    assert "channel_axis" not in text


def test_no_image(refuse):
    assert "IMAGE is missing; see `gmmseg segment --help`" in refuse("segment", "-k", "3", code=2)
    assert "got unexpected extra argument (scan.png)" in refuse("info", "photo.png", "scan.png", code=2)
