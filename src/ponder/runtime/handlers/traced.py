"""The outermost handler: publishes events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ponder.core.costs.ledger import Ledger
from ponder.core.errors import LimitReached, ModelError
from ponder.core.record.effects import Call, Execute, Generate, Handler, Result, Steer, Verify
from ponder.core.record.events import (
    Grew,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Scored,
    Spent,
    Subscriber,
)
from ponder.core.trace import Delta, Ran, Trace

EVERY = 0.1
"""Seconds between two ``Grew`` events of one sample."""


class _Growing:
    """Publishes the growth of one sample: at once, then at most every ``EVERY`` seconds."""

    def __init__(self, path: str, publish: Subscriber, clock: Callable[[], float]) -> None:
        self._path, self._publish, self._clock = path, publish, clock
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tokens, self._told, self._next = 0, -1, 0.0

    def add(self, delta: Delta) -> None:
        """Add a delta; text not published now is published with the next delta, or by ``end``."""
        if delta.tokens < self._tokens:  # another attempt, whose text starts again
            self.end()
            self._next = 0.0
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        self._tokens = delta.tokens
        if (now := self._clock()) >= self._next:
            self._next = now + EVERY
            self._tell()

    def end(self) -> None:
        """Publish the remaining text."""
        if self._text or self._reasoning or self._told not in (-1, self._tokens):
            self._tell()

    def _tell(self) -> None:
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        self._text.clear()
        self._reasoning.clear()
        self._told = self._tokens
        self._publish(Grew(self._path, text, reasoning, self._tokens))


def traced(
    inner: Handler,
    publish: Subscriber,
    ledger: Ledger,
    clock: Callable[[], float],
    *,
    watched: bool,
) -> Handler:
    """Publish every call; unless ``watched``, only results and losses."""

    def booked(call: Call) -> str:
        return call.spent.role if call.spent else ""

    async def handle(call: Call) -> Result:
        effect = call.effect
        if isinstance(effect, Steer):  # the session publishes the actions
            return await inner(call)
        growing = None
        if watched and isinstance(effect, Generate):
            publish(SampleStarted(call.path, effect.role))
            growing = _Growing(call.path, publish, clock)
            call.watch = growing.add
        try:
            try:
                result = await inner(call)
            finally:
                if growing is not None:
                    growing.end()
        except (ModelError, LimitReached) as error:
            failed = isinstance(error, ModelError) and isinstance(effect, Generate)
            publish(SampleLost(call.path, str(error), booked(call), failed))
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
        elif isinstance(effect, Execute):
            assert isinstance(result, Ran)
            trace = effect.concluded(call.path, result)
            publish(SampleFinished(call.path, trace, call.replayed, effect.role))
        elif isinstance(effect, Verify):
            publish(Scored(call.path, effect.traces, result))  # type: ignore[arg-type]
        return result

    return handle
