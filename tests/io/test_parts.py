"""Paths that name several files."""

from pathlib import Path

from gmmseg.io.parts import files_of, lacking_part, name_of, parts_of


def test_parts_of_a_path(tmp_path):
    for name in ("a.npy", "b+c.npy", "d.npy"):
        (tmp_path / name).touch()
    a, bc, d = (tmp_path / name for name in ("a.npy", "b+c.npy", "d.npy"))
    assert parts_of(a) == (a,)
    assert parts_of(bc) == (bc,)
    assert parts_of(f"{a}+{bc}+{d}") == (a, bc, d)
    assert parts_of(f"{tmp_path}/none.npy+{d}") == (tmp_path / "none.npy", d)
    assert files_of(f"{tmp_path}/none.npy+{d}") == (d,)
    assert lacking_part(f"{a}+{tmp_path}/none.npy+{d}") == tmp_path / "none.npy"
    assert [lacking_part(each) for each in (a, f"{a}+{d}", "x.npy+y.npy", "x.npy")] == [None] * 4
    assert name_of(f"{tmp_path}/none.npy+{d}") == "none+d"
    assert name_of(bc) == "b+c"
    for nothing in ("x.npy+y.npy", "c++.npy", "+a.npy", "a" * 5000 + "+b"):
        assert len(parts_of(nothing)) == 1
    assert parts_of([a, "b"]) == (a, Path("b"))
