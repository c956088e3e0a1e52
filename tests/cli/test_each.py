"""Images one after the other: what is printed of each, and the exit code of all."""

import json
import re
import warnings
from pathlib import Path

import pytest

from gmmseg.cli.each import run_each
from gmmseg.cli.targets import Job
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io.temporary import temporary_folder

CLASSES = [
    {"label": 1, "name": "class 1", "share": 0.25, "color": None, "means": {"intensity": 3.0}},
    {"label": 2, "name": "class 2", "share": 0.75, "color": None, "means": {"intensity": 9.0}},
]


def done(job, progress, title, record):
    """What a command adds to the record of an image that went well."""
    outputs = {kind: str(path) for kind, path in job.outputs.items()}
    record |= {"outputs": outputs, "shape": [30, 30], "k": 2, "seconds": 0.5, "classes": CLASSES, "title": title}


@pytest.fixture
def jobs(folder):
    return [Job(Path(name), {"labels": Path(f"{name}_l.png")}) for name in ("photo.png", "scan.png")]


@pytest.fixture
def each(jobs, capsys):
    """Run work on both images: (work, ...) -> (exit code, stdout, stderr)."""

    def call(work, *, of=jobs, as_json=False, quiet=False, overwrite=False):
        code = run_each(of, work, overwrite=overwrite, as_json=as_json, quiet=quiet)
        return code, *capsys.readouterr()

    return call


def test_what_a_killed_run_left_beside_the_results_goes(each, jobs):
    with temporary_folder(Path()) as folder:
        own = folder.name
    gone = Path(re.sub(r"-\d+-\d+-", "-4194304-1-", own))  # of a process of a number that there cannot be
    gone.mkdir()
    (gone / "half.tif").touch()
    code, *_ = each(done, of=jobs[:1])
    assert (code, gone.exists()) == (0, False)


def test_each_image_has_its_line_and_its_table(each):
    code, out, err = each(done)
    assert (code, err) == (0, "")
    first, second = out.split("\n\n")
    assert first.splitlines() == [
        "wrote photo.png_l.png: 30 x 30 pixels, 2 classes, 0.50 s",
        "class   share  intensity",
        "    1  25.0 %       3.00",
        "    2  75.0 %       9.00",
    ]
    assert second.startswith("wrote scan.png_l.png: ")


def test_json_has_a_record_for_each_and_nothing_else_is_printed(each):
    code, out, _ = each(done, as_json=True)
    records = json.loads(out)
    assert code == 0
    assert [record["input"] for record in records] == ["photo.png", "scan.png"]
    assert [record["title"] for record in records] == ["photo.png (1 of 2)", "scan.png (2 of 2)"]
    assert records[0]["classes"] == CLASSES
    assert each(done, quiet=True) == (0, "", "")


def test_one_class_and_changes_are_said_in_words(each, jobs):
    def adapted(job, progress, title, record):
        done(job, progress, title, record)
        changes = {f"band {i}": {"gain": 1 + i / 10, "offset": -float(i)} for i in range(1, 11)}
        record |= {"k": 1, "classes": CLASSES[:1], "adapted": changes, "shape": [4, 5, 6]}

    _, out, _ = each(adapted, of=jobs[:1])
    first, second = out.splitlines()[:2]
    assert first == "wrote photo.png_l.png: 4 x 5 x 6 pixels, 1 class, 0.50 s"
    assert second.startswith("adapted: band 1 x 1.1 -1, band 2 x 1.2 -2, ")
    assert second.endswith("band 8 x 1.8 -8 and 2 more")


def test_what_goes_wrong_with_one_is_said_and_the_others_go_on(each, monkeypatch):
    monkeypatch.delenv("GMMSEG_DEBUG", raising=False)

    def fails(job, progress, title, record):
        if job.source.name == "photo.png":
            raise ZeroDivisionError("by zero")
        done(job, progress, title, record)

    code, out, err = each(fails)
    assert code == 3
    assert out.startswith("wrote scan.png_l.png")
    assert err.startswith("gmmseg: error: photo.png: unexpected ZeroDivisionError (by zero); please report this")
    record = json.loads(each(fails, as_json=True)[1])[0]
    assert record["input"] == "photo.png"
    assert record["error"].startswith("photo.png: unexpected ZeroDivisionError")
    assert "outputs" not in record


@pytest.mark.parametrize(("error", "expected"), [(InputError("no image"), 1), (ParameterError("k=0"), 2)])
def test_the_exit_code_where_nothing_went_well(each, error, expected):
    def fails(job, progress, title, record):
        raise error

    code, out, err = each(fails)
    assert (code, out) == (expected, "")
    assert err == f"gmmseg: error: {error}\n" * 2


def test_inputs_and_targets_are_looked_at_before_any_work(each, jobs, folder):
    (folder / "scan.png_l.png").touch()
    (folder / "photo.png").write_text("no picture")
    worked = []
    code, _, err = each(lambda job, *_: worked.append(job))
    assert (code, worked) == (1, [])
    assert "photo.png is named as a PNG file, but starts with text" in err
    assert "scan.png_l.png exists already" in err
    assert each(lambda job, *_: worked.append(job), overwrite=True)[0] == 3
    assert worked == jobs[1:]


def test_warnings_are_said_and_kept_with_their_image(each):
    def warns(job, progress, title, record):
        done(job, progress, title, record)
        if job.source.name == "scan.png":
            warnings.warn("scan.png: k=2 was used", DataWarning, stacklevel=1)

    code, out, err = each(warns, as_json=True)
    assert (code, err) == (0, "gmmseg: warning: scan.png: k=2 was used\n")
    assert [record["warnings"] for record in json.loads(out)] == [[], ["scan.png: k=2 was used"]]
