"""One bad sample in eight never loses the other seven: whole runs against a real server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ponder.core.budget import Budget
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import PROBLEM, job
from tests.support.loopback import Loopback, Step, answer, choice, error

GOOD = answer(choice("\\boxed{42}"))
FAULTS = {
    "429": error(429),
    "429 with Retry-After": error(429, retry_after="7"),
    "500": error(500),
    "cut off in mid-JSON": replace(GOOD, cut=30),
    "connection dropped": Step(drop=True),
    "hung connection": Step(hang=True),
    "no choices": answer(choices=[], usage=None),
    "no object": answer("42"),
    "refused": error(400),
    "not JSON": Step(body=b"<html>"),
}
EMPTY = {
    "no choices": answer(choices=[]),
    "null content": answer(choice(None)),
    "wrong type": answer(choice(42)),
}


async def run(
    server: Loopback,
    budget: Budget | None = None,
    timeout: float = 60.0,
    journal: Journal | None = None,
    run: str = "",
) -> Result:
    async def no_pause(seconds: float) -> None:
        pass

    endpoint = Endpoint(name="loop", base_url=server.url, model="m", timeout=timeout, retries=0)
    model = OpenAICompat(endpoint, sleep=no_pause)
    knobs = {"n": 8, "stop": "never"}
    what = job(model, "self_consistency", knobs=knobs, budget=budget or Budget())
    result = await Runner(what, journal=journal, run=run).go()
    await model.close()
    return result


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_bad_sample_in_eight_never_loses_the_other_seven(fault: str) -> None:
    bad = FAULTS[fault]
    # What may have been paid for is asked for once more, as the ninth request: bad again.
    patience = 5.0 if fault == "hung connection" else 60.0
    async with Loopback(GOOD, GOOD, bad, *[GOOD] * 5, bad) as server:
        result = await run(server, timeout=patience)
    assert result.answer == "42"
    assert result.candidates[0].votes == 7
    total = result.receipt.total
    assert total.failed == len(server.requests) - 7
    assert total.completion_tokens == 7 * 5


@pytest.mark.parametrize("fault", EMPTY)
async def test_a_sample_without_text_is_a_vote_less_and_is_not_paid_for_twice(fault: str) -> None:
    async with Loopback(GOOD, GOOD, EMPTY[fault], GOOD) as server:
        result = await run(server)
        assert len(server.requests) == 8
    assert (result.candidates[0].votes, result.silent, result.lost) == (7, 1, "")
    total = result.receipt.total
    assert (total.failed, total.wasted_tokens, total.completion_tokens) == (0, 0, 8 * 5)


@pytest.mark.parametrize(
    "fault", ["cut off in mid-JSON", "connection dropped", "no choices", "no object", "not JSON"]
)
async def test_a_sample_lost_on_its_way_is_asked_for_once_more(fault: str) -> None:
    async with Loopback(GOOD, GOOD, FAULTS[fault], GOOD) as server:
        result = await run(server)
    assert result.candidates[0].votes == 8
    assert len(server.requests) == 9
    total = result.receipt.total
    assert (total.calls, total.failed) == (9, 1)
    assert total.wasted_tokens > 0


async def test_the_second_attempt_is_within_the_budget_too() -> None:
    # Eight samples at their worst take all of it, and a lost one has cost its worst case.
    async with Loopback(*[Step(drop=True)] * 8, GOOD) as server:
        endpoint = Endpoint(name="loop", base_url=server.url, model="m")
        worst = 8 * (OpenAICompat(endpoint).prompt_bound(PROBLEM.messages) + 100)
        result = await run(server, Budget(tokens=worst))
        assert len(server.requests) == 8
    assert result.receipt.total.cost.tokens <= worst
    assert result.stopped_by == "tokens"


async def test_a_server_that_dies_midway_is_told_and_the_rest_can_be_asked_for_again() -> None:
    journal = Journal(":memory:")
    name = journal.create({})
    async with Loopback(*[GOOD] * 5, error(500)) as server:
        first = await run(server, journal=journal, run=name)
    assert (first.answer, first.candidates[0].votes, first.stopped_by) == ("42", 5, "done")
    assert first.lost == (
        "3 samples were lost (endpoint 'loop' answered 500: no); "
        f"'ponder runs resume {name}' asks for them again."
    )
    assert journal.run(name).state == "incomplete"
    assert first.to_json()["lost"] == first.lost
    async with Loopback(GOOD) as server:
        again = await run(server, journal=journal, run=name)
        assert len(server.requests) == 3
    assert (again.answer, again.candidates[0].votes, again.lost) == ("42", 8, "")
    assert journal.run(name).state == "done"
    assert "lost" not in again.to_json()
    journal.close()
