"""The types that are written for the compiled module are of what it has."""

import ast
import re
from pathlib import Path

import pytest

from gmmseg import kernels

native = pytest.importorskip("gmmseg.kernels._native", reason="nothing was compiled")

STUB = ast.parse((Path(kernels.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}


def test_every_name_has_its_type():
    attributes = {node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign)}
    assert {name for name in dir(native) if not name.startswith("_")} == {*FUNCTIONS, *attributes}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_arguments_are_those_of_the_function(name):
    """Arguments without a name are called arg0, arg1, ... in the signatures that nanobind makes."""
    arguments = FUNCTIONS[name].args
    for signature, *_ in getattr(native, name).__nb_signature__:
        named = re.findall(r"(\w+): ", signature)
        assert named[: len(arguments.posonlyargs)] == [f"arg{i}" for i in range(len(arguments.posonlyargs))]
        assert named[len(arguments.posonlyargs) :] == [each.arg for each in arguments.args]
        assert signature.count(" = ") == len(arguments.defaults)
