"""The responses of one server: those in progress and those that are stored."""

from __future__ import annotations

import asyncio
from typing import Any

from ponder.server.asked import Asked
from ponder.server.conducted import House
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.responses.body import ResponseBody
from ponder.server.responses.form import FINAL, Head
from ponder.server.responses.items import Item, listed
from ponder.server.responses.live import Live, Started
from ponder.server.responses.outcome import failed
from ponder.server.responses.store import Store, Stored, place
from ponder.util.worker import gone, this_one

LOST = ApiError(
    "the server ended before the response was complete: ask again.", 500, "server_error"
)


class Office:
    """The responses of one server."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store = Store(place(house.settings.journal), house.settings.retention)
        self._live: dict[str, Live] = {}

    async def close(self, grace: float = 0.0) -> None:
        """Give the responses in progress some seconds, end them with their best answers so far, and
        close the file.
        """
        ends = [asyncio.ensure_future(live.whole()) for live in self._live.values()]
        if ends:
            await asyncio.wait(ends, timeout=grace)
        self._house.close()
        await asyncio.gather(*ends)
        self._store.close()

    def conversation(self, body: ResponseBody, key: Key) -> tuple[Item, ...]:
        """Return the items of a request, after those that it goes on from.

        Raises:
            ApiError: the response that it goes on from is not there, or has no answer.
        """
        own = listed(body.input)
        name = body.previous_response_id
        if name is None:
            return tuple(own)
        before = self.found(name, key, "previous_response_id")
        if isinstance(before, Live) or before.response["status"] not in ("completed", "incomplete"):
            status = before.response["status"]
            raise ApiError(
                f"the response {name!r} is {status}, so it has no answer to go on from: name one "
                "that is completed.",
                param="previous_response_id",
            )
        return (*before.conversation, *own)

    def begin(self, body: ResponseBody, key: Key, items: tuple[Item, ...], asked: Asked) -> Live:
        """Begin a response.

        Raises:
            ApiError: the server takes no more runs now.
        """
        live = Live(self._house, Started(Head(body), key, items, asked), self._keep)
        self._live[live.start.head.id] = live
        return live

    def reveal(self, live: Live) -> None:
        """Store a response whose ID is told before it has ended."""
        live.known = True
        self._keep(live)

    def found(self, name: str, key: Key, param: str | None = None) -> Live | Stored:
        """Return a response of this key.

        Raises:
            ApiError: there is none.
        """
        live = self._live.get(name)
        if live is not None and live.start.head.stored and live.start.key.name == key.name:
            return live
        kept = self._store.get(name, key.name)
        if kept is None:
            code = "previous_response_not_found" if param else "response_not_found"
            raise ApiError(
                f"there is no stored response {name[:100]!r}: it was never stored, or was deleted, "
                "or is too old.",
                400 if param else 404,
                param=param,
                code=code,
            )
        return self._settled(kept)

    def _settled(self, kept: Stored) -> Stored:
        """Return a response as it is; one whose process has ended has failed."""
        if kept.response["status"] in FINAL:
            return kept
        if kept.worker != this_one() and not gone(kept.worker):
            return kept
        outcome = failed(LOST)
        response = {**kept.response, "status": outcome.status, "error": dict(outcome.error or {})}
        ended = Stored(kept.id, kept.owner, response, kept.conversation)
        self._store.put(ended)
        return ended

    async def cancel(self, name: str, key: Key) -> dict[str, Any]:
        """Cancel a response; of one that has ended, nothing changes.

        Raises:
            ApiError: there is none, it is not in the background, or another process works on it.
        """
        one = self.found(name, key)
        if not one.response["background"]:
            raise ApiError(
                f"the response {name!r} is not in the background: close its connection to end it."
            )
        if isinstance(one, Live):
            return await one.cancel()
        if one.response["status"] not in FINAL:
            raise ApiError(
                f"another process works on the response {name!r}: cancel it there.",
                409,
                code="not_here",
            )
        return one.response

    async def drop(self, name: str, key: Key) -> None:
        """Delete a response; one in progress is cancelled.

        Raises:
            ApiError: there is none.
        """
        one = self.found(name, key)
        if isinstance(one, Live):
            await one.cancel()
        self._store.drop(name, key.name)

    def _keep(self, live: Live) -> None:
        head = live.start.head
        if live.done:
            self._live.pop(head.id, None)
        useful = live.known or live.response["status"] in ("completed", "incomplete")
        if head.stored and useful and (live.done or head.body.background):
            self._store.put(live.stored, works=not live.done)
