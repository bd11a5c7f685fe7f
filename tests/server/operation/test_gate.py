"""The gate: bounded, in order, and fair between keys."""

from __future__ import annotations

import asyncio

import pytest

from ponder.core.budget import Budget
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.operation.gate import Gate
from ponder.server.settings import Settings
from tests.support.serving import USER, scripted, serving
from tests.support.serving import Gate as Barrier


async def test_keys_take_turns_whatever_each_asks_for() -> None:
    gate = Gate(1, 10)
    tickets = [gate.tickets("a", 1)[0], *gate.tickets("a", 3), *gate.tickets("b", 2)]
    order = []
    for _ in range(6):
        [now] = [ticket for ticket in tickets if ticket.inside]
        order.append(now.key)
        now.leave()
        tickets.remove(now)
    assert order == ["a", "a", "b", "a", "b", "a"]
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_full_queue_says_when_to_come_back() -> None:
    now = 0.0
    gate = Gate(2, 1, clock=lambda: now)
    first, second, third = gate.tickets("a", 2) + gate.tickets("b", 1)
    assert (first.inside, second.inside, third.inside) == (True, True, False)
    with pytest.raises(ApiError, match="2 runs are in progress and 1 wait") as caught:
        gate.tickets("c", 1)
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
    now = 41.0  # the mean goes from 1 to 9 seconds
    first.leave()
    first.leave()
    gate.tickets("c", 1)
    with pytest.raises(ApiError) as caught:
        gate.tickets("c", 1)
    assert caught.value.headers == {"retry-after": "9"}


async def test_who_gives_up_in_the_queue_leaves_no_gap() -> None:
    gate = Gate(1, 2)
    first, second, third = gate.tickets("a", 1) + gate.tickets("b", 1) + gate.tickets("b", 1)
    second.leave()
    first.leave()
    await third.turn()
    assert (gate.inside, gate.waiting) == (1, 0)


async def test_a_server_that_is_full_refuses_and_one_that_waits_is_let_in() -> None:
    barrier = Barrier()
    model = scripted(lambda request: "done", gate=barrier)
    async with serving(model, Settings(at_once=1, queue=1)) as server:
        first = asyncio.ensure_future(server.chat())
        await barrier.reached()
        stream = await server.chat(stream=True)
        assert (await anext(stream)).choices[0].delta.role == "assistant"
        refused = await server.post(model="scripted", messages=USER)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "2"
        assert len(model.requests) == 1
        barrier.set()
        assert (await first).choices[0].message.content == "done"
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "done"


async def test_a_deadline_ends_what_runs_and_what_waits() -> None:
    barrier = Barrier()
    model = scripted(lambda request: "late", gate=barrier)
    async with serving(model, Settings(at_once=1, deadline=0.2)) as server:
        said = await asyncio.gather(*(server.post(model="scripted", messages=USER) for _ in "ab"))
        stream = await server.post(model="scripted", messages=USER, stream=True)
    codes = {reply.json()["error"]["code"] for reply in said}
    assert codes <= {"deadline", "no_answer"}
    assert "no_answer" in codes
    assert '"code": "no_answer"' in stream.text


async def test_a_key_has_a_ceiling_of_its_own() -> None:
    import hashlib

    digest = hashlib.sha256(b"secret").hexdigest()
    keys = (Key("team", digest, Budget(tokens=20)),)
    model = scripted(lambda request: "hi")
    async with serving(model, Settings(keys=keys), key="secret") as server:
        body = {"model": "scripted", "messages": USER * 5}
        said = await server.http.post(
            "/v1/chat/completions", json=body, headers={"x-api-key": "secret"}
        )
    assert said.json()["error"]["code"] == "budget_too_small"
