"""Aggregate: golden runs on scripted models, and what is shown to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ponder.core.record.events import Event, Proposed, Revised
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import ByText, job

SEEN = re.compile(r"Candidate \d+:\n\n(.*?)(?=\n\nC)", re.S)


def shown(request: Request) -> list[str]:
    """Return the candidates in a prompt."""
    return SEEN.findall(request.messages[-1].content)


async def solve(model: Scripted, **how: Any) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    result = await Runner(job(model, "aggregate", **how), publish=events.append).go()
    return result, events


def first_and(later: Any, first: str = "abc") -> Any:
    """Return a model whose first samples have these answers; what sees candidates is ``later``."""
    answers = iter(first)
    return lambda r: later(r) if shown(r) else f"so \\boxed{{{next(answers)}}}"


async def test_each_round_shows_k_of_the_population_before() -> None:
    count = iter(range(100))
    model = Scripted(first_and(lambda r: f"new \\boxed{{{next(count)}}}", "abcd"))
    await solve(model, knobs={"n": 4, "k": 3, "rounds": 2})
    first, second = model.requests[4:8], model.requests[8:]
    assert len(model.requests) == 12
    old = {f"so \\boxed{{{a}}}" for a in "abcd"}
    new = {f"new \\boxed{{{i}}}" for i in range(4)}
    for requests, population in ((first, old), (second, new)):
        for request in requests:
            assert len(set(shown(request))) == 3
            assert set(shown(request)) <= population
    assert len({tuple(shown(r)) for r in first}) > 1  # drawn anew for each
    assert all(r.messages[-1].content.startswith("What is six times seven ?") for r in first)


async def test_the_last_population_votes_and_earlier_ones_do_not() -> None:
    later = iter("xyx")
    model = Scripted(first_and(lambda r: f"\\boxed{{{next(later)}}}", "yyy"))
    result, events = await solve(model, knobs={"n": 3, "k": 2, "rounds": 1})
    assert result.answer == "x"
    proposed = [e.trace.answer.text for e in events if isinstance(e, Proposed) and e.trace.answer]
    assert (proposed[0], proposed[-1]) == ("y", "x")
    revised = [e for e in events if isinstance(e, Revised)]
    assert [e.node for e in revised] == ["1.0.0", "1.1.0", "1.2.0"]
    assert {e.of for e in revised} <= {"0.0.0", "0.1.0", "0.2.0"}


async def test_the_verifier_picks_from_the_last_population() -> None:
    later = iter("xyx")
    model = Scripted(first_and(lambda r: f"\\boxed{{{next(later)}}}", "zzz"))
    judge = ByText({"x": 0.2, "y": 0.6, "z": 0.9})
    result, _ = await solve(
        model,
        knobs={"n": 3, "k": 2, "rounds": 1, "pick": "best"},
        verifiers={"by_text": judge},
        verifier="by_text",
    )
    assert result.answer == "y"


async def test_what_is_picked_goes_on_unchanged() -> None:
    """The model always picks b where it sees it, so b is all that stays."""

    def choose(request: Request) -> str:
        at = [i for i, text in enumerate(shown(request), 1) if "{b}" in text]
        return f"1 is short, 2 is long.\n{at[0] if at else 1}"

    model = Scripted(first_and(choose, "abc"))
    knobs = {"n": 3, "k": 3, "rounds": 1, "mode": "pick"}
    result, _ = await solve(model, knobs=knobs)
    assert result.answer == "b"
    assert result.trace is not None
    assert result.trace.id == "0.1.0"
    roles = {item.role: item.calls for item in result.receipt.items}
    assert roles == {"generate": 3, "select": 3}


@pytest.mark.parametrize("said", ["none of them", "9", "0"])
async def test_a_choice_that_names_no_candidate_takes_the_first_that_was_shown(said: str) -> None:
    model = Scripted(first_and(lambda r: said, "a"))
    result, _ = await solve(model, knobs={"n": 1, "k": 4, "rounds": 2, "mode": "pick"})
    assert result.answer == "a"


async def test_a_candidate_is_shown_from_its_end() -> None:
    long = "x" * 5000 + " \\boxed{1}"
    model = Scripted(lambda r: "\\boxed{2}" if "Candidate" in r.messages[-1].content else long)
    await solve(model, knobs={"n": 1, "rounds": 1})
    [candidate] = shown(model.requests[1])
    assert len(candidate) == 4000
    assert candidate.endswith(" \\boxed{1}")
