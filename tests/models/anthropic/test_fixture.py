"""Anthropic's own client understands the fixture, and finds in it what the fixture means to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.vendors.anthropic import (
    KEY,
    MODELS,
    REDACTED,
    TEXT,
    THOUGHT,
    server,
    signed,
)
from tests.support.vendors.serving import Billed, Book, serving

anthropic = pytest.importorskip("anthropic", reason="needs Anthropic's client (the extra 'dev')")

ASK = [{"role": "user", "content": "What is six times seven?"}]
OLD = {"anthropic-version": "2023-06-01"}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
OFF = {"type": "disabled"}
WORDS = len(TEXT.split())


@asynccontextmanager
async def talking(
    book: Book | None = None, *, delta: int = 7, write: int | None = None, **options: Any
) -> AsyncIterator[Any]:
    """The vendor's client, on the fixture, without loading certificates."""
    app = server(Book() if book is None else book, delta=delta, write=write)
    options = {"api_key": KEY, "max_retries": 0, "timeout": 60, **options}
    async with (
        serving(app) as url,
        anthropic.DefaultAsyncHttpxClient(verify=False) as plain,
        anthropic.AsyncAnthropic(base_url=url, http_client=plain, **options) as client,
    ):
        yield client


async def streamed(client: Any, **request: Any) -> Any:
    """The message that the client puts together from a stream."""
    async with client.messages.stream(**request) as stream:
        return await stream.get_final_message()


def request(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 2000, "messages": ASK, **fields}


async def collect(stream: Any, into: list[str]) -> None:
    """Add the kinds of all events until the stream ends, or fails."""
    async for event in stream:
        into.append(event.type)


def shown(message: Any) -> list[tuple[str, ...]]:
    """The blocks of a reply: kind, text, signature."""
    fields = ("text", "thinking", "data", "signature")
    return [
        (block.type, *(x for name in fields if (x := getattr(block, name, None)) is not None))
        for block in message.content
    ]


THINKING = ("thinking", THOUGHT, signed(THOUGHT))
HIDDEN = ("thinking", "", signed(""))
SPOKEN = ("text", TEXT)
REPLIES = [
    ("claude-new", {}, [SPOKEN], "end_turn", 0),
    ("claude-new", {"thinking": ADAPTIVE}, [THINKING, SPOKEN], "end_turn", 40),
    ("claude-new", {"thinking": {"type": "adaptive"}}, [HIDDEN, SPOKEN], "end_turn", 40),
    ("claude-new", {"thinking": OFF}, [SPOKEN], "end_turn", 0),
    ("claude-always", {}, [HIDDEN, SPOKEN], "end_turn", 40),
    ("claude-bridge", {"thinking": {"type": "adaptive"}}, [THINKING, SPOKEN], "end_turn", 40),
    ("claude-bridge", {"thinking": ENABLED}, [THINKING, SPOKEN], "end_turn", 40),
    ("claude-old", {"thinking": ENABLED}, [THINKING, SPOKEN], "end_turn", 40),
    ("claude-plain", {}, [SPOKEN], "end_turn", 0),
    ("claude-thinks", {}, [THINKING, SPOKEN], "end_turn", 40),
    (
        "claude-redacts",
        {"thinking": ADAPTIVE},
        [THINKING, ("redacted_thinking", REDACTED["data"]), SPOKEN],
        "end_turn",
        40,
    ),
    ("claude-eats-length", {}, [("thinking", THOUGHT, "")], "max_tokens", 2000),
    (
        "claude-parts",
        {"thinking": ADAPTIVE},
        [
            ("thinking", "One.", signed("One.")),
            ("text", "First, "),
            ("thinking", "Two.", signed("Two.")),
            SPOKEN,
        ],
        "end_turn",
        40,
    ),
    ("claude-quiet", {}, [], "end_turn", 0),
    ("claude-refuses", {}, [], "refusal", 0),
    ("claude-refuses-midway", {}, [("text", "Well, first you")], "refusal", 0),
    ("claude-pauses", {}, [("text", "Let me look.")], "pause_turn", 0),
    ("claude-overflows", {}, [("text", "So far")], "model_context_window_exceeded", 0),
    ("claude-cached", {}, [SPOKEN], "end_turn", 0),
    ("claude-plain", {"max_tokens": 3}, [("text", "Six times seven ")], "max_tokens", 0),
    (
        "claude-plain",
        {"stop_sequences": ["Q:", "\n\nAnswer:"]},
        [("text", "Six times seven is 42.")],
        "stop_sequence",
        0,
    ),
    (
        "claude-old",
        {"messages": [*ASK, {"role": "assistant", "content": "Six times seven is"}]},
        [("text", " 42.\n\nAnswer: 42")],
        "end_turn",
        0,
    ),
]


@pytest.mark.parametrize(("model", "fields", "blocks", "stop", "thinking"), REPLIES)
async def test_a_reply_is_the_same_streamed_and_not(
    model: str, fields: dict[str, Any], blocks: list[tuple[str, ...]], stop: str, thinking: int
) -> None:
    book = Book()
    async with talking(book) as client:
        whole = await client.messages.create(**request(model, **fields))
        stream = await streamed(client, **request(model, **fields))
    assert shown(whole) == shown(stream) == blocks
    assert whole.stop_reason == stream.stop_reason == stop
    assert whole.to_dict() == stream.to_dict()

    usage, billed = whole.usage, book.replies[0].billed
    assert book.replies[1].billed == billed
    assert billed.thinking == thinking
    details = usage.output_tokens_details
    assert (details.thinking_tokens if details else 0) == thinking
    assert usage.output_tokens == billed.completion
    inputs = usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    assert inputs == (
        billed.prompt - billed.cached - billed.stored,
        billed.cached,
        billed.stored,
    )


@pytest.mark.parametrize("write", [None, 1, 50])
@pytest.mark.parametrize("delta", [1, 7, 1000])
async def test_chunking_changes_nothing(delta: int, write: int | None) -> None:
    async with talking(delta=delta, write=write) as client:
        message = await streamed(client, **request("claude-redacts", thinking=ADAPTIVE))
    assert shown(message) == [THINKING, ("redacted_thinking", REDACTED["data"]), SPOKEN]


async def test_events_come_in_the_order_of_the_vendor() -> None:
    async with talking(delta=1000) as client:
        stream = await client.messages.create(**request("claude-thinks"), stream=True)
        events = [event async for event in stream]
    assert [(e.type, e.delta.type) if hasattr(e, "index") and hasattr(e, "delta") else e.type
            for e in events] == [
        "message_start",
        "content_block_start",
        ("content_block_delta", "thinking_delta"),
        ("content_block_delta", "signature_delta"),
        "content_block_stop",
        "content_block_start",
        ("content_block_delta", "text_delta"),
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]  # fmt: skip
    assert events[0].message.content == []
    assert events[0].message.usage.output_tokens == 1
    assert events[-2].usage.output_tokens == 40 + WORDS


async def test_what_is_billed() -> None:
    book = Book()
    async with talking(book) as client:
        await client.messages.create(**request("claude-cached", system="Be brief."))
        await streamed(client, **request("claude-thinks"))
        await streamed(client, **request("claude-eats-length", max_tokens=50))
    assert [reply.billed for reply in book.replies] == [
        Billed(prompt=7, cached=3, stored=2, completion=WORDS),
        Billed(prompt=5, completion=40 + WORDS, thinking=40),
        Billed(prompt=5, completion=50, thinking=50),
    ]
    assert book.billed == Billed(17, 3, 2, 90 + 2 * WORDS, 90)


async def test_a_refusal_has_its_category() -> None:
    async with talking() as client:
        for message in (
            await client.messages.create(**request("claude-refuses")),
            await streamed(client, **request("claude-refuses")),
        ):
            assert message.stop_details.category == "bio"


async def test_thinking_is_handed_back_as_it_came() -> None:
    async with talking() as client:
        reply = await client.messages.create(**request("claude-redacts", thinking=ADAPTIVE))
        again = [*ASK, {"role": "assistant", "content": reply.content}, *ASK]
        await client.messages.create(**request("claude-redacts", messages=again))
        reply.content[0].thinking += "!"
        with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0.*signature"):
            await client.messages.create(**request("claude-redacts", messages=again))


FAULTS = [
    ("claude-unpaid", "PaymentRequiredError", "billing_error"),
    ("claude-forbidden", "PermissionDeniedError", "permission_error"),
    ("claude-limited", "RateLimitError", "rate_limit_error"),
    ("claude-fails", "InternalServerError", "api_error"),
    ("claude-times-out", "GatewayTimeoutError", "timeout_error"),
    ("claude-overloaded", "OverloadedError", "overloaded_error"),
    ("claude-unheard-of", "NotFoundError", "not_found_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "error", "kind"), FAULTS)
async def test_an_error_instead_of_a_reply(model: str, error: str, kind: str, stream: bool) -> None:
    book = Book()
    async with talking(book) as client:
        with pytest.raises(getattr(anthropic, error)) as caught:
            await client.messages.create(**request(model), stream=stream)
    assert type(caught.value).__name__ == error
    assert caught.value.type == kind
    assert caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == (
        "7" if model == "claude-limited" else None
    )
    assert book.billed == Billed()


async def test_an_error_in_the_middle_of_a_stream() -> None:
    async with talking() as client:
        stream = await client.messages.create(**request("claude-breaks"), stream=True)
        events: list[str] = []
        with pytest.raises(anthropic.APIStatusError) as caught:
            await collect(stream, events)
        assert caught.value.type == "overloaded_error"
        assert events[0] == "message_start"
        assert events[-1] == "content_block_delta"
        with pytest.raises(anthropic.OverloadedError):
            await client.messages.create(**request("claude-breaks"))


async def test_a_stream_that_breaks_off() -> None:
    async with talking() as client:
        stream = await client.messages.create(**request("claude-cut"), stream=True)
        events: list[str] = []
        with pytest.raises(Exception, match="incomplete chunked read"):
            await collect(stream, events)
        assert events[-1] == "content_block_delta"
        assert shown(await client.messages.create(**request("claude-cut"))) == [SPOKEN]


async def test_a_client_that_goes_away_is_noticed() -> None:
    book = Book()
    async with talking(book) as client:
        stream = await client.messages.create(**request("claude-hangs"), stream=True)
        assert (await anext(aiter(stream))).type == "message_start"
        await stream.close()
        await book.until_abandoned(1)
        call = asyncio.create_task(client.messages.create(**request("claude-hangs")))
        await book.until_asked(2)
        call.cancel()
        await book.until_abandoned(2)


async def test_a_key_is_taken_in_either_header() -> None:
    async with talking(
        default_headers={"X-Api-Key": KEY, "Authorization": anthropic.Omit()}
    ) as client:
        await client.messages.create(**request("claude-new"))


async def test_a_missing_or_wrong_header() -> None:
    async with talking(api_key="sk-other") as client:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await client.messages.create(**request("claude-new"))
    async with talking(default_headers={"anthropic-version": anthropic.Omit()}) as client:
        with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
            await client.messages.create(**request("claude-new"))
    async with talking(default_headers={"Authorization": anthropic.Omit()}) as client:
        with pytest.raises(anthropic.AuthenticationError, match="header is required"):
            await client.messages.create(**request("claude-new"))


def sampling(**fields: Any) -> dict[str, Any]:
    """Parameters that the client has no more, under the version that has them."""
    return {"extra_body": fields, "extra_headers": OLD}


REFUSED = [
    ("claude-new", {"thinking": ENABLED}, "not supported for this model"),
    ("claude-old", {"thinking": ADAPTIVE}, "adaptive thinking is not supported"),
    ("claude-always", {"thinking": OFF}, "not supported for this model"),
    ("claude-plain", {"thinking": ENABLED}, "not supported for this model"),
    ("claude-new", {"thinking": {"type": "between_tools"}}, "not supported for this model"),
    ("claude-old", {"thinking": {"type": "auto"}}, "does not match any of the expected tags"),
    ("claude-old", {"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
    ("claude-old", {"thinking": {**ENABLED, "budget_tokens": 1023}}, "or equal to 1024"),
    ("claude-old", {"thinking": {**ENABLED, "budget_tokens": 2000}}, "must be greater than"),
    ("claude-new", {"thinking": {**ADAPTIVE, "budget_tokens": 1024}}, "Extra inputs"),
    ("claude-new", {"thinking": {**ADAPTIVE, "display": "all"}}, "display"),
    ("claude-old", {"output_config": {"effort": "low"}}, "does not support the effort"),
    ("claude-bridge", {"output_config": {"effort": "xhigh"}}, "effort level 'xhigh'"),
    ("claude-new", {"output_config": {"effort": "minimal"}}, "Input should be one of"),
    ("claude-new", {"messages": [*ASK, {"role": "assistant", "content": "42"}]}, "prefill"),
    (
        "claude-old",
        {"messages": [*ASK, {"role": "assistant", "content": "42"}], "thinking": ENABLED},
        "prefilled",
    ),
    (
        "claude-old",
        {"messages": [*ASK, {"role": "assistant", "content": "42 "}]},
        "trailing whitespace",
    ),
    ("claude-new", {"messages": []}, "at least one message"),
    ("claude-new", {"messages": [{"role": "user", "content": ""}]}, "non-empty content"),
    ("claude-new", {"messages": [{"role": "assistant", "content": "42"}, *ASK]}, '"user" role'),
    ("claude-new", {"messages": [{"role": "tool", "content": "42"}]}, r"messages\.0\.role"),
    (
        "claude-new",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "text content blocks",
    ),
    ("claude-new", {"system": "word " * 200_000}, "prompt is too long: 200005 tokens"),
    ("claude-new", {"max_tokens": 64_001}, "64001 > 64000"),
    ("claude-new", {"max_tokens": -1}, "greater than or equal to 0"),
    ("claude-new", {"stop_sequences": ["\n\n"]}, "non-whitespace"),
    ("claude-new", {"extra_body": {"seed": 1}}, "seed: Extra inputs are not permitted"),
    ("claude-old", {"extra_body": {"temperature": 1}}, "temperature: Extra inputs"),
    ("claude-new", sampling(temperature=0.5), "`temperature` is deprecated for this model"),
    ("claude-new", sampling(top_p=0.99), "`top_p` is deprecated for this model"),
    ("claude-old", sampling(temperature=1.5), "range: 0..1"),
    ("claude-old", sampling(temperature=0.5, top_p=0.9), "cannot both be specified"),
    ("claude-old", {**sampling(temperature=0.5), "thinking": ENABLED}, "only be set to 1"),
    ("claude-old", {**sampling(top_p=0.9), "thinking": ENABLED}, "or equal to 0.95"),
    ("claude-old", {**sampling(top_k=5), "thinking": ENABLED}, "`top_k` must be unset"),
]


@pytest.mark.parametrize(("model", "fields", "message"), REFUSED)
async def test_a_request_that_the_vendor_refuses(
    model: str, fields: dict[str, Any], message: str
) -> None:
    async with talking() as client:
        with pytest.raises(anthropic.BadRequestError, match=message) as caught:
            await client.messages.create(**request(model, **fields))
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("field", ["max_tokens", "messages", "model"])
async def test_a_field_that_is_missing(field: str) -> None:
    body = {name: value for name, value in request("claude-new").items() if name != field}
    async with talking() as client:
        with pytest.raises(anthropic.BadRequestError, match=f"{field}: Field required"):
            await client.post("/v1/messages", body=body, cast_to=object)


TAKEN = [
    ("claude-new", sampling(temperature=1)),
    ("claude-old", sampling(temperature=0)),
    ("claude-old", sampling(top_p=0.5, top_k=5)),
    ("claude-old", {**sampling(temperature=1), "thinking": ENABLED}),
    ("claude-old", {**sampling(top_p=0.95), "thinking": ENABLED}),
    ("claude-bridge", {"output_config": {"effort": "max"}, "thinking": ADAPTIVE}),
    ("claude-new", {"output_config": {"effort": "xhigh"}}),
]


@pytest.mark.parametrize(("model", "fields"), TAKEN)
async def test_a_request_at_the_edge_of_what_is_taken(model: str, fields: dict[str, Any]) -> None:
    async with talking() as client:
        assert (await client.messages.create(**request(model, **fields))).stop_reason == "end_turn"


async def test_tokens_are_counted() -> None:
    async with talking() as client:
        counted = await client.messages.count_tokens(
            model="claude-new", messages=ASK, system=[{"type": "text", "text": "Be brief."}]
        )
        assert counted.input_tokens == 7
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.count_tokens(model="claude-unheard-of", messages=ASK)


async def test_models_are_listed_over_several_pages() -> None:
    book = Book()
    async with talking(book) as client:
        models = [model async for model in client.models.list(limit=10)]
    assert [model.id for model in models] == list(MODELS)
    assert len(book.requests) == -(-len(MODELS) // 10)


async def test_a_model_says_what_it_takes() -> None:
    async with talking() as client:
        for name, model in MODELS.items():
            told = (await client.models.retrieve(name)).capabilities
            types, effort = told.thinking.types, told.effort
            for kind in ("adaptive", "between_tools", "disabled", "enabled"):
                assert getattr(types, kind).supported == (kind in model.takes.thinking)
            for level in ("low", "medium", "high", "xhigh", "max"):
                assert getattr(effort, level).supported == (level in model.takes.efforts)
        with pytest.raises(anthropic.NotFoundError, match="claude-unheard-of"):
            await client.models.retrieve("claude-unheard-of")
