"""Responses in the background whose server is killed, and started again."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import QUESTION
from tests.support.killing import kill_in_mid_run, served
from tests.support.responding import RESPONSE, check, read
from tests.support.seeded import configure, seeded_server

SEARCH = {"strategy": "self_consistency", "knobs": {"n": 6, "stop": "never"}}
BODY: dict[str, Any] = {
    "model": "loop",
    "input": QUESTION,
    "background": True,
    "stream": True,
    "ponder": SEARCH,
}
KEY = {"Idempotency-Key": "one"}
PATH = "/v1/responses"


def lines(client: httpx.Client, into: list[str]) -> None:
    with client.stream("POST", PATH, json=BODY, headers=KEY) as said:
        into.extend(said.iter_lines())  # until the server is killed


def test_a_response_whose_server_was_killed_goes_on_and_nothing_is_paid_twice(
    tmp_path: Path,
) -> None:
    heard: list[str] = []
    with seeded_server() as server:
        configure(tmp_path, server.url)
        kill_in_mid_run(tmp_path, server, partial(lines, into=heard))
        whole = threading.Event()
        server.after = lambda count: whole.set() if count == 9 else None
        paid = server.seeds[:3]
        before = read("\n".join(heard))
        name = before[0]["response"]["id"]
        with served(tmp_path) as (_, client):
            assert whole.wait(60), "it goes on by itself, before anybody asks for it"
            again = client.get(f"{PATH}/{name}?stream=true&starting_after={len(before)}")
            found = read(again.text)
            same = client.post(PATH, json=BODY, headers=KEY)
            done = client.get(f"{PATH}/{name}").json()
            [run] = client.get("/v1/runs").json()["data"]
    RESPONSE.validate_python(done)
    assert (done["id"], done["status"]) == (name, "completed")
    assert done["created_at"] == before[0]["response"]["created_at"]
    assert done["ponder"]["run"] == run["id"]
    assert done["ponder"]["receipt"]["total"]["calls"] == 6
    assert len(server.seeds) == 9
    assert sorted(server.seeds[3:6]) == sorted(server.seeds[6:]), "asked again: what was lost"
    assert not {*paid} & {*server.seeds[3:]}
    check(found, 10**6)  # all of the second attempt, which no number of the first one means
    assert found[0]["type"] == "response.created"
    assert found[-1]["response"] == done
    assert read(same.text) == found
