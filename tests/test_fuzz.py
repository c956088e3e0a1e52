"""The fuzzer finds what is planted, and its mutants can be made again."""

import sys
from pathlib import Path

import planted_faults
import pytest

from gmmseg.io import read, read_info, read_labels, read_probabilities

SCRIPTS = Path(__file__).parents[1] / "scripts"
if not SCRIPTS.is_dir():
    pytest.skip("archives of releases have no scripts", allow_module_level=True)
if sys.platform != "linux":
    pytest.skip("the fuzzer watches processes as Linux shows them", allow_module_level=True)
sys.path.append(str(SCRIPTS))

import fuzz  # noqa: E402
from fuzzing.calls import CALLS, Failure, calls_of  # noqa: E402
from fuzzing.seeds import KINDS, ODD, Case, make_seeds  # noqa: E402
from fuzzing.watching import Limits, Worker  # noqa: E402

PLANTED = {
    name: call for name, call in vars(planted_faults).items() if getattr(call, "__module__", "") == "planted_faults"
}
LIMITS = Limits(seconds=2, wait=10, memory=300 << 20)


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    made = Worker(tmp_path_factory.mktemp("fuzz") / "w", LIMITS, PLANTED)
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("refuses", None),
        ("divides", "ZeroDivisionError"),
        ("speaks_lines", "message"),
        ("speaks_long", "message"),
        ("unpickles", "forbidden"),
        pytest.param("hangs", "hang", marks=pytest.mark.slow),
        pytest.param("computes", "hang", marks=pytest.mark.slow),
        ("dies", "SIGSEGV"),
        ("leaves", "exit 3"),
        pytest.param("grows", "memory", marks=pytest.mark.slow),
    ],
)
def test_planted_faults_are_found(worker, name, kind):
    path = worker.folder / "a.png"
    path.touch()
    found = worker.ask(name, path)
    assert (found and found.kind) == kind
    assert worker.runs == (kind not in ("hang", "SIGSEGV", "exit 3", "memory"))
    if kind == "ZeroDivisionError":
        assert "in divides" in found.text
    assert worker.ask("refuses", path) is None  # whatever happened before


def test_what_is_done_beside_reading_is_found(tmp_path):
    calls = dict(zip(calls_of("png"), ("looks_around", "calls_home", "litters", "refuses", "removes"), strict=True))
    worker = Worker(tmp_path / "w", LIMITS, {name: PLANTED[planted] for name, planted in calls.items()})
    guard = fuzz.Guard(worker, b"not of your concern")
    try:
        found = [
            (calls[name], failure.kind) for name, failure in guard.examine(Case("png", "a", {"a": fuzz.PORT}, "a"))
        ]
    finally:
        guard.close()
    seen = [("looks_around", "outside")] if guard.outside.is_seen else []
    assert found == [
        *seen,
        ("calls_home", "forbidden"),
        ("calls_home", "network"),
        ("litters", "files"),
        ("removes", "files"),
    ]


def test_the_first_of_a_kind_is_kept(tmp_path, capsys):
    found = fuzz.Found(tmp_path)
    failure = Failure("KeyError", "io/reading.py, read", "Traceback:\n  ...\nKeyError: 1")
    for number in range(3):
        found.add(Case("series", f"{number}", {"x/a": b"damaged", "b": b""}, "."), "info", failure)
    found.report()
    assert "3  series      KeyError            io/reading.py, read" in capsys.readouterr().out
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    name = "series/KeyError-io.reading.py_read-0"
    assert kept == [f"{name}.txt", f"{name}/b", f"{name}/x/a"]
    assert (tmp_path / name / "x" / "a").read_bytes() == b"damaged"
    assert "KeyError: 1" in (tmp_path / f"{name}.txt").read_text()


def test_mutants_can_be_made_again():
    seeds, again = make_seeds(("png", "npy", "vrt")), make_seeds(("png", "npy", "vrt"))
    made = [fuzz.mutant(seeds, number, seed=3) for number in range(60)]
    assert made == [fuzz.mutant(again, number, seed=3) for number in range(60)]
    assert made != [fuzz.mutant(seeds, number, seed=4) for number in range(60)]
    assert len({str(each.files) for each in made}) > 50
    whole = [each.files for each in fuzz.cases(seeds)]
    assert sum(each.files in whole for each in made) < 6


def test_one_format_alone_has_the_mutants_that_it_has_among_others():
    seeds = make_seeds(("gif", "bmp"))
    alone = {"bmp": seeds["bmp"]}
    for number in range(20):
        together = fuzz.mutant(seeds, 2 * number + 1, seed=0)
        assert together.name == fuzz.mutant(alone, number, seed=0).name


@pytest.mark.slow
def test_seeds_of_all_formats_are_the_same_each_time():
    seeds = make_seeds()
    assert seeds == make_seeds()
    assert tuple(seeds) == KINDS
    assert all(set(calls_of(kind)) <= set(CALLS) for kind in KINDS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* is animated", "ignore:.* does not say what its 3 pages are")
@pytest.mark.filterwarnings("ignore:.* is shown turned or mirrored")
@pytest.mark.parametrize("kind", KINDS)
def test_seeds_are_images(kind, tmp_path):
    reader = {"seg": read_labels, "prior": read_probabilities, "model": CALLS["apply"]}.get(kind, read)
    usual = [case for case in make_seeds((kind,))[kind] if not case.name.startswith(ODD)]
    assert usual or kind == "text"
    for number, case in enumerate(usual):
        fuzz.write(case, tmp_path / f"{number}")
        path = tmp_path / f"{number}" / case.path
        reader(path)
        if kind != "model":
            assert read_info(path)["format"]


@pytest.mark.slow
def test_a_run_from_the_command_line(tmp_path, capsys):
    assert fuzz.main(["--only", "bmp", "--mutants", "10", "--jobs", "1", "--keep", str(tmp_path / "kept")]) == 0
    assert "15 files in" in capsys.readouterr().out
    assert not (tmp_path / "kept").exists()
