"""OpenAI's Responses API, by the types of the package openai 3.57."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.model import Generated, content, generate, pieces, prompt_tokens, tokens
from tests.support.vendors.openai.table import (
    BROKEN,
    Model,
    below,
    broken,
    error,
    fault,
    listed,
    unknown_parameter,
)
from tests.support.vendors.serving import Billed, Reply

Json = dict[str, Any]

FIELDS = frozenset(
    {
        "background",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
"""Names that a request may have."""
REASONING_FIELDS = frozenset({"context", "effort", "generate_summary", "mode", "summary"})
SUMMARY = ("**Multiplying**\n\nSix times seven is wanted.", "**Checking**\n\nIt is 42.")
"""A detailed summary; the others are its first part."""
ENCRYPTED = "gAAAAABo-reasoning"
LEAST_OUTPUT = 16


def reply(model: Model, body: Mapping[str, Any], size: int) -> Reply:
    """Answer a request for this model."""
    if refused := _malformed(body) or _unsupported(model, body) or fault(model):
        return refused
    if refused := _not_carried(body):
        return refused
    prompt = prompt_tokens(messages(body))
    if prompt >= model.context:
        message = (
            "Your input exceeds the context window of this model. "
            "Please adjust your input and try again."
        )
        return error(400, message, param="input", code="context_length_exceeded")
    sample = generate(
        model.script,
        effort=(body.get("reasoning") or {}).get("effort"),
        limit=min(body.get("max_output_tokens") or model.most_output, model.context - prompt),
    )
    return _Response(model, body, prompt, sample, size).reply()


def messages(body: Mapping[str, Any]) -> list[Json]:
    """The messages of a request; what it has of earlier thinking costs nothing."""
    said = body["input"]
    items = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
    if body.get("instructions"):
        items.insert(0, {"role": "developer", "content": body["instructions"]})
    return [item for item in items if item.get("type", "message") == "message"]


@dataclass(frozen=True)
class _Response:
    """One response, as a value and as the events that lead to it."""

    model: Model
    body: Mapping[str, Any]
    prompt: int
    sample: Generated
    size: int

    def reply(self) -> Reply:
        billed = chat.bill(self.prompt, self.cached, [self.sample])
        fault, streams = self.model.fault, self.body.get("stream")
        events = tuple(_named(self.events())) if streams else ()
        half = events[: len(events) // 2]
        if fault == "breaks off":
            return broken(half, billed)
        if fault == "hangs":
            return Reply(events=half, hang=True, billed=billed)
        if fault == "errs" and not streams:
            return error(500, BROKEN, kind="server_error")
        failed = fault in {"fails", "errs"}
        body = self.failed() if failed else self.ended()
        return Reply(body=body, events=events, billed=Billed() if failed else billed)

    @property
    def cached(self) -> int:
        return min(self.model.script.cached, self.prompt)

    def value(self, status: str, output: Sequence[Json] = (), **more: Any) -> Json:
        """The response in one of its states."""
        reasoning = self.body.get("reasoning") or {}
        out: Json = {
            "id": "resp_68af4030592c81938ec0a5fbab4a3e9f",
            "object": "response",
            "created_at": chat.CREATED,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": self.body.get("instructions"),
            "max_output_tokens": self.body.get("max_output_tokens"),
            "model": self.body["model"],
            "output": list(output),
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {
                "effort": reasoning.get("effort", self.effort),
                "summary": reasoning.get("summary"),
            },
            "service_tier": "default",
            "temperature": self.body.get("temperature", 1.0),
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": self.body.get("top_logprobs", 0),
            "top_p": self.body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": None,
            "user": None,
            "metadata": {},
        }
        return out | more

    @property
    def effort(self) -> str | None:
        return self.model.script.effort if self.model.efforts else None

    def failed(self) -> Json:
        return self.value("failed", error={"code": "server_error", "message": BROKEN})

    def ended(self) -> Json:
        """The response as it ends, with its usage."""
        items = [item for item in (self.thought(), self.message()) if item]
        usage = {
            "input_tokens": self.prompt,
            "input_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": 0},
            "output_tokens": self.sample.tokens,
            "output_tokens_details": {"reasoning_tokens": len(self.sample.thinking)},
            "total_tokens": self.prompt + self.sample.tokens,
        }
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = reasons.get(self.sample.finish)
        if reason is None:
            done = chat.CREATED + 2
            return self.value("completed", items, usage=usage, completed_at=done)
        return self.value("incomplete", items, usage=usage, incomplete_details={"reason": reason})

    def summary(self) -> list[Json]:
        wanted = (self.body.get("reasoning") or {}).get("summary")
        parts = SUMMARY if wanted == "detailed" else SUMMARY[:1] if wanted else ()
        return [{"type": "summary_text", "text": part} for part in parts]

    def thought(self) -> Json | None:
        """The item of the thinking, if there was any."""
        if not self.sample.thinking:
            return None
        item: Json = {"id": "rs_1", "type": "reasoning", "summary": self.summary()}
        if "reasoning.encrypted_content" in (self.body.get("include") or ()):
            item["encrypted_content"] = ENCRYPTED
        return item

    def message(self) -> Json | None:
        """The item of the message, if the length left any."""
        if not self.sample.text:
            return None
        status = "completed" if self.sample.finish == "stop" else "incomplete"
        part = self.part("".join(self.sample.text), self.sample.text)
        return self.item(status, [part])

    def item(self, status: str, parts: Sequence[Json]) -> Json:
        head = {"id": "msg_1", "type": "message", "status": status, "role": "assistant"}
        return {**head, "content": list(parts)}

    def part(self, text: str, words: Sequence[str] = ()) -> Json:
        if self.sample.refuses:
            return {"type": "refusal", "refusal": text}
        probabilities = self.logprobs(words)
        return {"type": "output_text", "annotations": [], "logprobs": probabilities, "text": text}

    def logprobs(self, words: Sequence[str]) -> list[Json]:
        if "message.output_text.logprobs" not in (self.body.get("include") or ()):
            return []
        entries: list[Json] = chat.logprobs(words, self.body.get("top_logprobs") or 0)["content"]
        return entries

    def events(self) -> list[Json]:
        """The events of a stream, in order, without their numbers."""
        out: list[Json] = [
            {"type": "response.created", "response": self.value("in_progress")},
            {"type": "response.in_progress", "response": self.value("in_progress")},
        ]
        place = 0
        if thought := self.thought():
            out += self.thinking(thought)
            place = 1
        if self.model.fault == "fails":
            return [*out, {"type": "response.failed", "response": self.failed()}]
        if self.model.fault == "errs":
            failed = {"type": "error", "code": "server_error", "message": BROKEN, "param": None}
            return [*out, failed]
        if message := self.message():
            out += self.saying(message, place)
        ended = self.ended()
        return [*out, {"type": f"response.{ended['status']}", "response": ended}]

    def thinking(self, item: Json) -> list[Json]:
        at = {"item_id": item["id"], "output_index": 0}
        opened = {**item, "summary": []}
        out = [{"type": "response.output_item.added", "output_index": 0, "item": opened}]
        for index, part in enumerate(item["summary"]):
            here = {**at, "summary_index": index}
            prefix = "response.reasoning_summary"
            empty = {"type": "summary_text", "text": ""}
            out.append({"type": f"{prefix}_part.added", **here, "part": empty})
            for piece in pieces(tokens(part["text"]), self.size):
                out.append({"type": f"{prefix}_text.delta", **here, "delta": piece})
            out.append({"type": f"{prefix}_text.done", **here, "text": part["text"]})
            out.append({"type": f"{prefix}_part.done", **here, "part": part})
        return [*out, {"type": "response.output_item.done", "output_index": 0, "item": item}]

    def saying(self, item: Json, place: int) -> list[Json]:
        kind = "refusal" if self.sample.refuses else "output_text"
        at = {"item_id": item["id"], "output_index": place, "content_index": 0}
        opened = self.item("in_progress", [])
        out: list[Json] = [
            {"type": "response.output_item.added", "output_index": place, "item": opened},
            {"type": "response.content_part.added", **at, "part": self.part("")},
        ]
        for start in range(0, len(self.sample.text), self.size):
            words = self.sample.text[start : start + self.size]
            delta = {"type": f"response.{kind}.delta", **at, "delta": "".join(words)}
            out.append(delta if self.sample.refuses else delta | {"logprobs": self.logprobs(words)})
        text = "".join(self.sample.text)
        done: Json = {"type": f"response.{kind}.done", **at}
        if self.sample.refuses:
            out.append({**done, "refusal": text})
        else:
            out.append({**done, "text": text, "logprobs": self.logprobs(self.sample.text)})
        out.append({"type": "response.content_part.done", **at, "part": item["content"][0]})
        return [*out, {"type": "response.output_item.done", "output_index": place, "item": item}]


def _named(events: Sequence[Json]) -> list[bytes]:
    """Server-sent events that carry their type as a name, and their number."""
    out = []
    for number, event in enumerate(events):
        data = json.dumps({**event, "sequence_number": number})
        out.append(f"event: {event['type']}\ndata: {data}\n\n".encode())
    return out


def _malformed(body: Mapping[str, Any]) -> Reply | None:
    if unknown := body.keys() - FIELDS:
        return unknown_parameter(min(unknown))
    if not body.get("input"):
        message = "Missing required parameter: 'input'."
        return error(400, message, param="input", code="missing_required_parameter")
    least = body.get("max_output_tokens")
    if least is not None and least < LEAST_OUTPUT:
        return below("max_output_tokens", LEAST_OUTPUT, least)
    if unknown := (body.get("reasoning") or {}).keys() - REASONING_FIELDS:
        return unknown_parameter(f"reasoning.{min(unknown)}")
    if not all(isinstance(content(item), str) for item in messages(body)):
        return error(400, "Invalid type for 'input'.", param="input", code="invalid_type")
    return None


def _not_carried(body: Mapping[str, Any]) -> Reply | None:
    """The refusal of earlier thinking that is not as it was."""
    items = [] if isinstance(body["input"], str) else list(body["input"])
    for item, after in pairwise([*items, {}]):
        if item.get("type") != "reasoning":
            continue
        if item.get("encrypted_content") != ENCRYPTED:
            message = "The encrypted content gAAA...0000 could not be verified."
            return error(400, message, code="invalid_encrypted_content")
        if after.get("role") != "assistant" or "id" not in after:
            message = (
                f"Item '{item['id']}' of type 'reasoning' was provided without its required "
                "following item."
            )
            return error(400, message, param="input")
    return None


def _unsupported(model: Model, body: Mapping[str, Any]) -> Reply | None:
    """The refusal of a parameter that other models take."""
    reasoning = body.get("reasoning") or {}
    included = body.get("include") or ()
    if not model.efforts:
        if reasoning.get("effort") is not None:
            return _no_parameter("reasoning.effort")
        if "reasoning.encrypted_content" in included:
            message = "Encrypted content is not supported with this model."
            return error(400, message, param="include")
        return None
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            return _no_parameter(name)
    if body.get("top_logprobs") or "message.output_text.logprobs" in included:
        message = "logprobs are not supported with reasoning models."
        return error(400, message, param="include")
    effort = reasoning.get("effort")
    if effort is not None and effort not in model.efforts:
        message = (
            f"Unsupported value: '{effort}' is not supported with the '{body['model']}' model. "
            f"Supported values are: {listed(model.efforts)}."
        )
        return error(400, message, param="reasoning.effort", code="unsupported_value")
    return None


def _no_parameter(name: str) -> Reply:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return error(400, message, param=name)
