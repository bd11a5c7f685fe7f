"""A server that is killed in mid-run, and started again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import QUESTION
from tests.support.killing import kill_in_mid_run, served
from tests.support.seeded import configure, seeded_server

BODY = {
    "model": "loop",
    "messages": [{"role": "user", "content": QUESTION}],
    "seed": 3,
    "logprobs": True,
    "top_logprobs": 2,
    "ponder": {"strategy": "self_consistency", "knobs": {"n": 6, "stop": "never"}},
}
KEY = {"Idempotency-Key": "one"}
ABLE = ["seed", "stop", "logprobs", "top_logprobs"]
CHAT = "/v1/chat/completions"


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post(CHAT, json=BODY | more, headers=KEY)


def unbroken(folder: Path) -> dict[str, Any]:
    with seeded_server() as server:
        configure(folder, server.url, capabilities=ABLE)
        with served(folder) as (_, client):
            return dict(client.post(CHAT, json=BODY).json())


def test_a_request_that_is_sent_again_after_a_kill_is_not_paid_twice(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    expected = unbroken(tmp_path / "other")
    with seeded_server() as server:
        configure(tmp_path, server.url, capabilities=ABLE)
        kill_in_mid_run(tmp_path, server, ask)
        with served(tmp_path) as (_, client):
            paid = server.seeds[:3]
            [cut] = client.get("/v1/runs").json()["data"]
            assert cut["state"] == "cut_off"
            first = ask(client)
            assert first.status_code == 200, first.text
            again = ask(client)
            assert again.content == first.content
            assert ask(client, seed=4).status_code == 422
            [run] = client.get("/v1/runs").json()["data"]
    done = first.json()
    assert (run["id"], run["state"]) == (cut["id"], "done")
    assert done["ponder"]["run"] == cut["id"]
    assert sorted(server.seeds[3:6]) == sorted(server.seeds[6:]), "asked again: what was lost"
    assert not {*paid} & {*server.seeds[3:]}
    assert done["choices"] == expected["choices"]
    tokens = done["choices"][0]["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == done["choices"][0]["message"]["content"]
    assert done["ponder"]["candidates"] == expected["ponder"]["candidates"]


def test_a_run_that_was_cut_off_is_resumed_and_told_anew(tmp_path: Path) -> None:
    with seeded_server() as server:
        configure(tmp_path, server.url, capabilities=ABLE)
        kill_in_mid_run(tmp_path, server, partial(ask, stream=True))
        with served(tmp_path) as (_, client):
            [run] = client.get("/v1/runs", params={"state": "cut_off"}).json()["data"]
            path = f"/v1/runs/{run['id']}"
            before = told(client.get(f"{path}/events").text)
            assert [kind for _, kind, _ in before].count("sample_finished") == 3
            assert before[-1][1:] == ("end", before[-1][2])
            assert before[-1][2]["run"]["state"] == "cut_off"
            assert client.post(f"{path}/resume").status_code == 202
            after = told(client.get(f"{path}/events", params={"after": before[-2][0]}).text)
            whole = client.get(path).json()
    assert after[0][1] == "restarted"
    finished = [data for _, kind, data in after if kind == "sample_finished"]
    assert [data["replayed"] for data in finished] == [True] * 3 + [False] * 3
    assert after[-1][2]["run"]["state"] == whole["state"] == "done"
    assert whole["receipt"]["total"]["calls"] == 6
    assert len(server.seeds) == 9


def told(stream: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The id, kind and data of each event."""
    found = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found
