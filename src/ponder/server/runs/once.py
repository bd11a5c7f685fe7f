"""``Idempotency-Key``: a request that is sent again gets the reply of the first one, and nothing is
paid twice.

The reply is made in a task of its own. Whoever asks again while it is made is told it from its
start; later, the reply is there, byte for byte, for a day. If the server died meanwhile, the runs
that it had recorded go on from there. Since its owner may come back, a client that hangs up does
not end such a run; ``DELETE /v1/runs/{id}`` does.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ponder.server.body import bounded
from ponder.server.errors import ApiError
from ponder.server.keys import Handler
from ponder.server.live.kept import Repeatable
from ponder.server.live.live import CLAIM, Claim, Live
from ponder.server.live.recording import Recording, played
from ponder.server.telling.conducted import House
from ponder.server.telling.gone import hung_up
from ponder.util.decoding import Malformed, parse
from ponder.util.worker import gone, this_one

AGAIN = (b"idempotent-replayed", b"true")
"""The header of a reply that was made for an earlier request."""
FINAL = ("done", "incomplete")
"""States of runs whose reply stays as it is."""


def once(handler: Handler) -> Handler:
    """Let clients repeat a request. The handler's runs begin in the task that it is called in."""

    async def answer(request: Request) -> Response:
        name = request.headers.get("idempotency-key")
        if name is None:
            return await handler(request)
        if not (0 < len(name) <= 255 and name.isprintable()):
            raise ApiError("Idempotency-Key must have 1 to 255 characters.", code="invalid_key")
        house: House = request.app.state.house
        if house.live.path is None:
            raise ApiError(
                "this server records no runs, so no request can be repeated: leave the "
                "Idempotency-Key out.",
                code="no_journal",
            )
        body = await bounded(request, house.settings.body)
        asked = Repeatable(request.state.key.name, name, _digest(request, body))
        found, again = _found(house.live, asked)
        if found is None:
            claim = Claim(_claimed(house.live, asked))
            found = house.live.replies[asked.key, asked.name] = Recording(asked.digest)
            task = asyncio.ensure_future(_make(handler, request, body, house, claim, found))
            found.task = task
        return _Attached(found, again)

    return answer


def _digest(request: Request, body: bytes) -> str:
    """Identify a request: members of JSON may come in another order."""
    with suppress(Malformed, UnicodeDecodeError):
        body = json.dumps(parse(body), sort_keys=True).encode()
    told = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(told + body).hexdigest()


def _found(live: Live, asked: Repeatable) -> tuple[Recording | None, bool]:
    """Return the reply to an earlier request, and True; None and False if there is none.

    Raises:
        ApiError: that was another request, or another process answers it.
    """
    making = live.replies.get((asked.key, asked.name))
    known = None if making else live.records.request(asked.key, asked.name)
    digest = making.digest if making else known.digest if known else asked.digest
    if digest != asked.digest:
        raise ApiError(
            "this Idempotency-Key came with another request before: make a new one for each.",
            422,
            code="idempotency_key_reused",
        )
    if making or known is None:
        return making, making is not None
    if known.reply is not None:
        return played(known.reply), True
    if known.worker != this_one() and not gone(known.worker):
        raise ApiError(
            "another process of this server answers this request: try again later.",
            409,
            code="in_progress",
            headers={"retry-after": "1"},
        )
    return None, False


def _claimed(live: Live, asked: Repeatable) -> Repeatable:
    """Write down that the request is answered now; return it with the runs of an earlier attempt
    that was cut off.
    """
    live.records.claim(asked)
    return live.records.request(asked.key, asked.name) or asked


async def _make(
    handler: Handler, request: Request, body: bytes, house: House, claim: Claim, reply: Recording
) -> None:
    """Make a reply, and keep it if it is a final one."""
    CLAIM.set(claim)
    live = house.live
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not given:
            await asyncio.Event().wait()  # nobody here hangs up
        return given.pop()

    error: Exception | None = None
    try:
        try:
            scope = dict(request.scope)
            response = await handler(Request(scope, receive))
            await response(scope, receive, reply.send)
        except Exception as failed:  # whoever reads the reply is told so in the API's own way
            error = failed
        _keep(house, claim, reply, error)
    except Exception as failed:
        error = failed
    finally:
        live.replies.pop((claim.asked.key, claim.asked.name), None)
        reply.end(error)


def _keep(house: House, claim: Claim, reply: Recording, error: Exception | None) -> None:
    """Keep a final reply; forget a request that has begun nothing."""
    live = house.live
    if claim.final and error is None:
        live.records.answered(claim.asked, reply.kept)
        return
    runs = [run for run in claim.asked.runs if run]
    if not runs:
        live.records.forget(claim.asked)
        return
    if error is not None or reply.kept.status >= 400:
        return  # the runs go on when it is asked again
    for run in runs:
        row, heard = live.journal.known(run), live.heard(run)
        stopped = house.settings.deadline is not None or (heard is not None and heard.cancelled)
        final = FINAL if not stopped else (*FINAL, "interrupted")
        if row is None or row.state not in final:
            return
    live.records.answered(claim.asked, reply.kept)


class _Attached(Response):
    """A reply that follows a recording from its start."""

    def __init__(self, reply: Recording, again: bool) -> None:
        super().__init__()
        self._reply, self._again = reply, again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._play(send))
        watch = asyncio.ensure_future(hung_up(receive))
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            watch.cancel()

    async def _play(self, send: Send) -> None:
        reply, seen = self._reply, 0
        while True:
            while seen < len(reply.messages):
                message = reply.messages[seen]
                if self._again and seen == 0:
                    message = {**message, "headers": [*message["headers"], AGAIN]}
                seen += 1
                await send(message)
            if reply.over:
                break
            await reply.more(seen)
        if not seen:
            raise reply.error or asyncio.CancelledError
