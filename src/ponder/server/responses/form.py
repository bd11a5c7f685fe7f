"""The form of a response: the object that every reply and the first and last events have."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ponder.core.tools import ToolCall
from ponder.server.responses.body import ResponseBody
from ponder.server.responses.tools import Allowed, Named
from ponder.server.telling.answered import Tokens

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
FINAL: frozenset[str] = frozenset({"completed", "incomplete", "failed", "cancelled"})
"""The status of a response that changes no more."""
Reason = Literal["max_output_tokens", "content_filter"]
CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}
"""Codes of a failed response, by the type of the error."""


def name(kind: str) -> str:
    """Return a new ID, such as ``resp_...``."""
    return f"{kind}_{secrets.token_hex(24)}"


def response_of(item: str) -> str:
    """Return the ID of the response that an item belongs to."""
    return f"resp_{item.partition('_')[2][:-2]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a response."""

    status: Status
    usage: Tokens | None = None
    """Its cost, once it has ended."""
    reason: Reason | None = None
    """The reason why it is incomplete."""
    error: Mapping[str, str] | None = None
    """The ``code`` and ``message`` of a failure."""
    ponder: Mapping[str, Any] = field(default_factory=dict)
    """The run: what was decided, and the receipt."""


@dataclass(frozen=True, slots=True)
class Head:
    """The members that do not change."""

    body: ResponseBody
    """The request, much of which a response repeats."""
    id: str = field(default_factory=lambda: name("resp"))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def stored(self) -> bool:
        """True if the response can be retrieved later."""
        return self.body.store is not False

    def item(self, kind: str, at: int) -> str:
        """Return the ID of the item at a place of the output; ``response_of`` reads it."""
        return f"{kind}_{self.id.partition('_')[2]}{at:02x}"

    @property
    def asked(self) -> dict[str, Any]:
        """The body as JSON, without its input, which is part of the conversation."""
        return self.body.model_dump(
            mode="json", by_alias=True, exclude_unset=True, exclude={"input"}
        )

    def over(self, outcome: Outcome, output: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Return the response."""
        body = self.body
        done = outcome.status == "completed"
        rare = {"ponder": dict(outcome.ponder)} if outcome.ponder else {}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": int(time.time()) if done else None,
            "status": outcome.status,
            "background": bool(body.background),
            "error": dict(outcome.error) if outcome.error else None,
            "incomplete_details": {"reason": outcome.reason} if outcome.reason else None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "max_tool_calls": body.max_tool_calls,
            "metadata": body.metadata or {},
            "model": body.model,
            "output": list(output),
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "prompt_cache_key": body.prompt_cache_key,
            "reasoning": _reasoning(body),
            "safety_identifier": body.safety_identifier,
            "service_tier": "default",
            "store": self.stored,
            "temperature": body.temperature,
            "text": {"format": _format(body), "verbosity": "medium"},
            "tool_choice": _choice(body),
            "tools": [tool.shown for tool in body.tools or ()],
            "top_logprobs": body.top_logprobs or 0,
            "top_p": body.top_p,
            "truncation": "disabled",
            "usage": usage(outcome.usage) if outcome.usage else None,
            "user": body.user,
            **rare,
        }


def _reasoning(body: ResponseBody) -> dict[str, Any]:
    """Return the settings of the thinking. The official types have no effort ``auto``; ``ponder``
    names it.
    """
    wished = body.reasoning
    return {
        "effort": None if wished.effort == "auto" else wished.effort,
        "summary": wished.told,
        "mode": wished.mode or "standard",
        "context": "current_turn",
    }


def _choice(body: ResponseBody) -> str | dict[str, Any]:
    chosen = body.tool_choice
    return chosen.model_dump() if isinstance(chosen, Named | Allowed) else chosen or "auto"


def _format(body: ResponseBody) -> dict[str, Any]:
    return body.text.format.model_dump(by_alias=True, exclude_none=True)


def usage(spent: Tokens) -> dict[str, Any]:
    """Return what was spent."""
    return {
        "input_tokens": spent.prompt,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": 0},
        "output_tokens": spent.completion,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning},
        "total_tokens": spent.prompt + spent.completion,
    }


def message(
    name: str, text: str, status: str, logprobs: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return an output item: the answer."""
    content = [part(text, logprobs)] if text or status != "in_progress" else []
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def part(text: str, logprobs: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the text of an answer, with the log-probabilities of its tokens."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [*logprobs]}


def logprobs(tokens: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tokens as Chat Completions lists them in the form of this API, which has no null for
    the bytes of an alternative.
    """
    return [
        {
            **token,
            "top_logprobs": [{**one, "bytes": one["bytes"] or []} for one in token["top_logprobs"]],
        }
        for token in tokens
    ]


def reasoning(name: str, text: str, status: str) -> dict[str, Any]:
    """Return an output item: the thinking before the answer."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": name, "type": "reasoning", "status": status, "summary": summary}


def function_call(name: str, call: ToolCall, status: str) -> dict[str, Any]:
    """Return an output item: the call of a tool, whose arguments are there once it is over."""
    return {
        "id": name,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": "" if status == "in_progress" else call.arguments,
    }
