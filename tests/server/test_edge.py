"""Clients that mean harm: at the address, the headers, the body, and at both ends of the wire."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from ponder.server.edge import Edge, Stalled
from ponder.server.settings import Settings
from ponder.server.telling import sse
from tests.support.keyed import TEAM
from tests.support.serving import USER, Served, answering, serving

CHAT = "/v1/chat/completions"
BODY = json.dumps({"model": "scripted", "messages": USER})


async def raw(server: Served, text: str) -> str:
    """What the server says to these bytes, until it closes the connection."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode("latin-1"))
    await writer.drain()
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said.decode("latin-1")


def request(*headers: str, body: str = BODY, path: str = CHAT) -> str:
    lines = (
        f"POST {path} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    )
    return "\r\n".join(lines) + "\r\n\r\n" + body


@pytest.mark.parametrize(
    "query", ["api_key=SECRET", "a=b&Key=SECRET", "access%5ftoken=SECRET", "x;token=SECRET"]
)
async def test_a_key_in_an_address_is_refused_and_not_logged(
    query: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = answering("hi")
    async with serving(model) as server:
        for path in (CHAT, "/v1/models", "/healthz", "/nothing"):
            said = await raw(server, request(path=f"{path}?{query}"))
            assert said.startswith("HTTP/1.1 401")
            assert "SECRET" not in said
    assert not model.requests
    assert len(caplog.records) >= 4
    assert "SECRET" not in "".join(str(record.__dict__) for record in caplog.records)


async def test_bodies_that_are_too_large_or_too_deep() -> None:
    model = answering("hi")
    async with serving(model, Settings(body=2000)) as server:
        large = await raw(server, request(body=json.dumps({"model": "x" * 3000})))
        deep = await raw(server, request(body="[" * 1500))
        closed = await raw(server, request(body="[" * 990 + "]" * 990))
        inner = await raw(server, request(body=BODY[:-1] + ', "metadata": ' + '{"a":' * 300))
    for said, status in ((large, 413), (deep, 400), (closed, 400), (inner, 400)):
        assert said.startswith(f"HTTP/1.1 {status}")
        assert '"type":"invalid_request_error"' in said
        assert "Traceback" not in said
    assert not model.requests


@pytest.mark.parametrize(
    "header",
    [
        "x-request-id: a\r\n set-cookie: b=c",  # folded
        "x-request-id: a\x00b",
        "x-request-id: a\rset-cookie: b=c",
        "x-request-id: \xe4",
        "x-request-id: a b",
        "x-request-id: " + "a" * 129,
        "x-request-id: ",
    ],
)
async def test_a_header_cannot_bring_another_one_into_the_reply(header: str) -> None:
    async with serving(answering("hi")) as server:
        said = await raw(server, request(header))
    head = said.partition("\r\n\r\n")[0].lower().split("\r\n")
    assert head[0] in ("http/1.1 200 ok", "http/1.1 400 bad request")
    assert not any(line.startswith("set-cookie") for line in head)
    if head[0].endswith("ok"):
        [told] = [line for line in head if line.startswith("x-request-id")]
        assert told.startswith("x-request-id: req_")


async def test_a_sane_request_id_is_taken_over() -> None:
    async with serving(answering("hi")) as server:
        headers = {"x-request-id": "my:id-1"}
        said = await server.http.get("/healthz", headers=headers)
        wrong = await server.http.get("/nothing", headers=headers)
        own = [(await server.http.get("/healthz")).headers["x-request-id"] for _ in "ab"]
    assert said.headers.get_list("x-request-id") == ["my:id-1"]
    assert wrong.headers["x-request-id"] == "my:id-1"
    assert len({*own}) == 2


async def test_a_writer_that_does_not_write_is_sent_away() -> None:
    model = answering("hi")
    async with serving(model, Settings(upload=0.01)) as server:
        whole = request().replace("connection: close\r\n", "")
        said = await raw(server, whole[:-10])  # the rest never comes
        assert said.startswith("HTTP/1.1 408")
        assert '"code":"request_timeout"' in said
        assert (await server.chat()).choices[0].message.content == "hi", "a whole one has no limit"
    assert len(model.requests) == 1


async def test_a_refusal_before_the_body_is_read_ends_the_connection() -> None:
    async with serving(answering("hi"), Settings(keys=(TEAM,))) as server:
        said = await raw(server, request().replace("connection: close\r\n", "")[:-10])
        again = await server.http.get("/healthz")
    assert said.startswith("HTTP/1.1 401")
    assert "connection: close" in said.lower()
    assert "connection" not in again.headers


async def test_a_reader_that_does_not_read_ends_its_stream() -> None:
    """An endless stream stops once the buffers on its way are full, and gives all back."""
    stopped, frames = asyncio.Event(), 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal frames
        while True:
            frames += 1
            yield b"x" * 65536

    async def stop() -> None:
        stopped.set()

    async def stream(request: Any) -> sse.EventStream:
        return sse.EventStream(endless(), stop)

    async with serving(answering("hi"), Settings(stall=0.05)) as server:
        server.app.add_route("/endless", stream)
        host, _, port = server.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await stopped.wait()
            ended = frames
        said = (await server.http.get("/metrics")).text
    assert ended < 2000
    assert 'ponder_cancellations_total{endpoint="/endless"} 1.0' in said


async def test_a_plain_reply_to_a_reader_that_does_not_read() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def blocked(message: Message) -> None:
        await asyncio.Event().wait()

    async def nothing() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "query_string": b"", "headers": []}
    with pytest.raises(Stalled):
        await Edge(app, Settings(stall=0.001))(scope, nothing, blocked)
