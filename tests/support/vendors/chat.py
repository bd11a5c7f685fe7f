"""Chat Completions as its dialects write it: one shape, and for each server the points where it
differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.support.vendors.model import Generated, pieces
from tests.support.vendors.serving import Billed, Reply

CREATED = 1_790_000_000
ID = "chatcmpl-BxK3mYtQ7vR1"

Json = dict[str, Any]


def subset(prompt: int, cached: int, samples: Sequence[Generated]) -> Json:
    """The usage of servers that count thinking within the completion, with all its details."""
    completion = sum(sample.tokens for sample in samples)
    thinking = sum(len(sample.thinking) for sample in samples)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": thinking,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def bare(prompt: int, cached: int, samples: Sequence[Generated]) -> Json:
    """The usage of servers that say three numbers."""
    completion = sum(sample.tokens for sample in samples)
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def nothing(*_: Any) -> Json:
    return {}


@dataclass(frozen=True)
class Dialect:
    """The points where a server's Chat Completions differ from another's."""

    thinking: str | None = None
    """Field of message and delta that has the thinking."""
    empty: str | None = ""
    """Content of a message without text."""
    parts: bool = False
    """True if a message that was thought about has a list of parts for its content."""
    refusal: bool = False
    """True if messages have a field for refusals."""
    usage: Callable[[int, int, Sequence[Generated]], Json] = bare
    usage_comes: Literal["asked", "always", "with the end"] = "asked"
    """If a stream tells its usage: in a chunk of its own where ``include_usage`` asks for it or
    else always, or in the chunk that ends the sample.
    """
    usage_null: bool = False
    """True if the chunks before that of the usage say that they have none."""
    in_message: Callable[[Generated], Json] = nothing
    """Further fields of a message."""
    in_delta: Callable[[str, str], Json] = nothing
    """Further fields of a delta, by its thinking and its text."""
    in_choice: Callable[[Generated], Json] = nothing
    """Further fields of a choice that has ended."""
    in_reply: Callable[[int, Sequence[Generated]], Json] = nothing
    """Further fields of a reply and of a stream's last chunk, by the prompt's tokens."""
    last: Callable[[Generated], Json] = nothing
    """The delta of the chunk that ends a sample."""
    first: Mapping[str, Any] | None = None
    """Delta with which a stream begins; None: none."""


def logprobs(words: Sequence[str], top: int) -> Json:
    """Log-probabilities of these tokens: as many eighths as a token has characters, and ``top``
    alternatives of each.
    """
    entries = []
    for word in words:
        own = _entry(word, -len(word) / 8)
        others = [_entry(f" other{k}", -float(k + 1)) for k in range(1, top)]
        entries.append({**own, "top_logprobs": [own, *others][:top]})
    return {"content": entries, "refusal": None}


def _entry(word: str, value: float) -> Json:
    return {"token": word, "logprob": value, "bytes": list(word.encode())}


def completion(
    dialect: Dialect,
    model: str,
    prompt: int,
    samples: Sequence[Generated],
    *,
    cached: int = 0,
    top: int | None = None,
) -> Json:
    """The reply that is not streamed; ``top`` asks for log-probabilities."""
    return {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": message(dialect, sample),
                "logprobs": None if top is None else logprobs(sample.text, top),
                "finish_reason": sample.finish,
                **dialect.in_choice(sample),
            }
            for index, sample in enumerate(samples)
        ],
        "usage": dialect.usage(prompt, cached, samples),
        **dialect.in_reply(prompt, samples),
    }


def message(dialect: Dialect, sample: Generated) -> Json:
    """The message of one sample."""
    thinking, text = "".join(sample.thinking), sample.echoed + "".join(sample.text)
    refused = sample.refuses and dialect.refusal
    body: Any = None if refused else text or dialect.empty
    if dialect.parts and thinking:
        body = [_thought(thinking), *([{"type": "text", "text": text}] if text else [])]
    out: Json = {"role": "assistant", "content": body}
    if dialect.refusal:
        out |= {"refusal": text if refused else None}
    if dialect.thinking and thinking:
        out |= {dialect.thinking: thinking}
    return out | dialect.in_message(sample)


def _thought(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def deltas(dialect: Dialect, sample: Generated, size: int) -> list[tuple[Json, Sequence[str]]]:
    """The deltas of one sample and the tokens of the text that each has."""
    out: list[tuple[Json, Sequence[str]]] = []
    for piece in pieces(sample.thinking, size):
        said: Json = {"content": [_thought(piece)]} if dialect.parts else {}
        if dialect.thinking:
            said |= {dialect.thinking: piece}
        if said := said | dialect.in_delta(piece, ""):
            out.append((said, ()))
    if sample.echoed:
        out.append(({"content": sample.echoed}, ()))
    name = "refusal" if sample.refuses and dialect.refusal else "content"
    for at in range(0, len(sample.text), size):
        words = sample.text[at : at + size]
        piece = "".join(words)
        out.append(({name: piece} | dialect.in_delta("", piece), words))
    return out


def chunks(
    dialect: Dialect,
    model: str,
    prompt: int,
    samples: Sequence[Generated],
    *,
    cached: int = 0,
    top: int | None = None,
    include_usage: bool = False,
    size: int = 1,
) -> list[Json]:
    """The events of a stream; samples take turns."""
    head = {"id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": model}

    def chunk(choices: list[Json], **more: Any) -> Json:
        return {**head, "choices": choices, **more}

    def choice(index: int, delta: Json, words: Sequence[str] = (), **more: Any) -> Json:
        lp = logprobs(words, top) if top is not None and words else None
        return {"index": index, "delta": delta, "logprobs": lp, "finish_reason": None, **more}

    out: list[Json] = []
    if dialect.first is not None:
        out += [chunk([choice(index, dict(dialect.first))]) for index in range(len(samples))]
    lines = [deltas(dialect, sample, size) for sample in samples]
    for turn in range(max(map(len, lines))):
        for index, line in enumerate(lines):
            if turn < len(line):
                out.append(chunk([choice(index, *line[turn])]))
    for index, sample in enumerate(samples):
        end = {"finish_reason": sample.finish, **dialect.in_choice(sample)}
        out.append(chunk([choice(index, dialect.last(sample), **end)]))
    usage = dialect.usage(prompt, cached, samples)
    more = dialect.in_reply(prompt, samples)
    if dialect.usage_comes == "with the end":
        out[-1] |= {"usage": usage, **more}
    elif dialect.usage_comes == "always" or include_usage:
        if dialect.usage_null:
            out = [{**event, "usage": None} for event in out]
        out.append(chunk([], usage=usage, **more))
    else:
        out[-1] |= more
    return out


def events(values: Sequence[Any], *, done: bool = True) -> list[bytes]:
    """Server-sent events without names, and ``[DONE]`` after them."""
    out = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    return [*out, b"data: [DONE]\n\n"] if done else out


def bill(prompt: int, cached: int, samples: Sequence[Generated]) -> Billed:
    """What these samples of one prompt cost: the prompt once."""
    thinking = sum(len(sample.thinking) for sample in samples)
    generated = sum(sample.tokens for sample in samples)
    return Billed(prompt, cached, completion=generated, thinking=thinking)


def answer(
    dialect: Dialect,
    body: Mapping[str, Any],
    prompt: int,
    samples: Sequence[Generated],
    *,
    cached: int = 0,
    top: int | None = None,
    size: int = 1,
) -> Reply:
    """The reply to a request, streamed in deltas of ``size`` tokens if it wants a stream."""
    billed = bill(prompt, cached, samples)
    model = body["model"]
    if not body.get("stream"):
        whole = completion(dialect, model, prompt, samples, cached=cached, top=top)
        return Reply(body=whole, billed=billed)
    wanted = bool((body.get("stream_options") or {}).get("include_usage"))
    parts = chunks(
        dialect,
        model,
        prompt,
        samples,
        cached=cached,
        top=top,
        include_usage=wanted,
        size=size,
    )
    return Reply(events=tuple(events(parts)), billed=billed)


def stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The stop strings of a request."""
    wanted = body.get("stop") or ()
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def limit(body: Mapping[str, Any]) -> int | None:
    """The most tokens that a request wants, by either name."""
    newer: int | None = body.get("max_completion_tokens")
    older: int | None = body.get("max_tokens")
    return older if newer is None else newer


def top(body: Mapping[str, Any]) -> int | None:
    """Number of alternatives of a request that wants log-probabilities, else None."""
    return (body.get("top_logprobs") or 0) if body.get("logprobs") else None


def listing(*models: Mapping[str, Any]) -> Reply:
    """The reply of a models API."""
    return Reply(body={"object": "list", "data": [dict(model) for model in models]})
