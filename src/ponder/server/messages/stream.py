"""The stream of the Messages API: the thinking while it goes on, the answer, then the cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from starlette.responses import Response

from ponder.core.record.events import Event
from ponder.core.text.jsontext import dumps
from ponder.core.tools import ToolCall
from ponder.server.asking.asked import Asked
from ponder.server.errors import classified
from ponder.server.keys import Key
from ponder.server.messages import errors
from ponder.server.messages.form import NOT_ENDED, Head, Shown, ending, usage
from ponder.server.messages.tools import used
from ponder.server.telling.answered import Reply, Tokens, reply
from ponder.server.telling.conducted import Conducted, House, conduct
from ponder.server.telling.facts import fact
from ponder.server.telling.sse import Arriving, EventStream, frame
from ponder.server.telling.told import Telling


@dataclass(frozen=True, slots=True)
class Ended:
    """The run has ended, by its result or by an error."""


async def streamed(
    house: House,
    key: Key,
    head: Head,
    asked: Asked,
    *,
    events: bool,
    request_id: str,
    keep: Callable[[Reply], None],
) -> Response:
    """Return the stream of a run. ``events``: with each event of the run besides; ``keep`` is
    called with the whole reply.

    Raises:
        ApiError, PonderError: the request is refused. If it waits for its turn or for its model,
            that is told in the stream, since a reader should not wait for its first byte.
    """
    arriving: Arriving[Event | Ended] = Arriving()

    def put(at: int, event: Event) -> None:
        arriving.put(event)

    # Under load, the first byte of each stream goes out before the work of all of them begins.
    [run] = conduct(house, key, [asked], put, held=True)
    try:
        if house.served.ready(asked.model) and not run.queued:
            await run.ready()
    except BaseException:
        await run.stop()
        raise
    run.ended(partial(arriving.put, Ended()))
    stream = _Stream(head, run, arriving, events, house.settings.pause, request_id, keep)
    response = EventStream(stream.frames(), run.stop)
    response.headers["request-id"] = request_id
    return response


@dataclass
class _Stream:
    head: Head
    run: Conducted
    arriving: Arriving[Event | Ended]
    events: bool
    pause: float
    request_id: str
    keep: Callable[[Reply], None]

    async def frames(self) -> AsyncGenerator[bytes, None]:
        blocks, telling, going = _Blocks(self.head), Telling(), True
        yield _event("message_start", message=self.head.over([], NOT_ENDED, Tokens()))
        self.run.begin()
        try:
            while going:
                arrived = await self.arriving.some(self.pause)
                if not arrived:
                    yield _event("ping")
                for heard in arrived:
                    if isinstance(heard, Ended):
                        going = False
                        break
                    for part in await self._heard(heard, blocks, telling):
                        yield part
            planned = await self.run.ready()
            found = reply(await self.run.result(), planned)
        except Exception as error:
            yield frame(errors.body(classified(error), self.request_id), "error")
            return
        self.keep(found)
        rest = blocks.said("", telling.rest(found.content).content)
        for part in [*rest, *blocks.called(found.trace.calls), *blocks.closed()]:
            yield part
        told = {"delta": ending(found), "usage": usage(found.tokens), "ponder": found.ponder}
        yield _event("message_delta", **told)
        yield _event("message_stop")

    async def _heard(self, event: Event, blocks: _Blocks, telling: Telling) -> list[bytes]:
        planned = await self.run.ready()
        json = planned.spec.problem.answer_type == "json"
        found = [
            part
            for said in telling.hear(event, json=json)
            for part in blocks.said(said.reasoning, said.content)
        ]
        return [*found, _event("ponder", event=fact(event))] if self.events else found


Kind = Literal["thinking", "text", "tool_use"]
"""Type of a block."""


class _Blocks:
    """The blocks of one message: at most one of thinking, at most one of text, then calls."""

    def __init__(self, head: Head) -> None:
        self._shown: Shown = head.shown
        self._signature = head.signature
        self._open: Kind | Literal[""] = ""
        self._index = -1

    def said(self, reasoning: str, content: str) -> list[bytes]:
        """Return the events that add to the thinking and to the text."""
        found: list[bytes] = []
        if reasoning and self._shown != "none" and self._open != "text":
            if not self._open:
                found += self._begin("thinking", {"thinking": "", "signature": ""})
            if self._shown == "whole":
                found.append(self._delta("thinking_delta", thinking=reasoning))
        if content:
            if self._open != "text":
                found += self.closed()
                found += self._begin("text", {"text": "", "citations": None})
            found.append(self._delta("text_delta", text=content))
        return found

    def called(self, calls: Sequence[ToolCall]) -> list[bytes]:
        """Return the events of calls; their arguments are known whole."""
        found: list[bytes] = []
        for call in calls:
            block = used(call)
            found += self.closed()
            found += self._begin("tool_use", {**block, "input": {}})
            found.append(self._delta("input_json_delta", partial_json=dumps(block["input"])))
        return found

    def closed(self) -> list[bytes]:
        """Return the events that end the block that is open; thinking is signed."""
        kind, self._open = self._open, ""
        if not kind:
            return []
        stop = _event("content_block_stop", index=self._index)
        if kind != "thinking":
            return [stop]
        return [self._delta("signature_delta", signature=self._signature), stop]

    def _begin(self, kind: Kind, members: dict[str, Any]) -> list[bytes]:
        self._open = kind
        self._index += 1
        block = {"type": kind, **members}
        return [_event("content_block_start", index=self._index, content_block=block)]

    def _delta(self, kind: str, **members: str) -> bytes:
        delta = {"type": kind, **members}
        return _event("content_block_delta", index=self._index, delta=delta)


def _event(kind: str, **members: Any) -> bytes:
    return frame({"type": kind, **members}, kind)
