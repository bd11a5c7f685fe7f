"""Stored responses."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from ponder.core.errors import PonderError
from ponder.core.problem import Message
from ponder.server.responses import store
from ponder.server.responses.store import MEMORY, Store, Stored, place
from tests.support.serving import answering, serving


def made(name: str, owner: str = "", status: str = "completed") -> Stored:
    response = {"id": name, "status": status, "background": True, "error": None, "created_at": 1}
    return Stored(name, owner, response, (Message("user", "x"),))


def test_a_response_is_kept_replaced_and_dropped_for_its_owner_alone(tmp_path: Path) -> None:
    kept = Store(tmp_path / "r.sqlite", 60)
    kept.put(made("a", "me", "in_progress"), works=True)
    kept.put(made("a", "me"))
    kept.close()
    kept = Store(tmp_path / "r.sqlite", 60)
    assert kept.get("a", "me") == made("a", "me")
    assert kept.get("a", "") is None
    assert not kept.drop("a", "you")
    assert kept.drop("a", "me")
    assert kept.get("a", "me") is None
    kept.close()


def test_a_response_that_is_too_old_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    kept = Store(tmp_path / "r.sqlite", 60)
    kept.put(made("a"))
    now = 1060.0
    assert kept.get("a", "") is not None
    now = 1061.0
    assert kept.get("a", "") is None
    kept.put(made("b"))
    now = 1000.0
    assert kept.get("a", "") is None
    kept.close()


def test_without_a_file_only_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 2)
    kept = Store(MEMORY, 60)
    for name in "abc":
        kept.put(made(name))
    assert [kept.get(name, "") is None for name in "abc"] == [True, False, False]
    kept.close()


def test_a_damaged_row_is_told_in_a_sentence(tmp_path: Path) -> None:
    kept = Store(tmp_path / "r.sqlite", 60)
    kept.put(made("a"))
    for column, value, why in (
        ("events", '[{"type": 1}]', "the type of an event must be a text"),
        ("events", '[{"type": "x"}]', "the number of an event must be a whole number"),
        ("conversation", '[{"role": "user", "content": "x", "call": "c"}]', "call belong to"),
        ("conversation", '[{"role": "user"}]', "has no 'content'"),
        ("response", '{"status": "lost"}', "its status must be one of those"),
        ("response", "{", "not JSON"),
        (
            "response",
            '{"status": "queued", "background": true, "created_at": 1, "output": [3]}',
            r"its output\[0\] must be an object",
        ),
    ):
        kept._execute(f"update responses set {column} = ?", (value,))
        with pytest.raises(PonderError, match=f"the stored response 'a' is damaged: .*{why}"):
            kept.get("a", "")
    kept.close()
    with pytest.raises(PonderError, match="cannot be used"):
        kept.get("a", "")


def test_the_file_lies_beside_the_journal(tmp_path: Path) -> None:
    assert place(False) == MEMORY
    assert place(tmp_path / "mine.sqlite") == tmp_path / "mine-responses.sqlite"
    assert Path(place(True)).name == "runs-responses.sqlite"


async def test_a_response_that_nothing_can_go_on_from_has_failed(tmp_path: Path) -> None:
    """One by a process that has ended, one by a former process of this one's number."""
    path = tmp_path / "runs-responses.sqlite"
    script = (
        "import os\nfrom tests.server.responses.test_store import Store, made\n"
        f"Store({str(path)!r}, 60).put(made('a', status='in_progress'), works=True)\n"
        "os._exit(9)\n"
    )
    root = Path(__file__).parents[3]
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=root)
    assert await killed.wait() == 9
    mine = Store(path, 60)
    mine.put(made("b", status="queued"), works=True)
    mine.close()
    async with serving(answering("x"), journal=tmp_path / "runs.sqlite") as server:
        for name in "ab":
            done = (await server.http.get(f"/v1/responses/{name}")).json()
            assert done["status"] == "failed"
            assert done["error"]["code"] == "server_error"
            assert "ended before the response was complete" in done["error"]["message"]
            assert (await server.post(f"/v1/responses/{name}/cancel")).json() == done
