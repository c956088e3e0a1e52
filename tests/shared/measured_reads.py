"""Files that are read, or refused, in a process of its own, whose time and memory are measured."""

_READS = """
import resource, sys, time
from gmmseg import io
from gmmseg.errors import InputError
path, *names = sys.argv[1:]
readers = {name: getattr(io, name) for name in io.__all__}
readers["windows"] = lambda path: io.read(path, memory=1 << 29)
for name in names:
    start = time.process_time()
    try:
        readers[name](path)
    except InputError as error:
        assert path in str(error)
    assert time.process_time() - start < 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def resident(fresh_python, path, *names):
    """Most memory, in KiB, that readers of `gmmseg.io` take for a file one after the other, in 20 s each."""
    return int(fresh_python(_READS, path, *names))
