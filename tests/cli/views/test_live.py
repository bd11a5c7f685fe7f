"""The live view, on a real pseudo-terminal and event by event."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from ponder.cli.views.live import LiveView
from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item
from ponder.core.record.events import (
    Dropped,
    Grew,
    Proposed,
    RunStarted,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Spent,
    VoteChanged,
)
from ponder.core.trace import Trace
from tests.support.jobs import PROBLEM

pty = pytest.importorskip("pty")


def test_a_terminal_shows_the_run_as_it_goes() -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ponder",
            "solve",
            "How many is six times seven?",
            "-m",
            "simulated(accuracy=1)",
        ],
        stdout=subprocess.PIPE,
        stderr=child,
        text=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(child)
    out, _ = process.communicate(timeout=600)
    seen = b""
    while True:
        try:
            seen += os.read(parent, 65536)
        except OSError:  # the terminal is closed on the other side
            break
    os.close(parent)
    assert out.startswith("42\n")
    shown = seen.decode()
    assert "samples 5 done, 0 running, 0 waiting" in shown  # the last frame is always drawn
    assert "left: 19," in shown
    assert "█" in shown


def drawn(*events: object) -> str:
    watcher = LiveView()
    for event in events:
        watcher.update(event)  # type: ignore[arg-type]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(watcher._draw())
    return console.export_text()


def test_the_view_tells_samples_cost_and_what_is_left() -> None:
    budget = Budget(tokens=1_000, usd=0.5, flops=1e12, seconds=3600)
    spent = Item(
        "total", "", calls=1, prompt_tokens=10, completion_tokens=90, picousd=10**11, flops=10**11
    )
    shown = drawn(
        RunStarted("r", "best_of_n", {}, "m", budget, 0, PROBLEM),
        SampleStarted("0", "generate"),
        SampleStarted("1", "generate"),
        Grew("1", "so", "", 100),
        SampleLost("2", "cancelled"),
        Spent(spent, spent),
        Proposed(Trace(PROBLEM), None),
    )
    assert "best_of_n on m" in shown
    assert "samples 0 done, 1 running, 1 waiting, 1 lost or cancelled" in shown
    assert "tokens 200" in shown
    assert "$0.100000  left: 800 tokens, $0.4000, 9e+11 FLOPs, 3600 s" in shown


def test_the_view_shows_what_is_written_and_nothing_that_a_terminal_obeys() -> None:
    shown = drawn(
        RunStarted("r", "best_of_n", {}, "m", Budget(), 0, PROBLEM),
        SampleStarted("0", "generate"),
        Grew("0", "Six times", "", 2),
        Grew("0", " sev\x1b[2Jen", "", 3),
        SampleStarted("1", "generate"),
        Grew("1", "", "let me see", 3),
        SampleStarted("2", "generate"),
        Grew("2", "over", "", 1),
        SampleLost("2", "cancelled"),
        Proposed(Trace(PROBLEM, answer=Answer("42", "n:42")), None),
    )
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[3:] == [
        "best so far: 42",
        "3  Six times sev\\x1b[2Jen",
        "3  let me see",
    ]


def test_the_view_shows_the_frontier_of_a_search_out_of_its_tree() -> None:
    step = Trace(PROBLEM, "six times", 2, id="0.0.0")
    events = [
        RunStarted("r", "beam_search", {}, "m", Budget(), 0, PROBLEM),
        SampleFinished("0.0.0", step, False),
        SampleFinished("0.1.0", replace(step, id="0.1.0"), False),
        Dropped(("0.1.0",), "outranked"),
    ]
    assert drawn(*events).splitlines()[3:] == [
        "   node  depth  1 open, 1 dropped",
        "○ 0.0.0      1  six times",
        "✕ 0.1.0      1  six times · outranked",
    ]


def test_the_view_shows_the_five_strongest_answers() -> None:
    tally = tuple((str(i), float(10 - i)) for i in range(7))
    shown = drawn(RunStarted("r", "s", {}, "m", Budget(), 0, PROBLEM), VoteChanged(tally, 3))
    assert [line.split()[-1] for line in shown.splitlines()[3:8]] == list("01234")
    assert "and 2 more answers" in shown
