"""The edge: what is refused of any request, and how long its client may take."""

from __future__ import annotations

import asyncio
import urllib.parse

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ponder.server.errors import ApiError
from ponder.server.messages.errors import refused
from ponder.server.settings import Settings

SECRETS = frozenset(
    ("key", "api_key", "api-key", "apikey", "x-api-key", "token", "access_token", "authorization")
)
"""Names of query parameters that look like a secret's."""


class Stalled(OSError):
    """A client does not read what it is sent."""


class Edge:
    """Refuses keys in an address, bodies that come too slowly, and readers that do not read."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on.

        Raises:
            Stalled: its client does not read.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = _Client(receive, send, self._settings, whole=not _has_body(scope))
        if _has_secret(scope["query_string"]):
            refusal = ApiError(
                "a key does not belong into an address, which is logged on its way: send it as "
                "'Authorization: Bearer KEY', and make a new one, since this one may be known.",
                401,
                "authentication_error",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )
            await refused(Request(scope), refusal)(scope, client.receive, client.send)
            return
        await self._app(scope, client.receive, client.send)
        if client.stalled:  # also if the application has taken it for one that hung up
            raise Stalled


def _has_body(scope: Scope) -> bool:
    lengths = [
        value
        for name, value in scope["headers"]
        if name in (b"content-length", b"transfer-encoding")
    ]
    return any(value.strip() != b"0" for value in lengths)


def _has_secret(query: bytes) -> bool:
    parts = query.decode("latin-1").replace(";", "&").split("&")
    return any(
        urllib.parse.unquote_plus(part.partition("=")[0]).strip().lower() in SECRETS
        for part in parts
    )


class _Client:
    """The two directions of one request."""

    def __init__(self, receive: Receive, send: Send, settings: Settings, *, whole: bool) -> None:
        self._receive, self._send, self._settings = receive, send, settings
        self._until = asyncio.get_running_loop().time() + settings.upload
        self._whole = whole
        """True once the body has come."""
        self.stalled = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(
                f"the body did not come within {self._settings.upload:g} s: send it faster.",
                408,
                code="request_timeout",
            ) from None
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._whole:
            # What is left of the body is not worth reading.
            headers = [*message.get("headers", []), (b"connection", b"close")]
            message = {**message, "headers": headers}
        try:
            async with asyncio.timeout(self._settings.stall):
                await self._send(message)
        except TimeoutError:
            self.stalled = True
            raise Stalled from None
