"""What tifffile logs, by the thread that reads."""

import logging
from concurrent.futures import ThreadPoolExecutor

from gmmseg.io.tiff.remarks import heard

LOGGER = logging.getLogger("tifffile")


def test_what_is_logged_is_heard_while_one_listens(capfd):
    with heard() as outer:
        LOGGER.warning("one\n  line")
        with heard() as inner:
            LOGGER.error("another")
            LOGGER.info("nothing to worry about")
        LOGGER.warning("third")
    LOGGER.error("nobody listens")
    assert (outer, inner) == (["one line", "third"], ["another"])
    assert capfd.readouterr() == ("", "")


def test_threads_hear_their_own_and_leave_the_logger_as_it_was():
    before = (LOGGER.handlers[:], LOGGER.level, LOGGER.filters[:], LOGGER.propagate)

    def listen(number):
        with heard() as lines:
            for _ in range(20):
                LOGGER.warning("from %s", number)
        return set(lines) == {f"from {number}"} and len(lines) == 20

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(listen, range(200)))
    assert (LOGGER.handlers, LOGGER.level, LOGGER.filters, LOGGER.propagate) == before
