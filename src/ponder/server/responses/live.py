"""A response in progress: its run writes it, any number of readers follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from ponder.core import events
from ponder.server.answered import Tokens
from ponder.server.asked import Asked
from ponder.server.conducted import House, conduct
from ponder.server.errors import ApiError, classified
from ponder.server.facts import fact
from ponder.server.keys import Key
from ponder.server.responses.form import Head, Outcome
from ponder.server.responses.items import Item
from ponder.server.responses.outcome import ended, failed
from ponder.server.responses.store import Stored
from ponder.server.responses.writer import Writer
from ponder.server.sse import KEEP_ALIVE, frame
from ponder.server.told import Said, Telling


@dataclass(frozen=True, slots=True)
class Started:
    """All that a response begins with."""

    head: Head
    key: Key
    """The key that asked."""
    conversation: tuple[Item, ...]
    """The items of the conversation, without the answer."""
    asked: Asked
    """The request in the words of all APIs."""


class Live:
    """A response in progress. ``keep`` is called with it once it has ended.

    Raises:
        ApiError: the server takes no more runs now.
    """

    def __init__(self, house: House, start: Started, keep: Callable[[Live], None]) -> None:
        body = start.head.body
        self.start, self._keep = start, keep
        self.done = False
        """True once it has ended."""
        self.known = False
        """True once whoever asked knows its ID."""
        self.error: ApiError | None = None
        """The failure, once it has failed."""
        self._pause = house.settings.pause
        self._telling, self._writer = Telling(), Writer(start.head)
        self._streams, self._summary = bool(body.stream), body.reasoning.told
        self._json, self._cancelled, self._news = False, False, asyncio.Event()
        watched = self._hear if self._streams or self._summary else None
        [self._run] = conduct(house, start.key, [start.asked], watched)
        self._writer.begin(queued=self._run.queued)
        self._task = asyncio.ensure_future(self._conclude())

    @property
    def queued(self) -> bool:
        """True if it waits for its turn."""
        return self._run.queued

    @property
    def response(self) -> dict[str, Any]:
        """The response as it is now."""
        if self.done:
            return self._response
        state = Outcome("queued" if self.queued else "in_progress")
        return self.start.head.over(state, self._writer.output)

    @property
    def stored(self) -> Stored:
        """The response as it is stored now."""
        head, answer = self.start.head, self._writer.text
        said = [{"role": "assistant", "content": answer}] if answer else []
        again = self.done and head.body.background and head.body.stream
        return Stored(
            head.id,
            self.start.key.name,
            self.response,
            [*self.start.conversation, *said],
            self._writer.events if again else None,
        )

    async def ready(self) -> None:
        """Return once nothing can refuse it any more.

        Raises:
            ApiError, PonderError: it was refused.
        """
        await self._run.ready()

    async def whole(self) -> dict[str, Any]:
        """Return the response once it has ended."""
        await asyncio.shield(self._task)
        return self._response

    async def cancel(self) -> dict[str, Any]:
        """End it now, and return it once its requests have ended and their cost is booked."""
        self._cancelled = True
        await self._run.stop()
        return await self.whole()

    async def stop(self) -> None:
        """End it now."""
        await self.cancel()

    async def follow(self, after: int = -1) -> AsyncGenerator[bytes, None]:
        """Yield its events as they come, from the one after this number."""
        at = after + 1
        while True:
            for event in self._writer.events[at:]:
                yield frame(event, event["type"])
                at += 1
                await asyncio.sleep(0)  # so that many events at once hold up nobody else
            if at < len(self._writer.events):
                continue
            if self.done:
                return
            try:
                async with asyncio.timeout(self._pause):
                    await self._news.wait()
            except TimeoutError:
                yield KEEP_ALIVE

    def _hear(self, at: int, event: events.Event) -> None:
        writer = self._writer
        writer.start()
        if isinstance(event, events.RunStarted):
            self._json = event.problem.answer_type == "json"
        if self._streams and self.start.head.body.ponder.events:
            writer.tell(fact(event))
        for said in self._telling.hear(event, json=self._json):
            if self._summary == "concise":
                writer.think("" if _chain(event, said) else said.reasoning.lstrip("\n"))
            elif self._summary:
                writer.think(said.reasoning)
            if self._streams:
                writer.answer(said.content)
        self._wake()

    async def _conclude(self) -> None:
        answer, outcome = "", Outcome("cancelled", Tokens())
        try:
            planned = await self._run.ready()
            result = await self._run.result()
            answer, outcome = ended(result, planned, cancelled=self._cancelled)
        except asyncio.CancelledError:  # ended before it began
            pass
        except Exception as error:
            self.error = classified(error)
            if self.error.status == 500:  # a fault of ours, which is told in the log alone
                told = {"message": "a response failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            outcome = failed(self.error)
        self._writer.start()
        if answer:
            rest = self._telling.rest(answer) if self._streams else Said(content=answer)
            self._writer.answer(rest.content)
        self._response = self._writer.end(outcome)
        self.done = True
        try:
            self._keep(self)
        finally:
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _chain(event: events.Event, said: Said) -> bool:
    """Return True if an increment is the text of a chain, rather than a sentence about it."""
    return isinstance(event, events.Grew) and said.reasoning in (event.text, event.reasoning)
