"""The stream of Chat Completions: the thinking while it goes on, then the answer, then the cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from ponder.core.record.events import Event, RunStarted
from ponder.core.text import jsontext
from ponder.server.asking.asked import Asked
from ponder.server.chat.form import FINISH, Head, ponder, usage
from ponder.server.chat.logprobs import spelled
from ponder.server.chat.tools import increments
from ponder.server.errors import classified
from ponder.server.keys import Key
from ponder.server.telling.answered import Reply, reply
from ponder.server.telling.conducted import Conducted, House, conduct
from ponder.server.telling.facts import fact
from ponder.server.telling.sse import DONE, KEEP_ALIVE, Arriving, EventStream, frame
from ponder.server.telling.told import Said, Telling

CHUNK = "chat.completion.chunk"
EMPTY = b'"delta": {}'
"""The place of the increment in a chunk; within a text, its quotation marks would be escaped."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run has ended, by its result or by an error."""


Heard = tuple[int, Event | Ended]


async def streamed(
    house: House, key: Key, head: Head, wanted: Sequence[Asked], *, usage: bool, events: bool
) -> Response:
    """Return the stream of runs, one for each choice. ``usage``: it ends with what was spent;
    ``events``: with each event of the runs besides.

    With log-probabilities the content is sent at the end, when it is known which tokens spell it.

    Raises:
        ApiError, PonderError: a request is refused. If it waits for its turn or for its model,
            that is told in the stream, since a reader should not wait for its first byte.
    """
    arriving: Arriving[Heard] = Arriving()

    def put(at: int, event: Event) -> None:
        arriving.put((at, event))

    # Under load, the first byte of each stream goes out before the work of all of them begins.
    runs = conduct(house, key, wanted, put, held=True)

    async def stop() -> None:
        await asyncio.gather(*(run.stop() for run in runs))

    try:
        if house.served.ready(wanted[0].model) and not any(run.queued for run in runs):
            for run in runs:
                await run.ready()
    except BaseException:
        await stop()
        raise
    for at, run in enumerate(runs):
        run.ended(partial(arriving.put, (at, Ended())))
    stream = _Stream(
        head,
        runs,
        arriving,
        usage=usage,
        events=events,
        pause=house.settings.pause,
        alternatives=wanted[0].logprobs,
    )
    return EventStream(stream.frames(), stop)


class _Stream:
    def __init__(
        self,
        head: Head,
        runs: Sequence[Conducted],
        arriving: Arriving[Heard],
        *,
        usage: bool,
        events: bool,
        pause: float,
        alternatives: int | None,
    ) -> None:
        self._head, self._runs, self._arriving, self._pause = head, runs, arriving, pause
        self._usage, self._events, self._alternatives = usage, events, alternatives
        self._telling = [Telling() for _ in runs]
        self._json = [False] * len(self._telling)
        self._around = [self._chunk(at, {}).partition(EMPTY) for at in range(len(runs))]
        self._replies: dict[int, Reply] = {}

    async def frames(self) -> AsyncGenerator[bytes, None]:
        for at in range(len(self._runs)):
            yield self._delta(at, {"role": "assistant", "content": ""})
        for run in self._runs:
            run.begin()
        parts: list[bytes] = []
        try:
            while len(self._replies) < len(self._runs):
                arrived = await self._arriving.some(self._pause)
                if not arrived:
                    yield KEEP_ALIVE
                for at, what in arrived:  # what has come meanwhile goes out in one write
                    if isinstance(what, Ended):
                        parts += await self._end(at)
                    else:
                        parts += self._heard(at, what)
                if parts and len(self._replies) < len(self._runs):
                    yield b"".join(parts)
                    parts.clear()
        except Exception as error:
            yield b"".join([*parts, frame(classified(error).body())])
            return
        if self._usage:
            spent = usage([one.tokens for one in self._replies.values()])
            parts.append(frame(self._head.over(CHUNK, [], usage=spent)))
        yield b"".join([*parts, DONE])

    def _heard(self, at: int, event: Event) -> list[bytes]:
        if isinstance(event, RunStarted):
            self._json[at] = event.problem.answer_type == "json"
        told = self._telling[at].hear(event, json=self._json[at])
        parts = [self._said(at, said) for said in told]
        if self._events:
            parts.append(self._delta(at, {}, ponder={"event": fact(event)}))
        return [part for part in parts if part]

    async def _end(self, at: int) -> list[bytes]:
        run = self._runs[at]
        planned = await run.ready()
        found = self._replies[at] = reply(await run.result(), planned)
        calls = [self._delta(at, delta) for delta in increments(found.trace.calls)]
        last = self._delta(at, {}, FINISH[found.ending], ponder=ponder([found]))
        return [*self._rest(at, found), *calls, last]

    def _rest(self, at: int, found: Reply) -> list[bytes]:
        """Return the content that was not sent yet."""
        if self._alternatives is None:
            rest = self._said(at, self._telling[at].rest(found.content))
            return [rest] if rest else []
        if parts := spelled(found, self._alternatives):
            deltas = ((part, {"content": part.content}) for part in parts)
            return [self._delta(at, delta, logprobs=part.logprobs) for part, delta in deltas]
        return [self._delta(at, {"content": found.content})] if found.content else []

    def _said(self, at: int, said: Said) -> bytes:
        delta: dict[str, str] = {}
        if said.reasoning:
            delta |= {"reasoning": said.reasoning, "reasoning_content": said.reasoning}
        if said.content and self._alternatives is None:
            delta["content"] = said.content
        return self._delta(at, delta) if delta else b""

    def _delta(
        self,
        at: int,
        delta: Mapping[str, Any],
        finish: str | None = None,
        logprobs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bytes:
        if finish is None and logprobs is None and not more:  # most chunks differ in delta alone
            before, _, after = self._around[at]
            return b'%s"delta": %s%s' % (before, jsontext.dumps(delta).encode(), after)
        return self._chunk(at, delta, finish, logprobs, **more)

    def _chunk(
        self,
        at: int,
        delta: Mapping[str, Any],
        finish: str | None = None,
        logprobs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bytes:
        choice = {"index": at, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        pending = {"usage": None} if self._usage else {}
        return frame(self._head.over(CHUNK, [choice], **pending, **more))
