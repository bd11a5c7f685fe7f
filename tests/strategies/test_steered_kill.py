"""A search on a real model: steered in every way, killed with -9, and resumed to the same end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import ponder
from ponder import Engine
from ponder.models.openvino import converted
from ponder.runtime.journal import Journal

STEERED = """
import os, signal, sys
from pathlib import Path
import ponder
from ponder.core.record.events import RunStarted, SampleFinished, Steered
from ponder.core.record.steering import Action
from ponder.runtime.journal import Journal

model, path = sys.argv[1:]
run, nodes = [], []


def send(*actions):
    book = Journal(path)  # as another process would
    for action in actions:
        book.send(run[0], action)
    book.close()


def watch(event):
    if isinstance(event, RunStarted):
        run.append(event.run)
    elif isinstance(event, SampleFinished) and event.role == "generate":
        nodes.append(event.trace.id)
        if len(nodes) == 4:
            a, b, c, d = nodes
            send(
                Action("prune", a, by="ann"),
                Action("pin", b),
                Action("edit", c, text="Six and seven are multiplied.\\n\\n"),
                Action("hint", text="Be brief."),
                Action("more", d, count=1),
            )
        elif len(nodes) == 8:
            send(Action("accept", nodes[-1]))
    elif isinstance(event, Steered) and event.action.kind == "accept":
        os.kill(os.getpid(), signal.SIGKILL)


ponder.solve(
    "How many is six times seven?", model=model, strategy="beam_search",
    knobs={"width": 2, "fan": 2, "step_tokens": 12, "length": 96}, verifier="mean_logprob",
    journal=Path(path), on_event=watch,
)
"""


def test_a_steered_search_that_is_killed_ends_as_it_would_have(
    small_model: Path, tmp_path: Path
) -> None:
    path, home = tmp_path / "runs.sqlite", tmp_path / "home"
    home.mkdir()
    (home / "converted").symlink_to(converted._root())  # the child would convert the model anew
    child = subprocess.run(
        [sys.executable, "-c", STEERED, str(small_model), str(path)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    book = Journal(path)
    [row] = book.runs()
    calls = book.calls(row.id)
    book.close()
    kinds = [action["kind"] for call in calls if call.effect["effect"] == "steer"
             for action in call.result]  # fmt: skip
    assert kinds == ["prune", "pin", "edit", "hint", "more", "accept"]
    assert row.state == "cut off"
    paid = sum(call.spent.completion_tokens for call in calls if call.spent)
    ends = []
    _settle(path)
    copy = tmp_path / "copy.sqlite"
    shutil.copy(path, copy)
    with Engine() as engine:  # loads the model once
        for book_path in (path, copy):
            result = ponder.resume(
                row.id, journal=book_path, trust=[str(small_model)], engine=engine
            )
            assert result.stopped_by == "accepted"
            new = result.receipt.total.completion_tokens - paid
            assert 0 <= new <= 48  # forcing the accepted chain to answer, and nothing twice
            ends.append(json.dumps([result.answer, result.trace and result.trace.text]))
    assert ends[0] == ends[1]


def _settle(path: Path) -> None:
    """Bring all of a database into its one file."""
    book = Journal(path)
    book._db.execute("pragma wal_checkpoint(truncate)")
    book.close()
