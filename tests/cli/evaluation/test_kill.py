"""kill -9 in the middle of an evaluation: given again, it pays nothing twice, and ends as the
uninterrupted one did.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ponder.experiments.evals.store import Store
from tests.support.commands import ponder, start
from tests.support.evaluation import recorded, suite
from tests.support.killing import kill_at
from tests.support.seeded import configure, seeded_server

PROBLEMS, N, SEEDS = 4, 3, (0, 1)
SAMPLES = PROBLEMS * N * len(SEEDS)


def said(folder: Path) -> list[str]:
    """Two configurations that differ in their seed alone, so that no two samples have the same."""
    return [
        "eval", "--suite", suite(folder, PROBLEMS), "-m", "loop", "-s", "self_consistency",
        "--set", f"n={N}", "--set", "stop=never", "--grid", f"seed={','.join(map(str, SEEDS))}",
        "--at-once", "2", "--store", str(folder / "results.sqlite"), "--json", "-q",
    ]  # fmt: skip


def launch(folder: Path) -> subprocess.Popen[str]:
    return start(folder, *said(folder), journal=False)


def result(folder: Path, out: str) -> dict[str, Any]:
    """The table and all outcomes, but for what the clock and chance name."""
    told: dict[str, Any] = json.loads(out)
    del told["store"]
    store = Store(folder / "results.sqlite")
    for row in told["configurations"]:
        del row["seconds"]
        if row["difference"]:
            del row["difference"]["cost"]["seconds"]
        row["outcomes"] = [
            {name: getattr(o, name) for name in o.__slots__ if name not in ("run", "seconds")}
            for o in store.outcomes(row["id"])
        ]
    store.close()
    return told


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    with seeded_server() as server:
        configure(folder, server.url, concurrency=4)
        process = launch(folder)
        out, err = process.communicate(timeout=600)
        assert (process.returncode, err) == (0, "")
        assert len(server.seeds) == len(set(server.seeds)) == SAMPLES
    found = result(folder, out)
    assert [row["problems"] for row in found["configurations"]] == [PROBLEMS] * len(SEEDS)
    assert {o["calls"] for row in found["configurations"] for o in row["outcomes"]} == {N}
    return found


@pytest.mark.parametrize("attempt", range(10))
def test_an_evaluation_killed_at_a_random_moment_goes_on(
    attempt: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    uninterrupted: dict[str, Any],
) -> None:
    rng = random.Random(attempt)
    moment, early = rng.randint(1, SAMPLES), rng.random() < 0.5
    with seeded_server() as server:
        configure(tmp_path, server.url, concurrency=4)
        process: list[subprocess.Popen[str]] = []
        kill_at(server, moment, early, process)
        process.append(launch(tmp_path))
        process[0].communicate(timeout=600)
        killed = process[0].returncode == -signal.SIGKILL
        assert killed or moment == SAMPLES  # the last reply came before the signal
    paid = recorded(tmp_path)
    with seeded_server() as server:  # the other may still read what the killed process has sent
        configure(tmp_path, server.url, concurrency=4)
        code, out, err = ponder(capsys, *said(tmp_path))
    assert code == 0, err
    assert not paid & set(server.seeds)
    assert len(paid) + len(server.seeds) == SAMPLES
    assert result(tmp_path, out) == uninterrupted


def test_the_moments_are_between_and_within_problems() -> None:
    rngs = [random.Random(attempt) for attempt in range(10)]
    moments = [rng.randint(1, SAMPLES) for rng in rngs]
    assert len(set(moments)) > 5
    assert {moment % N == 0 for moment in moments} == {True, False}
