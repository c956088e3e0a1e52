"""Places in gzip files: forks go on by themselves, and what follows far behind is left alone."""

import gzip
import io
import zlib

import pytest

from gmmseg.io.nifti.gzip_stream import GzipStream

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def file():
    # Two parts in a row, as block-wise compressors write them.
    return io.BytesIO(gzip.compress(CONTENT[:5000]) + gzip.compress(CONTENT[5000:]))


def test_reading_goes_on_and_forks_go_their_own_way(file):
    stream = GzipStream()
    stream.skip(file, 4990)
    fork = stream.fork()
    assert stream.read(file, 20) == CONTENT[4990:5010]
    assert stream.done == 5010
    assert fork.read(file, 10) == CONTENT[4990:5000]
    stream.finish(file)


def test_an_end_that_comes_early(file):
    with pytest.raises(EOFError):
        GzipStream().read(file, len(CONTENT) + 1)


def test_the_checksum_is_compared():
    packed = gzip.compress(CONTENT)
    file = io.BytesIO(packed[:-8] + bytes(4) + packed[-4:])
    stream = GzipStream()
    assert stream.read(file, 10) == CONTENT[:10]
    with pytest.raises(zlib.error, match="incorrect data check"):
        stream.finish(file)


def test_what_follows_the_numbers_is_not_decompressed_to_a_far_end():
    file = io.BytesIO(gzip.compress(bytes(1 << 26)))
    stream = GzipStream()
    stream.read(file, 10)
    stream.finish(file)
    assert stream.done < 1 << 25
