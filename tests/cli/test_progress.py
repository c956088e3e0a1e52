"""The line that says how far a command is, on a terminal and in a log."""

import io
import sys

from gmmseg.cli.progress import Count


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
