"""The real process. A bomb is cut off soon; whatever is to succeed has all the time it needs."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ponder.answers import worker as answers_worker
from ponder.answers.mathworker import LONGEST, MathWorker
from ponder.core.errors import PonderError


def bomb(base: int) -> str:
    """Another one for each test, since the worker remembers."""
    return f"{base}^{{9^{{9^{{9}}}}}}"


@pytest.fixture(scope="module")
def worker() -> Iterator[MathWorker]:
    worker = MathWorker(timeout=60.0)
    yield worker
    worker.close()


@contextmanager
def hasty(worker: MathWorker) -> Iterator[None]:
    """What is asked meanwhile is cut off soon."""
    patient, worker.timeout = worker.timeout, 0.5
    try:
        yield
    finally:
        worker.timeout = patient


async def test_bombs_cost_one_time_out_and_no_more(worker: MathWorker) -> None:
    with hasty(worker):
        assert await worker.key("99999999!") is None
        assert await worker.key(bomb(2)) is None
    dead = worker._child
    assert dead is not None
    assert not dead.alive
    assert await asyncio.gather(*[worker.key(bomb(2)) for _ in range(20)]) == [None] * 20
    assert worker._child is dead  # nobody was asked
    assert await worker.key(r"\sqrt{2}") == "r:1.41421356237"
    assert await worker.same(r"\frac{1}{3}", "0.333333") is True


async def test_the_loop_is_free_while_the_child_works(worker: MathWorker) -> None:
    with hasty(worker):
        busy = asyncio.create_task(worker.key(bomb(3)))
        await asyncio.sleep(0)
    queued = [asyncio.create_task(worker.key(f"{i}\\pi")) for i in range(1, 60)]
    turns = 0
    while not busy.done() and turns < 1_000:
        await asyncio.sleep(0)
        turns += 1
    assert turns == 1_000
    assert len(set(await asyncio.gather(*queued))) == 59


def test_one_worker_serves_many_event_loops(worker: MathWorker) -> None:
    for _ in range(3):
        assert asyncio.run(worker.key("x+x")) == asyncio.run(worker.key("2x"))


def test_a_cancelled_caller_harms_nobody(worker: MathWorker) -> None:
    async def impatient() -> str | None:
        with hasty(worker):
            task = asyncio.create_task(worker.key(bomb(4)))
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await worker.key("\\pi")

    assert asyncio.run(impatient()) == "r:3.14159265359"


async def test_it_serves_again_after_close(worker: MathWorker) -> None:
    assert await worker.key("x^2") == await worker.key("x x")
    worker.close()
    worker.close()
    assert await worker.key("\\pi") == "r:3.14159265359"


async def test_a_request_under_way_at_close_gets_none(worker: MathWorker) -> None:
    await worker.key("x")
    with hasty(worker):
        running = asyncio.create_task(worker.key(bomb(5)))
        await asyncio.sleep(0)
    worker.close()
    assert await running is None
    assert await worker.key("\\pi") == "r:3.14159265359"


async def test_it_serves_again_after_the_child_was_killed(worker: MathWorker) -> None:
    await worker.key("x")
    child = worker._child
    assert child is not None
    child._process.kill()
    child._process.wait()
    assert await worker.key("\\pi") == "r:3.14159265359"


async def test_what_is_too_long_starts_no_child() -> None:
    worker = MathWorker()
    assert await worker.key("1" * (LONGEST + 1)) is None
    assert worker._child is None


async def test_what_cannot_be_read_is_none(worker: MathWorker) -> None:
    assert await worker.key(r"\frac{") is None
    assert await worker.key("\ud800") is None


def child() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "ponder.answers.child", "math"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_child_ends_with_its_input() -> None:
    with child() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(timeout=600) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX's")
def test_a_child_whose_parent_died_at_work_runs_out_of_cpu_time() -> None:
    with child() as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps([1, "key", bomb(2)]) + "\n")
        process.stdin.close()
        assert process.wait(timeout=600) == -signal.SIGPROF


@pytest.mark.skipif(sys.platform == "win32", reason="a script of sh")
@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exec sleep 600", "was not ready within 0 seconds: try again when this machine is less"),
        ("exit 3", "did not start; `python -m ponder.answers.child math` says why"),
    ],
)
async def test_a_worker_that_does_not_start_says_what_is_known(
    does: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{does}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    if "sleep" in does:
        monkeypatch.setattr(answers_worker, "START_SECONDS", 0.01)
    worker = MathWorker()
    with pytest.raises(PonderError, match=said):
        await worker.key("x")
    worker.end()
