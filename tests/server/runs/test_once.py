"""Requests that are sent again with the same Idempotency-Key."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

from ponder.core.errors import ModelError
from ponder.models.fakes.scripted import Reply
from ponder.server.settings import Settings
from tests.support.serving import NUMBER, Gate, Served, answering, scripted, serving
from tests.support.telling_runs import VOTE, bearer, keys, runs
from tests.support.turnstile import Turnstile

KEY = {"Idempotency-Key": "one"}
BODY: dict[str, Any] = {"model": "scripted", "messages": NUMBER, "ponder": VOTE}


async def ask(server: Served, headers: dict[str, str] = KEY, **more: Any) -> Any:
    return await server.http.post("/v1/chat/completions", json=BODY | more, headers=headers)


async def test_the_same_request_gets_the_same_reply_and_is_paid_once(tmp_path: Path) -> None:
    model = answering("so \\boxed{42}")
    path = tmp_path / "runs.sqlite"
    async with serving(model, journal=path) as server:
        options = server.openai.with_options(default_headers=KEY)
        told: Any = {"model": "scripted", "messages": NUMBER, "reasoning_effort": "low"}
        first, again = [await options.chat.completions.create(**told) for _ in range(2)]
        assert again == first
        count = len(model.requests)
    async with serving(model, journal=path) as server:
        said = await server.http.post(
            "/v1/chat/completions",
            json=dict(reversed(told.items())),
            headers=KEY,
        )
        assert said.json()["id"] == first.id
        assert said.headers["idempotent-replayed"] == "true"
        other = await ask(server, {"Idempotency-Key": "two"})
        assert "idempotent-replayed" not in other.headers
        assert other.json()["id"] != first.id
    assert len(model.requests) > count


async def test_a_stream_is_repeated_byte_for_byte(tmp_path: Path) -> None:
    model = answering("so \\boxed{42}")
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        first, again = [(await ask(server, stream=True)) for _ in range(2)]
    assert first.content == again.content
    assert first.text.endswith("data: [DONE]\n\n")
    assert again.headers["content-type"].startswith("text/event-stream")
    assert len(model.requests) == 4


async def test_who_comes_back_in_mid_run_is_told_it_from_its_start(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        impatient = asyncio.ensure_future(ask(server, stream=True))
        await gate.reached()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        other = await ask(server, stream=True, ponder={"strategy": "direct"})
        assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
        patient = asyncio.ensure_future(ask(server, stream=True))
        second = asyncio.ensure_future(ask(server, stream=True))
        gate.set()
        assert (await patient).content == (await second).content
        assert "so \\\\boxed{42}" in (await patient).text
        assert len(model.requests) == 4
        assert len((await runs(server))["data"]) == 1


async def test_each_key_has_names_of_its_own(tmp_path: Path) -> None:
    model = answering("so \\boxed{42}")
    settings = Settings(keys=keys("ann", "bob"))
    async with serving(model, settings, journal=tmp_path / "runs.sqlite") as server:
        ann = await ask(server, KEY | bearer("ann"))
        bob = await ask(server, KEY | bearer("bob"), seed=3)
        assert (await ask(server, KEY)).status_code == 401
    assert ann.json()["id"] != bob.json()["id"]
    assert bob.status_code == 200


async def test_what_was_refused_may_be_asked_again(tmp_path: Path) -> None:
    gate = Gate()
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    settings = Settings(at_once=1, queue=0)
    async with serving(model, settings, journal=tmp_path / "runs.sqlite") as server:
        running = asyncio.ensure_future(server.post(**BODY))
        await gate.reached()
        assert (await ask(server)).status_code == 429
        gate.set()
        await running
        assert (await ask(server)).status_code == 200
        bad = await ask(server, {"Idempotency-Key": "bad"}, temperature=7)
        assert bad.status_code == 400
        assert (await ask(server, {"Idempotency-Key": "bad"})).status_code == 200


async def test_a_run_that_failed_goes_on_when_it_is_asked_again(tmp_path: Path) -> None:
    replies: list[Reply] = [ModelError("the wire is cut."), "so \\boxed{42}"]
    model = scripted(lambda request: replies.pop(0))
    one = {"strategy": "direct"}
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        failed = await ask(server, ponder=one)
        assert failed.status_code == 502
        done = await ask(server, ponder=one)
        assert done.status_code == 200
        assert done.json()["ponder"]["run"] == failed.json()["error"]["ponder"]["run"]


async def test_a_run_that_its_owner_cancelled_stays_cancelled(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(ask(server))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        while not (await server.http.get(f"/v1/runs/{run}")).json()["candidates"]:
            pass
        await server.http.delete(f"/v1/runs/{run}")
        first = await asking
        assert first.json()["ponder"]["stopped_by"] == "interrupt"
        assert (await ask(server)).content == first.content


async def test_a_run_that_ended_before_its_reply_was_kept_is_told_again_for_nothing(
    tmp_path: Path,
) -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        first = (await ask(server)).json()
    with closing(sqlite3.connect(tmp_path / "runs.served.sqlite")) as db, db:
        db.execute("update requests set reply = null, body = null")
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        again = (await ask(server)).json()
        assert (await runs(server))["data"][0]["state"] == "done"
    assert len(model.requests) == 4
    assert again["choices"] == first["choices"]
    assert again["usage"] == first["usage"]
    assert again["ponder"]["run"] == first["ponder"]["run"]


async def test_several_choices_are_taken_up_by_place(tmp_path: Path) -> None:
    gate = Turnstile(1)
    model = scripted(lambda request: "hello", gate=gate)
    path = tmp_path / "runs.sqlite"
    body: dict[str, Any] = {"n": 2, "seed": 5, "ponder": {"strategy": "direct"}}
    settings = Settings(at_once=1)
    async with serving(model, settings, journal=path) as server:
        asking = asyncio.ensure_future(ask(server, **body))
        await gate.reached()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    gate.set()
    async with serving(model, settings, journal=path) as server:
        done = await ask(server, **body)
    assert [choice["message"]["content"] for choice in done.json()["choices"]] == ["hello"] * 2
    first, second, again = [request.seed for request in model.requests]
    assert second == again != first


@pytest.mark.parametrize("name", ["", "x" * 256, "a\tb"])
async def test_a_name_that_is_none(name: str, tmp_path: Path) -> None:
    async with serving(answering("hi"), journal=tmp_path / "runs.sqlite") as server:
        said = await ask(server, {"Idempotency-Key": name})
    assert (said.status_code, said.json()["error"]["code"]) == (400, "invalid_key")


async def test_without_a_journal_nothing_can_be_repeated() -> None:
    async with serving(answering("hi")) as server:
        with pytest.raises(openai.BadRequestError, match="leave the Idempotency-Key out"):
            await server.chat(extra_headers=KEY)
