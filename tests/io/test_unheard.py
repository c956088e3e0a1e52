"""Libraries are unheard in the thread that reads, and in no other; filters and levels stay as they are."""

import logging
import sys
import threading
import types
import warnings

import pytest

from gmmseg.io.unheard import attend, unheard

CODE = """
import logging
import warnings

def speak(text, level=logging.WARNING):
    logging.getLogger(__name__).log(level, text)
    warnings.warn(text, UserWarning, stacklevel=2)
"""


@pytest.fixture
def speak():
    """A library of one function."""
    name = f"a_library_{threading.get_ident()}_{len(sys.modules)}"
    module = types.ModuleType(name)
    exec(CODE, module.__dict__)
    sys.modules[name] = module
    attend(name)
    yield module.speak
    del sys.modules[name]


def test_what_is_said_is_unheard_and_errors_are_kept(speak, caplog):
    with warnings.catch_warnings(record=True) as caught, unheard() as errors:
        warnings.simplefilter("always")
        speak("a remark")
        speak("a\n  failure", logging.ERROR)
    assert not caught
    assert not caplog.records
    assert errors == ["a failure"]


def test_outside_all_is_heard_from_where_it_was_said(speak, caplog):
    with unheard():
        pass
    with pytest.warns(UserWarning, match="a remark") as caught:
        speak("a remark")
    assert caught[0].filename == __file__
    assert [record.message for record in caplog.records] == ["a remark"]


def test_other_threads_are_heard(speak):
    heard = []

    def other():
        with pytest.warns(UserWarning, match="from elsewhere") as caught:
            speak("from elsewhere")
        heard.extend(str(each.message) for each in caught)

    with unheard():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert heard == ["from elsewhere"]


def test_nothing_of_the_process_changes(speak):
    before = list(warnings.filters), logging.getLogger(speak.__module__).level
    with unheard():
        assert (list(warnings.filters), logging.getLogger(speak.__module__).level) == before
