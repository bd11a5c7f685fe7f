"""The handler through which a person steers. With nobody attached, nothing is ever done."""

from __future__ import annotations

from ponder.core.effects import Call, Handler, Result, Steer
from ponder.runtime.inbox import Inbox


def steered(inner: Handler, inbox: Inbox | None) -> Handler:
    """Answer ``Steer`` with the actions that wait for it; while the run is paused, wait. Everything
    else is passed on.
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
