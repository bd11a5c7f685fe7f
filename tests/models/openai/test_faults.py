"""What the world does wrong, against a real server: how it is classified, and what it costs."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import traceback
from typing import Any

import pytest

from ponder.core.errors import (
    MalformedReply,
    ModelError,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from tests.support.deltas import costs
from tests.support.loopback import Loopback, Step, answer, choice, delta, error, sse, usage

ASK = Request((Message("user", "What is 6 x 7?"),), max_tokens=20)
BOUND = 14 + 16 + 128
KEY = "sk-very/secret+key=1"


class Pauses(list[float]):
    """Stands in for asyncio.sleep, and keeps what it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def model(url: str, pauses: Pauses | None = None, **fields: Any) -> OpenAICompat:
    endpoint = Endpoint(name="test", base_url=url, model="m", **fields)
    return OpenAICompat(endpoint, sleep=Pauses() if pauses is None else pauses, rng=NoJitter())


async def outcome(server: Loopback, request: Request = ASK, **fields: Any) -> ModelError:
    """The error that the request ends with."""
    client = model(server.url, **fields)
    try:
        with pytest.raises(ModelError) as caught:
            await client.generate(request)
    finally:
        await client.close()
    return caught.value


async def sample(server: Loopback, **fields: Any) -> Completion:
    client = model(server.url, **fields)
    try:
        return await client.generate(ASK)
    finally:
        await client.close()


def spent(problem: ModelError) -> tuple[int, int]:
    return problem.prompt_tokens, problem.completion_tokens


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, 0.5),
        ({"Retry_After": "7"}, 7.5),
        ({"Retry_After": "0.25"}, 0.75),
        ({"Retry_After": "9999"}, 60.5),
        ({"Retry_After": "-3"}, 0.5),
        ({"Retry_After": "soon"}, 0.5),
        (
            {
                "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
                "Retry_After": "Sun, 06 Nov 1994 08:49:49 GMT",
            },
            12.5,
        ),
        ({"Retry_After": "Sun, 06 Nov 1994 08:49:49 GMT"}, 0.5),  # long ago by our own clock
    ],
)
async def test_429_is_repeated_after_the_pause_it_asks_for(
    headers: dict[str, str], pause: float
) -> None:
    async with Loopback(error(429, **headers), answer()) as server:
        pauses = Pauses()
        client = model(server.url, pauses)
        completion = await client.generate(ASK)
        await client.close()
    assert pauses == [pause]
    assert (completion.text, completion.wasted_tokens) == ("42", 0)
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_server_faults_are_repeated(status: int) -> None:
    async with Loopback(error(status), error(status), answer()) as server:
        pauses = Pauses()
        client = model(server.url, pauses)
        assert (await client.generate(ASK)).text == "42"
        await client.close()
    assert pauses == [0.5, 1.0]


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, ServerFault)])
async def test_retries_end(status: int, kind: type[ModelError]) -> None:
    async with Loopback(error(status, "busy")) as server:
        problem = await outcome(server, retries=2)
    assert type(problem) is kind
    assert str(problem) == f"endpoint 'test' answered {status}: busy"
    assert spent(problem) == (0, 0)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refused_request_is_not_repeated(status: int) -> None:
    async with Loopback(error(status, "no\n such " + "m" * 500)) as server:
        problem = await outcome(server)
    assert type(problem) is RequestRefused
    assert str(problem).startswith(f"endpoint 'test' answered {status}: no such mmm")
    assert len(str(problem)) == 240
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "flat"}', "flat"),
        (b'{"detail": [{"loc": ["n"]}]}', '[{"loc": ["n"]}]'),
        (b"<html>nginx</html>", "<html>nginx</html>"),
        (b"\xff", "\ufffd"),
        (b"", "no reason given"),
    ],
)
async def test_every_dialect_of_errors_is_read(body: bytes, reason: str) -> None:
    async with Loopback(Step(400, body=body)) as server:
        assert str(await outcome(server)) == f"endpoint 'test' answered 400: {reason}"


async def test_an_error_whose_body_is_cut_keeps_its_status() -> None:
    async with Loopback(Step(400, body=b"reason", cut=2)) as server:
        assert type(await outcome(server)) is RequestRefused


@pytest.mark.parametrize("status", [301, 307])
async def test_redirects_are_not_followed(status: int) -> None:
    async with Loopback(answer()) as thief:
        there = Step(status, (("Location", thief.url + "/chat/completions"),))
        async with Loopback(there) as server:
            problem = await outcome(server, key=KEY)
        assert thief.connections == 0
    assert type(problem) is RequestRefused
    assert "base_url" in str(problem)


async def test_a_refused_connection_is_repeated_and_free() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # nobody listens there, nor can meanwhile
        pauses = Pauses()
        client = model(f"http://127.0.0.1:{port}/v1", pauses, retries=2)
        with pytest.raises(ModelUnreachable, match="cannot be reached") as caught:
            await client.generate(ASK)
        await client.close()
    assert pauses == [0.5, 1.0]
    assert spent(caught.value) == (0, 0)


def patience(step: Step) -> float:
    """Seconds until a client gives up: few only where it has to."""
    return 2.0 if step.hang else 60.0


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Step(hang=True), ModelTimeout),
        (Step(drop=True), ModelUnreachable),
        (Step(body=answer().body, cut=30), ModelUnreachable),
        (Step(body=answer().body[:30]), MalformedReply),
    ],
)
async def test_what_is_lost_after_it_was_sent_costs_the_worst_case(
    step: Step, kind: type[ModelError]
) -> None:
    async with Loopback(step) as server:
        problem = await outcome(server, timeout=patience(step))
        assert len(server.requests) == 1  # there is no allowance for a second
    assert type(problem) is kind
    assert spent(problem) == (BOUND, 20)


MALFORMED: list[tuple[str, Any]] = [
    ("no choices", None),
    ("no choices", "none"),
    ("not an object", ["text"]),
    ("not an object", [7]),
]


@pytest.mark.parametrize(("why", "choices"), MALFORMED)
async def test_malformed_choices_cost_what_the_usage_says(why: str, choices: Any) -> None:
    body = json.dumps({"choices": choices, "usage": usage(100, 15)}).encode()
    async with Loopback(Step(body=body)) as server:
        problem = await outcome(server)
    assert type(problem) is MalformedReply
    assert why in str(problem)
    assert spent(problem) == (100, 15)
    assert len(server.requests) == 1


def thinking(content: Any, **fields: Any) -> dict[str, Any]:
    return {"message": {"content": content, **fields}, "finish_reason": "stop"}


ODD: list[tuple[Any, str, str, str]] = [
    ([], "", "", "refusal"),
    ([{"finish_reason": "stop"}], "", "", "stop"),
    ([{}], "", "", "stop"),
    ([choice(None)], "", "", "stop"),
    ([choice(7)], "", "", "stop"),
    ([choice(["a", 7, "b"])], "ab", "", "stop"),
    ([choice([{"type": "text", "text": "42"}])], "42", "", "stop"),
    ([choice({"type": "text", "text": "42"})], "42", "", "stop"),
    ([choice([{"type": "text", "text": None}, {"type": "image_url"}])], "", "", "stop"),
    (
        [choice([{"type": "thinking", "thinking": [{"type": "text", "text": "41?"}]},
                 {"type": "text", "text": "42"}])],
        "42", "41?", "stop",
    ),
    ([choice([{"type": "reasoning", "text": "41?"}, {"text": "42"}])], "42", "41?", "stop"),
    ([thinking(None, reasoning_content="hm")], "", "hm", "stop"),
    ([thinking("", reasoning="hm")], "", "hm", "stop"),
    ([thinking("42", reasoning_details=[{"text": "h"}, {"summary": "m"}, 7])], "42", "hm", "stop"),
    ([thinking(None, refusal="I will not.")], "I will not.", "", "refusal"),
    ([thinking(None, tool_calls=[{"id": "1"}])], "", "", "stop"),
    ([choice(finish=None)], "42", "", "stop"),
    ([choice(finish=1)], "42", "", "stop"),
    ([choice(finish="null")], "42", "", "stop"),
    ([choice(finish="max_tokens")], "42", "", "length"),
    ([choice(finish="MAX_TOKENS")], "42", "", "length"),
    ([choice(finish="error")], "42", "", "error"),
    ([choice(finish="SAFETY")], "42", "", "refusal"),
    ([choice(finish="eos_token")], "42", "", "stop"),
]  # fmt: skip


@pytest.mark.parametrize(("choices", "text", "reasoning", "finish"), ODD)
async def test_an_odd_reply_is_one_sample(
    choices: Any, text: str, reasoning: str, finish: str
) -> None:
    body = json.dumps({"choices": choices, "usage": usage(100, 15)}).encode()
    async with Loopback(Step(body=body)) as server:
        done = await sample(server)
        assert len(server.requests) == 1
    assert (done.text, done.reasoning, done.finish) == (text, reasoning, finish)
    assert (done.prompt_tokens, done.completion_tokens) == (100, 15)


ODD_USAGE: list[tuple[Any, int, int]] = [
    (7, BOUND, 20),
    ([], BOUND, 20),
    ({}, BOUND, 20),
    (usage(None, None, total_tokens=0), BOUND, 20),
    (usage("10"), BOUND, 5),
    (usage(-1), BOUND, 5),
    (usage(True), BOUND, 5),
    (usage(10, None), 10, 20),
    (usage(10, 2.5), 10, 20),
    (usage(10.0, 5.0), 10, 5),
    ({"prompt_tokens": 10, "total_tokens": 17}, 10, 7),
    ({"completion_tokens": 7, "total_tokens": 17}, 10, 7),
    (usage(10, 5, total_tokens=25), 10, 15),  # the thinking is beside the completion
    (usage(10, 15, total_tokens=25), 10, 15),
    (usage(10, 5, total_tokens=3), 10, 5),
]


@pytest.mark.parametrize(("counts", "prompt", "completion"), ODD_USAGE)
async def test_a_missing_count_is_booked_at_its_worst_case(
    counts: Any, prompt: int, completion: int
) -> None:
    async with Loopback(answer(usage=counts)) as server:
        done = await sample(server)
    assert (done.prompt_tokens, done.completion_tokens) == (prompt, completion)


@pytest.mark.parametrize(
    ("counts", "completion", "thought"),
    [
        (usage(10, 5, total_tokens=18), 8, 3),  # beside
        (usage(10, 8, total_tokens=18), 8, 3),  # within
        (usage(10, 2), 5, 3),  # without a total, thinking above the completion is beside it
        (usage(10, 8), 8, 3),
    ],
)
async def test_thinking_is_counted_once(counts: Any, completion: int, thought: int) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 3}}
    async with Loopback(answer(usage={**counts, **details})) as server:
        done = await sample(server)
    assert (done.completion_tokens, done.reasoning_tokens) == (completion, thought)


@pytest.mark.parametrize("body", [b"[]", b"null", b"\xff", b"[" * 100_000, b""])
async def test_a_reply_that_is_not_an_object(body: bytes) -> None:
    async with Loopback(Step(body=body)) as server:
        assert type(await outcome(server)) is MalformedReply


async def test_a_paid_reply_is_not_repeated() -> None:
    body = json.dumps({"choices": ["text"], "usage": usage(40, 20)}).encode()
    async with Loopback(Step(body=body), answer()) as server:
        problem = await outcome(server)
        assert len(server.requests) == 1
    assert spent(problem) == (40, 20)


async def test_a_reply_without_usage_counts_as_its_bound() -> None:
    async with Loopback(answer(usage=None)) as server:
        client = model(server.url)
        completion = await client.generate(ASK)
        await client.close()
    assert (completion.prompt_tokens, completion.completion_tokens) == (BOUND, 20)


async def test_thoughts_cut_off_are_a_truncated_sample() -> None:
    thinking = choice(None, "length")
    thinking["message"]["reasoning_content"] = "well"
    async with Loopback(answer(thinking)) as server:
        client = model(server.url)
        completion = await client.generate(ASK)
        await client.close()
    assert (completion.text, completion.finish) == ("", "length")


@pytest.mark.parametrize(("code", "kind"), [(429, RateLimited), ("x", ServerFault)])
async def test_an_error_object_with_status_200(code: Any, kind: type[ModelError]) -> None:
    body = json.dumps({"error": {"message": "upstream", "code": code}}).encode()
    async with Loopback(Step(body=body)) as server:
        problem = await outcome(server, retries=1)
        assert len(server.requests) == 2
    assert type(problem) is kind
    assert spent(problem) == (0, 0)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (sse(delta("a"), delta("b"), done=False), MalformedReply),
        (sse(delta("a"), delta("b"), {"error": {"message": "oom"}}), ServerFault),
        (sse(delta("a"), delta("b", ""), done=False), MalformedReply),
        (sse(delta("a", "null"), delta("b", "null"), done=False), MalformedReply),
        (sse(delta("a"), delta("b"), [1]), MalformedReply),
        (sse(delta("a"), delta("b"), {"choices": "x"}), MalformedReply),
        (sse(delta("a"), delta("b"), {"choices": [7]}), MalformedReply),
        (Step(chunks=sse(delta("a"), delta("b")).chunks[:2], cut=0), ModelUnreachable),
        (sse(delta("a"), delta("b"), done=False, hang=True), ModelTimeout),
    ],
)
async def test_a_broken_stream_costs_what_was_seen(step: Step, kind: type[ModelError]) -> None:
    async with Loopback(step) as server:
        problem = await outcome(server, stream=True, idle_timeout=patience(step))
        assert len(server.requests) == 1
    assert type(problem) is kind
    assert spent(problem) == (BOUND, 2)


async def test_a_stream_that_breaks_after_the_sample_ended_loses_nothing() -> None:
    step = Step(chunks=sse(delta("a"), delta("b", "stop")).chunks[:2], cut=0)
    async with Loopback(step) as server:
        client = model(server.url, stream=True)
        completion = await client.generate(ASK)
        await client.close()
    assert (completion.text, completion.completion_tokens) == ("ab", 20)  # no usage: its bound


async def test_an_error_at_the_start_of_a_stream_is_repeated() -> None:
    failed = sse({"error": {"message": "no slot", "code": 503}})
    good = sse(delta("42", "stop"), {"choices": [], "usage": usage(10, 1)})
    async with Loopback(failed, good) as server:
        client = model(server.url, stream=True)
        assert (await client.generate(ASK)).text == "42"
        await client.close()


def echo(seen: str) -> list[Step]:
    quoted = json.dumps({"error": {"message": f"bad key {seen}"}}).encode()
    return [
        Step(401, body=quoted),
        Step(500, body=f"<b>Bearer {seen}</b>".encode()),
        Step(400, body=f"{'x' * 200} {seen}".encode()),
        Step(200, body=quoted),
        Step(200, body=seen.encode()),
        Step(307, (("Location", f"http://127.0.0.1:1/{seen}"),)),
        Step(hang=True, body=seen.encode(), cut=3),
        Step(drop=True),
        Step(body=json.dumps({"choices": [seen]}).encode()),
    ]


@pytest.mark.parametrize("step", echo(KEY))
@pytest.mark.parametrize("stream", [False, True])
async def test_the_key_is_never_shown(
    step: Step, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Loopback(step) as server:
        problem = await outcome(server, key=KEY, retries=0, timeout=patience(step), stream=stream)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    shown = "".join(traceback.format_exception(problem)) + repr(problem) + caplog.text
    for part in (KEY, KEY[:8], KEY[-8:]):
        assert part not in shown


async def test_progress_tells_the_worst_case_while_nothing_is_known() -> None:
    seen: list[tuple[int, int]] = []
    async with Loopback(error(500), answer()) as server:
        client = model(server.url)
        await client.generate(ASK, lambda d: seen.append(costs(d)))
        await client.close()
    assert seen == [(BOUND, 20), (0, 0), (BOUND, 20), (10, 5)]


async def test_llamacpp_counts_the_first_of_several_samples() -> None:
    choices = [choice("x" * 40), choice("y" * 20), choice("z" * 60)]
    counts = {"timings": {"predicted_n": 8}, "usage": usage(10, 8)}
    async with Loopback(answer(*choices, **counts), answer()) as server:
        client = model(server.url, capabilities=frozenset({"n"}))
        done = await asyncio.gather(*(client.generate(ASK) for _ in range(3)))
        assert sum(one.completion_tokens for one in done) == -(-8 * (41 + 21 + 61) // 41)
        await asyncio.gather(*(client.generate(ASK) for _ in range(2)))  # now one by one
        assert [request.json.get("n") for request in server.requests] == [3, None, None]
        [remark] = client.info.remarks
        await client.close()
    assert "counts only the first of several samples" in remark


async def test_a_stream_that_tells_the_prompt_on_the_way_is_booked_so() -> None:
    timings = {"prompt_n": 3, "cache_n": 4, "predicted_n": 1}
    async with Loopback(sse({**delta("4"), "timings": timings}, done=False)) as server:
        problem = await outcome(server, stream=True)
    assert spent(problem) == (7, 1)
