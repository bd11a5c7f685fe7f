"""OpenAI's Chat Completions, driven by Ponder: what families take is known, the rest is learned."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial
from typing import Any

import pytest

from ponder.core.errors import ModelUnreachable, RateLimited, RequestRefused, ServerFault
from ponder.core.thinking import Thinking
from ponder.models.base import Completion
from ponder.models.openai.chat import Chat
from tests.support.vendors.model import ANSWER, REFUSAL, SENTENCES, tokens
from tests.support.vendors.openai.table import MODELS
from tests.support.vendors.serving import Billed, Book
from tests.support.vendors.wires import (
    ASK,
    SPEAKING,
    STREAMED,
    check_bill,
    failed,
    known,
    paid,
    sent,
    told,
)

LEARNING: dict[str, Any] = {"efforts": (), "drop": frozenset(), "max_tokens_field": "max_tokens"}
"""Settings of an endpoint of which nothing is known."""


model = partial(known, wire=Chat)


@STREAMED
@pytest.mark.parametrize("write", [None, 7])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("name", SPEAKING)
async def test_a_sample_is_what_was_said_and_billed(
    name: str, size: int, write: int | None, stream: bool
) -> None:
    book = Book()
    async with model(name, book, size=size, stream=stream, write=write) as client:
        done = await told(client)
    script = MODELS[name].script
    assert done.text == (REFUSAL if script.refuses else script.text)
    filtered = script.finish == "content_filter" or script.refuses
    assert done.finish == ("refusal" if filtered else "stop")
    assert (done.reasoning, done.blocks) == ("", "")
    assert len(book.requests) == paid(book) == 1
    check_bill(done, book.billed)


@STREAMED
@pytest.mark.parametrize("effort", ["off", "minimal", "low", "medium", "high", "xhigh", "max"])
@pytest.mark.parametrize("name", ["gpt-5-mini", "gpt-5.1", "gpt-5-pro"])
async def test_a_level_is_the_nearest_that_the_model_takes(
    name: str, effort: str, stream: bool
) -> None:
    book = Book()
    async with model(name, book, stream=stream) as client:
        done = await told(client, thinking=Thinking(effort))
        remarks = client.info.remarks
    asked = sent(book)["reasoning_effort"]
    assert asked in MODELS[name].efforts
    assert done.reasoning_tokens == 6 * SENTENCES[asked]
    assert bool(remarks) is (asked != ("none" if effort == "off" else effort))
    check_bill(done, book.billed)


@STREAMED
async def test_a_reasoning_model_of_which_nothing_is_known_teaches_what_it_takes(
    stream: bool,
) -> None:
    book = Book()
    async with model("gpt-5-mini", book, **LEARNING, stream=stream) as client:
        done = await told(client, thinking=Thinking("max"), top_p=0.9)
        remarks = client.info.remarks
        again = await told(client, thinking=Thinking("max"), top_p=0.9)
    # max_tokens, top_p, temperature and the levels: each lesson is learned once, free of charge
    assert [reply.status for reply in book.replies] == [400] * 4 + [200] * 2
    assert paid(book) == 2
    assert sent(book).keys() == {
        "model",
        "messages",
        "max_completion_tokens",
        "reasoning_effort",
        *(("stream", "stream_options") if stream else ()),
    }
    assert sent(book)["reasoning_effort"] == "high"
    assert "gpt-5-mini does not take thinking=max: high is the nearest." in client.info.remarks
    assert {"gpt-5-mini does not take temperature: left out.", *remarks} <= {*client.info.remarks}
    assert dataclasses.replace(again, seconds=0) == dataclasses.replace(done, seconds=0)
    check_bill(done, Billed(10, completion=48 + len(tokens(ANSWER)), thinking=48))


async def test_requests_in_flight_learn_the_same_lesson_each_for_itself() -> None:
    book = Book()
    async with model("gpt-5-mini", book, **LEARNING, capabilities=frozenset()) as client:
        done = await asyncio.gather(*(client.generate(ASK) for _ in range(6)))
    assert [one.text for one in done] == [ANSWER] * 6
    assert paid(book) == 6


async def test_samples_of_a_model_that_takes_one_a_request_are_asked_for_one_by_one() -> None:
    book = Book()
    able = frozenset({"n"})
    async with model("o1-mini", book, capabilities=able) as client:
        four = await asyncio.gather(*(client.generate(ASK) for _ in range(4)))
        assert client.info.capabilities == frozenset()
        assert client.info.remarks == (
            "o1-mini does not take n: samples are asked for one by one.",
        )
        await client.generate(ASK)
    assert [reply.status for reply in book.replies] == [400] + [200] * 5
    for done in four:
        check_bill(done, Billed(10, completion=24 + len(tokens(ANSWER)), thinking=24))


async def test_one_of_them_can_be_cancelled_alone() -> None:
    book = Book()
    async with model("o1-mini", book, capabilities=frozenset({"n"})) as client:
        tasks = [asyncio.create_task(client.generate(ASK)) for _ in range(3)]
        await book.until_asked(1)
        tasks[1].cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [Completion, asyncio.CancelledError, Completion]


@STREAMED
@pytest.mark.parametrize(
    ("needed", "value"), [("stop", ("x",)), ("logprobs", True), ("top_logprobs", 2)]
)
async def test_a_field_with_a_meaning_is_never_left_out_in_silence(
    needed: str, value: Any, stream: bool
) -> None:
    book = Book()
    able = frozenset({"stop", "logprobs", "top_logprobs"})
    async with model("gpt-5-mini", book, capabilities=able, stream=stream) as client:
        error = await failed(client, **{needed: value})
        assert isinstance(error, RequestRefused)
        assert "is not supported with this model" in str(error)
        again = await failed(client, **{needed: value})
        assert "which this request needs: take a strategy that does without it" in str(again)
        assert needed not in client.info.capabilities
        assert (await told(client)).text == ANSWER
    assert [reply.status for reply in book.replies] == [400, 200]
    check_bill(error, Billed())


async def test_a_model_without_thinking_answers_without_and_that_is_said() -> None:
    book = Book()
    async with model("gpt-4.1-mini", book, capabilities=frozenset({"native_thinking"})) as client:
        done = await told(client, thinking=Thinking("low"))
        assert "gpt-4.1-mini does not take reasoning_effort: left out." in client.info.remarks
    assert (done.text, len(book.requests)) == (ANSWER, 2)


async def test_the_most_tokens_of_a_completion_are_learned() -> None:
    book = Book()
    async with model("gpt-4.1-mini-small", book, stream=False) as client:
        done = await told(client)
        assert client.info.remarks == ("gpt-4.1-mini-small generates at most 32 tokens a sample.",)
        await told(client)
    assert [reply.status for reply in book.replies] == [400, 200, 200]
    assert sent(book)["max_completion_tokens"] == 32
    check_bill(done, Billed(10, completion=len(tokens(ANSWER))))


async def test_a_prompt_that_is_too_long_is_one_sentence_with_its_numbers() -> None:
    book = Book()
    async with model("gpt-4.1-mini-small", book, most_tokens=32) as client:
        long = dataclasses.replace(ASK.messages[0], content="word " * 60)
        error = await failed(client, messages=(long,))
        assert client.info.context == 48
    assert "maximum context length is 48 tokens" in str(error)
    assert len(book.requests) == 1


@STREAMED
@pytest.mark.parametrize(
    ("name", "kind", "requests", "words"),
    [
        ("gpt-4.1-mini-busy", RateLimited, 2, "Rate limit reached"),
        ("gpt-4.1-mini-unpaid", RequestRefused, 1, "exceeded your current quota"),
        ("gpt-4.1-mini-broken", ServerFault, 2, "had an error"),
        ("gpt-5-mini-flagged", RequestRefused, 1, "flagged"),
        ("no-such", RequestRefused, 1, "does not exist"),
    ],
)
async def test_an_error_is_said_and_costs_nothing(
    name: str, kind: type[Exception], requests: int, words: str, stream: bool
) -> None:
    book = Book()
    async with model(name, book, retries=1, stream=stream) as client:
        error = await failed(client)
    assert isinstance(error, kind)
    assert words in str(error)
    assert len(book.requests) == requests
    check_bill(error, Billed())


async def test_a_stream_that_breaks_off_is_lost_and_not_asked_for_again() -> None:
    book = Book()
    async with model("gpt-4.1-mini-breaks-off", book) as client:
        error = await failed(client)
    assert isinstance(error, ModelUnreachable)
    assert len(book.requests) == 1
    assert error.completion_tokens <= book.billed.completion


@pytest.mark.parametrize("thinks", [True, False])
async def test_a_lost_stream_of_a_model_that_hides_its_thinking_is_booked_at_its_worst(
    thinks: bool,
) -> None:
    book = Book()
    able = frozenset({"native_thinking"}) if thinks else frozenset[str]()
    async with model("gpt-4.1-mini-breaks-off", book, capabilities=able) as client:
        error = await failed(client)
    if thinks:
        assert error.completion_tokens == 200 >= book.billed.completion
    else:
        assert error.completion_tokens < book.billed.completion
