"""kill -9 in the middle of every strategy: a real process, killed at a request counted at the
server. Resumed, it ends as the unbroken run did, and asks for nothing twice that was recorded.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ponder.runtime.journal import Journal
from ponder.strategies.registry import STRATEGIES
from tests.support.commands import QUESTION, ponder, start
from tests.support.sandboxes import needed
from tests.support.seeded import Seeded, configure, seeded_server
from tests.support.strategies import ABLE, completion, knobs_of


class Answering:
    """Answers for a server, and remembers what it was asked. With a ``moment`` it kills its
    ``victim`` at that request, counted as they arrive: before its reply, or ``late``, after it.
    Whoever comes later is answered when the victim is dead, so that no moment comes too late.
    """

    def __init__(self, server: Seeded, moment: int = 0, late: bool = False) -> None:
        self.bodies: list[str] = []
        self.victim: Future[subprocess.Popen[str]] = Future()
        self._seeds, self._moment, self._late = server.seeds, moment, late
        self._dead = threading.Event()
        server.reply, server.after = self.reply, self.after  # type: ignore[method-assign]

    def reply(self, asked: dict[str, Any]) -> bytes:
        self.bodies.append(json.dumps(asked))
        count = self._seeds.index(asked["seed"]) + 1
        if self._moment and count == self._moment and not self._late:
            self._kill()
        elif self._moment and count > self._moment:
            self._dead.wait()
        return completion(asked)

    def after(self, count: int) -> None:
        if count == self._moment and self._late:
            self._kill()

    def _kill(self) -> None:
        process = self.victim.result()
        process.kill()
        process.wait()
        self._dead.set()

    @property
    def built_upon(self) -> set[int]:
        """The seeds of the replies that anybody who asked had before him."""
        return {int(seed) for body in self.bodies for seed in re.findall(r"\bs(\d+)e\b", body)}


def solve(name: str) -> list[str]:
    pairs = [f"{knob}={value}" for knob, value in knobs_of(name).items()]
    settings = [part for pair in pairs for part in ("--set", pair)]
    return ["solve", QUESTION, "-m", "loop", "-s", name, "--json", *settings]


def told(out: str) -> dict[str, Any]:
    """The result but for what the clock and chance name."""
    result: dict[str, Any] = json.loads(out)
    del result["run"], result["receipt"]["total"]["seconds"]
    result["receipt"].pop("notes", None)  # it names the port
    for item in result["receipt"]["items"]:
        del item["seconds"]
    return result


@pytest.mark.parametrize("attempt", range(2))
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_process_killed_at_a_random_moment_is_resumed(
    name: str, attempt: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed(name)
    with seeded_server() as server:
        configure(tmp_path, server.url, **ABLE)
        Answering(server)
        _, out, _ = ponder(capsys, *solve(name), "--no-journal")
        unbroken, whole = told(out), server.seeds
        assert len(set(whole)) == len(whole)
    rng = random.Random(f"{name} {attempt}")
    moment = rng.randint(1, len(whole))
    late = moment < len(whole) and rng.random() < 0.5  # after the last one there is nothing to kill
    with seeded_server() as server:
        configure(tmp_path, server.url, **ABLE)
        first = Answering(server, moment, late)
        process = start(tmp_path, *solve(name))
        first.victim.set_result(process)
        process.communicate(timeout=600)
        assert process.returncode == -signal.SIGKILL
    book = Journal(tmp_path / "runs.sqlite")
    [run] = book.runs()
    assert run.state == "cut off"
    rows = [row for row in book.calls(run.id) if row.lost is None]
    paid = {row.effect["seed"] for row in rows if row.effect["effect"] == "generate"}
    book.close()
    assert first.built_upon <= paid  # recorded before anything was made of it
    with seeded_server() as server:  # another one: the first may still read what it was sent
        configure(tmp_path, server.url, **ABLE)
        Answering(server)
        where = ["--journal", str(tmp_path / "runs.sqlite"), "--trust", "loop"]
        _, out, _ = ponder(capsys, "runs", "resume", run.id, "--json", *where)
        again = server.seeds
    assert sorted([*paid, *again]) == sorted(whole)
    assert told(out) == unbroken
