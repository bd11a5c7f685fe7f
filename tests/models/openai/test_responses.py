"""OpenAI's Responses API, driven by Ponder: text, thinking, refusals, ends, counts, the bill."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from functools import partial
from typing import Any

import pytest
from pydantic import TypeAdapter

from ponder.core.errors import (
    CapabilityError,
    ModelUnreachable,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta
from ponder.models.openai.responses import Responses
from tests.support.vendors.driving import turn_of
from tests.support.vendors.model import ANSWER, REFUSAL, SENTENCES, tokens
from tests.support.vendors.openai.responses import ENCRYPTED, SUMMARY
from tests.support.vendors.openai.table import MODELS
from tests.support.vendors.serving import Asked, Billed, Book, Reply
from tests.support.vendors.wires import (
    ASK,
    SPEAKING,
    STREAMED,
    after,
    check_bill,
    connected,
    failed,
    known,
    paid,
    sent,
    told,
)

model = partial(known, wire=Responses)


def finish_of(name: str) -> tuple[str, str]:
    """The text and the finish reason of a scenario."""
    script = MODELS[name].script
    if script.refuses:
        return REFUSAL, "refusal"
    return script.text, "refusal" if script.finish == "content_filter" else "stop"


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
    thinks = MODELS[name].script.effort != "none"
    assert (done.text, done.finish) == finish_of(name)
    assert done.reasoning == (SUMMARY[0] if thinks else "")
    assert (ENCRYPTED in done.blocks) is thinks
    assert [item["type"] for item in turn_of(done)] == (["reasoning", "message"] if thinks else [])
    assert len(book.requests) == paid(book) == 1
    check_bill(done, book.billed)


@STREAMED
async def test_a_conversation_goes_on_with_the_items(stream: bool) -> None:
    types = pytest.importorskip("openai.types.responses")
    book = Book()
    async with model("gpt-5-mini", book, stream=stream) as client:
        done = await told(client)
        await told(client, messages=after(done))
    assert [reply.status for reply in book.replies] == [200, 200]
    question, thought, said, sure = sent(book)["input"]
    assert (question["content"], sure["content"]) == (ASK.messages[0].content, "Sure?")
    assert thought["encrypted_content"] == ENCRYPTED
    assert [thought, said] == turn_of(done)
    TypeAdapter(types.ResponseReasoningItemParam).validate_python(thought, strict=True)
    TypeAdapter(types.ResponseOutputMessageParam).validate_python(said, strict=True)


async def test_items_that_would_be_refused_stay_behind() -> None:
    book = Book()
    async with model("gpt-5-mini", book) as client:
        starved = await told(client, max_tokens=20)  # thinking, and no message after it
        done = await told(client)
        bare = json.loads(done.blocks)
        del bare["turn"][0]["encrypted_content"]  # the server keeps nothing, so this is lost
        for conversation in (
            after(dataclasses.replace(starved, text="So far.")),
            after(done, blocks=json.dumps(bare)),
            after(dataclasses.replace(done, text="Somebody changed it.")),
        ):
            await told(client, messages=conversation)
            turn = {"role": "assistant", "content": conversation[1].content}
            assert sent(book)["input"][1] == turn
    assert starved.blocks
    assert {reply.status for reply in book.replies} == {200}


async def test_items_of_another_account_are_left_out_from_then_on() -> None:
    book = Book()
    async with model("gpt-5-mini", book) as client:
        done = await told(client)
        forged = done.blocks.replace(ENCRYPTED, "gAAAAABo-other")
        for _ in range(2):
            await told(client, messages=after(done, blocks=forged))
        assert client.info.remarks == ("gpt-5-mini does not take signed thinking: left out.",)
        assert "include" in sent(book)  # what is made now is still asked for
    assert [reply.status for reply in book.replies] == [200, 400, 200, 200]


async def test_the_request() -> None:
    book = Book()
    messages = (Message("system", "Be short."), *ASK.messages, Message("assistant", "Hm?"))
    async with model("gpt-5-mini", book, stream=False) as client:
        await told(client, messages=messages, thinking=Thinking("low"))
    assert book.requests[0].path == "/v1/responses"
    assert sent(book) == {
        "model": "gpt-5-mini",
        "instructions": "Be short.",
        "input": [
            {"role": "user", "content": "How many is six times seven?"},
            {"role": "assistant", "content": "Hm?"},
        ],
        "max_output_tokens": 200,
        "store": False,
        "reasoning": {"summary": "auto", "effort": "low"},
        "include": ["reasoning.encrypted_content"],
    }


@STREAMED
@pytest.mark.parametrize("effort", ["off", "minimal", "low", "medium", "high", "xhigh", "max"])
@pytest.mark.parametrize("name", ["gpt-5-mini", "gpt-5.1", "gpt-5-pro"])
async def test_a_level_is_the_nearest_that_the_model_takes_and_said(
    name: str, effort: str, stream: bool
) -> None:
    book = Book()
    async with model(name, book, stream=stream) as client:
        done = await told(client, thinking=Thinking(effort))
        remarks = client.info.remarks
    asked = sent(book)["reasoning"]["effort"]
    assert asked in MODELS[name].efforts
    assert len(book.requests) == 1
    assert done.reasoning_tokens == 6 * SENTENCES[asked]
    same = asked == ("none" if effort == "off" else effort)
    assert bool(remarks) is not same
    check_bill(done, book.billed)


async def test_a_number_of_tokens_is_the_nearest_level_and_said() -> None:
    book = Book()
    async with model("gpt-5-mini", book) as client:
        await told(client, thinking=Thinking(tokens=5000))
        assert client.info.remarks == (
            "gpt-5-mini takes no number of tokens to think: thinking=5000 is asked for as medium.",
        )
    assert sent(book)["reasoning"]["effort"] == "medium"


@STREAMED
async def test_levels_that_are_not_known_are_learned_from_the_refusal(stream: bool) -> None:
    book = Book()
    able = frozenset({"native_thinking"})
    drop = frozenset({"temperature", "top_p"})
    async with model(
        "gpt-6-astra", book, efforts=(), capabilities=able, drop=drop, stream=stream
    ) as client:
        done = await told(client, thinking=Thinking("minimal"))
        assert client.endpoint.efforts == ("off", "low", "medium", "high", "xhigh", "max")
        await told(client, thinking=Thinking("minimal"))
    assert [reply.status for reply in book.replies] == [400, 200, 200]
    assert sent(book)["reasoning"]["effort"] == "none"
    check_bill(done, Billed(10, completion=len(tokens(ANSWER))))


@STREAMED
async def test_sampling_that_the_model_refuses_is_learned_and_said(stream: bool) -> None:
    book = Book()
    async with model("gpt-5-mini", book, drop=frozenset(), stream=stream) as client:
        done = await told(client, top_p=0.9)
        assert client.info.remarks == (
            "gpt-5-mini does not take temperature: left out.",
            "gpt-5-mini does not take top_p: left out.",
        )
    assert [reply.status for reply in book.replies] == [400, 400, 200]
    check_bill(done, book.billed)


async def test_a_model_without_thinking_that_is_asked_for_it_answers_without() -> None:
    book = Book()
    able = frozenset({"native_thinking"})
    async with model("gpt-4.1-mini", book, capabilities=able) as client:
        done = await told(client, thinking=Thinking("low"))
    assert [reply.status for reply in book.replies] == [400, 400, 200]
    assert (done.text, done.blocks) == (ANSWER, "")
    check_bill(done, book.billed)


@STREAMED
async def test_log_probabilities_are_those_of_the_text(stream: bool) -> None:
    book = Book()
    async with model("gpt-4.1-mini", book, stream=stream) as client:
        done = await told(client, logprobs=True, top_logprobs=2, pieces=True)
    assert done.logprobs == tuple(-len(word) / 8 for word in tokens(ANSWER))
    assert done.pieces == tuple(word.encode() for word in tokens(ANSWER))
    assert done.top
    assert done.top[0] == {"Six": -3 / 8, " other1": -2.0}
    assert sent(book)["include"] == ["message.output_text.logprobs"]


async def test_log_probabilities_that_are_refused_are_no_ability_any_more() -> None:
    book = Book()
    able = frozenset({"native_thinking", "logprobs", "top_logprobs"})
    async with model("gpt-5-mini", book, capabilities=able) as client:
        error = await failed(client, logprobs=True)
        assert "logprobs are not supported" in str(error)
        assert not {"logprobs", "top_logprobs"} & client.info.capabilities
        again = await failed(client, logprobs=True)
        assert "refuses 'logprobs', which this request needs" in str(again)
        assert (await told(client)).text == ANSWER
    assert len(book.requests) == 2


@STREAMED
@pytest.mark.parametrize(("limit", "text"), [(5, ""), (20, ""), (26, "Six times")])
async def test_a_length_ends_the_response_and_a_short_one_is_sixteen_tokens(
    limit: int, text: str, stream: bool
) -> None:
    book = Book()
    async with model("gpt-5-mini", book, stream=stream) as client:
        assert client.info.beside == 15
        done = await told(client, max_tokens=limit)
    assert (done.text, done.finish) == (text, "length")
    assert sent(book)["max_output_tokens"] == max(16, limit)
    assert done.completion_tokens == max(16, limit)
    check_bill(done, book.billed)


async def test_what_the_api_has_no_words_for_is_no_ability_and_is_refused() -> None:
    able = frozenset({"n", "seed", "stop", "logprobs"})
    async with model("gpt-5-mini", Book(), capabilities=able, drop=frozenset()) as client:
        assert client.info.capabilities == {"logprobs"}
        with pytest.raises(CapabilityError, match="does not declare 'stop'"):
            await told(client, stop=("x",))


# -- faults ----------------------------------------------------------------------------------------


@STREAMED
@pytest.mark.parametrize(
    ("name", "kind", "requests", "words"),
    [
        ("gpt-4.1-mini-busy", RateLimited, 2, "Rate limit reached"),
        ("gpt-4.1-mini-unpaid", RequestRefused, 1, "exceeded your current quota"),
        ("gpt-4.1-mini-broken", ServerFault, 2, "had an error"),
        ("gpt-4.1-mini-fails", ServerFault, 2, "had an error"),
        ("gpt-4.1-mini-errs", ServerFault, 2, "had an error"),
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


def answering(body: Any) -> Any:
    """A server with one reply."""

    def reply(asked: Asked) -> Reply:
        return Reply(body=body) if not isinstance(body, tuple) else Reply(events=body)

    return reply


def plain(book: Book, body: Any, **settings: Any) -> Any:
    settings = {"model": "m", "api": "responses", "retries": 0, **settings}
    return connected(answering(body), book, Responses, **settings)


def events(*values: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


USAGE = {"input_tokens": 9, "output_tokens": 7, "total_tokens": 16}
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "42"}]}


def response(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"object": "response", "status": status, "output": output, "usage": USAGE, **more}


async def test_commentary_is_thinking_and_no_answer() -> None:
    said = {"type": "message", "phase": "commentary", "content": [{"text": "Hm."}]}
    async with plain(Book(), response(said, MESSAGE)) as client:
        done = await told(client)
    assert (done.text, done.reasoning) == ("42", "Hm.")
    stream = events(
        {"type": "response.output_item.added", "output_index": 0, "item": said},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hm."},
        {"type": "response.output_item.added", "output_index": 1, "item": MESSAGE},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "42"},
        {"type": "response.completed", "response": response(said, MESSAGE)},
    )
    async with plain(Book(), stream, stream=True) as client:
        done = await told(client)
    assert (done.text, done.reasoning, done.completion_tokens) == ("42", "Hm.", 7)


async def test_parts_of_the_thinking_are_apart_streamed_and_whole() -> None:
    thought = {"type": "reasoning", "summary": [{"text": "One."}, {"text": "Two."}]}
    stream = events(
        *(
            {"type": "response.reasoning_summary_text.delta", "summary_index": k, "delta": text}
            for k, text in [(0, "On"), (0, "e."), (1, "Two.")]
        ),
        {"type": "response.output_text.delta", "output_index": 1, "delta": "42"},
        {"type": "response.completed", "response": response(thought, MESSAGE)},
    )
    for body, streamed in ((response(thought, MESSAGE), False), (stream, True)):
        async with plain(Book(), body, stream=streamed) as client:
            assert (await told(client)).reasoning == "One.\n\nTwo."


async def test_a_stream_of_nothing_but_its_end_has_the_text_of_it() -> None:
    stream = events({"type": "response.completed", "response": response(MESSAGE)})
    async with plain(Book(), stream, stream=True) as client:
        done = await told(client)
    assert (done.text, done.finish, done.completion_tokens) == ("42", "stop", 7)


@pytest.mark.parametrize(
    ("status", "details", "finish"),
    [
        ("completed", None, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "length"),
        ("incomplete", {"reason": "content_filter"}, "refusal"),
        ("incomplete", {"reason": "steered"}, "length"),
        ("incomplete", None, "length"),
        ("cancelled", None, "error"),
        ("in_progress", None, "error"),
        ("queued", None, "error"),
    ],
)
async def test_the_status_is_the_finish_reason(status: str, details: Any, finish: str) -> None:
    body = response(MESSAGE, status=status, incomplete_details=details)
    async with plain(Book(), body) as client:
        done = await told(client)
    assert (done.text, done.finish) == ("42", finish)


@STREAMED
async def test_a_failed_response_that_reports_a_usage_was_paid(stream: bool) -> None:
    failure = {"code": "server_error", "message": "it broke"}
    body: Any = response(status="failed", error=failure)
    if stream:
        body = events({"type": "response.failed", "response": body})
    book = Book()
    async with plain(book, body, stream=stream, retries=3) as client:
        error = await failed(client)
    assert isinstance(error, ServerFault)
    assert "it broke" in str(error)
    assert (error.prompt_tokens, error.completion_tokens) == (9, 7)
    assert len(book.requests) == 1


async def test_items_that_are_no_json_are_not_kept() -> None:
    thought = {"type": "reasoning", "encrypted_content": "x", "summary": [], "odd": float("nan")}
    async with plain(Book(), response(thought, MESSAGE)) as client:
        done = await told(client)
    assert (done.text, done.blocks) == ("42", "")


BEGUN: list[dict[str, Any]] = [
    {"type": "response.created", "response": response(status="in_progress") | {"usage": None}},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "42"},
]


async def test_a_lost_stream_of_a_model_that_hides_its_thinking_is_booked_at_its_worst() -> None:
    for thinks, booked in ((True, 215), (False, 1)):
        able = frozenset({"native_thinking"}) if thinks else frozenset[str]()
        async with plain(Book(), events(*BEGUN), stream=True, capabilities=able) as client:
            error = await failed(client)
        assert error.completion_tokens == booked


async def test_a_cancelled_one_too() -> None:
    book, seen = Book(), list[Delta]()
    hanging = Reply(events=events(*BEGUN), hang=True)
    able = frozenset({"native_thinking"})
    async with connected(
        lambda _: hanging,
        book,
        Responses,
        model="m",
        api="responses",
        stream=True,
        capabilities=able,
    ) as client:
        spoken = asyncio.Event()

        def note(delta: Delta) -> None:
            seen.append(delta)
            if delta.text:
                spoken.set()

        task = asyncio.create_task(client.generate(ASK, note))
        await spoken.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen[-1].due == 215
