"""The watch over requests: an ID for each, its line in the log, its figures and its trace."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ponder.server.edge import Stalled
from ponder.server.errors import classified
from ponder.server.keys import Key
from ponder.server.operation import logs
from ponder.server.operation.accounts import SEEN, Operation, Seen

_SANE = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)
HEADER = b"x-request-id"
PROBES = ("/healthz", "/readyz", "/metrics")
"""Addresses that are asked every few seconds."""
GONE = 499
"""Status in logs and figures of a request whose client hung up before there was one."""


def request_id(given: str | None) -> str:
    """Return a client's own ID of a request if it is a plain word, else a new one."""
    return given if given and _SANE.fullmatch(given) else f"req_{secrets.token_hex(12)}"


class Watch:
    """Watches over all requests of an application."""

    def __init__(
        self, app: ASGIApp, operation: Operation, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._operation, self._clock = app, operation, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        one = _Watched(request_id(headers.get("x-request-id")), receive, send, self._clock)
        scope.setdefault("state", {})["request_id"] = one.seen.id
        token = SEEN.set(one.seen)
        try:
            with ExitStack() as stack:
                traces = self._operation.traces
                told = traces and stack.enter_context(traces.request(scope["method"], headers))
                try:
                    await self._pass(scope, one)
                finally:
                    endpoint = _endpoint(scope)
                    if told:
                        told(endpoint, one.status, one.seen.id)
                    self._tell(scope, endpoint, one)
        finally:
            SEEN.reset(token)

    async def _pass(self, scope: Scope, one: _Watched) -> None:
        try:
            await self._app(scope, one.receive, one.send)
        except Stalled:
            one.hung_up = True
        except Exception as error:
            logs.write("failure", {"request": one.seen.id, "path": scope["path"]}, error)
            if not one.began:
                await classified(error).response()(scope, one.receive, one.send)

    def _tell(self, scope: Scope, endpoint: str, one: _Watched) -> None:
        seconds = self._clock() - one.since
        self._operation.metrics.asked(endpoint, one.status, seconds, one.first, hung_up=one.hung_up)
        key = scope["state"].get("key")
        one.seen.logged = True
        logs.write(
            "request",
            {
                "request": one.seen.id,
                "method": scope["method"],
                "endpoint": endpoint,
                "status": one.status,
                "seconds": round(seconds, 6),
                "first_byte": None if one.first is None else round(one.first, 6),
                "hung_up": one.hung_up or None,
                "key": (key.name or None) if isinstance(key, Key) else None,
                "runs": one.seen.runs or None,
            },
            quiet=endpoint in PROBES and one.status < 400,
        )


def _endpoint(scope: Scope) -> str:
    """Return the pattern of the address, of which there are few; ``other`` if there is none."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else "other"


class _Watched:
    """One request."""

    def __init__(self, id: str, receive: Receive, send: Send, clock: Callable[[], float]) -> None:
        self.seen = Seen(id)
        self._receive, self._send, self._clock = receive, send, clock
        self.since = clock()
        self.first: float | None = None
        self.status, self.began, self.hung_up, self._done = GONE, False, False, False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._done:
            self.hung_up = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            self.status = message["status"]
            headers = [*message.get("headers", ()), (HEADER, self.seen.id.encode())]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            if self.first is None and message.get("body"):
                self.first = self._clock() - self.since
            self._done = not message.get("more_body", False)
        await self._send(message)
