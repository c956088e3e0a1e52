"""Tables of classes: how they are cut, and where they have colours."""

import json
import sys

import numpy as np
from terminals import Terminal


def record_of(finished):
    assert finished.code == 0, finished
    (record,) = json.loads(finished.out)
    return record


def test_swatches_only_on_colour_terminals(run, monkeypatch):
    for name, value, colored in (("NO_COLOR", "", True), ("NO_COLOR", "1", False), ("TERM", "dumb", False)):
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm")
            patch.setenv(name, value)
            terminal = Terminal()
            patch.setattr(sys, "stdout", terminal)
            assert run("segment", "photo.png", "-k", 2, "--overwrite").code == 0
        assert ("\x1b[48;2;" in terminal.getvalue()) is colored
    assert "class" in terminal.getvalue()


def test_wide_tables_are_cut_and_json_is_not(run):
    np.save("wide.npy", np.random.default_rng(0).random((12, 12, 20), np.float32))
    options = ("wide.npy", "-k", 2, "--channel-axis", -1, "--covariance", "diag", "--overwrite")
    finished = run("segment", *options)
    assert finished.out.splitlines()[-1] == "... and 8 more features; --json prints all"
    assert len(record_of(run("segment", *options, "--json"))["classes"][0]["means"]) == 20
