"""Filters of warnings are the whole process's: nothing that may run in a thread touches them."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from noisy_images import blobs, gains, noisy

import gmmseg
from gmmseg.export import find_instances, write_export

LABELS = blobs((20, 20), 3)
GRAY = noisy(LABELS, 5.0)
BANDS = np.stack([noisy(LABELS, 5.0, seed) for seed in range(3)])
BANDS[0, :4], BANDS[2, 6:12] = np.nan, np.nan


def model(channels=BANDS):
    return gmmseg.fit([channels], 3, channel_axis=0, seed=0)


WORK = {
    "plain": lambda folder: gmmseg.segment(GRAY, 3),
    "missing": lambda folder: gmmseg.segment(BANDS, 3, channel_axis=0),
    "no number at all": lambda folder: gmmseg.segment(np.full_like(GRAY, np.nan)),
    "outliers": lambda folder: gmmseg.segment(BANDS, 3, channel_axis=0, outliers="uniform"),
    "uneven light": lambda folder: gmmseg.segment(GRAY * gains(GRAY.shape), 3, bias_field=True),
    "number chosen": lambda folder: gmmseg.choose_k(BANDS, max_k=4, channel_axis=0),
    "adapted": lambda folder: gmmseg.apply(model(), BANDS * 1.1 + 3, channel_axis=0, adapt=True),
    "few iterations": lambda folder: gmmseg.GaussianMixture(4, n_init=3, max_iter=2).fit(BANDS.reshape(3, -1).T),
    "few values": lambda folder: gmmseg.GaussianMixture(4).fit(np.repeat([[0.0], [1.0]], 20, axis=0)),
    "no place": lambda folder: write_export(folder / "map.gpkg", find_instances(LABELS.astype(np.uint8)), "gpkg"),
}


@pytest.fixture
def elsewhere(monkeypatch):
    """The threads, other than the main one, in which filters were kept to be put back."""
    found, kept = [], warnings.catch_warnings

    class Watched(kept):
        def __init__(self, *given, **options):
            if threading.current_thread() is not threading.main_thread():
                found.append(threading.current_thread().name)
            super().__init__(*given, **options)

    monkeypatch.setattr(warnings, "catch_warnings", Watched)
    return found


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_no_thread_touches_the_filters(tmp_path, elsewhere):
    before_all, *folders = (tmp_path / name for name in ("before", "first", "second"))
    for folder in (before_all, *folders):
        folder.mkdir()
    for work in WORK.values():
        work(before_all)  # SciPy adds a filter of its own when it is loaded
    before, shown, names = list(warnings.filters), warnings.showwarning, sorted(WORK)

    def run(turn, folder):
        for name in names[turn:] + names[:turn]:
            WORK[name](folder)
            assert warnings.filters == before

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (0, 5), folders))
    assert not elsewhere
    assert warnings.filters == before
    assert warnings.showwarning is shown


def test_all_that_is_said_of_an_image_can_be_heard():
    root = Path(gmmseg.__file__).parent
    own = [root / "errors.py", root / "io" / "unheard.py", *(root / "mixture" / "estimator").iterdir()]
    deaf = [path for path in root.rglob("*.py") if path not in own and "warnings.warn(" in path.read_text("utf-8")]
    assert deaf == []


@pytest.mark.parametrize("name", sorted(WORK))
def test_each_says_what_it_has_to_say_and_nothing_of_its_trials(name, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WORK[name](tmp_path)
    said = {
        "no number at all": ["400 pixels are NaN", "no pixel is valid"],
        "few iterations": ["did not converge"],
        "few values": ["only 2 distinct values"],
    }.get(name, [])
    assert len(caught) == len(said)
    for warned, words in zip(caught, said, strict=True):
        assert issubclass(warned.category, gmmseg.GmmsegWarning)
        assert words in str(warned.message)
