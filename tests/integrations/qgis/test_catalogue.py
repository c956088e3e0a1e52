"""What the plugin of QGIS offers becomes commands that the program takes."""

import click
import pytest

from gmmseg.cli.group import GROUP
from gmmseg.integrations.qgis.catalogue import ALGORITHMS, Parameter

BY_NAME = {each.name: each for each in ALGORITHMS}

# A value of each kind that the command line takes.
EXAMPLES = {
    "raster": "/maps/a.tif",
    "rasters": ["/maps/a.tif", "/maps/b.tif"],
    "file": "/maps/land.gmm.json",
    "raster out": "/maps/out.tif",
    "vector out": "/maps/out.gpkg",
    "file out": "/maps/out.json",
    "flag": True,
    "whole": 3,
    "number": 0.5,
    "text": "2",
}


def example(each):
    if each.name == "FEATURES":
        return "lab"
    return each.choices[-1] if each.kind == "choice" else EXAMPLES[each.kind]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda each: each.name)
@pytest.mark.parametrize("everything", [True, False])
def test_the_program_takes_every_option(algorithm, everything):
    given = [each for each in algorithm.parameters if everything or not each.optional]
    name, *arguments = algorithm.arguments({each.name: example(each) for each in given})
    root = click.Context(GROUP, **GROUP.context_settings)
    command = GROUP.get_command(root, name)
    context = command.make_context(name, arguments, root)
    assert [context.params[each] for each in ("overwrite", "progress") if each in context.params]
    written = {each.kind for each in algorithm.parameters if each.is_output}
    assert context.params.get("as_json", False) == (not written)


def test_a_segmentation_has_its_style_beside_it():
    values = {"INPUT": "/a b/in.tif", "K": "auto", "COVARIANCE": "full", "OUTPUT": "/a b/out.tif", "SMOOTH": 0.25}
    assert BY_NAME["segment"].arguments(values) == [
        *("segment", "/a b/in.tif", "-k", "auto", "--covariance", "full", "--smooth", "0.25", "-o", "/a b/out.tif"),
        *("--style", "/a b/out.qml", "--overwrite", "--progress", "json"),
    ]


def test_places_come_in_the_order_of_the_command():
    values = {"INPUT": "in.tif", "MODEL": "m.json", "OUTPUT": "out.tif", "ADAPT": False}
    assert BY_NAME["apply"].arguments(values)[:3] == ["apply", "m.json", "in.tif"]
    assert "--adapt=each" not in BY_NAME["apply"].arguments(values)
    assert BY_NAME["fit"].arguments({"INPUTS": ["a", "b"], "K": "3"})[:5] == ["fit", "a", "b", "-k", "3"]


@pytest.mark.parametrize(("file", "to"), [("a.gpkg", "gpkg"), ("a.GeoJSON", "geojson"), ("a.json", "geojson")])
def test_polygons_are_of_the_format_that_the_suffix_says(file, to):
    arguments = BY_NAME["export"].arguments({"LABELS": "l.tif", "OUTPUT": file})
    assert arguments[arguments.index("--to") + 1] == to


@pytest.mark.parametrize("value", [None, "", False])
def test_what_is_left_out_is_not_said(value):
    assert Parameter("A", "text", "A", "--a").words(value) == []


def test_names_are_those_that_scripts_may_rely_on():
    assert list(BY_NAME) == ["segment", "fit", "apply", "regions", "choosek", "measure", "export"]
    for each in ALGORITHMS:
        names = [parameter.name for parameter in each.parameters]
        assert len(set(names)) == len(names)
        assert all(name == name.upper() for name in names)
