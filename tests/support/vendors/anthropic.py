"""Anthropic's Messages API: what it refuses, what it answers, and what that costs.

Written from the types of anthropic 2.14 and from the vendor's documents for the API versions
2023-06-01 and 2026-10-21. One word is one token. The model's name picks what happens: ``MODELS``.
Not verified: the signature of thinking that ran out of length (none here), and the bill of a stream
that broke (the whole reply here).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiohttp import web

from tests.support.vendors import anthropic_rules as rules
from tests.support.vendors.anthropic_rules import EFFORTS, HIDDEN, KEY, Refused, Takes, signed
from tests.support.vendors.serving import Asked, Billed, Book, Reply, application

__all__ = ["KEY", "MODELS", "TEXT", "THOUGHT", "Model", "reply_to", "server", "signed"]

THOUGHT = "Six sevens are forty-two, since five are thirty-five."
TEXT = "Six times seven is 42.\n\nAnswer: 42"
REQUEST_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"
Block = dict[str, Any]


def thinking(text: str = THOUGHT) -> Block:
    return {"type": "thinking", "thinking": text, "signature": signed(text)}


def text(said: str = TEXT) -> Block:
    return {"type": "text", "text": said, "citations": None}


REDACTED: Block = {"type": "redacted_thinking", "data": HIDDEN}


@dataclass(frozen=True)
class Model:
    """A model: what it takes, what it says, and what goes wrong."""

    takes: Takes = Takes()
    says: tuple[Block, ...] = (thinking(), text())
    """Thinking among it is left out where the request has none."""
    thinks: int = 40
    """Tokens of its thinking, of which its text is a summary."""
    stop: str = "end_turn"
    """The stop reason, unless the length or a stop sequence came first."""
    category: str | None = None
    """The category of a refusal."""
    cached: tuple[int, int] = (0, 0)
    """Tokens of the prompt that are read from the cache, and written to it."""
    error: tuple[int, str, str] | None = None
    """Status, type and message, instead of a reply; within the stream if the status is 200."""
    cut: bool = False
    """True if its streams break off without a word."""
    hang: bool = False
    """True if its replies stop in the middle until the client goes away."""


ALWAYS = Takes(thinking=("adaptive",), thinks=True)
"""The newest models: thinking cannot be switched off."""
BRIDGE = Takes(
    thinking=("adaptive", "enabled", "disabled"),
    efforts=("low", "medium", "high", "max"),
    sampling=True,
    display="summarized",
)
"""Both ways of thinking, as Claude 4.6."""
OLD = Takes(
    thinking=("enabled", "disabled"), efforts=(), sampling=True, prefill=True, display="summarized"
)
"""Budgets alone, as Claude 4.5."""
PLAIN = replace(OLD, thinking=("disabled",))

MODELS = {
    "claude-new": Model(),
    "claude-always": Model(ALWAYS),
    "claude-bridge": Model(BRIDGE),
    "claude-old": Model(OLD),
    "claude-plain": Model(PLAIN),
    "claude-thinks": Model(replace(BRIDGE, thinks=True)),
    "claude-redacts": Model(BRIDGE, (thinking(), REDACTED, text())),
    "claude-eats-length": Model(replace(BRIDGE, thinks=True), thinks=10**9),
    "claude-parts": Model(BRIDGE, (thinking("One."), text("First, "), thinking("Two."), text())),
    "claude-quiet": Model(BRIDGE, ()),
    "claude-refuses": Model(BRIDGE, (), stop="refusal", category="bio"),
    "claude-refuses-midway": Model(BRIDGE, (text("Well, first you"),), stop="refusal"),
    "claude-pauses": Model(BRIDGE, (text("Let me look."),), stop="pause_turn"),
    "claude-overflows": Model(BRIDGE, (text("So far"),), stop="model_context_window_exceeded"),
    "claude-cached": Model(BRIDGE, cached=(3, 2)),
    "claude-unpaid": Model(error=(402, "billing_error", "Your credit balance is too low.")),
    "claude-forbidden": Model(error=(403, "permission_error", "No access to this model.")),
    "claude-limited": Model(error=(429, "rate_limit_error", "This request would exceed a limit.")),
    "claude-fails": Model(error=(500, "api_error", "Internal server error")),
    "claude-times-out": Model(error=(504, "timeout_error", "The request timed out.")),
    "claude-overloaded": Model(error=(529, "overloaded_error", "Overloaded")),
    "claude-breaks": Model(BRIDGE, error=(200, "overloaded_error", "Overloaded")),
    "claude-cut": Model(BRIDGE, cut=True),
    "claude-hangs": Model(BRIDGE, hang=True),
}


def server(book: Book, *, delta: int = 7, write: int | None = None) -> web.Application:
    """The vendor's server; each delta has so many characters, each write so many bytes."""
    return application(partial(reply_to, delta=delta), book, write=write)


def reply_to(asked: Asked, *, delta: int = 7) -> Reply:
    """Answer one request, as Anthropic does."""
    try:
        rules.check_headers(asked)
        match asked.method, asked.path.split("/")[1:]:
            case "GET", ["v1", "models"]:
                return _reply(_listed(asked.query))
            case "GET", ["v1", "models", name]:
                return _reply(_described(name, _model(name)))
            case "POST", ["v1", "messages", "count_tokens"]:
                body = rules.checked_body(asked, rules.COUNTED)
                rules.check(body, _model(body["model"]).takes, asked)
                return _reply({"input_tokens": rules.prompt_tokens(body)})
            case "POST", ["v1", "messages"]:
                body = rules.checked_body(asked, rules.CREATED)
                model = _model(body["model"])
                rules.check(body, model.takes, asked)
                if model.error and model.error[0] != 200:
                    raise Refused(*model.error)
                return _created(body, model, delta)
        raise Refused(404, "not_found_error", "Not found")
    except Refused as refused:
        headers = {"retry-after": "7"} if refused.status == 429 else {}
        return _reply(_error(refused.kind, refused.message), refused.status, headers)


def _reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"request-id": REQUEST_ID, **(headers or {})}, body)


def _error(kind: str, message: str) -> Block:
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": REQUEST_ID}


def _model(name: str) -> Model:
    if name not in MODELS:
        raise Refused(404, "not_found_error", f"model: {name}")
    return MODELS[name]


def _created(body: Block, model: Model, delta: int) -> Reply:
    message, billed = _message(body, model)
    if not body.get("stream"):
        if model.error:
            raise Refused(529, *model.error[1:])
        return replace(_reply(message), hang=model.hang, billed=billed)
    events = list(_events(message, delta))
    if model.error or model.cut or model.hang:
        events = events[: len(events) // 2]
    if model.error:
        events.append(("error", _error(*model.error[1:])))
    return Reply(
        headers={"request-id": REQUEST_ID},
        events=tuple(f"event: {name}\ndata: {json.dumps(x)}\n\n".encode() for name, x in events),
        cut=model.cut,
        hang=model.hang,
        billed=billed,
    )


def _message(body: Block, model: Model) -> tuple[Block, Billed]:
    """The whole reply, and its bill."""
    config = rules.thinking_of(body, model.takes)
    spent = min(model.thinks, body["max_tokens"]) if config else 0
    if config and config["type"] == "enabled" and model.thinks < 10**9:
        spent = min(spent, config["budget_tokens"])
    room = body["max_tokens"] - spent
    stop, sequence = model.stop, None
    content: list[Block] = []
    for block in model.says:
        if block["type"] != "text":
            if config:
                content.append(_shown(block, config, model.takes, unfinished=not room))
            continue
        said = block["text"].removeprefix(rules.prefilled(body))
        for mark in body.get("stop_sequences") or ():
            if mark in said:
                said, stop, sequence = said.partition(mark)[0], "stop_sequence", mark
        words = re.findall(r"\s*\S+\s*", said)
        if len(words) > room:
            said, stop, sequence = "".join(words[:room]), "max_tokens", None
        room -= min(len(words), room)
        if said:
            content.append({**block, "text": said})
        if stop != model.stop:
            break
    prompt, (read, written) = rules.prompt_tokens(body), model.cached
    hour = written if (body.get("cache_control") or {}).get("ttl") == "1h" else 0
    usage = {
        "input_tokens": prompt - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": max(1, body["max_tokens"] - room),
        "service_tier": "standard",
    }
    if config:
        usage["output_tokens_details"] = {"thinking_tokens": spent}
    details = {"type": "refusal", "category": model.category, "explanation": None}
    message = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "stop_details": details if stop == "refusal" else None,
        "usage": usage,
    }
    return message, Billed(prompt, read, written, usage["output_tokens"], spent)


def _shown(block: Block, config: Block, takes: Takes, *, unfinished: bool) -> Block:
    """A block of thinking as the client sees it."""
    if block["type"] != "thinking":
        return block
    shown = "" if (config.get("display") or takes.display) == "omitted" else block["thinking"]
    return {**block, "thinking": shown, "signature": "" if unfinished else signed(shown)}


def _events(message: Block, delta: int) -> Iterator[tuple[str, Block]]:
    """The reply as a stream, by name and data, in the vendor's order."""
    usage = message["usage"]
    start = {k: v for k, v in usage.items() if k != "output_tokens_details"} | {"output_tokens": 1}
    empty: Block = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    yield _event("message_start", message={**message, **empty, "usage": start})
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        kind = block["type"]
        blank = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {})
        yield _event("content_block_start", index=index, content_block={**block, **blank})
        if kind in ("text", "thinking"):
            whole = block[kind]
            for at in range(0, len(whole), delta):
                piece = {"type": f"{kind}_delta", kind: whole[at : at + delta]}
                yield _event("content_block_delta", index=index, delta=piece)
        if block.get("signature"):
            piece = {"type": "signature_delta", "signature": block["signature"]}
            yield _event("content_block_delta", index=index, delta=piece)
        yield _event("content_block_stop", index=index)
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    kept = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    total = {name: usage[name] for name in (*kept, "output_tokens")}
    if "output_tokens_details" in usage:
        total["output_tokens_details"] = usage["output_tokens_details"]
    yield _event("message_delta", delta=ending, usage=total)
    yield _event("message_stop")


def _event(name: str, **fields: Any) -> tuple[str, Block]:
    return name, {"type": name, **fields}


def _listed(query: dict[str, str]) -> Block:
    """One page of the models."""
    names = list(MODELS)
    begin = names.index(query["after_id"]) + 1 if "after_id" in query else 0
    page = names[begin:][: int(query.get("limit", 20))]
    return {
        "data": [_described(name, MODELS[name]) for name in page],
        "has_more": begin + len(page) < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def _described(name: str, model: Model) -> Block:
    def yes(supported: bool) -> Block:
        return {"supported": supported}

    takes = model.takes
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    thinks = any(kind in takes.thinking for kind in ("adaptive", "enabled"))
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-02-04T00:00:00Z",
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": takes.context,
        "max_tokens": takes.longest,
        "capabilities": {
            "batch": yes(True),
            "citations": yes(True),
            "code_execution": yes(False),
            "context_management": yes(False),
            "effort": {
                **yes(bool(takes.efforts)),
                **{level: yes(level in takes.efforts) for level in EFFORTS},
            },
            "image_input": yes(True),
            "pdf_input": yes(True),
            "server_tools": {
                **yes(False),
                "code_execution": yes(False),
                "web_search": yes(False),
            },
            "structured_outputs": yes(True),
            "thinking": {
                **yes(thinks),
                "types": {kind: yes(kind in takes.thinking) for kind in kinds},
            },
        },
    }
