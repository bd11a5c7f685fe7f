"""The figures for Prometheus."""

from __future__ import annotations

import asyncio
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ponder.core.costs.ledger import Item
from ponder.core.errors import ModelError
from ponder.server.operation.metrics import saved
from ponder.server.settings import Settings
from tests.support.keyed import TEAM
from tests.support.serving import NUMBER, USER, Gate, Served, answering, scripted, serving


async def figures(server: Served) -> dict[str, float]:
    """All samples, by name and labels as they are written."""
    said = await server.http.get("/metrics")
    assert said.status_code == 200
    assert said.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(said.text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_requests_runs_and_tokens_are_counted() -> None:
    async with serving(answering("so \\boxed{42}")) as server:
        done = await server.chat(NUMBER, reasoning_effort="low")
        await server.post(model="none", messages=USER)
        await server.http.get("/nothing")
        found = await figures(server)
        again = await figures(server)
    chat = "endpoint=/v1/chat/completions"
    assert found[f"ponder_requests_total{{{chat},status=200}}"] == 1
    assert found[f"ponder_requests_total{{{chat},status=404}}"] == 1
    assert found["ponder_requests_total{endpoint=other,status=404}"] == 1
    assert found[f"ponder_request_seconds_count{{{chat}}}"] == 2
    assert found[f"ponder_first_byte_seconds_count{{{chat}}}"] == 2
    strategy = done.ponder["strategy"]
    assert found[f"ponder_runs_total{{ended=done,model=scripted,strategy={strategy}}}"] == 1
    role = "model=scripted,role=generate"
    total = done.ponder["receipt"]["total"]
    assert found[f"ponder_tokens_total{{kind=prompt,{role}}}"] == total["prompt_tokens"]
    made = sum(
        found[f"ponder_tokens_total{{kind={kind},{role}}}"] for kind in ("completion", "wasted")
    )
    assert made == done.usage.completion_tokens
    assert found[f"ponder_usd_total{{{role}}}"] == 0
    drawn = total["calls"]
    asked = done.ponder["knobs"]["n"]
    assert asked > drawn, "a vote that is settled early"
    assert found[f"ponder_samples_saved_total{{strategy={strategy}}}"] == asked - drawn
    assert again["ponder_requests_total{endpoint=/metrics,status=200}"] == 1


async def test_the_queue_and_the_runs_in_progress() -> None:
    gate = Gate()
    model = scripted(lambda request: "done", gate=gate)
    async with serving(model, Settings(at_once=1)) as server:
        first = asyncio.ensure_future(server.chat())
        await gate.reached()
        waiting = await server.chat(stream=True)
        found = await figures(server)
        gate.set()
        await first
        assert [chunk async for chunk in waiting]
        after = await figures(server)
    assert (found["ponder_runs_in_progress{}"], found["ponder_queue_length{}"]) == (1, 1)
    assert (after["ponder_runs_in_progress{}"], after["ponder_queue_length{}"]) == (0, 0)


async def test_a_run_that_fails_is_counted_with_its_costs() -> None:
    async with serving(scripted(lambda request: ModelError("broken."))) as server:
        await server.post(model="scripted", messages=USER)
        found = await figures(server)
    assert found["ponder_runs_total{ended=failed,model=scripted,strategy=direct}"] == 1
    assert found["ponder_requests_total{endpoint=/v1/chat/completions,status=502}"] == 1


async def test_figures_are_for_those_who_may_ask() -> None:
    async with serving(answering("hi"), Settings(keys=(TEAM,))) as server:
        assert (await server.http.get("/metrics")).status_code == 401
        server.http.headers["authorization"] = "Bearer secret"
        assert await figures(server)


async def test_two_applications_count_for_themselves() -> None:
    async with serving(answering("hi")) as one, serving(answering("hi")) as two:
        await one.chat()
        names = [name for name in await figures(two) if re.match("ponder_requests_total", name)]
    assert names == []


@pytest.mark.parametrize(
    ("knobs", "calls", "expected"),
    [({"n": 8}, 5, 3), ({"n": 8}, 9, 0), ({}, 5, 0), ({"n": "8"}, 1, 0), ({"n": True}, 0, 0)],
)
def test_samples_that_were_not_drawn(knobs: dict[str, object], calls: int, expected: int) -> None:
    items = [Item("generate", "m", calls=calls), Item("score", "m", calls=50)]
    assert saved(knobs, items) == expected
