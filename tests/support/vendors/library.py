"""The vendor's own client, pointed at a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionTokenLogprob
from pydantic import BaseModel

from tests.support.vendors.serving import Asked, Billed, Book, Reply, application, serving

QUESTION: Any = [{"role": "user", "content": "How many is six times seven?"}]
PROMPT = 10
"""Tokens of the question."""


@asynccontextmanager
async def client(
    reply_to: Callable[[Asked], Reply],
    *,
    book: Book | None = None,
    key: str = "sk-test-0123456789",
    base: str = "/v1",
    write: int | None = None,
) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's library for this server, without retries, and without loading certificates."""
    app = application(reply_to, Book() if book is None else book, write=write)
    async with (
        serving(app) as url,
        openai.DefaultAsyncHttpxClient(verify=False) as plain,
        openai.AsyncOpenAI(
            base_url=url + base, api_key=key, max_retries=0, http_client=plain
        ) as asking,
    ):
        yield asking


@dataclass
class Sample:
    """One choice, as the library's objects say it."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    finish: str | None = None
    logprobs: list[ChatCompletionTokenLogprob] = field(default_factory=list)


@dataclass
class Answered:
    """A whole reply, streamed or not."""

    samples: list[Sample]
    usage: CompletionUsage | None
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of the reply, or of the stream's last chunk, that the library has no type for."""


def thinking_of(said: BaseModel) -> str:
    """The thinking of a message or delta, which the library has no field for."""
    extra = said.model_extra or {}
    return extra.get("reasoning") or extra.get("reasoning_content") or ""


def content_of(said: Any) -> tuple[str, str]:
    """Text and thinking of a content that may be a list of parts, whatever its type says."""
    if not isinstance(said, list):
        return said or "", ""
    text = "".join(part["text"] for part in said if part["type"] == "text")
    thoughts = [part["thinking"] for part in said if part["type"] == "thinking"]
    return text, "".join(part["text"] for parts in thoughts for part in parts)


async def ask(asking: openai.AsyncOpenAI, model: str, *, stream: bool, **more: Any) -> Answered:
    """Ask the question; of a stream the usage is asked for too."""
    more = {"messages": QUESTION, **more}
    if not stream:
        return whole(await asking.chat.completions.create(model=model, **more))
    more.setdefault("stream_options", {"include_usage": True})
    chunks = await asking.chat.completions.create(model=model, stream=True, **more)
    return gathered([chunk async for chunk in chunks], more.get("n", 1))


def whole(reply: ChatCompletion) -> Answered:
    samples = []
    for place, choice in enumerate(reply.choices):
        assert choice.index == place
        message, found = choice.message, choice.logprobs
        text, thinking = content_of(message.content)
        samples.append(
            Sample(
                text,
                thinking + thinking_of(message),
                message.refusal or "",
                choice.finish_reason,
                list(found.content or []) if found else [],
            )
        )
    return Answered(samples, reply.usage, reply.model_extra or {})


def gathered(chunks: Sequence[ChatCompletionChunk], n: int) -> Answered:
    samples = [Sample() for _ in range(n)]
    told = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(told) < 2
    for chunk in chunks:
        for choice in chunk.choices:
            sample, delta = samples[choice.index], choice.delta
            assert sample.finish is None, "nothing follows the end of a sample"
            text, thinking = content_of(delta.content)
            sample.text += text
            sample.thinking += thinking + thinking_of(delta)
            sample.refusal += delta.refusal or ""
            sample.finish = choice.finish_reason
            if choice.logprobs:
                sample.logprobs += choice.logprobs.content or []
    return Answered(samples, told[0] if told else None, chunks[-1].model_extra or {})


def agrees(usage: CompletionUsage | None, billed: Billed) -> bool:
    """True if a usage that counts thinking within the completion says what was billed."""
    if usage is None:
        return False
    thinking, cached = usage.completion_tokens_details, usage.prompt_tokens_details
    return billed == Billed(
        usage.prompt_tokens,
        (cached.cached_tokens or 0) if cached else 0,
        completion=usage.completion_tokens,
        thinking=(thinking.reasoning_tokens or 0) if thinking else billed.thinking,
    ) and usage.total_tokens == (billed.prompt + billed.completion)


def untyped(value: Any) -> dict[str, Any]:
    """All fields within a value that the library has no type for."""
    if isinstance(value, list):
        return {name: found for item in value for name, found in untyped(item).items()}
    if not isinstance(value, BaseModel):
        return {}
    inner = [untyped(field) for _, field in value]
    return dict(value.model_extra or {}) | {k: v for found in inner for k, v in found.items()}


def body_of(server: Any, path: str, body: Any = None) -> Any:
    """The body of a reply to whoever asks without a library."""
    method = "GET" if body is None else "POST"
    return server.reply(Asked(method, path, {}, {}, body)).body
