"""Files that are read, or refused, in a process of its own, whose time and memory are measured."""

_READS = """
import sys, time
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
# Not ru_maxrss, in which a child is said to have taken what its parent had when it was made.
with open("/proc/self/status") as file:
    print(next(line.split()[1] for line in file if line.startswith("VmHWM:")))
"""


def resident(fresh_python, path, *names):
    """Most memory, in KiB, that readers of `gmmseg.io` take for a file one after the other, in 20 s each."""
    return int(fresh_python(_READS, path, *names))
