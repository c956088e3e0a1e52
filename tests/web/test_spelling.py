"""Commands are spelled so that the program understands them, and read back they are what was spelled."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import ParameterError
from gmmseg.cli.group import GROUP
from gmmseg.web.log import Log
from gmmseg.web.spelling import EXPORTS, Spelling, as_text, step_of
from gmmseg.web.work import Work

SPELLING = Spelling("my photo.jpg", "my photo")
STROKE = {"do": "stroke", "class": 1, "size": 2, "points": [[1, 1]]}
OPTIONS = st.fixed_dictionaries(
    {"k": st.integers(4, 255)},
    optional={
        "smooth": st.floats(0, 1) | st.just("auto"),
        "features": st.sampled_from(["lab", "lab,xy:0.5", "rgb"]),
        "covariance": st.sampled_from(["full", "diag"]),
        "bias_field": st.booleans(),
        "sample": st.integers(1, 10**6) | st.just("all"),
        "seed": st.integers(0, 99),
        "min_size": st.sampled_from([20, "2mm2"]),
        "outliers": st.just("student"),
    },
)
WORKS = st.builds(
    Work,
    OPTIONS,
    st.sampled_from([(), (STROKE,)]),
    st.dictionaries(st.integers(1, 4), st.sampled_from(["sea", 'it\'s "wide"', "Gebäude 1"])),
    groups=st.sampled_from([(), ((1, 2),), ((1, 4), (2, 3))]),
)
CUTS = st.builds(
    Work,
    st.fixed_dictionaries({"k": st.just(4), "detail": st.floats(0, 1)}, optional={"min_size": st.just(20)}),
    groups=st.sampled_from([(), ((1, 300),), ((1, 4), (2, 3))]),
    dropped=st.sampled_from([frozenset(), frozenset([5, 700])]),
)


@given(WORKS)
def test_a_pasted_command_is_what_was_copied(work):
    log = Log("my photo.jpg")
    for step in work.strokes:
        log = log.do(step)
    pasted = log.do(step_of(as_text(SPELLING.commands(work)), SPELLING)).work
    assert pasted.parameters == work.parameters | ({"smooth": True} if work.options.get("smooth") == "auto" else {})
    assert (pasted.groups, pasted.class_names, pasted.drawn) == (work.groups, work.class_names, work.drawn)
    assert as_text(SPELLING.commands(pasted)) == as_text(SPELLING.commands(work))


@given(CUTS)
def test_regions_are_pasted_as_they_were_copied(work):
    text = as_text(SPELLING.commands(work))
    assert Log("my photo.jpg").do(step_of(text, SPELLING)).work == work
    assert text.startswith("gmmseg regions 'my photo.jpg' --detail ")


@given(CUTS, st.sampled_from(["labels", "geotiff", "coco", "masks"]), st.booleans())
def test_the_program_understands_commands_of_regions(work, kind, overwrite):
    first, *others = SPELLING.commands(work, kind, overwrite=overwrite)
    with GROUP.get_command(None, "regions").make_context("regions", first[1:]) as context:
        assert context.params["detail"] == work.detail
    for command in others:
        with GROUP.get_command(None, command[0]).make_context(command[0], command[1:]) as context:
            assert context.params["overwrite"] is overwrite


def test_regions_have_no_probabilities():
    with pytest.raises(ParameterError, match="export='soft' is of classes"):
        SPELLING.commands(Work({"k": 4, "detail": 0.5}), "soft")


@given(WORKS, st.sampled_from(EXPORTS), st.booleans())
def test_the_program_understands_every_command(work, kind, overwrite):
    for command in SPELLING.commands(work, kind, classes=[1], overwrite=overwrite):
        parser = GROUP.get_command(None, command[0])
        with parser.make_context(command[0], command[1:]) as context:
            assert context.params["overwrite"] is overwrite


@given(WORKS)
def test_the_program_takes_the_options_for_what_they_are(work):
    from gmmseg.cli.shared import fitting_parameters

    command = SPELLING.commands(work)[0]
    with GROUP.get_command(None, "segment").make_context("segment", command[1:]) as context:
        taken = fitting_parameters(context)
    for name, value in work.parameters.items():
        assert taken[name] == value


@pytest.mark.parametrize(
    "text",
    [
        "gmmseg segment 'my photo.jpg' -k3 --no-smooth",
        "gmmseg segment -k=3 --smooth=0 'my photo.jpg' -q --overwrite -o x.png",
        "gmmseg segment \\\n 'my photo.jpg' \\\n -k 3 --smooth 0.0",
    ],
)
def test_other_ways_to_type_it(text):
    assert step_of(text, SPELLING)["options"] == {"k": 3, "smooth": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gmmseg regions 'my photo.jpg' -n 12", "does not know the option -n"),
        ("gmmseg segment 'my photo.jpg' --detail 0.5", "does not know the option --detail"),
        ("", "only 'gmmseg segment"),
        ("rm -rf /", "only 'gmmseg segment"),
        ("gmmseg segment 'my photo.jpg' -k 3 ; rm -rf /", "only 'gmmseg segment"),
        ("gmmseg segment other.jpg -k 3", "of other.jpg, not of my photo.jpg"),
        ("gmmseg segment -k 3", "of no image"),
        ("gmmseg segment 'my photo.jpg' -k", "value is missing"),
        ("gmmseg segment 'my photo.jpg", "cannot be read"),
        ("gmmseg segment 'my photo.jpg' --scribbles /etc/passwd", "not the strokes"),
        ("gmmseg segment 'my photo.jpg' --model a.json", "does not know the option --model"),
    ],
)
def test_what_is_not_taken(text, message):
    with pytest.raises(ParameterError, match=message):
        step_of(text, SPELLING)


def test_a_cut_out_is_of_all_classes_that_are_one():
    (command,) = SPELLING.commands(Work(groups=((1, 3),)), "cutout", classes=[3])
    assert command[command.index("--class") + 1] == "1,3"
    with pytest.raises(ParameterError, match="no class is chosen"):
        SPELLING.commands(Work(), "cutout")
    with pytest.raises(ParameterError, match="is not known"):
        SPELLING.commands(Work(), "pdf")


def test_text_is_for_a_shell():
    assert shlex.split(as_text(SPELLING.commands(Work())))[:3] == ["gmmseg", "segment", "my photo.jpg"]
