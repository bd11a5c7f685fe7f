"""The responses of one server: those in progress and those that are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ponder.core.errors import PonderError
from ponder.core.problem import Message
from ponder.server.asking.asked import Asked
from ponder.server.body import checked
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.live.kept import RETENTION
from ponder.server.messages.signatures import Signatures
from ponder.server.responses.body import ResponseBody
from ponder.server.responses.form import Head, response_of
from ponder.server.responses.items import Input, messages, turns
from ponder.server.responses.live import Live, Started
from ponder.server.responses.outcome import failed
from ponder.server.responses.store import Store, Stored, place
from ponder.server.responses.wishes import asked
from ponder.server.telling.conducted import House
from ponder.util.worker import gone, this_one

LOST = ApiError(
    "the server ended before the response was complete, and nothing was recorded that it could go "
    "on from: ask again.",
    500,
    "server_error",
)
NO_KEY = ApiError(
    "the server ended before the response was complete, and was started again without the API key "
    "that asked: ask again.",
    500,
    "server_error",
)
REFERENCE = "item_reference"
INPUT = "in the conversation"
"""The input of a response that goes on: its conversation has it."""


class Office:
    """The responses of one server."""

    def __init__(self, house: House, signatures: Signatures) -> None:
        self._house, self._signatures = house, signatures
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

    def conversation(self, body: ResponseBody, key: Key) -> tuple[Message, ...]:
        """Return the messages of a request, after those that it goes on from.

        Raises:
            ApiError: the response that it goes on from is not there, or has no answer.
        """
        given = body.input
        if not isinstance(given, str):
            given = [self._item(it.id or "", key) if it.type == REFERENCE else it for it in given]
        own = turns(given, partial(self._signatures.record, key.name))
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

    def _item(self, name: str, key: Key) -> Input:
        """Return a stored item of this key.

        Raises:
            ApiError: there is none.
        """
        one = self._store.get(response_of(name), key.name)
        for item in one.response.get("output", ()) if one is not None and one.over else ():
            if item.get("id") == name:
                return checked(item, Input)
        raise ApiError(
            f"there is no stored item {name[:100]!r}: its response is not stored, or is in "
            "progress, or was deleted, or is too old: send the item itself.",
            param="input",
            code="item_not_found",
        )

    def begin(
        self,
        body: ResponseBody,
        key: Key,
        conversation: tuple[Message, ...],
        asked: Asked,
        request: str = "",
    ) -> Live:
        """Begin a response; ``request`` is the ``Idempotency-Key`` of one in the background.

        Raises:
            ApiError: the server takes no more runs now.
        """
        return self._begun(Started(Head(body), key, conversation, asked, request))

    def _begun(self, start: Started) -> Live:
        def record(turn: Message) -> None:
            if turn.calls:
                self._signatures.keep(start.key.name, turn.calls[0].id, turn.blocks)

        live = Live(self._house, start, self._keep, record)
        self._live[start.head.id] = live
        return live

    def reveal(self, live: Live) -> None:
        """Store a response whose ID is told before it has ended."""
        live.known = True
        self._keep(live)

    def resume(self) -> None:
        """Go on with the responses that a former process of this server worked on."""
        for name, owner, worker in self._store.unfinished():
            if name not in self._live and (worker == this_one() or gone(worker)):
                try:
                    kept = self._store.get(name, owner)
                except PonderError:  # damaged: told to whoever asks for it
                    continue
                if kept is not None:
                    self._settled(kept)

    def repeated(self, key: Key, request: str) -> Live | Stored | None:
        """Return the response in the background that was asked for with this ``Idempotency-Key``,
        unless it has failed.
        """
        for name in self._store.asked(key.name, request, RETENTION):
            one = self.found(name, key)
            if one.response["status"] != "failed":
                return one
        return None

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

    def _settled(self, kept: Stored) -> Live | Stored:
        """Return a response as it is. One whose process has ended goes on here; if it can't, it has
        failed.
        """
        mine = kept.worker == this_one()
        if kept.over or not (mine or gone(kept.worker)) or not self._store.take(kept):
            return kept
        try:
            live = self._begun(self._again(kept))
        except ApiError as error:
            if error.status == 429:  # there is no room now: whoever asks for it tries again
                return kept
            return self._lost(kept, error)
        self.reveal(live)
        return live

    def _again(self, kept: Stored) -> Started:
        """Return all that a response goes on with whose process has ended.

        Raises:
            ApiError: it cannot go on here.
        """
        house = self._house
        if kept.body is None:
            raise LOST
        keys: Mapping[str, Key] = {key.name: key for key in house.settings.keys or (Key(),)}
        if kept.owner not in keys:
            raise NO_KEY
        body = checked({**kept.body, "input": INPUT}, ResponseBody)
        conversation = tuple(kept.conversation)
        chat = messages(body.instructions, conversation)
        return Started(
            Head(body, kept.id, kept.response["created_at"]),
            keys[kept.owner],
            conversation,
            asked(body, chat, house.served, house.settings),
            kept.request,
            kept.run,
            kept.attempt + 1,
        )

    def _lost(self, kept: Stored, error: ApiError) -> Stored:
        outcome = failed(error)
        response = {**kept.response, "status": outcome.status, "error": dict(outcome.error or {})}
        ended = replace(kept, response=response, events=None, worker="", body=None)
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
        if not one.over:
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
