"""All that one run has published, numbered, for any number of readers who come and go."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from ponder.core.record.events import Event


class Channel:
    """The events of one attempt at a run. The first one has the number 1.

    Args:
        key: the name of the API key that the run belongs to.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.epoch = secrets.token_hex(4)
        """Names this attempt: numbers of another one mean other events."""
        self.events: list[Event] = []
        self.over = False
        """True once there will be no more events."""
        self.cancelled = False
        """True if its owner has ended it."""
        self._bell: asyncio.Event | None = None

    def add(self, event: Event) -> None:
        """Append an event."""
        self.events.append(event)
        self._ring()

    def end(self) -> None:
        """Say that there are no more."""
        self.over = True
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()
            self._bell = None

    async def more(self, seen: int, seconds: float) -> bool:
        """Wait until there are more events than ``seen``, or the end; return False if neither has
        come within the seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.events) <= seen and not self.over:
                    if self._bell is None:
                        self._bell = asyncio.Event()
                    await self._bell.wait()
        return len(self.events) > seen or self.over
