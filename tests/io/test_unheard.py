"""Libraries are unheard in the thread that reads, and in no other; filters and levels stay as they are."""

import itertools
import logging
import sys
import threading
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from gmmseg.io.unheard import attend, unheard

CODE = """
import logging
import warnings

def speak(text, level=logging.WARNING):
    logging.getLogger(__name__).log(level, text)
    warnings.warn(text, UserWarning, stacklevel=2)
"""

NUMBERS = itertools.count()


@pytest.fixture
def speak():
    """A library of one function."""
    name = f"a_library_{next(NUMBERS)}"
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


def test_inner_listeners_hear_what_is_said_from_their_level_on(speak, capfd):
    with unheard(logging.WARNING) as outer:
        speak("one\n  line")
        with unheard(logging.WARNING) as inner:
            speak("another", logging.ERROR)
            speak("nothing to worry about", logging.INFO)
        speak("third")
    assert (outer, inner) == (["one line", "third"], ["another"])
    assert capfd.readouterr() == ("", "")


def test_outside_all_is_heard_from_where_it_was_said(speak, caplog):
    with unheard():
        pass
    with pytest.warns(UserWarning, match="a remark") as caught:
        speak("a remark")
    assert caught[0].filename == __file__
    assert [record.message for record in caplog.records] == ["a remark"]


def test_threads_keep_their_own_and_leave_the_logger_as_it_was(speak):
    logger = logging.getLogger(speak.__module__)
    before = (logger.handlers[:], logger.level, logger.filters[:], logger.propagate)

    def listen(number):
        with unheard(logging.WARNING) as lines:
            for _ in range(20):
                logger.warning("from %s", number)
        return set(lines) == {f"from {number}"} and len(lines) == 20

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(listen, range(200)))
    assert (logger.handlers, logger.level, logger.filters, logger.propagate) == before


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
