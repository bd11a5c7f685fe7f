"""The form of Chat Completions: what a completion and the chunks of a stream look like."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ponder.server.chat.logprobs import spelled, told
from ponder.server.chat.tools import written
from ponder.server.telling.answered import Reply, Tokens

FINISH = {"stop": "stop", "length": "length", "refusal": "content_filter", "calls": "tool_calls"}


@dataclass(frozen=True, slots=True)
class Head:
    """The members that a completion and each of its chunks share."""

    model: str
    """The model as the request named it."""
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def over(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Return an object with these members and choices."""
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": choices, **more}


def whole(head: Head, replies: Sequence[Reply], alternatives: int | None = None) -> dict[str, Any]:
    """Return a completion, with so many ``alternatives`` of each token; None for no
    log-probabilities.
    """
    choices = [
        {
            "index": at,
            "message": _message(one),
            "logprobs": None if alternatives is None else _logprobs(one, alternatives),
            "finish_reason": FINISH[one.ending],
        }
        for at, one in enumerate(replies)
    ]
    spent = usage([one.tokens for one in replies])
    return head.over("chat.completion", choices, usage=spent, ponder=ponder(replies))


def _logprobs(one: Reply, alternatives: int) -> dict[str, Any] | None:
    tokens = [token for part in spelled(one, alternatives) for token in part.tokens]
    return told(tokens) if tokens else None


def _message(one: Reply) -> dict[str, Any]:
    content = one.content or (None if one.trace.calls else "")
    message: dict[str, Any] = {"role": "assistant", "content": content}
    message["refusal"] = one.content or None if one.ending == "refusal" else None
    if one.trace.calls:
        message["tool_calls"] = written(one.trace.calls)
    if one.reasoning:
        message |= {"reasoning": one.reasoning, "reasoning_content": one.reasoning}
    return message


def ponder(replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the ``ponder`` object: that of the run, or of several in ``runs``."""
    return replies[0].ponder if len(replies) == 1 else {"runs": [one.ponder for one in replies]}


def usage(spent: Sequence[Tokens]) -> dict[str, Any]:
    """Return the sum of all that was spent."""
    total = Tokens()
    for one in spent:
        total = total.plus(one)
    return {
        "prompt_tokens": total.prompt,
        "completion_tokens": total.completion,
        "total_tokens": total.prompt + total.completion,
        "prompt_tokens_details": {"cached_tokens": total.cached},
        "completion_tokens_details": {"reasoning_tokens": total.reasoning},
    }
