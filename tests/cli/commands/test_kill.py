"""kill -9 in the middle of a run: nothing that was recorded is generated again, and the resumed run
ends as the uninterrupted one did.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ponder.runtime.journal import Journal
from tests.support.commands import ponder, start
from tests.support.killing import kill_at
from tests.support.seeded import configure, seeded_server

N = 16
QUESTION = "How many is six times seven?"


def solve(folder: Path) -> subprocess.Popen[str]:
    knobs = ("--set", f"n={N}", "--set", "stop=never")
    return start(
        folder, "solve", QUESTION, "-m", "loop", "-s", "self_consistency", *knobs, "--json"
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    outcome: dict[str, Any] = json.loads(out)
    return outcome


def recorded(folder: Path) -> tuple[str, set[int]]:
    journal = Journal(folder / "runs.sqlite")
    [run] = journal.runs()
    assert run.state in ("cut off", "done")
    seeds = {row.effect["seed"] for row in journal.calls(run.id) if row.lost is None}
    journal.close()
    return run.id, seeds


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    with seeded_server() as server:
        configure(folder, server.url, concurrency=4)
        outcome = finish(solve(folder))
        assert len(server.seeds) == len(set(server.seeds)) == N
    return outcome


@pytest.mark.parametrize("attempt", range(10))
def test_a_run_killed_at_a_random_moment_resumes(
    attempt: int,
    tmp_path: Path,
    uninterrupted: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = random.Random(attempt)
    moment, early = rng.randint(1, N), rng.random() < 0.5
    with seeded_server() as server:
        configure(tmp_path, server.url, concurrency=4)
        process: list[subprocess.Popen[str]] = []
        kill_at(server, moment, early, process)
        process.append(solve(tmp_path))
        _, err = process[0].communicate(timeout=600)
    assert process[0].returncode in (0, -signal.SIGKILL), err
    run, paid = recorded(tmp_path)
    if process[0].returncode == 0:  # the last reply came before the signal
        assert moment == N
        assert len(paid) == N
        return
    with seeded_server() as server:  # another one: the first may still read what it was sent
        configure(tmp_path, server.url, concurrency=4)
        where = ("--journal", str(tmp_path / "runs.sqlite"), "--trust", "loop")
        code, out, err = ponder(capsys, "runs", "resume", run, "--json", *where)
        assert code == 0, err
        outcome, again = json.loads(out), server.seeds
    assert not paid & set(again)
    assert len(paid) + len(again) == N
    assert outcome["answer"] == uninterrupted["answer"]
    assert outcome["confidence"] == uninterrupted["confidence"]
    assert outcome["candidates"] == uninterrupted["candidates"]
    assert outcome["receipt"]["total"]["calls"] == N
    assert outcome["run"] == run
