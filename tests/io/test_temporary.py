"""Temporary folders: gone at the end, and those of killed runs are told from those of runs that go on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gmmseg.io import temporary
from gmmseg.io.temporary import remove_own, sweep, temporary_file, temporary_folder
from gmmseg.platforms import is_alive

# Says what it has made, and waits.
HOLDER = (
    "import sys, time; from pathlib import Path; from gmmseg.io.temporary import temporary_folder\n"
    "with temporary_folder(Path(sys.argv[1])) as folder:\n"
    "    (folder / 'half.tif.ovr.tmp').write_text('half'); print(folder, flush=True); time.sleep(60)\n"
)


def holder(place):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().rstrip("\n"))


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt, OSError])
def test_it_is_gone_with_all_that_a_library_left_in_it(tmp_path, failure):
    def use():
        with temporary_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            (folder / "below").mkdir()
            (folder / "below" / "a.aux.xml").touch()
            (folder / "link").symlink_to(tmp_path)
            if failure is not None:
                raise failure

    if failure is None:
        use()
    else:
        with pytest.raises(failure):
            use()
    assert list(tmp_path.iterdir()) == []


def test_one_that_has_been_removed_is_no_error(tmp_path):
    with temporary_folder(tmp_path) as folder:
        folder.rmdir()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_hidden_goes_where_it_fails_and_stays_otherwise(tmp_path):
    with temporary_file(tmp_path) as kept:
        kept.write_text("whole")
    with pytest.raises(OSError, match="full"), temporary_file(tmp_path) as half:
        half.write_text("half")
        raise OSError("full")
    with pytest.raises(KeyboardInterrupt), temporary_file(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [kept]
    remove_own()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def keeping(monkeypatch):
    monkeypatch.setattr(temporary, "_keeps", False)
    monkeypatch.setattr(temporary, "_kept", [])
    temporary.keep_folders()
    yield
    remove_own()


def used(place):
    with temporary_folder(place) as folder:
        (folder / "a").write_text("whole")
        (folder / "a").rename(place / "a")
    return folder


def test_one_that_is_kept_serves_the_next_file_in_its_place(tmp_path, keeping):
    first = used(tmp_path)
    assert first.is_dir()
    assert used(tmp_path) == first
    with temporary_folder(tmp_path) as one, temporary_folder(tmp_path) as other:
        assert one == first != other
        assert other.parent == tmp_path
        assert other.is_dir()
    remove_own()
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_what_is_left_in_one_is_never_kept(tmp_path, keeping):
    with pytest.raises(OSError, match="full"), temporary_folder(tmp_path) as folder:
        (folder / "half").touch()
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []
    assert used(tmp_path) != folder


def test_one_that_was_kept_may_have_been_removed(tmp_path, keeping):
    used(tmp_path).rmdir()
    assert used(tmp_path).is_dir()


def test_one_that_was_kept_and_became_a_link_is_not_written_to(tmp_path, keeping):
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    kept = used(place)
    kept.rmdir()
    kept.symlink_to(elsewhere, target_is_directory=True)
    with temporary_folder(place) as folder:
        (folder / "a").write_text("whole")
    assert folder != kept
    assert list(elsewhere.iterdir()) == []


def test_only_the_last_few_are_kept(tmp_path, keeping):
    places = [tmp_path / f"{number}" for number in range(6)]
    for place in places:
        place.mkdir()
        used(place)
    assert [len(list(place.iterdir())) for place in places] == [1, 1, 2, 2, 2, 2]


def test_one_whose_removal_was_cut_short_goes_at_the_end_of_the_process(tmp_path, monkeypatch):
    def interrupt(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(temporary, "_remove", interrupt)
        with temporary_folder(tmp_path) as folder:
            (folder / "half").touch()
    assert list(tmp_path.iterdir()) == [folder]
    remove_own()
    assert list(tmp_path.iterdir()) == []


def test_those_of_killed_runs_are_removed_and_those_of_others_stay(tmp_path):
    first, of_first = holder(tmp_path)
    second, of_second = holder(tmp_path)
    try:
        with temporary_folder(tmp_path) as mine:
            first.kill()
            first.wait()
            sweep([tmp_path, tmp_path / "none"])
            assert set(tmp_path.iterdir()) == {mine, of_second}
            assert (of_second / "half.tif.ovr.tmp").exists()
            assert not of_first.exists()
    finally:
        second.kill()
        second.wait()
        second.stdout.close()
        first.stdout.close()


def test_a_process_that_took_over_the_number_is_another_one(tmp_path):
    with temporary_folder(tmp_path) as mine:
        _, machine, process, start, rest = mine.name.split("-")
        assert is_alive(int(process), start)
        names = {
            "before": f".gmmseg-{machine}-{process}-{int(start) - 1}-{rest}",
            "another machine's": f".gmmseg-{int(machine, 16) ^ 1:08x}-{process}-{int(start) - 1}-{rest}",
            "nobody's": f".gmmseg-{machine}-{1 << 40}-{start}-{rest}",
            "a user's": ".gmmseg-notes.tmp",
        }
        for name in names.values():
            (tmp_path / name).mkdir()
        (tmp_path / names["nobody's"].replace(f"-{start}-", f"-{int(start) + 1}-")).touch()  # a file as well
        sweep([tmp_path])
        assert {each.name for each in tmp_path.iterdir()} == {mine.name, names["another machine's"], names["a user's"]}


def test_links_are_not_followed(tmp_path):
    with temporary_folder(tmp_path) as mine:
        name = mine.name.replace(f"-{os.getpid()}-", f"-{1 << 40}-")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").touch()
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / name).symlink_to(tmp_path / "precious")
    sweep([tmp_path / "swept"])
    assert (tmp_path / "precious" / "a").exists()
    (tmp_path / "swept" / name).unlink()
    (tmp_path / "swept" / name).mkdir()
    (tmp_path / "swept" / name / "link").symlink_to(tmp_path / "precious")
    sweep([tmp_path / "swept"])
    assert list((tmp_path / "swept").iterdir()) == []
    assert (tmp_path / "precious" / "a").exists()
