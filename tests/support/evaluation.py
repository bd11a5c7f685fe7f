"""Short ways to an evaluation through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ponder.experiments.evals.store import Store
from tests.support.commands import ponder

Capture = pytest.CaptureFixture[str]


PROBLEMS = 12


def suite(folder: Path, problems: int = PROBLEMS) -> str:
    rows = [{"q": f"What is {i} + 42 - {i}?", "a": "42"} for i in range(problems)]
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"{path}(question=q,answer=a,type=number)"


def evaluate(capsys: Capture, folder: Path, *more: str) -> tuple[int, str, str]:
    model = () if "-m" in more or any("model=" in one for one in more) else ("-m", "simulated")
    return ponder(capsys, "eval", "--suite", suite(folder), *model, *more)


def as_json(capsys: Capture, *arguments: str) -> Any:
    code, out, err = ponder(capsys, "eval", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def recorded(folder: Path) -> set[int]:
    """The seeds of the samples that a store holds."""
    path = folder / "results.sqlite"
    store = Store(path)
    journal = store.journal()
    rows = [row for run in journal.runs() for row in journal.calls(run.id)]
    store.close()
    return {row.effect["seed"] for row in rows if row.lost is None}


def rows(text: str) -> list[list[str]]:
    """Cells of a printed table: what is between two spaces or more."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
