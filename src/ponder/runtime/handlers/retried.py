"""The handler that asks once more for a sample that was lost on its way, after it was paid for.

What is free to try again (429, 5xx, a refused connection) the model's edge has tried already. A
connection that broke, or a reply that is no reply, may have cost its whole length; so the second
attempt is a call of its own to the budget, and both are booked.
"""

from __future__ import annotations

from ponder.core.effects import Call, Handler, Result
from ponder.core.errors import MalformedReply, ModelUnreachable


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
