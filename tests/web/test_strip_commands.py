"""Commands of a strip are such as the program understands, and read back they are what was spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import ParameterError
from gmmseg.cli.group import GROUP
from gmmseg.web.log import Log
from gmmseg.web.spelling import as_text
from gmmseg.web.strip_commands import StripCommands
from gmmseg.web.work import Work

COMMANDS = StripCommands(("my scans", "b.png"), "my scans")
WORKS = st.builds(
    Work,
    st.fixed_dictionaries(
        {"k": st.integers(4, 255)},
        optional={
            "smooth": st.floats(0, 1) | st.just("auto"),
            "features": st.sampled_from(["lab", "lab,xy:0.5", "rgb"]),
            "covariance": st.sampled_from(["full", "diag"]),
            "sample": st.integers(1, 10**6) | st.just("all"),
            "seed": st.integers(0, 99),
            "min_size": st.sampled_from([20, "2mm2"]),
            "outliers": st.just("student"),
        },
    ),
    names=st.dictionaries(st.integers(1, 4), st.sampled_from(["sea", 'it\'s "wide"', "Gebäude 1"])),
    groups=st.sampled_from([(), ((1, 2),), ((1, 4), (2, 3))]),
)


@given(WORKS)
def test_a_pasted_command_is_what_was_copied(work):
    text = as_text(COMMANDS.commands(work))
    pasted = Log("my scans").do(COMMANDS.step_of(text)).work
    assert pasted.parameters == work.parameters | ({"smooth": True} if work.options.get("smooth") == "auto" else {})
    assert (pasted.groups, pasted.options.get("min_size")) == (work.groups, work.options.get("min_size"))
    assert as_text(COMMANDS.commands(pasted)) == text


@given(WORKS, st.booleans())
def test_the_program_takes_the_options_for_what_they_are(work, overwrite):
    from gmmseg.cli.shared import fitting_parameters

    commands = COMMANDS.commands(work, overwrite=overwrite)
    assert [each[0] for each in commands] == ["fit", *(["relabel"] if work.groups else []), "apply"]
    for command in commands:
        with GROUP.get_command(None, command[0]).make_context(command[0], command[1:]) as context:
            assert context.params["overwrite"] is overwrite
            if command[0] == "fit":
                taken = fitting_parameters(context)
                assert [str(each) for each in context.params["images"]] == ["my scans", "b.png"]
            elif command[0] == "apply":
                assert (context.params["min_size"] is None) == ("min_size" not in work.options)
    for name, value in work.parameters.items():
        assert taken[name] == value


@pytest.mark.parametrize(
    "text",
    [
        "gmmseg fit 'my scans' b.png -k3 --no-smooth",
        "gmmseg fit -k=3 --smooth=0 'my scans' b.png -q --overwrite -o other.gmm.json",
        "gmmseg fit 'my scans' b.png -k 3 --smooth 0 && gmmseg apply x.json 'my scans' b.png --out-dir x",
    ],
)
def test_other_ways_to_type_it(text):
    assert COMMANDS.step_of(text)["options"] == {"k": 3, "smooth": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "only 'gmmseg fit IMAGES"),
        ("rm -rf /", "only 'gmmseg fit IMAGES"),
        ("gmmseg fit 'my scans' b.png ; rm -rf /", "only 'gmmseg fit IMAGES"),
        ("gmmseg apply x.json 'my scans' b.png", "only 'gmmseg fit IMAGES"),
        ("gmmseg segment 'my scans' -k 3", "only 'gmmseg fit IMAGES"),
        ("gmmseg fit 'my scans' -k 3", "is of my scans, not of my scans b.png"),
        ("gmmseg fit 'my scans' b.png && gmmseg apply x.json /etc", "is of /etc, not of my scans b.png"),
        ("gmmseg fit -k 3", "is of no image, not of"),
        ("gmmseg fit 'my scans' b.png --scribbles s.png", "does not know the option --scribbles"),
        ("gmmseg fit 'my scans' b.png --min-size 4", "does not know the option --min-size"),
        ("gmmseg fit 'my scans' b.png && gmmseg apply x.json 'my scans' b.png -k 3", "does not know the option -k"),
        ("gmmseg fit 'my scans' b.png -k", "value is missing"),
    ],
)
def test_what_is_not_taken(text, message):
    with pytest.raises(ParameterError, match=message):
        COMMANDS.step_of(text)


@pytest.mark.parametrize(
    ("work", "named"),
    [
        (Work({"k": 3, "detail": 0.5}), "regions are of single pictures, not of the images of my scans"),
        (Work(strokes=({"class": 1, "size": 2, "points": [[1, 1]]},)), "strokes are of single pictures"),
        (Work({"k": 3, "bias_field": True}), "--bias-field is of single images"),
        (Work({"k": 3, "components": 2}), "--components is of single images"),
    ],
)
def test_what_makes_no_sense_for_many_is_refused_in_a_sentence(work, named):
    with pytest.raises(ParameterError, match=f"^{named}.*; open one image by itself for that: gmmseg view IMAGE$"):
        COMMANDS.commands(work)


def test_what_was_set_back_is_no_wish():
    assert "fit" in COMMANDS.commands(Work({"k": 3, "bias_field": False, "components": None}))[0]
