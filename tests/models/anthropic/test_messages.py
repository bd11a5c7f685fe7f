"""Anthropic's wire, driven against the vendor's API on loopback: streamed and not."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from ponder.core.errors import (
    ModelError,
    ModelUnreachable,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta
from ponder.models.anthropic.families import family_of, preset
from ponder.models.anthropic.messages import VERSION, Messages
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from tests.support.deltas import costs
from tests.support.vendors.anthropic import KEY, MODELS, REDACTED, TEXT, THOUGHT, server, signed
from tests.support.vendors.driving import ASK, Pauses, check_bill, connected, told
from tests.support.vendors.serving import Billed, Book

HIGH: dict[str, Any] = {"thinking": Thinking("high")}
WORDS = len(TEXT.split())
NEW, ALWAYS = "claude-opus-4-7", "claude-opus-5-5"
BRIDGE, OLD, PLAIN = "claude-opus-4-6", "claude-sonnet-4-5", "claude-3-5-haiku"


@asynccontextmanager
async def talking(
    book: Book,
    model: str,
    *,
    delta: int = 7,
    write: int | None = None,
    pauses: Pauses | None = None,
    **settings: Any,
) -> AsyncIterator[HttpModel]:
    """A client of one model of the fixture's."""
    app = server(book, delta=delta, write=write)
    settings = preset(model) | {"key_env": "", "key": KEY, **settings}
    async with connected(app, Messages, settings, version="v1", pauses=pauses) as client:
        yield client


SAID = (TEXT, "", "stop", "")
THOUGHTFUL = (TEXT, THOUGHT, "stop", "")
REPLIES: list[tuple[str, str, dict[str, Any], tuple[str, str, str, str], int]] = [
    ("claude-new", NEW, {}, SAID, 0),
    ("claude-new", NEW, HIGH, THOUGHTFUL, 40),
    ("claude-new", NEW, {"thinking": Thinking("auto")}, THOUGHTFUL, 40),
    ("claude-new", NEW, {"thinking": Thinking(tokens=9000)}, THOUGHTFUL, 40),
    ("claude-new", NEW, {"thinking": Thinking("off")}, SAID, 0),
    ("claude-always", ALWAYS, {}, SAID, 40),
    ("claude-always", ALWAYS, {"thinking": Thinking("off")}, THOUGHTFUL, 40),
    ("claude-always", ALWAYS, {"thinking": Thinking("minimal")}, THOUGHTFUL, 40),
    ("claude-bridge", BRIDGE, {}, SAID, 0),
    ("claude-bridge", BRIDGE, {"thinking": Thinking("xhigh")}, THOUGHTFUL, 40),
    ("claude-bridge", BRIDGE, {"thinking": Thinking(tokens=1200)}, THOUGHTFUL, 40),
    ("claude-old", OLD, HIGH, THOUGHTFUL, 40),
    ("claude-old", OLD, {"thinking": Thinking(tokens=30)}, THOUGHTFUL, 40),
    ("claude-old", OLD, {"thinking": Thinking(tokens=9000)}, THOUGHTFUL, 40),
    ("claude-old", OLD, {"max_tokens": 1024, **HIGH}, SAID, 0),
    ("claude-old", OLD, {"temperature": 0.5, "top_p": 0.9}, SAID, 0),
    ("claude-old", OLD, {"temperature": 1.7}, SAID, 0),
    ("claude-old", OLD, {"temperature": 1.0, "top_p": 0.97, **HIGH}, THOUGHTFUL, 40),
    ("claude-plain", PLAIN, {}, SAID, 0),
    ("claude-redacts", BRIDGE, HIGH, THOUGHTFUL, 40),
    ("claude-eats-length", BRIDGE, {"max_tokens": 50, **HIGH}, ("", THOUGHT, "length", ""), 50),
    ("claude-parts", BRIDGE, HIGH, ("First, " + TEXT, "One.\n\nTwo.", "stop", ""), 40),
    ("claude-quiet", BRIDGE, {}, ("", "", "stop", ""), 0),
    ("claude-refuses", BRIDGE, {}, ("", "", "refusal", ""), 0),
    ("claude-refuses-midway", BRIDGE, {}, ("Well, first you", "", "refusal", ""), 0),
    ("claude-pauses", BRIDGE, {}, ("Let me look.", "", "length", ""), 0),
    ("claude-overflows", BRIDGE, {}, ("So far", "", "length", ""), 0),
    ("claude-cached", BRIDGE, {}, SAID, 0),
    ("claude-plain", PLAIN, {"max_tokens": 3}, ("Six times seven ", "", "length", ""), 0),
    (
        "claude-plain",
        PLAIN,
        {"stop": ("Q:", "\n\nAnswer:")},
        ("Six times seven is 42.", "", "stop", "\n\nAnswer:"),
        0,
    ),
    (
        "claude-plain",
        PLAIN,
        {"stop": ("42\n\nQ", "\n\n")},
        ("Six times seven is 42.", "", "stop", "\n\n"),
        0,
    ),
    ("claude-old", OLD, {"prefix": "Six times seven is"}, (TEXT[18:], "", "stop", ""), 0),
    ("claude-old", OLD, {"prefix": "Six times seven is "}, (TEXT[19:], "", "stop", ""), 0),
    ("claude-old", OLD, {"prefix": "Six", **HIGH}, (TEXT[3:], "", "stop", ""), 0),
    (
        "claude-old",
        OLD,
        {"prefix": "Six times seven is 42.\n\n", "stop": ("\n\n",)},
        ("Answer: 42", "", "stop", ""),
        0,
    ),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("scenario", "model", "fields", "expected", "thinking"), REPLIES)
async def test_a_reply_and_its_bill(
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    model: str,
    fields: dict[str, Any],
    expected: tuple[str, str, str, str],
    thinking: int,
    stream: bool,
) -> None:
    monkeypatch.setitem(MODELS, model, MODELS[scenario])
    book, pauses = Book(), Pauses()
    async with talking(book, model, stream=stream, pauses=pauses) as client:
        done = await told(client, **fields)
    [reply] = book.replies  # nothing was refused
    assert reply.status == 200
    assert (done.text, done.reasoning, done.finish, done.stopped_at) == expected
    check_bill(done, reply.billed)
    assert done.reasoning_tokens == thinking
    assert pauses == []


async def test_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-bridge"])
    book = Book()
    turns = (
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hello. "),
        Message("system", "Be kind."),
        Message("user", "What is six times seven?"),
    )
    async with talking(book, BRIDGE) as client:
        done = await told(client, messages=turns, stop=("Q:", "\n"), seed=4, **HIGH)
    [asked] = book.requests
    assert asked.path == "/v1/messages"
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["anthropic-version"] == VERSION
    assert asked.body == {
        "model": BRIDGE,
        "max_tokens": 2000,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello. "},
            {"role": "user", "content": "What is six times seven?"},
        ],
        "stop_sequences": ["Q:"],
        "stream": True,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
    }
    assert done.prompt_tokens == book.billed.prompt


@pytest.mark.parametrize("write", [None, 1, 50])
@pytest.mark.parametrize("delta", [1, 7, 1000])
async def test_chunking_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, delta: int, write: int | None
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-redacts"])
    monkeypatch.setitem(MODELS, OLD, MODELS["claude-old"])
    book, seen = Book(), list[Delta]()  # one token a delta is no count to compare
    async with talking(book, BRIDGE, delta=delta, write=write) as client:
        done = await client.generate(dataclasses.replace(ASK, **HIGH), seen.append)
    async with talking(book, OLD, delta=delta, write=write) as client:
        step = await client.generate(
            dataclasses.replace(ASK, prefix="Six times ", stop=("\n\n",)), seen.append
        )
    assert "".join(delta.text for delta in seen) == done.text + step.text
    assert "".join(delta.reasoning for delta in seen) == THOUGHT
    assert (done.text, done.reasoning) == (TEXT, THOUGHT)
    assert json.loads(done.blocks) == [
        {"type": "thinking", "thinking": THOUGHT, "signature": signed(THOUGHT)},
        REDACTED,
        {"type": "text", "text": TEXT},
    ]
    assert (step.text, step.stopped_at) == ("seven is 42.", "\n\n")
    assert step.completion_tokens == book.replies[1].billed.completion


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_with_the_blocks(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-redacts"])
    book = Book()
    async with talking(book, BRIDGE, stream=stream) as client:
        done = await told(client, **HIGH)
        assert (await told(client)).blocks == ""  # no thinking, no need
        turns = [
            {"role": "user", "content": "What is six times seven?"},
            {"role": "assistant", "content": json.loads(done.blocks)},
            {"role": "user", "content": "Sure?"},
        ]
        body = {"model": BRIDGE, "max_tokens": 20, "messages": turns}
        headers = {"x-api-key": KEY, "anthropic-version": VERSION}
        url = f"{client.endpoint.base_url}/messages"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, headers=headers) as reply,
        ):
            assert reply.status == 200


async def test_what_cannot_be_done_as_asked_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, ALWAYS, MODELS["claude-always"])
    async with talking(Book(), ALWAYS) as client:
        assert not client.info.remarks
        await told(client, thinking=Thinking("off"))
        await told(client, thinking=Thinking("off"), temperature=1.0)
        assert client.info.remarks == (
            f"{ALWAYS} does not take thinking=off: low is taken.",
            f"{ALWAYS} does not take temperature: left out.",
        )


# -- what a refusal teaches ------------------------------------------------------------------------

LESSONS: list[tuple[str, dict[str, Any], int, set[str], tuple[str, ...]]] = [
    ("claude-old", HIGH, 40, {"thinking.adaptive"}, ()),
    ("claude-plain", HIGH, 0, {"thinking.adaptive", "thinking.enabled"}, ()),
    ("claude-always", {"thinking": Thinking("off")}, 40, {"thinking.disabled"}, ()),
    ("claude-bridge", {"thinking": Thinking("xhigh")}, 40, set(), ("low", "medium", "high", "max")),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "fields", "thinking", "drop", "efforts"), LESSONS)
async def test_a_refusal_teaches_what_an_unknown_model_takes(
    model: str,
    fields: dict[str, Any],
    thinking: int,
    drop: set[str],
    efforts: tuple[str, ...],
    stream: bool,
) -> None:
    book, pauses = Book(), Pauses()
    async with talking(book, model, stream=stream, pauses=pauses) as client:
        done = await told(client, **fields)
        lessons = len(book.requests)
        await told(client, **fields)
        assert client.endpoint.drop >= drop
        assert client.endpoint.efforts == (efforts or family_of(model).efforts)
    assert {reply.status for reply in book.replies[:lessons]} == {200, 400}
    assert len(book.requests) == lessons + 1  # it asks no more than once
    assert (done.text, done.reasoning_tokens) == (TEXT, thinking)
    assert done.completion_tokens * 2 == book.billed.completion
    assert pauses == []


async def test_a_model_that_thinks_by_itself_takes_no_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-thinks"])
    book = Book()
    async with talking(book, BRIDGE) as client:
        done = await told(client, temperature=0.5)
        assert client.info.remarks == (f"{BRIDGE} does not take temperature: left out.",)
    assert [reply.status for reply in book.replies] == [400, 200]
    assert (done.text, done.reasoning_tokens) == (TEXT, 40)


# -- what goes wrong -------------------------------------------------------------------------------

FAULTS: list[tuple[str, type[ModelError], str, int]] = [
    ("claude-unpaid", RequestRefused, "402: Your credit balance is too low", 1),
    ("claude-forbidden", RequestRefused, "403: No access", 1),
    ("claude-unheard-of", RequestRefused, "404: model: claude-unheard-of", 1),
    ("claude-limited", RateLimited, "429: This request would exceed a limit", 3),
    ("claude-fails", ServerFault, "500: Internal server error", 3),
    ("claude-times-out", ServerFault, "504: The request timed out", 3),
    ("claude-overloaded", ServerFault, "529: Overloaded", 3),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "error", "message", "attempts"), FAULTS)
async def test_an_error_costs_nothing(
    model: str, error: type[ModelError], message: str, attempts: int, stream: bool
) -> None:
    book, pauses = Book(), Pauses()
    async with talking(book, model, stream=stream, retries=2, pauses=pauses) as client:
        with pytest.raises(error, match=message) as caught:
            await told(client, temperature=1.0)
    assert len(book.requests) == attempts
    assert pauses == [7.0 if model == "claude-limited" else 0.0] * (attempts - 1)
    assert (caught.value.prompt_tokens, caught.value.completion_tokens) == (0, 0)
    assert book.billed == Billed()


@pytest.mark.parametrize(
    ("scenario", "error"), [("claude-breaks", ServerFault), ("claude-cut", ModelUnreachable)]
)
async def test_a_stream_that_breaks_is_paid_for_and_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, scenario: str, error: type[ModelError]
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS[scenario])
    book = Book()
    async with talking(book, BRIDGE, stream=True) as client:
        with pytest.raises(error) as caught:
            await told(client)
        bound = client.prompt_bound(ASK.messages)
    assert len(book.requests) == 1
    assert caught.value.prompt_tokens == bound
    assert 0 < caught.value.completion_tokens < 10


async def test_an_overload_without_a_stream_is_free_of_charge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-breaks"])
    book = Book()
    async with talking(book, BRIDGE, stream=False, retries=1) as client:
        with pytest.raises(ServerFault, match="529") as caught:
            await told(client)
    assert (len(book.requests), caught.value.completion_tokens) == (2, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_sample_ends_at_its_source(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-hangs"])
    book, seen, grown = Book(), list[tuple[int, int]](), asyncio.Event()

    def progress(delta: Delta) -> None:
        seen.append(costs(delta))
        if delta.text or not stream:
            grown.set()

    async with talking(book, BRIDGE, stream=stream) as client:
        task = asyncio.create_task(client.generate(ASK, progress))
        await grown.wait()
        await book.until_asked(1)
        task.cancel()
        await book.until_abandoned()
        bound = client.prompt_bound(ASK.messages)
    prompt, completion = seen[-1]
    assert prompt == (5 if stream else bound)  # a stream begins with the exact count
    assert 0 < completion < 10 if stream else completion == ASK.max_tokens


async def test_a_wrong_key_is_refused_and_not_told() -> None:
    async with talking(Book(), NEW, key="sk-other") as client:
        with pytest.raises(RequestRefused, match="401: invalid x-api-key"):
            await told(client)


@pytest.mark.parametrize("body", [{}, {"content": "42"}, {"content": None}])
def test_a_message_without_content_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="it has no content"):
        Messages(Endpoint(name="e", base_url="http://h", model=NEW)).read(body, ASK, 1)


# -- what is asked of whom -------------------------------------------------------------------------


def asked(model: str, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields for sampling and thinking, and the remarks."""
    wire = Messages(Endpoint(name="e", base_url="http://h", model=model))
    request = dataclasses.replace(ASK, **{"temperature": 1.0, **fields})
    sent = wire.fields(request, 1, streamed=False)
    return {k: v for k, v in sent.items() if k not in ("model", "max_tokens")}, wire.remarks(
        request
    )


def effort(level: str) -> dict[str, Any]:
    thinking = {"type": "adaptive", "display": "summarized"}
    return {"thinking": thinking, "output_config": {"effort": level}}


def budget(tokens: int) -> dict[str, Any]:
    thinking = {"type": "enabled", "budget_tokens": tokens, "display": "summarized"}
    return {"thinking": thinking}


OFF = {"thinking": {"type": "disabled"}}
AUTO = {"thinking": {"type": "adaptive", "display": "summarized"}}
SETTINGS: list[tuple[str, str | int, int, dict[str, Any], str]] = [
    (NEW, "off", 2000, OFF, ""),
    (NEW, "auto", 2000, AUTO, ""),
    (NEW, "minimal", 2000, effort("low"), "does not take thinking=minimal: low is taken"),
    (NEW, "xhigh", 2000, effort("xhigh"), ""),
    (NEW, 8000, 2000, effort("medium"), "does not take thinking=8000: medium is taken"),
    (ALWAYS, "off", 2000, effort("low"), "does not take thinking=off: low is taken"),
    (BRIDGE, "xhigh", 2000, effort("high"), "does not take thinking=xhigh: high is taken"),
    (BRIDGE, "max", 2000, effort("max"), ""),
    (BRIDGE, 8000, 9000, budget(8000), ""),
    (OLD, "off", 2000, OFF, ""),
    (OLD, "auto", 2000, {}, ""),
    (OLD, "low", 2000, budget(1024), ""),
    (OLD, "minimal", 2000, budget(1024), "thinking=minimal is 1,024 of 2,000 tokens"),
    (OLD, "high", 8001, budget(6000), "thinking=high is 6,000 of 8,001 tokens"),
    (OLD, 9000, 8000, budget(7999), "thinking=9000 is 7,999 of 8,000 tokens"),
    (OLD, "high", 1025, budget(1024), "thinking=high is 1,024 of 1,025 tokens"),
    (OLD, "high", 1024, OFF, "which do not fit into 1,024: it does not think"),
    (PLAIN, "high", 2000, {}, "has no thinking that could be set to high"),
]


@pytest.mark.parametrize(("model", "thinking", "length", "sent", "remark"), SETTINGS)
def test_thinking_is_asked_for_in_the_words_of_the_model(
    model: str, thinking: str | int, length: int, sent: dict[str, Any], remark: str
) -> None:
    fields, remarks = asked(model, thinking=Thinking.read(thinking), max_tokens=length)
    assert fields == sent
    assert len(remarks) == bool(remark)
    assert all(remark in found and model in found for found in remarks)


@pytest.mark.parametrize(
    ("model", "fields", "sent", "remarks"),
    [
        (OLD, {"temperature": 0.0}, {"temperature": 0.0}, []),
        (OLD, {"top_p": 0.5}, {"top_p": 0.5}, []),
        (OLD, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5},
         ["does not take top_p with a temperature: left out."]),
        (OLD, {"temperature": 1.5}, {}, ["takes a temperature of at most 1: that is taken."]),
        (OLD, {"temperature": 0.5, "top_p": 0.96, **HIGH}, {"top_p": 0.96, **budget(1500)},
         ["thinking=high is 1,500 of 2,000 tokens.",
          "does not take temperature while it thinks: left out."]),
        (OLD, {"top_p": 0.9, "thinking": Thinking("low")}, budget(1024),
         ["does not take top_p while it thinks: left out."]),
        (NEW, {"temperature": 0.5, "top_p": 0.9}, {},
         ["does not take temperature: left out.", "does not take top_p: left out."]),
        (OLD, {"prefix": "Six", **HIGH}, OFF, ["does not think while it continues a text."]),
        (OLD, {"stop": ("\n", "Q:")}, {"stop_sequences": ["Q:"]},
         ["does not stop at white space: text after it is paid for, and left out."]),
        (OLD, {"stop": (" ",)}, {},
         ["does not stop at white space: text after it is paid for, and left out."]),
    ],
)  # fmt: skip
def test_what_a_model_does_not_take_is_left_out_and_said(
    model: str, fields: dict[str, Any], sent: dict[str, Any], remarks: list[str]
) -> None:
    found, said = asked(model, **fields)
    assert found == sent
    assert [remark.removeprefix(model).lstrip(": ") for remark in said] == remarks
