"""The whole story: a photograph, its classes, its files, and the same classes in another photograph."""

import numpy as np
from PIL import Image as Pillow

import gmmseg
from gmmseg import io


def test_from_a_photograph_to_masks_and_on_to_the_next(pictures, tmp_path):
    # A cup of coffee on a table, in four classes.
    seg = gmmseg.segment(pictures / "coffee.png", k=4)
    assert seg.labels.shape == (400, 600)
    assert set(np.unique(seg.labels)) == {1, 2, 3, 4}

    # The table is brown, the coffee dark, and classes go from dark to light.
    lightness = [c.means["L"] for c in seg.classes]
    assert lightness == sorted(lightness)
    np.testing.assert_allclose(sum(c.share for c in seg.classes), 1, rtol=1e-12)
    assert all(c.share > 0.02 for c in seg.classes)
    assert sum(seg.classes[0].color) < sum(seg.classes[-1].color)
    with Pillow.open(pictures / "coffee.png") as picture:
        pixels = np.asarray(picture)
    brightest = pixels[seg.mask(4)].mean(axis=0)
    np.testing.assert_allclose(brightest, seg.classes[-1].color, atol=4)

    # Neighbours agree: fewer boundaries than without smoothing, though the grain of the wood stays.
    rough = gmmseg.apply(seg.model, pictures / "coffee.png", smooth=False)
    boundaries = [np.count_nonzero(np.diff(s.labels, axis=1)) for s in (seg, rough)]
    assert boundaries[0] < 0.8 * boundaries[1]

    # The labels come back from the file as they went.
    seg.save(tmp_path / "coffee_labels.png")
    with Pillow.open(tmp_path / "coffee_labels.png") as saved:
        assert saved.mode == "P"
        np.testing.assert_array_equal(np.asarray(saved), seg.labels)

    # The soft masks too, with room for every doubt.
    io.write_probabilities(tmp_path / "soft.npz", seg.probabilities, image=seg.image)
    with np.load(tmp_path / "soft.npz") as saved:
        soft = saved["probabilities"]
    np.testing.assert_array_equal(soft, seg.probabilities)
    np.testing.assert_array_equal(soft.argmax(axis=0) + 1, seg.labels)
    assert 0 < seg.uncertainty.max() <= 0.75

    # The model, saved and loaded, finds the same again, and its classes in a picture of a cat.
    seg.model.save(tmp_path / "coffee.gmm.json")
    model = gmmseg.load_model(tmp_path / "coffee.gmm.json")
    np.testing.assert_array_equal(gmmseg.apply(model, pictures / "coffee.png").labels, seg.labels)
    cat = gmmseg.apply(model, pictures / "chelsea.png")
    assert cat.labels.shape == (300, 451)
    assert [c.name for c in cat.classes] == [c.name for c in seg.classes]
    assert cat.classes[0].means == seg.classes[0].means
    assert cat.labels.min() >= 1
