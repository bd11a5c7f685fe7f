"""The process that trains, for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.learning.sft import process
from ponder.learning.sft.settings import Settings
from ponder.learning.sft.worker import Job
from ponder.util.lock import exclusive
from tests.support.pools import lines


def job(folder: Path, data: Path, **more: Any) -> Job:
    base = str(folder / "base.gguf")
    settings = Settings(rank=2, epochs=1, batch=200, longest=more.pop("longest", 200))
    output = str(folder / "model.gguf")
    return Job(base, base, (str(data),), str(folder), output, settings, **more)


def test_a_wrong_file_is_the_callers_fault(tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text("{}\n")
    with pytest.raises(UsageError, match=r"d\.jsonl, line 1: it has no 'prompt'"):
        process.train(job(tmp_path, data), print)


def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"):  # so it waits
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", process._CHILD], stdin=subprocess.PIPE, text=True
        )
        assert child.stdin
        child.stdin.write(json.dumps(job(tmp_path, tmp_path / "d.jsonl").to_json()) + "\n")
        child.stdin.close()
        assert child.wait(600) == 1


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", process._CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(json.dumps(job(folder, tmp_path / "d.jsonl").to_json()) + "\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline()) == {
            "failed": f"cannot write in {folder}: No such file or directory; the same command goes "
            "on from there."
        }


@pytest.mark.skipif(not find_spec("peft"), reason="the extra train is not installed")
def test_a_model_is_trained_and_written(tmp_path: Path) -> None:
    support = pytest.importorskip("tests.support.tiny_models")
    support.write_model(tmp_path / "base.gguf", support.tiny_model("qwen2"))
    asked = [{"role": "user", "content": "12 12 12"}]
    row = {"prompt": asked, "completion": [{"role": "assistant", "content": "the answer"}]}
    long = {"prompt": asked, "completion": [{"role": "assistant", "content": "1 " * 200}]}
    held = {**row, "ponder": {"question_hash": "0" * 16}}
    data = lines(tmp_path / "d.jsonl", row, row, {**long, "ponder": {"question_hash": "f" * 16}},
                 held)  # fmt: skip
    told: list[dict[str, Any]] = []
    found = process.train(job(tmp_path, data, holdout=0.0001), told.append)
    assert found["rows"] == {"learned": 2, "too_long": 1, "held_out": 1}
    assert told[-1] == {"step": 1, "of": 1, "resumed": 0, "loss": told[-1]["loss"]}
    assert round(told[-1]["loss"], 6) == found["losses"][0]
    assert found["held_out_loss"]["before"] > found["held_out_loss"]["after"]
    with (tmp_path / "model.gguf").open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert os.path.getsize(tmp_path / "model.gguf") > 1000
