"""``ponder learn export`` on the command line."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.commands import ponder
from tests.support.evaluation import suite as sums
from tests.support.lessons import asked, pool, rows, sample

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(tmp_path: Path) -> str:
    entries = [asked(f"What is {i}?", sample("it is 42"), sample("4", cut=True)) for i in range(9)]
    return pool(tmp_path / "pool.jsonl", *entries)


def test_what_was_written_is_told(source: str, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "d.jsonl"
    how = ("learn", "export", source, "--verifier", "v", "-o", str(output))
    code, out, err = ponder(capsys, *how, "--holdout", "0.4")
    kept, held = len(rows(output)), len(rows(tmp_path / "d.heldout.jsonl"))
    assert (code, out, kept + held) == (0, "", 9)
    assert err == (
        f"wrote {output}: {kept} rows, {tmp_path / 'd.heldout.jsonl'}: {held}, of 9 of 9 problems; "
        "v passed 18 of 18 chains\nleft out: 9 truncated\n"
    )
    code, out, err = ponder(capsys, *how, "--force", "--json")
    assert (code, err, json.loads(out)["rows"]) == (0, "", 9)
    assert ponder(capsys, *how, "--force", "-q") == (0, "", "")


def test_prompts_tell_of_no_chains(source: str, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "d.jsonl"
    how = ("--format", "prompts", "--verifier", "regex(42)", "-o", str(output))
    code, _, err = ponder(capsys, "learn", "export", source, *how)
    assert (code, err) == (0, f"wrote {output}: 9 rows, of 9 of 9 problems\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which verifier's score decides? Name one with --verifier"),
        (["--verifier", "w"], "no chain has a score of 'w'"),
        (["--verifier", "v", "--at-least", "2"], "2.0 is not in the range 0<=x<=1"),
        (["--verifier", "v", "--holdout", "1"], "1.0 is not in the range 0<=x<1"),
        (["--verifier", "v", "--not-in", "nothing"], "unknown suite 'nothing'"),
        (["--verifier", "v", "--format", "prompts"], "unknown verifier 'v'"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    arguments: list[str], said: str, source: str, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "d.jsonl"
    code, out, err = ponder(capsys, "learn", "export", source, *arguments, "-o", str(output))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not output.exists()


def test_nothing_is_overwritten_unasked(source: str, tmp_path: Path, capsys: Capture) -> None:
    held = tmp_path / "d.heldout.jsonl"
    held.write_text("mine")
    how = ("learn", "export", source, "--verifier", "v", "--holdout", "0.4")
    code, _, err = ponder(capsys, *how, "-o", str(tmp_path / "d.jsonl"))
    assert (code, held.read_text()) == (2, "mine")
    assert "d.heldout.jsonl exists" in err
    code, _, err = ponder(capsys, *how, "-o", source, "--force")
    assert code == 2
    assert "pool.jsonl is what is read" in err


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_is_one_sentence(
    source: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "d.jsonl"
    output.write_text("before")
    full = partial(os.open, "/dev/full", os.O_WRONLY)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (full(), str(tmp_path / "part")))
    how = ("learn", "export", source, "--verifier", "v", "-o", str(output), "--force")
    code, out, err = ponder(capsys, *how)
    assert (out, err) == (
        "", f"ponder: cannot write {output}: No space left on device; nothing was changed.\n"
    )  # fmt: skip
    assert (code, output.read_text()) == (1, "before")


def test_an_evaluation_is_a_source(tmp_path: Path, capsys: Capture) -> None:
    store = tmp_path / "results.sqlite"
    how = ("-s", "best_of_n", "--set", "n=2", "--store", str(store))
    code, _, err = ponder(capsys, "eval", "--suite", sums(tmp_path, 3), "-m", "simulated", *how)
    assert code == 0, err
    output = tmp_path / "d.jsonl"
    chosen = ("--verifier", "agreement", "--at-least", "0", "--json", "-o", str(output))
    code, out, err = ponder(capsys, "learn", "export", str(store), *chosen)
    assert code == 0, err
    assert json.loads(out)["problems"] == 3
    found = [row["ponder"] for row in rows(output)]
    assert {one["chains"][0]["strategy"] for one in found} == {"best_of_n"}
    assert sorted({one["problem_id"] for one in found}) == ["sums/0", "sums/1", "sums/2"]
