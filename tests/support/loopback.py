"""A real HTTP server on loopback that does what a script says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Step:
    """What happens to one request.

    ``body`` is sent with its length; only its first ``cut`` bytes if that is not None, after which
    the connection is closed. ``chunks`` are sent instead, in chunked encoding. ``hang`` keeps the
    connection open after all that (without body and chunks: says nothing at all) until the client
    goes away or ``Loopback.release`` is called. ``drop`` closes without a word.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()
    cut: int | None = None
    hang: bool = False
    drop: bool = False


@dataclass
class Seen:
    """A request as it arrived; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    json: Any = field(init=False)

    def __post_init__(self) -> None:
        self.json = json.loads(self.body)


def choice(text: Any = "42", finish: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "finish_reason": finish, **more}


def usage(prompt: Any = 10, completion: Any = 5, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


def answer(*choices: Any, **fields: Any) -> Step:
    """A reply with these choices, by default one and a usage of 10 + 5 tokens."""
    fields = {"choices": list(choices) or [choice()], "usage": usage(), **fields}
    return Step(body=json.dumps({k: v for k, v in fields.items() if v is not None}).encode())


def error(status: int, message: str = "no", **headers: str) -> Step:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Step(status, pairs, json.dumps({"error": {"message": message}}).encode())


def delta(text: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": finish, **more}]
    return {"choices": choices, "usage": None}


def sse(*events: Any, done: bool = True, hang: bool = False) -> Step:
    """A stream of these events, each in its own HTTP chunk."""
    chunks = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return Step(chunks=(*chunks, *[b"data: [DONE]\n\n"] * done), hang=hang)


class Loopback:
    """``async with Loopback(step, ...) as server``: the n-th request meets the n-th step.

    The last step goes on for ever. ``requests`` are in order of arrival, ``connections`` counts
    those opened (questions about the server itself, by GET, are in neither), ``abandoned`` those
    that the client closed before its request was answered.
    """

    def __init__(self, *steps: Step) -> None:
        self.requests: list[Seen] = []
        self.connections = self.abandoned = 0
        self._steps: Sequence[Step] = steps
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What an endpoint's base_url must be."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Loopback:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def release(self) -> None:
        """Let all hanging requests end; their connections are closed."""
        self._released.set()

    async def seen(self, requests: int = 0, abandoned: int = 0) -> None:
        """Wait until that many have arrived, or were abandoned."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self.requests) >= requests and self.abandoned >= abandoned
            )

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the server ends, or the client has no more requests
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection lives on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        # Values keep their case: a key is compared with what was sent.
        headers |= {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:-2]}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if head[0].startswith("GET "):  # it tells nothing of itself
            self.connections -= 1
            self._answer(writer, error(404))
            return False
        step = self._steps[min(len(self.requests), len(self._steps) - 1)]
        async with self._changed:
            self.requests.append(Seen(head[0].split(" ")[1], headers, body))
            self._changed.notify_all()
        if not step.drop:
            self._answer(writer, step)
        if step.hang:
            closed = asyncio.create_task(reader.read())
            released = asyncio.create_task(self._released.wait())
            try:
                await asyncio.wait({closed, released}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                released.cancel()
                was_closed = closed.done()
                closed.cancel()
            if was_closed:
                async with self._changed:
                    self.abandoned += 1
                    self._changed.notify_all()
        return not (step.hang or step.drop or step.cut is not None)

    @staticmethod
    def _answer(writer: asyncio.StreamWriter, step: Step) -> None:
        if step.hang and not step.chunks and not step.body:
            return
        length = ("Content-Length", str(len(step.body)))
        kind = ("Transfer-Encoding", "chunked") if step.chunks else length
        lines = [f"{name}: {value}" for name, value in (*step.headers, kind)]
        writer.write("\r\n".join([f"HTTP/1.1 {step.status} x", *lines, "", ""]).encode())
        for chunk in step.chunks:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if step.chunks and not step.hang and step.cut is None:
            writer.write(b"0\r\n\r\n")
        writer.write(step.body[: step.cut])
