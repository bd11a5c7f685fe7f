"""Items on their way to the reader of a stream, and the end of one whose reader hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from ponder.server.telling.sse import Arriving, EventStream

SCOPE = {"type": "http", "asgi": {"spec_version": "2.3"}}


async def test_all_that_has_come_is_taken_at_once_and_in_order() -> None:
    arriving: Arriving[int] = Arriving()
    for number in (1, 2, 3):
        arriving.put(number)
    assert await arriving.some(60) == [1, 2, 3]
    asyncio.get_running_loop().call_soon(arriving.put, 4)
    assert await arriving.some(60) == [4]


async def test_silence_ends_the_wait_and_loses_nothing() -> None:
    arriving: Arriving[int] = Arriving()
    assert await arriving.some(0) == []
    waiting = asyncio.ensure_future(arriving.some(60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    arriving.put(1)
    assert await arriving.some(0) == [1]


class Ends:
    """A stream of one event and then silence, which notes its end."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.sent: list[Message] = []
        self.silent = asyncio.Event()

    async def events(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
            self.silent.set()
            await asyncio.Event().wait()
        finally:
            self.seen.append("closed")

    async def stop(self) -> None:
        self.seen.append("stopped")

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def gone(self) -> Message:
        await self.silent.wait()
        return {"type": "http.disconnect"}

    async def stays(self) -> Message:
        forever: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await forever


async def test_a_reader_that_hangs_up_ends_the_stream() -> None:
    ends = Ends()
    await EventStream(ends.events(), ends.stop)(SCOPE, ends.gone, ends.send)
    assert ends.seen == ["closed", "stopped"]
    assert [part.get("body") for part in ends.sent] == [None, b"data: 1\n\n"]


async def test_a_stream_that_is_cancelled_is_closed_and_stopped() -> None:
    ends = Ends()
    response = EventStream(ends.events(), ends.stop)
    work = asyncio.ensure_future(response(SCOPE, ends.stays, ends.send))
    await ends.silent.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ends.seen == ["closed", "stopped"]


async def test_an_error_of_the_stream_reaches_the_server() -> None:
    ends = Ends()

    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await EventStream(broken(), ends.stop)(SCOPE, ends.stays, ends.send)
    assert ends.seen == ["stopped"]
