"""A reply while it is made, kept whole for those who ask for it again."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message

from ponder.server.live.kept import Kept


class Recording:
    """The messages of one reply, for any number of readers.

    Args:
        digest: identifies the request's method, address and body.
    """

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.messages: list[Message] = []
        """The messages of ASGI so far: the start, then parts of the body."""
        self.error: Exception | None = None
        """The failure that ended it, if one did."""
        self.over = False
        """True once there will be no more."""
        self.task: asyncio.Future[None] | None = None
        """The task that makes it, which is held here."""
        self._bell = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Add a message."""
        self.messages.append(message)
        self._ring()

    def end(self, error: Exception | None = None) -> None:
        """Say that there are no more."""
        self.over, self.error = True, error
        self._ring()

    def _ring(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()

    async def more(self, seen: int) -> None:
        """Wait until there are more messages than ``seen``, or the end."""
        while len(self.messages) <= seen and not self.over:
            await self._bell.wait()

    @property
    def kept(self) -> Kept:
        """The reply, once it is whole."""
        start, *parts = self.messages
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in start["headers"])
        body: list[bytes] = [part.get("body", b"") for part in parts]
        return Kept(int(start["status"]), headers, b"".join(body))


def played(kept: Kept) -> Recording:
    """Return a recording of a reply that was kept."""
    found = Recording("")
    headers: list[Any] = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in kept.headers]
    found.messages = [
        {"type": "http.response.start", "status": kept.status, "headers": headers},
        {"type": "http.response.body", "body": kept.body, "more_body": False},
    ]
    found.end()
    return found
