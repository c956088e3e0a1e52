"""`python -m gmmseg` is `gmmseg`."""

from __future__ import annotations

from gmmseg.cli import program

if __name__ == "__main__":
    program()
