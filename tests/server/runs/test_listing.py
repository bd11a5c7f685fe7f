"""Runs as their owner sees them, and as nobody else does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ponder.server.settings import Settings
from tests.support.serving import NUMBER, answering, scripted, serving
from tests.support.telling_runs import VOTE, bearer, keys, runs, shown
from tests.support.turnstile import Turnstile

BODY: dict[str, Any] = {"model": "scripted", "messages": NUMBER, "ponder": VOTE}


async def test_pages_go_on_after_a_run_and_states_are_asked_for(tmp_path: Path) -> None:
    async with serving(answering("so \\boxed{42}"), journal=tmp_path / "runs.sqlite") as server:
        made = [(await server.chat()).ponder["run"] for _ in range(5)]
        first = await runs(server, limit=2)
        assert [run["id"] for run in first["data"]] == made[:-3:-1]
        assert first["has_more"]
        rest = await runs(server, after=first["last_id"], limit=3)
        assert [run["id"] for run in rest["data"]] == made[2::-1]
        assert not rest["has_more"]
        assert (await runs(server, after=made[0]))["data"] == []
        assert len((await runs(server, state="done"))["data"]) == 5
        assert (await runs(server, state="cut_off"))["data"] == []
        for query, param in (
            ({"limit": "0"}, "limit"),
            ({"limit": "x"}, "limit"),
            ({"limit": "0" * 8 + "5" * 5000}, "limit"),
            ({"state": "fine"}, "state"),
            ({"after": "no"}, "after"),
            ({"page": "2"}, "page"),
        ):
            said = await server.http.get("/v1/runs", params=query)
            assert (said.status_code, said.json()["error"]["param"]) == (400, param)


async def test_a_run_is_shown_with_its_candidates_and_its_tree(tmp_path: Path) -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        done = await server.chat(NUMBER, extra_body={"ponder": VOTE})
        found = await shown(server, done.ponder["run"])
    assert found["state"] == "done"
    assert found["question"].startswith(NUMBER[0]["content"])
    assert found["answer"] == "42"
    assert found["receipt"] == done.ponder["receipt"]
    assert [(c["answer"], c["votes"]) for c in found["candidates"]] == [("42", 3), ("41", 1)]
    root, *samples = found["tree"]["nodes"]
    assert root["children"] == [node["id"] for node in samples]
    assert [node["answer"] for node in samples] == ["41", "42", "42", "42"]
    assert {node["status"] for node in samples} == {"ended"}
    [chosen] = [node for node in samples if node["on_path"]]
    assert found["tree"]["chosen"] == chosen["id"]
    assert chosen["added"] == "so \\boxed{42}"


async def test_a_run_in_progress_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.chat(NUMBER, extra_body={"ponder": VOTE}))
        await gate.reached()
        [listed] = (await runs(server, state="running"))["data"]
        found = await shown(server, listed["id"])
        while len(found["tree"]["nodes"]) < 3:  # a reply may still be on its way
            found = await shown(server, listed["id"])
        assert found["state"] == "running"
        assert found["candidates"][0]["votes"] == 2
        assert found["receipt"]["total"]["calls"] == 2
        gate.set()
        await asking


async def test_a_run_that_is_cancelled_keeps_its_best_answer_and_its_cost(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.chat(NUMBER, extra_body={"ponder": VOTE}))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        while len((await shown(server, run))["tree"]["nodes"]) < 3:
            pass
        ended = (await server.http.delete(f"/v1/runs/{run}")).json()
        assert (ended["state"], ended["answer"]) == ("interrupted", "42")
        assert ended["stopped_by"] == "interrupt"
        assert model.running == 0
        done = await asking
        assert done.ponder["stopped_by"] == "interrupt"
        assert server.engine.spent.tokens == (
            done.usage.prompt_tokens + done.usage.completion_tokens
        )
        assert (await server.http.delete(f"/v1/runs/{run}")).json() == ended


async def test_a_run_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.chat(NUMBER, extra_body={"ponder": VOTE}))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        while len((await shown(server, run))["tree"]["nodes"]) < 3:
            pass
        await server.http.delete(f"/v1/runs/{run}")
        await asking
        again = await server.http.post(f"/v1/runs/{run}/resume")
        assert (again.status_code, again.json()["state"]) == (202, "running")
        twice = await server.http.post(f"/v1/runs/{run}/resume")
        assert (twice.status_code, twice.json()["error"]["code"]) == (409, "not_resumable")
        gate.set()
        while (found := await shown(server, run))["state"] == "running":
            pass
        assert found["state"] == "done"
        assert found["candidates"][0]["votes"] == 4
        asked = [request.seed for request in model.requests]
        assert len({*asked}) == 4
        done = await server.http.post(f"/v1/runs/{run}/resume")
        assert done.status_code == 409


async def test_what_another_key_has_asked_is_not_there(tmp_path: Path) -> None:
    settings = Settings(keys=keys("ann", "bob"))
    model = answering("so \\boxed{42}")
    async with serving(model, settings, key="ann", journal=tmp_path / "runs.sqlite") as server:
        run = (await server.chat(NUMBER)).ponder["run"]
        assert [one["id"] for one in (await runs(server, headers=bearer("ann")))["data"]] == [run]
        assert (await runs(server, headers=bearer("bob")))["data"] == []
        seen = []
        for name in (run, "20260101-000000-abcdef"):
            for method, path in (
                ("GET", ""),
                ("DELETE", ""),
                ("GET", "/events"),
                ("POST", "/resume"),
                ("POST", "/steer"),
                ("GET", "/actions/1"),
            ):
                said = await server.http.request(
                    method, f"/v1/runs/{name}{path}", headers=bearer("bob"), json={"action": "x"}
                )
                seen.append((said.status_code, said.json()["error"]["code"]))
        assert {*seen} == {(404, "run_not_found")}
        after = await server.http.get("/v1/runs", params={"after": run}, headers=bearer("bob"))
        assert after.status_code == 400
        assert (await server.http.get(f"/v1/runs/{run[:-1]}", headers=bearer("ann"))).is_error
        assert (await server.http.get(f"/v1/runs/{run}")).status_code == 401


@pytest.mark.parametrize("path", ["", "/x", "/x/events"])
async def test_a_server_without_a_journal_says_so(path: str) -> None:
    async with serving(answering("hi")) as server:
        said = await server.http.get(f"/v1/runs{path}")
    assert (said.status_code, said.json()["error"]["code"]) == (404, "no_journal")
