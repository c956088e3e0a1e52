"""What the README shows works: its Python runs, its commands succeed and write what they say."""

import os
import re
import shlex
import shutil
from glob import glob
from pathlib import Path

import pytest

from gmmseg.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "images", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_python_runs_from_top_to_bottom(folder):
    code = "\n".join(blocks("python"))
    assert code.count("gmmseg.") > 5
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert (folder / "coffee_labels.png").stat().st_size > 0


@pytest.mark.slow
def test_commands_succeed(folder, capsys):
    lines = [line[2:] for line in "".join(blocks("console")).splitlines() if line.startswith("$ ")]
    assert len(lines) >= 4
    for line in lines:
        program, *words = shlex.split(line)
        arguments = [name for word in words for name in (sorted(glob(word)) if "*" in word else [word])]
        assert program == "gmmseg"
        code, messages = main(arguments), capsys.readouterr().err
        assert (code, messages) == (0, ""), line
    assert {"coffee_labels.png", "cell_soft.npz", "cell_overlay.png", "land.gmm.json"} <= set(os.listdir(folder))
    pictures = [path.stem for path in (folder / "images").glob("*.png")]
    assert sorted(os.listdir(folder / "labels")) == sorted(f"{name}_labels.png" for name in pictures)


def test_the_printed_table_is_the_real_one(folder, capsys):
    shown = re.search(r"^wrote coffee.*?(?=^\$)", README, re.MULTILINE | re.DOTALL).group()
    assert main(["segment", "images/coffee.png", "-k", "4"]) == 0
    printed = capsys.readouterr().out
    words, shown_words = (re.sub(r"[\d.]+ s$", "", text, flags=re.MULTILINE).split() for text in (printed, shown))
    assert len(words) == len(shown_words)
    for word, expected in zip(words, shown_words, strict=True):
        if re.fullmatch(r"-?[\d.]+", expected):  # another processor rounds otherwise
            assert float(word) == pytest.approx(float(expected), rel=0.02, abs=0.002)
        elif not expected.startswith("#"):
            assert word == expected
