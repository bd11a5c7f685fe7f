"""Reasoning on its way from a model to what a person reads: apart from the text everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ponder.core.costs.ledger import Item
from ponder.core.record.events import Event, Grew
from ponder.core.trace import Trace
from ponder.experiments.pools.file import sample_from
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.records import pack, unpack_trace
from tests.support.jobs import PROBLEM, go
from tests.support.virtual import run

THOUGHT = r"is it \boxed{7}? no"


def reply(text: str = r"\boxed{42}", thought: str = THOUGHT) -> Completion:
    return Completion(text, "stop", 5, 9, reasoning=thought, reasoning_tokens=6)


def test_the_answer_is_read_from_the_text_alone(tmp_path: Path) -> None:
    events: list[Event] = []
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({})
    first = run(go(Scripted([reply()]), journal=journal, run=name, publish=events.append))
    again = run(go(Scripted([]), journal=journal, run=name))
    ended = journal.run(name).result
    journal.close()
    assert ended is not None
    assert ended["receipt"]["total"]["reasoning_tokens"] == 6
    for result in (first, again):
        assert result.answer == "42"
        assert result.trace is not None
        assert (result.trace.text, result.trace.reasoning) == (r"\boxed{42}", THOUGHT)
        [candidate] = result.candidates
        assert candidate.to_json()["reasoning"] == THOUGHT
        total = result.receipt.to_json()["total"]
        assert (total["completion_tokens"], total["reasoning_tokens"]) == (9, 6)
    grown = [event for event in events if isinstance(event, Grew)]
    assert "".join(event.reasoning for event in grown) == THOUGHT
    assert "".join(event.text for event in grown) == r"\boxed{42}"


def test_where_there_is_none_nothing_is_written_of_it() -> None:
    trace = Trace(PROBLEM, "so", 2, "stop", id="0")
    assert "reasoning" not in pack(trace)
    assert "reasoning_tokens" not in Item("generate", "m", 1).to_json()
    thought = Trace(PROBLEM, "so", 2, "stop", id="0", reasoning="hm")
    assert unpack_trace(pack(thought), PROBLEM) == thought


@pytest.mark.parametrize("more", [{}, {"reasoning": "hm"}])
def test_a_pool_keeps_it(more: dict[str, Any]) -> None:
    line = {"answer": "42", "tokens": 3, "text": "so 42", **more}
    sample = sample_from(line)
    assert sample.reasoning == more.get("reasoning", "")
    assert sample.to_json() == line
