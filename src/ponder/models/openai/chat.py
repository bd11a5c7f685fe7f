"""OpenAI's Chat Completions API, and the many servers that speak it, each with its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.problem import Message
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.base import Request
from ponder.models.finish import read_finish
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.failures import fault_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import NOTHING, Choice, Reply, Tokens, Usage
from ponder.models.http.wire import Change, Fault, Piece
from ponder.models.openai import refusals
from ponder.models.openai.dialects import Dialect, dialect_of

Json = Any  # what json.loads returns; nothing below trusts it


class Chat:
    """The ``Wire`` of one endpoint, in the dialect of its server."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._dialect: Dialect = dialect_of(endpoint)

    def path(self, *, streamed: bool) -> str:
        """Return the address of a request."""
        return "/chat/completions"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of every request."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def prompt(self, messages: Sequence[Message], prefix: str) -> dict[str, Json]:
        """Return the messages, and the prefix as the assistant's turn."""
        turns = [{"role": m.role, "content": m.content} for m in messages]
        if prefix:
            turns.append({"role": "assistant", "content": prefix})
        return {"messages": turns}

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return the fields beside the prompt, in the dialect of the server."""
        endpoint = self._endpoint
        fields: dict[str, Json] = {
            "model": endpoint.model,
            endpoint.max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
        }
        if "seed" in endpoint.capabilities:
            fields["seed"] = request.seed
        if request.stop:
            fields["stop"] = request.stop
        if request.logprobs or request.top_logprobs:
            # llama.cpp reads 0 as none at all, and sends 20 by default
            fields |= {"logprobs": True, "top_logprobs": max(1, request.top_logprobs)}
        if samples > 1:
            fields["n"] = samples
        if streamed:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.prefix and endpoint.prefill == "continue_final_message":
            fields |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.thinking is not None:
            fields |= self._dialect.thinking(request.thinking, endpoint)
        return fields

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return nothing: all is sent as asked."""
        return ()

    def read(self, reply: dict[str, Json], request: Request, samples: int) -> Reply:
        """Return the first ``samples`` choices, and the usage."""
        found = reply.get("choices")
        if not isinstance(found, list):
            raise Malformed("it has no choices")
        usage = read_usage(reply)
        if not found and usage is None:
            raise Malformed("it has no choices")
        if not found:  # some filters leave nothing
            return Reply([Choice("", "refusal")] * samples, usage)
        # llama.cpp puts the prefix in front of what it adds, except in a stream.
        repeated = request.prefix if self._endpoint.prefill == "final_message" else ""
        choices: list[Choice | Malformed] = []
        for choice in found[:samples]:
            try:
                choices.append(_read_choice(choice, request, repeated))
            except Malformed as problem:
                choices.append(problem)
        if all(isinstance(choice, Malformed) for choice in choices):
            raise Malformed(str(choices[0]))
        return Reply(choices, usage)

    def reader(self, request: Request) -> ChatReader:
        """Return a reader of chunks."""
        return ChatReader(request)

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply."""
        return read_usage(reply)

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that the reply holds, beside its choices or instead of them."""
        return fault_of(reply)

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return the change that a refusal asks for, if it names one."""
        return refusals.read(status, body)


class ChatReader:
    """Reads the chunks of one stream."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one chunk carries."""
        if fault := fault_of(event):
            return Piece(fault=fault)
        usage, timings = read_usage(event), event.get("timings")
        counted = sound.count(timings.get("predicted_n")) if isinstance(timings, dict) else None
        if usage and usage.completion is not None:
            counted = usage.completion
        choices = event.get("choices")
        if not choices:  # the last chunk, with only the usage, and llama.cpp's pings
            return Piece(usage=usage, counted=counted)
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise Malformed("a chunk's choices are not objects")
        own = (c for c in choices if isinstance(c, dict) and _is_first(c))
        choice = next(own, choices[0])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = {}
        text, reasoning, refused = _said(delta)
        spoken = bool(text or reasoning or refused or any(map(delta.get, _CALLS)))
        return Piece(
            text,
            reasoning,
            _read_tokens(choice, self._request),
            spoken,
            counted,
            usage,
            _reason(choice, ended=False),
            _read_stop(choice),
            refused,
            other=not _is_first(choice),
        )


_CALLS = ("tool_calls", "function_call")


def _is_first(choice: dict[str, Json]) -> bool:
    """True unless the choice is marked as another sample than the one requested."""
    index = choice.get("index")
    return type(index) is not int or index == 0


def _read_choice(choice: Json, request: Request, prefix: str) -> Choice:
    if not isinstance(choice, dict):
        raise Malformed("a choice is not an object")
    if fault := fault_of(choice):
        raise Malformed(f"a choice holds an error: {fault.message}")
    message = choice.get("message")
    finish = _reason(choice, ended=True) or "stop"
    text, reasoning, refused = _said(message) if isinstance(message, dict) else ("", "", "")
    if refused and not text:
        text, finish = refused, "refusal"
    size = len(text) + len(reasoning)
    text = text.removeprefix(prefix)
    tokens = _read_tokens(choice, request)
    return Choice(text, finish, tokens, _read_stop(choice), 0, reasoning, characters=size)


def _said(message: dict[str, Json]) -> tuple[str, str, str]:
    """Return the text, the reasoning and the words of a refusal in a message or a delta of one."""
    text, reasoning = _parts(message.get("content"))
    for name in ("reasoning_content", "reasoning", "thinking"):
        thoughts = message.get(name)
        if isinstance(thoughts, str) and thoughts:
            reasoning = thoughts
            break
    if not reasoning:
        reasoning = _details(message.get("reasoning_details"))
    refused = message.get("refusal")
    return text, reasoning, refused if isinstance(refused, str) else ""


def _parts(content: Json) -> tuple[str, str]:
    """Return the text and the reasoning of a content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return "", ""
    text, reasoning = "", ""
    for part in content:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict):
            if "thinking" in part or part.get("type") in ("thinking", "reasoning"):
                inner = part.get("thinking", part.get("text"))
                reasoning += inner if isinstance(inner, str) else "".join(_parts(inner))
            elif isinstance(part.get("text"), str):
                text += part["text"]
    return text, reasoning


def _details(details: Json) -> str:
    """Return the text of OpenRouter's ``reasoning_details``."""
    found = []
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            text = detail.get("text") or detail.get("summary")
            found.append(text if isinstance(text, str) else "")
    return "".join(found)


def read_usage(reply: dict[str, Json]) -> Usage | None:
    """Return the reply's token counts, as far as it has them."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return None
    asked, made = (usage.get(f"{kind}_tokens_details") for kind in ("prompt", "completion"))
    asked, made = (part if isinstance(part, dict) else {} for part in (asked, made))
    cached = asked.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    thought = made.get("reasoning_tokens", usage.get("reasoning_tokens"))
    return Usage.of(
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        usage.get("total_tokens"),
        cached,
        thought,
    )


def _read_stop(choice: dict[str, Json]) -> str | None:
    """Return the stop reason of vLLM and SGLang: a stop string, or a token's number, or null."""
    for name in ("stop_reason", "matched_stop"):
        if name in choice:
            reason = choice[name]
            return reason if isinstance(reason, str) else ""
    return None


def _reason(choice: dict[str, Json], *, ended: bool) -> Finish | None:
    """Return the finish reason of a choice; None if it goes on."""
    reason = choice.get("finish_reason")
    return read_finish(reason if isinstance(reason, str) else None, ended=ended)


def _read_tokens(choice: dict[str, Json], request: Request) -> Tokens:
    """Return the tokens that a choice lists. Not every server lists all that were requested."""
    logprobs = choice.get("logprobs")
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(listed, list):
        return NOTHING
    rows = [row if isinstance(row, dict) else {} for row in listed]
    chances, top, most = None, None, request.top_logprobs
    if request.logprobs:
        chances = tuple(sound.number(row.get("logprob")) for row in rows)
    if most:
        top = tuple(_read_place(row.get("top_logprobs"), most) for row in rows)
    return Tokens(len(rows), chances, top)


def _read_place(listed: Json, most: int) -> dict[str, float]:
    """Return the tokens of one place. Of tokens with the same text (pieces of one letter), the
    likeliest is kept, which comes first.
    """
    rows: list[Json] = listed[:most] if isinstance(listed, list) else []
    place: dict[str, float] = {}
    for row in reversed(rows):
        token = row.get("token") if isinstance(row, dict) else None
        if isinstance(token, str):
            place[sound.whole(token)] = sound.number(row.get("logprob"))
    return place
