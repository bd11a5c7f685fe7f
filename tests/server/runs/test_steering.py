"""A search that is steered over HTTP, and its tree afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ponder.server.settings import Settings
from tests.support.searching import Tree
from tests.support.serving import NUMBER, Served, scripted, serving
from tests.support.telling_runs import keys, runs, shown
from tests.support.turnstile import Turnstile

BEAM: dict[str, Any] = {
    "strategy": "beam_search",
    "knobs": {"width": 4, "fan": 1},
    "verifier": "mean_logprob",
    "answer_type": "text",
}
BODY: dict[str, Any] = {"model": "scripted", "messages": NUMBER, "ponder": BEAM}


async def steer(server: Served, run: str, action: str, **more: Any) -> int:
    said = await server.post(f"/v1/runs/{run}/steer", action=action, **more)
    assert (said.status_code, said.json()["state"]) == (202, "accepted"), said.text
    return int(said.json()["id"])


async def state(server: Served, run: str, number: int) -> dict[str, Any]:
    found = (await server.http.get(f"/v1/runs/{run}/actions/{number}")).json()
    assert found["id"] == number
    return dict(found)


async def deep(server: Served, run: str) -> list[dict[str, Any]]:
    """The first four nodes, once they are there."""
    while len(nodes := (await shown(server, run))["tree"]["nodes"]) < 5:
        pass
    return list(nodes)[1:]


async def test_a_beam_search_is_steered_and_its_tree_tells_so(tmp_path: Path) -> None:
    gate = Turnstile(4)  # the first level: a branch for each letter
    model = scripted(Tree(4), gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.post(**BODY))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        nodes = {node["added"].strip(): node["id"] for node in await deep(server, run)}
        done = [
            await steer(server, run, "prune", node=nodes["a"]),
            await steer(server, run, "hint", text="be brief"),
        ]
        assert [(await state(server, run, one))["state"] for one in done] == ["pending"] * 2
        gate.set()
        said = await asking
        assert said.status_code == 200, said.text
        found = await shown(server, run)
        assert [(await state(server, run, one))["state"] for one in done] == ["applied"] * 2
        late = await server.post(f"/v1/runs/{run}/steer", action="pause")
        assert (late.status_code, late.json()["error"]["code"]) == (409, "not_in_progress")
    [pruned] = [node for node in found["tree"]["nodes"] if node["id"] == nodes["a"]]
    assert pruned["status"] == "dropped"
    assert pruned["actions"][0]["kind"] == "prune"
    hinted = [node for node in found["tree"]["nodes"] if node["actions"] and node is not pruned]
    assert {action["text"] for node in hinted for action in node["actions"]} == {"be brief"}
    assert "be brief" in model.requests[-1].messages[-1].content
    assert found["tree"]["chosen"] is not None
    assert found["answer"] == "baa"


async def test_a_person_accepts_an_answer(tmp_path: Path) -> None:
    gate = Turnstile(2)
    model = scripted(lambda request: "so \\boxed{42}", gate=gate)
    settings = Settings(keys=keys("ann"))
    headers = {"authorization": "Bearer ann"}
    async with serving(model, settings, journal=tmp_path / "runs.sqlite") as server:
        server.http.headers.update(headers)
        dial = {"strategy": "self_consistency", "knobs": {"n": 4, "stop": "never"}}
        asking = asyncio.ensure_future(server.post(**{**BODY, "ponder": dial}))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        while len(nodes := (await shown(server, run))["tree"]["nodes"]) < 3:
            pass
        number = await steer(server, run, "accept", node=nodes[1]["id"])
        gate.free = 1
        gate.set()
        told = (await asking).json()["ponder"]
        found = await state(server, run, number)
    assert told["stopped_by"] == "accepted"
    assert found["state"] == "applied"
    assert found["action"]["by"] == "ann"


async def test_an_action_that_comes_too_late_has_failed_with_a_code(tmp_path: Path) -> None:
    gate = Turnstile()
    model = scripted(lambda request: "hello", gate=gate)
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.chat())
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        number = await steer(server, run, "hint", text="be brief")
        gate.set()
        await asking
        found = await state(server, run, number)
        assert (found["state"], found["code"]) == ("failed", "run_ended")
        for other in (number + 1, "x", "²", "-1", "9" * 5000):
            missing = await server.http.get(f"/v1/runs/{run}/actions/{other}")
            assert missing.json()["error"]["code"] == "action_not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "explode"}, "unknown_action"),
        ({"action": "prune"}, "invalid_action"),
        ({"action": "hint"}, "invalid_action"),
        ({"action": "more", "count": 0}, "invalid_action"),
        ({"action": "more", "count": 2}, "invalid_action"),
        ({"action": "prune", "node": "9.9.9"}, "unknown_node"),
        ({"action": "prune", "by": "somebody"}, "unsupported_parameter"),
        ({}, "missing_parameter"),
    ],
)
async def test_an_action_that_makes_no_sense_is_refused(
    body: dict[str, Any], code: str, tmp_path: Path
) -> None:
    gate = Turnstile(4)
    async with serving(scripted(Tree(4), gate=gate), journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.post(**BODY))
        await gate.reached()
        [run] = [one["id"] for one in (await runs(server))["data"]]
        said = await server.post(f"/v1/runs/{run}/steer", **body)
        assert said.json()["error"]["code"] == code, said.text
        assert said.status_code == 400
        gate.set()
        await asking
