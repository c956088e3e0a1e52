"""Tables of classes: how they are cut, and where they have colours."""

import json
import math
import sys

import numpy as np
from terminals import Terminal

import gmmseg
from gmmseg.cli.table import class_table, classes_of, finite, pairs
from gmmseg.image import Image


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
    options = ("wide.npy", "-k", 2, "--channel-axis", -1, "--features", "bands", "--overwrite")
    finished = run("segment", *options)
    assert finished.out.splitlines()[-1] == "... and 8 more features; --json prints all"
    assert len(record_of(run("segment", *options, "--json"))["classes"][0]["means"]) == 20


def one(label, share, means, **more):
    return {"label": label, "name": f"class {label}", "share": share, "color": None, "means": means} | more


def test_columns_are_aligned_and_rounded_to_what_can_be_compared():
    classes = [
        one(1, 0.0003, {"a": 0.001234, "b": 12345.6, "c": 1e-9}),
        one(2, 0.9997, {"a": -0.5, "b": 2.0, "c": None}),
    ]
    assert class_table(classes).splitlines() == [
        "class    share       a      b      c",
        "    1   <0.1 %   0.001  12346  1e-09",
        "    2  100.0 %  -0.500      2      -",
    ]


def test_names_and_colours_are_shown_where_there_are_any():
    classes = [
        one(1, 0.5, {}, name="water\x1b[31m", color="#0000ff"),
        one(2, 0.0, {}, color="#ffffff"),
        one(3, 0.5, {}),
    ]
    header, *rows = class_table(classes).splitlines()
    assert header.split() == ["class", "name", "share", "colour"]
    assert "\x1b" not in rows[0]
    assert rows[0].endswith("#0000ff")
    assert [row.split()[-1] for row in rows[1:]] == ["-", "-"]  # a class without pixels has no colour


def test_small_things_that_are_printed():
    assert [finite(each) for each in (1.5, math.nan, math.inf)] == [1.5, None, None]
    assert pairs([("a", 1), ("long name", "x\ny")]) == "a          1\nlong name  x\\ny"
    assert pairs([]) == ""


def test_the_color_of_the_map_stands_before_the_mean(monkeypatch):
    classes = [one(1, 0.25, {}, color="#0a0b0c", map_color="#0072b2"), one(2, 0.75, {}, map_color="#e69f00")]
    assert [line.split() for line in class_table(classes).splitlines()] == [
        ["class", "share", "map", "colour"],
        ["1", "25.0", "%", "#0072b2", "#0a0b0c"],
        ["2", "75.0", "%", "#e69f00", "-"],
    ]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    header, first, second = class_table(classes).splitlines()
    assert first.startswith("\x1b[48;2;0;114;178m  \x1b[0m  \x1b[48;2;10;11;12m  \x1b[0m  ")
    assert second.startswith("\x1b[48;2;230;159;0m  \x1b[0m      ")
    assert header.startswith(" " * 8)


def test_sizes_stand_beside_shares():
    classes = [one(1, 0.25, {}, pixels=1, area_ha=0.5), one(2, 0.75, {}, pixels=3, area_ha=1.5)]
    assert class_table(classes).splitlines()[:2] == ["class   share  area_ha", "    1  25.0 %     0.50"]


def spectrum_of(names):
    """What is shown of a spectrum: the titles, the numbers and what is said of the rest."""
    facts = one(1, 1.0, {"component 1": 3.0}, spectrum={name: float(i) for i, name in enumerate(names)})
    header, row, *rest = class_table([facts]).splitlines()
    return header.split("  ")[1:], row.split()[3:], rest


def test_a_spectrum_is_shown_at_round_wavelengths():
    titles, values, rest = spectrum_of([f"{400.0 + 10.5 * i:.2f} Nanometers" for i in range(200)])
    assert [title for title in titles if "nm" in title] == [
        "599.50 nm", "904.00 nm", "1198.00 nm", "1502.50 nm", "1796.50 nm", "2101.00 nm", "2395.00 nm",
    ]  # fmt: skip
    assert values == ["19.0", "48.0", "76.0", "105.0", "133.0", "162.0", "190.0"]
    assert rest == ["... and 193 more channels; --json prints all"]
    titles, _, _ = spectrum_of([f"b{i} ({0.4 + 0.01 * i:.2f} um)" for i in range(60)])
    assert [title.strip() for title in titles][-6:] == [f"b{i} (0.{40 + i} um)" for i in range(0, 60, 10)]


def test_a_spectrum_without_wavelengths_is_shown_evenly():
    _, values, _ = spectrum_of([f"{chr(97 + i)}/band" for i in range(22)])
    assert [float(each) for each in values] == [0, 3, 6, 9, 12, 15, 18, 21]
    _, values, rest = spectrum_of(["a", "b"])
    assert ([float(each) for each in values], rest) == ([0, 1], [])


def test_a_band_that_never_had_a_number_is_not_shown():
    spectrum = {f"{n} nm": None if n == 500 else float(n) for n in range(400, 700, 10)}
    header, row = class_table([one(1, 1.0, {}, spectrum=spectrum)]).splitlines()[:2]
    assert "500 nm" not in header
    assert row.split()[3:] == ["400.0", "450.0", "490.0", "550.0", "600.0", "650.0"]


def test_classes_of_a_model_have_spectra_where_they_have_components(rng):
    level = np.repeat([100.0, 500.0], 200).reshape(20, 20, 1) * np.linspace(1, 2, 20)
    names = tuple(f"{n} nm" for n in range(400, 420))
    model = gmmseg.fit(Image(level + rng.normal(0, 2, level.shape), channel_names=names), 2)
    for facts, factor in zip(classes_of(model), (100, 500), strict=True):
        np.testing.assert_allclose(list(facts["spectrum"].values()), factor * np.linspace(1, 2, 20), atol=2)
    assert "spectrum" not in classes_of(gmmseg.fit(level[..., :3], 2, channel_axis=2))[0]
