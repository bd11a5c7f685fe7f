"""A person who judges over HTTP what a run waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ponder.server.settings import Settings
from ponder.verifiers.human.verifier import Queue
from tests.support.serving import NUMBER, Served, answering, serving
from tests.support.telling_runs import bearer, keys

ASKING: dict[str, Any] = {
    "model": "scripted",
    "messages": NUMBER,
    "ponder": {"strategy": "best_of_n", "knobs": {"n": 3}, "verifier": "human"},
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))


async def items(server: Served, who: str) -> list[dict[str, Any]]:
    said = await server.http.get("/v1/reviews", headers=bearer(who))
    return list(said.json()["data"])


async def test_the_owner_of_a_run_judges_its_candidates(tmp_path: Path) -> None:
    model = answering("a \\boxed{1}", "b \\boxed{2}", "c \\boxed{1}")
    settings = Settings(keys=keys("ann", "bob"))
    async with serving(model, settings, journal=tmp_path / "runs.sqlite") as server:
        assert await items(server, "ann") == []
        asking = asyncio.ensure_future(
            server.http.post("/v1/chat/completions", json=ASKING, headers=bearer("ann"))
        )
        while not (found := await items(server, "ann")):
            assert not asking.done(), (await asking).text
        [item] = found
        assert NUMBER[0]["content"] in item["question"]
        assert [(c["number"], c["answer"], c["count"]) for c in item["candidates"]] == [
            (1, "1", 2),
            (2, "2", 1),
        ]
        assert await items(server, "bob") == []

        async def judge(who: str, **body: Any) -> Any:
            path = f"/v1/reviews/{item['id']}"
            return await server.http.post(path, json=body, headers=bearer(who))

        assert (await judge("bob", best=1)).json()["error"]["code"] == "review_not_found"
        for body in ({}, {"best": 3}, {"best": 1, "none": True}, {"grades": [5]}, {"grades": [6]}):
            said = await judge("ann", **body)
            assert (said.status_code, said.json()["error"]["code"]) == (400, "invalid_value"), body
        said = await judge("ann", best=2, comment="it proves it")
        assert said.status_code == 201
        assert (said.json()["by"], said.json()["scores"]) == ("ann", [0.0, 1.0, 0.0])
        told = (await asking).json()["ponder"]
        assert told["answer"] == "2"
        assert told["run"] == item["run"] == said.json()["run"]
        assert await items(server, "ann") == []
        assert (await judge("ann", none=True)).status_code == 404
    [(_, judgement)] = Queue().judged()
    assert judgement.detail == "chosen by ann: it proves it"


@pytest.mark.parametrize(
    ("body", "how", "scores"),
    [
        ({"grades": [5, 1, 3]}, "grades", (1.0, 0.0, 0.5)),
        ({"none": True}, "none", (0.0, 0.0, 0.0)),
    ],
)
async def test_grades_and_none(
    body: dict[str, Any], how: str, scores: tuple[float, ...], tmp_path: Path
) -> None:
    model = answering("a \\boxed{1}", "b \\boxed{2}", "c \\boxed{3}")
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        asking = asyncio.ensure_future(server.post(**ASKING))
        while not (found := await items(server, "nobody")):
            assert not asking.done()
        await server.post(f"/v1/reviews/{found[0]['id']}", **body)
        await asking
    [(_, judgement)] = Queue().judged()
    assert (judgement.how, judgement.scores) == (how, scores)
