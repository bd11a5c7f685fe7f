"""OpenAI's Responses API: the one that tells the thinking of OpenAI's models, as summaries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ponder.core.errors import CapabilityError
from ponder.core.problem import Message, offered
from ponder.core.text import jsontext
from ponder.core.tools import Tool, ToolCall
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.base import Request
from ponder.models.finish import read_finish
from ponder.models.http.carried import texts, unchanged
from ponder.models.http.endpoint import LEAST, Endpoint
from ponder.models.http.failures import error_message, fault_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import NOTHING, Choice, Reply, Usage
from ponder.models.http.wire import Change, Fault, Piece
from ponder.models.openai import refusals
from ponder.models.openai.dialects import ask_level, word
from ponder.models.openai.tokens import read_tokens
from ponder.models.openai.tooling import choice_of, form_of

Json = Any  # what json.loads returns; nothing below trusts it

APART = "\n\n"
"""Between the parts of a summary, and between messages."""


class Responses:
    """The ``Wire`` of one model behind ``/responses``; nothing is stored at the vendor's."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def path(self, *, streamed: bool) -> str:
        """Return the address of a request."""
        return "/responses"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of every request."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def prompt(self, messages: Sequence[Message], prefix: str) -> dict[str, Json]:
        """Return the system's messages as instructions, and the others as input."""
        system = APART.join(m.content for m in messages if m.role == "system" and m.content)
        turns = [items_of(m) for m in messages if m.role != "system"]
        tools = offered(messages)
        return (
            {"input": [item for items in turns for item in items]}
            | ({"instructions": system} if system else {})
            | ({"tools": [_tool(tool) for tool in tools.tools]} if tools else {})
        )

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return the fields beside the prompt."""
        endpoint = self._endpoint
        if request.stop or request.prefix or samples > 1:
            raise CapabilityError(
                f"endpoint {endpoint.name!r} speaks the Responses API, which has no stop strings, "
                "no prefix and one sample a request: take a strategy that does without, or "
                'api = "chat".'
            )
        fields: dict[str, Json] = {
            "model": endpoint.model,
            "max_output_tokens": max(LEAST, endpoint.length(request.max_tokens)),
            "temperature": request.temperature,
            "top_p": request.top_p,
            "store": False,
        }
        included = []
        if "native_thinking" in endpoint.capabilities:
            reasoning = {"summary": "auto"}
            if level := self._asked(request)[0]:
                reasoning["effort"] = word(level)
            kept = {k: v for k, v in reasoning.items() if f"reasoning.{k}" not in endpoint.drop}
            if kept:
                fields["reasoning"] = kept
            if refusals.ENCRYPTED not in endpoint.drop:
                included.append(refusals.ENCRYPTED)
        if request.logprobs or request.top_logprobs:
            included.append("message.output_text.logprobs")
            fields["top_logprobs"] = request.top_logprobs
        if included:
            fields["include"] = included
        if tools := offered(request.messages):
            fields |= choice_of(tools)
            if tools.only:
                fields["tool_choice"] = {"type": "function", "name": tools.only}
        if request.json_schema and "text.format" not in endpoint.drop:
            form = {"type": "json_schema", **form_of(request.json_schema)}
            fields["text"] = {"format": form}
        if streamed:
            fields["stream"] = True
        return fields

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return what is asked for and cannot be done as asked."""
        remark = self._asked(request)[1]
        return (remark,) if remark else ()

    def _asked(self, request: Request) -> tuple[str, str]:
        """Return the level to ask for ('' for none), and a remark if it is not the one set."""
        if request.thinking is None or request.thinking.level == "auto":
            return "", ""
        return ask_level(request.thinking, self._endpoint, self._endpoint.efforts)

    def read(self, reply: dict[str, Json], request: Request, samples: int) -> Reply:
        """Return the sample, and the usage."""
        if not isinstance(reply.get("output"), list):
            raise Malformed("it has no output")
        return Reply([_read_response(reply, request)], read_usage(reply))

    def reader(self, request: Request) -> ResponseReader:
        """Return a reader of events."""
        return ResponseReader(request, "native_thinking" in self._endpoint.capabilities)

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply."""
        return read_usage(reply)

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that the reply holds: that of a response that failed."""
        if fault := fault_of(reply):
            return fault
        if reply.get("status") == "failed":
            return Fault(500, "the response failed without a reason")
        return None

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return the change that a refusal asks for, if it names one."""
        return refusals.read(status, body, request)


class ResponseReader:
    """Reads the events of one stream."""

    def __init__(self, request: Request, thinks: bool = False) -> None:
        self._request = request
        self._thinks = thinks  # it shows a summary at most
        self._commentary: set[int] = set()  # places of messages that are no answer
        self._said, self._thought = False, False
        self._part: tuple[Json, ...] | None = None  # the part of the thinking that grows

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one event carries."""
        return replace(self._read(event), hidden=self._thinks)

    def _read(self, event: dict[str, Json]) -> Piece:
        kind = event.get("type")
        response = event.get("response")
        if kind == "error":
            return Piece(fault=fault_of(event) or _bare_fault(event))
        if isinstance(response, dict):
            return self._state(kind, response)
        delta, place = event.get("delta"), sound.count(event.get("output_index")) or 0
        text = delta if isinstance(delta, str) else ""
        match kind:
            case "response.output_item.added" if _is_commentary(event.get("item")):
                self._commentary.add(place)
            case "response.output_text.delta" if place in self._commentary:
                return self._thinking((place,), text)
            case "response.output_text.delta":
                self._said = self._said or bool(text)
                tokens = read_tokens(event.get("logprobs") or None, self._request)
                return Piece(text, tokens=tokens, spoken=bool(text))
            case "response.function_call_arguments.delta":
                return Piece(spoken=bool(text), called=len(text))
            case "response.refusal.delta":
                self._said = self._said or bool(text)
                return Piece(refused=text, spoken=bool(text))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                index = event.get("summary_index", event.get("content_index"))
                return self._thinking((place, sound.count(index)), text)
        return Piece(fault=fault_of(event))

    def _thinking(self, part: tuple[Json, ...], text: str) -> Piece:
        apart = APART if self._thought and part != self._part else ""
        self._part, self._thought = part, self._thought or bool(text)
        return Piece(reasoning=apart + text if text else "", spoken=bool(text))

    def _state(self, kind: Json, response: dict[str, Json]) -> Piece:
        """Return the end of the response, if it is that."""
        usage = read_usage(response)
        if fault := fault_of(response):
            return Piece(usage=usage, fault=fault)
        if kind == "response.failed" or response.get("status") == "failed":
            return Piece(usage=usage, fault=Fault(500, "the response failed without a reason"))
        if kind not in ("response.completed", "response.incomplete", "response.cancelled"):
            return Piece(usage=usage)
        choice = _read_response(response, self._request)
        refused = choice.text if choice.finish == "refusal" and not self._said else ""
        told = self._said or bool(refused)
        return Piece(
            "" if told else choice.text,
            "" if self._thought else choice.reasoning,
            NOTHING if told else choice.tokens,
            usage=usage,
            counted=usage.completion if usage else None,
            finish=choice.finish,
            refused=refused,
            blocks=choice.blocks,
            calls=choice.calls,
            done=True,
        )


def _bare_fault(event: dict[str, Json]) -> Fault:
    found = fault_of({"error": {name: event.get(name) for name in ("type", "code", "message")}})
    return Fault(found.status if found else 500, error_message(event))


def _is_commentary(item: Json) -> bool:
    """True for a message that is not the answer, but said on the way to it."""
    return isinstance(item, dict) and item.get("phase") == "commentary"


def _read_response(response: dict[str, Json], request: Request) -> Choice:
    items = _objects(response.get("output"))
    texts: list[str] = []
    thoughts: list[str] = []
    refusal = ""
    listed: list[Json] = []
    calls: list[ToolCall] = []
    for item in items:
        parts = _objects(item.get("content"))
        if item.get("type") == "reasoning":
            thoughts += [_text(part, "text") for part in _objects(item.get("summary")) or parts]
        elif item.get("type") == "function_call":
            names = ("call_id", "name", "arguments")
            calls.append(ToolCall(*(_text(item, name) for name in names)))
        elif _is_commentary(item):
            thoughts.append("".join(_text(part, "text") for part in parts))
        elif item.get("type") == "message":
            texts.append("".join(_text(part, "text") for part in parts))
            refusal += "".join(_text(part, "refusal") for part in parts)
            for part in parts:
                listed += _list(part.get("logprobs"))
    text = "".join(texts)
    finish = _finish(response)
    if refusal and not text:
        text, finish = refusal, "refusal"
    return Choice(
        text,
        finish,
        read_tokens(listed or None, request),
        reasoning=APART.join(thought for thought in thoughts if thought),
        blocks=_blocks(items),
        calls=tuple(calls),
    )


def items_of(message: Message) -> list[dict[str, Json]]:
    """Return the items of a turn: those that it was, if there is a record of them.

    The API refuses thinking that is not encrypted, and thinking without what comes after it.
    """
    if message.call:
        result = {"type": "function_call_output", "call_id": message.call}
        return [result | {"output": _parts(message)}]
    items = [
        {name: value for name, value in item.items() if value is not None}
        for item in json.loads(message.blocks or "[]")
    ]
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    said = [item for item in items if item.get("type") == "message" and not _is_commentary(item)]
    text = texts(part for item in said for part in _objects(item.get("content")))
    made = [_text(item, "call_id") for item in items if item.get("type") == "function_call"]
    ended = bool(items) and (made or text) and items[-1].get("type") != "reasoning"
    whole = ended and all("encrypted_content" in x for x in thoughts)
    same = unchanged(message, text) and made == [call.id for call in message.calls]
    if whole and same and not _is_commentary(items[-1]):
        return items
    calls = [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments or "{}",
        }
        for call in message.calls
    ]
    content = _parts(message)
    return ([{"role": message.role, "content": content}] if content or not calls else []) + calls


def _parts(message: Message) -> Json:
    """Return the content of a turn: its text, or the parts of one with images."""
    if not message.images:
        return message.content
    images = [
        {"type": "input_image", "image_url": image.url, "detail": image.detail or "auto"}
        for image in message.images
    ]
    text = [{"type": "input_text", "text": message.content}] if message.content else []
    return text + images if message.call else images + text


def _tool(tool: Tool) -> dict[str, Json]:
    """Return a tool; unlike Chat Completions, this API is strict unless it is told otherwise."""
    described = {"description": tool.description} if tool.description else {}
    described["type"] = "function"
    return {"name": tool.name, **described, "parameters": tool.schema, "strict": tool.strict}


def _blocks(items: Sequence[dict[str, Json]]) -> str:
    """Return the items for a conversation that goes on, if their thinking is encrypted in them."""
    if not any(isinstance(item.get("encrypted_content"), str) for item in items):
        return ""
    try:
        return jsontext.dumps(list(items))
    except (ValueError, RecursionError):  # not what a vendor would take back
        return ""


def _finish(response: dict[str, Json]) -> Finish:
    """Return the reason why a response ended: of one that is incomplete, it says its own."""
    status, details = response.get("status"), response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if status == "incomplete" or reason:
        found = read_finish(reason if isinstance(reason, str) else None, ended=True)
        return found if found and found != "stop" else "length"
    if status in ("queued", "in_progress"):
        return "error"
    return read_finish(status if isinstance(status, str) else None, ended=True) or "stop"


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _text(part: dict[str, Json], name: str) -> str:
    text = part.get(name)
    return text if isinstance(text, str) else ""


def read_usage(response: dict[str, Json]) -> Usage | None:
    """Return the response's token counts, as far as it has them."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    asked, made = (usage.get(f"{kind}_tokens_details") for kind in ("input", "output"))
    asked, made = (part if isinstance(part, dict) else {} for part in (asked, made))
    return Usage.of(
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        usage.get("total_tokens"),
        asked.get("cached_tokens"),
        made.get("reasoning_tokens"),
        asked.get("cache_write_tokens"),
    )
