"""The form of the Messages API: what a message, its blocks and its usage look like."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from ponder.server.messages import signatures
from ponder.server.messages.tools import used
from ponder.server.telling.answered import Reply, Tokens

Shown = Literal["whole", "omitted", "none"]
"""The part of the thinking that is shown: all of it, a block without its text, or no block."""


@dataclass(frozen=True, slots=True)
class Head:
    """The members that a message has before its content."""

    model: str
    """The model as the request named it."""
    shown: Shown
    """The part of the thinking that is shown."""
    id: str = field(default_factory=lambda: f"msg_{secrets.token_hex(12)}")
    signature: str = field(default_factory=signatures.new)
    """The signature of its thinking."""

    def over(self, content: list[dict[str, Any]], ending: dict[str, Any], spent: Tokens) -> Any:
        """Return a message."""
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            **ending,
            "usage": {**usage(spent), "service_tier": "standard"},
        }


NOT_ENDED = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
"""The members of an ending that has not come yet."""


def whole(head: Head, reply: Reply) -> dict[str, Any]:
    """Return a message with its content."""
    content: list[dict[str, Any]] = []
    if reply.reasoning and head.shown != "none":
        thinking = reply.reasoning if head.shown == "whole" else ""
        content.append({"type": "thinking", "thinking": thinking, "signature": head.signature})
    if reply.content:
        content.append({"type": "text", "text": reply.content, "citations": None})
    content += map(used, reply.trace.calls)
    return {**head.over(content, ending(reply), reply.tokens), "ponder": reply.ponder}


def ending(reply: Reply) -> dict[str, Any]:
    """Return the members that say why a message ended."""
    found: dict[str, Any] = dict(NOT_ENDED)
    if reply.ending == "refusal":
        details = {"type": "refusal", "category": None, "explanation": None}
        return {**found, "stop_reason": "refusal", "stop_details": details}
    if reply.ending == "length":
        return {**found, "stop_reason": "max_tokens"}
    if reply.ending == "calls":
        return {**found, "stop_reason": "tool_use"}
    if stop := reply.trace.stopped_at:
        return {**found, "stop_reason": "stop_sequence", "stop_sequence": stop}
    return {**found, "stop_reason": "end_turn"}


def usage(spent: Tokens) -> dict[str, Any]:
    """Return all that was spent. Prompt tokens from a cache are counted apart from the others."""
    return {
        "input_tokens": spent.prompt - spent.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": spent.cached,
        "output_tokens": spent.completion,
        "output_tokens_details": {"thinking_tokens": spent.reasoning},
    }
