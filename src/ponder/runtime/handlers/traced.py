"""The outermost handler: publishes what happens."""

from __future__ import annotations

import asyncio

from ponder.core.effects import Call, Generate, Handler, Result, Steer, Verify
from ponder.core.errors import LimitReached, ModelError
from ponder.core.events import (
    SampleFinished,
    SampleGrew,
    SampleLost,
    SampleStarted,
    Scored,
    Spent,
    Subscriber,
)
from ponder.core.ledger import Ledger
from ponder.core.trace import Trace

EVERY = 8
"""Tokens between two ``SampleGrew`` events of one sample."""


def traced(inner: Handler, publish: Subscriber, ledger: Ledger, *, watched: bool) -> Handler:
    """Tell ``publish`` of every call; unless ``watched``, only of results and losses."""

    def grew(call: Call) -> None:
        if call.completion_tokens % EVERY == 0:
            publish(SampleGrew(call.path, call.completion_tokens))

    def booked(call: Call) -> str:
        return call.spent.role if call.spent else ""

    async def handle(call: Call) -> Result:
        effect = call.effect
        if isinstance(effect, Steer):  # the session says what was done
            return await inner(call)
        if watched and isinstance(effect, Generate):
            publish(SampleStarted(call.path, effect.role))
            call.watch = grew
        try:
            result = await inner(call)
        except (ModelError, LimitReached) as error:
            publish(SampleLost(call.path, str(error), booked(call)))
            raise
        except asyncio.CancelledError:
            if isinstance(effect, Generate) and call.trace is not None:
                publish(SampleFinished(call.path, call.trace, False, effect.role))
            else:
                publish(SampleLost(call.path, "cancelled", booked(call)))
            raise
        finally:
            if watched and call.spent is not None:
                publish(Spent(call.spent, ledger.total))
        if isinstance(effect, Generate):
            assert isinstance(result, Trace)
            publish(SampleFinished(call.path, result, call.replayed, effect.role))
        elif isinstance(effect, Verify):
            publish(Scored(call.path, effect.traces, result))  # type: ignore[arg-type]
        return result

    return handle
