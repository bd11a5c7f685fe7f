"""Oddities of servers in the field, met by strategies that vote, choose, search and continue."""

from __future__ import annotations

import json
from typing import Any

import pytest

import ponder
from ponder.core.errors import RunFailed
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from tests.support.loopback import Loopback, Step, answer, delta, sse

STRATEGIES: dict[str, dict[str, Any]] = {
    "self_consistency": {"n": 3, "stop": "never"},
    "best_of_n": {"n": 3},
    "beam_search": {"width": 2, "fan": 2},
    "budget_forcing": {"waits": 1},
}
USAGE = {"prompt_tokens": 40, "completion_tokens": 15, "total_tokens": 55}
BOX = r"Three dozen are \boxed{36}"
ODD = [float("nan"), float("-inf"), None, "x"]


def said(content: Any, finish: Any = "stop", *, logprobs: Any = None, **message: Any) -> Any:
    message = {"role": "assistant", "content": content, **message}
    return {"message": message, "finish_reason": finish, "logprobs": logprobs}


def listed(value: Any) -> dict[str, Any]:
    return {"content": [{"token": "a", "logprob": value, "top_logprobs": []}]}


CASES = [
    # a reply to every request, and the answer
    pytest.param(said(BOX), "36", id="plain"),
    pytest.param(said([{"type": "text", "text": BOX}]), "36", id="parts"),
    pytest.param(said(f"35? no.</think>{BOX}"), "36", id="thinking-unopened"),
    pytest.param(said(f"<think>\\boxed{{35}}</think>{BOX}"), "36", id="thinking"),
    pytest.param(said(BOX, None), "36", id="finish-null"),
    pytest.param(said(BOX, "eos"), "36", id="finish-unknown"),
    *(pytest.param(said(BOX, logprobs=listed(v)), "36", id=f"logprob-{v}") for v in ODD),
    pytest.param(said(None, refusal="No."), None, id="refusal"),
    pytest.param(said("", "content_filter"), None, id="filter"),
    pytest.param(said(None), None, id="null"),
    pytest.param(said(None, "tool_calls", tool_calls=[{"id": "1"}]), None, id="tools"),
]


async def solve(step: Step, strategy: str, **settings: Any) -> tuple[ponder.Result, int]:
    """The result of a run whose every request is answered so, and the number of requests."""
    able: Any = frozenset({"seed", "stop", "logprobs", "top_logprobs"})
    settings = {"capabilities": able, "prefill": "continue_final_message", **settings}
    async with Loopback(step) as server:
        client = OpenAICompat(Endpoint(name="e", model="m", base_url=server.url, **settings))
        try:
            result = await ponder.asolve(
                "How many are three dozen?",
                model=client,
                strategy=strategy,
                knobs={"length": 60, **STRATEGIES[strategy]},
                journal=False,
            )
        finally:
            await client.close()
    return result, len(server.requests)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("choice", "right"), CASES)
async def test_every_reply_is_booked_once_and_read_as_it_is_meant(
    choice: Any, right: str | None, strategy: str
) -> None:
    result, requests = await solve(answer(choice, usage=USAGE), strategy)
    total = result.receipt.total
    assert result.answer == right
    assert (total.calls, total.failed, total.wasted_tokens) == (requests, 0, 0)
    assert (total.prompt_tokens, total.completion_tokens) == (40 * requests, 15 * requests)
    json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.parametrize("strategy", ["self_consistency", "best_of_n"])
@pytest.mark.parametrize("finish", ["error", "length", "max_tokens", "abort"])
async def test_half_a_text_gives_no_answer(finish: str, strategy: str) -> None:
    half = said("Three dozen: the answer is 3", finish)
    # A server that continued a prefix would be made to answer.
    result, requests = await solve(answer(half, usage=USAGE), strategy, prefill="none")
    assert (result.answer, result.receipt.total.calls, requests) == (None, 3, 3)


async def test_half_a_text_gives_no_answer_after_its_forced_end_was_truncated_too() -> None:
    half = said("Three dozen: the answer is 3", "length")
    result, requests = await solve(answer(half, usage=USAGE), "self_consistency")
    assert (result.answer, result.receipt.total.calls, requests) == (None, 6, 6)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_stream_in_any_form_is_booked_once(strategy: str) -> None:
    end = {"choices": [], "usage": USAGE}
    step = sse(delta("Three dozen ", ""), delta(r"are \boxed{36}", ""), delta(None, "stop"), end)
    result, requests = await solve(step, strategy, stream=True)
    total = result.receipt.total
    assert (result.answer, total.calls) == ("36", requests)
    assert (total.prompt_tokens, total.completion_tokens) == (40 * requests, 15 * requests)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "body", [{"error": "model not loaded"}, {"object": "error", "message": "not loaded"}]
)
async def test_an_error_with_status_200_ends_the_run_and_costs_nothing(
    body: Any, strategy: str
) -> None:
    with pytest.raises(RunFailed, match="not loaded") as failed:
        await solve(Step(body=json.dumps(body).encode()), strategy)
    assert failed.value.receipt
    assert failed.value.receipt.total.cost.tokens == 0
