"""A server that has been used: there is something at each of its addresses."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ponder.core.budget import Budget
from ponder.core.errors import ModelError
from ponder.core.tools import ToolCall
from ponder.models.base import Completion, Request
from ponder.models.fakes.scripted import Reply
from ponder.server.settings import Settings
from tests.support.serving import USER, Served, scripted, serving

Asking = Mapping[str, Any]
"""What a request has besides its body: ``path_parameters``, ``query``, ``headers``."""
JUDGED = {"strategy": "best_of_n", "knobs": {"n": 2}, "verifier": "human"}
WAITING = 4
"""Number of runs that wait for a person."""


@dataclass(frozen=True)
class Lived:
    """A server, and what there is."""

    server: Served
    places: Mapping[str, Sequence[str]]
    """Values of parameters of paths for which there is something, and as ``ended`` the runs that
    have ended.
    """
    good: Mapping[tuple[str, str], Sequence[Asking]]
    """By method and path, requests that are answered well, one after the other."""


@asynccontextmanager
async def lived_in(journal: Path, **more: Any) -> AsyncIterator[Lived]:
    """Serve a scripted model with a low ceiling. Of its runs one has failed, one is done, and some
    wait for a person; responses are stored, and one is in progress.
    """
    low = Settings(ceiling=Budget(tokens=2000), **more)
    home = mock.patch.dict(os.environ, PONDER_HOME=str(journal.parent))  # the queue of reviews
    with home:
        async with serving(scripted(_replies()), low, journal=journal) as server:
            yield await _live(server)


def _replies() -> Any:
    """The replies of a model: it fails once, calls any tool, and finds two answers in turn."""
    first: Iterator[Reply] = iter([ModelError("the wire is cut.")])
    answers = itertools.cycle(("so \\boxed{7}", "so \\boxed{8}"))

    def reply(request: Request) -> Reply:
        if (failure := next(first, None)) is not None:
            return failure
        if request.top_logprobs:
            return Completion("A", "length", 9, 1, top=({"A": -0.1, "B": -2.4},))
        if any(message.tools for message in request.messages):
            called = (ToolCall("call_1", "get_weather", '{"city": "Paris"}'),)
            return Completion("", "stop", 5, 4, calls=called)
        return '{"primes": 25}' if request.schema else next(answers)

    return reply


async def _live(server: Served) -> Lived:
    for status in (502, 200):
        said = await server.post(model="scripted", messages=USER)
        assert said.status_code == status, said.text
    done, failed = [run["id"] for run in await _listed(server, "/v1/runs")]

    async def responds(**body: Any) -> str:
        said = await server.post("/v1/responses", model="scripted", **body)
        assert said.status_code == 200, said.text
        found: str = said.json()["id"]
        return found

    kept, spare = [await responds(input="Say hello.") for _ in range(2)]
    async with server.http.stream(
        "POST",
        "/v1/responses",
        json={"model": "scripted", "input": "Say hi.", "background": True, "stream": True},
    ) as said:
        streamed = re.findall(r"resp_\w+", (await said.aread()).decode())[0]
    going = [
        await responds(input=f"How many is {at} times seven?", background=True, ponder=JUDGED)
        for at in range(WAITING)
    ]
    while len(waiting := await _listed(server, "/v1/reviews")) < WAITING:
        pass
    runs, items = [one["run"] for one in waiting], [one["id"] for one in waiting]
    action = await server.post(f"/v1/runs/{runs[0]}/steer", action="hint", text="Try 7.")
    number = str(action.json()["id"])
    events = (await server.http.get(f"/v1/runs/{done}/events")).text
    last = re.findall("^id: (.+)$", events, re.M)[-1]

    def at(name: str, value: str, **more: Any) -> Asking:
        return {"path_parameters": {name: value}, **more}

    version = {"anthropic-version": "2023-06-01"}
    good: dict[tuple[str, str], Sequence[Asking]] = {
        ("GET", "/v1/models"): [{}, {"headers": version, "query": {"limit": "2"}}],
        ("GET", "/v1/models/{name}"): [
            at("name", "scripted"),
            at("name", "scripted:low", headers=version),
        ],
        ("GET", "/v1/responses/{name}"): [
            at("name", kept),
            at("name", streamed, query={"stream": "true", "starting_after": "0"}),
        ],
        ("GET", "/v1/responses/{name}/input_items"): [at("name", kept)],
        ("DELETE", "/v1/responses/{name}"): [at("name", spare)],
        ("POST", "/v1/responses/{name}/cancel"): [at("name", name) for name in going[-1:]],
        ("GET", "/v1/runs"): [{}, {"query": {"limit": "1", "state": "done"}}],
        ("GET", "/v1/runs/{run}"): [at("run", run) for run in (done, failed, runs[0])],
        ("DELETE", "/v1/runs/{run}"): [at("run", done), at("run", runs[-2])],
        ("GET", "/v1/runs/{run}/events"): [
            at("run", done),
            at("run", done, query={"after": last}),
            at("run", done, headers={"last-event-id": last}),
        ],
        ("POST", "/v1/runs/{run}/resume"): [at("run", failed)],
        ("POST", "/v1/runs/{run}/steer"): [at("run", runs[0])],
        ("GET", "/v1/runs/{run}/actions/{number}"): [
            {"path_parameters": {"run": runs[0], "number": number}}
        ],
        ("POST", "/v1/reviews/{item}"): [at("item", items[0]), at("item", items[1])],
    }
    places = {
        "run": [done, failed, *runs],
        "ended": [done, failed],
        "name": ["scripted", kept, streamed, *going],
        "item": items,
        "number": [number],
    }
    return Lived(server, places, good)


async def _listed(server: Served, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await server.http.get(path)).json()["data"]
    return found
