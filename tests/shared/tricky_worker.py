"""A job that dies where it is told to."""

import os
import signal
import sys
from pathlib import Path


def tricky(job):
    """A job for workers of these tests: obey it, then answer with its number."""
    if job.get("die") and not (job.get("once") and Path(job["once"]).exists()):
        if job.get("once"):
            Path(job["once"]).touch()
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), getattr(signal, job["die"]))
    print("this is no answer")
    return {"number": job["number"], "process": os.getpid()}


def environment(job):
    """Answer with what the environment of the worker has under some names."""
    return {name: os.environ.get(name) for name in job["names"]}
