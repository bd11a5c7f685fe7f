"""OpenAI's Chat Completions API, and the many servers that speak it, each with its own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.problem import Message, offered
from ponder.core.thinking import Thinking
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.base import Request
from ponder.models.calls import length
from ponder.models.finish import read_finish
from ponder.models.http.echo import Echo
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.failures import fault_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import Choice, Reply, Tokens, Usage
from ponder.models.http.wire import Change, Fault, Piece
from ponder.models.openai import refusals
from ponder.models.openai.details import Details, objects, record, text_of
from ponder.models.openai.dialects import Dialect, dialect_of
from ponder.models.openai.tokens import read_tokens
from ponder.models.openai.tooling import (
    Calls,
    apart,
    calls_of,
    choice_of,
    form_of,
    said,
    tools_of,
    turn_of,
)

Json = Any  # what json.loads returns; nothing below trusts it
OFF = Thinking("off")


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
        spoken = apart(said(messages))
        turns = [turn_of(message) for message in spoken]
        for turn, message in zip(turns, spoken, strict=True):
            if message.blocks:
                turn["reasoning_details"] = json.loads(message.blocks)
        if prefix:
            mark = {"prefix": True} if self._dialect.marks_prefix else {}
            turns.append({"role": "assistant", "content": prefix} | mark)
        tools = offered(messages)
        return {"messages": turns} | ({"tools": tools_of(tools)} if tools else {})

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return the fields beside the prompt, in the dialect of the server."""
        endpoint, dialect = self._endpoint, self._dialect
        fields: dict[str, Json] = {
            "model": endpoint.model,
            endpoint.max_tokens_field: endpoint.length(request.max_tokens),
            "temperature": request.temperature,
            "top_p": request.top_p,
            **dialect.sampling,
        }
        if "seed" in endpoint.capabilities:
            fields["seed"] = request.seed
        if request.stop:
            fields["stop"] = request.stop
        if request.logprobs or request.top_logprobs:
            # llama.cpp reads 0 as none at all, and sends 20 by default
            fields |= {"logprobs": True, "top_logprobs": max(1, request.top_logprobs)}
        if tools := offered(request.messages):
            fields |= choice_of(tools)
        if schema := request.json_schema:
            fields["response_format"] = {"type": "json_schema", "json_schema": form_of(schema)}
        if samples > 1:
            fields["n"] = samples
        if streamed:
            options = {"include_usage": True, **dialect.stream_options}
            fields |= {"stream": True, "stream_options": options, **dialect.streaming}
        if request.prefix and endpoint.prefill == "continue_final_message":
            fields |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.prefix and dialect.settles_prefix:
            fields |= dialect.ask(OFF, endpoint)[0]
        else:
            fields |= dialect.ask(request.thinking, endpoint)[0]
        if not dialect.names:
            return fields
        return {dialect.names.get(name, name): value for name, value in fields.items()}

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return what is asked for and cannot be done as asked, here or by the server."""
        _, remark = self._dialect.ask(request.thinking, self._endpoint)
        return tuple(filter(None, (remark, self._dialect.bends)))

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
        repeats = self._endpoint.prefill == "final_message" or self._dialect.repeats_prefix
        repeated = request.prefix if repeats else ""
        choices: list[Choice | Malformed] = []
        for choice in found[:samples]:
            try:
                choices.append(
                    _read_choice(choice, request, repeated, carries=self._dialect.carries)
                )
            except Malformed as problem:
                choices.append(problem)
        if all(isinstance(choice, Malformed) for choice in choices):
            raise Malformed(str(choices[0]))
        first = samples > 1 and usage is not None and _predicted(reply) == usage.completion
        return Reply(choices, usage, partial=first)  # llama.cpp counts the first choice alone

    def reader(self, request: Request) -> ChatReader:
        """Return a reader of chunks."""
        dialect = self._dialect
        return ChatReader(
            request,
            request.prefix if dialect.repeats_prefix else "",
            hides=dialect.hides and "native_thinking" in self._endpoint.capabilities,
            details=Details() if dialect.carries else None,
        )

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply."""
        return read_usage(reply)

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that the reply holds, beside its choices or instead of them."""
        return fault_of(reply)

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return the change that a refusal asks for, if it names one."""
        return refusals.read(status, body, request)


class ChatReader:
    """Reads the chunks of one stream, which may begin with the text that it continues."""

    def __init__(
        self,
        request: Request,
        repeated: str = "",
        *,
        hides: bool = False,
        details: Details | None = None,
    ) -> None:
        self._request = request
        self._echo = Echo(repeated, least=1)
        self._hides = hides
        self._details = details
        self._calls = Calls()

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one chunk carries."""
        if fault := fault_of(event):
            return Piece(fault=fault)
        usage, counted = read_usage(event) or _prompted(event), _predicted(event)
        if usage and usage.completion is not None:
            counted = usage.completion
        choices = event.get("choices")
        if not choices:  # the last chunk, with only the usage, and llama.cpp's pings
            return Piece(usage=usage, counted=counted, hidden=self._hides)
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise Malformed("a chunk's choices are not objects")
        own = (c for c in choices if isinstance(c, dict) and _is_first(c))
        choice = next(own, choices[0])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = {}
        text, reasoning, refused = _said(delta)
        finish = _reason(choice, ended=False)
        text, self._hides = self._echo.feed(text), self._hides and not reasoning
        if finish:
            text += self._echo.held
        called = self._calls.add(delta) if _is_first(choice) else 0
        spoken = bool(text or reasoning or refused or any(map(delta.get, _CALLS)))
        return Piece(
            text,
            reasoning,
            _read_tokens(choice, self._request),
            spoken,
            counted,
            usage,
            finish,
            _read_stop(choice),
            refused,
            blocks=self._details.add(delta) if self._details and _is_first(choice) else "",
            hidden=self._hides,
            other=not _is_first(choice),
            calls=self._calls.all() if finish else (),
            called=called,
        )


_CALLS = ("tool_calls", "function_call")


def _is_first(choice: dict[str, Json]) -> bool:
    """True unless the choice is marked as another sample than the one requested."""
    index = choice.get("index")
    return type(index) is not int or index == 0


def _read_choice(choice: Json, request: Request, prefix: str, *, carries: bool) -> Choice:
    if not isinstance(choice, dict):
        raise Malformed("a choice is not an object")
    if fault := fault_of(choice):
        raise Malformed(f"a choice holds an error: {fault.message}")
    message = choice.get("message")
    finish = _reason(choice, ended=True) or "stop"
    text, reasoning, refused = _said(message) if isinstance(message, dict) else ("", "", "")
    if refused and not text:
        text, finish = refused, "refusal"
    calls = calls_of(message) if isinstance(message, dict) else ()
    size = len(text) + len(reasoning) + length(calls)
    text = text.removeprefix(prefix)
    tokens = _read_tokens(choice, request)
    blocks = record(objects(message)) if carries and isinstance(message, dict) else ""
    stop = _read_stop(choice)
    return Choice(text, finish, tokens, stop, 0, reasoning, blocks, size, calls=calls)


def _said(message: dict[str, Json]) -> tuple[str, str, str]:
    """Return the text, the reasoning and the words of a refusal in a message or a delta of one."""
    text, reasoning = _parts(message.get("content"))
    for name in ("reasoning_content", "reasoning", "thinking"):
        thoughts = message.get(name)
        if isinstance(thoughts, str) and thoughts:
            reasoning = thoughts
            break
    if not reasoning:
        reasoning = "".join(map(text_of, objects(message)))
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


def read_usage(reply: dict[str, Json]) -> Usage | None:
    """Return the reply's token counts, as far as it has them."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return None
    asked, made = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    asked, made = asked if isinstance(asked, dict) else {}, made if isinstance(made, dict) else {}
    cached = usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens"))
    cached = asked.get("cached_tokens", cached)
    thought = made.get("reasoning_tokens", usage.get("reasoning_tokens"))
    return Usage.of(
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        usage.get("total_tokens"),
        cached,
        thought,
        asked.get("cache_write_tokens"),
    )


def _predicted(reply: dict[str, Json]) -> int | None:
    """Return the number of tokens that llama.cpp has generated, for one choice."""
    timings = reply.get("timings")
    return sound.count(timings.get("predicted_n")) if isinstance(timings, dict) else None


def _prompted(event: dict[str, Json]) -> Usage | None:
    """Return the prompt's size, which llama.cpp tells in every chunk if asked for timings."""
    timings = event.get("timings")
    if not isinstance(timings, dict):
        return None
    fresh, cached = sound.count(timings.get("prompt_n")), sound.count(timings.get("cache_n"))
    return None if fresh is None or cached is None else Usage(fresh + cached, None, cached)


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
    logprobs = choice.get("logprobs")
    return read_tokens(logprobs.get("content") if isinstance(logprobs, dict) else None, request)
