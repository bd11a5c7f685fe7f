"""Responses of a server that has ended, taken up by the next one."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.server.responses.store import Store, Stored
from ponder.server.settings import Settings
from tests.support.responding import RESPONSE, check, read
from tests.support.serving import Gate, Served, answering, scripted, serving
from tests.support.telling_runs import VOTE, bearer, keys

HELLO = "Say hello to the reader."
ELSEWHERE = "7@a machine that is no more"
BODY: dict[str, Any] = {"model": "scripted", "background": True, "instructions": "Be brief."}
RESPONSE_OF_OLD = {
    "id": "resp_1",
    "status": "queued",
    "background": True,
    "error": None,
    "created_at": 1,
}


def left(folder: Path, *, owner: str = "", **body: Any) -> Path:
    """A journal beside which a response lies that a former server had not begun."""
    store = Store(folder / "runs-responses.sqlite", 10**9)
    chat = (Message("user", HELLO),)
    one = Stored("resp_1", owner, RESPONSE_OF_OLD, chat, body=BODY | body, request="once")
    store.put(one, works=True)
    store._execute("update responses set worker = ?", (ELSEWHERE,))
    store.close()
    return folder / "runs.sqlite"


async def ended(server: Served, name: str = "resp_1", **headers: str) -> Any:
    """A response once it has ended."""
    while True:
        said = await server.http.get(f"/v1/responses/{name}", headers=headers)
        assert said.status_code == 200, said.text
        if (done := said.json())["status"] not in ("queued", "in_progress"):
            return done


async def test_one_that_had_not_begun_is_begun_under_its_id(tmp_path: Path) -> None:
    model = answering("Hello.")
    async with serving(model, journal=left(tmp_path, stream=True)) as server:
        server.app.state.responses.resume()
        done = await ended(server)
        found = read((await server.http.get("/v1/responses/resp_1?stream=true")).text)
    RESPONSE.validate_python(done)
    assert (done["status"], done["created_at"], done["instructions"]) == (
        "completed", 1, "Be brief.",
    )  # fmt: skip
    assert done["output"][0]["content"][0]["text"] == "Hello."
    [request] = model.requests
    assert request.messages == (Message("system", "Be brief."), Message("user", HELLO))
    check(found, 10**6)
    assert found[-1]["response"] == done


async def test_it_is_gone_on_from_once_it_has_ended(tmp_path: Path) -> None:
    model = answering("Hello.", "Bye.")
    async with serving(model, journal=left(tmp_path)) as server:
        asked = {"model": "scripted", "input": "And?", "previous_response_id": "resp_1"}
        early = await server.post("/v1/responses", **asked)
        assert early.status_code == 400
        await ended(server)
        assert (await server.post("/v1/responses", **asked)).status_code == 200
    said = [(message.role, message.content) for message in model.requests[1].messages]
    assert said == [("user", HELLO), ("assistant", "Hello."), ("user", "And?")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "another"}, "there is no model 'another' here"),
        ({"colour": "red"}, "'colour' is not supported here"),
        ({"ponder": {"strategy": "judged"}}, "unknown strategy 'judged'"),
        ({"ponder": {"budget": {"tokens": 1}}}, "too small"),
    ],
)
async def test_one_that_cannot_go_on_has_failed(
    body: dict[str, Any], words: str, tmp_path: Path
) -> None:
    model = answering("no")
    async with serving(model, journal=left(tmp_path, **body)) as server:
        done = await ended(server)
        assert done == await ended(server)
    assert done["status"] == "failed"
    assert words in done["error"]["message"]
    assert not model.requests


async def test_one_of_a_key_that_is_there_no_more_has_failed(tmp_path: Path) -> None:
    journal = left(tmp_path, owner="ann")
    async with serving(answering("no"), Settings(keys=keys("bob")), journal=journal) as server:
        server.app.state.responses.resume()
    async with serving(answering("no"), Settings(keys=keys("ann")), journal=journal) as server:
        done = await ended(server, **bearer("ann"))
    assert "without the API key that asked" in done["error"]["message"]


async def test_where_there_is_no_room_it_waits_until_it_is_asked_for(tmp_path: Path) -> None:
    gate = Gate()
    model = scripted(lambda request: "Hello.", gate=gate)
    settings = Settings(at_once=1, queue=0)
    async with serving(model, settings, journal=left(tmp_path)) as server:
        await server.post("/v1/responses", model="scripted", input=HELLO, background=True)
        await gate.reached()
        said = (await server.http.get("/v1/responses/resp_1")).json()
        assert said == RESPONSE_OF_OLD
        gate.set()
        assert (await ended(server))["status"] == "completed"
    assert len(model.requests) == 2


async def test_a_response_of_another_living_process_is_left_to_it(tmp_path: Path) -> None:
    journal = left(tmp_path)
    store = Store(tmp_path / "runs-responses.sqlite", 10**9)
    store._execute("update responses set worker = ?", (alive(),))
    store.close()
    model = answering("no")
    async with serving(model, journal=journal) as server:
        server.app.state.responses.resume()
        assert (await server.http.get("/v1/responses/resp_1")).json() == RESPONSE_OF_OLD
        said = await server.post("/v1/responses/resp_1/cancel")
    assert (said.status_code, said.json()["error"]["code"]) == (409, "not_here")
    assert not model.requests


def alive() -> str:
    """The identity of this process's parent, which lives as long."""
    return f"{os.getppid()}@{platform.node()}"


async def test_a_run_that_ended_before_its_response_was_kept_is_told_for_nothing(
    tmp_path: Path,
) -> None:
    model, path = answering("so \\boxed{42}"), tmp_path / "runs-responses.sqlite"
    body = {"model": "scripted", "background": True, "ponder": VOTE}
    asked = {**body, "input": "How many is six times seven?"}
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        name = (await server.post("/v1/responses", **asked)).json()["id"]
        done = await ended(server, name)
    store = Store(path, 10**9)
    kept = store.get(name, "")
    assert kept is not None
    store.put(
        replace(
            kept,
            response={**kept.response, "status": "in_progress", "output": []},
            conversation=kept.conversation[:-1],
            body=body,
        ),
        works=True,
    )
    store._execute("update responses set worker = ?", (ELSEWHERE,))
    store.close()
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        again = await ended(server, name)
        gone_on = {"model": "scripted", "input": "And?", "previous_response_id": name}
        assert (await server.post("/v1/responses", **gone_on)).status_code == 200
    same = ("id", "created_at", "status", "usage", "model")
    assert {key: again[key] for key in same} == {key: done[key] for key in same}
    assert again["ponder"]["run"] == done["ponder"]["run"]
    assert again["output"][0]["content"] == done["output"][0]["content"]
    assert len(model.requests) == 4 + 1
