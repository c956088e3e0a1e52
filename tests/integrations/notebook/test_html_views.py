"""What results show of themselves in a notebook."""

import numpy as np
import pytest

import gmmseg


@pytest.fixture(scope="module")
def found(pictures):
    return gmmseg.segment(pictures / "chelsea.png", k=3, class_names=["<fur>", "b", "c"])


def test_a_segmentation_shows_its_picture_and_classes(found):
    shown = found._repr_html_()
    assert shown.count("<img") == 2
    assert "&lt;fur&gt;" in shown
    assert len(shown) < 100_000


def test_a_model_shows_means(found):
    shown = found.model._repr_html_()
    assert f"{found.model.means[1, 0]:.4g}" in shown
    assert "&lt;fur&gt;" in shown


def test_regions_show_how_many_there_are(pictures):
    tree = gmmseg.regions(pictures / "coffee.png")
    shown = tree._repr_html_()
    assert f"<td>0.38</td><td>{tree.count()}</td>" in shown
    assert len(shown) < 100_000


def test_a_choice_marks_what_was_chosen(pictures):
    choice = gmmseg.choose_k(pictures / "camera.png", max_k=4)
    shown = choice._repr_html_()
    assert shown.count("chosen") == 1
    assert shown.count("<b>") == 5  # the title, and the lowest of four criteria


def test_pictures_of_noise_stay_small(rng):
    noise = rng.integers(0, 256, (900, 900, 3), np.uint8)
    assert len(gmmseg.segment(noise, k=12, smooth=False, sample=4000)._repr_html_()) < 100_000


def test_an_image_in_its_file_is_left_there(tmp_path, rng, monkeypatch):
    np.save(tmp_path / "a.npy", rng.integers(0, 256, (400, 500), np.uint8))
    found = gmmseg.segment(tmp_path / "a.npy", k=2, memory=300_000)
    monkeypatch.setattr(type(found), "_windows", None)
    monkeypatch.setattr(type(found.image), "_read", None)
    shown = found._repr_html_()
    assert "<img" not in shown
    assert "class 2" in shown


def test_volumes_show_a_plane(rng):
    found = gmmseg.segment(rng.random((8, 20, 30)).astype(np.float32), k=2, channel_axis=None)
    assert "plane 5 of 8" in found._repr_html_()


def test_255_classes_stay_small(rng):
    found = gmmseg.segment(rng.integers(0, 60_000, (64, 64), np.uint16), k=255, sample=4096, smooth=False)
    assert len(found._repr_html_()) < 100_000
    assert len(found.model._repr_html_()) < 100_000


@pytest.mark.slow
def test_a_kernel_shows_them(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    code = "import gmmseg, numpy\ngmmseg.segment(numpy.uint8([[10, 200]] * 2), k=2)"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (output,) = book.cells[0].outputs
    assert "<img" in output["data"]["text/html"]
    assert output["data"]["text/plain"].startswith("Segmentation(")
