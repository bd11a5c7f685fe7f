"""The handler for steering. Without an inbox, it answers with no actions."""

from __future__ import annotations

from ponder.core.record.effects import Call, Handler, Result, Steer
from ponder.runtime.inbox import Inbox


def steered(inner: Handler, inbox: Inbox | None) -> Handler:
    """Answer ``Steer`` with the actions in the inbox; while the run is paused, wait.

    All other effects are passed on.
    """

    async def handle(call: Call) -> Result:
        effect = call.effect
        if not isinstance(effect, Steer):
            return await inner(call)
        if inbox is None:
            return ()
        actions = inbox.take(effect)
        while inbox.paused:
            await inbox.changed()
            actions += inbox.take(effect)
        return actions

    return handle
