"""What is installed only on request."""

import math
import sys
from types import ModuleType

import pytest

from gmmseg.errors import GmmsegError
from gmmseg.extras import lazily, loaded, require


def test_what_is_installed_is_imported():
    assert require("math", "plot", "sums need") is math
    assert require("xml.dom", "plot", "trees need") is sys.modules["xml.dom"]


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part"])
def test_what_is_not_installed_is_named_with_its_extra(module):
    with pytest.raises(GmmsegError) as caught:
        require(module, "medical", "NIfTI files need")
    assert str(caught.value) == (
        "NIfTI files need no_such_package, which is not installed; pip install 'gmmseg[medical]'"
    )


def test_a_package_that_itself_lacks_one_is_not_said_to_be_missing(tmp_path, monkeypatch):
    (tmp_path / "lacking.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        require("lacking", "geo", "maps need")


def test_python_says_which_name_may_have_been_meant():
    with pytest.raises(AttributeError, match="module 'math' has no attribute 'flor'") as caught:
        loaded("math", "flor", {})
    assert (caught.value.name, caught.value.obj) == ("flor", math)  # "Did you mean: 'floor'?"


def test_names_of_a_package_are_loaded_where_they_are_used(monkeypatch):
    package = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", package)
    package.__getattr__, package.__dir__ = lazily("shop", {"sqrt": "math", "floor": "math"})
    assert dir(package) == ["floor", "sqrt"]
    assert "sqrt" not in vars(package)
    assert package.sqrt(4) == 2
    assert "sqrt" in vars(package)
    with pytest.raises(AttributeError, match="module 'shop' has no attribute 'root'"):
        package.root  # noqa: B018  # looking it up is what is tested
