"""A moment of fuzzing of every reader, and the command that does it for long."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.fuzzing import NAMES, Reader

ROOT = Path(__file__).parents[1]
EXAMPLES = 50


def reader(name: str) -> Reader:
    found: Reader = importlib.import_module(f"tests.support.fuzzing.{name}").READER
    return found


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_a_valid_input(name: str) -> None:
    one = reader(name)
    for data in one.valid:
        codes = one.read(data)
        assert not isinstance(codes, list) or set(codes) == {0}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of long inputs
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_says_what_is_wrong(name: str) -> None:
    one = reader(name)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,  # the command looks further
        phases=[Phase.generate],  # the command shrinks
        suppress_health_check=list(HealthCheck),
    )
    @given(one.inputs)
    def every(data: bytes) -> None:
        with contextlib.suppress(*one.allowed):
            one.read(data)

    every()


# The command --------------------------------------------------------------------------------------

MODULE = """
import time
from hypothesis import strategies as st
from tests.support.fuzzing import Reader

def read(data):
    if len(data) > 3:
        {then}
    if not data:
        raise ValueError("allowed")

READER = Reader(st.binary(max_size=20), read, (b"a",), (ValueError,), seconds=5.0, megabytes=64)
"""
WRONG = {
    "raise KeyError('\x1b[2J')": "KeyError: ",
    "bytearray(2**30)": "MemoryError",
    "time.sleep(3600)": "it takes too long",
    "import os; os.abort()": "its process ended with",
}


def fuzz(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/fuzz.py"), "--findings", "found", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.returncode, done.stdout + done.stderr


def module(folder: Path, then: str) -> str:
    (folder / "made").mkdir()
    (folder / "made/reader.py").write_text(MODULE.format(then=then))
    return "made.reader"


def test_a_table_has_a_line_per_reader(tmp_path: Path) -> None:
    names = ["--reader", module(tmp_path, "pass"), "--reader", "reply"]
    code, out = fuzz(tmp_path, "--examples", "30", *names)
    assert code == 0, out
    head, *rows = out.splitlines()
    assert head.split() == ["reader", "examples", "seconds", "peak", "MiB", "result"]
    assert [row.split()[0] for row in rows] == ["made.reader", "reply"]
    assert [row.split()[1] for row in rows] == ["30", "30"]
    assert all(row.endswith("nothing found") for row in rows)
    assert not (tmp_path / "found").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory need Linux")
@pytest.mark.parametrize("then", WRONG)
def test_a_finding_is_kept_and_can_be_run_again(then: str, tmp_path: Path) -> None:
    name = module(tmp_path, then)
    code, out = fuzz(tmp_path, "--examples", "200", "--reader", name)
    assert code == 1, out
    assert WRONG[then] in out
    assert "\x1b" not in out
    kept = tmp_path / "found" / "made.reader.input"
    assert len(kept.read_bytes()) > 3
    code, out = fuzz(tmp_path, "--reader", name, "--again", str(kept))
    assert code not in (0, 2)
    kept.write_bytes(b"abc")
    assert fuzz(tmp_path, "--reader", name, "--again", str(kept)) == (0, "")


def test_an_unknown_reader_is_refused(tmp_path: Path) -> None:
    code, out = fuzz(tmp_path, "--reader", "nothing")
    assert code == 2
    assert "there is no reader 'nothing': expected one of reply, stream" in out
