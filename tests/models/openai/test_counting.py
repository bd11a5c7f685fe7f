"""Tokens of thinking that a server's usage leaves out: its tokenizer or its stream tells them."""

from __future__ import annotations

import asyncio
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from ponder.models.thought import share, thought
from tests.support.loopback import Loopback, Step, delta, sse, usage
from tests.support.vendors.compatible import llamacpp, ollama, vllm
from tests.support.vendors.model import thoughts, tokens
from tests.support.vendors.serving import Asked, Book, Reply, application, serving

ASK = Request((Message("user", "What is six times seven?"),), 2000)


async def counted(server: ModuleType, name: str, book: Book) -> tuple[Completion, tuple[int, int]]:
    async with serving(application(partial(server.reply, size=1), book)) as url:
        dialect = server.__name__.rpartition(".")[2]
        model = OpenAICompat(Endpoint(name="e", base_url=f"{url}/v1", model=name, dialect=dialect))
        done = await model.generate(ASK)
        found = await thought(model, done)
        await model.close()
    return done, found


@pytest.mark.parametrize(
    ("server", "name"),
    [
        (vllm, "Qwen/Qwen3-8B"),
        (vllm, "Qwen/Qwen3-8B-unparsed"),
        (llamacpp, "qwen3-0.6b"),
    ],
)
async def test_a_server_that_tokenizes_counts_its_thinking(server: Any, name: str) -> None:
    book = Book()
    done, found = await counted(server, name, book)
    assert done.reasoning_tokens == 0
    assert found == (len(tokens(thoughts("medium"))), 0)
    assert book.billed.thinking in (0, found[0])  # 0 where the thinking is a part of the text
    assert [asked.path for asked in book.requests] == ["/v1/chat/completions", "/tokenize"]


async def test_of_others_the_share_is_taken_and_nothing_more_is_asked() -> None:
    book = Book()
    name = next(name for name, model in ollama.MODELS.items() if model.thinks and not model.fault)
    done, found = await counted(ollama, name, book)
    assert found == (share(done), share(done))
    assert 0 < share(done) < done.completion_tokens == book.billed.completion
    assert len(book.requests) == 1


@pytest.mark.parametrize("status", [200, 404])
async def test_a_server_that_does_not_count_is_asked_once(status: int) -> None:
    book = Book()

    def reply(asked: Asked) -> Reply:
        return Reply(status, body={"tokens": "many"})

    async with serving(application(reply, book)) as url:
        model = OpenAICompat(Endpoint(name="e", base_url=url, model="m", dialect="vllm"))
        assert [await model.count("six sevens") for _ in range(2)] == [None, None]
        await model.close()
    assert len(book.requests) == 1


async def test_a_server_that_hangs_delays_no_sample_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ponder.models.openai.client.PATIENCE", 0.01)
    book = Book()
    async with serving(application(lambda asked: Reply(hang=True), book)) as url:
        model = OpenAICompat(Endpoint(name="e", base_url=url, model="m", dialect="vllm"))
        assert await model.count("six sevens") is None
        await asyncio.wait_for(book.until_abandoned(), 60)
        await model.close()


def thinks(text: str, tokens: int | None) -> dict[str, Any]:
    told = {} if tokens is None else {"usage": usage(9, tokens)}
    return {"choices": [{"index": 0, "delta": {"reasoning": text}}], **told}


END = {"choices": [], "usage": usage(9, 7)}
CONTINUOUS = [thinks("six", 2), thinks(" times", 4), {**delta("4"), "usage": usage(9, 6)}]


@pytest.mark.parametrize(
    ("events", "known"),
    [
        ([*CONTINUOUS, delta("2", "stop"), END], 4),
        ([thinks("six", None), thinks(" times", None), delta("42", "stop"), END], 0),
        ([*CONTINUOUS, thinks(" more", 7), delta("2", "stop"), END], 0),
        ([*CONTINUOUS, delta("2", "stop"), {"choices": [], "usage": usage(9, 3)}], 3),
    ],
    ids=["told", "untold", "thinks again", "more than billed"],
)
async def test_a_stream_that_counts_says_where_the_thinking_ends(
    events: list[Any], known: int
) -> None:
    step: Step = sse(*events)
    async with Loopback(step) as server:
        endpoint = Endpoint(name="e", base_url=server.url, model="m", stream=True)
        model = OpenAICompat(endpoint)
        done = await model.generate(ASK)
        await model.close()
    assert done.reasoning_tokens == known
    assert done.reasoning_tokens <= done.completion_tokens
