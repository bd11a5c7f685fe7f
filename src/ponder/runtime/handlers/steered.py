"""The handler through which a person steers. With nobody attached it is the identity."""

from __future__ import annotations

from ponder.core.effects import Call, Handler, Result, Steer


def steered(inner: Handler) -> Handler:
    """Answer ``Steer`` with the traces as they are; pass everything else on."""

    async def handle(call: Call) -> Result:
        if isinstance(call.effect, Steer):
            return call.effect.traces
        return await inner(call)

    return handle
