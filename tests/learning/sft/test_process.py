"""The process that trains, as its parent sees it; a script stands for the child."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import PonderError, UsageError
from ponder.learning.sft import process
from ponder.learning.sft.settings import Settings
from ponder.learning.sft.worker import Job


def job(folder: Path) -> Job:
    output = str(folder / "model.gguf")
    return Job("base.gguf", "base.gguf", ("d.jsonl",), str(folder), output, Settings(), 0.25)


def said(monkeypatch: pytest.MonkeyPatch, *values: dict[str, Any], end: str = "") -> None:
    lines = "".join(json.dumps(value) + "\n" for value in values)
    script = f"import os, sys; sys.stdin.readline(); print({lines!r}, end='', flush=True); {end}"
    monkeypatch.setattr(process, "_CHILD", script)


def test_steps_are_told_and_the_outcome_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    said(monkeypatch, {"step": 1}, {"step": 2}, {"done": {"steps": 2}})
    assert process.train(job(tmp_path), told.append) == {"steps": 2}
    assert told == [{"step": 1}, {"step": 2}]


def test_a_failure_is_the_childs_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, {"usage": "no rows."})
    with pytest.raises(UsageError, match=r"^no rows\.$"):
        process.train(job(tmp_path), print)
    said(monkeypatch, {"failed": "no room."})
    with pytest.raises(PonderError, match=r"^no room\.$") as caught:
        process.train(job(tmp_path), print)
    assert not isinstance(caught.value, UsageError)


def test_a_child_that_dies_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, {"step": 1}, end="print('why', file=sys.stderr); os.kill(os.getpid(), 9)")
    with pytest.raises(PonderError, match=r"ended unexpectedly \(exit code -9; see .*printed.txt"):
        process.train(job(tmp_path), lambda step: None)
    assert (tmp_path / "printed.txt").read_text() == "why\n"


def test_a_child_ends_with_whoever_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, {"step": 1}, end="sys.stdin.read(); os.abort()")  # its input does not end

    def stop(step: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.train(job(tmp_path), stop)


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = job(tmp_path)
    assert Job.from_json(json.loads(json.dumps(one.to_json()))) == one
