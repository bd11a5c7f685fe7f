"""Gemini's own client understands the fixture, and finds in it what the fixture means to say."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.support.vendors.gemini import KEY, MODELS, SIGNATURE, TEXT, THOUGHT, server
from tests.support.vendors.serving import Billed, Book, serving

genai = pytest.importorskip("google.genai", reason="needs Gemini's client (the extra 'dev')")

pytestmark = pytest.mark.filterwarnings(
    # The client's own classes derive from aiohttp's.
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning"
)

ASK = "What is six times seven?"
WORDS = len(TEXT.split())
SIGNED = base64.b64decode(SIGNATURE)
Part = tuple[str, bool | None, bytes | None]
THINKING: Part = (THOUGHT, True, None)
SPOKEN: Part = (TEXT, None, None)
AND_SIGNED: Part = (TEXT, None, SIGNED)
BARE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Certificates take most of a test's time to load, and nothing here asks for them."""


@asynccontextmanager
async def talking(
    book: Book | None = None,
    *,
    key: str = KEY,
    version: str = "v1beta",
    delta: int = 7,
    write: int | None = None,
) -> AsyncIterator[Any]:
    """The vendor's client, on the fixture."""
    app = server(Book() if book is None else book, delta=delta, write=write)
    async with serving(app) as url:
        options = {
            "base_url": url,
            "api_version": version,
            "client_args": {"verify": BARE},
            "async_client_args": {"verify": BARE, "ssl": BARE},
        }
        client = genai.Client(api_key=key, http_options=options)
        try:
            yield client.aio.models
        finally:
            await client.aio.aclose()
            client.close()


async def asked(models: Any, model: str, **config: Any) -> Any:
    """The unstreamed reply."""
    return await models.generate_content(model=model, contents=ASK, config=config)


async def chunks(models: Any, model: str, **config: Any) -> list[Any]:
    stream = await models.generate_content_stream(model=model, contents=ASK, config=config)
    return [chunk async for chunk in stream]


async def collect(stream: Any, into: list[Any]) -> None:
    """Add all chunks until the stream ends, or fails."""
    async for chunk in stream:
        into.append(chunk)


def parts(*replies: Any) -> list[Part]:
    """Text, thought and signature of each part; pieces of one part are put together."""
    found: list[Part] = []
    for reply in replies:
        for candidate in (reply.candidates or ())[:1]:
            for part in candidate.content.parts or ():
                said = (part.text, part.thought, part.thought_signature)
                if found and found[-1][1:] == (part.thought, None) and len(replies) > 1:
                    said = (found.pop()[0] + part.text, *said[1:])
                found.append(said)
    return found


THOUGHTS = {"thinking_config": {"include_thoughts": True}}
REPLIES = [
    ("gemini-plain", {}, [SPOKEN], "STOP", 0),
    ("gemini-budget", {}, [SPOKEN], "STOP", 40),
    ("gemini-budget", THOUGHTS, [THINKING, SPOKEN], "STOP", 40),
    (
        "gemini-budget",
        {"thinking_config": {"include_thoughts": True, "thinking_budget": 25}},
        [THINKING, SPOKEN],
        "STOP",
        25,
    ),
    ("gemini-budget", {"thinking_config": {"thinking_budget": 0}}, [SPOKEN], "STOP", 0),
    ("gemini-budget-always", {"thinking_config": {"thinking_budget": -1}}, [SPOKEN], "STOP", 40),
    ("gemini-budget-quiet", {}, [SPOKEN], "STOP", 0),
    ("gemini-budget-quiet", {"thinking_config": {"thinking_budget": 512}}, [SPOKEN], "STOP", 40),
    ("gemini-level", {}, [AND_SIGNED], "STOP", 40),
    (
        "gemini-level",
        {"thinking_config": {"include_thoughts": True, "thinking_level": "LOW"}},
        [THINKING, AND_SIGNED],
        "STOP",
        40,
    ),
    ("gemini-level-pro", {"thinking_config": {"thinking_level": "HIGH"}}, [AND_SIGNED], "STOP", 40),
    (
        "gemini-level-minimal",
        {"thinking_config": {"thinking_level": "minimal"}},
        [AND_SIGNED],
        "STOP",
        40,
    ),
    (
        "gemini-level-xhigh",
        {"thinking_config": {"thinking_level": "XHIGH"}},
        [AND_SIGNED],
        "STOP",
        40,
    ),
    ("gemini-eats-length", {"max_output_tokens": 30}, [], "MAX_TOKENS", 30),
    ("gemini-eats-length", {"max_output_tokens": 30, **THOUGHTS}, [THINKING], "MAX_TOKENS", 30),
    ("gemini-budget", {"max_output_tokens": 43}, [("Six times seven ", None, None)],
     "MAX_TOKENS", 40),
    ("gemini-plain", {"stop_sequences": ["\n\n"]}, [("Six times seven is 42.", None, None)],
     "STOP", 0),
    ("gemini-cached", {}, [SPOKEN], "STOP", 40),
    ("gemini-quiet", {}, [], "STOP", 0),
    ("gemini-unsafe", {}, [], "SAFETY", 0),
    ("gemini-unsafe-midway", {}, [("Well, first you", None, None)], "SAFETY", 40),
    ("gemini-recites", {}, [("It was the best of", None, None)], "RECITATION", 0),
    ("gemini-prohibited", {}, [], "PROHIBITED_CONTENT", 0),
    ("gemini-blocklist", {}, [], "BLOCKLIST", 0),
    ("gemini-personal", {}, [], "SPII", 0),
    ("gemini-language", {}, [], "LANGUAGE", 0),
    ("gemini-other", {}, [], "OTHER", 0),
    ("gemini-malformed", {}, [], "MALFORMED_RESPONSE", 0),
    ("gemini-malformed-call", {}, [], "MALFORMED_FUNCTION_CALL", 0),
]  # fmt: skip


@pytest.mark.parametrize(("model", "config", "said", "stop", "thoughts"), REPLIES)
async def test_a_reply_is_the_same_streamed_and_not(
    model: str, config: dict[str, Any], said: list[Part], stop: str, thoughts: int
) -> None:
    book = Book()
    async with talking(book) as models:
        whole = await asked(models, model, **config)
        stream = await chunks(models, model, **config)
    assert parts(whole) == parts(*stream) == said
    assert [chunk.candidates[0].finish_reason for chunk in stream[:-1]] == [None] * len(stream[:-1])
    for reply in whole, stream[-1]:
        assert reply.candidates[0].finish_reason == stop
        usage, billed = reply.usage_metadata, book.replies[0].billed
        assert usage.prompt_token_count == billed.prompt
        assert (usage.cached_content_token_count or 0) == billed.cached
        assert (usage.thoughts_token_count or 0) == billed.thinking == thoughts
        assert (usage.candidates_token_count or 0) == billed.completion - thoughts
        assert usage.total_token_count == billed.prompt + billed.completion
    assert book.replies[1].billed == book.replies[0].billed


@pytest.mark.parametrize("write", [None, 1, 50])
@pytest.mark.parametrize("delta", [1, 7, 1000])
async def test_chunking_changes_nothing(delta: int, write: int | None) -> None:
    async with talking(delta=delta, write=write) as models:
        stream = await chunks(models, "gemini-parts", **THOUGHTS)
    assert parts(*stream) == [THINKING, ("First, " + TEXT, None, SIGNED)]
    assert parts(stream[-1]) == [("", None, SIGNED)]


async def test_usage_grows_from_chunk_to_chunk() -> None:
    async with talking() as models:
        stream = await chunks(models, "gemini-level", **THOUGHTS)
    counts = [
        (usage.thoughts_token_count or 0, usage.candidates_token_count or 0)
        for usage in (chunk.usage_metadata for chunk in stream)
    ]
    assert counts == sorted(counts)
    assert counts[0][1] == 0
    assert 0 < counts[0][0] < 40
    assert counts[-1] == (40, WORDS)


async def test_several_parts_are_one_text_without_the_thought() -> None:
    async with talking() as models:
        reply = await asked(models, "gemini-parts", **THOUGHTS)
    assert reply.text == "First, " + TEXT
    assert parts(reply) == [THINKING, ("First, ", None, None), AND_SIGNED]


async def test_several_candidates_are_all_billed() -> None:
    book = Book()
    async with talking(book) as models:
        whole = await asked(models, "gemini-candidates", candidate_count=3)
        stream = await chunks(models, "gemini-candidates", candidate_count=3)
    assert [candidate.index or 0 for candidate in whole.candidates] == [0, 1, 2]
    assert [candidate.index or 0 for candidate in stream[-1].candidates] == [0, 1, 2]
    bill = Billed(5, completion=3 * (40 + WORDS), thinking=120)
    assert [reply.billed for reply in book.replies] == [bill, bill]


async def test_what_is_billed() -> None:
    book = Book()
    async with talking(book) as models:
        await asked(models, "gemini-cached", system_instruction="Be brief.")
        await chunks(models, "gemini-level")
        await chunks(models, "gemini-eats-length", max_output_tokens=50)
        await asked(models, "gemini-blocks-prompt")
    assert [reply.billed for reply in book.replies] == [
        Billed(prompt=7, cached=3, completion=40 + WORDS, thinking=40),
        Billed(prompt=5, completion=40 + WORDS, thinking=40),
        Billed(prompt=5, completion=50, thinking=50),
        Billed(prompt=5),
    ]
    assert book.billed == Billed(22, 3, 0, 130 + 2 * WORDS, 130)


async def test_a_blocked_prompt_has_no_candidate() -> None:
    async with talking() as models:
        whole = await asked(models, "gemini-blocks-prompt")
        (stream,) = await chunks(models, "gemini-blocks-prompt")
    for reply in whole, stream:
        assert reply.candidates is None
        assert reply.prompt_feedback.block_reason == "PROHIBITED_CONTENT"
        assert reply.prompt_feedback.safety_ratings[0].blocked
        assert reply.usage_metadata.total_token_count == 5


async def test_what_a_filter_found_comes_with_the_candidate() -> None:
    async with talking() as models:
        unsafe = (await asked(models, "gemini-unsafe")).candidates[0]
        recited = (await asked(models, "gemini-recites")).candidates[0]
    assert unsafe.safety_ratings[0].category == "HARM_CATEGORY_DANGEROUS_CONTENT"
    assert recited.citation_metadata.citations[0].uri == "https://example.org/tale"


async def test_a_stream_without_a_finish_reason() -> None:
    async with talking() as models:
        stream = await chunks(models, "gemini-endless")
    assert {chunk.candidates[0].finish_reason for chunk in stream} == {None}
    assert parts(*stream) == [SPOKEN]


async def test_a_conversation_is_continued_with_its_signatures() -> None:
    async with talking() as models:
        reply = await asked(models, "gemini-level", **THOUGHTS)
        said = reply.candidates[0].content
        turns = [genai.types.UserContent(ASK), said, genai.types.UserContent("Sure?")]
        await models.generate_content(model="gemini-level", contents=turns)
        said.parts[-1].thought_signature = b"another"
        with pytest.raises(genai.errors.ClientError, match="Corrupted thought signature"):
            await models.generate_content(model="gemini-level", contents=turns)


FAULTS = [
    ("gemini-elsewhere", "ClientError", 400, "FAILED_PRECONDITION"),
    ("gemini-forbidden", "ClientError", 403, "PERMISSION_DENIED"),
    ("gemini-unheard-of", "ClientError", 404, "NOT_FOUND"),
    ("gemini-limited", "ClientError", 429, "RESOURCE_EXHAUSTED"),
    ("gemini-fails", "ServerError", 500, "INTERNAL"),
    ("gemini-overloaded", "ServerError", 503, "UNAVAILABLE"),
    ("gemini-times-out", "ServerError", 504, "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize("call", [asked, chunks])
@pytest.mark.parametrize(("model", "error", "code", "status"), FAULTS)
async def test_an_error_instead_of_a_reply(
    model: str, error: str, code: int, status: str, call: Any
) -> None:
    book = Book()
    async with talking(book) as models:
        with pytest.raises(getattr(genai.errors, error)) as caught:
            await call(models, model)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert book.billed == Billed()
    if code == 429:
        *_, retry = caught.value.details["error"]["details"]
        assert retry == {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": "7s",
        }


async def test_an_error_in_the_middle_of_a_stream() -> None:
    async with talking() as models:
        seen: list[Any] = []
        stream = await models.generate_content_stream(model="gemini-breaks", contents=ASK)
        with pytest.raises(genai.errors.ServerError) as caught:
            await collect(stream, seen)
        assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
        assert TEXT.startswith(parts(*seen)[0][0])
        with pytest.raises(genai.errors.ServerError):
            await asked(models, "gemini-breaks")


async def test_a_stream_that_breaks_off() -> None:
    async with talking() as models:
        seen: list[Any] = []
        stream = await models.generate_content_stream(model="gemini-cut", contents=ASK)
        with pytest.raises(aiohttp.ClientPayloadError):
            await collect(stream, seen)
        assert TEXT.startswith(parts(*seen)[0][0])
        assert parts(await asked(models, "gemini-cut")) == [SPOKEN]


async def test_a_client_that_goes_away_is_noticed() -> None:
    book = Book()
    async with talking(book) as models:
        for number, call in enumerate((asked, chunks), 1):
            task = asyncio.create_task(call(models, "gemini-hangs"))
            await book.until_asked(number)
            task.cancel()
            await book.until_abandoned(number)


async def test_a_wrong_key_and_none() -> None:
    async with talking(key="AIza-other") as models:
        with pytest.raises(genai.errors.ClientError, match="API key not valid") as caught:
            await asked(models, "gemini-plain")
    assert caught.value.code == 400
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    async with (
        serving(server(Book())) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1beta/models") as reply,
    ):
        assert reply.status == 403
        assert (await reply.json())["error"]["status"] == "PERMISSION_DENIED"


REFUSED = [
    ("gemini-plain", {"thinking_config": {"thinking_budget": 0}}, "Thinking is not enabled"),
    (
        "gemini-level",
        {"thinking_config": {"thinking_budget": 512, "thinking_level": "LOW"}},
        "only one of thinking budget and thinking level",
    ),
    (
        "gemini-budget",
        {"thinking_config": {"thinking_level": "LOW"}},
        r"Thinking level is not supported",
    ),
    ("gemini-level", {"thinking_config": {"thinking_level": "MINIMAL"}}, "level MINIMAL is not"),
    ("gemini-level-pro", {"thinking_config": {"thinking_level": "MEDIUM"}}, "level MEDIUM is not"),
    (
        "gemini-level-minimal",
        {"thinking_config": {"thinking_level": "XHIGH"}},
        "level XHIGH is not",
    ),
    ("gemini-budget-always", {"thinking_config": {"thinking_budget": 0}}, "Budget 0 is invalid"),
    ("gemini-level", {"thinking_config": {"thinking_budget": 0}}, "Budget 0 is invalid"),
    ("gemini-budget-always", {"thinking_config": {"thinking_budget": 127}}, "between 128"),
    ("gemini-budget-quiet", {"thinking_config": {"thinking_budget": 511}}, "between 512"),
    ("gemini-budget", {"thinking_config": {"thinking_budget": 24_577}}, "and 24576"),
    ("gemini-plain", {"stop_sequences": list("abcdef")}, "must not exceed 5"),
    ("gemini-plain", {"temperature": 2.1}, "temperature must be in the range"),
    ("gemini-plain", {"top_p": 1.1}, "top_p must be in the range"),
    ("gemini-plain", {"max_output_tokens": 0}, "must be positive"),
    ("gemini-plain", {"max_output_tokens": 65_537}, r"65537 \(exclusive\)"),
    ("gemini-plain", {"candidate_count": 2}, "Multiple candidates is not enabled"),
    ("gemini-plain", {"response_logprobs": True}, "Logprobs is not enabled"),
    ("gemini-small", {"system_instruction": "word " * 16}, r"count \(21\) exceeds"),
    (
        "gemini-plain",
        {"http_options": {"extra_body": {"generationConfig": {"stop": ["a"]}}}},
        'Unknown name "stop" at .*generation_config',
    ),
]


@pytest.mark.parametrize(("model", "config", "message"), REFUSED)
async def test_a_request_that_the_vendor_refuses(
    model: str, config: dict[str, Any], message: str
) -> None:
    async with talking() as models:
        with pytest.raises(genai.errors.ClientError, match=message) as caught:
            await asked(models, model, **config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


TAKEN = [
    ("gemini-small", {"system_instruction": "word " * 15}),
    ("gemini-budget-always", {"thinking_config": {"thinking_budget": 128}}),
    ("gemini-budget", {"thinking_config": {"thinking_budget": 24_576}}),
    ("gemini-level", {"thinking_config": {"thinking_budget": 512}}),
    ("gemini-plain", {"stop_sequences": list("vwxyz")}),
    ("gemini-plain", {"temperature": 2, "top_p": 1, "top_k": 40, "seed": 1}),
    ("gemini-plain", {"max_output_tokens": 65_536}),
]


@pytest.mark.parametrize(("model", "config"), TAKEN)
async def test_a_request_at_the_edge_of_what_is_taken(model: str, config: dict[str, Any]) -> None:
    async with talking() as models:
        assert (await asked(models, model, **config)).candidates[0].finish_reason == "STOP"


@pytest.mark.parametrize("turns", [[], [{"role": "tool", "parts": [{"text": "42"}]}]])
async def test_turns_that_the_vendor_refuses(turns: list[Any]) -> None:
    async with serving(server(Book())) as url, aiohttp.ClientSession() as session:
        path = f"{url}/v1beta/models/gemini-plain:generateContent?key={KEY}"
        async with session.post(path, json={"contents": turns}) as reply:
            assert reply.status == 400


async def test_both_spellings_of_a_field_are_taken() -> None:
    book = Book()
    config = {"generation_config": {"thinkingConfig": {"thinking_budget": 0}}}
    body = {"contents": [{"parts": [{"text": ASK}]}], **config}
    async with serving(server(book)) as url, aiohttp.ClientSession() as session:
        path = f"{url}/v1beta/models/gemini-budget:generateContent?key={KEY}"
        async with session.post(path, json=body) as reply:
            assert reply.status == 200
    assert book.billed == Billed(5, completion=WORDS)


async def test_a_stream_without_sse_is_a_list() -> None:
    body = {"contents": [{"parts": [{"text": ASK}]}]}
    async with serving(server(Book())) as url, aiohttp.ClientSession() as session:
        path = f"{url}/v1beta/models/gemini-plain:streamGenerateContent?key={KEY}"
        async with session.post(path, json=body) as reply:
            *_, last = await reply.json()
    assert last["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_tokens_are_counted(version: str) -> None:
    async with talking(version=version) as models:
        assert (await models.count_tokens(model="gemini-plain", contents=ASK)).total_tokens == 5
        with pytest.raises(genai.errors.ClientError, match="not found"):
            await models.count_tokens(model="gemini-unheard-of", contents=ASK)


async def test_models_are_listed_over_several_pages() -> None:
    book = Book()
    async with talking(book) as models:
        listed = [model async for model in await models.list(config={"page_size": 10})]
    assert [model.name for model in listed] == [f"models/{name}" for name in MODELS]
    assert len(book.requests) == -(-len(MODELS) // 10)
    thinking = {model.name.removeprefix("models/") for model in listed if model.thinking}
    assert thinking == {name for name, model in MODELS.items() if model.takes.thinking}


async def test_a_model_tells_its_limits() -> None:
    async with talking() as models:
        told = await models.get(model="gemini-level")
        assert (told.input_token_limit, told.output_token_limit) == (1_048_576, 65_536)
        assert "generateContent" in told.supported_actions
        with pytest.raises(genai.errors.ClientError, match="not found"):
            await models.get(model="gemini-unheard-of")
