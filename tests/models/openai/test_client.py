"""OpenAICompat against a real server: what is sent, what is read, and what shares a request."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ponder.core.errors import (
    CapabilityError,
    MalformedReply,
    ModelUnreachable,
    ServerFault,
    UsageError,
)
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Completion, Model, Request
from ponder.models.http.client import GROUP
from ponder.models.http.endpoint import Endpoint, find_proxy
from ponder.models.http.prompts import PROMPTS, SPARE
from ponder.models.http.replies import share
from ponder.models.openai.client import OpenAICompat
from tests.support.deltas import booking, costs
from tests.support.loopback import Loopback, Step, answer, choice, delta, error, sse, usage

ASK = Request((Message("user", "What is 6 x 7?"),), max_tokens=20, seed=3)
BOUND = 14 + 16 + 128


async def no_pause(seconds: float) -> None:
    assert seconds >= 0


def model(url: str, **fields: Any) -> OpenAICompat:
    endpoint = Endpoint(name="test", base_url=url, model="m", **fields)
    return OpenAICompat(endpoint, sleep=no_pause, rng=random.Random(0))


async def generate(server: Loopback, request: Request = ASK, **fields: Any) -> Completion:
    client = model(server.url, **fields)
    try:
        return await client.generate(request)
    finally:
        await client.close()


def logprobs(*values: float) -> dict[str, Any]:
    return {"content": [{"token": "x", "logprob": value} for value in values]}


# -- one sample ------------------------------------------------------------------------------------


async def test_the_request_and_the_completion() -> None:
    details = {"cached_tokens": 8}
    async with Loopback(answer(usage=usage(prompt_tokens_details=details))) as server:
        completion = await generate(server, key="k1", extra_body={"top_k": 5})
    [seen] = server.requests
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer k1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.json == {
        "model": "m",
        "top_k": 5,
        "messages": [{"role": "user", "content": "What is 6 x 7?"}],
        "max_tokens": 20,
        "temperature": 0.8,
        "top_p": 1.0,
        "seed": 3,
    }
    assert completion.seconds > 0
    assert dataclasses.replace(completion, seconds=0.0) == Completion(
        "42", "stop", prompt_tokens=10, completion_tokens=5, cached_tokens=8
    )


async def test_what_the_endpoint_wants_otherwise() -> None:
    request = dataclasses.replace(ASK, prefix="It is", stop=("\n",), logprobs=True)
    async with Loopback(answer(choice(logprobs=logprobs(-1, -0.5)))) as server:
        completion = await generate(
            server,
            request,
            capabilities=frozenset({"stop", "logprobs"}),
            prefill="continue_final_message",
            max_tokens_field="max_completion_tokens",
        )
    assert "authorization" not in server.requests[0].headers
    assert server.requests[0].json == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "What is 6 x 7?"},
            {"role": "assistant", "content": "It is"},
        ],
        "max_completion_tokens": 20,
        "temperature": 0.8,
        "top_p": 1.0,
        "stop": ["\n"],
        "logprobs": True,
        "top_logprobs": 1,
        "continue_final_message": True,
        "add_generation_prompt": False,
    }
    assert completion.logprobs == (-1.0, -0.5)


def alternatives(*places: dict[str, float]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": next(iter(place)),
                "logprob": next(iter(place.values())),
                "top_logprobs": [{"token": t, "logprob": p} for t, p in place.items()],
            }
            for place in places
        ]
    }


TOP = [{"4": -0.25, "5": -1.5}, {"2": -0.125, "\ufffd": -3.0}]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_likeliest_tokens_at_each_place(stream: bool) -> None:
    request = dataclasses.replace(ASK, top_logprobs=2)
    pieces = [
        delta("4", logprobs=alternatives(TOP[0])),
        delta("2", "stop", logprobs=alternatives(TOP[1])),
    ]
    whole = answer(choice(logprobs=alternatives(*TOP)))
    able = frozenset({"logprobs", "top_logprobs"})
    async with Loopback(sse(*pieces) if stream else whole) as server:
        completion = await generate(server, request, stream=stream, capabilities=able)
    assert server.requests[0].json["logprobs"] is True
    assert server.requests[0].json["top_logprobs"] == 2
    assert completion.top == tuple(TOP)


async def test_of_tokens_that_read_the_same_the_likeliest_counts() -> None:
    same = alternatives({"a": -1.0})
    same["content"][0]["top_logprobs"].append({"token": "a", "logprob": -9.0})
    request = dataclasses.replace(ASK, top_logprobs=2)
    async with Loopback(answer(choice(logprobs=same))) as server:
        able = frozenset({"logprobs", "top_logprobs"})
        completion = await generate(server, request, capabilities=able)
    assert completion.top == ({"a": -1.0},)


@pytest.mark.parametrize("given", [None, logprobs(-1), {"content": []}])
async def test_alternatives_that_did_not_come_are_none(given: Any) -> None:
    request = dataclasses.replace(ASK, top_logprobs=2)
    async with Loopback(answer(choice(logprobs=given))) as server:
        able = frozenset({"logprobs", "top_logprobs"})
        completion = await generate(server, request, capabilities=able)
    assert completion.top is None


async def test_a_prefix_is_not_repeated_in_the_completion() -> None:
    request = dataclasses.replace(ASK, prefix="It is")
    async with Loopback(answer(choice("It is 42")), answer(choice(" 42"))) as server:
        client = model(server.url, prefill="final_message")
        assert (await client.generate(request)).text == " 42"
        assert (await client.generate(request)).text == " 42"
        await client.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prefix_that_is_sent_back_unexpectedly_is_taken_out_and_said_once(
    stream: bool,
) -> None:
    request = dataclasses.replace(ASK, prefix="Six times seven is", watched=True)
    words = ["Six times", " seven is", " 42"]
    whole = answer(choice("".join(words)))
    grown = sse(*map(delta, words), delta("", "stop"), {"choices": [], "usage": usage()})
    seen: list[Delta] = []
    async with Loopback(grown if stream else whole) as server:
        client = model(server.url, prefill="continue_final_message", stream=stream)
        assert (await client.generate(request, seen.append)).text == " 42"
        assert (await client.generate(request)).text == " 42"
        [remark] = client.info.remarks
        await client.close()
    assert "".join(delta.text for delta in seen) == " 42"
    assert 'write prefill = "final_message" in ponder.toml' in remark


@pytest.mark.parametrize("given", [None, {"content": None}, {}])
async def test_logprobs_that_did_not_come_are_none(given: Any) -> None:
    request = dataclasses.replace(ASK, logprobs=True)
    async with Loopback(answer(choice(logprobs=given))) as server:
        completion = await generate(server, request, capabilities=frozenset({"logprobs"}))
    assert completion.logprobs is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("eos", "stop"), ("length", "length"), ("content_filter", "refusal")],
)
async def test_finish_reasons(reason: str, finish: str) -> None:
    async with Loopback(answer(choice(finish=reason))) as server:
        assert (await generate(server)).finish == finish


@pytest.mark.parametrize(
    "wanted",
    [{"logprobs": True}, {"top_logprobs": 3}, {"prefix": "It is"}, {"stop": ("\n",)}],
    ids=str,
)
async def test_a_missing_capability_is_told_before_anything_is_sent(wanted: Any) -> None:
    async with Loopback(answer()) as server:
        with pytest.raises(CapabilityError, match=r"'test' does not declare .* \(it has: seed\)"):
            await generate(
                server, dataclasses.replace(ASK, **wanted), capabilities=frozenset({"seed"})
            )
        assert server.connections == 0


async def test_the_bound_is_exact_once_the_endpoint_has_counted() -> None:
    async with Loopback(answer(usage=usage(31, 2))) as server:
        client: Model = model(server.url, prefill="final_message")
        assert client.prompt_bound(ASK.messages) == BOUND
        await client.generate(ASK)
        assert client.prompt_bound(list(ASK.messages)) == 31
        assert client.prompt_bound(ASK.messages, "É") == 31 + 16 + 2
        for i in range(PROMPTS):
            client.prompt_bound([Message("user", str(i))])
        assert client.prompt_bound(ASK.messages) == BOUND
        await client.close()


async def test_a_prompt_is_bounded_by_the_size_of_what_it_continues() -> None:
    text, turn = "Six sevens are many. " * 3, 16
    said = [
        answer(choice(text), usage=usage(31, 18)),
        answer(choice("So it is forty-two."), usage=usage(50, 4)),
    ]
    async with Loopback(*said) as server:
        client = model(server.url, prefill="final_message")
        await client.generate(ASK)
        grown = 31 + turn + 18 + SPARE
        assert client.prompt_bound(ASK.messages, text) == grown + 1
        assert client.prompt_bound(ASK.messages, text.rstrip() + "\n\nÉ{") == grown + 5
        await client.generate(dataclasses.replace(ASK, prefix=text))
        assert client.prompt_bound(ASK.messages, text) == 50
        assert (
            client.prompt_bound(ASK.messages, text + "So it is forty-two. ") == 50 + 4 + SPARE + 1
        )
        other = (Message("user", "What is 7 x 7?"),)
        assert client.prompt_bound(other, text) > BOUND
        await client.close()


@pytest.mark.parametrize("more", [{"reasoning": "six"}, {}], ids=["thinking", "several"])
async def test_a_text_of_unknown_size_bounds_nothing(more: dict[str, Any]) -> None:
    one = {"message": {"role": "assistant", "content": "x" * 90, **more}, "finish_reason": "stop"}
    samples = 1 if more else 2
    async with Loopback(answer(*[one] * samples, usage=usage(31, 60))) as server:
        client = model(server.url, prefill="final_message", capabilities=frozenset({"n"}))
        await asyncio.gather(*[client.generate(ASK)] if more else map(client.generate, [ASK] * 2))
        known = 31 + 16 if more else BOUND + 16
        assert client.prompt_bound(ASK.messages, "x" * 90) == known + 90
        await client.close()


async def test_lone_surrogates_are_sent_as_they_are() -> None:
    request = Request((Message("user", "\ud800"),), 5)
    async with Loopback(answer()) as server:
        await generate(server, request)
    assert server.requests[0].json["messages"][0]["content"] == "\ud800"


async def test_connections_are_kept_and_bounded() -> None:
    async with Loopback(answer()) as server:
        client = model(server.url, concurrency=2)
        await asyncio.gather(*(client.generate(ASK) for _ in range(10)))
        await client.generate(ASK)
        await client.close()
        await client.close()
    assert len(server.requests) == 11
    assert server.connections == 2


async def test_cancelling_closes_the_connection() -> None:
    async with Loopback(Step(hang=True), answer()) as server:
        client = model(server.url)
        task = asyncio.create_task(client.generate(ASK))
        await server.seen(requests=1)
        task.cancel()
        await server.seen(abandoned=1)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.generate(ASK)).text == "42"
        await client.close()
    assert server.connections == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_sample_is_booked_at_the_size_of_its_prompt_once_that_is_known(
    stream: bool,
) -> None:
    seen: list[tuple[int, int]] = []
    step = sse(delta("a"), done=False, hang=True) if stream else Step(hang=True)
    async with Loopback(step, answer()) as server:
        client = model(server.url, stream=stream)
        task = asyncio.create_task(client.generate(ASK, lambda d: seen.append(costs(d))))
        await server.seen(requests=1)
        await client.generate(ASK)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()
    assert (seen[0][0], seen[-1][0]) == (BOUND, 10)
    assert seen[-1][1] in ((0, 1) if stream else (20,))


def test_one_model_serves_one_loop_after_another() -> None:
    client: OpenAICompat | None = None

    async def solve() -> str:
        nonlocal client
        async with Loopback(answer()) as server:
            # A port of its own for each loop: the same model object must not care.
            client = client or model(server.url)
            client._urls = [url.with_port(server.port) for url in client._urls]
            return (await client.generate(ASK)).text

    assert [asyncio.run(solve()) for _ in range(3)] == ["42"] * 3
    assert client is not None
    assert not client._links._links  # each loop has closed its own when it ended


# -- streams ---------------------------------------------------------------------------------------


async def test_a_stream_and_its_progress() -> None:
    events = [delta("4"), delta("2"), delta(None, "stop"), {"choices": [], "usage": usage(9, 3)}]
    seen: list[tuple[int, int]] = []
    async with Loopback(sse(*events)) as server:
        client = model(server.url, stream=True)
        completion = await client.generate(ASK, booking(seen))
        await client.close()
    assert server.requests[0].json["stream"] is True
    assert server.requests[0].json["stream_options"] == {"include_usage": True}
    assert (completion.text, completion.finish) == ("42", "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == (9, 3)
    assert seen[0] == (BOUND, 0)
    assert seen[-1] == (9, 3)
    assert seen == sorted(seen, key=lambda counts: counts[1])


async def test_a_stream_may_come_in_any_pieces_and_with_comments() -> None:
    events = [delta("a", logprobs=logprobs(-1)), delta("é", "stop", logprobs=logprobs(-2))]
    body = b": ping\n\nevent: x\r\n" + b"".join(sse(*events).chunks)
    step = Step(chunks=tuple(body[i : i + 1] for i in range(len(body))))
    request = dataclasses.replace(ASK, logprobs=True)
    async with Loopback(step) as server:
        completion = await generate(
            server, request, stream=True, capabilities=frozenset({"logprobs"})
        )
    assert (completion.text, completion.logprobs) == ("aé", (-1.0, -2.0))


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        ([delta(text) for text in "abcd"], 3),
        ([delta("a"), delta("b"), {**delta("c"), "timings": {"predicted_n": 9}}], 9),
        ([delta("a"), delta("b"), {**delta("c"), "usage": usage(9, 7)}], 7),
        (
            [
                delta("ab", logprobs=logprobs(-1, -1)),
                delta("cde", logprobs=logprobs(-1, -1, -1)),
            ],
            3,
        ),
    ],
)
async def test_a_server_that_ignores_max_tokens_is_cut_off(sent: list[Any], counted: int) -> None:
    request = dataclasses.replace(ASK, max_tokens=3)
    async with Loopback(sse(*sent, done=False, hang=True)) as server:
        completion = await generate(server, request, stream=True)
        await server.seen(abandoned=1)
    assert completion.finish == "length"
    assert completion.completion_tokens == counted  # more than asked for only if it says so
    assert completion.text in ("ab", "abc")


async def test_a_cancelled_stream_was_booked_as_far_as_it_came() -> None:
    seen: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    async with Loopback(sse(delta("a"), delta("b"), done=False, hang=True)) as server:
        client = model(server.url, stream=True)
        task = asyncio.create_task(client.generate(ASK, lambda d: seen.put_nowait(costs(d))))
        last = await seen.get()
        while last != (BOUND, 2):
            last = await seen.get()
        task.cancel()
        await server.seen(abandoned=1)
        assert seen.empty()
        await client.close()


async def test_thoughts_in_a_stream_count_but_are_not_text() -> None:
    thought = {"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}
    events = [{"choices": [thought]}, {"choices": [thought]}, delta("42"), delta("!")]
    request = dataclasses.replace(ASK, max_tokens=3)
    async with Loopback(sse(*events)) as server:
        completion = await generate(server, request, stream=True)
    assert (completion.text, completion.finish) == ("42", "length")


# -- several samples in one request ----------------------------------------------------------------

MANY = frozenset[Any]({"seed", "n", "logprobs"})


async def samples(client: OpenAICompat, n: int, **fields: Any) -> list[Any]:
    requests = [dataclasses.replace(ASK, seed=i, **fields) for i in range(n)]
    tasks = [client.generate(request) for request in requests]
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_differs_in_its_seed_alone_shares_a_request() -> None:
    texts = ["a", "bb", "cccccc"]
    reply = answer(*map(choice, texts), usage=usage(10, 24))
    async with Loopback(reply) as server:
        client = model(server.url, capabilities=MANY)
        results = await samples(client, 3)
        await client.close()
    [seen] = server.requests
    assert (seen.json["n"], seen.json["seed"]) == (3, 0)
    assert [r.text for r in results] == texts
    assert [r.prompt_tokens for r in results] == [10, 0, 0]
    assert [r.completion_tokens for r in results] == [4, 6, 14]  # by length + 1, rounded up


async def test_logprobs_tell_the_tokens_of_each_sample() -> None:
    choices = [choice("x" * 50, logprobs=logprobs(-1)), choice("y", logprobs=logprobs(-1, -2, -3))]
    async with Loopback(answer(*choices, usage=usage(10, 4))) as server:
        client = model(server.url, capabilities=MANY)
        results = await samples(client, 2, logprobs=True)
        await client.close()
    assert [r.completion_tokens for r in results] == [1, 3]
    assert results[1].logprobs == (-1.0, -2.0, -3.0)


async def test_other_requests_and_later_ones_do_not_share() -> None:
    async with Loopback(answer()) as server:
        client = model(server.url, capabilities=MANY)
        await asyncio.gather(
            client.generate(ASK), client.generate(dataclasses.replace(ASK, temperature=0.1))
        )
        await client.generate(ASK)
        await client.close()
    assert len(server.requests) == 3
    assert not any("n" in seen.json for seen in server.requests)


async def test_a_group_has_an_upper_size() -> None:
    async with Loopback(answer(*[choice()] * GROUP, usage=usage(10, 2 * GROUP))) as server:
        client = model(server.url, capabilities=MANY)
        results = await samples(client, GROUP + 2)
        await client.close()
    assert [r.json.get("n") for r in server.requests] == [GROUP, 2]
    assert [r.text for r in results] == ["42"] * (GROUP + 2)


async def test_a_bad_choice_costs_its_own_sample_alone_and_a_missing_one_is_asked_for() -> None:
    group = answer(choice("a"), 7, usage=usage(10, 6))
    async with Loopback(group, answer(choice("b"))) as server:
        client = model(server.url, capabilities=MANY)
        good, bad, missing = await samples(client, 3)
        await client.close()
    assert (good.text, good.prompt_tokens, good.completion_tokens) == ("a", 10, 6)
    assert type(bad) is MalformedReply
    assert (missing.text, missing.prompt_tokens, missing.completion_tokens) == ("b", 10, 5)
    assert [seen.json.get("n") for seen in server.requests] == [3, None]


async def test_a_missing_choice_that_may_have_been_billed_is_lost() -> None:
    async with Loopback(answer(choice("a"), usage=None)) as server:
        client = model(server.url, capabilities=MANY)
        good, missing = await samples(client, 2)
        await client.close()
    assert (good.text, good.completion_tokens) == ("a", 20)
    assert "fewer" in str(missing)
    assert (missing.prompt_tokens, missing.completion_tokens) == (0, 20)
    assert len(server.requests) == 1


async def test_a_group_that_fails_is_shared_as_well() -> None:
    async with Loopback(error(500), Step(body=b"{")) as server:
        client = model(server.url, capabilities=MANY)
        problems = await samples(client, 3)
        await client.close()
        assert len(server.requests) == 2
    assert {type(p) for p in problems} == {MalformedReply}
    costs = [(p.prompt_tokens, p.completion_tokens) for p in problems]
    assert costs == [(BOUND, 20), (0, 20), (0, 20)]


async def test_who_leaves_during_a_pause_is_not_asked_for_again() -> None:
    tasks: list[asyncio.Task[Completion]] = []

    async def pause(seconds: float) -> None:
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])

    booked: list[list[tuple[int, int]]] = [[], [], []]
    async with Loopback(error(500), answer(choice(), choice())) as server:
        endpoint = Endpoint(name="test", base_url=server.url, model="m", capabilities=MANY)
        client = OpenAICompat(endpoint, sleep=pause)
        for seen in booked:
            report = client.generate(ASK, booking(seen))
            tasks.append(asyncio.create_task(report))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()
    assert [r.json["n"] for r in server.requests] == [3, 2]
    assert isinstance(results[0], asyncio.CancelledError)
    assert booked[0] == [(BOUND, 20), (0, 0)]
    assert booked[1] == [(0, 20), (0, 0), (BOUND, 20), (10, 3)]
    assert booked[2] == [(0, 20), (0, 0), (0, 20), (0, 2)]


async def test_nobody_is_asked_for_when_all_left_during_a_pause() -> None:
    async def pause(seconds: float) -> None:
        task.cancel()

    async with Loopback(error(500)) as server:
        endpoint = Endpoint(name="test", base_url=server.url, model="m", capabilities=MANY)
        client = OpenAICompat(endpoint, sleep=pause)
        task = asyncio.create_task(client.generate(ASK))
        await asyncio.wait([task])
        await client.close()
    assert task.cancelled()
    assert len(server.requests) == 1


async def test_who_left_has_paid_and_the_others_do_not_pay_again() -> None:
    booked: list[list[tuple[int, int]]] = [[], []]
    async with Loopback(Step(hang=True)) as server:
        client = model(server.url, capabilities=MANY)
        tasks = []
        for seen in booked:
            sample = client.generate(ASK, booking(seen))
            tasks.append(asyncio.create_task(sample))
        await server.seen(requests=1)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        server.release()
        with pytest.raises(ModelUnreachable) as caught:
            await tasks[1]
        await client.close()
    assert booked == [[(BOUND, 20)], [(0, 20)]]
    assert (caught.value.prompt_tokens, caught.value.completion_tokens) == (0, 20)


async def test_a_group_is_cancelled_when_all_of_it_is() -> None:
    async with Loopback(Step(hang=True)) as server:
        client = model(server.url, capabilities=MANY)
        tasks = [asyncio.create_task(client.generate(ASK)) for _ in range(3)]
        await server.seen(requests=1)
        for task in tasks[:2]:
            task.cancel()
        await asyncio.wait(tasks[:2])
        assert server.abandoned == 0
        tasks[2].cancel()
        await server.seen(abandoned=1)
        await client.close()


async def test_who_leaves_before_the_group_is_sent_is_not_asked_for() -> None:
    async with Loopback(answer()) as server:
        client = model(server.url, capabilities=MANY)
        tasks = [asyncio.create_task(client.generate(ASK)) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert (await tasks[1]).prompt_tokens == 10
        assert "n" not in server.requests[0].json
        await client.close()


async def test_a_bug_of_the_watcher_reaches_it() -> None:
    def broken(delta: Delta) -> None:
        raise ZeroDivisionError

    async with Loopback(answer()) as server:
        client = model(server.url, capabilities=MANY)
        with pytest.raises(ZeroDivisionError):
            await client.generate(ASK, broken)
        await client.close()


async def test_one_sample_of_a_streaming_endpoint_is_streamed_and_several_are_not() -> None:
    async with Loopback(sse(delta("42", "stop")), answer(choice(), choice())) as server:
        client = model(server.url, capabilities=MANY, stream=True)
        await client.generate(ASK)
        await samples(client, 2)
        await client.close()
    assert ["stream" in seen.json for seen in server.requests] == [True, False]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=130), st.integers(0, 10**6), st.data())
def test_shares_are_exact_and_within_the_cap(
    weights: list[int], total: int, data: st.DataObject
) -> None:
    cap = data.draw(st.integers(math.ceil(total / len(weights)), 10**6))
    parts = share(total, weights, cap)
    assert sum(parts) == total
    assert all(0 <= part <= cap for part in parts)
    assert share(sum(weights), weights, max(weights)) == weights


def test_a_total_beyond_the_cap_is_still_shared_exactly() -> None:
    assert sum(share(100, [1, 2, 3], cap=20)) == 100


# -- configuration ---------------------------------------------------------------------------------


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    endpoint = Endpoint(name="x", base_url="http://h/v1", model="m", key_env="TEST_KEY")
    with pytest.raises(UsageError) as caught:
        OpenAICompat(endpoint)
    assert str(caught.value) == (
        "endpoint 'x' needs its key in the environment variable TEST_KEY, which is not set: "
        "export TEST_KEY=..."
    )
    monkeypatch.setenv("TEST_KEY", "sk-secret\n")
    client = OpenAICompat(endpoint)
    assert "secret" not in repr(client) + repr(client.endpoint) + repr(client.info)
    monkeypatch.setenv("TEST_KEY", "sk-se\ncret")
    with pytest.raises(UsageError, match="characters that no key has") as caught:
        OpenAICompat(endpoint)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "h:80", "ftp://h/v1", "http://", "http://u:p@h/v1", "http://["]
)
def test_addresses_that_cannot_work(url: str) -> None:
    with pytest.raises(UsageError, match="base_url"):
        model(url)


def test_prefill_needs_a_way() -> None:
    with pytest.raises(UsageError, match="'final_message'"):
        model("http://h/v1", capabilities=frozenset({"prefill"}))
    info = model("http://h/v1", prefill="final_message", context=9, parameters=7, local=True).info
    assert info.capabilities == {"seed", "stop", "prefill"}
    assert (info.context, info.shape.parameters, info.local) == (9, 7, True)


def test_the_proxy_is_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "inside")

    def proxy(host: str) -> str | None:
        return find_proxy(URL(f"http://{host}:80/v1"))

    assert proxy("outside") == "http://proxy:1"
    for host in ("127.0.0.1", "127.9.9.9", "[::1]", "localhost", "a.localhost", "inside"):
        assert proxy(host) is None


async def test_retries_may_be_none() -> None:
    async with Loopback(error(503)) as server:
        with pytest.raises(ServerFault):
            await generate(server, retries=0)
    assert len(server.requests) == 1
