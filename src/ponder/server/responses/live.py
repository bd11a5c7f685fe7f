"""A response in progress: its run writes it, any number of readers follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponder.core.problem import Message
from ponder.core.record import events
from ponder.server.asking.asked import Asked
from ponder.server.chat.logprobs import Spelled
from ponder.server.errors import ApiError, classified
from ponder.server.keys import Key
from ponder.server.live.live import going_on
from ponder.server.responses.form import Head, Outcome, logprobs
from ponder.server.responses.outcome import NOTHING, ended, failed
from ponder.server.responses.store import Stored
from ponder.server.responses.writer import Writer
from ponder.server.telling.answered import Tokens
from ponder.server.telling.conducted import House, conduct
from ponder.server.telling.facts import fact
from ponder.server.telling.sse import KEEP_ALIVE, frame
from ponder.server.telling.told import Said, Telling

ATTEMPT = 10**6
"""Events of each attempt at a response, so that the numbers of one mean none of another."""


@dataclass(frozen=True, slots=True)
class Started:
    """All that a response begins with."""

    head: Head
    key: Key
    """The key that asked."""
    conversation: tuple[Message, ...]
    """The messages of the conversation, without the answer."""
    asked: Asked
    """The request in the words of all APIs."""
    request: str = ""
    """Its ``Idempotency-Key``, if it is in the background; '' if none."""
    run: str = ""
    """The recorded run that it goes on with; '' for a new one."""
    attempt: int = 0
    """Number of processes that have worked on it before."""


class Live:
    """A response in progress. ``keep`` is called with it once its run has begun, if it is in the
    background, and once it has ended; ``record`` with the turn of the assistant.

    Raises:
        ApiError: the server takes no more runs now.
    """

    def __init__(
        self,
        house: House,
        start: Started,
        keep: Callable[[Live], None],
        record: Callable[[Message], None],
    ) -> None:
        body = start.head.body
        self.start, self._keep, self._record = start, keep, record
        self.done = False
        """True once it has ended."""
        self.known = False
        """True once whoever asked knows its ID."""
        self.error: ApiError | None = None
        """The failure, once it has failed."""
        self._pause = house.settings.pause
        self._run_id, self._turn = start.run, NOTHING
        self._alternatives = body.alternatives
        self._telling = Telling()
        self._writer = Writer(start.head, start.attempt * ATTEMPT)
        self._streams, self._summary = bool(body.stream), body.reasoning.told
        self._json, self._cancelled, self._news = False, False, asyncio.Event()
        told = self._streams or self._summary
        hear = self._hear if told else self._note if body.background else None
        # Under load, the first byte of each stream goes out before the work of all of them begins.
        held = self._streams and not body.background
        with going_on(start.key.name, start.run):
            [self._run] = conduct(house, start.key, [start.asked], hear, held=held)
        self._writer.begin(queued=self._run.queued)
        self._task = asyncio.ensure_future(self._conclude())

    @property
    def id(self) -> str:
        """Its ID."""
        return self.start.head.id

    @property
    def input(self) -> Sequence[Message]:
        """The messages of its conversation."""
        return self.start.conversation

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
        start, body = self.start, self.start.head.body
        turn = replace(self._turn, content=self._turn.content or self._writer.text)
        said = [turn] if self.done and (turn.content or turn.calls) else []
        again = self.done and body.background and body.stream
        return Stored(
            start.head.id,
            start.key.name,
            self.response,
            [*start.conversation, *said],
            self._writer.events if again else None,
            request=start.request,
            run=self._run_id,
            attempt=start.attempt,
            body=None if self.done else start.head.asked,
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
        at = max(0, after + 1 - self.start.attempt * ATTEMPT)
        while True:
            if fresh := self._writer.events[at:]:
                at += len(fresh)
                yield b"".join(frame(event, event["type"]) for event in fresh)
                self._run.begin()
                await asyncio.sleep(0)  # so that many events at once hold up nobody else
                continue
            if self.done:
                return
            try:
                async with asyncio.timeout(self._pause):
                    await self._news.wait()
            except TimeoutError:
                yield KEEP_ALIVE

    def _note(self, at: int, event: events.Event) -> None:
        """Write down which run goes on with it if this process is killed."""
        if isinstance(event, events.RunStarted) and self.start.head.body.background:
            self._run_id = event.run
            self._keep(self)

    def _hear(self, at: int, event: events.Event) -> None:
        writer = self._writer
        writer.start()
        self._note(at, event)
        if isinstance(event, events.RunStarted):
            self._json = event.problem.answer_type == "json"
        if self._streams and self.start.head.body.ponder.events:
            writer.tell(fact(event))
        for said in self._telling.hear(event, json=self._json):
            if self._summary == "concise":
                writer.think("" if _chain(event, said) else said.reasoning.lstrip("\n"))
            elif self._summary:
                writer.think(said.reasoning)
            if self._streams and self._alternatives is None:
                writer.answer(said.content)
        self._wake()

    async def _conclude(self) -> None:
        outcome = Outcome("cancelled", Tokens())
        stretches: Sequence[Spelled] = ()
        try:
            planned = await self._run.ready()
            result = await self._run.result()
            end = ended(result, planned, cancelled=self._cancelled, alternatives=self._alternatives)
            self._turn, outcome, stretches = end.turn, end.outcome, end.spelled
        except asyncio.CancelledError:  # ended before it began
            pass
        except Exception as error:
            self.error = classified(error)
            if self.error.status == 500:  # a fault of ours, which is told in the log alone
                told = {"message": "a response failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            outcome = failed(self.error)
        self._writer.start()
        self._answer(stretches, whole=outcome.status == "completed")
        self._response = self._writer.end(outcome)
        self.done = True
        try:
            self._record(self._turn)
            self._keep(self)
        finally:
            self._wake()

    def _answer(self, stretches: Sequence[Spelled], *, whole: bool) -> None:
        """Write the rest of the answer, in stretches of tokens if they are known, and its calls.
        ``whole``: nothing of it was cut off.
        """
        turn = self._turn
        for one in stretches:
            self._writer.answer(one.content, logprobs(one.tokens))
        if turn.content and not stretches:
            rest = self._telling.rest(turn.content) if self._streams else Said(content=turn.content)
            self._writer.answer(rest.content)
        for call in turn.calls:
            self._writer.call(call, "completed" if whole else "incomplete")

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _chain(event: events.Event, said: Said) -> bool:
    """Return True if an increment is the text of a chain, rather than a sentence about it."""
    return isinstance(event, events.Grew) and said.reasoning in (event.text, event.reasoning)
