"""Requests for responses that are sent again with the same Idempotency-Key."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ponder.core.errors import ModelError
from ponder.models.fakes.scripted import Reply
from ponder.server.settings import Settings
from tests.support.responding import check, read
from tests.support.serving import Gate, Served, answering, scripted, serving
from tests.support.telling_runs import VOTE
from tests.support.turnstile import Turnstile

KEY = {"Idempotency-Key": "one"}
BODY: dict[str, Any] = {
    "model": "scripted",
    "input": "How many is six times seven?",
    "ponder": VOTE,
}


async def ask(server: Served, headers: dict[str, str] = KEY, **more: Any) -> Any:
    return await server.http.post("/v1/responses", json=BODY | more, headers=headers)


async def ended(server: Served, name: str) -> Any:
    """A response once it has ended."""
    while True:
        done = (await server.http.get(f"/v1/responses/{name}")).json()
        if done["status"] not in ("queued", "in_progress"):
            return done


async def test_the_same_request_gets_the_same_response_and_is_paid_once(tmp_path: Path) -> None:
    model, path = answering("so \\boxed{42}"), tmp_path / "runs.sqlite"
    async with serving(model, journal=path) as server:
        first, again = await ask(server), await ask(server)
        other = await ask(server, input="Another?")
    assert again.content == first.content
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    async with serving(model, journal=path) as server:
        later = await ask(server)
        assert later.headers["idempotent-replayed"] == "true"
        assert later.content == first.content
        name = first.json()["id"]
        assert (await server.http.get(f"/v1/responses/{name}")).json() == first.json()
    assert len(model.requests) == 4


async def test_who_comes_back_to_a_stream_is_told_it_from_its_start(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        impatient = asyncio.ensure_future(ask(server, stream=True))
        await gate.reached()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        patient = asyncio.ensure_future(ask(server, stream=True))
        gate.set()
        found = read((await patient).text)
        again = await ask(server, stream=True)
    assert (await patient).content == again.content
    check(found)
    assert found[-1]["type"] == "response.completed"
    assert len(model.requests) == 4


async def test_a_run_that_failed_goes_on_when_it_is_asked_again(tmp_path: Path) -> None:
    replies: list[Reply] = [ModelError("the wire is cut."), "so \\boxed{42}"]
    model = scripted(lambda request: replies.pop(0))
    one = {"strategy": "direct"}
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        failed, done = [await ask(server, ponder=one) for _ in range(2)]
    assert (failed.status_code, done.status_code) == (502, 200)
    assert done.json()["ponder"]["run"] == failed.json()["error"]["ponder"]["run"]


async def test_a_response_in_the_background_is_the_same_one_before_it_has_begun(
    tmp_path: Path,
) -> None:
    """It waits in the queue, so there is no run yet that could be found."""
    gate = Gate()
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    settings = Settings(at_once=1)
    async with serving(model, settings, journal=tmp_path / "runs.sqlite") as server:
        running = asyncio.ensure_future(server.post("/v1/responses", **BODY))
        await gate.reached()
        first = await ask(server, background=True)
        again = await ask(server, background=True)
        assert first.json()["status"] == "queued"
        assert again.content == first.content
        other = await ask(server, background=True, input="Another?")
        assert other.status_code == 422
        gate.set()
        await running
        done = await ended(server, first.json()["id"])
        assert (await ask(server, background=True)).content == first.content
    assert done["status"] == "completed"
    assert len(model.requests) == 8


async def test_a_response_in_the_background_is_found_though_its_reply_was_lost(
    tmp_path: Path,
) -> None:
    """As if the server had been killed between the two, whole and as a stream."""
    model, path = answering("so \\boxed{42}"), tmp_path / "runs.sqlite"
    async with serving(model, journal=path) as server:
        for stream in (False, True):
            key = {"Idempotency-Key": str(stream)}
            first = await ask(server, key, background=True, stream=stream)
            name = read(first.text)[0]["response"]["id"] if stream else first.json()["id"]
            done = await ended(server, name)
            with closing(sqlite3.connect(tmp_path / "runs.served.sqlite")) as db, db:
                db.execute("update requests set reply = null, body = null")
            again = await ask(server, key, background=True, stream=stream)
            assert (read(again.text)[-1]["response"] if stream else again.json()) == done
    assert len(model.requests) == 8
