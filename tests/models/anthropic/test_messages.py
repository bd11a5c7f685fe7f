"""Anthropic's wire, driven against the vendor's API on loopback: streamed and not."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter

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
from ponder.models.base import Completion
from ponder.models.config import EndpointConfig, Price
from ponder.models.http.endpoint import Endpoint
from ponder.models.pricing import pricing
from tests.support.deltas import costs
from tests.support.vendors.anthropic import KEY, MODELS, REDACTED, TEXT, THOUGHT, server, signed
from tests.support.vendors.driving import ASK, Pauses, Vendor, after, check_bill, told, turn_of
from tests.support.vendors.serving import Billed, Book

HIGH: dict[str, Any] = {"thinking": Thinking("high")}
WORDS = len(TEXT.split())
NEW, ALWAYS = "claude-opus-4-7", "claude-opus-5-5"
BRIDGE, OLD, PLAIN = "claude-opus-4-6", "claude-sonnet-4-5", "claude-3-5-haiku"

talking = Vendor(server, Messages, preset, KEY, "/v1").talking
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
    assert turn_of(done) == [
        {"type": "thinking", "thinking": THOUGHT, "signature": signed(THOUGHT)},
        REDACTED,
        {"type": "text", "text": TEXT},
    ]
    assert (step.text, step.stopped_at) == ("seven is 42.", "\n\n")
    assert step.completion_tokens == book.replies[1].billed.completion


def check_types(blocks: list[dict[str, Any]]) -> None:
    """Each block is one that the vendor's own types let a request have."""
    types = pytest.importorskip("anthropic.types", reason="needs Anthropic's client")
    kinds = types.ThinkingBlockParam | types.RedactedThinkingBlockParam | types.TextBlockParam
    for block in blocks:
        assert TypeAdapter(kinds).validate_python(block, strict=True) == block


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scenario", ["claude-bridge", "claude-redacts", "claude-parts"])
async def test_a_conversation_goes_on_with_the_blocks(
    monkeypatch: pytest.MonkeyPatch, scenario: str, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS[scenario])
    book = Book()
    async with talking(book, BRIDGE, stream=stream) as client:
        done = await told(client, **HIGH)
        plain = await told(client)
        assert plain.blocks == ""  # no thinking, no need
        await told(client, messages=after(done), **HIGH)
        await told(client, messages=after(done))  # without thinking
        bound = client.prompt_bound(after(done))
    assert [reply.status for reply in book.replies] == [200] * 4
    for asked in book.requests[2:]:
        [question, turn, sure] = asked.body["messages"]
        assert question == {"role": "user", "content": "What is six times seven?"}
        assert turn == {"role": "assistant", "content": turn_of(done)}
        assert sure == {"role": "user", "content": "Sure?"}
        check_types(turn["content"])
    assert bound == book.replies[3].billed.prompt  # exact, once it was counted


async def test_a_turn_of_thinking_alone_ends_with_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-redacts"])
    book = Book()
    async with talking(book, BRIDGE) as client:
        done = await told(client, **HIGH)
        record = json.loads(done.blocks)
        record["turn"] = [*record["turn"][:2], {"type": "text", "text": " \n"}]
        await told(client, messages=after(done, blocks=json.dumps(record)), **HIGH)
    thinking = {"type": "thinking", "thinking": THOUGHT, "signature": signed(THOUGHT)}
    text = {"type": "text", "text": TEXT}
    assert book.requests[1].body["messages"][1]["content"] == [thinking, REDACTED, text]
    assert book.replies[1].status == 200


async def test_the_last_turn_is_continued_without_its_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, OLD, MODELS["claude-old"])
    book = Book()
    async with talking(book, OLD) as client:
        done = await told(client, **HIGH)
        turn = Message("assistant", "Six times ", done.blocks)
        await told(client, messages=(*ASK.messages, turn))
    assert book.requests[1].body["messages"][1] == {"role": "assistant", "content": "Six times"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", [0, 1])
async def test_blocks_that_the_server_refuses_are_left_out_from_then_on(
    monkeypatch: pytest.MonkeyPatch, place: int, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-redacts"])
    book = Book()
    async with talking(book, BRIDGE, stream=stream) as client:
        done = await told(client, **HIGH)
        record = json.loads(done.blocks)
        name = ("signature", "data")[place]
        record["turn"][place][name] = "of another account"
        for _ in range(2):
            await told(client, messages=after(done, blocks=json.dumps(record)), **HIGH)
        assert f"{BRIDGE} does not take signed thinking: left out." in client.info.remarks
    assert [reply.status for reply in book.replies] == [200, 400, 200, 200]
    assert book.requests[3].body["messages"][1] == {"role": "assistant", "content": TEXT}


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


@pytest.mark.parametrize("stream", [False, True])
async def test_the_most_tokens_of_a_sample_are_learned(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-bridge"])
    book = Book()
    async with talking(book, BRIDGE, stream=stream) as client:
        for _ in range(2):
            done = await told(client, max_tokens=100_000, **HIGH)
            assert done.text == TEXT
        remark = f"{BRIDGE} generates at most 64,000 tokens a sample."
        assert remark in client.info.remarks
    assert [reply.status for reply in book.replies] == [400, 200, 200]
    lengths = [asked.body["max_tokens"] for asked in book.requests]
    assert lengths == [100_000, 64_000, 64_000]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("ttl", "times"), [("5m", "1.25"), ("1h", "2")])
async def test_what_is_stored_has_its_own_price(
    monkeypatch: pytest.MonkeyPatch, ttl: str, times: str, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, BRIDGE, MODELS["claude-cached"])
    book, extra = Book(), {"cache_control": {"type": "ephemeral", "ttl": ttl}}
    async with talking(book, BRIDGE, stream=stream, extra_body=extra) as client:
        done = await told(client)
        assert client.info.stores == ttl
    hour = 2 if ttl == "1h" else 0
    assert (done.stored_tokens, done.hour_tokens) == (book.billed.stored, hour) == (2, hour)
    table, settings = Price(Decimal(3), Decimal(15), Decimal("0.3")), {"api": "messages"}
    own, _ = pricing(EndpointConfig("e", "http://127.0.0.1", "m", settings, table))
    listed, _ = pricing(EndpointConfig("e", "https://api.anthropic.com/v1", BRIDGE, settings))
    assert own
    assert listed
    fresh = done.prompt_tokens - done.cached_tokens - 2
    assert own(*_counts(done)) == (
        3_000_000 * fresh + 300_000 * 3 + int(3_000_000 * Decimal(times)) * 2
        + 15_000_000 * done.completion_tokens
    )  # fmt: skip
    assert listed(*_counts(done)) == (
        5_000_000 * fresh + 500_000 * 3 + int(5_000_000 * Decimal(times)) * 2
        + 25_000_000 * done.completion_tokens
    )  # fmt: skip


def _counts(done: Completion) -> tuple[int, int, int, int, int]:
    return (
        done.prompt_tokens,
        done.cached_tokens,
        done.completion_tokens,
        done.stored_tokens,
        done.hour_tokens,
    )


@pytest.mark.parametrize(
    ("settings", "stores"),
    [
        ({"api": "messages"}, ""),
        ({"api": "messages", "extra_body": {"top_k": 5}}, ""),
        ({"api": "messages", "extra_body": {"tools": [{"cache_control": {}}]}}, "5m"),
        ({"api": "gemini"}, ""),
        ({"api": "responses"}, "5m"),
        ({"api": "chat"}, "5m"),
        ({"api": "chat", "local": True}, ""),
    ],
)
def test_who_may_store_a_prompt(settings: dict[str, Any], stores: str) -> None:
    assert Endpoint(name="e", base_url="http://h/v1", model="m", **settings).stores == stores


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
