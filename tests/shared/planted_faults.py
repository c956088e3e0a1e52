"""What a reader must not do, as calls for the processes that the fuzzer watches."""

import os
import pickle
import signal
import socket
import time

from gmmseg.errors import InputError


def refuses(path):
    raise InputError(f"{path} is refused, as it should be")


def divides(path):
    return 1 / len(path.read_bytes()[:0])


def speaks_lines(path):
    raise InputError(f"{path} is damaged\nin two places")


def speaks_long(path):
    raise InputError(f"{path} is {'very ' * 100} damaged")


def hangs(_):
    time.sleep(60)


def computes(_):
    while True:
        pass


def dies(_):
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves(_):
    os._exit(3)


def grows(_):
    time.sleep(len(b"x" * (600 << 20)) / 1e9)


def unpickles(_):
    pickle.loads(pickle.dumps(print))


def litters(path):
    path.with_name("cache").touch()


def removes(path):
    path.unlink()


def calls_home(path):
    host, _, port = path.read_text().partition(":")
    socket.create_connection((host, int(port))).close()


def looks_around(path):
    (path.parent.parent / "outside.tif").read_bytes()
