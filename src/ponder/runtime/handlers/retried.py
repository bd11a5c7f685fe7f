"""The handler that retries a sample that was lost in transit after it was paid for.

The model's client has already retried failures that cost nothing (429, 5xx, a refused connection).
A broken connection or an unreadable reply may have cost the sample's whole length, so the second
attempt is a call of its own to the budget, and both are booked.
"""

from __future__ import annotations

from ponder.core.errors import MalformedReply, ModelUnreachable
from ponder.core.record.effects import Call, Handler, Result


def retried(inner: Handler) -> Handler:
    """Wrap ``inner``, which books each call."""

    async def handle(call: Call) -> Result:
        effect = call.effect
        try:
            return await inner(call)
        except (ModelUnreachable, MalformedReply) as error:
            if not error.prompt_tokens + error.completion_tokens:
                raise
        first, call.spent = call.spent, None
        call.effect, call.prompt_tokens, call.completion_tokens = effect, 0, 0
        try:
            return await inner(call)
        finally:
            if first is not None:
                call.spent = first.plus(call.spent) if call.spent is not None else first

    return handle
