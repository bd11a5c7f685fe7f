"""Bodies and headers that programs send to the Responses API, recorded from the real ones.

Each file of ``clients/`` is a client: its name and version, its headers, and its requests by what a
user of it did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.responding import RESPONSE, check, read
from tests.support.serving import serving
from tests.support.tooling import agent

CLIENTS = [
    (file.stem, what, held["headers"], body)
    for file in sorted((Path(__file__).parent / "clients").glob("*.json"))
    for held in [json.loads(file.read_text("utf-8"))]
    for what, body in held["requests"].items()
]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(headers, body, id=f"{client}: {what}")
        for client, what, headers, body in CLIENTS
    ],
)
async def test_what_a_client_sends_is_answered(
    headers: dict[str, str], body: dict[str, Any]
) -> None:
    async with serving(agent()) as server:
        said = await server.http.post("/v1/responses", json=body, headers=headers)
    assert said.status_code == 200, said.text
    if body.get("stream"):
        found = read(said.text)
        check(found)
        done = found[-1]["response"]
    else:
        done = said.json()
        RESPONSE.validate_python(done)
    given = body["input"]
    answered = given[-1].get("type") == "function_call_output" if isinstance(given, list) else False
    assert (done["output"][-1]["type"] == "message") is answered
