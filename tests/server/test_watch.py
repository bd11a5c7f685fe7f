"""A line for each request, and what it does not say; and whether the server is ready."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from ponder.core.problem import Message
from ponder.server.asking.asked import Asked
from ponder.server.operation.logs import LOGGER, Lines, written
from ponder.server.settings import Settings
from ponder.server.telling.conducted import conduct
from tests.support.keyed import TEAM
from tests.support.serving import NUMBER, Gate, answering, scripted, serving


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [json.loads(Lines().format(r)) for r in caplog.records if r.name == LOGGER]
    assert all({"time", "level", "event"} <= line.keys() for line in found)
    return found


async def test_a_line_tells_of_a_request_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    model = answering("so \\boxed{42}")
    async with serving(model, Settings(keys=(TEAM,)), key="secret") as server:
        done = await server.chat(NUMBER, extra_headers={"x-request-id": "abc"})
        await server.http.get("/healthz")  # as often as every second: for whoever debugs
        await server.http.get("/nothing/private?q=private")
    [asked, missing] = lines(caplog)
    assert asked["request"] == "abc" == done._request_id
    assert (asked["endpoint"], asked["status"]) == ("/v1/chat/completions", 200)
    assert (asked["method"], asked["key"]) == ("POST", "team")
    [run] = asked["runs"]
    assert run["strategy"] == done.ponder["strategy"]
    assert run["ended"] == "done"
    assert run["tokens"] == done.usage.total_tokens
    assert (missing["endpoint"], missing["status"]) == ("other", 404)
    for secret in ("secret", TEAM.digest, "six times", "boxed", "private"):
        ours = [r for r in caplog.records if not r.name.startswith("httpx")]  # the client's own
        assert secret not in "".join(str(record.__dict__) for record in ours)


async def test_who_hangs_up_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gate = Gate()
    async with serving(scripted(lambda request: "late", gate=gate)) as server:
        stream = await server.chat(NUMBER, stream=True)
        await gate.reached()
        await stream.close()
        await gate.left()
    [asked] = lines(caplog)
    assert asked["hung_up"] is True
    assert asked["runs"][0]["ended"] == "interrupt"


async def test_a_run_that_outlives_its_request_has_a_line_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    gate, runs = Gate(), []

    async def background(request: Request) -> Response:
        house = request.app.state.house
        asked = Asked((Message("user", "How many is six times seven?"),), "scripted")
        runs.extend(conduct(house, TEAM, [asked]))
        return Response("begun")

    async with serving(scripted(lambda request: "so \\boxed{42}", gate=gate)) as server:
        server.app.add_route("/background", background)
        await server.http.get("/background", headers={"x-request-id": "abc"})
        await gate.reached()
        gate.set()
        result = await runs[0].result()
    [asked, run] = lines(caplog)
    assert "runs" not in asked
    assert (run["event"], run["request"], run["key"]) == ("run", "abc", "team")
    assert run["tokens"] == result.receipt.total.cost.tokens


async def test_a_failure_has_its_places_but_no_message(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: Request) -> Response:
        raise ValueError("private") from KeyError("secret")

    async with serving(answering("hi")) as server:
        server.app.add_route("/broken", broken)
        said = await server.http.get("/broken", headers={"x-request-id": "abc"})
    assert (said.status_code, said.headers["x-request-id"]) == (500, "abc")
    assert "its log has the reason" in said.json()["error"]["message"]
    [failure] = [line for line in lines(caplog) if line["event"] == "failure"]
    assert failure["request"] == "abc"
    assert [one["type"] for one in failure["error"]] == ["ValueError", "KeyError"]
    assert "in broken" in failure["error"][0]["at"][-1]
    assert "private" not in json.dumps(failure)
    assert "private" not in said.text


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger(LOGGER)
    before = (logger.handlers, logger.propagate, logger.level)
    with written():
        logger.info("one\nline")
        logging.getLogger("uvicorn.error").info("not this")
    with written(logging.ERROR):
        logger.info("nor this")
    assert (logger.handlers, logger.propagate, logger.level) == before
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "one\nline"


async def test_it_is_ready_until_it_is_told_to_stop_or_its_engine_is_closed() -> None:
    async with serving(answering("hi")) as server:

        async def ready() -> httpx.Response:
            return await server.http.get("/readyz")

        assert (await ready()).status_code == 200
        operation = server.app.state.house.operation
        operation.draining = True
        assert (await ready()).json() == {"status": "ending"}
        operation.draining = False
        await server.engine.aclose()
        assert (await ready()).status_code == 503
        assert (await server.http.get("/healthz")).status_code == 200
