"""Images that stay in their file: the same results, window by window."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from noisy_images import patchwork

import gmmseg
from gmmseg import Image
from gmmseg.features.contrast import contrast
from gmmseg.image.pixels import sample_pixels


@dataclass
class Recorded:
    """A source that is an array, and remembers what was read of it."""

    array: np.ndarray
    blocks: tuple
    sweep: int = 0
    valid: np.ndarray | None = None
    windows: list = field(default_factory=list)

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return self.array.dtype

    def read(self, window):
        self.windows.append(window)
        valid = None if self.valid is None else self.valid[window]
        return self.array[window].copy(), None if valid is None or valid.all() else valid


CASES = [
    ((150, 170), 3, "uint8", (1, 170), 0, True),
    ((150, 170), 6, "uint16", (64, 64), 0, False),
    ((150, 170), 1, "uint8", (16, 16), 0, False),
    ((150, 170), 2, "float32", (50, 170), 1, False),
    ((60, 50, 40), 1, "int16", (60, 50, 1), 2, False),
]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "channels", "dtype", "blocks", "sweep", "color"), CASES)
@pytest.mark.parametrize("gaps", [False, True])
def test_results_are_those_of_the_image_in_memory(shape, channels, dtype, blocks, sweep, color, gaps, tmp_path, rng):
    pixels = patchwork(rng, shape, channels, dtype)
    valid = None
    if gaps:
        valid = np.ones(shape, bool)
        valid[20:90, 30:] = False
        if dtype == "float32":
            pixels[5:15, :, 0] = np.nan
    whole = gmmseg.segment(Image(pixels, color=color, valid=valid), k=3, sample=3000)
    source = Recorded(pixels, blocks, sweep, valid)
    kept = gmmseg.segment(Image(source, color=color), k=3, sample=3000, memory=1 << 20)
    assert "labels" not in kept.__dict__  # nothing of the image's size yet
    kept.save(tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), whole.labels)
    kept.save(tmp_path / "soft.npy", layer="probabilities")
    np.testing.assert_array_equal(np.load(tmp_path / "soft.npy"), whole.probabilities)
    kept.save(tmp_path / "anomaly.npz", layer="anomaly")
    assert "labels" not in kept.__dict__
    assert [c.share for c in kept.classes] == [c.share for c in whole.classes]
    assert [c.color for c in kept.classes] == [c.color for c in whole.classes]
    np.testing.assert_array_equal(kept.labels, whole.labels)
    np.testing.assert_array_equal(kept.log_density, whole.log_density)
    np.testing.assert_array_equal(kept.uncertainty, whole.uncertainty)


def test_a_file_is_read_twice_and_each_block_once_a_pass(tmp_path, rng):
    source = Recorded(patchwork(rng, (640, 300), 6, "uint16"), (64, 64))
    seg = gmmseg.segment(Image(source), k=3, sample=3000, memory=16 * 64 * 320 * 12)
    passes, source.windows = [source.windows], []
    seg.save(tmp_path / "labels.npy")
    passes.append(source.windows)
    for windows in passes:
        read = np.zeros((640, 300), int)
        for window in windows:
            read[window] += 1
            assert window[0].start % 64 == 0
        assert (read == 1).all()
    assert len(passes[1]) == 10


def test_a_model_is_applied_in_one_pass(tmp_path, rng):
    source = Recorded(patchwork(rng, (640, 300), 6, "uint16"), (64, 64))
    model = gmmseg.fit(source.array, 3, channel_axis=-1, sample=3000)
    found = gmmseg.apply(model, Image(source), memory=16 * 64 * 320 * 12)
    found.save(tmp_path / "labels.npy")
    assert len(found.classes) == 3
    read = np.zeros((640, 300), int)
    for window in source.windows:
        read[window] += 1
    assert (read == 1).all()


@pytest.mark.slow
def test_memory_bounds_what_is_held_at_once(tmp_path, rng):
    source = Recorded(patchwork(rng, (600, 900), 6, "uint16"), (32, 32))
    seg = gmmseg.segment(Image(source), k=3, sample=2000, memory=3 << 20)
    source.windows = []
    seg.save(tmp_path / "labels.npy")
    largest = max(np.prod([s.stop - s.start for s in w]) * 12 for w in source.windows)
    assert largest <= (3 << 20) / 8
    np.testing.assert_array_equal(
        np.load(tmp_path / "labels.npy"), gmmseg.segment(Image(source.array), 3, sample=2000).labels
    )


def test_classes_are_counted_window_by_window(rng):
    source = Recorded(patchwork(rng, (640, 300), 3, "uint8"), (64, 64))
    seg = gmmseg.segment(Image(source, color=True), 3, sample=3000, memory=16 * 64 * 320 * 4)
    source.windows = []
    classes = seg.classes
    read = np.zeros((640, 300), int)
    for window in source.windows:
        read[window] += 1
    assert (read == 1).all()
    assert len(source.windows) == 10
    whole = gmmseg.segment(Image(source.array, color=True), 3, sample=3000)
    assert [(c.share, c.color) for c in classes] == [(c.share, c.color) for c in whole.classes]


def test_samples_and_contrast_do_not_depend_on_where_pixels_are(rng):
    pixels = patchwork(rng, (97, 83), 3, "uint8")
    recipe = gmmseg.fit(Image(pixels), 2).recipe
    for share in (1.0, 0.5, 0.01):
        valid = rng.random((97, 83)) < share
        there = Image(Recorded(pixels, (10, 20), 0, valid))
        here = Image(pixels, valid=valid)
        a, b = (sample_pixels(image, 500, np.random.default_rng(1)) for image in (there, here))
        np.testing.assert_array_equal(a.flat, b.flat)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(contrast(there, recipe), contrast(here, recipe))


def test_scribbles_and_masks_hold_in_windows(tmp_path, rng):
    pixels = patchwork(rng, (90, 100), 3, "uint8")
    strokes = np.zeros((90, 100), np.uint8)
    strokes[40:44, 50:80] = 2
    mask = np.ones((90, 100), np.uint8)
    mask[:, :7] = 0
    whole = gmmseg.segment(Image(pixels, color=True), 3, scribbles=strokes, mask=mask)
    kept = gmmseg.segment(
        Image(Recorded(pixels, (30, 100)), color=True), 3, scribbles=strokes, mask=mask, memory=1 << 20
    )
    kept.save(tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), whole.labels)


def test_a_failure_while_reading_leaves_no_file(tmp_path, rng):
    class Broken(Recorded):
        def read(self, window):
            if len(self.windows) > 3:
                raise gmmseg.InputError("scene.tif: the tile at row 64 is damaged")
            return super().read(window)

    model = gmmseg.fit(Image(patchwork(rng, (300, 100), 3, "uint8"), color=True), 2)
    seg = gmmseg.apply(
        model, Image(Broken(patchwork(rng, (300, 100), 3, "uint8"), (20, 100)), color=True), memory=1 << 17
    )
    seg = replace(seg, rule=replace(seg.rule, variation=np.ones(3)))
    with pytest.raises(gmmseg.InputError, match="row 64"):
        seg.save(tmp_path / "labels.npy")
    assert not list(tmp_path.iterdir())


def test_a_mask_file_is_read_in_windows_too(tmp_path, rng):
    pixels = patchwork(rng, (90, 100), 4, "uint16")
    mask = (rng.random((90, 100)) < 0.7).astype(np.uint8)
    np.save(tmp_path / "scene.npy", pixels)
    np.save(tmp_path / "mask.npy", mask)
    options = {"mask": str(tmp_path / "mask.npy"), "channel_axis": -1, "sample": 2000}
    whole = gmmseg.segment(str(tmp_path / "scene.npy"), 3, **options)
    kept = gmmseg.segment(str(tmp_path / "scene.npy"), 3, **options, memory=40_000)
    assert kept.image.valid is None
    kept.save(tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), whole.labels)
    np.testing.assert_array_equal(whole.labels > 0, mask > 0)
    np.save(tmp_path / "small.npy", mask[:40])
    with pytest.raises(gmmseg.ParameterError, match=r"mask .*small.npy has shape \(40, 100\)"):
        gmmseg.segment(str(tmp_path / "scene.npy"), 3, **options | {"mask": str(tmp_path / "small.npy")}, memory=40_000)
