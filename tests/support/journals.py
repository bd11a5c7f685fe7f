"""Rows for a journal."""

from __future__ import annotations

from ponder.core.costs.ledger import Item
from ponder.core.record.effects import Call, Generate, Result, Sampling
from ponder.core.trace import Trace
from ponder.runtime.journal import Journal
from tests.support.jobs import PROBLEM

START = Trace.empty(PROBLEM)


GENERATE = Generate(START, Sampling(), 7)


ITEM = Item("generate", "m", 1, 0, 6, 2, 3, 1, 10, 20, 0.5)


def note(
    journal: Journal, name: str, seq: int, result: Result | None, lost: str | None = None
) -> None:
    journal.note(name, seq, Call(str(seq), GENERATE, spent=ITEM), GENERATE, result, lost)
