"""The line that says how far a command is, on a terminal and in a log."""

import io
import json
import sys

import pytest
from terminals import Terminal

from gmmseg.cli.group import GROUP
from gmmseg.cli.overview import COMMANDS
from gmmseg.cli.progress import Count, Progress


def test_logs_get_a_line_now_and_then(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("gmmseg.cli.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    count = Count(200, "images")
    for _ in range(100):
        now[0] += 2
        count.add(1)
    said = sys.stderr.getvalue().splitlines()
    assert len(said) == 6
    assert said[0] == "gmmseg: 15 of 200 images, 30.0 a minute, 6 min 10 s left"


@pytest.fixture
def clock(monkeypatch):
    """Set the time: a list whose only number it is."""
    now = [1000.0]
    monkeypatch.setattr("gmmseg.cli.progress.time.monotonic", lambda: now[0])
    return now


def test_a_line_is_rewritten_on_a_terminal_and_erased(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress()
    progress.clear()
    assert terminal.getvalue() == ""  # there was nothing to erase
    progress.stage("a.png", "reading")
    for done in range(1, 5):
        clock[0] += 0.01
        progress(done, 4)
    assert terminal.getvalue().split("\r\x1b[K")[1:] == [
        "a.png: reading",
        "a.png: labelling [######..................] 25 %",
        "a.png: labelling [########################] 100 %",  # those between came too soon
    ]
    progress.clear()
    assert terminal.getvalue().endswith("100 %\r\x1b[K")


def test_a_line_is_no_wider_than_the_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "10")
    Progress().show("0123456789abc")
    assert terminal.getvalue() == "\r\x1b[K456789abc"


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_shown_where_nobody_watches(monkeypatch, quiet):
    stream = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress(quiet=quiet)
    progress.stage("a.png", "reading")
    progress(1, 1)
    progress.clear()
    assert stream.getvalue() == ""


def test_what_is_left_is_said_in_hours_minutes_and_seconds(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    count = Count(1000, "images")
    for seconds, expected in ((2, "500 of 1000 images, 250.0 a second, 2 s left"), (7198, "501 of 1000 images")):
        clock[0] += seconds
        count.add(500 if seconds == 2 else 1)
        assert expected in terminal.getvalue()
    assert terminal.getvalue().endswith("4.2 a minute, 1 h 59 min left")


@pytest.mark.parametrize("quiet", [True, False])
def test_programs_get_an_object_a_line(monkeypatch, clock, quiet):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress(quiet=quiet, style="json")
    progress.stage("ä.png", "reading")
    for done in range(1, 4):
        clock[0] += 0.01
        progress(done, 3)
    progress.clear()
    count = Count(2, "images", quiet=quiet, style="json")
    clock[0] += 1.5
    count.add(2)
    count.clear()
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"image": "ä.png", "stage": "reading"},
        {"image": "ä.png", "stage": "labelling", "done": 1, "total": 3},
        {"image": "ä.png", "stage": "labelling", "done": 3, "total": 3},  # that between came too soon
        {"stage": "images", "done": 2, "total": 2, "seconds": 1.5},
    ]


def test_a_command_says_its_stages(run):
    done = run("segment", "scan.png", "-k", 2, "--quiet", "--progress", "json")
    stages = [json.loads(line) for line in done.err.splitlines()]
    assert [each["stage"] for each in stages] == ["reading", "fitting", "labelling", "writing"]
    assert {each["image"] for each in stages} == {"scan.png"}
    assert done.out == ""


def test_every_command_that_draws_progress_prints_it_for_programs():
    for name, (module, _) in COMMANDS.items():
        command = GROUP.get_command(None, name)
        draws = {"Progress", "Count", "run_each"} & vars(sys.modules[module]).keys()
        assert ("progress" in {each.name for each in command.params}) == bool(draws), name
