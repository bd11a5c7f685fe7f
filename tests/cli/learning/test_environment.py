"""``ponder learn environment`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import ponder
from tests.support.evaluation import suite as sums
from tests.support.lessons import SUM

Capture = pytest.CaptureFixture[str]


def test_an_environment_is_written_once(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "own_sums"
    how = ("learn", "environment", sums(tmp_path, 5), "--verifier", "regex(42)", "-o", str(folder))
    code, _, err = ponder(capsys, *how, "--every", "2")
    assert (code, err) == (0, f"wrote {folder}: 3 problems of sums, reward regex(42)\n")
    names = ["__init__.py", "environment.json", "environment.py", "problems.jsonl", "taskset.py"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert "own_sums exists" in ponder(capsys, *how)[2]
    code, out, _ = ponder(capsys, *how, "--force", "--json", "--limit", "1")
    assert (code, json.loads(out)["problems"]) == (0, 1)


def test_an_environment_replaces_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text(SUM)
    how = ("learn", "environment", sums(tmp_path, 1), "--verifier", "regex(42)", "--force", "-o")
    assert "a folder with something else" in ponder(capsys, *how, str(tmp_path / "mine"))[2]
    assert "is a file" in ponder(capsys, *how, str(tmp_path / "mine" / "thesis"))[2]
    assert "no folder" in ponder(capsys, *how, str(tmp_path / "no" / "where"))[2]
