"""No thread works but those that `threads=` allows: none of NumPy's BLAS, of SciPy's or of OpenCV, and none for one."""

import json
import os
import threading
import time
import weakref

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from processes import process

from gmmseg import ParameterError
from gmmseg import threads as package
from gmmseg.threads import ahead, mapped, pooled, thread_count

RUN = """
import json, os, resource, sys, time
import cv2, numpy as np, scipy.linalg
import gmmseg

def seconds():
    found = {}
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/schedstat") as numbers:
            found[task] = int(numbers.read().split()[0]) / 1e9
    return found

rng = np.random.default_rng(0)
JOB
cv2.setNumThreads(2)
time.sleep(0.5)  # until the pools, which spin after their start too, have fallen asleep
before, processor, start = seconds(), time.process_time(), time.perf_counter()
gmmseg.segment(image, 4, threads=THREADS, **options)
processor, wall = time.process_time() - processor, time.perf_counter() - start
time.sleep(0.1)  # until those that have ended are gone
after = seconds()
pools = sum(after[task] - before[task] for task in before if task != str(os.getpid()))
new = len(after.keys() - before)
print(json.dumps({"ratio": processor / wall, "pools": pools, "idle": len(before) - 1, "new": new}))
"""

CUBE = """
spectra = rng.uniform(100, 1000, (4, 150))
image = (spectra[np.indices((96, 96)).sum(0) // 48] + rng.normal(0, 40, (96, 96, 150))).astype(np.float32)
options = {"channel_axis": -1}
"""
GAPS = CUBE + "image[rng.random(image.shape) < 0.01] = np.nan\n"
VOLUME = """
places = np.indices((96, 96, 96)) / 96
inside = np.digitize(np.linalg.norm(places - 0.5, axis=0), [0.15, 0.3, 0.45])
image = np.array([800, 600, 300, 20])[inside] * (0.7 + 0.6 * places[2]) + rng.normal(0, 20, inside.shape)
image, options = image.astype(np.int16), {"channel_axis": None, "bias_field": True}
"""
BENT = (
    VOLUME
    + """
image = (image * np.exp(0.5 * np.sin(3 * places[0]) * np.cos(4 * places[1]))).astype(np.int16)
"""
)
BANDS = """
image, options = rng.normal(0, 1, (64, 64, 40)), {"channel_axis": -1, "features": "bands"}
image[:, 32:] += 1
"""
WIDE = """
image, options = rng.normal(0, 1, (48, 48, 120)), {"channel_axis": -1, "features": "bands"}
image[:, 24:] += 1
"""
LUV = """
image, options = rng.integers(0, 256, (600, 600, 3), np.uint8), {"features": "luv"}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "threads"),
    [(CUBE, 1), (CUBE, 2), (GAPS, 1), (VOLUME, 1), (BENT, 1), (BANDS, 1), (WIDE, 1), (LUV, 1)],
    ids=["cube", "cube on two", "gaps", "volume", "bent gain", "bands", "many bands", "luv"],
)
def test_only_as_many_threads_work_as_were_asked_for(job, threads):
    """Pools are there, of more threads, and hardly any time passes in them."""
    program = RUN.replace("JOB", job).replace("THREADS", str(threads))
    finished = process("-c", program, env={**os.environ, "OPENBLAS_NUM_THREADS": "4"})
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["idle"] >= 2
    assert found["pools"] < 0.02
    assert found["new"] == 0
    assert found["ratio"] < threads + 0.1


@pytest.mark.parametrize(("threads", "others"), [(1, 0), (3, 3)])
def test_a_list_is_worked_through_in_order_by_as_many_threads_as_were_asked_for(threads, others):
    meeting, seen = threading.Barrier(max(1, others)), set()

    def work(item):
        meeting.wait(10)
        seen.add(threading.current_thread())
        return -item

    assert list(mapped(work, range(6), threads)) == [0, -1, -2, -3, -4, -5]
    assert len(seen - {threading.current_thread()}) == others


@pytest.mark.parametrize("threads", [1, 2])
def test_the_next_item_is_made_ahead_by_a_second_thread(threads):
    made = []

    def items():
        for number in range(4):
            made.append((number, threading.current_thread() is threading.main_thread()))
            yield number

    coming = ahead(items(), threads)
    assert next(coming) == 0
    coming.close()
    assert made == ([(0, True)] if threads == 1 else [(0, False), (1, False)])
    assert list(ahead(items(), threads)) == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_when_its_turn_comes_and_what_follows_is_left_out(threads):
    begun = []

    def work(item):
        begun.append(item)
        if item == 2:
            raise ValueError(f"item {item}")
        time.sleep(0.01)
        return item

    found, before = [], threading.active_count()
    with pytest.raises(ValueError, match="item 2"):
        found.extend(mapped(work, range(9999), threads))
    assert found == [0, 1]
    assert len(begun) < 9999
    assert threading.active_count() == before


def test_what_fails_while_it_is_made_ahead_is_raised_in_its_turn():
    def items():
        yield 1
        raise ValueError("no more")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="no more"):
        next(coming)


def test_results_are_let_go_as_they_are_used():
    class Result:
        pass

    kept = []
    for each in mapped(lambda _: Result(), range(6), 2):
        kept.append(weakref.ref(each))
        del each
    assert [reference() for reference in kept] == [None] * 6


def test_where_there_are_no_threads_nothing_asks_for_one(monkeypatch):
    monkeypatch.setattr(package, "starts_threads", lambda: False)
    here = threading.current_thread()
    assert list(mapped(lambda _: threading.current_thread() is here, range(3), 4)) == [True] * 3
    assert list(ahead(threading.current_thread() is here for _ in range(3))) == [True] * 3


REFUSED = """
import threading

def refuse(_):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
"""
SEGMENTED = """
import sys, gmmseg

source, target, memory, threads = sys.argv[1:]
threads = None if threads == "all" else int(threads)
gmmseg.segment(source, k=3, features="lab,texture", memory=int(memory), threads=threads).save(target)
"""


@pytest.mark.slow
@pytest.mark.parametrize("memory", [1 << 30, 1 << 20], ids=["in memory", "window by window"])
@pytest.mark.parametrize("name", ["labels.png", "labels.tif"])
def test_a_system_without_threads_gets_the_same_labels(pictures, tmp_path, name, memory):
    with Pillow.open(pictures / "coffee.png") as picture:
        tifffile.imwrite(tmp_path / "scene.tif", np.asarray(picture), tile=(64, 64), compression="zlib")
    for folder, code, threads in (("usual", SEGMENTED, "2"), ("alone", REFUSED + SEGMENTED, "all")):
        (tmp_path / folder).mkdir()
        done = process("-c", code, tmp_path / "scene.tif", tmp_path / folder / name, str(memory), threads)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "usual" / name).read_bytes()


@pytest.mark.parametrize("threads", [0, -1, True, "2", 1.5])
def test_a_useless_number_of_threads_is_refused(threads):
    with pytest.raises(ValueError, match=rf"threads={threads!r}.*at least 1"):
        thread_count(threads)


def test_the_number_of_threads_is_the_one_asked_for():
    assert thread_count(3) == 3
    assert thread_count(np.int64(2)) == 2
    assert thread_count(None) >= 1


@pytest.mark.parametrize("threads", [1, 3])
def test_several_lists_go_through_the_same_threads(threads):
    with pooled(threads) as mapping:
        found = [list(mapping(lambda x: (x * x, threading.get_ident()), range(n))) for n in (4, 0, 7)]
    assert [[square for square, _ in each] for each in found] == [[x * x for x in range(n)] for n in (4, 0, 7)]
    used = {thread for each in found for _, thread in each}
    assert len(used) <= threads
    assert (threading.get_ident() in used) == (threads == 1)


@pytest.mark.parametrize("threads", [0, True, "2", 2.0, np.array([3]), np.zeros((2, 2)), np.ma.masked])
def test_what_is_no_number_of_threads_is_refused_on_one_line(threads):
    with pytest.raises(ParameterError, match=r"^threads=[^\n]* is not usable; use a whole number of at least 1$"):
        thread_count(threads)
