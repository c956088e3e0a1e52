"""Batches over a cluster: the files and the manifest of local processes, and nothing of a worker that is cut off."""

import os
import signal
from pathlib import Path

import pytest
from batches import lines, reasons, results
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch import plan, run
from gmmseg.batch.answering import answer
from gmmseg.errors import GmmsegError

distributed = pytest.importorskip("distributed")

from gmmseg.batch.cluster import Cluster, connected  # noqa: E402  # after it is known that it is installed
from gmmseg.batch.cluster_crew import ClusterCrew, _answered  # noqa: E402  # as above

CHANGING = ("seconds", "peak_mib", "mtime")


@pytest.fixture(scope="module")
def cluster():
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0") as known:
        yield Cluster(known)


def told(folder="labels"):
    """What a manifest says of each image, but for what differs from run to run."""
    each = [{name: value for name, value in line.items() if name not in CHANGING} for line in lines(folder)]
    return sorted(each, key=lambda line: line["input"])


def test_labels_and_manifest(scenes, cluster):
    Pillow.new("L", (64, 48), 1).save("mask.png")
    made = plan("scenes/deep/*.*", "labels", parameters={"k": 3}, reading={"mask": Path("mask.png")}, outputs=["model"])
    said = []
    done = run(made, cluster=cluster, report=said.append)
    assert done == said == lines()
    assert sorted(results()) == [
        f"{name}_{kind}" for name in ("Zürich", "a") for kind in ("labels.png", "model.gmm.json")
    ]
    expected = gmmseg.segment("scenes/deep/a.png", 3, mask=Path("mask.png")).labels
    with Pillow.open("labels/a_labels.png") as picture:
        assert picture.tobytes() == expected.tobytes()
    again = plan(
        "scenes/deep/*.*", "labels", parameters={"k": 3}, reading=made.task.reading, outputs=["model"], resume=True
    )
    assert not again.todo


@pytest.mark.slow
def test_all_is_as_of_local_processes(scenes, cluster):
    (scenes / "b.png").write_bytes((scenes / "a.png").read_bytes()[:200])
    Path("masks").mkdir()
    for path in scenes.rglob("*.*"):
        Pillow.new("L", (64, 48), 1).save(Path("masks", path.stem + ".png"))
    how = {
        "parameters": {"k": 2},
        "reading": {"mask": Path("masks/{name}.png")},
        "outputs": ["soft", "table", "style"],
    }
    run(plan(scenes, "labels", **how))
    run(plan(scenes, "others", **how), cluster=cluster)
    assert results("others") == results("labels")
    ours, theirs = told("others"), told()
    failed = [line.pop("error")["message"] for line in (ours[1], theirs[1])]
    assert ours == theirs
    assert all("scenes/b.png is damaged or cut short" in message for message in failed)


def test_resuming_does_what_is_missing(scenes, cluster):
    how = {"parameters": {"k": 2}}
    run(plan("scenes/deep", "labels", **how), cluster=cluster)
    whole = results()
    Path("labels/a_labels.png").unlink()
    again = plan("scenes/deep", "labels", **how, resume=True)
    assert list(reasons(again)) == ["scenes/deep/a.png"]
    run(again, cluster=cluster)
    assert results() == whole


def test_a_worker_that_is_cut_off_writes_no_result(scenes, cluster, monkeypatch):
    """The run is gone, by whatever failed, when a worker comes to write: other results may be there by then."""
    late = []

    def cut_off(job):
        late.append(job)
        raise ConnectionError("cut off")

    monkeypatch.setattr("gmmseg.batch.answering.answer", cut_off)
    made = plan("scenes/a.png", "labels", parameters={"k": 2})
    with pytest.raises(GmmsegError, match=r"a worker cannot take images \(cut off\); install gmmseg"):
        run(made, cluster=cluster)
    assert "error" not in answer(late[0])["line"]
    assert not Path("labels/a_labels.png").exists()
    assert lines() == []


def test_a_link_keeps_pointing_where_it_points(scenes, cluster):
    Path("labels/kept").mkdir(parents=True)
    Path("labels/kept/first.png").touch()
    Path("labels/a_labels.png").symlink_to("kept/first.png")
    run(plan("scenes/a.png", "labels", parameters={"k": 2}, overwrite=True), cluster=cluster)
    assert Path("labels/a_labels.png").is_symlink()
    with Pillow.open("labels/kept/first.png") as picture:
        assert picture.size == (64, 48)


def of_another_version(job):
    return _answered({**job, "line": {"version": "0.0"}})


def on_another_disk(job):
    return _answered({**job, "folder": "/none"})


@pytest.mark.parametrize(
    ("there", "words"),
    [(of_another_version, "has gmmseg"), (on_another_disk, "does not see the folder of the results, /none; share it")],
)
def test_workers_that_cannot_work_stop_the_batch(tmp_path, cluster, there, words, monkeypatch):
    monkeypatch.setattr("gmmseg.batch.cluster_crew._answered", there)
    job = {"line": {"version": gmmseg.__version__}}
    with ClusterCrew(cluster, 1, tmp_path) as crew, pytest.raises(GmmsegError, match=f"cannot take images .*{words}"):
        list(crew.work([("a", job)]))
    assert list(tmp_path.iterdir()) == []


def dying(name):
    """Return what makes a worker, not the one that replaces it, kill itself when it begins an image."""

    def prepare():  # sent as it is, because a worker has no tests to import
        import gmmseg.batch.answering as answering

        real = answering.process

        def process(source, *rest, **more):
            if source.name == name:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(source, *rest, **more)

        answering.process = process

    return prepare


@pytest.mark.slow
def test_an_image_that_kills_its_worker_is_tried_again(scenes):
    said = []
    with connected(workers=1) as cluster:
        cluster.client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
        cluster.client.run(dying("b.png"))
        done = run(plan("scenes/[ab].png", "labels", parameters={"k": 2}), cluster=cluster, report=said.append)
    first, last = [line for line in said if line["input"] == "scenes/b.png"]
    assert "the process that worked on it was lost with its worker" in first["error"]["message"]
    assert first["retry"] is True
    assert said[-1] is last
    assert [line for line in done if "error" in line] == []
    assert len(lines()) == len(results()) == 2
