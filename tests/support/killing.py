"""Commands that are broken off: by kill -9 at a counted request, or by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ponder.runtime.journal import Journal
from tests.support.commands import QUESTION, start
from tests.support.seeded import Seeded, configure, seeded_server


def kill_at(server: Seeded, moment: int, early: bool, process: list[subprocess.Popen[str]]) -> None:
    def kill(count: int) -> None:
        if count == moment:
            process[0].send_signal(signal.SIGKILL)

    if early:
        server.before = kill
    else:
        server.after = kill


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A server process, and a client of it; killed at the end."""
    process = start(folder, "serve", "-m", "loop", "--port", "0")
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        [url] = re.findall(r"http://\S+(?=/v1)", said)
        transport = httpx.HTTPTransport(verify=False, retries=8)  # loads no certificates
        with httpx.Client(base_url=url, timeout=600, transport=transport) as client:
            yield process, client
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def kill_in_mid_run(folder: Path, server: Seeded, ask: Callable[[httpx.Client], object]) -> None:
    """Start a server, ask it, and kill it when three of six replies have been recorded."""
    server.hold = lambda count: count > 3
    with served(folder) as (process, client), ThreadPoolExecutor(1) as beside:
        asking = beside.submit(ask, client)
        for _ in range(3):
            assert server.held.acquire(timeout=600)
        while recorded(folder / "runs.sqlite") < 3:  # sent is not yet received
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            asking.result()
    for _ in range(3):
        assert server.closed.acquire(timeout=600)
    server.hold = lambda count: False


def recorded(path: Path) -> int:
    journal = Journal(path)
    try:
        return sum(len(journal.calls(run.id)) for run in journal.runs())
    finally:
        journal.close()


def interrupted(folder: Path, *more: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Three replies, then silence; Ctrl-C when all others wait."""
    with seeded_server() as server:
        configure(folder, server.url)
        server.hold = lambda count: count > 3
        knobs = ["--set", "n=8", "--set", "stop=never"]
        where = ["-m", "loop", "--journal", str(folder / "runs.sqlite")]
        process = subprocess.Popen(
            [sys.executable, "-m", "ponder", "solve", QUESTION, *where, *knobs, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for _ in range(5):
            assert server.held.acquire(timeout=60)
        while recorded(folder / "runs.sqlite") < 3:  # sent is not yet received
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        for _ in range(5):  # nothing is left generating: every held connection was closed
            assert server.closed.acquire(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, out, err), server
